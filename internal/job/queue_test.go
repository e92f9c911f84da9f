package job

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"tributary/internal/clock"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
	"tributary/internal/tenant"
)

// hands is a clock that moves by a microsecond each time it is read, so that no
// two moments are the same, and further when a test says so.
type hands struct {
	mu  sync.Mutex
	now time.Time
}

func (h *hands) read() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(time.Microsecond)
	return h.now
}

func (h *hands) advance(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

// bench is a queue on a database with a clock that the test moves.
type bench struct {
	*Queue
	db    *meta.DB
	hands *hands
}

func newBench(db *meta.DB, cfg Config) *bench {
	h := &hands{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	cfg.DB, cfg.Clock = db, clock.Clock{NowFunc: h.read}
	return &bench{Queue: New(cfg), db: db, hands: h}
}

// restarted is the same queue in a new process, after the one before crashed.
func (b *bench) restarted(t *testing.T) *bench {
	t.Helper()
	cfg := b.cfg
	next := &bench{Queue: New(cfg), db: b.db, hands: b.hands}
	if err := next.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	return next
}

func (b *bench) add(t *testing.T, w Work) string {
	t.Helper()
	return b.addMany(t, w, 1)[0]
}

func (b *bench) addMany(t *testing.T, w Work, n int) []string {
	t.Helper()
	var ids []string
	if w.Kind == "" {
		w.Kind = "work"
	}
	err := b.db.Transact(t.Context(), func(tx *meta.DB) error {
		ids = nil
		for range n {
			id, err := b.Add(t.Context(), tx, w)
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// do does the next job, which must be there or not as wanted.
func (b *bench) do1(t *testing.T, want bool) {
	t.Helper()
	did, err := b.once(t.Context())
	if err != nil || did != want {
		t.Fatalf("next job: got %v, %v; want %v", did, err, want)
	}
}

func (b *bench) status(t *testing.T, id string) Status {
	t.Helper()
	s, err := b.UnscopedStatus(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (b *bench) want(t *testing.T, id string, state State, kind fault.Kind) {
	t.Helper()
	if s := b.status(t, id); s.State != state || s.ErrorKind != kind {
		t.Fatalf("job: got %s, %q (%s); want %s, %q", s.State, s.ErrorKind, s.Error, state, kind)
	}
}

func (b *bench) cancel(t *testing.T, id string) error {
	t.Helper()
	return b.db.Transact(t.Context(), func(tx *meta.DB) error { return b.Cancel(t.Context(), tx, id) })
}

func newTenant() tenant.ID { return tenant.ID(clock.Clock{}.ID("ten")) }

// endings counts calls of Failed by subject.
type endings struct {
	mu   sync.Mutex
	list map[string][]fault.Kind
}

func (e *endings) failed(_ context.Context, _ *meta.DB, j *Job, cause error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.list == nil {
		e.list = map[string][]fault.Kind{}
	}
	e.list[j.Subject] = append(e.list[j.Subject], fault.KindOf(cause))
	return nil
}

func TestOneTenantsJobsDelayAnothersByOneTurn(t *testing.T) {
	t.Parallel()
	metatest.Each(t, func(t *testing.T, db *meta.DB) {
		t.Parallel()
		b := newBench(db, Config{})
		a, other, third := newTenant(), newTenant(), newTenant()
		var order []tenant.ID
		b.Handle("work", Handler{Do: func(_ context.Context, j *Job) error {
			order = append(order, j.Tenant)
			return nil
		}})
		b.addMany(t, Work{Tenant: a}, 1000)
		b.do1(t, true)
		b.addMany(t, Work{Tenant: other}, 2)
		b.addMany(t, Work{Tenant: third}, 1)
		for range 5 {
			b.do1(t, true)
		}
		// The newcomers first, since they never had a turn, then in turns.
		want := []tenant.ID{a, other, third, a, other, a}
		if fmt.Sprint(order) != fmt.Sprint(want) {
			t.Fatalf("order: got %v, want %v", order, want)
		}
	})
}

func TestOldestOfATenantFirst(t *testing.T) {
	t.Parallel()
	b := newBench(metatest.Open(t, metatest.SQLite(t)), Config{})
	var got []int
	b.Handle("work", Handler{Do: func(_ context.Context, j *Job) error {
		var n int
		err := j.Decode(&n)
		got = append(got, n)
		return err
	}})
	for n := range 4 {
		b.add(t, Work{Payload: n})
	}
	for range 4 {
		b.do1(t, true)
	}
	if fmt.Sprint(got) != "[0 1 2 3]" {
		t.Fatalf("order: got %v", got)
	}
	b.do1(t, false)
}

func TestRetries(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		err   error
		tries int64
		state State
		kind  fault.Kind
	}{
		{"throttled", fault.New(fault.Throttled, "Busy."), 3, Failed, fault.Throttled},
		{"internal", errors.New("boom"), 3, Failed, fault.Internal},
		{"invalid", fault.New(fault.Invalid, "Wrong."), 1, Failed, fault.Invalid},
		{"denied", fault.New(fault.Denied, "No."), 1, Failed, fault.Denied},
		{"damaged", fault.New(fault.Damaged, "Broken."), 1, Failed, fault.Damaged},
		{"cancelled", fault.New(fault.Cancelled, "Stopped."), 1, Cancelled, fault.Cancelled},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			metatest.Each(t, func(t *testing.T, db *meta.DB) {
				t.Parallel()
				b := newBench(db, Config{})
				var ends endings
				b.Handle("work", Handler{Do: func(context.Context, *Job) error { return c.err }, Failed: ends.failed})
				id := b.add(t, Work{Subject: "it"})
				for n := int64(1); n < c.tries; n++ {
					b.do1(t, true)
					b.want(t, id, Queued, c.kind)
					wait := time.Second << (2 * (n - 1))
					b.hands.advance(wait - time.Millisecond)
					b.do1(t, false)
					b.hands.advance(2 * time.Millisecond)
				}
				if len(ends.list) > 0 {
					t.Fatalf("told of an end before the end: %v", ends.list)
				}
				b.do1(t, true)
				b.want(t, id, c.state, c.kind)
				b.hands.advance(24 * time.Hour)
				b.do1(t, false)
				if s := b.status(t, id); s.Attempts != c.tries || s.FinishedAt.IsZero() {
					t.Errorf("attempts %d, finished %v; want %d attempts and an end", s.Attempts, s.FinishedAt, c.tries)
				}
				if got := fmt.Sprint(ends.list["it"]); got != fmt.Sprint([]fault.Kind{c.kind}) {
					t.Errorf("told of ends %v, want one of kind %s", got, c.kind)
				}
			})
		})
	}
}

// A disk that is full for an hour costs a job no attempt.
func TestAFullDiskIsNotTheJobsFailure(t *testing.T) {
	t.Parallel()
	for _, kind := range []fault.Kind{fault.StorageFull, fault.Unavailable} {
		b := newBench(metatest.Open(t, metatest.SQLite(t)), Config{})
		bad := fault.New(kind, "Not now.")
		var cause error = bad
		b.Handle("work", Handler{Do: func(context.Context, *Job) error { return cause }})
		id := b.add(t, Work{})
		for range 240 {
			b.do1(t, true)
			b.want(t, id, Queued, kind)
			b.do1(t, false)
			if s := b.status(t, id); s.Stage != "waits: Not now." {
				t.Fatalf("stage: %q", s.Stage)
			}
			b.hands.advance(maxPutOff)
		}
		cause = nil
		b.do1(t, true)
		if s := b.status(t, id); s.State != Succeeded || s.Attempts != 1 {
			t.Errorf("%s: got %s after %d attempts, want succeeded at the first that counts", kind, s.State, s.Attempts)
		}
	}
}

func TestARetryCanSucceed(t *testing.T) {
	t.Parallel()
	b := newBench(metatest.Open(t, metatest.SQLite(t)), Config{})
	b.Handle("work", Handler{Do: func(_ context.Context, j *Job) error {
		if j.Attempt == 1 {
			return fault.New(fault.Throttled, "Busy.")
		}
		return nil
	}})
	id := b.add(t, Work{})
	b.do1(t, true)
	b.hands.advance(2 * time.Second)
	b.do1(t, true)
	if s := b.status(t, id); s.State != Succeeded || s.Attempts != 2 {
		t.Fatalf("got %s after %d attempts, want succeeded after 2", s.State, s.Attempts)
	}
}

func TestATimedOutJobFails(t *testing.T) {
	t.Parallel()
	b := newBench(metatest.Open(t, metatest.SQLite(t)), Config{})
	var ends endings
	b.Handle("work", Handler{Timeout: time.Millisecond, Failed: ends.failed, Do: func(ctx context.Context, _ *Job) error {
		<-ctx.Done()
		return ctx.Err()
	}})
	id := b.add(t, Work{Subject: "slow"})
	b.do1(t, true)
	b.want(t, id, Failed, fault.TimedOut)
	if fmt.Sprint(ends.list["slow"]) != "[timed-out]" {
		t.Fatalf("told of %v", ends.list)
	}
}

func TestAPanicIsTheJobsOwn(t *testing.T) {
	t.Parallel()
	b := newBench(metatest.Open(t, metatest.SQLite(t)), Config{})
	b.Handle("bad", Handler{Do: func(context.Context, *Job) error { panic("oh") }})
	b.Handle("work", Handler{Do: func(context.Context, *Job) error { return nil }})
	bad := b.add(t, Work{Kind: "bad", MaxAttempts: 1})
	good := b.add(t, Work{})
	b.do1(t, true)
	b.do1(t, true)
	b.want(t, bad, Failed, fault.Internal)
	b.want(t, good, Succeeded, "")
}

func TestCancelQueued(t *testing.T) {
	t.Parallel()
	metatest.Each(t, func(t *testing.T, db *meta.DB) {
		t.Parallel()
		b := newBench(db, Config{})
		var ends endings
		b.Handle("work", Handler{Failed: ends.failed, Do: func(context.Context, *Job) error { t.Error("ran"); return nil }})
		id := b.add(t, Work{Subject: "it"})
		if err := b.cancel(t, id); err != nil {
			t.Fatal(err)
		}
		b.want(t, id, Cancelled, fault.Cancelled)
		b.do1(t, false)
		if fmt.Sprint(ends.list["it"]) != "[cancelled]" {
			t.Errorf("told of %v", ends.list)
		}
		if err := b.cancel(t, id); !fault.Is(err, fault.Conflict) {
			t.Errorf("cancel again: got %v, want a conflict", err)
		}
		if err := b.cancel(t, "job_none"); !fault.Is(err, fault.NotFound) {
			t.Errorf("cancel what is not there: got %v", err)
		}
	})
}

func TestCancelRunning(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"the handler notices", "the handler finishes", "the handler fails otherwise", "the worker crashes"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			metatest.Each(t, func(t *testing.T, db *meta.DB) {
				t.Parallel()
				b := newBench(db, Config{})
				b.Handle("work", Handler{Do: func(ctx context.Context, j *Job) error {
					if err := b.cancel(t, j.ID); err != nil {
						t.Error(err)
					}
					switch how {
					case "the handler notices":
						b.Interrupt(j.ID)
						<-ctx.Done()
						return ctx.Err()
					case "the handler finishes":
						return j.Finish(ctx, func(*meta.DB) error { t.Error("results of a cancelled job were written"); return nil })
					}
					return errors.New("something else")
				}})
				id := b.add(t, Work{})
				if how == "the worker crashes" {
					j, err := b.next(t.Context())
					if err != nil || j == nil {
						t.Fatal(j, err)
					}
					if err := b.cancel(t, id); err != nil {
						t.Fatal(err)
					}
					again := b.restarted(t)
					again.Handle("work", Handler{Do: func(context.Context, *Job) error { t.Error("ran again"); return nil }})
					again.do1(t, false)
				} else {
					b.do1(t, true)
				}
				b.want(t, id, Cancelled, fault.Cancelled)
			})
		})
	}
}
