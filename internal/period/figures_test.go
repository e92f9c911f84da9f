package period_test

import (
	"fmt"
	"testing"
	"time"

	"tributary/internal/exchange"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
	"tributary/internal/span"
	"tributary/internal/tenant"
)

// exec runs a statement on a tenant's rows.
func (b *bench) exec(tb testing.TB, n int, query string, args ...any) {
	tb.Helper()
	_, err := b.DB.For(b.tenants[n].ID).Exec(tb.Context(), query, args...)
	check(tb, err)
}

func TestFiguresOfTenants(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		b.dataset(t, "values", `cadence: daily
due: {after_days: 1, at: "09:00", zone: UTC, grace: 1h}`)
		b.analysis(t, "sums", "values")
		b.join(t, 3)
		b.now = at("2026-03-01T00:00:00Z")
		b.decide(t, "sums", "accepted", 0, 1)
		b.now = at("2026-03-10T12:00:00Z") // 9 March was due today at 9 and is missing; 10 March is open
		b.came(t, 0, "values", "2026-03-09", at("2026-03-10T08:00:00Z"), exchange.Accepted)
		b.came(t, 0, "values", "2026-03-08", at("2026-03-09T08:00:00Z"), exchange.Rejected)
		b.came(t, 0, "values", "2026-01-08", at("2026-01-09T08:00:00Z"), exchange.Rejected)
		b.came(t, 1, "values", "2026-03-07", at("2026-03-08T08:00:00Z"), exchange.Superseded)
		for n, done := range []string{"", "", "sub_1"} {
			b.exec(t, 1, `INSERT INTO uploads (id, tenant, channel, name, name_key, submission, created_at, changed_at, created_by) VALUES ($1, $2, 'web', $3, $3, $4, 1, 1, 'usr_1')`,
				fmt.Sprint("upl_", n), string(b.tenants[1].ID), []byte("x"), done)
		}
		for n, bytes := range []int64{5, 7} {
			b.exec(t, 0, `INSERT INTO vault_objects (id, tenant, store, kind, version, blob_key, size, sealed_size, digest, commitment, created_at, created_by)
				VALUES ($1, $2, 'input', 'file', 1, $1, 1, $3, $4, $4, 1, 'usr_1')`, fmt.Sprint("obj_", n), string(b.tenants[0].ID), bytes, []byte("x"))
		}
		ids := []tenant.ID{b.tenants[0].ID, b.tenants[1].ID, b.tenants[2].ID}
		got, err := b.Exchange.UnscopedActivity(ctx, ids, b.now.AddDate(0, 0, -30))
		check(t, err)
		missing, err := b.UnscopedMissing(ctx, "")
		check(t, err)
		for n, want := range []string{"2026-03-10T08:00:00Z 1 rejected 0 uploads 12 bytes 0 missing", "2026-03-08T08:00:00Z 0 rejected 2 uploads 0 bytes 1 missing", "never 0 rejected 0 uploads 0 bytes 0 missing"} {
			a, last := got[ids[n]], "never"
			if a.LastSubmission != nil {
				last = a.LastSubmission.Format(time.RFC3339)
			}
			if said := fmt.Sprintf("%s %d rejected %d uploads %d bytes %d missing", last, a.Rejected, a.OpenUploads, a.Stored, missing[ids[n]]); said != want {
				t.Errorf("tenant %d: got %s, want %s", n, said, want)
			}
		}
		one, err := b.UnscopedMissing(ctx, ids[1])
		check(t, err)
		if len(one) != 1 || one[ids[1]] != 1 {
			t.Errorf("missing of one tenant: got %v", one)
		}
		if none, err := b.Exchange.UnscopedActivity(ctx, nil, b.now); err != nil || len(none) != 0 {
			t.Errorf("of no tenants: got %v, %v", none, err)
		}
	})
}

func TestFilesThatCameAreCounted(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.dataset(t, "values", "cadence: daily")
		b.dataset(t, "others", "cadence: daily")
		b.join(t, 2)
		b.came(t, 0, "values", "2026-03-01", at("2026-03-08T23:30:00Z"), exchange.Accepted) // in Berlin the next day
		b.came(t, 0, "values", "2026-03-02", at("2026-03-09T08:00:00Z"), exchange.Rejected)
		b.came(t, 1, "values", "2026-03-02", at("2026-03-09T22:59:59Z"), exchange.Superseded)
		b.came(t, 1, "others", "2026-03-02", at("2026-03-10T11:00:00Z"), exchange.Received)
		b.came(t, 1, "others", "2026-03-03", at("2026-03-10T11:00:00Z"), exchange.Withdrawn)
		b.came(t, 1, "others", "2026-02-03", at("2026-02-10T11:00:00Z"), exchange.Accepted)
		s, err := span.Resolve(b.now, span.Query{From: "2026-03-08", To: "2026-03-10", Zone: "Europe/Berlin"})
		check(t, err)
		for _, c := range []struct{ by, want string }{
			{"", "[1  3 2 1 0 0 3][2  2 0 0 1 1 2]"},
			{"dataset", "[1 values 3 2 1 0 0 3][2 others 2 0 0 1 1 2]"},
			{"channel", "[1 api 3 2 1 0 0 3][2 api 2 0 0 1 1 2]"},
		} {
			if got := b.received(t, s, c.by, ""); got != c.want {
				t.Errorf("by %q: got %s, want %s", c.by, got, c.want)
			}
		}
		if got, want := b.received(t, s, "", b.tenants[0].ID), "[1  2 1 1 0 0 2]"; got != want {
			t.Errorf("of one tenant: got %s, want %s", got, want)
		}
		if _, err := b.Exchange.UnscopedReceived(t.Context(), s, "name", ""); err == nil {
			t.Error("files were counted by name")
		}
	})
}

func (b *bench) received(t *testing.T, s span.Span, by string, id tenant.ID) string {
	t.Helper()
	found, err := b.Exchange.UnscopedReceived(t.Context(), s, by, id)
	check(t, err)
	said := ""
	for _, r := range found {
		said += fmt.Sprint([]any{r.Bucket, r.By, r.Files, r.Accepted, r.Rejected, r.Withdrawn, r.Undecided, r.Bytes})
	}
	return said
}

// A thousand tenants are asked about in pages of the most that one has.
func TestFiguresOfAThousandTenants(t *testing.T) {
	t.Parallel()
	many := 1000
	if testing.Short() {
		many = 50
	}
	b := newBench(t, metatest.Open(t, metatest.SQLite(t)))
	b.dataset(t, "values", `cadence: daily
due: {after_days: 1, at: "09:00", zone: UTC}`)
	b.join(t, many)
	var ids []tenant.ID
	for n, made := range b.tenants {
		ids = append(ids, made.ID)
		b.came(t, n, "values", "2026-03-06", at("2026-03-07T08:00:00Z"), exchange.Accepted)
	}
	var rows int64
	check(t, b.DB.Unscoped().QueryRow(t.Context(), `SELECT count(*) FROM submissions`).Scan(&rows))
	missing, err := b.UnscopedMissing(t.Context(), "")
	check(t, err)
	for page := 0; page < many; page += 500 {
		part := ids[page:min(page+500, many)]
		got, err := b.Exchange.UnscopedActivity(t.Context(), part, b.now)
		check(t, err)
		for _, id := range part {
			if a := got[id]; a.LastSubmission == nil || meta.Micros(*a.LastSubmission) != meta.Micros(at("2026-03-07T08:00:00Z")) || missing[id] == 0 {
				t.Fatalf("tenant %s: got %+v, %d missing", id, a, missing[id])
			}
		}
	}
}
