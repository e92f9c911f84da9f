//go:build linux && (amd64 || arm64)

package sandboxtest

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/duckdb/duckdb-go/v2"
	"github.com/parquet-go/parquet-go"

	"tributary/internal/fault"
	"tributary/internal/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Main(sandbox.Program{Name: "query", Main: query})
	os.Exit(m.Run())
}

// query opens an engine, runs the statement in Args, in which $1 stands for the
// path of the first input, and writes the first column of every row.
func query(ctx context.Context, c sandbox.Child) error {
	dsn := fmt.Sprintf("?threads=%d&temp_directory=&memory_limit=%dB", c.Limits.Threads, c.Limits.Memory/2)
	connector, err := duckdb.NewConnector(dsn, nil)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	statement := string(c.Args)
	if len(c.Inputs) > 0 {
		statement = strings.ReplaceAll(statement, "$1", "'"+c.Inputs[0].Name()+"'")
	}
	rows, err := db.QueryContext(ctx, statement)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var v any
		if err := rows.Scan(&v); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(c.Output, v); err != nil {
			return err
		}
	}
	return errors.Join(rows.Err(), db.Close())
}

type row struct {
	ID    int64   `parquet:"id"`
	Group string  `parquet:"group,dict"`
	Value float64 `parquet:"value"`
}

func table(t testing.TB, n int) *sandbox.Memory {
	t.Helper()
	var file bytes.Buffer
	w := parquet.NewGenericWriter[row](&file, parquet.Compression(&parquet.Zstd), parquet.MaxRowsPerRowGroup(50_000))
	rows := make([]row, n)
	for i := range rows {
		rows[i] = row{int64(i), fmt.Sprint("group ", i%7), float64(i) / 4}
	}
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return memory(t, file.Bytes())
}

func memory(t testing.TB, content []byte) *sandbox.Memory {
	t.Helper()
	m, err := sandbox.NewMemory("table")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	if _, err := m.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := m.Seal(); err != nil {
		t.Fatal(err)
	}
	return m
}

func atEachLevel(t *testing.T, test func(*testing.T, *sandbox.Box)) {
	t.Helper()
	best, missing := sandbox.Probe(t.Context())
	if best == "" {
		t.Fatal(missing)
	}
	for _, level := range []sandbox.Level{sandbox.Strict, sandbox.Reduced} {
		t.Run(string(level), func(t *testing.T) {
			if level == sandbox.Strict && best != sandbox.Strict {
				t.Skip(missing)
			}
			b, err := sandbox.New(sandbox.Config{Level: level})
			if err != nil {
				t.Fatal(err)
			}
			test(t, b)
		})
	}
}

func run(ctx context.Context, b *sandbox.Box, memory int64, statement string, inputs ...*sandbox.Memory) (string, error) {
	var out bytes.Buffer
	err := b.Run(ctx, sandbox.Job{Program: "query", Args: []byte(statement), Inputs: inputs, Limits: sandbox.Limits{
		Memory: memory, CPU: 30 * time.Second, Wall: 2 * time.Minute, Output: 1 << 20,
	}}, func(r io.Reader) error {
		_, err := out.ReadFrom(r)
		return err
	})
	return out.String(), err
}

func TestEngineWorksInside(t *testing.T) {
	t.Parallel()
	parquetFile := table(t, 300_000)
	csvFile := memory(t, []byte("a;b\n1;\"x\ny\"\n2;z\n"))
	cases := []struct {
		name, statement string
		input           *sandbox.Memory
		want            string
	}{
		{"parquet", `select "group" || ': ' || count(*) || ' ' || sum(value) from read_parquet($1) group by "group" order by 1 limit 2`, parquetFile,
			"group 0: 42858 1607169642.75\ngroup 1: 42857 1607105357.25\n"},
		{"join and sort", `select sum(x.id) from (select id from read_parquet($1) order by value desc limit 1000) x join read_parquet($1) y using (id)`,
			parquetFile, "299499500\n"},
		{"csv", `select sum(a) || max(b) from read_csv($1, delim=';', header=true)`, csvFile, "3z\n"},
		{"time zones", `select timezone('Europe/Berlin', timestamptz '2025-07-01 00:00:00+00')::varchar`, nil, "2025-07-01 02:00:00\n"},
		{"threads", `select current_setting('threads')`, nil, "2\n"},
		{"json", `select json_extract('{"a":[1,2]}', '$.a[1]')::varchar`, nil, "2\n"},
	}
	atEachLevel(t, func(t *testing.T, b *sandbox.Box) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				var inputs []*sandbox.Memory
				if c.input != nil {
					inputs = append(inputs, c.input)
				}
				got, err := run(t.Context(), b, 1<<30, c.statement, inputs...)
				if err != nil || got != c.want {
					t.Errorf("got %q, %v; want %q", got, err, c.want)
				}
			})
		}
	})
}

func TestEngineCannotGetOut(t *testing.T) {
	t.Parallel()
	input := table(t, 10)
	atEachLevel(t, func(t *testing.T, b *sandbox.Box) {
		for _, statement := range []string{
			`select content from read_text('/etc/passwd')`,
			`select count(*) from read_csv('/etc/passwd')`,
			`select file from glob('/etc/*') union all select error('nothing found')`,
			`select content from read_text('/proc/1/cmdline') union all select content from read_text('/proc/1/environ')`,
			`copy (select 1) to '/tmp/sandbox-was-here'`,
			`copy (select 1) to '/sandbox-was-here'`,
			`copy (select 1) to $1`,
			`attach '/tmp/sandbox-was-here.db' as x`,
			`export database '/tmp/sandbox-was-here'`,
			`install httpfs`,
			`load '/usr/lib/x86_64-linux-gnu/libc.so.6'`,
			`select * from read_csv('http://127.0.0.1/x')`,
		} {
			got, err := run(t.Context(), b, 1<<30, statement, input)
			// What does not exist may also be read as nothing.
			if err == nil && (got != "" || !strings.HasPrefix(statement, "select")) {
				t.Errorf("%s: got %q", statement, got)
			}
		}
	})
}

func TestEngineThatTakesTooMuchIsStopped(t *testing.T) {
	t.Parallel()
	atEachLevel(t, func(t *testing.T, b *sandbox.Box) {
		for _, statement := range []string{
			`select len(repeat(repeat('x', 1000000), 2000))`,
			`select len(list(repeat('x', 1000) || i)) from range(100000000) t(i)`,
		} {
			got, err := run(t.Context(), b, 512<<20, statement)
			if !fault.Is(err, fault.TooLarge) || !strings.Contains(fault.Message(err), "memory") {
				t.Errorf("%s: got %q, kind %q, %v; want kind %q", statement, got, fault.KindOf(err), err, fault.TooLarge)
			}
		}
	})
}

func BenchmarkEngineStart(b *testing.B) {
	input := table(b, 1000)
	for _, level := range []sandbox.Level{sandbox.Strict, sandbox.Reduced} {
		b.Run(string(level), func(b *testing.B) {
			box, err := sandbox.New(sandbox.Config{Level: level})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := run(b.Context(), box, 1<<30, `select count(*) from read_parquet($1)`, input); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
