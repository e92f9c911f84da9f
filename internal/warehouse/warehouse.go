// Package warehouse keeps what happens in the provider's product and in Tributary
// itself as a star schema, in a file whose one owner is a child process: it loads the
// streams, exactly once, and answers SELECTs: the provider's over all rows, a tenant's over
// its own. What it has is pooled and not sealed.
package warehouse

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path"
	"sync"
	"sync/atomic"
	"time"

	"tributary/internal/audit"
	"tributary/internal/clock"
	"tributary/internal/events"
	"tributary/internal/meta"
	"tributary/internal/query"
	"tributary/internal/sandbox"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

// Tables are the tables and views that analysts ask. schema has what they are.
var Tables = []string{
	"dim_date", "dim_identity", "dim_job", "dim_source", "dim_tenant", "dim_user",
	"fact_act", "fact_activity", "fact_event", "fact_job", "fact_login", "fact_session", "fact_submission", "fact_usage",
	"load_interval", "load_position", "load_problem", "model_interval",
}

//go:embed schema/*.sql
var schema embed.FS

// migrations returns the steps of the schema.
func migrations() ([]string, error) {
	var steps []string
	names, err := fs.Glob(schema, "schema/*.sql") // in order
	for _, name := range names {
		step, err := schema.ReadFile(path.Clean(name))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		steps = append(steps, string(step))
	}
	return steps, err
}

// streams is the part of stream.Streams that a load needs.
type streams interface {
	Read(ctx context.Context, n stream.Name, after uint64, id tenant.ID, most int) ([]stream.Stored, error)
	Wait(ctx context.Context, n stream.Name, after uint64) error
	State(ctx context.Context, n stream.Name) (stream.State, error)
}

// opener is the part of events.Blocks that a load needs.
type opener interface {
	Open(ctx context.Context, block []byte) (events.Header, []events.Event, error)
	// Kept returns those of some events that are to be loaded now, and takes the list over.
	Kept(ctx context.Context, list []events.Event) ([]events.Event, error)
}

// Config is what a Warehouse needs.
type Config struct {
	Sandbox *sandbox.Box
	Dir     string   // that exists, and has nothing but the warehouse
	DB      *meta.DB // has the queries that were saved, and what was told to be late
	Streams streams
	Blocks  opener
	Sources cadences
	Audit   *audit.Log
	Clock   clock.Clock
	Log     *slog.Logger // nil: nothing is logged
	// Memory is how many bytes the engine may use; 0: 1 GiB. Its process may take twice as much and
	// half a gigabyte.
	Memory int64
}

// Warehouse is the warehouse. It is safe for use by several goroutines.
type Warehouse struct {
	cfg   Config
	child *sandbox.Live
	keys  atomic.Int64  // that the child has in memory
	asks  chan struct{} // held by each SELECT
	past  past          // nil: there is none

	filled atomic.Bool // with the past; before, nothing may note how far a stream is loaded

	builtIn []Named
	answers *answers
	slicing *crowd // slices
	naming  *crowd // named queries, which leave a place to the provider
	running running
	columns atomic.Pointer[map[string][]query.SliceColumn]

	loading sync.Mutex // a load, or an erasure
	loaders map[stream.Name]*loader

	modelling sync.Mutex // models are made, or an erasure; before loading
	made      map[string]*making
	changed   chan struct{} // sent to when facts have changed

	telling sync.Mutex   // what is known of models, and of the rebuild
	signals int          // how often facts have changed, or may have; under telling
	rebuild *rebuilding  // nil: there was none since the start
	changes atomic.Int64 // of facts and models, since the start
	heard   atomic.Pointer[hearing]
}

// The bounds of what is asked at once.
const (
	askers        = 4
	defaultMemory = 1 << 30
	threads       = 2
	idle          = time.Minute // its child takes memory, and is there again in a blink
	manyKeys      = 5_000_000   // unless it then had to read so many, for seconds
)

// New makes a Warehouse. Nothing is opened before something is asked or loaded.
func New(c Config) (*Warehouse, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Memory == 0 {
		c.Memory = defaultMemory
	}
	steps, err := migrations()
	if err != nil {
		return nil, err
	}
	named, err := builtIn()
	if err != nil {
		return nil, err
	}
	args, err := json.Marshal(query.Warehouse{Migrations: steps, Memory: c.Memory, Threads: threads})
	if err != nil {
		return nil, fmt.Errorf("encode warehouse: %w", err)
	}
	w := &Warehouse{cfg: c, asks: make(chan struct{}, askers), builtIn: named, answers: newAnswers(), slicing: &crowd{most: slicers}, naming: &crowd{most: askers - 1}, loaders: map[stream.Name]*loader{}, made: map[string]*making{}, changed: make(chan struct{}, 1)}
	for _, n := range stream.Names {
		w.loaders[n] = &loader{Warehouse: w, name: n}
	}
	for _, m := range models {
		w.made[m.name] = &making{}
	}
	w.child = c.Sandbox.Live(sandbox.LiveJob{Program: query.WarehouseProgram, Args: args, Dir: c.Dir, Memory: 2*c.Memory + 512<<20, Threads: threads,
		Idle: idle, Stay: func() bool { return w.keys.Load() >= manyKeys }})
	return w, nil
}

// Close ends a rebuild, lets what else is under way end, and closes the file.
func (w *Warehouse) Close(ctx context.Context) error {
	return errors.Join(w.endRebuild(ctx), w.child.Close(ctx))
}

// transact does a transaction and returns the answer of its last statement, texts. It may
// change anything.
func (w *Warehouse) transact(ctx context.Context, t query.Transact) ([][]string, error) {
	rows, err := w.perform(ctx, t)
	w.answers.changed()
	return rows, err
}

// change does a transaction that changes these rows and no others.
func (w *Warehouse) change(ctx context.Context, t query.Transact, of touched) error {
	if _, err := w.perform(ctx, t); err != nil {
		w.answers.changed() // it may have been made
		return err
	}
	w.answers.loaded(of)
	return nil
}

func (w *Warehouse) perform(ctx context.Context, t query.Transact) (rows [][]string, err error) {
	end, err := w.do(ctx, query.Request{Transact: &t}, textsInto(&rows))
	if err == nil && !t.Beside {
		w.keys.Store(end.Keys)
	}
	return rows, err
}

// maxValue is how many bytes one value of an answer has at most.
const maxValue = 16 << 20

func (w *Warehouse) do(ctx context.Context, r query.Request, into Into) (end query.Ending, err error) {
	wire, err := query.EncodeRequest(r)
	if err != nil {
		return end, err
	}
	err = w.child.Do(ctx, wire, func(answer io.Reader) error {
		var err error
		end, err = query.ReadAnswer(answer, maxValue, into)
		return err
	})
	return end, err
}

// EraseTenant deletes a tenant's rows. What is loaded afterwards has none: the key of
// its blocks is gone.
func (w *Warehouse) EraseTenant(ctx context.Context, id tenant.ID) (method string, count int64, err error) {
	const did = "rows deleted from the warehouse; its file uses their place again"
	w.modelling.Lock()
	defer w.modelling.Unlock()
	w.loading.Lock()
	defer w.loading.Unlock()
	t := query.Transact{Statements: []query.Statement{
		{SQL: "CREATE OR REPLACE TEMP TABLE erased AS SELECT (SELECT count(*) FROM fact_event WHERE tenant = $1) + (SELECT count(*) FROM fact_act WHERE tenant = $1 OR subject = $1) AS rows", Arguments: []string{string(id)}},
		{SQL: "DELETE FROM fact_act WHERE subject = $1", Arguments: []string{string(id)}},
	}}
	tables := []string{"fact_event", "fact_act", "load_interval", "load_problem", "model_interval"}
	for _, m := range models {
		tables = append(tables, m.name)
	}
	for _, name := range tables {
		t.Statements = append(t.Statements, query.Statement{SQL: "DELETE FROM " + name + " WHERE tenant = $1", Arguments: []string{string(id)}})
	}
	t.Statements = append(t.Statements, query.Statement{SQL: "SELECT rows::VARCHAR FROM erased"})
	rows, err := w.transact(ctx, t)
	w.changes.Add(1)
	if err == nil {
		_, err = w.cfg.DB.For(id).Exec(ctx, `DELETE FROM freshness_late WHERE tenant = $1`, string(id))
	}
	if err != nil {
		return did, 0, fmt.Errorf("erase tenant from warehouse: %w", err)
	}
	if len(rows) != 1 {
		return did, 0, errors.New("erase tenant from warehouse: no count")
	}
	_, err = fmt.Sscan(rows[0][0], &count)
	return did, count, err
}
