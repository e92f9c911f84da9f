package stream

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"tributary/internal/fault"
)

// marks is the file beside the streams of this process with the newest sequence that
// each acknowledged: a server that finds a damaged message when it starts cuts the
// stream off there without a word, and would give the same sequences again.
//
// A stream has 16 bytes, in the order of Names: the sequence, big-endian, and its
// complement. They are not synced: what they tell of is, and a mark that is behind
// only finds less.
type marks struct{ file *os.File }

const markSize = 16

func openMarks(dir string) (*marks, error) {
	f, err := os.OpenFile(filepath.Join(dir, "marks"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "The directory %s cannot be written to.", dir)
	}
	return &marks{f}, nil
}

func (n Name) slot() int64 { return int64(slices.Index(Names[:], n)) * markSize }

func (m *marks) set(n Name, seq uint64) error {
	b := binary.BigEndian.AppendUint64(nil, seq)
	b = binary.BigEndian.AppendUint64(b, ^seq)
	_, err := m.file.WriteAt(b, n.slot())
	return err
}

// mark notes what was acknowledged.
func (s *Streams) mark(n Name, seq uint64) error {
	if s.marks == nil {
		return nil
	}
	p := s.named[n]
	p.mu.Lock()
	defer p.mu.Unlock()
	if seq <= p.marked {
		return nil
	}
	p.marked = seq
	return s.marks.set(n, seq)
}

// get returns 0 when there is no mark, or when it is torn.
func (m *marks) get(n Name) uint64 {
	b := make([]byte, markSize)
	if _, err := m.file.ReadAt(b, n.slot()); err != nil {
		return 0
	}
	seq := binary.BigEndian.Uint64(b)
	if binary.BigEndian.Uint64(b[8:]) != ^seq {
		return 0
	}
	return seq
}

func (m *marks) close() error {
	if m == nil {
		return nil
	}
	return m.file.Close()
}

// fill puts something in the place of messages that were acknowledged and that the
// stream lost: nobody else gets their sequences, and who reads them is told.
func (s *Streams) fill(ctx context.Context, n Name) error {
	state, err := s.State(ctx, n)
	if err != nil {
		return err
	}
	mark := s.marks.get(n)
	if s.cfg.Reached != nil {
		reached, err := s.cfg.Reached(ctx, n, state.Created)
		if err != nil {
			return err
		}
		mark = max(mark, reached)
	}
	if mark <= state.Last {
		return nil
	}
	s.cfg.Log.ErrorContext(ctx, "streams: acknowledged messages are lost", "stream", string(n), "from", state.Last+1, "to", mark)
	for last := state.Last; last < mark; {
		list := make([]Message, min(MaxBatch, mark-last))
		for i := range list {
			list[i].Tenant = lost
		}
		if last, err = s.publish(ctx, n, "", list); err != nil {
			return fmt.Errorf("note what is lost: %w", err)
		}
	}
	return nil
}
