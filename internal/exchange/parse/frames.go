package parse

import (
	"bufio"
	"encoding/binary"
	"math"

	"tributary/internal/exchange/contract"
)

// The stream of frames, all numbers little-endian:
//
//	frame   = kind u8, length u32, payload
//	columns = kind 1: number u32                        once, before any batch
//	batch   = kind 2: first u64, span u32, bad u32, bad x {offset u32, flaw u8, a u32, b u32},
//	          for each column of the contract {kind u8, status u8 x rows, values},
//	          n u16, n x {column u16, offset u32, length u16, excerpt}
//	problem = kind 3: flaw u8, row u64, column u16 (0: none, else index + 1), a u64, b u64, length u16, excerpt
//	end     = kind 4: rows u64, complete u8             once, the last one
//
// A batch covers the data rows first to first+span-1, counted from 1; its bad
// ones, in order, have no values, so rows = span - bad. A cell's status is a
// flaw; cells that are not sound have a zero value. Values are i64, f64, u8, or
// for texts u32 lengths and then the bytes. The cuts between batches depend on
// the file's content alone, so the accepted form does too.
const (
	frameColumns = 1
	frameBatch   = 2
	frameProblem = 3
	frameEnd     = 4

	frameHeader = 5
)

// Bounds of frames. A batch holds at most batchBytes of values before its last
// record, of at most maxRecord, and so stays below maxFrame.
const (
	maxFrame      = 16 << 20
	batchRows     = 8192
	batchBytes    = 1 << 20
	batchCells    = 128 << 10 // rows times columns
	batchExcerpts = maxKept
	maxBytes      = 4 * maxExcerpt // bytes of an excerpt
	maxFindings   = 2*contract.MaxColumns + 8
)

// kind is how a column's values are laid out.
type kind uint8

const (
	kindText kind = iota + 1
	kindInt
	kindFloat
	kindBool
)

// kindOf returns 0 for what is not a type.
func kindOf(t contract.Type) kind {
	switch t {
	case contract.Text:
		return kindText
	case contract.Integer, contract.Decimal, contract.DateType, contract.Timestamp:
		return kindInt
	case contract.Float:
		return kindFloat
	case contract.Boolean:
		return kindBool
	}
	return 0
}

// rowsOf returns how many rows a batch of so many columns holds at most.
func rowsOf(columns int) int { return min(batchRows, max(16, batchCells/columns)) }

// frameWriter writes frames. Errors stay in out until it is flushed.
type frameWriter struct {
	out     *bufio.Writer
	payload []byte
}

func (w *frameWriter) frame(kind byte, payload []byte) {
	var head [frameHeader]byte
	head[0] = kind
	binary.LittleEndian.PutUint32(head[1:], uint32(len(payload)))
	_, _ = w.out.Write(head[:]) // a bufio.Writer keeps its first error for Flush
	_, _ = w.out.Write(payload)
}

func (w *frameWriter) columns(n int) {
	w.frame(frameColumns, binary.LittleEndian.AppendUint32(nil, uint32(n)))
}

func (w *frameWriter) problem(f finding) {
	b := append(w.payload[:0], byte(f.flaw))
	b = binary.LittleEndian.AppendUint64(b, uint64(f.row))
	b = binary.LittleEndian.AppendUint16(b, uint16(f.column+1))
	b = binary.LittleEndian.AppendUint64(b, uint64(f.a))
	b = binary.LittleEndian.AppendUint64(b, uint64(f.b))
	b = appendExcerpt(b, f.excerpt)
	w.frame(frameProblem, b)
	w.payload = b
}

func appendExcerpt(b []byte, s string) []byte {
	s = s[:min(len(s), maxBytes)]
	b = binary.LittleEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

func (w *frameWriter) end(rows int64, complete bool) {
	b := binary.LittleEndian.AppendUint64(nil, uint64(rows))
	if complete {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	w.frame(frameEnd, b)
}

// badRow is a record without values.
type badRow struct {
	offset uint32 // from the batch's first row
	flaw   flaw
	a, b   uint32
}

// shown is the start of a value that is not sound.
type shown struct {
	column  int
	offset  uint32
	excerpt string
}

// batch collects rows until they fill a frame.
type batch struct {
	first int64
	span  uint32
	bad   []badRow
	shown []shown
	bytes int // of texts
}

func (w *frameWriter) batch(b *batch, vectors []*vector) {
	p := binary.LittleEndian.AppendUint64(w.payload[:0], uint64(b.first))
	p = binary.LittleEndian.AppendUint32(p, b.span)
	p = binary.LittleEndian.AppendUint32(p, uint32(len(b.bad)))
	for _, r := range b.bad {
		p = binary.LittleEndian.AppendUint32(p, r.offset)
		p = append(p, byte(r.flaw))
		p = binary.LittleEndian.AppendUint32(p, r.a)
		p = binary.LittleEndian.AppendUint32(p, r.b)
	}
	for _, v := range vectors {
		p = append(p, byte(v.kind))
		p = append(p, v.status...)
		switch v.kind {
		case kindText:
			for _, n := range v.lengths {
				p = binary.LittleEndian.AppendUint32(p, n)
			}
			p = append(p, v.bytes...)
		case kindInt:
			for _, i := range v.ints {
				p = binary.LittleEndian.AppendUint64(p, uint64(i))
			}
		case kindFloat:
			for _, f := range v.floats {
				p = binary.LittleEndian.AppendUint64(p, math.Float64bits(f))
			}
		case kindBool:
			p = append(p, v.bytes...)
		}
	}
	p = binary.LittleEndian.AppendUint16(p, uint16(len(b.shown)))
	for _, s := range b.shown {
		p = binary.LittleEndian.AppendUint16(p, uint16(s.column))
		p = binary.LittleEndian.AppendUint32(p, s.offset)
		p = appendExcerpt(p, s.excerpt)
	}
	w.frame(frameBatch, p)
	w.payload = p
}
