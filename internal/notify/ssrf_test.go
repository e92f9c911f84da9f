package notify_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"testing"

	"tributary/internal/fault"
	"tributary/internal/notify"
)

// forbidden are URLs that lead, or try to lead, where nobody outside may: to this
// host, its networks, or past what reads them.
var forbidden = []string{
	"http://example.com/", "ftp://example.com/", "https:example.com", "//example.com/", "https:///x", "https://", "example.com", "javascript:alert(1)",
	"https://127.0.0.1:PORT/", "https://127.1:PORT/", "https://2130706433:PORT/", "https://0x7f000001:PORT/", "https://0177.0.0.1:PORT/", "https://0:PORT/", "https://0.0.0.0:PORT/",
	"https://localhost:PORT/", "https://LOCALHOST.:PORT/", "https://localhost.localdomain:PORT/", "https://[::1]:PORT/", "https://[::]:PORT/", "https://[::ffff:127.0.0.1]:PORT/",
	"https://[::ffff:7f00:1]:PORT/", "https://[64:ff9b::127.0.0.1]:PORT/", "https://[2002:7f00:1::]:PORT/", "https://[fe80::1%25eth0]:PORT/", "https://[fd00::2]:PORT/",
	"https://10.0.0.1/", "https://172.16.0.1/", "https://192.168.1.1/", "https://169.254.169.254/latest/meta-data/", "https://100.100.100.200/", "https://198.18.0.1/",
	"https://user@127.0.0.1:PORT/", "https://example.com@127.0.0.1:PORT/", "https://user:pass@example.com/", "https://example.com#@127.0.0.1:PORT/", "https://example.com\\@127.0.0.1:PORT/",
	"https://127.0.0.1:PORT\\@example.com/", "https://127。0。0。1:PORT/", "https://ⓛocalhost:PORT/", "https://①②⑦.0.0.1:PORT/", "https://exa mple.com/", "https://example.com:PORT\r\nX: y/",
	"https://[127.0.0.1]:PORT/", "https://127.0.0.1.:PORT/", "https://metadata.google.internal/",
}

// Whatever of these is taken at all ends at the dialer: no connection comes here.
func TestNothingIsSentToWhereNobodyOutsideMay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, each1(t)) // with the client that the server has
	a, admin, _ := w.tenant("acme")
	connected := make(chan string, 100)
	port := ""
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		if port != "" {
			address = net.JoinHostPort("::1", port)
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Skip(err)
		}
		t.Cleanup(func() { l.Close() })
		_, port, _ = net.SplitHostPort(l.Addr().String())
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				connected <- l.Addr().String()
				conn.Close()
			}
		}()
	}
	ctx := t.Context()
	taken := 0
	for _, text := range forbidden {
		text = strings.ReplaceAll(text, "PORT", port)
		hook, _, err := w.CreateWebhook(ctx, w.owner(admin), notify.NewWebhook{URL: text})
		if err != nil {
			wantKind(t, text, err, fault.Invalid)
			continue
		}
		taken++
		w.add(rejected(a))
		w.round(w.DeliverDue)
		d := w.sent(admin, hook.ID)[0]
		if d.State != notify.Waiting || d.Status != 0 || strings.Contains(d.Error, "127.") || strings.Contains(d.Error, "::1") {
			t.Errorf("%s: got %+v", text, d)
		}
		if err := w.DeleteWebhook(ctx, w.owner(admin), hook.ID); err != nil {
			t.Fatal(err)
		}
	}
	if taken > 12 {
		t.Errorf("%d of %d such URLs were taken", taken, len(forbidden))
	}
	select {
	case at := <-connected:
		t.Errorf("there was a connection to %s", at)
	default:
	}
}

// With a certificate that nobody vouches for nothing is sent.
func TestReceiversNeedAGoodCertificate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, each1(t))
	a, admin, _ := w.tenant("acme")
	r := w.newReceiver()
	strict := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, r.Listener.Addr().String())
	}}}
	w.cfg.Client = strict
	w.restart()
	hook, _ := w.hook(admin)
	w.add(rejected(a))
	w.round(w.DeliverDue)
	if d := w.sent(admin, hook.ID)[0]; d.Error != "The receiver's certificate is not good." || len(r.taken()) != 0 {
		t.Errorf("got %+v", d)
	}
}
