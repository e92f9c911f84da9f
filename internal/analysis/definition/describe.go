package definition

import (
	"fmt"
	"strings"
)

// Describe puts the definition into plain words for a tenant admin who is to
// accept it: what is used, who gets what, under which rules. One sentence or
// two an item. How strict the p % and dominance rules are it does not say: who knew
// could work out more from what is hidden.
func Describe(d *Definition) []string {
	var words []string
	add := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	used := d.Uses()
	for _, dataset := range d.Datasets {
		if len(used[dataset]) == 0 {
			add("It counts the rows of your dataset %s and reads none of its columns.", dataset)
		} else {
			add("It reads these columns of your dataset %s and no others: %s.", dataset, strings.Join(used[dataset], ", "))
		}
		for _, o := range d.Derived {
			if o.Dataset == dataset {
				add("%s is computed of each row of %s: %s.", o.Name, dataset, strings.TrimPrefix(d.Meaning(dataset, o.Name), "= "))
			}
		}
		var only []string
		for _, f := range d.Filters {
			if f.Dataset == dataset {
				only = append(only, f.words())
			}
		}
		if len(only) > 0 {
			add("Of the dataset %s only those rows count where %s.", dataset, strings.Join(only, ", and "))
		}
	}
	if len(d.Groups) > 0 {
		add("Results are divided into cells, one for each combination of %s.", strings.Join(d.Groups, ", "))
	} else {
		add("Results are one cell for all rows.")
	}
	for _, total := range d.Totals {
		add("Besides, there are totals: over %s.", strings.Join(total, ", and over "))
	}
	for _, m := range d.Measures {
		add("%s is %s, given with %s.", m.Name, m.Words(), counted(m.Decimals, "decimal"))
	}
	add("Each participant receives the cells that it contributed to, and no others. Nobody else receives results.")
	if d.OwnValue {
		add("Beside each result a recipient sees its own value, which nobody else sees.")
	}
	words = append(words, d.Rules.words()...)
	if len(d.Totals) > 0 {
		add("Where a hidden cell could be computed from totals, further cells are hidden until it cannot be. Each release is attacked in this way before it is sent, and withheld if an attack works.")
	}
	add("A run needs at least %d participants.", d.Quorum)
	if d.Retention != nil {
		add("Your result of a run is kept for %s and then deleted. What was released stays on record, without its values.", counted(d.Retention.Days, "day"))
	}
	return words
}

// Words say how the measure comes about.
func (m Measure) Words() string {
	rows := "number of rows"
	if m.Column != "" {
		rows = "number of values of " + m.Column
	}
	own := map[Own]string{OwnSum: "sum of " + m.Column, OwnMean: "mean of " + m.Column, OwnCount: rows}[m.Own]
	switch m.Function {
	case Count:
		return fmt.Sprintf("the %s in %s of all participants together", rows, m.Dataset)
	case Sum:
		return fmt.Sprintf("the total over the participants of each one's %s in %s", own, m.Dataset)
	case Ratio:
		return fmt.Sprintf("the total of %s of all participants together, divided by their total of %s, in %s", m.Column, m.Of, m.Dataset)
	case WeightedMean:
		return fmt.Sprintf("the mean of %s over all rows of all participants, each row counting by its %s, in %s", m.Column, m.Weight, m.Dataset)
	case Variance:
		return fmt.Sprintf("the variance between the participants of each one's %s in %s", own, m.Dataset)
	case Quantile:
		return fmt.Sprintf("the value that %d %% of the participants lie below with their %s in %s: the mean of a few neighbours there, of different organisations, and only among 10 or more", m.Quantile, own, m.Dataset)
	}
	return fmt.Sprintf("the mean over the participants of each one's %s in %s", own, m.Dataset)
}

// words say what the rules promise, and where they promise nothing.
func (r Rules) words() []string {
	words := []string{fmt.Sprintf("A cell is shown only if at least %d organisations contributed to it; tenants of one owner count as one.", r.MinContributors)}
	if r.MinContributors < safeMinimum {
		words = append(words, "Warning: with 2 contributors each can compute the other's value exactly. Every recipient has to accept this, and every result says so.")
	}
	if r.PPercent > 0 {
		words = append(words, "A cell is hidden from a recipient that could work out another organisation's value too closely (p % rule).")
	} else {
		words = append(words, "Warning: the p % rule is off, so a recipient may be able to work out a large contributor's value closely.")
	}
	if r.QPercent > 0 && r.PPercent > 0 {
		words = append(words, "The rule takes it that everybody knows something of each value beforehand (pq rule).")
	}
	if c := r.Coalitions(); c > 1 {
		words = append(words, fmt.Sprintf("The rules hold against %d recipients who tell each other everything that they know.", c))
	}
	if d := r.Dominance; d.On() {
		words = append(words, fmt.Sprintf("A cell is hidden if %s too much of it, or of what remains of it without the recipient's own part (dominance rule).", makeUp(d.N)))
	} else {
		words = append(words, "Warning: the dominance rule is off, so two contributors who tell each other their values may be able to work out a third's.")
	}
	if needed := r.contributorsNeeded(); needed > r.MinContributors {
		words = append(words, fmt.Sprintf("Because of these rules a cell in truth needs at least %d organisations.", needed))
	}
	return words
}

// contributorsNeeded is the number of organisations below which some rule hides every cell.
func (r Rules) contributorsNeeded() int {
	needed := r.MinContributors
	if r.PPercent > 0 {
		needed = max(needed, 3) // of two, nothing hides the other
	}
	if r.Dominance.On() {
		needed = max(needed, r.Dominance.N+2) // without the recipient there must be more than N
	}
	if c := r.Coalitions(); c > 1 {
		needed = max(needed, c+3) // as package disclosure has it
	}
	return needed
}

func makeUp(n int) string {
	if n == 1 {
		return "one organisation makes up"
	}
	return fmt.Sprintf("%d organisations together make up", n)
}

func counted(n int, unit string) string {
	switch n {
	case 0:
		return "no " + unit + "s"
	case 1:
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}
