package collect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tributary/client"
	"tributary/test/servertest"
)

// heard lists the events of a tenant, without those of the server itself.
func heard(t *testing.T, p servertest.Party) []string {
	t.Helper()
	var list []string
	f := client.StreamFilter{}
	for {
		page := servertest.Must(p.StreamEvents(t.Context(), "events", f))(t)
		for _, e := range page.Items {
			if e.Tenant != p.ID {
				t.Errorf("%s sees an event of %q", p.Slug, e.Tenant)
			}
			list = append(list, e.ID+" "+e.Type+" of "+e.User+e.Anonymous)
		}
		if page.Next == "" {
			slices.Sort(list)
			return list
		}
		f.After = page.Next
	}
}

func post(t *testing.T, method, url, body string, headers map[string]string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	answer, err := (&http.Client{Timeout: patience}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, string(said)
}

// way is an event of each protocol, with a tenant that is not the sender's.
type way struct {
	name, method, path, body string
	headers                  map[string]string
}

func waysOf(key, id, other string) []way {
	bearer := map[string]string{"Authorization": "Bearer " + key, "X-Tenant": other}
	return []way{
		{"segment", "POST", "/v1/batch?tenant=" + other, fmt.Sprintf(`{"writeKey":%q,"batch":[{"type":"track","event":"E","userId":"u","messageId":"s-%s","tenant":%q,"context":{"groupId":%q}}]}`, key, id, other, other), nil},
		{"posthog", "POST", "/batch/", fmt.Sprintf(`{"api_key":%q,"batch":[{"event":"E","distinct_id":"u","uuid":"p-%s","tenant":%q,"properties":{"$groups":{"company":%q}}}]}`, key, id, other, other), map[string]string{"X-Tenant": other}},
		{"posthog-v1", "POST", "/i/v1/analytics/events", fmt.Sprintf(`{"batch":[{"event":"E","distinct_id":"u","uuid":"v-%s","tenant":%q}]}`, id, other), bearer},
		{"cloudevents", "POST", "/api/v1/events", fmt.Sprintf(`{"specversion":"1.0","id":"c-%s","source":"/s","type":"E","user":"u","tenant":%q}`, id, other), bearer},
		{"pixel", "GET", "/pixel/" + key + "/E.gif?user=u&id=x-" + id + "&tenant=" + other, "", nil},
	}
}

func TestAnEventIsTheTenantsThatTheKeyIsOf(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := servertest.Initialised(t, filepath.Join(t.TempDir(), "data"), "")
	url := s.StartCollecting()
	a, b := s.Party(1), s.Party(2)
	source := servertest.Must(a.CreateSource(ctx, client.NewSource{Name: "everywhere"}))(t)
	want := []string{"c-1 E of u", "p-1 E of u", "s-1 E of u", "v-1 E of u", "x-1 E of u"}
	for range 2 { // the second are duplicates
		for _, w := range waysOf(source.Key, "1", b.ID) {
			if status, _, said := post(t, w.method, url+w.path, w.body, w.headers); status > 299 {
				t.Errorf("%s: got %d %s", w.name, status, said)
			}
		}
	}
	for _, w := range waysOf("twk_none", "2", b.ID) {
		if status, _, said := post(t, w.method, url+w.path, w.body, w.headers); status != 401 {
			t.Errorf("%s with a key of nobody's: got %d %s, want 401", w.name, status, said)
		}
	}
	if got := heard(t, a); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	s.Kill()
	url = s.StartCollecting()
	s.Reconnect(&a, &b)
	if got := heard(t, a); !slices.Equal(got, want) {
		t.Errorf("after a kill: got %q, want %q", got, want)
	}
	servertest.Must(a.RevokeSource(ctx, source.ID))(t)
	for _, w := range waysOf(source.Key, "3", b.ID) {
		if status, _, said := post(t, w.method, url+w.path, w.body, w.headers); status != 401 {
			t.Errorf("%s with a revoked key: got %d %s, want 401", w.name, status, said)
		}
	}
	refused := servertest.Must(a.AuditEntries(ctx, client.AuditFilter{Verb: "event.send"}))(t).Items
	if len(refused) != len(waysOf("", "", "")) || refused[0].Subject != source.ID || refused[0].Outcome != "denied" {
		t.Errorf("got %d entries, the newest %+v, want one for each use of the revoked key", len(refused), refused)
	}
	if got := heard(t, b); len(got) > 0 {
		t.Errorf("the other tenant sees %q", got)
	}
	s.Stop()
	s.Sound()
}

// TestEveryClientReachesTheServer has one tenant's source used by all of them.
func TestEveryClientReachesTheServer(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s := servertest.Initialised(t, filepath.Join(t.TempDir(), "data"), "")
	url := s.StartCollecting()
	a := s.Party(1)
	to := &sent{t: t, url: url, key: servertest.Must(a.CreateSource(ctx, client.NewSource{Name: "everywhere"}))(t).Key}
	want := []string{"$pageview", "$identify", "Order Completed", "$pageview", "Clicked", "$identify", "Order Completed"} // of the pages
	for _, c := range clients {
		if failed := c.run(to); len(failed) > 0 {
			t.Errorf("%s: not delivered: %q", c.name, failed)
		}
		for _, w := range c.want {
			_, what, _ := strings.Cut(w, ": ")
			kind, _, _ := strings.Cut(what, " of ")
			want = append(want, kind)
		}
	}
	leaveOne, leaveOther := to.visit("segment.html", nil), to.visit("posthog.html", nil)
	come := func(want []string) { // until they are all there
		var got []string
		all := errors.New("all are there")
		err := a.TailStream(ctx, "events", "", "0", func(e client.StreamEvent) error {
			if got = append(got, e.Type); len(got) < len(want) {
				return nil
			}
			return all
		}, nil)
		slices.Sort(got)
		slices.Sort(want)
		if !errors.Is(err, all) || !slices.Equal(got, want) {
			t.Errorf("got %v\n%q, want\n%q", err, got, want)
		}
	}
	come(want)
	leaveOne()
	leaveOther()
	want = append(want, "$pageleave")
	come(want)
	if got := heard(t, a); len(got) != len(want) {
		t.Errorf("in the end: got %q, want %d", got, len(want))
	}
}

func TestTheProvidersSourceNamesTheTenant(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := servertest.Initialised(t, filepath.Join(t.TempDir(), "data"), "")
	url := s.StartCollecting()
	a, b := s.Party(1), s.Party(2)
	source := servertest.Must(s.As(s.Token).CreateSource(ctx, client.NewSource{Name: "backend", TenantField: "context.groupId"}))(t)
	for _, group := range []string{a.Slug, "nobody"} {
		if failed := runClient(t, nodeClient(t, "segment-node.mjs"), "COLLECT_URL="+url, "COLLECT_KEY="+source.Key, "COLLECT_GROUP="+group); len(failed) > 0 {
			t.Errorf("not delivered: %q", failed)
		}
	}
	want := []string{"n1 $identify of u1", "n2 Order Completed of u1", "n3 $groupidentify of u1", "n4 $pageview of a1"}
	if got := heard(t, a); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := heard(t, b); len(got) > 0 {
		t.Errorf("the other tenant sees %q", got)
	}
	held := servertest.Must(s.As(s.Token).Quarantine(ctx, client.QuarantineFilter{Source: source.ID}))(t)
	if len(held.Items) != 4 || held.Items[0].Reason != "tenant" {
		t.Errorf("got %d in quarantine, want the 4 that name nobody: %+v", len(held.Items), held.Items)
	}
}

func TestWhoSendsTooMuchIsToldHowLongToWait(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := servertest.Initialised(t, filepath.Join(t.TempDir(), "data"), "")
	url := s.StartCollecting()
	admin := s.As(s.Token)
	made := servertest.Must(admin.CreateTenant(ctx, client.NewTenant{Slug: "small", Name: "Small", Tier: "basic", Organisation: "Small"}))(t)
	key := servertest.Must(admin.CreateAPIKey(ctx, client.NewAPIKey{Tenant: made.Slug, Role: "tenant_admin", Name: "tests"}))(t).Key
	source := servertest.Must(s.As(key).CreateSource(ctx, client.NewSource{Name: "much"}))(t)
	body := bytes.NewBufferString(`{"writeKey":"` + source.Key + `","batch":[`)
	for n := range 5000 {
		fmt.Fprintf(body, `%s{"type":"track","event":"E","messageId":"m%d"}`, map[bool]string{true: ","}[n > 0], n)
	}
	body.WriteString("]}")
	for n := range 3 {
		status, headers, said := post(t, "POST", url+"/v1/batch", body.String(), nil)
		if n == 0 && status != 200 {
			t.Fatalf("got %d %s, want 200", status, said)
		}
		if status == 429 {
			if headers.Get("Retry-After") == "" {
				t.Error("it is not told how long to wait")
			}
			return
		}
	}
	t.Error("15,000 events were taken at once")
}

func TestWhatIsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	s := servertest.Initialised(t, filepath.Join(t.TempDir(), "data"), "")
	url := s.StartCollecting()
	source := servertest.Must(s.As(s.Token).CreateSource(t.Context(), client.NewSource{Name: "backend", TenantField: "context.groupId"}))(t)
	large := strings.Repeat("x", 21<<20)
	for _, w := range waysOf(source.Key, "1", "")[:3] {
		if status, _, said := post(t, w.method, url+w.path, strings.Replace(w.body, `"E"`, `"`+large+`"`, 1), w.headers); status != 413 {
			t.Errorf("%s: got %d %s, want 413", w.name, status, said)
		}
	}
}
