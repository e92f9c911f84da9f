package collect

import (
	"net/http"
	"strings"
	"testing"

	"tributary/internal/events"
)

func TestCloudEventsAreUnderstood(t *testing.T) {
	t.Parallel()
	const one = `{"specversion":"1.0","id":"c1","source":"/shop","type":"order.paid","subject":"customer-1","time":"2026-03-04T11:00:00Z","datacontenttype":"application/json","user":"u1","region":"eu","data":{"total":12.5}}`
	const want = `id=c1 type=order.paid subject=customer-1 user=u1 data={"total":12.5} context={"region":"eu"} at=2026-03-04T11:00:00.000`
	for _, c := range []struct {
		name, body string
		headers    []string
		want       string
	}{
		{"one", one, []string{"Content-Type: application/cloudevents+json"}, want},
		{"several", "[" + one + `,{"specversion":"1.0","id":"c2","source":"/s","type":"t","data":null}]`, []string{"Content-Type: application/cloudevents-batch+json; charset=utf-8"}, want + "\nid=c2 type=t data=null"},
		{"as JSON", "[" + one + "]", []string{"Content-Type: application/json"}, want},
		{"in headers", `{"total":12.5}`, []string{"Content-Type: application/json", "Ce-Specversion: 1.0", "Ce-Id: c1", "Ce-Source: /shop", "Ce-Type: order.paid", "Ce-Subject: customer%2D1", "Ce-Time: 2026-03-04T11:00:00Z", "Ce-User: u1", "Ce-Region: eu"}, want},
		{"in headers, without data", "", []string{"Ce-Specversion: 1.0", "Ce-Id: c1", "Ce-Source: /shop", "Ce-Type: seen"}, "id=c1 type=seen"},
		{"bad ones", `[{"specversion":"0.3","id":"c1","source":"/s","type":"t"},{"specversion":"1.0","source":"/s","type":"t"},{"specversion":"1.0","id":"c3","source":"/s","type":"t","data":[1]},
			{"specversion":"1.0","id":"c4","source":"/s","type":"t","data_base64":"eA=="},{"specversion":"1.0","id":"c5","source":"/s","type":"t","datacontenttype":"text/xml","data":{}},
			{"specversion":"1.0","id":"c6","source":"/s","type":"t","data":{"a":1,"a":2}}]`, nil,
			"id=c1 type=t error=Its specversion is not 1.0.\n" +
				"type=t error=It has no id, no source or no type, and a CloudEvent has all three.\nid=c3 type=t data=[1]\n" + // intake's to refuse
				"id=c4 type=t error=Its data is not JSON.\nid=c5 type=t data={} error=Its data is not JSON.\nerror=It has a name twice."},
		{"what is no JSON, in headers", `<total/>`, []string{"Content-Type: text/xml", "Ce-Specversion: 1.0", "Ce-Id: c1", "Ce-Source: /s", "Ce-Type: t"}, "id=c1 type=t error=Its data is not JSON."},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := &taker{}
			w := ask(gateway(t, f), http.MethodPost, "/api/v1/events", c.body, append(c.headers, "Authorization: Bearer twk_good")...)
			if want := map[bool]int{true: http.StatusBadRequest, false: http.StatusNoContent}[strings.HasPrefix(c.name, "what is no JSON")]; w.Code != want || w.Body.Len() > 0 && want == http.StatusNoContent {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, want)
			}
			if got := f.received(); got != "cloudevents\n"+c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestCloudEventsAreAnsweredEachWhenAsked(t *testing.T) {
	t.Parallel()
	f := &taker{judge: func(in events.Incoming) events.Verdict {
		return events.Verdict{ID: in.Event.ID, Result: map[string]events.Result{"1": events.OK, "2": events.Retry}[in.Event.ID], Details: in.Event.Origin}
	}}
	body := `[{"specversion":"1.0","id":"1","source":"/s","type":"t","tenant":"ten_other"},{"specversion":"1.0","id":"2","source":"/s","type":"t"}]`
	w := ask(gateway(t, f), http.MethodPost, "/api/v1/events", body, "Authorization: Bearer twk_good", "Prefer: respond-async, return=representation")
	want := `{"items":[{"id":"1","result":"ok","details":"/s"},{"id":"2","result":"retry","details":"/s"}]}`
	if w.Code != 200 || w.Body.String() != want {
		t.Errorf("got %d %s, want %s", w.Code, w.Body, want)
	}
	if got := f.taken[0].Received[0].Event.Tenant; got != "ten_other" {
		t.Errorf("got the tenant %q, which intake is to ignore and count; want ten_other", got)
	}
}
