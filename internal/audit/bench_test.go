package audit_test

import (
	"testing"

	"tributary/internal/audit"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
)

// BenchmarkVerify reads and verifies 200,000 stored entries in four chains. The
// floor is 200,000 entries a second.
func BenchmarkVerify(b *testing.B) {
	s := newBench(b, metatest.Open(b, metatest.SQLite(b)))
	const chains, each = 4, 50_000
	for range chains {
		id := s.newTenant(b)
		for range each / 10_000 {
			s.append(b, id, 10_000)
			s.checkpoint(b)
		}
	}
	b.ResetTimer()
	for b.Loop() {
		if f := s.verify(b); len(f) != 0 {
			b.Fatal(f)
		}
	}
	b.ReportMetric(float64(chains*each*b.N)/b.Elapsed().Seconds(), "entries/s")
}

// BenchmarkAppend is what an entry adds to the transaction of its act.
func BenchmarkAppend(b *testing.B) {
	s := newBench(b, metatest.Open(b, metatest.SQLite(b)))
	if err := s.Config.DB.Transact(b.Context(), func(tx *meta.DB) error {
		for b.Loop() {
			if err := s.Append(b.Context(), tx, audit.Entry{
				Tenant: s.a, Actor: "usr_1", Verb: "submission.receive", Subject: "sub_1", Outcome: "ok", Details: map[string]any{"name": "a.csv"},
			}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
}
