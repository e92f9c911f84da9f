package collect

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"tributary/internal/events"
)

// fuzz sends what a fuzzer makes of a protocol's requests. Whatever it is, nothing
// panics, and what is taken is bounded, has an event or a reason why it has none, and
// data that is a JSON object.
func fuzz(f *testing.F, method, path string, bodies ...string) {
	for _, body := range bodies {
		f.Add(body, "")
		f.Add(gzipped(body), "gzip")
	}
	f.Fuzz(func(t *testing.T, body, encoding string) {
		taken := &taker{}
		h := gateway(t, taken)
		r := httptest.NewRequest(method, "http://collect.example.com"+path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+goodKey)
		r.Header["Content-Encoding"] = []string{encoding}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code == http.StatusInternalServerError {
			t.Fatalf("%q: got %s", body, w.Body)
		}
		for _, b := range taken.taken {
			if len(b.Received) > events.MaxEvents {
				t.Fatalf("got %d events of one request", len(b.Received))
			}
			for _, in := range b.Received {
				if in.Err != nil {
					continue
				}
				for _, v := range []jsontext.Value{in.Event.Data, in.Event.Context} {
					if len(v) > 0 && bytes.TrimSpace(v)[0] != '{' && v.Kind() != 'n' {
						t.Fatalf("%q: got %s, want an object", body, v)
					}
				}
			}
		}
	})
}

func FuzzSegmentBatches(f *testing.F) {
	fuzz(f, "POST", "/v1/batch", `{"writeKey":"twk_good","sentAt":"2026-03-04T12:00:00Z","context":{"ip":"::1"},"batch":[{"type":"track","event":"E","messageId":"1","properties":{"a":[1e9,null]},"timestamp":0},{"type":"group","traits":{"a":"\ud83d\ude00"}},{"type":"alias","previousId":7},1]}`)
}

// A batch that is read in one go is what it is when it is taken apart, as one is that has
// a context for all.
func FuzzWholeBatches(f *testing.F) {
	for _, text := range []string{
		`{"writeKey":"twk_good","sentAt":"2026-03-04T12:00:00Z","batch":[{"type":"track","event":"E","messageId":"1","properties":{"a":[1e9,null]},"timestamp":0} , {"type":"group","traits":{"a":"\ud83d\ude00"}},{"type":"page","name":"n","context":{"sessionId":7,"device":{"id":"d"}}}]}`,
		`{"batch":[]}`, `{"batch":null,"writeKey":"k"}`, `{"writeKey":"k","batch":[{"type":"alias","previousId":7,"tenant":"t"},{}]}`, `{"writeKey":"k","batch":[{"context":{"device":1,"sessionId":{}},"type":"track","event":"e"}]}`,
		`{"writeKey":"k","batch":[{"a":1,"a":2}]}`, `{"writeKey":"k","batch":[{"userId":null}],"sentAt":"no"}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, body string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://collect.example.com/v1/batch", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		whole, ok := segmentWhole(&call{Request: r, body: []byte(body)})
		if !ok {
			return
		}
		body = strings.Replace(body, "{", `{"context":null,`, 1)
		parts, err := (&server{}).segmentBatch(&call{Request: r, body: []byte(body)})
		if err != nil || !reflect.DeepEqual(whole, parts) {
			t.Fatalf("%s: got %+v, and in parts %+v, %v", body, whole, parts, err)
		}
	})
}

func FuzzSegmentCalls(f *testing.F) {
	fuzz(f, "POST", "/v1/i", `{"writeKey":"twk_good","traits":{"a":1},"context":{"device":{"id":"d"},"sessionId":"s"},"userId":true,"originalTimestamp":"2026-03-04 12:00:00"}`)
}

func FuzzPostHog(f *testing.F) {
	fuzz(f, "POST", "/e/?ip=1&_=1700000000000", `{"api_key":"twk_good","batch":[{"event":"$identify","distinct_id":"p","properties":{"$is_identified":false,"token":"twk_good"},"offset":5,"$set":{}}]}`,
		`[{"token":"twk_good","event":"E"}]`, `data=eyJldmVudCI6IkUifQ==`, `{"data":"eyJ9"}`, `{"$distinct_id":"p","$set":{"a":1}}`)
}

func FuzzPostHogV1(f *testing.F) {
	fuzz(f, "POST", "/i/v1/analytics/events", `{"created_at":"2026-03-04T12:00:00Z","batch":[{"uuid":"1","event":"E","distinct_id":"p","options":{"a":1},"session_id":"s","window_id":"w","properties":{}}]}`)
}

func FuzzCloudEventsOverHTTP(f *testing.F) {
	fuzz(f, "POST", "/api/v1/events", `[{"specversion":"1.0","id":"1","source":"/s","type":"E","data":{"a":1},"user":"u"}]`)
}

// Pixels are all in the address.
func FuzzPixels(f *testing.F) {
	for _, target := range []string{"/pixel/twk_good/mail.opened.gif?user=u1&id=1&z=%FF", "/pixel/v1/track?writeKey=twk_good&event=E&properties.a=1", "/v1/pixel/page?data=eyJ3cml0ZUtleSI6InR3a19nb29kIn0=", "/p/trp_good.gif", "/p/%00"} {
		f.Add(target)
	}
	f.Fuzz(func(t *testing.T, target string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://collect.example.com", http.NoBody)
		if err != nil || !strings.HasPrefix(target, "/") {
			return
		}
		r.URL.Path, r.URL.RawQuery, _ = strings.Cut(target, "?")
		w := httptest.NewRecorder()
		gateway(t, &taker{}).ServeHTTP(w, r)
		if w.Code == http.StatusInternalServerError {
			t.Errorf("%q: got %s", target, w.Body)
		}
	})
}
