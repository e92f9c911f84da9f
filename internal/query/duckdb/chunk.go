package duckdb

import (
	"context"
	"fmt"
	"unsafe"

	bindings "github.com/duckdb/duckdb-go-bindings"
)

// chunks hands over the result piece by piece. It first checks the types,
// since columns are read as raw memory.
func (r *result) chunks(ctx context.Context, types []columnType, each func(rows int, columns []column) error) error {
	if got := int(bindings.ColumnCount(&r.res)); got != len(types) {
		return fmt.Errorf("result has %d columns, not %d", got, len(types))
	}
	for i, want := range types {
		if err := want.check(&r.res, i); err != nil {
			return err
		}
	}
	columns := make([]column, len(types))
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		chunk := bindings.FetchChunk(r.res)
		if chunk.Ptr == nil {
			return nil
		}
		for i := range columns {
			v := bindings.DataChunkGetVector(chunk, bindings.IdxT(i))
			columns[i] = column{data: bindings.VectorGetData(v), valid: (*uint64)(bindings.VectorGetValidity(v))}
		}
		err := each(int(bindings.DataChunkGetSize(chunk)), columns)
		bindings.DestroyDataChunk(&chunk)
		if err != nil {
			return err
		}
	}
}

// columnType is how DuckDB gives a column of a result.
type columnType struct {
	id     bindings.Type
	or     bindings.Type // another that is read the same way
	scale  int           // of a decimal
	stored bindings.Type // of a decimal
}

func (want columnType) check(res *bindings.Result, i int) error {
	logical := bindings.ColumnLogicalType(res, bindings.IdxT(i))
	defer bindings.DestroyLogicalType(&logical)
	id := bindings.GetTypeId(logical)
	if id != want.id && (want.or == bindings.TypeInvalid || id != want.or) {
		return fmt.Errorf("result column %d has type %d, not %d", i, id, want.id)
	}
	if id != bindings.TypeDecimal {
		return nil
	}
	scale, stored := int(bindings.DecimalScale(logical)), bindings.DecimalInternalType(logical)
	if scale != want.scale || stored != want.stored {
		return fmt.Errorf("result column %d is a decimal of scale %d in type %d", i, scale, stored)
	}
	return nil
}

// column is a column of a chunk; it lives as long as the chunk.
type column struct {
	data  unsafe.Pointer
	valid *uint64 // a bit for each row; nil if none is null
}

func (c column) null(row int) bool {
	if c.valid == nil {
		return false
	}
	word := *(*uint64)(unsafe.Add(unsafe.Pointer(c.valid), row/64*8))
	return word&(1<<(row%64)) == 0
}

// at reads a value of the type that chunks checked.
func at[T any](c column, row int) T {
	var t T
	return *(*T)(unsafe.Add(c.data, uintptr(row)*unsafe.Sizeof(t)))
}

// text is DuckDB's string: 4 bytes of length, then up to 12 bytes in place, or
// 4 bytes of prefix and a pointer. The bytes live as long as the chunk.
func (c column) text(row int) []byte {
	const size, inPlace = 16, 12
	p := unsafe.Add(c.data, row*size)
	n := *(*uint32)(p)
	if n <= inPlace {
		return unsafe.Slice((*byte)(unsafe.Add(p, 4)), n)
	}
	return unsafe.Slice(*(**byte)(unsafe.Add(p, 8)), n)
}
