package analysis

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"tributary/internal/analysis/definition"
	"tributary/internal/analysis/definition/expression"
	"tributary/internal/query"
)

// measured is a measure on its way to its parts.
type measured struct {
	*execution
	spec    *query.Spec
	columns definition.Columns // of its dataset, derived ones too
	of      measure
}

// parts finds what the engine computes for a measure, the numbers that its value is made
// of first. A derived sum is judged on each of its terms as well: what is added to a
// value could make it look like one of many, or be known from another measure.
func (m *measured) parts() {
	if m.of.Function == definition.WeightedMean {
		m.weighted()
		return
	}
	var terms []query.Derived
	for _, name := range m.of.Columns() {
		column, _ := m.columns.Find(name)
		if column.Derived == nil {
			m.part(name, m.of.Scale(column), query.Own(m.of.Own) == query.Count && (name == "" || column.Required))
			continue
		}
		of := column.Derived.Parsed()
		d := query.Derived{Type: query.Type(column.Type), Scale: column.Scale, Terms: termsOf(of.Terms), By: of.By}
		m.derived(d)
		if len(d.Terms) > 1 {
			for _, t := range d.Terms {
				term := d
				term.Terms, term.Needs = []query.Term{t}, m.nullable(of.Columns())
				terms = append(terms, term)
			}
		}
	}
	for _, t := range terms {
		m.derived(t)
	}
}

func termsOf(list []expression.Term) []query.Term {
	terms := make([]query.Term, len(list))
	for i, t := range list {
		terms[i] = query.Term(t)
	}
	return terms
}

// nullable lists those of the columns that a row may lack.
func (m *measured) nullable(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		c, _ := m.columns.Find(name)
		return c.Required
	})
}

// weighted makes the parts of a weighted mean: the products, and the weights of the rows
// that have one. Products are exact unless they have more digits than are kept beside the
// result's.
func (m *measured) weighted() {
	column, _ := m.columns.Find(m.of.Column)
	weight, _ := m.columns.Find(m.of.Weight)
	product := query.Derived{Type: query.Decimal, Terms: []query.Term{{Times: 1, Over: []string{column.Name, weight.Name}}}, By: 1}
	slices.Sort(product.Terms[0].Over)
	if column.Type == definition.Float || weight.Type == definition.Float {
		product.Type = query.Float
	} else {
		product.Scale = min(column.Scale+weight.Scale, max(column.Scale, weight.Scale, m.of.Scale(definition.Column{Type: definition.Float})), query.MaxScales-column.Scale-weight.Scale)
	}
	m.derived(product)
	weights := query.Derived{Type: query.Type(weight.Type), Scale: weight.Scale, Terms: []query.Term{{Times: 1, Over: []string{weight.Name}}}, By: 1, Needs: m.nullable([]string{column.Name})}
	if column.Type == definition.Float && len(weights.Needs) > 0 {
		weights.Type, weights.Scale = query.Float, 0 // a number made with floats is one
	}
	m.derived(weights)
}

// derived adds a derived number as a part; one that is a column itself as that column.
// Its name is made of what it is, so that the ledger knows it in other versions.
func (m *measured) derived(d query.Derived) {
	d.Dataset = m.of.Dataset
	if t := d.Terms[0]; len(d.Terms) == 1 && len(t.Over) == 1 && len(t.Under) == 0 && t.Times == d.By {
		if d.Needs = slices.DeleteFunc(slices.Clone(d.Needs), func(name string) bool { return name == t.Over[0] }); len(d.Needs) == 0 {
			column, _ := m.columns.Find(t.Over[0])
			m.part(column.Name, m.of.Scale(column), false)
			return
		}
	}
	if d.Type == query.Integer {
		d.Type = query.Decimal
	}
	text, err := json.Marshal(d)
	if err != nil {
		panic("analysis: " + err.Error()) // texts and whole numbers only
	}
	sum := sha256.Sum256(text)
	d.Name = "\n" + hex.EncodeToString(sum[:]) // no column's, which has no line ends
	if _, err := m.spec.Column(d.Dataset, d.Name); err != nil {
		m.spec.Derived = append(m.spec.Derived, d)
	}
	m.of.reads = append(m.of.reads, d.Inputs()...)
	m.part(d.Name, m.of.Scale(definition.Column{Type: string(d.Type), Scale: d.Scale}), false)
}

func (m *measured) part(name string, scale int, counts bool) {
	part := m.execution.part(m.spec, query.Measure{Dataset: m.of.Dataset, Column: name, Own: query.Own(m.of.Own), Scale: scale}, counts)
	if m.of.Own == definition.OwnCount {
		name = definition.Rows
	}
	m.of.reads = append(m.of.reads, name)
	if !slices.Contains(m.of.parts, part) || len(m.of.parts) < len(m.of.Columns()) { // a ratio may be of one column twice
		m.of.parts = append(m.of.parts, part)
	}
}

// derivedGroups gives the engine the groups of a dataset that are derived.
func (x *execution) derivedGroups(s *query.Spec, dataset string, columns definition.Columns) {
	for _, name := range x.def.Groups {
		c, ok := columns.Find(name)
		if !ok || c.Derived == nil {
			continue
		}
		of := c.Derived.Parsed()
		s.Derived = append(s.Derived, query.Derived{Dataset: dataset, Name: name, Type: query.Type(c.Type), Of: of.Of, Functions: of.Functions})
	}
}
