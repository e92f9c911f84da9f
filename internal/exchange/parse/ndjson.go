package parse

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"tributary/internal/exchange/contract"
)

// objects reads NDJSON: one JSON object a line, in UTF-8. Lines end with LF or
// CRLF, the last one may lack an end, blank ones are skipped. Memory is bounded by
// maxRecord and the limit on columns, never by a line.
type objects struct {
	src     *bufio.Reader
	most    int   // members of an object
	line    int64 // of the object, from 1
	text    []byte
	decoder jsontext.Decoder
	members []member
}

// member is a key and its value as the line has them.
type member struct {
	key, value []byte
	kind       jsontext.Kind
}

func (p *parser) ndjson(text *bufio.Reader) error {
	if start, err := text.Peek(len(marks[0].bytes)); err == nil && string(start) == marks[0].bytes {
		_, _ = text.Discard(len(start)) // what was peeked is there
	}
	p.inUTF8()
	p.frames.columns(len(p.Columns))
	o := &objects{src: text, most: p.Limits.Columns}
	row := &objectRow{parser: p, known: make(map[string]int), of: make([]*member, len(p.Columns)), strange: make(map[string]bool)}
	for {
		err := o.next()
		if errors.Is(err, io.EOF) {
			p.flush()
			return nil
		}
		if err == nil {
			err = row.add(o)
		}
		if err != nil {
			p.flush()
			return p.inRow(err)
		}
		if err := p.cut(); err != nil {
			return err
		}
	}
}

// next reads the next line that is not blank.
func (o *objects) next() error {
	for {
		o.line++
		o.text = o.text[:0]
		for more := true; more; {
			part, err := o.src.ReadSlice('\n')
			if len(o.text)+len(part) > maxRecord {
				return refuse(recordTooLong, maxRecord, o.line)
			}
			o.text = append(o.text, part...)
			more = errors.Is(err, bufio.ErrBufferFull)
			if err != nil && !more && (!errors.Is(err, io.EOF) || len(o.text) == 0) {
				return err
			}
		}
		if o.text = bytes.TrimRight(o.text, " \t\r\n"); len(o.text) > 0 {
			return nil
		}
	}
}

// scan finds the members of the line's object. If the line is not one object it
// returns the byte, from 1, where that shows. Whether a key stands there twice, and
// whether bytes are UTF-8, is for those who know whose they are.
func (o *objects) scan() (wrong int, err error) {
	o.members = o.members[:0]
	d := &o.decoder
	d.Reset(bytes.NewBuffer(o.text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if d.PeekKind() != '{' {
		return 1, nil
	}
	_, failed := d.ReadToken()
	for failed == nil && d.PeekKind() != '}' {
		if len(o.members) == o.most {
			return 0, refuse(tooManyFields, int64(o.most), o.line)
		}
		var m member
		if m.key, _, failed = o.read(); failed == nil {
			m.value, m.kind, failed = o.read()
		}
		o.members = append(o.members, m)
	}
	if failed == nil {
		_, failed = d.ReadToken()
	}
	if failed == nil {
		if _, failed = d.ReadToken(); errors.Is(failed, io.EOF) {
			return 0, nil
		}
	}
	at := d.InputOffset()
	var syntax *jsontext.SyntacticError
	if errors.As(failed, &syntax) {
		at = syntax.ByteOffset
	}
	return int(at) + 1, nil
}

// read returns the next value as a part of the line.
func (o *objects) read() ([]byte, jsontext.Kind, error) {
	kind := o.decoder.PeekKind()
	if kind == '{' || kind == '[' { // of no use, however large
		start := o.decoder.InputOffset()
		err := o.decoder.SkipValue()
		raw := o.text[start:o.decoder.InputOffset()]
		return bytes.TrimLeft(raw, " \t\r:"), kind, err
	}
	v, err := o.decoder.ReadValue()
	end := o.decoder.InputOffset()
	return o.text[int(end)-len(v) : end], kind, err
}

// objectRow puts objects into the batch.
type objectRow struct {
	*parser
	known   map[string]int // columns of keys that were seen
	of      []*member      // by column; nil: the key is absent
	twice   int            // column of a key that stands there twice; -1: none
	strange map[string]bool
	text    []byte // the last string, unquoted
}

// maxStrange is how many keys of no column are reported before reading stops.
const maxStrange = maxKept

func (r *objectRow) add(o *objects) error {
	wrong, err := o.scan()
	if err != nil {
		return err
	}
	var unknown []finding
	if wrong == 0 {
		unknown = r.sort(o.members)
	}
	if len(r.strange) > maxStrange {
		return refuse(tooManyFields, int64(o.most), o.line)
	}
	if len(unknown) > 0 {
		r.flush() // so that problems come in the order of rows
	}
	whole := wrong == 0 && r.twice < 0
	if whole {
		if err := r.measure(o.line); err != nil {
			return err
		}
	}
	offset, err := r.begin()
	if err != nil {
		return err
	}
	for _, f := range unknown {
		f.row = r.rows
		r.wrong(f)
	}
	switch {
	case whole:
		r.cells(offset)
	case wrong > 0:
		r.batch.bad = append(r.batch.bad, badRow{offset, badJSON, uint32(o.line), uint32(wrong)})
	default:
		r.batch.bad = append(r.batch.bad, badRow{offset, keyTwice, uint32(o.line), uint32(r.twice)})
	}
	return nil
}

// sort finds the column of each member, and returns the keys that have none and
// were not seen before.
func (r *objectRow) sort(members []member) (unknown []finding) {
	clear(r.of)
	r.twice = -1
	for i := range members {
		r.text, _ = jsontext.AppendUnquote(r.text[:0], members[i].key)
		c, ok := r.known[string(r.text)]
		if !ok {
			if c = r.column(r.text); c >= 0 && len(r.known) < 2*len(r.of) {
				r.known[string(r.text)] = c
			}
		}
		switch {
		case c < 0:
			if !r.strange[string(r.text)] {
				r.strange[string(r.text)] = true
				unknown = append(unknown, r.unknown(r.text, ndjsonIndex))
			}
		case r.of[c] != nil:
			r.twice = c
		default:
			r.of[c] = &members[i]
		}
	}
	return unknown
}

// measure refuses a value that is too long, or a file that becomes so.
func (r *objectRow) measure(line int64) error {
	for c, m := range r.of {
		if m != nil && len(m.value) > r.Limits.Field { // or less, without quotes and escapes
			r.unquote(m)
			if len(r.text) > r.Limits.Field {
				return &refusal{finding{flaw: fieldTooLong, column: c, a: int64(r.Limits.Field), b: line}}
			}
		}
	}
	return r.weigh(len(r.of), 0) // texts are counted as they are read
}

func (r *objectRow) cells(offset uint32) {
	for c, m := range r.of {
		v := r.vectors[c]
		if m == nil || m.kind == 'n' {
			v.without(null)
		} else if f := r.cell(v, m); f > null {
			r.show(c, offset, r.text)
		}
	}
}

// unquote puts a string's text into r.text, and of anything else what the line
// has. It is false if that is not UTF-8, or has half a surrogate pair.
func (r *objectRow) unquote(m *member) bool {
	var err error
	if m.kind == '"' {
		r.text, err = jsontext.AppendUnquote(r.text[:0], m.value)
	} else {
		r.text = append(r.text[:0], m.value...)
	}
	return err == nil
}

// cell appends a value. A string is read as the same text in CSV is. A number is
// read by its digits, never as binary floating point.
func (r *objectRow) cell(v *vector, m *member) flaw {
	switch ok := r.unquote(m); {
	case !ok:
		return v.without(notUTF8)
	case m.kind == '"':
		return r.parser.text(v, r.text)
	case m.kind == '{' || m.kind == '[':
		return v.without(nestedValue)
	case v.kind == kindText:
		return v.without(notQuoted)
	}
	text := r.text
	if m.kind == '0' {
		var f flaw
		if text, f = plainDigits(v.typ, text); f != sound {
			return v.without(f)
		}
	}
	return v.read(text, contract.Numbers{}, false)
}

// mostShift is how far an exponent may move a decimal point: further than any
// fixed-point number of ours has digits.
const mostShift = 64

// plainDigits writes a JSON number for a column: without an exponent unless it is
// for a float, and without a fraction of zeros if it is for an integer.
func plainDigits(t contract.Type, number []byte) ([]byte, flaw) {
	if t != contract.Integer && t != contract.Decimal {
		return number, sound
	}
	mantissa, shift := number, 0
	if i := bytes.IndexAny(number, "eE"); i >= 0 {
		var err error
		mantissa = number[:i]
		shift, err = strconv.Atoi(string(number[i+1:]))
		if len(bytes.Trim(mantissa, "-0.")) == 0 {
			return []byte("0"), sound
		}
		if err != nil || shift < -mostShift || shift > mostShift {
			if number[i+1] == '-' {
				return nil, tooPrecise
			}
			return nil, outOfRange
		}
	}
	sign := ""
	if mantissa[0] == '-' {
		sign, mantissa = "-", mantissa[1:]
	}
	whole, fraction, _ := bytes.Cut(mantissa, []byte{'.'})
	digits := append(append([]byte{}, whole...), fraction...)
	point := len(whole) + shift
	if point <= 0 {
		digits, point = append(bytes.Repeat([]byte{'0'}, 1-point), digits...), 1
	}
	if point > len(digits) {
		digits = append(digits, bytes.Repeat([]byte{'0'}, point-len(digits))...)
	}
	whole, fraction = digits[:point], bytes.TrimRight(digits[point:], "0")
	text := append([]byte(sign), whole...)
	if len(fraction) > 0 {
		text = append(append(text, '.'), fraction...)
	}
	return text, sound
}
