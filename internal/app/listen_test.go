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
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
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
