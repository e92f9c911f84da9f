package isolation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
)

const planText = "events:\n  - {type: login}\n"

// sendEvents sends one that is kept and one that is not fit, both with what only its
// tenant may read in them.
func sendEvents(w *world, c *credential, _ string) shot {
	if c == nil || c.tenant == nil {
		return shot{body: []byte(`{}`)}
	}
	event := func(kind string) map[string]any {
		return map[string]any{"specversion": "1.0", "id": w.fresh(c.tenant, product), "source": "/" + w.fresh(c.tenant, product), "type": kind,
			"data": map[string]any{"note": w.fresh(c.tenant, product)}}
	}
	kept := event("login")
	kept["tenant"] = pick(w, w.tenants).id // which nobody reads
	raw, err := json.Marshal([]any{kept, event("")})
	if err != nil {
		panic(err)
	}
	return shot{body: raw, header: map[string]string{"Content-Type": "application/json"}, want: []int{empty, tooMany}}
}

func createSource(w *world, c *credential, _ string) shot {
	var of *tenant
	if c != nil {
		of = c.tenant
	}
	body := map[string]any{"name": w.fresh(of, key), "strict": w.chance(50)}
	if of == nil {
		body["tenant_field"] = "subject"
	}
	return shot{body: document(body), want: []int{created, clash}, then: func(a *answer) {
		w.know(sources, a.field("id"), of)
		w.secrets = append(w.secrets, a.field("key"))
		w.writers = append(w.writers, writer{key: a.field("key"), of: of})
	}}
}

// writer is a source's key, or the path of a link, and whose events it writes.
type writer struct {
	key, link string
	of        *tenant // nil: of whom an event names
}

// createPixels makes a link with what only its tenant may read, under the source of
// whoever it is.
func createPixels(w *world, c *credential, _ string) shot {
	var of *tenant
	body := map[string]any{"type": "mail.opened"}
	switch {
	case c != nil && c.tenant != nil:
		of = c.tenant
	default:
		of = pick(w, w.tenants)
		body["tenant"] = of.slug
	}
	body["users"], body["data"] = []string{w.fresh(of, product)}, map[string]any{"note": w.fresh(of, product)}
	return shot{body: document(body), want: append(relaxed(of, created, clash), absent), then: func(a *answer) {
		var list struct{ Items []struct{ Path string } }
		if err := json.Unmarshal(a.body, &list); err != nil {
			panic(err)
		}
		for _, x := range list.Items {
			w.writers = append(w.writers, writer{link: x.Path, of: of})
		}
	}}
}

// collect sends an event to the collector with a key or a link of anybody's, and names
// another tenant wherever it can. Whose it is the canary in it says; who may read it
// the rest of the walk finds out.
func (w *world) collect() {
	w.t.Helper()
	if len(w.writers) == 0 {
		return
	}
	from, other := pick(w, w.writers), pick(w, w.tenants)
	of := from.of
	if of == nil {
		of = pick(w, w.tenants)
	}
	word := func() string { return w.fresh(of, product) }
	query := url.Values{"user": {word()}, "id": {word()}}
	method := http.MethodPost
	var path string
	var body map[string]any
	event := map[string]any{"tenant": other.id}
	switch {
	case from.link != "":
		method, path = http.MethodGet, from.link
		query.Set("tenant", other.id)
	case from.of != nil && w.chance(20):
		method, path = http.MethodGet, "/pixel/"+from.key+"/login.gif"
	case from.of != nil && w.chance(40):
		event["type"], event["event"], event["userId"], event["messageId"] = "track", "login", word(), word()
		path, body = "/v1/batch", map[string]any{"writeKey": from.key, "batch": []any{event}}
	case from.of != nil && w.chance(50):
		event["event"], event["distinct_id"], event["uuid"] = "login", word(), word()
		path, body = "/batch/", map[string]any{"api_key": from.key, "batch": []any{event}}
	default:
		event = map[string]any{"specversion": "1.0", "id": word(), "source": "/" + word(), "type": "login", "subject": of.slug, "tenant": other.id, "data": map[string]any{"note": word()}}
		path, body = "/api/v1/events", event
	}
	var sent io.Reader
	if body != nil {
		sent = bytes.NewReader(document(body))
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.collector+path+"?"+query.Encode(), sent)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("X-Tenant", other.id)
	if path == "/api/v1/events" {
		r.Header.Set("Authorization", "Bearer "+from.key)
	}
	got, err := w.lan.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer got.Body.Close()
	said, err := io.ReadAll(got.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if !slices.Contains([]int{ok, empty, http.StatusBadRequest, anon, denied, tooMany, http.StatusServiceUnavailable}, got.StatusCode) || len(canaries(said)) > 0 {
		w.fail("%s %s with what is %s's: got %d %s", method, path, of.slug, got.StatusCode, said)
	}
	w.count[fmt.Sprint("collect ", got.StatusCode)]++
}

// listHeld finds out which events are in quarantine.
func listHeld(w *world, c *credential, _ string) shot {
	return shot{then: func(a *answer) {
		var list struct {
			Items []struct{ ID string }
		}
		if err := json.Unmarshal(a.body, &list); err != nil {
			panic(err)
		}
		for _, x := range list.Items {
			w.know(heldEvents, x.ID, c.tenant)
		}
	}}
}

func dropHeld(w *world, _ *credential, id string) shot {
	return shot{want: []int{empty}, then: func(*answer) { w.things[id].gone = true }}
}

// runQuery does a named query, sometimes of another tenant, which a tenant's answer is not
// to have.
func runQuery(w *world, c *credential, id string) shot {
	values := map[string]any{"until": "today+1"}
	if id == "user-activity" {
		values["tenant"] = pick(w, []string{"", pick(w, w.tenants).id, pick(w, w.tenants).slug})
	}
	return shot{body: document(map[string]any{"parameters": values}), want: []int{ok, tooMany}}
}

// query does a SELECT of one's own; what it finds of others' is none of a tenant's business.
func query(w *world, c *credential, _ string) shot {
	sql := pick(w, []string{
		"SELECT count(*) FROM fact_event", "SELECT * FROM fact_event ORDER BY received DESC", "SELECT list(x) FROM dim_tenant x", "FROM dim_user UNION ALL BY NAME FROM fact_session",
		"SELECT * FROM fact_event WHERE tenant = '" + pick(w, w.tenants).id + "' OR tenant IS NULL", "SELECT * FROM dim_tenant WHERE slug = '" + pick(w, w.tenants).slug + "'",
	})
	return shot{body: document(map[string]any{"sql": sql, "rows": 50}), want: []int{ok, tooMany}}
}

// eraseUser erases somebody whom no event names.
func eraseUser(w *world, c *credential, _ string) shot {
	body := map[string]any{"user": "nobody at all"}
	if c == nil || c.tenant != nil {
		var of *tenant
		if c != nil {
			of = c.tenant
		}
		return shot{body: document(body), want: relaxed(of, accepted, clash, tooMany), then: func(a *answer) { w.know(erasures, a.field("id"), of) }}
	}
	t := pick(w, w.tenants)
	body["tenant"] = pick(w, []string{t.id, t.slug})
	return shot{body: document(body), want: relaxed(t, accepted, clash, tooMany), then: func(a *answer) { w.know(erasures, a.field("id"), t) }}
}
