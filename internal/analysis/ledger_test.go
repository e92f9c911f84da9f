package analysis_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"tributary/internal/analysis"
	"tributary/internal/audit"
	"tributary/internal/meta"
)

// scheduled starts a run as a schedule does, and waits for its end.
func (b *bench) scheduled(t *testing.T, want analysis.RunState) analysis.Run {
	t.Helper()
	v, err := b.Analysis(t.Context(), "cross-participant-mean", 0)
	check(t, err)
	var r analysis.Run
	check(t, b.DB.Transact(t.Context(), func(tx *meta.DB) (err error) {
		r, err = b.UnscopedStartIn(context.WithoutCancel(t.Context()), tx, "schedule:monthly", v, date, nil)
		return err
	}))
	b.Jobs.Wake()
	b.turn(t, b.idle(t))
	return b.want(t, r.ID, want)
}

// A date is released again without what would tell what too few have sent since: the
// cells that only they changed are hidden, the others are not.
func TestAReleaseTellsNothingBesideThoseBeforeIt(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply(t, read(t, "dataset.yaml"), strings.NewReplacer("min_contributors: 2", "min_contributors: 3", "quorum: 2", "quorum: 3").Replace(read(t, "analysis.yaml")))
		for n := range 8 {
			b.join(t, "Org "+string(rune('A'+n)))
			b.decide(t, analysis.Accepted, n)
		}
		send := func(value string, tenants ...int) {
			for _, n := range tenants {
				b.send(t, n, rows(n, "a,b,"+value, "c,d,100.00"))
			}
			b.turn(t, b.idle(t))
		}
		cells := func(n int) string {
			var list []string
			for _, l := range b.table(t, n)[1:] {
				list = append(list, l[1]+"="+l[3])
			}
			return strings.Join(list, " ")
		}
		send("100.00", 0, 1, 2, 3)
		b.scheduled(t, analysis.RunSucceeded)
		if got := cells(0); got != "a=100.0 c=100.0" {
			t.Fatalf("first: %s", got)
		}

		send("100.00", 4) // one has joined: whoever has both releases could take the difference
		if r := b.scheduled(t, analysis.RunWithheld); r.Release != "" || !strings.Contains(r.Reason, "difference 10") {
			t.Errorf("one joined: %+v", r)
		}
		if r := b.run(t, analysis.RunWithheld); r.Release != "" {
			t.Errorf("by hand: %+v", r)
		}

		send("130.00", 0) // and one has changed one of its cells, which is still only two
		b.scheduled(t, analysis.RunWithheld)

		send("100.00", 5, 6) // now four have joined or changed in the first cell, three in the second
		second := b.scheduled(t, analysis.RunSucceeded)
		if got := cells(6); got != "a=104.3 c=100.0" {
			t.Errorf("four joined or changed: %s", got)
		}
		m, _, err := b.UnscopedManifest(t.Context(), second.ID)
		check(t, err)
		if !strings.Contains(string(m), `"judged_beside":["run_`) {
			t.Errorf("manifest: %s", m)
		}

		send("150.00", 1, 2, 3) // three changed their value in the first cell; the second is as it was
		b.scheduled(t, analysis.RunSucceeded)
		if got := cells(1); got != "a=125.7 c=100.0" {
			t.Errorf("three changed: %s", got)
		}
		send("170.00", 4)
		b.scheduled(t, analysis.RunSucceeded)
		if got := cells(4); got != "c=100.0" {
			t.Errorf("one changed one of its cells: %s", got)
		}
		entries, _, err := b.Audit.Entries(t.Context(), b.scope(t, 4), audit.Filter{}, meta.Page{Limit: 100})
		check(t, err)
		compared := false
		for _, e := range entries {
			compared = compared || e.Verb == "run.grant" && e.Details["compared"] == true
		}
		if !compared {
			t.Error("the tenant does not see that its earlier file was read again")
		}

		// Recalled releases are known; who takes no part any more is not read again.
		_, err = b.UnscopedRecall(t.Context(), "usr_admin", second.ID, "wrong")
		check(t, err)
		b.decide(t, analysis.Declined, 5)
		if r := b.scheduled(t, analysis.RunWithheld); !strings.Contains(r.Reason, "take no part any more: 1") {
			t.Errorf("one left: %+v", r)
		}
	})
}

// A run that was made before another release of its date is judged again.
func TestTwoRunsOfADateAreJudgedBesideEachOther(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.six(t, withTotals, func(n int) []string {
			return []string{fmt.Sprintf("a,x,%d", 100+n), fmt.Sprintf("a,y,%d", 200+n), fmt.Sprintf("b,x,%d", 300+n)}
		})
		b.run(t, analysis.RunSucceeded)
		n := b.join(t, "Org late")
		b.decide(t, analysis.Accepted, n)
		b.send(t, n, rows(n, "a,x,150"))
		b.turn(t, b.idle(t))
		r := b.run(t, analysis.RunSucceeded)
		shown := map[string]bool{}
		for _, l := range b.table(t, 0)[1:] {
			shown[l[1]+l[2]] = true
		}
		// What the late one is in changed by it alone: its cell and the totals above it.
		if shown["ax"] || shown["a"] || shown[""] || !shown["ay"] || !shown["bx"] || !shown["b"] {
			t.Errorf("shown: %v (%s)", shown, r.Reason)
		}
	})
}

// Whoever can write the database cannot make the gate forget what was hidden or read.
func TestTheLedgerCannotBeChanged(t *testing.T) {
	t.Parallel()
	for name, statement := range map[string]string{
		"what was hidden": `DELETE FROM release_hidden`,
		"what was read":   `DELETE FROM run_inputs WHERE tenant = (SELECT MIN(tenant) FROM run_inputs)`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, b *bench) {
				b.six(t, withTotals, func(n int) []string {
					return []string{fmt.Sprintf("a,x,%d", 100+n), fmt.Sprintf("a,y,%d", 200+n), fmt.Sprintf("b,x,%d", 300+n)}
				})
				b.run(t, analysis.RunSucceeded)
				b.tamper(t, statement)
				n := b.join(t, "Org late")
				b.decide(t, analysis.Accepted, n)
				b.send(t, n, rows(n, "a,x,150"))
				b.turn(t, b.idle(t))
				if r := b.run(t, analysis.RunFailed); !strings.Contains(r.Reason, "manifest") {
					t.Errorf("reason: %q", r.Reason)
				}
				if name == "what was hidden" && len(b.findings(t)) != 1 {
					t.Errorf("found %v", b.findings(t))
				}
			})
		})
	}
}

const plain = `
analysis: cross-participant-mean
datasets: [tagged-values]
groups: [Tag1, Tag2]
measures:
  - {name: Value, function: sum, column: Value, decimals: 0}
`

// Writing the same cells in another order does not make others of them, and other cells
// are not compared with those that were released.
func TestAnotherVersionDoesNotGetAroundTheLedger(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ before, after, reason string }{
		"groups in another order": {plain, strings.Replace(plain, "[Tag1, Tag2]", "[Tag2, Tag1]", 1), "difference 7"},
		"without totals":          {withTotals, strings.Replace(withTotals, "totals:\n  - [Tag1, Tag2]\n", "", 1), "with other groups, filters or totals"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, b *bench) {
				b.six(t, c.before, func(n int) []string { return []string{fmt.Sprintf("a,x,%d", 100+n)} })
				b.run(t, analysis.RunSucceeded)
				n := b.join(t, "Org late")
				b.decide(t, analysis.Accepted, n)
				b.send(t, n, rows(n, "a,x,137"))
				b.turn(t, b.idle(t))
				b.apply(t, read(t, "dataset.yaml"), c.after)
				if r := b.run(t, analysis.RunWithheld); !strings.Contains(r.Reason, c.reason) {
					t.Errorf("reason: %s", r.Reason)
				}
			})
		})
	}
}

// A cell that nobody was shown is shown once its mistake is corrected.
func TestWhatNobodySawIsNotCompared(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.six(t, plain, func(n int) []string {
			if n == 0 {
				return []string{"a,x,9999999", "b,x,100"}
			}
			return []string{fmt.Sprintf("a,x,%d", 100+n), "b,x,100"}
		})
		b.run(t, analysis.RunSucceeded)
		if got := b.table(t, 1); len(got) != 2 {
			t.Fatalf("with the mistake: %v", got)
		}
		b.send(t, 0, rows(0, "a,x,100", "b,x,100"))
		b.turn(t, b.idle(t))
		b.run(t, analysis.RunSucceeded)
		if got := b.table(t, 1); len(got) != 3 || got[1][3] != "615" {
			t.Errorf("corrected: %v", got)
		}
	})
}
