package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"tributary/client"
	"tributary/test/servertest"
)

// sendEvents sends some events, and notes those that it was told are kept.
func (w *world) sendEvents(ctx context.Context, random *rand.Rand) error {
	p := w.parties[random.IntN(2)]
	var list []string
	for range 1 + random.IntN(30) {
		list = append(list, fmt.Sprintf(`{"specversion":"1.0","id":"%016x","source":"/crash","type":"crash","data":{"text":%q}}`, random.Uint64(), strings.Repeat("x", random.IntN(3000))))
	}
	got, err := p.SendEvents(ctx, []byte("["+strings.Join(list, ",")+"]"))
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, v := range got.Items {
		switch v.Result {
		case "ok", "duplicate":
			w.events[v.ID] = p
		case "retry":
		default:
			w.complain = append(w.complain, fmt.Errorf("event %s: got %s (%s), want it kept", v.ID, v.Result, v.Details))
		}
	}
	return nil
}

// archive archives what the streams have, and now and then sends what somebody did and has
// it erased.
func (w *world) archive(ctx context.Context, random *rand.Rand) error {
	if random.IntN(4) > 0 {
		pause(ctx, 50*time.Millisecond)
		return w.server.As(w.server.Token).FlushArchive(ctx)
	}
	p := w.parties[random.IntN(2)]
	user := fmt.Sprintf("gone-%016x", random.Uint64())
	if _, err := p.SendEvents(ctx, fmt.Appendf(nil, `[{"specversion":"1.0","id":"1-%[1]s","source":"/crash","type":"crash","user":%[1]q,"anonymous":"at-%[1]s"},{"specversion":"1.0","id":"2-%[1]s","source":"/crash","type":"crash","anonymous":"at-%[1]s"}]`, user)); err != nil {
		return err
	}
	begun, err := p.EraseUser(ctx, client.EraseUser{User: user, Linked: true})
	if err == nil {
		w.mu.Lock()
		w.erased[begun.ID] = p
		w.mu.Unlock()
	}
	return err
}

// forgotten wants every erasure that was acknowledged done, and nobody there who was erased.
func (w *world) forgotten() {
	w.t.Helper()
	names := []string{"''"}
	for id, p := range w.erased {
		done := must(p.WaitErasure(w.ctx, id, nil))(w.t)
		if len(done.Names) != 2 || done.Unread != 0 {
			w.t.Errorf("erasure: %+v, want two names", done)
		}
		for _, name := range done.Names {
			names = append(names, "'"+name+"'")
		}
	}
	admin := w.server.As(w.server.Token)
	if err := admin.FlushArchive(w.ctx); err != nil {
		w.t.Error(err)
	}
	must(admin.RestoreArchive(w.ctx, client.ArchiveRange{Stream: "events"}, nil))(w.t)
	found := must(admin.Query(w.ctx, client.NewQuery{SQL: "SELECT count(*) FROM fact_event WHERE coalesce(user_id, anonymous_id) IN (" + strings.Join(names, ", ") + ")"}))(w.t)
	if found.Rows[0][0] != 0.0 {
		w.t.Errorf("%v events of people who were erased are there", found.Rows[0][0])
	}
	if v := must(admin.VerifyArchive(w.ctx, client.ArchiveRange{}, nil))(w.t); len(v.Findings) > 0 {
		w.t.Errorf("the archive: %+v", v.Findings)
	}
}

// checkEvents wants every event that was said to be kept on its tenant's stream.
func (w *world) checkEvents() error {
	there := map[string]*servertest.Party{}
	for _, p := range w.parties {
		for e, err := range client.All(w.ctx, p.EveryStreamEvent("events"), client.StreamFilter{TenantPage: client.TenantPage{Page: client.Page{Limit: 500}}}) {
			if err != nil {
				return fmt.Errorf("list events: %w", err)
			}
			there[e.ID] = p
		}
	}
	var problems []error
	for id, p := range w.events {
		if there[id] != p {
			problems = append(problems, fmt.Errorf("acknowledged event %s of %s is not on its stream", id, p.Tenant.Slug))
		}
	}
	return errors.Join(problems[:min(len(problems), 5)]...)
}

// inWarehouse wants every event that was said to be kept in the warehouse, which a
// restored server fills from its archive.
func (w *world) inWarehouse() {
	w.t.Helper()
	var missing int
	var failed error
	for deadline := time.Now().Add(servertest.Patience); time.Now().Before(deadline); pause(w.ctx, 200*time.Millisecond) {
		answer, err := w.server.As(w.server.Token).Query(w.ctx, client.NewQuery{SQL: "SELECT DISTINCT id FROM fact_event", Rows: 100_000})
		if failed = err; err != nil { // it may be busy with the events
			continue
		}
		there := map[string]bool{}
		for _, row := range answer.Rows {
			id, _ := row[0].(string)
			there[id] = true
		}
		missing = 0
		for id := range w.events {
			if !there[id] {
				missing++
			}
		}
		if missing == 0 {
			return
		}
	}
	w.t.Errorf("%d of %d acknowledged events are not in the restored warehouse: %v", missing, len(w.events), failed)
}
