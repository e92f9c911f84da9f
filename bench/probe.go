package main

import (
	"bufio"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"
)

// intakeProbe is the limit of row 1, a process of its own: what durable and sealed
// intake cannot do without, and nothing else. It reads each request, decodes its events, and has
// what waits compressed (zstd, fastest), sealed under one key (AES-256-GCM) and appended to a file
// as one, with one fdatasync before all of it is answered. It knows no keys, tenants, duplicates,
// rates, quarantine, chains or readers.
type intakeProbe struct {
	file   *os.File
	pack   *zstd.Encoder
	seal   cipher.AEAD
	number uint64

	mu      sync.Mutex
	waiting []*probed
	running bool
}

type probed struct {
	lines []byte
	err   error
	done  chan struct{}
}

const probeCommand = "intake-probe"

// serveProbe serves until the process is ended, and prints where.
func serveProbe(file string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	pack, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false))
	if err != nil {
		return err
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	seal, err := cipher.NewGCM(block)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n", listener.Addr())
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: &intakeProbe{file: f, pack: pack, seal: seal}}
	return server.Serve(listener)
}

// ServeHTTP implements http.Handler.
func (p *intakeProbe) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(r.Body, body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var b struct {
		SentAt time.Time `json:"sentAt"`
		Batch  []struct {
			Type        string         `json:"type"`
			MessageID   string         `json:"messageId"`
			UserID      string         `json:"userId"`
			AnonymousID string         `json:"anonymousId"`
			Event       string         `json:"event"`
			Timestamp   time.Time      `json:"timestamp"`
			Properties  jsontext.Value `json:"properties"`
			Context     jsontext.Value `json:"context"`
		} `json:"batch"`
	}
	if err := json.Unmarshal(body, &b); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := p.keep(body); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"success":true}`)) // the client may be gone
}

func (p *intakeProbe) keep(lines []byte) error {
	one := &probed{lines: lines, done: make(chan struct{})}
	p.mu.Lock()
	p.waiting = append(p.waiting, one)
	if !p.running {
		p.running = true
		go p.run()
	}
	p.mu.Unlock()
	<-one.done
	return one.err
}

func (p *intakeProbe) run() {
	for {
		p.mu.Lock()
		list := p.waiting
		p.waiting = nil
		p.running = len(list) > 0
		p.mu.Unlock()
		if len(list) == 0 {
			return
		}
		err := p.commit(list)
		for _, one := range list {
			one.err = err
			close(one.done)
		}
	}
}

func (p *intakeProbe) commit(list []*probed) error {
	var lines []byte
	for _, one := range list {
		lines = append(lines, one.lines...)
	}
	packed := p.pack.EncodeAll(lines, nil)
	p.number++
	nonce := binary.BigEndian.AppendUint64(make([]byte, 4, 12), p.number)
	sealed := binary.BigEndian.AppendUint32(nil, uint32(len(packed)))
	if _, err := p.file.Write(p.seal.Seal(append(sealed, nonce...), nonce, packed, nil)); err != nil {
		return err
	}
	return unix.Fdatasync(int(p.file.Fd()))
}

// startProbe starts the probe as a process.
func (b *bench) startProbe(ctx context.Context) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &server{cmd: exec.CommandContext(ctx, self, probeCommand, filepath.Join(b.dir, "probe.log")), ended: make(chan struct{})}
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	go func() {
		defer close(p.ended)
		p.err = p.cmd.Wait()
	}()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the probe did not start: %w", err), p.kill())
	}
	p.url = strings.TrimSpace(line)
	return p, nil
}
