package exchange_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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

// caught runs the queue until a child works on a file of many rows, of which it gets
// no more than half before something was done, and then until the queue is idle.
func (b *bench) caught(t *testing.T, do func(pid int)) {
	t.Helper()
	h := &halved{Store: b.Vault.Blobs, half: make(chan struct{}), rest: make(chan struct{})}
	b.Vault.Blobs = h
	defer func() { b.Vault.Blobs = h.Store }()
	pid := 0
	idle := b.idle(t)
	b.turn(t, func() bool {
		if pid != 0 {
			return idle()
		}
		select {
		case <-h.half:
		case <-time.After(patience):
			t.Fatal("no file is read")
		}
		if pid = sandboxtest.Child(t); pid == 0 {
			t.Fatal("no child was caught")
		}
		do(pid)
		close(h.rest)
		return false
	})
	if err := unix.Kill(pid, 0); err == nil {
		t.Errorf("child %d lives on", pid)
	}
}

// halved gives half of each large object, and the rest once it is closed.
type halved struct {
	blob.Store
	once sync.Once
	half chan struct{} // closed when it was given
	rest chan struct{}
}

func (h *halved) Open(ctx context.Context, k blob.Key) (blob.Object, error) {
	o, err := h.Store.Open(ctx, k)
	return halvedObject{o, h}, err
}

type halvedObject struct {
	blob.Object
	of *halved
}

func (o halvedObject) ReadAt(p []byte, off int64) (int, error) {
	if size := o.Size(); size > 1<<20 && off > size/2 && off < size/4*3 { // the last chunk is read first
		o.of.once.Do(func() { close(o.of.half) })
		<-o.of.rest
	}
	return o.Object.ReadAt(p, off)
}

// many is a large file.
func many(id string, count int) string {
	var text strings.Builder
	text.WriteString("Date,ClientID,Tag1,Value\n")
	for i := range count {
		fmt.Fprintf(&text, "20220923,%s,tag %d,%d\n", id, i, i)
	}
	return text.String()
}

// blobs counts stored objects, after the rounds have removed what belongs to none.
func (b *bench) blobs(t *testing.T) (before, after int) {
	t.Helper()
	cfg := b.Vault.Config
	count := func() (n int) {
		check(t, cfg.Blobs.List(t.Context(), "", func(blob.Info) error { n++; return nil }))
		return n
	}
	before = count()
	ahead := 2 * time.Hour // old enough to be nobody's
	cfg.Clock.NowFunc = func() time.Time { return time.Now().Add(ahead) }
	late := vault.New(cfg)
	check(t, late.SweepDue(t.Context()))
	ahead *= 2
	check(t, late.SweepDue(t.Context()))
	check(t, late.RemoveDue(t.Context()))
	check(t, late.UnscopedVerify(t.Context(), true, func(f vault.Finding) { t.Errorf("finding: %+v", f) }))
	return before, count()
}

func (b *bench) jobOf(t *testing.T, s exchange.Submission) job.Status {
	t.Helper()
	var id string
	check(t, b.DB.Unscoped().QueryRow(t.Context(), `SELECT id FROM jobs WHERE subject = $1`, s.ID).Scan(&id))
	status, err := b.jobs.UnscopedStatus(t.Context(), id)
	check(t, err)
	return status
}

//nolint:paralleltest // it looks for its children, see oneByOne
func TestWithdrawnWhileItIsValidated(t *testing.T) {
	oneByOne(t, func(t *testing.T, b *bench) {
		before := b.send(t, 0, body("000001", "x,1"))
		b.turn(t, b.idle(t))
		for name, take := range map[string]func(id string) (exchange.Submission, error){
			"withdraw": func(id string) (exchange.Submission, error) { return b.Withdraw(t.Context(), b.scope(t, 0), id) },
			"delete":   func(id string) (exchange.Submission, error) { return b.Delete(t.Context(), b.scope(t, 0), id) },
		} {
			s := b.send(t, 0, many("000001", 100_000))
			other := b.send(t, 1, body("000002", "x,1"))
			b.caught(t, func(int) {
				b.want(t, 0, s.ID, exchange.Validating)
				got, err := take(s.ID)
				if err != nil || got.State != exchange.Withdrawn {
					t.Errorf("%s: %s, %v", name, got.State, err)
				}
			})
			got := b.want(t, 0, s.ID, exchange.Withdrawn)
			if got.Problems != nil || got.Rows != nil || got.ValidatedAt != nil {
				t.Errorf("%s: a verdict was recorded: %+v", name, got)
			}
			if j := b.jobOf(t, s); j.State != job.Cancelled || j.Attempts != 1 {
				t.Errorf("%s: job %s after %d attempts (%s), want it cancelled after one", name, j.State, j.Attempts, j.Error)
			}
			b.want(t, 0, before.ID, exchange.Accepted) // nothing took its place
			b.want(t, 1, other.ID, exchange.Accepted)
			_, err := b.Withdraw(t.Context(), b.scope(t, 1), other.ID)
			check(t, err)
		}
		// What was made of the withdrawn files goes; the files that are kept stay:
		// two of before, one withdrawn, two of each of the other's.
		if got, left := b.blobs(t); left != 7 || got < 8 {
			t.Errorf("%d stored objects, %d after the rounds, want more than 7 and 7", got, left)
		}
	})
}

//nolint:paralleltest // it looks for its children, see oneByOne
func TestAChildThatCrashesIsTriedAgain(t *testing.T) {
	oneByOne(t, func(t *testing.T, b *bench) {
		s := b.send(t, 0, many("000001", 100_000))
		b.caught(t, func(pid int) { check(t, unix.Kill(pid, unix.SIGSEGV)) })
		if got := b.want(t, 0, s.ID, exchange.Accepted); *got.Rows != 100_000 {
			t.Errorf("%d rows, want 100000", *got.Rows)
		}
		if j := b.jobOf(t, s); j.State != job.Succeeded || j.Attempts != 2 {
			t.Errorf("job %s after %d attempts, want it to have succeeded at the second", j.State, j.Attempts)
		}
		if _, left := b.blobs(t); left != 2 {
			t.Errorf("%d stored objects, want the file and its accepted form", left)
		}
	})
}

// rows is what is left of a tenant in a table, as one text.
func (b *bench) rowsOf(t *testing.T, table string, n int) string {
	t.Helper()
	id := b.tenants[n].ID
	rows, err := b.DB.For(id).Query(t.Context(), "SELECT * FROM "+table+" WHERE tenant = $1 ORDER BY 1", string(id))
	check(t, err)
	defer rows.Close()
	var text strings.Builder
	for rows.Next() {
		values := make([]any, len(rows.Columns()))
		for i := range values {
			values[i] = new(any)
		}
		check(t, rows.Scan(values...))
		for _, v := range values {
			fmt.Fprintf(&text, "%v\t", *v.(*any))
		}
		text.WriteByte('\n')
	}
	return text.String()
}

//nolint:paralleltest // it looks for its children, see oneByOne
func TestErasureLeavesNothing(t *testing.T) {
	oneByOne(t, func(t *testing.T, b *bench) {
		tables := []string{"submissions", "jobs", "job_turns", "results", "vault_objects", "vault_garbage"}
		for n, id := range []string{"000001", "000002"} {
			b.send(t, n, body(id, "x,1"))
			b.send(t, n, body(id, "x,1", "x,2"))
			gone := b.send(t, n, body(id, "x,3"))
			_, err := b.Delete(t.Context(), b.scope(t, n), gone.ID)
			check(t, err)
		}
		b.turn(t, b.idle(t))
		theirs := map[string]string{}
		for _, table := range tables {
			theirs[table] = b.rowsOf(t, table, 1)
			if b.rowsOf(t, table, 0) == "" && table != "results" {
				t.Fatalf("nothing of the tenant in %s, so the test shows nothing", table)
			}
		}
		if _, _, err := b.EraseTenant(t.Context(), ""); err == nil {
			t.Error("nobody in particular was erased")
		}
		// It goes while one of its files is being validated and another waits.
		b.send(t, 0, many("000001", 100_000))
		b.caught(t, func(int) {
			b.send(t, 0, body("000001", "x,1"))
			_, count, err := b.EraseTenant(t.Context(), b.tenants[0].ID)
			if err != nil || count < 10 {
				t.Errorf("%d rows erased, %v", count, err)
			}
			_, count, err = b.Vault.EraseTenant(t.Context(), b.tenants[0].ID)
			if err != nil || count < 4 {
				t.Errorf("%d objects erased, %v", count, err)
			}
		})
		if _, count, err := b.EraseTenant(t.Context(), b.tenants[0].ID); err != nil || count != 0 {
			t.Errorf("again: %d rows, %v", count, err)
		}
		b.blobs(t)
		for _, table := range tables {
			if left := b.rowsOf(t, table, 0); left != "" {
				t.Errorf("left in %s: %s", table, left)
			}
			if got := b.rowsOf(t, table, 1); got != theirs[table] && table != "vault_garbage" {
				t.Errorf("another's rows in %s: %q, were %q", table, got, theirs[table])
			}
		}
		check(t, b.Vault.Blobs.List(t.Context(), string(b.tenants[0].ID)+"/", func(i blob.Info) error {
			t.Errorf("stored bytes are left: %s", i.Key)
			return nil
		}))
		if list, _, err := b.Submissions(t.Context(), b.scope(t, 0), exchange.SubmissionFilter{}, meta.Page{}); err != nil || len(list) != 0 {
			t.Errorf("the erased tenant's submissions: %v, %v", list, err)
		}
	})
}

func TestATenantsManyFilesDelayAnothersByOneTurn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		for range 12 {
			b.send(t, 0, body("000001", "x,1"))
		}
		b.turn(t, func() bool { return b.count(t, "jobs WHERE state = 'succeeded'") > 0 }) // the first has begun
		late := b.send(t, 1, body("000002", "x,1"))
		done := b.count(t, "jobs WHERE started_at IS NOT NULL")
		b.turn(t, b.idle(t))
		b.want(t, 1, late.ID, exchange.Accepted)
		var earlier int64
		check(t, b.DB.Unscoped().QueryRow(t.Context(), `
			SELECT count(*) FROM jobs j WHERE j.started_at <= (SELECT started_at FROM jobs WHERE subject = $1) AND j.subject <> $1`, late.ID).Scan(&earlier))
		if earlier > done+2 || done > 9 {
			t.Errorf("%d jobs began before the latecomer's, %d of them before it came; it waited for more than its turn", earlier, done)
		}
		if j := b.jobOf(t, late); j.State != job.Succeeded {
			t.Errorf("job: %+v", j)
		}
	})
}
