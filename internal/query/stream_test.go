package query

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"tributary/internal/fault"
)

func specForTests() Spec {
	columns := []Column{
		{Name: "tag", Type: Text}, {Name: "day", Type: Date}, {Name: "flag", Type: Boolean}, {Name: "value", Type: Decimal, Scale: 2}, {Name: "n", Type: Integer},
		{Name: "at", Type: Timestamp}, {Name: "f", Type: Float},
	}
	return Spec{
		Participants: 3, Datasets: map[string][]Column{"d": columns},
		Sources:  []Source{{Dataset: "d", Participant: 0, Input: 0}, {Dataset: "d", Participant: 1, Input: 1}, {Dataset: "d", Participant: 2, Input: 2}},
		Groups:   []string{"tag", "day"},
		Measures: []Measure{{Name: "sum", Dataset: "d", Column: "value", Own: Sum, Scale: 2}, {Name: "rows", Dataset: "d", Own: Count, Scale: 1}},
		Limits:   Limits{Memory: MinMemory, Rows: 100},
	}
}

func dayOf(n int64) Value { return Value{Type: Date, Int: n} }

func number(n int64) Number { return Number{Present: true, Fixed: n} }

// goodAnswer has two cells, four rows and every kind of number.
func goodAnswer(t testing.TB, spec Spec) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, spec)
	if err != nil {
		t.Fatal(err)
	}
	null := NullOf(Column{Type: Text})
	for _, err := range []error{
		w.Cell([]Value{null, dayOf(-3)}),
		w.Row(0, 2, []Number{number(-5), number(20)}),
		w.Row(2, 1, []Number{{}, number(0)}),
		w.Cell([]Value{TextOf("é"), dayOf(7)}),
		w.Row(0, 1, []Number{number(math.MinInt64), number(10)}),
		w.Row(1, 9, []Number{number(math.MaxInt64), {}}),
		w.End([]int64{3, 9, 5}, 1234),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

func collect(r io.Reader, spec Spec) ([]Row, Totals, error) {
	var rows []Row
	totals, err := Read(r, spec, func(r Row) error { rows = append(rows, r); return nil })
	return rows, totals, err
}

func TestReadWhatWasWritten(t *testing.T) {
	t.Parallel()
	spec := specForTests()
	content := goodAnswer(t, spec)
	rows, totals, err := collect(iotest.OneByteReader(bytes.NewReader(content)), spec)
	if err != nil {
		t.Fatal(err)
	}
	first, second := []Value{{Type: Text, Null: true}, dayOf(-3)}, []Value{TextOf("é"), dayOf(7)}
	want := []Row{
		{0, first, 2, []Number{number(-5), number(20)}}, {2, first, 1, []Number{{}, number(0)}},
		{0, second, 1, []Number{number(math.MinInt64), number(10)}}, {1, second, 9, []Number{number(math.MaxInt64), {}}},
	}
	if got, want := fmt.Sprint(rows), fmt.Sprint(want); got != want {
		t.Errorf("rows:\ngot  %s\nwant %s", got, want)
	}
	if totals.Rows != 4 || !slices.Equal(totals.Scanned, []int64{3, 9, 5}) || totals.Micros != 1234 {
		t.Errorf("totals: got %+v", totals)
	}
}

func TestEveryCutIsNoticed(t *testing.T) {
	t.Parallel()
	spec := specForTests()
	content := goodAnswer(t, spec)
	for n := range content {
		if _, _, err := collect(bytes.NewReader(content[:n]), spec); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at %d of %d: got %v, want unexpected EOF", n, len(content), err)
		}
	}
}

func uv(numbers ...uint64) []byte {
	var b []byte
	for _, n := range numbers {
		b = binary.AppendUvarint(b, n)
	}
	return b
}

func TestLiesAreRefused(t *testing.T) {
	t.Parallel()
	cell := func(tag string, day int64) []byte {
		b := append([]byte{'c', 1}, uv(uint64(len(tag)))...)
		return binary.AppendVarint(append(append(b, tag...), 1), day)
	}
	row := func(participant, count uint64, bits byte, numbers ...int64) []byte {
		b := append(append([]byte{'r'}, uv(participant, count)...), bits)
		for _, n := range numbers {
			b = binary.AppendVarint(b, n)
		}
		return b
	}
	end := func(rows uint64, scanned ...uint64) []byte {
		return append(append(append([]byte{'e'}, uv(rows)...), uv(scanned...)...), 0)
	}
	full := end(1, 9, 9, 9)
	a0 := row(0, 1, 0)
	for name, c := range map[string]struct {
		frames [][]byte
		want   string // "" for an answer that is right
	}{
		"right":                     {[][]byte{cell("a", 0), a0, full}, ""},
		"nothing in it":             {[][]byte{end(0, 0, 0, 0)}, ""},
		"unknown frame":             {[][]byte{{'x'}}, "unknown frame"},
		"row before a cell":         {[][]byte{a0, full}, "before its cell"},
		"cell without a row":        {[][]byte{cell("a", 0), cell("b", 0), a0, full}, "without a row"},
		"last cell without a row":   {[][]byte{cell("a", 0), end(0, 9, 9, 9)}, "without a row"},
		"cell twice":                {[][]byte{cell("a", 0), a0, cell("a", 0), a0, end(2, 9, 9, 9)}, "cells out of order"},
		"cells backwards":           {[][]byte{cell("a", 1), a0, cell("a", 0), a0, end(2, 9, 9, 9)}, "cells out of order"},
		"null after a value":        {[][]byte{cell("a", 0), a0, {'c', 0, 0}, a0, end(2, 9, 9, 9)}, "cells out of order"},
		"participant twice":         {[][]byte{cell("a", 0), a0, a0, end(2, 9, 9, 9)}, "participants out of order"},
		"participants backwards":    {[][]byte{cell("a", 0), row(1, 1, 0), a0, end(2, 9, 9, 9)}, "participants out of order"},
		"unknown participant":       {[][]byte{cell("a", 0), row(3, 1, 0), full}, "over its limit"},
		"participant over int64":    {[][]byte{cell("a", 0), row(math.MaxUint64, 1, 0), full}, "over its limit"},
		"count 0":                   {[][]byte{cell("a", 0), row(0, 0, 0), full}, "impossible count"},
		"count over int64":          {[][]byte{cell("a", 0), row(0, math.MaxInt64+1, 0), full}, "over its limit"},
		"counts over int64":         {[][]byte{cell("a", 0), row(0, math.MaxInt64, 0), cell("b", 0), a0, end(2, math.MaxInt64, 9, 9)}, "impossible count"},
		"more rows than scanned":    {[][]byte{cell("a", 0), row(1, 9, 0), cell("b", 0), row(1, 1, 0), end(2, 9, 9, 9)}, "more rows than its sources"},
		"measure over count":        {[][]byte{cell("a", 0), row(0, 2, 2, 30), full}, "counts more"},
		"measure with half a row":   {[][]byte{cell("a", 0), row(0, 2, 2, 5), full}, "counts more"},
		"negative measure":          {[][]byte{cell("a", 0), row(0, 2, 2, -10), full}, "counts more"},
		"third of two measures":     {[][]byte{cell("a", 0), row(0, 1, 4, 1), full}, "unknown measure"},
		"number of 11 bytes":        {[][]byte{cell("a", 0), row(0, 1, 1), bytes.Repeat([]byte{0xff}, 11), full}, "overflows"},
		"text that is not UTF-8":    {[][]byte{cell("\xff", 0), a0, full}, "no text"},
		"text over its limit":       {[][]byte{append([]byte{'c', 1}, uv(MaxText+1)...)}, "over its limit"},
		"day beyond the calendar":   {[][]byte{cell("a", maxDay+1), a0, full}, "no date"},
		"mark that is neither":      {[][]byte{{'c', 2}}, "mark 0x2"},
		"end with too few":          {[][]byte{cell("a", 0), a0, end(0, 9, 9, 9)}, "end speaks of 0"},
		"end with too many":         {[][]byte{cell("a", 0), a0, end(2, 9, 9, 9)}, "end speaks of 2"},
		"end with more than rows":   {[][]byte{end(101, 9, 9, 9)}, "over its limit"},
		"something behind the end":  {[][]byte{cell("a", 0), a0, full, {'c'}}, "follows the end"},
		"a second answer":           {[][]byte{end(0, 0, 0, 0), end(0, 0, 0, 0)}, "follows the end"},
		"scanned over int64":        {[][]byte{cell("a", 0), a0, end(1, math.MaxInt64+1, 9, 9)}, "over its limit"},
		"sources that are not hers": {[][]byte{cell("a", 0), row(2, 5, 0), end(1, 9, 9, 4)}, "more rows than its sources"},
	} {
		_, _, err := collect(bytes.NewReader(bytes.Join(c.frames, nil)), specForTests())
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestRowsAreLimited(t *testing.T) {
	t.Parallel()
	spec := specForTests()
	content := goodAnswer(t, spec)
	spec.Limits.Rows = 3
	if rows, _, err := collect(bytes.NewReader(content), spec); err == nil || len(rows) != 3 {
		t.Errorf("got %d rows and %v, want 3 and an error", len(rows), err)
	}
}

func TestErrorsOfOthersStayInTheChain(t *testing.T) {
	t.Parallel()
	spec := specForTests()
	content := goodAnswer(t, spec)
	killed := fault.New(fault.TooLarge, "The child was killed.")
	_, _, err := collect(io.MultiReader(bytes.NewReader(content[:9]), iotest.ErrReader(killed)), spec)
	if !fault.Is(err, fault.TooLarge) {
		t.Errorf("reader: got %v, want too large", err)
	}
	for _, mine := range []error{errors.New("mine"), io.EOF} {
		_, err = Read(bytes.NewReader(content), spec, func(Row) error { return mine })
		if !errors.Is(err, mine) {
			t.Errorf("callback: got %v, want %v", err, mine)
		}
	}
	_, _, err = collect(io.MultiReader(bytes.NewReader(content), iotest.ErrReader(killed)), spec)
	if !fault.Is(err, fault.TooLarge) {
		t.Errorf("after the end: got %v, want too large", err)
	}
}

// FuzzRead feeds what a hostile child could send. What is accepted must keep
// every promise of Read, and means the same when it is written again.
func FuzzRead(f *testing.F) {
	spec := specForTests()
	spec.Groups = append(spec.Groups, "flag", "value", "n", "at")
	f.Add(goodAnswer(f, specForTests()))
	f.Add([]byte("e\x00\x00\x00\x00\x00"))
	f.Add([]byte("c\x01\x01a\x01\x02\x01\x01\x01\x02\x01\x04\x01\x06r\x00\x01\x03\x07\x14e\x01\x01\x00\x00\x09"))
	f.Fuzz(func(t *testing.T, content []byte) {
		rows, totals, err := collect(bytes.NewReader(content), spec)
		if err != nil {
			return
		}
		if int64(len(rows)) != totals.Rows || len(rows) > spec.Limits.Rows || len(totals.Scanned) != len(spec.Sources) {
			t.Fatalf("%d rows, totals %+v", len(rows), totals)
		}
		var out bytes.Buffer
		w, err := NewWriter(&out, spec)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range rows {
			if i == 0 || CompareKeys(rows[i-1].Key, r.Key) != 0 {
				if i > 0 && CompareKeys(rows[i-1].Key, r.Key) > 0 {
					t.Fatalf("row %d: keys out of order", i)
				}
				if err := w.Cell(r.Key); err != nil {
					t.Fatal(err)
				}
			} else if rows[i-1].Participant >= r.Participant {
				t.Fatalf("row %d: participants out of order", i)
			}
			if r.Participant < 0 || r.Participant >= spec.Participants || r.Count < 1 || len(r.Values) != len(spec.Measures) || len(r.Key) != len(spec.Groups) {
				t.Fatalf("row %d: %+v", i, r)
			}
			if err := w.Row(r.Participant, r.Count, r.Values); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.End(totals.Scanned, totals.Micros); err != nil {
			t.Fatal(err)
		}
		again, totals2, err := collect(&out, spec)
		if err != nil || fmt.Sprint(again, totals2) != fmt.Sprint(rows, totals) {
			t.Fatalf("written again: %v", err)
		}
	})
}
