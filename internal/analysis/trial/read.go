package trial

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"tributary/internal/analysis"
	"tributary/internal/analysis/definition"
	"tributary/internal/fault"
	"tributary/internal/query"
)

// The columns of a file that say whose a row is, beside those of the datasets.
const (
	participantColumn  = "participant"
	organisationColumn = "organisation"
	datasetColumn      = "dataset"
)

// records are the rows of a file: each tells the text of a column, or that it has none.
type records interface {
	// next reads the next record; io.EOF after the last.
	next() error
	// text is the text of a column of the record, empty where it has none.
	text(column string) string
	// has reports whether the file has a column.
	has(column string) bool
	// where is the place of the record, for people.
	where() string
}

// Read reads contributions from CSV or JSON (an object a line, or a list of them): a row of a
// participant's file each, with the columns of the dataset that the definition uses, and
// whose it is: participant, organisation (else each participant is its own) and dataset (if
// there are several). They are filtered, calculated with and added up as a run does it.
func Read(t *analysis.Trial, d *definition.Definition, columns map[string]definition.Columns, file []byte) ([]analysis.Contributor, error) {
	file = bytes.TrimPrefix(file, []byte("\xef\xbb\xbf"))
	r, err := recordsOf(file)
	if err != nil {
		return nil, err
	}
	s := &senders{def: d, columns: columns, known: map[string]*sender{}}
	if s.spec, err = t.Spec(1); err != nil {
		return nil, err
	}
	if _, header := r.(*lines); header {
		if err := s.lacks(r); err != nil {
			return nil, err
		}
	}
	for n := 0; ; n++ {
		if err := r.next(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		if n >= MaxRows {
			return nil, fault.New(fault.TooLarge, "The file has more than %d rows.", MaxRows)
		}
		if err := s.add(r); err != nil {
			return nil, err
		}
	}
	if err := s.lacks(r); err != nil {
		return nil, err
	}
	var list []analysis.Contributor
	for _, one := range s.order {
		list = append(list, analysis.Contributor{Name: one.name, Organisation: one.organisation, Rows: one.answer.Rows()})
	}
	return list, nil
}

// senders are the participants of a file.
type senders struct {
	def     *definition.Definition
	columns map[string]definition.Columns
	spec    query.Spec
	known   map[string]*sender
	order   []*sender
	row     []query.Value
}

type sender struct {
	name, organisation string
	answer             *query.InMemory
}

// lacks says which column is needed and not in the file.
func (s *senders) lacks(r records) error {
	needed := []string{participantColumn}
	if len(s.def.Datasets) > 1 {
		needed = append(needed, datasetColumn)
	}
	for _, name := range s.def.Datasets {
		for _, c := range s.spec.Datasets[name] {
			needed = append(needed, c.Name)
		}
	}
	for _, name := range needed {
		if !r.has(name) {
			return fault.New(fault.Invalid, "The file has no column %q, which is needed.", name)
		}
	}
	return nil
}

// of finds whose a record is.
func (s *senders) of(r records) (*sender, error) {
	name := strings.Clone(r.text(participantColumn))
	organisation := name
	if r.has(organisationColumn) {
		organisation = strings.Clone(r.text(organisationColumn))
	}
	if name == "" || organisation == "" {
		return nil, fault.New(fault.Invalid, "%s names no participant or organisation.", r.where())
	}
	if one := s.known[name]; one != nil {
		if one.organisation != organisation {
			return nil, fault.New(fault.Invalid, "%s: %q is of %q here and of %q before.", r.where(), name, organisation, one.organisation)
		}
		return one, nil
	}
	answer, err := query.NewInMemory(s.spec)
	if err != nil {
		return nil, err
	}
	one := &sender{name, organisation, answer}
	s.known[name], s.order = one, append(s.order, one)
	return one, nil
}

// add takes a record.
func (s *senders) add(r records) error {
	one, err := s.of(r)
	if err != nil {
		return err
	}
	source := 0
	if len(s.def.Datasets) > 1 {
		name := r.text(datasetColumn)
		if source = slices.Index(s.def.Datasets, name); source < 0 {
			return fault.New(fault.Invalid, "%s: the definition has no dataset %q.", r.where(), name)
		}
	}
	dataset := s.def.Datasets[source]
	s.row = s.row[:0]
	for _, c := range s.spec.Datasets[dataset] {
		text, v := r.text(c.Name), query.NullOf(c)
		if text != "" {
			column, _ := s.columns[dataset].Find(c.Name)
			l, ok := column.ParseValue(strings.Clone(text))
			if !ok {
				return fault.New(fault.Invalid, "%s: %q is not a value of column %q.", r.where(), text, c.Name)
			}
			v.Null, v.Text, v.Int, v.Float = false, l.Text, l.Int, l.Float
		}
		s.row = append(s.row, v)
	}
	if err := one.answer.Add(source, s.row); err != nil {
		return fmt.Errorf("%s: %w", r.where(), err)
	}
	return nil
}

// recordsOf tells JSON from CSV by how the file begins.
func recordsOf(file []byte) (records, error) {
	if start := bytes.TrimLeft(file, " \t\r\n"); len(start) > 0 && (start[0] == '{' || start[0] == '[') {
		decoder := json.NewDecoder(bytes.NewReader(file))
		decoder.UseNumber()
		o := &objects{decoder: decoder, seen: map[string]bool{}}
		if start[0] == '[' {
			if _, err := decoder.Token(); err != nil {
				return nil, fault.New(fault.Invalid, "The file is not JSON: %v.", err)
			}
		}
		return o, nil
	}
	in := csv.NewReader(bytes.NewReader(file))
	in.ReuseRecord = true
	header, err := in.Read()
	if err != nil {
		return nil, fault.New(fault.Invalid, "The file has no header: %v.", err)
	}
	l := &lines{in: in, at: map[string]int{}}
	for i, name := range header {
		if l.has(name) {
			return nil, fault.New(fault.Invalid, "The file has two columns %q.", name)
		}
		l.at[strings.Clone(name)] = i
	}
	return l, nil
}

// lines are the records of CSV.
type lines struct {
	in     *csv.Reader
	at     map[string]int
	record []string
}

func (l *lines) next() (err error) {
	if l.record, err = l.in.Read(); err != nil && !errors.Is(err, io.EOF) {
		return fault.New(fault.Invalid, "%v.", err)
	}
	return err
}

func (l *lines) text(column string) string {
	if at, is := l.at[column]; is {
		return l.record[at]
	}
	return ""
}

func (l *lines) has(column string) bool { _, is := l.at[column]; return is }

func (l *lines) where() string {
	line, _ := l.in.FieldPos(0)
	return fmt.Sprint("Line ", line)
}

// objects are the records of JSON. Only after the last is it known which columns there are.
type objects struct {
	decoder *json.Decoder
	seen    map[string]bool
	record  map[string]any
	n       int
}

func (o *objects) next() error {
	if !o.decoder.More() {
		return io.EOF
	}
	o.record = nil
	o.n++
	if err := o.decoder.Decode(&o.record); err != nil {
		return fault.New(fault.Invalid, "Object %d is not JSON: %v.", o.n, err)
	}
	for name := range o.record {
		o.seen[name] = true
	}
	return nil
}

func (o *objects) text(column string) string {
	switch v := o.record[column].(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	default:
		return fmt.Sprint(v) // a list or an object is no value of any column
	}
}

func (o *objects) has(column string) bool { return o.seen[column] }

func (o *objects) where() string { return fmt.Sprint("Object ", o.n) }
