package app_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"tributary/internal/account"
	"tributary/internal/analysis"
	"tributary/internal/audit"
	"tributary/internal/control"
	"tributary/internal/exchange"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
	"tributary/internal/notify"
)

// plan is a statement that a list's page is read by.
type plan struct {
	name string
	text string
	args []any
}

// pages are the first page and a later one of each order of a list.
func pages[T any](name string, l *meta.List[T], where *meta.Where, views ...meta.View) []plan {
	for _, c := range l.Columns {
		if c.Sort {
			views = append(views, meta.View{Sort: c.Name}, meta.View{Sort: "-" + c.Name})
		}
	}
	var list []plan
	for _, v := range views {
		statements, err := l.Statements(where, meta.Page{View: v})
		if err != nil {
			panic(err)
		}
		for i, s := range statements {
			list = append(list, plan{fmt.Sprintf("%s %+v %d", name, v, i), s.Text, s.Args})
		}
	}
	return list
}

// Each page of the lists that grow is read in the order of an index, so that it costs
// the same wherever it is.
func TestPagesAreReadInTheOrderOfAnIndex(t *testing.T) {
	t.Parallel()
	var none, one, ofResults, ofUsers meta.Where
	one.And("tenant = ?", "ten_a")
	ofResults.And("r.tenant = ?", "ten_a")
	ofUsers.And("u.tenant = ?", "ten_a")
	plans := pages("submissions", &exchange.SubmissionList, &none, meta.View{Filters: []string{"state:is:rejected"}}, meta.View{Filters: []string{"dataset:is:x"}})
	plans = append(plans, pages("submissions of one", &exchange.SubmissionList, &one)...)
	plans = append(plans, pages("results", &exchange.ResultList, &none)...)
	plans = append(plans, pages("results of one", &exchange.ResultList, &ofResults)...)
	plans = append(plans, pages("runs", &analysis.RunList, &none)...)
	plans = append(plans, pages("tenants", &control.TenantList, &none)...)
	plans = append(plans, pages("users", &account.UserList, &ofUsers)...)
	plans = append(plans, pages("audit", &audit.EntryList, &none)...)
	plans = append(plans, pages("mails", &notify.MailList, &none)...)
	plans = append(plans, pages("mails of one", &notify.MailList, &one)...)
	metatest.EachURL(t, func(t *testing.T, at string) {
		db, err := meta.Open(t.Context(), meta.Config{URL: at})
		if err != nil {
			t.Fatal(err)
		}
		explain := explainSQLite
		if strings.HasPrefix(at, "postgres") {
			explain = explainPostgres
		}
		how := explain(t, at)
		for _, p := range plans {
			steps := how(p)
			for _, unique := range []string{"u.email", "u.login", "t.slug"} { // the rows to sort by id are one
				if strings.Contains(steps, "Presorted Key: "+unique+"\n") {
					steps = strings.Replace(steps, "Incremental Sort  (", "", 1)
				}
			}
			if sorts := strings.Contains(steps, "TEMP B-TREE") || strings.Contains(steps, "Sort  ("); sorts || steps == "" {
				t.Errorf("%s: %s\n%s", p.name, p.text, steps)
			}
		}
		_ = db.Close()
	})
}

func explainSQLite(t *testing.T, at string) func(plan) string {
	t.Helper()
	db, err := sql.Open("sqlite", strings.TrimPrefix(at, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return func(p plan) string {
		text := strings.ReplaceAll(p.text, "$", "?")
		rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+text, p.args...)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		defer rows.Close()
		var steps []string
		for rows.Next() {
			var id, parent, unused int
			var step string
			if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
				t.Fatal(err)
			}
			steps = append(steps, step)
		}
		return strings.Join(steps, "\n")
	}
}

// explainPostgres asks for plans without sorting, which on empty tables would be
// cheapest: a plan that sorts all the same has no index to go by.
func explainPostgres(t *testing.T, at string) func(plan) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	for _, off := range []string{"enable_seqscan", "enable_bitmapscan", "enable_sort"} {
		if _, err := conn.Exec(t.Context(), "SET "+off+" = off"); err != nil {
			t.Fatal(err)
		}
	}
	return func(p plan) string {
		rows, err := conn.Query(t.Context(), "EXPLAIN "+p.text, append([]any{pgx.QueryExecModeSimpleProtocol}, p.args...)...)
		if err != nil {
			t.Fatalf("%s: %v", p.text, err)
		}
		steps, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatalf("%s: %v", p.text, err)
		}
		return strings.Join(steps, "\n")
	}
}
