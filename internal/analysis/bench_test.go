package analysis_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tributary/internal/analysis"
	"tributary/internal/audit"
	"tributary/internal/blob/disk"
	"tributary/internal/clock"
	"tributary/internal/control"
	"tributary/internal/exchange"
	"tributary/internal/exchange/parse"
	"tributary/internal/fault"
	"tributary/internal/job"
	"tributary/internal/keys"
	"tributary/internal/keys/keystest"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
	"tributary/internal/policy"
	"tributary/internal/query"
	"tributary/internal/query/duckdb"
	"tributary/internal/sandbox"
	"tributary/internal/tenant"
	"tributary/internal/vault"
)

func TestMain(m *testing.M) {
	sandbox.Main(
		parse.Program(),
		parse.PreviewProgram(),
		sandbox.Program{Name: query.ProgramName, Main: func(ctx context.Context, c sandbox.Child) error {
			return duckdb.Main(ctx, c.Args, c.Inputs, c.Filled, c.Output)
		}},
	)
	os.Exit(m.Run())
}

const date = "2022-09-23"

// bench is a server without its gateways, whose queue the test turns.
type bench struct {
	*analysis.Analyses
	exchange *exchange.Exchange
	jobs     *job.Queue
	tenants  []control.Tenant
	late     *atomic.Int64 // how far the clock is ahead
	kek      *distant
}

// distant is a key-encryption key that is away when a test says so.
type distant struct {
	keys.KEK
	away atomic.Bool
}

// Unwrap implements keys.KEK.
func (d *distant) Unwrap(ctx context.Context, wrapped, ad []byte) ([]byte, error) {
	if d.away.Load() {
		return nil, fault.New(fault.Unavailable, "The key service does not answer.")
	}
	return d.KEK.Unwrap(ctx, wrapped, ad)
}

func newBench(t *testing.T, db *meta.DB) *bench {
	t.Helper()
	late := new(atomic.Int64)
	c := clock.Clock{NowFunc: func() time.Time { return time.Now().Add(time.Duration(late.Load())) }}
	stored, secrets := keystest.New(t, c)
	kek := &distant{KEK: stored}
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
	b := &bench{late: late, kek: kek}
	b.Analyses = analysis.New(analysis.Config{DB: db, Vault: vault.New(vault.Config{DB: db, Blobs: blobs, Keys: ring, Clock: c}), Control: ctl,
		Policy: pol, Audit: log, Jobs: job.New(job.Config{DB: db, Clock: c}), Sandbox: box, Keys: ring, Clock: c, Version: "test"})
	return b.restarted(t)
}

// restarted is the same server in a new process: same stores, new queue.
func (b *bench) restarted(t *testing.T) *bench {
	t.Helper()
	cfg := b.Config
	next := &bench{tenants: b.tenants, late: b.late, kek: b.kek, jobs: job.New(job.Config{DB: cfg.DB, Clock: cfg.Clock, Workers: 3, Poll: 5 * time.Millisecond, Drain: time.Millisecond})}
	next.exchange = exchange.New(exchange.Config{DB: cfg.DB, Vault: cfg.Vault, Tenants: cfg.Control, Policy: cfg.Policy, Audit: cfg.Audit, Jobs: next.jobs,
		Sandbox: cfg.Sandbox, Keys: cfg.Keys, Clock: cfg.Clock})
	cfg.Exchange, cfg.Jobs = next.exchange, next.jobs
	next.Analyses = analysis.New(cfg)
	check(t, next.jobs.Recover(t.Context()))
	return next
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

// onSQLite runs a test that has no SQL of its own on one database.
func onSQLite(t *testing.T, f func(t *testing.T, b *bench)) {
	t.Helper()
	f(t, newBench(t, metatest.Open(t, metatest.SQLite(t))))
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "examples", "cross-participant-mean", name))
	check(t, err)
	return string(text)
}

// join makes a tenant of an organisation; the first has the external id 000001.
func (b *bench) join(t *testing.T, organisation string) int {
	t.Helper()
	n := len(b.tenants) + 1
	made, err := b.Control.UnscopedOnboard(t.Context(), "usr_admin", fmt.Sprint("key", n), control.NewTenant{
		Slug: fmt.Sprintf("tenant-%d", n), Name: fmt.Sprint("Tenant ", n), Organisation: organisation, ExternalIDs: []string{fmt.Sprintf("%06d", n)}, Tier: tenant.Basic})
	check(t, err)
	b.tenants = append(b.tenants, made)
	return n - 1
}

func (b *bench) scope(t *testing.T, n int) tenant.Scope {
	t.Helper()
	s, err := b.Policy.Scope(t.Context(), policy.Principal{Credential: b.Clock.ID("key"), Kind: policy.APIKey, Tenant: b.tenants[n].ID,
		Role: policy.TenantAdmin, VerifiedAt: b.Clock.Now()})
	check(t, err)
	return s
}

// golden sets up the example: two tenants, the dataset, the analysis.
func (b *bench) golden(t *testing.T) {
	t.Helper()
	b.apply(t, read(t, "dataset.yaml"), read(t, "analysis.yaml"))
	b.join(t, "Org 1")
	b.join(t, "Org 2")
}

func (b *bench) apply(t *testing.T, dataset, definition string) {
	t.Helper()
	_, _, err := b.exchange.UnscopedApplyDataset(t.Context(), "usr_admin", []byte(dataset))
	check(t, err)
	_, _, err = b.UnscopedApply(t.Context(), "usr_admin", []byte(definition))
	check(t, err)
}

func (b *bench) decide(t *testing.T, d analysis.Decision, tenants ...int) {
	t.Helper()
	for _, n := range tenants {
		_, err := b.Decide(t.Context(), b.scope(t, n), "cross-participant-mean", 0, d)
		check(t, err)
	}
}

func (b *bench) send(t *testing.T, n int, body string) exchange.Submission {
	t.Helper()
	s, err := b.exchange.Submit(t.Context(), b.scope(t, n), exchange.NewSubmission{Dataset: "tagged-values", Date: date,
		Name: fmt.Sprintf("input-%s-%06d-000001.csv", date, n+1), Channel: "api", Size: -1}, strings.NewReader(body))
	check(t, err)
	return s
}

// rows is a file of the n-th tenant: each row is Tag1,Tag2,Value.
func rows(n int, list ...string) string {
	text := "Date,ClientID,Tag1,Tag2,Value\n"
	for _, r := range list {
		text += fmt.Sprintf("20220923,%06d,%s\n", n+1, r)
	}
	return text
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
		var n int64
		check(t, b.DB.Unscoped().QueryRow(t.Context(), `SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')`).Scan(&n))
		return n == 0
	}
}

func (b *bench) start(t *testing.T) analysis.Run {
	t.Helper()
	runs, err := b.UnscopedStart(t.Context(), "usr_admin", []string{"cross-participant-mean"}, date, nil)
	check(t, err)
	return runs[0]
}

// run starts a run, waits for its end, and wants a state.
func (b *bench) run(t *testing.T, want analysis.RunState) analysis.Run {
	t.Helper()
	r := b.start(t)
	b.turn(t, b.idle(t))
	return b.want(t, r.ID, want)
}

func (b *bench) want(t *testing.T, id string, want analysis.RunState) analysis.Run {
	t.Helper()
	r, err := b.UnscopedRun(t.Context(), id)
	check(t, err)
	if r.State != want {
		t.Fatalf("run: %s (%s), want %s", r.State, r.Reason, want)
	}
	return r
}

// received are the CSV results of a tenant, the newest first.
func (b *bench) received(t *testing.T, n int) []string {
	t.Helper()
	list, _, err := b.exchange.Results(t.Context(), b.scope(t, n), exchange.ResultFilter{}, meta.Page{})
	check(t, err)
	var texts []string
	for _, r := range list {
		c, _, err := b.exchange.ResultContent(t.Context(), b.scope(t, n), r.ID, exchange.CSV)
		check(t, err)
		var text bytes.Buffer
		_, err = io.Copy(&text, c)
		check(t, err)
		c.Close()
		texts = append(texts, text.String())
	}
	return texts
}

func (b *bench) releases(t *testing.T) int64 {
	t.Helper()
	var n int64
	check(t, b.DB.QueryRow(t.Context(), `SELECT count(*) FROM releases`).Scan(&n))
	return n
}
