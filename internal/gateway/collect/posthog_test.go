package collect

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/klauspost/compress/zstd"

	"tributary/internal/events"
)

func TestPostHogClientsAreUnderstood(t *testing.T) {
	t.Parallel()
	one := `{"uuid":"u-1","event":"clicked","properties":{"token":"twk_good","distinct_id":"p1","n":1},"timestamp":"2026-03-04T11:00:00Z"}`
	want := "posthog\n" + `id=u-1 type=clicked user=p1 data={"distinct_id":"p1","n":1} at=2026-03-04T11:00:00.000`
	form := "data=" + url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(one)))
	for _, c := range []struct {
		name, method, target, body string
		headers                    []string
		want                       string
	}{
		{"one", "POST", "/e/", one, nil, want},
		{"one in a list", "POST", "/i/v0/e", "[" + one + "]", nil, want},
		{"gzip-js", "POST", "/e/?compression=gzip-js&ip=0&_=1772625600000&ver=1.449.2", gzipped(one), []string{"Content-Type: text/plain"},
			"posthog sent=12:00:00.000\n" + want[len("posthog\n"):]},
		{"base 64", "POST", "/e/?compression=base64", form, []string{"Content-Type: application/x-www-form-urlencoded"}, want},
		{"a form of plain JSON", "POST", "/track/", "data=" + url.QueryEscape(one), []string{"Content-Type: application/x-www-form-urlencoded"}, want},
		{"data in JSON", "POST", "/capture/", `{"data":` + one + `,"api_key":"x"}`, nil, want},
		{"in the address", "GET", "/e/?" + form, "", nil, want},
		{"posthog-go", "POST", "/batch/", `{"api_key":"twk_good","batch":[{"type":"capture","uuid":"u-1","library":"posthog-go","library_version":"1.5.2","timestamp":"2026-03-04T11:00:00Z","distinct_id":"p1","event":"clicked","properties":{"$groups":{"company":"acme"}},"send_feature_flags":false}]}`, nil,
			"posthog\n" + `id=u-1 type=clicked user=p1 data={"$groups":{"company":"acme"}} at=2026-03-04T11:00:00.000`},
		{"posthog-node", "POST", "/batch/", gzipped(`{"api_key":"twk_good","batch":[{"type":"identify","uuid":"u-2","event":"$identify","distinct_id":"p1","$set":{"a":1},"properties":{"$anon_distinct_id":"an"}}],"sent_at":"2026-03-04T12:00:02Z"}`), []string{"Content-Encoding: gzip"},
			"posthog sent=12:00:02.000\n" + `id=u-2 type=$identify user=p1 anonymous=an data={"$anon_distinct_id":"an","$set":{"a":1}}`},
		{"posthog-python", "POST", "/batch/", `{"batch": [{"properties": {"$lib": "posthog-python"}, "timestamp": "2026-03-04T11:00:00.000001+00:00", "distinct_id": "p1", "event": "ran", "uuid": "u-3"}], "historical_migration": false, "sentAt": "2026-03-04T12:00:00", "api_key": "twk_good"}`, nil,
			"posthog sent=12:00:00.000\n" + `id=u-3 type=ran user=p1 data={"$lib": "posthog-python"} at=2026-03-04T11:00:00.000`},
		{"a browser that knows nobody", "POST", "/e/", `[{"uuid":"u-4","event":"$pageview","properties":{"distinct_id":"d1","$device_id":"d1","$session_id":"s1","token":"twk_good","$is_identified":false},"offset":2500}]`, nil,
			"posthog\n" + `id=u-4 type=$pageview anonymous=d1 session=s1 device=d1 data={"distinct_id":"d1","$device_id":"d1","$session_id":"s1","$is_identified":false} at=2026-03-04T11:59:57.500`},
		{"a key that nothing stands beside", "POST", "/e/", `[{"uuid":"u-6","event":"e","distinct_id":"p1","properties":{"token":"twk_good"}},{"uuid":"u-7","event":"e","distinct_id":"p1","properties":{"a":{"key":"twk_good"}, "token": "twk_good"}}]`, nil,
			"posthog\n" + `id=u-6 type=e user=p1 data={}` + "\n" + `id=u-7 type=e user=p1 data={"a":{"key":"twk_good"}}`},
		{"a group, which is nobody", "POST", "/batch/", `{"api_key":"twk_good","batch":[{"uuid":"u-5","event":"$groupidentify","distinct_id":"$company_acme","properties":{"$group_type":"company","$group_key":"acme"}}]}`, nil,
			"posthog\n" + `id=u-5 type=$groupidentify data={"$group_type":"company","$group_key":"acme"}`},
		{"engage", "POST", "/engage/", `{"$token":"x","token":"twk_good","$distinct_id":"p1","$set":{"a":1}}`, nil, "posthog\n" + `type=$identify user=p1 data={"$set":{"a":1}}`},
		{"bad events beside a good one", "POST", "/batch", `{"api_key":"twk_good","batch":[{"uuid":"1","event":"ok","distinct_id":1},{"uuid":"2","event":"who"},{"uuid":"3","distinct_id":"p"},{"uuid":"4","event":"e","distinct_id":"p","properties":"x"}]}`, nil,
			"posthog\nid=1 type=ok user=1\nid=2 type=who error=The event has no distinct_id.\nid=3 error=An event has no name.\nid=4 error=The event.properties cannot be read: it is of another type than it should be."},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := &taker{}
			w := ask(gateway(t, f), c.method, c.target, c.body, c.headers...)
			if w.Code != http.StatusOK || w.Body.String() != `{"status":"Ok"}` {
				t.Errorf("got %d %s, want 200", w.Code, w.Body)
			}
			if got := f.received(); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestABeaconIsAnsweredWithNothing(t *testing.T) {
	t.Parallel()
	w := ask(gateway(t, &taker{}), http.MethodPost, "/e/?beacon=1", `{"event":"left","distinct_id":"p","token":"twk_good"}`)
	if w.Code != http.StatusNoContent || w.Body.Len() != 0 {
		t.Errorf("got %d %q, want 204", w.Code, w.Body)
	}
}

func TestPostHogV1HasAVerdictForEach(t *testing.T) {
	t.Parallel()
	body := `{"created_at":"2026-03-04T12:00:00Z","batch":[
		{"event":"a","uuid":"1","distinct_id":"p","timestamp":"2026-03-04T11:00:00Z","session_id":"s","window_id":"w","options":{"cookieless_mode":true},"properties":{"n":1}},
		{"event":"b","uuid":"2","distinct_id":"p"},{"event":"c","uuid":"3"},{"event":"d","uuid":"4","distinct_id":"p"},{"event":"e","uuid":"5","distinct_id":"p"}]}`
	packed := map[string]string{"": body, "gzip": gzipped(body)}
	for encoding, writer := range map[string]func(io.Writer) io.WriteCloser{
		"deflate": func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
		"br":      func(w io.Writer) io.WriteCloser { return brotli.NewWriter(w) },
		"zstd":    func(w io.Writer) io.WriteCloser { z, _ := zstd.NewWriter(w); return z },
	} {
		var b bytes.Buffer
		w := writer(&b)
		_, _ = io.WriteString(w, body)
		_ = w.Close()
		packed[encoding] = b.String()
	}
	for encoding, body := range packed {
		f := &taker{judge: func(in events.Incoming) events.Verdict {
			results := map[string]events.Result{"1": events.OK, "2": events.Duplicate, "3": events.Drop, "4": events.Retry, "5": events.Warning}
			return events.Verdict{ID: in.Event.ID, Result: results[in.Event.ID], Details: map[bool]string{true: "no"}[in.Err != nil]}
		}}
		w := ask(gateway(t, f), http.MethodPost, "/i/v1/analytics/events", body, "Authorization: Bearer twk_good", "Content-Encoding: "+encoding, "PostHog-Request-Timestamp: 2026-03-04T12:00:01.000Z")
		want := `{"results":{"1":{"result":"ok"},"2":{"result":"ok","details":"duplicate"},"3":{"result":"drop","details":"no"},"4":{"result":"retry"},"5":{"result":"warning"}}}`
		if w.Code != 200 || w.Body.String() != want || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: got %d %s, want %s", encoding, w.Code, w.Body, want)
		}
		if got, want := told(f.taken[0].Received[0]), `id=1 type=a user=p session=s data={"n":1,"$window_id":"w","$options":{"cookieless_mode":true}} at=2026-03-04T11:00:00.000`; got != want {
			t.Errorf("%s: got %s, want %s", encoding, got, want)
		}
	}
}

func TestPostHogBootCalls(t *testing.T) {
	t.Parallel()
	h := gateway(t, &taker{})
	for _, c := range []struct {
		method, target string
		status         int
		body           string
	}{
		{"GET", "/array/twk_good/config.js", 404, `{"error":"not_found","detail":"Nothing is collected here."}`},
		{"GET", "/array/twk_good/config", 200, `{"supportedCompression":["gzip-js"],"hasFeatureFlags":false,"sessionRecording":false,"surveys":false,"siteApps":[]}`},
		{"POST", "/flags/?v=2", 200, `{"flags":{},"featureFlags":{},"errorsWhileComputingFlags":false}`},
	} {
		if w := ask(h, c.method, c.target, ""); w.Code != c.status || w.Body.String() != c.body {
			t.Errorf("%s %s: got %d %s, want %d %s", c.method, c.target, w.Code, w.Body, c.status, c.body)
		}
	}
}

func TestTheWriteKeyIsTakenOutOfEvents(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{"token":"KEY","a":1}`:                     `{"a":1}`,
		`{"a":1,"token":"KEY"}`:                     `{"a":1}`,
		`{"a\"token":"KEY","b":1}`:                  `{"a\"token":"KEY","b":1}`, // another name, whose end is the same
		`{"a":{"token":"KEY","b":1},"token":"KEY"}`: `{"a":{"token":"KEY","b":1}}`,
		`{"token":"other","a":"KEY"}`:               `{"token":"other","a":"KEY"}`,
	} {
		e := events.Incoming{Event: events.Event{Data: jsontext.Value(in)}}
		if hide(&e, "KEY"); string(e.Event.Data) != want || e.Err != nil {
			t.Errorf("%s: got %s, %v, want %s", in, e.Event.Data, e.Err, want)
		}
	}
}
