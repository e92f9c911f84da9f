package analysis_test

import (
	"strings"
	"testing"

	"tributary/internal/analysis"
	"tributary/internal/fault"
)

func TestRowsAreThoseOfTheFile(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.released(t, "")
		id := b.result(t, 0).ID
		scope := b.scope(t, 0)
		read := func() int64 { return b.entries(t, "result.read", string(b.tenants[0].ID), id) }
		before := read()

		whole, err := b.Rows(t.Context(), scope, id, "", analysis.MaxRows)
		check(t, err)
		if whole.Next != "" || len(whole.Rows) < 2 {
			t.Fatalf("%d rows, next %q, want all of them", len(whole.Rows), whole.Next)
		}
		var lines, roles []string
		for _, c := range whole.Columns {
			roles = append(roles, string(c.Role))
		}
		if got, want := strings.Join(roles, " "), "date group group measure id own"; got != want {
			t.Errorf("roles = %s, want %s", got, want)
		}
		if m := whole.Columns[3]; m.Function != "mean" || m.Measure != m.Name || m.Words == "" || whole.Columns[5].Measure != m.Name {
			t.Errorf("measure = %+v, own %+v", m, whole.Columns[5])
		}
		lines = append(lines, names(whole.Columns))
		for _, row := range whole.Rows {
			lines = append(lines, line(row))
		}
		if got, want := strings.Join(lines, "\n")+"\n", b.received(t, 0)[0]; got != want {
			t.Errorf("rows = %q, want the file %q", got, want)
		}
		if got := read() - before; got != 2 { // the page, and the file just now
			t.Errorf("%d entries, want 2", got)
		}

		// By pages of one row it is the same.
		var after string
		for n, want := range whole.Rows {
			page, err := b.Rows(t.Context(), scope, id, after, 1)
			check(t, err)
			if len(page.Rows) != 1 || line(page.Rows[0]) != line(want) || (page.Next == "") != (n == len(whole.Rows)-1) {
				t.Fatalf("page %d = %v, next %q, want %s", n, page.Rows, page.Next, line(want))
			}
			after = page.Next
		}
		for _, cursor := range []string{"x", "-1", "0", "3", "999999", "9223372036854775807"} {
			if _, err := b.Rows(t.Context(), scope, id, cursor, 1); !fault.Is(err, fault.Invalid) {
				t.Errorf("cursor %s: %v, want invalid", cursor, err)
			}
		}
		if _, err := b.Rows(t.Context(), b.scope(t, 1), id, "", 1); !fault.Is(err, fault.NotFound) {
			t.Errorf("another tenant: %v, want not found", err)
		}
	})
}

func TestAResultNamesItsOwnFiles(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		run := b.released(t, "")
		r, inputs, err := b.Result(t.Context(), b.scope(t, 0), b.result(t, 0).ID)
		check(t, err)
		if r.Version != run.Version || len(inputs) != 1 || inputs[0].Tenant != b.tenants[0].ID || inputs[0].Submission == "" {
			t.Errorf("version %d, inputs %+v, want version %d and one file of its own", r.Version, inputs, run.Version)
		}
		check(t, ignore(b.UnscopedRecall(t.Context(), "usr_admin", run.ID, "wrong")))
		if _, err := b.Rows(t.Context(), b.scope(t, 0), r.ID, "", 1); !fault.Is(err, fault.Conflict) {
			t.Errorf("rows of what was recalled: %v, want a conflict", err)
		}
	})
}

func ignore[T any](_ T, err error) error { return err }

func names(columns []analysis.RowColumn) string {
	var list []string
	for _, c := range columns {
		list = append(list, c.Name)
	}
	return strings.Join(list, ",")
}

func line(row []*string) string {
	var list []string
	for _, v := range row {
		if v == nil {
			v = new(string)
		}
		list = append(list, *v)
	}
	return strings.Join(list, ",")
}
