package meta

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"tributary/internal/fault"
)

// transaction is one transaction that handles share.
type transaction struct {
	mu      sync.Mutex
	session session
	failed  error // the first error; as on PostgreSQL, nothing runs after it
	over    bool
	after   []func() // for when it is committed
}

// Transact runs fn in a transaction that is serialisable: its effect is as if
// each had run alone. When Transact returns nil all of it survives a power cut;
// on an error or a panic nothing of it happened.
//
// fn may be run several times, so it must do nothing besides statements of the
// handle it is given, and set, not add to, the variables around it. A handle that is a transaction already is
// joined. After a statement has failed nothing else runs, and the whole is
// rolled back even if fn returns nil; use ON CONFLICT where a failure is expected.
// An error at the very end without an answer from the database (fault
// Unavailable) leaves open whether it was committed.
func (db *DB) Transact(ctx context.Context, fn func(tx *DB) error) error {
	if db.tx != nil {
		err := fn(db)
		if err != nil {
			db.tx.fail(err)
		}
		return err
	}
	return db.retry(ctx, func() error { return db.once(ctx, fn) })
}

func (db *DB) once(ctx context.Context, fn func(tx *DB) error) error {
	select {
	case <-db.engine.lost():
		return errLost
	default:
	}
	s, err := db.engine.begin(ctx)
	if err != nil {
		return err
	}
	t := &transaction{session: s}
	ended := false
	defer func() {
		if !ended { // an error, a panic or runtime.Goexit
			_ = t.end() // what failed has been returned
			s.rollback()
		}
	}()
	err = fn(&DB{core: db.core, tx: t, scope: db.scope})
	failed := t.end()
	if err == nil || isRetryable(failed) {
		err = failed
	}
	if err != nil {
		return err
	}
	ended = true
	err = s.commit(ctx)
	if err == nil || fault.Is(err, fault.Unavailable) {
		for _, f := range t.after {
			f()
		}
	}
	return err
}

// AfterCommit calls f once what the transaction did is committed, and never when it
// is rolled back; without a transaction it does so at once. Where the database gave
// no answer whether it committed f is called too, so f is for what bids somebody
// look, and must not wait.
func (db *DB) AfterCommit(f func()) {
	if db.tx == nil {
		f()
		return
	}
	db.tx.mu.Lock()
	defer db.tx.mu.Unlock()
	db.tx.after = append(db.tx.after, f)
}

func (t *transaction) run(ctx context.Context, setting string, s *statement, args []any) (result, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return result{}, errors.New("meta: the transaction has ended")
	}
	if t.failed != nil {
		return result{}, fmt.Errorf("meta: the transaction has failed before: %w", t.failed)
	}
	r, err := t.session.run(ctx, setting, s, args)
	t.failed = err
	return r, err
}

func (t *transaction) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed == nil {
		t.failed = err
	}
}

// end stops further statements and returns why the transaction has failed, if it has.
func (t *transaction) end() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	return t.failed
}

// How a transaction that lost against another is repeated. From the second time
// on those that lost go one after the other, so that each gets its turn.
const (
	maxAttempts = 40
	minPause    = time.Millisecond
	maxPause    = 50 * time.Millisecond
)

func (c *core) retry(ctx context.Context, once func() error) error {
	pause := minPause
	for attempt := 1; ; attempt++ {
		err := once()
		if !isRetryable(err) {
			return err
		}
		if attempt == maxAttempts {
			return fault.Wrap(fault.Unavailable, err, "Too much is being changed at once. Try again.")
		}
		if attempt == 2 {
			select {
			case c.turn <- struct{}{}:
				defer func() { <-c.turn }()
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		timer := time.NewTimer(rand.N(pause) + minPause) //nolint:gosec // only spreads retries
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		pause = min(2*pause, maxPause)
	}
}
