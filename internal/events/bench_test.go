package events_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"tributary/internal/events"
	"tributary/internal/meta/metatest"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// BenchmarkRemember fills the memory of what was received from the stream, as a start
// does: ns/op are those of an event of about 580 bytes.
func BenchmarkRemember(b *testing.B) {
	w := newWorld(b, metatest.Open(b, metatest.SQLite(b)))
	w.config.Rates = map[tenant.Tier]int{tenant.Basic: 1_000_000}
	w.again()
	a := w.tenant("acme")
	s, err := w.Own(b.Context(), w.scope(a.ID, policy.TenantAdmin), tenant.Basic)
	if err != nil {
		b.Fatal(err)
	}
	const each, batches = 1000, 100
	for n := range batches {
		var list []events.Event
		for i := range each {
			e := login(fmt.Sprintf("%032x", n*each+i))
			e.User = fmt.Sprint("user", i)
			e.Data = jsontext.Value(fmt.Sprintf(`{"page":"/some/path/%d","total":%d.25,"text":%q,"more":{"a":[1,2,3],"b":"%d"}}`, i, n, strings.Repeat("lorem ipsum ", 25), n*i))
			list = append(list, e)
		}
		w.take(s, list...)
	}
	b.ResetTimer()
	done := 0
	for done < b.N {
		w.again()
		if err := w.Remember(b.Context()); err != nil {
			b.Fatal(err)
		}
		done += each * batches
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(done), "ns/event")
}
