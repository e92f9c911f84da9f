package definition

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

var (
	slug     = regexp.MustCompile(`^[a-z][a-z0-9-]{0,61}[a-z0-9]$`)
	byteSize = regexp.MustCompile(`^([0-9]{1,9}) ?(MiB|GiB|TiB)$`)
	fileName = regexp.MustCompile(`^(?:[A-Za-z0-9_-]|\{(?:analysis|date|participant|dataset)\})(?:[A-Za-z0-9._-]|\{(?:analysis|date|participant|dataset)\})*\.csv$`)
)

// Parse reads a definition and fills in the defaults. Errors are fault.Invalid
// (TooLarge for a text over MaxYAML) and name every problem with line and path.
// Whether the datasets and columns exist is for Check.
func Parse(text []byte) (*Definition, error) {
	doc := &document{lines: map[string]int{}}
	root, err := open(text, doc)
	if err != nil {
		return nil, err
	}
	f := root.fields("analysis", "title", "description", "datasets", "derived", "filters", "groups", "totals", "measures", "recipients", "own_value", "output", "rules", "quorum", "limits", "retention")
	d := &Definition{
		Name:        f.text("analysis", "", maxName),
		Title:       f.text("title", "", 200),
		Description: f.text("description", "", maxNote),
		Datasets:    f.texts("datasets", MaxDatasets, maxName),
		Groups:      f.texts("groups", MaxGroups, maxName),
		Recipients:  f.oneOf("recipients", ContributorsOnly, ContributorsOnly),
		OwnValue:    f.boolean("own_value", true),
		lines:       doc.lines,
	}
	switch {
	case !f.has("analysis"):
		f.missing("analysis", "Give the analysis a name.")
	case !slug.MatchString(d.Name):
		f.values["analysis"].problem("%q is not a name for an analysis: 2 to 63 lower-case letters, digits and hyphens, beginning with a letter.", cut(d.Name))
	}
	if len(d.Datasets) == 0 {
		f.missing("datasets", "Name at least one dataset.")
	}
	d.Totals = readTotals(f, d.Groups)
	d.Derived = readDerived(f, d.Datasets)
	d.Filters = readFilters(f, d.Datasets)
	d.Measures = readMeasures(f, d.Datasets)
	d.Output = readOutput(f, len(d.Totals) > 0)
	d.Rules = readRules(f)
	d.Quorum = int(f.integer("quorum", int64(d.Rules.MinContributors), 1, 1_000_000))
	d.Limits = readLimits(f)
	d.Retention = readRetention(f)
	d.checkUse(doc)
	if err := doc.err(); err != nil {
		return nil, err
	}
	return d, nil
}

// dataset reads which of the datasets a filter or measure is for.
func dataset(f fields, datasets []string) string {
	if !f.has("dataset") {
		return ""
	}
	v := f.text("dataset", "", maxName)
	if v != "" && !slices.Contains(datasets, v) {
		f.values["dataset"].problem("%q is not among the datasets of this analysis.%s Add it to datasets, or name one of them.", cut(v), didYouMean(v, datasets))
		return ""
	}
	return v
}

func readFilters(f fields, datasets []string) []Filter {
	filters := []Filter{}
	for _, n := range f.list("filters", MaxFilters) {
		g := n.fields("column", "equals", "from", "to", "dataset")
		filter := Filter{
			Dataset: dataset(g, datasets),
			Column:  g.text("column", "", maxName),
			From:    g.filled("from", "", maxValue),
			To:      g.filled("to", "", maxValue),
			path:    n.path,
		}
		if g.has("equals") {
			filter.Equals = g.texts("equals", MaxEquals, maxValue)
		}
		switch ranged := g.has("from") || g.has("to"); {
		case filter.Column == "":
			g.missing("column", "Name the column to filter on.")
		case g.has("equals") && ranged:
			n.problem("has both a list of values and a range. Use equals, or from and to.")
		case g.has("equals") && len(filter.Equals) == 0:
			g.values["equals"].problem("has no value, so no row would pass.")
		case !g.has("equals") && !ranged:
			n.problem("says nothing. Give equals, or from, to or both.")
		}
		of := datasets
		if filter.Dataset != "" {
			of = []string{filter.Dataset}
		}
		for _, filter.Dataset = range of {
			if slices.ContainsFunc(filters, func(o Filter) bool { return o.Dataset == filter.Dataset && o.Column == filter.Column }) {
				n.problem("column %q of dataset %q is filtered twice. Write one filter.", cut(filter.Column), filter.Dataset)
			}
			filters = append(filters, filter)
		}
	}
	if len(filters) > MaxFilters {
		f.values["filters"].problem("are %d, one for each dataset that they apply to; at most %d are allowed.", len(filters), MaxFilters)
	}
	return filters
}

func readMeasures(f fields, datasets []string) []Measure {
	measures := []Measure{}
	for _, n := range f.list("measures", MaxMeasures) {
		g := n.fields("name", "function", "column", "of", "weight", "quantile", "own", "decimals", "dataset")
		m := Measure{
			Name:     g.text("name", "", maxName),
			Dataset:  dataset(g, datasets),
			Function: Function(g.oneOf("function", "", string(Count), string(Sum), string(Mean), string(Ratio), string(WeightedMean), string(Variance), string(Quantile))),
			Column:   g.text("column", "", maxName),
			Of:       g.text("of", "", maxName),
			Weight:   g.text("weight", "", maxName),
			Quantile: int(g.integer("quantile", 0, LeastQuantile, MostQuantile)),
			Decimals: int(g.integer("decimals", 0, 0, MaxDecimals)),
		}
		own := OwnSum
		if m.Function == Count {
			own = OwnCount
		}
		m.Own = Own(g.oneOf("own", string(own), string(OwnSum), string(OwnMean), string(OwnCount)))
		switch {
		case m.Dataset != "" || g.has("dataset"):
		case len(datasets) == 1:
			m.Dataset = datasets[0]
		case len(datasets) > 1:
			g.missing("dataset", "Say which of the datasets %s is measured.", strings.Join(datasets, ", "))
		}
		if !g.has("function") {
			g.missing("function", "It is count, sum, mean, ratio, weighted_mean, variance or quantile.")
		}
		m.checkFunction(g)
		if !g.has("column") && m.Own != OwnCount {
			g.missing("column", "Name the column to measure.")
		}
		if m.Function == Count && m.Own != OwnCount {
			g.values["own"].problem("a count adds up the participants' counts, so it can only be count.")
		}
		if !g.has("decimals") && m.Function != Count {
			g.missing("decimals", "Say how many decimals the result has, 0 to %d.", MaxDecimals)
		}
		if m.Function == Count && m.Decimals != 0 {
			g.values["decimals"].problem("a count has no decimals.")
		}
		if m.Name == "" {
			g.missing("name", "Give the result's column a name.")
		}
		measures = append(measures, m)
	}
	if len(measures) == 0 {
		f.missing("measures", "Say what is to be released: a list of measures.")
	}
	return measures
}

// checkFunction finds what a measure lacks or has too much of for its function.
func (m Measure) checkFunction(g fields) {
	if m.Function == Ratio {
		if !g.has("of") {
			g.missing("of", "Name the column to divide by.")
		}
		if m.Own != OwnSum {
			g.values["own"].problem("a ratio divides the sum of what all participants have by another, so it can only be sum.")
		}
	} else if g.has("of") {
		g.values["of"].problem("only a ratio has a column to divide by.")
	}
	switch {
	case m.Function != WeightedMean && g.has("weight"):
		g.values["weight"].problem("only a weighted_mean has a column of weights.")
	case m.Function != WeightedMean:
	case !g.has("weight"):
		g.missing("weight", "Name the column that says how much a row counts.")
	case m.Weight == m.Column:
		g.values["weight"].problem("is the column that is weighed. Squares tell how close values are.")
	case m.Own != OwnSum:
		g.values["own"].problem("a weighted_mean is over the rows of all participants, so it can only be sum.")
	}
	if m.Function == Quantile && !g.has("quantile") {
		g.missing("quantile", "Say how many per cent of the participants lie below, %d to %d; 50 is the median.", LeastQuantile, MostQuantile)
	}
	if m.Function != Quantile && g.has("quantile") {
		g.values["quantile"].problem("only a quantile has one.")
	}
}

// readTotals reads which groups have totals.
func readTotals(f fields, groups []string) [][]string {
	var totals [][]string
	seen := map[string]bool{}
	for _, n := range f.list("totals", MaxTotals) {
		list := fields{n, map[string]node{"": n}}.texts("", MaxGroups, maxName)
		for _, g := range list {
			switch {
			case !slices.Contains(groups, g):
				n.problem("%q is not among the groups.%s Totals are over groups.", cut(g), didYouMean(g, groups))
			case seen[g]:
				n.problem("%q is in two totals.", cut(g))
			}
			seen[g] = true
		}
		if len(list) == 0 {
			n.problem("names no group. Give a list of groups, from the coarsest to the finest.")
		}
		totals = append(totals, list)
	}
	return totals
}

func readRules(f fields) Rules {
	rules := DefaultRules()
	if !f.has("rules") {
		return rules
	}
	g := f.values["rules"].fields("min_contributors", "p_percent", "q_percent", "dominance", "coalition", "suppress")
	if n, ok := g.values["min_contributors"]; ok {
		if v, err := strconv.Atoi(n.yaml.Value); err == nil && v < 2 {
			n.problem("is %d; it must be at least 2. The result of one contributor is that contributor's own value, so no rule can make this safe.", v)
		} else {
			rules.MinContributors = int(g.integer("min_contributors", 0, 2, 1_000))
		}
	}
	rules.PPercent = int(g.integer("p_percent", int64(rules.PPercent), 0, 100))
	rules.QPercent = int(g.integer("q_percent", 0, 1, 100))
	if rules.QPercent > 0 && rules.QPercent < rules.PPercent {
		g.values["q_percent"].problem("is %d; what is known beforehand cannot be closer than the %d %% that have to stay in doubt.", rules.QPercent, rules.PPercent)
	}
	if rules.QPercent == 100 { // the p % rule
		rules.QPercent = 0
	}
	if rules.Coalition = int(g.integer("coalition", 1, 1, MaxCoalition)); rules.Coalition == 1 {
		rules.Coalition = 0
	}
	if rules.Suppress = Suppress(g.oneOf("suppress", "", string(LeastCells), string(LeastValue))); rules.Suppress == LeastCells {
		rules.Suppress = ""
	}
	if n, ok := g.values["dominance"]; ok && n.yaml.Value == "off" {
		rules.Dominance = Dominance{}
	} else if ok {
		h := n.fields("n", "k")
		for _, key := range []string{"n", "k"} {
			if !h.has(key) {
				h.missing(key, "Dominance is {n: 2, k: 85} or off.")
			}
		}
		rules.Dominance = Dominance{N: int(h.integer("n", 1, 1, 5)), K: int(h.integer("k", 1, 1, 99))}
	}
	return rules
}

// DefaultOutput is what a result looks like where a definition says nothing.
func DefaultOutput() Output {
	return Output{
		FileName: "{analysis}-{date}-{participant}.csv", DateColumn: "Date", DateFormat: "YYYY-MM-DD",
		IDColumn: "YourId", OwnPrefix: "Your",
	}
}

// defaultTotalColumn is the name of the column that tells totals from cells.
const defaultTotalColumn = "TotalOver"

func readOutput(f fields, totals bool) Output {
	o := DefaultOutput()
	if totals {
		o.TotalColumn = defaultTotalColumn
	}
	if !f.has("output") {
		return o
	}
	g := f.values["output"].fields("file_name", "date_column", "date_format", "id_column", "own_prefix", "total_column")
	if g.has("total_column") && !totals {
		g.values["total_column"].problem("there are no totals. Remove it, or declare totals.")
	}
	for _, text := range []struct {
		key  string
		into *string
		most int
	}{
		{"file_name", &o.FileName, 200}, {"date_column", &o.DateColumn, maxName}, {"date_format", &o.DateFormat, maxName},
		{"id_column", &o.IDColumn, maxName}, {"own_prefix", &o.OwnPrefix, maxName}, {"total_column", &o.TotalColumn, maxName},
	} {
		*text.into = g.filled(text.key, *text.into, text.most)
	}
	if o.FileName != "" && (len(o.FileName) > 150 || !fileName.MatchString(o.FileName)) {
		g.values["file_name"].problem("%q is not a pattern for a file name: letters, digits, . _ - and {analysis}, {date}, {participant}, {dataset}, at most 150 characters, not beginning with a dot, ending in .csv.", cut(o.FileName))
	} else if o.FileName != "" && !strings.Contains(o.FileName, "{date}") {
		g.values["file_name"].problem("needs {date}, or the files of different dates would have the same name.")
	}
	if o.DateFormat != "" && !validDateFormat(o.DateFormat) {
		g.values["date_format"].problem("%q is not a date format: it has YYYY, MM and DD, once each, with - . / _ or nothing between.", cut(o.DateFormat))
	}
	return o
}

func validDateFormat(s string) bool {
	for _, part := range []string{"YYYY", "MM", "DD"} {
		if strings.Count(s, part) != 1 {
			return false
		}
		s = strings.Replace(s, part, "|", 1)
	}
	return strings.Trim(s, "|-./_") == "" && strings.HasPrefix(s, "|") && strings.HasSuffix(s, "|")
}

func readRetention(f fields) *Retention {
	if !f.has("retention") {
		return nil
	}
	g := f.values["retention"].fields("days")
	if !g.has("days") {
		g.missing("days", "Write for how many days a result is kept, 1 to %d.", MaxDays)
	}
	return &Retention{Days: int(g.integer("days", 1, 1, MaxDays))}
}

func readLimits(f fields) Limits {
	l := Limits{Memory: 2 << 30, Wall: 10 * time.Minute, Cells: 1_000_000}
	if !f.has("limits") {
		return l
	}
	g := f.values["limits"].fields("memory", "wall", "cells")
	l.Cells = g.integer("cells", l.Cells, 1, MaxCells)
	if n, ok := g.values["memory"]; ok {
		m := byteSize.FindStringSubmatch(n.yaml.Value)
		if m == nil {
			n.problem("%q is not a size. Write it like 512MiB or 2GiB.", cut(n.yaml.Value))
		} else {
			size, _ := strconv.ParseInt(m[1], 10, 64)
			l.Memory = size << map[string]int{"MiB": 20, "GiB": 30, "TiB": 40}[m[2]]
			if size > 1<<20 || l.Memory < 64<<20 || l.Memory > 1<<40 {
				n.problem("is %s; it must be from 64MiB to 1TiB.", cut(n.yaml.Value))
			}
		}
	}
	if n, ok := g.values["wall"]; ok {
		wall, err := time.ParseDuration(n.yaml.Value)
		switch {
		case err != nil:
			n.problem("%q is not a duration. Write it like 90s or 10m.", cut(n.yaml.Value))
		case wall < time.Second || wall > MaxWall:
			n.problem("is %s; it must be from 1s to 2h.", cut(n.yaml.Value))
		}
		l.Wall = wall
	}
	return l
}

// checkUse finds what fits together badly, whatever the datasets are.
func (d *Definition) checkUse(doc *document) {
	for i, name := range d.Datasets {
		if !slices.ContainsFunc(d.Measures, func(m Measure) bool { return m.Dataset == name }) && len(d.Measures) > 0 && len(doc.problems) == 0 {
			doc.at("datasets["+strconv.Itoa(i)+"]", "no measure uses %q. Remove it, so that nobody is asked to share it.", cut(name))
		}
	}
	if d.Quorum < d.Rules.MinContributors {
		doc.at("quorum", "is %d, but a cell needs %d contributors, so a run of so few could release nothing. Raise it to at least %d.", d.Quorum, d.Rules.MinContributors, d.Rules.MinContributors)
	}
	d.checkDerived(doc)
	d.checkJoint(doc)
	d.checkTotals(doc)
	d.checkQuantiles(doc)
	// Names that differ only in case are one name to many readers of Parquet.
	taken := map[string]string{strings.ToLower(d.Output.DateColumn): "output.date_column"}
	take := func(path, name string) {
		if first, ok := taken[strings.ToLower(name)]; ok {
			doc.at(path, "the result would have two columns %q; the other is from %s.", cut(name), first)
			return
		}
		taken[strings.ToLower(name)] = path
	}
	for i, g := range d.Groups {
		take("groups["+strconv.Itoa(i)+"]", g)
	}
	for i, m := range d.Measures {
		take("measures["+strconv.Itoa(i)+"].name", m.Name)
	}
	take("output.id_column", d.Output.IDColumn)
	if len(d.Totals) > 0 {
		take("output.total_column", d.Output.TotalColumn)
	}
	for i, m := range d.Measures {
		if d.OwnValue {
			take("measures["+strconv.Itoa(i)+"].name", d.Output.OwnPrefix+m.Name)
		}
	}
}

// checkJoint keeps measures apart that would disclose together what none does
// alone. The mean of everybody's own mean, the sum and the count of one column
// are three equations about two numbers of each contributor; with two others they
// leave so few whole-numbered answers that there may be one. So a mean of means
// needs as many others as there are equations, and one more.
func (d *Definition) checkJoint(doc *document) {
	if d.MarksResults() {
		return // whoever accepts this knows that values can be computed
	}
	for i, m := range d.Measures {
		if m.Own != OwnMean {
			continue
		}
		type kind struct {
			own      Own
			function Function // where it says more than a sum
			derived  string   // of which
		}
		kinds := map[kind]bool{}
		for _, other := range d.Measures {
			if other.Dataset == m.Dataset && d.alike(m, other) {
				k := kind{own: other.Own}
				if d.derived(other.Dataset, other.Column) != nil {
					k.derived = other.Column
				}
				if other.Function == Variance || other.Function == Quantile {
					k.function = other.Function
				}
				kinds[k] = true
			}
		}
		if need := len(kinds) + 2; d.Rules.MinContributors < need {
			doc.at("measures["+strconv.Itoa(i)+"]", "the definition has %d different measures of column %q: together they say more of each contributor than each alone. Set rules.min_contributors to at least %d, or remove measures.", len(kinds), cut(m.Column), need)
		}
	}
}

// checkTotals refuses totals of what does not add up.
func (d *Definition) checkTotals(doc *document) {
	if len(d.Totals) == 0 {
		if d.Rules.Suppress != "" {
			doc.at("rules.suppress", "there are no totals, so no cell is hidden to protect another. Remove it, or declare totals.")
		}
		return
	}
	for i, m := range d.Measures {
		if !m.Additive() {
			doc.at("measures["+strconv.Itoa(i)+"]", "a %s of participants' own %ss has no totals: those of smaller groups do not add up to it. Release it in an analysis of its own, without totals.", m.Function, m.Own)
		}
	}
}

// checkQuantiles keeps quantiles of one column apart: many of them are the values
// themselves, in order. What a column times a number is has the same order, and what is
// judged beside each other is judged by column; so a variance or quantile stands beside
// no such multiple.
func (d *Definition) checkQuantiles(doc *document) {
	for i, m := range d.Measures {
		for _, other := range d.Measures[:i] {
			if m.Dataset != other.Dataset || (m.Own == OwnCount) != (other.Own == OwnCount) {
				continue
			}
			quantiles := m.Function == Quantile && other.Function == Quantile
			if quantiles && (m.Own == OwnCount || m.Column == other.Column) && max(m.Quantile-other.Quantile, other.Quantile-m.Quantile) < quantileDistance {
				doc.at("measures["+strconv.Itoa(i)+"].quantile", "is %d, and %s is %d of the same column; they must be %d apart at least, or together they would give values away.", m.Quantile, cut(other.Name), other.Quantile, quantileDistance)
			}
			if (m.Function.spreads() || other.Function.spreads()) && m.Own != OwnCount && d.multiples(m, other) {
				doc.at("measures["+strconv.Itoa(i)+"].column", "is a multiple of what %s is of. A variance or a quantile has to be judged beside other measures of the same values: make both of one column.", cut(other.Name))
			}
		}
	}
}

// spreads reports whether a function says how values lie.
func (f Function) spreads() bool { return f == Variance || f == Quantile }

// multiples reports whether two measures have different columns of which one is the other
// times a number.
func (d *Definition) multiples(m, other Measure) bool {
	for _, a := range m.Columns() {
		for _, b := range other.Columns() {
			if a == b || a == "" || b == "" {
				continue
			}
			s, t := d.terms(m.Dataset, a), d.terms(other.Dataset, b)
			if len(s) == 1 && len(t) == 1 && slices.Equal(s[0].Over, t[0].Over) && slices.Equal(s[0].Under, t[0].Under) {
				return true
			}
		}
	}
	return false
}

// quantileDistance is how far quantiles of one column are apart at least, in per cent.
const quantileDistance = 20
