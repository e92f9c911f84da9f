package sftp

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"tributary/client"
	"tributary/test/servertest"
)

// TestApart has tenant B ask for everything of A's, in all ways to write a path.
func TestApart(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		const secret = "canary"
		name := servertest.InputName(1, date)
		a, b := w.connect(w.a), w.connect(w.b)
		if err := a.put("/input/"+name, servertest.Values(1, date, secret+",b,1")); err != nil {
			t.Fatal(err)
		}
		w.verdict(a, "/input/"+name)
		if err := a.put("/input/held.csv", secret); err != nil {
			t.Fatal(err)
		}
		w.b.Accepted(t, date, servertest.Values(2, date, secret+"-of-b,b,1"))
		id := w.a.only(t).ID

		var tried []string
		for _, p := range []string{name, name + ".accepted.json", "held.csv", "held.csv.waiting.json", id, w.a.Slug, servertest.Dataset + "/" + date + "/" + name} {
			for _, from := range []string{"/input/", "/input/../input/", "/output/", "/", "//input//", "/input/./", "/" + w.a.Slug + "/input/", "/input/" + w.a.Slug + "/", "/../" + w.a.Slug + "/", "/input/\x00/",
				"/input/..%2f" + w.a.Slug + "/", `/input/..\`, "/input/\u2025/", "/input/\xc0\xae\xc0\xae/", "/input/" + strings.Repeat("../", 300)} {
				tried = append(tried, from+p)
			}
		}
		nothing := func(path string) error { _, err := b.Stat("/input/never-was-" + path); return err }("x")
		for _, p := range tried {
			if strings.Contains(p, "\x00") {
				continue // the client refuses to send it
			}
			if _, err := b.Stat(p); err == nil || err.Error() != nothing.Error() && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("stat of %q: got %v, want what is said of nothing", p, err)
			}
			if f, err := b.Open(p); err == nil {
				t.Errorf("%q was opened", p)
				_ = f.Close()
			}
			for what, err := range map[string]error{"remove": b.Remove(p), "rename": b.Rename(p, "/input/mine.tmp"), "chtimes": b.Chtimes(p, time.Unix(0, 0), time.Unix(0, 0))} {
				if err == nil {
					t.Errorf("%s of %q was done", what, p)
				}
			}
		}
		// What B may look at has nothing of A in it.
		walker := b.Walk("/")
		for walker.Step() {
			if walker.Err() != nil {
				t.Error(walker.Err())
				continue
			}
			if p := walker.Path(); strings.Contains(p, "000001-") && !strings.Contains(p, "000002") || strings.Contains(p, "held") {
				t.Errorf("B sees %s", p)
			}
			if walker.Stat().IsDir() {
				continue
			}
			if text := b.get(t, walker.Path()); strings.Contains(text, secret) && !strings.Contains(text, secret+"-of-b") || strings.Contains(text, id) {
				t.Errorf("B reads of A in %s", walker.Path())
			}
		}
		// Files of one name are two files.
		if err := b.put("/input/held.csv", "of b"); err != nil {
			t.Fatal(err)
		}
		if err := b.Remove("/input/held.csv"); err != nil {
			t.Fatal(err)
		}
		if i, err := a.Stat("/input/held.csv"); err != nil || i.Size() != int64(len(secret)) {
			t.Errorf("A's file: got %v, %v", i, err)
		}
		// A tenant user sends and fetches; to delete takes an admin.
		mine := "/input/" + servertest.Dataset + "/" + date + "/" + servertest.InputName(2, date)
		if err := b.Remove(mine); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("a tenant user's delete: got %v, want permission denied", err)
		}
		if log := w.Log.String(); strings.Contains(log, secret) || strings.Contains(log, name) || strings.Contains(log, "held.csv") {
			t.Error("the log has a file's name or content in it")
		}
	})
}

// TestSignIn: who is let in, as whom, and for how long.
func TestSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	ctx := t.Context()
	dial := func(user string, signers ...ssh.Signer) error {
		c := w.config(w.a)
		c.User, c.Auth = user, []ssh.AuthMethod{ssh.PublicKeys(signers...)}
		conn, err := ssh.Dial("tcp", w.place().Address, c)
		if err == nil {
			_ = conn.Close()
		}
		return err
	}
	// The same key at both tenants lets each in as whom it says it is.
	line := string(ssh.MarshalAuthorizedKey(w.a.signer.PublicKey()))
	servertest.Must(w.b.AddSSHKey(ctx, w.b.user.ID, client.NewSSHKey{Name: "the same", PublicKey: line}))(t)
	other := w.b
	other.signer = w.a.signer
	if err := w.connect(w.a).put("/input/x.tmp", "of a"); err != nil {
		t.Fatal(err)
	}
	if got := w.connect(other).names(t, "/input"); slices.Contains(got, "x.tmp") {
		t.Errorf("with A's key as B: sees %q", got)
	}
	if err := dial(w.a.user.SFTPLogin, w.b.signer); err == nil {
		t.Error("another's key was let in")
	}
	var refused []client.AuditEntry
	w.until("the refusal in the audit log", func() bool { refused = w.refusals(w.a, w.a.user.ID); return len(refused) > 0 })
	if got := fmt.Sprint(refused[0].Details["keys"]); len(refused) != 1 || !strings.Contains(got, ssh.FingerprintSHA256(w.b.signer.PublicKey())) {
		t.Errorf("refused sign-ins: got %+v, want the one with another's key", refused)
	}
	if err := dial(w.a.user.SFTPLogin, w.b.signer, w.a.signer); err != nil {
		t.Errorf("the right key after a wrong one: %v", err)
	}
	if err := dial("nobody", w.a.signer); err == nil {
		t.Error("nobody was let in")
	}
	w.until("the refusal in the provider's audit log", func() bool {
		list := servertest.Must(w.As(w.Token).AuditEntries(ctx, client.AuditFilter{Provider: true, Verb: "session.create"}))(t).Items
		return len(list) > 0 && list[0].Outcome == "refused" && list[0].Subject == ""
	})
	if got := w.refusals(w.a, w.a.user.ID); len(got) != 1 {
		t.Errorf("a sign-in with the second key is among the refused: %+v", got)
	}
	for _, user := range []string{"", "root", w.a.Slug, w.a.user.SFTPLogin + "x", strings.ToUpper(w.a.user.SFTPLogin), w.a.user.Email, w.a.user.SFTPLogin + "\x00", "../" + w.a.user.SFTPLogin,
		w.a.Slug + "/" + w.a.user.SFTPLogin, w.a.user.ID, "admin@example.com", w.b.Slug + "." + strings.SplitN(w.a.user.SFTPLogin, ".", 2)[1]} {
		if user == w.b.user.SFTPLogin {
			continue
		}
		if err := dial(user, w.a.signer); err == nil {
			t.Errorf("%q was let in", user)
		}
	}
	c := w.config(w.a)
	c.Auth = []ssh.AuthMethod{ssh.Password(servertest.Password)}
	if _, err := ssh.Dial("tcp", w.place().Address, c); err == nil || strings.Contains(err.Error(), "attempted methods [none password]") {
		t.Errorf("a password: got %v, want that the method is not offered", err)
	}
	c = w.config(w.a)
	c.Ciphers = []string{ssh.CipherChaCha20Poly1305, ssh.CipherAES256CTR}
	if _, err := ssh.Dial("tcp", w.place().Address, c); err == nil {
		t.Error("a cipher other than AES-GCM was taken")
	}

	// There is no shell, no command, no way through.
	conn := servertest.Must(ssh.Dial("tcp", w.place().Address, w.config(w.a)))(t)
	defer conn.Close()
	for what, do := range map[string]func(*ssh.Session) error{
		"shell": (*ssh.Session).Shell, "exec": func(s *ssh.Session) error { return s.Run("id") }, "subsystem": func(s *ssh.Session) error { return s.RequestSubsystem("netconf") },
	} {
		if err := do(servertest.Must(conn.NewSession())(t)); err == nil {
			t.Errorf("%s was done", what)
		}
	}
	if _, err := conn.Dial("tcp", strings.TrimPrefix(w.URL, "http://")); err == nil {
		t.Error("a connection was forwarded")
	}
	if _, err := conn.Listen("tcp", "127.0.0.1:0"); err == nil {
		t.Error("a port was opened")
	}

	// What ends a credential ends what is open with it.
	keys := servertest.Must(w.a.SSHKeys(ctx, w.a.user.ID))(t)
	s := w.connect(w.a)
	f := servertest.Must(s.OpenFile("/input/half.tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC))(t)
	if _, err := f.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := w.a.RevokeSSHKey(ctx, keys.Items[0].ID); err != nil {
		t.Fatal(err)
	}
	_ = s.conn.Wait() // an idle connection too
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the connection went on for %v", took)
	}
	if err := dial(w.a.user.SFTPLogin, w.a.signer); err == nil {
		t.Error("a revoked key was let in")
	}
	b := w.connect(w.b)
	servertest.Must(w.As(w.Token).SuspendTenant(ctx, w.b.Slug, "a test"))(t)
	_ = b.conn.Wait()
	if err := dial(w.b.user.SFTPLogin, w.b.signer); err == nil {
		t.Error("a suspended tenant was let in")
	}
}

// TestPasswordsOnlyIfEnabled signs in with a password where the operator lets people.
func TestPasswordsOnlyIfEnabled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	const password = "the password of a person"
	if err := w.b.SetPassword(t.Context(), w.b.user.ID, password); err != nil {
		t.Fatal(err)
	}
	w.Stop()
	w.Start("--sftp-passwords")
	w.Reconnect(&w.b.Party)
	c := w.config(w.b)
	c.Auth = []ssh.AuthMethod{ssh.Password("not " + password)}
	if _, err := ssh.Dial("tcp", w.place().Address, c); err == nil {
		t.Error("a wrong password was let in")
	}
	if got := w.refusals(w.b, w.b.user.ID); len(got) != 1 {
		t.Errorf("the wrong password is in the audit log %d times, want once", len(got))
	}
	c.Auth = []ssh.AuthMethod{ssh.Password(password)}
	conn, err := ssh.Dial("tcp", w.place().Address, c)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()

	// A connection that ends as the password is taken leaves no session behind either.
	for range 5 {
		var d net.Dialer
		raw := servertest.Must(d.DialContext(t.Context(), "tcp", w.place().Address))(t)
		gone := &parting{Conn: raw}
		c.Auth = []ssh.AuthMethod{ssh.PasswordCallback(func() (string, error) { gone.after.Store(true); return password, nil })}
		if _, _, _, err := ssh.NewClientConn(gone, "", c); err == nil {
			t.Fatal("signed in over a connection that was closed")
		}
	}
	sessions := func(verb string) int {
		return len(servertest.Must(w.b.AuditEntries(t.Context(), client.AuditFilter{Verb: verb, Actor: w.b.user.ID}))(t).Items)
	}
	w.until("the end of each session", func() bool { return sessions("session.create") == 6 && sessions("session.end") == 6 })

	// An account with a second factor has no password here.
	w.protect(w.b, password)
	c.Auth = []ssh.AuthMethod{ssh.Password(password)}
	if _, err := ssh.Dial("tcp", w.place().Address, c); err == nil {
		t.Error("the password of an account with a second factor was let in")
	}
	c.Auth = []ssh.AuthMethod{ssh.PublicKeys(w.b.signer)}
	conn, err = ssh.Dial("tcp", w.place().Address, c)
	if err != nil {
		t.Fatalf("the key of an account with a second factor: %v", err)
	}
	_ = conn.Close()
}

// protect turns a person's second factor on.
func (w *world) protect(p person, password string) {
	w.T.Helper()
	ctx := w.T.Context()
	session := servertest.Must(w.As("").SignIn(ctx, client.SignIn{Login: p.user.Login, Password: password}))(w.T)
	me := w.As(session.Token)
	made := servertest.Must(me.StartTOTP(ctx, password))(w.T)
	secret := servertest.Must(base32.StdEncoding.DecodeString(made.Secret))(w.T)
	mac := hmac.New(sha1.New, secret)
	_ = binary.Write(mac, binary.BigEndian, time.Now().Unix()/30)
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 0xf
	servertest.Must(me.ConfirmTOTP(ctx, fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[at:at+4])&0x7fffffff%1_000_000)))(w.T)
}

// parting is a connection that is reset after the next it sends.
type parting struct {
	net.Conn
	after atomic.Bool
}

func (p *parting) Write(b []byte) (int, error) {
	n, err := p.Conn.Write(b)
	if p.after.Load() {
		_ = p.Conn.(*net.TCPConn).SetLinger(0)
		_ = p.Conn.Close()
	}
	return n, err
}

// refusals lists the refused sign-ins with a subject that a party's audit log has.
func (w *world) refusals(p person, subject string) (list []client.AuditEntry) {
	w.T.Helper()
	for _, e := range servertest.Must(p.AuditEntries(w.T.Context(), client.AuditFilter{Verb: "session.create", Subject: subject}))(w.T).Items {
		if e.Outcome == "refused" {
			list = append(list, e)
		}
	}
	return list
}

// TestManyFiles sends a thousand and lists them.
func TestManyFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	s := w.connect(w.a)
	folder := path.Join("/input", servertest.Dataset, date)
	const n = 300
	for i := range n {
		if err := s.put(path.Join(folder, fmt.Sprintf("file-%04d.csv", i)), servertest.Values(1, date, fmt.Sprintf("a,b,%d", i))); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(s.names(t, folder)); got != n {
		t.Errorf("the folder lists %d files, want %d", got, n)
	}
	if err := s.RemoveDirectory(folder); err == nil {
		t.Error("a folder with files was removed")
	}
}
