package warehouse

import (
	"context"
	"time"

	"tributary/internal/fault"
	"tributary/internal/query"
	"tributary/internal/tenant"
)

// NamedRun is a named query, the values of its parameters, and the limits of its answer.
type NamedRun struct {
	Name    string
	Values  map[string]string // of parameters that are not to be their defaults
	Rows    int               // as in Ask
	Timeout time.Duration     // likewise
}

// Ran is how the answer of a named query ended.
type Ran struct {
	Ended
	Version int64 // of the query
	Cached  bool  // the answer is one that was given before, of which nothing has changed
}

// UnscopedRunNamed does a named query over all tenants for somebody of the provider.
// Everything else is as with UnscopedAsk.
func (w *Warehouse) UnscopedRunNamed(ctx context.Context, by string, r NamedRun, into Into) (Ran, error) {
	n, err := w.Named(ctx, r.Name, 0)
	if err != nil {
		return Ran{}, err
	}
	return w.run(ctx, question{by: by}, n, r, into)
}

// RunNamed does a named query that is for tenants over the tenant's own rows, whatever the
// query and its parameters say: what the query names are not the tables, but what of
// them is the tenant's. As with Ask, acts, sign-ins and the users that are known
// by them are for who may read the tenant's streams; to others it is as if there were none.
func (w *Warehouse) RunNamed(ctx context.Context, s tenant.Scope, r NamedRun, into Into) (Ran, error) {
	if err := s.Check(ctx, tenant.Read, tenant.Warehouse); err != nil {
		return Ran{}, err
	}
	n, err := w.NamedForTenants(ctx, r.Name, 0)
	if err != nil {
		return Ran{}, err
	}
	return w.run(ctx, question{by: s.Actor(), tenant: s.Tenant(), acts: mayReadActs(ctx, s)}, n, r, into)
}

func (w *Warehouse) run(ctx context.Context, q question, n Named, r NamedRun, into Into) (Ran, error) {
	a := Ask{SQL: n.sql, Rows: r.Rows, Timeout: r.Timeout}
	if err := a.check(); err != nil {
		return Ran{}, err
	}
	statement, err := n.statement(r.Values, w.cfg.Clock.Now())
	if err != nil {
		return Ran{}, err
	}
	q.Select = query.Select{Statement: statement, Tables: Tables, Rows: a.Rows, Bytes: MaxBytes}
	if q.tenant != "" {
		q.Tables, q.Instead = bound(q.tenant, q.acts)
	}
	q.timeout, q.note = a.Timeout, map[string]any{"query": n.Name, "version": n.Version}
	key := w.answers.key(q, n)
	if kept := w.answers.find(key); kept != nil {
		q.note["cached"] = true
		if err := kept.give(into); err != nil {
			return Ran{}, err
		}
		err := w.tell(ctx, q, nil, map[string]any{"rows": kept.end.Rows, "truncated": kept.end.Truncated})
		return Ran{Ended: kept.end, Version: n.Version, Cached: true}, err
	}
	if q.tenant != "" {
		leave, err := w.naming.enter(q.tenant)
		if err != nil {
			return Ran{}, err
		}
		defer leave()
	}
	keeping := &answer{}
	end, err := w.ask(ctx, q, keeping.from(into))
	if err != nil {
		if q.tenant != "" && fault.Is(err, fault.Invalid) { // who runs it is not told
			w.cfg.Log.WarnContext(ctx, "a named query failed on a tenant's rows", "query", n.Name, "version", n.Version, "tenant.id", string(q.tenant), "error", err)
		}
		return Ran{}, err
	}
	keeping.end = end
	w.answers.keep(key, keeping)
	return Ran{Ended: end, Version: n.Version}, nil
}

func noQuery(name string) error {
	return fault.New(fault.NotFound, "There is no query called %q.", name)
}
