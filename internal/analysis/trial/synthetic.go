package trial

import (
	"fmt"
	"math"
	"slices"

	"tributary/internal/analysis"
	"tributary/internal/analysis/definition"
	"tributary/internal/fault"
	"tributary/internal/query"
)

// Random is where a made-up world comes from.
type Random interface {
	IntN(n int) int
	Float64() float64
	Perm(n int) []int
}

// Synthetic says what to make up.
type Synthetic struct {
	Participants int // 2 to MaxParticipants; every eighth belongs to the one before it
	Cells        int // about so many, 1 to MaxCells
	Releases     int // between them some join, leave and correct what they sent
}

// Limits of what is made up.
const (
	MaxParticipants = 1_000
	MaxCells        = 10_000
)

// Columns are what a definition's datasets have to have, if nothing is known of them:
// groups are texts, and what is measured are decimals with two digits.
func Columns(d *definition.Definition) map[string]definition.Columns {
	all := map[string]definition.Columns{}
	for _, dataset := range d.Datasets {
		var list definition.Columns
		for _, g := range d.Groups {
			list = append(list, definition.Column{Name: g, Type: definition.Text})
		}
		for _, m := range d.Measures {
			for _, name := range m.Columns() {
				if _, known := list.Find(name); !known && name != "" && m.Dataset == dataset {
					list = append(list, definition.Column{Name: name, Type: definition.Decimal, Scale: 2})
				}
			}
		}
		all[dataset] = list
	}
	return all
}

// Generate makes up contributions with heavy tails: a few participants have most, and
// most of what they have is in a few cells.
func Generate(t *analysis.Trial, d *definition.Definition, s Synthetic, rng Random) ([][]analysis.Contributor, error) {
	switch {
	case s.Participants < 2 || s.Participants > MaxParticipants:
		return nil, fault.New(fault.Invalid, "There are %d synthetic participants; there can be 2 to %d.", s.Participants, MaxParticipants)
	case s.Cells < 1 || s.Cells > MaxCells:
		return nil, fault.New(fault.Invalid, "There are %d synthetic cells; there can be 1 to %d.", s.Cells, MaxCells)
	case s.Releases < 1 || s.Releases > MaxReleases:
		return nil, fault.New(fault.Invalid, "There are %d releases; a trial has 1 to %d.", s.Releases, MaxReleases)
	}
	w := world{parts: t.Parts(), keys: keysOf(t.Groups(), d, s.Cells), rng: rng}
	if s.Participants*len(w.keys) > 4*MaxRows {
		return nil, fault.New(fault.Invalid, "%d participants and %d cells are too many together.", s.Participants, s.Cells)
	}
	var now []analysis.Contributor
	for n := range s.Participants {
		now = append(now, w.contributor(n))
	}
	releases := [][]analysis.Contributor{now}
	for len(releases) < s.Releases {
		now = slices.Clone(now)
		few := 1 + rng.IntN(2)
		if rng.IntN(3) == 0 {
			few = len(now)/2 + 1
		}
		for _, at := range rng.Perm(len(now))[:min(few, len(now))] {
			now[at].Rows = w.revised(now[at])
		}
		switch rng.IntN(4) {
		case 0:
			now = append(now, w.contributor(s.Participants+len(releases)))
		case 1:
			at := rng.IntN(len(now))
			now = slices.Delete(now, at, at+1)
		}
		releases = append(releases, now)
	}
	return releases, nil
}

type world struct {
	parts []query.Measure
	keys  [][]query.Value
	rng   Random
}

// tail is a random number of at least 1 that is sometimes much larger (Pareto's
// distribution), the more often the smaller alpha is.
func (w *world) tail(alpha float64) float64 {
	return math.Min(math.Pow(1-w.rng.Float64(), -1/alpha), 1_000)
}

// Of participants' sizes, and of what one of them has in a cell.
const sizes, amounts = 1.5, 2.5

func (w *world) contributor(n int) analysis.Contributor {
	c := analysis.Contributor{Name: fmt.Sprintf("p%03d", n+1), Organisation: fmt.Sprintf("o%03d", n+1)}
	if n%8 == 7 {
		c.Organisation = fmt.Sprintf("o%03d", n)
	}
	size := w.tail(sizes)
	share := math.Min(0.95, 0.15+0.2*w.rng.Float64()+size/20) // of the cells that it has something in
	for _, key := range w.keys {
		if w.rng.Float64() < share {
			c.Rows = append(c.Rows, query.Row{Key: key, Count: 1, Values: w.values(size)})
		}
	}
	if len(c.Rows) == 0 {
		c.Rows = append(c.Rows, query.Row{Key: w.keys[w.rng.IntN(len(w.keys))], Count: 1, Values: w.values(size)})
	}
	return c
}

func (w *world) values(size float64) []query.Number {
	values := make([]query.Number, len(w.parts))
	for i, part := range w.parts {
		v := size * w.tail(amounts)
		switch {
		case part.Own == query.Count:
			v = 1 + math.Floor(v)
		case w.rng.IntN(12) == 0:
			v = 0
		default:
			v *= 100
		}
		values[i] = query.Number{Present: true, Fixed: int64(math.Round(math.Min(v, 1e8)*math.Pow10(min(part.Scale, 9)))) * int64(math.Pow10(max(part.Scale-9, 0)))}
	}
	return values
}

// revised corrects some of a participant's rows.
func (w *world) revised(c analysis.Contributor) []query.Row {
	rows := slices.Clone(c.Rows)
	for range 1 + w.rng.IntN(3) {
		at := w.rng.IntN(len(rows))
		if len(rows) > 1 && w.rng.IntN(5) == 0 {
			rows = slices.Delete(rows, at, at+1)
			continue
		}
		rows[at].Values = w.values(w.tail(sizes))
	}
	return rows
}

// keysOf makes up values of the groups: of those with totals a tree, of the others a few
// each.
func keysOf(groups []query.Column, d *definition.Definition, cells int) [][]query.Value {
	var axes [][]int // groups that lie within each other
	inside := map[string]bool{}
	for _, total := range d.Totals {
		var axis []int
		for _, name := range total {
			inside[name] = true
			axis = append(axis, slices.IndexFunc(groups, func(c query.Column) bool { return c.Name == name }))
		}
		axes = append(axes, axis)
	}
	for at, g := range groups {
		if !inside[g.Name] {
			axes = append(axes, []int{at})
		}
	}
	keys := [][]query.Value{make([]query.Value, len(groups))}
	for n, axis := range axes {
		wanted := math.Pow(float64(cells)/float64(len(keys)), 1/float64(len(axes)-n))
		for level, at := range axis {
			width := max(1, int(math.Round(math.Pow(wanted, 1/float64(len(axis)-level)))))
			wanted /= float64(width)
			var next [][]query.Value
			for _, key := range keys {
				for i := range width {
					k := slices.Clone(key)
					name := fmt.Sprint(i + 1)
					if level > 0 {
						name = key[axis[level-1]].Text + "." + name
					}
					k[at] = valueOf(groups[at], name, i)
					if level > 0 && k[at].Type != query.Text { // values of other types lie within each other by number
						k[at].Int += key[axis[level-1]].Int * int64(width)
					}
					next = append(next, k)
				}
			}
			keys = next
		}
	}
	return keys
}

// valueOf is a made-up value of a column.
func valueOf(c query.Column, name string, i int) query.Value {
	v := query.Value{Type: c.Type, Scale: c.Scale}
	switch c.Type {
	case query.Text:
		v.Text = name
	case query.Boolean:
		v.Int = int64(i % 2)
	case query.Date:
		v.Int = 20_000 + int64(i)
	default:
		v.Int = int64(i)
	}
	return v
}
