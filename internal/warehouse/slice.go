package warehouse

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"sync"
	"time"

	"tributary/internal/fault"
	"tributary/internal/query"
	"tributary/internal/sandbox"
	"tributary/internal/tenant"
)

// The bounds of a tenant's own SELECTs.
const (
	MaxSliceRows  = 1_000_000 // of the tables that it names
	MaxSliceBytes = 256 << 20 // likewise
	slicers       = 4         // of all tenants at once
	askersEach    = 2         // of one tenant, as of its named queries
	sliceMemory   = 768 << 20 // of the engine
	sliceStart    = 10 * time.Second
)

// Ask does a tenant's own SELECT over the tenant's own rows. The rows of the tables that it
// names are read by a SELECT of ours and handed to a child that has nothing else and ends
// with the answer. Everything else is as with UnscopedAsk; acts, sign-ins and the
// users that are known by them are for who may read the tenant's streams.
func (w *Warehouse) Ask(ctx context.Context, s tenant.Scope, a Ask, into Into) (Ended, error) {
	if err := s.Check(ctx, tenant.Read, tenant.Warehouse); err != nil {
		return Ended{}, err
	}
	if err := a.check(); err != nil {
		return Ended{}, err
	}
	leave, err := w.slicing.enter(s.Tenant())
	if err != nil {
		return Ended{}, err
	}
	defer leave()
	q := question{by: s.Actor(), tenant: s.Tenant(), acts: mayReadActs(ctx, s), timeout: a.Timeout, note: map[string]any{}, Select: query.Select{Statement: query.Statement{SQL: a.SQL}, Rows: a.Rows, Bytes: MaxBytes}}
	j := &slice{Warehouse: w, question: q, since: a.Since}
	return w.answer(ctx, q, into, func(ctx context.Context, into Into) (query.Ending, error) {
		end, err := j.run(ctx, into)
		q.note["slice_rows"], q.note["slice_bytes"] = j.rows, j.bytes
		return end, err
	})
}

// mayReadActs reports whether acts and sign-ins, which are on the tenant's streams, are for the scope.
func mayReadActs(ctx context.Context, s tenant.Scope) bool {
	return s.Check(ctx, tenant.Read, tenant.Streams) == nil
}

// slice is one SELECT of a tenant's while it is done.
type slice struct {
	*Warehouse
	question
	since       time.Time
	columns     map[string][]query.SliceColumn
	rows, bytes int64
}

func (j *slice) run(ctx context.Context, into Into) (end query.Ending, err error) {
	all, err := j.schemaColumns(ctx)
	if err != nil {
		return end, err
	}
	j.columns = map[string][]query.SliceColumn{}
	for name := range tenantTables {
		if j.acts || withheld[name] != "false" {
			j.columns[name] = all[name]
		}
	}
	args, err := json.Marshal(query.Slice{Select: j.Select, Columns: j.columns, Memory: sliceMemory, Threads: threads})
	if err != nil {
		return end, fmt.Errorf("encode slice: %w", err)
	}
	rows, feed := io.Pipe()
	ctx, cancel := context.WithCancel(ctx)
	var feeding sync.WaitGroup
	defer func() {
		cancel()
		_ = rows.Close()
		feeding.Wait()
	}()
	defer context.AfterFunc(ctx, func() { _ = feed.CloseWithError(context.Cause(ctx)) })()
	err = j.cfg.Sandbox.Run(ctx, sandbox.Job{Program: query.SliceProgram, Args: args, Stream: rows, Limits: sandbox.Limits{
		Memory: 2*sliceMemory + 512<<20, CPU: threads*j.timeout + sliceStart, Wall: j.timeout + sliceStart, Output: 2*MaxBytes + 64<<20, Threads: threads,
	}}, func(out io.Reader) error {
		wanted, err := query.ReadWanted(out)
		if err != nil {
			_ = feed.CloseWithError(errEndedEarly)
			return err
		}
		feeding.Go(func() { _ = feed.CloseWithError(j.feed(ctx, wanted, feed)) })
		end, err = query.ReadAnswer(out, maxValue, into)
		return err
	})
	return end, err
}

var errEndedEarly = errors.New("the child wants no rows")

// feed sends the rows of the tables that the SELECT names.
func (j *slice) feed(ctx context.Context, wanted []string, to io.Writer) error {
	s := query.NewSliceWriter(to)
	for _, name := range wanted {
		columns, known := j.columns[name]
		if !known {
			return fmt.Errorf("the child wants %q", name)
		}
		if err := j.table(ctx, name, columns, s); err != nil {
			return err
		}
	}
	return nil
}

// table sends the tenant's rows of a table.
func (j *slice) table(ctx context.Context, name string, columns []query.SliceColumn, s *query.SliceWriter) error {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = `"` + c.Name + `"`
	}
	statement := query.Statement{SQL: "SELECT " + strings.Join(list, ", ") + " FROM main." + name}
	if t := tenantTables[name]; t.owner != "" {
		statement.SQL += " WHERE " + t.owner + " = $1"
		statement.Arguments = []string{string(j.tenant)}
		if condition := withheld[name]; condition != "" && !j.acts {
			statement.SQL += " AND " + condition
		}
		if !j.since.IsZero() && t.until != "" {
			statement.SQL += " AND " + t.until + " >= $2::TIMESTAMP"
			statement.Arguments = append(statement.Arguments, stamp(j.since))
		}
	}
	end, err := j.do(ctx, query.Request{Select: &query.Select{Statement: statement, Rows: MaxSliceRows, Bytes: MaxSliceBytes}},
		Into{Row: func(row [][]byte) error {
			if err := s.Row(row); err != nil {
				return err
			}
			if j.rows, j.bytes = s.Rows(), s.Size(); j.rows > MaxSliceRows || j.bytes > MaxSliceBytes {
				return errSlice
			}
			return nil
		}})
	if err == nil && end.Truncated {
		err = errSlice
	}
	if err != nil {
		return err
	}
	return s.EndTable()
}

var errSlice = fault.New(fault.TooLarge, "The tables that the SELECT names have more than %d rows or %d MiB of yours. Leave out what is before a time (since), name fewer tables, or run a named query, which reads no more than it needs.", MaxSliceRows, MaxSliceBytes>>20)

// schemaColumns returns the columns of all tables.
func (w *Warehouse) schemaColumns(ctx context.Context) (map[string][]query.SliceColumn, error) {
	if known := w.columns.Load(); known != nil {
		return *known, nil
	}
	found, err := w.choose(ctx, 10_000, "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE schema_name = 'main' AND NOT internal ORDER BY table_name, column_index")
	if err != nil {
		return nil, fmt.Errorf("find columns: %w", err)
	}
	list := map[string][]query.SliceColumn{}
	for _, c := range found {
		list[c[0]] = append(list[c[0]], query.SliceColumn{Name: c[1], Type: c[2]})
	}
	for name := range maps.Keys(tenantTables) {
		if len(list[name]) == 0 {
			return nil, fmt.Errorf("the warehouse has no table %s", name)
		}
	}
	w.columns.Store(&list)
	return list, nil
}

// crowd counts the queries of tenants that are under way.
type crowd struct {
	most int // at once; of one tenant askersEach
	mu   sync.Mutex
	all  int
	of   map[tenant.ID]int
}

// enter admits one more of a tenant's, until leave is called.
func (c *crowd) enter(id tenant.ID) (leave func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.of[id] >= askersEach:
		return nil, fault.New(fault.Throttled, "%d queries of yours are running already. Try again when one has ended.", askersEach)
	case c.all >= c.most:
		return nil, fault.New(fault.Throttled, "Other queries are running. Try again in a moment.")
	}
	if c.of == nil {
		c.of = map[tenant.ID]int{}
	}
	c.all++
	c.of[id]++
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.all--
		if c.of[id]--; c.of[id] == 0 {
			delete(c.of, id)
		}
	}, nil
}
