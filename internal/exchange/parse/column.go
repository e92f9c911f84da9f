package parse

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"

	"tributary/internal/exchange/contract"
)

// outcome is what the rules of a text column say of one text.
type outcome uint8

const (
	fine outcome = iota
	foreignParticipant
	notAllowed
	noMatch
	tooLong
)

// Texts repeat, and a pattern is slow: outcomes are remembered for this many
// texts, of this many bytes at most.
const (
	knownTexts = 16 << 10
	knownBytes = 64
)

// columnCheck holds one column's values against its rules and makes them
// values of the accepted form.
type columnCheck struct {
	c        *contract.Column
	index    int
	kind     kind
	level    int // definition level of a value
	date     contract.Date
	own      map[string]struct{} // the submitter's ids; nil: not a participant column
	allowed  map[string]struct{} // nil: everything
	known    map[string]outcome  // nil: the column has no rules for texts
	problems *problems
	values   []parquet.Value
}

func newColumnCheck(c *contract.Column, index int, facts Facts, p *problems) *columnCheck {
	k := &columnCheck{c: c, index: index, kind: kindOf(c.Type), date: facts.BusinessDate, problems: p}
	if !c.Required {
		k.level = 1
	}
	if c.Role == contract.Participant {
		k.own = set(facts.Participants)
	}
	if len(c.Allowed) > 0 {
		k.allowed = set(c.Allowed)
	}
	if k.own != nil || k.allowed != nil || c.Pattern != "" || c.MaxLength > 0 {
		k.known = make(map[string]outcome)
	}
	return k
}

func set(texts []string) map[string]struct{} {
	m := make(map[string]struct{}, len(texts))
	for _, t := range texts {
		m[t] = struct{}{}
	}
	return m
}

// check goes through the column's cells of a batch.
func (k *columnCheck) check(b *received) error {
	if cap(k.values) < b.rows {
		k.values = make([]parquet.Value, max(b.rows, batchRows/4))
	}
	k.values = k.values[:b.rows]
	v := &b.views[k.index]
	switch k.kind {
	case kindText:
		return k.texts(b, v)
	case kindFloat:
		return k.floats(b, v)
	case kindBool:
		return k.booleans(b, v)
	}
	return k.ints(b, v)
}

// unsound deals with a cell that has no value.
func (k *columnCheck) unsound(b *received, i int, f flaw) {
	k.values[i] = parquet.Value{}.Level(0, 0, k.index)
	if f == null && !k.c.Required || !k.problems.wanted() {
		return
	}
	l := located{finding: finding{flaw: f, row: b.numbers[i], column: k.index}}
	if f == null {
		l.code, l.message = CodeRequired, "There is no value, but this column needs one in every row."
	} else {
		l.excerpt = b.shown[place{k.index, l.row}]
	}
	k.problems.pending = append(k.problems.pending, l)
}

// report adds a problem of a value; message is called only if it will be shown.
func (k *columnCheck) report(b *received, i int, code string, message func() string) {
	if k.problems.wanted() {
		k.problems.pending = append(k.problems.pending, located{
			finding: finding{row: b.numbers[i], column: k.index}, code: code, message: message(),
		})
	}
}

func (k *columnCheck) texts(b *received, v *view) error {
	ascii := isASCII(v.text)
	from := uint32(0)
	for i := range b.rows {
		if f := flaw(v.status[i]); f != sound {
			k.unsound(b, i, f)
			continue
		}
		to := v.ends[i]
		text := v.text[from:to:to]
		from = to
		if !ascii && flawOfText(text, false) != sound {
			return broken("a text that is not UTF-8")
		}
		if k.known != nil {
			if o := k.outcome(text); o != fine {
				k.report(b, i, codeOf[o], func() string { return k.explain(o, text) })
			}
		}
		k.values[i] = parquet.ByteArrayValue(text).Level(0, k.level, k.index)
	}
	return nil
}

// isASCII reports whether all bytes are ASCII and none is NUL.
func isASCII(b []byte) bool {
	const high, low = 0x8080808080808080, 0x0101010101010101
	for len(b) >= 8 {
		w := binary.LittleEndian.Uint64(b)
		if (w|(w-low)&^w)&high != 0 {
			return false
		}
		b = b[8:]
	}
	for _, c := range b {
		if c == 0 || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func (k *columnCheck) outcome(text []byte) outcome {
	if o, ok := k.known[string(text)]; ok {
		return o
	}
	o := k.judge(text)
	if len(k.known) < knownTexts && len(text) <= knownBytes {
		k.known[string(text)] = o
	}
	return o
}

func (k *columnCheck) judge(text []byte) outcome {
	if k.own != nil {
		if _, ok := k.own[string(text)]; !ok {
			return foreignParticipant
		}
	}
	if k.allowed != nil {
		if _, ok := k.allowed[string(text)]; !ok {
			return notAllowed
		}
	}
	if k.c.MaxLength > 0 && len(text) > k.c.MaxLength && utf8.RuneCount(text) > k.c.MaxLength {
		return tooLong
	}
	if !k.c.Matches(text) {
		return noMatch
	}
	return fine
}

var codeOf = [...]string{
	foreignParticipant: CodeParticipant, notAllowed: CodeAllowed, noMatch: CodePattern, tooLong: CodeLength,
}

// allowedShown is how many allowed values a message lists.
const allowedShown = 10

func (k *columnCheck) explain(o outcome, text []byte) string {
	shown := excerpt(text)
	switch o {
	case foreignParticipant:
		return fmt.Sprintf("%q is not one of your organisation's ids. Send only your own rows.", shown)
	case notAllowed:
		if len(k.c.Allowed) <= allowedShown {
			return fmt.Sprintf("%q is not one of the allowed values: %s.", shown, strings.Join(k.c.Allowed, ", "))
		}
		return fmt.Sprintf("%q is not one of the %d allowed values.", shown, len(k.c.Allowed))
	case tooLong:
		return fmt.Sprintf("%q has %d characters; at most %d are allowed.", shown, utf8.RuneCount(text), k.c.MaxLength)
	}
	return fmt.Sprintf("%q does not match the pattern %s.", shown, k.c.Pattern)
}

func (k *columnCheck) ints(b *received, v *view) error {
	limited, dated := k.c.HasRange(), k.c.Role == contract.BusinessDate
	for i := range b.rows {
		if f := flaw(v.status[i]); f != sound {
			k.unsound(b, i, f)
			continue
		}
		n := v.int(i)
		if !valid(k.c.Type, n) {
			return broken("%d, which is not a value of type %s", n, k.c.Type)
		}
		if dated && n != int64(k.date) {
			k.report(b, i, CodeBusinessDate, func() string {
				return fmt.Sprintf("%s is not the submission's business date %s. Send one file for each date.", contract.Date(n), k.date)
			})
		}
		if limited && !k.c.InRange(n) {
			k.report(b, i, CodeRange, func() string { return k.outside(k.format(n)) })
		}
		if k.c.Type == contract.DateType {
			k.values[i] = parquet.Int32Value(int32(n)).Level(0, k.level, k.index)
		} else {
			k.values[i] = parquet.Int64Value(n).Level(0, k.level, k.index)
		}
	}
	return nil
}

func valid(t contract.Type, n int64) bool {
	switch t {
	case contract.Decimal:
		return n >= -contract.MaxDecimal && n <= contract.MaxDecimal
	case contract.DateType:
		return n == int64(contract.Date(n)) && contract.Date(n).Valid()
	case contract.Timestamp:
		return contract.ValidTimestamp(n)
	}
	return true
}

func (k *columnCheck) format(n int64) string {
	switch k.c.Type {
	case contract.DateType:
		return contract.Date(n).String()
	case contract.Timestamp:
		return micros(n)
	}
	return contract.FormatFixed(n, k.c.Scale)
}

func (k *columnCheck) outside(value string) string {
	return fmt.Sprintf("%s is outside the allowed range, %s.", value, k.c.Range())
}

func (k *columnCheck) floats(b *received, v *view) error {
	limited := k.c.HasRange()
	for i := range b.rows {
		if f := flaw(v.status[i]); f != sound {
			k.unsound(b, i, f)
			continue
		}
		x := math.Float64frombits(uint64(v.int(i)))
		if !finite(x) {
			return broken("a float that is not finite")
		}
		if limited && !k.c.InRangeFloat(x) {
			k.report(b, i, CodeRange, func() string { return k.outside(strconv.FormatFloat(x, 'g', -1, 64)) })
		}
		k.values[i] = parquet.DoubleValue(x).Level(0, k.level, k.index)
	}
	return nil
}

func (k *columnCheck) booleans(b *received, v *view) error {
	for i := range b.rows {
		if f := flaw(v.status[i]); f != sound {
			k.unsound(b, i, f)
			continue
		}
		if v.fixed[i] > 1 {
			return broken("a boolean of %d", v.fixed[i])
		}
		k.values[i] = parquet.BooleanValue(v.fixed[i] == 1).Level(0, k.level, k.index)
	}
	return nil
}
