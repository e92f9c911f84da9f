package render

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// WriteCSV writes the table as CSV after RFC 4180, in UTF-8 without BOM, with
// one header line. Lines end in LF, as the format that this product follows
// has it; readers take it like CRLF. Null is nothing between the commas, an
// empty text is "". Numbers, dates and booleans are written raw, negative
// numbers too. Names and texts that a spreadsheet could take for a formula get
// a ' in front (ASVS 1.2.10); Parquet has them as they are.
func (m *Maker) WriteCSV(w io.Writer, t *Table) error {
	line := m.csv[:0] // and those before it that are not written yet
	defer func() { m.csv = line }()
	for i, c := range t.Columns {
		if i > 0 {
			line = append(line, ',')
		}
		line = appendText(line, c.Name)
	}
	line = append(line, '\n')
	fields := make([]field, len(t.Columns)) // of the row before: the date and the id are the same in all rows, keys in many
	for _, row := range t.Rows {
		for i, v := range row {
			if i > 0 {
				line = append(line, ',')
			}
			f := &fields[i]
			if f.text == nil || f.value != v {
				f.value, f.text = v, t.Columns[i].appendField(f.text[:0], v)
			}
			line = append(line, f.text...)
		}
		line = append(line, '\n')
		if len(line) < flushAt {
			continue
		}
		if _, err := w.Write(line); err != nil {
			return fmt.Errorf("write CSV: %w", err)
		}
		line = line[:0]
	}
	if _, err := w.Write(line); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	return nil
}

// flushAt is how many bytes of lines are written at once.
const flushAt = 60 << 10

// field is a value and what it looks like.
type field struct {
	value Value
	text  []byte
}

func (c Column) appendField(b []byte, v Value) []byte {
	switch {
	case v.Null:
		return b
	case c.Type == Text:
		return appendText(b, v.Text)
	}
	return c.appendPlain(b, v.Int)
}

// appendPlain writes a value of any type but text. What it writes consists of
// digits, letters and - + . : / _ and needs no quotes; nothing but a number can begin with a sign.
func (c Column) appendPlain(b []byte, v int64) []byte {
	switch c.Type {
	case Decimal:
		return appendFixed(b, v, c.Scale)
	case Boolean:
		return strconv.AppendBool(b, v != 0)
	case Date:
		layout := c.Layout
		if layout == "" {
			layout = time.DateOnly
		}
		return time.Unix(v*secondsOfDay, 0).UTC().AppendFormat(b, layout)
	case Timestamp:
		return time.UnixMicro(v).UTC().AppendFormat(b, time.RFC3339Nano)
	}
	return strconv.AppendInt(b, v, 10)
}

// appendFixed writes v / 10^scale with exactly scale digits after the point.
func appendFixed(b []byte, v int64, scale int) []byte {
	if v < 0 {
		b = append(b, '-')
	}
	size := uint64(v)
	if v < 0 {
		size = -size
	}
	var text [20]byte // as many as 64 bits have digits
	digits := strconv.AppendUint(text[:0], size, 10)
	for missing := scale + 1 - len(digits); missing > 0; missing-- {
		digits = slices.Insert(digits, 0, '0')
	}
	point := len(digits) - scale
	b = append(b, digits[:point]...)
	if scale > 0 {
		b = append(append(b, '.'), digits[point:]...)
	}
	return b
}

// appendText appends a text so that it is one field and no formula.
func appendText(b []byte, s string) []byte {
	s = Harmless(s)
	if s != "" && !strings.ContainsAny(s, "\",\r\n") && strings.TrimSpace(s) == s {
		return append(b, s...)
	}
	b = append(b, '"')
	b = append(b, strings.ReplaceAll(s, `"`, `""`)...)
	return append(b, '"')
}

// Harmless puts a ' before a text that a spreadsheet could take for a formula:
// one that begins with = + - @, in ASCII or a form that is taken for it, or
// with a control character such as TAB, CR, LF and NUL. Spaces and invisible
// characters are looked past, since some readers drop them. Other texts come
// back unchanged.
func Harmless(s string) string {
	for _, r := range s {
		switch {
		case unicode.IsControl(r) || strings.ContainsRune(triggers, r):
			return "'" + s
		case unicode.IsGraphic(r) && !unicode.IsSpace(r):
			return s
		}
	}
	return s
}

// triggers begin formulas: ASCII, full-width, small forms, and the minus sign.
const triggers = "=+-@" + "＝＋－＠" + "﹦﹢﹣﹫" + "−"
