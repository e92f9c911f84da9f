package definition

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Check reports what in the definition does not fit its datasets: every unknown
// dataset or column with the nearest known name, and every type that does not
// go with its use, with path and line, in one fault.Invalid. datasets holds
// every dataset that may be named, at least those that d names.
//
// A column that tells whose a row is (its role is participant or file) cannot
// be filtered on, grouped by or measured: whoever could pick rows by their
// sender could pick one sender.
func Check(d *Definition, datasets map[string]Columns) error {
	c := checker{document{lines: d.lines}, d, datasets}
	c.derived()
	for i, name := range d.Datasets {
		if _, ok := datasets[name]; !ok {
			c.at(fmt.Sprintf("datasets[%d]", i), "there is no dataset %q.%s", cut(name), didYouMean(name, slices.Sorted(maps.Keys(datasets))))
		}
	}
	for i, name := range d.Groups {
		c.group(fmt.Sprintf("groups[%d]", i), name)
	}
	for _, f := range d.Filters {
		c.filter(f)
	}
	for i, m := range d.Measures {
		c.measure(fmt.Sprintf("measures[%d]", i), m)
	}
	return c.err()
}

type checker struct {
	document
	*Definition
	datasets map[string]Columns
}

// column finds a column of a dataset or records that it is unknown or tells
// whose a row is. Of an unknown dataset nothing is recorded again.
func (c *checker) column(path, dataset, name, use string) (Column, bool) {
	columns, ok := c.datasets[dataset]
	if !ok {
		return Column{}, false
	}
	column, ok := columns.Find(name)
	switch {
	case !ok && c.Definition.derived(dataset, name) != nil: // it was refused itself
	case !ok:
		c.at(path, "dataset %q has no column %q.%s", dataset, cut(name), didYouMean(name, columns.names()))
	case column.identifies():
		c.at(path, "column %q of dataset %q tells whose a row is, so it cannot be %s.", name, dataset, use)
		return column, false
	}
	return column, ok
}

func (c *checker) group(path, name string) {
	var first Column
	for _, dataset := range c.Datasets {
		column, ok := c.column(path, dataset, name, "a group")
		if !ok {
			continue
		}
		switch {
		case column.Type == Float:
			c.at(path, "column %q of dataset %q is a float; results cannot be grouped by it, since equal floats are a matter of chance.", name, dataset)
		case first.Name == "":
			first = column
		case column.Type != first.Type || column.Scale != first.Scale:
			c.at(path, "column %q is not of the same type in every dataset: %s and %s.", name, first.described(), column.described())
		}
	}
}

func (c Column) described() string {
	if c.Type == Decimal {
		return fmt.Sprintf("decimal(%d)", c.Scale)
	}
	return c.Type
}

func (c *checker) filter(f Filter) {
	column, ok := c.column(f.path+".column", f.Dataset, f.Column, "filtered on")
	if !ok {
		return
	}
	read := func(path, text string) (Literal, bool) {
		v, ok := column.ParseValue(text)
		if !ok {
			c.at(path, "%q is not a value of column %q of dataset %q, which is %s: write %s.", cut(text), f.Column, f.Dataset, column.described(), column.form())
		}
		return v, ok
	}
	seen := map[Literal]string{}
	for i, text := range f.Equals {
		path := fmt.Sprintf("%s.equals[%d]", f.path, i)
		if v, ok := read(path, text); ok {
			if other, twice := seen[v]; twice {
				c.at(path, "%q and %q are the same value of column %q.", cut(text), cut(other), f.Column)
			}
			seen[v] = text
		}
	}
	if f.From == "" && f.To == "" {
		return
	}
	if column.Type == Text || column.Type == Boolean {
		c.at(f.path, "column %q of dataset %q is %s, which has no ranges. Use equals.", f.Column, f.Dataset, column.Type)
		return
	}
	var from, to Literal
	okFrom, okTo := false, false
	if f.From != "" {
		from, okFrom = read(f.path+".from", f.From)
	}
	if f.To != "" {
		to, okTo = read(f.path+".to", f.To)
	}
	if okFrom && okTo && from.compare(to) > 0 {
		c.at(f.path, "the range from %q to %q is empty, so no row would pass.", f.From, f.To)
	}
}

func (c *checker) measure(path string, m Measure) {
	if m.Column != "" { // else it counts rows
		c.number(path+".column", m.Dataset, m.Column)
	}
	if m.Of != "" {
		c.number(path+".of", m.Dataset, m.Of)
	}
	if m.Weight != "" {
		c.number(path+".weight", m.Dataset, m.Weight)
	}
}

func (c *checker) number(path, dataset, name string) {
	column, ok := c.column(path, dataset, name, "measured")
	if ok && !column.numeric() {
		c.at(path, "column %q of dataset %q is %s; only %s columns can be measured.", name, dataset, column.described(), strings.Join([]string{Integer, Decimal, Float}, ", "))
	}
}
