package duckdb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unsafe"

	bindings "github.com/duckdb/duckdb-go-bindings"

	"tributary/internal/query"
)

// loaded says how a column of rows is stored.
var loaded = map[query.Type]struct {
	name string
	id   bindings.Type
	size int // bytes in rows and in a vector; 0: a text
}{
	query.Text:      {"VARCHAR", bindings.TypeVarchar, 0},
	query.Integer:   {"BIGINT", bindings.TypeBigInt, 8},
	query.Float:     {"DOUBLE", bindings.TypeDouble, 8},
	query.Boolean:   {"BOOLEAN", bindings.TypeBoolean, 1},
	query.Timestamp: {"TIMESTAMP", bindings.TypeTimestamp, 8},
	query.Key:       {"UHUGEINT", bindings.TypeUHugeInt, 16},
}

// load makes the temporary table of rows and fills it, or the one that they go into too,
// but for those to skip.
func (db *instance) load(ctx context.Context, r *query.Rows, skip map[int]bool) error {
	kept := make([]int, 0, len(r.Columns))
	var columns []string
	for i, c := range r.Columns {
		t, ok := loaded[c.Type]
		if !ok {
			return fmt.Errorf("column %s has type %q, which rows do not have", c.Name, c.Type)
		}
		if r.Into == "" || slices.Contains(r.Keep, c.Name) {
			kept = append(kept, i)
			columns = append(columns, identifier(c.Name)+" "+t.name)
		}
	}
	if err := db.run(ctx, "CREATE OR REPLACE TEMP TABLE "+identifier(r.Table)+" ("+strings.Join(columns, ", ")+")"); err != nil {
		return err
	}
	f := &filling{rows: r, skip: skip, sizes: sizesOf(r.Columns)}
	defer f.destroy()
	if err := f.to(db, "temp", r.Table, kept); err != nil {
		return err
	}
	if r.Into != "" {
		all := make([]int, len(r.Columns))
		for i := range all {
			all[i] = i
		}
		if err := f.to(db, "", r.Into, all); err != nil {
			return err
		}
	}
	return f.fill(ctx)
}

var errRows = errors.New("rows that cannot be read")

// filling is how rows come into one or two tables.
type filling struct {
	rows    *query.Rows
	skip    map[int]bool
	sizes   []int
	sinks   []*sink
	targets []target // of one chunk of each sink
}

// sink is one table, filled a chunk at a time.
type sink struct {
	appender bindings.Appender
	types    []bindings.LogicalType
	chunk    bindings.DataChunk
	columns  []int // of the rows
}

// to adds a table with some of the columns.
func (f *filling) to(db *instance, catalog, table string, columns []int) error {
	s := &sink{columns: columns}
	f.sinks = append(f.sinks, s)
	if bindings.AppenderCreateExt(db.conn, catalog, "main", table, &s.appender) == bindings.StateError {
		return s.failure()
	}
	for _, i := range columns {
		c := f.rows.Columns[i]
		if catalog == "" && bindings.AppenderAddColumn(s.appender, c.Name) == bindings.StateError {
			return s.failure()
		}
		s.types = append(s.types, bindings.CreateLogicalType(loaded[c.Type].id))
	}
	s.chunk = bindings.CreateDataChunk(s.types)
	return nil
}

func (s *sink) failure() error {
	text := bindings.AppenderError(s.appender)
	return fmt.Errorf("append: %w", said(preparing(text), text))
}

func (f *filling) destroy() {
	for _, s := range f.sinks {
		bindings.DestroyDataChunk(&s.chunk)
		for i := range s.types {
			bindings.DestroyLogicalType(&s.types[i])
		}
		bindings.AppenderDestroy(&s.appender)
	}
}

// begin empties the chunks.
func (f *filling) begin() {
	f.targets = f.targets[:0]
	for _, s := range f.sinks {
		bindings.DataChunkReset(s.chunk)
		for i, c := range s.columns {
			v := bindings.DataChunkGetVector(s.chunk, bindings.IdxT(i))
			f.targets = append(f.targets, target{column: c, vector: v, data: bindings.VectorGetData(v), size: f.sizes[c]})
		}
	}
}

// fill appends the rows.
func (f *filling) fill(ctx context.Context) error {
	data, most, read := f.rows.Data(), int(bindings.VectorSize()), 0
	values := make([][]byte, len(f.sizes))
	for len(data) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		f.begin()
		rows := 0
		for ; rows < most && len(data) > 0; read++ {
			for i, size := range f.sizes {
				n, value, err := next(data, size)
				if err != nil {
					return err
				}
				values[i], data = value, data[n:]
			}
			if !f.skip[read] {
				for i := range f.targets {
					f.targets[i].set(rows, values[f.targets[i].column])
				}
				rows++
			}
		}
		for _, s := range f.sinks {
			bindings.DataChunkSetSize(s.chunk, bindings.IdxT(rows))
			if bindings.AppendDataChunk(s.appender, s.chunk) == bindings.StateError {
				return s.failure()
			}
		}
	}
	for _, s := range f.sinks {
		if bindings.AppenderClose(s.appender) == bindings.StateError {
			return s.failure()
		}
	}
	return nil
}

// sizesOf returns how many bytes the values of columns have in a vector; 0: texts.
func sizesOf(columns []query.Column) []int {
	sizes := make([]int, len(columns))
	for i, c := range columns {
		sizes[i] = loaded[c.Type].size
	}
	return sizes
}

// next returns the value at the begin of data, nil for a null, and how many bytes it took.
func next(data []byte, size int) (int, []byte, error) {
	n, used := binary.Uvarint(data)
	switch {
	case used <= 0:
		return 0, nil, errRows
	case n == 0:
		return used, nil, nil
	case size == 0:
		if n-1 > uint64(len(data)-used) {
			return 0, nil, errRows
		}
		end := used + int(n-1)
		return end, data[used:end], nil
	}
	end := used + max(size, 8) // a boolean takes as much in rows as a number
	if n != 1 || len(data) < end {
		return 0, nil, errRows
	}
	return end, data[used : used+size], nil
}

// target is a column of the chunk that is being filled.
type target struct {
	column int
	vector bindings.Vector
	data   unsafe.Pointer
	valid  *uint64 // nil: none is null yet
	size   int
}

// set stores a value, as next returned it.
func (t *target) set(row int, value []byte) {
	switch {
	case value == nil:
		t.null(row)
	case t.size == 0:
		t.text(row, value)
	default:
		copy(unsafe.Slice((*byte)(unsafe.Add(t.data, row*t.size)), t.size), value)
	}
}

// text stores a text: a short one in place, as column.text reads it.
func (t *target) text(row int, text []byte) {
	const size, inPlace = 16, 12
	if len(text) > inPlace {
		bindings.UnsafeVectorAssignStringElementLen(t.vector, bindings.IdxT(row), text)
		return
	}
	place := unsafe.Slice((*byte)(unsafe.Add(t.data, row*size)), size)
	clear(place)
	binary.NativeEndian.PutUint32(place, uint32(len(text)))
	copy(place[4:], text)
}

func (t *target) null(row int) {
	if t.valid == nil {
		bindings.VectorEnsureValidityWritable(t.vector)
		t.valid = (*uint64)(bindings.VectorGetValidity(t.vector))
	}
	word := (*uint64)(unsafe.Add(unsafe.Pointer(t.valid), row/64*8))
	*word &^= 1 << (row % 64)
}
