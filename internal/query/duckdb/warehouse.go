package duckdb

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strconv"

	bindings "github.com/duckdb/duckdb-go-bindings"

	"tributary/internal/fault"
	"tributary/internal/query"
)

// warehouseFile is the name of the warehouse's file in its directory.
const warehouseFile = "warehouse.duckdb"

// Warehouse is an open warehouse: the one instance that has its file.
type Warehouse struct {
	main    *instance
	writing turn // transactions are one after the other, on main's connection
	filters map[query.Unique]*filter
	aside   turn // those beside them too, each on a connection of its own
}

// turn is held by one at a time.
type turn chan struct{}

func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turn) give() { <-t }

// OpenWarehouse opens the warehouse in dir, makes it if there is none, and brings its
// schema up to date. The process must have no other that is open on the same file.
func OpenWarehouse(ctx context.Context, w query.Warehouse, dir string) (*Warehouse, error) {
	db, err := open(ctx, settings{memory: w.Memory, threads: w.Threads, path: filepath.Join(dir, warehouseFile)})
	if err != nil {
		return nil, err
	}
	wh := &Warehouse{main: db, writing: make(turn, 1), filters: map[query.Unique]*filter{}, aside: make(turn, 1)}
	if err := wh.migrate(ctx, w.Migrations); err != nil {
		db.close()
		return nil, err
	}
	return wh, nil
}

// Close closes the file, after the write-ahead log has been put into it.
func (w *Warehouse) Close() { w.main.close() }

// WarehouseMain is the sandbox's program query.WarehouseProgram: it opens the warehouse
// in dir and has serve call a function with each request.
func WarehouseMain(ctx context.Context, args []byte, dir string, serve func(context.Context, func(context.Context, []byte, io.Writer) error) error) error {
	var config query.Warehouse
	if err := json.Unmarshal(args, &config); err != nil {
		return fmt.Errorf("decode warehouse: %w", err)
	}
	w, err := OpenWarehouse(ctx, config, dir)
	if err != nil {
		return err
	}
	if err := serve(ctx, func(ctx context.Context, request []byte, out io.Writer) error {
		r, err := query.DecodeRequest(request)
		if err != nil {
			return err
		}
		return w.Do(ctx, r, out)
	}); err != nil {
		return err // requests may be under way, and nothing can be closed below them
	}
	w.Close()
	return nil
}

// migrate does the steps that the file has not had yet, each in a transaction.
func (w *Warehouse) migrate(ctx context.Context, steps []string) error {
	if err := w.main.run(ctx, "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)"); err != nil {
		return fmt.Errorf("make table of versions: %w", err)
	}
	done := 0
	err := w.main.texts(ctx, query.Statement{SQL: "SELECT coalesce(max(version), 0)::VARCHAR FROM schema_version"}, func(row [][]byte) error {
		var err error
		done, err = strconv.Atoi(string(row[0]))
		return err
	})
	if err != nil {
		return fmt.Errorf("read version: %w", err)
	}
	if done > len(steps) {
		return fmt.Errorf("the warehouse has version %d of its schema, and this program knows %d", done, len(steps))
	}
	for i, step := range steps[done:] {
		version := done + i + 1
		err := w.main.transaction(ctx, func() error {
			if err := w.main.script(ctx, step); err != nil {
				return err
			}
			return w.main.run(ctx, "INSERT INTO schema_version VALUES ("+strconv.Itoa(version)+")")
		})
		if err != nil {
			return fmt.Errorf("migrate warehouse to version %d: %w", version, err)
		}
	}
	return nil
}

// Do does a request and writes its answer.
func (w *Warehouse) Do(ctx context.Context, r query.Request, out io.Writer) error {
	if r.Select != nil {
		return w.choose(ctx, *r.Select, out)
	}
	return w.transact(ctx, *r.Transact, out)
}

// transact does a transaction, and then writes the answer of its last statement.
func (w *Warehouse) transact(ctx context.Context, t query.Transact, out io.Writer) error {
	db, mine := w.main, w.writing
	if t.Beside {
		mine = w.aside
	}
	if err := mine.take(ctx); err != nil {
		return err
	}
	defer mine.give()
	if t.Beside {
		var err error
		if db, err = w.main.another(); err != nil {
			return err
		}
		defer db.disconnect()
	}
	var columns []query.AnswerColumn
	var rows [][][]byte
	added := map[query.Unique][][16]byte{}
	err := db.transaction(ctx, func() error {
		for _, r := range t.Rows {
			if r.Unique != nil && t.Beside {
				return fmt.Errorf("rows of %s that are to be unique are not loaded beside others", r.Table)
			}
			var skip map[int]bool
			if r.Unique != nil {
				var fresh [][16]byte
				var err error
				if skip, fresh, err = w.known(ctx, r); err != nil {
					return fmt.Errorf("look for rows of %s: %w", r.Table, err)
				}
				added[*r.Unique] = append(added[*r.Unique], fresh...)
			}
			if err := db.load(ctx, r, skip); err != nil {
				return fmt.Errorf("load %s: %w", r.Table, err)
			}
		}
		for i, s := range t.Statements {
			res, err := db.statement(ctx, s)
			if err != nil {
				return fmt.Errorf("statement %d: %w", i+1, err)
			}
			if i == len(t.Statements)-1 {
				columns, rows, err = res.keep(ctx)
			}
			res.close()
			if err != nil {
				return err
			}
		}
		for _, r := range t.Rows {
			if err := db.run(ctx, "DROP TABLE temp."+identifier(r.Table)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for unique, keys := range added {
		for _, key := range keys {
			w.filters[unique].add(key)
		}
	}
	a, err := query.NewAnswerWriter(out, columns)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := writeRow(a, row); err != nil {
			return err
		}
	}
	if !t.Beside {
		for _, f := range w.filters {
			a.Keys += int64(f.count)
		}
	}
	return a.End(false)
}

// transaction does what do says in one transaction. That COMMIT fails, as where the disk is
// full, is fatal: it may have been done all the same, and the engine has been seen to break
// its own memory then.
func (db *instance) transaction(ctx context.Context, do func() error) error {
	if err := db.run(ctx, "BEGIN TRANSACTION"); err != nil {
		return err
	}
	err := do()
	if err == nil {
		// Not interrupted: it is done, or it is not.
		if err = db.run(context.WithoutCancel(ctx), "COMMIT"); err != nil {
			return &fatal{err}
		}
		return nil
	}
	_ = db.run(context.WithoutCancel(ctx), "ROLLBACK") // the cause is err
	return err
}

// another returns the same instance with a connection of its own, which the caller
// closes with disconnect.
func (db *instance) another() (*instance, error) {
	other := &instance{memory: db.memory, db: db.db}
	if bindings.Connect(db.db, &other.conn) == bindings.StateError {
		return nil, fmt.Errorf("connect to DuckDB")
	}
	return other, nil
}

func (db *instance) disconnect() { bindings.Disconnect(&db.conn) }

// run runs a statement of ours that answers nothing.
func (db *instance) run(ctx context.Context, statement string) error {
	r, err := db.query(ctx, statement)
	if err != nil {
		return err
	}
	r.close()
	return nil
}

// script runs several statements of ours.
func (db *instance) script(ctx context.Context, statements string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r := &result{}
	defer r.close()
	if bindings.Query(db.conn, statements, &r.res) == bindings.StateError {
		return db.failure(ctx, bindings.ResultErrorType(&r.res), bindings.ResultError(&r.res))
	}
	return nil
}

// statement runs a statement of ours with its arguments.
func (db *instance) statement(ctx context.Context, s query.Statement) (*result, error) {
	parameters := make([]bindings.Value, len(s.Arguments))
	for i, text := range s.Arguments {
		parameters[i] = bindings.CreateVarchar(text)
	}
	return db.query(ctx, s.SQL, parameters...)
}

// texts runs a statement of ours whose columns are all texts.
func (db *instance) texts(ctx context.Context, s query.Statement, each func([][]byte) error) error {
	r, err := db.statement(ctx, s)
	if err != nil {
		return err
	}
	defer r.close()
	_, rows, err := r.keep(ctx)
	for _, row := range rows {
		if err == nil {
			err = each(row)
		}
	}
	return err
}

// keep returns all of a result, whose columns are texts: columns of other types are
// left null. It is for small ones.
func (r *result) keep(ctx context.Context) ([]query.AnswerColumn, [][][]byte, error) {
	columns := make([]query.AnswerColumn, int(bindings.ColumnCount(&r.res)))
	types := make([]columnType, len(columns))
	for i := range columns {
		columns[i] = query.AnswerColumn{Name: bindings.ColumnName(&r.res, bindings.IdxT(i)), Type: "VARCHAR", Kind: query.KindText}
		types[i] = columnType{id: bindings.ColumnType(&r.res, bindings.IdxT(i))}
	}
	if bindings.ResultReturnType(r.res) != bindings.ResultTypeQueryResult {
		return nil, nil, nil
	}
	var rows [][][]byte
	err := r.chunks(ctx, types, func(n int, data []column) error {
		for i := range n {
			row := make([][]byte, len(columns))
			for c := range columns {
				if types[c].id == bindings.TypeVarchar && !data[c].null(i) {
					row[c] = append([]byte{}, data[c].text(i)...)
				}
			}
			rows = append(rows, row)
		}
		return nil
	})
	return columns, rows, err
}

func writeRow(a *query.AnswerWriter, row [][]byte) error {
	if err := a.Row(); err != nil {
		return err
	}
	for _, v := range row {
		if err := a.Value(v); err != nil {
			return err
		}
	}
	return nil
}

// refused is an error of somebody else's SELECT, who may read what the engine says.
func refused(text string) error {
	return fault.New(fault.Invalid, "%s", text)
}
