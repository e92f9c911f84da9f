package collect

import (
	"crypto/sha256"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"tributary/internal/account"
	"tributary/internal/clock"
	"tributary/internal/fault"
)

const (
	strangeRate  = 5 // keys that are not valid, each address and second
	strangeBurst = 200
	mostKnown    = 100_000
)

// strangers bounds how many keys that are not valid an address can have looked up.
// Keys that were valid once are not held up by those that others try from there.
type strangers struct {
	clock clock.Clock

	mu      sync.Mutex
	known   map[[sha256.Size]byte]bool
	buckets map[string]*rate.Limiter
	swept   time.Time
}

func newStrangers(c clock.Clock) *strangers {
	return &strangers{clock: c, known: map[[sha256.Size]byte]bool{}, buckets: map[string]*rate.Limiter{}, swept: c.Now()}
}

// admit refuses a key that nothing is known of, from where too many were not valid.
// It is to be tried again: it may well be a good one.
func (s *strangers) admit(from netip.Addr, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known[sha256.Sum256([]byte(key))] {
		return nil
	}
	if b := s.buckets[account.Network(from)]; b != nil && b.TokensAt(s.clock.Now()) < 1 {
		return fault.New(fault.Unavailable, "Too many keys that are not valid come from this address. Try again in a moment.")
	}
	return nil
}

// learn keeps in mind what became of a key.
func (s *strangers) learn(peer netip.Addr, key string, err error) {
	if err != nil && !fault.Is(err, fault.Unauthenticated) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		if len(s.known) >= mostKnown {
			clear(s.known)
		}
		s.known[sha256.Sum256([]byte(key))] = true
		return
	}
	delete(s.known, sha256.Sum256([]byte(key)))
	now := s.clock.Now()
	if now.Sub(s.swept) > time.Minute {
		s.swept = now
		for k, b := range s.buckets {
			if b.TokensAt(now) >= strangeBurst {
				delete(s.buckets, k)
			}
		}
	}
	from := account.Network(peer)
	if s.buckets[from] == nil {
		s.buckets[from] = rate.NewLimiter(strangeRate, strangeBurst)
	}
	s.buckets[from].AllowN(now, 1)
}

// connection is where a connection comes from.
func connection(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap()
}
