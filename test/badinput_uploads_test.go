package test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tributary/client"
	"tributary/test/servertest"
)

// uploading is a request that sends a file by plain HTTP, for the day that the
// tests use.
func (s *server) uploading(ctx context.Context, key, dataset, name string, body io.Reader) *http.Request {
	s.T.Helper()
	query := url.Values{"dataset": {dataset}, "date": {date}, "name": {name}}
	r := must(http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/api/v1/submissions?"+query.Encode(), body))(s.T)
	r.Header.Set("Authorization", "Bearer "+key)
	return r
}

// upload sends a file by plain HTTP and returns the problem that it is answered
// with; its status is 201 if there is none.
func (s *server) upload(key, dataset, name string, body io.Reader, change func(*http.Request)) client.Problem {
	s.T.Helper()
	r := s.uploading(s.T.Context(), key, dataset, name, body)
	if change != nil {
		change(r)
	}
	return s.answered(fetch(s.T, r))
}

func (s *server) answered(status int, body string) client.Problem {
	s.T.Helper()
	p := servertest.Decode[client.Problem](s.T, []byte(body))
	if status == http.StatusCreated {
		return client.Problem{Status: status}
	}
	if p.Status != status {
		s.T.Errorf("the answer %s says status %d, and has %d", body, p.Status, status)
	}
	return p
}

// refusal is what a tenant reads of a refusal: by the API, and at the command line.
type refusal struct {
	status int
	kind   string
	says   string
	code   int
}

func (s *server) refuses(name string, got client.Problem, want refusal) {
	s.T.Helper()
	if got.Status != want.status || got.Type != "urn:tributary:"+want.kind || got.Detail != want.says {
		s.T.Errorf("%s: got %d %s %q, want %d urn:tributary:%s %q", name, got.Status, got.Type, got.Detail, want.status, want.kind, want.says)
	}
}

// submitRefused is the same by the command line.
func (s *server) submitRefused(name, key, text string, want refusal) {
	s.T.Helper()
	file := filepath.Join(s.T.TempDir(), servertest.InputName(1, date))
	writeFile(s.T, file, text)
	out, errs, code := s.Try(key, "submit", "--dataset", dataset, "--date", date, file)
	if code != want.code || len(out) != 0 || !strings.HasPrefix(errs, "error: "+want.says+"\n") {
		s.T.Errorf("%s: submit: got exit code %d, %q, %q, want %d, saying %q", name, code, out, errs, want.code, want.says)
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// stored lists the files of the object store, unfinished ones too.
func (s *server) stored() []string {
	s.T.Helper()
	var found []string
	err := filepath.WalkDir(filepath.Join(s.Data, "objects"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			found = append(found, strings.TrimPrefix(path, s.Data))
		}
		return err
	})
	must(struct{}{}, err)(s.T)
	return found
}

// TestBadUploadsKeepNothing sends what is not taken at all, in every way in which
// an upload can go wrong. Nothing of it stays, and B is not harmed.
func TestBadUploadsKeepNothing(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := started(t, "")
	a, b := s.exchange()
	admin := s.As(s.Token)
	small := strings.Replace(string(servertest.Example(t, "dataset.yaml")), "dataset: tagged-values", "dataset: small\nlimits: {bytes: 1KiB}", 1)
	must(admin.ApplyDataset(ctx, []byte(small)))(t)
	revoked := must(a.CreateAPIKey(ctx, client.NewAPIKey{Role: "tenant_user"}))(t)
	soon := time.Now().Add(2 * time.Second)
	expired := must(a.CreateAPIKey(ctx, client.NewAPIKey{Role: "tenant_user", ExpiresAt: &soon}))(t)
	good, name := servertest.Values(1, date, "x,y,1"), servertest.InputName(1, date)
	bystander := b.meanwhile(t, 2)
	send := func(key, text string) client.Problem {
		return s.upload(key, dataset, name, strings.NewReader(text), nil)
	}

	empty := refusal{422, "invalid", "The file is empty.", 6}
	s.refuses("empty file", send(a.Key, ""), empty)
	s.submitRefused("empty file", a.Key, "", empty)
	for header, says := range map[string]string{
		"sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:": "What arrived does not match its checksum. Nothing was kept; send the file again.",
		"sha-256=:AAAA:": `The Content-Digest "sha-256=:AAAA:" is not of the form sha-256=:BASE64:.`,
	} {
		s.refuses("checksum", s.upload(a.Key, dataset, name, strings.NewReader(good), func(r *http.Request) { r.Header.Set("Content-Digest", header) }),
			refusal{422, "invalid", says, 6})
	}
	large := refusal{413, "too-large", `The file is larger than the 1024 bytes that dataset "small" takes. Split it, or ask the provider to raise the limit.`, 6}
	s.refuses("too large", s.upload(a.Key, "small", name, strings.NewReader(strings.Repeat("x", 1025)), nil), large)
	s.refuses("too large, of unknown size", s.upload(a.Key, "small", name, io.MultiReader(strings.NewReader(strings.Repeat("x", 5000))), nil), large)
	s.refuses("no dataset", s.upload(a.Key, "none", name, strings.NewReader(good), nil), refusal{404, "not-found", `There is no dataset "none".`, 3})
	s.truncated("announced length", a.Key, fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(good)+1000, good))
	s.truncated("chunks", a.Key, fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(good), good))
	s.truncated("middle of a chunk", a.Key, fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s", len(good)+1000, good))

	must(struct{}{}, a.RevokeAPIKey(ctx, revoked.ID))(t)
	unknown := refusal{401, "unauthenticated", send("trk_none", good).Detail, 4}
	s.refuses("revoked key", send(revoked.Key, good), unknown)
	s.submitRefused("revoked key", revoked.Key, good, unknown)
	s.until("the key expires", func() bool { return time.Now().After(soon) })
	s.refuses("expired key", send(expired.Key, good), unknown)
	s.submitRefused("expired key", expired.Key, good, unknown)
	bystander()

	// In the middle of an upload: a credential that is revoked, then a tenant that is suspended.
	second := must(a.CreateAPIKey(ctx, client.NewAPIKey{Role: "tenant_user"}))(t)
	half := s.halfway(second.Key, good)
	must(struct{}{}, a.RevokeAPIKey(ctx, second.ID))(t)
	s.refuses("key revoked in the middle", half(), refusal{401, "unauthenticated", "This credential was revoked.", 4})
	half, other := s.halfway(a.Key, good), s.halfwayOf(b, 2)
	must(admin.SuspendTenant(ctx, a.Slug, "tests"))(t)
	s.refuses("tenant suspended in the middle", half(), refusal{403, "denied", "This tenant is suspended. Ask the provider.", 4})
	if got := other(); got.Status != http.StatusCreated {
		t.Errorf("B's upload while A was suspended: got %+v, want it taken", got)
	}
	suspended := refusal{403, "denied", "This tenant is suspended: tests. Ask the provider.", 4}
	s.refuses("suspended tenant", send(a.Key, good), suspended)
	s.submitRefused("suspended tenant", a.Key, good, suspended)
	b.meanwhile(t, 2)()
	must(admin.ActivateTenant(ctx, a.Slug))(t)

	if got := must(a.Submissions(ctx, client.SubmissionFilter{}))(t).Items; len(got) != 0 {
		t.Errorf("A's submissions: got %+v, want none", got)
	}
	s.until("nothing of A is stored", func() bool {
		for _, stored := range s.stored() {
			if !strings.HasPrefix(stored, "/objects/objects/"+b.ID) {
				return false
			}
		}
		return true
	})
	a.Accepted(t, date, good)
	s.Stop()
	s.Sound()
}

// until polls for what must come to hold.
func (s *server) until(what string, holds func() bool) {
	s.T.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(servertest.Patience); !holds(); <-tick.C {
		if time.Now().After(end) {
			s.T.Fatalf("%s: not after %v; stored are %v", what, servertest.Patience, s.stored())
		}
	}
}

// halfway starts an upload, and returns once the server has the first half how to
// send the rest.
func (s *server) halfway(key, text string) (rest func() client.Problem) {
	s.T.Helper()
	before := len(s.stored())
	body, w := io.Pipe()
	type answer struct {
		status int
		body   string
	}
	done := make(chan answer, 1)
	r := s.uploading(s.T.Context(), key, dataset, servertest.InputName(1, date), body)
	go func() {
		status, body := fetch(s.T, r)
		done <- answer{status, body}
	}()
	must(io.WriteString(w, text[:len(text)/2]))(s.T)
	s.until("the upload is under way", func() bool { return len(s.stored()) > before })
	return func() client.Problem {
		s.T.Helper()
		// The server may have answered, and then nobody reads.
		go func() {
			_, _ = io.WriteString(w, text[len(text)/2:])
			w.Close()
		}()
		got := <-done
		return s.answered(got.status, got.body)
	}
}

func (s *server) halfwayOf(p party, n int) (rest func() client.Problem) {
	s.T.Helper()
	return s.halfway(p.Key, servertest.Values(n, date, "x,y,1"))
}

// truncated sends a part of a request, whose headers end with what is given, and
// closes its side.
func (s *server) truncated(name, key, rest string) {
	s.T.Helper()
	conn := must(net.Dial("tcp", strings.TrimPrefix(s.URL, "http://")))(s.T).(*net.TCPConn)
	defer conn.Close()
	_, err := fmt.Fprintf(conn, "POST /api/v1/submissions?dataset=%s&date=%s&name=%s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n%s",
		dataset, date, servertest.InputName(1, date), key, rest)
	must(struct{}{}, err)(s.T)
	must(struct{}{}, conn.CloseWrite())(s.T)
	must(struct{}{}, conn.SetReadDeadline(time.Now().Add(servertest.Patience)))(s.T)
	got := string(must(io.ReadAll(conn))(s.T))
	// The server learns of the end by its reading or by its waiting, whichever is first.
	if !strings.Contains(got, "The file ended before all of it arrived. Nothing was kept; send it again.") && !strings.HasPrefix(got, "HTTP/1.1 499") {
		s.T.Errorf("upload truncated in the %s: got %q, want a refusal", name, got)
	}
}
