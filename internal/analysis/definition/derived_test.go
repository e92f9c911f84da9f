package definition

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tributary/internal/fault"
)

const derivedText = `analysis: derived
datasets: [sales]
derived:
  - {name: month, expression: "month( Sold )"}
  - {name: place, expression: lower(trim(Region))}
  - {name: revenue, expression: Value*Units*1.19, decimals: 4}
  - {name: profit, expression: Value - "unit cost" * Units}
groups: [month, place]
measures:
  - {name: Revenue, function: sum, column: revenue, decimals: 2}
  - {name: Profit, function: mean, column: profit, decimals: 2}
  - {name: Price, function: weighted_mean, column: Value, weight: Units, decimals: 2}
`

var derivedWorld = map[string]Columns{
	"sales": {
		{Name: "Region", Type: Text}, {Name: "Sold", Type: Date}, {Name: "At", Type: Timestamp}, {Name: "Value", Type: Decimal, Scale: 2}, {Name: "Units", Type: Integer},
		{Name: "unit cost", Type: Decimal, Scale: 3}, {Name: "Ratio", Type: Float}, {Name: "ClientID", Type: Integer, Role: RoleParticipant}, {Name: "Source", Type: Text, Role: RoleFile},
		{Name: "Rate", Type: Decimal, Scale: 12}, {Name: "Paid", Type: Boolean}, {Name: "month2", Type: Integer},
	},
	"costs": {{Name: "month", Type: Integer}, {Name: "place", Type: Text}, {Name: "Value", Type: Integer}},
}

func TestDerivedColumnsFitTheirDatasets(t *testing.T) {
	t.Parallel()
	d := parsed(t, derivedText)
	if err := Check(d, derivedWorld); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"month": "integer", "place": "text", "revenue": "decimal(4)", "profit": "decimal(3)"} {
		c, ok := d.Derive("sales", derivedWorld["sales"]).Find(name)
		if !ok || c.described() != want || c.Derived == nil {
			t.Errorf("%s: got %s, want %s", name, c.described(), want)
		}
	}
	if got, want := fmt.Sprint(d.Uses()), "map[sales:[Sold Region Units Value unit cost]]"; got != want {
		t.Errorf("uses %s, want %s", got, want)
	}
	for expression, want := range map[string]string{
		"Value / 100": "decimal(4)", "Value / 4": "decimal(4)", "Value * Units": "decimal(2)", `Value * "unit cost"`: "decimal(5)", "Value * 2.50": "decimal(3)",
		"Ratio * Units": "float", "Value + Ratio": "float", `Units - Value`: "decimal(2)", "Units * 20 / 4 ": "decimal(0)",
	} {
		d := parsed(t, strings.Replace(derivedText, "Value*Units*1.19, decimals: 4", expression, 1))
		if err := Check(d, derivedWorld); err != nil {
			t.Errorf("%s: %v", expression, err)
		}
		if c, _ := d.Derive("sales", derivedWorld["sales"]).Find("revenue"); c.described() != want {
			t.Errorf("%s is %s, want %s", expression, c.described(), want)
		}
	}
	// In two datasets: derived in one, declared in the other.
	two := parsed(t, strings.NewReplacer("[sales]", "[sales, costs]", "expression", "dataset: sales, expression", "function", "dataset: sales, function").Replace(derivedText)+
		"  - {name: Costs, function: sum, column: Value, decimals: 0, dataset: costs}\n")
	if err := Check(two, derivedWorld); err != nil {
		t.Error(err)
	}
}

func TestDerivedColumnsThatDoNotFit(t *testing.T) {
	t.Parallel()
	change := func(old, with string) string {
		if !strings.Contains(derivedText, old) {
			t.Fatalf("%q is not in the text", old)
		}
		return strings.Replace(derivedText, old, with, 1)
	}
	revenue := func(expression string) string { return change("Value*Units*1.19, decimals: 4", expression) }
	for _, c := range []struct{ text, want string }{
		{revenue("CASE WHEN ClientID THEN Value END"), `line 6: derived[2].expression: at character 6: "WHEN" stands where + - * / or the end is expected. Allowed are`},
		{revenue("Value + 1000000"), "line 6: derived[2].expression: at character 9: a number cannot be added"},
		{revenue("Value / Value"), `line 6: derived[2].expression: at character 9: "Value" is divided by itself`},
		{revenue(""), "line 6: derived[2].expression: is empty"},
		{change(", expression: lower(trim(Region))", ""), "line 5: derived[1].expression: is missing. Say how the column is computed. Allowed are"},
		{change("name: month, ", ""), "line 4: derived[0].name: is missing"},
		{change("name: place", "name: Month"), `line 5: derived[1]: column "Month" of dataset "sales" is derived twice`},
		{change("decimals: 4", "decimals: 10"), "derived[2].decimals: is 10; it must be from 0 to 9"},
		{change(`Sold )"`, `Sold )", decimals: 1`), "line 4: derived[0].decimals: only numbers have decimals"},
		{change("expression: lower", "dataset: sale, expression: lower"), `line 5: derived[1].dataset: "sale" is not among the datasets`},
		{change("groups: [month, place]", "groups: [month]"), `line 5: derived[1]: nothing uses "place"`},
		{change("groups: [month, place]", "groups: [month, place, revenue]"), `line 8: groups[2]: "revenue" is a calculated number`},
		{change("groups:", "filters: [{column: month, equals: [1]}]\ngroups:"), `line 8: filters[0].column: "month" is derived. Filters are on declared columns: Sold`},
		{change("column: revenue", "column: month"), `line 10: measures[0]: "month" is a part of a date`},
		{change("column: revenue", "column: place"), `line 10: measures[0]: "place" is a text`},
		{change("function: sum, column: revenue, decimals: 2", "function: count, column: revenue"), `line 10: measures[0]: "revenue" is derived. Count rows`},
		{change("function: sum, column: revenue", "function: mean, own: count, column: revenue"), `"revenue" is derived. Count rows`},
		{change("function: mean, column: profit", "function: variance, column: profit"), `line 11: measures[1]: "profit" is a sum. A variance is judged on one product`},
		{change("function: mean, column: profit", "function: quantile, quantile: 50, column: profit"), `"profit" is a sum. A quantile is judged`},
		{change("function: mean, column: profit", "function: weighted_mean, weight: Units, column: profit"), `"profit" is derived. A weighted_mean is of declared columns`},
		{change(", weight: Units", ""), "line 12: measures[2].weight: is missing"},
		{change(", weight: Units", ", weight: Value"), "line 12: measures[2].weight: is the column that is weighed"},
		{change(", weight: Units", ", weight: Units, own: mean"), "line 12: measures[2].own: a weighted_mean is over the rows"},
		{change("function: mean, column: profit", "function: mean, weight: Units, column: profit"), "measures[1].weight: only a weighted_mean"},
		// What tells together how close values are.
		{revenue("Value / Units, decimals: 4") + "  - {name: V, function: sum, column: Value, decimals: 0}\n", "tells how close values are"},
		{revenue("Value / Units + Units / Value, decimals: 4"), "line 10: measures[0]: together with other measures, or with the number of rows, it tells how close values are"},
		{revenue("Value * 2") + "  - {name: M, function: mean, own: mean, column: Value, decimals: 0}\n  - {name: N, function: count}\nrules: {min_contributors: 4}\n", "the definition has 5 different measures of column \"Value\""},
		// What only the columns' types tell.
		{revenue("ClientID * 2"), `line 6: derived[2].expression: column "ClientID" of dataset "sales" tells whose a row is, so it cannot be calculated with`},
		{change("lower(trim(Region))", "lower(Source)"), `line 5: derived[1].expression: column "Source" of dataset "sales" tells whose a row is`},
		{revenue("Vaule * 2"), `line 6: derived[2].expression: dataset "sales" has no column "Vaule". Did you mean "Value"?`},
		{revenue("profit * 2"), `line 6: derived[2].expression: "profit" is derived itself`},
		{revenue("Region * 2"), `derived[2].expression: column "Region" of dataset "sales" is text; numbers are calculated of integer, decimal and float`},
		{revenue("Paid * 2"), `column "Paid" of dataset "sales" is boolean`},
		{revenue("Sold * 2"), `column "Sold" of dataset "sales" is date`},
		{change("month( Sold )", "month(Region)"), `line 4: derived[0].expression: column "Region" of dataset "sales" is text; month is of a date or timestamp`},
		{change("lower(trim(Region))", "lower(Sold)"), `column "Sold" of dataset "sales" is date; lower is of a text`},
		{strings.ReplaceAll(derivedText, "place", "Month2"), `line 5: derived[1].name: dataset "sales" has a column "Month2"`},
		{revenue(`'"unit cost" / Units'`), "line 6: derived[2].expression: has no end of decimals, or more than 9. Say with decimals how many are kept"},
		{revenue("Value / 3"), "has no end of decimals"},
		{revenue("Rate * 2"), "has no end of decimals"},
		{revenue("Rate * Value * Units * 1.19, decimals: 9"), ""},
		{revenue(`Rate * Value * "unit cost", decimals: 9`), "derived[2].expression: it and its columns have 26 decimals in all; at most 24"},
		{revenue("Ratio * 2, decimals: 2"), "is calculated of floats"},
	} {
		d, err := Parse([]byte(c.text))
		if err == nil {
			err = Check(d, derivedWorld)
		}
		switch {
		case c.want == "" && err != nil:
			t.Error(err)
		case strings.Contains(fault.Message(err), "measures[0].column"):
			t.Errorf("what is wrong with a column is said again where it is used: %v", err)
		case c.want != "" && (!fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("want %q in\n%v\nof\n%s", c.want, err, c.text)
		}
	}
}

func TestDerivedColumnsInWords(t *testing.T) {
	t.Parallel()
	got := strings.Join(Describe(parsed(t, derivedText)), "\n")
	for _, want := range []string{
		"It reads these columns of your dataset sales and no others: Sold, Region, Units, Value, unit cost.\n",
		"month is computed of each row of sales: month(Sold).\n", "place is computed of each row of sales: lower(trim(Region)).\n",
		"revenue is computed of each row of sales: Value * Units * 1.19, rounded to 4 decimals.\n", `profit is computed of each row of sales: Value - "unit cost" * Units.` + "\n",
		"Price is the mean of Value over all rows of all participants, each row counting by its Units, in sales, given with 2 decimals.",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("want %q in\n%s", want, got)
		}
	}
}

func TestAChangedExpressionNeedsANewYes(t *testing.T) {
	t.Parallel()
	old := parsed(t, derivedText)
	change := func(from, to string) *Definition { return parsed(t, strings.Replace(derivedText, from, to, 1)) }
	for _, c := range []struct {
		next *Definition
		want string
	}{
		{change("Value*Units*1.19", "Value * Units * 1.19"), ""},
		{change(`"month( Sold )"`, "month(Sold)"), ""},
		{change("Value*Units*1.19", "Value * 1.19 * Units"), "revenue of the dataset sales is = Value * 1.19 * Units, rounded to 4 decimals instead of = Value * Units * 1.19, rounded to 4 decimals|Revenue is released: the total over the participants of each one's sum of revenue in sales"},
		{change("decimals: 4", "decimals: 3"), "revenue of the dataset sales is = Value * Units * 1.19, rounded to 3 decimals instead of = Value * Units * 1.19, rounded to 4 decimals|Revenue is released: the total over the participants of each one's sum of revenue in sales"},
		{change("month( Sold )", "month(At)"), "the column At of the dataset sales is used|month of the dataset sales is = month(At) instead of = month(Sold)"},
		{change("month( Sold )", "week(Sold)"), "month of the dataset sales is = week(Sold) instead of = month(Sold)"},
		{change("weight: Units", "weight: \"unit cost\""), "Price is released: the mean of Value over all rows of all participants, each row counting by its unit cost, in sales"},
		{change("  - {name: Profit", "  - {name: Gain"), ""},
	} {
		if got := strings.Join(Widens(old, c.next), "|"); got != c.want {
			t.Errorf("got  %q\nwant %q", got, c.want)
		}
		if same := string(old.Canonical()) == string(c.next.Canonical()); c.want != "" && same {
			t.Errorf("the hash does not see %q", c.want)
		}
	}
	if old.Hash() != change("Value*Units*1.19", "Value  *Units* 1.19").Hash() {
		t.Error("blanks change the hash")
	}
	plain := parsed(t, strings.Replace(small, "column: Value", "column: revenue", 1))
	derived := parsed(t, strings.Replace(small, "column: Value", "column: revenue", 1)+"derived: [{name: revenue, expression: Value * 2}]\n")
	if got := strings.Join(Widens(plain, derived), "|"); !strings.Contains(got, "revenue of the dataset sales is computed: = Value * 2") {
		t.Errorf("a column that is derived now: %q", got)
	}
	if got := strings.Join(Widens(derived, plain), "|"); !strings.Contains(got, "the column revenue of the dataset sales is used") || !strings.Contains(got, "Value is released") {
		t.Errorf("a column that is declared now: %q", got)
	}
}

// The example in the guide is one.
func TestTheGuidesExample(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "guide.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(guide), "### Derived columns\n\n```yaml\n")
	example, _, _ := strings.Cut(after, "```")
	d := parsed(t, "analysis: example\ndatasets: [sales]\n"+example)
	columns := Columns{{Name: "sold_on", Type: Date}, {Name: "city", Type: Text}, {Name: "price", Type: Decimal, Scale: 2}, {Name: "unit cost", Type: Decimal, Scale: 2}, {Name: "quantity", Type: Integer}}
	if err := Check(d, map[string]Columns{"sales": columns}); err != nil || len(d.Derived) != 4 {
		t.Error(err)
	}
}
