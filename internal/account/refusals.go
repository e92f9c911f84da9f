package account

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Refused SSH keys are written to the audit log one by one, until there were this many
// of one account, of one address or of all logins that nobody has, and one a minute from
// then on. The next entry says how many are not there, so that nobody fills the disk by
// knocking.
const (
	refusedBurst = 5
	refusedEvery = time.Minute
)

// refusals is what was written lately of refused SSH keys.
type refusals struct {
	mu      sync.Mutex
	buckets map[string]*rate.Limiter // by account and by address
	skipped map[string]int64         // what has no entry, by account; "": logins that nobody has
	swept   time.Time
}

// take reports whether a refusal is to be written, and how many of the account were not
// since the last one that was.
func (r *refusals) take(now time.Time, account, address string) (skipped int64, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.buckets == nil {
		r.buckets, r.skipped = map[string]*rate.Limiter{}, map[string]int64{}
	}
	if now.Sub(r.swept) >= refusedEvery {
		r.swept = now
		for k, b := range r.buckets {
			if b.TokensAt(now) >= refusedBurst {
				delete(r.buckets, k)
			}
		}
	}
	both := [2]*rate.Limiter{}
	for i, k := range []string{"account " + account, "address " + address} {
		if both[i] = r.buckets[k]; both[i] == nil {
			both[i] = rate.NewLimiter(rate.Every(refusedEvery), refusedBurst)
			r.buckets[k] = both[i]
		}
	}
	if both[0].TokensAt(now) < 1 || both[1].TokensAt(now) < 1 {
		r.skipped[account]++
		return 0, false
	}
	for _, b := range both {
		b.AllowN(now, 1)
	}
	skipped = r.skipped[account]
	delete(r.skipped, account)
	return skipped, true
}

// KeysRefused records that SSH keys, of these fingerprints, were offered for a login and
// let nobody in: as a password that is refused is recorded, in the log of the tenant whose
// account the login is, or in the provider's if it is nobody's.
func (a *Accounts) KeysRefused(ctx context.Context, login string, fingerprints []string, addr netip.Addr) error {
	_, e, err := a.meant(ctx, strings.ToLower(strings.TrimSpace(login)))
	if err != nil {
		return err
	}
	skipped, ok := a.refusals.take(a.Clock.Now(), e.Subject, Network(addr))
	if !ok {
		return nil
	}
	if e.Details != nil {
		e.Details["address"], e.Details["agent"], e.Details["keys"] = addr.String(), "SFTP", fingerprints
		if skipped > 0 {
			e.Details["unrecorded_before"] = skipped
		}
	}
	return a.Audit.Record(ctx, e)
}
