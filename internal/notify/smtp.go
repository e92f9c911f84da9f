package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/netip"
	"net/smtp"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tributary/internal/egress"
	"tributary/internal/fault"
)

// SMTP says how mails go out. Port 465 is TLS from the first byte, any other must
// offer STARTTLS; a server on this host may do without.
type SMTP struct {
	Address        string         // HOST:PORT; the operator's word, so it is reached wherever it is
	From           string         // an address, with or without a name
	User, Password string         // empty: without
	Roots          *x509.CertPool // who may vouch for the server; nil: the system's
	// Dir is a directory that mails are put into, in plain, instead of being sent: for a
	// demo, whose operator is whom they are to.
	Dir string

	host, port string
	from       *mail.Address
}

// Check refuses settings that cannot work.
func (s *SMTP) Check() error {
	var err error
	if s.Dir != "" {
		if err := os.MkdirAll(s.Dir, 0o700); err != nil {
			return fmt.Errorf("make directory of mails: %w", err)
		}
		s.from, err = mail.ParseAddress(s.From)
		return err
	}
	if s.host, s.port, err = net.SplitHostPort(s.Address); err != nil || s.host == "" || s.port == "" {
		return fault.New(fault.Invalid, "The mail server %q is not HOST:PORT, as in mail.example.com:587.", s.Address)
	}
	if s.from, err = mail.ParseAddress(s.From); err != nil {
		return fault.New(fault.Invalid, "Mails need a sender, and %q is not an email address. Give --smtp-from.", s.From)
	}
	if (s.User == "") != (s.Password == "") {
		return fault.New(fault.Invalid, "The mail server's user and the file with the password go together: --smtp-user and --smtp-password-file.")
	}
	return nil
}

// local reports whether the server is on this host, where nobody listens between.
func (s *SMTP) local() bool {
	addr, err := netip.ParseAddr(s.host)
	return s.host == "localhost" || err == nil && addr.IsLoopback()
}

// mailError is why a mail was not sent. A mail server's own words are not kept: they
// may repeat what was in the mail.
type mailError struct {
	words  string
	final  bool // another attempt would come to the same
	broken bool // the connection is of no use any more
}

func (e *mailError) Error() string { return e.words }

// trouble says why a step failed. Only what a server says of a recipient or message
// is final: that it does not know us may be mended.
func trouble(step string, err error, mine bool) error {
	var answer *textproto.Error
	if errors.As(err, &answer) {
		return &mailError{words: fmt.Sprintf("The mail server refused %s with %d.", step, answer.Code), final: mine && answer.Code/100 == 5, broken: !mine}
	}
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	if errors.As(err, &unknown) || errors.As(err, &name) || errors.As(err, &invalid) {
		return &mailError{words: "The mail server's certificate is not good.", broken: true}
	}
	return &mailError{words: "The mail server could not be reached, or stopped answering (" + step + ").", broken: true}
}

const quitTimeout = 2 * time.Second

// smtpSession is an open connection to the mail server.
type smtpSession struct {
	client *smtp.Client
	conn   net.Conn
	dir    string // of mails that are not sent
}

// open connects, encrypts and signs in.
func (s *SMTP) open(ctx context.Context, publicURL string) (_ *smtpSession, err error) {
	if s.Dir != "" {
		return &smtpSession{dir: s.Dir}, nil
	}
	raw, err := egress.Dialer(s.Address)(ctx, "tcp", s.Address)
	if err != nil {
		return nil, trouble("the connection", err, false)
	}
	defer func() {
		if err != nil {
			raw.Close()
		}
	}()
	stop := context.AfterFunc(ctx, func() { raw.Close() }) // the library waits for ever
	defer stop()
	conn := raw
	config := &tls.Config{ServerName: s.host, RootCAs: s.Roots, MinVersion: tls.VersionTLS12}
	if s.port == "465" {
		conn = tls.Client(conn, config)
	}
	c, err := smtp.NewClient(conn, s.host)
	if err != nil {
		return nil, trouble("the greeting", err, false)
	}
	if err := c.Hello(s.self(publicURL)); err != nil {
		return nil, trouble("the greeting", err, false)
	}
	if s.port != "465" && !s.local() {
		if ok, _ := c.Extension("STARTTLS"); !ok {
			return nil, &mailError{words: "The mail server does not offer STARTTLS, and without encryption nothing is sent.", broken: true}
		}
		if err := c.StartTLS(config); err != nil {
			return nil, trouble("encryption", err, false)
		}
	}
	if s.User != "" {
		_, offered := c.Extension("AUTH")
		var auth smtp.Auth = &loginAuth{s.User, s.Password}
		if strings.Contains(" "+strings.ToUpper(offered)+" ", " PLAIN ") {
			auth = smtp.PlainAuth("", s.User, s.Password, s.host)
		}
		if err := c.Auth(auth); err != nil {
			return nil, trouble("the sign-in", err, false)
		}
	}
	return &smtpSession{client: c, conn: raw}, nil
}

// self is the name that we greet with.
func (s *SMTP) self(publicURL string) string {
	if u, err := url.Parse(publicURL); err == nil && u.Hostname() != "" {
		return u.Hostname()
	}
	return s.domain()
}

func (s *SMTP) domain() string {
	_, domain, _ := strings.Cut(s.from.Address, "@")
	return domain
}

// loginAuth is the mechanism LOGIN, which some servers offer without PLAIN.
type loginAuth struct{ user, password string }

func (a *loginAuth) Start(server *smtp.ServerInfo) (string, []byte, error) {
	addr, err := netip.ParseAddr(server.Name)
	if !server.TLS && server.Name != "localhost" && (err != nil || !addr.IsLoopback()) {
		return "", nil, errors.New("notify: no password without encryption")
	}
	return "LOGIN", nil, nil
}

func (a *loginAuth) Next(prompt []byte, more bool) ([]byte, error) {
	switch text := strings.ToLower(string(prompt)); {
	case !more:
		return nil, nil
	case strings.HasPrefix(text, "user"):
		return []byte(a.user), nil
	case strings.HasPrefix(text, "pass"):
		return []byte(a.password), nil
	}
	return nil, errors.New("notify: the mail server asks for something else than a user and a password")
}

// send sends one message. After a refusal the session can be used again.
func (s *smtpSession) send(ctx context.Context, from string, id string, message []byte, to string) error {
	if s.dir != "" {
		if err := os.WriteFile(filepath.Join(s.dir, id+".eml"), message, 0o600); err != nil {
			return &mailError{words: "It could not be put into the directory of mails.", broken: true}
		}
		return nil
	}
	stop := context.AfterFunc(ctx, func() { s.conn.Close() })
	defer stop()
	err := s.transmit(from, message, to)
	var e *mailError
	if errors.As(err, &e) && !e.broken && s.client.Reset() != nil {
		e.broken = true
	}
	return err
}

func (s *smtpSession) transmit(from string, message []byte, to string) error {
	if err := s.client.Mail(from); err != nil {
		return trouble("the sender", err, true)
	}
	if err := s.client.Rcpt(to); err != nil {
		return trouble("the recipient", err, true)
	}
	w, err := s.client.Data()
	if err != nil {
		return trouble("the message", err, true)
	}
	if _, err := w.Write(message); err != nil {
		return trouble("the message", err, true)
	}
	if err := w.Close(); err != nil {
		return trouble("the message", err, true)
	}
	return nil
}

// close says goodbye. A mail server that has taken its mails need not answer that, so
// it is waited for shortly, whatever the context, which may be over.
func (s *smtpSession) close() {
	if s == nil || s.dir != "" {
		return
	}
	_ = s.conn.SetDeadline(time.Now().Add(quitTimeout)) // one that is closed fails in Quit
	if s.client.Quit() != nil {
		_ = s.client.Close() // it ended badly already
	}
}

// message writes a mail as it goes over the wire. The same mail has the same
// Message-ID each time, by which receivers can tell that they have it.
func (s *SMTP) message(id string, l letter, at time.Time) []byte {
	var b bytes.Buffer
	for _, h := range [][2]string{
		{"From", s.from.String()}, {"To", (&mail.Address{Address: l.To}).String()}, {"Subject", mime.QEncoding.Encode("utf-8", l.Subject)},
		{"Date", at.Format(time.RFC1123Z)}, {"Message-ID", "<" + id + "@" + s.domain() + ">"}, {"Auto-Submitted", "auto-generated"},
		{"MIME-Version", "1.0"}, {"Content-Type", "text/plain; charset=utf-8"}, {"Content-Transfer-Encoding", "quoted-printable"},
	} {
		b.WriteString(h[0] + ": " + h[1] + "\r\n")
	}
	b.WriteString("\r\n")
	w := quotedprintable.NewWriter(&b)
	_, _ = w.Write([]byte(strings.ReplaceAll(l.Text, "\n", "\r\n"))) // memory takes everything
	_ = w.Close()
	return b.Bytes()
}
