package live_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"tributary/internal/clock"
	"tributary/internal/live"
	"tributary/internal/tenant"
)

func ids(list []live.Change) []string {
	var all []string
	for _, c := range list {
		all = append(all, c.ID)
	}
	return all
}

// Random changes of three tenants, the provider and everybody; each watcher reads at
// random moments, and sometimes goes away and comes back to its place.
func TestEachSeesItsOwnInOrderAndOnce(t *testing.T) {
	t.Parallel()
	h := live.New(clock.Clock{})
	random := rand.New(rand.NewPCG(1, 2))
	owners := []tenant.ID{"", "a", "b", "c"}
	watches, got, want := map[tenant.ID]*live.Watch{}, map[tenant.ID][]string{}, map[tenant.ID][]string{}
	for _, o := range owners {
		watches[o] = h.Watch(o, "")
	}
	watches[""] = h.UnscopedWatch("")
	for n := range 20000 {
		owner, id := owners[random.IntN(4)], fmt.Sprint(n)
		c := live.Change{Kind: live.Submission, ID: id, Tenant: owner, Common: owner == "" && random.IntN(2) == 0}
		h.Tell(c)
		for _, o := range owners {
			if o == "" || c.Common || o == owner {
				want[o] = append(want[o], id)
			}
		}
		reader := owners[random.IntN(4)]
		switch w := watches[reader]; random.IntN(100) {
		case 0: // it comes back
			place := w.Place()
			if watches[reader] = h.Watch(reader, place); reader == "" {
				watches[reader] = h.UnscopedWatch(place)
			}
		case 1, 2, 3:
			list, missed, _ := w.Next()
			if missed {
				t.Fatalf("%q missed some after %d", reader, n)
			}
			got[reader] = append(got[reader], ids(list)...)
		}
	}
	for _, o := range owners {
		list, _, _ := watches[o].Next()
		if got[o] = append(got[o], ids(list)...); !slices.Equal(got[o], want[o]) {
			t.Errorf("%q: got %d changes, want %d, the same in order", o, len(got[o]), len(want[o]))
		}
	}
}

func TestWhoComesTooLateIsTold(t *testing.T) {
	t.Parallel()
	h := live.New(clock.Clock{})
	slow, other := h.Watch("a", ""), h.Watch("b", "")
	h.Tell(live.Change{Kind: live.Run, ID: "first", Tenant: "a"})
	for range 10000 {
		h.Tell(live.Change{Kind: live.Run, Tenant: "c"})
	}
	if list, missed, _ := slow.Next(); !missed || len(list) != 0 {
		t.Errorf("more than is kept: got %d changes, missed %t, want it to be said", len(list), missed)
	}
	if _, missed, _ := slow.Next(); missed {
		t.Error("said twice that some were missed")
	}
	if _, missed, _ := other.Next(); missed {
		t.Error("a tenant without changes was told that it missed some of others'")
	}
	if a, b := h.Watch("a", "").Place(), h.Watch("b", "").Place(); a[len(a)-2:] != ".1" || b[len(b)-2:] != ".0" {
		t.Errorf("places: got %s and %s, want them to count one's own changes and no others'", a, b)
	}
	for _, place := range []string{live.New(clock.Clock{}).Watch("a", "").Place(), slow.Place() + "0", "nonsense", slow.Place()[:9] + "-1"} {
		if _, missed, _ := h.Watch("a", place).Next(); !missed {
			t.Errorf("a watch from %q: not told that it may have missed some", place)
		}
	}
}

func TestANewChangeWakes(t *testing.T) {
	t.Parallel()
	h := live.New(clock.Clock{})
	w := h.Watch("a", "")
	_, _, more := w.Next()
	select {
	case <-more:
		t.Fatal("woken by nothing")
	default:
	}
	h.Tell(live.Change{Kind: live.Run, Tenant: "b"})
	<-more
	(*live.Hub)(nil).Tell(live.Change{Kind: live.Run}) // nobody listens
	h.Close()
	h.Close()
	<-h.Done()
}
