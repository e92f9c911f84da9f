package warehouse

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tributary/internal/audit"
	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/query"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

// Rebuild is what is to be made anew: facts from what the archive and the streams have, event
// by event, and models from the facts.
type Rebuild struct {
	Table    string    // one of Tables; empty: all
	Tenant   tenant.ID // empty: all, and the provider's own
	From, To time.Time // of when things happened, To not included; zero: without an end
}

// Rebuilding is how a rebuild goes.
type Rebuilding struct {
	Rebuild
	State      string // running, done, cancelled or failed
	By         string
	Began      time.Time
	Ended      time.Time // zero: it runs
	Stream     string    // that is read; empty: none, or no more
	Archived   int64     // events of the archive that were read
	Unread     []string  // objects of the archive that could not be read, and were passed over
	Read, Last uint64    // how far of the stream itself
	Rows       int64     // written anew
	Intervals  int64     // of models, made anew
	Problem    string    // with failed
}

// rebuilding is the one that runs, or ran last.
type rebuilding struct {
	Rebuilding
	cancel context.CancelFunc
	ended  chan struct{}
}

// rereadBy lists what tables that are views are made of: models and facts.
var rereadBy = map[string][]string{
	"fact_session": {"session_day"}, "dim_source": {"source_hour"}, "dim_identity": {"link_day"}, "dim_user": {"link_day", "trait_day", "fact_activity", "fact_act"},
	"fact_login": {"fact_act"}, "fact_submission": {"fact_act"}, "fact_job": {"fact_act"}, "dim_tenant": {"fact_act"}, "dim_job": {"fact_act"},
}

// facts are the tables that the streams are loaded into.
var facts = []string{"fact_event", "fact_act"}

// targets are the facts and models that a rebuild is of. Of a fact its models are made
// anew too, since its hours change.
func (r Rebuild) targets() (fact []string, made []model, err error) {
	names := rereadBy[r.Table]
	if names == nil {
		names = []string{r.Table}
	}
	for _, name := range facts {
		if r.Table == "" || slices.Contains(names, name) {
			fact = append(fact, name)
		}
	}
	for _, m := range models {
		if r.Table == "" || slices.Contains(names, m.name) {
			made = append(made, m)
		}
	}
	switch {
	case len(fact)+len(made) == 0 && slices.Contains(Tables, r.Table):
		return nil, nil, fault.New(fault.Invalid, "The table %s is not made of anything that could be read again.", r.Table)
	case len(fact)+len(made) == 0:
		return nil, nil, fault.New(fault.Invalid, "There is no table %q. The tables are %s.", r.Table, strings.Join(Tables, ", "))
	case !r.From.IsZero() && !r.To.IsZero() && !r.From.Before(r.To):
		return nil, nil, fault.New(fault.Invalid, "What is rebuilt ends before it begins.")
	}
	return fact, made, nil
}

// UnscopedRebuild begins a rebuild, which goes on in the background. There is one at a
// time. It can be begun again at any time: rows are replaced one by one, and none are
// missing meanwhile. What neither the archive nor the streams have stays as it is.
func (w *Warehouse) UnscopedRebuild(ctx context.Context, by string, r Rebuild) (Rebuilding, error) {
	fact, made, err := r.targets()
	if err != nil {
		return Rebuilding{}, err
	}
	w.telling.Lock()
	defer w.telling.Unlock()
	if w.rebuild != nil && w.rebuild.State == "running" {
		return Rebuilding{}, fault.New(fault.Conflict, "A rebuild is running since %s. Cancel it, or wait until it has ended.", w.rebuild.Began.Format(time.RFC3339))
	}
	details := map[string]any{"table": r.Table, "tenant": string(r.Tenant)}
	for name, t := range map[string]time.Time{"from": r.From, "to": r.To} {
		if !t.IsZero() {
			details[name] = t
		}
	}
	if err := w.cfg.Audit.Record(ctx, audit.Entry{Actor: by, Verb: "warehouse.rebuild", Subject: "warehouse", Outcome: "ok", Details: details}); err != nil {
		return Rebuilding{}, err
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	b := &rebuilding{Rebuilding: Rebuilding{Rebuild: r, State: "running", By: by, Began: w.cfg.Clock.Now()}, cancel: cancel, ended: make(chan struct{})}
	w.rebuild = b
	go func() {
		defer close(b.ended)
		defer cancel()
		w.finish(context.WithoutCancel(ctx), b, w.renew(running, b, fact, made))
	}()
	return b.Rebuilding, nil
}

// finish notes how a rebuild ended.
func (w *Warehouse) finish(ctx context.Context, b *rebuilding, err error) {
	w.telling.Lock()
	b.Ended, b.Stream, b.State = w.cfg.Clock.Now(), "", "done"
	switch {
	case errors.Is(err, context.Canceled), fault.Is(err, fault.Cancelled):
		b.State = "cancelled"
	case err != nil:
		b.State, b.Problem = "failed", fault.Message(err)
		w.cfg.Log.ErrorContext(ctx, "the warehouse could not be rebuilt", "error", err)
	}
	e := audit.Entry{Actor: b.By, Verb: "warehouse.rebuilt", Subject: "warehouse", Outcome: b.State, Details: map[string]any{"rows": b.Rows, "intervals": b.Intervals, "unread": len(b.Unread)}}
	w.telling.Unlock()
	if err := w.cfg.Audit.Record(ctx, e); err != nil {
		w.cfg.Log.ErrorContext(ctx, "the end of a rebuild is not in the audit log", "error", err)
	}
}

// UnscopedCancelRebuild ends the rebuild that runs, and returns what it did. What it
// has written stays.
func (w *Warehouse) UnscopedCancelRebuild(ctx context.Context, by string) (Rebuilding, error) {
	if r := w.lastRebuild(); r == nil || r.State != "running" {
		return Rebuilding{}, fault.New(fault.NotFound, "No rebuild is running.")
	}
	if err := w.cfg.Audit.Record(ctx, audit.Entry{Actor: by, Verb: "warehouse.cancel", Subject: "warehouse", Outcome: "ok"}); err != nil {
		return Rebuilding{}, err
	}
	if err := w.endRebuild(ctx); err != nil {
		return Rebuilding{}, err
	}
	return *w.lastRebuild(), nil
}

// endRebuild ends the rebuild, if there is one, and waits for its end.
func (w *Warehouse) endRebuild(ctx context.Context) error {
	w.telling.Lock()
	b := w.rebuild
	w.telling.Unlock()
	if b == nil {
		return nil
	}
	b.cancel()
	select {
	case <-b.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lastRebuild is the rebuild that runs or ran last since the start; nil: there is none.
func (w *Warehouse) lastRebuild() *Rebuilding {
	w.telling.Lock()
	defer w.telling.Unlock()
	if w.rebuild == nil {
		return nil
	}
	r := w.rebuild.Rebuilding
	r.Unread = slices.Clone(r.Unread)
	return &r
}

// renew does a rebuild.
func (w *Warehouse) renew(ctx context.Context, b *rebuilding, fact []string, made []model) error {
	for _, n := range stream.Names {
		if slices.Contains(fact, w.loaders[n].fact()) {
			if err := w.reread(ctx, b, n); err != nil {
				return fmt.Errorf("read stream %s again: %w", n, err)
			}
		}
	}
	for i := range made {
		if err := w.remake(ctx, b, &made[i]); err != nil {
			return fmt.Errorf("make %s again: %w", made[i].name, err)
		}
	}
	return w.Make(ctx)
}

// reread writes the rows of what the archive and a stream have anew.
func (w *Warehouse) reread(ctx context.Context, b *rebuilding, n stream.Name) error {
	l := &loader{Warehouse: w, name: n}
	if err := w.rereadPast(ctx, b, l); err != nil {
		return fmt.Errorf("read the archive: %w", err)
	}
	state, err := w.cfg.Streams.State(ctx, n)
	if err != nil {
		return err
	}
	for {
		more, err := w.rereadSome(ctx, b, l, state.Last)
		if err != nil || !more {
			return err
		}
	}
}

// rereadPast does that for what the archive has. What the stream has too is read there once
// more: which of the two has it whole is not known.
func (w *Warehouse) rereadPast(ctx context.Context, b *rebuilding, l *loader) error {
	if w.past == nil {
		return nil
	}
	from := b.From
	if !from.IsZero() {
		from = from.Add(-day) // an event happens at most a day after it is received
	}
	var waiting []events.Event // for a transaction that is worth it: there is an object for each tenant and day
	size := 0
	replace := func() error {
		w.loading.Lock()
		defer w.loading.Unlock()
		some := l.newBatch()
		if err := some.rowsOf(ctx, waiting); err != nil {
			return err
		}
		rows, err := some.replace(ctx)
		waiting, size = nil, 0
		w.telling.Lock()
		b.Rows += rows
		w.telling.Unlock()
		return err
	}
	unread, err := w.past.UnscopedSince(ctx, b.Tenant, l.name, from, func(list []events.Event) error {
		w.telling.Lock()
		b.Stream = string(l.name)
		b.Archived += int64(len(list))
		w.telling.Unlock()
		for _, e := range b.within(list) {
			waiting = append(waiting, e)
			size += len(e.Data) + len(e.Context) + 200
		}
		if size < mostBytes {
			return nil
		}
		return replace()
	})
	w.telling.Lock()
	b.Unread = append(b.Unread, unread...)
	w.telling.Unlock()
	if err != nil {
		return err
	}
	return replace()
}

// within returns those of some events that happened in the interval.
func (r Rebuild) within(list []events.Event) []events.Event {
	return slices.DeleteFunc(list, func(e events.Event) bool {
		return !r.From.IsZero() && e.Time.Before(r.From) || !r.To.IsZero() && !e.Time.Before(r.To)
	})
}

// rereadSome does that for what a transaction holds of the stream, and reports whether there was any. An
// erasure comes before it, and the blocks cannot be opened, or after it, and finds the rows.
func (w *Warehouse) rereadSome(ctx context.Context, b *rebuilding, l *loader, end uint64) (bool, error) {
	w.loading.Lock()
	defer w.loading.Unlock()
	some := l.newBatch()
	list, err := w.cfg.Streams.Read(ctx, l.name, l.after, b.Tenant, mostBlocks)
	var gone stream.Missing
	switch {
	case errors.As(err, &gone): // the loader has said so
		some.last = gone.To
	case err != nil:
		return false, err
	}
	for _, m := range list {
		if m.Sequence > end || some.size() > mostBytes {
			break
		}
		if err := some.again(ctx, m, b.Rebuild); err != nil {
			return false, err
		}
	}
	if some.last == l.after {
		return false, nil
	}
	rows, err := some.replace(ctx)
	if err != nil {
		return false, err
	}
	l.after = some.last
	w.telling.Lock()
	b.Stream, b.Read, b.Last = string(l.name), l.after, end
	b.Rows += rows
	w.telling.Unlock()
	return true, nil
}

// again adds those events of a block that a rebuild is of. What is damaged the loader
// has named.
func (b *batch) again(ctx context.Context, m stream.Stored, r Rebuild) error {
	b.last = m.Sequence
	h, list, err := b.cfg.Blocks.Open(ctx, m.Data)
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Damaged) {
		return nil
	}
	if err != nil {
		return err
	}
	if h.Tenant != m.Tenant || h.Stream != string(b.name) {
		return nil
	}
	return b.rowsOf(ctx, r.within(list))
}

// replace, under loading, writes the batch's rows in the place of those with their keys, but for those
// that were received earlier, and returns how many.
func (b *batch) replace(ctx context.Context) (int64, error) {
	if b.size() == 0 {
		return 0, nil
	}
	b.rows.Again, b.rows.Into = true, ""
	fact := b.fact()
	t := query.Transact{Rows: []*query.Rows{b.rows}}
	for _, sql := range []string{
		"UPDATE load_version SET n = n + 1",
		"CREATE OR REPLACE TEMP TABLE gone AS SELECT f.key, f.tenant, f.time FROM " + fact + " f JOIN stage s ON f.key = s.key WHERE f.received >= s.received",
		"DELETE FROM " + fact + " WHERE key IN (SELECT key FROM gone)",
		"CREATE OR REPLACE TEMP TABLE came AS SELECT s.key, s.tenant, s.time FROM stage s WHERE NOT EXISTS (SELECT 1 FROM " + fact + " f WHERE f.key = s.key)",
		"INSERT INTO " + fact + " BY NAME (FROM stage WHERE key IN (SELECT key FROM came))",
		`CREATE OR REPLACE TEMP TABLE hours AS SELECT tenant, date_trunc('hour', time) AS start, sum(n)::BIGINT AS n
			FROM (SELECT tenant, time, 1 AS n FROM came UNION ALL SELECT tenant, time, -1 FROM gone) GROUP BY 1, 2`,
		"UPDATE load_interval i SET rows = i.rows + h.n, changed = (SELECT n FROM load_version) FROM hours h WHERE i.model = '" + fact + "' AND i.start = h.start AND i.tenant IS NOT DISTINCT FROM h.tenant",
	} {
		t.Statements = append(t.Statements, query.Statement{SQL: sql})
	}
	t.Statements = append(t.Statements,
		query.Statement{SQL: "INSERT INTO load_interval SELECT '" + fact + `', h.tenant, h.start, h.n, $1::TIMESTAMP, $1::TIMESTAMP, 0, (SELECT n FROM load_version) FROM hours h
			WHERE NOT EXISTS (SELECT 1 FROM load_interval i WHERE i.model = '` + fact + "' AND i.start = h.start AND i.tenant IS NOT DISTINCT FROM h.tenant)", Arguments: []string{stamp(b.now)}},
		query.Statement{SQL: "SELECT count(*)::VARCHAR FROM came"})
	rows, err := b.transact(ctx, t)
	if err != nil {
		return 0, err
	}
	b.signal()
	var n int64
	_, err = fmt.Sscan(rows[0][0], &n)
	return n, err
}

// remake has a model's intervals made again, as if they had never been.
func (w *Warehouse) remake(ctx context.Context, b *rebuilding, m *model) error {
	where, arguments := "model = $1", []string{m.name}
	say := func(condition, argument string) {
		arguments = append(arguments, argument)
		where += fmt.Sprintf(" AND "+condition, len(arguments))
	}
	if b.Tenant != "" {
		say("tenant = $%d", string(b.Tenant))
	}
	if !b.From.IsZero() {
		say("start > $%d::TIMESTAMP - INTERVAL 1 "+m.unit(), stamp(b.From))
	}
	if !b.To.IsZero() {
		say("start < $%d::TIMESTAMP", stamp(b.To))
	}
	w.modelling.Lock()
	defer w.modelling.Unlock()
	rows, err := w.transact(ctx, query.Transact{Beside: true, Statements: []query.Statement{
		{SQL: "CREATE OR REPLACE TEMP TABLE forgotten AS SELECT count(*) AS n FROM model_interval WHERE " + where, Arguments: arguments},
		{SQL: "DELETE FROM model_interval WHERE " + where, Arguments: arguments},
		{SQL: "SELECT n::VARCHAR FROM forgotten"},
	}})
	if err != nil {
		return err
	}
	var n int64
	if _, err := fmt.Sscan(rows[0][0], &n); err != nil {
		return err
	}
	w.made[m.name].through = 0
	w.telling.Lock()
	b.Intervals += n
	w.telling.Unlock()
	return nil
}
