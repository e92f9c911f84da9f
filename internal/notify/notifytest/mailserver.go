// Package notifytest has a mail server for tests, which keeps what it takes.
package notifytest

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"testing"
)

// MailServer is a mail server that keeps what it takes.
type MailServer struct {
	Address string // HOST:PORT

	t      *testing.T
	tls    *tls.Config
	answer func(command, argument string) string

	asking   sync.Mutex
	mu       sync.Mutex
	taken    []Taken
	sessions int
}

// Taken is one message as it arrived.
type Taken struct {
	To     string
	Auth   string // what was signed in with
	Secure bool   // over TLS
	Header mail.Header
	Text   string
}

// New starts a server on an address of this host until the test ends. It offers
// STARTTLS if config is not nil. answer, if it is not nil, may answer a command by
// another reply than "", or "hang up"; "." is the end of a message.
func New(t *testing.T, host string, config *tls.Config, answer func(command, argument string) string) *MailServer {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	s := &MailServer{Address: l.Addr().String(), t: t, tls: config, answer: answer}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
	return s
}

// ask asks what to answer; answers are given one at a time.
func (s *MailServer) ask(command, argument string) string {
	s.asking.Lock()
	defer s.asking.Unlock()
	return s.answer(command, argument)
}

// Mails returns what was taken so far.
func (s *MailServer) Mails() []Taken {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.taken)
}

// Sessions returns how many connections there were.
func (s *MailServer) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions
}

func (s *MailServer) serve(conn net.Conn) {
	defer func() { conn.Close() }()
	s.mu.Lock()
	s.sessions++
	s.mu.Unlock()
	in := bufio.NewReader(conn)
	say := func(line string) { fmt.Fprintf(conn, "%s\r\n", line) }
	var m Taken
	say("220 test")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		command, argument, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		command = strings.ToUpper(command)
		if s.answer != nil {
			if reply := s.ask(command, argument); reply != "" {
				if reply == "hang up" {
					return
				}
				say(reply)
				continue
			}
		}
		switch command {
		case "EHLO":
			say("250-test")
			if s.tls != nil && !m.Secure {
				say("250-STARTTLS")
			}
			say("250 AUTH PLAIN LOGIN")
		case "STARTTLS":
			say("220 go on")
			conn = tls.Server(conn, s.tls)
			in = bufio.NewReader(conn)
			m = Taken{Secure: true}
		case "AUTH":
			raw, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(argument, "PLAIN "))
			m.Auth = strings.ReplaceAll(string(raw), "\x00", " ")
			say("235 welcome")
		case "RCPT":
			m.To = strings.TrimSuffix(strings.TrimPrefix(argument, "TO:<"), ">")
			say("250 ok")
		case "DATA":
			say("354 go on")
			if !s.take(in, &m) {
				return
			}
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

// take reads a message until its end.
func (s *MailServer) take(in *bufio.Reader, m *Taken) bool {
	var text strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return false
		}
		if line == ".\r\n" {
			break
		}
		text.WriteString(strings.TrimPrefix(line, "."))
	}
	parsed, err := mail.ReadMessage(strings.NewReader(text.String()))
	if err != nil {
		s.t.Errorf("the message cannot be read: %v\n%s", err, text.String())
		return false
	}
	body, err := io.ReadAll(quotedprintable.NewReader(parsed.Body))
	if err != nil {
		s.t.Errorf("the text cannot be read: %v", err)
	}
	m.Header, m.Text = parsed.Header, string(body)
	s.mu.Lock()
	s.taken = append(s.taken, *m)
	s.mu.Unlock()
	return s.answer == nil || s.ask(".", "") != "hang up"
}

// Subject is the message's, decoded.
func (m Taken) Subject(t *testing.T) string {
	t.Helper()
	s, err := (&mime.WordDecoder{}).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		t.Error(err)
	}
	return s
}
