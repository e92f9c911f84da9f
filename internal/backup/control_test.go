package backup

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"tributary/internal/meta"
)

// sample are control tables with every kind of value, and one without rows.
func sample(t testing.TB) (stream []byte, text string) {
	t.Helper()
	var b bytes.Buffer
	w := newControlWriter(&b)
	for _, table := range []struct {
		meta.Table
		rows [][]any
	}{
		{meta.Table{Name: "a", Columns: []string{"id", "n"}}, [][]any{{"x", int64(math.MinInt64)}, {"", nil}, {"Ω\n", 1.5}}},
		{meta.Table{Name: "empty", Columns: []string{"id"}}, nil},
		{meta.Table{Name: "z", Columns: []string{"b"}}, [][]any{{[]byte{}}, {[]byte{0, 255}}, {[]byte("R")}}},
	} {
		if err := w.table(table.Table); err != nil {
			t.Fatal(err)
		}
		text += fmt.Sprintf("%v;", table.Table)
		for _, row := range table.rows {
			if err := w.row(row); err != nil {
				t.Fatal(err)
			}
			text += fmt.Sprintf("%#v;", row)
		}
	}
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), text
}

func readAll(stream []byte) (text string, err error) {
	r, err := newControlReader(bytes.NewReader(stream))
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for {
		table, err := r.nextTable()
		if errors.Is(err, io.EOF) {
			return b.String(), nil
		}
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%v;", table)
		for {
			row, err := r.row()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return "", err
			}
			fmt.Fprintf(&b, "%#v;", row)
		}
	}
}

func TestControlTablesReadBackAsWritten(t *testing.T) {
	t.Parallel()
	stream, want := sample(t)
	if got, err := readAll(stream); err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	for i := range stream {
		if _, err := readAll(stream[:i]); err == nil {
			t.Errorf("cut at %d: got nil, want an error", i)
		}
	}
	if _, err := readAll(append(bytes.Clone(stream), 0)); err == nil {
		t.Error("a byte behind the end: got nil, want an error")
	}
	w := newControlWriter(io.Discard)
	if err := w.table(meta.Table{Name: "a", Columns: []string{"b"}}); err != nil {
		t.Fatal(err)
	}
	if err := w.row([]any{true}); err == nil {
		t.Error("a value that is none: got nil, want an error")
	}
}

func FuzzControlTables(f *testing.F) {
	stream, _ := sample(f)
	f.Add(stream)
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = readAll(b) })
}
