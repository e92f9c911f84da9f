package test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"tributary/client"
)

// fetch sends a request and returns the answer's status and body.
func fetch(t *testing.T, r *http.Request) (int, string) {
	t.Helper()
	w := must(http.DefaultClient.Do(r))(t)
	defer w.Body.Close()
	return w.StatusCode, string(must(io.ReadAll(w.Body))(t))
}

// bomb is size bytes of rows, compressed.
func bomb(t *testing.T, size int) string {
	t.Helper()
	var text bytes.Buffer
	z := gzip.NewWriter(&text)
	row := bytes.Repeat([]byte("20221101,000001,x,y,1\n"), 1000)
	_, err := io.WriteString(z, "Date,ClientID,Tag1,Tag2,Value\n")
	for n := 0; n < size && err == nil; n += len(row) {
		_, err = z.Write(row)
	}
	must(struct{}{}, err)(t)
	must(struct{}{}, z.Close())(t)
	return text.String()
}

// TestBadFilesHarmNobody sends bad files as one tenant, while another's good one
// goes through.
func TestBadFilesHarmNobody(t *testing.T) {
	t.Parallel()
	s := started(t, "")
	a, b := s.exchange()
	const head = "Date,ClientID,Tag1,Tag2,Value\n"
	bad := map[string]struct{ text, problem string }{
		"gzip bomb":       {bomb(t, 64<<20), ""},
		"ragged":          {head + "20221101,000001,x,y\n20221101,000001,x,z,1,2\n", ""},
		"wrong columns":   {"Date,Client,Tag1,Value\n20221101,000001,x,1\n", ""},
		"wrong encoding":  {head + "20221101,000001,\xff\xfe,y,1\n", ""},
		"only a header":   {head, ""},
		"foreign client":  {values(2, date, "x,y,1"), "participant"},
		"not a number":    {values(1, date, "x,y,ten"), ""},
		"wrong date":      {values(1, "2022-11-02", "x,y,1"), ""},
		"twice":           {values(1, date, "x,y,1", "x,y,2"), ""},
		"100,000 columns": {strings.Repeat("c,", 100_000) + "c\n", ""},
		"a line of 16 MB": {head + "20221101,000001," + strings.Repeat("x", 16<<20) + ",y,1\n", ""},
	}
	sent := map[string]client.Submission{}
	for name, c := range bad {
		got, err := a.send(t.Context(), inputName(1, date), date, c.text)
		if err != nil {
			t.Errorf("%s: got %v, want it taken and rejected", name, err)
			continue
		}
		sent[name] = got
	}
	b.accepted(t, inputName(2, date), date, values(2, date, "x,y,20"))
	for name, sub := range sent {
		got := must(a.WaitSubmission(t.Context(), sub.ID))(t)
		if got.State != "rejected" || len(got.Problems) == 0 || got.Problems[0].Message == "" {
			t.Errorf("%s: got %s %+v, want rejected with words", name, got.State, got.Problems)
			continue
		}
		if want := bad[name].problem; want != "" && got.Problems[0].Code != want {
			t.Errorf("%s: got the problem %s, want %s", name, got.Problems[0].Code, want)
		}
	}
	a.accepted(t, inputName(1, date), date, values(1, date, "x,y,1"))
	s.stop()
	s.sound()
}

// TestBadUploadsKeepNothing sends what is not taken at all.
func TestBadUploadsKeepNothing(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := started(t, "")
	a, b := s.exchange()
	soon := time.Now().Add(time.Second)
	revoked := must(a.CreateAPIKey(ctx, client.NewAPIKey{Role: "tenant_user"}))(t)
	expired := must(a.CreateAPIKey(ctx, client.NewAPIKey{Role: "tenant_user", ExpiresAt: &soon}))(t)
	good := values(1, date, "x,y,1")
	upload := func(key, text string, change func(*http.Request)) (int, string) {
		query := url.Values{"dataset": {dataset}, "date": {date}, "name": {inputName(1, date)}}
		r := must(http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/api/v1/submissions?"+query.Encode(), strings.NewReader(text)))(t)
		r.Header.Set("Authorization", "Bearer "+key)
		if change != nil {
			change(r)
		}
		return fetch(t, r)
	}
	refused := func(name string, status, want int, body, says string) {
		t.Helper()
		if status != want || !strings.Contains(body, says) {
			t.Errorf("%s: got %d %s, want %d saying %q", name, status, body, want, says)
		}
	}
	status, body := upload(a.key, "", nil)
	refused("empty file", status, http.StatusUnprocessableEntity, body, "empty")
	status, body = upload(a.key, good, func(r *http.Request) {
		r.Header.Set("Content-Digest", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:")
	})
	refused("wrong checksum", status, http.StatusUnprocessableEntity, body, "")
	must(struct{}{}, a.RevokeAPIKey(ctx, revoked.ID))(t)
	status, body = upload(revoked.Key, good, nil)
	refused("revoked key", status, http.StatusUnauthorized, body, "")
	for time.Now().Before(soon) {
		time.Sleep(time.Until(soon))
	}
	status, body = upload(expired.Key, good, nil)
	refused("expired key", status, http.StatusUnauthorized, body, "")
	s.truncated(a.key, good)

	must(s.as(s.token).SuspendTenant(ctx, a.Slug, "tests"))(t)
	status, body = upload(a.key, good, nil)
	refused("suspended tenant", status, http.StatusForbidden, body, "")
	b.accepted(t, inputName(2, date), date, values(2, date, "x,y,20"))
	must(s.as(s.token).ActivateTenant(ctx, a.Slug))(t)
	if got := must(a.Submissions(ctx, client.SubmissionFilter{}))(t).Items; len(got) != 0 {
		t.Errorf("A's submissions: got %+v, want none", got)
	}
	a.accepted(t, inputName(1, date), date, good)
	s.stop()
	s.sound()
}

// truncated sends less than it announced and closes its side.
func (s *server) truncated(key, text string) {
	s.t.Helper()
	conn := must(net.Dial("tcp", strings.TrimPrefix(s.url, "http://")))(s.t).(*net.TCPConn)
	defer conn.Close()
	_, err := fmt.Fprintf(conn, "POST /api/v1/submissions?dataset=%s&date=%s&name=%s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s",
		dataset, date, inputName(1, date), key, len(text)+1000, text)
	must(struct{}{}, err)(s.t)
	must(struct{}{}, conn.CloseWrite())(s.t)
	must(struct{}{}, conn.SetReadDeadline(time.Now().Add(patience)))(s.t)
	got := string(must(io.ReadAll(conn))(s.t))
	if strings.HasPrefix(got, "HTTP/1.1 2") {
		s.t.Errorf("truncated upload: got %q, want a refusal", got)
	}
}
