package warehouse

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tributary/internal/fault"
	"tributary/internal/query"
	"tributary/internal/tenant"
)

// model is a table that is made of facts, interval by interval. models/NAME.sql is the
// SELECT that makes one interval: in it the inputs have the rows of that interval, and
// of those around it that are asked for, of the tenants that are to be made; {{start}}
// and {{end}} are the interval's bounds. It returns the tenant and the columns of the
// table, but for start, which the ledger adds. However often an interval is made, it
// has its rows once.
type model struct {
	name          string
	length        time.Duration // an hour or a day
	inputs        []string
	before, after int // how many intervals around one it reads
}

const (
	hour = time.Hour
	day  = 24 * time.Hour
)

// models are made in this order.
var models = []model{
	{name: "source_hour", length: hour, inputs: []string{"fact_event"}},
	{name: "fact_usage", length: hour, inputs: []string{"fact_event", "fact_act"}},
	{name: "link_day", length: day, inputs: []string{"fact_event"}},
	{name: "trait_day", length: day, inputs: []string{"fact_event"}},
	{name: "fact_activity", length: day, inputs: []string{"fact_event"}},
	{name: "session_day", length: day, inputs: []string{"fact_event"}, before: 2, after: 1},
}

//go:embed models/*.sql
var modelSQL embed.FS

func (m *model) sql() (string, error) {
	text, err := modelSQL.ReadFile("models/" + m.name + ".sql")
	return string(text), err
}

// The bounds of making models.
const (
	modelPause = 5 * time.Second // after what is new came, and between rounds
	modelShare = 10              // a round takes at most this part of the time …
	mostPause  = time.Minute     // … unless nothing would be made for longer than this
	mostStale  = 50_000          // intervals that are looked up at once
)

// making is what is known of a model while the server runs.
type making struct {
	through int64 // nothing that changed up to this version makes an interval stale

	// The rest is for who is told, under telling.
	whole  time.Time // when nothing was stale last; zero: not since the start
	behind bool      // facts may have changed since
	err    error     // why it could not be made; nil: it could
}

// makeModels makes what is stale as facts come, until ctx ends.
func (w *Warehouse) makeModels(ctx context.Context) {
	pause, failed := modelPause, time.Duration(0)
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return
		case <-w.changed:
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
		began := time.Now()
		err := w.Make(ctx)
		switch {
		case err == nil:
			failed = 0
		case ctx.Err() == nil:
			w.cfg.Log.ErrorContext(ctx, "the warehouse could not make all its models", "error", err)
			w.signal() // it is tried again
			failed = longer(failed)
		}
		pause = max(min(max(modelPause, modelShare*time.Since(began)), mostPause), failed)
	}
}

// signal says that facts have changed, or may have.
func (w *Warehouse) signal() {
	w.changes.Add(1)
	w.telling.Lock()
	w.signals++
	for _, k := range w.made {
		k.behind = true
	}
	w.telling.Unlock()
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// Make makes the intervals of all models that are stale.
func (w *Warehouse) Make(ctx context.Context) error {
	w.modelling.Lock()
	defer w.modelling.Unlock()
	var failed error
	for i := range models {
		m := &models[i]
		k := w.made[m.name]
		began := w.cfg.Clock.Now()
		w.telling.Lock()
		signals := w.signals
		w.telling.Unlock()
		err := w.makeStale(ctx, m, k)
		if err != nil && failed == nil {
			failed = fmt.Errorf("make %s: %w", m.name, err)
		}
		w.telling.Lock()
		if k.err = err; err == nil {
			k.whole, k.behind = began, w.signals != signals
		}
		w.telling.Unlock()
	}
	return failed
}

// makeStale makes what is stale of a model by now, each interval once: what facts make
// stale meanwhile is for the next round. What fails keeps nothing else from being made.
func (w *Warehouse) makeStale(ctx context.Context, m *model, k *making) error {
	version, err := w.number(ctx, "SELECT n::VARCHAR FROM load_version")
	if err != nil || version == k.through {
		return err
	}
	list, err := w.stale(ctx, m, k.through, "")
	if err != nil {
		return err
	}
	count := 0
	for _, s := range list {
		count += len(s.tenants)
		if one := w.makeSome(ctx, m, s); one != nil && err == nil {
			err = one
		}
		if ctx.Err() != nil {
			return ctx.Err() // the rest is not made
		}
	}
	switch {
	case err != nil:
		return err
	case count == mostStale: // there may be more
		return w.makeStale(ctx, m, k)
	}
	k.through = version
	return nil
}

// makeOf makes what is stale of a tenant's by now, of some models or of all, each interval
// once.
func (w *Warehouse) makeOf(ctx context.Context, id tenant.ID, names ...string) error {
	w.modelling.Lock()
	defer w.modelling.Unlock()
	for i := range models {
		m := &models[i]
		if len(names) > 0 && !slices.Contains(names, m.name) {
			continue
		}
		for count := mostStale; count == mostStale; { // there may be more
			list, err := w.stale(ctx, m, 0, id)
			if err != nil {
				return err
			}
			for _, s := range list {
				if err := w.makeSome(ctx, m, s); err != nil {
					return fmt.Errorf("make %s: %w", m.name, err)
				}
			}
			count = len(list)
		}
	}
	return nil
}

// makeSome makes one interval, for fewer tenants at once where all of them take too much memory.
func (w *Warehouse) makeSome(ctx context.Context, m *model, s interval) error {
	err := w.makeOne(ctx, m, s)
	if half := len(s.tenants) / 2; fault.Is(err, fault.TooLarge) && half > 0 {
		return errors.Join(w.makeSome(ctx, m, interval{s.start, s.tenants[:half]}), w.makeSome(ctx, m, interval{s.start, s.tenants[half:]}))
	}
	if err == nil {
		w.changes.Add(1)
	}
	return err
}

// interval is one interval of a model, and the tenants for which it is to be made.
type interval struct {
	start   time.Time
	tenants []tenant.ID
}

// inputNames are a model's inputs as a list of SQL.
func (m *model) inputNames() string { return "('" + strings.Join(m.inputs, "', '") + "')" }

func (m *model) unit() string {
	if m.length == day {
		return "day"
	}
	return "hour"
}

// stale lists intervals that have rows of facts, and of which something has changed
// since they were made and after a version, of a tenant or with "" of all: the newest
// first, not always all of them.
func (w *Warehouse) stale(ctx context.Context, m *model, after int64, id tenant.ID) ([]interval, error) {
	unit := m.unit()
	sql := `WITH changed AS (
			SELECT tenant, date_trunc('` + unit + `', start) AS start, max(changed) AS changed FROM load_interval WHERE model IN ` + m.inputNames() + ` AND changed > $1::BIGINT AND ($2 = '' OR tenant = $2) GROUP BY 1, 2
		), reached AS (
			SELECT tenant, start + o.range * INTERVAL 1 ` + unit + ` AS start, max(changed) AS changed FROM changed, range(` + strconv.Itoa(-m.after) + `, ` + strconv.Itoa(m.before+1) + `) o GROUP BY 1, 2
		), there AS (
			SELECT DISTINCT tenant, date_trunc('` + unit + `', start) AS start FROM load_interval WHERE model IN ` + m.inputNames() + `
		)
		SELECT epoch_us(r.start)::VARCHAR, coalesce(r.tenant, '') FROM reached r
		WHERE EXISTS (SELECT 1 FROM there t WHERE t.start = r.start AND t.tenant IS NOT DISTINCT FROM r.tenant)
			AND NOT EXISTS (SELECT 1 FROM model_interval i WHERE i.model = '` + m.name + `' AND i.start = r.start AND i.tenant IS NOT DISTINCT FROM r.tenant AND i.version >= r.changed)
		ORDER BY r.start DESC`
	rows, err := w.choose(ctx, mostStale, sql, strconv.FormatInt(after, 10), string(id))
	if err != nil {
		return nil, fmt.Errorf("look for what is stale: %w", err)
	}
	var list []interval
	for _, row := range rows {
		micros, err := strconv.ParseInt(row[0], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("look for what is stale: %w", err)
		}
		at := time.UnixMicro(micros).UTC()
		if n := len(list); n == 0 || !list[n-1].start.Equal(at) {
			list = append(list, interval{start: at})
		}
		last := &list[len(list)-1]
		last.tenants = append(last.tenants, tenant.ID(row[1]))
	}
	return list, nil
}

// makeOne makes one interval for its tenants, and notes in the ledger of what it is
// made, in one transaction.
func (w *Warehouse) makeOne(ctx context.Context, m *model, s interval) error {
	text, err := m.sql()
	if err != nil {
		return err
	}
	literal := func(t time.Time) string { return "TIMESTAMP '" + stamp(t) + "'" }
	end := s.start.Add(m.length)
	var with []string
	for _, name := range m.inputs {
		with = append(with, name+` AS NOT MATERIALIZED (FROM main.`+name+` f WHERE f.time >= `+literal(s.start.Add(-time.Duration(m.before)*m.length))+
			` AND f.time < `+literal(end.Add(time.Duration(m.after)*m.length))+` AND EXISTS (SELECT 1 FROM due d WHERE d.tenant IS NOT DISTINCT FROM f.tenant))`)
	}
	text = strings.NewReplacer("{{start}}", literal(s.start), "{{end}}", literal(end)).Replace(text)
	due, made := &query.Rows{Table: "due", Columns: texts("tenant")}, touched{}
	for _, id := range s.tenants {
		due.Text(string(id))
		made.add(id, part(m.name))
	}
	const these = " WHERE t.start = $1::TIMESTAMP AND EXISTS (SELECT 1 FROM due d WHERE d.tenant IS NOT DISTINCT FROM t.tenant)"
	start := stamp(s.start)
	err = w.change(ctx, query.Transact{Beside: true, Rows: []*query.Rows{due}, Statements: []query.Statement{
		{SQL: "DELETE FROM " + m.name + " t" + these, Arguments: []string{start}},
		{SQL: "INSERT INTO " + m.name + " BY NAME WITH " + strings.Join(with, ", ") + " FROM (\n" + text + "\n) CROSS JOIN (SELECT $1::TIMESTAMP AS start)", Arguments: []string{start}},
		{SQL: "DELETE FROM model_interval t" + these + " AND t.model = '" + m.name + "'", Arguments: []string{start}},
		{SQL: "INSERT INTO model_interval SELECT '" + m.name + "', d.tenant, $1::TIMESTAMP, (SELECT count(*) FROM " + m.name + " t WHERE t.start = $1::TIMESTAMP AND t.tenant IS NOT DISTINCT FROM d.tenant), v.n, $2::TIMESTAMP FROM due d, load_version v",
			Arguments: []string{start, stamp(w.cfg.Clock.Now())}},
	}}, made)
	if err != nil {
		return fmt.Errorf("%s of %s: %w", m.unit(), s.start.Format(time.RFC3339), err)
	}
	return nil
}

// choose returns the answer of a SELECT of ours, texts.
func (w *Warehouse) choose(ctx context.Context, rows int, sql string, arguments ...string) (list [][]string, err error) {
	_, err = w.do(ctx, query.Request{Select: &query.Select{Statement: query.Statement{SQL: sql, Arguments: arguments}, Rows: rows, Bytes: MaxBytes}}, textsInto(&list))
	return list, err
}

// number returns the one number that a SELECT of ours answers.
func (w *Warehouse) number(ctx context.Context, sql string) (int64, error) {
	rows, err := w.choose(ctx, 1, sql)
	if err != nil {
		return 0, err
	}
	if len(rows) != 1 {
		return 0, fmt.Errorf("%d rows answer %.40s", len(rows), sql)
	}
	return strconv.ParseInt(rows[0][0], 10, 64)
}

// textsInto adds an answer's rows to a list.
func textsInto(list *[][]string) Into {
	return Into{Row: func(values [][]byte) error {
		row := make([]string, len(values))
		for i, v := range values {
			row[i] = string(v)
		}
		*list = append(*list, row)
		return nil
	}}
}
