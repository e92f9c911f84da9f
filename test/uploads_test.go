package test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"testing"

	"tributary/client"
	"tributary/test/servertest"
)

// uploads speaks the tus protocol as its text has it, request by request.
type uploads struct {
	*server
	key string
}

func (s *server) uploads(key string) *uploads { return &uploads{s, key} }

// told is an answer of the protocol.
type told struct {
	status int
	header http.Header
	body   string
}

func (a told) offset() int64 {
	n, err := strconv.ParseInt(a.header.Get("Upload-Offset"), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

func (u *uploads) request(method, id string, body io.Reader, header ...string) *http.Request {
	u.T.Helper()
	r := must(http.NewRequestWithContext(u.T.Context(), method, u.URL+path.Join("/api/v1/uploads", id), body))(u.T)
	r.Header.Set("Authorization", "Bearer "+u.key)
	r.Header.Set("Tus-Resumable", "1.0.0")
	for n := 0; n+1 < len(header); n += 2 {
		r.Header.Set(header[n], header[n+1])
	}
	return r
}

func (u *uploads) ask(r *http.Request) told {
	u.T.Helper()
	w := must(http.DefaultClient.Do(r))(u.T)
	defer w.Body.Close()
	return told{w.StatusCode, w.Header, string(must(io.ReadAll(w.Body))(u.T))}
}

// tusHeader is a header of the tus protocol.
func tusHeader(more ...string) []string { return append([]string{"Tus-Resumable", "1.0.0"}, more...) }

// metadata encodes pairs of names and values.
func metadata(pairs ...string) string {
	var parts []string
	for n := 0; n+1 < len(pairs); n += 2 {
		parts = append(parts, pairs[n]+" "+base64.StdEncoding.EncodeToString([]byte(pairs[n+1])))
	}
	return strings.Join(parts, ",")
}

func (u *uploads) create(length int, pairs ...string) told {
	u.T.Helper()
	return u.ask(u.request(http.MethodPost, "", nil, "Upload-Length", strconv.Itoa(length), "Upload-Metadata", metadata(pairs...)))
}

// begun creates an upload and returns its id.
func (u *uploads) begun(length int, pairs ...string) string {
	u.T.Helper()
	a := u.create(length, pairs...)
	if a.status != http.StatusCreated {
		u.T.Fatalf("create: got %d %s, want 201", a.status, a.body)
	}
	return path.Base(a.header.Get("Location"))
}

func (u *uploads) piece(id string, offset int, body io.Reader, header ...string) *http.Request {
	u.T.Helper()
	return u.request(http.MethodPatch, id, body, append([]string{"Content-Type", "application/offset+octet-stream", "Upload-Offset", strconv.Itoa(offset)}, header...)...)
}

func (u *uploads) send(id string, offset int, text string, header ...string) told {
	u.T.Helper()
	return u.ask(u.piece(id, offset, strings.NewReader(text), header...))
}

func (u *uploads) head(id string) told {
	u.T.Helper()
	return u.ask(u.request(http.MethodHead, id, nil, "Tus-Resumable", ""))
}

// wants checks an answer's status and, where it has one, its offset.
func (u *uploads) wants(what string, a told, status int, offset int64) {
	u.T.Helper()
	if a.status != status || a.offset() != offset {
		u.T.Fatalf("%s: got %d at %d %s, want %d at %d", what, a.status, a.offset(), a.body, status, offset)
	}
}

// file is a good one of a party's, of more than one buffer, for a day.
func file(n int, date string) string {
	var rows []string
	for i := range 30_000 {
		rows = append(rows, fmt.Sprintf("x%d,y,%d", i, i))
	}
	return servertest.Values(n, date, rows...)
}

func sha(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// accepts waits until a submission is accepted and wants it to be the text.
func (u *uploads) accepts(p party, id, text string) {
	u.T.Helper()
	if got := must(p.WaitSubmission(u.T.Context(), id))(u.T); got.State != "accepted" || got.Channel != "web" || got.SHA256 != hex.EncodeToString(sha(text)) {
		u.T.Fatalf("submission: got %+v, want it accepted by the web", got)
	}
	var content bytes.Buffer
	must(p.SubmissionContent(u.T.Context(), id, &content, nil))(u.T)
	if content.String() != text {
		u.T.Fatalf("content: got %d bytes, want the %d that were sent", content.Len(), len(text))
	}
}

// TestResumableUpload sends a file in pieces, as a page does that is reloaded.
func TestResumableUpload(t *testing.T) {
	t.Parallel()
	s := started(t, "")
	a, b := s.exchange()
	u, text, name := s.uploads(a.Key), file(1, date), servertest.InputName(1, date)
	third := len(text) / 3

	found := u.ask(must(http.NewRequestWithContext(t.Context(), http.MethodOptions, s.URL+"/api/v1/uploads", nil))(t))
	if found.status != http.StatusNoContent || found.header.Get("Tus-Extension") != "creation,creation-with-upload,termination,expiration,checksum" || found.header.Get("Tus-Checksum-Algorithm") != "sha256,sha1" {
		t.Errorf("discovery: got %+v, want the extensions", found)
	}
	made := u.ask(u.request(http.MethodPost, "", strings.NewReader(text[:third]), "Upload-Length", strconv.Itoa(len(text)), "Origin", "https://elsewhere.example",
		"Upload-Metadata", metadata("filename", name, "sha256", hex.EncodeToString(sha(text))), "Content-Type", "application/offset+octet-stream"))
	u.wants("creation with a third of it", made, http.StatusCreated, int64(third))
	word := servertest.Decode[client.WebUpload](t, []byte(made.body))
	if word.Dataset != dataset || word.Date != date || word.Name != name || word.Length != int64(len(text)) {
		t.Errorf("creation: got %+v, want what the name says", word)
	}
	for h := range made.header {
		if strings.HasPrefix(h, "Access-Control-") {
			t.Errorf("creation: got the header %s, want none for other origins", h)
		}
	}
	id := path.Base(made.header.Get("Location"))
	if expires := must(http.ParseTime(made.header.Get("Upload-Expires")))(t); expires.Sub(word.CreatedAt) < 6*24*60*60*1e9 {
		t.Errorf("expires: got %v, want in a week", expires)
	}
	wrong := u.send(id, third+1, text[third+1:])
	u.wants("a wrong offset", wrong, http.StatusConflict, -1)
	if !strings.Contains(wrong.body, "urn:tributary:conflict") || wrong.header.Get("Content-Type") != "application/problem+json" || wrong.header.Get("Tus-Resumable") != "1.0.0" {
		t.Errorf("a wrong offset: got %+v, want a problem", wrong)
	}
	damaged := u.send(id, third, text[third:2*third], "Upload-Checksum", "sha256 "+base64.StdEncoding.EncodeToString(sha("something else")))
	u.wants("a wrong checksum", damaged, 460, -1)
	u.wants("where it is after that", u.head(id), http.StatusOK, int64(third))
	u.wants("a right one", u.send(id, third, text[third:2*third], "Upload-Checksum", "sha256 "+base64.StdEncoding.EncodeToString(sha(text[third:2*third]))), http.StatusNoContent, int64(2*third))

	// The page is reloaded: all that is known is the name.
	list := must(a.WebUploads(t.Context(), client.WebUploadFilter{Name: name}))(t).Items
	if len(list) != 1 || list[0].ID != id || list[0].Offset != int64(2*third) || list[0].Submission != "" || list[0].SHA256 != hex.EncodeToString(sha(text)) {
		t.Fatalf("uploads of that name: got %+v, want this one at %d", list, 2*third)
	}
	if others := must(b.WebUploads(t.Context(), client.WebUploadFilter{Name: name}))(t).Items; len(others) != 0 {
		t.Errorf("B's uploads of that name: got %+v, want none", others)
	}
	u = s.uploads(a.Key)
	u.wants("the offset", u.head(id), http.StatusOK, int64(2*third))
	last := u.send(id, 2*third, text[2*third:])
	u.wants("the rest", last, http.StatusNoContent, int64(len(text)))
	sub := last.header.Get("Tributary-Submission")
	u.accepts(a, sub, text)
	again := u.head(id) // by a client that lost the last answer
	u.wants("the end again", again, http.StatusOK, int64(len(text)))
	u.wants("nothing more", u.send(id, len(text), ""), http.StatusNoContent, int64(len(text)))
	if again.header.Get("Tributary-Submission") != sub || must(a.WebUpload(t.Context(), id))(t).Submission != sub {
		t.Errorf("what became of it: got %q, want %q", again.header.Get("Tributary-Submission"), sub)
	}
	if got := u.ask(u.request(http.MethodDelete, id, nil)); got.status != http.StatusNoContent {
		t.Errorf("delete: got %d %s, want 204", got.status, got.body)
	}
	u.wants("after its end", u.head(id), http.StatusNotFound, -1)
	must(a.Submission(t.Context(), sub))(t)
	for _, verb := range []string{"upload.create", "submission.receive"} {
		if got := must(a.AuditEntries(t.Context(), client.AuditFilter{Verb: verb}))(t).Items; len(got) != 1 {
			t.Errorf("audit entries of %s: got %d, want 1", verb, len(got))
		}
	}
	if strings.Contains(s.Log.String(), name) {
		t.Error("the log has the file's name in it")
	}
	s.Stop()
	s.Sound()
}

// TestUploadSurvives breaks off requests in every way in which they can.
func TestUploadSurvives(t *testing.T) {
	t.Parallel()
	s := started(t, "")
	a, _ := s.exchange()
	u, text := s.uploads(a.Key), file(1, date)
	half, part := len(text)/2, len(text)/4
	id := u.begun(len(text), "filename", servertest.InputName(1, date))

	// The connection is cut in the middle of a request.
	conn := u.hanging(id, 0, text[:half], part)
	conn.Close()
	s.until("what arrived is kept", func() bool { return must(a.WebUpload(t.Context(), id))(t).Offset == int64(part) })
	u.wants("the offset after the cut", u.head(id), http.StatusOK, int64(part))

	// It stands still, and the client comes back on another.
	conn = u.hanging(id, part, text[part:half], 1000)
	if got := u.send(id, part, text[part:]); got.status != http.StatusLocked {
		t.Errorf("a second request beside the first: got %d %s, want 423", got.status, got.body)
	}
	before := int64(part)
	at := u.head(id)
	if at.status != http.StatusOK || at.offset() < before || at.offset() > before+1000 {
		t.Fatalf("the offset while another stands still: got %d at %d, want it between %d and %d", at.status, at.offset(), before, before+1000)
	}
	conn.Close()
	u.wants("another piece", u.send(id, int(at.offset()), text[at.offset():half]), http.StatusNoContent, int64(half))

	// The server is killed in the middle.
	conn = u.hanging(id, half, text[half:], part/2)
	s.Kill()
	conn.Close()
	s.Start()
	s.Reconnect(&a.Party)
	u.wants("the offset after kill -9", u.head(id), http.StatusOK, int64(half))
	last := u.send(id, half, text[half:])
	u.wants("the rest", last, http.StatusNoContent, int64(len(text)))
	u.accepts(a, last.header.Get("Tributary-Submission"), text)
	s.Stop()
	s.Sound()
}

// hanging begins to send a piece and returns once the server has some of it.
func (u *uploads) hanging(id string, offset int, text string, some int) net.Conn {
	u.T.Helper()
	before := len(u.stored())
	conn := must(net.Dial("tcp", strings.TrimPrefix(u.URL, "http://")))(u.T)
	u.T.Cleanup(func() { conn.Close() })
	must(fmt.Fprintf(conn, "PATCH /api/v1/uploads/%s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nTus-Resumable: 1.0.0\r\n"+
		"Content-Type: application/offset+octet-stream\r\nUpload-Offset: %d\r\nContent-Length: %d\r\n\r\n%s", id, u.key, offset, len(text), text[:some]))(u.T)
	u.until("the piece is under way", func() bool { return len(u.stored()) > before })
	return conn
}

// TestUploadsRefused sends what is not taken, and wants nothing of it kept.
func TestUploadsRefused(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := started(t, "")
	a, b := s.exchange()
	admin := s.As(s.Token)
	small := strings.Replace(string(servertest.Example(t, "dataset.yaml")), "dataset: tagged-values", "dataset: small\nlimits: {bytes: 1KiB}", 1)
	small = small[:strings.Index(small, "file_name")] + small[strings.Index(small, "file_name")+strings.Index(small[strings.Index(small, "file_name"):], "\n")+1:]
	must(admin.ApplyDataset(ctx, []byte(small)))(t)
	u, text, name := s.uploads(a.Key), file(1, date), servertest.InputName(1, date)
	refused := func(what string, got told, status int, says string) {
		t.Helper()
		if got.status != status || !strings.Contains(got.body, says) || got.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: got %d %s, want %d saying %q", what, got.status, got.body, status, says)
		}
	}
	refused("no such dataset", u.create(10, "filename", name, "dataset", "none", "date", date), 404, `There is no dataset \"none\".`)
	refused("a name that says nothing", u.create(10, "filename", "data.csv"), 422, "does not say which dataset and business date")
	refused("a wrong date", u.create(10, "filename", name, "dataset", dataset, "date", "2022-02-30"), 422, "2022-02-30")
	refused("no name", u.create(10, "dataset", dataset, "date", date), 422, "needs a name")
	refused("a path", u.create(10, "filename", "../x.csv", "dataset", dataset, "date", date), 422, "must not be a path")
	refused("an empty file", u.create(0, "filename", name), 422, "The file is empty.")
	refused("too large a file", u.create(1025, "filename", "x.csv", "dataset", "small", "date", date), 413, "1024 bytes")
	refused("no digest", u.create(10, "filename", name, "sha256", "abc"), 422, "64 hexadecimal digits")
	refused("no length", u.ask(u.request(http.MethodPost, "", nil, "Upload-Defer-Length", "1", "Upload-Metadata", metadata("filename", name))), 422, "Upload-Length")
	refused("a part of a whole", u.ask(u.request(http.MethodPost, "", nil, "Upload-Length", "5", "Upload-Concat", "partial", "Upload-Metadata", metadata("filename", name))), 422, "as one")
	refused("another protocol", u.ask(u.request(http.MethodPost, "", nil, "Tus-Resumable", "0.2", "Upload-Length", "5")), 412, "Tus-Resumable: 1.0.0")

	id := u.begun(len(text), "filename", name)
	refused("another type", u.ask(u.piece(id, 0, strings.NewReader(text), "Content-Type", "text/csv")), 415, "application/offset+octet-stream")
	refused("no offset", u.ask(u.piece(id, 0, strings.NewReader(text), "Upload-Offset", "")), 422, "Upload-Offset")
	refused("no checksum", u.send(id, 0, text, "Upload-Checksum", "crc32 AAAA"), 400, "Upload-Checksum")
	refused("too many bytes", u.send(id, 0, text+"x"), 413, "more bytes than")
	refused("too many bytes in chunks", u.ask(u.piece(id, 0, io.MultiReader(strings.NewReader(text+"x")))), 413, "more bytes than")
	if got := u.ask(u.request(http.MethodPost, "", nil, "X-HTTP-Method-Override", http.MethodDelete, "Upload-Length", "5", "Upload-Metadata", metadata("filename", name))); got.status != http.StatusCreated {
		t.Errorf("a method in a header: got %d %s, want the request's own", got.status, got.body)
	}
	u.wants("after all this", u.head(id), http.StatusOK, 0)

	other := s.uploads(b.Key)
	for method, header := range map[string][]string{http.MethodPatch: {"Content-Type", "application/offset+octet-stream", "Upload-Offset", "0"}, http.MethodDelete: nil, http.MethodGet: nil} {
		theirs, nothing := other.ask(other.request(method, id, nil, header...)), other.ask(other.request(method, "upl_0", nil, header...))
		if theirs.status != http.StatusNotFound || normal(theirs, id) != normal(nothing, "upl_0") {
			t.Errorf("%s of A's upload by B: got %+v, want as for nothing %+v", method, theirs, nothing)
		}
	}

	wrong := u.begun(len(text), "filename", name, "sha256", hex.EncodeToString(sha("something else")))
	u.wants("a piece", u.send(wrong, 0, text[:100]), http.StatusNoContent, 100)
	refused("a wrong digest of the whole", u.send(wrong, 100, text[100:]), 422, "does not match its checksum")
	u.wants("after that", u.head(wrong), http.StatusNotFound, -1)

	u.wants("a piece of another", u.send(id, 0, text[:1000]), http.StatusNoContent, 1000)
	conn := u.hanging(id, 1000, text[1000:], 300_000)
	must(admin.SuspendTenant(ctx, a.Slug, "tests"))(t)
	must(io.WriteString(conn, text[301_000:]))(t)
	refused("of a suspended tenant", u.send(id, 1000, text[1000:]), 403, "suspended")
	must(admin.ActivateTenant(ctx, a.Slug))(t)
	s.until("the suspended one's request has ended", func() bool { return u.head(id).offset() == 1000 })
	if got := u.ask(u.request(http.MethodDelete, id, nil)); got.status != http.StatusNoContent {
		t.Errorf("delete: got %d %s, want 204", got.status, got.body)
	}
	if got := must(a.Submissions(ctx, client.SubmissionFilter{}))(t).Items; len(got) != 0 {
		t.Errorf("submissions: got %+v, want none", got)
	}
	s.Stop()
	s.Sound()
}

// normal is an answer without what differs between any two.
func normal(a told, id string) string {
	return strings.ReplaceAll(strings.ReplaceAll(a.body, a.header.Get("Request-Id"), "REQUEST"), id, "ID")
}

// TestUploadsAtOnce sends five files at once, each in pieces.
func TestUploadsAtOnce(t *testing.T) {
	t.Parallel()
	s := started(t, "")
	a, _ := s.exchange()
	var all sync.WaitGroup
	for n := range 5 {
		all.Go(func() {
			day := fmt.Sprintf("2022-11-%02d", n+1)
			u, text := s.uploads(a.Key), file(1, day)
			id := u.begun(len(text), "filename", servertest.InputName(1, day))
			for from, step := 0, len(text)/4+1; from < len(text); from += step {
				to := min(len(text), from+step)
				if got := u.send(id, from, text[from:to]); got.offset() != int64(to) {
					t.Errorf("file %d: got %d at %d %s, want it at %d", n, got.status, got.offset(), got.body, to)
					return
				}
			}
			u.accepts(a, must(a.WebUpload(t.Context(), id))(t).Submission, text)
		})
	}
	all.Wait()
	s.Stop()
	s.Sound()
}
