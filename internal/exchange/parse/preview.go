package parse

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/parquet-go/parquet-go"

	"tributary/internal/exchange/contract"
)

// Bounds of a preview.
const (
	PreviewRows    = 50
	PreviewColumns = 100
	PreviewMemory  = 64 << 20 // bytes of a Parquet file that is previewed, since it is in memory
	previewStart   = 16 << 20 // bytes of a text that are read at the most
	previewCell    = 120      // characters of a value
	previewOutput  = 8 << 20
)

// Preview is the start of a file: its first rows as the file has them, each value as
// the text that stands there, cut where it is long. It is for people, and no value of it
// was held against the contract.
type Preview struct {
	Columns []string    `json:"columns"`
	Rows    [][]*string `json:"rows"` // nil: no value
	// More says that there are more rows, Hidden how many columns are not shown.
	More   bool `json:"more"`
	Hidden int  `json:"hidden"`
	// Stopped says that what follows the rows could not be read.
	Stopped bool `json:"stopped"`
}

// PreviewMain is the child's half of a preview: it reads the start of a file as args of
// Args say and writes a Preview in JSON. What is wrong with the file ends the rows.
func PreviewMain(ctx context.Context, args []byte, file io.Reader, out io.Writer) error {
	var r request
	if err := json.Unmarshal(args, &r); err != nil {
		return fmt.Errorf("decode arguments of the preview: %w", err)
	}
	p := previewer{parser: parser{ctx: ctx, request: r}}
	err := p.file(file)
	var refused *refusal
	switch {
	case errors.As(err, &refused):
		p.shown.Stopped = true
	case err != nil && !errors.Is(err, errEnough):
		return fmt.Errorf("read the start of the file: %w", err)
	}
	for i, row := range p.shown.Rows { // as wide as the widest, with the header
		p.shown.Rows[i] = append(row, make([]*string, max(0, len(p.shown.Columns)-len(row)))...)
	}
	b, err := json.Marshal(p.shown)
	if err != nil {
		return fmt.Errorf("encode preview: %w", err)
	}
	_, err = out.Write(b)
	return err
}

// errEnough ends the reading.
var errEnough = errors.New("the preview is full")

type previewer struct {
	parser
	shown Preview
}

func (p *previewer) file(file io.Reader) error {
	if at, ok := file.(random); ok {
		start, err := peek(bufio.NewReader(io.NewSectionReader(at, 0, at.Size())))
		if err != nil {
			return err
		}
		if LooksLikeParquet(start) {
			return p.parquet(at)
		}
	}
	plain, start, err := p.input(io.LimitReader(file, previewStart))
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
	text, _, err := p.decoded(plain, start)
	if err != nil {
		return err
	}
	return p.csv(text)
}

func (p *previewer) csv(text io.Reader) error {
	sign := func(s string) byte { return append([]byte(s), 0)[0] }
	r := newRecords(text, sign(p.CSV.Delimiter), sign(p.CSV.Quote), sign(p.CSV.Comment), contract.MaxColumns, contract.MaxField)
	r.blank = len(p.Columns) == 1
	if p.CSV.Header {
		record, err := r.next()
		if err != nil {
			return previewEnd(err)
		}
		p.header(record)
	} else {
		p.contracts()
	}
	for {
		record, err := r.next()
		if err != nil {
			return previewEnd(err)
		}
		if err := p.row(len(record), func(i int) *string { return cell(record[i]) }); err != nil {
			return err
		}
	}
}

// contracts names the columns as the contract does.
func (p *previewer) contracts() {
	names := make([][]byte, len(p.Columns))
	for i, c := range p.Columns {
		names[i] = []byte(c.Name)
	}
	p.header(names)
}

func (p *previewer) header(names [][]byte) {
	for i, name := range names {
		if i == PreviewColumns {
			p.shown.Hidden = len(names) - i
			return
		}
		p.shown.Columns = append(p.shown.Columns, *cell(bytes.TrimSpace(name)))
	}
}

// row adds a row of n values, or ends the reading if there are enough.
func (p *previewer) row(n int, value func(int) *string) error {
	if len(p.shown.Rows) == PreviewRows {
		p.shown.More = true
		return errEnough
	}
	row := make([]*string, 0, min(n, PreviewColumns))
	for i := range min(n, PreviewColumns) {
		row = append(row, value(i))
	}
	p.shown.Rows = append(p.shown.Rows, row)
	return p.ctx.Err()
}

// ndjson shows the contract's columns first, and then other keys as they come.
func (p *previewer) ndjson(text *bufio.Reader) error {
	if start, err := text.Peek(len(marks[0].bytes)); err == nil && string(start) == marks[0].bytes {
		_, _ = text.Discard(len(start)) // what was peeked is there
	}
	p.contracts()
	o := &objects{src: text, most: contract.MaxColumns}
	for {
		if err := o.next(); err != nil {
			return previewEnd(err)
		}
		wrong, err := o.scan()
		if err != nil {
			return err
		}
		row := make([]*string, PreviewColumns)
		if wrong > 0 { // no object: the line as it is
			row = []*string{cell(o.text)}
			o.members = nil
		}
		for _, m := range o.members {
			key, _ := jsontext.AppendUnquote(nil, m.key)
			name := *cell(key)
			at := slices.Index(p.shown.Columns, name)
			if at < 0 && len(p.shown.Columns) == PreviewColumns {
				continue // there is no room for more
			}
			if at < 0 {
				at = len(p.shown.Columns)
				p.shown.Columns = append(p.shown.Columns, name)
			}
			switch m.kind {
			case 'n':
			case '"':
				value, _ := jsontext.AppendUnquote(nil, m.value)
				row[at] = cell(value)
			default:
				row[at] = cell(m.value)
			}
		}
		if err := p.row(min(len(row), max(1, len(p.shown.Columns))), func(i int) *string { return row[i] }); err != nil {
			return err
		}
	}
}

// parquet shows any flat columns, whatever the contract has.
func (p *previewer) parquet(file random) error {
	p.Limits = contract.Limits{Bytes: contract.MaxParquet, Rows: contract.MaxRows, Columns: contract.MaxColumns, Field: contract.MaxField, Ratio: contract.MaxRatio}
	t := &opened{parser: &p.parser, file: watched{file, new(error)}, size: file.Size()}
	if err := t.footer(); err != nil {
		return err
	}
	top, err := t.top()
	if err != nil {
		return err
	}
	var names [][]byte
	for i, e := range top {
		names, t.order = append(names, []byte(e.Name)), append(t.order, i)
		t.sources = append(t.sources, sourceOf(e))
	}
	p.header(names)
	if err := t.inspect(); err != nil {
		return err
	}
	f, err := t.open()
	if err != nil {
		return err
	}
	show := func(row []parquet.Value) error {
		return p.row(len(row), func(i int) *string {
			if row[i].IsNull() {
				return nil
			}
			return cell(t.sources[i].write(row[i]))
		})
	}
	for i, g := range f.RowGroups() {
		if err := t.group(g, &t.meta.RowGroups[i], show); err != nil {
			return noEnd(err)
		}
	}
	return nil
}

func previewEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// cell makes a value fit to be shown: valid UTF-8, not long, one line, without characters
// that change how the text around them reads.
func cell(value []byte) *string {
	var b strings.Builder
	n := 0
	for len(value) > 0 {
		r, size := utf8.DecodeRune(value)
		if n++; n > previewCell {
			b.WriteRune('…')
			break
		}
		if r < ' ' || r >= 0x7f && r <= 0x9f || r == utf8.RuneError || invisible(r) {
			r = '\ufffd'
		}
		b.WriteRune(r)
		value = value[size:]
	}
	s := b.String()
	return &s
}

// ReadPreview is the server's half: it trusts nothing of what the child wrote.
func ReadPreview(frames io.Reader) (Preview, error) {
	var p Preview
	b, err := io.ReadAll(io.LimitReader(frames, previewOutput+1))
	if err != nil {
		return p, fmt.Errorf("read preview: %w", err)
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return p, broken("a preview that is not one: %w", err)
	}
	if len(p.Columns) > PreviewColumns || len(p.Rows) > PreviewRows || p.Hidden < 0 || p.Hidden > contract.MaxColumns {
		return p, broken("a preview of %d columns and %d rows", len(p.Columns), len(p.Rows))
	}
	for i := range p.Columns {
		p.Columns[i] = *cell([]byte(p.Columns[i]))
	}
	for _, row := range p.Rows {
		if len(row) > PreviewColumns {
			return p, broken("a preview's row of %d values", len(row))
		}
		for i, v := range row {
			if v != nil {
				row[i] = cell([]byte(*v))
			}
		}
	}
	return p, nil
}
