package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"tributary/internal/disclosure"
)

// Floors of row disclosure.
const (
	largeTime, largeMemory = 60 * time.Second, 1_000_000_000
	smallTime              = time.Second
)

// gate protects tables by the default rules, and has the proof checked, which Protect
// does before it answers. Then it has small tables solved by trying every set of cells,
// to see how much less could have been hidden.
func (b *bench) gate(ctx context.Context) error {
	for _, c := range []struct {
		name   string
		trees  [2][]int // how many each node has below it
		limit  time.Duration
		memory int64
	}{
		{"10^3 cells", [2][]int{{5, 6}, {5, 5}}, smallTime, largeMemory},
		{"10^5 cells", [2][]int{{10, 31}, {10, 31}}, largeTime, largeMemory},
	} {
		for cost, name := range []string{disclosure.LeastCells: "fewest cells", disclosure.LeastValue: "least value"} {
			debug.FreeOSMemory()
			if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // forgets the peak
				return fmt.Errorf("reset the peak: %w", err)
			}
			tab, err := b.table(c.trees)
			if err != nil {
				return err
			}
			began := time.Now()
			p, err := disclosure.Protect(ctx, disclosure.Rules{MinContributors: 5, PPercent: 10, Dominance: disclosure.Dominance{N: 2, K: 85}}, disclosure.Cost(cost), tab)
			took := time.Since(began)
			if err != nil {
				return err
			}
			peak, err := memory(os.Getpid(), "VmHWM")
			if err != nil {
				return err
			}
			primary, secondary, all, lost := 0, 0, int64(0), int64(0)
			for cell, out := range p.Judgements[0].Cells {
				switch {
				case slices.ContainsFunc(out.Verdicts, func(v disclosure.Verdict) bool { return v != disclosure.Release && v != disclosure.Secondary }):
					primary++
					continue
				case p.Hidden[cell]:
					secondary++
					lost += out.Sum
				}
				all += out.Sum
			}
			b.floor(took < c.limit && peak < c.memory, "%s (%d, %s): %d primary, %d hidden for them with %.2f %% of the other cells' value, %d witnesses, %s, peak %.0f MB with the table; floor %s and %.0f MB",
				c.name, len(tab.Nodes), name, primary, secondary, 100*float64(lost)/float64(all), len(p.Witnesses), millis(took), mega(peak), c.limit, mega(c.memory))
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	solve := exec.CommandContext(ctx, "go", "test", "-count=1", "-v", "-run", "TestLittleMoreIsHiddenThanNeedBe", "./internal/disclosure")
	if !b.quick {
		solve.Env = append(os.Environ(), "TRIBUTARY_TORTURE=1")
	}
	out, err := solve.Output()
	for line := range strings.Lines(string(out)) {
		if _, said, found := strings.Cut(line, "optimum_test.go:"); found {
			_, said, _ = strings.Cut(said, ": ")
			b.printf("small tables solved exactly: %s", said)
		}
	}
	if err != nil {
		return errors.Join(errors.New("small tables"), err)
	}
	return nil
}

// table is a table of two dimensions with a total and a level of subtotals each. A cell
// in a hundred is of three organisations, or nearly all one's.
func (b *bench) table(trees [2][]int) (*disclosure.Table, error) {
	const organisations = 400
	rng := rand.New(rand.NewPCG(seed, seed)) //nolint:gosec // data that is the same each time
	dimensions := make([]disclosure.Dimension, len(trees))
	var leaves [2][]int32
	for d, widths := range trees {
		dimensions[d].Parent, leaves[d] = []int32{disclosure.Top}, []int32{0}
		for _, w := range widths {
			var next []int32
			for _, n := range leaves[d] {
				for range w {
					next = append(next, int32(len(dimensions[d].Parent)))
					dimensions[d].Parent = append(dimensions[d].Parent, n)
				}
			}
			leaves[d] = next
		}
	}
	var at [][2]int32
	var cells []disclosure.Cell
	for _, u := range leaves[0] {
		for _, w := range leaves[1] {
			n := 20 + rng.IntN(41)
			odd := rng.IntN(200)
			if odd == 0 {
				n = 3
			}
			cell := make(disclosure.Cell, n)
			first := rng.IntN(organisations)
			for i := range cell {
				o := int32((first + 7*i) % organisations)
				cell[i] = disclosure.Contribution{Participant: o, Organisation: o, Value: 1 + rng.Int64N(1000)<<rng.IntN(3)}
			}
			if odd == 1 {
				cell[0].Value <<= 12
			}
			at, cells = append(at, [2]int32{u, w}), append(cells, cell)
		}
	}
	return disclosure.Complete(dimensions, at, []disclosure.Part{{Cells: cells}})
}
