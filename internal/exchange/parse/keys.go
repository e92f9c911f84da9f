package parse

import (
	"encoding/binary"
	"hash/maphash"
)

// keySet remembers the keys of all rows and the row of each. It keeps 96 bits
// of two keyed hashes instead of a key, under seeds that no one else knows: the
// chance that two different keys of a file of MaxUniqueRows rows are taken for
// one is below 10^-14. It needs at most 256 MiB, for that many: 16 bytes a slot, in
// tables that are three eighths full right after they have grown.
type keySet struct {
	seeds  [2]maphash.Seed
	shards [256]shard // small ones, so that growing copies little at once
}

type shard struct {
	slots []slot // a power of two
	used  int
}

type slot struct {
	high uint64
	low  uint32
	row  uint32 // 0: free
}

func newKeySet() *keySet {
	return &keySet{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}}
}

// add remembers the key of a row and returns the earlier row with the same
// key, or 0. Rows count from 1 and are at most MaxUniqueRows.
func (s *keySet) add(key []byte, row int64) int64 {
	high, low := maphash.Bytes(s.seeds[0], key), uint32(maphash.Bytes(s.seeds[1], key))
	return s.shards[high>>56].add(high, low, row)
}

func (t *shard) add(high uint64, low uint32, row int64) int64 {
	if 4*(t.used+1) > 3*len(t.slots) {
		t.grow()
	}
	at := t.find(high, low)
	if at.row != 0 {
		return int64(at.row)
	}
	*at = slot{high, low, uint32(row)}
	t.used++
	return 0
}

// find returns the slot of a key, or the free one where it belongs.
func (t *shard) find(high uint64, low uint32) *slot {
	mask := uint64(len(t.slots) - 1)
	for i := high & mask; ; i = (i + 1) & mask {
		at := &t.slots[i]
		if at.row == 0 || at.high == high && at.low == low {
			return at
		}
	}
}

func (t *shard) grow() {
	old := t.slots
	t.slots = make([]slot, max(16, 2*len(old)))
	for _, o := range old {
		if o.row != 0 {
			*t.find(o.high, o.low) = o
		}
	}
}

// appendKey appends a cell so that no two lists of cells give the same bytes:
// "ab", "c" is not "a", "bc". Null equals null.
func appendKey(key []byte, v *view, k kind, i int) []byte {
	if flaw(v.status[i]) == null {
		return append(key, 0)
	}
	key = append(key, 1)
	switch k {
	case kindText:
		t := v.textAt(i)
		return append(binary.LittleEndian.AppendUint32(key, uint32(len(t))), t...)
	case kindBool:
		return append(key, v.fixed[i])
	}
	return append(key, v.fixed[8*i:8*i+8]...)
}
