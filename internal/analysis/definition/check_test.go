package definition

import (
	"fmt"
	"strings"
	"testing"

	"tributary/internal/fault"
)

var world = map[string]Columns{
	"sales": {
		{Name: "Date", Type: Date, Role: "business_date"}, {Name: "ClientID", Type: Text, Role: RoleParticipant},
		{Name: "Tag1", Type: Text}, {Name: "Tag2", Type: Text}, {Name: "Region", Type: Text}, {Name: "Value", Type: Decimal, Scale: 2},
		{Name: "Units", Type: Integer}, {Name: "Ratio", Type: Float}, {Name: "Paid", Type: Boolean}, {Name: "At", Type: Timestamp},
		{Name: "Source", Type: Text, Role: RoleFile},
	},
	"costs": {
		{Name: "Tag1", Type: Text}, {Name: "Tag2", Type: Integer}, {Name: "Value", Type: Decimal, Scale: 4},
	},
}

func TestAGoodDefinitionFits(t *testing.T) {
	t.Parallel()
	for _, text := range []string{full, small,
		small + "filters: [{column: Paid, equals: [true]}, {column: At, from: 2026-01-01T00:00:00Z}, {column: Date, to: 2026-12-31}, {column: Units, equals: [1, -2]}, {column: Ratio, from: -1e3, to: .5}]",
		small + "groups: [Date, Paid, At, Units]\noutput: {date_column: Day}",
	} {
		if err := Check(parsed(t, text), world); err != nil {
			t.Errorf("%s\n%v", text, err)
		}
	}
}

func TestWhatDoesNotFitIsNamed(t *testing.T) {
	t.Parallel()
	filter := func(s string) string { return small + "filters:\n- " + s + "\n" }
	measure := func(s string) string { return "analysis: m1\ndatasets: [sales]\nmeasures:\n- " + s + "\n" }
	for _, c := range []struct{ text, want string }{
		{strings.ReplaceAll(small, "sales", "sale"), `line 2: datasets[0]: there is no dataset "sale". Did you mean "sales"?`},
		{small + "groups: [Tag1, Tga2]", `line 4: groups[1]: dataset "sales" has no column "Tga2". Did you mean "Tag2"?`},
		{small + "groups: [tag1]", `dataset "sales" has no column "tag1". Did you mean "Tag1"?`},
		{small + "groups: [Zzzzzzzz]", `has no column "Zzzzzzzz".`},
		{small + "groups: [ClientID]", `line 4: groups[0]: column "ClientID" of dataset "sales" tells whose a row is, so it cannot be a group`},
		{small + "groups: [Source]", `groups[0]: column "Source" of dataset "sales" tells whose`},
		{small + "groups: [Ratio]", "is a float"},
		{filter("{column: Regoin, equals: [EU]}"), `line 5: filters[0].column: dataset "sales" has no column "Regoin". Did you mean "Region"?`},
		{filter("{column: ClientID, equals: ['000001']}"), `line 5: filters[0].column: column "ClientID" of dataset "sales" tells whose a row is, so it cannot be filtered on`},
		{filter("{column: Source, equals: [x]}"), "cannot be filtered on"},
		{filter("{column: Region, from: A}"), `line 5: filters[0]: column "Region" of dataset "sales" is text, which has no ranges`},
		{filter("{column: Paid, from: true}"), "which has no ranges"},
		{filter("{column: Value, equals: [abc]}"), `line 5: filters[0].equals[0]: "abc" is not a value of column "Value" of dataset "sales", which is decimal(2): write a number with at most 2 decimals`},
		{filter("{column: Value, equals: [1.234]}"), "filters[0].equals[0]"},
		{filter("{column: Value, equals: [1.0, 1]}"), `filters[0].equals[1]: "1" and "1.0" are the same value`},
		{filter("{column: Value, from: 5, to: 4.99}"), `filters[0]: the range from "5" to "4.99" is empty`},
		{filter("{column: Date, from: 2026-02-30}"), "filters[0].from"},
		{filter("{column: Date, from: 2026-02-02, to: 2026-02-01}"), "is empty"},
		{filter("{column: At, to: 2026-02-01}"), "filters[0].to"},
		{filter("{column: Units, equals: [1.5]}"), "a whole number"},
		{filter("{column: Ratio, equals: [NaN]}"), "filters[0].equals[0]"},
		{filter("{column: Ratio, equals: [0x1p4]}"), "filters[0].equals[0]"},
		{filter("{column: Paid, equals: [yes]}"), "true or false"},
		{measure("{name: V, function: mean, column: Vaule, decimals: 1}"), `line 4: measures[0].column: dataset "sales" has no column "Vaule". Did you mean "Value"?`},
		{measure("{name: V, function: mean, column: CASE WHEN ClientID = 1 THEN Value ELSE 1000000 END, decimals: 2}"), `has no column "CASE WHEN ClientID = 1 THEN Value ELSE 1000000 END".`},
		{measure("{name: V, function: mean, column: Region, decimals: 1}"), `line 4: measures[0].column: column "Region" of dataset "sales" is text; only integer, decimal, float columns can be measured`},
		{measure("{name: V, function: count, column: Region}"), "is text"},
		{measure("{name: V, function: sum, column: Paid, decimals: 1}"), "is boolean"},
		{measure("{name: V, function: sum, column: Date, decimals: 1}"), "is date"},
		{measure("{name: V, function: count, column: ClientID}"), "tells whose"},
		{"analysis: m1\ndatasets: [sales, costs]\ngroups: [Tag2]\nmeasures: [{name: A, function: count, dataset: sales}, {name: B, function: count, dataset: costs}]",
			`line 3: groups[0]: column "Tag2" is not of the same type in every dataset: text and integer`},
		{"analysis: m1\ndatasets: [sales, costs]\nfilters: [{column: Region, equals: [EU]}]\nmeasures: [{name: A, function: count, dataset: sales}, {name: B, function: count, dataset: costs}]",
			`line 3: filters[0].column: dataset "costs" has no column "Region".`},
	} {
		err := Check(parsed(t, c.text), world)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want %q in\n%v", c.want, err)
		}
	}
}

func TestValuesAreReadByType(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		column Column
		text   string
		want   Literal
		bad    bool
	}{
		{Column{Type: Text}, "007", Literal{Text: "007"}, false},
		{Column{Type: Text}, "", Literal{}, false},
		{Column{Type: Integer}, "-9223372036854775808", Literal{Int: -9223372036854775808}, false},
		{Column{Type: Integer}, "9223372036854775808", Literal{}, true},
		{Column{Type: Integer}, "+5", Literal{}, true},
		{Column{Type: Integer}, "", Literal{}, true},
		{Column{Type: Decimal, Scale: 2}, "1.5", Literal{Int: 150}, false},
		{Column{Type: Decimal, Scale: 2}, "-0.05", Literal{Int: -5}, false},
		{Column{Type: Decimal, Scale: 2}, "9999999999999999.99", Literal{Int: 999999999999999999}, false},
		{Column{Type: Decimal, Scale: 2}, "10000000000000000.00", Literal{}, true},
		{Column{Type: Decimal, Scale: 2}, "1.", Literal{}, true},
		{Column{Type: Decimal, Scale: 2}, ".5", Literal{}, true},
		{Column{Type: Decimal, Scale: 2}, "1.234", Literal{}, true},
		{Column{Type: Decimal, Scale: 2}, "1e2", Literal{}, true},
		{Column{Type: Decimal, Scale: 2}, "--1", Literal{}, true},
		{Column{Type: Float}, "-1.5e3", Literal{Float: -1500}, false},
		{Column{Type: Float}, "Inf", Literal{}, true},
		{Column{Type: Float}, "1e999", Literal{}, true},
		{Column{Type: Boolean}, "true", Literal{Int: 1}, false},
		{Column{Type: Boolean}, "false", Literal{}, false},
		{Column{Type: Boolean}, "True", Literal{}, true},
		{Column{Type: Date}, "1970-01-02", Literal{Int: 1}, false},
		{Column{Type: Date}, "1969-12-31", Literal{Int: -1}, false},
		{Column{Type: Date}, "0000-01-01", Literal{}, true},
		{Column{Type: Date}, "2026-02-29", Literal{}, true},
		{Column{Type: Timestamp}, "1970-01-01T01:00:00.000001+01:00", Literal{Int: 1}, false},
		{Column{Type: Timestamp}, "1970-01-01T00:00:00.0000001Z", Literal{}, true},
		{Column{Type: Timestamp}, "1970-01-01 00:00:00", Literal{}, true},
		{Column{Type: "blob"}, "x", Literal{}, true},
	} {
		got, ok := c.column.ParseValue(c.text)
		if ok == c.bad || ok && got != c.want {
			t.Errorf("%s(%d) %q = %+v, %v, want %+v", c.column.Type, c.column.Scale, c.text, got, ok, c.want)
		}
	}
}

func TestValuesAreExactWhereTheyCanBe(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		measure Measure
		column  Column
		want    int
	}{
		{Measure{Function: Count, Own: OwnCount}, Column{}, 0},
		{Measure{Function: Mean, Own: OwnCount, Decimals: 3}, Column{}, 0},
		{Measure{Function: Mean, Own: OwnSum, Decimals: 1}, Column{Type: Integer}, 0},
		{Measure{Function: Mean, Own: OwnSum, Decimals: 1}, Column{Type: Decimal, Scale: 6}, 6},
		{Measure{Function: Mean, Own: OwnMean, Decimals: 1}, Column{Type: Integer}, 5},
		{Measure{Function: Mean, Own: OwnMean, Decimals: 1}, Column{Type: Decimal, Scale: 6}, 6},
		{Measure{Function: Sum, Own: OwnSum, Decimals: 2}, Column{Type: Float}, 6},
	} {
		if got := c.measure.Scale(c.column); got != c.want {
			t.Errorf("%+v of %+v at scale %d, want %d", c.measure, c.column, got, c.want)
		}
	}
}

func TestNearestNames(t *testing.T) {
	t.Parallel()
	known := []string{"Region", "Value", "Tag1", "Tag2", "ÄÖÜ"}
	for name, want := range map[string]string{"region": "Region", "Vlaue": "Value", "Tag3": "Tag1", "Regional": "Region", "Customer": "", "äöu": "ÄÖÜ"} {
		if got := nearest(name, known); got != want {
			t.Errorf("nearest to %q = %q, want %q", name, got, want)
		}
	}
}

// A change to one of these makes an acceptance not cover the new version, or leaves it.
func TestWidening(t *testing.T) {
	t.Parallel()
	old := parsed(t, full)
	change := func(pairs ...string) string {
		text := full
		for i := 0; i < len(pairs); i += 2 {
			if !strings.Contains(text, pairs[i]) {
				t.Fatalf("%q is not in the text", pairs[i])
			}
			text = strings.Replace(text, pairs[i], pairs[i+1], 1)
		}
		return text
	}
	for _, c := range []struct {
		name, text string
		want       string // one for each widening, separated by |; empty: covered
	}{
		{"the same", full, ""},
		{"another layout", "# comment\n" + full, ""},
		{"title and description", change("Mean by tags", "Other title", "What the others pay", "Other words"), ""},
		{"look of the file", change("YYYYMMDD", "YYYY-MM-DD", "output-", "result-", "YourId", "Id"), ""},
		{"order of groups", change("[Tag1, Tag2]", "[Tag2, Tag1]"), ""},
		{"order of values", change("[EU, CH, NO]", "[NO, EU, CH]"), ""},
		{"name of a measure", change("name: Rows", "name: Lines"), ""},
		{"a measure less", change("  - {name: Rows, function: count}\n", ""), ""},
		{"fewer decimals", change("decimals: 1", "decimals: 0"), ""},
		{"own value off", change("own_value: true", "own_value: false"), ""},
		{"stricter minimum", change("min_contributors: 6", "min_contributors: 7"), ""},
		{"stricter p", change("p_percent: 15", "p_percent: 20"), ""},
		{"stricter dominance", change("{n: 3, k: 80}", "{n: 4, k: 70}"), ""},
		{"higher quorum", change("quorum: 7", "quorum: 70"), ""},
		{"other limits", change("512MiB", "1GiB", "90s", "5m", "cells: 5000", "cells: 6000"), ""},

		{"another name", change("analysis: cross-participant-mean", "analysis: other"), "it is another analysis, other instead of cross-participant-mean"},
		{"a new dataset", change("datasets: [sales]", "datasets: [sales, costs]", "column: Region, ", "dataset: sales, column: Region, ", "function: count}", "function: count, dataset: costs}"),
			"the dataset costs is used|Rows is released: the number of rows in costs of all participants together"},
		{"a new group", change("[Tag1, Tag2]", "[Tag1, Tag2, Tag3]"), "the column Tag3 of the dataset sales is used|cells are also divided by Tag3, so each has fewer contributors"},
		{"a known column as a group", change("[Tag1, Tag2]", "[Tag1, Tag2, Region]"), "cells are also divided by Region, so each has fewer contributors"},
		{"a group less", change("[Tag1, Tag2]", "[Tag1]"), "cells are no longer divided by Tag2, so they can be compared with the smaller ones released before"},
		{"a new measure", change("function: count}", "function: count}\n  - {name: Total, function: sum, column: Value, decimals: 0}"), "Total is released: the total over the participants of each one's sum of Value in sales"},
		{"a new column", change("function: count}", "function: count, column: Units}"), "the column Units of the dataset sales is used|Rows is released: the number of values of Units in sales of all participants together"},
		{"another function", change("function: mean", "function: sum"), "Value is released: the total over the participants of each one's sum of Value in sales"},
		{"another own", change("own: sum", "own: mean"), "Value is released: the mean over the participants of each one's mean of Value in sales"},
		{"more decimals", change("decimals: 1", "decimals: 2"), "Value is released with 2 decimals instead of 1 decimal"},
		{"a filter less", change("  - {column: Region, equals: [EU, CH, NO]}\n", ""), `rows of the dataset sales count even where not (Region is "CH" or "EU" or "NO")`},
		{"a filter loosened", change("[EU, CH, NO]", "[EU, CH, NO, UK]"), `rows of the dataset sales count where (Region is "CH" or "EU" or "NO" or "UK") instead of (Region is "CH" or "EU" or "NO")`},
		{"a filter tightened", change("to: 1000.5", "to: 1000"), "rows of the dataset sales count where (Value is from 0 to 1000) instead of (Value is from 0 to 1000.5)"},
		{"a bound less", change("from: 0, ", ""), "rows of the dataset sales count where (Value is 1000.5 or less) instead of (Value is from 0 to 1000.5)"},
		{"a filter more", change("groups:", "  - {column: Tag1, equals: [x]}\ngroups:"), `rows of the dataset sales count only where (Tag1 is "x"), which can be compared with the cells of all rows released before`},
		{"lower minimum", change("min_contributors: 6", "min_contributors: 5"), "a cell needs 5 contributors instead of 6"},
		{"lower p", change("p_percent: 15", "p_percent: 14"), "the p % rule is less strict"},
		{"p off", change("p_percent: 15", "p_percent: 0"), "the p % rule is off"},
		{"dominance off", change("{n: 3, k: 80}", "off"), "the dominance rule is off"},
		{"weaker k", change("k: 80", "k: 81"), "the dominance rule is less strict, or another"},
		{"weaker n", change("n: 3", "n: 2"), "the dominance rule is less strict, or another"},
		{"n for k", change("{n: 3, k: 80}", "{n: 2, k: 50}"), "the dominance rule is less strict, or another"},
		{"lower quorum", change("quorum: 7", "quorum: 6"), "a run needs 6 participants instead of 7"},
	} {
		next := parsed(t, c.text)
		if got := strings.Join(Widens(old, next), "|"); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	without := parsed(t, change("own_value: true", "own_value: false"))
	if got := strings.Join(Widens(without, old), "|"); got != "each recipient's own values are in its results" {
		t.Errorf("own value on: %q", got)
	}
	others := *old
	others.Recipients = "everybody"
	if got := Widens(old, &others); len(got) != 1 {
		t.Errorf("other recipients: %v", got)
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{full, `
It reads these columns of your dataset sales and no others: Tag1, Tag2, Region, Value.
Of the dataset sales only those rows count where Region is "CH" or "EU" or "NO", and Value is from 0 to 1000.5.
Results are divided into cells, one for each combination of Tag1, Tag2.
Value is the mean over the participants of each one's sum of Value in sales, given with 1 decimal.
Rows is the number of rows in sales of all participants together, given with no decimals.
Each participant receives the cells that it contributed to, and no others. Nobody else receives results.
Beside each result a recipient sees its own value, which nobody else sees.
A cell is shown only if at least 6 organisations contributed to it; tenants of one owner count as one.
A cell is hidden from a recipient that could work out another organisation's value too closely (p % rule).
A cell is hidden if 3 organisations together make up too much of it, or of what remains of it without the recipient's own part (dominance rule).
A run needs at least 7 participants.
`},
		{"analysis: weak\ndatasets: [d]\nmeasures: [{name: N, function: count}]\nown_value: false\nrules: {min_contributors: 2, p_percent: 0, dominance: off}", `
It counts the rows of your dataset d and reads none of its columns.
Results are one cell for all rows.
N is the number of rows in d of all participants together, given with no decimals.
Each participant receives the cells that it contributed to, and no others. Nobody else receives results.
A cell is shown only if at least 2 organisations contributed to it; tenants of one owner count as one.
Warning: with 2 contributors each can compute the other's value exactly. Every recipient has to accept this, and every result says so.
Warning: the p % rule is off, so a recipient may be able to work out a large contributor's value closely.
Warning: the dominance rule is off, so two contributors who tell each other their values may be able to work out a third's.
A run needs at least 2 participants.
`},
	} {
		if got := "\n" + strings.Join(Describe(parsed(t, c.text)), "\n") + "\n"; got != c.want {
			t.Errorf("description =%s\nwant%s", got, c.want)
		}
	}
	for rules, want := range map[string]int{
		"{min_contributors: 2}":                                         4, // (2,85) wants more than two others
		"{min_contributors: 2, dominance: off}":                         3, // with two, nothing hides the other
		"{min_contributors: 3, dominance: {n: 3, k: 85}}":               5,
		"{min_contributors: 5}":                                         0,
		"{min_contributors: 2, p_percent: 0, dominance: off}":           0,
		"{min_contributors: 2, p_percent: 0, dominance: {n: 1, k: 85}}": 3,
	} {
		got := strings.Join(Describe(parsed(t, small+"rules: "+rules)), "\n")
		sentence := "in truth needs at least "
		if want == 0 && strings.Contains(got, sentence) || want > 0 && !strings.Contains(got, fmt.Sprintf("%s%d ", sentence, want)) {
			t.Errorf("rules %s need %d:\n%s", rules, want, got)
		}
	}
}
