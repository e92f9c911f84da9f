package job

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
)

// mark writes something for a test to find, as a handler's results.
func mark(ctx context.Context, name string) func(*meta.DB) error {
	return func(tx *meta.DB) error {
		_, err := tx.Exec(ctx, `INSERT INTO settings (name, value) VALUES ($1, $2)`, name, []byte("x"))
		return err
	}
}

func marked(t *testing.T, db *meta.DB, name string) bool {
	t.Helper()
	var n int64
	if err := db.QueryRow(t.Context(), `SELECT count(*) FROM settings WHERE name = $1`, name).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n == 1
}

func TestAStaleWorkerWritesNothing(t *testing.T) {
	t.Parallel()
	metatest.Each(t, func(t *testing.T, db *meta.DB) {
		t.Parallel()
		b := newBench(db, Config{Lease: 30 * time.Second})
		b.Handle("work", Handler{Do: func(ctx context.Context, j *Job) error { return j.Finish(ctx, mark(ctx, "new")) }})
		id := b.add(t, Work{})
		stale, err := b.next(t.Context())
		if err != nil || stale == nil {
			t.Fatal(stale, err)
		}
		b.hands.advance(29 * time.Second)
		b.do1(t, false) // the lease holds
		b.hands.advance(2 * time.Second)
		b.do1(t, false) // put back, with a pause
		b.want(t, id, Queued, fault.Internal)
		if err := stale.Finish(t.Context(), mark(t.Context(), "queued")); !errors.Is(err, errLeaseLost) {
			t.Fatalf("finish after the lease was lost: got %v", err)
		}
		b.hands.advance(2 * time.Second)
		b.do1(t, true)
		if err := stale.Finish(t.Context(), mark(t.Context(), "done")); !errors.Is(err, errLeaseLost) {
			t.Fatalf("finish after another finished: got %v", err)
		}
		stale.Progress(t.Context(), "late", 1, 2)
		if s := b.status(t, id); s.State != Succeeded || s.Attempts != 2 || s.Stage == "late" {
			t.Errorf("job: %+v", s)
		}
		if !marked(t, db, "new") || marked(t, db, "queued") || marked(t, db, "done") {
			t.Error("results: want those of the second worker alone")
		}
	})
}

func TestResultsAndSuccessAreOne(t *testing.T) {
	t.Parallel()
	metatest.Each(t, func(t *testing.T, db *meta.DB) {
		t.Parallel()
		b := newBench(db, Config{})
		b.Handle("work", Handler{Do: func(ctx context.Context, j *Job) error {
			return j.Finish(ctx, func(tx *meta.DB) error {
				if err := mark(ctx, "half")(tx); err != nil {
					return err
				}
				return fault.New(fault.Invalid, "No.")
			})
		}})
		id := b.add(t, Work{})
		b.do1(t, true)
		b.want(t, id, Failed, fault.Invalid)
		if marked(t, db, "half") {
			t.Error("results of a failed job were written")
		}
	})
}

func TestRecoverAfterACrash(t *testing.T) {
	t.Parallel()
	metatest.Each(t, func(t *testing.T, db *meta.DB) {
		t.Parallel()
		b := newBench(db, Config{Lease: time.Hour})
		b.Handle("work", Handler{})
		once, twice := b.add(t, Work{Subject: "once", MaxAttempts: 1}), b.add(t, Work{Subject: "twice"})
		for range 2 {
			if j, err := b.next(t.Context()); j == nil || err != nil {
				t.Fatal(j, err)
			}
		}
		again := b.restarted(t)
		var ends endings
		again.Handle("work", Handler{Failed: ends.failed, Do: func(context.Context, *Job) error { return nil }})
		again.do1(t, false) // an hour of lease does not count any more; a pause of a second does
		again.want(t, once, Failed, fault.Internal)
		again.want(t, twice, Queued, fault.Internal)
		again.hands.advance(2 * time.Second)
		again.do1(t, true)
		again.want(t, twice, Succeeded, fault.Internal)
		if len(ends.list["once"]) != 1 || len(ends.list["twice"]) != 0 {
			t.Errorf("told of %v, want the one without an attempt left", ends.list)
		}
	})
}

func TestAJobWhoseEndCannotBeRecordedHoldsUpNobody(t *testing.T) {
	t.Parallel()
	b := newBench(metatest.Open(t, metatest.SQLite(t)), Config{})
	b.Handle("poison", Handler{Failed: func(context.Context, *meta.DB, *Job, error) error { return errors.New("cannot record") }})
	b.Handle("work", Handler{Do: func(context.Context, *Job) error { return nil }})
	b.add(t, Work{Kind: "poison", MaxAttempts: 1})
	if j, err := b.next(t.Context()); j == nil || err != nil {
		t.Fatal(j, err)
	}
	good := b.add(t, Work{})
	b.hands.advance(time.Hour)
	b.do1(t, true)
	b.want(t, good, Succeeded, "")
}

func TestProgress(t *testing.T) {
	t.Parallel()
	b := newBench(metatest.Open(t, metatest.SQLite(t)), Config{})
	var id string
	b.Handle("work", Handler{Do: func(ctx context.Context, j *Job) error {
		for n, c := range []struct {
			wait time.Duration
			want int64 // seen afterwards
		}{{0, 0}, {time.Millisecond, 0}, {498 * time.Millisecond, 0}, {2 * time.Millisecond, 3}, {time.Second, 4}} {
			b.hands.advance(c.wait)
			j.Progress(ctx, "counting", int64(n), 5)
			if s := b.status(t, id); s.Stage != "counting" || s.Done != c.want || s.Total != 5 {
				t.Errorf("after report %d: %q %d of %d, want %d", n, s.Stage, s.Done, s.Total, c.want)
			}
		}
		return nil
	}})
	id = b.add(t, Work{})
	b.do1(t, true)
	if s := b.status(t, id); s.Done != s.Total || s.State != Succeeded {
		t.Errorf("at the end: %d of %d", s.Done, s.Total)
	}
}

// start runs the queue and returns how to end it, which waits for the end.
func (b *bench) start(t *testing.T) (end func()) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	return sync.OnceFunc(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestConcurrencyOfAKind(t *testing.T) {
	t.Parallel()
	b := newBench(metatest.Open(t, metatest.SQLite(t)), Config{Workers: 4, Poll: time.Millisecond})
	const jobs = 30
	var mu sync.Mutex
	running, most, done := 0, 0, make(chan struct{}, jobs)
	b.Handle("narrow", Handler{Concurrency: 1, Do: func(ctx context.Context, j *Job) error {
		mu.Lock()
		running++
		most = max(most, running)
		mu.Unlock()
		err := j.Finish(ctx, func(*meta.DB) error { return nil })
		mu.Lock()
		running--
		mu.Unlock()
		done <- struct{}{}
		return err
	}})
	b.addMany(t, Work{Kind: "narrow"}, jobs)
	end := b.start(t)
	defer end()
	for range jobs {
		<-done
	}
	if most != 1 {
		t.Fatalf("%d jobs of the kind at once, want 1", most)
	}
}

func TestAKindAtItsLimitLeavesRoomForOthers(t *testing.T) {
	t.Parallel()
	b := newBench(metatest.Open(t, metatest.SQLite(t)), Config{Workers: 2, Poll: time.Millisecond})
	other := make(chan struct{})
	b.Handle("narrow", Handler{Concurrency: 1, Do: func(ctx context.Context, _ *Job) error {
		select { // until the other kind has had its turn
		case <-other:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}})
	b.Handle("other", Handler{Do: func(context.Context, *Job) error { close(other); return nil }})
	b.addMany(t, Work{Kind: "narrow"}, 2)
	b.add(t, Work{Kind: "other"})
	defer b.start(t)()
	<-other
}

func TestShutdownWaitsForWhatRuns(t *testing.T) {
	t.Parallel()
	b := newBench(metatest.Open(t, metatest.SQLite(t)), Config{Drain: time.Minute, Poll: time.Millisecond})
	started, release := make(chan struct{}), make(chan struct{})
	b.Handle("work", Handler{Do: func(ctx context.Context, j *Job) error {
		close(started)
		<-release
		return j.Finish(ctx, mark(ctx, "finished"))
	}})
	id := b.add(t, Work{})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	<-started
	stop()
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	b.want(t, id, Succeeded, "")
	if !marked(t, b.db, "finished") {
		t.Error("results are missing")
	}
}

func TestShutdownPutsBackWhatDoesNotEnd(t *testing.T) {
	t.Parallel()
	metatest.Each(t, func(t *testing.T, db *meta.DB) {
		t.Parallel()
		b := newBench(db, Config{Drain: time.Millisecond, Poll: time.Millisecond})
		started := make(chan struct{})
		var ends endings
		b.Handle("work", Handler{Failed: ends.failed, Do: func(ctx context.Context, _ *Job) error {
			close(started)
			<-ctx.Done()
			return ctx.Err()
		}})
		id := b.add(t, Work{MaxAttempts: 1})
		end := b.start(t)
		<-started
		end()
		if s := b.status(t, id); s.State != Queued || s.Attempts != 0 {
			t.Fatalf("after shutdown: %s after %d attempts (%s), want queued, and no attempt counted", s.State, s.Attempts, s.Error)
		}
		if len(ends.list) > 0 {
			t.Errorf("told of an end: %v", ends.list)
		}
		again := b.restarted(t)
		again.Handle("work", Handler{Do: func(context.Context, *Job) error { return nil }})
		again.do1(t, true)
		if s := again.status(t, id); s.State != Succeeded {
			t.Errorf("after the restart: %s", s.State)
		}
	})
}

func TestTheBeatNoticesWhatOthersDid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, statement string
		state           State
	}{
		{"cancellation", `UPDATE jobs SET cancel_requested = 1 WHERE id = $1`, Cancelled},
		{"lease", `UPDATE jobs SET lease = 'another' WHERE id = $1`, Running},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(metatest.Open(t, metatest.SQLite(t)), Config{Lease: 8 * time.Millisecond})
			b.Handle("work", Handler{Do: func(ctx context.Context, j *Job) error {
				if _, err := b.db.Unscoped().Exec(ctx, c.statement, j.ID); err != nil {
					return err
				}
				<-ctx.Done()
				return ctx.Err()
			}})
			id := b.add(t, Work{})
			b.do1(t, true)
			if s := b.status(t, id); s.State != c.state {
				t.Errorf("got %s (%s), want %s", s.State, s.Error, c.state)
			}
		})
	}
}
