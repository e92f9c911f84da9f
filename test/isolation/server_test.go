// Package isolation asks the built server at random, as everybody, for everything
// that anybody has ever seen, and wants no tenant to see another's canary. A model
// of who may do what predicts each answer.
package isolation

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binary is the program, built once for all tests.
var binary string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "tributary-isolation")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "tributary")
	if out, err := exec.Command(filepath.Join("..", "..", "scripts", "build"), binary).CombinedOutput(); err != nil {
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
	grew chan struct{} // closed at the next write
}

func newLines() *lines { return &lines{grew: make(chan struct{})} }

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.grew)
	l.grew = make(chan struct{})
	return l.text.Write(p)
}

func (l *lines) read() (string, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String(), l.grew
}

// server is a data directory, and the process that serves it.
type server struct {
	t        *testing.T
	dir      string
	data     string
	database string // a URL, or empty for SQLite in the data directory
	token    string // the first system admin's
	url      string
	log      string // of the processes before this one
	out      *lines
	process  *exec.Cmd
	ended    chan error
}

func newServer(t *testing.T, database string) *server {
	t.Helper()
	dir := t.TempDir()
	s := &server{t: t, dir: dir, data: filepath.Join(dir, "data"), database: database}
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte(rootPassword+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := s.command("init", "--admin-email", "root@provider.test", "--admin-password-file", password, "--json").Output()
	if err != nil {
		t.Fatalf("init: %v", err)
	}
	var made struct{ Token string }
	if err := json.Unmarshal(out, &made); err != nil {
		t.Fatalf("init printed %q: %v", out, err)
	}
	s.token = made.Token
	if err := os.Remove(password); err != nil {
		t.Fatal(err)
	}
	s.start()
	return s
}

// rootPassword is the first admin's, which nothing may repeat.
const rootPassword = "the password of the root admin"

func (s *server) command(name string, args ...string) *exec.Cmd {
	args = append([]string{name, "--data", s.data}, args...)
	if s.database != "" {
		args = append(args, "--database", s.database)
	}
	cmd := exec.Command(binary, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "TZ=UTC"}
	return cmd
}

var listens = regexp.MustCompile(`listens on (\S+)\n`)

func (s *server) start() {
	s.t.Helper()
	s.launch()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for {
		text, grew := s.out.read()
		if found := listens.FindStringSubmatch(text); found != nil {
			s.url = found[1]
			return
		}
		select {
		case <-grew:
		case err := <-s.ended:
			// A child of a killed server keeps its lock until it is a program of its own.
			if text, _ = s.out.read(); strings.Contains(text, "Another Tributary process") && ctx.Err() == nil {
				s.launch()
				continue
			}
			s.t.Fatalf("the server ended: %v\n%s", err, text)
		case <-ctx.Done():
			s.t.Fatalf("the server does not listen\n%s", text)
		}
	}
}

func (s *server) launch() {
	s.t.Helper()
	s.out, s.ended = newLines(), make(chan error, 1)
	s.process = s.command("serve", "--http", "127.0.0.1:0")
	s.process.Stdout, s.process.Stderr = s.out, s.out
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	process, ended := s.process, s.ended
	go func() { ended <- process.Wait() }()
	s.t.Cleanup(func() { _ = process.Process.Kill() })
}

// end sends the process a signal, waits for its end and keeps its log.
func (s *server) end(signal syscall.Signal) {
	s.t.Helper()
	if err := s.process.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
	select {
	case err := <-s.ended:
		if signal == syscall.SIGTERM && err != nil {
			s.t.Errorf("the server's end: got %v, want exit code 0", err)
		}
	case <-time.After(patience):
		s.t.Fatalf("the server runs on after %v", signal)
	}
	text, _ := s.out.read()
	s.log += text
}

// sound wants every store to agree with every other.
func (s *server) sound() {
	s.t.Helper()
	if out, err := s.command("fsck", "--deep").CombinedOutput(); err != nil || !strings.Contains(string(out), "Every store agrees with every other.") {
		s.t.Errorf("fsck: got %v\n%s", err, out)
	}
}
