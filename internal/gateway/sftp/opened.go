package sftp

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/pkg/sftp"

	"tributary/internal/tenant"
)

// opened is the files that are being written, by tenant and place: one handle each.
type opened struct {
	mu      sync.Mutex
	files   map[openedKey]*incoming
	none    chan struct{} // closed when the last goes; nil unless somebody waits
	handles map[tenant.ID]int
	entered map[openedKey]*entrance
}

// entrance lets in one at a time who opens or renames a file.
type entrance struct {
	mu sync.Mutex
	n  int
}

// enter waits until nobody else opens or renames a file; leave ends it. Who enters two
// enters them in the order of their names.
func (o *opened) enter(k openedKey) (leave func()) {
	o.mu.Lock()
	e := o.entered[k]
	if e == nil {
		if o.entered == nil {
			o.entered = map[openedKey]*entrance{}
		}
		e = &entrance{}
		o.entered[k] = e
	}
	e.n++
	o.mu.Unlock()
	e.mu.Lock()
	return func() {
		e.mu.Unlock()
		o.mu.Lock()
		defer o.mu.Unlock()
		if e.n--; e.n == 0 {
			delete(o.entered, k)
		}
	}
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

// all lists the files that are being written, or wait to be kept.
func (o *opened) all() []*incoming {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Collect(maps.Values(o.files))
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
