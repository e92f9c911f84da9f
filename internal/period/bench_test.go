package period_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"tributary/internal/analysis"
	"tributary/internal/audit"
	"tributary/internal/clock"
	"tributary/internal/control"
	"tributary/internal/exchange"
	"tributary/internal/job"
	"tributary/internal/keys"
	"tributary/internal/keys/keystest"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
	"tributary/internal/notify"
	"tributary/internal/period"
	"tributary/internal/policy"
	"tributary/internal/tenant"
	"tributary/internal/vault"
)

// bench is a calendar over real stores, whose clock stands still, and to which
// submissions come without their bytes.
type bench struct {
	*period.Calendar
	policy  *policy.Engine
	now     time.Time
	tenants []control.Tenant
	sent    int
}

func newBench(tb testing.TB, db *meta.DB) *bench {
	tb.Helper()
	b := &bench{now: at("2026-03-10T12:00:00Z")}
	c := clock.Clock{NowFunc: func() time.Time { return b.now }}
	kek, secrets := keystest.New(tb, c)
	engine, err := policy.New(policy.Config{Clock: c})
	check(tb, err)
	b.policy = engine
	ctl := control.New(control.Config{DB: db, Policy: b.policy, Clock: c})
	ring, err := keys.NewRing(keys.Config{KEK: kek, Store: ctl, Clock: c, Secrets: secrets})
	check(tb, err)
	log := audit.New(audit.Config{DB: db, Keys: ring, Clock: c})
	ctl.SetKeys(ring)
	ctl.SetAudit(log)
	jobs := job.New(job.Config{DB: db, Clock: c})
	x := exchange.New(exchange.Config{DB: db, Vault: vault.New(vault.Config{DB: db, Keys: ring, Clock: c}), Tenants: ctl, Policy: b.policy, Audit: log, Jobs: jobs, Keys: ring, Clock: c})
	a := analysis.New(analysis.Config{DB: db, Exchange: x, Control: ctl, Policy: b.policy, Audit: log, Jobs: jobs, Keys: ring, Clock: c, Version: "test"})
	notices := notify.New(notify.Config{DB: db, Keys: ring, Audit: log, Clock: c})
	notices.SetPeople(admins{})
	b.Calendar = period.New(period.Config{DB: db, Exchange: x, Analyses: a, Control: ctl, Notices: notices, Clock: c})
	return b
}

// admins are one person at every tenant.
type admins struct{}

func (admins) UnscopedPeople(_ context.Context, _ *meta.DB, id tenant.ID) ([]notify.Person, error) {
	return []notify.Person{{ID: "usr_" + string(id), Email: "admin@example.com", Role: policy.TenantAdmin}}, nil
}

func each(t *testing.T, f func(t *testing.T, b *bench)) {
	t.Helper()
	metatest.Each(t, func(t *testing.T, db *meta.DB) {
		t.Parallel()
		f(t, newBench(t, db))
	})
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

// join makes tenants of organisations of their own; their slugs sort as they came.
func (b *bench) join(tb testing.TB, n int) {
	tb.Helper()
	for range n {
		k := len(b.tenants)
		made, err := b.Control.UnscopedOnboard(tb.Context(), "usr_admin", fmt.Sprint("key", k), control.NewTenant{
			Slug: fmt.Sprintf("t%04d", k), Name: fmt.Sprint("Tenant ", k), Organisation: fmt.Sprint("Org ", k), ExternalIDs: []string{fmt.Sprintf("%06d", k)}, Tier: tenant.Basic})
		check(tb, err)
		b.tenants = append(b.tenants, made)
	}
}

func (b *bench) scope(tb testing.TB, n int) tenant.Scope {
	tb.Helper()
	s, err := b.policy.Scope(tb.Context(), policy.Principal{Credential: b.Clock.ID("key"), Kind: policy.APIKey, Tenant: b.tenants[n].ID,
		Role: policy.TenantAdmin, VerifiedAt: b.now})
	check(tb, err)
	return s
}

// dataset applies a contract with this cadence and due time.
func (b *bench) dataset(tb testing.TB, name, time string) {
	tb.Helper()
	_, _, err := b.Exchange.UnscopedApplyDataset(tb.Context(), "usr_admin", []byte(
		"dataset: "+name+"\ncolumns: [{name: Tag, type: text, required: true}, {name: Value, type: integer}]\n"+time+"\n"))
	check(tb, err)
}

// analysis applies one that uses a dataset.
func (b *bench) analysis(tb testing.TB, name, dataset string) {
	tb.Helper()
	_, _, err := b.Analyses.UnscopedApply(tb.Context(), "usr_admin", []byte(
		"analysis: "+name+"\ndatasets: ["+dataset+"]\ngroups: [Tag]\nmeasures: [{name: Value, function: sum, column: Value, decimals: 0}]\n"))
	check(tb, err)
}

func (b *bench) decide(tb testing.TB, name string, d analysis.Decision, tenants ...int) {
	tb.Helper()
	for _, n := range tenants {
		_, err := b.Analyses.Decide(tb.Context(), b.scope(tb, n), name, 0, d)
		check(tb, err)
	}
}

// came records that a tenant's file arrived, and what became of it.
func (b *bench) came(tb testing.TB, n int, dataset, date string, received time.Time, state exchange.State) {
	tb.Helper()
	b.sent++
	var validated, errors *int64
	if state != exchange.Received && state != exchange.Validating {
		zero, when := int64(0), meta.Micros(received)
		if state == exchange.Rejected {
			zero = 1
		}
		validated, errors = &when, &zero
	}
	_, err := b.DB.For(b.tenants[n].ID).Exec(tb.Context(), `
		INSERT INTO submissions (id, tenant, dataset, dataset_version, date, revision, state, name, channel, size, object, accepted_object, commitment, received_at, validated_at, error_count, submitted_by)
		VALUES ($1, $2, $3, 1, $4, $5, $6, $7, 'api', 1, 'o', 'a', $7, $8, $9, $10, 'usr_1')`,
		fmt.Sprintf("sub_%05d", b.sent), string(b.tenants[n].ID), dataset, date, int64(b.sent), string(state), []byte("x"), meta.Micros(received), validated, errors)
	check(tb, err)
}

// table is a list in short: dataset, period, slug and state of each line.
func table(list []period.Status) string {
	var b strings.Builder
	for _, s := range list {
		fmt.Fprintf(&b, "%s %s %s %s\n", s.Dataset, s.Date, s.Slug, s.State)
	}
	return b.String()
}

// all is a whole list of the provider's, read in pages of a size.
func (b *bench) all(tb testing.TB, f period.Filter, size int) []period.Status {
	tb.Helper()
	var all []period.Status
	for page := (meta.Page{Limit: size}); ; {
		list, next, err := b.UnscopedStatuses(tb.Context(), f, page)
		check(tb, err)
		if all = append(all, list...); next == "" {
			return all
		}
		page.After = next
	}
}
