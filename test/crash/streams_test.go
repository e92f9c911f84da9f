package crash

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"tributary/client"
	"tributary/test/servertest"
)

// published wants each act that the audit log has on one of the streams, once and in
// order, as soon as the server has come round to it.
func (w *world) published() {
	w.t.Helper()
	for _, p := range []*servertest.Party{w.parties[0], w.parties[1], nil} {
		c, chain := w.server.As(w.server.Token), ""
		if p != nil {
			c, chain = p.Client, p.ID
		}
		entries := map[int64]bool{}
		for after := int64(0); ; {
			page := must(c.AuditRecords(w.ctx, "", after, 5000))(w.t)
			if len(page.Items) == 0 {
				break
			}
			for _, r := range page.Items {
				entries[r.Seq] = true
			}
			after = page.Items[len(page.Items)-1].Seq
		}
		for missing := entries; len(missing) > 0; {
			if w.ctx.Err() != nil {
				w.t.Fatalf("chain %q: entries %v are on no stream", chain, slices.Sorted(maps.Keys(missing)))
			}
			missing = maps.Clone(entries)
			for seq, times := range w.onStreams(c, chain) {
				if times > 1 {
					w.t.Fatalf("entry %d of %q is on the streams %d times", seq, chain, times)
				}
				delete(missing, seq)
			}
		}
	}
}

// onStreams counts the events of a chain by the number of their entry.
func (w *world) onStreams(c *client.Client, chain string) map[int64]int {
	w.t.Helper()
	seen := map[int64]int{}
	for _, n := range []string{"tenants", "users", "jobs"} {
		last := int64(0)
		for e, err := range client.All(w.ctx, c.EveryStreamEvent(n), client.StreamFilter{}) {
			if err != nil {
				w.t.Fatal(err)
			}
			number, _, _ := strings.Cut(e.ID, "-")
			seq, err := strconv.ParseInt(number, 10, 64)
			if err != nil || e.Source != "tributary" || !strings.HasPrefix(e.Type, "tributary.") {
				w.t.Fatalf("stream %s has %+v", n, e)
			}
			if e.Tenant != chain {
				continue
			}
			if seq <= last {
				w.t.Fatal(fmt.Sprint("entry ", seq, " of ", chain, " comes after ", last, " on stream ", n))
			}
			last = seq
			seen[seq]++
		}
	}
	return seen
}
