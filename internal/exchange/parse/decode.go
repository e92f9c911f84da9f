package parse

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"tributary/internal/exchange/contract"
)

// broken is an error for frames that our own child would not have written: it
// crashed in the middle of one, or is no longer ours.
func broken(format string, args ...any) error {
	return fmt.Errorf("frames of the parser: "+format, args...)
}

// cursor takes a payload apart. Reading past its end yields zeros and is
// remembered, so that callers check once.
type cursor struct {
	rest  []byte
	short bool
}

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.rest) {
		c.short, c.rest = true, nil
		return nil
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	return b
}

func (c *cursor) u8() byte {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) u16() int {
	if b := c.take(2); b != nil {
		return int(binary.LittleEndian.Uint16(b))
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if b := c.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) u64() int64 {
	if b := c.take(8); b != nil {
		return int64(binary.LittleEndian.Uint64(b))
	}
	return 0
}

func (c *cursor) uvarint() uint64 {
	v, n := binary.Uvarint(c.rest)
	if n <= 0 {
		c.short, c.rest = true, nil
		return 0
	}
	c.rest = c.rest[n:]
	return v
}

// length is a uvarint that counts what follows, of which each takes a byte at least.
func (c *cursor) length() int {
	n := c.uvarint()
	if n > uint64(len(c.rest)) {
		c.short, c.rest = true, nil
		return 0
	}
	return int(n)
}

func (c *cursor) excerpt() string {
	n := c.u16()
	if n > maxBytes {
		c.short = true
	}
	return excerpt(c.take(n))
}

// done reports whether the payload was read exactly to its end.
func (c *cursor) done() bool { return !c.short && len(c.rest) == 0 }

// frameReader reads frames of at most maxFrame bytes into one buffer.
type frameReader struct {
	in      *bufio.Reader
	payload []byte
}

func newFrameReader(in io.Reader) *frameReader {
	return &frameReader{in: bufio.NewReaderSize(in, 256<<10)}
}

// next returns a frame whose payload is valid until the next call.
func (r *frameReader) next() (kind byte, payload cursor, err error) {
	var head [frameHeader]byte
	if _, err := io.ReadFull(r.in, head[:]); err != nil {
		return 0, cursor{}, fmt.Errorf("frames of the parser: %w", noEOF(err))
	}
	n := int(binary.LittleEndian.Uint32(head[1:]))
	if n > maxFrame {
		return 0, cursor{}, broken("one of %d bytes", n)
	}
	if n > cap(r.payload) {
		r.payload = make([]byte, n)
	}
	r.payload = r.payload[:n]
	if _, err := io.ReadFull(r.in, r.payload); err != nil {
		return 0, cursor{}, fmt.Errorf("frames of the parser: %w", noEOF(err))
	}
	return head[0], cursor{rest: r.payload}, nil
}

// ended makes sure that nothing follows the last frame.
func (r *frameReader) ended() error {
	_, err := r.in.ReadByte()
	if err == nil {
		return broken("bytes after the end")
	}
	if err != io.EOF {
		return fmt.Errorf("frames of the parser: %w", err)
	}
	return nil
}

// readFinding reads a problem frame. Columns are indices of the contract.
func readFinding(c cursor, columns int) (finding, error) {
	f := finding{flaw: flaw(c.u8()), row: c.u64(), column: c.u16() - 1, a: c.u64(), b: c.u64(), excerpt: c.excerpt()}
	switch {
	case !c.done():
		return f, broken("a problem of the wrong length")
	case f.flaw < columnMissing || f.flaw > lastFile, f.row < 0, f.column >= columns:
		return f, broken("a problem that does not exist")
	case f.flaw == foreignFormat && (f.a < 0 || f.a >= int64(len(signatures))),
		f.flaw == foreignBOM && (f.a < 0 || f.a >= int64(len(marks))),
		f.flaw == wrongFormat && (f.a < 0 || f.a >= int64(len(mistaken))),
		f.flaw <= columnType && (f.a < 0 || f.a >= int64(len(contract.AllFormats))):
		return f, broken("a problem with an unknown detail")
	case f.column < 0 && (f.flaw == columnMissing || f.flaw == columnDuplicate || f.flaw == columnOtherCase || f.flaw == columnType):
		return f, broken("a problem of no column")
	}
	return f, nil
}

// view is one column of a received batch, still in the frame's buffer. The
// values are not looked at yet.
type view struct {
	status []byte
	fixed  []byte   // 8 or 1 bytes each, by the kind of the column
	text   []byte   // all texts
	ends   []uint32 // where in text each row's text ends
}

func (v *view) int(i int) int64 { return int64(binary.LittleEndian.Uint64(v.fixed[8*i:])) }

func (v *view) textAt(i int) []byte {
	from := uint32(0)
	if i > 0 {
		from = v.ends[i-1]
	}
	return v.text[from:v.ends[i]]
}

// received is a batch whose form is right: sizes, kinds, order of rows.
type received struct {
	rows    int // with values
	numbers []int64
	bad     []finding
	views   []view
	shown   map[place]string
}

type place struct {
	column int
	row    int64
}

// read takes a batch apart. next is the number that its first row must have.
func (b *received) read(c cursor, d *contract.Dataset, next int64) (span int64, err error) {
	first, n, bad := c.u64(), c.u32(), c.u32()
	if c.short || first != next || n == 0 || int(n) > rowsOf(len(d.Columns)) || bad > n {
		return 0, broken("a batch of %d rows at %d, want row %d", n, first, next)
	}
	if err := b.readBad(&c, first, n, bad); err != nil {
		return 0, err
	}
	for i := range d.Columns {
		if err := b.views[i].read(&c, kindOf(d.Columns[i].Type), b.rows, d.Limits.Field); err != nil {
			return 0, err
		}
	}
	return int64(n), b.readShown(&c, first, n)
}

// readBad reads the rows without values and numbers the others.
func (b *received) readBad(c *cursor, first int64, n, bad uint32) error {
	b.bad, b.numbers = b.bad[:0], b.numbers[:0]
	offset := uint32(0)
	for range bad {
		at, f, x, y := c.u32(), flaw(c.u8()), c.u32(), c.u32()
		if c.short || at < offset || at >= n || f < ragged || f > lastRow {
			return broken("a bad row out of order")
		}
		for ; offset < at; offset++ {
			b.numbers = append(b.numbers, first+int64(offset))
		}
		offset++
		bad := finding{flaw: f, row: first + int64(at), column: -1, a: int64(x), b: int64(y)}
		if f == keyTwice {
			if int(y) >= len(b.views) {
				return broken("a key of no column")
			}
			bad.column = int(y)
		}
		b.bad = append(b.bad, bad)
	}
	for ; offset < n; offset++ {
		b.numbers = append(b.numbers, first+int64(offset))
	}
	b.rows = len(b.numbers)
	return nil
}

func (b *received) readShown(c *cursor, first int64, n uint32) error {
	clear(b.shown)
	count := c.u16()
	if count > batchExcerpts {
		return broken("%d excerpts", count)
	}
	for range count {
		column, offset := c.u16(), c.u32()
		if c.short || column >= len(b.views) || offset >= n {
			return broken("an excerpt of no cell")
		}
		b.shown[place{column, first + int64(offset)}] = c.excerpt()
	}
	if !c.done() {
		return broken("a batch of the wrong length")
	}
	return nil
}

func (v *view) read(c *cursor, want kind, rows, maxField int) error {
	if got := kind(c.u8()); got != want {
		return broken("a column of kind %d, want %d", got, want)
	}
	v.status = c.take(rows)
	switch want {
	case kindText:
		lengths := c.take(4 * rows)
		if c.short {
			return broken("a batch cut off")
		}
		v.ends = v.ends[:0]
		total := uint32(0)
		for i := range rows {
			n := binary.LittleEndian.Uint32(lengths[4*i:])
			if n > uint32(maxField) || total+n > maxFrame || n > 0 && flaw(v.status[i]) != sound {
				return broken("a text of %d bytes", n)
			}
			total += n
			v.ends = append(v.ends, total)
		}
		v.text = c.take(int(total))
	case kindBool:
		v.fixed = c.take(rows)
	default:
		v.fixed = c.take(8 * rows)
	}
	if c.short {
		return broken("a batch cut off")
	}
	for _, s := range v.status {
		if flaw(s) > lastCell {
			return broken("a cell with the unknown flaw %d", s)
		}
	}
	return nil
}
