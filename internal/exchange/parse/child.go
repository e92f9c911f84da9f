package parse

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"slices"

	"golang.org/x/text/unicode/norm"

	"tributary/internal/exchange/contract"
)

// parser reads one file.
type parser struct {
	ctx context.Context //nolint:containedctx // lives for one file only
	request
	vectors []*vector
	frames  *frameWriter

	suspect       bool  // see input
	weight        int64 // see weigh
	order         []int
	rows          int64
	headerIsWrong bool
	batch         batch
}

// file reads the whole file in the format that its content has. A refusal says
// why it was not read to its end.
func (p *parser) file(file io.Reader) error {
	if at, ok := file.(random); ok && p.takes(contract.Parquet) {
		start, err := peek(bufio.NewReader(io.NewSectionReader(at, 0, at.Size())))
		if err != nil {
			return err
		}
		if LooksLikeParquet(start) {
			return p.parquet(at)
		}
	}
	plain, start, err := p.input(file)
	if err != nil {
		return err
	}
	format, err := p.textFormat(start)
	if err != nil {
		return err
	}
	if format == contract.NDJSON {
		return p.ndjson(plain)
	}
	text, suspect, err := p.decoded(plain, start)
	if err != nil {
		return err
	}
	p.suspect = suspect
	return p.csv(text)
}

// csv reads delimited text.
func (p *parser) csv(text io.Reader) error {
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
		offset, err := p.begin()
		if err != nil {
			return err
		}
		p.add(offset, record, r)
		if err := p.cut(); err != nil {
			return err
		}
	}
	p.flush()
	return nil
}

// inUTF8 says that the format is always in UTF-8.
func (p *parser) inUTF8() {
	for _, v := range p.vectors {
		v.utf8 = true
	}
}

// begin begins a data row and returns its place in the batch.
func (p *parser) begin() (offset uint32, err error) {
	if p.rows == p.Limits.Rows {
		p.flush()
		return 0, refuse(tooManyRows, p.Limits.Rows, 0)
	}
	p.rows++
	if p.batch.span == 0 {
		p.batch.first = p.rows
	}
	p.batch.span++
	return p.batch.span - 1, nil
}

// cut writes the batch if it is full.
func (p *parser) cut() error {
	if int(p.batch.span) < rowsOf(len(p.Columns)) && p.batch.bytes < batchBytes {
		return nil
	}
	p.flush()
	return p.ctx.Err()
}

// weigh counts what a format that writes less than its values unpacks to: each
// cell, null or not, as the one byte that it would take in CSV, and texts.
func (p *parser) weigh(cells, texts int) error {
	if p.weight += int64(cells + texts); p.weight > p.Limits.Bytes {
		p.flush()
		return refuse(tooManyBytes, p.Limits.Bytes, 0)
	}
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
	return p.match(record, csvIndex)
}

// The indices of contract.AllFormats.
const (
	csvIndex = iota
	ndjsonIndex
	parquetIndex
)

// match makes the order of the file's columns of their names.
func (p *parser) match(names [][]byte, format int64) error {
	p.frames.columns(len(names))
	p.order = p.order[:0]
	seen := make([]int, len(p.Columns))
	for _, name := range names {
		if flawOfText(name, p.suspect) != sound {
			return refuse(headerEncoding, format, 0)
		}
		i := p.column(name)
		if i < 0 {
			p.wrong(p.unknown(name, format))
			continue
		}
		if seen[i]++; seen[i] == 2 {
			p.wrong(finding{flaw: columnDuplicate, column: i, a: format})
		}
		p.order = append(p.order, i)
	}
	for i, n := range seen {
		if n == 0 {
			p.wrong(finding{flaw: columnMissing, column: i, a: format})
		}
	}
	return nil
}

// column returns the index of the column that a file calls so, or -1.
func (p *parser) column(name []byte) int {
	name = norm.NFC.Bytes(bytes.TrimSpace(name))
	return slices.IndexFunc(p.Columns, func(c requested) bool { return c.Name == string(name) })
}

func (p *parser) unknown(name []byte, format int64) finding {
	name = norm.NFC.Bytes(bytes.TrimSpace(name))
	f := finding{flaw: columnUnknown, column: -1, a: format, excerpt: excerpt(name)}
	for i, c := range p.Columns {
		if contract.SameName(c.Name, string(name)) {
			f.flaw, f.column = columnOtherCase, i
		}
	}
	return f
}

func (p *parser) wrong(f finding) {
	p.headerIsWrong = true
	p.frames.problem(f)
}

// add puts a record into the batch.
func (p *parser) add(offset uint32, record [][]byte, r *records) {
	b := &p.batch
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
		if f := p.text(p.vectors[c], cell); f > null {
			p.show(c, offset, cell)
		}
	}
}

// text appends a cell that the file has as text.
func (p *parser) text(v *vector, cell []byte) flaw {
	if v.kind != kindText {
		return v.value(cell, p.suspect)
	}
	before := len(v.bytes)
	f := v.text(cell, p.suspect)
	p.batch.bytes += len(v.bytes) - before
	return f
}

// show keeps the start of a value that is not sound.
func (p *parser) show(column int, offset uint32, value []byte) {
	if b := &p.batch; len(b.shown) < batchExcerpts {
		b.shown = append(b.shown, shown{column, offset, excerpt(value)})
	}
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
