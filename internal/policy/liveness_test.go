package policy

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tributary/internal/fault"
	"tributary/internal/tenant"
)

// A scope lives as long as it may by either clock, and not a moment longer when
// the wall clock is set back.
func TestScopesEnd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		turn  func(h *hands, look func())
		alive bool
	}{
		"just made":                     {func(*hands, func()) {}, true},
		"a moment before":               {func(h *hands, _ func()) { h.pass(Life - time.Microsecond) }, true},
		"in time":                       {func(h *hands, _ func()) { h.pass(Life) }, false},
		"wall clock put forward":        {func(h *hands, _ func()) { h.set(400*24*time.Hour, 0) }, false},
		"put forward and back":          {func(h *hands, look func()) { h.set(time.Hour, 0); look(); h.set(-time.Hour, 0) }, false},
		"ended, then an hour back":      {func(h *hands, look func()) { h.pass(Life); look(); h.set(-time.Hour, 0) }, false},
		"an hour back, then in time":    {func(h *hands, look func()) { h.set(-time.Hour, 0); look(); h.pass(Life) }, false},
		"an hour back unseen, in time":  {func(h *hands, _ func()) { h.set(-time.Hour, 0); h.pass(Life) }, false},
		"an hour back, a moment before": {func(h *hands, look func()) { h.set(-time.Hour, 0); look(); h.pass(Life - time.Microsecond) }, true},
		"back and forth for its life":   {func(h *hands, look func()) { back(h, look, Life) }, false},
		"wall clock stands still":       {func(h *hands, _ func()) { h.set(0, Life) }, false},
		"the other clock stands still":  {func(h *hands, _ func()) { h.set(Life, 0) }, false},
	} {
		h := &hands{}
		e := newTestEngine(t, h)
		s := scopeOf(t, e, someone(TenantUser, Session))
		look := func() { _ = s.Check(t.Context(), tenant.Read, tenant.Results) }
		c.turn(h, look)
		err := s.Check(t.Context(), tenant.Read, tenant.Results)
		if want := map[bool]fault.Kind{true: "", false: fault.Unauthenticated}[c.alive]; fault.KindOf(err) != want {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
}

// back lets time pass while the wall clock is set back again and again.
func back(h *hands, look func(), whole time.Duration) {
	for range 30 {
		h.pass(whole / 30)
		look()
		h.set(-whole/30, 0)
		look()
	}
}

func TestRevocationEndsScopesAtOnce(t *testing.T) {
	t.Parallel()
	for name, revoke := range map[string]func(*Engine){
		"credential": func(e *Engine) { e.RevokeCredential("ses_1") },
		"user":       func(e *Engine) { e.RevokeCredential("usr_1") },
		"tenant":     func(e *Engine) { e.BlockTenant(tenantA) },
		"scopes":     func(e *Engine) { e.EndScopes(tenantA) },
		"the user's": func(e *Engine) { e.EndScopesOf("usr_1") },
	} {
		e := newTestEngine(t, nil)
		p := someone(TenantAdmin, Session)
		s := scopeOf(t, e, p)
		child, err := e.Narrow(t.Context(), s, []tenant.Permission{{Verb: tenant.Read, Resource: tenant.Results}}, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		other := someone(TenantAdmin, Session)
		other.Credential, other.User = "ses_2", "usr_2"
		colleague := scopeOf(t, e, other)
		other.Tenant = tenantB
		others := scopeOf(t, e, other)
		revoke(e)
		for _, scope := range []tenant.Scope{s, child} {
			if err := scope.Check(t.Context(), tenant.Read, tenant.Results); err == nil {
				t.Errorf("%s: the scope is alive", name)
			}
		}
		if err := others.Check(t.Context(), tenant.Read, tenant.Results); err != nil {
			t.Errorf("%s: another tenant's scope ended: %v", name, err)
		}
		if err := colleague.Check(t.Context(), tenant.Read, tenant.Results); (err == nil) != (name == "credential" || name == "user" || name == "the user's") {
			t.Errorf("%s: a colleague's scope: %v", name, err)
		}
		_, err = e.Scope(t.Context(), p)
		allow := e.Allow(t.Context(), p, ResultRead, Resource{Type: "result", Tenant: tenantA})
		if again := name == "scopes" || name == "the user's"; (err == nil) != again || (allow == nil) != again {
			t.Errorf("%s: afterwards Scope gives %v and Allow %v", name, err, allow)
		}
	}
}

func TestBlockedTenants(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t, nil)
	p := someone(TenantAdmin, Session)
	s := scopeOf(t, e, p)
	deletes := []tenant.Permission{{Verb: tenant.Delete, Resource: tenant.VaultInput}}
	e.BlockTenant(tenantA)
	if err := s.Check(t.Context(), tenant.Read, tenant.Results); err == nil {
		t.Error("a scope outlives the block")
	}
	if _, err := e.WorkScope(Work{RunGrant, tenantA, "run_1", []tenant.Permission{{Verb: tenant.Write, Resource: tenant.VaultOutput}}, time.Hour}); !fault.Is(err, fault.Denied) {
		t.Errorf("a run of a blocked tenant: got %v, want denied", err)
	}
	if w, err := e.WorkScope(Work{Offboarding, tenantA, "tributary", deletes, time.Hour}); err != nil || w.Check(t.Context(), tenant.Delete, tenant.VaultInput) != nil {
		t.Errorf("a blocked tenant cannot be offboarded: %v", err)
	}
	e.UnblockTenant(tenantA)
	if err := s.Check(t.Context(), tenant.Read, tenant.Results); err == nil {
		t.Error("a scope from before the block is alive again")
	}
	if err := scopeOf(t, e, p).Check(t.Context(), tenant.Read, tenant.Results); err != nil {
		t.Errorf("a new scope after the block: %v", err)
	}
}

// While many use scopes, no check that begins after the revocation succeeds.
func TestRevocationRaces(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t, nil)
	for round := range 200 {
		p := someone(TenantUser, Session)
		p.Credential = fmt.Sprint("ses_", round)
		s := scopeOf(t, e, p)
		var revoked atomic.Bool
		var users sync.WaitGroup
		started := make(chan struct{}, 4)
		for range 4 {
			users.Go(func() {
				for first := true; ; first = false {
					after := revoked.Load()
					scope, err := s, error(nil)
					if round%2 == 1 { // a new one each time
						scope, err = e.Scope(context.Background(), p)
					}
					if err == nil {
						err = scope.Check(context.Background(), tenant.Read, tenant.Results)
					}
					if after && err == nil {
						t.Error("a check that began after the revocation succeeded")
					}
					if first {
						started <- struct{}{}
					}
					if after {
						return
					}
				}
			})
		}
		for range 4 {
			<-started
		}
		if round%4 < 2 {
			e.RevokeCredential(p.Credential)
		} else {
			e.BlockTenant(p.Tenant)
		}
		revoked.Store(true)
		users.Wait()
		e.UnblockTenant(p.Tenant)
	}
}

// What was revoked is remembered while a scope could need it, and then dropped,
// by the clock that nobody can set.
func TestRevocationsAreForgotten(t *testing.T) {
	t.Parallel()
	h := &hands{}
	e := newTestEngine(t, h)
	e.RevokeCredential("ses_1")
	h.set(400*24*time.Hour, Longest)
	e.RevokeCredential("ses_2")
	if _, err := e.Scope(t.Context(), Principal{Credential: "ses_1", Kind: Session, Tenant: tenantA, Role: TenantUser, VerifiedAt: h.wall}); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("a revoked credential gets a scope: %v", err)
	}
	for i := range 10_000 {
		h.pass(time.Minute)
		e.RevokeCredential(fmt.Sprint("ses_", i))
		e.RevokeCredential("ses_again")
		e.EndScopes(tenant.ID(fmt.Sprint("ten_", i)))
		e.EndScopes(tenantA)
	}
	const most = int(Longest/time.Minute) + 3
	if got := len(e.live.revoked); got > most {
		t.Errorf("%d revoked credentials are remembered, want at most %d", got, most)
	}
	if got := len(e.live.ended); got > most {
		t.Errorf("%d ended tenants are remembered, want at most %d", got, most)
	}
	if got := len(e.live.forget); got > 3*most {
		t.Errorf("%d things are queued to be forgotten, want at most %d", got, 3*most)
	}
}

// The default of the clock that nobody can set is one.
func TestTheKernelsClockRuns(t *testing.T) {
	t.Parallel()
	before := sinceBoot()
	for sinceBoot() == before {
	}
	if got := sinceBoot(); got <= before {
		t.Errorf("the clock since boot went from %s to %s", before, got)
	}
}
