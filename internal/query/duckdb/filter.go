package duckdb

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"

	bindings "github.com/duckdb/duckdb-go-bindings"

	"tributary/internal/query"
)

// filter is a Bloom filter of the keys that a table has: what it has not seen is not
// in the table for certain, and the rest must be looked up. So a table of any size is
// read only for what is probably there. An index would do the same for more: 20
// million keys took over eight minutes to insert with one, and 42 seconds without.
//
// It is made of the table, and has what was committed since.
type filter struct {
	bits  []uint64
	count int
	room  int // for so many keys
}

const (
	bitsPerKey   = 24
	keyHashes    = 8       // then one of 30,000 unknown keys must be looked up
	smallestRoom = 1 << 18 // keys
)

func newFilter(room int) *filter {
	return &filter{bits: make([]uint64, (room*bitsPerKey+63)/64), room: room}
}

// places calls at with the bits of a key, which is a hash already, until it says no.
func (f *filter) places(key [16]byte, at func(word *uint64, bit uint64) bool) {
	a, step := binary.LittleEndian.Uint64(key[:8]), binary.LittleEndian.Uint64(key[8:])|1
	n := uint64(len(f.bits)) * 64
	for range keyHashes {
		place := a % n
		if !at(&f.bits[place/64], 1<<(place%64)) {
			return
		}
		a += step
	}
}

func (f *filter) add(key [16]byte) {
	f.places(key, func(word *uint64, bit uint64) bool { *word |= bit; return true })
	f.count++
}

// maybe reports whether the key may have been added.
func (f *filter) maybe(key [16]byte) bool {
	all := true
	f.places(key, func(word *uint64, bit uint64) bool { all = *word&bit != 0; return all })
	return all
}

// filterOf returns the filter of a table's keys with room for n more.
func (w *Warehouse) filterOf(ctx context.Context, u query.Unique, n int) (*filter, error) {
	f := w.filters[u]
	if f != nil && f.count+n <= f.room {
		return f, nil
	}
	delete(w.filters, u)
	total := 0
	err := w.main.texts(ctx, query.Statement{SQL: "SELECT count(*)::VARCHAR FROM " + identifier(u.Table)}, func(row [][]byte) (err error) {
		total, err = strconv.Atoi(string(row[0]))
		return err
	})
	if err == nil {
		f = newFilter(max(smallestRoom, (total+n)/2*3))
		err = w.main.keys(ctx, "SELECT "+identifier(u.Column)+" FROM "+identifier(u.Table), func(key [16]byte) { f.add(key) })
	}
	if err != nil {
		return nil, fmt.Errorf("read keys of %s: %w", u.Table, err)
	}
	w.filters[u] = f
	return f, nil
}

// keys hands over the one column of a result, while it is read.
func (db *instance) keys(ctx context.Context, sql string, each func([16]byte)) error {
	failed := func(kind bindings.ErrorType, text string) error { return db.failure(ctx, kind, text) }
	return db.stream(ctx, query.Statement{SQL: sql}, []columnType{{id: bindings.TypeUHugeInt}}, failed, func(n int, data []column) error {
		for i := range n {
			each(at[[16]byte](data[0], i))
		}
		return nil
	})
}

// known returns which of the rows are to be skipped, since the table has their key or
// a row before them, and the keys that the table does not have.
func (w *Warehouse) known(ctx context.Context, r *query.Rows) (skip map[int]bool, fresh [][16]byte, err error) {
	keys, err := keysOf(r)
	if err != nil {
		return nil, nil, err
	}
	f, err := w.filterOf(ctx, *r.Unique, len(keys))
	if err != nil {
		return nil, nil, err
	}
	skip = map[int]bool{}
	seen := make(map[[16]byte]bool, len(keys))
	suspects := &query.Rows{Table: "suspects", Columns: []query.Column{{Name: "key", Type: query.Key}}}
	for i, key := range keys {
		switch {
		case seen[key]:
			skip[i] = true
		case f.maybe(key):
			suspects.Key(key)
		}
		seen[key] = true
	}
	found := map[[16]byte]bool{}
	if suspects.Size() > 0 {
		if err := w.main.load(ctx, suspects, nil); err != nil {
			return nil, nil, err
		}
		if err := w.main.keys(ctx, "SELECT DISTINCT s.key FROM temp.suspects s WHERE s.key IN (SELECT "+identifier(r.Unique.Column)+" FROM "+identifier(r.Unique.Table)+")",
			func(key [16]byte) { found[key] = true }); err != nil {
			return nil, nil, err
		}
		if err := w.main.run(ctx, "DROP TABLE temp.suspects"); err != nil {
			return nil, nil, err
		}
	}
	for i, key := range keys {
		if found[key] && !r.Again {
			skip[i] = true
		} else if !found[key] && !skip[i] {
			fresh = append(fresh, key)
		}
	}
	return skip, fresh, nil
}

// keysOf returns the keys of rows that are unique by one.
func keysOf(r *query.Rows) ([][16]byte, error) {
	var keys [][16]byte
	sizes := sizesOf(r.Columns)
	for data := r.Data(); len(data) > 0; {
		for i, c := range r.Columns {
			n, value, err := next(data, sizes[i])
			if err != nil {
				return nil, err
			}
			if c.Name == r.Unique.Column {
				if len(value) != 16 {
					return nil, errRows
				}
				keys = append(keys, [16]byte(value))
			}
			data = data[n:]
		}
	}
	return keys, nil
}
