// Package s3 keeps objects in a bucket of any service that speaks Amazon's S3
// protocol. It promises what package blob does as far as that service keeps its
// own promises; README.md has the steps from a call to the bucket, and what a
// crash at each leaves.
package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"tributary/internal/blob"
	"tributary/internal/clock"
	"tributary/internal/egress"
	"tributary/internal/fault"
)

// The names below a store's prefix.
const (
	objects = "objects/" // each object, its key followed by the mark
	probes  = "probe/"   // what Check and New write and take away
	owner   = "owner"    // whose store it is
	mark    = "+"        // no key has it, and it sorts before all that keys have
)

const (
	// partSize is what a writer holds, and the size of each part but the last: S3
	// takes 10,000 of 5 MiB or more, so this is enough for 78 GiB.
	partSize = 8 << 20
	// callTime bounds one request with its repetitions. The slowest is a part.
	callTime = 2 * time.Minute
	retries  = 5 // a request is sent, about 3 s in all
)

// Config says where a store is. URL is required.
type Config struct {
	// URL is s3://BUCKET/PREFIX?endpoint=URL&region=NAME; see Parse.
	URL string
	// Owner is the id of the installation that the objects belong to. The store of
	// another one is refused. Required.
	Owner string
	// Existing makes New refuse a store that nobody has used yet.
	Existing bool
	// Reading is Existing for who reads or clears only: New writes nothing.
	Reading bool
	Clock   clock.Clock
	Log     *slog.Logger
}

// Store is a blob.Store in a bucket, below a prefix that one process has to itself.
type Store struct {
	client    *minio.Core
	transport http.RoundTripper
	place     Place
	owner     string
	clock     clock.Clock
	places    chan struct{} // taken by writers that hold a whole part
	patience  time.Duration // of writers that wait for one

	// unconditional is set where the service overwrites objects whatever it is
	// asked. Then one commit of a key at a time looks, and writes if there is none.
	unconditional bool
	seed          maphash.Seed
	turns         [64]sync.Mutex
}

// New opens the store: it looks at the bucket, whose store it is, and whether the
// service refuses to overwrite. What it cannot be used for is Invalid, or
// NotFound if Existing is set and there is no store; Conflict if it is another
// installation's; Unavailable if the service does not answer. Close releases it.
func New(ctx context.Context, c Config) (*Store, error) {
	s, err := connect(c, func(way http.RoundTripper) http.RoundTripper { return way })
	if err != nil {
		return nil, err
	}
	if err := s.prepare(ctx, c); err != nil {
		return nil, fmt.Errorf("open %s: %w", s.place, err)
	}
	return s, nil
}

// connect makes a store that has asked the service nothing yet. Tests change the way.
func connect(c Config, by func(http.RoundTripper) http.RoundTripper) (*Store, error) {
	place, err := Parse(c.URL)
	if err != nil {
		return nil, err
	}
	transport := by(egress.Transport(place.hostPort()))
	creds, err := findCredentials()
	if err != nil {
		return nil, err
	}
	client, err := minio.NewCore(place.Host, &minio.Options{
		Creds:      creds,
		Secure:     place.TLS,
		Region:     place.Region,
		Transport:  transport,
		MaxRetries: retries,
	})
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "The object store %s cannot be reached by this address.", place)
	}
	return &Store{client: client, transport: transport, place: place, owner: c.Owner, clock: c.Clock, seed: maphash.MakeSeed(),
		places: make(chan struct{}, places(debug.SetMemoryLimit(-1))), patience: patience}, nil
}

// findCredentials takes them from the environment, or from the file that it names
// and no other. Without any, requests would go out unsigned.
func findCredentials() (*credentials.Credentials, error) {
	var from credentials.Provider = &credentials.EnvAWS{}
	file := os.Getenv("AWS_SHARED_CREDENTIALS_FILE")
	if os.Getenv("AWS_ACCESS_KEY_ID") == "" && file != "" {
		from = &credentials.FileAWSCredentials{Filename: file}
	}
	creds := credentials.New(from)
	value, err := creds.GetWithContext(nil)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "The credentials for the object store cannot be read from the file %s, which AWS_SHARED_CREDENTIALS_FILE names.", file)
	}
	if value.AccessKeyID == "" || value.SecretAccessKey == "" {
		return nil, fault.New(fault.Invalid, "There are no credentials for the object store. They come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or from the file that AWS_SHARED_CREDENTIALS_FILE names.")
	}
	return creds, nil
}

func (s *Store) prepare(ctx context.Context, c Config) error {
	if err := s.lookAtBucket(ctx); err != nil {
		return err
	}
	if c.Owner == "" {
		return errors.New("a store has an owner")
	}
	if err := s.claim(ctx, c); err != nil || c.Reading {
		return err
	}
	ok, err := s.refusesToOverwrite(ctx)
	if err != nil {
		return err
	}
	if s.unconditional = !ok; !ok && c.Log != nil {
		c.Log.WarnContext(ctx, "the object store ignores If-None-Match; this server looks before it writes, and no other may write there", "objects", s.place.String())
	}
	return nil
}

// lookAtBucket refuses a bucket that is not there, that may not be used, or that
// keeps what is deleted.
func (s *Store) lookAtBucket(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	there, err := s.client.BucketExists(ctx, s.place.Bucket)
	if err != nil {
		return s.unusable("look for the bucket", err)
	}
	if !there {
		return fault.New(fault.Invalid, "There is no bucket %q at %s. Make it first.", s.place.Bucket, s.place.Host)
	}
	versions, err := s.client.GetBucketVersioning(ctx, s.place.Bucket)
	switch {
	case codeOf(err) == "NotImplemented", codeOf(err) == "MethodNotAllowed":
	case err != nil:
		return s.unusable("look at the bucket's versioning", err)
	case versions.Enabled():
		return fault.New(fault.Invalid, "The bucket %q keeps versions, so what is erased would stay in it. Name another bucket.", s.place.Bucket)
	case versions.Suspended():
		return fault.New(fault.Invalid, "The bucket %q kept versions once: versioning is suspended, and those from before stay. Name a bucket that never did.", s.place.Bucket)
	}
	return nil
}

// claim makes the store this installation's, or sees that it is. Objects that
// nobody owns are nobody's to take.
func (s *Store) claim(ctx context.Context, c Config) error {
	name := s.place.Prefix + owner
	whose, err := s.read(ctx, name)
	switch {
	case fault.Is(err, fault.NotFound) && (c.Existing || c.Reading):
		return fault.New(fault.NotFound, "There are no objects of Tributary at %s. Is it the right place? Nothing was made.", s.place)
	case fault.Is(err, fault.NotFound):
		full := fault.New(fault.Conflict, "There are objects at %s already, and nothing says whose. Name another prefix.", s.place)
		if err := s.each(ctx, s.place.Prefix+objects, func(minio.ObjectInfo) error { return full }); err != nil {
			return s.unusable("look for objects", err)
		}
		if err := s.put(ctx, name, []byte(c.Owner), s.clock.ID("own"), true); err != nil {
			return s.unusable("write the owner's name", err)
		}
		if whose, err = s.read(ctx, name); err != nil { // another may have been first
			return err
		}
	case err != nil:
		return err
	}
	if string(whose) != c.Owner {
		return errAnothers(s.place)
	}
	return nil
}

func errAnothers(p Place) error {
	return fault.New(fault.Conflict, "The objects at %s belong to another installation, or to another copy of this one. Name another prefix.", p)
}

// refusesToOverwrite tries whether a conditional write is refused where it must
// be, in both ways that an object is written.
func (s *Store) refusesToOverwrite(ctx context.Context) (bool, error) {
	name := s.place.Prefix + probes + s.clock.ID("new")
	defer func() { _ = s.remove(context.WithoutCancel(ctx), name) }() // Sweep finds it too
	if err := s.put(ctx, name, []byte("first"), "first", true); err != nil {
		return false, s.unusable("write a probe", err)
	}
	err := s.put(ctx, name, []byte("second"), "second", true)
	if err == nil {
		return false, nil
	}
	if !isTaken(err) {
		return false, s.unusable("write a probe again", err)
	}
	id, err := s.begin(ctx, name, "third")
	if err != nil {
		return false, s.unusable("begin a probe in parts", err)
	}
	part, err := s.putPart(ctx, name, id, 1, []byte("third"))
	if err == nil {
		err = s.complete(ctx, name, id, []minio.CompletePart{part})
	}
	if err == nil {
		return false, nil
	}
	s.abandon(ctx, name, id)
	if !isTaken(err) {
		return false, s.unusable("write a probe in parts", err)
	}
	return true, nil
}

// Close releases the store's connections.
func (s *Store) Close() error {
	if t, ok := s.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
	return nil
}

// name is what an object is called in the bucket. The mark lets "a" and "a/b" both
// be keys where the service keeps objects as files, and keeps the order of keys.
func (s *Store) name(k blob.Key) string { return s.place.Prefix + objects + string(k) + mark }

// key is the key of an object by its name.
func (s *Store) key(name string) (blob.Key, bool) {
	k, ok := strings.CutSuffix(strings.TrimPrefix(name, s.place.Prefix+objects), mark)
	return blob.Key(k), ok && blob.Key(k).Validate() == nil
}

// turn waits until no other commit of the key is between its look and its write.
func (s *Store) turn(k blob.Key) (done func()) {
	mu := &s.turns[maphash.String(s.seed, string(k))%uint64(len(s.turns))]
	mu.Lock()
	return mu.Unlock
}

// read reads a small object of the store's own.
func (s *Store) read(ctx context.Context, name string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	body, _, _, err := s.client.GetObject(ctx, s.place.Bucket, name, minio.GetObjectOptions{})
	if err != nil {
		return nil, s.unusable("read "+name, err)
	}
	defer body.Close()
	b, err := io.ReadAll(io.LimitReader(body, 4096))
	if err != nil {
		return nil, s.failure(ctx, "read "+name, err)
	}
	return bytes.TrimSpace(b), nil
}

var _ blob.Store = (*Store)(nil)
