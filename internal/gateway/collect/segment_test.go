package collect

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
)

// basic is goodKey as the user of Basic authorization.
const basic = "Authorization: Basic dHdrX2dvb2Q6"

func TestSegmentClientsAreUnderstood(t *testing.T) {
	t.Parallel()
	const context = `{"library":{"name":"analytics.js","version":"next-1.84.3"},"device":{"id":"d1"}}`
	for _, c := range []struct {
		name, target, body string
		headers            []string
		want               string
	}{
		{"analytics-node", "/v1/batch", `{"batch":[
			{"messageId":"node-next-1","timestamp":"2026-03-04T11:59:58.000Z","type":"track","userId":"u1","event":"Order Completed","properties":{"total":12.50,"items":[1]},"context":{"library":{"name":"n"}},"integrations":{},"_metadata":{"nodeVersion":"20"}},
			{"messageId":"node-next-2","timestamp":"2026-03-04T11:59:59.000Z","type":"identify","userId":"u1","anonymousId":"a1","traits":{"plan":"pro"}}],
			"writeKey":"twk_good","sentAt":"2026-03-04T12:00:01.500Z"}`, []string{basic, "X-Retry-Count: 1"},
			"segment sent=12:00:01.500\n" +
				`id=node-next-1 type=Order Completed user=u1 data={"total":12.50,"items":[1]} context={"library":{"name":"n"}} at=2026-03-04T11:59:58.000` + "\n" +
				`id=node-next-2 type=$identify user=u1 anonymous=a1 data={"plan":"pro"} at=2026-03-04T11:59:59.000`},
		{"analytics-go, whose context is of the batch", "/v1/batch", `{"messageId":"m","sentAt":"2026-03-04T12:00:00Z","batch":[
			{"type":"group","messageId":"m1","userId":"u1","groupId":"g1","timestamp":"2026-03-04T12:00:00Z","traits":{"name":"Acme"}},
			{"type":"alias","messageId":"m2","userId":"u1","previousId":"a1","timestamp":"2026-03-04T12:00:00Z","context":{"ip":"10.1.1.1"}}],"context":{"library":{"name":"analytics-go"},"ip":"10.0.0.1"}}`, []string{basic},
			"segment sent=12:00:00.000\n" +
				`id=m1 type=$groupidentify user=u1 data={"name":"Acme","groupId":"g1"} context={"library":{"name":"analytics-go"},"ip":"10.0.0.1"} at=2026-03-04T12:00:00.000` + "\n" +
				`id=m2 type=$create_alias user=u1 data={"previousId":"a1"} context={"ip":"10.1.1.1","library":{"name":"analytics-go"}} at=2026-03-04T12:00:00.000`},
		{"analytics-next, one by one as text", "/v1/t", `{"timestamp":"2026-03-04T12:00:00.000Z","integrations":{},"anonymousId":"a1","event":"Clicked","type":"track","properties":{},"context":` + context + `,"messageId":"ajs-next-1","userId":null,"writeKey":"twk_good","sentAt":"2026-03-04T12:00:00.100Z","_metadata":{"bundled":["Segment.io"]}}`,
			[]string{"Content-Type: text/plain", basic, "Origin: https://app.example.com"},
			"segment sent=12:00:00.100\n" + `id=ajs-next-1 type=Clicked anonymous=a1 device=d1 data={} context=` + context + ` at=2026-03-04T12:00:00.000`},
		{"a page, whose key is in the body alone", "/v1/p", `{"type":"page","name":"Home","category":"Docs","properties":{"path":"/","name":"kept"},"anonymousId":"a1","messageId":"p1","writeKey":"twk_good"}`, nil,
			"segment\n" + `id=p1 type=$pageview anonymous=a1 data={"path":"/","name":"kept","category":"Docs"}`},
		{"analytics-next, batching", "/v1/b", `{"writeKey":"twk_good","batch":[{"type":"screen","name":"Cart","anonymousId":"a1","messageId":"s1"}],"sentAt":"2026-03-04T12:00:00.000Z"}`, nil,
			"segment sent=12:00:00.000\n" + `id=s1 type=$screen anonymous=a1 data={"name":"Cart"}`},
		{"analytics-python, packed", "/v1/batch", gzipped(`{"batch": [{"integrations": {}, "anonymousId": null, "properties": {"n": 1}, "timestamp": "2026-03-04T13:00:00.123456+01:00", "userId": 42, "context": {"library": {"name": "analytics-python", "version": "2.3.2"}}, "event": "Ran", "type": "track", "messageId": "9e8"}], "sentAt": "2026-03-04T12:00:00.000001+00:00"}`),
			[]string{basic, "Content-Encoding: gzip", "Content-Type: application/json"},
			"segment sent=12:00:00.000\n" + `id=9e8 type=Ran user=42 data={"n": 1} context={"library": {"name": "analytics-python", "version": "2.3.2"}} at=2026-03-04T12:00:00.123`},
		{"a beacon, whose key is in the address", "/beacon/v1/batch?writeKey=twk_good", `{"batch":[{"type":"track","event":"Left","anonymousId":"a1","messageId":"b1","context":{"sessionId":17}}]}`, nil,
			"segment\n" + `id=b1 type=Left anonymous=a1 session=17 context={"sessionId":17}`},
		{"the HTTP API", "/v1/track", `{"userId":"u1","event":"Bought","messageId":"h1","originalTimestamp":"2026-03-04T11:00:00Z"}`, []string{"Authorization: Bearer twk_good"},
			"segment\n" + `id=h1 type=Bought user=u1 at=2026-03-04T11:00:00.000`},
		{"bad events beside a good one", "/v1/batch", `{"batch":[{"type":"track","event":"Good","messageId":"1"},{"type":"track","messageId":"2"},{"type":"made up","messageId":"3"},
			{"type":"track","event":"E","messageId":"4","properties":[1]},{"type":"track","event":"E","messageId":"5","properties":{"a":1,"a":2}},{"type":"track","event":"E","messageId":"6","timestamp":"yesterday"},7,
			{"type":"track","event":"E","messageId":"8","userId":{"a":1}}, {"type":"track","event":"` + "\xff" + `","messageId":"9"}]}`, []string{basic},
			"segment\n" + `id=1 type=Good` + "\n" + `id=2 error=What is tracked has no event.` + "\n" +
				`id=3 error=The event's type is "made up", and it can be: track, identify, page, screen, group, alias.` + "\n" +
				`id=4 error=The event.properties cannot be read: it is of another type than it should be.` + "\n" +
				`id=5 error=The event.properties.a cannot be read: it has a name twice.` + "\n" +
				`id=6 error=The event.timestamp cannot be read: it is of another type than it should be.` + "\n" +
				`error=The event cannot be read: it is of another type than it should be.` + "\n" +
				`id=8 error=The event.userId cannot be read: it is of another type than it should be.` + "\n" +
				`id=9 error=The event.event cannot be read: it is not UTF-8.`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := &taker{}
			w := ask(gateway(t, f), http.MethodPost, c.target, c.body, c.headers...)
			if w.Code != http.StatusOK || w.Body.String() != `{"success":true}` {
				t.Errorf("got %d %s, want 200", w.Code, w.Body)
			}
			got := f.received()
			if got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestSegmentSettings(t *testing.T) {
	t.Parallel()
	w := ask(gateway(t, &taker{}), http.MethodGet, "/v1/projects/twk_%22x/settings", "", "Origin: https://app.example.com")
	want := `{"analyticsNextEnabled":true,"integrations":{"Segment.io":{"apiKey":"twk_\"x","apiHost":"collect.example.com/v1","protocol":"http","versionSettings":{"version":"4.4.7","componentTypes":["browser"]}}},"plan":{"track":{"__default":{"enabled":true}}}}`
	if w.Code != 200 || w.Body.String() != want {
		t.Errorf("got %d %s, want %s", w.Code, w.Body, want)
	}
}

// The context of a batch is that of each of its events, and so a small body could
// become any size. It runs alone, since it measures what is allocated.
func TestABatchIsAsLargeAsItBecomes(t *testing.T) { //nolint:paralleltest // see above
	f := &taker{}
	h := gateway(t, f)
	for _, c := range []struct {
		name           string
		context, count int
		status         int
	}{{"much of many", 100_000, 1000, http.StatusRequestEntityTooLarge}, {"little of many", 500, 1000, http.StatusOK}} {
		body := `{"context":{"a":"` + strings.Repeat("x", c.context) + `"},"batch":[` + strings.TrimSuffix(strings.Repeat(`{"type":"track","event":"E"},`, c.count), ",") + `]}`
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		w := ask(h, http.MethodPost, "/v1/batch", gzipped(body), basic)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; w.Code != c.status || took > mostBatch {
			t.Errorf("%s: got %d after %d bytes, want %d and at most %d", c.name, w.Code, took, c.status, mostBatch)
		}
	}
}

// The decoder remembers all names of an object, so nobody has it read a large one. It runs
// alone, since it measures what is allocated.
func TestManyNamesTakeNoMemory(t *testing.T) { //nolint:paralleltest // see above
	var many strings.Builder
	for n := range 1_500_000 {
		fmt.Fprintf(&many, `"%x":0,`, n)
	}
	names := "{" + strings.TrimSuffix(many.String(), ",") + "}"
	small := `{"type":"track","event":"E"}`
	for name, body := range map[string]string{
		"at the top": names, "of what is not known": `{"a":` + names + `,"batch":[` + small + `]}`, "of a key": `{"writeKey":` + names + `,"batch":[` + small + `]}`,
		"of an event": `{"batch":[` + names + `]}`, "of data": `{"batch":[{"type":"track","event":"E","properties":` + names + `}]}`, "of a context for all": `{"context":` + names + `,"batch":[` + small + `]}`,
	} {
		h := gateway(t, &taker{})
		for _, path := range []string{"/v1/batch", "/batch"} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			w := ask(h, http.MethodPost, path, body, basic)
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; w.Code >= 500 || took > 8*mostBatch {
				t.Errorf("%s, %s: got %d after %d bytes", path, name, w.Code, took)
			}
		}
	}
}

// Session and device are what a context says of each, whatever it says of the other.
func TestSegmentSessionsAndDevices(t *testing.T) {
	t.Parallel()
	for context, want := range map[string]string{
		`{"sessionId":"s","device":{"id":"d"}}`: "s d", `{"sessionId":7,"device":"iPhone"}`: "7 ", `{"sessionId":{},"device":{"id":"d"}}`: " d", `{"device":1}`: " ",
		`{"\u0073essionId":"\u0073","device":{"name":"n"}}`: "s ", `null`: " ",
	} {
		for _, shared := range []string{"", `,"context":{"locale":"de"}`} {
			f := &taker{}
			w := ask(gateway(t, f), http.MethodPost, "/v1/batch", `{"batch":[{"type":"track","event":"E","context":`+context+`}]`+shared+`}`, basic)
			if w.Code != 200 || len(f.taken) != 1 {
				t.Fatalf("%s: got %d %s", context, w.Code, w.Body)
			}
			in := f.taken[0].Received[0]
			if got := in.Event.Session + " " + in.Event.Device; got != want || in.Err != nil {
				t.Errorf("%s%s: got %q, %v, want %q", context, shared, got, in.Err, want)
			}
		}
	}
}
