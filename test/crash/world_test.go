package crash

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tributary/client"
	"tributary/test/servertest"
)

// world is a server with two parties, what they were told, and what they do.
type world struct {
	*ledger
	t       *testing.T
	ctx     context.Context //nolint:containedctx // the test's, which the ledger's checks share
	server  *servertest.Server
	parties [2]*servertest.Party

	day      int               // the last one that files were sent for
	open     map[string]string // submissions without a verdict, and for which day
	ready    map[string]int    // how many parties' files are accepted, by date
	started  map[string]bool   // runs were started, by date
	revoking map[string]bool   // keys that may have been revoked
	complain []error           // answers that a working disk does not excuse
	dead     bool              // the disk does not work

	overSFTP, overTus *sending
}

func newWorld(t *testing.T, data string) *world { t.Helper(); return newWorldOn(t, data, "") }

func newWorldOn(t *testing.T, data, database string) *world {
	t.Helper()
	return newWorldOf(servertest.Existing(t, data, database))
}

// newWorldOf is newWorld on a server that is not made yet.
func newWorldOf(s *servertest.Server) *world {
	t := s.T
	t.Helper()
	s.Init()
	s.Start()
	a, b := s.Exchange()
	w := &world{ledger: newLedger(), t: t, ctx: t.Context(), server: s, parties: [2]*servertest.Party{&a, &b},
		open: map[string]string{}, ready: map[string]int{}, started: map[string]bool{}, revoking: map[string]bool{}}
	w.uploads()
	return w
}

// restart starts the server that was killed.
func (w *world) restart() {
	w.t.Helper()
	w.dead = false
	w.server.Start()
	w.server.Reconnect(w.parties[:]...)
}

// date is a business date by number.
func date(n int) string {
	return time.Date(2022, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n).Format(time.DateOnly)
}

// load has everybody work at once, until ctx ends.
func (w *world) load(ctx context.Context) (wait func()) {
	var busy sync.WaitGroup
	for _, work := range []func(context.Context, *rand.Rand) error{
		w.send, w.send, w.sendSFTP, w.sendTus, w.learn, w.run, w.keys, w.sendEvents, w.archive, w.watch(w.parties[0]), w.watch(nil),
	} {
		random := rand.New(rand.NewPCG(rand.Uint64(), 0))
		busy.Go(func() {
			for ctx.Err() == nil {
				w.judge(ctx, work(ctx, random))
				pause(ctx, time.Duration(random.IntN(10))*time.Millisecond)
			}
		})
	}
	return busy.Wait
}

// pause waits a little, so that the fastest are not turned away for their rate.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// judge notes an answer that should not have been: any refusal while the disk
// works, and one without a kind when it does not.
func (w *world) judge(ctx context.Context, err error) {
	var answered *client.Error
	if !errors.As(err, &answered) || ctx.Err() != nil && answered.Kind() == client.Cancelled {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch kind := answered.Kind(); {
	case kind == client.Throttled, w.dead && (kind == client.Unavailable || kind == client.StorageFull || kind == client.TimedOut):
	default:
		w.complain = append(w.complain, fmt.Errorf("%s %s, with the disk dead=%t: got %d %s: %w", answered.Method, answered.Path, w.dead, answered.Status, kind, err))
	}
}

// die says that from now on the disk is to blame.
func (w *world) die() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dead = true
}

// bad is a row that no file with it is accepted with.
const bad = "x,y,many"

// send sends a file: a good one, or first a bad one for the same day.
func (w *world) send(ctx context.Context, random *rand.Rand) error {
	w.mu.Lock()
	backlog := len(w.open)
	p := w.parties[w.day%2]
	day := date(w.day / 2)
	if backlog < 4 {
		w.day++
	}
	w.mu.Unlock()
	if backlog >= 4 {
		pause(ctx, 10*time.Millisecond)
		return nil
	}
	good := []string{fmt.Sprintf("x,y,%d", random.IntN(1000)), "x,z,4"}
	if random.IntN(4) == 0 { // of several chunks
		good = append(good, rows(2000+random.IntN(8000))...)
	}
	texts := []string{servertest.Values(p.Number, day, good...)}
	if random.IntN(4) == 0 {
		texts = slices.Insert(texts, 0, servertest.Values(p.Number, day, bad))
	}
	for _, text := range texts {
		sent, err := p.Send(ctx, day, text)
		if err != nil {
			return err
		}
		w.toldFile(p, sent, day, text)
		w.mu.Lock()
		w.open[sent.ID] = day
		w.mu.Unlock()
	}
	return nil
}

func rows(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("many,t%d,%d", i, i%997)
	}
	return list
}

// learn asks for the verdicts that are still open.
func (w *world) learn(ctx context.Context, _ *rand.Rand) error {
	w.mu.Lock()
	var ids []string
	for id := range w.open {
		ids = append(ids, id)
	}
	w.mu.Unlock()
	for _, id := range ids {
		w.mu.Lock()
		p := w.files[id].party
		w.mu.Unlock()
		got, err := p.Submission(ctx, id)
		if err != nil {
			return err
		}
		if !got.Decided() {
			continue
		}
		w.toldVerdict(p, got)
		w.mu.Lock()
		delete(w.open, id)
		if got.State == "accepted" {
			w.ready[got.Date]++
		}
		w.mu.Unlock()
	}
	pause(ctx, 20*time.Millisecond)
	return nil
}

// run runs the analysis for a day for which both parties' files are accepted,
// twice at once, and has a party download its result.
func (w *world) run(ctx context.Context, random *rand.Rand) error {
	w.mu.Lock()
	day := ""
	for d, n := range w.ready {
		if n >= 2 && !w.started[d] {
			day = d
		}
	}
	if day != "" && random.IntN(3) > 0 {
		w.started[day] = true // else another run may be asked for later
	}
	w.mu.Unlock()
	if day == "" {
		pause(ctx, 20*time.Millisecond)
		return nil
	}
	admin := w.server.As(w.server.Token)
	runs, err := admin.StartRuns(ctx, []string{servertest.Analysis}, day)
	if err != nil {
		return err
	}
	got, err := admin.WaitRun(ctx, runs.Items[0].ID, nil)
	if err != nil {
		return err
	}
	if got.State != "succeeded" {
		w.mu.Lock()
		defer w.mu.Unlock()
		if !w.dead {
			w.complain = append(w.complain, fmt.Errorf("run %s for %s: got %s (%s), want succeeded", got.ID, day, got.State, got.Reason))
		}
		return nil
	}
	w.toldRelease(got)
	p := w.parties[random.IntN(2)]
	results, err := p.Results(ctx, client.ResultFilter{Date: day})
	if err != nil {
		return err
	}
	for _, r := range results.Items {
		var content bytes.Buffer
		if _, err := p.ResultContent(ctx, r.ID, "csv", &content, nil); err != nil {
			return err
		}
		w.toldResult(p, r.ID, content.Bytes())
	}
	return nil
}

// keys makes an API key, and revokes every other one.
func (w *world) keys(ctx context.Context, random *rand.Rand) error {
	p := w.parties[random.IntN(2)]
	made, err := p.CreateAPIKey(ctx, client.NewAPIKey{Role: "tenant_user", Name: "crash"})
	if err != nil {
		return err
	}
	w.toldKey(made.ID, key{secret: made.Key})
	pause(ctx, 50*time.Millisecond)
	if random.IntN(2) == 0 {
		return nil
	}
	w.mu.Lock()
	w.revoking[made.ID] = true
	w.mu.Unlock()
	if err := p.RevokeAPIKey(ctx, made.ID); err != nil {
		return err
	}
	w.toldKey(made.ID, key{secret: made.Key, revoked: true})
	return nil
}

// watch reads a chain of the audit log as it grows; nil means the provider's.
func (w *world) watch(p *servertest.Party) func(context.Context, *rand.Rand) error {
	return func(ctx context.Context, _ *rand.Rand) error {
		c, chain := w.server.As(w.server.Token), ""
		if p != nil {
			c, chain = p.Client, p.ID
		}
		w.mu.Lock()
		after := int64(0)
		for seq := range w.entries[chain] {
			after = max(after, seq)
		}
		w.mu.Unlock()
		page, err := c.AuditRecords(ctx, "", after, 1000)
		if err != nil {
			return err
		}
		w.toldEntries(page.Items)
		pause(ctx, 10*time.Millisecond)
		return nil
	}
}

// kept wants all that was told since the last crash, and the audit log.
func (w *world) kept() {
	w.t.Helper()
	w.mu.Lock()
	checks := w.unchecked
	w.unchecked = nil
	problems := w.complain
	w.complain = nil
	w.mu.Unlock()
	for _, check := range checks {
		problems = append(problems, check(w))
	}
	for _, p := range []*servertest.Party{w.parties[0], w.parties[1], nil} {
		problems = append(problems, w.checkAudit(p))
	}
	problems = append(problems, w.checkEvents())
	if err := errors.Join(problems...); err != nil {
		w.t.Errorf("%s", strings.ReplaceAll(err.Error(), "%!w(<nil>)", "no error"))
	}
}

// finish has everything come to its end: each file gets the verdict that it
// deserves, each run its release, and each snapshot only one. What was cut off
// three times may say so instead, and a run of that kind is retried.
func (w *world) finish() {
	w.t.Helper()
	admin := w.server.As(w.server.Token)
	for id, f := range w.files {
		got := must(f.party.WaitSubmission(w.ctx, id))(w.t)
		accepted := got.State == "accepted" || got.State == "superseded"
		unchecked := got.State == "rejected" && len(got.Problems) == 1 && got.Problems[0].Code == "unchecked"
		if accepted != f.good && !unchecked || !accepted && got.State != "rejected" {
			w.t.Errorf("acknowledged submission %s, good=%t: got %s %+v", id, f.good, got.State, got.Problems)
		}
	}
	for r, err := range client.All(w.ctx, admin.Runs, client.RunFilter{}) {
		if err != nil {
			w.t.Fatal(err)
		}
		got := must(admin.WaitRun(w.ctx, r.ID, nil))(w.t)
		if got.State == "failed" && strings.Contains(got.Reason, "stopped without a result") {
			again := must(admin.RetryRun(w.ctx, r.ID))(w.t)
			got = must(admin.WaitRun(w.ctx, again.ID, nil))(w.t)
		}
		if got.State != "succeeded" {
			w.t.Errorf("run %s for %s: got %s (%s), want succeeded", got.ID, got.Date, got.State, got.Reason)
		}
	}
	w.onceReleased()
	w.forgotten()
}

// onceReleased wants one release for each snapshot, and one result of it for
// each party.
func (w *world) onceReleased() {
	w.t.Helper()
	admin := w.server.As(w.server.Token)
	snapshots, releases := map[string][]string{}, map[string]string{}
	for r, err := range client.All(w.ctx, admin.Runs, client.RunFilter{}) {
		if err != nil {
			w.t.Fatal(err)
		}
		got := must(admin.Run(w.ctx, r.ID))(w.t)
		if got.State != "succeeded" {
			continue
		}
		snapshot := got.Date
		for _, i := range got.Inputs {
			snapshot += " " + i.Submission
		}
		if !slices.Contains(snapshots[snapshot], got.Release) {
			snapshots[snapshot] = append(snapshots[snapshot], got.Release)
		}
		releases[got.Release] = got.Date
	}
	for snapshot, list := range snapshots {
		if len(list) != 1 {
			w.t.Errorf("releases of the snapshot %s: got %v, want one", snapshot, list)
		}
	}
	for _, p := range w.parties {
		count := map[string]int{}
		for r, err := range client.All(w.ctx, p.Results, client.ResultFilter{}) {
			if err != nil {
				w.t.Fatal(err)
			}
			count[r.Release]++
		}
		for release, day := range releases {
			if count[release] != 1 {
				w.t.Errorf("results of %s for %s from %s: got %d, want one", p.Slug, day, release, count[release])
			}
		}
		if len(count) != len(releases) {
			w.t.Errorf("results of %s: got %d releases, want %d", p.Slug, len(count), len(releases))
		}
	}
}
