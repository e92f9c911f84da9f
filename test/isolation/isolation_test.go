// Package isolation asks the built server at random, as everybody, for everything
// that anybody has ever seen, and wants no tenant to see another's canary. A model
// of who may do what predicts each answer.
package isolation

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tributary/client"
	"tributary/internal/meta/metatest"
	"tributary/test/servertest"
)

func TestMain(m *testing.M) { os.Exit(servertest.Main(m)) }

// The environment: how long the random part takes, as "20s" or "2h", and the seed.
const (
	lengthVariable = "TRIBUTARY_ISOLATION_TIME"
	seedVariable   = "TRIBUTARY_ISOLATION_SEED"
)

// TestNoTenantSeesAnothers does random operations of the whole API as several
// tenants, the provider's people and nobody, with the ids of everybody's things.
func TestNoTenantSeesAnothers(t *testing.T) {
	t.Parallel()
	describe(t, operations())
	length := 8 * time.Second
	if text := os.Getenv(lengthVariable); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatalf("%s: %v", lengthVariable, err)
		}
		length = d
	}
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv(seedVariable); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", seedVariable, err)
		}
		seed = n
	}
	for name, database := range map[string]func(testing.TB) string{
		"sqlite":   func(testing.TB) string { return "" },
		"postgres": metatest.Postgres,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := servertest.Initialised(t, filepath.Join(t.TempDir(), "data"), database(t))
			collector := s.StartCollecting()
			w := newWorld(t, s, seed)
			w.collector = collector
			describe(t, w.ops)
			w.settle()
			w.wander(length / 2)
			s.Kill()
			w.log = s.Log.String()
			w.collector = s.StartCollecting()
			w.wander(length - length/2)
			w.quiet()
			w.sweep()
			w.verify()
			w.remains()
			t.Logf("seed %d: %d requests, %d tenants, %d credentials, %d submissions, %d results, %d times throttled",
				seed, w.count["all"], len(w.tenants), len(w.creds), len(w.ids[submissions]), len(w.ids[results]), w.count["throttled"])
			w.covered()
		})
	}
}

// describe fills in the operations what the API's description says, and wants a
// line for each operation.
func describe(t *testing.T, all map[string]*operation) {
	t.Helper()
	raw, err := os.ReadFile("../../docs/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
		}
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	for path, item := range doc.Paths {
		for method, described := range item {
			op := all[described.OperationID]
			if op == nil {
				t.Errorf("%s %s (%s) is not among the operations: say who may do it and what they see", strings.ToUpper(method), path, described.OperationID)
				continue
			}
			op.id, op.method, op.path = described.OperationID, strings.ToUpper(method), path
			if strings.Contains(path, "{") != (op.names != none) {
				t.Errorf("%s: say what the id in %s names", op.id, path)
			}
		}
	}
	for id, op := range all {
		if op.path == "" {
			t.Errorf("%s is no operation of the API", id)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}

// must does an operation that has to succeed.
func (w *world) must(id string, c *credential, thing string, q shot) *answer {
	w.t.Helper()
	a := w.do(w.ops[id], c, thing, q)
	if a.status >= 300 {
		w.t.Fatalf("seed %d: %s %s as %s: got %d %s", w.seed, id, thing, w.who(c), a.status, a.body)
	}
	return a
}

// settle makes the provider's people and four tenants, two of them of one
// organisation, each with people, keys, a submission and a result.
func (w *world) settle() {
	w.t.Helper()
	root := &credential{token: w.s.Token, role: 'S', anchor: true, person: "root"}
	w.secrets = append(w.secrets, root.token, servertest.Password)
	root.id = w.send(w.lan, w.ops["me"], root.token, "", shot{}, nil).field("id")
	w.know(apiKeys, root.id, nil).key = root
	w.creds = append(w.creds, root)
	for _, role := range []byte("SRN") {
		a := w.must("create-api-key", root, "", shot{body: document(map[string]any{"role": roleNames[role], "name": "anchor"}), want: []int{created}})
		made := w.key(nil, a.field("id"), a.field("key"), role, false)
		made.anchor, made.person = true, root.person
	}
	w.must("apply-dataset", root, "", shot{body: []byte(datasetText), yaml: true})
	w.must("apply-plan", root, "", shot{body: []byte(planText), yaml: true})
	w.must("apply-analysis", root, "", shot{body: []byte(analysisText), yaml: true})
	w.must("apply-analysis", root, "", shot{body: []byte(lonelyText), yaml: true})
	for n := range 4 {
		t := w.born()
		t.core = true
		owned := t.canary[owner]
		if n == 1 {
			owned = w.tenants[0].canary[owner]
		}
		w.must("create-tenant", root, "", w.onboard(t, owned))
		w.people(root, t)
	}
	w.leaver(root)
	w.until("the validation", w.idle)
	for _, date := range dates[:2] {
		w.must("start-runs", root, "", shot{body: document(map[string]any{"analyses": []string{analysis}, "date": date}), want: []int{created}, then: w.learnRuns})
	}
	w.until("the run", w.idle)
	for _, t := range w.tenants[:4] {
		a := w.must("list-results", w.credentialsOf(t)[0], "", shot{})
		if len(identifiers(a.body)) == 0 {
			w.t.Fatalf("seed %d: the results of %s: got %s, want some", w.seed, t.slug, a.body)
		}
	}
}

// leaver makes a tenant whose erasure comes as soon as it can: in a walk of more
// than a minute.
func (w *world) leaver(root *credential) {
	w.t.Helper()
	t := w.born()
	w.must("create-tenant", root, "", w.onboard(t, t.canary[owner]))
	w.people(root, t)
	second := &user{role: 'S', password: w.password()}
	email := w.fresh(nil, person) + "@provider.test"
	w.must("create-user", root, "", shot{body: document(map[string]any{"email": email, "role": "system_admin", "password": second.password}), want: []int{created},
		then: func(a *answer) { w.hired(second, email, a) }})
	var session *credential
	w.must("sign-in", nil, "", shot{body: document(map[string]any{"login": second.login, "password": second.password}), want: []int{created},
		then: func(a *answer) { session = w.signedIn(second, second.password, a) }})
	w.must("offboard-tenant", root, t.id, shot{body: document(map[string]any{"confirm": t.slug}), then: func(*answer) { t.state, t.leaver = "offboarding", root }})
	w.must("hasten-offboarding", session, t.id, hastenOffboarding(w, session, t.id))
}

// people gives a tenant its admin, who signs in and makes the rest.
func (w *world) people(root *credential, t *tenant) {
	w.t.Helper()
	admin := &user{tenant: t, role: 'A', provided: true, founder: true, password: w.password()}
	email := w.fresh(t, person) + "@example.com"
	w.must("create-user", root, "", shot{body: document(map[string]any{"tenant": t.slug, "email": email, "role": "tenant_admin", "password": admin.password}), want: []int{created},
		then: func(a *answer) { w.hired(admin, email, a) }})
	// A key of the provider's, and one that this one makes, which end at the sign-in.
	from, of := root, t.slug
	for range 2 {
		a := w.must("create-api-key", from, "", shot{body: document(map[string]any{"tenant": of, "role": "tenant_admin", "name": "the provider's"}), want: []int{created}})
		from, of = w.key(t, a.field("id"), a.field("key"), 'A', true), ""
	}
	next := w.password()
	var session *credential
	w.must("sign-in", nil, "", shot{body: document(map[string]any{"login": admin.login, "password": admin.password, "new_password": next}), want: []int{created},
		then: func(a *answer) { session = w.signedIn(admin, next, a) }})
	for _, role := range []byte("AAUU") {
		a := w.must("create-api-key", session, "", shot{body: document(map[string]any{"role": roleNames[role], "name": w.fresh(t, key)}), want: []int{created}})
		w.key(t, a.field("id"), a.field("key"), role, false).anchor = true
	}
	w.must("accept-analysis", session, analysis, shot{body: document(map[string]any{"version": 1})})
	for _, date := range dates[:2] {
		q := submit(w, session, "")
		q.query.Set("date", date)
		day := strings.ReplaceAll(date, "-", "")
		q.body = fmt.Appendf(nil, "Date,Client,Tag,Note,Value\n%s,%s,common,%s,%s.25\n%[1]s,%[2]s,%[3]slone,,5.25\n", day, t.external, t.canary[content], t.number)
		sent := q.body
		q.then = func(a *answer) { w.know(submissions, a.field("id"), t).bytes = sent; t.claimed = true }
		w.must("submit", session, "", q)
	}
}

// idle reports whether no submission is being validated and no run runs.
func (w *world) idle() bool {
	root := w.creds[0]
	for _, list := range []struct {
		id     string
		states []string
	}{{"list-submissions", []string{"received", "validating"}}, {"list-runs", []string{"queued", "running"}}} {
		for _, state := range list.states {
			var page struct{ Items []json.RawMessage }
			a := w.send(w.lan, w.ops[list.id], root.token, "", shot{query: map[string][]string{"state": {state}}}, nil)
			if err := json.Unmarshal(a.body, &page); err != nil {
				w.t.Fatalf("%s: got %s", list.id, a.body)
			}
			for _, item := range page.Items {
				if of := w.tenantOf(item); of == nil || of.state == "active" {
					return false
				}
			}
		}
	}
	return true
}

// tenantOf is the tenant that a thing names as its own.
func (w *world) tenantOf(item json.RawMessage) *tenant {
	var v struct{ Tenant string }
	_ = json.Unmarshal(item, &v) // what is not there is empty
	return w.named(v.Tenant)
}

// steps is how many random operations there are at least, on a machine that has
// much else to do.
const steps = 1500

// wander does random operations for a while.
func (w *world) wander(length time.Duration) {
	w.t.Helper()
	var deck []*operation
	for _, id := range slices.Sorted(maps.Keys(w.ops)) {
		op := w.ops[id]
		weight := op.weight
		if weight == 0 {
			weight = 10
		}
		for range weight {
			deck = append(deck, op)
		}
	}
	w.wanders = true
	start := time.Now()
	for n := 0; time.Since(start) < length || n < steps/2 && time.Since(start) < 3*length; n++ {
		w.step(pick(w, deck))
		if n%8 == 0 {
			w.collect()
		}
	}
	w.wanders = false
}

// step does one operation as somebody, mostly as one who may, on something of
// anybody's.
func (w *world) step(op *operation) {
	w.t.Helper()
	c := w.somebody(op)
	id := ""
	if op.names != none {
		if id = w.something(op, c); id == "" {
			return
		}
	}
	q := shot{}
	if op.make != nil {
		q = op.make(w, c, id)
	}
	w.do(op, c, id, q)
}

func (w *world) somebody(op *operation) *credential {
	if w.chance(3) {
		return nil
	}
	for range 20 {
		c := pick(w, w.creds)
		if c.dead && !w.chance(10) || c.tenant != nil && c.tenant.state != "active" && !w.chance(30) {
			continue
		}
		if op.roles == "*" || strings.ContainsRune(op.roles, rune(c.role)) || w.chance(20) {
			return c
		}
	}
	return w.creds[0]
}

// something is an id: of its own, of anybody else's, of another kind, or of none.
func (w *world) something(op *operation, c *credential) string {
	list := w.ids[op.names]
	if w.chance(5) || len(list) == 0 {
		list = w.ids[pick(w, []kind{users, apiKeys, submissions, tenants, organisation})]
	}
	switch {
	case op.id == "end-session" && w.chance(10):
		if c != nil && c.anchor {
			return "nonsense"
		}
		return "current"
	case w.chance(3):
		return pick(w, []string{"nonsense", "../tenant", "sub_" + strings.Repeat("z", 26), "%00", "a b", "' OR 1=1 --"})
	}
	for range 30 {
		id := pick(w, list)
		if t := w.named(id); op.id == "keep-tenant" && t != nil && t.fading {
			continue // its end is wanted
		}
		x := w.things[id]
		if x != nil && c != nil && c.tenant != nil && x.tenant != c.tenant && w.chance(map[bool]int{true: 80, false: 40}[op.names == sessions]) {
			continue // much of what a tenant asks for is its own
		}
		if op.id != "revoke-api-key" || c == nil || x == nil || x.key == nil || !x.key.anchor || c.tenant != nil && x.tenant != c.tenant {
			return id
		}
	}
	return ""
}

// quiet lets every tenant work again and waits until nothing goes on.
func (w *world) quiet() {
	w.t.Helper()
	for _, t := range w.tenants {
		if t.state == "suspended" && !t.fading {
			w.do(w.ops["activate-tenant"], w.creds[0], t.id, activateTenant(w, nil, t.id))
		}
	}
	w.until("the end of all jobs", w.idle)
}

// sweep reads, once and as everybody, all that there is to read.
func (w *world) sweep() {
	w.t.Helper()
	var all []*credential
	for _, t := range w.tenants[:4] {
		seen := ""
		for _, c := range w.credentialsOf(t) {
			if !strings.ContainsRune(seen, rune(c.role)) {
				seen += string(c.role)
				all = append(all, c)
			}
		}
	}
	all = append(all, w.creds[:4]...)
	for _, c := range all {
		for _, id := range slices.Sorted(maps.Keys(w.ops)) {
			op := w.ops[id]
			_, role := c.standing("")
			if op.method != http.MethodGet || !strings.ContainsRune(op.roles, rune(role)) {
				continue
			}
			list := []string{""}
			if op.names != none {
				list = nil
				for _, thing := range w.ids[op.names] {
					if x := w.things[thing]; c.tenant == nil || x == nil || x.tenant == c.tenant {
						list = append(list, thing)
					}
				}
				w.random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
				list = list[:min(len(list), 12)]
			}
			for _, thing := range list {
				q := shot{}
				if op.make != nil {
					q = op.make(w, c, thing)
				}
				if strings.HasPrefix(op.id, "list-") && op.names == none && q.query != nil {
					q.query.Set("limit", "500")
				}
				w.do(op, c, thing, q)
			}
		}
	}
}

// verify has tenants verify their audit chains, and looks at what needs no
// credential and is no operation.
func (w *world) verify() {
	w.t.Helper()
	for _, t := range w.tenants[:4] {
		for _, c := range w.credentialsOf(t) {
			if c.role != 'A' {
				continue
			}
			api, err := client.New(w.s.URL, c.token)
			if err != nil {
				w.t.Fatal(err)
			}
			report, err := api.VerifyAudit(w.t.Context(), client.VerifyOptions{})
			if err != nil || len(report.Findings) > 0 || report.Entries < 5 {
				w.fail("the audit chain of %s: got %+v, %v", t.slug, report, err)
			}
			break
		}
	}
	for _, path := range []string{"/metrics", "/docs", "/api/openapi.json", "/healthz", "/readyz", "/" + w.tenants[0].slug} {
		op := &operation{id: path, method: http.MethodGet, path: strings.Replace(path, w.tenants[0].slug, "{id}", 1), roles: "*"}
		a := w.send(w.stranger(), op, "", w.tenants[0].slug, shot{}, nil)
		w.search(op, nil, w.tenants[0].slug, a, nil)
	}
}

// remains stops the server and looks at what it leaves: its log has nothing of
// anybody's, and its data nothing of what is in files, no file's name, no secret,
// and what an erased tenant called its keys neither.
func (w *world) remains() {
	w.t.Helper()
	left := w.tenants[4] // the leaver; nobody but itself named its keys
	erased := w.send(w.lan, w.ops["show-tenant"], w.creds[0].token, left.id, shot{}, nil).field("state") == "erased"
	w.s.Stop()
	w.s.Sound()
	log := []byte(w.log + w.s.Log.String())
	for _, found := range canaries(log) {
		if w.owner[found] != nil {
			w.fail("the log has the canary %s of class %c in it", found, w.class[found])
		}
	}
	sealed := slices.Clone(w.secrets)
	w.random.Shuffle(len(sealed), func(i, j int) { sealed[i], sealed[j] = sealed[j], sealed[i] })
	sealed = append(sealed[:min(len(sealed), 300)], w.s.Token, servertest.Password) // after hours there are too many to look for
	nowhere(w.t, "the log", log, sealed)
	for _, t := range w.tenants {
		sealed = append(sealed, t.canary[content], t.canary[file])
	}
	if w.t.Logf("%s erased: %v", left.slug, erased); erased {
		sealed = append(sealed, left.canary[key])
	}
	nowhereIn(w.t, w.s.Data, sealed)
	if w.s.Database != nil {
		nowhere(w.t, "the database", w.dump(), sealed)
	}
	// Whoever takes a backup without the key file has not even what the database has in clear.
	stolen := filepath.Join(w.t.TempDir(), "backups")
	w.s.Run("", w.s.Place("backup", "--to", stolen)...)
	for _, t := range w.tenants {
		for _, c := range classes {
			sealed = append(sealed, t.canary[c])
		}
	}
	nowhereIn(w.t, stolen, slices.DeleteFunc(sealed, func(text string) bool { return text == "" }))
}

// covered wants the walk to have come everywhere: each operation was allowed at
// least once, and refused at least once to somebody else.
func (w *world) covered() {
	w.t.Helper()
	if os.Getenv(seedVariable) != "" || testing.Short() {
		return
	}
	for id, op := range w.ops {
		allowed, refused := 0, 0
		for status := range 600 {
			n := w.count[fmt.Sprint(id, " ", status)]
			if status < 300 {
				allowed += n
			} else if status == denied || status == anon || status == absent {
				refused += n
			}
		}
		if allowed == 0 && op.weight == 0 || refused == 0 && op.roles != "*" {
			w.t.Logf("seed %d: %s was done %d times and refused %d times; give it more weight", w.seed, id, allowed, refused)
		}
	}
}
