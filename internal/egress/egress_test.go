package egress

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"tributary/internal/fault"
)

func TestPublic(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"1.1.1.1": true, "9.255.255.255": true, "11.0.0.0": true, "172.15.255.255": true, "172.32.0.0": true, "100.63.255.255": true, "100.128.0.0": true,
		"192.167.255.255": true, "223.255.255.255": true, "2606:4700::1111": true, "2a00:1450::1": true, "::ffff:1.1.1.1": true, "64:ff9b::1.1.1.1": true,

		"0.0.0.0": false, "0.1.2.3": false, "10.0.0.1": false, "100.64.0.1": false, "100.127.255.255": false, "127.0.0.1": false, "127.255.0.1": false,
		"169.254.169.254": false, "172.16.0.1": false, "172.31.255.255": false, "192.0.0.8": false, "192.168.1.1": false, "198.18.0.1": false, "198.19.255.255": false,
		"224.0.0.1": false, "239.1.2.3": false, "240.0.0.1": false, "255.255.255.255": false, "192.0.2.1": false, "198.51.100.1": false, "203.0.113.1": false,
		"::": false, "::1": false, "::127.0.0.1": false, "::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::ffff:169.254.169.254": false, "::ffff:100.64.0.1": false,
		"64:ff9b::127.0.0.1": false, "64:ff9b::10.0.0.1": false, "64:ff9b::169.254.169.254": false, "64:ff9b:1::1.1.1.1": false,
		"2002:7f00:1::": false, "2002:101:101::": false, "2001:0:1::1": false, "2001:db8::1": false, "fc00::1": false, "fd12:3456::1": false, "fe80::1": false,
		"fe80::1%eth0": false, "2606:4700::1%eth0": false, "fec0::1": false, "ff02::1": false, "100::1": false, "5f00::1": false, "3fff::1": false,
	} {
		if got := Public(netip.MustParseAddr(text)); got != want {
			t.Errorf("Public(%s): got %v, want %v", text, got, want)
		}
	}
	if Public(netip.Addr{}) {
		t.Error("Public of no address: got true, want false")
	}
}

// TestOwnAddressesAreNotReached has a host with public addresses, whose ports may
// be open to itself only.
func TestOwnAddressesAreNotReached(t *testing.T) {
	t.Parallel()
	here := judge(func() ([]net.Addr, error) {
		return []net.Addr{&net.IPNet{IP: net.ParseIP("9.8.7.6"), Mask: net.CIDRMask(24, 32)}, &net.IPNet{IP: net.ParseIP("2606:4700::1"), Mask: net.CIDRMask(64, 128)}}, nil
	})
	for address, denied := range map[string]bool{
		"9.8.7.6:443": true, "[::ffff:9.8.7.6]:443": true, "[2606:4700::1]:1": true,
		"9.8.7.5:443": false, "[2606:4700::2]:443": false,
	} {
		network := "tcp4"
		if strings.HasPrefix(address, "[") {
			network = "tcp6"
		}
		if err := here(network, address, nil); fault.Is(err, fault.Denied) != denied {
			t.Errorf("%s: got %v, denied should be %v", address, err, denied)
		}
	}
	blind := judge(func() ([]net.Addr, error) { return nil, errors.New("no addresses") })
	if err := blind("tcp4", "9.8.7.5:443", nil); err == nil {
		t.Error("a host that cannot tell its addresses: got a connection")
	}
}

// house is a server on loopback that counts who connects.
func house(t *testing.T, h http.Handler) (host string, knocks *atomic.Int64) {
	t.Helper()
	knocks = &atomic.Int64{}
	s := httptest.NewUnstartedServer(h)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			knocks.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://"), knocks
}

var hello = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })

func get(t *testing.T, c *http.Client, url string) error {
	t.Helper()
	r, err := c.Get(url)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return errors.New(r.Status)
	}
	return nil
}

// TestPrivateAddressesAreNotReached asks for a server on this host in every way
// that names it, first as a stranger and then as one that the operator named.
func TestPrivateAddressesAreNotReached(t *testing.T) {
	t.Parallel()
	host, knocks := house(t, hello)
	_, port, err := net.SplitHostPort(host)
	if err != nil {
		t.Fatal(err)
	}
	c := Client()
	for _, name := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "[::1]", "[::ffff:7f00:1]"} {
		if err := get(t, c, "http://"+name+":"+port); !fault.Is(err, fault.Denied) {
			t.Errorf("%s: got %v, want Denied", name, err)
		}
	}
	if n := knocks.Load(); n != 0 {
		t.Errorf("connections: got %d, want 0", n)
	}
	if err := get(t, Client(host), "http://"+host); err != nil {
		t.Errorf("as the operator's: got %v, want an answer", err)
	}
}

// TestOperatorsHostIsExactlyThat checks that naming one host opens no other, nor
// another port of it.
func TestOperatorsHostIsExactlyThat(t *testing.T) {
	t.Parallel()
	named, _ := house(t, hello)
	other, knocks := house(t, hello)
	_, port, err := net.SplitHostPort(named)
	if err != nil {
		t.Fatal(err)
	}
	c := Client(named)
	for _, host := range []string{other, "localhost:" + port} {
		if err := get(t, c, "http://"+host); !fault.Is(err, fault.Denied) {
			t.Errorf("%s: got %v, want Denied", host, err)
		}
	}
	if n := knocks.Load(); n != 0 {
		t.Errorf("connections to the other: got %d, want 0", n)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	target, knocks := house(t, hello)
	from, _ := house(t, http.RedirectHandler("http://"+target, http.StatusFound))
	if err := get(t, Client(from, target), "http://"+from); !fault.Is(err, fault.Denied) {
		t.Errorf("redirect: got %v, want Denied", err)
	}
	if n := knocks.Load(); n != 0 {
		t.Errorf("connections to where it points: got %d, want 0", n)
	}
}

// TestNoProxyOfTheEnvironment has a proxy that would fetch anything.
//
//nolint:paralleltest // it sets the environment
func TestNoProxyOfTheEnvironment(t *testing.T) {
	proxy, knocks := house(t, hello)
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "ALL_PROXY"} {
		t.Setenv(name, "http://"+proxy)
	}
	// Go's own proxy rule spares names of this host, and this is one of none.
	_ = get(t, Client(proxy), "http://192.0.2.1:1/")
	if n := knocks.Load(); n != 0 {
		t.Errorf("connections to the proxy: got %d, want 0", n)
	}
}

// TestHeadersAreBounded has a server with a head that does not end.
func TestHeadersAreBounded(t *testing.T) {
	t.Parallel()
	host, _ := house(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("x", 2*headerBytes))
	}))
	var wrong *url.Error
	if err := get(t, Client(host), "http://"+host); !errors.As(err, &wrong) {
		t.Errorf("a head of %d bytes: got %v, want an error", 2*headerBytes, err)
	}
}
