package duckdb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
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

// load makes the temporary table of rows and fills it, but for those to skip.
func (db *instance) load(ctx context.Context, r *query.Rows, skip map[int]bool) error {
	var columns []string
	for _, c := range r.Columns {
		t, ok := loaded[c.Type]
		if !ok {
			return fmt.Errorf("column %s has type %q, which rows do not have", c.Name, c.Type)
		}
		columns = append(columns, identifier(c.Name)+" "+t.name)
	}
	if err := db.run(ctx, "CREATE OR REPLACE TEMP TABLE "+identifier(r.Table)+" ("+strings.Join(columns, ", ")+")"); err != nil {
		return err
	}
	var appender bindings.Appender
	defer bindings.AppenderDestroy(&appender)
	if bindings.AppenderCreateExt(db.conn, "temp", "main", r.Table, &appender) == bindings.StateError {
		return fmt.Errorf("append: %w", said(bindings.AppenderError(appender)))
	}
	if err := fill(ctx, appender, r, skip); err != nil {
		return err
	}
	if bindings.AppenderClose(appender) == bindings.StateError {
		return fmt.Errorf("append: %w", said(bindings.AppenderError(appender)))
	}
	return nil
}

var errRows = errors.New("rows that cannot be read")

// fill appends rows, a chunk at a time.
func fill(ctx context.Context, appender bindings.Appender, r *query.Rows, skip map[int]bool) error {
	types := make([]bindings.LogicalType, len(r.Columns))
	sizes := sizesOf(r.Columns)
	for i, c := range r.Columns {
		types[i] = bindings.CreateLogicalType(loaded[c.Type].id)
	}
	chunk := bindings.CreateDataChunk(types)
	defer func() {
		bindings.DestroyDataChunk(&chunk)
		for i := range types {
			bindings.DestroyLogicalType(&types[i])
		}
	}()
	data, most, read := r.Data(), int(bindings.VectorSize()), 0
	vectors := make([]target, len(types))
	for len(data) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		bindings.DataChunkReset(chunk)
		for i := range vectors {
			v := bindings.DataChunkGetVector(chunk, bindings.IdxT(i))
			vectors[i] = target{vector: v, data: bindings.VectorGetData(v), size: sizes[i]}
		}
		rows := 0
		for ; rows < most && len(data) > 0; read++ {
			skipped := skip[read]
			for i := range vectors {
				n, value, err := next(data, sizes[i])
				if err != nil {
					return err
				}
				if !skipped {
					vectors[i].set(rows, value)
				}
				data = data[n:]
			}
			if !skipped {
				rows++
			}
		}
		bindings.DataChunkSetSize(chunk, bindings.IdxT(rows))
		if bindings.AppendDataChunk(appender, chunk) == bindings.StateError {
			return fmt.Errorf("append: %w", said(bindings.AppenderError(appender)))
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
