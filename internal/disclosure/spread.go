package disclosure

import (
	"cmp"
	"fmt"
	"math/big"
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
// the largest of the other participants' values and below the smallest. Equal
// values, whose variance is 0, are never shown.
func Spread(rules Rules, cells []Cell, j *Judgement) error {
	if err := rules.Check(); err != nil {
		return err
	}
	if len(j.Cells) != len(cells) {
		return fmt.Errorf("spread of %d cells with a judgement of %d", len(cells), len(j.Cells))
	}
	for i, cell := range cells {
		s := newSpread(rules, cell)
		for at, v := range j.Cells[i].Verdicts {
			if v.Released() && !s.wide(cell[at].Organisation) {
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

type spread struct {
	rules  Rules
	sorted Cell // by value
	size   map[int32]uint64
	order  []int32 // organisations, those with the most first
}

func newSpread(rules Rules, cell Cell) *spread {
	s := &spread{rules: rules, sorted: slices.Clone(cell), size: map[int32]uint64{}}
	slices.SortFunc(s.sorted, func(a, b Contribution) int {
		return cmp.Or(cmp.Compare(a.Value, b.Value), cmp.Compare(a.Participant, b.Participant))
	})
	for _, c := range cell {
		if _, known := s.size[c.Organisation]; !known {
			s.order = append(s.order, c.Organisation)
		}
		s.size[c.Organisation] += magnitude(c.Value)
	}
	slices.SortStableFunc(s.order, func(a, b int32) int { return cmp.Compare(s.size[b], s.size[a]) })
	return s
}

// wide reports whether a recipient and its friends, whoever they are, are left in doubt
// of everybody: those with the most, and those with values on either side, since what
// they take away makes the others alike.
func (s *spread) wide(r int32) bool {
	friends := s.rules.coalition() - 1
	if !s.doubt(s.with(r, friends, s.order)) {
		return false
	}
	if friends == 0 {
		return true
	}
	var low, high []int32
	for i := range s.sorted {
		low = append(low, s.sorted[i].Organisation)
		high = append(high, s.sorted[len(s.sorted)-1-i].Organisation)
	}
	for n := range friends + 1 {
		known := s.with(r, n, low)
		if !s.doubt(s.with(r, friends, append(known[1:], high...))) {
			return false
		}
	}
	return true
}

// with is a recipient and the first n others of a list.
func (s *spread) with(r int32, n int, list []int32) []int32 {
	known := []int32{r}
	for _, o := range list {
		if len(known) > n {
			break
		}
		if !slices.Contains(known, o) {
			known = append(known, o)
		}
	}
	return known
}

// doubt reports whether those who know some organisations' values are in doubt of all
// others'.
func (s *spread) doubt(known []int32) bool {
	sum, squares, n := new(big.Int), new(big.Int), int64(0)
	var least, most *big.Int
	for _, c := range s.sorted {
		if slices.Contains(known, c.Organisation) {
			continue
		}
		v := big.NewInt(c.Value)
		sum.Add(sum, v)
		squares.Add(squares, new(big.Int).Mul(v, v))
		if n++; least == nil {
			least = v
		}
		most = v
	}
	if n < 2 {
		return false
	}
	// (n-1)(nQ - S²) against (n t - S)², t p % beyond a value; all of it 100 times as large, squared.
	count := big.NewInt(n)
	room := new(big.Int).Mul(count, squares)
	room.Sub(room, new(big.Int).Mul(sum, sum))
	room.Mul(room, big.NewInt((n-1)*100*100))
	reaches := func(v *big.Int, sign int64) bool {
		p := int64(max(s.rules.PPercent, 1))
		t := new(big.Int).Mul(v, big.NewInt(100))
		t.Add(t, new(big.Int).Mul(new(big.Int).Abs(v), big.NewInt(sign*p)))
		t.Mul(t, count)
		t.Sub(t, new(big.Int).Mul(sum, big.NewInt(100)))
		return t.Sign() != int(sign) || t.Mul(t, t).Cmp(room) <= 0
	}
	return room.Sign() > 0 && reaches(most, 1) && reaches(least, -1)
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

// Quantile judges a quantile of the participants' values in each cell, q per cent
// from the smallest: the mean of the Window values around its rank (the nearest one,
// Hyndman and Fan's type 3). Sum of an outcome is theirs; Participants how many they
// are. It is shown to nobody unless at least FewestForQuantile organisations
// contribute, the values come from as many organisations as there are of them, and
// as many more lie on either side: a smallest and a largest are single values. The
// window keeps the rules as a cell does.
func Quantile(rules Rules, q int, cells []Cell) (*Judgement, error) {
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
		verdicts, err := s.quantile(q, window, inner, &out)
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
func (s *spread) quantile(q, window int, rules Rules, out *Outcome) (func(int32) Verdict, error) {
	all := func(v Verdict) func(int32) Verdict { return func(int32) Verdict { return v } }
	n := len(s.sorted)
	if len(s.order) < max(FewestForQuantile, s.rules.fewest()) {
		return all(Minimum), nil
	}
	at := (q*n+50)/100 - 1 - window/2
	if at < window || at+2*window > n {
		return all(Minimum), nil
	}
	in := s.sorted[at : at+window]
	j, err := Judge(rules, 0, []Cell{in})
	if err != nil {
		return nil, err
	}
	out.Sum, out.Participants = j.Cells[0].Sum, int32(window)
	if int(j.Cells[0].Organisations) < window {
		return all(Minimum), nil
	}
	worst := Release
	for _, v := range j.Cells[0].Verdicts {
		if !v.Released() {
			worst = v // who stands outside of the window knows less of it, but not whether it does
		}
	}
	return all(worst), nil
}
