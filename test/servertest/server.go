// Package servertest runs the built program for the tests below test/: a server
// process on a data directory, commands against it, and parties that take part.
package servertest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
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

// Patience is how long anything may take before a test gives up.
const Patience = time.Minute

// Password is the first system admin's.
const Password = "the password of the root admin"

// program names the program to test in the environment; without it Main builds one.
const program = "TRIBUTARY_TEST_BINARY"

// binary is the program, for all tests of a package.
var binary string

// Main runs a package's tests on the program; TestMain exits with what it returns.
func Main(m *testing.M) int {
	if binary = os.Getenv(program); binary == "" {
		dir, err := os.MkdirTemp("", "tributary-test")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "tributary")
		if out, err := exec.Command(filepath.Join(Repository(), "scripts", "build"), binary).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build tributary: %v\n%s", err, out)
			return 1
		}
	}
	return m.Run()
}

// look looks at the program and at the folders of all sources, which the tests do
// not import: go test repeats an old result unless what a test looked at, from its
// own beginning, has changed.
var look = sync.OnceValue(func() error {
	if os.Getenv(program) != "" {
		if _, err := os.Stat(binary); err != nil {
			return err
		}
	}
	return filepath.WalkDir(Repository(), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && (name == "bin" || name == "dist" || name == "node_modules" || len(name) > 2 && name[0] == '.') {
			return fs.SkipDir
		}
		return nil
	})
})

// Repository is the directory of go.mod, of which a test's is a part.
func Repository() string {
	dir := "."
	for range 10 {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		dir = filepath.Join(dir, "..")
	}
	return "."
}

// Lines collects what a process prints.
type Lines struct {
	mu   sync.Mutex
	text bytes.Buffer
	grew chan struct{}
}

func (l *Lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.grew != nil {
		close(l.grew)
		l.grew = nil
	}
	return l.text.Write(p)
}

func (l *Lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// More returns a channel that is closed at the next write.
func (l *Lines) More() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.grew == nil {
		l.grew = make(chan struct{})
	}
	return l.grew
}

// Server is a data directory and, between Start and Stop, a process that serves it.
type Server struct {
	T        *testing.T
	Home     string // the user's
	Data     string
	Database []string // --database URL, or nothing; --objects URL too
	Env      []string // of each process, beside what all have
	Token    string   // the first system admin's
	URL      string
	Log      *Lines
	Process  *os.Process
	Ended    chan struct{}
	Result   error // of the process, once Ended is closed
}

// Initialised makes the data directory with a system admin, and starts nothing.
// An empty database means SQLite in the data directory.
func Initialised(t *testing.T, data, database string) *Server {
	t.Helper()
	s := Existing(t, data, database)
	s.Init()
	return s
}

// Init makes the data directory with a system admin.
func (s *Server) Init() {
	s.T.Helper()
	password := s.File("password", Password+"\n")
	s.Token = Decode[client.Token](s.T, s.Run("", s.Place("init", "--admin-email", "admin@example.com", "--admin-password-file", password, "--json")...)).Token
}

// Existing is a server of data that is there already, or that something else
// makes. It has no token.
func Existing(t *testing.T, data, database string) *Server {
	t.Helper()
	if err := look(); err != nil {
		t.Fatal(err)
	}
	s := &Server{T: t, Home: t.TempDir(), Data: data}
	if database != "" {
		s.Database = []string{"--database", database}
	}
	return s
}

// Place adds to a command where the data is.
func (s *Server) Place(command string, args ...string) []string {
	return append(append([]string{command, "--data", s.Data}, s.Database...), args...)
}

// last returns the last lines of a text: a long one would push what failed out of
// sight.
func last(text string, lines int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

func (s *Server) env(token string) []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.Home, "TZ=UTC", "TRIBUTARY_SERVER=" + s.URL, "TRIBUTARY_TOKEN=" + token}, s.Env...)
}

var listens = regexp.MustCompile(`listens on (\S+)\n`)

// Start starts the server on a free port and waits until it listens.
func (s *Server) Start(flags ...string) {
	s.T.Helper()
	s.begin(s.Place("serve", append([]string{"--http", "127.0.0.1:0", "--sftp", "127.0.0.1:0"}, flags...)...), listens, Patience)
}

var collects = regexp.MustCompile(`Events are collected at (\S+)\n`)

// StartCollecting is Start with a collector on a free port; it returns where that is.
func (s *Server) StartCollecting() string {
	s.T.Helper()
	s.Start("--collect", "127.0.0.1:0")
	deadline := time.After(Patience)
	for {
		more := s.Log.More()
		if found := collects.FindStringSubmatch(s.Log.String()); found != nil {
			return found[1]
		}
		select {
		case <-more:
		case <-deadline:
			s.T.Fatalf("nothing is collected\n%s", s.Log)
		}
	}
}

var opens = regexp.MustCompile(`(?s) Open +(\S+) .*Ctrl\+C stops`)

// Demo starts the demo on free ports, in a directory of its own, and waits until it is filled. Its log is what it prints.
func (s *Server) Demo() {
	s.T.Helper()
	s.begin([]string{"demo", "--data", s.Data, "--http", "127.0.0.1:0", "--sftp", "127.0.0.1:0"}, opens, 4*Patience)
}

// begin starts a server and waits until it prints its address.
func (s *Server) begin(args []string, prints *regexp.Regexp, patience time.Duration) {
	s.T.Helper()
	cmd := exec.Command(binary, args...)
	log, ended := &Lines{}, make(chan struct{})
	cmd.Stdout, cmd.Stderr, cmd.Env = log, log, s.env("")
	// A test that dies takes its server along.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		s.T.Fatal(err)
	}
	s.Log, s.Ended, s.Process = log, ended, cmd.Process
	go func() {
		s.Result = cmd.Wait()
		close(ended)
	}()
	s.T.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if s.T.Failed() {
			s.T.Logf("the end of the server's log:\n%s", last(log.String(), 12))
		}
	})
	deadline := time.After(patience)
	for {
		more := log.More()
		if found := prints.FindStringSubmatch(log.String()); found != nil {
			s.URL = found[1]
			return
		}
		select {
		case <-more:
		case <-ended:
			s.T.Fatalf("the server ended: %v\n%s", s.Result, log)
		case <-deadline:
			s.T.Fatalf("the server does not listen after %v\n%s", patience, log)
		}
	}
}

// Kill ends the server in the middle of what it does.
func (s *Server) Kill() {
	s.T.Helper()
	if err := s.Process.Kill(); err != nil {
		s.T.Fatal(err)
	}
	<-s.Ended
}

// Terminate asks the server to end.
func (s *Server) Terminate() {
	s.T.Helper()
	if err := s.Process.Signal(syscall.SIGTERM); err != nil {
		s.T.Fatal(err)
	}
}

// Stop ends the server as an operator would, and wants it to end well.
func (s *Server) Stop() {
	s.T.Helper()
	s.Terminate()
	s.Stopped()
}

// Stopped waits for the end of a server that was terminated.
func (s *Server) Stopped() {
	s.T.Helper()
	select {
	case <-s.Ended:
		if s.Result != nil {
			s.T.Fatalf("server's end: got %v, want exit code 0\n%s", s.Result, s.Log)
		}
	case <-time.After(Patience):
		s.T.Fatalf("the server runs %v after SIGTERM\n%s", Patience, s.Log)
	}
}

// Sound wants every store to agree with every other.
func (s *Server) Sound() {
	s.T.Helper()
	const want = "Every store agrees with every other.\n"
	if got := s.Run("", s.Place("fsck", "--deep")...); string(got) != want {
		s.T.Fatalf("fsck: got %q, want %q", got, want)
	}
}

// Try runs a command and returns what it printed on both outputs and its exit code.
func (s *Server) Try(token string, args ...string) (stdout []byte, stderr string, code int) {
	s.T.Helper()
	ctx, cancel := context.WithTimeout(s.T.Context(), Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Env = &out, &errs, s.env(token)
	err := cmd.Run()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		s.T.Fatalf("tributary %s: %v", strings.Join(args, " "), err)
	}
	return out.Bytes(), errs.String(), cmd.ProcessState.ExitCode()
}

// Run runs a command that has to succeed.
func (s *Server) Run(token string, args ...string) []byte {
	s.T.Helper()
	out, errs, code := s.Try(token, args...)
	if code != 0 {
		s.T.Fatalf("tributary %s: got exit code %d, want 0\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

// Refused runs a command that has to fail with the code, saying all of words.
func (s *Server) Refused(code int, args []string, words ...string) {
	s.T.Helper()
	out, errs, got := s.Try("", args...)
	if got != code {
		s.T.Errorf("tributary %s: got exit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, out, errs)
	}
	for _, word := range words {
		if !strings.Contains(errs, word) {
			s.T.Errorf("tributary %s: got %q, want it to say %q", strings.Join(args, " "), errs, word)
		}
	}
}

// As is a client with a token.
func (s *Server) As(token string) *client.Client {
	s.T.Helper()
	return Must(client.New(s.URL, token, client.WithHTTPClient(&http.Client{Timeout: Patience})))(s.T)
}

// File writes a file below the server's home and returns its path.
func (s *Server) File(name, text string) string {
	s.T.Helper()
	path := filepath.Join(s.Home, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.T.Fatal(err)
	}
	return path
}

// Must fails the test unless err is nil.
func Must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// Decode reads what a command printed as JSON.
func Decode[T any](t *testing.T, raw []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("decode %q: %v", raw, err)
	}
	return v
}

// Begin starts a command, for a test that kills it.
func (s *Server) Begin(args ...string) *exec.Cmd {
	s.T.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Env = s.env("")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		s.T.Fatal(err)
	}
	return cmd
}
