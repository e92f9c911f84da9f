package render

import (
	"bytes"
	"encoding/csv"
	"math"
	"strings"
	"testing"
	"time"
)

var goldenDay = time.Date(2022, 9, 23, 0, 0, 0, 0, time.UTC)

func goldenSpec(id string) Spec {
	return Spec{
		Date: goldenDay, DateColumn: "Date", DateFormat: "YYYYMMDD",
		Groups:   []Column{{Name: "Tag1", Type: Text}, {Name: "Tag2", Type: Text}},
		Measures: []Column{{Name: "Value", Type: Decimal, Scale: 1}},
		IDColumn: "YourId", ExternalID: id, OwnValues: true, OwnPrefix: "Your",
	}
}

func texts(values ...string) []Value {
	list := make([]Value, len(values))
	for i, v := range values {
		list[i] = Value{Text: v}
	}
	return list
}

func ints(values ...int64) []Value {
	list := make([]Value, len(values))
	for i, v := range values {
		list[i] = Value{Int: v}
	}
	return list
}

func suppressed() []Value { return []Value{{Null: true}} }

func written(t *testing.T, spec Spec, rows []Row) string {
	t.Helper()
	table, err := New(spec, rows)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := new(Maker).WriteCSV(&b, table); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGoldenCase(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		id   string
		rows []Row
		want string
	}{
		{"000001", []Row{
			{texts("TObvCS", "IialNu"), ints(140), ints(130)},
			{texts("SYJshY", "NYoZaS"), suppressed(), ints(1130)},
			{texts("HKSwsV", "vBpWCc"), ints(150), ints(100)},
		}, "Date,Tag1,Tag2,Value,YourId,YourValue\n" +
			"20220923,HKSwsV,vBpWCc,15.0,000001,10.0\n" +
			"20220923,TObvCS,IialNu,14.0,000001,13.0\n"},
		{"000002", []Row{
			{texts("HKSwsV", "vBpWCc"), ints(150), ints(200)},
			{texts("TObvCS", "IialNu"), ints(140), ints(150)},
		}, "Date,Tag1,Tag2,Value,YourId,YourValue\n" +
			"20220923,HKSwsV,vBpWCc,15.0,000002,20.0\n" +
			"20220923,TObvCS,IialNu,14.0,000002,15.0\n"},
		{"000003", nil, "Date,Tag1,Tag2,Value,YourId,YourValue\n"},
	} {
		if got := written(t, goldenSpec(c.id), c.rows); got != c.want {
			t.Errorf("result of %s =\n%s\nwant\n%s", c.id, got, c.want)
		}
	}
}

func TestEveryTypeInItsOrder(t *testing.T) {
	t.Parallel()
	spec := Spec{
		Date: goldenDay, DateColumn: "Day", DateFormat: "DD.MM.YYYY",
		Groups: []Column{
			{Name: "N", Type: Integer}, {Name: "T", Type: Text}, {Name: "D", Type: Decimal, Scale: 2}, {Name: "B", Type: Boolean},
			{Name: "On", Type: Date}, {Name: "At", Type: Timestamp},
		},
		Measures: []Column{{Name: "Rows", Type: Integer}, {Name: "Mean", Type: Decimal, Scale: 0}},
		IDColumn: "Id", ExternalID: "=1", OwnValues: false,
	}
	key := func(n int64, text string, d, b, on, at int64) []Value {
		return []Value{{Int: n}, {Text: text}, {Int: d}, {Int: b}, {Int: on}, {Int: at}}
	}
	values := []Value{{Int: -3}, {Null: true}}
	withNull := key(0, "", 0, 0, 0, 0)
	withNull[0].Null = true
	got := written(t, spec, []Row{
		{Key: key(10, "b", 0, 0, 0, 0), Values: values},
		{Key: key(9, "", -5, 1, -1, -1), Values: values},
		{Key: key(9, "", -5, 1, 0, 0), Values: []Value{{Null: true}, {Null: true}}},
		{Key: key(-1, "a,\"b\"\nc", math.MinInt64/10, 0, minDay, 1_500_000), Values: values},
		{Key: withNull, Values: []Value{{Null: true}, {Int: math.MaxInt64 / 10}}},
		{Key: key(10, "a", 0, 0, 0, 0), Values: values},
	})
	want := "Day,N,T,D,B,On,At,Rows,Mean,Id\n" +
		"23.09.2022,,\"\",0.00,false,1970-01-01,1970-01-01T00:00:00Z,,922337203685477580,'=1\n" +
		"23.09.2022,-1,\"a,\"\"b\"\"\nc\",-9223372036854775.80,false,0001-01-01,1970-01-01T00:00:01.5Z,-3,,'=1\n" +
		"23.09.2022,9,\"\",-0.05,true,1969-12-31,1969-12-31T23:59:59.999999Z,-3,,'=1\n" +
		"23.09.2022,10,a,0.00,false,1970-01-01,1970-01-01T00:00:00Z,-3,,'=1\n" +
		"23.09.2022,10,b,0.00,false,1970-01-01,1970-01-01T00:00:00Z,-3,,'=1\n"
	if got != want {
		t.Errorf("CSV =\n%s\nwant\n%s", got, want)
	}
}

func TestAMeasureSuppressedAloneIsEmpty(t *testing.T) {
	t.Parallel()
	spec := goldenSpec("7")
	spec.Measures = append(spec.Measures, Column{Name: "Rows", Type: Integer})
	got := written(t, spec, []Row{{texts("a", "b"), []Value{{Null: true}, {Int: 12}}, []Value{{Int: -15}, {Null: true}}}})
	want := "Date,Tag1,Tag2,Value,Rows,YourId,YourValue,YourRows\n20220923,a,b,,12,7,-1.5,\n"
	if got != want {
		t.Errorf("CSV = %q, want %q", got, want)
	}
}

func TestRowsThatDoNotFitAreRefused(t *testing.T) {
	t.Parallel()
	good := Row{texts("a", "b"), ints(1), ints(1)}
	for name, c := range map[string]struct {
		change func(*Spec)
		rows   []Row
	}{
		"key too short":        {nil, []Row{{texts("a"), ints(1), ints(1)}}},
		"no measure":           {nil, []Row{{texts("a", "b"), nil, ints(1)}}},
		"no own value":         {nil, []Row{{texts("a", "b"), ints(1), nil}}},
		"own value unasked":    {func(s *Spec) { s.OwnValues = false }, []Row{good}},
		"one key twice":        {nil, []Row{good, good}},
		"19 digits":            {nil, []Row{{texts("a", "b"), ints(MaxDecimal + 1), ints(1)}}},
		"text not UTF-8":       {nil, []Row{{texts("a", "\xff"), ints(1), ints(1)}}},
		"id not UTF-8":         {func(s *Spec) { s.ExternalID = "\xff" }, []Row{good}},
		"date format":          {func(s *Spec) { s.DateFormat = "YYMMDD" }, nil},
		"date format, words":   {func(s *Spec) { s.DateFormat = "YYYYMMDD Monday" }, nil},
		"two columns one name": {func(s *Spec) { s.IDColumn = "Tag1" }, nil},
		"unknown type":         {func(s *Spec) { s.Groups[0].Type = "float" }, nil},
		"scale of an integer":  {func(s *Spec) { s.Groups[0] = Column{Name: "x", Type: Integer, Scale: 1} }, nil},
		"year 10000":           {func(s *Spec) { s.Groups[0].Type = Date }, []Row{{[]Value{{Int: maxDay + 1}, {Text: "b"}}, ints(1), ints(1)}}},
	} {
		spec := goldenSpec("1")
		if c.change != nil {
			c.change(&spec)
		}
		if _, err := New(spec, c.rows); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := New(goldenSpec("1"), []Row{good}); err != nil {
		t.Errorf("good row: %v", err)
	}
}

func TestDateFormats(t *testing.T) {
	t.Parallel()
	day := time.Date(2006, 1, 2, 0, 0, 0, 0, time.UTC)
	for _, order := range [][3]string{{"YYYY", "MM", "DD"}, {"DD", "MM", "YYYY"}, {"MM", "DD", "YYYY"}, {"YYYY", "DD", "MM"}, {"DD", "YYYY", "MM"}, {"MM", "YYYY", "DD"}} {
		for _, sep := range []string{"", "-", ".", "/", "_", "--"} {
			format := strings.Join(order[:], sep)
			layout, err := Layout(format)
			if err != nil {
				t.Errorf("Layout(%q): %v", format, err)
			}
			for _, day := range []time.Time{day, goldenDay, time.Date(987, 12, 31, 0, 0, 0, 0, time.UTC)} {
				want := strings.NewReplacer("YYYY", day.Format("2006"), "MM", day.Format("01"), "DD", day.Format("02")).Replace(format)
				if got := day.Format(layout); got != want {
					t.Errorf("%s of %s = %q, want %q", format, day.Format(time.DateOnly), got, want)
				}
			}
		}
	}
	for _, bad := range []string{"", "YYYY", "YYYYMM", "YYYYMMDDDD", "-YYYYMMDD", "YYYYMMDD ", "YYYY MM DD", "YYYYMMDDTHH", "=YYYYMMDD"} {
		if _, err := Layout(bad); err == nil {
			t.Errorf("Layout(%q): no error", bad)
		}
	}
}

func TestFormulasAreDefused(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                 "",
		"plain":            "plain",
		"a=b":              "a=b",
		"5":                "5",
		"=1+1":             "'=1+1",
		"+1":               "'+1",
		"-1":               "'-1",
		"@SUM(A1)":         "'@SUM(A1)",
		"\t=1":             "'\t=1",
		"\tx":              "'\tx",
		"\rx":              "'\rx",
		"\nx":              "'\nx",
		"\x00x":            "'\x00x",
		"＝1":               "'＝1",
		"＋1":               "'＋1",
		"－1":               "'－1",
		"＠x":               "'＠x",
		"−1":               "'−1",
		" =1":              "' =1",
		"\u00a0=1":         "'\u00a0=1",
		"\ufeff=1":         "'\ufeff=1",
		"\u200b@x":         "'\u200b@x",
		" x":               " x",
		" \x00":            "' \x00",
		"'=1":              "'=1",
		"=cmd|' /C calc'!": "'=cmd|' /C calc'!",
	} {
		if got := Harmless(in); got != want {
			t.Errorf("Harmless(%q) = %q, want %q", in, got, want)
		}
	}
	spec := goldenSpec("-1")
	spec.Groups[0].Name, spec.IDColumn, spec.OwnPrefix = "=HYPERLINK(\"x\")", "@Id", "+"
	got := written(t, spec, []Row{{texts("-1", "\tx"), ints(-10), ints(-5)}})
	want := "Date,\"'=HYPERLINK(\"\"x\"\")\",Tag2,Value,'@Id,'+Value\n20220923,'-1,'\tx,-1.0,'-1,-0.5\n"
	if got != want {
		t.Errorf("CSV = %q, want %q", got, want)
	}
}

// FuzzCSV: whatever the texts are, a reader gets the same number of fields back,
// no text begins with what makes a formula, and nothing but a ' was added.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{"", "=1", "a,b", "\"", "\r\n", "\n=", " +1", "＝", "\x00-", "'", "x\",=1,\""} {
		f.Add(s, "x", "Name")
		f.Add("x", s, "=Name")
	}
	f.Fuzz(func(t *testing.T, a, b, name string) {
		spec := goldenSpec(b)
		spec.Groups[0].Name = name
		table, err := New(spec, []Row{{texts(a, b), ints(-1), ints(-10)}})
		if err != nil {
			t.Skip() // not UTF-8, or a name that is taken
		}
		var out bytes.Buffer
		if err := new(Maker).WriteCSV(&out, table); err != nil {
			t.Fatal(err)
		}
		records, err := csv.NewReader(bytes.NewReader(out.Bytes())).ReadAll()
		if err != nil || len(records) != 2 || len(records[0]) != 6 || len(records[1]) != 6 {
			t.Fatalf("%q reads as %q, %v", out.String(), records, err)
		}
		for _, c := range []struct{ got, from string }{
			{records[0][1], name}, {records[1][1], a}, {records[1][2], b}, {records[1][4], b},
		} {
			got, from := c.got, strings.ReplaceAll(c.from, "\r\n", "\n") // as the reader does
			for _, trigger := range []string{"=", "+", "-", "@", "\t", "\r", "\n", "\x00", "＝", "＋", "－", "＠"} {
				if strings.HasPrefix(got, trigger) || strings.HasPrefix(strings.TrimLeft(got, " "), trigger) {
					t.Errorf("%q begins with %q", got, trigger)
				}
			}
			if got != from && got != "'"+from {
				t.Errorf("%q became %q", from, got)
			}
		}
		if records[1][3] != "-0.1" || records[1][5] != "-1.0" {
			t.Errorf("numbers = %q, %q", records[1][3], records[1][5])
		}
	})
}
