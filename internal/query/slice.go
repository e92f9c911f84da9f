package query

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// SliceProgram is the name under which the sandbox knows the engine as what does one
// SELECT of a tenant's over rows that it is handed: a fresh one, in memory, that has no
// others. Its arguments are a Slice in JSON. It says which tables it wants (ReadWanted),
// is sent their rows (SliceWriter) to the end of its stream, and answers (ReadAnswer).
const SliceProgram = "slice"

// Slice is a SELECT over some tables, and what its engine may take.
type Slice struct {
	Select  Select
	Columns map[string][]SliceColumn // of each table that the SELECT may name
	Memory  int64                    // bytes that the engine may use; the process needs more
	Threads int
}

// SliceColumn is a column of a table, with its type as the engine calls it.
type SliceColumn struct{ Name, Type string }

// The limits of what is said about a slice.
const (
	maxWanted     = 1 << 16 // bytes
	MaxSliceChunk = 4 << 20 // bytes of rows that are sent at once, beside the last row's
)

// WriteWanted says which tables a SELECT needs: four bytes of length, big-endian, and
// their names in JSON.
func WriteWanted(w io.Writer, tables []string) error {
	raw, err := json.Marshal(tables)
	if err != nil {
		return fmt.Errorf("encode tables: %w", err)
	}
	_, err = w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(raw))), raw...))
	return err
}

// ReadWanted reads, as a stranger's, what WriteWanted wrote.
func ReadWanted(r io.Reader) ([]string, error) {
	var top [4]byte
	if _, err := io.ReadFull(r, top[:]); err != nil {
		return nil, cutOff(err)
	}
	size := binary.BigEndian.Uint32(top[:])
	if size > maxWanted {
		return nil, errors.New("the tables' names take too much")
	}
	raw := make([]byte, size)
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, cutOff(err)
	}
	var tables []string
	if err := json.Unmarshal(raw, &tables); err != nil {
		return nil, fmt.Errorf("read names of tables: %w", err)
	}
	return tables, nil
}

// SliceWriter sends a table's rows, which are texts: pieces of four bytes of length,
// big-endian, and so many bytes of rows as Rows.Data has them, and a length of 0 at the
// end. Tables follow each other in the order in which they are wanted.
type SliceWriter struct {
	w     io.Writer
	piece []byte
	rows  int64
	size  int64
}

// NewSliceWriter begins a slice.
func NewSliceWriter(w io.Writer) *SliceWriter { return &SliceWriter{w: w, piece: make([]byte, 4)} }

// Rows is how many rows were sent, Size how many bytes they have.
func (s *SliceWriter) Rows() int64 { return s.rows }

// Size is how many bytes the rows have.
func (s *SliceWriter) Size() int64 { return s.size }

// Row sends a row's values, nil for a null.
func (s *SliceWriter) Row(values [][]byte) error {
	before := len(s.piece)
	for _, v := range values {
		if v == nil {
			s.piece = append(s.piece, 0)
			continue
		}
		s.piece = append(binary.AppendUvarint(s.piece, uint64(len(v))+1), v...)
	}
	s.rows++
	s.size += int64(len(s.piece) - before)
	if len(s.piece) < MaxSliceChunk {
		return nil
	}
	return s.flush()
}

// EndTable ends a table's rows.
func (s *SliceWriter) EndTable() error {
	if len(s.piece) > 4 {
		if err := s.flush(); err != nil {
			return err
		}
	}
	return s.flush()
}

func (s *SliceWriter) flush() error {
	binary.BigEndian.PutUint32(s.piece, uint32(len(s.piece)-4))
	_, err := s.w.Write(s.piece)
	s.piece = s.piece[:4]
	return err
}

// ReadSlice reads the next piece of a table's rows, for a table of these columns; nil at
// the end of the table.
func ReadSlice(r io.Reader, table string, columns []Column) (*Rows, error) {
	var top [4]byte
	if _, err := io.ReadFull(r, top[:]); err != nil {
		return nil, fmt.Errorf("read rows: %w", err)
	}
	size := binary.BigEndian.Uint32(top[:])
	if size == 0 {
		return nil, nil //nolint:nilnil // as said
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, fmt.Errorf("read rows: %w", err)
	}
	return &Rows{Table: table, Columns: columns, data: data}, nil
}
