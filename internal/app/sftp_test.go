package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"tributary/client"
	"tributary/internal/control"
	"tributary/internal/meta"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// sender is a user of a tenant who sends files over SFTP.
type sender struct {
	*client.Client
	w      *world
	token  string // of the provider's admin
	user   client.User
	signer ssh.Signer
}

const sendersFolder = "/input/values/2026-09-01/"

// newSender starts a server with a dataset and a tenant.
func newSender(t *testing.T) *sender {
	t.Helper()
	w := newWorld(t)
	w.cfg.SFTP = "127.0.0.1:0"
	token := must(Init(t.Context(), w.cfg, "admin@example.com", "a long enough password"))(t)
	w.start()
	admin := w.as(token)
	must(admin.ApplyDataset(t.Context(), []byte("dataset: values\ntitle: Values\ncolumns:\n  - {name: A, type: text}\ncadence: daily\ndue: {after_days: 1, at: \"12:00\", zone: UTC}\n")))(t)
	c, _ := w.party(admin, "acme", "000001")
	line, private := sshPair(t)
	u := must(c.CreateUser(t.Context(), client.NewUser{Email: "ann@example.com", Role: "tenant_user", SSHPublicKey: line}))(t)
	return &sender{Client: c, w: w, token: token, user: u, signer: must(ssh.ParsePrivateKey([]byte(private)))(t)}
}

// connect signs in.
func (s *sender) connect() *sftp.Client {
	t := s.w.t
	t.Helper()
	conn := must(ssh.Dial("tcp", s.w.SFTP(), &ssh.ClientConfig{User: s.user.SFTPLogin, Auth: []ssh.AuthMethod{ssh.PublicKeys(s.signer)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey()}))(t)
	t.Cleanup(func() { _ = conn.Close() })
	return must(sftp.NewClient(conn))(t)
}

// part writes a piece of a file.
func (s *sender) part(c *sftp.Client, name, text string, at int64, flags int) (*sftp.File, error) {
	s.w.t.Helper()
	f, err := c.OpenFile(sendersFolder+name, os.O_WRONLY|flags)
	if err != nil {
		return nil, err
	}
	_, err = f.WriteAt([]byte(text), at)
	return f, err
}

const anew = os.O_CREATE | os.O_TRUNC

// put sends a file.
func (s *sender) put(c *sftp.Client, name, text string) error {
	s.w.t.Helper()
	f, err := s.part(c, name, text, 0, anew)
	if err != nil {
		return err
	}
	return f.Close()
}

// only wants one submission, of a size.
func (s *sender) only(size int64) {
	t := s.w.t
	t.Helper()
	list := must(s.Submissions(t.Context(), client.SubmissionFilter{}))(t).Items
	if len(list) != 1 || list[0].Size != size {
		t.Errorf("submissions: got %+v, want one of %d bytes", list, size)
	}
}

// A file of which nothing more comes does not keep the tenant's others out.
func TestWhatStandsStillGivesItsPlaceBack(t *testing.T) {
	t.Parallel()
	s := newSender(t)
	c := s.connect()
	var files []*sftp.File
	for n := range 8 {
		files = append(files, must(s.part(c, fmt.Sprintf("%d.csv", n), "A\nx\n", 0, anew))(t))
	}
	if err := s.put(c, "more.csv", "A\n"); err == nil || !strings.Contains(err.Error(), "8 files are being sent") {
		t.Fatalf("the ninth: %v", err)
	}
	look := func(pass time.Duration) {
		t.Helper()
		s.w.late.Add(int64(pass))
		if err := s.w.files.KeepDue(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	look(0)
	if _, err := files[0].WriteAt([]byte("y\n"), 4); err != nil {
		t.Fatal(err)
	}
	look(10*time.Minute - time.Second)
	if err := s.put(c, "more.csv", "A\n"); err == nil {
		t.Fatal("the ninth was taken before the others' time was over")
	}
	look(2 * time.Second)
	if err := s.put(c, "more.csv", "A\nz\n"); err != nil {
		t.Errorf("after it: %v", err)
	}
	for n, f := range files {
		_, err := f.WriteAt([]byte("z\n"), map[bool]int64{true: 6, false: 4}[n == 0])
		closed := f.Close()
		if n == 0 && (err != nil || closed != nil) {
			t.Errorf("the one that goes on: %v, %v", err, closed)
		} else if n > 0 && (err == nil || closed == nil || !strings.Contains(err.Error(), "10 minutes") || !strings.Contains(closed.Error(), "10 minutes")) {
			t.Errorf("the one that stood still: got %v, %v, want both to say so", err, closed)
		}
	}
	if i, err := c.Stat(sendersFolder + "1.csv"); err != nil || i.Size() != 3 { // the last byte is the client's to send
		t.Errorf("what had arrived: got %v, %v, want 3 bytes", i, err)
	}
	if f, err := s.part(c, "1.csv", "\nz\n", 3, 0); err != nil || f.Close() != nil {
		t.Errorf("going on with it: %v", err)
	}
	list := must(s.Submissions(t.Context(), client.SubmissionFilter{}))(t).Items
	if len(list) != 3 || list[0].Size != 6 || list[0].Name != "1.csv" {
		t.Errorf("got %+v, want the one that went on as the newest of three", list)
	}
}

// What a connection was sending when its time was over is kept, but not when it was
// taken away.
func TestWhatArrivedIsKeptWhenTheTimeIsOver(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end  func(s *sender, c *sftp.Client, key client.SSHKey)
		kept bool
	}{
		"12 hours": {func(s *sender, c *sftp.Client, _ client.SSHKey) {
			for range policy.LongestTransfer / policy.Life {
				s.w.late.Add(int64(policy.Life))
				_, _ = c.ReadDir("/input/values") // which looks the key up again, until the end
			}
		}, true},
		"the key has expired": {func(s *sender, _ *sftp.Client, _ client.SSHKey) { s.w.late.Add(int64(policy.Life + time.Minute)) }, true},
		"the key is revoked": {func(s *sender, _ *sftp.Client, k client.SSHKey) {
			if err := s.RevokeSSHKey(s.w.t.Context(), k.ID); err != nil {
				s.w.t.Fatal(err)
			}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSender(t)
			first := s.signer
			line, private := sshPair(t)
			expires := s.w.cfg.Clock.Now().Add(policy.Life)
			if name == "12 hours" {
				expires = expires.Add(24 * time.Hour)
			}
			key := must(s.AddSSHKey(t.Context(), s.user.ID, client.NewSSHKey{Name: "second", PublicKey: line, ExpiresAt: &expires}))(t)
			s.signer = must(ssh.ParsePrivateKey([]byte(private)))(t)
			conn := s.connect()
			_ = must(s.part(conn, "half.csv", "A\nx\n", 0, anew))(t)
			_, err := conn.Stat(sendersFolder + "half.csv") // it has been taken
			if err != nil {
				t.Fatal(err)
			}
			c.end(s, conn, key)
			_ = conn.Wait()
			s.signer = first
			conn = s.connect()
			var i os.FileInfo
			for end := time.Now().Add(10 * time.Second); ; {
				_, said := conn.Stat(sendersFolder + "half.csv.waiting.json") // once it is kept
				if i, err = conn.Stat(sendersFolder + "half.csv"); errors.Is(err, fs.ErrNotExist) || said == nil || time.Now().After(end) {
					break
				}
			}
			if !c.kept {
				if !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("got %v, %v, want nothing of it", i, err)
				}
				return
			}
			if err != nil || i.Size() != 3 {
				t.Fatalf("what had arrived: got %v, %v, want 3 bytes", i, err)
			}
			if f, err := s.part(conn, "half.csv", "\ny\n", 3, 0); err != nil || f.Close() != nil {
				t.Errorf("going on with it: %v", err)
			}
			s.only(6)
		})
	}
}

// Sizes and offsets of more than 32 bits: of what arrived, what is gone on with, and what
// that becomes. That 4 GiB are really moved takes TestLargeFiles in test/sftp.
func TestSFTPBehindFourGiB(t *testing.T) {
	t.Parallel()
	s := newSender(t)
	const large = 1<<32 + 5
	admin := s.w.as(s.token)
	must(admin.ApplyDataset(t.Context(), []byte("dataset: large\ntitle: Values\nlimits: {bytes: 8589934592}\ncolumns:\n  - {name: A, type: text}\ncadence: daily\ndue: {after_days: 1, at: \"12:00\", zone: UTC}\n")))(t)
	c, name := s.connect(), "../../large/2026-09-01/a.tmp"
	if err := s.put(c, name, "A\n"); err != nil {
		t.Fatal(err)
	}
	if n, err := s.w.stores.db.Unscoped().Exec(t.Context(), `UPDATE upload_parts SET size = $1`, int64(large)); err != nil || n != 1 {
		t.Fatalf("changed %d parts, %v", n, err)
	}
	size := func(want int64) {
		t.Helper()
		if i, err := c.Stat(sendersFolder + name); err != nil || i.Size() != want {
			t.Errorf("stat: got %v, %v, want %d bytes", i, err, want)
		}
	}
	size(large)
	f, err := s.part(c, name, "x\ny\n", large, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("z\n"), large+4); err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	size(large + 6)
	if f, err = s.part(c, name, "x\n", large-1<<32, 0); err == nil { // the same offset in 32 bits
		err = f.Close()
	}
	if err == nil {
		t.Error("a piece was taken in the middle of the file")
	}
}

// store is a database that does not answer for a while when a file is to be written down.
type store struct {
	*control.Control
	away atomic.Int64 // how many times more
}

func (s *store) Claim(ctx context.Context, tx *meta.DB, id tenant.ID) error {
	if s.away.Add(-1) >= 0 {
		return errors.New("the database is away")
	}
	return s.Control.Claim(ctx, tx, id)
}

// A file that arrived is not lost because the server cannot write that it did.
func TestFaultsOfOursLoseNoFile(t *testing.T) {
	t.Parallel()
	s := newSender(t)
	c := s.connect()
	store := &store{Control: s.w.stores.control}
	s.w.exchange.Tenants = store
	wants := func(err error, words string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "away") {
			t.Errorf("got %v, want %q", err, words)
		}
	}
	store.away.Store(1) // for the submission, and not for what is kept
	wants(s.put(c, "a.csv", "A\nx\n"), "All of the file is kept, but not submitted: rename it")
	if i, err := c.Stat(sendersFolder + "a.csv"); err != nil || i.Size() != 4 {
		t.Errorf("what is kept: got %v, %v", i, err)
	}
	said := must(c.Open(sendersFolder + "a.csv.waiting.json"))(t)
	var text strings.Builder
	if _, err := said.WriteTo(&text); err != nil || !strings.Contains(text.String(), "could not be submitted. Rename it") {
		t.Errorf("what is said of it: %v %s", err, text.String())
	}
	if err := c.Rename(sendersFolder+"a.csv", sendersFolder+"a.csv"); err != nil {
		t.Error(err)
	}
	s.only(4)

	// Nothing at all can be written down: it waits in the server.
	for name, then := range map[string]func() error{
		"b.csv": func() error { return c.Rename(sendersFolder+"b.csv", sendersFolder+"b.csv") },
		"c.csv": func() error {
			if err := s.w.files.KeepDue(t.Context()); err != nil {
				return err
			}
			return c.Rename(sendersFolder+"c.csv", sendersFolder+"d.csv")
		},
		"e.csv": func() error { return s.put(c, "e.csv", "A\nz\n") },
	} {
		store.away.Store(100)
		wants(s.put(c, name, "A\ny\n"), "What arrived is not lost")
		if err := s.w.files.KeepDue(t.Context()); err != nil {
			t.Error(err)
		}
		_, err := s.part(c, name, "A\n", 0, anew)
		wants(err, "try again in a minute")
		store.away.Store(0)
		if err := then(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	list := must(s.Submissions(t.Context(), client.SubmissionFilter{}))(t).Items
	if len(list) != 4 {
		t.Errorf("got %d submissions, want 4", len(list))
	}

	// Who waits for more than an hour is let go, and so is the place that it has.
	store.away.Store(100)
	wants(s.put(c, "f.csv", "A\ny\n"), "What arrived is not lost")
	s.w.late.Add(int64(time.Hour))
	if err := s.w.files.KeepDue(t.Context()); err != nil {
		t.Error(err)
	}
	store.away.Store(0)
	if _, err := s.connect().Stat(sendersFolder + "f.csv"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after an hour: %v", err)
	}
}
