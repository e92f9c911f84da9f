// Package test runs the built program as its users do: a server process, and the
// command line or plain HTTP against it.
package test

import (
	"crypto/ed25519"
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"

	"tributary/test/servertest"
)

func TestMain(m *testing.M) { os.Exit(servertest.Main(m)) }

const (
	dataset  = servertest.Dataset
	analysis = servertest.Analysis
)

// server and party are those of servertest, with what tests here ask of them.
type (
	server struct{ *servertest.Server }
	party  struct{ servertest.Party }
)

// initialised makes a data directory with a system admin, and starts nothing.
// An empty database means SQLite in the data directory.
func initialised(t *testing.T, database string) *server {
	t.Helper()
	return &server{servertest.Initialised(t, filepath.Join(t.TempDir(), "data"), database)}
}

// started is initialised, and started.
func started(t *testing.T, database string, flags ...string) *server {
	t.Helper()
	s := initialised(t, database)
	s.Start(flags...)
	return s
}

func (s *server) party(n int) party {
	s.T.Helper()
	return party{s.Party(n)}
}

func (s *server) exchange() (a, b party) {
	s.T.Helper()
	one, two := s.Exchange()
	return party{one}, party{two}
}

func must[T any](value T, err error) func(*testing.T) T { return servertest.Must(value, err) }

// publicKey returns a fresh line of authorized_keys.
func publicKey(t *testing.T) string {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return string(ssh.MarshalAuthorizedKey(must(ssh.NewPublicKey(public))(t)))
}
