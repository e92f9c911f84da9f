package api

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"tributary/internal/account"
	"tributary/internal/clock"
	"tributary/internal/fault"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// rates is how many requests a second each tier may make, over all of a tenant's
// credentials, with as much again in a burst.
var rates = map[tenant.Tier]rate.Limit{tenant.Basic: 50, tenant.Standard: 75, tenant.Premium: 100, tenant.Platinum: 300}

const (
	staffRate   rate.Limit = 200 // each of the provider's credentials
	publicRate  rate.Limit = 10  // each address (of IPv6 the first 64 bits), on routes without a credential
	strangeRate rate.Limit = 1   // each address that sends credentials that are not valid, after a burst of 30
)

// limiter keeps a bucket for each tenant, staff credential and address. Buckets
// that are full again are forgotten.
type limiter struct {
	clock clock.Clock
	mu    *sync.Mutex
	all   map[string]*rate.Limiter
	swept time.Time
}

func newLimiter(c clock.Clock) limiter {
	return limiter{clock: c, mu: &sync.Mutex{}, all: map[string]*rate.Limiter{}, swept: c.Now()}
}

func (l *limiter) bucket(key string, r rate.Limit, burst int) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	if now.Sub(l.swept) > time.Minute {
		l.swept = now
		for k, b := range l.all {
			if b.TokensAt(now) >= float64(b.Burst()) {
				delete(l.all, k)
			}
		}
	}
	b := l.all[key]
	if b == nil {
		b = rate.NewLimiter(r, burst)
		l.all[key] = b
	}
	return b
}

// credential takes one request from the bucket of a tenant or staff credential
// and says in headers what is left.
func (l *limiter) credential(_ context.Context, w http.ResponseWriter, p policy.Principal) error {
	key, r := "staff "+p.Credential, staffRate
	if p.Tenant != "" {
		key, r = "tenant "+string(p.Tenant), rates[p.Tier]
		if r == 0 {
			r = rates[tenant.Basic]
		}
	}
	return l.take(w, l.bucket(key, r, 2*int(r)))
}

// address refuses addresses that have sent too many bad credentials, and bounds
// what any may ask of public routes.
func (l *limiter) address(_ context.Context, w http.ResponseWriter, addr netip.Addr, public bool) error {
	if public {
		return l.take(w, l.bucket("public "+account.Network(addr), publicRate, 3*int(publicRate)))
	}
	l.mu.Lock()
	b := l.all["strange "+account.Network(addr)]
	l.mu.Unlock()
	if b != nil && b.TokensAt(l.clock.Now()) < 1 {
		return throttled(w, b, l.clock.Now())
	}
	return nil
}

// badCredential counts a credential that was not valid against its address.
func (l *limiter) badCredential(addr netip.Addr) {
	l.bucket("strange "+account.Network(addr), strangeRate, 30).AllowN(l.clock.Now(), 1)
}

func (l *limiter) take(w http.ResponseWriter, b *rate.Limiter) error {
	now := l.clock.Now()
	ok := b.AllowN(now, 1)
	left := max(0, int(b.TokensAt(now)))
	w.Header().Set("RateLimit-Policy", fmt.Sprintf(`"default";q=%d;w=1`, int(b.Limit())))
	w.Header().Set("RateLimit", fmt.Sprintf(`"default";r=%d;t=1`, left))
	if ok {
		return nil
	}
	return throttled(w, b, now)
}

func throttled(w http.ResponseWriter, b *rate.Limiter, now time.Time) error {
	wait := int(math.Ceil((1 - b.TokensAt(now)) / float64(b.Limit())))
	w.Header().Set("Retry-After", strconv.Itoa(max(1, wait)))
	return fault.New(fault.Throttled, "Too many requests. Try again in %d s.", max(1, wait))
}
