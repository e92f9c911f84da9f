package disclosure

import (
	"cmp"
	"fmt"
	"slices"
)

// Spread takes from a judgement of sums what may not be shown of a variance. Who
// knows the sum S and the sum of squares Q of n values, which a mean and a variance
// give, knows each of them to within
//
//	S/n ± sqrt((n-1) (n Q - S²)) / n
//
// (Samuelson, How Deviant Can You Be?, JASA 63, 1968; the bound is reached). So for
// each recipient, with its coalition's values taken away, that must reach p % beyond
// the largest of the other participants' values and below the smallest, and for what
// an organisation has in several participants likewise. Equal values, whose variance
// is 0, are never shown. With prior knowledge of q per cent, p/q stands for p.
func Spread(rules Rules, cells []Cell, j *Judgement) error {
	if err := rules.Check(); err != nil {
		return err
	}
	if len(j.Cells) != len(cells) {
		return fmt.Errorf("spread of %d cells with a judgement of %d", len(cells), len(j.Cells))
	}
	for i, cell := range cells {
		if !slices.ContainsFunc(j.Cells[i].Verdicts, Verdict.Released) {
			continue
		}
		s := newSpread(rules, cell)
		s.divide(nil)
		wide := map[int32]bool{}
		for at, v := range j.Cells[i].Verdicts {
			o := cell[at].Organisation
			if _, judged := wide[o]; v.Released() && !judged {
				wide[o] = s.wide(o, true)
			}
			if v.Released() && !wide[o] {
				j.change(i, at, Close)
			}
		}
	}
	return nil
}

// Hide gives a verdict to everybody who would be shown a cell.
func (j *Judgement) Hide(cell int, v Verdict) {
	for at, old := range j.Cells[cell].Verdicts {
		if old.Released() {
			j.change(cell, at, v)
		}
	}
}

// change replaces a verdict.
func (j *Judgement) change(cell, at int, v Verdict) {
	j.counts[j.Cells[cell].Verdicts[at]]--
	j.Cells[cell].Verdicts[at] = v
	j.counts[v]++
}

// spread is the values of a cell in their order.
type spread struct {
	rules  Rules
	floor  int64
	sorted Cell // by value
	size   map[int32]uint64
	order  []int32         // organisations, those with the most first
	places map[int32][]int // of each, in sorted
	// several are the organisations with more than one participant, tenants the most that
	// one of them has.
	several []int32
	tenants int
	blocks  []block
	block   []int // of each place, its block, or inWindow
}

func newSpread(rules Rules, cell Cell) *spread {
	s := &spread{rules: rules, sorted: slices.Clone(cell), size: map[int32]uint64{}, places: map[int32][]int{}}
	slices.SortFunc(s.sorted, func(a, b Contribution) int {
		return cmp.Or(cmp.Compare(a.Value, b.Value), cmp.Compare(a.Participant, b.Participant))
	})
	for _, c := range cell {
		if _, known := s.size[c.Organisation]; !known {
			s.order = append(s.order, c.Organisation)
		}
		s.size[c.Organisation] += magnitude(c.Value)
	}
	for i, c := range s.sorted {
		s.places[c.Organisation] = append(s.places[c.Organisation], i)
	}
	slices.SortStableFunc(s.order, func(a, b int32) int { return cmp.Compare(s.size[b], s.size[a]) })
	for _, o := range s.order {
		if s.tenants = max(s.tenants, len(s.places[o])); len(s.places[o]) > 1 {
			s.several = append(s.several, o)
		}
	}
	return s
}

// FewestForQuantile is how many organisations a quantile needs.
const FewestForQuantile = 10

// Window is how many neighbouring values a quantile is the mean of: three, or against a
// coalition so many that three at least are unknown to it.
func (r Rules) Window() int {
	if c := r.coalition(); c > 1 {
		return (c + 3) | 1
	}
	return 3
}

// Around is where the window of a quantile of n values begins, counted from the smallest,
// and where it ends.
func (r Rules) Around(q, n int) (from, to int) {
	from = around(q, n, r.Window())
	return from, from + r.Window()
}

func around(q, n, window int) int { return (q*n+50)/100 - 1 - window/2 }

// Quantile judges a quantile of the participants' values in each cell, q per cent
// from the smallest: the mean of the Window values around its rank (the nearest one,
// Hyndman and Fan's type 3). Sum of an outcome is theirs; Participants how many they
// are. It is shown to nobody unless at least FewestForQuantile organisations
// contribute, the values come from as many organisations as there are of them, and
// values of as many more lie on either side: a smallest and a largest are single values,
// and nobody else's may be known to be in the window or beyond it. The window keeps the
// rules as a cell does. What it tells beside a sum is for Together.
func Quantile(rules Rules, floor int64, q int, cells []Cell) (*Judgement, error) {
	if err := rules.Check(); err != nil {
		return nil, err
	}
	if q < 1 || q > 99 {
		return nil, fmt.Errorf("a quantile of %d per cent", q)
	}
	window := rules.Window()
	inner := rules
	inner.MinContributors, inner.Dominance = FewestContributors, Dominance{}
	j := &Judgement{Cells: make([]Outcome, len(cells))}
	for i, cell := range cells {
		s := newSpread(rules, cell)
		out := Outcome{Organisations: int32(len(s.order)), Verdicts: make([]Verdict, len(cell))}
		verdicts, err := s.quantile(q, window, inner, floor, &out)
		if err != nil {
			return nil, fmt.Errorf("quantile of cell %d: %w", i, err)
		}
		for at, c := range cell {
			v := verdicts(c.Organisation)
			out.Verdicts[at] = v
			j.counts[v]++
		}
		j.Cells[i] = out
	}
	return j, nil
}

// quantile finds the window of a cell and says who may have its mean.
func (s *spread) quantile(q, window int, rules Rules, floor int64, out *Outcome) (func(int32) Verdict, error) {
	all := func(v Verdict) func(int32) Verdict { return func(int32) Verdict { return v } }
	n := len(s.sorted)
	if len(s.order) < max(FewestForQuantile, s.rules.fewest()) {
		return all(Minimum), nil
	}
	at := around(q, n, window)
	if at < window || at+2*window > n {
		return all(Minimum), nil
	}
	in := s.sorted[at : at+window]
	j, err := Judge(rules, floor, []Cell{in})
	if err != nil {
		return nil, err
	}
	out.Sum, out.Participants = j.Cells[0].Sum, int32(window)
	for _, part := range []Cell{in, s.sorted[:at], s.sorted[at+window:]} {
		if owners(part) < window {
			return all(Minimum), nil
		}
	}
	worst := Release
	for _, v := range j.Cells[0].Verdicts {
		if !v.Released() {
			worst = v // who stands outside of the window knows less of it, but not whether it does
		}
	}
	return all(worst), nil
}
