package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"tributary/client"
)

// build builds the server as a release is built.
func build(ctx context.Context, to string) error {
	cmd := exec.CommandContext(ctx, filepath.Join("scripts", "build"), to, "bench")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the server: %w: %s", err, text)
	}
	return nil
}

// store is a data directory that was initialised, with its first admin's token.
type store struct{ data, token, database string }

// The first system admin.
const adminEmail, adminPassword = "admin@example.com", "correct horse battery staple"

// place is where a command finds the store.
func (s store) place() []string {
	args := []string{"--data", s.data}
	if s.database != "" {
		args = append(args, "--database", s.database)
	}
	return args
}

// url is that of its control database.
func (s store) url() string {
	if s.database != "" {
		return s.database
	}
	return "sqlite:" + filepath.Join(s.data, "control.db")
}

func (b *bench) newStore(ctx context.Context, name string) (store, error) {
	return b.newStoreOn(ctx, name, "")
}

// newStoreOn is newStore on a database; empty is SQLite.
func (b *bench) newStoreOn(ctx context.Context, name, database string) (store, error) {
	s := store{data: filepath.Join(b.dir, name), database: database}
	password := filepath.Join(b.dir, name+".password")
	if err := os.WriteFile(password, []byte(adminPassword+"\n"), 0o600); err != nil {
		return s, err
	}
	cmd := exec.CommandContext(ctx, b.binary, append([]string{"init", "--admin-email", adminEmail, "--admin-password-file", password, "--json"}, s.place()...)...)
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return s, fmt.Errorf("init: %w", err)
	}
	var made struct{ Token string }
	if err := json.Unmarshal(text, &made); err != nil {
		return s, fmt.Errorf("init printed %.200q: %w", text, err)
	}
	s.token = made.Token
	return s, nil
}

// server is a running server process.
type server struct {
	cmd      *exec.Cmd
	url      string
	ready    time.Duration // from exec to the first 200 of /readyz
	collects chan string   // has where events are collected, once
	log      *bytes.Buffer // complete once ended is closed
	ended    chan struct{}
	err      error
}

// start runs a server on a free port and waits until it is ready. The address
// is the one that this process printed, so it is this one that answers.
func (b *bench) start(ctx context.Context, s store, more ...string) (*server, error) {
	args := slices.Concat([]string{"serve", "--http", "127.0.0.1:0", "--sftp", "127.0.0.1:0"}, s.place(), more)
	p := &server{cmd: exec.CommandContext(ctx, b.binary, args...), log: &bytes.Buffer{}, ended: make(chan struct{}), collects: make(chan string, 1)}
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	address := make(chan string, 1)
	go func() {
		defer close(p.ended)
		lines := bufio.NewScanner(io.TeeReader(stderr, p.log))
		for lines.Scan() {
			if _, url, ok := strings.Cut(lines.Text(), " listens on "); ok && strings.HasPrefix(url, "http") {
				address <- url
			}
			if _, url, ok := strings.Cut(lines.Text(), "Events are collected at "); ok {
				p.collects <- url
			}
		}
		p.err = errors.Join(lines.Err(), p.cmd.Wait())
	}()
	select {
	case p.url = <-address:
	case <-p.ended:
		return nil, fmt.Errorf("the server ended: %w: %s", p.err, p.log)
	case <-time.After(time.Minute):
		return nil, errors.Join(errors.New("the server did not start within a minute"), p.kill())
	}
	for {
		if err := p.answersReady(ctx); err == nil {
			p.ready = time.Since(began)
			return p, nil
		} else if time.Since(began) > time.Minute {
			return nil, errors.Join(fmt.Errorf("not ready within a minute: %w", err), p.kill())
		}
		time.Sleep(time.Millisecond)
	}
}

func (p *server) answersReady(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/readyz", nil)
	if err != nil {
		return err
	}
	c := http.Client{Timeout: time.Second}
	answer, err := c.Do(r)
	if err != nil {
		return err
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	return nil
}

// stop ends the server in its own way.
func (p *server) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.ended:
	case <-time.After(time.Minute):
		return errors.Join(errors.New("the server did not stop within a minute"), p.kill())
	}
	if p.err != nil {
		return fmt.Errorf("the server ended badly: %w: %s", p.err, p.log)
	}
	return nil
}

// kill ends it as a power cut would, but for what the kernel has to write.
func (p *server) kill() error {
	err := p.cmd.Process.Kill()
	<-p.ended
	return err
}

func (p *server) client(token string) (*client.Client, error) { return client.New(p.url, token) }

// cpu is the processor time of the server and of the children it has waited for.
func (p *server) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the name in front may hold spaces
	fields := strings.Fields(rest)
	if len(fields) < 15 {
		return 0, fmt.Errorf("unexpected /proc stat %.100q", text)
	}
	var ticks int64
	for _, f := range fields[11:15] { // utime, stime, cutime, cstime
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * (time.Second / 100), nil // USER_HZ is 100 on every architecture we build for
}

// memory reads a figure in kB of /proc/PID/status: VmRSS or VmHWM.
func memory(pid int, what string) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == what+":" {
			kb, err := strconv.ParseInt(f[1], 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("no %s in /proc status", what)
}

func (p *server) memory(what string) (int64, error) { return memory(p.cmd.Process.Pid, what) }

func mega(bytes int64) float64 { return float64(bytes) / 1e6 }
