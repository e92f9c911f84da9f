package schedule

import (
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"tributary/internal/analysis"
	"tributary/internal/audit"
	"tributary/internal/clock"
	"tributary/internal/control"
	"tributary/internal/exchange"
	"tributary/internal/job"
	"tributary/internal/keys"
	"tributary/internal/keys/keystest"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// hands are a clock that the test sets. It can stop the program at one of the
// moments at which it is asked for the time or for something random.
type hands struct {
	mu    sync.Mutex
	now   time.Time
	asked int
	stop  int // at the how many-th; 0: never
}

type crash struct{}

func (h *hands) ask() {
	h.asked++
	if h.asked == h.stop {
		panic(crash{})
	}
}

func (h *hands) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ask()
	return h.now
}

// Read implements io.Reader: what is random differs each time.
func (h *hands) Read(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ask()
	return rand.Read(p)
}

func (h *hands) set(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = now
}

// crashes runs f and has the program end at the n-th moment that it asks the clock;
// it reports whether it got that far.
func (h *hands) crashes(n int, f func()) (crashed bool) {
	h.mu.Lock()
	h.asked, h.stop = 0, n
	h.mu.Unlock()
	defer func() {
		h.stop = 0
		if p := recover(); p != nil {
			if _, ok := p.(crash); !ok {
				panic(p)
			}
			crashed = true
		}
	}()
	f()
	return false
}

// world is a server's schedules with what they need, and no workers.
type world struct {
	*Schedules
	t     *testing.T
	hands *hands
	ctl   *control.Control

	engine *policy.Engine
}

func each(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	metatest.Each(t, func(t *testing.T, db *meta.DB) {
		t.Parallel()
		f(t, newWorld(t, db))
	})
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const begin = "2026-03-10T12:00:00Z"

func newWorld(t *testing.T, db *meta.DB) *world {
	t.Helper()
	h := &hands{now: moment(t, begin)}
	c := clock.Clock{NowFunc: h.Now, Rand: h}
	kek, secrets := keystest.New(t, c)
	engine, err := policy.New(policy.Config{Clock: c})
	check(t, err)
	ctl := control.New(control.Config{DB: db, Policy: engine, Clock: c})
	ring, err := keys.NewRing(keys.Config{KEK: kek, Store: ctl, Clock: c, Secrets: secrets})
	check(t, err)
	log := audit.New(audit.Config{DB: db, Keys: ring, Clock: c})
	ctl.SetKeys(ring)
	ctl.SetAudit(log)
	jobs := job.New(job.Config{DB: db, Clock: c})
	x := exchange.New(exchange.Config{DB: db, Tenants: ctl, Policy: engine, Audit: log, Jobs: jobs, Keys: ring, Clock: c})
	a := analysis.New(analysis.Config{DB: db, Exchange: x, Control: ctl, Policy: engine, Audit: log, Jobs: jobs, Keys: ring, Clock: c, Version: "test"})
	w := &world{t: t, hands: h, ctl: ctl, engine: engine, Schedules: New(Config{DB: db, Analyses: a, Exchange: x, Audit: log, Keys: ring, Clock: c})}
	w.apply("daily", "cadence: daily\ndue: {after_days: 1, at: '06:00', grace: 6h}\n")
	w.apply("monthly", "cadence: monthly\ndue: {after_days: 5, at: '12:00'}\n")
	w.apply("loose", "")
	w.apply("single", "due: {after_days: 1, at: '06:00'}\n")
	return w
}

// apply makes a dataset and an analysis of it, of the same name.
func (w *world) apply(name, due string) {
	w.t.Helper()
	_, _, err := w.Exchange.UnscopedApplyDataset(w.t.Context(), "usr_admin", []byte("dataset: "+name+"\ncolumns:\n  - {name: Tag, type: text, required: true}\n  - {name: Value, type: decimal, scale: 2, required: true}\n"+due))
	check(w.t, err)
	w.analyse(name, name)
}

func (w *world) analyse(name, datasets string) {
	w.t.Helper()
	text := "analysis: " + name + "\ntitle: T\ndatasets: [" + datasets + "]\ngroups: [Tag]\nmeasures:\n"
	for i, dataset := range strings.Split(datasets, ", ") {
		text += fmt.Sprintf("  - {name: N%d, function: count, dataset: %s}\n", i, dataset)
	}
	_, _, err := w.Analyses.UnscopedApply(w.t.Context(), "usr_admin", []byte(text))
	check(w.t, err)
}

// restarted is the same server in a new process.
func (w *world) restarted() *world {
	next := *w
	next.Schedules = New(w.Config)
	return &next
}

func (w *world) at(text string) { w.t.Helper(); w.hands.set(moment(w.t, text)) }

func (w *world) make(n NewSchedule) Schedule {
	w.t.Helper()
	made, err := w.Create(w.t.Context(), "usr_admin", n)
	check(w.t, err)
	return made
}

// turn does a round, and wants no error.
func (w *world) turn() time.Time {
	w.t.Helper()
	next, err := w.once(w.t.Context())
	check(w.t, err)
	return next
}

// fired is what a schedule did, the oldest first: the time of each firing with the
// analyses and dates of its runs.
func (w *world) fired(name string) string {
	w.t.Helper()
	list, _, err := w.Firings(w.t.Context(), name, meta.Page{Limit: 500})
	check(w.t, err)
	var texts []string
	for _, f := range list {
		text := f.At.Format("2006-01-02T15:04")
		if f.Cause != byCron {
			text += " reopened"
		}
		for _, r := range f.Runs {
			text += " " + r.Analysis + ":" + r.Date
		}
		texts = append([]string{text}, texts...)
	}
	return strings.Join(texts, "\n")
}

func (w *world) wants(name, want string) {
	w.t.Helper()
	var lines []string
	for _, line := range strings.Split(strings.TrimSpace(want), "\n") {
		lines = append(lines, strings.TrimSpace(line))
	}
	if got := w.fired(name); got != strings.Join(lines, "\n") {
		w.t.Errorf("%s fired:\n%s\nwant:\n%s", name, got, strings.Join(lines, "\n"))
	}
	// Each run in the ledger is there, and there is none beside them.
	var ledger, runs int64
	check(w.t, w.DB.QueryRow(w.t.Context(), `SELECT count(DISTINCT run) FROM schedule_runs`).Scan(&ledger))
	check(w.t, w.DB.QueryRow(w.t.Context(), `SELECT count(*) FROM runs r WHERE EXISTS (SELECT 1 FROM schedule_runs l WHERE l.run = r.id)`).Scan(&runs))
	var all, jobs int64
	check(w.t, w.DB.QueryRow(w.t.Context(), `SELECT count(*) FROM runs`).Scan(&all))
	check(w.t, w.DB.Unscoped().QueryRow(w.t.Context(), `SELECT count(*) FROM jobs WHERE kind = 'run'`).Scan(&jobs))
	if ledger != runs || runs != all || all != jobs {
		w.t.Errorf("%d runs in the ledger, %d of them there, %d in all, %d jobs", ledger, runs, all, jobs)
	}
}

// join makes a tenant.
func (w *world) join(slug string) tenant.ID {
	w.t.Helper()
	made, err := w.ctl.UnscopedOnboard(w.t.Context(), "usr_admin", slug, control.NewTenant{Slug: slug, Name: slug, Organisation: slug, ExternalIDs: []string{slug}, Tier: tenant.Basic})
	check(w.t, err)
	return made.ID
}

// accept has a tenant's admin agree to an analysis.
func (w *world) accept(id tenant.ID, name string) { w.decide(id, name, analysis.Accepted) }

func (w *world) decide(id tenant.ID, name string, d analysis.Decision) {
	w.t.Helper()
	scope, err := w.engine.Scope(w.t.Context(), policy.Principal{Credential: w.Clock.ID("key"), Kind: policy.APIKey, Tenant: id, Role: policy.TenantAdmin, VerifiedAt: w.Clock.Now()})
	check(w.t, err)
	_, err = w.Analyses.Decide(w.t.Context(), scope, name, 0, d)
	check(w.t, err)
}

// send writes an accepted submission down.
func (w *world) send(id tenant.ID, dataset, date string) {
	w.t.Helper()
	now := meta.Micros(w.Clock.Now())
	_, err := w.DB.For(id).Exec(w.t.Context(), `
		INSERT INTO submissions (id, tenant, dataset, dataset_version, date, revision, state, name, channel, size, object, accepted_object, commitment, received_at, validated_at, error_count, submitted_by)
		VALUES ($1, $2, $3, 1, $4, (SELECT count(*) + 1 FROM submissions WHERE tenant = $2 AND dataset = $3 AND date = $4), 'accepted', $5, 'api', 1, 'obj_1', 'obj_2', $5, $6, $6, 0, 'usr_1')`,
		w.Clock.ID("sub"), string(id), dataset, date, []byte("x"), now)
	check(w.t, err)
}

// through is the cut-off of a schedule's only run for a date.
func (w *world) through(analysis, date string) string {
	w.t.Helper()
	list, _, err := w.Analyses.UnscopedRuns(w.t.Context(), analysisFilter(analysis, date), meta.Page{})
	check(w.t, err)
	var texts []string
	for _, r := range list {
		text := "none"
		if r.Through != nil {
			text = r.Through.Format(time.RFC3339)
		}
		texts = append(texts, fmt.Sprintf("%s by %s", text, r.StartedBy))
	}
	return strings.Join(texts, ", ")
}

func analysisFilter(name, date string) analysis.RunFilter {
	return analysis.RunFilter{Analysis: name, Date: date}
}

// forgetful is the same server in a new process, which has read no definition yet.
func (w *world) forgetful() *world {
	next := w.restarted()
	next.Analyses = analysis.New(w.Analyses.Config)
	next.Schedules.Analyses = next.Analyses
	return next
}
