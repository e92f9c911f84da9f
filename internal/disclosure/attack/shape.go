package attack

import (
	"cmp"
	"math"
	"slices"
)

// Shape is what was shown of the values in one cell, one of each participant, to whoever
// attacks: their variance, quantiles of them, and perhaps their sum.
type Shape struct {
	Values   []Value // may be below zero
	Sum      bool
	Variance bool
	Windows  []Window
}

// Window is a quantile: the mean of the values of some ranks, from 0.
type Window struct {
	From, To int
}

// known is what a coalition makes of a shape. Values are those that it does not know, less
// their mean if it knows that, so that floating point loses little.
type known struct {
	unknown  float64 // how many
	sum      float64 // of all that is unknown
	squares  float64 // the same
	victims  float64 // how many of them are the victim's
	has      float64 // what it has
	top      float64 // what it would have with the largest of what is unknown
	bottom   float64 // and with the smallest
	shift    float64 // what was taken off each value
	negative bool
	own      []float64 // what the coalition has, sorted
	windows  []level
}

// level is a window with what it shows.
type level struct {
	from, to int
	sum      float64
	mean     float64
}

// sorted are the values in their order, of equal ones in that of the participants.
func (s *Shape) sorted() []Value {
	return slices.SortedFunc(slices.Values(s.Values), func(a, b Value) int {
		return cmp.Or(cmp.Compare(a.Value, b.Value), cmp.Compare(a.Participant, b.Participant))
	})
}

// Bound works out what a coalition knows of what an organisation has in the cell, all
// its participants' together. Everybody knows who has a value in the cell, and nobody
// whose is where in their order.
//
// With the sum S and the sum of squares Q of n values that it does not know, those of m
// participants add up to no more than if they are equal among themselves, and so are all
// others (Samuelson, for m = 1). With quantiles the others lie within bounds, by their
// ranks. A variance without a sum tells how far anybody can be from a value that one
// knows. What it finds holds; something closer may be known.
func (s *Shape) Bound(coalition []int32, victim int32) Bound {
	k := s.know(coalition, victim)
	b := Bound{Value: k.has, Least: math.Inf(-1), Most: math.Inf(1)}
	if !k.negative {
		b.Least = 0
	}
	switch {
	case s.Sum:
		most, least := k.extremes(s.Variance)
		b.Most, b.Least = min(b.Most, most), max(b.Least, least)
	case s.Variance && len(k.own) > 0:
		far := s.far(k)
		var mean float64
		for _, v := range k.own {
			mean += v / float64(len(k.own))
		}
		b.Most, b.Least = k.victims*mean+far, max(b.Least, k.victims*mean-far)
	}
	return b
}

// know divides a cell's values into those that a coalition knows and those that it does not.
func (s *Shape) know(coalition []int32, victim int32) *known {
	k := &known{}
	for _, v := range s.Values {
		x := float64(v.Value)
		k.negative = k.negative || v.Value < 0
		switch {
		case slices.Contains(coalition, v.Organisation):
			k.own = append(k.own, x)
			continue
		case v.Organisation == victim:
			k.victims++
			k.has += x
		}
		k.unknown++
		k.sum += x
	}
	slices.Sort(k.own)
	var unknown []float64
	for _, v := range s.Values {
		if !slices.Contains(coalition, v.Organisation) {
			unknown = append(unknown, float64(v.Value))
		}
	}
	slices.Sort(unknown)
	for i := range int(k.victims) {
		k.bottom += unknown[i]
		k.top += unknown[len(unknown)-1-i]
	}
	if s.Sum {
		k.shift = math.Round(k.sum / k.unknown)
	}
	k.sum = 0
	for _, v := range s.Values {
		if !slices.Contains(coalition, v.Organisation) {
			x := float64(v.Value) - k.shift
			k.sum, k.squares = k.sum+x, k.squares+x*x
		}
	}
	sorted := s.sorted()
	for _, w := range s.Windows {
		l := level{from: w.From, to: w.To}
		for _, v := range sorted[w.From:w.To] {
			l.sum += float64(v.Value)
		}
		l.mean = l.sum / float64(w.To-w.From)
		k.windows = append(k.windows, l)
	}
	slices.SortFunc(k.windows, func(a, b level) int { return cmp.Compare(a.from, b.from) })
	return k
}

// far is how far what the victim has can be from as many times the mean of what the
// coalition has, if it knows the variance and no sum: the others are then in the middle
// between the two.
func (s *Shape) far(k *known) float64 {
	n := float64(len(s.Values))
	var mean, about, own float64
	for _, v := range s.Values {
		mean += float64(v.Value) / n
	}
	for _, v := range s.Values {
		about += (float64(v.Value) - mean) * (float64(v.Value) - mean)
	}
	of := float64(len(k.own))
	mean = 0
	for _, v := range k.own {
		mean += v / of
	}
	for _, v := range k.own {
		own += (v - mean) * (v - mean)
	}
	return math.Sqrt(k.victims * max(about-own, 0) * (k.victims + of) / of)
}

// box is between what a value is.
type box struct{ least, most float64 }

// others are the bounds of the unknown values that are not the victim's, in their order,
// if the victim has the largest of all that are unknown, or the smallest.
func (k *known) others(largest bool) []box {
	least := math.Inf(-1)
	if !k.negative {
		least = 0
	}
	list := make([]box, int(k.unknown-k.victims))
	for i := range list {
		rank := i // at least, among all
		if !largest {
			rank += int(k.victims)
		}
		b := box{least, math.Inf(1)}
		for _, w := range k.windows {
			if rank >= w.to-1 { // the last of a window is no less than its mean
				b.least = max(b.least, w.mean)
			}
			if rank+k.notAbove(w) <= w.from {
				b.most = min(b.most, w.mean)
			}
		}
		list[i] = box{b.least - k.shift, b.most - k.shift}
	}
	return list
}

// notAbove counts what the coalition has that may be below a window or in it.
func (k *known) notAbove(w level) int {
	n := 0
	for _, v := range k.own {
		if k.negative || v <= w.sum { // nothing in the window is more than all of it
			n++
		}
	}
	return n
}

// least is how little others can have together.
func (k *known) least(boxes []box) float64 {
	sum := 0.0
	for _, b := range boxes {
		sum += b.least
	}
	for _, w := range k.windows { // in a window all are known together
		if w.to > len(boxes) {
			continue
		}
		for _, b := range boxes[w.from:w.to] {
			sum -= b.least
		}
		sum += w.sum - float64(w.to-w.from)*k.shift
	}
	return sum
}

// extremes are the most and the least that the victim can have, if the sum is known, and
// perhaps the squares.
func (k *known) extremes(squares bool) (most, least float64) {
	off := k.victims * k.shift
	reach := math.Sqrt(k.victims*k.squares) + 1 // by Cauchy and Schwarz
	boxes := k.others(true)
	if len(boxes) == 0 {
		return k.has, k.has
	}
	// Whoever can have so much can have it by changing places with those who have most: all
	// that is known says nothing of who is who.
	most = k.sum - k.least(boxes)
	if squares {
		most = search(k.top-off, min(most, reach), func(v float64) bool { return k.fits(v, boxes) })
	}
	boxes = k.others(false)
	least = math.Inf(-1)
	if sum := sumOf(boxes, func(b box) float64 { return b.most }); !math.IsInf(sum, 1) {
		least = k.sum - sum
	}
	if squares {
		least = search(k.bottom-off, max(least, -reach), func(v float64) bool { return k.fits(v, boxes) })
	}
	return most + off, least + off
}

func sumOf(boxes []box, of func(box) float64) (sum float64) {
	for _, b := range boxes {
		sum += of(b)
	}
	return sum
}

// search is the farthest from what holds, towards an end, that holds.
func search(from, end float64, holds func(float64) bool) float64 {
	if holds(end) {
		return end
	}
	for range 60 {
		middle := from + (end-from)/2
		if holds(middle) {
			from = middle
		} else {
			end = middle
		}
	}
	return from
}

// fits reports whether the victim can have so much: the others can make up the sum with
// squares that are no more than what is left for them.
func (k *known) fits(v float64, boxes []box) bool {
	squares := k.squares - v*v/k.victims
	return flattest(k.sum-v, boxes) <= squares+1e-9*max(k.squares, 1)
}

// flattest is the least sum of squares that values with a sum can have within boxes:
// that of values as equal as can be.
func flattest(sum float64, boxes []box) float64 {
	at := func(level float64) (sum, squares float64) {
		for _, b := range boxes {
			v := min(max(level, b.least), b.most)
			sum, squares = sum+v, squares+v*v
		}
		return sum, squares
	}
	n := float64(len(boxes))
	low, high := sum/n-1, sum/n+1
	for range 200 {
		if s, _ := at(low); s <= sum {
			break
		}
		low -= 2 * (high - low)
		if math.IsInf(low, 0) {
			return math.Inf(1)
		}
	}
	for range 200 {
		if s, _ := at(high); s >= sum {
			break
		}
		high += 2 * (high - low)
		if math.IsInf(high, 0) {
			return math.Inf(1)
		}
	}
	for range 60 {
		if s, _ := at((low + high) / 2); s > sum {
			high = (low + high) / 2
		} else {
			low = (low + high) / 2
		}
	}
	s, squares := at(low)
	if math.Abs(s-sum) > 1e-6*(1+math.Abs(sum)) {
		return math.Inf(1) // more or less than the boxes hold
	}
	return squares
}

// Neighbour works out what a coalition knows of a participant's value if it knows who
// stands in a window: it takes its own away, and nothing is below zero.
func (s *Shape) Neighbour(coalition []int32, window Window, victim int32) Bound {
	sorted := s.sorted()
	b := Bound{Most: math.Inf(1)}
	sum, negative := 0.0, false
	for _, v := range sorted[window.From:window.To] {
		negative = negative || v.Value < 0
		if !slices.Contains(coalition, v.Organisation) {
			sum += float64(v.Value)
		}
		if v.Participant == victim {
			b.Value = float64(v.Value)
		}
	}
	if !negative {
		b.Most = sum
	}
	return b
}
