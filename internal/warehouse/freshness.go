package warehouse

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

// Freshness is how new something of the warehouse is.
type Freshness struct {
	Kind     string    // "source", "stream", "fact" or "model"
	Name     string    // the source's id, or api for a tenant's API keys; the stream; the table
	Tenant   tenant.ID // empty: of all tenants together
	Complete time.Time // the end of the newest hour, or day, that has all that has come for it; zero: none
	Last     time.Time // when the newest came; zero: nothing has
	Lag      time.Duration
	Expected time.Duration // beyond it the lag is late; 0: not known
	Declared bool          // Expected is the source's own word, and was not learned
	State    State
	Problem  string // with Broken
}

// State is a Freshness in a word.
type State string

// The states.
const (
	Fresh  State = "fresh"
	Late   State = "late"   // nothing came for longer than is expected
	Silent State = "silent" // for much longer, or, where nothing is expected, for a week
	Never  State = "never"  // nothing has come yet
	Broken State = "broken" // what is there cannot be loaded, or made
)

// What is expected. What comes from a source, or of a tenant, is expected to come again
// within the second longest silence of the last weeks, and a quarter more: nights and
// weekends are silences that come again, a breakdown is one that does not.
const (
	learnedOf      = 28 * day
	leastExpected  = time.Hour
	leastHeard     = 8 // hours in which something came, before anything is learned
	silentAfter    = 4 // times what is expected
	silentWeek     = 7 * day
	streamExpected = time.Minute
	modelExpected  = 10 * time.Minute
)

// cadences is the part of events.Events that freshness needs.
type cadences interface {
	UnscopedCadences(ctx context.Context) ([]events.Cadence, error)
}

// heard is when something came.
type heard struct {
	kind, name string
	tenant     tenant.ID
	last       time.Time
	expected   time.Duration
}

// hearing is what was heard up to a change of the facts.
type hearing struct {
	at   int64 // the change
	list []heard
	idle map[tenant.ID]bool // tenants that are not active
}

// UnscopedFreshness lists how new everything is: streams, facts and models, and the
// sources and facts of each tenant; of one tenant if its id is given, with its models.
func (w *Warehouse) UnscopedFreshness(ctx context.Context, id tenant.ID) ([]Freshness, error) {
	list, _, err := w.freshness(ctx)
	if err != nil || id == "" {
		return list, err
	}
	var own []Freshness
	for _, f := range list {
		if f.Tenant == id {
			own = append(own, f)
		}
	}
	rows, err := w.choose(ctx, len(models), "SELECT model, epoch_us(max(start))::VARCHAR FROM model_interval WHERE tenant = $1 GROUP BY model", string(id))
	if err != nil {
		return nil, fmt.Errorf("look at a tenant's models: %w", err)
	}
	newest := map[string]string{}
	for _, row := range rows {
		newest[row[0]] = row[1]
	}
	for _, f := range list {
		if f.Kind != "model" || f.Tenant != "" {
			continue
		}
		f.Tenant, f.Last = id, time.Time{}
		if at := newest[f.Name]; at == "" {
			f.State, f.Lag = Never, 0
		} else if f.Last, err = moment(at); err != nil {
			return nil, err
		}
		own = append(own, f)
	}
	return own, nil
}

// Freshness lists how new the sources, facts and models of the scope's tenant are.
func (w *Warehouse) Freshness(ctx context.Context, scope tenant.Scope) ([]Freshness, error) {
	if err := scope.Check(ctx, tenant.Read, tenant.Streams); err != nil {
		return nil, err
	}
	return w.UnscopedFreshness(ctx, scope.Tenant())
}

// freshness lists everything, and which tenants are not active.
func (w *Warehouse) freshness(ctx context.Context) ([]Freshness, map[tenant.ID]bool, error) {
	now := w.cfg.Clock.Now()
	list, loaded, err := w.freshStreams(ctx, now)
	if err != nil {
		return nil, nil, err
	}
	list = append(list, w.freshModels(now)...)
	h, err := w.hear(ctx)
	if err != nil {
		return nil, nil, err
	}
	declared, err := w.cfg.Sources.UnscopedCadences(ctx)
	if err != nil {
		return nil, nil, err
	}
	known := map[string]events.Cadence{}
	for _, c := range declared {
		known[c.Source] = c
	}
	said := map[string]bool{}
	for _, x := range h.list {
		f := Freshness{Kind: x.kind, Name: x.name, Tenant: x.tenant, Last: x.last, Expected: x.expected, Complete: loaded[x.name]}
		if x.kind == "source" {
			c, ok := known[x.name]
			if !ok && x.name != events.OwnSource || x.tenant == "" && c.Tenant != "" {
				continue // revoked; or all of a tenant's own, which its own line says
			}
			said[x.name] = said[x.name] || x.tenant == c.Tenant
			f.Complete = loaded["fact_event"]
			if c.Every > 0 && x.tenant == c.Tenant {
				f.Expected, f.Declared = c.Every, true
			}
		}
		list = append(list, f.judged(now))
	}
	for _, c := range declared {
		if !said[c.Source] {
			list = append(list, Freshness{Kind: "source", Name: c.Source, Tenant: c.Tenant, Expected: c.Every, Declared: c.Every > 0, Complete: loaded["fact_event"], State: Never})
		}
	}
	slices.SortFunc(list, func(a, b Freshness) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Tenant, b.Tenant))
	})
	return list, h.idle, nil
}

// judged is f with its lag and state by when the newest came.
func (f Freshness) judged(now time.Time) Freshness {
	f.Lag = max(0, now.Sub(f.Last))
	switch limit := silentAfter * f.Expected; {
	case f.Last.IsZero():
		f.Lag, f.State = 0, Never
	case f.Expected == 0 && f.Lag <= silentWeek, f.Expected > 0 && f.Lag <= f.Expected:
		f.State = Fresh
	case f.Expected == 0 || f.Lag > limit:
		f.State = Silent
	default:
		f.State = Late
	}
	return f
}

// freshStreams says how far each stream is loaded, and to which hour each fact is complete.
func (w *Warehouse) freshStreams(ctx context.Context, now time.Time) (list []Freshness, complete map[string]time.Time, err error) {
	complete = map[string]time.Time{}
	facts := map[string]Freshness{}
	for _, n := range stream.Names {
		state, err := w.cfg.Streams.State(ctx, n)
		if err != nil {
			return nil, nil, err
		}
		p := w.loaders[n].progress.Load()
		f := Freshness{Kind: "stream", Name: string(n), Last: state.LastAt, Expected: streamExpected, State: Never}
		if p == nil && state.Last == 0 { // the loader waits for its first
			p = &progress{}
		}
		if p != nil {
			through := now
			if state.Last > 0 {
				f.State = Fresh
			}
			if p.after < state.Last {
				through = p.through
				f.Lag = max(0, now.Sub(cmp.Or(p.through, state.FirstAt)))
			}
			f.Complete = through.Truncate(hour)
			if f.Lag > f.Expected {
				if f.State = Late; p.err != nil {
					f.State, f.Problem = Broken, fault.Message(p.err)
				}
			}
		}
		list = append(list, f)
		fact := w.loaders[n].fact()
		have, ok := facts[fact]
		if f.Last = latest(f.Last, have.Last); ok && !f.Complete.Before(have.Complete) && f.Lag <= have.Lag {
			have.Last = f.Last
			f = have
		}
		f.Kind, f.Name = "fact", fact
		facts[fact], complete[fact] = f, f.Complete
	}
	for _, f := range facts {
		list = append(list, f)
	}
	return list, complete, nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// freshModels says how new what is made is.
func (w *Warehouse) freshModels(now time.Time) []Freshness {
	w.telling.Lock()
	defer w.telling.Unlock()
	var list []Freshness
	for _, m := range models {
		k := w.made[m.name]
		f := Freshness{Kind: "model", Name: m.name, Last: k.whole, Expected: modelExpected, State: Fresh}
		switch {
		case k.whole.IsZero():
			f.State = Never
		case k.behind:
			f.Lag = max(0, now.Sub(k.whole))
		}
		if k.behind || k.whole.IsZero() {
			f.Complete = k.whole.Truncate(m.length)
		} else {
			f.Complete = now.Truncate(m.length)
		}
		if k.err != nil && (f.Lag > f.Expected || k.whole.IsZero()) {
			f.State, f.Problem = Broken, fault.Message(k.err)
		} else if f.Lag > f.Expected {
			f.State = Late
		}
		list = append(list, f)
	}
	return list
}

// hear finds out when each source and tenant was heard, if facts have changed since it
// did so last: the child sleeps when nothing happens.
func (w *Warehouse) hear(ctx context.Context) (*hearing, error) {
	at := w.changes.Load()
	if h := w.heard.Load(); h != nil && h.at == at {
		return h, nil
	}
	now := w.cfg.Clock.Now()
	rows, err := w.choose(ctx, MaxRows, `WITH beats AS (
			SELECT 'source' AS kind, source AS name, tenant, date_trunc('hour', last_received) AS hour, max(last_received) AS last FROM source_hour WHERE tenant IS NOT NULL GROUP BY ALL
			UNION ALL
			SELECT 'fact', model, tenant, date_trunc('hour', came), max(came) FROM (SELECT model, tenant, unnest([first_loaded, last_loaded]) AS came FROM load_interval WHERE tenant IS NOT NULL AND rows > 0) GROUP BY ALL
		), every AS (
			FROM beats
			UNION ALL
			SELECT kind, name, NULL, hour, max(last) FROM beats WHERE kind = 'source' AND name <> $3 GROUP BY ALL
		), gaps AS (
			SELECT kind, name, tenant, hour, last, epoch(hour) - lag(epoch(hour)) OVER (PARTITION BY kind, name, tenant ORDER BY hour) AS gap FROM every WHERE hour <= $2::TIMESTAMP
		)
		SELECT kind, name, coalesce(tenant, ''), epoch_us(least(max(last), $2::TIMESTAMP))::VARCHAR,
			CASE WHEN count(*) FILTER (hour >= $1::TIMESTAMP) >= `+strconv.Itoa(leastHeard)+` THEN (max(gap, 2) FILTER (hour >= $1::TIMESTAMP))[2]::BIGINT ELSE 0 END::VARCHAR
		FROM gaps GROUP BY kind, name, tenant`, stamp(now.Add(-learnedOf)), stamp(now), events.OwnSource)
	if err != nil {
		return nil, fmt.Errorf("find out when sources were heard: %w", err)
	}
	h := &hearing{at: at, idle: map[tenant.ID]bool{}}
	for _, row := range rows {
		x := heard{kind: row[0], name: row[1], tenant: tenant.ID(row[2])}
		if x.last, err = moment(row[3]); err != nil {
			return nil, err
		}
		seconds, err := strconv.ParseInt(cmp.Or(row[4], "0"), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("find out when sources were heard: %w", err)
		}
		if seconds > 0 {
			x.expected = max(leastExpected, time.Duration(seconds)*time.Second*5/4)
		}
		h.list = append(h.list, x)
	}
	if rows, err = w.choose(ctx, MaxRows, "SELECT tenant FROM dim_tenant WHERE is_current AND state <> 'active'"); err != nil {
		return nil, fmt.Errorf("find tenants that are not active: %w", err)
	}
	for _, row := range rows {
		h.idle[tenant.ID(row[0])] = true
	}
	w.heard.Store(h)
	return h, nil
}

// moment reads microseconds since 1970.
func moment(text string) (time.Time, error) {
	micros, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("read a time: %w", err)
	}
	return time.UnixMicro(micros).UTC(), nil
}
