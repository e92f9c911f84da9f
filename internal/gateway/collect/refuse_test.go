package collect

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tributary/internal/events"
	"tributary/internal/fault"
)

// ways are a good request of each protocol.
var ways = []struct {
	name, method, target, body, key string
}{
	{"segment", "POST", "/v1/batch", `{"writeKey":"twk_good","batch":[{"type":"track","event":"E","messageId":"1"}]}`, ""},
	{"segment one", "POST", "/v1/t", `{"writeKey":"twk_good","event":"E","messageId":"1"}`, ""},
	{"posthog", "POST", "/e/", `{"api_key":"twk_good","event":"E","distinct_id":"p"}`, ""},
	{"posthog batch", "POST", "/batch/", `{"api_key":"twk_good","batch":[{"event":"E","distinct_id":"p"}]}`, ""},
	{"posthog-v1", "POST", "/i/v1/analytics/events", `{"batch":[{"uuid":"1","event":"E","distinct_id":"p"}]}`, "Authorization: Bearer twk_good"},
	{"cloudevents", "POST", "/api/v1/events", `{"specversion":"1.0","id":"1","source":"/s","type":"E"}`, "Authorization: Bearer twk_good"},
	{"pixel", "GET", "/pixel/twk_good/mail.opened.gif", "", ""},
	{"pixel of a link", "GET", "/p/trp_good.gif", "", ""},
}

func TestEachKindOfFaultHasAStatus(t *testing.T) {
	t.Parallel()
	for _, k := range fault.Kinds {
		if statuses[k] < 400 {
			t.Errorf("%s has the status %d", k, statuses[k])
		}
	}
}

func TestClientsAreRefusedAsTheyUnderstand(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind    fault.Kind
		status  int
		retry   string
		segment string
	}{
		{fault.Throttled, 429, "1", `{"success":false,"message":"Why."}`},
		{fault.Unavailable, 503, "5", `{"success":false,"message":"Why."}`},
		{fault.StorageFull, 503, "5", `{"success":false,"message":"Why."}`},
		{fault.TooLarge, 413, "", `{"success":false,"message":"Why."}`},
		{fault.Denied, 403, "", `{"success":false,"message":"Why."}`},
		{fault.Internal, 500, "", `{"success":false,"message":"Why."}`},
	} {
		for _, way := range ways {
			h := gateway(t, &taker{err: fault.New(c.kind, "Why.")})
			w := ask(h, way.method, way.target, way.body, way.key)
			if w.Code != c.status || w.Header().Get("Retry-After") != c.retry {
				t.Errorf("%s, %s: got %d, wait %q; want %d, %q", way.name, c.kind, w.Code, w.Header().Get("Retry-After"), c.status, c.retry)
			}
			switch {
			case strings.HasPrefix(way.name, "segment") && w.Body.String() != c.segment:
				t.Errorf("%s, %s: got %s, want %s", way.name, c.kind, w.Body, c.segment)
			case strings.HasPrefix(way.name, "pixel") && w.Body.String() != string(gif):
				t.Errorf("%s, %s: got %q, want the picture", way.name, c.kind, w.Body)
			case way.name == "posthog-v1" && w.Body.String() != fmt.Sprintf(`{"error":"%s","error_description":"Why."}`, c.kind):
				t.Errorf("%s, %s: got %s", way.name, c.kind, w.Body)
			case way.name == "cloudevents" && (w.Header().Get("Content-Type") != "application/problem+json" || !strings.Contains(w.Body.String(), `"type":"urn:tributary:`+string(c.kind)+`"`)):
				t.Errorf("%s, %s: got %s", way.name, c.kind, w.Body)
			case strings.HasPrefix(way.name, "posthog") && !strings.Contains(w.Body.String(), `"Why."`):
				t.Errorf("%s, %s: got %s, want why", way.name, c.kind, w.Body)
			}
		}
	}
}

func TestClientsWaitAsLongAsIntakeSays(t *testing.T) {
	t.Parallel()
	for _, way := range ways {
		w := ask(gateway(t, &taker{err: events.Busy(6500*time.Millisecond, "Why.")}), way.method, way.target, way.body, way.key)
		if got := w.Header().Get("Retry-After"); got != "7" || w.Code != 429 {
			t.Errorf("%s: got %d, wait %s; want 429, 7", way.name, w.Code, got)
		}
	}
}

func TestAKeyThatIsNotValidTakesNothing(t *testing.T) {
	t.Parallel()
	for _, way := range ways {
		for _, key := range []string{"twk_bad", ""} {
			f := &taker{}
			body, target := strings.ReplaceAll(way.body, goodKey, key), strings.NewReplacer("/"+goodKey+"/", "/"+first(key, "x")+"/", goodLink, "trp_bad").Replace(way.target)
			w := ask(gateway(t, f), way.method, target, body, strings.ReplaceAll(way.key, goodKey, key))
			if w.Code != 401 || len(f.taken) > 0 {
				t.Errorf("%s with the key %q: got %d and %d batches, want 401 and none", way.name, key, w.Code, len(f.taken))
			}
		}
	}
}

func TestGuessingKeysHoldsUpNoGoodOne(t *testing.T) {
	t.Parallel()
	f := &taker{}
	h := gateway(t, f)
	send := func(key string) int {
		return ask(h, "POST", "/v1/t", fmt.Sprintf(`{"writeKey":%q,"event":"E"}`, key)).Code
	}
	if got := send(goodKey); got != 200 {
		t.Fatalf("got %d, want 200", got)
	}
	for n := range strangeBurst {
		if got := send(fmt.Sprint("twk_guess", n)); got != 401 {
			t.Fatalf("guess %d: got %d, want 401", n, got)
		}
	}
	looked := len(f.keys)
	if got := send("twk_one_more"); got != 503 || len(f.keys) != looked {
		t.Errorf("one more: got %d after %d look-ups, want 503 and no look-up", got, len(f.keys)-looked)
	}
	if got := send(goodKey); got != 200 {
		t.Errorf("the good one: got %d, want 200", got)
	}
}

func TestWhatIsToBeSentAgainIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	for _, way := range ways {
		f := &taker{judge: func(in events.Incoming) events.Verdict { return events.Verdict{ID: in.Event.ID, Result: events.Retry} }}
		w := ask(gateway(t, f), way.method, way.target, way.body, way.key)
		if want := map[bool]int{true: 200, false: 503}[way.name == "posthog-v1"]; w.Code != want || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: got %d, want %d", way.name, w.Code, want)
		}
	}
}

func TestBadBodies(t *testing.T) {
	t.Parallel()
	spaces := strings.Repeat(" ", 50<<20)
	bomb := gzipped(spaces)
	hundred := `"batch":[],`
	for n := range 100 {
		hundred += fmt.Sprintf(`"a%d":1,`, n)
	}
	for _, c := range []struct {
		name, body, encoding string
		status               int
	}{
		{"nothing", "", "", 400},
		{"broken", `{"writeKey":"twk_good","batch":[{"type":"tr`, "", 400},
		{"another sort", `"twk_good"`, "", 400},
		{"something after it", `{"writeKey":"twk_good","batch":[]} {}`, "", 400},
		{"a name twice", `{"writeKey":"twk_bad","writeKey":"twk_good","batch":[]}`, "", 400},
		{"not a number", `{"writeKey":"twk_good","batch":[{"n":NaN}]}`, "", 400},
		{"no UTF-8", "{\"writeKey\":\"twk_good\xff\",\"batch\":[]}", "", 400},
		{"the batch is no list", `{"writeKey":"twk_good","batch":{}}`, "", 400},
		{"without a batch", `{"writeKey":"twk_good"}`, "", 400},
		{"deep", `{"writeKey":"twk_good","batch":[` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `]}`, "", 400},
		{"a name twice of many, early", `{"a":1,` + hundred + `"a":1}`, "", 400},
		{"a name twice of many, late", `{` + hundred + `"a":1,"a":1}`, "", 400},
		{"many names", "{" + strings.Repeat(`"a":1,`, 2000) + `"b":1}`, "", 400},
		{"many events", `{"writeKey":"twk_good","batch":[1` + strings.Repeat(",1", events.MaxEvents) + `]}`, "", 413},
		{"50 MB", spaces, "", 413},
		{"a bomb", bomb, "gzip", 413},
		{"a bomb that says nothing", bomb, "", 413},
		{"a bomb in a bomb", gzipped(bomb), "gzip", 413},
		{"cut off", bomb[:100], "gzip", 400},
		{"packed otherwise", "xx", "zstd", 400},
		{"packed as nobody does", "xx", "lzma", 400},
	} {
		f := &taker{}
		h, err := New(Config{Events: f, Audit: f})
		if err != nil {
			t.Fatal(err)
		}
		w := ask(h, http.MethodPost, "/v1/batch", c.body, "Content-Encoding: "+c.encoding)
		if w.Code != c.status || len(f.taken) > 0 {
			t.Errorf("%s: got %d %s, want %d and nothing taken", c.name, w.Code, w.Body, c.status)
		}
		if c.status == 400 && strings.HasPrefix(c.name, "a name twice") && !strings.Contains(w.Body.String(), "twice") {
			t.Errorf("%s: got %s, want why", c.name, w.Body)
		}
		if w := ask(h, http.MethodPost, "/batch/", strings.ReplaceAll(c.body, "writeKey", "api_key"), "Content-Encoding: "+c.encoding); w.Code != c.status && c.name != "without a batch" {
			t.Errorf("%s, PostHog: got %d %s, want %d", c.name, w.Code, w.Body, c.status)
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	s := &server{}
	var held []*bounded
	// fill reads as much as there is memory for, and returns how many bodies that were.
	fill := func(who string) int {
		for n := 0; ; n++ {
			b, err := s.read(httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(make([]byte, mostBatch))), who, mostBatch)
			held = append(held, b)
			if fault.Is(err, fault.Unavailable) {
				return n
			}
			if err != nil || n > mostMemory/mostBatch {
				t.Fatalf("got %v after %d, want Unavailable", err, n)
			}
		}
	}
	for n := range 7 {
		if got := fill(fmt.Sprint("sender ", n)); got != 1 {
			t.Errorf("got %d bodies of one sender, want one and no more than its share", got)
		}
	}
	for n := range 7 { // the rest
		fill(fmt.Sprint("another ", n))
	}
	if s.budget.taken > mostMemory {
		t.Errorf("got %d taken, want at most %d", s.budget.taken, mostMemory)
	}
	for _, b := range held {
		b.release()
	}
	if s.budget.taken != 0 || len(s.budget.shares) != 0 {
		t.Errorf("got %d taken of %d at the end, want nothing", s.budget.taken, len(s.budget.shares))
	}
}

// unread is a body that must not be read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body of a request with a bad key is read")
	return 0, io.ErrUnexpectedEOF
}

func TestAKeyInAHeaderIsLookedAtBeforeTheBody(t *testing.T) {
	t.Parallel()
	h := gateway(t, &taker{})
	for _, target := range []string{"/v1/batch", "/v1/t", "/i/v1/analytics/events", "/api/v1/events"} {
		r := httptest.NewRequest(http.MethodPost, target, unread{t})
		r.Header.Set("Authorization", "Bearer twk_bad")
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusUnauthorized {
			t.Errorf("%s: got %d, want 401", target, w.Code)
		}
	}
}

// Readers of mails share the addresses of a few proxies.
func TestBadLinksAndKeysHoldUpNoGoodLink(t *testing.T) {
	t.Parallel()
	h := gateway(t, &taker{})
	for n := range strangeBurst + 1 {
		ask(h, http.MethodGet, fmt.Sprintf("/p/trp_guess%d.gif", n), "")
	}
	if w := ask(h, http.MethodPost, "/v1/t", `{"writeKey":"twk_good","event":"E"}`); w.Code != http.StatusOK {
		t.Errorf("a key after bad links: got %d, want 200", w.Code)
	}
	for n := range strangeBurst + 1 {
		ask(h, http.MethodPost, "/v1/t", fmt.Sprintf(`{"writeKey":"twk_guess%d","event":"E"}`, n))
	}
	if w := ask(h, http.MethodGet, "/p/trp_good.gif", ""); w.Code != http.StatusOK {
		t.Errorf("a link after bad keys: got %d, want 200", w.Code)
	}
}

func TestPagesOfAnyOriginMaySend(t *testing.T) {
	t.Parallel()
	h := gateway(t, &taker{})
	w := ask(h, http.MethodOptions, "/v1/t", "", "Origin: https://app.example.com", "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization,content-type,x-other")
	for name, want := range map[string]string{"Access-Control-Allow-Origin": "https://app.example.com", "Access-Control-Allow-Credentials": "true",
		"Access-Control-Allow-Headers": "authorization,content-type,x-other", "Access-Control-Allow-Methods": "GET, POST, OPTIONS"} {
		if got := w.Header().Get(name); got != want || w.Code != http.StatusNoContent {
			t.Errorf("%s: got %d %q, want 204 %q", name, w.Code, got, want)
		}
	}
	for _, way := range ways {
		for _, body := range []string{way.body, "{"} { // refusals too, or the client could not read them
			w := ask(h, way.method, way.target, body, way.key, "Origin: https://app.example.com")
			if got := w.Header().Get("Access-Control-Allow-Origin"); got != "https://app.example.com" {
				t.Errorf("%s: got %d %q, want the origin", way.name, w.Code, got)
			}
		}
	}
	if w.Header().Get("Set-Cookie") != "" {
		t.Error("a cookie is set")
	}
}

func TestPixelsTell(t *testing.T) {
	t.Parallel()
	f := &taker{}
	h := gateway(t, f)
	for _, target := range []string{
		"/pixel/twk_good/mail.opened.gif?user=u1&id=mail-7-u1&campaign=spring&z=%FF",
		"/pixel/v1/track?writeKey=twk_good&event=Opened&userId=u1&messageId=m1&properties.campaign=spring",
		"/v1/pixel/page?data=eyJ3cml0ZUtleSI6InR3a19nb29kIiwidXNlcklkIjoidTEiLCJtZXNzYWdlSWQiOiJtMiIsIm5hbWUiOiJIb21lIn0=",
	} {
		if w := ask(h, http.MethodGet, target, "", "User-Agent: Mail/1"); w.Code != 200 || w.Body.String() != string(gif) || w.Header().Get("Content-Type") != "image/gif" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got %d %q", target, w.Code, w.Body)
		}
	}
	want := "pixel\n" + `id=mail-7-u1 type=mail.opened user=u1 data={"campaign":"spring","z":"` + "\ufffd" + `"} context={"userAgent":"Mail/1"} at=2026-03-04T12:00:00.000` + "\n" +
		"pixel\n" + `id=m1 type=Opened user=u1 data={"campaign":"spring"} context={"userAgent":"Mail/1"}` + "\n" +
		"pixel\n" + `id=m2 type=$pageview user=u1 data={"name":"Home"}`
	if got := f.received(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// What a link's address is made to say besides is not looked at.
func TestALinkWritesItsOneEvent(t *testing.T) {
	t.Parallel()
	f := &taker{}
	h := gateway(t, f)
	for _, target := range []string{"/p/trp_good.gif", "/p/trp_good.gif?user=u2&id=other&campaign=autumn&writeKey=twk_good&event=Bought&tenant=ten_b&data=eyJ9", "/p/trp_good"} {
		if w := ask(h, http.MethodGet, target, "", "User-Agent: Mail/1"); w.Code != 200 || w.Body.String() != string(gif) {
			t.Errorf("%s: got %d %q, want the picture", target, w.Code, w.Body)
		}
	}
	line := "pixel\n" + `id=pix_1 type=mail.opened user=u1 data={"campaign":"spring"} context={"userAgent":"Mail/1"} at=2026-03-04T12:00:00.000`
	if got, want := f.received(), strings.Join([]string{line, line, line}, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestRoutesAreWhole(t *testing.T) {
	t.Parallel()
	for _, r := range []route{{}, {method: "POST", paths: []string{"/x"}, protocol: segment, read: (&server{}).segmentBatch, answer: func(*call, []events.Verdict) {}}} {
		if checkRoutes([]route{r}) == nil {
			t.Errorf("%v is taken", r)
		}
	}
}

func FuzzWhatClientsSend(f *testing.F) {
	for _, way := range ways {
		f.Add(way.target, way.body)
	}
	f.Add("/e/?compression=base64", "data=eyJ9")
	fake := &taker{}
	h, err := New(Config{Events: fake, Audit: fake})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, target, body string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://x.example.com", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(target, "/") {
			return
		}
		r.URL.Path, r.URL.RawQuery, _ = strings.Cut(target, "?")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code == http.StatusInternalServerError {
			t.Errorf("%q %q: got %s", target, body, w.Body)
		}
	})
}

func TestATenantThatIsNamedIsPassedOnToBeIgnored(t *testing.T) {
	t.Parallel()
	for _, way := range ways {
		if strings.HasPrefix(way.name, "pixel") {
			continue
		}
		f := &taker{}
		body := strings.NewReplacer(`"event":"E"`, `"event":"E","tenant":"ten_b"`, `"type":"E"`, `"type":"E","tenant":"ten_b"`).Replace(way.body)
		w := ask(gateway(t, f), way.method, way.target, body, way.key)
		if w.Code > 299 || f.taken[0].Received[0].Event.Tenant != "ten_b" {
			t.Errorf("%s: got %d and %q, want what was said", way.name, w.Code, f.taken[0].Received[0].Event.Tenant)
		}
	}
}
