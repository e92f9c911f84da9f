package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/minio/minio-go/v7"

	"tributary/internal/blob"
	"tributary/internal/fault"
)

// writer is an object on its way: what fits into one part is held until Commit
// and sent whole; what is longer goes out in parts of an upload of its own.
type writer struct {
	store  *Store
	key    blob.Key
	id     string             // tells this writer's object from another's
	ctx    context.Context    //nolint:containedctx // io.Writer has none; ends with the writer
	cancel context.CancelFunc // ends ctx
	asked  <-chan struct{}    // closed when whoever asked for the writer waits no longer
	buffer []byte
	holds  bool   // one of the store's places for a whole part
	upload string // of the parts; empty: there are none
	parts  []minio.CompletePart
	err    error // why nothing more can be done; errEnded after Commit and Abort
}

// largeBuffer is from where on a writer's buffer is that of a whole part, instead of
// growing beyond it by doubling. It takes one of the store's places.
const largeBuffer = 1 << 20

// mostPlaces is how many writers hold a whole part at once: 512 MiB.
const mostPlaces = 64

// patience is how long a writer waits for a place. Then it fails: whoever sends
// slowly keeps a place, and a request with two writers may wait for its own.
const patience = 30 * time.Second

// places is how many writers may hold a whole part: mostPlaces, or fewer where the
// process was told to keep to some memory, of which they take a quarter.
func places(limit int64) int { return int(max(4, min(mostPlaces, limit/4/partSize))) }

var errEnded = errors.New("object was committed or aborted")

// writerField is the object's metadata with the writer's id.
const writerField = "Writer"

// Create implements blob.Store. It asks the service nothing: a key that exists is
// found at Commit.
func (s *Store) Create(ctx context.Context, k blob.Key) (blob.Writer, error) {
	if err := k.Validate(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w := &writer{store: s, key: k, id: s.clock.ID("new"), asked: ctx.Done()}
	w.ctx, w.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return w, nil
}

// Write implements io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n := 0
	for n < len(p) {
		if len(w.buffer) == partSize {
			if w.err = w.send(w.ctx); w.err != nil {
				return n, w.err
			}
		}
		more := min(len(p)-n, partSize-len(w.buffer))
		if len(w.buffer)+more > largeBuffer && !w.holds {
			if w.err = w.hold(); w.err != nil {
				return n, w.err
			}
			w.buffer = append(make([]byte, 0, partSize), w.buffer...)
		}
		w.buffer = append(w.buffer, p[n:n+more]...)
		n += more
	}
	return n, nil
}

// hold takes a place for a whole part, and waits until there is one.
func (w *writer) hold() error {
	select {
	case w.store.places <- struct{}{}:
		w.holds = true
		return nil
	default:
	}
	late := time.NewTimer(w.store.patience)
	defer late.Stop()
	select {
	case w.store.places <- struct{}{}:
		w.holds = true
		return nil
	case <-w.asked:
		return fmt.Errorf("write object %s: %w", w.key, context.Canceled)
	case <-late.C:
		return fault.New(fault.Unavailable, "Too many files are on their way to the object store; send it again later.")
	}
}

// send sends the buffer as the next part.
func (w *writer) send(ctx context.Context) (err error) {
	doing := "write object " + string(w.key)
	if w.upload == "" {
		if w.upload, err = w.store.begin(ctx, w.store.name(w.key), w.id); err != nil {
			return w.store.failure(ctx, doing, err)
		}
	}
	part, err := w.store.putPart(ctx, w.store.name(w.key), w.upload, len(w.parts)+1, w.buffer)
	if err != nil {
		return w.store.failure(ctx, doing, err)
	}
	w.parts = append(w.parts, part)
	w.buffer = w.buffer[:0]
	return nil
}

// Commit implements blob.Writer.
func (w *writer) Commit(ctx context.Context) error {
	err := w.commit(ctx)
	w.Abort()
	return err
}

func (w *writer) commit(ctx context.Context) error {
	if w.err != nil {
		return fmt.Errorf("commit object %s: %w", w.key, w.err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if w.upload != "" && len(w.buffer) > 0 {
		if err := w.send(ctx); err != nil {
			return err
		}
	}
	name := w.store.name(w.key)
	if w.store.unconditional {
		defer w.store.turn(w.key)()
		if there, _, err := w.store.look(ctx, name); err != nil {
			return w.store.failure(ctx, "look for object "+string(w.key), err)
		} else if there {
			return taken(w.key)
		}
	}
	var err error
	if w.upload == "" {
		err = w.store.put(ctx, name, w.buffer, w.id, !w.store.unconditional)
	} else if err = w.store.complete(ctx, name, w.upload, w.parts); err == nil {
		w.upload = ""
	}
	return w.settle(ctx, err)
}

// settle says what an answer means. A request that is repeated because its answer
// was lost finds that its object is there, or that its upload is gone.
func (w *writer) settle(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if code := codeOf(err); isTaken(err) || code == "NoSuchUpload" || code == "ConditionalRequestConflict" {
		there, id, lookErr := w.store.look(ctx, w.store.name(w.key))
		switch {
		case lookErr != nil:
			err = lookErr // not known: not acknowledged
		case there && id == w.id:
			return nil
		case there:
			return taken(w.key)
		} // a service that says there is one, and has none: not known either
	}
	return w.store.failure(ctx, "commit object "+string(w.key), err)
}

// Abort implements blob.Writer.
func (w *writer) Abort() {
	if errors.Is(w.err, errEnded) {
		return
	}
	w.err = errEnded
	w.cancel()
	if w.upload != "" {
		w.store.abandon(w.ctx, w.store.name(w.key), w.upload) // else Sweep finds it
	}
	w.buffer, w.parts = nil, nil
	if w.holds {
		<-w.store.places
	}
}

// folderGone is what versitygw, which keeps objects as files, may answer a write when
// a deletion takes away the folder that it has just made for the object. Nothing was
// written then. No name of ours can be a folder's, so it never means what it says.
const folderGone = "ExistingObjectIsDirectory"

// put writes an object at once, unless there is one and it is conditional.
func (s *Store) put(ctx context.Context, name string, content []byte, writer string, conditional bool) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	o := minio.PutObjectOptions{UserMetadata: map[string]string{writerField: writer}}
	if conditional {
		o.SetMatchETagExcept("*")
	}
	for n := 1; ; n++ {
		_, err := s.client.PutObject(ctx, s.place.Bucket, name, bytes.NewReader(content), int64(len(content)), "", digest(content), o)
		if codeOf(err) != folderGone || n == retries {
			return err
		}
	}
}

// begin starts an upload in parts.
func (s *Store) begin(ctx context.Context, name, writer string) (upload string, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return s.client.NewMultipartUpload(ctx, s.place.Bucket, name, minio.PutObjectOptions{UserMetadata: map[string]string{writerField: writer}})
}

func (s *Store) putPart(ctx context.Context, name, upload string, number int, content []byte) (minio.CompletePart, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	part, err := s.client.PutObjectPart(ctx, s.place.Bucket, name, upload, number, bytes.NewReader(content), int64(len(content)),
		minio.PutObjectPartOptions{Sha256Hex: digest(content)})
	return minio.CompletePart{PartNumber: number, ETag: part.ETag}, err
}

// complete makes an object of an upload's parts, unless there is one.
func (s *Store) complete(ctx context.Context, name, upload string, parts []minio.CompletePart) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	o := minio.PutObjectOptions{}
	if !s.unconditional {
		o.SetMatchETagExcept("*")
	}
	_, err := s.client.CompleteMultipartUpload(ctx, s.place.Bucket, name, upload, parts, o)
	return err
}

// abandon gives an upload up, also when ctx has ended.
func (s *Store) abandon(ctx context.Context, name, upload string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTime)
	defer cancel()
	_ = s.client.AbortMultipartUpload(ctx, s.place.Bucket, name, upload) // Sweep finds it
}

// look reports whether there is an object, and which writer's.
func (s *Store) look(ctx context.Context, name string) (there bool, writer string, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	info, err := s.client.StatObject(ctx, s.place.Bucket, name, minio.StatObjectOptions{})
	if isMissing(err) {
		return false, "", nil
	}
	return err == nil, info.UserMetadata[writerField], err
}

// digest is what the service compares the bytes with that arrive.
func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
