package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tributary/client"
	"tributary/internal/meta/metatest"
)

// Of the row lists.
const (
	listRows  = 100_000
	smallRows = 1_000
	pageSize  = 25  // as the portals ask for if nobody chooses
	deepPage  = 200 // where the list has so many
	// Of the median, to that of the small installation: of a page that an index leads to, and of staff's search of
	// sealed names, which reads and opens 5,000 for a page where the small one has 1,000.
	pageFloor, searchFloor = 3.0, 15.0
	openedAtMost           = 5_000
	perQuestion            = 40
	pace                   = 5 * time.Millisecond // below the rates at which requests are refused
)

// question is what a list is asked for, again and again.
type question struct {
	name   string
	staff  bool
	list   string
	view   client.View
	deep   bool
	none   bool // that nothing is found is right
	sealed bool // the names of rows are opened
	scans  bool // no index leads to the few rows that pass, and all are looked at
}

// questions are those of issue and portal: the same for staff and for the tenant with most.
func questions() []*question {
	var all []*question
	for _, staff := range []bool{true, false} {
		for _, q := range []question{
			{name: "first page", list: "submissions"},
			{name: "page 200", list: "submissions", deep: true},
			{name: "state is rejected", list: "submissions", view: client.View{Filters: []string{"state:is:rejected"}}},
			{name: "the rejected, by size", list: "submissions", view: client.View{Filters: []string{"state:is:rejected"}, Sort: "-size"}, scans: true},
			{name: "a channel that no file came by", list: "submissions", view: client.View{Filters: []string{"channel:is:sftp"}}, none: true, scans: true},
			{name: "by size", list: "submissions", view: client.View{Sort: "-size"}},
			{name: "search, 1 name in 1,000", list: "submissions", view: client.View{Search: needle}, sealed: true, none: true},
			{name: "search, nothing", list: "submissions", view: client.View{Search: "haystack"}, sealed: true, none: true},
			{name: "first page", list: "results"},
			{name: "page 200", list: "results", deep: true},
			{name: "by date", list: "results", view: client.View{Sort: "date"}},
			{name: "the recalled, of which there are none", list: "results", view: client.View{Filters: []string{"state:is:recalled"}}, none: true, scans: true},
			{name: "search, 1 name in 1,000", list: "results", view: client.View{Search: needle}, sealed: true, none: true},
			{name: "search, nothing", list: "results", view: client.View{Search: "haystack"}, sealed: true, none: true},
			{name: "first page", list: "audit"},
			{name: "page 200", list: "audit", deep: true},
			{name: "one verb", list: "audit", view: client.View{Filters: []string{"verb:is:result.read"}}, scans: !staff},
			{name: "search, one verb", list: "audit", view: client.View{Search: "result.read"}},
			{name: "search, nothing", list: "audit", view: client.View{Search: "haystack"}, none: true, scans: true},
		} {
			q.staff = staff
			all = append(all, &q)
		}
	}
	return all
}

// asked is an installation that is asked: its server, and a session of each kind.
type asked struct {
	*server
	staff, tenant *client.Client
	opening       time.Duration        // of openedAtMost names, by nothing but the keys
	after         map[*question]string // the cursors of the deep pages
	took          map[*question][]time.Duration
}

// lists asks for pages of long lists, and in turn for the same pages of an installation
// with a hundredth of the rows.
func (b *bench) lists(ctx context.Context) error {
	rows := listRows
	if b.quick {
		rows /= 10
	}
	kinds := []string{"sqlite"}
	if _, err := metatest.Server(); err != nil {
		b.printf("without PostgreSQL: %v\n", err)
	} else {
		kinds = append(kinds, "postgres")
	}
	for _, kind := range kinds {
		if err := b.listsOn(ctx, kind, rows); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	return nil
}

func (b *bench) listsOn(ctx context.Context, kind string, rows int) (err error) {
	var both []*asked
	for i, n := range []int{rows, smallRows} {
		a, err := b.installation(ctx, fmt.Sprintf("lists-%s-%d", kind, n), kind, n)
		if err != nil {
			return err
		}
		defer func() { _ = a.kill() }() // nothing of it is wanted
		if i == 0 {
			b.printf("%s: %d submissions, results and audit entries each of %d tenants, %d of them of one; pages of %d; beside an installation with %d\n", kind, n, listTenants, n/big, pageSize, smallRows)
		}
		both = append(both, a)
	}
	all := questions()
	for round := range perQuestion + 3 {
		for _, q := range all {
			for _, a := range both {
				took, err := a.ask(ctx, q)
				if err != nil {
					return fmt.Errorf("%s of %s: %w", q.name, q.list, err)
				}
				if round >= 3 { // what comes before warms up
					a.took[q] = append(a.took[q], took)
				}
			}
		}
	}
	pages, searches := 0.0, 0.0
	for _, q := range all {
		who := "a tenant"
		if q.staff {
			who = "staff"
		}
		large, small := both[0].took[q], both[1].took[q]
		slices.Sort(large)
		slices.Sort(small)
		ratio := float64(percentile(large, 50)) / float64(percentile(small, 50))
		note := ""
		switch {
		case q.scans:
			note = " (looks at all rows that the others leave)"
		case q.sealed:
			opening := float64(percentile(large, 50)) / float64(both[0].opening)
			if q.staff {
				searches = max(searches, ratio)
			}
			note = fmt.Sprintf("; %.2f of opening %d names", opening, min(openedAtMost, rows))
		default:
			pages = max(pages, ratio)
		}
		b.printf("  %-8s  %-11s  %-38s p50 %8s, p95 %8s; of %d rows p50 %8s; ratio %.2f%s\n",
			who, q.list, q.name, millis(percentile(large, 50)), millis(percentile(large, 95)), smallRows, millis(percentile(small, 50)), ratio, note)
	}
	b.floor(pages <= pageFloor, "%s: a page of %d rows that an index leads to costs at most %.2f times one of %d; floor %.0f", kind, rows, pages, smallRows, pageFloor)
	b.floor(searches <= searchFloor, "%s: a page of staff's search of sealed names costs at most %.2f times one of %d; floor %.0f", kind, searches, smallRows, searchFloor)
	return nil
}

func (b *bench) installation(ctx context.Context, name, kind string, rows int) (*asked, error) {
	database := ""
	if kind == "postgres" {
		var err error
		if database, err = metatest.Schema(ctx, fmt.Sprintf("bench_%d", rows)); err != nil {
			return nil, err
		}
	}
	s, err := b.newStoreOn(ctx, name, database)
	if err != nil {
		return nil, err
	}
	f, err := b.fill(ctx, s, rows)
	if err != nil {
		return nil, err
	}
	p, err := b.start(ctx, s)
	if err != nil {
		return nil, err
	}
	a := &asked{server: p, opening: f.opening, after: map[*question]string{}, took: map[*question][]time.Duration{}}
	a.staff, err = p.signedIn(ctx, adminEmail, adminPassword)
	if err == nil {
		a.tenant, err = p.signedIn(ctx, f.login, own)
	}
	if err != nil {
		return nil, errors.Join(err, p.kill())
	}
	return a, nil
}

// signedIn is a client with a session, as people have.
func (p *server) signedIn(ctx context.Context, login, password string) (*client.Client, error) {
	stranger, err := p.client("")
	if err != nil {
		return nil, err
	}
	s, err := stranger.SignIn(ctx, client.SignIn{Login: login, Password: password})
	if err != nil {
		return nil, err
	}
	return p.client(s.Token)
}

// ask asks one question and checks that what comes is an answer.
func (a *asked) ask(ctx context.Context, q *question) (time.Duration, error) {
	if q.deep && a.after[q] == "" {
		after, err := a.deep(ctx, q)
		if err != nil {
			return 0, err
		}
		a.after[q] = after
	}
	time.Sleep(pace)
	began := time.Now()
	n, _, err := a.page(ctx, q, client.Page{Limit: pageSize, After: a.after[q]})
	took := time.Since(began)
	if err == nil && n == 0 && !q.none {
		err = errors.New("the page is empty")
	}
	return took, err
}

// deep is the cursor of page 200, or of the last whole one.
func (a *asked) deep(ctx context.Context, q *question) (string, error) {
	before := ""
	for range deepPage - 1 {
		n, next, err := a.page(ctx, q, client.Page{Limit: pageSize, After: before})
		if err != nil || next == "" || n < pageSize {
			return before, err
		}
		before = next
		time.Sleep(pace)
	}
	return before, nil
}

func (a *asked) page(ctx context.Context, q *question, p client.Page) (int, string, error) {
	c := a.tenant
	if q.staff {
		c = a.staff
	}
	of := client.TenantPage{Page: p}
	switch q.list {
	case "submissions":
		return counted(c.Submissions(ctx, client.SubmissionFilter{TenantPage: of, View: q.view}))
	case "results":
		return counted(c.Results(ctx, client.ResultFilter{TenantPage: of, View: q.view}))
	}
	return counted(c.AuditEntries(ctx, client.AuditFilter{TenantPage: of, View: q.view}))
}

func counted[T any](l client.List[T], err error) (int, string, error) {
	return len(l.Items), l.Next, err
}
