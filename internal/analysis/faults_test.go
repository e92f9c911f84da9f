package analysis_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tributary/internal/analysis"
	"tributary/internal/blob"
	"tributary/internal/exchange"
	"tributary/internal/job"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
	"tributary/internal/sandbox/sandboxtest"
	"tributary/internal/vault"
)

// oneByOne is each for tests that look for their children: those of tests that run
// at the same time would be among them.
func oneByOne(t *testing.T, f func(t *testing.T, b *bench)) {
	t.Helper()
	metatest.Each(t, func(t *testing.T, db *meta.DB) { f(t, newBench(t, db)) })
}

// caught runs the queue until a child works, stops that child, and has something
// done step by step until it says that it is done. What is left of the child then
// goes on, until the queue is idle.
func (b *bench) caught(t *testing.T, step func() (done bool)) {
	t.Helper()
	pid, done := 0, false
	idle := b.idle(t)
	b.turn(t, func() bool {
		switch {
		case pid == 0:
			for found := 0; pid == 0; found = sandboxtest.Child(t) { // without a pause, since children are quick
				if found != 0 && unix.Kill(found, unix.SIGSTOP) == nil {
					pid = found
				} else if idle() {
					t.Fatal("no child was caught")
				}
			}
		case !done:
			if done = step(); done {
				_ = unix.Kill(pid, unix.SIGCONT) // unless it is gone
			}
		default:
			return idle()
		}
		return false
	})
	if err := unix.Kill(pid, 0); err == nil {
		t.Errorf("child %d lives on", pid)
	}
}

// ready has both tenants' files accepted, with rows enough to keep a child busy.
func (b *bench) ready(t *testing.T) {
	t.Helper()
	b.golden(t)
	b.decide(t, analysis.Accepted, 0, 1)
	for n := range b.tenants {
		var list []string
		for i := range 30_000 {
			list = append(list, fmt.Sprintf("tag %d,x,%d", i, i+n))
		}
		b.send(t, n, "Date,ClientID,Tag1,Tag2,Value\n"+fmt.Sprintf("20220923,%06d,", n+1)+
			strings.Join(list, fmt.Sprintf("\n20220923,%06d,", n+1))+"\n")
	}
	b.turn(t, b.idle(t))
}

// outputs counts stored bytes of results, and then those that are left once the
// rounds have removed what belongs to none.
func (b *bench) outputs(t *testing.T) (before, after int) {
	t.Helper()
	cfg := b.Vault.Config
	count := func() (n int) {
		check(t, cfg.Blobs.List(t.Context(), "", func(i blob.Info) error {
			if strings.Contains(string(i.Key), "/output/") {
				n++
			}
			return nil
		}))
		return n
	}
	before = count()
	ahead := 2 * time.Hour // old enough to be nobody's
	cfg.Clock.NowFunc = func() time.Time { return time.Now().Add(ahead) }
	late := vault.New(cfg)
	check(t, late.SweepDue(t.Context()))
	ahead *= 2
	check(t, late.SweepDue(t.Context()))
	check(t, late.UnscopedVerify(t.Context(), true, func(f vault.Finding) { t.Errorf("finding: %+v", f) }))
	return before, count()
}

//nolint:paralleltest // it looks for its children, see oneByOne
func TestCancelledInTheSandbox(t *testing.T) {
	oneByOne(t, func(t *testing.T, b *bench) {
		b.ready(t)
		r := b.start(t)
		var asked time.Time
		b.caught(t, func() bool {
			b.want(t, r.ID, analysis.RunRunning)
			asked = time.Now()
			_, err := b.UnscopedCancel(t.Context(), "usr_admin", r.ID)
			check(t, err)
			return true
		})
		if took := time.Since(asked); took > 5*time.Second { // alone it takes 10 ms
			t.Errorf("the end took %s", took)
		}
		r = b.want(t, r.ID, analysis.RunCancelled)
		if r.Reason != "It was cancelled." || r.FinishedAt == nil {
			t.Errorf("run: %q, finished %v", r.Reason, r.FinishedAt)
		}
		b.nothing(t, r)
		if before, _ := b.outputs(t); before != 0 {
			t.Errorf("%d results are stored", before)
		}
		// Nothing of it stands in the way of the next.
		again, err := b.UnscopedRetry(t.Context(), "usr_admin", r.ID)
		check(t, err)
		b.turn(t, b.idle(t))
		b.want(t, again.ID, analysis.RunSucceeded)
	})
}

//nolint:paralleltest // it looks for its children, see oneByOne
func TestTwoRunsOfOneSnapshotReleaseOnce(t *testing.T) {
	oneByOne(t, func(t *testing.T, b *bench) {
		b.ready(t)
		slow := b.start(t)
		var fast analysis.Run
		b.caught(t, func() bool { // the slow one has found no release, and computes
			if fast.ID == "" {
				fast = b.start(t)
			}
			now, err := b.UnscopedRun(t.Context(), fast.ID)
			check(t, err)
			return now.State.Done()
		})
		slow, fast = b.want(t, slow.ID, analysis.RunSucceeded), b.want(t, fast.ID, analysis.RunSucceeded)
		if slow.Release == "" || slow.Release != fast.Release || b.releases(t) != 1 {
			t.Errorf("releases %q and %q, %d in all, want one", slow.Release, fast.Release, b.releases(t))
		}
		if want := "The same inputs were released before, by run " + fast.ID + "; its release stands."; slow.Reason != want {
			t.Errorf("the loser: %q, want %q", slow.Reason, want)
		}
		for n := range b.tenants {
			if got := b.received(t, n); len(got) != 1 {
				t.Errorf("tenant %d received %d results, want one", n, len(got))
			}
		}
		if n, _ := b.outputs(t); n != len(b.tenants) { // the loser has taken its own away
			t.Errorf("%d stored results, want one for each tenant", n)
		}
		status, err := b.jobs.UnscopedStatus(t.Context(), slow.Job)
		if err != nil || status.State != job.Succeeded || status.Attempts != 1 {
			t.Errorf("the loser's job: %s after %d attempts, %v", status.State, status.Attempts, err)
		}
	})
}

// swept wants stored results that belong to none to be there and then to go, and
// those that were delivered to stay readable.
func (b *bench) swept(t *testing.T) {
	t.Helper()
	var delivered int
	check(t, b.DB.Unscoped().QueryRow(t.Context(), `SELECT count(*) FROM vault_objects WHERE store = 'output'`).Scan(&delivered))
	before, after := b.outputs(t)
	if before <= delivered || after != delivered || delivered == 0 {
		t.Errorf("%d stored results, %d after the round, want more than %d and then those", before, after, delivered)
	}
	for n := range b.tenants {
		if got := b.received(t, n); len(got) != 1 || !strings.HasPrefix(got[0], "Date,Tag1,Tag2,Value,YourId,YourValue\n") {
			t.Errorf("tenant %d after the round: %d results", n, len(got))
		}
	}
}

// dying is a store whose process stands still for good once the results of so many
// recipients are durable: what a crash at that moment leaves is in the stores.
type dying struct {
	blob.Store
	reached, release chan struct{}

	mu   sync.Mutex
	left int
}

func (d *dying) Create(ctx context.Context, k blob.Key) (blob.Writer, error) {
	w, err := d.Store.Create(ctx, k)
	if err == nil && strings.Contains(string(k), "/output/") {
		w = &dyingWriter{w, d}
	}
	return w, err
}

type dyingWriter struct {
	blob.Writer
	store *dying
}

func (w *dyingWriter) Commit(ctx context.Context) error {
	err := w.Writer.Commit(ctx)
	w.store.mu.Lock()
	w.store.left--
	last := w.store.left == 0
	w.store.mu.Unlock()
	if last {
		close(w.store.reached)
		<-w.store.release
	}
	return err
}

func TestACrashBetweenSealingAndTheCommit(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.golden(t)
		b.decide(t, analysis.Accepted, 0, 1)
		for n := range b.tenants {
			b.send(t, n, rows(n, fmt.Sprintf("a,b,%d", 10*(n+1))))
		}
		b.turn(t, b.idle(t))
		dead, d := *b, &dying{Store: b.Vault.Blobs, reached: make(chan struct{}), release: make(chan struct{}), left: len(b.tenants)}
		cfg, stores := b.Config, b.Vault.Config
		stores.Blobs = d
		cfg.Vault = vault.New(stores)
		cfg.Jobs = job.New(job.Config{DB: cfg.DB, Clock: cfg.Clock, Poll: 5 * time.Millisecond, Drain: time.Minute})
		dead.Analyses = analysis.New(cfg)
		r := dead.start(t)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- cfg.Jobs.Run(ctx) }()
		select {
		case <-d.reached:
		case <-time.After(patience):
			t.Fatal("the results are not sealed")
		}
		stop() // it takes no other job, and finishes this one if it can
		b.want(t, r.ID, analysis.RunRunning)
		b.nothing(t, r)

		b = b.restarted(t)
		b.turn(t, b.idle(t))
		r = b.want(t, r.ID, analysis.RunSucceeded)
		want := b.received(t, 0)
		if b.releases(t) != 1 || len(want) != 1 {
			t.Errorf("%d releases, the first tenant received %d results, want one of each", b.releases(t), len(want))
		}
		// The one before was not dead after all: it comes too late.
		close(d.release)
		check(t, <-ended)
		if again := b.want(t, r.ID, analysis.RunSucceeded); again.Release != r.Release || b.releases(t) != 1 || again.Reason != r.Reason {
			t.Errorf("after the late one: %+v, %d releases", again, b.releases(t))
		}
		b.swept(t)
	})
}

func TestErasureLeavesNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.golden(t)
		b.decide(t, analysis.Accepted, 0, 1)
		for n := range b.tenants {
			b.send(t, n, rows(n, fmt.Sprintf("a,b,%d", 10*(n+1))))
		}
		b.turn(t, b.idle(t))
		r := b.run(t, analysis.RunSucceeded)
		count := func(table string, n int) (rows int) {
			id := string(b.tenants[n].ID)
			check(t, b.DB.For(b.tenants[n].ID).QueryRow(t.Context(), "SELECT count(*) FROM "+table+" WHERE tenant = $1", id).Scan(&rows))
			return rows
		}
		tables := []string{"acceptances", "submissions", "results", "jobs", "vault_objects"}
		theirs := map[string]int{}
		for _, table := range tables {
			if theirs[table] = count(table, 1); theirs[table] == 0 || count(table, 0) == 0 {
				t.Fatalf("nothing of a tenant in %s, so the test shows nothing", table)
			}
		}
		manifest, _, err := b.UnscopedManifest(t.Context(), r.ID)
		check(t, err)
		received := b.received(t, 1)
		if _, _, err := b.EraseTenant(t.Context(), "' OR '1' = '1"); err == nil {
			t.Error("what is no tenant was erased")
		}
		for again := range 2 {
			_, decisions, err := b.EraseTenant(t.Context(), b.tenants[0].ID)
			check(t, err)
			_, exchanged, err := b.exchange.EraseTenant(t.Context(), b.tenants[0].ID)
			check(t, err)
			_, bytes, err := b.Vault.EraseTenant(t.Context(), b.tenants[0].ID)
			check(t, err)
			if again == 0 && (decisions != 1 || exchanged < 3 || bytes < 3) || again == 1 && decisions+exchanged+bytes != 0 {
				t.Errorf("time %d: erased %d decisions, %d rows of the exchange, %d objects", again+1, decisions, exchanged, bytes)
			}
		}
		for _, table := range tables {
			if left := count(table, 0); left != 0 {
				t.Errorf("%d rows left in %s", left, table)
			}
			if got := count(table, 1); got != theirs[table] {
				t.Errorf("another's rows in %s: %d, were %d", table, got, theirs[table])
			}
		}
		if got := b.received(t, 1); len(got) != 1 || got[0] != received[0] {
			t.Errorf("another's result: %q, was %q", got, received)
		}
		if kept, _, err := b.UnscopedManifest(t.Context(), r.ID); err != nil || string(kept) != string(manifest) {
			t.Errorf("the manifest changed: %v", err)
		}
		if list, _, err := b.exchange.Results(t.Context(), b.scope(t, 0), exchange.ResultFilter{}, meta.Page{}); err != nil || len(list) != 0 {
			t.Errorf("the erased tenant's results: %v, %v", list, err)
		}
		// The one that is left is no quorum, and nobody is told of the other's values again.
		b.run(t, analysis.RunSkipped)
	})
}

func TestASumThatOverflowsHidesItsCellOnly(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.golden(t)
		for n := 3; n <= 10; n++ {
			b.join(t, fmt.Sprint("Org ", n))
		}
		text := strings.Replace(read(t, "analysis.yaml"), "function: mean, column: Value, decimals: 1", "function: sum, column: Value, decimals: 2", 1)
		b.apply(t, read(t, "dataset.yaml"), text)
		for n := range b.tenants {
			b.decide(t, analysis.Accepted, n)
			b.send(t, n, rows(n, "huge,x,9999999999999999.99", "fine,x,1.50")) // ten of the first are more than 64 bits hold
		}
		b.turn(t, b.idle(t))
		r := b.run(t, analysis.RunSucceeded)
		for n := range b.tenants {
			want := fmt.Sprintf("Date,Tag1,Tag2,Value,YourId,YourValue\n20220923,fine,x,15.00,%06d,1.50\n", n+1)
			if got := b.received(t, n); len(got) != 1 || got[0] != want {
				t.Errorf("tenant %d received %q, want %q", n+1, got, want)
			}
		}
		if want := "10 values went to 10 recipients. Values hidden, by rule: overflow 10."; r.Reason != want {
			t.Errorf("reason: %q, want %q", r.Reason, want)
		}
	})
}

func TestASumThatCannotBeWrittenHidesItsCellOnly(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.golden(t)
		text := strings.NewReplacer("groups: [Tag1, Tag2]", "groups: [Tag1]", "function: mean, column: Value, decimals: 1", "function: sum, column: Value, decimals: 2").
			Replace(read(t, "analysis.yaml"))
		b.apply(t, read(t, "dataset.yaml"), text)
		b.decide(t, analysis.Accepted, 0, 1)
		// The first tenant's own sums have 19 digits, one more than a decimal can be written with, and 20, which 64 bits do not hold.
		mine := []string{"huge,a,9999999999999999.99", "huge,b,9999999999999999.99", "fine,x,1.50"}
		for n := range 10 {
			mine = append(mine, fmt.Sprintf("vast,%d,9999999999999999.99", n))
		}
		b.send(t, 0, rows(0, mine...))
		b.send(t, 1, rows(1, "huge,a,1.00", "vast,a,1.00", "fine,x,1.50"))
		b.turn(t, b.idle(t))
		r := b.run(t, analysis.RunSucceeded)
		for n := range b.tenants {
			want := fmt.Sprintf("Date,Tag1,Value,YourId,YourValue\n20220923,fine,3.00,%06d,1.50\n", n+1)
			if got := b.received(t, n); len(got) != 1 || got[0] != want {
				t.Errorf("tenant %d received %q, want %q", n+1, got, want)
			}
		}
		if want := "2 values went to 2 recipients. Values hidden, by rule: overflow 4."; r.Reason != want {
			t.Errorf("reason: %q, want %q", r.Reason, want)
		}
	})
}
