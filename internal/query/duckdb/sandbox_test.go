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
