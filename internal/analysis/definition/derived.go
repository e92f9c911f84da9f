package definition

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"tributary/internal/analysis/definition/expression"
)

// Derived is a column that is computed of each row of a dataset, see package
// expression. Numbers can be measured; parts of dates and texts can be groups. One
// written without a dataset is one Derived for each.
type Derived struct {
	Name       string `json:"name"`
	Dataset    string `json:"dataset"`
	Expression string `json:"expression"`         // as it was written, but for its spaces
	Decimals   *int   `json:"decimals,omitempty"` // of an exact number; nil: as many as it has

	of   *expression.Expression
	path string
}

// Parsed is what the expression says.
func (d Derived) Parsed() *expression.Expression { return d.of }

func readDerived(f fields, datasets []string) []Derived {
	var list []Derived
	for _, n := range f.list("derived", MaxDerived) {
		g := n.fields("name", "dataset", "expression", "decimals")
		d := Derived{Name: g.filled("name", "", maxName), Dataset: dataset(g, datasets), path: n.path}
		if !g.has("name") {
			g.missing("name", "Give the column a name.")
		}
		if !g.has("expression") {
			g.missing("expression", "Say how the column is computed. %s", expression.Allowed)
		} else if text := g.filled("expression", "", maxNote); text != "" {
			of, err := expression.Parse(text)
			if err != nil {
				g.values["expression"].problem("%s", err)
				continue
			}
			d.of, d.Expression = of, of.String()
		}
		if g.has("decimals") {
			decimals := int(g.integer("decimals", 0, 0, MaxDecimals))
			d.Decimals = &decimals
			if d.of != nil && d.of.Kind != expression.Number {
				g.values["decimals"].problem("only numbers have decimals.")
			}
		}
		of := datasets
		if d.Dataset != "" {
			of = []string{d.Dataset}
		}
		for _, d.Dataset = range of {
			if slices.ContainsFunc(list, func(o Derived) bool { return o.Dataset == d.Dataset && strings.EqualFold(o.Name, d.Name) }) {
				n.problem("column %q of dataset %q is derived twice.", cut(d.Name), d.Dataset)
			}
			list = append(list, d)
		}
	}
	return list
}

// derived finds a derived column; nil if the name is another's.
func (d *Definition) derived(dataset, name string) *Derived {
	i := slices.IndexFunc(d.Derived, func(o Derived) bool { return o.Dataset == dataset && o.Name == name })
	if i < 0 || d.Derived[i].of == nil {
		return nil
	}
	return &d.Derived[i]
}

// Meaning says what stands behind a name in a dataset: a column's name itself, or what
// a derived one is.
func (d *Definition) Meaning(dataset, name string) string {
	of := d.derived(dataset, name)
	switch {
	case of == nil:
		return name
	case of.Decimals == nil:
		return "= " + of.Expression
	}
	return fmt.Sprintf("= %s, rounded to %s", of.Expression, counted(*of.Decimals, "decimal"))
}

// reads lists the columns behind a name.
func (d *Definition) reads(dataset, name string) []string {
	if of := d.derived(dataset, name); of != nil {
		return of.of.Columns()
	}
	return []string{name}
}

// Rows stands for what counts read: a column that none lacks has as many values as there
// are rows.
const Rows = "\nrows"

// Reads lists the columns that a measure's numbers come from.
func (d *Definition) Reads(m Measure) []string {
	if m.Own == OwnCount {
		return []string{Rows}
	}
	var list []string
	for _, name := range m.Columns() {
		list = append(list, d.reads(m.Dataset, name)...)
	}
	return list
}

// terms are those of what is measured by a name.
func (d *Definition) terms(dataset, name string) []expression.Term {
	if of := d.derived(dataset, name); of != nil {
		return of.of.Terms
	}
	return []expression.Term{{Times: 1, Over: []string{name}}}
}

// checkDerived finds derived columns where they cannot be.
func (d *Definition) checkDerived(doc *document) {
	used := map[string]bool{}
	for i, name := range d.Groups {
		for _, dataset := range d.Datasets {
			of := d.derived(dataset, name)
			if of == nil {
				continue
			}
			used[of.path] = true
			if of.of.Kind == expression.Number {
				doc.at(fmt.Sprintf("groups[%d]", i), "%q is a calculated number. Groups are declared columns, parts of dates, and texts.", cut(name))
			}
		}
	}
	for _, f := range d.Filters {
		if of := d.derived(f.Dataset, f.Column); of != nil {
			used[of.path] = true
			doc.at(f.path+".column", "%q is derived. Filters are on declared columns: %s.", cut(f.Column), strings.Join(of.of.Columns(), ", "))
		}
	}
	parts := 0
	for i, m := range d.Measures {
		path := fmt.Sprintf("measures[%d]", i)
		for _, name := range m.Columns() {
			parts++
			if of := d.derived(m.Dataset, name); of != nil {
				used[of.path] = true
				if n := len(of.of.Terms); n > 1 {
					parts += n
				}
				m.checkDerived(doc, path, of)
			}
		}
	}
	if parts > maxParts {
		doc.at("measures", "come to %d numbers of each participant, every term of a derived sum being one; at most %d are possible.", parts, maxParts)
	}
	for _, of := range d.Derived {
		if of.of != nil && !used[of.path] && len(doc.problems) == 0 {
			doc.at(of.path, "nothing uses %q. Remove it, or group by it or measure it.", cut(of.Name))
		}
	}
	if len(doc.problems) == 0 {
		d.checkSquares(doc)
	}
}

// maxParts is how many numbers a run has of each participant in a cell.
const maxParts = 256

// checkDerived finds a derived column that the measure cannot be of.
func (m Measure) checkDerived(doc *document, path string, of *Derived) {
	switch {
	case of.of.Kind == expression.Part:
		doc.at(path, "%q is a part of a date, which can be grouped by and not measured.", cut(of.Name))
	case of.of.Kind == expression.Text:
		doc.at(path, "%q is a text, which can be grouped by and not measured.", cut(of.Name))
	case m.Own == OwnCount:
		doc.at(path, "%q is derived. Count rows, or the values of a declared column.", cut(of.Name))
	case m.Function == WeightedMean:
		doc.at(path, "%q is derived. A weighted_mean is of declared columns; a ratio divides any total by another.", cut(of.Name))
	case (m.Function == Variance || m.Function == Quantile) && len(of.of.Terms) > 1:
		doc.at(path, "%q is a sum. A %s is judged on one product only: what is added could hide how close the values are.", cut(of.Name), m.Function)
	}
}

// checkSquares refuses measures of which two tell how close the values of a third are:
// by Cauchy and Schwarz sum(a) sum(b) is sum(c)² at least, where a b = c² in every row,
// and no more only if the values are in one proportion, which the three then tell.
func (d *Definition) checkSquares(doc *document) {
	for _, dataset := range d.Datasets {
		products := []map[string]int{{}} // exponents by column; the first is 1, which counts rows
		known := map[string]int{exponentsOf(products[0]): 0}
		paths := []string{""}
		for i, m := range d.Measures {
			if m.Dataset != dataset || m.Own == OwnCount {
				continue
			}
			for _, t := range d.products(m) {
				exponents := map[string]int{}
				for _, name := range t.Over {
					exponents[name]++
				}
				for _, name := range t.Under {
					exponents[name]--
				}
				id := exponentsOf(exponents)
				if _, there := known[id]; !there {
					known[id] = len(products)
					products, paths = append(products, exponents), append(paths, "measures["+strconv.Itoa(i)+"]")
				}
			}
		}
		for a := range products {
			for b := range a {
				if root, ok := squareRoot(products[a], products[b]); ok {
					if c, there := known[exponentsOf(root)]; there && c != a && c != b {
						doc.at(paths[a], "together with other measures, or with the number of rows, it tells how close values are: its product with one of them is the square of another. Remove one of the three.")
						return
					}
				}
			}
		}
	}
}

// products are the terms that a measure gives sums of.
func (d *Definition) products(m Measure) []expression.Term {
	if m.Function == WeightedMean {
		return []expression.Term{{Over: []string{m.Column, m.Weight}}, {Over: []string{m.Weight}}}
	}
	var list []expression.Term
	for _, name := range m.Columns() {
		list = append(list, d.terms(m.Dataset, name)...)
	}
	return list
}

// exponentsOf is a product as a text.
func exponentsOf(product map[string]int) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(product)) {
		if n := product[name]; n != 0 {
			fmt.Fprintf(&b, "%q %d ", name, n)
		}
	}
	return b.String()
}

// squareRoot is what squared is a times b; false if there is no such product.
func squareRoot(a, b map[string]int) (map[string]int, bool) {
	root := map[string]int{}
	for _, of := range []map[string]int{a, b} {
		for name := range of {
			n := a[name] + b[name]
			if n%2 != 0 {
				return nil, false
			}
			root[name] = n / 2
		}
	}
	return root, true
}

// alike reports whether two measures of one dataset say something of the same values.
func (d *Definition) alike(m, other Measure) bool {
	if other.Column == "" || other.Column == m.Column {
		return true
	}
	return slices.ContainsFunc(d.terms(m.Dataset, m.Column), func(t expression.Term) bool {
		return slices.ContainsFunc(d.terms(other.Dataset, other.Column), func(o expression.Term) bool {
			return slices.Equal(o.Over, t.Over) && slices.Equal(o.Under, t.Under)
		})
	})
}

// Derive adds the derived columns to those of a dataset. What Check refuses is left out;
// a name is that of the derived one, also if a later contract has a column so called.
func (d *Definition) Derive(dataset string, columns Columns) Columns {
	all := slices.DeleteFunc(slices.Clone(columns), func(c Column) bool { return d.derived(dataset, c.Name) != nil })
	for i := range d.Derived {
		if of := &d.Derived[i]; of.Dataset == dataset && of.of != nil {
			if column, wrong := of.column(columns); wrong == "" {
				all = append(all, column)
			}
		}
	}
	return all
}

// maxScales is how many decimals an exact number and its columns can have in all.
const maxScales = 24

// column is what the derived column is by its columns' types; or what is wrong.
func (d *Derived) column(columns Columns) (c Column, wrong string) {
	c = Column{Name: d.Name, Derived: d}
	scales := map[string]int{}
	total := 0
	for _, name := range d.of.Columns() {
		input, ok := columns.Find(name)
		switch {
		case !ok:
			return c, "a column is missing."
		case d.of.Kind == expression.Number && !input.numeric():
			return c, fmt.Sprintf("column %q of dataset %q is %s; numbers are calculated of %s, %s and %s.", name, d.Dataset, input.described(), Integer, Decimal, Float)
		case d.of.Kind == expression.Part && input.Type != Date && input.Type != Timestamp:
			return c, fmt.Sprintf("column %q of dataset %q is %s; %s is of a date or timestamp.", name, d.Dataset, input.described(), d.of.Functions[0])
		case d.of.Kind == expression.Text && input.Type != Text:
			return c, fmt.Sprintf("column %q of dataset %q is %s; %s is of a text.", name, d.Dataset, input.described(), d.of.Functions[0])
		case input.Type == Float:
			c.Type = Float
		}
		scales[name] = input.Scale
		total += input.Scale
	}
	switch {
	case d.of.Kind == expression.Part:
		c.Type = Integer
		return c, ""
	case d.of.Kind == expression.Text:
		c.Type = Text
		return c, ""
	case c.Type == Float && d.Decimals != nil:
		return c, "is calculated of floats, which are not rounded before they are added. Remove decimals; the measure has its own."
	case c.Type == Float:
		return c, ""
	}
	c.Type = Decimal
	if d.Decimals != nil {
		c.Scale = *d.Decimals
	} else if c.Scale = d.natural(scales); c.Scale > MaxDecimals {
		return c, fmt.Sprintf("has no end of decimals, or more than %d. Say with decimals how many are kept.", MaxDecimals)
	}
	if total += c.Scale; total > maxScales {
		return c, fmt.Sprintf("it and its columns have %d decimals in all; at most %d are possible.", total, maxScales)
	}
	return c, ""
}

// natural is how many decimals the number has, or more than MaxDecimals.
func (d *Derived) natural(scales map[string]int) int {
	most := 0
	for _, t := range d.of.Terms {
		if len(t.Under) > 0 {
			return MaxDecimals + 1
		}
		scale := 0
		for _, name := range t.Over {
			scale += scales[name]
		}
		times := t.Times % d.of.By
		for ; times != 0 && scale <= MaxDecimals; scale++ {
			times = times * 10 % d.of.By
		}
		if times != 0 {
			return MaxDecimals + 1
		}
		most = max(most, scale)
	}
	return most
}

// derived checks the derived columns and adds them to their datasets.
func (c *checker) derived() {
	for i := range c.Derived {
		d := &c.Derived[i]
		columns, ok := c.datasets[d.Dataset]
		if !ok {
			continue
		}
		if slices.ContainsFunc(columns, func(o Column) bool { return o.Derived == nil && strings.EqualFold(o.Name, d.Name) }) {
			c.at(d.path+".name", "dataset %q has a column %q. Give the derived one another name.", d.Dataset, cut(d.Name))
			continue
		}
		problems := len(c.problems)
		for _, name := range d.of.Columns() {
			if _, declared := columns.Find(name); !declared && c.Definition.derived(d.Dataset, name) != nil {
				c.at(d.path+".expression", "%q is derived itself. Write out what it is, with declared columns.", cut(name))
				continue
			}
			c.column(d.path+".expression", d.Dataset, name, "calculated with")
		}
		if len(c.problems) > problems {
			continue
		}
		if _, wrong := d.column(columns); wrong != "" {
			c.at(d.path+".expression", "%s", wrong)
		}
	}
	all := map[string]Columns{}
	for dataset, columns := range c.datasets {
		all[dataset] = c.Derive(dataset, columns)
	}
	c.datasets = all
}
