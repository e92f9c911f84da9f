// Package sftp talks to the built server's SFTP with the clients that people have, and
// with one that does what they must not.
package sftp

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"tributary/client"
	"tributary/internal/meta/metatest"
	"tributary/test/servertest"
)

func TestMain(m *testing.M) { os.Exit(servertest.Main(m)) }

const date = "2026-09-01"

// person is a user of a party with an SSH key.
type person struct {
	servertest.Party
	user    client.User
	signer  ssh.Signer
	keyFile string
}

// world is a server with the example's dataset and analysis, accepted by two parties.
type world struct {
	*servertest.Server
	a, b person
}

// each runs a test on both control databases.
func each(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	for name, database := range map[string]func(testing.TB) string{
		"sqlite":   func(testing.TB) string { return "" },
		"postgres": metatest.Postgres,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, newWorld(t, database(t)))
		})
	}
}

func newWorld(t *testing.T, database string) *world {
	t.Helper()
	s := servertest.Initialised(t, filepath.Join(t.TempDir(), "data"), database)
	s.Start()
	w := &world{Server: s}
	a, b := s.Exchange()
	w.a, w.b = w.person(a, "tenant_admin"), w.person(b, "tenant_user")
	return w
}

func (w *world) person(p servertest.Party, role string) person {
	w.T.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		w.T.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		w.T.Fatal(err)
	}
	line := servertest.Must(ssh.NewPublicKey(public))(w.T)
	u := servertest.Must(p.CreateUser(w.T.Context(), client.NewUser{Email: fmt.Sprintf("%s-%s@example.com", p.Slug, strings.ReplaceAll(role, "_", "-")), Role: role,
		SSHPublicKey: string(ssh.MarshalAuthorizedKey(line))}))(w.T)
	return person{p, u, servertest.Must(ssh.NewSignerFromSigner(private))(w.T), w.File("key-"+u.ID, string(pem.EncodeToMemory(block)))}
}

// place is where the SFTP server is.
func (w *world) place() client.SFTP {
	w.T.Helper()
	return servertest.Must(w.As("").SFTP(w.T.Context()))(w.T)
}

// config is how a person connects, to the host that the API says it is.
func (w *world) config(p person) *ssh.ClientConfig {
	w.T.Helper()
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(w.place().HostKeys[0].PublicKey))
	if err != nil {
		w.T.Fatal(err)
	}
	return &ssh.ClientConfig{User: p.user.SFTPLogin, Auth: []ssh.AuthMethod{ssh.PublicKeys(p.signer)}, HostKeyCallback: ssh.FixedHostKey(key),
		HostKeyAlgorithms: []string{key.Type()}, Timeout: servertest.Patience}
}

// session is an SFTP session of the Go client, and the connection below.
type session struct {
	*sftp.Client
	conn *ssh.Client
	raw  net.Conn
}

// connect signs a person in; the test's end closes it.
func (w *world) connect(p person) *session {
	w.T.Helper()
	var d net.Dialer
	raw := servertest.Must(d.DialContext(w.T.Context(), "tcp", w.place().Address))(w.T)
	conn, channels, requests, err := ssh.NewClientConn(raw, "", w.config(p))
	if err != nil {
		w.T.Fatal(err)
	}
	c := ssh.NewClient(conn, channels, requests)
	w.T.Cleanup(func() { _ = c.Close() })
	return &session{servertest.Must(sftp.NewClient(c))(w.T), c, raw}
}

// put writes a file as most clients do.
func (s *session) put(path, text string) error {
	f, err := s.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(f, text); err != nil {
		return err
	}
	return f.Close()
}

func (s *session) get(t *testing.T, path string) string {
	t.Helper()
	f := servertest.Must(s.Open(path))(t)
	defer f.Close()
	return string(servertest.Must(io.ReadAll(f))(t))
}

// names lists a folder, without the files of what the server says of others.
func (s *session) names(t *testing.T, path string) []string {
	t.Helper()
	var names []string
	for _, i := range servertest.Must(s.ReadDir(path))(t) {
		if !strings.HasSuffix(i.Name(), ".json") {
			names = append(names, i.Name())
		}
	}
	return names
}

// until waits for something that can be seen.
func (w *world) until(what string, done func() bool) {
	w.T.Helper()
	ctx, cancel := context.WithTimeout(w.T.Context(), servertest.Patience)
	defer cancel()
	for !done() {
		select {
		case <-ctx.Done():
			w.T.Fatalf("%s does not come", what)
		default:
		}
	}
}

// verdict waits for the file in which the server says what it thinks of another.
func (w *world) verdict(s *session, path string) string {
	w.T.Helper()
	found := ""
	w.until("the verdict on "+path, func() bool {
		for _, ending := range []string{".accepted.json", ".rejected.json"} {
			if _, err := s.Stat(path + ending); err == nil {
				found = path + ending
			}
		}
		return found != ""
	})
	return found
}

// only returns the one submission of a party for the day.
func (p person) only(t *testing.T) client.Submission {
	t.Helper()
	list := servertest.Must(p.Submissions(t.Context(), client.SubmissionFilter{Date: date}))(t)
	if len(list.Items) != 1 {
		t.Fatalf("submissions of %s: got %d, want 1", p.Slug, len(list.Items))
	}
	return servertest.Must(p.WaitSubmission(t.Context(), list.Items[0].ID))(t)
}
