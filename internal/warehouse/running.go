package warehouse

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tributary/internal/audit"
	"tributary/internal/fault"
	"tributary/internal/tenant"
)

// Running is a query that is under way.
type Running struct {
	ID     string
	By     string    // who asked
	Tenant tenant.ID // whose it is; empty: the provider's
	Name   string    // of a named query
	Began  time.Time
	Rows   int64 // of its answer by now
}

// running are the queries that are under way.
type running struct {
	mu  sync.Mutex
	all map[string]*underWay
}

type underWay struct {
	Running
	rows   atomic.Int64
	cancel context.CancelCauseFunc
}

var errCancelled = fault.New(fault.Conflict, "The query was cancelled.")

// begin notes a query, which ends with the context that it returns, until end is called.
func (w *Warehouse) begin(ctx context.Context, q question) (_ context.Context, u *underWay, end func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	name, _ := q.note["query"].(string) // none of another SELECT
	u = &underWay{Running: Running{ID: w.cfg.Clock.ID("qry"), By: q.by, Tenant: q.tenant, Name: name, Began: w.cfg.Clock.Now()}, cancel: cancel}
	w.running.mu.Lock()
	defer w.running.mu.Unlock()
	if w.running.all == nil {
		w.running.all = map[string]*underWay{}
	}
	w.running.all[u.ID] = u
	return ctx, u, func() {
		cancel(nil)
		w.running.mu.Lock()
		defer w.running.mu.Unlock()
		delete(w.running.all, u.ID)
	}
}

// UnscopedRunning lists the queries that are under way, the oldest first: those of one of
// the provider's people, or everybody's, tenants' too, if by is empty.
func (w *Warehouse) UnscopedRunning(by string) []Running {
	return w.listRunning(func(r Running) bool { return by == "" || r.Tenant == "" && r.By == by })
}

// Running lists the tenant's queries that are under way, the oldest first: whoever's, or
// those of who acts under the scope.
func (w *Warehouse) Running(ctx context.Context, s tenant.Scope, whoever bool) ([]Running, error) {
	if err := s.Check(ctx, tenant.Read, tenant.Warehouse); err != nil {
		return nil, err
	}
	return w.listRunning(ofTenant(s, whoever)), nil
}

func ofTenant(s tenant.Scope, whoever bool) func(Running) bool {
	return func(r Running) bool { return r.Tenant == s.Tenant() && (whoever || r.By == s.Actor()) }
}

func (w *Warehouse) listRunning(shown func(Running) bool) []Running {
	w.running.mu.Lock()
	defer w.running.mu.Unlock()
	var list []Running
	for _, u := range w.running.all {
		if r := u.Running; shown(r) {
			r.Rows = u.rows.Load()
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b Running) int {
		if c := a.Began.Compare(b.Began); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return list
}

// UnscopedCancel ends a query that UnscopedRunning lists for whose, by somebody of the provider.
func (w *Warehouse) UnscopedCancel(ctx context.Context, by, whose, id string) error {
	return w.cancel(ctx, by, id, func(r Running) bool { return whose == "" || r.Tenant == "" && r.By == whose })
}

// Cancel ends a query that Running lists.
func (w *Warehouse) Cancel(ctx context.Context, s tenant.Scope, whoever bool, id string) error {
	if err := s.Check(ctx, tenant.Read, tenant.Warehouse); err != nil {
		return err
	}
	return w.cancel(ctx, s.Actor(), id, ofTenant(s, whoever))
}

func (w *Warehouse) cancel(ctx context.Context, by, id string, shown func(Running) bool) error {
	w.running.mu.Lock()
	u := w.running.all[id]
	w.running.mu.Unlock()
	if u == nil || !shown(u.Running) {
		return fault.New(fault.NotFound, "There is no query %q under way.", id)
	}
	u.cancel(errCancelled)
	return w.cfg.Audit.Record(ctx, audit.Entry{Tenant: u.Tenant, Actor: by, Verb: "query.cancel", Subject: id, Outcome: "ok"})
}
