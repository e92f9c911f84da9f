package api

import (
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // the protocol asks for it, against accidents
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"hash"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	tusd "github.com/tus/tusd/v2/pkg/handler"
	"golang.org/x/exp/slog" //nolint:depguard // tusd takes its logger

	"tributary/internal/exchange"
	"tributary/internal/fault"
	"tributary/internal/tenant"
)

// tus runs tusd's handler of the protocol on the exchange. The handler answers into
// memory: what it says in its own words is said again in ours, and what it logs, with
// names, is dropped.
type tus struct {
	exchange *exchange.Exchange
	taken    func(ctx context.Context, bytes int64) // told of each file that has all arrived
	handler  *tusd.UnroutedHandler
	methods  map[string]http.Handler
	locks    uploadLocks
}

// lockTime is how long a request waits until another one lets go of its upload.
const lockTime = 10 * time.Second

func newTus(x *exchange.Exchange, taken func(context.Context, int64)) (*tus, error) {
	t := &tus{exchange: x, taken: taken, locks: uploadLocks{held: map[string]*holder{}}}
	composer := tusd.NewStoreComposer()
	composer.UseCore(t)
	composer.UseTerminater(t)
	composer.UseLocker(&t.locks)
	var err error
	t.handler, err = tusd.NewUnroutedHandler(tusd.Config{StoreComposer: composer, BasePath: uploadsPath, DisableDownload: true, DisableConcatenation: true,
		Cors: &tusd.CorsConfig{Disable: true}, NetworkTimeout: Stall, AcquireLockTimeout: lockTime,
		Logger: slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.Level(100)}))})
	if err != nil {
		return nil, err
	}
	t.methods = map[string]http.Handler{}
	for method, do := range map[string]http.HandlerFunc{http.MethodPost: t.handler.PostFile, http.MethodHead: t.handler.HeadFile,
		http.MethodPatch: t.handler.PatchFile, http.MethodDelete: t.handler.DelFile} {
		t.methods[method] = t.handler.Middleware(do)
	}
	return t, nil
}

// exchanged is one request of the protocol while it is answered.
type exchanged struct {
	scope  tenant.Scope
	method string
	body   *counted
	upload exchange.Upload // as the request leaves it
	err    error           // what the exchange said
}

type exchangedKey struct{}

func exchangedOf(ctx context.Context) *exchanged {
	return ctx.Value(exchangedKey{}).(*exchanged) //nolint:forcetypeassert // do puts it there
}

// fails remembers the error for the answer.
func (e *exchanged) fails(err error) error {
	e.err = err
	return err
}

// do answers a request about the upload of an id, or that makes one.
func (t *tus) do(ctx context.Context, c *call, in *Unread, id string) (exchange.Upload, error) {
	in.w.Header().Set("Tus-Resumable", tusVersion)
	scope, err := c.transfer(ctx)
	if err != nil {
		return exchange.Upload{}, err
	}
	e := &exchanged{scope: scope, method: in.r.Method}
	if id != "" { // first of all: about what is not there nothing else is said
		if e.upload, err = t.exchange.WebUpload(ctx, scope, id); err != nil {
			return exchange.Upload{}, err
		}
	}
	if e.body, err = newCounted(in.r); err != nil {
		return exchange.Upload{}, err
	}
	r := in.r.WithContext(context.WithValue(ctx, exchangedKey{}, e))
	r.Body, r.Header = e.body, in.r.Header.Clone()
	r.Header.Del("X-HTTP-Method-Override") // the method is the registered route's
	target := *in.r.URL
	target.Path = id
	r.URL = &target
	w := &captured{ResponseWriter: in.w, header: http.Header{}}
	t.methods[e.method].ServeHTTP(w, r)
	switch {
	case e.err != nil:
		return e.upload, e.err
	case w.status >= 400:
		return e.upload, w.fault()
	}
	return e.upload, nil
}

// captured keeps an answer in memory.
type captured struct {
	http.ResponseWriter
	header http.Header
	status int
	body   bytes.Buffer
}

func (c *captured) Header() http.Header         { return c.header }
func (c *captured) WriteHeader(status int)      { c.status = status }
func (c *captured) Write(p []byte) (int, error) { return c.body.Write(p) }

// Unwrap lets http.ResponseController find the connection.
func (c *captured) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// protocolFault is a fault for which a protocol has a status of its own.
type protocolFault struct {
	status int
	error
}

func (p *protocolFault) Unwrap() error { return p.error }

// tusFaults says tusd's errors in our words, by their codes.
var tusFaults = map[string]*protocolFault{
	"ERR_UNSUPPORTED_VERSION":   {http.StatusPreconditionFailed, fault.New(fault.Invalid, "Send Tus-Resumable: 1.0.0, the version of the protocol that this server speaks.")},
	"ERR_INVALID_CONTENT_TYPE":  {http.StatusUnsupportedMediaType, fault.New(fault.Invalid, "Send the bytes as application/offset+octet-stream.")},
	"ERR_INVALID_UPLOAD_LENGTH": {http.StatusUnprocessableEntity, fault.New(fault.Invalid, "Say with Upload-Length how many bytes the file has.")},
	"ERR_NOT_IMPLEMENTED":       {http.StatusUnprocessableEntity, fault.New(fault.Invalid, "Say with Upload-Length how many bytes the file has, when the upload is made: it cannot be said later.")},
	"ERR_INVALID_OFFSET":        {http.StatusUnprocessableEntity, fault.New(fault.Invalid, "Say with Upload-Offset where these bytes begin.")},
	"ERR_MISMATCHED_OFFSET":     {http.StatusConflict, fault.New(fault.Conflict, "The upload is not at this offset. Ask with HEAD how much of it is safe, and go on from there.")},
	"ERR_UPLOAD_SIZE_EXCEEDED":  {http.StatusRequestEntityTooLarge, errOverlong},
	"ERR_UPLOAD_LOCKED":         {http.StatusLocked, fault.New(fault.Conflict, "Another request is sending bytes of this upload.")},
	"ERR_LOCK_TIMEOUT":          {http.StatusLocked, fault.New(fault.Conflict, "Another request is at work on this upload. Try again in a moment.")},
	"ERR_UPLOAD_INTERRUPTED":    {http.StatusConflict, fault.New(fault.Conflict, "Another request went on with this upload. What had arrived is kept.")},
	"ERR_READ_TIMEOUT":          {http.StatusRequestTimeout, fault.New(fault.TimedOut, "Nothing came for %.0f s. What had arrived is kept: go on from there.", Stall.Seconds())},
	"ERR_UNEXPECTED_EOF":        {statuses[fault.Cancelled], errBroken},
	"ERR_CONNECTION_RESET":      {statuses[fault.Cancelled], errBroken},
}

var (
	errBroken   = fault.New(fault.Cancelled, "The connection ended. What had arrived is kept: go on from there.")
	errOverlong = fault.New(fault.TooLarge, "There are more bytes than Upload-Length said the file has.")
	errDiffers  = &protocolFault{statusChecksum, fault.New(fault.Invalid, "What arrived does not match its Upload-Checksum. None of it was kept; send it again.")}
)

func (c *captured) fault() error {
	code, _, _ := strings.Cut(c.body.String(), ":")
	if f := tusFaults[code]; f != nil {
		return f
	}
	if code == "" { // an answer to HEAD has no body
		for _, f := range tusFaults {
			if f.status == c.status {
				return f
			}
		}
	}
	return errors.New("tusd: " + c.body.String())
}

// counted is a request's body, which remembers what it was. tusd hides that from its
// stores.
type counted struct {
	io.ReadCloser
	n    int64
	want []byte // what the bytes hash to; nil: not said
	hash hash.Hash
}

func newCounted(r *http.Request) (*counted, error) {
	algorithm, want, err := checksum(r.Header.Get("Upload-Checksum"))
	if err != nil {
		return nil, err
	}
	c := &counted{ReadCloser: r.Body, want: want}
	switch algorithm {
	case "sha256":
		c.hash = sha256.New()
	case "sha1":
		c.hash = sha1.New() //nolint:gosec // see its import
	}
	return c, nil
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.n += int64(n)
	if c.hash != nil {
		c.hash.Write(p[:n])
	}
	return n, err
}

// check reports why the bytes cannot be kept.
func (c *counted) check(room int64) error {
	switch {
	case c.n > room:
		return &protocolFault{http.StatusRequestEntityTooLarge, errOverlong}
	case c.hash != nil && subtle.ConstantTimeCompare(c.hash.Sum(nil), c.want) != 1:
		return errDiffers
	}
	return nil
}

// NewUpload implements tusd.DataStore.
func (t *tus) NewUpload(ctx context.Context, info tusd.FileInfo) (tusd.Upload, error) {
	e := exchangedOf(ctx)
	u, err := described(info.Size, info.MetaData)
	if err == nil {
		e.upload, err = t.exchange.CreateUpload(ctx, e.scope, u)
	}
	return &tusUpload{t, e}, e.fails(err)
}

// GetUpload implements tusd.DataStore. An upload that has all arrived and was not
// submitted, because the server ended first, is submitted now.
func (t *tus) GetUpload(ctx context.Context, id string) (tusd.Upload, error) {
	e := exchangedOf(ctx)
	var err error
	if e.upload, err = t.exchange.WebUpload(ctx, e.scope, id); err != nil {
		return nil, e.fails(err)
	}
	if e.method != http.MethodDelete && e.upload.Submission == "" && e.upload.Arrived() {
		e.upload, err = t.exchange.FinishUpload(context.WithoutCancel(ctx), e.scope, e.upload)
		t.note(ctx, e, err)
	}
	return &tusUpload{t, e}, e.fails(err)
}

// note counts a file that has become a submission.
func (t *tus) note(ctx context.Context, e *exchanged, err error) {
	if err == nil && e.upload.Submission != "" {
		t.taken(ctx, e.upload.Length)
	}
}

// AsTerminatableUpload implements tusd.TerminaterDataStore.
func (t *tus) AsTerminatableUpload(u tusd.Upload) tusd.TerminatableUpload {
	return u.(*tusUpload) //nolint:forcetypeassert // the store makes no others
}

// tusUpload is an upload for tusd.
type tusUpload struct {
	*tus
	*exchanged
}

// GetInfo implements tusd.Upload.
func (u *tusUpload) GetInfo(context.Context) (tusd.FileInfo, error) {
	return tusd.FileInfo{ID: u.upload.ID, Size: u.upload.Length, Offset: u.upload.Size}, nil
}

// WriteChunk implements tusd.Upload: the request's bytes become a part, and with the last
// one the file is submitted before it is acknowledged. What arrived of a request that
// broke off is kept.
func (u *tusUpload) WriteChunk(ctx context.Context, _ int64, src io.Reader) (int64, error) {
	before := u.upload
	d, err := u.tus.exchange.Draft(ctx, u.scope, before)
	if err != nil {
		return 0, u.fails(err)
	}
	n, err := io.CopyBuffer(struct{ io.Writer }{d}, struct{ io.Reader }{src}, make([]byte, 256<<10))
	if err != nil && u.body.hash == nil { // the rest of what was to be checked has not come
		return 0, u.fails(d.Rescue(context.WithoutCancel(ctx), err))
	}
	if err == nil {
		err = u.body.check(before.Length - before.Size)
	}
	if err != nil {
		d.Drop()
		return 0, u.fails(err)
	}
	after, err := d.Complete(context.WithoutCancel(ctx))
	if err != nil {
		return 0, u.fails(err)
	}
	u.upload = after
	u.note(ctx, u.exchanged, nil)
	return n, nil
}

// FinishUpload implements tusd.Upload. WriteChunk has done it.
func (u *tusUpload) FinishUpload(context.Context) error { return nil }

// GetReader implements tusd.Upload.
func (u *tusUpload) GetReader(context.Context) (io.ReadCloser, error) {
	return nil, errors.New("uploads are not read back")
}

// Terminate implements tusd.TerminatableUpload.
func (u *tusUpload) Terminate(ctx context.Context) error {
	return u.fails(u.tus.exchange.DropUpload(ctx, u.scope, u.upload.ID))
}

// uploadLocks lets one request at a time work on an upload. A client that asks where
// it is has lost its connection, and the server may not know that yet: so asking, and
// dropping, end a request that is still sending. Sending does not.
type uploadLocks struct {
	mu   sync.Mutex
	held map[string]*holder
}

type holder struct {
	letGo func()
	free  chan struct{}
}

// NewLock implements tusd.Locker.
func (l *uploadLocks) NewLock(id string) (tusd.Lock, error) {
	return &uploadLock{locks: l, id: id}, nil
}

type uploadLock struct {
	locks *uploadLocks
	id    string
	key   string
	mine  *holder
}

// Lock implements tusd.Lock. The key has the tenant in it: nobody holds up, or ends, what
// is another's.
func (l *uploadLock) Lock(ctx context.Context, letGo func()) error {
	e := exchangedOf(ctx)
	l.key = string(e.scope.Tenant()) + " " + l.id
	for {
		other := l.take(letGo)
		switch {
		case other == nil:
			return nil
		case e.method == http.MethodPatch:
			return tusd.ErrFileLocked
		}
		other.letGo()
		select {
		case <-other.free:
		case <-ctx.Done():
			return tusd.ErrLockTimeout
		}
	}
}

// take takes the lock, or returns who has it.
func (l *uploadLock) take(letGo func()) *holder {
	l.locks.mu.Lock()
	defer l.locks.mu.Unlock()
	if other := l.locks.held[l.key]; other != nil {
		return other
	}
	l.mine = &holder{letGo, make(chan struct{})}
	l.locks.held[l.key] = l.mine
	return nil
}

// Unlock implements tusd.Lock.
func (l *uploadLock) Unlock() error {
	l.locks.mu.Lock()
	defer l.locks.mu.Unlock()
	delete(l.locks.held, l.key)
	close(l.mine.free)
	return nil
}
