package notify_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"tributary/internal/fault"
	"tributary/internal/notify"
	"tributary/internal/notify/notifytest"
)

// elsewhere is an address of this host that is not loopback, as another host's would be.
func elsewhere(t *testing.T) string {
	t.Helper()
	list, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range list {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			return n.IP.String()
		}
	}
	t.Skip("this host has no address but loopback")
	return ""
}

// certificate is one for an address, and who vouches for it.
func certificate(t *testing.T, address string) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	form := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.ParseIP(address)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true}
	raw := must(x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key))(t)
	pool := x509.NewCertPool()
	pool.AddCert(must(x509.ParseCertificate(raw))(t))
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{raw}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}, pool
}

// To another host neither a mail nor a password goes without encryption.
func TestMailsToAnotherHostAreEncrypted(t *testing.T) {
	t.Parallel()
	host := elsewhere(t)
	config, roots := certificate(t, host)
	const secret = "a mail server's password"
	for name, c := range map[string]struct {
		offered *tls.Config
		roots   *x509.CertPool
		problem string
	}{
		"with STARTTLS":                 {config, roots, ""},
		"without":                       {nil, roots, "STARTTLS"},
		"a certificate of nobody known": {config, x509.NewCertPool(), "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := notifytest.New(t, host, c.offered, nil)
			w := newWorld(t, each1(t))
			w.cfg.Mail = &notify.SMTP{Address: server.Address, From: "data@example.com", User: "data", Password: secret, Roots: c.roots}
			if err := w.cfg.Mail.Check(); err != nil {
				t.Fatal(err)
			}
			w.restart()
			a, _, user := w.tenant("acme")
			w.add(notify.Notice{Kind: notify.NewSignIn, Tenant: a, User: user.ID, Subject: "ses_1"})
			w.round(w.SendDue)
			got, m := server.Mails(), w.outbox(a)[0]
			switch {
			case c.problem == "" && (len(got) != 1 || !got[0].Secure || got[0].Auth != " data "+secret || m.State != notify.Sent):
				t.Errorf("got %+v and %+v", got, m)
			case c.problem != "" && (len(got) != 0 || m.State != notify.Waiting || !strings.Contains(m.Error, c.problem)):
				t.Errorf("got %+v and %+v, want none because of %s", got, m, c.problem)
			}
			if strings.Contains(w.log.String(), secret) {
				t.Error("the log has the password")
			}
		})
	}
}

func TestSettingsOfTheMailServerAreChecked(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]notify.SMTP{
		"no port":        {Address: "mail.example.com", From: "a@example.com"},
		"no host":        {Address: ":25", From: "a@example.com"},
		"no sender":      {Address: "mail.example.com:25"},
		"a wrong sender": {Address: "mail.example.com:25", From: "nobody"},
		"no password":    {Address: "mail.example.com:25", From: "a@example.com", User: "a"},
		"no user":        {Address: "mail.example.com:25", From: "a@example.com", Password: "x"},
	} {
		wantKind(t, name, s.Check(), fault.Invalid)
	}
	good := notify.SMTP{Address: "mail.example.com:25", From: "Data <a@example.com>"}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
}

// One mail server that is down is not asked for each mail.
func TestAMailServerThatIsDownIsLetAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, each1(t))
	server := notifytest.New(t, "127.0.0.1", nil, func(command, _ string) string {
		if command == "EHLO" {
			return "hang up"
		}
		return ""
	})
	w.mailTo(server)
	a, _, _ := w.tenant("acme")
	for range 5 {
		w.add(rejected(a))
	}
	for range 5 {
		w.round(w.SendDue)
	}
	if got := server.Sessions(); got != 1 {
		t.Errorf("it was asked %d times, want once", got)
	}
}

// A mail server that keeps silent at the end ends neither the round nor those after it.
func TestAMailServerThatDoesNotSayGoodbyeHoldsUpNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, each1(t))
	silent := make(chan struct{})
	server := notifytest.New(t, "127.0.0.1", nil, func(command, _ string) string {
		if command == "QUIT" {
			<-silent
		}
		return ""
	})
	defer close(silent)
	w.mailTo(server)
	a, _, _ := w.tenant("acme")
	w.add(rejected(a))
	ended := make(chan error)
	go func() { ended <- w.SendDue(t.Context()) }()
	select {
	case err := <-ended:
		if got := states(w.outbox(a)); err != nil || got != "map[sent:2]" {
			t.Errorf("got %s, %v, want both sent", got, err)
		}
	case <-time.After(30 * time.Second):
		t.Error("the round goes on after 30 s")
	}
}
