package query

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"tributary/internal/fault"
)

// Kind says how a value of an answer is written: all are texts.
type Kind string

// The kinds.
const (
	KindText      Kind = "text"
	KindInteger   Kind = "integer"   // -12
	KindNumber    Kind = "number"    // 0.5, 1e300, nan, inf, -inf
	KindDecimal   Kind = "decimal"   // 12.50
	KindBoolean   Kind = "boolean"   // true, false
	KindTimestamp Kind = "timestamp" // RFC 3339, UTC
	KindDate      Kind = "date"      // 2026-01-31, or another text for what is no such date
	KindJSON      Kind = "json"
)

// AnswerColumn is a column of an answer.
type AnswerColumn struct {
	Name string
	Type string // what the engine calls it, such as BIGINT or DECIMAL(12,2), where the kind alone does not say how to store it
	Kind Kind
}

// Ending is what an answer ends with.
type Ending struct {
	Rows      int64
	Truncated bool // there is more than was asked for
	// Keys, after a transaction that is not beside others, is how many keys the engine has in
	// memory, all of which another one would read first.
	Keys int64 `json:",omitempty"`
}

// The limits of what is read as an answer.
const (
	MaxAnswerColumns = 1000
	MaxAnswerRow     = 32 << 20 // bytes of one row's values
	maxAnswerHead    = 4 << 20
	pieceOfValue     = 64 << 10 // room is made for no more before bytes have come
)

// ErrRow is that a row of an answer is too large.
var ErrRow = fault.New(fault.TooLarge, "A row of the answer has more than %d MiB. Ask for less in one row.", MaxAnswerRow>>20)

// AnswerWriter writes an answer in the child: four bytes of length and the columns in
// JSON; then for each row a 1 and its values, each a 0 for a null or its length and 1
// as a uvarint and its bytes; then a 0 and the Ending's JSON, to the end.
type AnswerWriter struct {
	Keys int64 // for the Ending
	w    *bufio.Writer
	rows int64
	size int64
}

// NewAnswerWriter begins an answer.
func NewAnswerWriter(w io.Writer, columns []AnswerColumn) (*AnswerWriter, error) {
	a := &AnswerWriter{w: bufio.NewWriterSize(w, 64<<10)}
	head, err := json.Marshal(columns)
	if err != nil {
		return nil, fmt.Errorf("encode columns: %w", err)
	}
	_, _ = a.w.Write(binary.BigEndian.AppendUint32(nil, uint32(len(head))))
	_, err = a.w.Write(head)
	return a, err
}

// Row begins a row. Its values follow.
func (a *AnswerWriter) Row() error {
	a.rows++
	return a.w.WriteByte(1)
}

// Value writes a value; nil is a null.
func (a *AnswerWriter) Value(v []byte) error {
	if v == nil {
		a.size++
		return a.w.WriteByte(0)
	}
	a.size += int64(len(v)) + 1
	_, _ = a.w.Write(binary.AppendUvarint(a.w.AvailableBuffer(), uint64(len(v))+1))
	_, err := a.w.Write(v)
	return err
}

// Rows is how many rows were begun, Size about how many bytes they take.
func (a *AnswerWriter) Rows() int64 { return a.rows }

// Size is about how many bytes were written.
func (a *AnswerWriter) Size() int64 { return a.size }

// End ends the answer.
func (a *AnswerWriter) End(truncated bool) error {
	_ = a.w.WriteByte(0)
	end, err := json.Marshal(Ending{Rows: a.rows, Truncated: truncated, Keys: a.Keys})
	if err != nil {
		return fmt.Errorf("encode end: %w", err)
	}
	_, _ = a.w.Write(end)
	return a.w.Flush()
}

// Into takes an answer while it comes; what is nil is not wanted.
type Into struct {
	Columns func([]AnswerColumn) error // at first
	Row     func([][]byte) error       // texts, nil for a null; the list is not to be kept
}

// ReadAnswer reads an answer in the server, as a stranger's. A value of more than maxValue
// bytes and a row of more than MaxAnswerRow are TooLarge; any other answer than
// AnswerWriter's is an error.
func ReadAnswer(r io.Reader, maxValue int, into Into) (Ending, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	var end Ending
	var top [4]byte
	if _, err := io.ReadFull(in, top[:]); err != nil {
		return end, cutOff(err)
	}
	size := binary.BigEndian.Uint32(top[:])
	if size > maxAnswerHead {
		return end, errors.New("the answer's columns take too much")
	}
	head := make([]byte, size)
	if _, err := io.ReadFull(in, head); err != nil {
		return end, cutOff(err)
	}
	var columns []AnswerColumn
	if err := json.Unmarshal(head, &columns); err != nil || len(columns) > MaxAnswerColumns {
		return end, fmt.Errorf("the answer's columns cannot be read: %w", err)
	}
	if into.Columns != nil {
		if err := into.Columns(columns); err != nil {
			return end, err
		}
	}
	values := make([][]byte, len(columns))
	var rows int64
	for {
		mark, err := in.ReadByte()
		if err != nil {
			return end, cutOff(err)
		}
		if mark == 0 {
			break
		}
		if err := readValues(in, values, maxValue); err != nil {
			return end, err
		}
		rows++
		if into.Row != nil {
			if err := into.Row(values); err != nil {
				return end, err
			}
		}
	}
	rest, err := io.ReadAll(io.LimitReader(in, 1<<10))
	if err != nil {
		return end, err
	}
	if err := json.Unmarshal(rest, &end); err != nil || end.Rows != rows {
		return end, fmt.Errorf("the answer's end does not fit it: %.100q, %d rows", rest, rows)
	}
	return end, nil
}

// readValues reads a row into values, whose bytes it makes anew: a row is mostly small.
func readValues(in *bufio.Reader, values [][]byte, maxValue int) error {
	size := uint64(0)
	for i := range values {
		n, err := binary.ReadUvarint(in)
		if err != nil {
			return cutOff(err)
		}
		if n == 0 {
			values[i] = nil
			continue
		}
		n--
		if n > uint64(maxValue) {
			return fault.New(fault.TooLarge, "A value of the answer has %d bytes; the limit is %d.", n, maxValue)
		}
		if size += n; size > MaxAnswerRow {
			return ErrRow
		}
		if values[i], err = readValue(in, int(n)); err != nil {
			return cutOff(err)
		}
	}
	return nil
}

func readValue(in io.Reader, n int) ([]byte, error) {
	v := make([]byte, min(n, pieceOfValue))
	_, err := io.ReadFull(in, v)
	for err == nil && len(v) < n {
		more := min(n-len(v), len(v))
		v = slices.Grow(v, more)[:len(v)+more]
		_, err = io.ReadFull(in, v[len(v)-more:])
	}
	return v, err
}

func cutOff(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the answer is cut off")
	}
	return err
}
