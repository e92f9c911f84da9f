package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// serve starts a server with one handler and returns a client of it that does
// not wait between tries.
func serve(t *testing.T, handler http.HandlerFunc, options ...Option) *Client {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	c, err := New(s.URL, "trk_secret", options...)
	if err != nil {
		t.Fatal(err)
	}
	c.pause = func(int) time.Duration { return 0 }
	return c
}

func refuse(w http.ResponseWriter, status int, kind Kind, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(Problem{Type: "urn:tributary:" + string(kind), Title: http.StatusText(status), Status: status, Detail: detail, Instance: "req_1"})
}

func TestAProblemIsAnErrorOfItsKind(t *testing.T) {
	t.Parallel()
	for status, kind := range map[int]Kind{422: Invalid, 401: Unauthenticated, 403: Denied, 404: NotFound, 409: Conflict, 413: TooLarge, 507: StorageFull, 500: Damaged} {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, status, kind, "What was wrong.") })
		_, err := c.Tenant(t.Context(), "acme")
		var e *Error
		if !errors.As(err, &e) || e.Kind() != kind || e.Status != status || e.Error() != "What was wrong." || e.Instance != "req_1" {
			t.Errorf("status %d: got %#v, want kind %s", status, err, kind)
		}
		if !Is(fmt.Errorf("wrapped: %w", err), kind) {
			t.Errorf("status %d: a wrapped error has kind %s, want %s", status, KindOf(err), kind)
		}
	}
}

func TestAnAnswerThatIsNotTributarysHasTheKindOfItsStatus(t *testing.T) {
	t.Parallel()
	for status, kind := range map[int]Kind{400: Invalid, 401: Unauthenticated, 403: Denied, 404: NotFound, 409: Conflict, 413: TooLarge, 429: Throttled,
		500: Internal, 502: Unavailable, 503: Unavailable, 504: TimedOut, 507: StorageFull, 302: Internal} {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://elsewhere.example/")
			w.WriteHeader(status)
			io.WriteString(w, "<html>no</html>")
		})
		_, err := c.Me(t.Context())
		if KindOf(err) != kind || !strings.Contains(err.Error(), c.Server()) {
			t.Errorf("status %d: got %v of kind %s, want %s and the server's address", status, err, KindOf(err), kind)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("followed to %s with %q", r.URL, r.Header.Get("Authorization"))
	}))
	defer elsewhere.Close()
	redirect := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	}
	for name, c := range map[string]*Client{"own": serve(t, redirect), "given": serve(t, redirect, WithHTTPClient(&http.Client{}))} {
		if _, err := c.Me(t.Context()); err == nil || !strings.Contains(err.Error(), elsewhere.URL) {
			t.Errorf("%s transport: got %v, want an error that names where to", name, err)
		}
	}
}

func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	c, err := New(s.URL, "x")
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Me(t.Context())
	var unreachable *UnreachableError
	if !errors.As(err, &unreachable) || KindOf(err) != Unavailable || strings.Contains(err.Error(), "/api/v1/me") {
		t.Errorf("got %v of kind %s, want unreachable", err, KindOf(err))
	}
}

func TestGivingUpIsNotTheServersFault(t *testing.T) {
	t.Parallel()
	c := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Me(ctx); !errors.Is(err, context.DeadlineExceeded) || KindOf(err) != TimedOut {
		t.Errorf("got %v of kind %s, want the deadline", err, KindOf(err))
	}
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := c.Me(ctx); !errors.Is(err, context.Canceled) || KindOf(err) != Cancelled {
		t.Errorf("got %v of kind %s, want cancelled", err, KindOf(err))
	}
}

func TestAddressesAndTokensThatAreNone(t *testing.T) {
	t.Parallel()
	for _, server := range []string{"", "tributary.example.com", "ftp://x", "http://", "http://user:pass@x", "http://x?y=z"} {
		if _, err := New(server, ""); err == nil {
			t.Errorf("address %q was taken", server)
		}
	}
	if _, err := New("http://x", "two\nlines"); err == nil {
		t.Error("a token of two lines was taken")
	}
	if c, err := New("http://x/", " trk_1\n"); err != nil || c.Token() != "trk_1" || c.Server() != "http://x" {
		t.Errorf("got %v, want the token and address trimmed", err)
	}
}

// seen is what a server was asked.
type seen struct {
	mu       sync.Mutex
	requests []*http.Request
	bodies   []string
}

func (s *seen) add(r *http.Request) int {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests, s.bodies = append(s.requests, r), append(s.bodies, string(body))
	return len(s.requests)
}

func TestWhatMayBeRepeatedIs(t *testing.T) {
	t.Parallel()
	upload := func(c *Client, ctx context.Context) error {
		_, err := c.Submit(ctx, Upload{Dataset: "d", Date: "2026-03-01", Name: "f", Body: strings.NewReader("x")})
		return err
	}
	get := func(c *Client, ctx context.Context) error { _, err := c.Me(ctx); return err }
	post := func(c *Client, ctx context.Context) error {
		_, err := c.CreateOrganisation(ctx, NewOrganisation{Name: "Acme"})
		return err
	}
	patch := func(c *Client, ctx context.Context) error {
		_, err := c.UpdateTenant(ctx, "acme", TenantChange{})
		return err
	}
	end := func(c *Client, ctx context.Context) error { return c.RevokeAPIKey(ctx, "key_1") }
	signIn := func(c *Client, ctx context.Context) error { _, err := c.SignIn(ctx, SignIn{}); return err }
	for _, test := range []struct {
		name   string
		do     func(*Client, context.Context) error
		status int
		header string
		want   int // requests until it works or is given up
	}{
		{"get, unavailable", get, 503, "", 3},
		{"get, bad gateway", get, 502, "", 3},
		{"get, timeout", get, 504, "", 3},
		{"get, throttled", get, 429, "0", 3},
		{"get, internal", get, 500, "", 1},
		{"get, not found", get, 404, "", 1},
		{"get, asked to wait too long", get, 503, "3600", 1},
		{"post with a key, unavailable", post, 503, "", 3},
		{"post with a key, throttled", post, 429, "", 3},
		{"post with a key, conflict", post, 409, "", 1},
		{"patch, unavailable", patch, 503, "", 1},
		{"patch, throttled", patch, 429, "", 3},
		{"delete, unavailable", end, 503, "", 1},
		{"delete, throttled", end, 429, "", 3},
		{"sign in, unavailable", signIn, 503, "", 1},
		{"upload, unavailable", upload, 503, "", 1},
		{"upload, throttled", upload, 429, "", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var s seen
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if s.add(r) < 3 {
					if test.header != "" {
						w.Header().Set("Retry-After", test.header)
					}
					w.WriteHeader(test.status)
					return
				}
				io.WriteString(w, `{}`)
			})
			err := test.do(c, t.Context())
			if len(s.requests) != test.want || (err == nil) != (test.want == 3) {
				t.Fatalf("%d requests and error %v, want %d requests", len(s.requests), err, test.want)
			}
			for i := range s.requests {
				if s.bodies[i] != s.bodies[0] || s.requests[i].Header.Get("Idempotency-Key") != s.requests[0].Header.Get("Idempotency-Key") {
					t.Errorf("request %d is not the first one again", i+1)
				}
			}
		})
	}
}

func TestTryingEnds(t *testing.T) {
	t.Parallel()
	var s seen
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		s.add(r)
		refuse(w, 503, Unavailable, "Not now.")
	})
	if _, err := c.Me(t.Context()); !Is(err, Unavailable) || len(s.requests) != maxTries {
		t.Errorf("%d requests and %v, want %d and unavailable", len(s.requests), err, maxTries)
	}
}

func TestEachPostHasAKeyOfItsOwn(t *testing.T) {
	t.Parallel()
	var s seen
	c := serve(t, func(w http.ResponseWriter, r *http.Request) { s.add(r); io.WriteString(w, `{}`) })
	for range 2 {
		if _, err := c.CreateTenant(t.Context(), NewTenant{Slug: "acme"}); err != nil {
			t.Fatal(err)
		}
	}
	first, second := s.requests[0].Header.Get("Idempotency-Key"), s.requests[1].Header.Get("Idempotency-Key")
	if len(first) < 20 || first == second {
		t.Errorf("got keys %q and %q, want two long ones", first, second)
	}
}

func TestRequestsSayWhoAsks(t *testing.T) {
	t.Parallel()
	var s seen
	c := serve(t, func(w http.ResponseWriter, r *http.Request) { s.add(r); io.WriteString(w, `{}`) }, WithUserAgent("test/1"))
	c.Tenant(t.Context(), "a/../b?c")
	c.SignIn(t.Context(), SignIn{Login: "acme.alice", Password: "p"})
	r := s.requests[0]
	if r.Header.Get("Authorization") != "Bearer trk_secret" || r.Header.Get("User-Agent") != "test/1" {
		t.Errorf("got headers %v, want token and agent", r.Header)
	}
	if r.URL.EscapedPath() != "/api/v1/tenants/a%2F..%2Fb%3Fc" {
		t.Errorf("got path %s, want the id as one part of it", r.URL.EscapedPath())
	}
	if got := s.requests[1].Header.Get("Authorization"); got != "" {
		t.Errorf("signing in sent the credential %q, want none", got)
	}
}

func TestARotatedTokenIsUsedAndTold(t *testing.T) {
	t.Parallel()
	var s seen
	var told []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if s.add(r) == 1 {
			w.Header().Set("Tributary-Session", "trs_new")
		}
		io.WriteString(w, `{}`)
	}, WithRenewal(func(token string) { told = append(told, token) }))
	c.Me(t.Context())
	c.Me(t.Context())
	if got := s.requests[1].Header.Get("Authorization"); got != "Bearer trs_new" || !slices.Equal(told, []string{"trs_new"}) || c.Token() != "trs_new" {
		t.Errorf("second request had %q, told %v; want the new token", got, told)
	}
}

func TestAllGoesThroughThePages(t *testing.T) {
	t.Parallel()
	var s seen
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		s.add(r)
		q := r.URL.Query()
		switch q.Get("after") {
		case "":
			io.WriteString(w, `{"items":[{"id":"1"},{"id":"2"}],"next":"two"}`)
		case "two":
			io.WriteString(w, `{"items":[],"next":"three"}`)
		case "three":
			io.WriteString(w, `{"items":[{"id":"3"}]}`)
		}
	})
	var got []string
	for x, err := range All(t.Context(), c.Submissions, SubmissionFilter{State: "accepted"}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, x.ID)
	}
	if !slices.Equal(got, []string{"1", "2", "3"}) {
		t.Errorf("got %v, want all three", got)
	}
	for _, r := range s.requests {
		if q := r.URL.Query(); q.Get("state") != "accepted" || q.Get("limit") != "500" {
			t.Errorf("asked %s, want the filter on each page, and large pages", r.URL)
		}
	}
	for range All(t.Context(), c.Submissions, SubmissionFilter{}) {
		break
	}
	if len(s.requests) != 4 {
		t.Errorf("%d requests, want one more for a loop that was left at once", len(s.requests))
	}
}

func TestAllEndsAtAnError(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("after") == "" {
			io.WriteString(w, `{"items":[{"id":"1"}],"next":"x"}`)
			return
		}
		refuse(w, 422, Invalid, "No such cursor.")
	})
	things, errs := 0, 0
	for _, err := range All(t.Context(), c.Datasets, Page{}) {
		if err != nil {
			errs++
			continue
		}
		things++
	}
	if things != 1 || errs != 1 {
		t.Errorf("got %d things and %d errors, want one of each", things, errs)
	}
}

func TestFiltersBecomeParameters(t *testing.T) {
	t.Parallel()
	var s seen
	c := serve(t, func(w http.ResponseWriter, r *http.Request) { s.add(r); io.WriteString(w, `{}`) })
	ctx := t.Context()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.FixedZone("", 3600))
	page := Page{Limit: 7, After: "c"}
	c.Tenants(ctx, TenantFilter{Page: page, State: "active", Organisation: "org_1", View: View{Search: "a b", Filters: []string{"name:is:a, b", "tier:not:basic"}, Sort: "-name"}})
	c.Users(ctx, UserFilter{TenantPage: TenantPage{Page: page, Tenant: "acme"}})
	c.Results(ctx, ResultFilter{TenantPage: TenantPage{Tenant: "acme"}, Analysis: "mean", Date: "2026-03-01"})
	c.Runs(ctx, RunFilter{Page: page, Analysis: "mean", Date: "2026-03-01", State: "failed"})
	c.AuditEntries(ctx, AuditFilter{TenantPage: TenantPage{Tenant: "acme"}, Provider: true, Actor: "usr_1", Verb: "v", Subject: "s", From: at, To: at})
	c.AuditRecords(ctx, "acme", 9, 5)
	c.Dataset(ctx, "d", 3)
	c.RunLog(ctx, "run_1", 4)
	c.Datasets(ctx, Page{})
	want := []string{
		"/api/v1/tenants?after=c&filter=name%3Ais%3Aa%2C+b&filter=tier%3Anot%3Abasic&limit=7&organisation=org_1&search=a+b&sort=-name&state=active",
		"/api/v1/users?after=c&limit=7&tenant=acme",
		"/api/v1/results?analysis=mean&date=2026-03-01&tenant=acme",
		"/api/v1/runs?after=c&analysis=mean&date=2026-03-01&limit=7&state=failed",
		"/api/v1/audit?actor=usr_1&from=2026-03-01T11%3A00%3A00Z&provider=true&subject=s&tenant=acme&to=2026-03-01T11%3A00%3A00Z&verb=v",
		"/api/v1/audit/raw?after=9&limit=5&tenant=acme",
		"/api/v1/datasets/d?version=3",
		"/api/v1/runs/run_1/log?after=4",
		"/api/v1/datasets",
	}
	for i, r := range s.requests {
		if r.RequestURI != want[i] {
			t.Errorf("asked %s, want %s", r.RequestURI, want[i])
		}
	}
}

func TestAnswersAreTold(t *testing.T) {
	t.Parallel()
	var told []string
	body := `{"id":"org_1", "unknown":"<kept>"}` + "\n"
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) }, WithAnswers(func(b []byte) { told = append(told, string(b)) }))
	if _, err := c.Organisation(t.Context(), "org_1"); err != nil || !slices.Equal(told, []string{body}) {
		t.Errorf("told %q and %v, want the body as it was", told, err)
	}
}

func TestAnAnswerThatIsNoJSON(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `<html>`) })
	if _, err := c.Me(t.Context()); err == nil || !strings.Contains(err.Error(), "is "+c.Server()+" a Tributary server?") {
		t.Errorf("got %v, want to be asked whether the address is right", err)
	}
}

func TestWaiting(t *testing.T) {
	t.Parallel()
	var s seen
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		state := []string{"received", "validating", "accepted"}
		if strings.Contains(r.URL.Path, "/runs/") {
			state = []string{"queued", "running", "withheld"}
		}
		fmt.Fprintf(w, `{"id":"x","state":%q}`, state[min(s.add(r)-1, 2)])
	})
	if got, err := c.WaitSubmission(t.Context(), "sub_1"); err != nil || got.State != "accepted" {
		t.Errorf("got %v and %v, want accepted", got.State, err)
	}
	s.requests = nil
	var states []string
	if got, err := c.WaitRun(t.Context(), "run_1", func(r Run) { states = append(states, r.State) }); err != nil || got.State != "withheld" {
		t.Errorf("got %v and %v, want withheld", got.State, err)
	}
	if !slices.Equal(states, []string{"queued", "running", "withheld"}) {
		t.Errorf("saw %v, want each state", states)
	}
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"state":"queued"}`) })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := c.WaitRun(ctx, "run_1", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
}
