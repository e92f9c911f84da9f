package backup

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"tributary/internal/meta"
)

// The control tables before they are sealed. Numbers are big-endian.
//
//	stream  table... end
//	table   'T' text columns:u32 text... row...
//	row     'R' value...                          one for each column
//	end     'E' tables:u64 rows:u64
//	text    length:u32 bytes
//	value   'n' | 'i' i64 | 'f' f64 | 's' text | 'x' text      null, BIGINT, DOUBLE, TEXT, BYTEA
const (
	isTable = 'T'
	isRow   = 'R'
	isEnd   = 'E'

	maxColumns = 1000
	maxText    = 1 << 30
)

// controlWriter writes control tables.
type controlWriter struct {
	w      *bufio.Writer
	tables []Table
	rows   int64
	b      []byte
}

func newControlWriter(w io.Writer) *controlWriter {
	return &controlWriter{w: bufio.NewWriterSize(w, 1<<16)}
}

func (c *controlWriter) text(s string) {
	c.b = binary.BigEndian.AppendUint32(c.b, uint32(len(s)))
	c.b = append(c.b, s...)
}

func (c *controlWriter) flush() error {
	_, err := c.w.Write(c.b)
	c.b = c.b[:0]
	return err
}

func (c *controlWriter) table(t meta.Table) error {
	c.tables = append(c.tables, Table{Name: t.Name})
	c.b = append(c.b, isTable)
	c.text(t.Name)
	c.b = binary.BigEndian.AppendUint32(c.b, uint32(len(t.Columns)))
	for _, name := range t.Columns {
		c.text(name)
	}
	return c.flush()
}

func (c *controlWriter) row(values []any) error {
	c.rows++
	c.tables[len(c.tables)-1].Rows++
	c.b = append(c.b, isRow)
	for _, v := range values {
		switch v := v.(type) {
		case nil:
			c.b = append(c.b, 'n')
		case int64:
			c.b = binary.BigEndian.AppendUint64(append(c.b, 'i'), uint64(v))
		case float64:
			c.b = binary.BigEndian.AppendUint64(append(c.b, 'f'), math.Float64bits(v))
		case string:
			c.b = append(c.b, 's')
			c.text(v)
		case []byte:
			c.b = append(c.b, 'x')
			c.text(string(v))
		default:
			return fmt.Errorf("a %T is no value of the control tables", v)
		}
	}
	return c.flush()
}

func (c *controlWriter) end() error {
	c.b = binary.BigEndian.AppendUint64(append(c.b, isEnd), uint64(len(c.tables)))
	c.b = binary.BigEndian.AppendUint64(c.b, uint64(c.rows))
	if err := c.flush(); err != nil {
		return err
	}
	return c.w.Flush()
}

// controlReader reads control tables: nextTable until io.EOF, and after each, row
// until io.EOF.
type controlReader struct {
	r       *bufio.Reader
	next    byte // the mark that was read last
	columns int
	tables  int64
	rows    int64
}

var errForm = errors.New("the control tables have not the form of control tables")

func newControlReader(r io.Reader) (*controlReader, error) {
	c := &controlReader{r: bufio.NewReaderSize(r, 1<<16)}
	return c, c.mark()
}

func (c *controlReader) mark() (err error) {
	c.next, err = c.r.ReadByte()
	return cut(err)
}

// cut is the error of a stream that ends too early.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errForm
	}
	return err
}

func (c *controlReader) u32(most uint32) (int, error) {
	var b [4]byte
	if _, err := io.ReadFull(c.r, b[:]); err != nil {
		return 0, cut(err)
	}
	n := binary.BigEndian.Uint32(b[:])
	if n > most {
		return 0, errForm
	}
	return int(n), nil
}

func (c *controlReader) u64() (uint64, error) {
	var b [8]byte
	if _, err := io.ReadFull(c.r, b[:]); err != nil {
		return 0, cut(err)
	}
	return binary.BigEndian.Uint64(b[:]), nil
}

func (c *controlReader) text() ([]byte, error) {
	n, err := c.u32(maxText)
	if err != nil {
		return nil, err
	}
	if n <= 1<<20 {
		b := make([]byte, n)
		_, err = io.ReadFull(c.r, b)
		return b, cut(err)
	}
	b, err := io.ReadAll(io.LimitReader(c.r, int64(n))) // takes no memory for what is not there
	if err == nil && len(b) < n {
		err = errForm
	}
	return b, err
}

func (c *controlReader) nextTable() (t meta.Table, err error) {
	switch c.next {
	case isEnd:
		tables, err := c.u64()
		if err != nil {
			return t, err
		}
		rows, err := c.u64()
		if err != nil {
			return t, err
		}
		if _, err := c.r.ReadByte(); !errors.Is(err, io.EOF) || int64(tables) != c.tables || int64(rows) != c.rows {
			return t, errForm
		}
		return t, io.EOF
	case isTable:
	default:
		return t, errForm
	}
	name, err := c.text()
	if err != nil {
		return t, err
	}
	if c.columns, err = c.u32(maxColumns); err != nil {
		return t, err
	}
	t.Name = string(name)
	for range c.columns {
		column, err := c.text()
		if err != nil {
			return t, err
		}
		t.Columns = append(t.Columns, string(column))
	}
	c.tables++
	return t, c.mark()
}

func (c *controlReader) row() ([]any, error) {
	if c.next != isRow {
		return nil, io.EOF
	}
	row := make([]any, c.columns)
	for i := range row {
		var err error
		if row[i], err = c.value(); err != nil {
			return nil, err
		}
	}
	c.rows++
	return row, c.mark()
}

func (c *controlReader) value() (any, error) {
	kind, err := c.r.ReadByte()
	if err != nil {
		return nil, cut(err)
	}
	switch kind {
	case 'n':
		return nil, nil
	case 'i':
		n, err := c.u64()
		return int64(n), err
	case 'f':
		n, err := c.u64()
		return math.Float64frombits(n), err
	case 's':
		b, err := c.text()
		return string(b), err
	case 'x':
		return c.text()
	}
	return nil, errForm
}
