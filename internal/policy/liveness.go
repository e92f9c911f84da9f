package policy

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"tributary/internal/clock"
	"tributary/internal/fault"
	"tributary/internal/tenant"
)

// RevokeCredential ends every scope of a credential, user or actor with this id
// at once: no check that begins after it returns succeeds, and no new scope is
// made. It cannot be taken back. Only this process forgets it, after Longest; who
// verifies credentials must refuse it from its store.
func (e *Engine) RevokeCredential(id string) { e.live.revoke(id) }

// BlockTenant ends every scope for a tenant at once, and refuses new ones and all
// that its people ask for, until UnblockTenant.
func (e *Engine) BlockTenant(id tenant.ID) { e.live.block(id) }

// UnblockTenant takes BlockTenant back. Scopes from before the block stay ended.
func (e *Engine) UnblockTenant(id tenant.ID) { e.live.unblock(id) }

// EndScopes ends every scope for a tenant at once; new ones can be made.
func (e *Engine) EndScopes(id tenant.ID) { e.live.end(string(id)) }

// EndScopesOf ends every scope of a user at once, as when its role has changed;
// new ones can be made, from a principal that was looked up since.
func (e *Engine) EndScopesOf(user string) { e.live.end(user) }

// liveness knows which scopes are alive. It measures their lives by two clocks,
// and a scope ends when either says so: the wall clock, of which only the steps
// forward count, so that setting it back gives no scope a second longer, and one
// that nobody can set, because the wall clock may have been set back unseen.
type liveness struct {
	clock   clock.Clock
	elapsed func() time.Duration

	mu      sync.Mutex
	wall    time.Time           // the wall clock when it was last looked at
	walked  time.Duration       // the sum of its steps forward
	serial  int64               // counts leases and ends, to know which came first
	revoked map[string]struct{} // credentials, users and actors
	blocked map[tenant.ID]bool  // until unblocked
	ended   map[string]int64    // the serial up to which a tenant's, or a user's, scopes have ended
	forget  []forgettable       // what of revoked and ended goes when, oldest first
}

// forgettable is an entry that nothing needs any more once every scope that it
// could end has ended by itself.
type forgettable struct {
	credential string
	owner      string // a tenant or user, of ended
	serial     int64
	at         moment
}

// moment is a time by both clocks.
type moment struct{ walked, elapsed time.Duration }

func newLiveness(cfg Config) *liveness {
	l := &liveness{
		clock: cfg.Clock, elapsed: cfg.Elapsed,
		revoked: map[string]struct{}{}, blocked: map[tenant.ID]bool{}, ended: map[string]int64{},
	}
	if l.elapsed == nil {
		l.elapsed = sinceBoot
	}
	l.wall = l.clock.Now()
	return l
}

// sinceBoot counts while the machine sleeps, as Go's monotonic clock does not.
func sinceBoot() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic("policy: no clock since boot: " + err.Error())
	}
	return time.Duration(ts.Nano())
}

// now returns the wall clock's time and counts its step.
func (l *liveness) now() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.step()
	return l.wall
}

// step and look are called with mu held.
func (l *liveness) step() {
	now := l.clock.Now()
	l.walked += max(0, now.Sub(l.wall))
	l.wall = now
}

func (l *liveness) look() moment {
	l.step()
	return moment{l.walked, l.elapsed()}
}

// past reports whether a time of this length since m is over.
func (m moment) past(since moment, length time.Duration) bool {
	return m.walked-since.walked >= length || m.elapsed-since.elapsed >= length
}

// lease is the life of one scope, or its lives one after the other.
type lease struct {
	*liveness
	terms
	serial   int64
	born     moment
	from     moment     // when this life began
	renewing sync.Mutex // held while the credential is looked up
}

// lease begins a scope's life, unless it would be over at once.
func (l *liveness) lease(t terms) (*lease, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.serial++
	now := l.look()
	made := &lease{liveness: l, terms: t, serial: l.serial, born: now, from: now}
	return made, made.check()
}

// alive is asked at each operation under the scope.
func (s *lease) alive(ctx context.Context) error {
	if s.again != nil {
		if err := s.renew(ctx); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.check()
}

// lately is asked about what arrived while the scope was alive: for one Life more it
// may be kept.
func (s *lease) lately(ctx context.Context) error {
	err := s.alive(ctx)
	if err == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.look().past(s.from, s.life+Life) {
		return err
	}
	return s.standing()
}

// renew begins another life if this one is over and the credential is good. What
// was revoked, ended or blocked meanwhile is for check to say.
func (s *lease) renew(ctx context.Context) error {
	if due, _ := s.due(); !due {
		return nil
	}
	s.renewing.Lock()
	defer s.renewing.Unlock()
	due, now := s.due() // another may have done it, and the life counts from before the look
	if !due {
		return nil
	}
	if err := s.again(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.from = now
	return nil
}

// due reports whether this life is over, and when that was looked at.
func (s *lease) due() (bool, moment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.look()
	return now.past(s.from, s.life), now
}

// check is called with mu held.
func (s *lease) check() error {
	now := s.look()
	if s.again != nil && now.past(s.born, LongestTransfer) {
		return fault.New(fault.Unauthenticated, "A transfer may take %.0f hours, and this one took longer. Begin again, with less at once.", LongestTransfer.Hours())
	}
	if now.past(s.from, s.life) {
		return fault.New(fault.Unauthenticated, "The permission for this has expired; sign in again.")
	}
	return s.standing()
}

// standing returns nil unless something but time has ended the scope. It is called with
// mu held.
func (s *lease) standing() error {
	if s.whileBlocked {
		return s.valid(s.credential, s.user)
	}
	// A block, and a revocation, says more than that the scopes of before have ended.
	if err := s.admitted(s.tenant, s.credential, s.user); err != nil {
		return err
	}
	if s.serial <= max(s.ended[string(s.tenant)], s.ended[s.user]) {
		return fault.New(fault.Unauthenticated, "The permission for this has ended; sign in again.")
	}
	return nil
}

// admits returns nil unless the tenant is blocked or an id was revoked.
func (l *liveness) admits(id tenant.ID, ids ...string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.admitted(id, ids...)
}

func (l *liveness) admitted(id tenant.ID, ids ...string) error {
	if l.blocked[id] {
		return fault.Wrap(fault.Denied, fmt.Errorf("policy: %s is blocked", id), "This tenant is suspended. Ask the provider.")
	}
	return l.valid(ids...)
}

func (l *liveness) valid(ids ...string) error {
	for _, id := range ids {
		if _, gone := l.revoked[id]; gone {
			return fault.Wrap(fault.Unauthenticated, fmt.Errorf("policy: %s was revoked", id), "This credential was revoked.")
		}
	}
	return nil
}

func (l *liveness) revoke(id string) {
	if id == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, gone := l.revoked[id]; gone { // no scope was made since
		return
	}
	l.revoked[id] = struct{}{}
	l.remember(forgettable{credential: id})
}

func (l *liveness) block(id tenant.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.blocked[id] = true
	l.endLocked(string(id))
}

func (l *liveness) unblock(id tenant.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.blocked, id)
}

func (l *liveness) end(owner string) {
	if owner == "" { // that of every scope without a user
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.endLocked(owner)
}

func (l *liveness) endLocked(owner string) {
	l.ended[owner] = l.serial
	l.remember(forgettable{owner: owner, serial: l.serial})
}

// remember queues f for being forgotten and forgets what is due, so that the sets
// hold what Longest brought and no more.
func (l *liveness) remember(f forgettable) {
	f.at = l.look()
	l.forget = append(l.forget, f)
	due := 0
	// By the clock that nobody can set: one that is put forward by mistake must not
	// let a revoked credential back in.
	for due < len(l.forget) && f.at.elapsed-l.forget[due].at.elapsed > Longest {
		old := l.forget[due]
		if old.credential != "" {
			delete(l.revoked, old.credential)
		} else if l.ended[old.owner] == old.serial {
			delete(l.ended, old.owner)
		}
		due++
	}
	l.forget = l.forget[due:]
}
