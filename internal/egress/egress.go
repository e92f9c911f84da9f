// Package egress is the one way out: the dialer, and the HTTP client over it, for
// addresses that somebody else has a say in, such as webhooks, authorities and what
// they point to. It reaches public addresses of other hosts only, judged after their
// names were resolved, and follows no redirects. What the operator alone names and may have on this host
// (the PostgreSQL server, the OTLP collector) is dialled by its own library.
package egress

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"tributary/internal/fault"
)

// The bounds of one exchange. Whoever reads a body bounds it too.
const (
	whole       = time.Minute // from the dial to the body's last byte
	dial        = 10 * time.Second
	handshake   = 10 * time.Second
	firstByte   = 30 * time.Second
	headerBytes = 64 << 10
	connections = 8 // to one host

	serviceConnections = 64 // kept open to a service that the operator named
)

// Dialer makes the dialer: it connects to public addresses. operators lists the
// hosts, as HOST:PORT, that the server's operator has named and that are reached
// wherever they are; nothing that anybody else says may be in it.
func Dialer(operators ...string) func(ctx context.Context, network, address string) (net.Conn, error) {
	free := &net.Dialer{Timeout: dial}
	judged := &net.Dialer{Timeout: dial, Control: judge(net.InterfaceAddrs)}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if slices.ContainsFunc(operators, func(o string) bool { return strings.EqualFold(o, address) }) {
			return free.DialContext(ctx, network, address)
		}
		return judged.DialContext(ctx, network, address)
	}
}

// Client makes an HTTP client that connects as Dialer does and follows no redirects.
func Client(operators ...string) *http.Client {
	return &http.Client{
		Timeout:   whole,
		Transport: transport(operators...),
		CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			return fault.New(fault.Denied, "The answer is a redirect to %s, and redirects are not followed.", r.URL.Host)
		},
	}
}

// Transport is what a library makes its own requests with, to a service that the
// server's operator has named as HOST:PORT, such as an object store: by the rules
// of Client, but for the whole exchange's time, which the library bounds by a
// context, and for redirects, which it must not follow either.
func Transport(operator string) http.RoundTripper {
	t := transport(operator)
	t.DisableCompression = true // bytes come as they are stored
	t.MaxConnsPerHost, t.MaxIdleConnsPerHost = 0, serviceConnections
	t.IdleConnTimeout = whole
	return t
}

func transport(operators ...string) *http.Transport {
	return &http.Transport{
		Proxy:               nil, // a proxy would dial what this one may not
		DialContext:         Dialer(operators...),
		TLSHandshakeTimeout: handshake, ResponseHeaderTimeout: firstByte, MaxResponseHeaderBytes: headerBytes,
		IdleConnTimeout: dial, MaxConnsPerHost: connections, ForceAttemptHTTP2: true,
	}
}

// judge makes what refuses a connection before it is made: to an address that is not
// public, or that this host has itself, whose ports may trust it. It is given the
// address, whatever the name was when somebody else looked.
func judge(own func() ([]net.Addr, error)) func(network, address string, _ syscall.RawConn) error {
	return func(network, address string, _ syscall.RawConn) error {
		peer, err := netip.ParseAddrPort(address)
		if err != nil || network != "tcp4" && network != "tcp6" {
			return fmt.Errorf("egress to %s %q: %w", network, address, fault.New(fault.Denied, "Only TCP to an address goes out."))
		}
		to := peer.Addr().Unmap()
		if !Public(to) {
			return fault.New(fault.Denied, "The address %s is not a public one, and nothing goes there.", to)
		}
		list, err := own()
		if err != nil {
			return fmt.Errorf("list this host's addresses: %w", err)
		}
		for _, a := range list {
			if n, ok := a.(*net.IPNet); ok && n.IP.Equal(to.AsSlice()) {
				return fault.New(fault.Denied, "The address %s is this server's own, and nothing goes there.", to)
			}
		}
		return nil
	}
}

// special are the networks that are not the internet's, by the registries of
// special-purpose addresses (RFC 6890 and after), multicast, and what holds an
// IPv4 address of any kind inside.
var special = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)

var (
	global = netip.MustParsePrefix("2000::/3") // all of IPv6 that is given out
	nat64  = netip.MustParsePrefix("64:ff9b::/96")
)

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		list[i] = netip.MustParsePrefix(t)
	}
	return list
}

// Public reports whether an address is one of the public internet. Mapped and
// translated forms (::ffff:0:0/96, 64:ff9b::/96) count as the IPv4 address inside.
func Public(addr netip.Addr) bool {
	if addr.Zone() != "" {
		return false
	}
	addr = addr.Unmap()
	if nat64.Contains(addr) {
		raw := addr.As16()
		addr = netip.AddrFrom4([4]byte(raw[12:]))
	}
	if !addr.IsValid() || addr.Is6() && !global.Contains(addr) {
		return false
	}
	return !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(addr) })
}
