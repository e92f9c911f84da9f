package warehouse

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	"tributary/internal/fault"
	"tributary/internal/stream"
)

// Status is how the warehouse is doing.
type Status struct {
	Streams  []StreamStatus
	Tables   []TableStatus
	Problems int64       // blocks that could not be loaded: load_problem has them
	Rebuild  *Rebuilding // that runs, or ran last since the start; nil: none
}

// StreamStatus is how far a stream is loaded.
type StreamStatus struct {
	Stream       string
	Loaded, Last uint64    // sequences
	Through      time.Time // when the last block came that is loaded; zero: none is
	Problem      string    // why it cannot go on
}

// TableStatus is how far a fact or a model is.
type TableStatus struct {
	Name      string
	Made      string // of what interval a model is made: hour or day; of a fact empty
	Rows      int64
	Intervals int64     // of a tenant each
	Stale     int64     // of these, and of those that are not made yet: to be made. At most 50,000 are counted
	Newest    time.Time // when the newest interval begins; zero: there is none
	Changed   time.Time // when one was loaded or made last
	Problem   string    // why it cannot be made
}

// UnscopedStatus says how the warehouse is doing.
func (w *Warehouse) UnscopedStatus(ctx context.Context) (Status, error) {
	s := Status{Rebuild: w.lastRebuild()}
	for _, n := range stream.Names {
		state, err := w.cfg.Streams.State(ctx, n)
		if err != nil {
			return s, err
		}
		one := StreamStatus{Stream: string(n), Last: state.Last}
		if p := w.loaders[n].progress.Load(); p != nil {
			if one.Loaded, one.Through = p.after, p.through; p.err != nil {
				one.Problem = fault.Message(p.err)
			}
		}
		s.Streams = append(s.Streams, one)
	}
	rows, err := w.choose(ctx, 100, `SELECT model, sum(rows)::BIGINT::VARCHAR, count(*)::VARCHAR, epoch_us(max(start))::VARCHAR, epoch_us(max(last_loaded))::VARCHAR FROM load_interval GROUP BY model
		UNION ALL SELECT model, sum(rows)::BIGINT::VARCHAR, count(*)::VARCHAR, epoch_us(max(start))::VARCHAR, epoch_us(max(made))::VARCHAR FROM model_interval GROUP BY model`)
	if err != nil {
		return s, fmt.Errorf("look at tables: %w", err)
	}
	have := map[string]TableStatus{}
	for _, row := range rows {
		t, err := tableStatus(row)
		if err != nil {
			return s, fmt.Errorf("look at tables: %w", err)
		}
		have[t.Name] = t
	}
	for _, name := range facts {
		t := have[name]
		t.Name = name
		s.Tables = append(s.Tables, t)
	}
	for i := range models {
		m := &models[i]
		t := have[m.name]
		t.Name, t.Made = m.name, m.unit()
		list, err := w.stale(ctx, m, 0, "")
		if err != nil {
			return s, err
		}
		for _, x := range list {
			t.Stale += int64(len(x.tenants))
		}
		w.telling.Lock()
		if err := w.made[m.name].err; err != nil {
			t.Problem = fault.Message(err)
		}
		w.telling.Unlock()
		s.Tables = append(s.Tables, t)
	}
	s.Problems, err = w.number(ctx, "SELECT count(*)::VARCHAR FROM load_problem")
	return s, err
}

func tableStatus(row []string) (t TableStatus, err error) {
	t.Name = row[0]
	if t.Rows, err = strconv.ParseInt(cmp.Or(row[1], "0"), 10, 64); err != nil {
		return t, err
	}
	if t.Intervals, err = strconv.ParseInt(row[2], 10, 64); err != nil {
		return t, err
	}
	if t.Newest, err = moment(row[3]); err != nil {
		return t, err
	}
	t.Changed, err = moment(row[4])
	return t, err
}
