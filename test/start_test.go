package test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tributary/internal/meta/metatest"
	"tributary/test/servertest"
)

// TestUnsafePlacesAreRefused starts servers that must not start, and reads why.
func TestUnsafePlacesAreRefused(t *testing.T) {
	t.Parallel()
	const conflict, invalid = 5, 6
	kek := filepath.Join("keys", "kek.json")
	for name, c := range map[string]struct {
		spoil func(s *server) error
		flags []string
		code  int
		words []string
	}{
		"not loopback without TLS":   {flags: []string{"--http", "0.0.0.0:0"}, code: invalid, words: []string{"Without TLS", "loopback only", "0.0.0.0:0", "--tls-cert"}},
		"every address without TLS":  {flags: []string{"--http", ":0"}, code: invalid, words: []string{"Without TLS", "loopback only"}},
		"collecting without TLS":     {flags: []string{"--collect", "0.0.0.0:0"}, code: invalid, words: []string{"Without TLS", "loopback only", "0.0.0.0:0"}},
		"data directory open to all": {spoil: func(s *server) error { return os.Chmod(s.Data, 0o755) }, code: invalid, words: []string{"can be read by others", "chmod 700"}},
		"key file open to all":       {spoil: func(s *server) error { return os.Chmod(filepath.Join(s.Data, kek), 0o644) }, code: invalid, words: []string{"kek.json", "chmod 600"}},
		"key file gone":              {spoil: func(s *server) error { return os.Remove(filepath.Join(s.Data, kek)) }, code: invalid, words: []string{"kek.json is missing", "--key-file"}},
		"key file of another server": {spoil: func(s *server) error {
			return os.Rename(filepath.Join(initialised(s.T, "").Data, kek), filepath.Join(s.Data, kek))
		}, code: invalid, words: []string{"another server's", "--key-file"}},
		"data that another server has": {spoil: func(s *server) error { s.Start(); return nil }, code: conflict, words: []string{"another"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := initialised(t, "")
			if c.spoil != nil {
				if err := c.spoil(s); err != nil {
					t.Fatal(err)
				}
			}
			s.Refused(c.code, s.Place("serve", append([]string{"--http", "127.0.0.1:0"}, c.flags...)...), c.words...)
		})
	}
}

func TestPostgresSuperuserIsRefused(t *testing.T) {
	t.Parallel()
	s := &servertest.Server{T: t, Home: t.TempDir(), Data: filepath.Join(t.TempDir(), "data"), Database: []string{"--database", metatest.Superuser(t)}}
	s.Refused(6, s.Place("serve", "--http", "127.0.0.1:0"), "superuser", "row-level security")
}

// TestOneServerToADatabase starts a second server, with a data directory of its
// own, on the same PostgreSQL schema.
func TestOneServerToADatabase(t *testing.T) {
	t.Parallel()
	database := metatest.Postgres(t)
	s := started(t, database)
	copied := filepath.Join(t.TempDir(), "data")
	if err := os.CopyFS(copied, os.DirFS(s.Data)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(copied, 0o700); err != nil {
		t.Fatal(err)
	}
	second := &servertest.Server{T: t, Home: s.Home, Data: copied, Database: s.Database}
	second.Refused(5, second.Place("serve", "--http", "127.0.0.1:0"), "Another Tributary process")
}

// certificate makes a self-signed certificate for 127.0.0.1.
func certificate(t *testing.T, s *server) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	secret := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "tributary"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der := must(x509.CreateCertificate(rand.Reader, template, template, &secret.PublicKey, secret))(t)
	pool = x509.NewCertPool()
	pool.AddCert(must(x509.ParseCertificate(der))(t))
	private := must(x509.MarshalPKCS8PrivateKey(secret))(t)
	return s.File("cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))),
		s.File("cert.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))), pool
}

func TestTLS(t *testing.T) {
	t.Parallel()
	s := initialised(t, "")
	cert, key, pool := certificate(t, s)
	s.Start("--tls-cert", cert, "--tls-key", key)
	if !strings.HasPrefix(s.URL, "https://127.0.0.1:") {
		t.Fatalf("URL: got %s, want https://127.0.0.1:…", s.URL)
	}
	get := func(url string, config *tls.Config) (*http.Response, error) {
		c := &http.Client{Timeout: servertest.Patience, Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}}
		defer c.CloseIdleConnections()
		r, err := c.Get(url + "/healthz")
		if err == nil {
			r.Body.Close()
		}
		return r, err
	}
	r, err := get(s.URL, &tls.Config{RootCAs: pool})
	if err != nil || r.StatusCode != http.StatusOK || r.ProtoMajor != 2 {
		t.Errorf("GET by TLS: got %+v, %v, want 200 by HTTP/2", r, err)
	}
	if _, err := get(s.URL, &tls.Config{}); err == nil {
		t.Error("GET without the certificate in the pool: got an answer, want an error")
	}
	if _, err := get(s.URL, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("GET by TLS 1.1: got an answer, want a refusal")
	}
	if r, err := get("http"+strings.TrimPrefix(s.URL, "https"), nil); err == nil && r.StatusCode != http.StatusBadRequest {
		t.Errorf("GET without TLS: got %d, want 400 or no answer", r.StatusCode)
	}
	s.Refused(2, s.Place("serve", "--tls-cert", cert), "--tls-cert and --tls-key go together")
}

// TestPlainRoutes asks for what needs no credential.
func TestPlainRoutes(t *testing.T) {
	t.Parallel()
	s := started(t, "", "--sftp", "127.0.0.1:0")
	for path, c := range map[string]struct {
		status int
		kind   string
		says   []string
	}{
		"/healthz":           {200, "text/plain; charset=utf-8", []string{"ok\n"}},
		"/readyz":            {200, "text/plain; charset=utf-8", []string{"ready\n"}},
		"/metrics":           {200, "text/plain", []string{"# TYPE ", "go_goroutine"}},
		"/api/openapi.json":  {200, "application/json", []string{`"openapi"`, `"operationId": "submit"`}},
		"/docs":              {200, "text/html; charset=utf-8", []string{"<html", "/submissions"}},
		"/api/v1/audit/keys": {200, "application/json", []string{`"public_key"`}},
		"/nothing":           {404, "application/problem+json", []string{"There is nothing at /nothing."}},
		"/api/v1/nothing":    {404, "application/problem+json", []string{"There is nothing at"}},
		"/debug/pprof/":      {404, "application/problem+json", nil},
	} {
		t.Run(path, func(t *testing.T) {
			r, err := http.Get(s.URL + path)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Body.Close()
			body := string(must(io.ReadAll(r.Body))(t))
			if r.StatusCode != c.status || !strings.HasPrefix(r.Header.Get("Content-Type"), c.kind) {
				t.Errorf("got %d %s, want %d %s", r.StatusCode, r.Header.Get("Content-Type"), c.status, c.kind)
			}
			for _, want := range c.says {
				if !strings.Contains(body, want) {
					t.Errorf("got %.300q, want it to have %q", body, want)
				}
			}
			for header, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"} {
				if got := r.Header.Get(header); got != want {
					t.Errorf("%s: got %q, want %q", header, got, want)
				}
			}
			if r.Header.Get("Request-Id") == "" || !strings.HasPrefix(r.Header.Get("Content-Security-Policy"), "default-src 'none'") {
				t.Errorf("headers: got %v, want a Request-Id and a Content-Security-Policy", r.Header)
			}
		})
	}
}
