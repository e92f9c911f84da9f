package duckdb

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/parquet-go/parquet-go"

	"tributary/internal/query"
)

// table is the content of one accepted form.
type table struct {
	columns  []query.Column // in the order of the file
	required bool
	naive    bool // timestamps without time zone
	group    int  // rows in a row group; 0 for the default
	rows     [][]query.Value
}

// ordered is a Parquet group whose columns keep their order.
type ordered struct {
	parquet.Group
	names []string
}

func (o ordered) Fields() []parquet.Field {
	fields := o.Group.Fields()
	slices.SortFunc(fields, func(a, b parquet.Field) int {
		return slices.Index(o.names, a.Name()) - slices.Index(o.names, b.Name())
	})
	return fields
}

func (tb table) node(c query.Column) parquet.Node {
	var n parquet.Node
	switch c.Type {
	case query.Text:
		n = parquet.Encoded(parquet.String(), &parquet.RLEDictionary)
	case query.Integer:
		n = parquet.Int(64)
	case query.Decimal:
		n = parquet.Decimal(c.Scale, 18, parquet.Int64Type)
	case query.Float:
		n = parquet.Leaf(parquet.DoubleType)
	case query.Boolean:
		n = parquet.Leaf(parquet.BooleanType)
	case query.Date:
		n = parquet.Date()
	case query.Timestamp:
		n = parquet.TimestampAdjusted(parquet.Microsecond, !tb.naive)
	}
	if !tb.required {
		n = parquet.Optional(n)
	}
	return n
}

func (tb table) write(w io.Writer) error {
	group := ordered{Group: parquet.Group{}}
	for _, c := range tb.columns {
		group.Group[c.Name] = tb.node(c)
		group.names = append(group.names, c.Name)
	}
	options := []parquet.WriterOption{parquet.NewSchema("accepted", group), parquet.Compression(&parquet.Snappy)}
	if tb.group > 0 {
		options = append(options, parquet.MaxRowsPerRowGroup(int64(tb.group)))
	}
	writer := parquet.NewWriter(w, options...)
	rows := make([]parquet.Row, len(tb.rows))
	for r, row := range tb.rows {
		for i, v := range row {
			rows[r] = append(rows[r], tb.value(v, i))
		}
	}
	if _, err := writer.WriteRows(rows); err != nil {
		return err
	}
	return writer.Close()
}

func (tb table) value(v query.Value, column int) parquet.Value {
	if v.Null {
		return parquet.NullValue().Level(0, 0, column)
	}
	var p parquet.Value
	switch v.Type {
	case query.Text:
		p = parquet.ByteArrayValue([]byte(v.Text))
	case query.Float:
		p = parquet.DoubleValue(v.Float)
	case query.Boolean:
		p = parquet.BooleanValue(v.Int != 0)
	case query.Date:
		p = parquet.Int32Value(int32(v.Int))
	default:
		p = parquet.Int64Value(v.Int)
	}
	if tb.required {
		return p.Level(0, 0, column)
	}
	return p.Level(0, 1, column)
}

// save writes tables to files, for Source.Input in order.
func save(t testing.TB, tables ...table) []string {
	t.Helper()
	dir := t.TempDir()
	var paths []string
	for i, tb := range tables {
		path := filepath.Join(dir, fmt.Sprintf("%d.parquet", i))
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := tb.write(f); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// limits are enough for every test.
var limits = query.Limits{Memory: 512 << 20, Rows: 10_000_000}

// simple is a spec over one dataset "d" with one source for each participant.
func simple(participants int, columns []query.Column, groups []string, measures ...query.Measure) query.Spec {
	spec := query.Spec{
		Participants: participants, Datasets: map[string][]query.Column{"d": columns},
		Groups: groups, Measures: measures, Limits: limits,
	}
	for i := range participants {
		spec.Sources = append(spec.Sources, query.Source{Dataset: "d", Participant: i, Input: i})
	}
	for i := range spec.Measures {
		if spec.Measures[i].Dataset == "" {
			spec.Measures[i].Dataset = "d"
		}
		if spec.Measures[i].Name == "" {
			spec.Measures[i].Name = fmt.Sprintf("m%d", i)
		}
	}
	return spec
}

func answer(t testing.TB, spec query.Spec, files []string) ([]query.Row, query.Totals) {
	t.Helper()
	rows, totals, err := try(t, spec, files)
	if err != nil {
		t.Fatal(err)
	}
	return rows, totals
}

func try(t testing.TB, spec query.Spec, files []string) ([]query.Row, query.Totals, error) {
	t.Helper()
	var out bytes.Buffer
	if err := Aggregate(t.Context(), spec, files, &out); err != nil {
		return nil, query.Totals{}, err
	}
	var rows []query.Row
	totals, err := query.Read(&out, spec, func(r query.Row) error {
		rows = append(rows, r)
		return nil
	})
	if err != nil {
		t.Fatalf("the engine's own answer is refused: %v", err)
	}
	return rows, totals, nil
}

// show writes rows in a form that is easy to compare: key|participant|count|values.
func show(spec query.Spec, rows []query.Row) []string {
	var lines []string
	for _, r := range rows {
		line := ""
		for _, v := range r.Key {
			if v.Null {
				line += "∅|"
			} else {
				line += v.String() + "|"
			}
		}
		line += fmt.Sprintf("%d|%d", r.Participant, r.Count)
		for i, n := range r.Values {
			if n.Present {
				line += "|" + query.FormatFixed(n.Fixed, spec.Measures[i].Scale)
			} else {
				line += "|-"
			}
		}
		lines = append(lines, line)
	}
	return lines
}

func equal(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
