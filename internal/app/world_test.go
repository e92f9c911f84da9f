package app

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"tributary/client"
	"tributary/internal/clock"
	"tributary/internal/sandbox"
)

// record is what several goroutines write, for a test to read.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// world is a server with all that it says written down.
type world struct {
	*App
	t        *testing.T
	cfg      Config
	late     atomic.Int64 // how far the server's clock is ahead
	log      record       // the server's, of every level
	problems record       // the bodies of all answers that are errors
}

// newWorld says what a server is to be; start starts it, and the test's end stops it.
func newWorld(t *testing.T) *world {
	t.Helper()
	level, err := sandbox.Probe(t.Context())
	if level == "" {
		t.Fatal(err)
	}
	w := &world{t: t}
	w.cfg = Config{Data: filepath.Join(t.TempDir(), "data"), HTTP: "127.0.0.1:0", Sandbox: level,
		Clock: clock.Clock{NowFunc: func() time.Time { return time.Now().Add(time.Duration(w.late.Load())) }},
		Log:   slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	return w
}

func (w *world) start() {
	w.t.Helper()
	var err error
	if w.App, err = Start(w.t.Context(), w.cfg); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		w.stop()
		if w.t.Failed() {
			w.t.Logf("the server's log:\n%s", w.log.String())
		}
	})
}

func (w *world) stop() {
	w.t.Helper()
	if w.App == nil {
		return
	}
	if err := w.Close(context.WithoutCancel(w.t.Context())); err != nil {
		w.t.Error(err)
	}
	w.App = nil
}

// RoundTrip implements http.RoundTripper.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || answer.StatusCode < http.StatusBadRequest {
		return answer, err
	}
	body, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	answer.Body = io.NopCloser(bytes.NewReader(body))
	_, _ = w.problems.Write(append(body, '\n')) // memory takes everything
	return answer, err
}

func (w *world) as(token string) *client.Client {
	w.t.Helper()
	return must(client.New(w.URL(), token, client.WithHTTPClient(&http.Client{Transport: w})))(w.t)
}

func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// sshPair makes an SSH key: its line of authorized_keys, and the private half.
func sshPair(t *testing.T) (line, private string) {
	t.Helper()
	public, secret, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return string(ssh.MarshalAuthorizedKey(must(ssh.NewPublicKey(public))(t))), string(pem.EncodeToMemory(must(ssh.MarshalPrivateKey(secret, ""))(t)))
}

// example reads a file of the example.
func example(t *testing.T, name string) []byte {
	t.Helper()
	return must(os.ReadFile(filepath.Join("..", "..", "examples", "cross-participant-mean", name)))(t)
}

// party makes a tenant, and a client with a key of its own admin.
func (w *world) party(admin *client.Client, slug, external string) (*client.Client, client.APIKey) {
	w.t.Helper()
	ctx := w.t.Context()
	must(admin.CreateTenant(ctx, client.NewTenant{Slug: slug, Name: slug, Organisation: slug, ExternalIDs: []string{external}}))(w.t)
	key := must(admin.CreateAPIKey(ctx, client.NewAPIKey{Tenant: slug, Role: "tenant_admin", Name: "key of " + slug}))(w.t)
	return w.as(key.Key), key
}
