package main

import (
	"testing"
	"time"
)

func TestSpread(t *testing.T) {
	t.Parallel()
	if got, want := spreadOf([]float64{0.5, 0.25, 4, 1}), (spread[float64]{0.5, 0.25, 4}); got != want {
		t.Errorf("spread of four: %v, want %v", got, want)
	}
	if got, want := spreadOf([]time.Duration{3e6, 1e6, 2e6}).String(), "median 2.0 ms, min 1.0 ms, max 3.0 ms"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
}

func TestPercentile(t *testing.T) {
	t.Parallel()
	list := make([]int, 200)
	for i := range list {
		list[i] = i + 1
	}
	for _, c := range []struct{ n, p, want int }{{200, 99, 198}, {200, 100, 200}, {200, 50, 100}, {200, 0, 1}, {1, 99, 1}, {3, 50, 2}} {
		if got := percentile(list[:c.n], c.p); got != c.want {
			t.Errorf("percentile %d of %d: %d, want %d", c.p, c.n, got, c.want)
		}
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	if got, err := choose([]string{"13", "6"}); err != nil || len(got) != 2 || got[0].name != "13" || got[1].name != "6" {
		t.Errorf("chose %v, %v", got, err)
	}
	if _, err := choose([]string{"no such row"}); err == nil {
		t.Error("a row that is not there was found")
	}
}
