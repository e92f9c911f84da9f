package crash

import (
	"bytes"
	"context"
	"crypto/ed25519"
	secret "crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"tributary/client"
	"tributary/test/servertest"
)

// sending is a file that is sent in pieces, broken off and gone on with, by one party over
// SFTP and by the other with the tus protocol.
type sending struct {
	party  *servertest.Party
	signer ssh.Signer // over SFTP
	login  string
	n      int    // how many files were sent before
	text   string // of the file that is on its way
	upload string // by tus
	safe   int64  // how much of it the server said is kept
}

var errLost = errors.New("what was kept is lost")

// uploads gives each party a file to send.
func (w *world) uploads() {
	w.t.Helper()
	public, private, err := ed25519.GenerateKey(secret.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	line := string(ssh.MarshalAuthorizedKey(must(ssh.NewPublicKey(public))(w.t)))
	p := w.parties[0]
	u := must(p.CreateUser(w.ctx, client.NewUser{Email: "sends@example.com", Role: "tenant_user", SSHPublicKey: line}))(w.t)
	w.overSFTP = &sending{party: p, signer: must(ssh.NewSignerFromSigner(private))(w.t), login: u.SFTPLogin, n: -1}
	w.overTus = &sending{party: w.parties[1], n: -1}
	w.overSFTP.next()
	w.overTus.next()
}

// day is one that nothing else is sent for.
func (s *sending) day() string { return date(3000 + s.n) }

func (s *sending) next() {
	s.n++
	s.text, s.upload, s.safe = servertest.Values(s.party.Number, s.day(), rows(10_000+s.n)...), "", 0
}

// kept notes how much the server says is kept, which is never less than it said before.
func (s *sending) kept(size int64) error {
	if size < s.safe {
		return fmt.Errorf("%d bytes of the upload for %s of %s are kept, which were %d", size, s.day(), s.party.Slug, s.safe)
	}
	s.safe = size
	return nil
}

// submitted looks whether the file is one by now, and begins the next if so.
func (w *world) submitted(ctx context.Context, s *sending) (bool, error) {
	list, err := s.party.Submissions(ctx, client.SubmissionFilter{Date: s.day()})
	if err != nil || len(list.Items) == 0 {
		return false, err
	}
	if len(list.Items) > 1 {
		w.wrong(fmt.Errorf("the upload for %s of %s was submitted %d times", s.day(), s.party.Slug, len(list.Items)))
	}
	w.toldFile(s.party, list.Items[0], s.day(), s.text)
	s.next()
	return true, nil
}

func (w *world) wrong(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.complain = append(w.complain, err)
}

// sendSFTP goes on with the file over a new connection, and breaks it off or closes the file.
func (w *world) sendSFTP(ctx context.Context, r *rand.Rand) error {
	s := w.overSFTP
	if done, err := w.submitted(ctx, s); done || err != nil {
		return err
	}
	at, err := w.server.As("").SFTP(ctx)
	if err != nil {
		return err
	}
	var d net.Dialer
	raw, err := d.DialContext(ctx, "tcp", at.Address)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = raw.Close() })()
	defer raw.Close()
	conn, channels, requests, err := ssh.NewClientConn(raw, "", &ssh.ClientConfig{User: s.login, Auth: []ssh.AuthMethod{ssh.PublicKeys(s.signer)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey()})
	if err != nil {
		return err
	}
	c, err := sftp.NewClient(ssh.NewClient(conn, channels, requests))
	if err != nil {
		return err
	}
	err = s.put(ctx, c, r)
	var status *sftp.StatusError
	if errors.Is(err, errLost) || errors.As(err, &status) && !strings.Contains(err.Error(), "front to back") { // which the handle of before may be open for
		w.mu.Lock()
		defer w.mu.Unlock()
		if !w.dead {
			w.complain = append(w.complain, fmt.Errorf("over SFTP: %w", err))
		}
	}
	return nil
}

func (s *sending) put(ctx context.Context, c *sftp.Client, r *rand.Rand) error {
	name := "/input/" + servertest.Dataset + "/" + s.day() + "/" + servertest.InputName(s.party.Number, s.day())
	var waiting struct{ Bytes int64 }
	f, err := c.Open(name + ".waiting.json")
	if err == nil {
		err = errors.Join(json.NewDecoder(f).Decode(&waiting), f.Close())
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := s.kept(waiting.Bytes); err != nil {
		return errors.Join(errLost, err)
	}
	from, flags := int64(0), os.O_WRONLY
	switch i, err := c.Stat(name); {
	case errors.Is(err, fs.ErrNotExist):
		flags |= os.O_CREATE | os.O_TRUNC
	case err != nil:
		return err
	default:
		from = i.Size()
	}
	if f, err = c.OpenFile(name, flags); err != nil {
		return err
	}
	for from < int64(len(s.text)) {
		n := min(1+r.Int64N(60_000), int64(len(s.text))-from)
		if _, err := f.WriteAt([]byte(s.text[from:from+n]), from); err != nil {
			return err
		}
		if from += n; r.IntN(8) == 0 {
			return nil // which breaks it off
		}
		pause(ctx, time.Duration(r.IntN(5))*time.Millisecond)
	}
	return f.Close()
}

// sendTus sends another piece of the file.
func (w *world) sendTus(ctx context.Context, r *rand.Rand) error {
	s := w.overTus
	if done, err := w.submitted(ctx, s); done || err != nil {
		return err
	}
	if s.upload == "" { // what nobody was told of is begun again
		sum := sha256.Sum256([]byte(s.text))
		var fields []string
		for key, value := range map[string]string{"dataset": servertest.Dataset, "date": s.day(), "filename": servertest.InputName(s.party.Number, s.day()), "sha256": hex.EncodeToString(sum[:])} {
			fields = append(fields, key+" "+base64.StdEncoding.EncodeToString([]byte(value)))
		}
		res, err := w.tus(ctx, http.MethodPost, "", nil, "Upload-Length", strconv.Itoa(len(s.text)), "Upload-Metadata", strings.Join(fields, ","))
		if err == nil && res.StatusCode == http.StatusCreated {
			s.upload = res.Header.Get("Location")[strings.LastIndex(res.Header.Get("Location"), "/"):]
		}
		return err
	}
	res, err := w.tus(ctx, http.MethodHead, s.upload, nil)
	if err != nil || res.StatusCode/100 != 2 {
		return w.answered(res, err)
	}
	offset, err := strconv.ParseInt(res.Header.Get("Upload-Offset"), 10, 64)
	if err == nil {
		err = s.kept(offset)
	}
	if err != nil {
		w.wrong(fmt.Errorf("by tus: %w", err))
		return nil
	}
	if offset == int64(len(s.text)) { // asking has submitted it
		return nil
	}
	piece := s.text[offset:min(offset+1+r.Int64N(200_000), int64(len(s.text)))]
	res, err = w.tus(ctx, http.MethodPatch, s.upload, strings.NewReader(piece), "Upload-Offset", strconv.FormatInt(offset, 10), "Content-Type", "application/offset+octet-stream")
	if err != nil || res.StatusCode/100 != 2 {
		return w.answered(res, err)
	}
	if got := res.Header.Get("Upload-Offset"); got != strconv.Itoa(int(offset)+len(piece)) {
		w.wrong(fmt.Errorf("a piece of %d bytes at %d: the upload is at %s", len(piece), offset, got))
	}
	s.safe = offset + int64(len(piece))
	return nil
}

// answered complains about a refusal that a working disk does not excuse.
func (w *world) answered(res *http.Response, err error) error {
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.dead && res.StatusCode != http.StatusTooManyRequests && res.StatusCode != http.StatusLocked {
		w.complain = append(w.complain, fmt.Errorf("by tus: %s", res.Status))
	}
	return nil
}

func (w *world) tus(ctx context.Context, method, path string, body io.Reader, headers ...string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, w.server.URL+"/api/v1/uploads"+path, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+w.overTus.party.Key)
	r.Header.Set("Tus-Resumable", "1.0.0")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	_, err = io.Copy(&bytes.Buffer{}, res.Body)
	return res, err
}

// sent has both files arrive at last.
func (w *world) sent(r *rand.Rand) {
	w.t.Helper()
	for s, send := range map[*sending]func(context.Context, *rand.Rand) error{w.overSFTP: w.sendSFTP, w.overTus: w.sendTus} {
		n := s.n
		for end := time.Now().Add(servertest.Patience); s.n == n; {
			if err := send(w.ctx, r); err != nil {
				w.t.Fatal(err)
			}
			if time.Now().After(end) {
				w.t.Fatalf("the upload for %s of %s does not arrive: %d bytes of %d are kept", s.day(), s.party.Slug, s.safe, len(s.text))
			}
		}
	}
	w.kept()
	w.t.Logf("%d files over SFTP and %d by tus", w.overSFTP.n, w.overTus.n)
}
