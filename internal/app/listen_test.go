package app

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tributary/internal/fault"
)

// pair makes a certificate with a serial number, and its key, as PEM.
func pair(t *testing.T, serial int64) (cert, key []byte) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "tributary"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &secret.PublicKey, secret)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
}

// TestRenewalsAreSeenAndToldOf goes through a renewal that is wrong and one that
// is right.
func TestRenewalsAreSeenAndToldOf(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Now()
	var log bytes.Buffer
	r := &reloader{cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem"), now: func() time.Time { return now },
		log: slog.New(slog.NewTextHandler(&log, nil))}
	written := 0
	write := func(path string, text []byte) {
		t.Helper()
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		written++
		at := now.Add(time.Duration(written) * time.Second) // a file system may keep seconds only
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	// after looks once and compares what is in use and what was logged.
	after := func(what string, serial int64, lines int, says string) {
		t.Helper()
		now = now.Add(2 * time.Minute)
		log.Reset()
		c, err := r.get(nil)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if got := c.Leaf.SerialNumber.Int64(); got != serial {
			t.Errorf("%s: got the certificate %d, want %d", what, got, serial)
		}
		if got := strings.Count(log.String(), "\n"); got != lines || !strings.Contains(log.String(), says) {
			t.Errorf("%s: logged %d lines %q, want %d with %q", what, got, log.String(), lines, says)
		}
	}
	cert, key := pair(t, 1)
	write(r.cert, cert)
	if _, err := r.get(nil); err == nil {
		t.Error("a certificate without its key at the start: got no error")
	}
	write(r.key, key)
	after("the first", 1, 0, "")
	cert, key = pair(t, 2)
	write(r.cert, cert)
	after("a certificate that the key does not fit", 1, 1, "level=WARN msg=\"certificate files changed and cannot be used")
	after("the same again", 1, 0, "")
	write(r.cert, []byte("nothing\n"))
	after("another wrong one", 1, 1, "level=WARN")
	write(r.cert, cert)
	write(r.key, key)
	after("the right one", 2, 1, "level=INFO msg=\"certificate read again\"")
	after("nothing new", 2, 0, "")
	if err := os.Remove(r.cert); err != nil {
		t.Fatal(err)
	}
	after("no file", 2, 1, "level=WARN")
	write(r.cert, cert)
	after("put back", 2, 1, "level=INFO")
	_, key = pair(t, 3)
	write(r.key, key)
	after("a key alone", 2, 1, "level=WARN")
}

// TestAuthorityIsReachedThroughEgress asks for certificates with an authority on
// this host: only the one that the operator has named is reached.
func TestAuthorityIsReachedThroughEgress(t *testing.T) {
	t.Parallel()
	knocks := make(chan struct{}, 16)
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // the client does not know this certificate
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			knocks <- struct{}{}
		}
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	ask := func(c Config) error {
		m, err := authority(c)
		if err != nil {
			t.Fatal(err)
		}
		r, err := m.Client.HTTPClient.Get(s.URL)
		if err == nil {
			r.Body.Close()
		}
		return err
	}
	c := Config{Data: t.TempDir(), ACME: []string{"tributary.example.com"}}
	if err := ask(c); !fault.Is(err, fault.Denied) || len(knocks) != 0 {
		t.Errorf("an address on this host: got %v and %d connections, want Denied and 0", err, len(knocks))
	}
	c.ACMEDirectory = "https://127.0.0.1:1/directory"
	if err := ask(c); !fault.Is(err, fault.Denied) || len(knocks) != 0 {
		t.Errorf("another port than the directory's: got %v and %d connections, want Denied and 0", err, len(knocks))
	}
	c.ACMEDirectory = s.URL + "/directory"
	if err := ask(c); err == nil || fault.Is(err, fault.Denied) || len(knocks) != 1 {
		t.Errorf("the directory's host: got %v and %d connections, want an unknown certificate and 1", err, len(knocks))
	}
	for _, wrong := range []string{"http://ca.example.com/directory", "ca.example.com", "https:///directory", "https://%zz"} {
		if _, err := authority(Config{ACMEDirectory: wrong}); !fault.Is(err, fault.Invalid) {
			t.Errorf("directory %q: got %v, want Invalid", wrong, err)
		}
	}
}
