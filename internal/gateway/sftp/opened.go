package sftp

import (
	"context"
	"fmt"
	"sync"

	"github.com/pkg/sftp"

	"tributary/internal/tenant"
)

// slots counts what there may be only so many of.
type slots chan struct{}

func newSlots(n int) slots { return make(chan struct{}, n) }

func (s slots) take() bool {
	select {
	case s <- struct{}{}:
		return true
	default:
		return false
	}
}

func (s slots) give() { <-s }

// opened is the files that are being written, by tenant and place: one handle each.
type opened struct {
	mu      sync.Mutex
	files   map[openedKey]*incoming
	none    chan struct{} // closed when the last goes; nil unless somebody waits
	handles map[tenant.ID]int
}

// handle counts what a tenant has open, or says that it is too much.
func (o *opened) handle(id tenant.ID) (closed func(), err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.handles[id] >= mostHandles {
		return nil, refuse(sftp.ErrSSHFxFailure, "too many files and folders are open at once; close some")
	}
	if o.handles == nil {
		o.handles = map[tenant.ID]int{}
	}
	o.handles[id]++
	return sync.OnceFunc(func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.handles[id]--; o.handles[id] == 0 {
			delete(o.handles, id)
		}
	}), nil
}

type openedKey struct {
	tenant tenant.ID
	place  place
}

func (f *incoming) key() openedKey { return openedKey{f.session.scope.Tenant(), f.place} }

// add makes f the one handle of its file; another before it ends.
func (o *opened) add(ctx context.Context, f *incoming, keep bool) {
	o.mu.Lock()
	before := o.files[f.key()]
	if o.files == nil {
		o.files = map[openedKey]*incoming{}
	}
	o.files[f.key()] = f
	o.mu.Unlock()
	if before != nil {
		before.yield(ctx, keep)
	}
}

func (o *opened) find(id tenant.ID, p place) *incoming {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.files[openedKey{id, p}]
}

func (o *opened) remove(f *incoming) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.files[f.key()] == f {
		delete(o.files, f.key())
	}
	if len(o.files) == 0 && o.none != nil {
		close(o.none)
		o.none = nil
	}
}

// wait waits until no file is being written.
func (o *opened) wait(ctx context.Context) error {
	o.mu.Lock()
	if len(o.files) == 0 {
		o.mu.Unlock()
		return nil
	}
	if o.none == nil {
		o.none = make(chan struct{})
	}
	none, n := o.none, len(o.files)
	o.mu.Unlock()
	select {
	case <-none:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%d files were still arriving over SFTP; what arrived of them is kept", n)
	}
}
