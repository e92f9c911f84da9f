package app

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"tributary/internal/clock"
)

func TestConnectionsHaveANumber(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := newGuard(l, Config{Log: slog.New(slog.DiscardHandler)})
	defer g.Close()
	g.most = 2
	accepted := make(chan net.Conn, 10)
	go func() {
		for {
			c, err := g.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	dial := func() net.Conn {
		t.Helper()
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	next := func() net.Conn {
		t.Helper()
		select {
		case c := <-accepted:
			return c
		case <-time.After(time.Minute):
			t.Fatal("no connection is accepted")
			return nil
		}
	}
	dial()
	dial()
	first, second := next(), next()
	over := dial()
	if err := over.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if n, err := over.Read(make([]byte, 1)); n != 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("one too many: got %d bytes, %v, want it closed", n, err)
	}
	_ = first.Close()
	_ = first.Close() // counts once
	dial()
	third := next()
	if g.open != 2 {
		t.Errorf("open: got %d, want 2", g.open)
	}
	_ = second.Close()
	_ = third.Close()
	if g.open != 0 || len(g.by) != 0 {
		t.Errorf("when all are closed: got %d and %v, want nothing", g.open, g.by)
	}
}

func TestOneAddressHasOnlySoManyConnections(t *testing.T) {
	t.Parallel()
	proxy := netip.MustParsePrefix("203.0.113.0/24")
	g := newGuard(nil, Config{Log: slog.New(slog.DiscardHandler), BehindProxy: []netip.Prefix{proxy}, CertFile: "cert.pem", Clock: clock.Clock{}})
	for _, c := range []struct {
		first, second string // of one network, or of one person
		limited       bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"2001:db8::1", "2001:db8::2:3", true},
		{"127.0.0.1", "127.0.0.1", false},
		{"::1", "::1", false},
		{"203.0.113.7", "203.0.113.7", false},
	} {
		var done func()
		for range mostOfOne {
			if done = g.admit(netip.MustParseAddr(c.first)); done == nil {
				t.Fatalf("%s: refused, want %d connections", c.first, mostOfOne)
			}
		}
		if got := g.admit(netip.MustParseAddr(c.second)) == nil; got != c.limited {
			t.Errorf("one more of %s: refused %v, want %v", c.second, got, c.limited)
		}
		done()
		if g.admit(netip.MustParseAddr(c.second)) == nil {
			t.Errorf("%s when another has ended: refused, want it admitted", c.second)
		}
	}
	if g.admit(netip.MustParseAddr("192.0.2.2")) == nil {
		t.Error("another address: refused, want it admitted")
	}
}

func TestBehindAProxyOnlyItsConnectionsAreLetIn(t *testing.T) {
	t.Parallel()
	proxy := []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
	for _, c := range []struct {
		what, peer string
		config     Config
		want       bool
	}{
		{"the proxy", "203.0.113.7", Config{BehindProxy: proxy}, true},
		{"this machine", "127.0.0.1", Config{BehindProxy: proxy}, true},
		{"anybody", "192.0.2.1", Config{BehindProxy: proxy}, false},
		{"anybody by TLS", "192.0.2.1", Config{BehindProxy: proxy, CertFile: "cert.pem"}, true},
		{"anybody without a proxy", "192.0.2.1", Config{CertFile: "cert.pem"}, true},
	} {
		c.config.Log = slog.New(slog.DiscardHandler)
		if got := newGuard(nil, c.config).admit(netip.MustParseAddr(c.peer)) != nil; got != c.want {
			t.Errorf("%s: got %v, want %v", c.what, got, c.want)
		}
	}
}
