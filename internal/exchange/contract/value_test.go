package contract

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"
)

func TestNumbers(t *testing.T) {
	t.Parallel()
	point, comma := NumbersOf(Dialect{Decimal: "."}), NumbersOf(Dialect{Decimal: ",", Thousands: "."})
	english, french := NumbersOf(Dialect{Decimal: ".", Thousands: ","}), NumbersOf(Dialect{Decimal: ",", Thousands: "\u202f"})
	for _, c := range []struct {
		n     Numbers
		text  string
		scale int
		want  int64
		flaw  Flaw
	}{
		{point, "10", 2, 1000, Sound},
		{point, "-0.05", 2, -5, Sound},
		{point, "+1.5", 2, 150, Sound},
		{point, "1.500", 2, 150, Sound},
		{point, "1.505", 2, 0, TooPrecise},
		{point, "0007", 0, 7, Sound},
		{point, "999999999999999999", 0, MaxDecimal, Sound},
		{point, "1000000000000000000", 0, 0, OutOfRange},
		{point, "999999999.999999999", 9, MaxDecimal, Sound},
		{point, "-999999999.999999999", 9, -MaxDecimal, Sound},
		{point, "1000000000", 9, 0, OutOfRange},
		{point, "99999999999999999999999999", 0, 0, OutOfRange},
		{point, "", 2, 0, Malformed},
		{point, "-", 2, 0, Malformed},
		{point, ".", 2, 0, Malformed},
		{point, "1.", 2, 0, Malformed},
		{point, ".5", 2, 0, Malformed},
		{point, "1.2.3", 2, 0, Malformed},
		{point, "1,5", 2, 0, Malformed},
		{point, "1,000", 2, 0, Malformed},
		{point, "1e3", 2, 0, Malformed},
		{point, "0x10", 2, 0, Malformed},
		{point, "--1", 2, 0, Malformed},
		{point, "١", 0, 0, Malformed},
		{comma, "1.234.567,89", 2, 123456789, Sound},
		{comma, "1234567,89", 2, 123456789, Sound},
		{comma, "1.5", 2, 0, Malformed},
		{comma, "1.2345", 2, 0, Malformed},
		{comma, "1234.567", 2, 0, Malformed},
		{comma, ".123", 2, 0, Malformed},
		{comma, "1..234", 2, 0, Malformed},
		{comma, "1.234.", 2, 0, Malformed},
		{comma, "1,234.567", 3, 0, Malformed},
		{english, "1,5", 2, 0, Malformed},
		{english, "-1,500.25", 2, -150025, Sound},
		{french, "1\u202f500,25", 2, 150025, Sound},
		{french, "1\u202f50", 2, 0, Malformed},
	} {
		if got, flaw := c.n.Fixed([]byte(c.text), c.scale); got != c.want || flaw != c.flaw {
			t.Errorf("%q at scale %d: got %d flaw %d, want %d flaw %d", c.text, c.scale, got, flaw, c.want, c.flaw)
		}
	}
}

func TestIntegersHave64Bits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want int64
		flaw Flaw
	}{
		{"9223372036854775807", math.MaxInt64, Sound},
		{"-9223372036854775808", math.MinInt64, Sound},
		{"9223372036854775808", 0, OutOfRange},
		{"-9223372036854775809", 0, OutOfRange},
		{"92233720368547758070", 0, OutOfRange},
		{"1.0", 0, Malformed},
		{"-0", 0, Sound},
	} {
		if got, flaw := (Numbers{}).Integer([]byte(c.text)); got != c.want || flaw != c.flaw {
			t.Errorf("%q: got %d flaw %d, want %d flaw %d", c.text, got, flaw, c.want, c.flaw)
		}
	}
}

func TestFloatsAreFinite(t *testing.T) {
	t.Parallel()
	comma := NumbersOf(Dialect{Decimal: ",", Thousands: "."})
	for _, c := range []struct {
		n    Numbers
		text string
		want float64
		flaw Flaw
	}{
		{Numbers{}, "1.5e-3", 0.0015, Sound},
		{Numbers{}, "-1E+2", -100, Sound},
		{Numbers{}, "0.1", 0.1, Sound},
		{Numbers{}, "1e999", 0, OutOfRange},
		{Numbers{}, "1e-999", 0, Sound},
		{Numbers{}, "NaN", 0, Malformed},
		{Numbers{}, "Infinity", 0, Malformed},
		{Numbers{}, "-inf", 0, Malformed},
		{Numbers{}, "0x1p3", 0, Malformed},
		{Numbers{}, "1_000", 0, Malformed},
		{Numbers{}, "1e", 0, Malformed},
		{Numbers{}, "1e+-2", 0, Malformed},
		{Numbers{}, "1e2e3", 0, Malformed},
		{comma, "1.234,5", 1234.5, Sound},
		{comma, "1,5e2", 150, Sound},
	} {
		if got, flaw := c.n.Float([]byte(c.text)); got != c.want || flaw != c.flaw {
			t.Errorf("%q: got %v flaw %d, want %v flaw %d", c.text, got, flaw, c.want, c.flaw)
		}
	}
	if got, _ := (Numbers{}).Float([]byte("-0.0")); math.Signbit(got) {
		t.Error("negative zero is kept, want zero")
	}
}

func TestFixedAgreesWithExactArithmetic(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(42, 1))
	for range 20_000 {
		scale, v := r.IntN(MaxScale+1), r.Int64N(MaxDecimal)>>r.IntN(60)
		if r.IntN(2) == 0 {
			v = -v
		}
		text := FormatFixed(v, scale)
		exact, ok := new(big.Rat).SetString(text)
		if !ok || exact.Mul(exact, new(big.Rat).SetInt64(int64(math.Pow10(scale)))).Cmp(new(big.Rat).SetInt64(v)) != 0 {
			t.Fatalf("%d at scale %d is written %s", v, scale, text)
		}
		if got, flaw := (Numbers{}).Fixed([]byte(text), scale); got != v || flaw != Sound {
			t.Fatalf("%s at scale %d: got %d flaw %d, want %d", text, scale, got, flaw, v)
		}
	}
}

func TestLayouts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ format, text, want string }{
		{"YYYYMMDD", "20220923", "2022-09-23"},
		{"YYYYMMDD", "2022-09-23", ""},
		{"YYYYMMDD", "20220931", ""},
		{"YYYYMMDD", "20220923 ", ""},
		{"YYYYMMDD", "2022092", ""},
		{"DD.MM.YYYY", "29.02.2024", "2024-02-29"},
		{"DD.MM.YYYY", "29.02.2023", ""},
		{"DD.MM.YYYY", "29.02.1900", ""},
		{"DD.MM.YYYY", "29.02.2000", "2000-02-29"},
		{"D.M.YYYY", "1.9.2022", "2022-09-01"},
		{"D.M.YYYY", "01.12.2022", "2022-12-01"},
		{"D.M.YYYY", "001.12.2022", ""},
		{"MM/DD/YYYY", "09/23/2022", "2022-09-23"},
		{"MM/DD/YYYY", "23/09/2022", ""},
		{"YYYY-MM-DD", "0000-01-01", ""},
		{"YYYY-MM-DD", "0001-01-01", "0001-01-01"},
		{"YYYY-MM-DD", "9999-12-31", "9999-12-31"},
	} {
		l, err := NewLayout(DateType, c.format)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if d, ok := l.Date([]byte(c.text)); ok {
			got = d.String()
		}
		if got != c.want {
			t.Errorf("%s as %s: got %q, want %q", c.text, c.format, got, c.want)
		}
	}
	for _, c := range []struct{ format, text, want string }{
		{RFC3339, "2022-09-23T12:34:56Z", "2022-09-23T12:34:56Z"},
		{RFC3339, "2022-09-23 12:34:56.123456+02:00", "2022-09-23T10:34:56.123456Z"},
		{RFC3339, "2022-09-23t12:34:56.5z", "2022-09-23T12:34:56.5Z"},
		{RFC3339, "2022-09-23T12:34:56.123456000Z", "2022-09-23T12:34:56.123456Z"},
		{RFC3339, "2022-09-23T12:34:56.1234567Z", ""},
		{RFC3339, "2022-09-23T12:34:56", ""},
		{RFC3339, "2022-09-23T24:00:00Z", ""},
		{RFC3339, "2022-09-23T12:34:60Z", ""},
		{RFC3339, "2022-09-23T12:34:56.Z", ""},
		{RFC3339, "2022-09-23T12:34:56+0", ""},
		{RFC3339, "2022-09-23T12:34:56+02:0", ""},
		{RFC3339, "0001-01-01T00:00:00+01:00", ""},
		{"YYYY-MM-DD HH:mm:ss", "2022-09-23 12:34:56", "2022-09-23T12:34:56Z"},
		{"DD.MM.YYYY H:mm", "23.09.2022 7:05", "2022-09-23T07:05:00Z"},
		{"YYYYMMDDTHHmmss.SSSZ", "20220923T123456.789-0130", "2022-09-23T14:04:56.789Z"},
		{"YYYYMMDDTHHmmss.SSSZ", "20220923T123456.78-0130", ""},
	} {
		l, err := NewLayout(Timestamp, c.format)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if v, ok := l.Timestamp([]byte(c.text)); ok {
			got = time.UnixMicro(v).UTC().Format(time.RFC3339Nano)
		}
		if got != c.want {
			t.Errorf("%s as %s: got %q, want %q", c.text, c.format, got, c.want)
		}
	}
	for _, c := range []struct {
		t      Type
		format string
	}{
		{DateType, ""}, {DateType, "YYYY"}, {DateType, "YY-MM-DD"}, {DateType, "YYYY-MM-DD-DD"}, {DateType, "DMYYYY"},
		{DateType, "YYYY-MMM-DD"}, {DateType, "yyyy-mm-dd"}, {DateType, "YYYY年MM月DD"}, {DateType, RFC3339},
		{Timestamp, ISODate}, {Timestamp, "YYYY-MM-DD hh:mm"}, {Timestamp, "YYYY-MM-DD HH:ss"}, {Timestamp, "YYYY-MM-DD HH:mm.SSS"}, {Timestamp, "YYYYMMDD1HH"},
	} {
		if _, err := NewLayout(c.t, c.format); err == nil {
			t.Errorf("%s format %q: got no error, want one", c.t, c.format)
		}
	}
}

func TestDatesAgreeWithTheStandardLibrary(t *testing.T) {
	t.Parallel()
	for d, i := firstDate, time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC); d <= lastDate; d, i = d+13, i.AddDate(0, 0, 13) {
		y, m, day := i.Date()
		if got, ok := civil(y, int(m), day); !ok || got != d || d.Time() != i || DateOf(i) != d {
			t.Fatalf("%s: got day %d %v, want %d", i, got, ok, d)
		}
	}
}

func TestPeriods(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cadence                 Cadence
		day, start, end, labels string
	}{
		{Daily, "2024-02-29", "2024-02-29", "2024-02-29", "2024-02-29"},
		{Irregular, "2024-02-29", "2024-02-29", "2024-02-29", "2024-02-29"},
		{Weekly, "2024-12-31", "2024-12-30", "2025-01-05", "2025-W01"},
		{Weekly, "2024-02-25", "2024-02-19", "2024-02-25", "2024-W08"},
		{Monthly, "2024-02-10", "2024-02-01", "2024-02-29", "2024-02"},
		{Monthly, "2024-12-31", "2024-12-01", "2024-12-31", "2024-12"},
		{Quarterly, "2024-11-05", "2024-10-01", "2024-12-31", "2024-Q4"},
		{Yearly, "2024-11-05", "2024-01-01", "2024-12-31", "2024"},
	} {
		d, err := ParseDate(c.day)
		if err != nil {
			t.Fatal(err)
		}
		p := c.cadence.Period(d)
		if p.Start.String() != c.start || p.End.String() != c.end || c.cadence.Label(d) != c.labels {
			t.Errorf("%s of %s: got %s to %s, %s; want %s to %s, %s", c.cadence, c.day, p.Start, p.End, c.cadence.Label(d), c.start, c.end, c.labels)
		}
	}
}

func TestDueTimesFollowTheZone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ cadence, due, day, want string }{
		{"monthly", "{after_days: 5, at: '12:00', zone: Europe/Zurich}", "2022-09-01", "2022-10-05T10:00:00Z"},
		{"monthly", "{after_days: 5, at: '12:00', zone: Europe/Zurich}", "2022-11-30", "2022-12-05T11:00:00Z"},
		{"daily", "{at: '23:59'}", "2022-09-23", "2022-09-23T23:59:00Z"},
		{"daily", "{after_days: 1, at: '02:30', zone: Europe/Zurich}", "2024-03-30", "2024-03-31T01:30:00Z"}, // skipped
		{"daily", "{at: '02:30', zone: Europe/Zurich}", "2024-10-27", "2024-10-27T01:30:00Z"},                // twice
		{"daily", "{at: '00:00', zone: Pacific/Apia}", "2011-12-29", "2011-12-29T10:00:00Z"},
		{"none", "{at: '08:00', zone: America/New_York}", "2024-07-01", "2024-07-01T12:00:00Z"},
	} {
		d := mustParse(t, "dataset: x\ncolumns: [{name: a, type: text}]\ncadence: "+c.cadence+"\ndue: "+c.due+"\n")
		day, err := ParseDate(c.day)
		if err != nil {
			t.Fatal(err)
		}
		due, ok := d.DueAt(day)
		if got := due.Format(time.RFC3339); !ok || got != c.want {
			t.Errorf("%s %s: got %s %v, want %s", c.day, c.due, got, ok, c.want)
		}
		if d.Late(day, due) || !d.Late(day, due.Add(time.Microsecond)) {
			t.Errorf("%s: late must begin right after %s", c.day, due)
		}
	}
	none := mustParse(t, "dataset: x\ncolumns: [{name: a, type: text}]\n")
	if _, ok := none.DueAt(0); ok || none.Late(0, time.Now()) {
		t.Error("a dataset without a due time is late, want never")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sales)
	f.Add("dataset: x\ncolumns: [{name: a, type: text}]\n")
	f.Add("dataset: &a x\ntitle: *a\n")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := Parse([]byte(text))
		if err != nil {
			return
		}
		again, err := Parse(d.Canonical())
		if err != nil || again.Hash() != d.Hash() {
			t.Fatalf("the canonical form reads back as %v, want the same contract: %s", err, d.Canonical())
		}
	})
}
