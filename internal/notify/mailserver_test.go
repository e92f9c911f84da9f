package notify_test

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
	"strings"
	"sync"
	"testing"
)

// mailServer is a mail server that keeps what it takes.
type mailServer struct {
	t       *testing.T
	address string
	tls     *tls.Config // offers STARTTLS; nil: not
	answer  func(command, argument string) string

	mu       sync.Mutex
	taken    []taken
	sessions int
}

// taken is one message as it arrived.
type taken struct {
	to     string
	auth   string // what was signed in with
	secure bool
	header mail.Header
	text   string
}

// newMailServer starts a server on an address of this host. answer may refuse a
// command, by another reply than "".
func newMailServer(t *testing.T, host string, config *tls.Config, answer func(command, argument string) string) *mailServer {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	s := &mailServer{t: t, address: l.Addr().String(), tls: config, answer: answer}
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

func (s *mailServer) mails() []taken {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]taken(nil), s.taken...)
}

func (s *mailServer) serve(conn net.Conn) {
	defer func() { conn.Close() }()
	s.mu.Lock()
	s.sessions++
	s.mu.Unlock()
	in := bufio.NewReader(conn)
	say := func(line string) { fmt.Fprintf(conn, "%s\r\n", line) }
	var m taken
	say("220 test")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		command, argument, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		command = strings.ToUpper(command)
		if s.answer != nil {
			if reply := s.answer(command, argument); reply != "" {
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
			if s.tls != nil && !m.secure {
				say("250-STARTTLS")
			}
			say("250 AUTH PLAIN LOGIN")
		case "STARTTLS":
			say("220 go on")
			conn = tls.Server(conn, s.tls)
			in = bufio.NewReader(conn)
			m = taken{secure: true}
		case "AUTH":
			raw, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(argument, "PLAIN "))
			m.auth = strings.ReplaceAll(string(raw), "\x00", " ")
			say("235 welcome")
		case "RCPT":
			m.to = strings.TrimSuffix(strings.TrimPrefix(argument, "TO:<"), ">")
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
func (s *mailServer) take(in *bufio.Reader, m *taken) bool {
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
	m.header, m.text = parsed.Header, string(body)
	s.mu.Lock()
	s.taken = append(s.taken, *m)
	s.mu.Unlock()
	return s.answer == nil || s.answer(".", "") != "hang up"
}

func (m taken) subject(t *testing.T) string {
	t.Helper()
	s, err := (&mime.WordDecoder{}).DecodeHeader(m.header.Get("Subject"))
	if err != nil {
		t.Error(err)
	}
	return s
}
