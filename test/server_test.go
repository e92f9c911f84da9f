// Package test runs the built program as its users do: a server process, and the
// command line or plain HTTP against it.
package test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tributary/client"
)

// binary is the program, built once for all tests.
var binary string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "tributary-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "tributary")
	if out, err := exec.Command(filepath.Join("..", "scripts", "build"), binary).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build tributary: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// patience is how long anything may take before a test gives up.
const patience = time.Minute

// lines collects what a process prints.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
	grew chan struct{}
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.grew != nil {
		close(l.grew)
		l.grew = nil
	}
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// more returns a channel that is closed at the next write.
func (l *lines) more() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.grew == nil {
		l.grew = make(chan struct{})
	}
	return l.grew
}

// server is a data directory and, between start and stop, a process that serves it.
type server struct {
	t        *testing.T
	dir      string // the user's home, with the data below it
	data     string
	database []string // --database URL, or nothing
	token    string   // the first system admin's
	url      string
	log      *lines
	process  *exec.Cmd
	ended    chan struct{}
	result   error // of the process, once ended is closed
}

// initialised makes a data directory with a system admin, and starts nothing.
// An empty database means SQLite in the data directory.
func initialised(t *testing.T, database string) *server {
	t.Helper()
	dir := t.TempDir()
	s := &server{t: t, dir: dir, data: filepath.Join(dir, "data")}
	if database != "" {
		s.database = []string{"--database", database}
	}
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte("a long enough password\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.token = decode[client.Token](t, s.run("", s.place("init", "--admin-email", "admin@example.com", "--admin-password-file", password, "--json")...)).Token
	return s
}

// started is initialised, and started.
func started(t *testing.T, database string, flags ...string) *server {
	t.Helper()
	s := initialised(t, database)
	s.start(flags...)
	return s
}

// place adds to a command where the data is.
func (s *server) place(command string, args ...string) []string {
	return append(append([]string{command, "--data", s.data}, s.database...), args...)
}

func (s *server) env(token string) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "TZ=UTC", "TRIBUTARY_SERVER=" + s.url, "TRIBUTARY_TOKEN=" + token}
}

var listens = regexp.MustCompile(`listens on (\S+)\n`)

// start starts the server on a free port and waits until it listens.
func (s *server) start(flags ...string) {
	s.t.Helper()
	s.process = exec.Command(binary, s.place("serve", append([]string{"--http", "127.0.0.1:0"}, flags...)...)...)
	s.log, s.ended = &lines{}, make(chan struct{})
	s.process.Stdout, s.process.Stderr, s.process.Env = s.log, s.log, s.env("")
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	process, ended := s.process, s.ended
	go func() {
		s.result = process.Wait()
		close(ended)
	}()
	log := s.log
	s.t.Cleanup(func() {
		_ = process.Process.Kill()
		<-ended
		if s.t.Failed() {
			s.t.Logf("the server's log:\n%s", log)
		}
	})
	deadline := time.After(patience)
	for {
		more := s.log.more()
		if found := listens.FindStringSubmatch(s.log.String()); found != nil {
			s.url = found[1]
			return
		}
		select {
		case <-more:
		case <-s.ended:
			s.t.Fatalf("the server ended: %v\n%s", s.result, s.log)
		case <-deadline:
			s.t.Fatalf("the server does not listen after %v\n%s", patience, s.log)
		}
	}
}

// kill ends the server as a power cut of the process would.
func (s *server) kill() {
	s.t.Helper()
	if err := s.process.Process.Kill(); err != nil {
		s.t.Fatal(err)
	}
	<-s.ended
}

// terminate asks the server to end.
func (s *server) terminate() {
	s.t.Helper()
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
}

// stop ends the server as an operator would, and wants it to end well.
func (s *server) stop() {
	s.t.Helper()
	s.terminate()
	s.stopped()
}

func (s *server) stopped() {
	s.t.Helper()
	select {
	case <-s.ended:
		if s.result != nil {
			s.t.Fatalf("server's end: got %v, want exit code 0\n%s", s.result, s.log)
		}
	case <-time.After(patience):
		s.t.Fatalf("the server runs %v after SIGTERM\n%s", patience, s.log)
	}
}

// sound wants every store to agree with every other.
func (s *server) sound() {
	s.t.Helper()
	const want = "Every store agrees with every other.\n"
	if got := s.run("", s.place("fsck", "--deep")...); string(got) != want {
		s.t.Fatalf("fsck: got %q, want %q", got, want)
	}
}

// try runs a command and returns what it printed on both outputs and its exit code.
func (s *server) try(token string, args ...string) (stdout []byte, stderr string, code int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Env = &out, &errs, s.env(token)
	err := cmd.Run()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		s.t.Fatalf("tributary %s: %v", strings.Join(args, " "), err)
	}
	return out.Bytes(), errs.String(), cmd.ProcessState.ExitCode()
}

// run runs a command that has to succeed.
func (s *server) run(token string, args ...string) []byte {
	s.t.Helper()
	out, errs, code := s.try(token, args...)
	if code != 0 {
		s.t.Fatalf("tributary %s: got exit code %d, want 0\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

// refused runs a command that has to fail with the code, saying all of words.
func (s *server) refused(code int, args []string, words ...string) {
	s.t.Helper()
	out, errs, got := s.try("", args...)
	if got != code {
		s.t.Errorf("tributary %s: got exit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, out, errs)
	}
	for _, word := range words {
		if !strings.Contains(errs, word) {
			s.t.Errorf("tributary %s: got %q, want it to say %q", strings.Join(args, " "), errs, word)
		}
	}
}

// as is a client with a token.
func (s *server) as(token string) *client.Client {
	s.t.Helper()
	return must(client.New(s.url, token, client.WithHTTPClient(&http.Client{Timeout: patience})))(s.t)
}

// must fails the test unless err is nil.
func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}
