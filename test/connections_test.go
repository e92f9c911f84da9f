package test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tributary/client"
	"tributary/internal/meta"
	"tributary/test/servertest"
)

// drip sends a request of which only the first bytes of the body come, and returns
// the answer's status and when the server closed the connection.
func (s *server) drip(headers ...string) (status int, closed time.Duration) {
	s.T.Helper()
	conn, err := (&net.Dialer{}).DialContext(s.T.Context(), "tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		s.T.Error(err)
		return 0, 0
	}
	defer conn.Close()
	begun := time.Now()
	head := "POST /api/v1/organisations HTTP/1.1\r\nHost: tributary\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n"
	for _, h := range headers {
		head += h + "\r\n"
	}
	if _, err = io.WriteString(conn, head+"\r\n{"); err != nil {
		s.T.Error(err)
		return 0, 0
	}
	if err = conn.SetReadDeadline(begun.Add(servertest.Patience)); err != nil {
		s.T.Error(err)
	}
	r := bufio.NewReader(conn)
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		s.T.Errorf("read answer to %q: %v", headers, err)
		return 0, 0
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		s.T.Errorf("read answer to %q: %v", headers, err)
	}
	_ = answer.Body.Close()
	if _, err := io.Copy(io.Discard, r); errors.Is(err, os.ErrDeadlineExceeded) {
		s.T.Errorf("after the answer to %q: the connection is open after %v, want it closed", headers, servertest.Patience)
	}
	return answer.StatusCode, time.Since(begun)
}

// A body that does not come holds its connection for half a minute, whoever sends
// it; a file that keeps coming may take longer than that.
func TestSlowBodiesAreEndedAndSlowFilesAreNot(t *testing.T) {
	t.Parallel()
	s := started(t, "")
	a, _ := s.exchange()
	bearer := "Authorization: Bearer " + s.Token
	slow := must(client.New(s.URL, a.Key, client.WithHTTPClient(&http.Client{})))(t)
	var all sync.WaitGroup // of what takes its time, so all at once
	for what, c := range map[string]struct {
		status  int
		headers []string
	}{
		"without a credential":      {http.StatusUnauthorized, nil},
		"with one":                  {http.StatusRequestTimeout, []string{bearer}},
		"with an idempotency key":   {http.StatusRequestTimeout, []string{bearer, "Idempotency-Key: one"}},
		"with a credential so-so":   {http.StatusUnauthorized, []string{"Authorization: Bearer trk_nobodys"}},
		"that keeps its connection": {http.StatusRequestTimeout, []string{bearer, "Connection: keep-alive"}},
	} {
		all.Go(func() {
			if status, closed := s.drip(c.headers...); status != c.status || closed > 45*time.Second {
				t.Errorf("%s: got %d, closed after %v, want %d and 30 s", what, status, closed, c.status)
			}
		})
	}
	all.Go(func() {
		r, w := io.Pipe()
		go func() {
			text := servertest.Values(1, date, "a,b,1", "a,c,2")
			tick := time.NewTicker(5 * time.Second)
			defer tick.Stop()
			for i := range 7 {
				if _, err := io.WriteString(w, text[i*len(text)/7:(i+1)*len(text)/7]); err != nil {
					return
				}
				<-tick.C
			}
			_ = w.Close()
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 2*servertest.Patience)
		defer cancel()
		got, err := slow.Submit(ctx, client.Upload{Dataset: dataset, Date: date, Name: servertest.InputName(1, date), Body: r})
		if err != nil || got.ID == "" {
			t.Errorf("a file that takes 35 s: got %+v, %v, want it received", got, err)
			return
		}
		if done, err := a.WaitSubmission(ctx, got.ID); err != nil || done.State != "accepted" {
			t.Errorf("its verdict: got %s %v, %v, want accepted", done.State, done.Problems, err)
		}
	})
	all.Wait()
}

func TestNamesOfHostsMakeNoSeries(t *testing.T) {
	t.Parallel()
	s := started(t, "")
	for i := range 20 {
		r := must(http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/docs", nil))(t)
		r.Host = fmt.Sprintf("series-%d.example", i)
		_ = must(http.DefaultClient.Do(r))(t).Body.Close()
	}
	r := must(http.Get(s.URL + "/metrics"))(t)
	defer r.Body.Close()
	figures := string(must(io.ReadAll(r.Body))(t))
	if !strings.Contains(figures, "http_server_request_duration") || strings.Contains(figures, "series-") || strings.Contains(figures, "server_address") {
		t.Errorf("metrics: got %.2000s, want durations without the hosts that clients name", figures)
	}
}

func TestTLSIsRemembered(t *testing.T) {
	t.Parallel()
	s := initialised(t, "")
	cert, key, pool := certificate(t, s)
	s.Start("--tls-cert", cert, "--tls-key", key)
	c := &http.Client{Timeout: servertest.Patience, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	defer c.CloseIdleConnections()
	r := must(c.Get(s.URL + "/docs"))(t)
	_ = r.Body.Close()
	if got := r.Header.Get("Strict-Transport-Security"); got != "max-age=31536000" {
		t.Errorf("Strict-Transport-Security by TLS: got %q, want a year", got)
	}
	s.Stop()
	s.Start()
	r = must(http.Get(s.URL + "/docs"))(t)
	_ = r.Body.Close()
	if got := r.Header.Get("Strict-Transport-Security"); got != "" {
		t.Errorf("Strict-Transport-Security without TLS: got %q, want none", got)
	}
}

// A server that is killed leaves requests that nobody answers any more.
func TestKeysOfRequestsThatDiedAreFreeAfterARestart(t *testing.T) {
	t.Parallel()
	s := started(t, "")
	s.Kill()
	db := must(meta.Open(t.Context(), meta.Config{URL: "sqlite:" + filepath.Join(s.Data, "control.db")}))(t)
	n, err := db.Unscoped().Exec(t.Context(), `INSERT INTO idempotency_keys (actor, key, request_hash, status, created_at) SELECT id, 'cut-off', id, 0, created_at FROM api_keys`)
	if err := errors.Join(err, db.Close()); err != nil || n != 1 {
		t.Fatalf("leave a request: got %d, %v, want 1", n, err)
	}
	s.Start()
	r := must(http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/api/v1/organisations", strings.NewReader(`{"name":"Acme"}`)))(t)
	r.Header.Set("Authorization", "Bearer "+s.Token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", "cut-off")
	got := must(http.DefaultClient.Do(r))(t)
	defer got.Body.Close()
	if body := must(io.ReadAll(got.Body))(t); got.StatusCode != http.StatusCreated {
		t.Errorf("the request again: got %d %s, want it done", got.StatusCode, body)
	}
}
