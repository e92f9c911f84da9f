package warehouse_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"tributary/internal/events"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

// A load is reading a stream, opening its blocks, and the transactions. A commit of intake
// has a block for each of its tenants, so most blocks are of few events.
func BenchmarkLoad(b *testing.B) {
	const tenants = 1000
	for _, perCommit := range []int{100, 1000} {
		b.Run(fmt.Sprintf("commits of %d", perCommit), func(b *testing.B) {
			w := newWorld(b)
			var ids []tenant.ID
			for i := range tenants {
				ids = append(ids, w.tenant(fmt.Sprintf("tenant-%04d", i)))
			}
			if err := w.Load(b.Context()); err != nil {
				b.Fatal(err)
			}
			blocks, err := events.NewBlocks(w.ring, nil)
			if err != nil {
				b.Fatal(err)
			}
			random := rand.New(rand.NewPCG(42, 0))
			zipf := rand.NewZipf(random, 1.1, 1, tenants-1)
			ends := map[tenant.ID]events.Place{}
			made := 0
			fill := func(count int) {
				for ; count > 0; count -= perCommit {
					parts := map[tenant.ID][]events.Event{}
					for range min(perCommit, count) {
						id := ids[zipf.Uint64()]
						made++
						parts[id] = append(parts[id], benchEvent(made, w.hands.Now().Add(-time.Duration(made)*time.Millisecond), random))
					}
					var list []stream.Message
					for id, part := range parts {
						h, block, err := blocks.Seal(b.Context(), events.Header{Stream: string(stream.Events), Tenant: id, Sequence: ends[id].Sequence + 1, Previous: ends[id].Digest}, part)
						if err != nil {
							b.Fatal(err)
						}
						ends[id] = events.PlaceOf(h, block)
						list = append(list, stream.Message{Tenant: id, Data: block})
					}
					if _, err := w.streams.Publish(b.Context(), stream.Events, list); err != nil {
						b.Fatal(err)
					}
				}
			}
			fill(10_000)
			if err := w.Load(b.Context()); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				b.StopTimer()
				fill(50_000)
				b.StartTimer()
				if err := w.Load(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*50_000)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func benchEvent(n int, at time.Time, r *rand.Rand) events.Event {
	return events.Event{ID: fmt.Sprintf("%036d", n), Source: "src_01ARZ3NDEKTSV4RRFFQ69G5FAV", Type: []string{"pageViewed", "jobSubmitted", "loggedIn", "reportOpened"}[n%4],
		Time: at, Received: at, Channel: "segment", User: fmt.Sprintf("user-%06d", r.IntN(100_000)), Anonymous: fmt.Sprintf("%032x", r.Uint64()), Session: fmt.Sprintf("s-%010d", r.IntN(1e6)),
		Data:    fmt.Appendf(nil, `{"path":"/projects/%d/reports/%d","title":"Report of a project","referrer":"https://app.example.com/projects/%d","duration_ms":%d,"plan":"business"}`, r.IntN(1000), r.IntN(10000), r.IntN(1000), r.IntN(100000)),
		Context: fmt.Appendf(nil, `{"groupId":"tenant-00123","ip":"10.1.%d.%d","userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36","library":{"name":"@segment/analytics-node","version":"2.3.0"}}`, r.IntN(256), r.IntN(256))}
}
