package parse

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"

	"golang.org/x/text/unicode/norm"

	"tributary/internal/exchange/contract"
)

// vector is one column of a batch: how its texts become values, and the values.
type vector struct {
	kind    kind
	scale   int
	layout  contract.Layout
	numbers contract.Numbers
	nulls   []string

	status  []byte
	ints    []int64
	floats  []float64
	lengths []uint32
	bytes   []byte // texts, or booleans
}

func (v *vector) reset() {
	v.status, v.ints, v.floats, v.lengths, v.bytes = v.status[:0], v.ints[:0], v.floats[:0], v.lengths[:0], v.bytes[:0]
}

func (v *vector) isNull(cell []byte) bool {
	for _, n := range v.nulls {
		if string(cell) == n {
			return true
		}
	}
	return false
}

// text appends a text cell.
func (v *vector) text(cell []byte, suspect bool) flaw {
	f := null
	if !v.isNull(cell) {
		f = flawOfText(cell, suspect)
	}
	v.status = append(v.status, byte(f))
	if f != sound {
		v.lengths = append(v.lengths, 0)
		return f
	}
	v.lengths = append(v.lengths, uint32(len(cell)))
	v.bytes = append(v.bytes, cell...)
	return f
}

// value appends a cell of any other kind; t is the column's type.
func (v *vector) value(t contract.Type, cell []byte, suspect bool) flaw {
	cell = trim(cell)
	var i int64
	var x float64
	var yes bool
	f := null
	if !v.isNull(cell) {
		ok, bad := true, contract.Sound
		switch t {
		case contract.Integer:
			i, bad = v.numbers.Integer(cell)
		case contract.Decimal:
			i, bad = v.numbers.Fixed(cell, v.scale)
		case contract.Float:
			x, bad = v.numbers.Float(cell)
		case contract.Boolean:
			yes, ok = contract.ParseBoolean(cell)
		case contract.DateType:
			var d contract.Date
			d, ok = v.layout.Date(cell)
			i = int64(d)
		case contract.Timestamp:
			i, ok = v.layout.Timestamp(cell)
		}
		f = flawOf(bad, ok)
		if f == badType {
			if inText := flawOfText(cell, suspect); inText != sound {
				f = inText
			}
		}
	}
	v.status = append(v.status, byte(f))
	switch v.kind {
	case kindInt:
		v.ints = append(v.ints, i)
	case kindFloat:
		v.floats = append(v.floats, x)
	case kindBool:
		v.bytes = append(v.bytes, map[bool]byte{true: 1}[yes])
	}
	return f
}

func flawOf(bad contract.Flaw, ok bool) flaw {
	switch {
	case !ok || bad == contract.Malformed:
		return badType
	case bad == contract.OutOfRange:
		return outOfRange
	case bad == contract.TooPrecise:
		return tooPrecise
	}
	return sound
}

// trim removes the spaces around a value that is not text.
func trim(b []byte) []byte {
	for len(b) > 0 && b[0] == ' ' {
		b = b[1:]
	}
	for len(b) > 0 && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	return b
}

// parser reads one file.
type parser struct {
	ctx context.Context //nolint:containedctx // lives for one file only
	request
	vectors []*vector
	frames  *frameWriter

	suspect       bool // see input
	order         []int
	rows          int64
	headerIsWrong bool
	batch         batch
}

// file reads the whole file. A refusal says why it was not read to its end.
func (p *parser) file(stream io.Reader) error {
	text, suspect, err := p.input(stream)
	if err != nil {
		return err
	}
	p.suspect = suspect
	sign := func(s string) byte { return append([]byte(s), 0)[0] }
	r := newRecords(text, sign(p.CSV.Delimiter), sign(p.CSV.Quote), sign(p.CSV.Comment), p.Limits.Columns, p.Limits.Field)
	r.blank = len(p.Columns) == 1
	if err := p.header(r); err != nil || p.headerIsWrong {
		return err
	}
	for {
		record, err := r.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			p.flush()
			return p.inRow(err)
		}
		if p.rows == p.Limits.Rows {
			p.flush()
			return refuse(tooManyRows, p.Limits.Rows, 0)
		}
		p.rows++
		p.add(record, r)
		if p.full() {
			p.flush()
			if err := p.ctx.Err(); err != nil {
				return err
			}
		}
	}
	p.flush()
	return nil
}

// inRow names the row in which reading stopped.
func (p *parser) inRow(err error) error {
	var r *refusal
	if errors.As(err, &r) && r.row == 0 {
		switch r.flaw {
		case textAfterQuote, quoteNotClosed, tooManyFields, fieldTooLong, recordTooLong:
			r.row = p.rows + 1
		}
	}
	return err
}

// header matches the columns of the file with those of the contract.
func (p *parser) header(r *records) error {
	p.order = make([]int, len(p.Columns))
	for i := range p.order {
		p.order[i] = i
	}
	if !p.CSV.Header {
		p.frames.columns(len(p.Columns))
		return nil
	}
	record, err := r.next()
	if errors.Is(err, io.EOF) {
		return refuse(fileEmpty, 0, 0)
	}
	if err != nil {
		return err
	}
	p.frames.columns(len(record))
	p.order = p.order[:0]
	seen := make([]int, len(p.Columns))
	for _, cell := range record {
		if flawOfText(cell, p.suspect) != sound {
			return refuse(headerEncoding, 0, 0)
		}
		name := string(norm.NFC.Bytes(bytes.TrimSpace(cell)))
		i := slices.IndexFunc(p.Columns, func(c requested) bool { return c.Name == name })
		if i < 0 {
			p.unknown(name)
			continue
		}
		if seen[i]++; seen[i] == 2 {
			p.wrong(finding{flaw: columnDuplicate, column: i})
		}
		p.order = append(p.order, i)
	}
	for i, n := range seen {
		if n == 0 {
			p.wrong(finding{flaw: columnMissing, column: i})
		}
	}
	return nil
}

func (p *parser) unknown(name string) {
	f := finding{flaw: columnUnknown, column: -1, excerpt: excerpt([]byte(name))}
	for i, c := range p.Columns {
		if contract.SameName(c.Name, name) {
			f.flaw, f.column = columnOtherCase, i
		}
	}
	p.wrong(f)
}

func (p *parser) wrong(f finding) {
	p.headerIsWrong = true
	p.frames.problem(f)
}

// add puts a record into the batch.
func (p *parser) add(record [][]byte, r *records) {
	b := &p.batch
	if b.span == 0 {
		b.first = p.rows
	}
	offset := b.span
	b.span++
	switch {
	case len(record) != len(p.order):
		b.bad = append(b.bad, badRow{offset, ragged, uint32(len(record)), uint32(len(p.order))})
		return
	case r.bare:
		b.bad = append(b.bad, badRow{offset, bareQuote, uint32(r.line), 0})
		return
	}
	for i, cell := range record {
		c := p.order[i]
		v := p.vectors[c]
		var f flaw
		if v.kind == kindText {
			before := len(v.bytes)
			f = v.text(cell, p.suspect)
			b.bytes += len(v.bytes) - before
		} else {
			f = v.value(p.Columns[c].Type, cell, p.suspect)
		}
		if f > null && len(b.shown) < batchExcerpts {
			b.shown = append(b.shown, shown{c, offset, excerpt(cell)})
		}
	}
}

func (p *parser) full() bool {
	return int(p.batch.span) >= rowsOf(len(p.Columns)) || p.batch.bytes >= batchBytes
}

func (p *parser) flush() {
	if p.batch.span == 0 {
		return
	}
	p.frames.batch(&p.batch, p.vectors)
	p.batch = batch{bad: p.batch.bad[:0], shown: p.batch.shown[:0]}
	for _, v := range p.vectors {
		v.reset()
	}
}
