package exchange_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tributary/internal/audit"
	"tributary/internal/blob/disk"
	"tributary/internal/clock"
	"tributary/internal/control"
	"tributary/internal/exchange"
	"tributary/internal/exchange/parse"
	"tributary/internal/job"
	"tributary/internal/keys"
	"tributary/internal/keys/keystest"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
	"tributary/internal/policy"
	"tributary/internal/sandbox"
	"tributary/internal/tenant"
	"tributary/internal/vault"
)

func TestMain(m *testing.M) {
	sandbox.Main(parse.Program(), parse.PreviewProgram())
	os.Exit(m.Run())
}

const date = "2022-09-23"

// bench is an exchange whose queue the test turns, with tenants A and B.
type bench struct {
	*exchange.Exchange
	control *control.Control
	jobs    *job.Queue
	tenants []control.Tenant
	late    atomic.Int64              // how far the clock is ahead while it goes
	stopped atomic.Pointer[time.Time] // what the server's clock shows; nil: it goes
}

// stop has the server's clock show a time, until it is stopped at another.
func (b *bench) stop(at time.Time) { b.stopped.Store(&at) }

func (b *bench) now() time.Time {
	if at := b.stopped.Load(); at != nil {
		return *at
	}
	return time.Now().Add(time.Duration(b.late.Load()))
}

func newBench(t *testing.T, db *meta.DB) *bench {
	t.Helper()
	b := &bench{}
	c := clock.Clock{NowFunc: b.now}
	kek, secrets := keystest.New(t, c)
	pol, err := policy.New(policy.Config{Clock: c})
	check(t, err)
	ctl := control.New(control.Config{DB: db, Policy: pol, Clock: c})
	ring, err := keys.NewRing(keys.Config{KEK: kek, Store: ctl, Clock: c, Secrets: secrets})
	check(t, err)
	log := audit.New(audit.Config{DB: db, Keys: ring, Clock: c})
	ctl.SetKeys(ring)
	ctl.SetAudit(log)
	blobs, err := disk.New(filepath.Join(t.TempDir(), "objects"), c)
	check(t, err)
	t.Cleanup(func() { check(t, blobs.Close()) })
	level, err := sandbox.Probe(t.Context())
	if level == "" {
		t.Fatal(err)
	}
	box, err := sandbox.New(sandbox.Config{Level: level, Clock: c})
	check(t, err)
	b.control, b.jobs = ctl, job.New(job.Config{DB: db, Clock: c, Workers: 2, Poll: 5 * time.Millisecond})
	b.Exchange = exchange.New(exchange.Config{DB: db, Vault: vault.New(vault.Config{DB: db, Blobs: blobs, Keys: ring, Clock: c}), Tenants: ctl,
		Policy: pol, Audit: log, Jobs: b.jobs, Sandbox: box, Keys: ring, Clock: c, Uploads: 2})
	for n := range 2 {
		made, err := ctl.UnscopedOnboard(t.Context(), "usr_admin", fmt.Sprint("key", n), control.NewTenant{
			Slug: fmt.Sprintf("tenant-%d", n+1), Name: fmt.Sprint("Tenant ", n+1), Organisation: fmt.Sprint("Org ", n+1),
			ExternalIDs: []string{fmt.Sprintf("%06d", n+1)}, Tier: tenant.Basic})
		check(t, err)
		b.tenants = append(b.tenants, made)
	}
	b.apply(t, dataset)
	return b
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func each(t *testing.T, f func(t *testing.T, b *bench)) {
	t.Helper()
	metatest.Each(t, func(t *testing.T, db *meta.DB) {
		t.Parallel()
		f(t, newBench(t, db))
	})
}

const dataset = `dataset: tagged-values
title: Tagged values
csv: {delimiter: ",", header: true}
columns:
  - {name: Date, type: date, format: YYYYMMDD, role: business_date}
  - {name: ClientID, type: text, role: participant}
  - {name: Tag1, type: text, required: true, max_length: 64}
  - {name: Value, type: decimal, scale: 2, required: true}
unique: [Tag1]
`

func (b *bench) apply(t *testing.T, text string) (exchange.Dataset, bool) {
	t.Helper()
	d, changed, err := b.UnscopedApplyDataset(t.Context(), "usr_admin", []byte(text))
	check(t, err)
	return d, changed
}

func (b *bench) scope(t *testing.T, n int) tenant.Scope {
	t.Helper()
	s, err := b.Policy.Scope(t.Context(), policy.Principal{Credential: b.Clock.ID("key"), Kind: policy.APIKey, Tenant: b.tenants[n].ID,
		Role: policy.TenantAdmin, VerifiedAt: b.Clock.Now()})
	check(t, err)
	return s
}

// body is one for date, of the tenant with this external id.
func body(id string, rows ...string) string {
	text := "Date,ClientID,Tag1,Value\n"
	for _, r := range rows {
		text += "20220923," + id + "," + r + "\n"
	}
	return text
}

func (b *bench) send(t *testing.T, n int, text string) exchange.Submission {
	t.Helper()
	s, err := b.Submit(t.Context(), b.scope(t, n), named("in.csv"), strings.NewReader(text))
	check(t, err)
	return s
}

func named(name string) exchange.NewSubmission {
	return exchange.NewSubmission{Dataset: "tagged-values", Date: date, Name: name, Channel: "api", Size: -1}
}

// want is the submission as its tenant sees it, in the state wanted.
func (b *bench) want(t *testing.T, n int, id string, want exchange.State) exchange.Submission {
	t.Helper()
	s, err := b.Submission(t.Context(), b.scope(t, n), id)
	check(t, err)
	if s.State != want {
		t.Fatalf("submission %d: %s %v, want %s", s.Revision, s.State, s.Problems, want)
	}
	return s
}

// count counts rows that a statement finds.
func (b *bench) count(t *testing.T, table string) int64 {
	t.Helper()
	var n int64
	check(t, b.DB.Unscoped().QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&n))
	return n
}

// patience is how long anything may take before a test gives up.
const patience = time.Minute

// turn runs the queue until done says so.
func (b *bench) turn(t *testing.T, done func() bool) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.jobs.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !done(); <-tick.C {
		if time.Now().After(end) {
			t.Fatal("the queue is not where it should be after ", patience)
		}
	}
}

// idle reports whether no job waits or runs.
func (b *bench) idle(t *testing.T) func() bool {
	return func() bool {
		var n, put int64
		check(t, b.DB.Unscoped().QueryRow(t.Context(), `SELECT count(*), COALESCE(SUM(CASE WHEN state = 'queued' AND run_after > $1 THEN 1 ELSE 0 END), 0)
			FROM jobs WHERE state IN ('queued', 'running')`, meta.Micros(b.now())).Scan(&n, &put))
		if put > 0 && b.stopped.Load() != nil { // its time would never come
			b.hurry(t)
		}
		return n == 0
	}
}
