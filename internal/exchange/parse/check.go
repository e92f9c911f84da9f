package parse

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"tributary/internal/exchange/contract"
)

// Facts are what is known about a submission from the one who sent it.
type Facts struct {
	BusinessDate contract.Date
	Participants []string // the submitting tenant's external ids, leading zeros and all
}

// Check is the server's half: it reads the child's frames to their end, holds
// every record against the contract and the facts, and writes the accepted form
// to out. It keeps the first 100 problems and counts all.
//
// If the verdict is not to accept, or there is an error, what was written to
// out is part of a table and must be thrown away: rows are written before the
// last one is known to be right. An error means that the frames are not what
// our child writes, that they could not be read, or that out failed; the file
// is then neither accepted nor rejected.
//
// Texts from the file come only as values of known length. Every frame is
// checked for form, every value for being one of its type.
func Check(d *contract.Dataset, facts Facts, frames io.Reader, out io.Writer) (Verdict, error) {
	c := newChecker(d, facts, out)
	r := newFrameReader(frames)
	for {
		kind, payload, err := r.next()
		if err != nil {
			return Verdict{}, err
		}
		switch kind {
		case frameColumns:
			err = c.header(payload)
		case frameBatch:
			err = c.batch(payload)
		case frameProblem:
			err = c.finding(payload)
		case frameEnd:
			if err := r.ended(); err != nil {
				return Verdict{}, err
			}
			return c.verdict(payload)
		default:
			err = broken("one of the unknown kind %d", kind)
		}
		if err != nil {
			return Verdict{}, err
		}
	}
}

type checker struct {
	d        *contract.Dataset
	out      io.Writer
	fileHas  int64 // columns; 0: not told yet
	rows     int64 // seen, bad ones included
	findings int
	batchOf  received
	columns  []*columnCheck
	keyOf    []int // columns of the unique key
	keys     *keySet
	key      []byte
	problems problems
	table    *table // nil until the first good batch
}

func newChecker(d *contract.Dataset, facts Facts, out io.Writer) *checker {
	c := &checker{d: d, out: out}
	c.batchOf = received{views: make([]view, len(d.Columns)), shown: make(map[place]string)}
	c.problems.columns, c.problems.key, c.problems.takes = d.Columns, strings.Join(d.Unique, ", "), d.Formats
	for i := range d.Columns {
		c.columns = append(c.columns, newColumnCheck(&d.Columns[i], i, facts, &c.problems))
	}
	for _, name := range d.Unique {
		i, _ := d.Column(name) // the contract made sure that it exists
		c.keyOf = append(c.keyOf, i)
	}
	if len(c.keyOf) > 0 {
		c.keys = newKeySet()
	}
	return c
}

func (c *checker) header(p cursor) error {
	n := p.u32()
	if !p.done() || n == 0 || int(n) > c.d.Limits.Columns || c.fileHas != 0 {
		return broken("a header of %d columns", n)
	}
	c.fileHas = int64(n)
	return nil
}

func (c *checker) finding(p cursor) error {
	f, err := readFinding(p, len(c.columns))
	if err != nil {
		return err
	}
	if c.findings++; c.findings > maxFindings {
		return broken("more than %d problems of the file", maxFindings)
	}
	c.problems.begin()
	c.problems.add(located{finding: f})
	c.problems.settle()
	return nil
}

func (c *checker) batch(p cursor) error {
	if c.fileHas != int64(len(c.columns)) {
		return broken("rows without a right header")
	}
	b := &c.batchOf
	span, err := b.read(p, c.d, c.rows+1)
	if err != nil {
		return err
	}
	if c.rows += span; c.rows > c.d.Limits.Rows {
		return broken("more than %d rows", c.d.Limits.Rows)
	}
	c.problems.begin()
	for _, f := range b.bad {
		c.problems.add(located{finding: f})
	}
	texts := 0
	for i, col := range c.columns {
		c.problems.begin()
		if err := col.check(b); err != nil {
			return err
		}
		texts += len(b.views[i].text)
	}
	if c.keys != nil {
		c.problems.begin()
		c.unique(b)
	}
	c.problems.settle()
	if c.problems.count > 0 {
		c.table = nil
		return nil
	}
	if c.table == nil {
		c.table = newTable(c.d, c.out)
	}
	return c.table.write(c.columns, b.rows, texts)
}

// unique finds rows whose key an earlier row has. Rows with a faulty cell in
// the key have none.
func (c *checker) unique(b *received) {
rows:
	for i, row := range b.numbers {
		c.key = c.key[:0]
		for _, k := range c.keyOf {
			v := &b.views[k]
			if flaw(v.status[i]) > null {
				continue rows
			}
			c.key = appendKey(c.key, v, c.columns[k].kind, i)
		}
		if earlier := c.keys.add(c.key, row); earlier != 0 {
			c.problems.add(located{
				finding: finding{row: row, column: -1, a: earlier}, code: CodeUnique,
			})
		}
	}
}

func (c *checker) verdict(p cursor) (Verdict, error) {
	rows, complete := p.u64(), p.u8()
	if !p.done() || rows != c.rows || complete > 1 {
		return Verdict{}, broken("an end after %d rows, want %d", rows, c.rows)
	}
	if complete == 0 && c.problems.count == 0 || complete == 1 && c.fileHas == 0 {
		return Verdict{}, broken("an end without a reason")
	}
	if c.problems.count == 0 && rows == 0 {
		c.problems.begin()
		c.problems.add(located{finding: finding{column: -1}, code: CodeEmpty, message: "The file has no data rows."})
		c.problems.settle()
	}
	v := Verdict{Rows: rows, Columns: c.fileHas, Errors: c.problems.kept, ErrorCount: c.problems.count}
	if v.ErrorCount > 0 {
		return v, nil
	}
	if err := c.table.close(); err != nil {
		return Verdict{}, err
	}
	v.Accepted = true
	return v, nil
}

// problems keeps the first maxKept problems by row, then column, and counts all.
// Within a batch they come column by column; of each column only the first can
// be among those that are kept.
type problems struct {
	columns []contract.Column
	key     string // the columns of the unique key
	takes   []contract.Format
	kept    []Problem
	count   int64
	pending []located
	room    int // for more of this column
}

// begin starts the next column of a batch.
func (p *problems) begin() { p.room = maxKept - len(p.kept) }

// wanted counts a problem and reports whether it has to be added.
func (p *problems) wanted() bool {
	p.count++
	p.room--
	return p.room >= 0
}

func (p *problems) add(l located) {
	if p.wanted() {
		p.pending = append(p.pending, l)
	}
}

// settle ends a batch.
func (p *problems) settle() {
	slices.SortStableFunc(p.pending, func(a, b located) int {
		return cmp.Or(cmp.Compare(a.row, b.row), cmp.Compare(a.column, b.column))
	})
	for _, l := range p.pending {
		if len(p.kept) == maxKept {
			break
		}
		p.kept = append(p.kept, p.write(l))
	}
	p.pending = p.pending[:0]
}

func (p *problems) write(l located) Problem {
	q := Problem{Row: l.row, Code: l.code, Message: l.message}
	want := ""
	if l.column >= 0 {
		q.Column = p.columns[l.column].Name
		want = typeInWords(&p.columns[l.column])
	}
	switch {
	case l.code == CodeUnique:
		q.Message = fmt.Sprintf("Row %d has the same %s. Keep one of them.", l.a, p.key)
	case l.code == "":
		q.Code, q.Message = l.describe(q.Column, want, p.takes)
	}
	return q
}

// typeInWords says what a column's values are.
func typeInWords(c *contract.Column) string {
	switch c.Type {
	case contract.Integer:
		return "a whole number of 64 bits"
	case contract.Decimal:
		return fmt.Sprintf("a number with at most %d digits after the decimal sign and 18 in all", c.Scale)
	case contract.Float:
		return "a finite number"
	case contract.Boolean:
		return "true or false"
	case contract.DateType:
		return "a date of the form " + c.Format
	case contract.Timestamp:
		return "a timestamp of the form " + strings.ToUpper(c.Format)
	}
	return "text"
}

// micros writes a timestamp for messages.
func micros(v int64) string { return time.UnixMicro(v).UTC().Format(time.RFC3339Nano) }

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }
