// Package collect sends events with the clients that people have, unmodified: from
// npm and Go, in Chromium where they live in a browser. What they do when they are
// refused is tested too, as docs/collect.md promises it.
package collect

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tributary/internal/audit"
	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/gateway/collect"
	"tributary/test/servertest"
)

const (
	key      = "twk_test"
	patience = time.Minute
)

func TestMain(m *testing.M) { os.Exit(servertest.Main(m)) }

// packages installs the clients from npm, unless they are.
var packages = sync.OnceValue(func() error {
	lock, err := os.ReadFile("sdk/package-lock.json")
	if err != nil {
		return err
	}
	if have, err := os.ReadFile("sdk/node_modules/.packages"); err == nil && bytes.Equal(have, lock) {
		return nil
	}
	cmd := exec.Command("npm", "ci", "--silent")
	cmd.Dir = "sdk"
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	return os.WriteFile("sdk/node_modules/.packages", lock, 0o600)
})

// goClients builds the program that sends with the Go clients.
var goClients = sync.OnceValues(func() (string, error) {
	file, err := filepath.Abs("../../.cache/goclients")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-o", file, ".")
	cmd.Dir = "goclients"
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the Go clients: %w\n%s", err, out)
	}
	return file, nil
})

// sent is what a collector without a server behind it was sent.
type sent struct {
	t        *testing.T
	url, key string
	mu       sync.Mutex
	refusals []error // of the next requests, in order; nil: taken
	attempts int
	lost     []string // the events of the requests that were refused
	events   []string
	want     []string // of them, by now
	seen     map[string]bool
	more     chan struct{}
}

// collector starts one that refuses its first requests so. In the end nothing has come that
// the test did not want.
func collector(t *testing.T, refusals ...error) *sent {
	t.Helper()
	s := &sent{t: t, key: key, refusals: refusals, seen: map[string]bool{}, more: make(chan struct{}, 1000)}
	h, err := collect.New(collect.Config{Events: s, Audit: s})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		server.Close() // after what is under way
		if !t.Failed() {
			s.compare("in the end")
		}
	})
	s.url = server.URL
	return s
}

func (s *sent) Source(_ context.Context, k string) (*events.Source, error) {
	if k != key {
		return nil, fault.New(fault.Unauthenticated, "The write key is not valid.")
	}
	return &events.Source{}, nil
}

// Pixel knows no links.
func (s *sent) Pixel(context.Context, string) (*events.Source, events.Event, error) {
	return nil, events.Event{}, fault.New(fault.Unauthenticated, "The link is not valid.")
}

// Record has nobody to tell.
func (s *sent) Record(context.Context, audit.Entry) error { return nil }

func (s *sent) Take(_ context.Context, _ *events.Source, b events.Batch) ([]events.Verdict, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.more <- struct{}{} }()
	s.attempts++
	if len(s.refusals) > 0 {
		err := s.refusals[0]
		if s.refusals = s.refusals[1:]; err != nil {
			for _, in := range b.Received {
				s.lost = append(s.lost, told(b, in))
			}
			return nil, err
		}
	}
	var list []events.Verdict
	for _, in := range b.Received {
		v := events.Verdict{ID: in.Event.ID, Result: events.OK}
		switch {
		case in.Err != nil:
			s.t.Errorf("%s: %v in %s", b.Channel, in.Err, in.Raw)
		case in.Event.ID != "" && s.seen[in.Event.ID]:
			v.Result = events.Duplicate
		default:
			if age := time.Since(in.Event.Time); age < -time.Minute || age > time.Minute || b.SentAt.IsZero() && b.Channel != "posthog" {
				s.t.Errorf("%s: sent at %s, happened at %s", b.Channel, b.SentAt, in.Event.Time)
			}
			s.seen[in.Event.ID] = true
			s.events = append(s.events, told(b, in))
		}
		list = append(list, v)
	}
	return list, nil
}

// told is an event as tests want it.
func told(b events.Batch, in events.Incoming) string {
	return b.Channel + ": " + in.Event.Type + " of " + in.Event.User + in.Event.Anonymous
}

// wants waits until these have come too, each once, beside what was wanted before, and
// nothing else; … is any text.
func (s *sent) wants(want ...string) {
	s.t.Helper()
	s.want = append(s.want, want...)
	deadline := time.After(patience)
	for s.count() < len(s.want) {
		select {
		case <-s.more:
		case <-deadline:
			s.compare("too late")
			s.t.FailNow()
		}
	}
	s.compare("at first")
}

func (s *sent) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.events)
}

func (s *sent) compare(when string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.Sort(s.events)
	slices.Sort(s.want)
	if !slices.EqualFunc(s.events, s.want, fits) {
		s.t.Errorf("%s: got %q, want %q", when, s.events, s.want)
	}
}

func fits(got, want string) bool {
	head, anything := strings.CutSuffix(want, "…")
	return got == want || anything && strings.HasPrefix(got, head)
}

// run runs a client, and returns what it could not deliver.
func (s *sent) run(cmd *exec.Cmd, env ...string) []string {
	s.t.Helper()
	return runClient(s.t, cmd, append([]string{"COLLECT_URL=" + s.url, "COLLECT_KEY=" + s.key}, env...)...)
}

func runClient(t *testing.T, cmd *exec.Cmd, env ...string) (failed []string) {
	t.Helper()
	cmd.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &failed)
	}
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, &stderr)
	}
	return failed
}

func (s *sent) node(script string, env ...string) []string {
	s.t.Helper()
	return s.run(nodeClient(s.t, script), env...)
}

func nodeClient(t *testing.T, script string) *exec.Cmd {
	t.Helper()
	node := servertest.Need(t, "node")
	if err := packages(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, script)
	cmd.Dir = "sdk"
	return cmd
}

func (s *sent) golang(name string) []string {
	s.t.Helper()
	program, err := goClients()
	if err != nil {
		s.t.Fatal(err)
	}
	return s.run(exec.CommandContext(s.t.Context(), program, name))
}

// visit opens a page in Chromium, and leaves it at the end of the test or by leave.
func (s *sent) visit(page string, query url.Values) (leave func()) {
	t := s.t
	t.Helper()
	chromium, node := servertest.Chromium(t), servertest.Need(t, "node")
	if err := packages(); err != nil {
		t.Fatal(err)
	}
	pages := httptest.NewServer(http.FileServer(http.Dir("sdk")))
	t.Cleanup(pages.Close)
	if query == nil {
		query = url.Values{}
	}
	query.Set("collector", s.url)
	query.Set("key", s.key)
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience) // it is left when the test's own has ended
	cmd := exec.CommandContext(ctx, node, "browser.mjs")
	cmd.Dir = "sdk"
	cmd.Env = append(os.Environ(), "COLLECT_CHROMIUM="+chromium, "COLLECT_LEAVE=1", "COLLECT_PAGE="+pages.URL+"/"+page+"?"+query.Encode())
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	leave = sync.OnceFunc(func() {
		defer cancel()
		_ = stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("Chromium: %v", err)
		}
		if t.Failed() {
			t.Logf("Chromium said:\n%s", &out)
		}
	})
	t.Cleanup(leave)
	return leave
}

var (
	busy    = fault.New(fault.Unavailable, "The disk is full.")
	tooMuch = fault.New(fault.Throttled, "Too many events.")
	wrong   = fault.New(fault.Unauthenticated, "The write key is not valid.")
)

// clients are those that end by themselves.
var clients = []struct {
	name string
	run  func(s *sent) []string
	want []string
	// What becomes of a batch that is answered so once: delivered in the end, or not.
	busy, throttled, large, denied bool
}{
	{"analytics-node", func(s *sent) []string { return s.node("segment-node.mjs") },
		[]string{"segment: $identify of u1", "segment: Order Completed of u1", "segment: $groupidentify of u1", "segment: $pageview of a1"}, true, true, false, false},
	{"posthog-node", func(s *sent) []string { return s.node("posthog-node.mjs", "POSTHOG_CAPTURE_MODE=v0") }, posthogWants("posthog"), true, true, true, false},
	{"posthog-node, v1", func(s *sent) []string { return s.node("posthog-node.mjs", "POSTHOG_CAPTURE_MODE=v1") }, posthogWants("posthog-v1"), true, true, false, false},
	{"analytics-go", func(s *sent) []string { return s.golang("segment") },
		[]string{"segment: $identify of u1", "segment: Order Completed of u1", "segment: $groupidentify of u1"}, true, true, true, true},
	{"posthog-go", func(s *sent) []string { return s.golang("posthog") },
		[]string{"posthog: $identify of u1", "posthog: Order Completed of u1", "posthog: $create_alias of u1"}, true, true, true, true},
}

func posthogWants(protocol string) []string {
	return []string{protocol + ": $identify of u1", protocol + ": Order Completed of u1", protocol + ": $groupidentify of ", protocol + ": Order Completed of u2"}
}

func TestClientsDeliver(t *testing.T) {
	t.Parallel()
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := collector(t)
			if failed := c.run(s); len(failed) > 0 {
				t.Errorf("not delivered: %q", failed)
			}
			s.wants(c.want...)
		})
	}
}

func TestClientsTryAgainAsPromised(t *testing.T) {
	t.Parallel()
	for _, c := range clients {
		for _, r := range []struct {
			name      string
			err       error
			delivered bool
		}{{"503", busy, c.busy}, {"429", tooMuch, c.throttled}, {"413", fault.New(fault.TooLarge, "Too large."), c.large}, {"401", wrong, c.denied}} {
			t.Run(c.name+", "+r.name, func(t *testing.T) {
				t.Parallel()
				s := collector(t, r.err)
				failed := c.run(s)
				if !r.delivered {
					if len(s.events) > 0 || len(failed) == 0 {
						t.Errorf("got %q, and %q not delivered; want nothing delivered", s.events, failed)
					}
					return
				}
				s.wants(c.want...)
				if s.attempts < 2 {
					t.Errorf("got %d attempts, want more", s.attempts)
				}
			})
		}
	}
}

// What the pages send, and posthog-js when its page is left.
var (
	ofSegment     = []string{"segment: $pageview of …", "segment: $identify of u1…", "segment: Order Completed of u1…"}
	ofPostHog     = []string{"posthog: $pageview of …", "posthog: Clicked of …", "posthog: $identify of u1…", "posthog: Order Completed of u1"}
	leftOfPostHog = []string{"posthog: $pageleave of u1"}
)

func TestBrowsersDeliver(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, page string
		query      url.Values
		want, left []string // at once, and when the page is left
	}{
		{"analytics-next", "segment.html", nil, ofSegment, nil},
		{"analytics-next, batching", "segment.html", url.Values{"batching": {"1"}}, ofSegment, nil},
		{"posthog-js", "posthog.html", nil, ofPostHog, leftOfPostHog},
		{"posthog-js, one by one", "posthog.html", url.Values{"single": {"1"}}, ofPostHog, leftOfPostHog},
	} {
		for _, r := range []struct {
			name    string
			refused []error
		}{{"at once", nil}, {"after a full disk", []error{busy}}, {"when told to wait", []error{tooMuch}}} {
			if r.name == "when told to wait" && c.page == "posthog.html" {
				continue // it drops that
			}
			t.Run(c.name+", "+r.name, func(t *testing.T) {
				t.Parallel()
				s := collector(t, r.refused...)
				leave := s.visit(c.page, c.query)
				s.wants(c.want...)
				leave()
				s.wants(c.left...)
			})
		}
	}
}

// A browser that is refused for good drops that request, and sends the others.
func TestABrowserDropsWhatIsRefusedForGood(t *testing.T) {
	t.Parallel()
	large := fault.New(fault.TooLarge, "Too large.")
	for _, c := range []struct {
		name, page string
		query      url.Values
		err        error
	}{
		{"analytics-next, 401", "segment.html", nil, wrong},
		{"analytics-next, 413", "segment.html", nil, large},
		{"posthog-js, 401", "posthog.html", url.Values{"single": {"1"}}, wrong},
		{"posthog-js, 413", "posthog.html", url.Values{"single": {"1"}}, large},
		{"posthog-js, 429", "posthog.html", url.Values{"single": {"1"}}, tooMuch},
		{"posthog-js in batches, 413", "posthog.html", nil, large},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := collector(t, c.err)
			leave := s.visit(c.page, c.query)
			<-s.more
			s.mu.Lock()
			lost := slices.Clone(s.lost)
			s.mu.Unlock()
			if len(lost) == 0 {
				t.Fatal("the first request had no events")
			}
			rest, left := ofSegment, []string(nil)
			if c.page == "posthog.html" {
				rest, left = ofPostHog, []string{"posthog: $pageleave of …"}
			}
			rest = slices.DeleteFunc(slices.Clone(rest), func(want string) bool {
				return slices.ContainsFunc(lost, func(got string) bool { return fits(got, want) })
			})
			s.wants(rest...)
			leave()
			s.wants(left...)
		})
	}
}
