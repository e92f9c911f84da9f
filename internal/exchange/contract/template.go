package contract

import (
	"bytes"
	"encoding/json"
	"regexp/syntax"
	"strings"
	"time"
)

// NoParticipant stands in a template for an id of the submitter's.
const NoParticipant = "YOUR-ID"

// Template is a file as this contract wants it, in UTF-8: the names of the columns and
// one example row, of a business date and of one of the submitter's ids (empty: not
// known). Where files are not CSV it is a line of NDJSON; a dataset of Parquet alone has
// none, and false is returned. A text with a pattern that no example is found for is
// left empty; otherwise the row is sound.
func (d *Dataset) Template(date Date, participant string) ([]byte, bool) {
	if participant == "" {
		participant = NoParticipant
	}
	switch {
	case d.Takes(CSV):
		return d.csvTemplate(date, participant), true
	case d.Takes(NDJSON):
		return d.jsonTemplate(date, participant), true
	}
	return nil, false
}

func (d *Dataset) csvTemplate(date Date, participant string) []byte {
	var b bytes.Buffer
	line := func(cell func(*Column) string) {
		for i := range d.Columns {
			if i > 0 {
				b.WriteString(d.CSV.Delimiter)
			}
			b.WriteString(d.CSV.quoted(cell(&d.Columns[i])))
		}
		b.WriteByte('\n')
	}
	if d.CSV.Header {
		line(func(c *Column) string { return c.Name })
	}
	line(func(c *Column) string {
		text := c.example(date, participant)
		if (c.Type == Decimal || c.Type == Float) && d.CSV.Decimal != "." {
			text = strings.Replace(text, ".", d.CSV.Decimal, 1)
		}
		return text
	})
	return b.Bytes()
}

// quoted writes a value as the dialect has it.
func (d Dialect) quoted(text string) string {
	q := d.Quote
	if q == "" || !strings.ContainsAny(text, d.Delimiter+q+"\r\n") && (d.Comment == "" || !strings.HasPrefix(text, d.Comment)) {
		return text
	}
	return q + strings.ReplaceAll(text, q, q+q) + q
}

func (d *Dataset) jsonTemplate(date Date, participant string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	text := func(s string) {
		_ = e.Encode(s) // a string into memory
		b.Truncate(b.Len() - 1)
	}
	for i := range d.Columns {
		c := &d.Columns[i]
		b.WriteString(map[bool]string{true: "{", false: ", "}[i == 0])
		text(c.Name)
		b.WriteString(": ")
		if v := c.example(date, participant); c.Numeric() || c.Type == Boolean {
			b.WriteString(v)
		} else {
			text(v)
		}
	}
	b.WriteString("}\n")
	return b.Bytes()
}

// example is a value of the column with a decimal point.
func (c *Column) example(date Date, participant string) string {
	whole := func(v int64) int64 {
		switch {
		case c.InRange(v):
			return v
		case c.min != nil:
			return c.min.i
		}
		return c.max.i
	}
	switch c.Type {
	case Integer:
		return FormatFixed(whole(12), 0)
	case Decimal:
		unit := int64(1)
		for range c.Scale {
			unit *= 10
		}
		return FormatFixed(whole(12*unit+unit/2), c.Scale)
	case Float:
		switch {
		case c.InRangeFloat(12.5):
			return "12.5"
		case c.min != nil:
			return c.Min
		}
		return c.Max
	case Boolean:
		return "true"
	case DateType:
		if c.Role != BusinessDate {
			date = Date(whole(int64(date)))
		}
		return c.layout().Format(date.Time())
	case Timestamp:
		return c.layout().Format(time.UnixMicro(whole(date.Time().Add(8 * time.Hour).UnixMicro())))
	}
	return c.exampleText(participant)
}

func (c *Column) layout() Layout {
	l, _ := NewLayout(c.Type, c.Format) // Parse has read it before
	return l
}

func (c *Column) exampleText(participant string) string {
	switch {
	case c.Role == Participant:
		return participant
	case len(c.Allowed) > 0:
		return c.Allowed[0]
	}
	fits := func(s string) bool {
		return s != "" && (c.MaxLength == 0 || len([]rune(s)) <= c.MaxLength) && c.Matches([]byte(s))
	}
	for _, s := range []string{"example", "x", sampled(c.Pattern, 0), sampled(c.Pattern, 1)} {
		if fits(s) {
			return s
		}
	}
	return ""
}

// sampled is a short text that a pattern may match, in which what may stand there any
// number of times stands there least times.
func sampled(pattern string, least int) string {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return ""
	}
	s := sampler{least: least}
	s.add(re)
	return s.text.String()
}

// maxSample is how many characters of a sample are made at the most, and how often what
// repeats repeats.
const maxSample = 256

type sampler struct {
	least int
	text  strings.Builder
	named map[string]string // what groups of these names stand for
}

func (s *sampler) add(re *syntax.Regexp) {
	if s.text.Len() > maxSample {
		return
	}
	switch re.Op {
	case syntax.OpLiteral:
		s.text.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		s.text.WriteRune(ordinary(re.Rune))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		s.text.WriteByte('x')
	case syntax.OpCapture:
		if value, ok := s.named[re.Name]; ok {
			s.text.WriteString(value)
			return
		}
		s.add(re.Sub[0])
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			s.add(sub)
		}
	case syntax.OpAlternate:
		s.add(re.Sub[0])
	case syntax.OpPlus:
		s.add(re.Sub[0])
	case syntax.OpStar, syntax.OpQuest, syntax.OpRepeat:
		n := s.least
		if re.Op == syntax.OpRepeat {
			if n = re.Min; n == 0 && re.Max != 0 {
				n = s.least
			}
		}
		for range min(n, maxSample) {
			s.add(re.Sub[0])
		}
	}
}

// ordinary chooses a character of a class: one that people read as text, if there is one.
func ordinary(ranges []rune) rune {
	for _, want := range "A1ax" {
		for i := 0; i+1 < len(ranges); i += 2 {
			if ranges[i] <= want && want <= ranges[i+1] {
				return want
			}
		}
	}
	for i := 0; i+1 < len(ranges); i += 2 {
		if r := max(ranges[i], '!'); r <= ranges[i+1] {
			return r
		}
	}
	if len(ranges) > 0 {
		return ranges[0]
	}
	return 'x'
}

// ExampleName is a name as files of this dataset have it, for a business date and one of
// the submitter's ids (empty: not known).
func (d *Dataset) ExampleName(date Date, participant string) string {
	if participant == "" {
		participant = NoParticipant
	}
	end := ".csv"
	if !d.Takes(CSV) {
		end = map[bool]string{true: ".ndjson", false: ".parquet"}[d.Takes(NDJSON)]
	}
	plain := d.Name + "-" + date.String() + end
	switch {
	case d.FileName != "":
		return strings.NewReplacer(placeDate, date.String(), placeParticipant, participant, placeDataset, d.Name).Replace(d.FileName)
	case d.FilePattern == "":
		return plain
	}
	re, err := syntax.Parse(d.FilePattern, syntax.Perl)
	if err != nil {
		return plain
	}
	for least := range 2 {
		s := sampler{least: least, named: map[string]string{"date": date.String(), "participant": participant}}
		s.add(re)
		if name := s.text.String(); name != "" && !strings.ContainsAny(name, `/\`) && d.fileName.MatchString(name) {
			return name
		}
	}
	return plain
}
