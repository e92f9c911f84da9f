package isolation

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

func createOrganisation(w *world, _ *credential, _ string) shot {
	return shot{body: document(map[string]any{"name": w.fresh(nil, owner)}), want: []int{created}, then: func(a *answer) {
		w.know(organisation, a.field("id"), nil)
	}}
}

func verifyOrganisation(w *world, _ *credential, _ string) shot {
	return shot{body: document(map[string]any{"evidence": "a look at the register"}), want: []int{ok, clash}}
}

func createTenant(w *world, c *credential, _ string) shot {
	if len(w.tenants) > 9 || w.chance(40) { // one that there is
		t := pick(w, w.tenants)
		want := []int{clash}
		if t.fading {
			want = append(want, created)
			t = w.tenants[0]
		}
		return shot{body: document(map[string]any{"slug": t.slug, "name": "again", "organisation": "provider again"}), want: want}
	}
	t := w.born()
	return w.onboard(t, t.canary[owner])
}

func (w *world) onboard(t *tenant, owned string) shot {
	body := map[string]any{"slug": t.slug, "name": t.canary[name], "organisation": owned, "external_ids": []string{t.external}, "tier": "platinum", "industry": t.canary[name] + "s"}
	return shot{body: document(body), want: []int{created}, then: func(a *answer) {
		t.id, t.organisation = a.field("id"), a.field("organisation")
		w.shared[owned] = t.organisation
		w.know(tenants, t.id, t)
		w.know(organisation, t.organisation, nil)
		w.ids[tenants] = append(w.ids[tenants], t.slug)
		w.tenants = append(w.tenants, t)
	}}
}

// named is the tenant that an id or slug means.
func (w *world) named(id string) *tenant {
	for _, t := range w.tenants {
		if id == t.id || id == t.slug {
			return t
		}
	}
	return nil
}

func updateTenant(w *world, _ *credential, id string) shot {
	t := w.named(id)
	if t == nil {
		return shot{body: document(map[string]any{"name": "nobody"})}
	}
	return shot{body: document(map[string]any{"name": w.fresh(t, name), "employees": w.random.IntN(1000)}), want: relaxed(t, ok)}
}

// turn is a change of a tenant's state, which is a conflict unless it is in one of
// the states from.
func (w *world) turn(id string, body any, to string, from ...string) shot {
	t := w.named(id)
	q := shot{want: []int{clash}}
	if body != nil {
		q.body = document(body)
	}
	if t == nil {
		return q
	}
	for _, state := range from {
		if t.state == state {
			q.want = []int{ok}
		}
	}
	q.want = relaxed(t, q.want...)
	q.then = func(*answer) {
		t.state = to
		list := w.credentialsOf(t)
		w.random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		for _, c := range list[:min(3, len(list))] {
			if status, _ := c.standing(""); status != 0 {
				w.gone(status, c)
			}
			c.dead = false // it is the tenant that is in the way
		}
	}
	return q
}

func suspendTenant(w *world, _ *credential, id string) shot {
	return w.turn(id, map[string]any{"reason": "a test"}, "suspended", "active")
}

func activateTenant(w *world, _ *credential, id string) shot {
	return w.turn(id, nil, "active", "suspended")
}

func keepTenant(w *world, _ *credential, id string) shot {
	return w.turn(id, nil, "suspended", "offboarding")
}

func offboardTenant(w *world, c *credential, id string) shot {
	t := w.named(id)
	if t == nil || t.core || w.chance(30) {
		confirm := "something-else"
		return shot{body: document(map[string]any{"confirm": confirm}), want: relaxed(t, invalid)}
	}
	q := w.turn(id, map[string]any{"confirm": t.slug}, "offboarding", "active", "suspended")
	then := q.then
	q.then = func(a *answer) { t.leaver = c; then(a) }
	return q
}

func hastenOffboarding(w *world, c *credential, id string) shot {
	t := w.named(id)
	switch {
	case t == nil:
		return shot{}
	case t.fading:
		return shot{want: []int{ok, denied, absent, clash}}
	case t.state != "offboarding":
		return shot{want: []int{absent}}
	case c != nil && t.leaver.person == c.person:
		return shot{want: []int{denied}}
	case w.held(t):
		return shot{want: []int{clash}}
	}
	return shot{then: func(*answer) { t.fading = true }}
}

func showOffboarding(w *world, _ *credential, id string) shot {
	if t := w.named(id); t != nil && t.state != "offboarding" {
		return shot{want: relaxed(t, absent)}
	}
	return shot{}
}

// text is a file of a tenant: mostly a good one, and always full of its canary.
func (w *world) text(t *tenant, date string) []byte {
	var b strings.Builder
	b.WriteString("Date,Client,Tag,Note,Value\n")
	day, id := strings.ReplaceAll(date, "-", ""), t.external
	row := func(tag string) {
		fmt.Fprintf(&b, "%s,%s,%s,%s,%s.%02d\n", day, id, tag, w.fresh(t, content), t.number, w.random.IntN(100))
	}
	row("common")
	row("other")
	row(t.canary[content] + "lone")
	switch w.random.IntN(8) {
	case 0: // a value that is no number
		fmt.Fprintf(&b, "%s,%s,more,,%s\n", day, id, t.canary[content])
	case 1: // a column too many
		fmt.Fprintf(&b, "%s,%s,more,,1,%s\n", day, id, t.canary[content])
	case 2: // another's id, known to one tenant alone
		if id = "nobody"; len(w.tenants) > 3 && t == w.tenants[3] {
			id = pick(w, w.tenants).external
			t.typed[id] = true
		}
		row("more")
	case 3:
		fmt.Fprintf(&b, "%s,%s,common,%s,1\n", day, id, t.canary[content])
	}
	return []byte(b.String())
}

func submit(w *world, c *credential, _ string) shot {
	if c == nil || c.tenant == nil || len(w.ids[submissions]) > 250 {
		return shot{query: url.Values{"dataset": {"no-such-set"}, "date": {dates[0]}, "name": {"a.csv"}}, body: []byte("nothing"), want: []int{absent}}
	}
	date := pick(w, dates)
	raw := w.text(c.tenant, date)
	query := url.Values{"dataset": {dataset}, "date": {date}, "name": {w.fresh(c.tenant, file) + ".csv"}}
	return shot{query: query, body: raw, want: []int{created}, then: func(a *answer) {
		w.know(submissions, a.field("id"), c.tenant).bytes = raw
		c.tenant.claimed = true
	}}
}

// tus is a header of the tus protocol.
func tus(more ...string) map[string]string {
	h := map[string]string{"Tus-Resumable": "1.0.0"}
	for n := 0; n+1 < len(more); n += 2 {
		h[more[n]] = more[n+1]
	}
	return h
}

const pieces = "application/offset+octet-stream"

// createUpload begins an upload, with nothing, a part or all of it.
func createUpload(w *world, c *credential, _ string) shot {
	said := func(dataset, date, name string) string {
		coded := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
		return "dataset " + coded(dataset) + ",date " + coded(date) + ",filename " + coded(name)
	}
	if c == nil || c.tenant == nil || len(w.ids[uploads]) > 150 {
		return shot{header: tus("Upload-Length", "7", "Upload-Metadata", said("no-such-set", dates[0], "a.csv")), want: []int{absent}}
	}
	date := pick(w, dates)
	raw := w.text(c.tenant, date)
	q := shot{header: tus("Upload-Length", strconv.Itoa(len(raw)), "Upload-Metadata", said(dataset, date, w.fresh(c.tenant, file)+".csv")), want: []int{created}}
	if w.chance(60) {
		q.header["Content-Type"] = pieces
		q.body = raw[:pick(w, []int{1, len(raw) / 2, len(raw)})]
	}
	q.then = func(a *answer) {
		w.know(uploads, a.field("id"), c.tenant).bytes = raw
		w.moved(c, a.field("id"), len(q.body), a)
	}
	return q
}

// moved notes how much of an upload has arrived, and what it became.
func (w *world) moved(c *credential, id string, to int, a *answer) {
	x := w.things[id]
	x.arrived = to
	c.tenant.claimed = c.tenant.claimed || to > 0
	if to == len(x.bytes) {
		w.know(submissions, a.header.Get("Tributary-Submission"), c.tenant).bytes = x.bytes
	}
}

func continueUpload(w *world, c *credential, id string) shot {
	x := w.things[id]
	if x == nil || x.kind != uploads || w.chance(10) {
		return shot{header: tus("Upload-Offset", "999999", "Content-Type", pieces), want: []int{clash}}
	}
	rest := x.bytes[x.arrived:]
	rest = rest[:pick(w, []int{len(rest) / 2, len(rest), len(rest)})]
	q := shot{header: tus("Upload-Offset", strconv.Itoa(x.arrived), "Content-Type", pieces), body: rest, want: []int{empty}}
	q.then = func(a *answer) { w.moved(c, id, x.arrived+len(rest), a) }
	return q
}

func dropUpload(w *world, _ *credential, id string) shot {
	return shot{header: tus(), want: []int{empty}, then: func(*answer) {
		if x := w.things[id]; x != nil {
			x.gone = true
		}
	}}
}

func downloadSubmission(w *world, c *credential, id string) shot {
	x := w.things[id]
	if x != nil && x.deleted {
		return shot{want: []int{absent}}
	}
	return shot{then: func(a *answer) {
		if x == nil || string(a.body) != string(x.bytes) {
			w.fail("download-submission %s as %s: got %q, want what was sent", id, w.who(c), a.body)
		}
	}}
}

func previewSubmission(w *world, _ *credential, id string) shot {
	if x := w.things[id]; x != nil && x.deleted {
		return shot{want: []int{absent}}
	}
	return shot{}
}

func recogniseUploads(w *world, c *credential, _ string) shot {
	name := "a.csv"
	if c != nil && c.tenant != nil {
		name = w.fresh(c.tenant, file) + ".csv"
	}
	return shot{body: document(map[string]any{"files": []any{map[string]any{"name": name, "dataset": dataset, "date": pick(w, dates)}}})}
}

func deleteSubmission(w *world, _ *credential, id string) shot {
	if x := w.things[id]; x != nil && x.tenant != nil && w.held(x.tenant) {
		return shot{want: []int{clash}}
	}
	return shot{then: func(*answer) {
		if x := w.things[id]; x != nil {
			x.deleted = true
		}
	}}
}

func showResultRows(w *world, c *credential, id string) shot {
	q := downloadResult(w, c, id)
	q.query = nil
	return q
}

func downloadResult(w *world, _ *credential, id string) shot {
	want := []int{ok}
	switch x := w.things[id]; {
	case x != nil && x.ended:
		want = []int{clash}
	case w.recalls:
		want = append(want, clash)
	}
	return shot{query: url.Values{"format": {pick(w, []string{"csv", "parquet"})}}, want: want}
}

func recallResult(w *world, _ *credential, id string) shot {
	return shot{body: document(map[string]any{"reason": "a test"}), want: []int{ok, clash}, then: func(*answer) {
		if x := w.things[id]; x != nil {
			x.ended = true
		}
	}}
}

func recallRun(w *world, _ *credential, _ string) shot {
	return shot{body: document(map[string]any{"reason": "a test"}), want: []int{ok, clash}, then: func(*answer) { w.recalls = true }}
}

func setHold(w *world, _ *credential, _ string) shot {
	t := pick(w, w.tenants)
	if t.fading { // its end is wanted
		t = w.tenants[0]
	}
	body := map[string]any{"tenant": pick(w, []string{t.id, t.slug}), "reason": "a test"}
	if w.chance(50) {
		body["dataset"] = dataset
	}
	return shot{body: document(body), want: []int{created}, then: func(a *answer) { w.know(holds, a.field("id"), t) }}
}

func releaseHold(w *world, _ *credential, id string) shot {
	x := w.things[id]
	if x != nil && x.ended {
		return shot{want: []int{clash}}
	}
	return shot{then: func(*answer) {
		if x != nil {
			x.ended = true
		}
	}}
}

// held reports whether a legal hold stands on anything of a tenant.
func (w *world) held(t *tenant) bool {
	for _, id := range w.ids[holds] {
		if x := w.things[id]; x.tenant == t && !x.ended {
			return true
		}
	}
	return false
}

func decide(w *world, _ *credential, _ string) shot {
	version := w.random.IntN(2)
	if w.chance(10) {
		return shot{body: document(map[string]any{"version": 99}), want: []int{absent}}
	}
	return shot{body: document(map[string]any{"version": version})}
}

func reopenPeriod(w *world, _ *credential, _ string) shot {
	t := pick(w, w.tenants)
	return shot{body: document(map[string]any{"tenant": pick(w, []string{t.id, t.slug}), "reason": "a test", "until": time.Now().AddDate(0, 0, 1)}), want: relaxed(t, created)}
}

func closePeriod(w *world, _ *credential, _ string) shot {
	t := pick(w, w.tenants)
	return shot{body: document(map[string]any{"tenant": t.slug}), want: relaxed(t, ok, clash)}
}

func startRuns(w *world, _ *credential, _ string) shot {
	name, want := pick(w, []string{analysis, analysis, analysis, lonely}), created
	if len(w.ids[runs]) > 25 {
		name, want = "no-such-analysis", absent
	}
	return shot{body: document(map[string]any{"analyses": []string{name}, "date": pick(w, dates)}), want: []int{want}, then: w.learnRuns}
}

func learnRuns(w *world, _ *credential, _ string) shot { return shot{then: w.learnRuns} }

func retryRun(w *world, _ *credential, _ string) shot {
	return shot{want: []int{created, clash}, then: func(a *answer) { w.know(runs, a.field("id"), nil) }}
}

// createSchedule makes one of two schedules: one fires while the test goes on.
func createSchedule(w *world, _ *credential, _ string) shot {
	made := pick(w, []map[string]any{
		{"id": "each-minute", "analyses": []string{analysis}, "cron": "* * * * *", "date_offset_days": 1},
		{"id": "each-year", "analyses": []string{analysis, lonely}, "cron": "@yearly", "zone": "Europe/Berlin"},
	})
	name, want := fmt.Sprint(made["id"]), created
	if x := w.things[name]; x != nil && !x.gone {
		want = clash
	}
	return shot{body: document(made), want: []int{want}, then: func(*answer) { w.know(schedules, name, nil).gone = false }}
}

func updateSchedule(w *world, _ *credential, _ string) shot {
	return shot{body: document(pick(w, []map[string]any{{"zone": "America/New_York"}, {"closed": true}, {"date_offset_days": 2}, {"cron": "* * * * *"}}))}
}

func deleteSchedule(w *world, _ *credential, id string) shot {
	return shot{then: func(*answer) { w.things[id].gone = true }}
}

func (w *world) learnRuns(a *answer) {
	var list struct{ Items []struct{ ID string } }
	if err := json.Unmarshal(a.body, &list); err != nil {
		w.fail("runs: got %s: %v", a.body, err)
	}
	for _, r := range list.Items {
		w.know(runs, r.ID, nil)
	}
}
