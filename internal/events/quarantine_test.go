package events_test

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"tributary/internal/events"
	"tributary/internal/tenant"
)

// A tenant whose key cannot be used is refused alone, and what it has there hides
// nothing else.
func TestOneTenantsKeyHoldsUpNoOthersQuarantine(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.tenant("acme")
		errs := events.Hold(t.Context(), w.Events, a.ID, "ten_none", a.ID)
		if len(errs) != 3 || errs[0] != nil || errs[1] == nil || errs[2] != nil {
			t.Fatalf("got %v, want the second refused alone", errs)
		}
		list, _, err := w.Quarantine(t.Context(), w.admin(a.ID), events.HeldFilter{}, page)
		if err != nil || len(list) != 2 || len(list[0].Event) == 0 {
			t.Fatalf("got %+v, %v, want two that can be replayed, although their time cannot be written", list, err)
		}
		if _, err := w.DB.Unscoped().Exec(t.Context(), `UPDATE quarantined_events SET body = $1 WHERE id = $2`, []byte("broken"), list[0].ID); err != nil {
			t.Fatal(err)
		}
		list, _, err = w.Quarantine(t.Context(), w.admin(a.ID), events.HeldFilter{}, page)
		if err != nil || len(list) != 2 || !strings.Contains(list[0].Reason+list[1].Reason, "cannot be opened") {
			t.Errorf("got %+v, %v, want both, and of one that it cannot be opened", list, err)
		}
		if done, err := w.Replay(t.Context(), w.admin(a.ID), events.HeldFilter{}); err != nil || done.Kept != 1 || done.Left != 1 {
			t.Errorf("got %+v, %v, want one kept and one left", done, err)
		}
	})
}

// What is in quarantine is bounded in bytes, and a replay goes past what stays there.
func TestQuarantineIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.config.Rates = map[tenant.Tier]int{tenant.Basic: 100_000}
		w.again()
		a := w.tenant("acme")
		s, _ := w.source(w.admin(a.ID), events.NewSource{Strict: true})
		noise := make([]byte, 240<<10) // which no packing makes smaller
		_, _ = rand.Read(noise)
		large := jsontext.Value(`{"a":"` + hex.EncodeToString(noise) + `"}`)
		dropped := 0
		for n := range 80 { // 37 MiB
			e := login(fmt.Sprint(n))
			e.Data = large.Clone()
			if v := w.take(s, e); !strings.Contains(v[0].Details, "in quarantine") {
				dropped++
			}
		}
		if dropped < 5 || dropped > 20 {
			t.Errorf("got %d of 80 refused, want those beyond 32 MiB, half of what there is", dropped)
		}
		other, _ := w.source(w.admin(a.ID), events.NewSource{Strict: true})
		if v := w.take(other, login("1")); !strings.Contains(v[0].Details, "in quarantine") {
			t.Errorf("another source: got %+v, want it in quarantine, in which the first left room", v[0])
		}
		list, next, err := w.Quarantine(t.Context(), w.admin(a.ID), events.HeldFilter{}, page)
		if err != nil || len(list) != 50 || next == "" {
			t.Errorf("got %d, next %q, %v, want a page of 50", len(list), next, err)
		}
		done, err := w.Replay(t.Context(), w.admin(a.ID), events.HeldFilter{})
		if err != nil || done.Left != 81-dropped {
			t.Errorf("got %+v, %v, want all %d looked at", done, err, 81-dropped)
		}
	})
}

// Who had more than its share before there were shares keeps nobody out, nor do several
// that have all there is: each source has its own part.
func TestAFullQuarantineHasAPartForEach(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.tenant("acme")
		if _, err := w.config.DB.For(a.ID).Exec(t.Context(), `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
			INSERT INTO quarantined_events (id, tenant, about, source, reason, body, received_at) SELECT 'qua_' || i, $1, $1, 'src_loud', 'unfit', $2, 0 FROM n`, string(a.ID), []byte("x")); err != nil {
			t.Fatal(err)
		}
		s, _ := w.source(w.admin(a.ID), events.NewSource{Strict: true})
		kept := 0
		for n := range 6 {
			var list []events.Event
			for k := range 100 {
				list = append(list, login(fmt.Sprint(n, " ", k)))
			}
			for _, v := range w.take(s, list...) {
				if strings.Contains(v.Details, "in quarantine") {
					kept++
				}
			}
		}
		if kept != 500 {
			t.Errorf("%d events are kept, want the 500 of a source's own part", kept)
		}
	})
}

// An event whose tenant was made a moment ago is taken in, though it was not there a moment before.
func TestAReplayFindsTheTenantThatIsThereNow(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		s, _ := w.source(provider, events.NewSource{TenantField: "context.groupId"})
		e := login("1")
		e.Context = jsontext.Value(`{"groupId":"acme"}`)
		w.take(s, e)
		w.tenant("acme")
		if done, err := w.Replay(t.Context(), provider, events.HeldFilter{}); err != nil || done.Kept != 1 {
			t.Errorf("got %+v, %v, want the event kept", done, err)
		}
	})
}
