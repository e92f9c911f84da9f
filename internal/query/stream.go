package query

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// An answer is a sequence of frames, each opened by one byte:
//
//	'c' cell   for each group column: 0 for null, or 1 and the value
//	           (Text: uvarint length, bytes; others: varint of Value.Int)
//	'r' row    uvarint participant; uvarint count; ceil(measures/8) bytes with
//	           bit i%8 of byte i/8 set if measure i is present; for each
//	           present one the varint of Number.Fixed
//	'e' end    uvarint rows; for each source the uvarint of rows scanned;
//	           uvarint microseconds; nothing follows
//
// uvarint and varint are those of encoding/binary. Cells ascend strictly in
// the order of CompareKeys, each has at least one row, and its rows ascend
// strictly by participant; so no two rows share key and participant.
const (
	frameCell = 'c'
	frameRow  = 'r'
	frameEnd  = 'e'
)

// Writer writes an answer: Cell, its rows, the next cell, and End. It is the
// child's side and trusts its caller to keep the order.
type Writer struct {
	spec   Spec
	groups []Column
	w      *bufio.Writer
	buf    []byte
	rows   int64
}

// NewWriter begins an answer to a spec that passed Check.
func NewWriter(w io.Writer, spec Spec) (*Writer, error) {
	groups, err := spec.groupColumns()
	return &Writer{spec: spec, groups: groups, w: bufio.NewWriterSize(w, 64<<10)}, err
}

// groupColumns looks the columns of Groups up; Check saw that they are the same in every dataset.
func (s Spec) groupColumns() ([]Column, error) {
	columns := make([]Column, 0, len(s.Groups))
	for _, name := range s.Groups {
		c, err := s.Column(s.names()[0], name)
		if err != nil {
			return nil, err
		}
		columns = append(columns, c)
	}
	return columns, nil
}

// Cell begins a cell. A value that is not one of its column is an error.
func (w *Writer) Cell(key []Value) error {
	b := append(w.buf[:0], frameCell)
	for i, v := range key {
		if !v.fits(w.groups[i]) {
			return fmt.Errorf("write cell: group column %d holds no %s in range", i, w.groups[i].Type)
		}
		switch {
		case v.Null:
			b = append(b, 0)
		case v.Type == Text:
			b = binary.AppendUvarint(append(b, 1), uint64(len(v.Text)))
			b = append(b, v.Text...)
		default:
			b = binary.AppendVarint(append(b, 1), v.Int)
		}
	}
	return w.write(b)
}

// Row adds a participant to the cell; values are those of Spec.Measures.
func (w *Writer) Row(participant int, count int64, values []Number) error {
	b := binary.AppendUvarint(append(w.buf[:0], frameRow), uint64(participant))
	b = binary.AppendUvarint(b, uint64(count))
	bits := len(b)
	b = append(b, make([]byte, (len(values)+7)/8)...)
	for i, v := range values {
		if v.Present {
			b[bits+i/8] |= 1 << (i % 8)
			b = binary.AppendVarint(b, v.Fixed)
		}
	}
	w.rows++
	return w.write(b)
}

// End ends the answer; scanned and micros are those of Totals.
func (w *Writer) End(scanned []int64, micros int64) error {
	b := binary.AppendUvarint(append(w.buf[:0], frameEnd), uint64(w.rows))
	for _, n := range scanned {
		b = binary.AppendUvarint(b, uint64(n))
	}
	if err := w.write(binary.AppendUvarint(b, uint64(micros))); err != nil {
		return err
	}
	if err := w.w.Flush(); err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return nil
}

func (w *Writer) write(b []byte) error {
	w.buf = b
	if _, err := w.w.Write(b); err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return nil
}

// reader decodes one answer and believes nothing in it.
type reader struct {
	r       *bufio.Reader
	spec    Spec
	groups  []Column
	key     []Value // of the open cell; nil before the first
	last    int     // participant of the last row of the open cell; -1 if it has none yet
	rows    int64
	counts  []int64  // rows counted for each participant
	numbers []Number // what is left of a block, to allocate for many rows at once
	bits    []byte
}

// Read decodes an answer to spec and hands its rows over in order: cells by
// CompareKeys, then participants. Rows may be kept. The writer may be hostile:
// whatever does not fit the spec, is out of order, repeated, over a limit or
// cut off is an error, and then no row that came before may be used. So what
// was handed over counts only when Read returns nil. An error of each, or of r,
// is in the chain of the returned one.
func Read(r io.Reader, spec Spec, each func(Row) error) (Totals, error) {
	return ReadThen(r, spec, each, func() error { return nil })
}

// ReadThen is Read, and calls then when the answer is there and nothing but the
// end of r is awaited: work can begin, which counts only when ReadThen returns nil.
func ReadThen(r io.Reader, spec Spec, each func(Row) error, then func() error) (Totals, error) {
	if err := spec.Check(); err != nil {
		return Totals{}, err
	}
	groups, err := spec.groupColumns()
	if err != nil {
		return Totals{}, err
	}
	d := &reader{
		r: bufio.NewReaderSize(r, 64<<10), spec: spec, groups: groups, last: -1,
		counts: make([]int64, spec.Participants), bits: make([]byte, (len(spec.Measures)+7)/8),
	}
	totals, err := d.read(each, then)
	if err != nil {
		return Totals{}, fmt.Errorf("read answer of the query, after %d rows: %w", d.rows, err)
	}
	return totals, nil
}

func (d *reader) read(each func(Row) error, then func() error) (Totals, error) {
	for {
		frame, err := d.r.ReadByte()
		var row Row
		switch {
		case err != nil:
		case frame == frameCell:
			err = d.cell()
		case frame == frameRow:
			row, err = d.row()
		case frame == frameEnd:
			var totals Totals
			if totals, err = d.end(then); err == nil {
				return totals, nil
			}
		default:
			err = fmt.Errorf("unknown frame %#x", frame)
		}
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err == nil && frame == frameRow {
			err = each(row)
		}
		if err != nil {
			return Totals{}, err
		}
	}
}

func (d *reader) cell() error {
	if d.key != nil && d.last < 0 {
		return errors.New("cell without a row")
	}
	key := make([]Value, len(d.groups))
	for i, c := range d.groups {
		v, err := d.value(c)
		if err != nil {
			return err
		}
		key[i] = v
	}
	if d.key != nil && CompareKeys(d.key, key) >= 0 {
		return errors.New("cells out of order or repeated")
	}
	d.key, d.last = key, -1
	return nil
}

func (d *reader) value(c Column) (Value, error) {
	switch present, err := d.r.ReadByte(); {
	case err != nil:
		return Value{}, err
	case present == 0:
		return NullOf(c), nil
	case present != 1:
		return Value{}, fmt.Errorf("mark %#x where a value begins", present)
	}
	v := Value{Type: c.Type, Scale: c.Scale}
	if c.Type != Text {
		n, err := binary.ReadVarint(d.r)
		if err != nil {
			return Value{}, err
		}
		v.Int = n
	} else {
		n, err := d.natural(MaxText)
		if err != nil {
			return Value{}, err
		}
		text := make([]byte, n)
		if _, err := io.ReadFull(d.r, text); err != nil {
			return Value{}, err
		}
		v.Text = string(text)
	}
	if !v.fits(c) {
		return Value{}, fmt.Errorf("value of a group column is no %s in range", c.Type)
	}
	return v, nil
}

// natural reads a number from 0 to limit.
func (d *reader) natural(limit int64) (int64, error) {
	n, err := binary.ReadUvarint(d.r)
	if err == nil && n > uint64(limit) {
		err = fmt.Errorf("number %d is over its limit %d", n, limit)
	}
	return int64(n), err
}

func (d *reader) row() (Row, error) {
	if d.key == nil {
		return Row{}, errors.New("row before its cell")
	}
	if d.rows >= int64(d.spec.Limits.Rows) {
		return Row{}, fmt.Errorf("more than %d rows", d.spec.Limits.Rows)
	}
	participant, err := d.natural(int64(d.spec.Participants) - 1)
	if err != nil {
		return Row{}, err
	}
	if int(participant) <= d.last {
		return Row{}, errors.New("participants out of order or repeated")
	}
	count, err := d.natural(math.MaxInt64)
	if err != nil {
		return Row{}, err
	}
	if count < 1 || count > math.MaxInt64-d.counts[participant] {
		return Row{}, fmt.Errorf("impossible count %d", count)
	}
	values, err := d.values(count)
	if err != nil {
		return Row{}, err
	}
	d.counts[participant] += count
	d.rows++
	d.last = int(participant)
	return Row{Participant: d.last, Key: d.key, Count: count, Values: values}, nil
}

const blockOfNumbers = 4096

func (d *reader) values(count int64) ([]Number, error) {
	measures := d.spec.Measures
	if len(d.numbers) < len(measures) {
		d.numbers = make([]Number, max(blockOfNumbers, len(measures)))
	}
	values := d.numbers[:len(measures):len(measures)]
	d.numbers = d.numbers[len(measures):]
	if _, err := io.ReadFull(d.r, d.bits); err != nil {
		return nil, err
	}
	if spare := len(measures) % 8; spare != 0 && d.bits[len(d.bits)-1]>>spare != 0 {
		return nil, errors.New("value of an unknown measure")
	}
	for i, m := range measures {
		if d.bits[i/8]&(1<<(i%8)) == 0 {
			continue
		}
		fixed, err := binary.ReadVarint(d.r)
		if err != nil {
			return nil, err
		}
		if m.Own == Count && !countFits(fixed, count, m.Scale) {
			return nil, fmt.Errorf("measure %q counts more than the rows there are", m.Name)
		}
		values[i] = Number{Present: true, Fixed: fixed}
	}
	return values, nil
}

// countFits reports whether fixed is a whole number from 0 to count.
func countFits(fixed, count int64, scale int) bool {
	unit := int64(math.Pow10(scale))
	return fixed >= 0 && fixed%unit == 0 && fixed/unit <= count
}

func (d *reader) end(then func() error) (Totals, error) {
	if d.key != nil && d.last < 0 {
		return Totals{}, errors.New("cell without a row")
	}
	rows, err := d.natural(int64(d.spec.Limits.Rows))
	if err != nil {
		return Totals{}, err
	}
	if rows != d.rows {
		return Totals{}, fmt.Errorf("end speaks of %d rows", rows)
	}
	totals := Totals{Rows: rows, Scanned: make([]int64, len(d.spec.Sources))}
	for i, source := range d.spec.Sources {
		if totals.Scanned[i], err = d.natural(math.MaxInt64); err != nil {
			return Totals{}, err
		}
		d.counts[source.Participant] = max(0, d.counts[source.Participant]-totals.Scanned[i])
	}
	for participant, left := range d.counts {
		if left > 0 {
			return Totals{}, fmt.Errorf("participant %d has more rows than its sources", participant)
		}
	}
	if totals.Micros, err = d.natural(math.MaxInt64); err != nil {
		return Totals{}, err
	}
	if err := then(); err != nil {
		return Totals{}, err
	}
	switch _, err := d.r.ReadByte(); {
	case err == nil:
		return Totals{}, errors.New("something follows the end")
	case !errors.Is(err, io.EOF):
		return Totals{}, err
	}
	return totals, nil
}
