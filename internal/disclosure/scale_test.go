package disclosure

import (
	"math/rand/v2"
	"testing"
)

// BenchmarkProtect protects tables of several sizes; see bench/ for the figures that
// are promised.
func BenchmarkProtect(b *testing.B) {
	for _, c := range []struct {
		name          string
		organisations int
		each          int
		dimensions    []Dimension
	}{
		{"cells=1100", 200, 60, []Dimension{branches(10, 10), branches(9)}},
		{"cells=96000", 400, 120, []Dimension{branches(10, 30), branches(10, 30)}},
	} {
		b.Run(c.name, func(b *testing.B) {
			tab := filled(rand.New(rand.NewPCG(1, 1)), c.organisations, 100, c.each, c.dimensions...)
			b.ReportAllocs()
			for b.Loop() {
				p, err := Protect(b.Context(), preset, LeastCells, tab)
				if err != nil {
					b.Fatal(err)
				}
				hidden := 0
				for _, h := range p.Hidden {
					if h {
						hidden++
					}
				}
				b.ReportMetric(float64(hidden), "hidden")
				b.ReportMetric(float64(len(p.Witnesses)), "witnesses")
			}
		})
	}
}
