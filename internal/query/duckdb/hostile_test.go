package duckdb

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bindings "github.com/duckdb/duckdb-go-bindings"
	"golang.org/x/sys/unix"

	"tributary/internal/fault"
	"tributary/internal/query"
)

// A participant whose file has a column named like those that tell files apart
// must not become another participant.
func TestColumnsCannotNameTheParticipant(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"file_index", "FILE_INDEX", "filename", "file", "file_row_number", "t"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			columns := []query.Column{tag1, money}
			spoof := table{columns: append([]query.Column{{Name: name, Type: query.Integer}, {Name: name + "_", Type: query.Text}}, columns...)}
			spoof.rows = [][]query.Value{{query.IntegerOf(1), text("1"), text("x"), cents(5)}}
			honest := table{columns: columns, rows: [][]query.Value{{text("x"), cents(7)}}}
			for _, order := range [][]table{{spoof, honest}, {honest, spoof}, {spoof, spoof}} {
				spec := simple(2, columns, []string{"Tag1"}, query.Measure{Column: "Value", Own: query.Sum, Scale: 2})
				rows, _ := answer(t, spec, save(t, order...))
				var want []string
				for i, tb := range order {
					value := tb.rows[0][len(tb.rows[0])-1]
					want = append(want, fmt.Sprintf("x|%d|1|%s", i, value))
				}
				equal(t, show(spec, rows), want)
			}
		})
	}
}

func TestHostileNames(t *testing.T) {
	t.Parallel()
	for i, name := range []string{
		`a"b`, `"; DROP TABLE x; --`, "line\nbreak", "tab\t'quote'", `back\slash`, `"`, `""`, "?", "$1", "count(*)", "select", "ü😀", " ", "rowid",
		strings.Repeat("long", 200), "t.x", "*", "{}", "[1]", "\u202egnp.exe",
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) { // the name would be in the file's path
			t.Parallel()
			columns := []query.Column{{Name: name, Type: query.Text}, {Name: name + "2", Type: query.Decimal, Scale: 2}}
			tb := table{columns: columns, rows: [][]query.Value{{text("x"), cents(5)}, {text("y"), cents(8)}}}
			spec := simple(1, columns, []string{name}, query.Measure{Name: name, Column: name + "2", Own: query.Mean, Scale: 2})
			spec.Filters = []query.Filter{{Column: name, Equals: []query.Value{text(`x`), text("' OR 1=1 --")}}}
			rows, _ := answer(t, spec, save(t, tb))
			equal(t, show(spec, rows), []string{"x|0|1|0.05"})
		})
	}
}

// DuckDB finds columns whatever their case, so it would read the wrong one.
func TestNamesThatDifferInCase(t *testing.T) {
	t.Parallel()
	upper, lower := money, money
	upper.Name, lower.Name = "VALUE", "value"
	both := save(t, table{columns: []query.Column{tag1, upper, lower}})
	spec := simple(1, []query.Column{tag1, lower}, []string{"Tag1"}, query.Measure{Column: "value", Own: query.Sum})
	if _, _, err := try(t, spec, both); !fault.Is(err, fault.Invalid) || !strings.Contains(fault.Message(err), "case") {
		t.Errorf("both: got %v, want invalid that speaks of case", err)
	}
	if _, _, err := try(t, spec, save(t, table{columns: []query.Column{tag1, upper}})); !fault.Is(err, fault.Damaged) {
		t.Errorf("other case: got %v, want damaged", err)
	}
}

func TestFilesThatAreNotTheDataset(t *testing.T) {
	t.Parallel()
	good := table{columns: []query.Column{tag1, money}, rows: [][]query.Value{{text("x"), cents(1)}}}
	with := func(c query.Column, v query.Value) table {
		return table{columns: []query.Column{tag1, c}, rows: [][]query.Value{{text("x"), v}}}
	}
	spec := simple(2, good.columns, []string{"Tag1"}, query.Measure{Column: "Value", Own: query.Sum})
	for name, bad := range map[string]table{
		"no column":   {columns: []query.Column{tag1}},
		"text":        with(query.Column{Name: "Value", Type: query.Text}, text("1.00")),
		"integer":     with(query.Column{Name: "Value", Type: query.Integer}, query.IntegerOf(1)),
		"other scale": with(query.Column{Name: "Value", Type: query.Decimal, Scale: 4}, query.DecimalOf(1, 4)),
		"float":       with(query.Column{Name: "Value", Type: query.Float}, query.FloatOf(1)),
	} {
		for i, order := range [][]table{{good, bad}, {bad, good}} {
			_, _, err := try(t, spec, save(t, order...))
			if want := fmt.Sprintf("participant %d", 1-i); !fault.Is(err, fault.Damaged) || !strings.Contains(fault.Message(err), want) {
				t.Errorf("%s: got %v, want damaged that names %s", name, err, want)
			}
		}
	}
}

// Whatever is done to a file, there is an answer or an error with a kind.
func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	columns := []query.Column{tag1, money, ratio, stamp}
	var tb table
	tb.columns = columns
	r := rand.New(rand.NewPCG(9, 9))
	for range 2000 {
		tb.rows = append(tb.rows, []query.Value{random(r, tag1, false), random(r, money, false), random(r, ratio, false), random(r, stamp, false)})
	}
	var whole bytes.Buffer
	if err := tb.write(&whole); err != nil {
		t.Fatal(err)
	}
	spec := simple(2, columns, []string{"Tag1", "stamp"}, query.Measure{Column: "Value", Own: query.Sum}, query.Measure{Column: "ratio", Own: query.Mean, Scale: 2})
	good := save(t, tb)[0]
	dir := t.TempDir()
	refused := 0
	try := func(name string, content []byte) {
		path := filepath.Join(dir, "bad.parquet")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		err := Aggregate(t.Context(), spec, []string{good, path}, &bytes.Buffer{})
		if err != nil {
			refused++
		}
		if err != nil && !fault.Is(err, fault.Damaged) && !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.TooLarge) {
			t.Errorf("%s: got %v, want a kind", name, err)
		}
		if fault.Is(err, fault.Damaged) && !strings.Contains(fault.Message(err), "participant 1") {
			t.Errorf("%s: got %v, want the participant", name, err)
		}
	}
	for _, n := range []int{0, 1, 4, 11, 12, whole.Len() / 2, whole.Len() - 9, whole.Len() - 1} {
		try(fmt.Sprint("cut at ", n), whole.Bytes()[:n])
	}
	if refused != 8 {
		t.Errorf("cut files: %d of 8 refused", refused)
	}
	middle := bytes.Clone(whole.Bytes()) // the footer stays
	clear(middle[100:1000])
	try("middle", middle)
	if refused != 9 {
		t.Error("zeroed data was not refused")
	}
	for range 150 {
		content := bytes.Clone(whole.Bytes())
		for range 1 + r.IntN(4) {
			content[r.IntN(len(content))] ^= 1 << r.IntN(8)
		}
		try("flipped", content)
	}
	if refused < 20 {
		t.Errorf("flipped bits: only %d refused; the test does not reach what it should", refused-9)
	}
}

func TestNumbersThatDoNotFit(t *testing.T) {
	t.Parallel()
	const large = 999_999_999_999_999_999
	wide := query.Column{Name: "Value", Type: query.Decimal, Scale: 0}
	tb := table{columns: []query.Column{tag1, wide}}
	for range 12 {
		tb.rows = append(tb.rows, []query.Value{text("x"), query.DecimalOf(large, 0)})
	}
	files := save(t, tb)
	spec := simple(1, tb.columns, nil, query.Measure{Name: "total of Value", Column: "Value", Own: query.Sum})
	if rows, _ := answer(t, spec, files); rows[0].Values[0].Fixed != query.TooLarge {
		t.Errorf("sum over int64: got %+v, want TooLarge", rows[0].Values[0])
	}
	spec.Measures[0].Own = query.Mean
	if rows, _ := answer(t, spec, files); rows[0].Values[0].Fixed != large {
		t.Errorf("mean of the same: got %+v, want %d", rows[0].Values[0], int64(large))
	}
	spec.Measures[0].Scale = 3
	if rows, _ := answer(t, spec, files); rows[0].Values[0].Fixed != query.TooLarge {
		t.Errorf("mean with more digits: got %+v, want TooLarge", rows[0].Values[0])
	}
}

func TestFloatsThatAreNotFinite(t *testing.T) {
	t.Parallel()
	columns := []query.Column{tag1, ratio, units}
	one := query.FloatOf(1)
	for name, f := range map[string]float64{"NaN": math.NaN(), "Inf": math.Inf(1), "-Inf": math.Inf(-1)} {
		files := save(t, table{columns: columns, rows: [][]query.Value{
			{text("x"), query.FloatOf(2), query.IntegerOf(1)}, {text("x"), query.FloatOf(f), query.IntegerOf(1)}, {text("x"), none(ratio), query.IntegerOf(1)},
		}})
		for _, own := range []query.Own{query.Sum, query.Mean, query.Count} {
			spec := simple(1, columns, []string{"Tag1"}, query.Measure{Column: "ratio", Own: own})
			if _, _, err := try(t, spec, files); !fault.Is(err, fault.Invalid) || !strings.Contains(fault.Message(err), `"ratio"`) {
				t.Errorf("%s of %s: got %v, want invalid that names the column", own, name, err)
			}
		}
		spec := simple(1, columns, nil, query.Measure{Column: "units", Own: query.Sum})
		spec.Filters = []query.Filter{{Column: "ratio", From: &one}}
		if name != "-Inf" { // which does not pass
			if _, _, err := try(t, spec, files); !fault.Is(err, fault.Invalid) {
				t.Errorf("filter on %s: got %v, want invalid", name, err)
			}
		}
	}
	largest := table{columns: columns}
	for range 3 {
		largest.rows = append(largest.rows, []query.Value{text("x"), query.FloatOf(math.MaxFloat64), query.IntegerOf(1)})
	}
	spec := simple(1, columns, nil, query.Measure{Name: "m", Column: "ratio", Own: query.Sum})
	if rows, _ := answer(t, spec, save(t, largest)); rows[0].Values[0].Fixed != query.TooLarge {
		t.Errorf("sum over the largest float: got %+v, want TooLarge", rows[0].Values[0])
	}
}

func TestCancellation(t *testing.T) {
	t.Parallel()
	db, err := open(t.Context(), settings{memory: 256 << 20, threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	defer db.close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err = db.query(ctx, "SELECT sum(a.range * b.range % 7) FROM range(10000000) a, range(10000000) b")
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 5*time.Second {
		t.Errorf("got %v after %v, want timed out at once", err, time.Since(start))
	}
	columns := []query.Column{tag1, money}
	err = Aggregate(ctx, simple(1, columns, nil, query.Measure{Own: query.Count}), save(t, table{columns: columns}), &bytes.Buffer{})
	if !fault.Is(err, fault.TimedOut) {
		t.Errorf("Aggregate: got %v, want timed out", err)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	columns := []query.Column{tag1, units}
	tb := table{columns: columns}
	for i := range 400_000 {
		tb.rows = append(tb.rows, []query.Value{text(fmt.Sprintf("a key of which there are very many: %d", i)), query.IntegerOf(1)})
	}
	files := save(t, tb)
	spec := simple(1, columns, []string{"Tag1"}, query.Measure{Column: "units", Own: query.Sum})
	spec.Limits.Memory = query.MinMemory
	if _, _, err := try(t, spec, files); !fault.Is(err, fault.TooLarge) {
		t.Errorf("memory: got %v, want too large", err)
	}
	spec.Limits = query.Limits{Memory: 512 << 20, Rows: 399_999}
	if _, _, err := try(t, spec, files); !fault.Is(err, fault.TooLarge) {
		t.Errorf("rows: got %v, want too large", err)
	}
	spec.Limits.Rows++
	if _, totals := answer(t, spec, files); totals.Rows != 400_000 {
		t.Errorf("within limits: got %d rows, want 400000", totals.Rows)
	}
}

// An instance reads its files and can do nothing else.
func TestInstanceIsLocked(t *testing.T) {
	t.Parallel()
	columns := []query.Column{tag1, money}
	files := save(t, table{columns: columns}, table{columns: columns})
	other := save(t, table{columns: columns})[0]
	db, err := open(t.Context(), settings{memory: 256 << 20, threads: threads, files: files[:1]})
	if err != nil {
		t.Fatal(err)
	}
	defer db.close()
	run := func(statement string) error {
		r, err := db.query(t.Context(), statement)
		if err == nil {
			r.close()
		}
		return err
	}
	for _, allowed := range []string{
		"SELECT * FROM read_parquet(" + list(files[:1]) + ")",
		"SELECT 1",
	} {
		if err := run(allowed); err != nil {
			t.Errorf("%s: %v", allowed, err)
		}
	}
	dir := filepath.Dir(files[0])
	for _, refused := range []string{
		"SELECT * FROM read_parquet(" + list(files[1:]) + ")", "SELECT * FROM read_parquet(" + list([]string{other}) + ")",
		"SELECT * FROM read_parquet('" + dir + "/*')", "SELECT * FROM read_text('/etc/passwd')", "SELECT * FROM read_blob('/proc/self/environ')",
		"SELECT * FROM glob('/etc/*')", "SELECT * FROM read_csv('" + dir + "/../../x')", "COPY (SELECT 1) TO '" + dir + "/out.csv'",
		"COPY (SELECT 1) TO '" + dir + "/out.parquet'", "ATTACH '" + dir + "/x.db'", "EXPORT DATABASE '" + dir + "/x'", "INSTALL httpfs", "LOAD httpfs",
		"SET enable_external_access = true", "SET allowed_paths = ['/etc/passwd']", "SET allowed_directories = ['/']", "SET lock_configuration = false",
		"RESET lock_configuration", "SET threads = 8", "SET memory_limit = '100GB'", "SET temp_directory = '/tmp'", "SET TimeZone = 'Asia/Tokyo'",
		"SELECT * FROM read_parquet('http://127.0.0.1/x')", "CREATE PERSISTENT SECRET s (TYPE http)",
	} {
		if err := run(refused); err == nil {
			t.Errorf("%s: was done", refused)
		}
	}
	for name, want := range map[string]string{
		"temp_directory": "", "lock_configuration": "true", "enable_external_access": "false", "autoinstall_known_extensions": "false",
		"autoload_known_extensions": "false", "TimeZone": "UTC", "threads": "2",
	} {
		if got := setting(t, db, name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func setting(t *testing.T, db *instance, name string) string {
	t.Helper()
	r, err := db.query(t.Context(), "SELECT CAST(current_setting('"+name+"') AS VARCHAR)")
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	var got string
	if err := r.chunks(t.Context(), []columnType{{id: bindings.TypeVarchar}}, func(_ int, columns []column) error {
		got = string(columns[0].text(0))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return got
}

// The program reads sealed memory files by descriptor.
func TestMainReadsMemoryFiles(t *testing.T) {
	t.Parallel()
	columns := []query.Column{tag1, money}
	var inputs []*os.File
	for i := range int64(12) { // so that one path begins with another
		fd, err := unix.MemfdCreate("accepted", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
		if err != nil {
			t.Fatal(err)
		}
		f := os.NewFile(uintptr(fd), "accepted")
		defer f.Close()
		if err := (table{columns: columns, rows: [][]query.Value{{text("x"), cents(i)}}}).write(f); err != nil {
			t.Fatal(err)
		}
		if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_WRITE|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL); err != nil {
			t.Fatal(err)
		}
		inputs = append(inputs, f)
	}
	spec := simple(12, columns, []string{"Tag1"}, query.Measure{Column: "Value", Own: query.Sum, Scale: 2})
	args, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Main(t.Context(), args, inputs, full, &out); err != nil {
		t.Fatal(err)
	}
	next := int64(0)
	if _, err := query.Read(&out, spec, func(r query.Row) error {
		if int64(r.Participant) != next || r.Values[0].Fixed != next {
			return fmt.Errorf("row %+v instead of participant %d", r, next)
		}
		next++
		return nil
	}); err != nil || next != 12 {
		t.Errorf("got %d rows, %v", next, err)
	}
	for _, bad := range []string{"", "{", "{}", `{"SQL":"select 1",` + string(args[1:])} {
		if err := Main(t.Context(), []byte(bad), inputs, full, &out); err == nil {
			t.Errorf("arguments %q: no error", bad)
		}
	}
}

func full() error { return nil }
