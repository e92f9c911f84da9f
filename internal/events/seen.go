package events

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"tributary/internal/fault"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

const (
	remembered = 7 * 24 * time.Hour // how long a duplicate is known as one
	mostSeen   = 32 << 20           // ids remembered in all; with more the oldest are forgotten
)

// seen remembers which events were taken in: a 64-bit hash of each, in tables of those
// that were received on one day, an eighth of all in each at most. The oldest table is
// forgotten when there are too many. Another event with the same hash would be
// taken for a duplicate: with ten million remembered that is one in 10^12 new events.
// The hashes are keyed, so that nobody can look for two that are the same.
type seen struct {
	seed maphash.Seed
	most int

	mu     sync.RWMutex
	tables []*hashes // by day, and of a day in the order in which they were filled
	total  int
}

func newSeen() *seen { return &seen{seed: maphash.MakeSeed(), most: mostSeen} }

// key is the hash of what makes an event the same as another.
func (s *seen) key(id tenant.ID, source, origin, event string) uint64 {
	var h maphash.Hash
	h.SetSeed(s.seed)
	var size [8]byte
	for _, part := range [...]string{string(id), source, origin, event} {
		binary.LittleEndian.PutUint64(size[:], uint64(len(part)))
		_, _ = h.Write(size[:]) // never fails
		_, _ = h.WriteString(part)
	}
	if k := h.Sum64(); k != 0 {
		return k
	}
	return 1
}

func dayOf(t time.Time) int64 { return t.Unix() / 86400 }

// has reports whether an event is remembered.
func (s *seen) has(now time.Time, key uint64) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, t := range s.tables {
		if t.day >= dayOf(now.Add(-remembered)) && t.has(key) {
			return true
		}
	}
	return false
}

// add remembers events that were received at a time.
func (s *seen) add(now, received time.Time, list ...uint64) {
	if now.Sub(received) > remembered {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range list {
		if s.open(dayOf(received)).add(key) {
			s.total++
		}
	}
	for len(s.tables) > 0 && (s.total > s.most || s.tables[0].day < dayOf(now.Add(-remembered))) {
		s.total -= s.tables[0].count
		s.tables = slices.Delete(s.tables, 0, 1)
	}
}

// open is the table of a day that is being filled. It is called with mu held.
func (s *seen) open(day int64) *hashes {
	n := len(s.tables) // behind the day's last
	for n > 0 && s.tables[n-1].day > day {
		n--
	}
	if n == 0 || s.tables[n-1].day != day || s.tables[n-1].count >= s.most/8 {
		s.tables = slices.Insert(s.tables, n, &hashes{day: day})
		n++
	}
	return s.tables[n-1]
}

// hashes is a set of numbers other than 0, of a day: open addressing in a table of
// which at most seven tenths are used.
type hashes struct {
	day   int64
	table []uint64
	count int
}

func (h *hashes) has(key uint64) bool {
	if len(h.table) == 0 {
		return false
	}
	mask := uint64(len(h.table) - 1)
	for i := key & mask; h.table[i] != 0; i = (i + 1) & mask {
		if h.table[i] == key {
			return true
		}
	}
	return false
}

// add reports whether a number is new.
func (h *hashes) add(key uint64) bool {
	if 10*(h.count+1) > 7*len(h.table) {
		old := h.table
		h.table = make([]uint64, max(1024, 2*len(old)))
		for _, k := range old {
			if k != 0 {
				h.put(k)
			}
		}
	}
	if !h.put(key) {
		return false
	}
	h.count++
	return true
}

func (h *hashes) put(key uint64) bool {
	mask := uint64(len(h.table) - 1)
	i := key & mask
	for ; h.table[i] != 0; i = (i + 1) & mask {
		if h.table[i] == key {
			return false
		}
	}
	h.table[i] = key
	return true
}

// Remember reads what came in the last days from the stream, so that duplicates of it
// are known as such. It takes a while, in which intake goes on, and those of before
// the start are kept a second time; what is made of the stream has each once. What
// cannot be read is logged, and passed over.
func (e *Events) Remember(ctx context.Context) error {
	after := uint64(0)
	for {
		list, err := e.Streams.Read(ctx, stream.Events, after, "", 100)
		var gone stream.Missing
		if errors.As(err, &gone) {
			e.Log.WarnContext(ctx, "blocks of events are missing; duplicates of them will not be known", "error", err)
			after = gone.To
			continue
		}
		if err != nil {
			return fmt.Errorf("remember events: %w", err)
		}
		if len(list) == 0 {
			return nil
		}
		for _, m := range list {
			after = m.Sequence
			now := e.Clock.Now()
			if h, err := ReadHeader(m.Data); err == nil && now.Sub(h.Last) > remembered {
				continue
			}
			_, events, err := e.Blocks.unseal(ctx, m.Data) // what was erased is not to come again either
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case fault.Is(err, fault.NotFound): // of a tenant that was erased
			case err != nil:
				e.Log.WarnContext(ctx, "a block of events cannot be read; duplicates of them will not be known", "sequence", m.Sequence, "error", err)
			}
			for n := range events {
				ev := &events[n]
				e.seen.add(now, ev.Received, e.seen.key(ev.Tenant, ev.Source, ev.Origin, ev.ID))
			}
		}
	}
}
