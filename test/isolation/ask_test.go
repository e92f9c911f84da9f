package isolation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// shot is one request of an operation, with what the model wants if whoever asks
// may do it and the thing is there.
type shot struct {
	query  url.Values
	header map[string]string
	body   []byte
	yaml   bool
	want   []int   // statuses; none: 200
	whose  *tenant // of a stranger who comes in: whose names the answer may have
	then   func(*answer)
}

func document(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// field returns a text of a JSON answer.
func (a *answer) field(name string) string {
	var v map[string]any
	_ = json.Unmarshal(a.body, &v) // what is not there is empty
	text, _ := v[name].(string)
	return text
}

// steady is an answer without what differs between any two, and with the id that
// was asked for replaced: what must be the same for what is another's and for
// what does not exist.
func (a *answer) steady(id string) string {
	h := a.header.Clone()
	for _, name := range []string{"Date", "Request-Id", "Ratelimit", "Content-Length", "Tributary-Session"} {
		h.Del(name)
	}
	text := strings.ReplaceAll(string(a.body), a.header.Get("Request-Id"), "REQUEST")
	text = strings.ReplaceAll(strings.ReplaceAll(text, url.PathEscape(id), "ID"), id, "ID")
	return fmt.Sprint(a.status, " ", h, " ", text)
}

// proving are the operations that take one's own password or code: too many wrong ones
// lock the account.
var proving = map[string]bool{"change-password": true, "start-totp": true, "confirm-totp": true, "replace-recovery-codes": true, "end-totp": true, "add-own-ssh-key": true}

// send asks the server once, and again while it says that it is asked too often.
func (w *world) send(client *http.Client, op *operation, token, id string, q shot, extra http.Header) *answer {
	w.t.Helper()
	for wait := 50 * time.Millisecond; ; wait *= 2 {
		path := strings.Replace(strings.Replace(op.path, "{id}", url.PathEscape(id), 1), "{date}", dates[0], 1)
		r, err := http.NewRequestWithContext(w.t.Context(), op.method, w.s.URL+path+"?"+q.query.Encode(), bytes.NewReader(q.body))
		if err != nil {
			w.t.Fatal(err)
		}
		maps.Copy(r.Header, extra)
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		switch {
		case q.yaml:
			r.Header.Set("Content-Type", "application/yaml")
		case bytes.HasPrefix(q.body, []byte("{")):
			r.Header.Set("Content-Type", "application/json")
		}
		for name, value := range q.header {
			r.Header.Set(name, value)
		}
		res, err := client.Do(r)
		if err != nil {
			w.t.Fatalf("seed %d: %s: %v", w.seed, op.id, err)
		}
		raw, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			w.t.Fatalf("seed %d: %s: %v", w.seed, op.id, err)
		}
		a := &answer{res.StatusCode, res.Header, raw}
		if a.status != http.StatusTooManyRequests || op.id == "sign-in" || proving[op.id] || wait > 3*time.Second {
			return a
		}
		w.count["throttled"]++
		select {
		case <-time.After(wait):
		case <-w.t.Context().Done():
		}
	}
}

// do asks for an operation as a credential (nil: none) and checks the answer
// against the model.
func (w *world) do(op *operation, c *credential, id string, q shot) *answer {
	w.t.Helper()
	if op.roles == "*" {
		c = nil
	}
	if len(q.want) == 0 {
		q.want = []int{ok}
	}
	client, address, token := w.lan, "127.0.0.1", ""
	extra := http.Header{}
	if c != nil {
		token = c.token
		if c.only != "" && w.chance(70) {
			client, address = from(c.only, false), c.only
		}
	}
	if q.query == nil {
		q.query = url.Values{}
	}
	w.spoof(c, q.query, extra)
	replay := w.idempotent(op, c, extra)
	refused, role := c.standing(address)
	if refused == http.StatusUnauthorized || c == nil || op.roles == "*" {
		client = w.stranger()
	}
	sent := time.Now()
	a := w.send(client, op, token, id, q, extra)
	w.remember(op, c, id, a)
	if c != nil && a.header.Get("Tributary-Session") != "" {
		c.token = a.header.Get("Tributary-Session")
	}
	x := w.things[id]
	switch {
	case op.roles == "*":
		w.status(op, c, id, a, q.want...)
	case c != nil && c.tenant != nil && c.tenant.fading:
		// The erasure has its own pace.
	case c != nil && !c.expires.IsZero() && !sent.After(c.expires) && time.Now().After(c.expires.Add(-time.Millisecond)):
		c.dead = true // while it was being answered
	case c != nil && !c.expires.IsZero() && sent.After(c.expires):
		c.dead = true
		w.status(op, c, id, a, http.StatusUnauthorized)
	case refused != 0:
		w.status(op, c, id, a, refused)
	case !strings.ContainsRune(op.roles, rune(role)):
		w.status(op, c, id, a, http.StatusForbidden)
	case replay:
		// What the first request with this key was is not in the model.
	case op.names != none && !w.visible(op, c, x, id):
		w.status(op, c, id, a, http.StatusNotFound)
	default:
		want := q.want
		if t := w.named(id); t != nil && t.fading || x != nil && x.tenant != nil && x.tenant.fading {
			want = append(slices.Clone(want), absent) // erased by now, on a busy machine or in a long walk
		}
		w.status(op, c, id, a, want...)
	}
	if a.status >= 500 {
		w.fail("%s as %s: got %d %s", op.id, w.who(c), a.status, a.body)
	}
	w.search(op, c, id, a, q.whose)
	if a.status == http.StatusNotFound && c != nil && c.tenant != nil && op.names != none && !replay && (x == nil || x.tenant != c.tenant) {
		w.sameAsNothing(client, op, c, id, q, extra, a)
	}
	if a.status < 300 && q.then != nil && a.header.Get("Idempotency-Replayed") == "" {
		q.then(a)
	}
	return a
}

// spoof has a tenant's credential name another tenant wherever a request could.
func (w *world) spoof(c *credential, query url.Values, extra http.Header) {
	if c == nil || c.tenant == nil || len(w.tenants) == 0 {
		return
	}
	other := pick(w, w.tenants)
	if w.chance(50) {
		query.Set("tenant", pick(w, []string{other.id, other.slug}))
	}
	if w.chance(20) {
		extra["X-Tenant"], extra["X-Tenant-Id"] = []string{other.id}, []string{other.slug}
		extra["Cookie"] = []string{"tenant=" + other.id}
	}
}

// idempotent lets some requests carry one of a few keys that all share, and
// reports whether this actor used the key before.
func (w *world) idempotent(op *operation, c *credential, extra http.Header) bool {
	if !w.wanders || op.method != http.MethodPost || c == nil || !w.chance(8) {
		return false
	}
	text := fmt.Sprintf("key-%d", w.random.IntN(6))
	extra["Idempotency-Key"] = []string{text}
	before := w.used[c.actor()+" "+text]
	w.used[c.actor()+" "+text] = true
	return before
}

// visible is whether there is such a thing for whoever asks.
func (w *world) visible(op *operation, c *credential, x *thing, id string) bool {
	switch op.names {
	case datasets:
		return id == dataset
	case analyses:
		return id == analysis || id == lonely
	case tenants, organisation: // by id, slug or name; these are for staff only
		return slices.Contains(w.ids[op.names], id) && !strings.HasPrefix(id, "no")
	case notices:
		return slices.Contains(w.ids[notices], id) && !strings.HasPrefix(id, "no")
	case streams:
		return slices.Contains(w.ids[streams], id) && !strings.HasPrefix(id, "no")
	case running:
		return false
	case queries:
		return slices.Contains(w.ids[queries], id) && !strings.HasPrefix(id, "no") && (c.tenant == nil || id != "revenue")
	case plans:
		return id == "current" || id == "1"
	case webhooks, deliveries, sources, heldEvents: // the provider's people see its own
		return x != nil && x.kind == op.names && !x.gone && x.tenant == c.tenant
	case sshKeys:
		if op.id == "revoke-own-ssh-key" && (x == nil || c.user == nil || x.user != c.user) {
			return false
		}
	case sessions:
		return id == "current" || x != nil && x.kind == sessions && !x.gone && c.user != nil && x.user == c.user
	}
	return x != nil && x.kind == op.names && !x.gone && (c.tenant == nil || x.tenant == c.tenant)
}

func (w *world) who(c *credential) string {
	switch {
	case c == nil:
		return "nobody"
	case c.tenant == nil:
		return fmt.Sprintf("%c %s of the provider", c.role, c.id)
	}
	return fmt.Sprintf("%c %s of %s (%s)", c.role, c.id, c.tenant.slug, c.tenant.state)
}

func (w *world) remember(op *operation, c *credential, id string, a *answer) {
	w.count[fmt.Sprint(op.id, " ", a.status)]++
	w.count["all"]++
	w.trail = append(w.trail, fmt.Sprintf("%s %s as %s: %d", op.id, id, w.who(c), a.status))
	if len(w.trail) > 12 {
		w.trail = w.trail[1:]
	}
	if c != nil && c.tenant != nil && id != "" {
		c.tenant.probed[id] = true
	}
}

func (w *world) status(op *operation, c *credential, id string, a *answer, want ...int) {
	w.t.Helper()
	if !slices.Contains(want, a.status) {
		w.fail("%s %s as %s: got %d %.300s, want %v; before:\n\t%s", op.id, id, w.who(c), a.status, a.body, want, strings.Join(w.trail, "\n\t"))
	}
}

// sameAsNothing asks for an id that nothing has and wants the same answer, but
// for the id.
func (w *world) sameAsNothing(client *http.Client, op *operation, c *credential, id string, q shot, extra http.Header, got *answer) {
	w.t.Helper()
	nothing := "never-was"
	if head, _, found := strings.Cut(id, "_"); found && len(id) == 30 {
		nothing = head + "_" + strings.Repeat("0", 26)
	}
	extra.Del("Idempotency-Key")
	other := w.send(client, op, c.token, nothing, q, extra)
	if got.steady(id) != other.steady(nothing) {
		w.fail("%s %s as %s: got\n%s\nwant what is answered to %s\n%s", op.id, id, w.who(c), got.steady(id), nothing, other.steady(nothing))
	}
	c.tenant.probed[nothing] = true
}

// search wants nobody's canary in an answer but who may see it, no id of another
// tenant in one to a tenant, and no secret again.
func (w *world) search(op *operation, c *credential, id string, a *answer, whose *tenant) {
	w.t.Helper()
	var text bytes.Buffer
	text.Write(a.body)
	fmt.Fprint(&text, a.header)
	if bytes.HasPrefix(a.body, []byte("PAR1")) {
		text.Write(cells(w.t, a.body))
	}
	for _, found := range canaries(text.Bytes()) {
		of, known := w.owner[found]
		switch {
		case !known: // other text that begins like one
		case whose != nil && of == whose && a.status < 300: // who comes in learns their login
		case a.status >= 400 && strings.Contains(id, found): // it repeats the id that it was asked for
		case a.status == absent && c != nil && c.tenant == nil && of.fading && w.class[found] == 's': // the provider asked for an erased one's by its slug
		case c != nil && c.tenant != nil && c.tenant.probed[found] && trails[op.id]: // its own log says what it asked for
		case c != nil && c.tenant != nil && c.tenant.typed[found]: // it wrote it into a file of its own
		case c == nil || !w.maySee(op, c, of, found):
			w.fail("%s %s as %s: the answer (%d) has the canary %s (class %c) of %s: %.400s", op.id, id, w.who(c), a.status, found, w.class[found], of.slug, a.body)
		}
	}
	for _, of := range w.tenants {
		if (c == nil || c.tenant != of) && bytes.Contains(text.Bytes(), []byte(of.number)) {
			w.fail("%s %s as %s: the answer (%d) has the number that %s sent: %.400s", op.id, id, w.who(c), a.status, of.slug, text.Bytes())
		}
	}
	for _, secret := range w.secrets {
		if bytes.Contains(text.Bytes(), []byte(secret)) {
			w.fail("%s %s as %s: the answer repeats a secret: %.300s", op.id, id, w.who(c), a.body)
		}
	}
	if c == nil || c.tenant == nil {
		return
	}
	for _, found := range identifiers(text.Bytes()) {
		k := kind(found[:3])
		x := w.things[found]
		switch {
		case k == organisation && found == c.tenant.organisation:
		case c.tenant.probed[found] && trails[op.id], found == id && a.status >= 400: // as above
		case x == nil && a.status < 300:
			w.know(k, found, c.tenant)
		case x == nil || x.tenant != c.tenant && x.tenant != nil:
			w.fail("%s %s as %s: the answer (%d) has the id %s of another: %.400s", op.id, id, w.who(c), a.status, found, a.body)
		}
	}
}

// trails are the operations that tell a tenant what it did itself, and so the ids
// that it asked for in vain.
var trails = map[string]bool{"list-audit": true, "list-audit-records": true, "export-tenant": true}

// maySee is DESIGN's promise as the model has it: a tenant sees its own, and the
// name of its organisation; the provider sees of a route what its line says, and
// content never.
func (w *world) maySee(op *operation, c *credential, of *tenant, found string) bool {
	k := w.class[found]
	pooled := op.names == streams || op.names == queries || op.id == "query" // which analysts read
	switch {
	case c.tenant == of:
		return true
	case c.tenant != nil:
		return k == owner && w.shared[found] == c.tenant.organisation
	case k == content || c.role == 'N' && k != slug && !pooled:
		return false
	}
	return strings.ContainsRune(op.metadata, rune(k))
}
