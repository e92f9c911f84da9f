package app

import (
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"tributary/internal/account"
	"tributary/internal/clock"
)

// How many connections are held open at once. Those over it are closed at once,
// so that whoever opens many keeps nobody else out for long.
const (
	mostConnections = 4096
	mostOfOne       = 256 // of one address, or of one IPv6 /64; not of loopback, nor of proxies
)

// guard is a listener that closes connections that there are too many of and,
// where a proxy ends TLS, those that do not come from it: what they say, passwords
// too, would be in plain.
type guard struct {
	net.Listener
	proxies []netip.Prefix
	only    bool // the proxies and this machine alone
	most    int
	ofOne   int
	clock   clock.Clock
	log     *slog.Logger

	mu      sync.Mutex
	open    int
	by      map[string]int
	refused int
	said    time.Time
}

func newGuard(l net.Listener, c Config) *guard {
	return &guard{Listener: l, proxies: c.BehindProxy, only: len(c.BehindProxy) > 0 && !c.tls(), most: mostConnections, ofOne: mostOfOne,
		clock: c.Clock, log: c.Log, by: map[string]int{}}
}

// Accept implements net.Listener.
func (g *guard) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		peer, err := netip.ParseAddrPort(c.RemoteAddr().String())
		if err != nil {
			_ = c.Close() // nobody is told anything by it
			continue
		}
		if done := g.admit(peer.Addr().Unmap()); done != nil {
			return &guarded{Conn: c, done: done}, nil
		}
		_ = c.Close()
	}
}

// admit counts a connection, and returns what to call when it ends; nil if there
// must not be one.
func (g *guard) admit(peer netip.Addr) (done func()) {
	near := peer.IsLoopback() || g.proxy(peer)
	one := account.Network(peer)
	g.mu.Lock()
	defer g.mu.Unlock()
	reason := ""
	switch {
	case g.only && !near:
		reason = "the peer is not one of --behind-proxy"
	case g.open >= g.most:
		reason = "there are too many"
	case !near && g.by[one] >= g.ofOne:
		reason = "there are too many of this address"
	}
	if reason != "" {
		g.refused++
		if now := g.clock.Now(); now.Sub(g.said) >= time.Minute {
			g.log.Warn("connections closed", "reason", reason, "address", peer.String(), "closed", g.refused)
			g.said, g.refused = now, 0
		}
		return nil
	}
	g.open++
	g.by[one]++
	return sync.OnceFunc(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.open--
		if g.by[one]--; g.by[one] == 0 {
			delete(g.by, one)
		}
	})
}

func (g *guard) proxy(addr netip.Addr) bool {
	for _, p := range g.proxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// guarded is a connection that counts until it is closed.
type guarded struct {
	net.Conn
	done func()
}

func (c *guarded) Close() error {
	defer c.done()
	return c.Conn.Close()
}
