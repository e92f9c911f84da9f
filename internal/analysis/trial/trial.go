// Package trial attacks what a definition would release: it makes up contributions, or
// reads real ones from a local file, has the gate judge them as a run would, and lets
// package attack bound everybody's values by what came out. Nothing leaves the process.
package trial

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"tributary/internal/analysis"
	"tributary/internal/analysis/definition"
	"tributary/internal/disclosure"
	"tributary/internal/disclosure/attack"
	"tributary/internal/fault"
	"tributary/internal/query"
)

// Limits of a trial.
const (
	MaxReleases = 12
	MaxRows     = 1_000_000 // of all contributors, in one release
)

// Options are how the attack goes.
type Options struct {
	Tries  int     // attacks at most on each number of a measure
	Within float64 // per cent within which a value counts as known; 0: the definition's p
	Listed int     // closest bounds to report of each measure
	// Coalition is how many recipients pool what they know; 0: as many as the definition's
	// rules hold against.
	Coalition int
	Advance   func(done, total int64)
}

// Report is what was tried and what it came to.
type Report struct {
	Analysis  string    `json:"analysis"`
	Within    float64   `json:"within_percent"` // what counts as known
	Coalition int       `json:"coalition"`
	Releases  []Release `json:"releases"`
	Measures  []Measure `json:"measures"`
	Breaches  int       `json:"breaches"` // attacks that bounded a value to within so much
	Notes     []string  `json:"notes"`
}

// Release is what the gate made of one.
type Release struct {
	Participants  int    `json:"participants"`
	Organisations int    `json:"organisations"`
	Cells         int    `json:"cells"`
	Withheld      string `json:"withheld,omitempty"`
}

// Measure is what was shown of one, in all releases, and how closely values were bounded.
type Measure struct {
	Name    string         `json:"measure"`
	Cells   int            `json:"cells"`
	Shown   int            `json:"shown"`
	Value   int            `json:"value_percent"`
	Hidden  map[string]int `json:"hidden"` // cells by reason
	Tries   int            `json:"attacks"`
	Partial int            `json:"partial"` // attacks that were too large to be made in full, or had no numerical solution
	Closest []Bound        `json:"closest"`
}

// Bound is how closely somebody's value in a cell was bounded, and by whom.
type Bound struct {
	Release int      `json:"release"` // from 1
	Cell    string   `json:"cell"`
	Column  string   `json:"column"` // of the measure
	Shown   bool     `json:"shown"`
	Victim  string   `json:"victim"`
	By      []string `json:"by"` // organisations that know their own values and what they were shown
	Value   float64  `json:"value"`
	Least   float64  `json:"least"`
	Most    *float64 `json:"most"`          // nil: nothing bounds it
	Above   *float64 `json:"above_percent"` // how far Most lies over the value
	Breach  bool     `json:"breach"`
}

// Attack puts releases before the gate, one after the other, and attacks what came out.
func Attack(ctx context.Context, d *definition.Definition, columns map[string]definition.Columns, releases [][]analysis.Contributor, o Options) (*Report, error) {
	if len(releases) < 1 || len(releases) > MaxReleases {
		return nil, fault.New(fault.Invalid, "There are %d releases; a trial has 1 to %d.", len(releases), MaxReleases)
	}
	t := analysis.NewTrial(d, columns)
	r := &Report{Analysis: d.Name, Within: o.Within, Coalition: d.Rules.Coalitions(), Notes: []string{}}
	if o.Coalition > 0 {
		r.Coalition = o.Coalition
	}
	if r.Within == 0 {
		if r.Within = float64(d.Rules.PPercent); d.Rules.QPercent > 0 {
			r.Within *= 100 / float64(d.Rules.QPercent)
			r.Notes = append(r.Notes, fmt.Sprintf("The rules take it that everybody knows each value to within %d %% beforehand, so one counts as known to within %.4g %%.", d.Rules.QPercent, r.Within))
		}
	}
	if r.Within == 0 {
		r.Within = 10
		r.Notes = append(r.Notes, "The definition's p % rule is off, so a value counts as known to within 10 %.")
	}
	var tried []*analysis.Tried
	for n, contributors := range releases {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		got, err := t.Release(contributors)
		if err != nil {
			return nil, fmt.Errorf("release %d: %w", n+1, err)
		}
		owners := slices.Compact(slices.Sorted(slices.Values(got.Owners)))
		r.Releases = append(r.Releases, Release{Participants: len(got.Participants), Organisations: len(owners), Cells: len(got.Keys), Withheld: got.Withheld})
		tried = append(tried, got)
	}
	for m := range d.Measures {
		measured, err := r.measure(ctx, t, tried, m, o)
		if err != nil {
			return nil, err
		}
		r.Measures = append(r.Measures, measured)
	}
	return r, nil
}

// measure reports on one measure.
func (r *Report) measure(ctx context.Context, t *analysis.Trial, tried []*analysis.Tried, m int, o Options) (Measure, error) {
	of := Measure{Hidden: map[string]int{}, Closest: []Bound{}}
	var all, shown float64
	var last analysis.TriedMeasure
	for _, one := range tried {
		if one.Withheld != "" {
			continue
		}
		last = one.Measures[m]
		u := one.Utility[m]
		of.Name = u.Measure
		of.Cells += u.Cells
		of.Shown += u.Shown
		all += 100
		shown += float64(u.Value)
		for v, n := range one.Verdicts(last) {
			if v != disclosure.Release {
				of.Hidden[v.String()] += n
			}
		}
	}
	if all == 0 {
		of.Name = fmt.Sprint("measure ", m+1)
		return of, nil
	}
	of.Value = int(math.Round(100 * shown / all))
	if more(last) {
		return of, r.shapes(ctx, t, tried, m, &of, o)
	}
	for _, part := range last.Parts {
		b, err := newBattle(t, tried, part)
		if err != nil {
			return of, err
		}
		if b.negative {
			r.Notes = append(r.Notes, fmt.Sprintf("%s has values below zero; they are attacked by their size.", of.Name))
		}
		if err := b.fight(ctx, r, &of, o); err != nil {
			return of, err
		}
	}
	return of, nil
}

// battle is the attacks on one part of a measure.
type battle struct {
	world    *attack.World
	column   string
	scale    float64
	cells    []string    // what a cell is called
	visible  [][][]int32 // by release and cell, the organisations that are shown it
	owners   []string
	negative bool
}

// place is what a cell is, in every release.
func place(key []query.Value, over string) string {
	var b strings.Builder
	for _, v := range key {
		fmt.Fprintf(&b, "%v %q %d;", v.Null, v.Text, v.Int)
	}
	return b.String() + over
}

func newBattle(t *analysis.Trial, tried []*analysis.Tried, part int) (*battle, error) {
	b := &battle{column: t.Column(part), scale: math.Pow10(t.Parts()[part].Scale)}
	numbers, owners, participants := map[string]int{}, map[string]int32{}, map[string]int32{}
	type total struct {
		key  []query.Value
		over []bool // by group
	}
	var places []total
	groups := tried[0].Groups
	for _, one := range tried {
		for n, key := range one.Keys {
			over := ""
			if one.Over != nil {
				over = one.Over[n]
			}
			at := place(key, over)
			if _, known := numbers[at]; known {
				continue
			}
			numbers[at] = len(places)
			p := total{key: key, over: make([]bool, len(groups))}
			for g, name := range groups {
				p.over[g] = slices.Contains(strings.Split(over, ", "), name)
			}
			places = append(places, p)
			b.cells = append(b.cells, called(groups, key, p.over))
		}
	}
	leaves := map[int]int32{}
	cells := make([][]int32, len(places))
	projections := map[string]map[string][]int{} // by the groups that are totals, then by the others' values
	pattern := func(over []bool) string { return fmt.Sprint(over) }
	project := func(key []query.Value, over []bool) string {
		kept := slices.Clone(key)
		for g := range kept {
			if over[g] {
				kept[g] = query.Value{}
			}
		}
		return place(kept, "")
	}
	patterns := map[string][]bool{}
	for n, p := range places {
		name := pattern(p.over)
		if projections[name] == nil {
			projections[name], patterns[name] = map[string][]int{}, p.over
		}
		at := project(p.key, p.over)
		projections[name][at] = append(projections[name][at], n)
	}
	for n, p := range places {
		if slices.Contains(p.over, true) {
			continue
		}
		leaf := int32(len(leaves))
		leaves[n] = leaf
		for name, over := range patterns {
			for _, cell := range projections[name][project(p.key, over)] {
				cells[cell] = append(cells[cell], leaf)
			}
		}
	}
	var releases []attack.Release
	for _, one := range tried {
		values := make([][]attack.Value, len(leaves))
		visible := make([][]int32, len(places))
		number := func(known map[string]int32, name string) int32 {
			n, is := known[name]
			if !is {
				n = int32(len(known))
				known[name] = n
			}
			return n
		}
		for n, key := range one.Keys {
			over := ""
			if one.Over != nil {
				over = one.Over[n]
			}
			cell := numbers[place(key, over)]
			for _, measured := range one.Measures {
				if !slices.Contains(measured.Parts, part) || more(measured) {
					continue
				}
				for _, p := range one.Shown(measured, n) {
					visible[cell] = append(visible[cell], number(owners, one.Owners[p]))
				}
			}
			leaf, is := leaves[cell]
			if !is {
				continue
			}
			for _, c := range one.Contributions(part, n) {
				if c.Value < 0 {
					b.negative = true
					c.Value = -max(c.Value, -math.MaxInt64)
				}
				values[leaf] = append(values[leaf], attack.Value{Participant: number(participants, one.Participants[c.Participant]), Organisation: number(owners, one.Owners[c.Participant]), Value: c.Value})
			}
		}
		releases = append(releases, attack.Release{Leaves: values})
		b.visible = append(b.visible, visible)
	}
	b.owners = make([]string, len(owners))
	for name, n := range owners {
		b.owners[n] = name
	}
	var err error
	b.world, err = attack.New(cells, releases...)
	return b, err
}

// called is what people call a cell.
func called(groups []string, key []query.Value, over []bool) string {
	var list []string
	for g, name := range groups {
		if over == nil || !over[g] {
			list = append(list, name+" "+text(key[g]))
		}
	}
	if len(list) == 0 {
		return "all"
	}
	return strings.Join(list, ", ")
}

func text(v query.Value) string {
	if v.Null {
		return "(none)"
	}
	return v.String()
}

// attempt is one attack.
type attempt struct {
	attack.Asked
	by   []int32
	rank int // of the victim in the cell
}

// attempts lists attacks, those that look best first: on the largest in each cell, by
// those who know most of the rest.
func (b *battle) attempts(coalition, most int) []attempt {
	var list []attempt
	for release := range b.visible {
		for cell := range b.cells {
			organisations, _ := b.world.Contributors(release, cell)
			for rank, victim := range organisations[:min(len(organisations), coalition+2)] {
				a := attempt{Asked: attack.Asked{Release: release, Cell: cell, Victim: victim}, rank: rank}
				for _, o := range organisations {
					if o != victim && len(a.by) < coalition {
						a.by = append(a.by, o)
					}
				}
				list = append(list, a)
			}
		}
	}
	slices.SortStableFunc(list, func(a, b attempt) int { return a.rank - b.rank })
	return list[:min(len(list), most)]
}

func (b *battle) fight(ctx context.Context, r *Report, of *Measure, o Options) error {
	list := b.attempts(r.Coalition, o.Tries)
	for n, a := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		if o.Advance != nil {
			o.Advance(int64(n), int64(len(list)))
		}
		shown := func(release, cell int) bool {
			return slices.ContainsFunc(b.visible[release][cell], func(o int32) bool { return slices.Contains(a.by, o) })
		}
		found, err := b.world.Bound(a.by, shown, a.Asked)
		of.Tries++
		if found.Partial || err != nil {
			of.Partial++
		}
		if err != nil { // floating point could not solve it
			continue
		}
		bound := Bound{Release: a.Release + 1, Cell: b.cells[a.Cell], Column: b.column, Shown: shown(a.Release, a.Cell), Victim: b.owners[a.Victim]}
		for _, o := range a.by {
			bound.By = append(bound.By, b.owners[o])
		}
		r.found(of, bound, found, b.scale, o.Listed)
	}
	return nil
}

// found writes an attack's bound down.
func (r *Report) found(of *Measure, b Bound, found attack.Bound, scale float64, most int) {
	b.Value, b.Least, b.Breach = found.Value/scale, found.Least/scale, found.Within(r.Within)
	if most := found.Most / scale; !math.IsInf(most, 0) {
		b.Most = &most
	}
	if above := found.Above(); !math.IsInf(above, 0) {
		above = math.Round(1000*above) / 1000
		b.Above = &above
	}
	if b.Breach {
		r.Breaches++
	}
	of.keep(b, most)
}

// keep keeps the closest bounds.
func (m *Measure) keep(b Bound, most int) {
	if b.Above == nil || most < 1 {
		return
	}
	at, _ := slices.BinarySearchFunc(m.Closest, b, func(x, b Bound) int {
		if *x.Above <= *b.Above {
			return -1
		}
		return 1
	})
	if at < most {
		m.Closest = slices.Insert(m.Closest, at, b)
		m.Closest = m.Closest[:min(len(m.Closest), most)]
	}
}
