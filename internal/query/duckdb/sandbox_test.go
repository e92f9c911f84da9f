//go:build linux && (amd64 || arm64)

package duckdb

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"tributary/internal/fault"
	"tributary/internal/query"
	"tributary/internal/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Main(sandbox.Program{Name: query.ProgramName, Main: func(ctx context.Context, c sandbox.Child) error {
		return Main(ctx, c.Args, c.Inputs, c.Filled, c.Output)
	}}, sandbox.Program{Name: query.WarehouseProgram, Main: func(ctx context.Context, c sandbox.Child) error {
		return WarehouseMain(ctx, c.Args, c.Dir, c.Serve)
	}})
	m.Run()
}

// The engine does its work behind the walls, and its faults come through them.
func TestInTheSandbox(t *testing.T) {
	t.Parallel()
	best, err := sandbox.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	levels := []sandbox.Level{sandbox.Reduced}
	if best == sandbox.Strict {
		levels = append(levels, sandbox.Strict)
	}
	columns := []query.Column{tag1, money, ratio}
	var good bytes.Buffer
	tb := table{columns: columns}
	for i := range int64(1000) {
		tb.rows = append(tb.rows, []query.Value{text(fmt.Sprint("key ", i%3)), cents(i), query.FloatOf(0.1)})
	}
	if err := tb.write(&good); err != nil {
		t.Fatal(err)
	}
	bad := append([]byte("PAR1"), good.Bytes()[len(good.Bytes())/2:]...)
	for _, level := range levels {
		t.Run(string(level), func(t *testing.T) {
			t.Parallel()
			box, err := sandbox.New(sandbox.Config{Level: level})
			if err != nil {
				t.Fatal(err)
			}
			spec := simple(2, columns, []string{"Tag1"}, query.Measure{Column: "Value", Own: query.Sum, Scale: 2})
			floats := simple(2, columns, nil, query.Measure{Column: "ratio", Own: query.Mean, Scale: 3})
			totals, err := inSandbox(t, box, spec, good.Bytes(), good.Bytes())
			if err != nil || totals.Rows != 6 || totals.Scanned[1] != 1000 {
				t.Errorf("decimals: got %+v, %v; want 6 rows", totals, err)
			}
			if totals, err := inSandbox(t, box, floats, good.Bytes(), good.Bytes()); err != nil || totals.Rows != 2 {
				t.Errorf("floats: got %+v, %v; want 2 rows", totals, err)
			}
			if _, err := inSandbox(t, box, spec, good.Bytes(), bad); !fault.Is(err, fault.Damaged) || !strings.Contains(fault.Message(err), "participant 1") {
				t.Errorf("damaged file: got %v, want damaged that names participant 1", err)
			}
			spec.Limits.Rows = 5
			if _, err := inSandbox(t, box, spec, good.Bytes(), good.Bytes()); !fault.Is(err, fault.TooLarge) {
				t.Errorf("too many rows: got %v, want too large", err)
			}
		})
	}
}

// As many inputs as a job may have.
func TestThousandInputsInTheSandbox(t *testing.T) {
	t.Parallel()
	level, err := sandbox.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	box, err := sandbox.New(sandbox.Config{Level: level})
	if err != nil {
		t.Fatal(err)
	}
	columns := []query.Column{tag1, money}
	var file bytes.Buffer
	if err := (table{columns: columns, rows: [][]query.Value{{text("x"), cents(1)}, {text("y"), cents(1)}}}).write(&file); err != nil {
		t.Fatal(err)
	}
	spec := simple(1000, columns, []string{"Tag1"}, query.Measure{Column: "Value", Own: query.Sum, Scale: 2})
	files := make([][]byte, 1000)
	for i := range files {
		files[i] = file.Bytes()
	}
	if totals, err := inSandbox(t, box, spec, files...); err != nil || totals.Rows != 2000 {
		t.Errorf("got %+v, %v; want 2000 rows", totals.Rows, err)
	}
}

func inSandbox(t *testing.T, box *sandbox.Box, spec query.Spec, files ...[]byte) (totals query.Totals, err error) {
	t.Helper()
	args, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	job := sandbox.Job{
		Program: query.ProgramName, Args: args,
		Limits: sandbox.Limits{Memory: 2 << 30, CPU: time.Minute, Wall: time.Minute, Output: 1 << 20},
	}
	for _, content := range files {
		m, err := sandbox.NewMemory("accepted")
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if _, err := m.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := m.Seal(); err != nil {
			t.Fatal(err)
		}
		job.Inputs = append(job.Inputs, m)
	}
	err = box.Run(t.Context(), job, func(r io.Reader) error {
		totals, err = query.Read(r, spec, func(query.Row) error { return nil })
		return err
	})
	return totals, err
}

// The warehouse's owner lives behind the walls; killed, it has lost nothing of what it answered.
func TestAWarehouseInTheSandbox(t *testing.T) {
	t.Parallel()
	best, err := sandbox.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, level := range []sandbox.Level{best, sandbox.Reduced} {
		box, err := sandbox.New(sandbox.Config{Level: level})
		if err != nil {
			t.Fatal(err)
		}
		args, err := json.Marshal(query.Warehouse{Migrations: steps, Memory: 256 << 20, Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		job := sandbox.LiveJob{Program: query.WarehouseProgram, Args: args, Dir: t.TempDir(), Memory: 1 << 30, Threads: 2}
		live := box.Live(job)
		do := func(r query.Request) (string, error) {
			wire, err := query.EncodeRequest(r)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			err = live.Do(t.Context(), wire, func(r io.Reader) error {
				_, err := query.ReadAnswer(r, 1<<20, query.Into{Row: func(row [][]byte) error {
					fmt.Fprintf(&got, "%s\n", bytes.Join(row, []byte("|")))
					return nil
				}})
				return err
			})
			return got.String(), err
		}
		loading := query.Request{Transact: &query.Transact{Rows: []*query.Rows{factRows("acme", 0, 3000)}, Statements: []query.Statement{
			{SQL: "INSERT INTO fact SELECT * FROM stage"}, {SQL: "SELECT count(*)::VARCHAR FROM fact"},
		}}}
		asking := query.Request{Select: &query.Select{Statement: query.Statement{SQL: "SELECT count(*), max(n) FROM fact"}, Tables: []string{"fact"}, Rows: 10, Bytes: 1 << 20}}
		for i := range 3 {
			if got, err := do(loading); err != nil || got != "3000\n" {
				t.Errorf("%s: round %d: got %q, %v; want 3000 rows", level, i, got, err)
			}
			if got, err := do(asking); err != nil || got != "3000|-1\n" {
				t.Errorf("%s: round %d: got %q, %v", level, i, got, err)
			}
			if i == 1 {
				continue
			}
			ctx, kill := context.WithCancel(t.Context())
			kill()
			if err := live.Close(ctx); err != nil && !fault.Is(err, fault.Cancelled) {
				t.Errorf("%s: kill: %v", level, err)
			}
			live = box.Live(job)
		}
		asking.Select.SQL = "SELECT * FROM read_text('/etc/passwd')"
		if _, err := do(asking); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v, want that it is refused", level, err)
		}
		if err := live.Close(t.Context()); err != nil {
			t.Errorf("%s: close: %v", level, err)
		}
	}
}
