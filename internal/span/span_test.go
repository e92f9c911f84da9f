package span_test

import (
	"fmt"
	"testing"
	"time"

	"tributary/internal/fault"
	"tributary/internal/span"
)

var now = time.Date(2026, 3, 31, 22, 30, 0, 0, time.UTC) // in Berlin the next day has begun

func TestRangesAreResolvedInTheirZone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		q           span.Query
		from, to    string
		each        string
		n           int
		first, last string // label and whether it is partial
	}{
		"nothing said":         {span.Query{}, "2026-03-02T00:00:00Z", "2026-04-01T00:00:00Z", "day", 30, "2026-03-02 false", "2026-03-31 true"},
		"another zone":         {span.Query{Zone: "Europe/Berlin"}, "2026-03-02T23:00:00Z", "2026-04-01T22:00:00Z", "day", 30, "2026-03-03 false", "2026-04-01 true"},
		"a day of 23 hours":    {span.Query{Zone: "Europe/Berlin", From: "2026-03-29", To: "2026-03-29"}, "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", "day", 1, "2026-03-29 false", "2026-03-29 false"},
		"many days by month":   {span.Query{From: "2025-10-15", To: "2026-02-28"}, "2025-10-15T00:00:00Z", "2026-03-01T00:00:00Z", "month", 5, "2025-10 true", "2026-02 false"},
		"cut in a month":       {span.Query{From: "2026-01-01", To: "2026-02-10", Each: "month"}, "2026-01-01T00:00:00Z", "2026-02-11T00:00:00Z", "month", 2, "2026-01 false", "2026-02 true"},
		"midnight that is not": {span.Query{Zone: "America/Santiago", From: "2025-09-06", To: "2025-09-08"}, "2025-09-06T04:00:00Z", "2025-09-09T03:00:00Z", "day", 3, "2025-09-06 false", "2025-09-08 false"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := span.Resolve(now, c.q)
			if err != nil {
				t.Fatal(err)
			}
			said := func(b span.Bucket) string { return fmt.Sprint(b.Label, " ", b.Partial) }
			if got := fmt.Sprint(s.From.Format(time.RFC3339), s.To.Format(time.RFC3339), s.Each, len(s.Buckets)); got != fmt.Sprint(c.from, c.to, c.each, c.n) {
				t.Errorf("got %s, want %s", got, fmt.Sprint(c.from, c.to, c.each, c.n))
			}
			if first, last := said(s.Buckets[0]), said(s.Buckets[len(s.Buckets)-1]); first != c.first || last != c.last {
				t.Errorf("got %s to %s, want %s to %s", first, last, c.first, c.last)
			}
			at := s.From
			for _, b := range s.Buckets {
				if !b.From.Equal(at) || !b.To.After(b.From) {
					t.Fatalf("%s is from %s to %s, the one before ends at %s", b.Label, b.From, b.To, at)
				}
				at = b.To
			}
			if !at.Equal(s.To) {
				t.Errorf("the last ends at %s, want %s", at, s.To)
			}
		})
	}
}

func TestWhatIsNoRangeIsRefused(t *testing.T) {
	t.Parallel()
	for _, q := range []span.Query{
		{From: "2026-03-02", To: "2026-03-01"}, {From: "yesterday"}, {To: "2026-02-30"}, {Zone: "Nowhere"}, {Zone: "Local"}, {Each: "hour"},
		{From: "2020-01-01", Each: "day"}, {From: "0001-01-01"},
	} {
		if _, err := span.Resolve(now, q); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: got %v, want it refused as invalid", q, err)
		}
	}
}
