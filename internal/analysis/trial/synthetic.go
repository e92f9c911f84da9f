package trial

import (
	"fmt"
	"math"
	"slices"
	"time"

	"tributary/internal/analysis"
	"tributary/internal/analysis/definition"
	"tributary/internal/analysis/definition/expression"
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
// groups are texts, what is measured or calculated with are decimals with two digits, what
// a part is taken of is a date, and what is filtered is what the filter's values are.
func Columns(d *definition.Definition) map[string]definition.Columns {
	all := map[string]definition.Columns{}
	for _, dataset := range d.Datasets {
		var list definition.Columns
		add := func(name, kind string, scale int) {
			if _, known := list.Find(name); !known && name != "" {
				list = append(list, definition.Column{Name: name, Type: kind, Scale: scale})
			}
		}
		use := func(name, kind string, scale int) {
			for _, of := range d.Derived {
				if of.Dataset != dataset || of.Name != name {
					continue
				}
				kinds := map[expression.Kind]string{expression.Number: definition.Decimal, expression.Part: definition.Date, expression.Text: definition.Text}
				for _, input := range of.Parsed().Columns() {
					add(input, kinds[of.Parsed().Kind], map[bool]int{true: 2}[of.Parsed().Kind == expression.Number])
				}
				return
			}
			add(name, kind, scale)
		}
		for _, g := range d.Groups {
			use(g, definition.Text, 0)
		}
		for _, m := range d.Measures {
			for _, name := range m.Columns() {
				if m.Dataset == dataset {
					use(name, definition.Decimal, 2)
				}
			}
		}
		for _, f := range d.Filters {
			if f.Dataset == dataset {
				add(f.Column, kindOf(f), map[bool]int{true: 2}[kindOf(f) == definition.Decimal])
			}
		}
		all[dataset] = list
	}
	return all
}

// kindOf is the type of which a filter's values are.
func kindOf(f definition.Filter) string {
	values := slices.DeleteFunc(append(slices.Clone(f.Equals), f.From, f.To), func(s string) bool { return s == "" })
	for _, c := range []definition.Column{{Type: definition.Date}, {Type: definition.Timestamp}, {Type: definition.Decimal, Scale: 2}} {
		if !slices.ContainsFunc(values, func(s string) bool { _, is := c.ParseValue(s); return !is }) {
			return c.Type
		}
	}
	return definition.Text
}

// Generate makes up contributions with heavy tails: a few participants have most, and
// most of what they have is in a few cells. Each has a few rows in a cell, which are
// calculated with and added up as a run does it. Filters let all of them pass.
func Generate(t *analysis.Trial, d *definition.Definition, s Synthetic, rng Random) ([][]analysis.Contributor, error) {
	switch {
	case s.Participants < 2 || s.Participants > MaxParticipants:
		return nil, fault.New(fault.Invalid, "There are %d synthetic participants; there can be 2 to %d.", s.Participants, MaxParticipants)
	case s.Cells < 1 || s.Cells > MaxCells:
		return nil, fault.New(fault.Invalid, "There are %d synthetic cells; there can be 1 to %d.", s.Cells, MaxCells)
	case s.Releases < 1 || s.Releases > MaxReleases:
		return nil, fault.New(fault.Invalid, "There are %d releases; a trial has 1 to %d.", s.Releases, MaxReleases)
	}
	spec, err := t.Spec(1)
	if err != nil {
		return nil, err
	}
	spec.Filters = nil
	w := world{spec: spec, def: d, places: placesOf(d, s.Cells), rng: rng}
	if s.Participants*len(w.places) > 4*MaxRows {
		return nil, fault.New(fault.Invalid, "%d participants and %d cells are too many together.", s.Participants, s.Cells)
	}
	var now []analysis.Contributor
	for n := range s.Participants {
		c, err := w.contributor(n)
		if err != nil {
			return nil, err
		}
		now = append(now, c)
	}
	releases := [][]analysis.Contributor{now}
	for len(releases) < s.Releases {
		if now, err = w.next(now, s.Participants+len(releases)); err != nil {
			return nil, err
		}
		releases = append(releases, now)
	}
	return releases, nil
}

type world struct {
	spec   query.Spec
	def    *definition.Definition
	places [][]label
	rng    Random
}

// label is a made-up value of a group: of a text its name, else its number.
type label struct {
	name string
	n    int
}

// next is the release after one.
func (w *world) next(now []analysis.Contributor, newcomer int) (_ []analysis.Contributor, err error) {
	now = slices.Clone(now)
	few := 1 + w.rng.IntN(2)
	if w.rng.IntN(3) == 0 {
		few = len(now)/2 + 1
	}
	for _, at := range w.rng.Perm(len(now))[:min(few, len(now))] {
		if now[at].Rows, err = w.revised(now[at].Rows); err != nil {
			return nil, err
		}
	}
	switch w.rng.IntN(4) {
	case 0:
		c, err := w.contributor(newcomer)
		if err != nil {
			return nil, err
		}
		now = append(now, c)
	case 1:
		at := w.rng.IntN(len(now))
		now = slices.Delete(now, at, at+1)
	}
	return now, nil
}

// tail is a random number of at least 1 that is sometimes much larger (Pareto's
// distribution), the more often the smaller alpha is.
func (w *world) tail(alpha float64) float64 {
	return math.Min(math.Pow(1-w.rng.Float64(), -1/alpha), 1_000)
}

// Of participants' sizes, and of what one of them has in a cell.
const sizes, amounts = 1.5, 2.5

func (w *world) contributor(n int) (analysis.Contributor, error) {
	c := analysis.Contributor{Name: fmt.Sprintf("p%03d", n+1), Organisation: fmt.Sprintf("o%03d", n+1)}
	if n%8 == 7 {
		c.Organisation = fmt.Sprintf("o%03d", n)
	}
	size := w.tail(sizes)
	share := math.Min(0.95, 0.15+0.2*w.rng.Float64()+size/20) // of the cells that it has something in
	var in [][]label
	for _, place := range w.places {
		if w.rng.Float64() < share {
			in = append(in, place)
		}
	}
	if len(in) == 0 {
		in = append(in, w.places[w.rng.IntN(len(w.places))])
	}
	var err error
	c.Rows, err = w.rows(size, in...)
	return c, err
}

// rows are what somebody has who has a few rows at each of some places.
func (w *world) rows(size float64, places ...[]label) ([]query.Row, error) {
	a, err := query.NewInMemory(w.spec)
	if err != nil {
		return nil, err
	}
	for source, of := range w.spec.Sources {
		columns := w.spec.Datasets[of.Dataset]
		row := make([]query.Value, len(columns))
		for _, place := range places {
			n := 1 + min(w.rng.IntN(4), int(2*size*w.rng.Float64()))
			for range n {
				for i, c := range columns {
					row[i] = w.value(of.Dataset, c, place, size/float64(n))
				}
				if err := a.Add(source, row); err != nil {
					return nil, err
				}
			}
		}
	}
	return a.Rows(), nil
}

// value makes up a value of a column: what puts the row where it is to be, or a number.
func (w *world) value(dataset string, c query.Column, place []label, size float64) query.Value {
	grouped, v, day := false, query.Value{Type: c.Type, Scale: c.Scale}, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for at, name := range w.def.Groups {
		function := ""
		for _, d := range w.spec.Derived {
			if d.Dataset == dataset && d.Name == name && d.Of == c.Name {
				function = d.Functions[0]
			}
		}
		if function == "" && name != c.Name {
			continue
		}
		l := place[at]
		switch {
		case slices.Contains(query.PartsOfDates, function):
			day = later(day, function, l.n)
		case c.Type == query.Date:
			day = day.AddDate(0, 0, l.n)
		case c.Type == query.Text:
			v.Text = l.name
		case c.Type == query.Boolean:
			v.Int = int64(l.n % 2)
		default:
			v.Int = int64(l.n)
		}
		grouped = true
	}
	switch {
	case grouped && c.Type == query.Date:
		return query.DateOf(day)
	case grouped && c.Type == query.Timestamp && v.Int == 0:
		return query.TimestampOf(day)
	case grouped:
		return v
	}
	return w.number(c, size)
}

// later is a day of which the part of a date is another.
func later(day time.Time, part string, n int) time.Time {
	switch part {
	case "year":
		return day.AddDate(n%100, 0, 0)
	case "quarter":
		return day.AddDate(0, 3*(n%4), 0)
	case "month":
		return day.AddDate(0, n%12, 0)
	case "week":
		return day.AddDate(0, 0, 7*(n%52))
	}
	return day.AddDate(0, 0, n%28)
}

// number makes up what is measured. One that is none is anything.
func (w *world) number(c query.Column, size float64) query.Value {
	v := query.Value{Type: c.Type, Scale: c.Scale}
	f := math.Min(100*size*w.tail(amounts), 1e8)
	if w.rng.IntN(12) == 0 {
		f = 0
	}
	switch c.Type {
	case query.Float:
		v.Float = f
	case query.Decimal:
		v.Int = int64(math.Round(f*math.Pow10(min(c.Scale, 9)))) * int64(math.Pow10(max(c.Scale-9, 0)))
	case query.Text:
		v.Text = fmt.Sprint(w.rng.IntN(9))
	case query.Boolean:
		v.Int = int64(w.rng.IntN(2))
	default:
		v.Int = int64(math.Round(f / 100))
	}
	return v
}

// revised corrects some of a participant's rows.
func (w *world) revised(before []query.Row) ([]query.Row, error) {
	list := slices.Clone(before)
	for range 1 + w.rng.IntN(3) {
		if len(list) > 1 && w.rng.IntN(5) == 0 {
			at := w.rng.IntN(len(list))
			list = slices.Delete(list, at, at+1)
			continue
		}
		for try := range 8 { // where it has something, rather than elsewhere
			one, err := w.rows(w.tail(sizes), w.places[w.rng.IntN(len(w.places))])
			if err != nil {
				return nil, err
			}
			at := slices.IndexFunc(list, func(r query.Row) bool { return query.CompareKeys(r.Key, one[0].Key) == 0 })
			if at >= 0 {
				list[at] = one[0]
			} else if try == 7 {
				list = append(list, one[0])
			}
			if at >= 0 {
				break
			}
		}
	}
	return list, nil
}

// placesOf makes up values of the groups: of those with totals a tree, of the others a few
// each.
func placesOf(d *definition.Definition, cells int) [][]label {
	var axes [][]int // groups that lie within each other
	inside := map[string]bool{}
	for _, total := range d.Totals {
		var axis []int
		for _, name := range total {
			inside[name] = true
			axis = append(axis, slices.Index(d.Groups, name))
		}
		axes = append(axes, axis)
	}
	for at, g := range d.Groups {
		if !inside[g] {
			axes = append(axes, []int{at})
		}
	}
	places := [][]label{make([]label, len(d.Groups))}
	for n, axis := range axes {
		wanted := math.Pow(float64(cells)/float64(len(places)), 1/float64(len(axes)-n))
		for level, at := range axis {
			width := max(1, int(math.Round(math.Pow(wanted, 1/float64(len(axis)-level)))))
			wanted /= float64(width)
			var next [][]label
			for _, place := range places {
				for i := range width {
					p := slices.Clone(place)
					p[at] = label{fmt.Sprint(i + 1), i}
					if level > 0 {
						up := place[axis[level-1]]
						p[at] = label{up.name + "." + p[at].name, up.n*width + i}
					}
					next = append(next, p)
				}
			}
			places = next
		}
	}
	return places
}
