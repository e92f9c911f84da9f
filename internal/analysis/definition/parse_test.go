package definition

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"tributary/internal/fault"
)

const full = `# every key
analysis: cross-participant-mean
title: Mean by tags
description: |
  What the others pay.
datasets: [sales]
filters:
  - {column: Region, equals: [EU, CH, NO]}
  - {column: Value, from: 0, to: 1000.5, dataset: sales}
groups: [Tag1, Tag2]
measures:
  - {name: Value, function: mean, column: Value, own: sum, decimals: 1, dataset: sales}
  - {name: Rows, function: count}
recipients: contributors
own_value: true
output: {file_name: "output-{date}-{participant}-{dataset}.csv", date_column: Date, date_format: YYYYMMDD, id_column: YourId, own_prefix: Your}
rules: {min_contributors: 6, p_percent: 15, dominance: {n: 3, k: 80}}
quorum: 7
limits: {memory: 512MiB, wall: 90s, cells: 5000}
`

const small = `analysis: small
datasets: [sales]
measures: [{name: Value, function: sum, column: Value, decimals: 2}]
`

func parsed(t *testing.T, text string) *Definition {
	t.Helper()
	d, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestEveryKeyIsRead(t *testing.T) {
	t.Parallel()
	got := parsed(t, full)
	got.lines = nil
	for i := range got.Filters {
		got.Filters[i].path = ""
	}
	want := &Definition{
		Name: "cross-participant-mean", Title: "Mean by tags", Description: "What the others pay.\n",
		Datasets: []string{"sales"},
		Filters: []Filter{
			{Dataset: "sales", Column: "Region", Equals: []string{"EU", "CH", "NO"}},
			{Dataset: "sales", Column: "Value", From: "0", To: "1000.5"},
		},
		Groups: []string{"Tag1", "Tag2"},
		Measures: []Measure{
			{Name: "Value", Dataset: "sales", Function: Mean, Column: "Value", Own: OwnSum, Decimals: 1},
			{Name: "Rows", Dataset: "sales", Function: Count, Own: OwnCount},
		},
		Recipients: ContributorsOnly, OwnValue: true,
		Output: Output{FileName: "output-{date}-{participant}-{dataset}.csv", DateColumn: "Date", DateFormat: "YYYYMMDD", IDColumn: "YourId", OwnPrefix: "Your"},
		Rules:  Rules{MinContributors: 6, PPercent: 15, Dominance: Dominance{3, 80}}, Quorum: 7,
		Limits: Limits{512 << 20, 90 * time.Second, 5000},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Parse =\n%+v\nwant\n%+v", got, want)
	}
}

func TestDefaultsAreTheStrictOnes(t *testing.T) {
	t.Parallel()
	d := parsed(t, small)
	if want := (Rules{MinContributors: 5, PPercent: 10, Dominance: Dominance{2, 85}}); d.Rules != want {
		t.Errorf("rules = %+v, want %+v", d.Rules, want)
	}
	if d.Quorum != 5 || !d.OwnValue || d.Recipients != ContributorsOnly || d.Output != DefaultOutput() {
		t.Errorf("defaults = %+v", d)
	}
	if want := (Limits{2 << 30, 10 * time.Minute, 1_000_000}); d.Limits != want {
		t.Errorf("limits = %+v, want %+v", d.Limits, want)
	}
	if d.MarksResults() {
		t.Error("the default rules are flagged as weak")
	}
}

func TestRulesAreRelaxedOnlyInSoManyWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rules  string
		want   Rules
		quorum int
		weak   bool
	}{
		{"{}", DefaultRules(), 5, false},
		{"{min_contributors: 3}", Rules{MinContributors: 3, PPercent: 10, Dominance: Dominance{2, 85}}, 3, false},
		{"{min_contributors: 2}", Rules{MinContributors: 2, PPercent: 10, Dominance: Dominance{2, 85}}, 2, true},
		{"{p_percent: 0}", Rules{MinContributors: 5, PPercent: 0, Dominance: Dominance{2, 85}}, 5, false},
		{"{dominance: off}", Rules{MinContributors: 5, PPercent: 10, Dominance: Dominance{}}, 5, false},
		{"{dominance: {n: 1, k: 60}}", Rules{MinContributors: 5, PPercent: 10, Dominance: Dominance{1, 60}}, 5, false},
		{"{min_contributors: 2, p_percent: 0, dominance: off}", Rules{MinContributors: 2, PPercent: 0, Dominance: Dominance{}}, 2, true},
		{"{min_contributors: 20}", Rules{MinContributors: 20, PPercent: 10, Dominance: Dominance{2, 85}}, 20, false},
	} {
		d := parsed(t, small+"rules: "+c.rules)
		if d.Rules != c.want || d.Quorum != c.quorum || d.MarksResults() != c.weak {
			t.Errorf("rules %s = %+v, quorum %d, marked %v", c.rules, d.Rules, d.Quorum, d.MarksResults())
		}
	}
}

func TestMistakesAreNamedWithLineAndPath(t *testing.T) {
	t.Parallel()
	change := func(old, with string) string {
		if !strings.Contains(full, old) {
			t.Fatalf("%q is not in the text", old)
		}
		return strings.Replace(full, old, with, 1)
	}
	for _, c := range []struct{ text, want string }{
		{"", "is empty"},
		{"# nothing\n", "is empty"},
		{"- a\n", "line 1: the definition: must be a mapping"},
		{"a: [", "not readable as YAML"},
		{small + "---\na: 1\n", "more than one YAML document"},
		{"analysis: \xff", "not valid UTF-8"},
		{small + "colour: red\n", "line 4: colour: there is no such key. Known here: analysis,"},
		{small + "quorom: 6\n", `line 4: quorom: there is no such key. Did you mean "quorum"?`},
		{small + "quorum: 6\nquorum: 7\n", "line 5: quorum: the key is written twice"},
		{small + "rules: &a {}\n", "line 4: the definition: anchors and aliases"},
		{small + "<<: {}\n", "line 4: <<: there is no such key"},
		{change("{column: Region,", "{colum: Region,"), `line 8: filters[0].colum: there is no such key. Did you mean "column"?`},
		{change("equals: [EU, CH, NO]", "equals: []"), "line 8: filters[0].equals: has no value"},
		{change("equals: [EU, CH, NO]", "equals: [EU, EU]"), `line 8: filters[0].equals[1]: "EU" is in the list twice`},
		{change("equals: [EU, CH, NO]", "equals: [EU, ]\n    , from: 1"), "line 8: filters[0]: has both"},
		{change(", equals: [EU, CH, NO]", ""), "line 8: filters[0]: says nothing"},
		{change("equals: [EU, CH, NO]", "equals: [~]"), "line 8: filters[0].equals[0]: is empty"},
		{change("equals: [EU, CH, NO]", "equals: [[EU]]"), "line 8: filters[0].equals[0]: must be one value"},
		{change("equals: [EU, CH, NO]", "equals: [!!str EU]"), "line 8: filters[0].equals[0]: tags"},
		{change("equals: [EU, CH, NO]", "from: ''"), "line 8: filters[0].from: is empty"},
		{change("column: Value, from: 0", "column: Region, from: 0"), `line 9: filters[1]: column "Region" of dataset "sales" is filtered twice`},
		{change("dataset: sales}\ngroups", "dataset: sale}\ngroups"), `line 9: filters[1].dataset: "sale" is not among the datasets of this analysis. Did you mean "sales"?`},
		{change("function: mean", "function: latest"), `line 12: measures[0].function: "latest" is not possible. Possible: count, sum, mean, ratio, weighted_mean, variance, quantile.`},
		{change("function: mean", "function: meen"), `Did you mean "mean"?`},
		{change("own: sum", "own: max"), `line 12: measures[0].own: "max" is not possible`},
		{change("decimals: 1, ", ""), "line 12: measures[0].decimals: is missing"},
		{change("decimals: 1", "decimals: 10"), "line 12: measures[0].decimals: is 10; it must be from 0 to 9"},
		{change("decimals: 1", "decimals: 1.5"), "line 12: measures[0].decimals: must be a whole number"},
		{change("column: Value, own: sum", "own: sum"), "line 12: measures[0].column: is missing"},
		{change("function: count}", "function: count, own: sum}"), "line 13: measures[1].own: a count adds up"},
		{change("function: count}", "function: count, decimals: 1}"), "line 13: measures[1].decimals: a count has no decimals"},
		{change("{name: Rows, ", "{"), "line 13: measures[1].name: is missing"},
		{change("{name: Rows, ", "{name: value, "), `line 13: measures[1].name: the result would have two columns "value"; the other is from measures[0].name`},
		{change("{name: Rows, ", "{name: Id, "), `line 13: measures[1].name: the result would have two columns "YourId"`},
		{change("[Tag1, Tag2]", "[Tag1, date]"), `line 10: groups[1]: the result would have two columns "date"; the other is from output.date_column`},
		{change("recipients: contributors", "recipients: everybody"), `line 14: recipients: "everybody" is not possible`},
		{change("own_value: true", "own_value: yes"), `line 15: own_value: "yes" is not possible`},
		{change("output-{date}-", "../{date}-"), "line 16: output.file_name:"},
		{change("output-{date}-", "output-"), "line 16: output.file_name: needs {date}"},
		{change("output-{date}-", ".{date}-"), "line 16: output.file_name:"},
		{change("{dataset}.csv", "{dataset}.exe"), "line 16: output.file_name:"},
		{change("{dataset}.csv", "{tenant}.csv"), "line 16: output.file_name:"},
		{change("YYYYMMDD", "YYMMDD"), "line 16: output.date_format:"},
		{change("YYYYMMDD", "DDMM-YYYYT"), "line 16: output.date_format:"},
		{change("date_column: Date", "date_column: ''"), "line 16: output.date_column: is empty"},
		{change("min_contributors: 6", "min_contributors: 1"), "line 17: rules.min_contributors: is 1; it must be at least 2"},
		{change("min_contributors: 6", "min_contributors: 0"), "rules.min_contributors: is 0; it must be at least 2"},
		{change("min_contributors: 6", "min_contributors: -5"), "rules.min_contributors: is -5; it must be at least 2"},
		{change("min_contributors: 6", "min_contributors: "), "rules.min_contributors: must be a whole number"},
		{change("p_percent: 15", "p_percent: off"), "line 17: rules.p_percent: must be a whole number"},
		{change("p_percent: 15", "p_percent: 101"), "rules.p_percent: is 101"},
		{change("p_percent: 15", "p_percent: "), "rules.p_percent: must be a whole number"},
		{change("{n: 3, k: 80}", "false"), "line 17: rules.dominance: must be a mapping"},
		{change("{n: 3, k: 80}", ""), "line 17: rules.dominance: must be a mapping"},
		{change("{n: 3, k: 80}", "{n: 3}"), "rules.dominance.k: is missing"},
		{change("{n: 3, k: 80}", "{n: 0, k: 80}"), "rules.dominance.n: is 0"},
		{change("{n: 3, k: 80}", "{n: 2, k: 100}"), "rules.dominance.k: is 100"},
		{change("quorum: 7", "quorum: 5"), "line 18: quorum: is 5, but a cell needs 6 contributors"},
		{change("512MiB", "512"), "line 19: limits.memory:"},
		{change("512MiB", "999999999TiB"), "line 19: limits.memory:"},
		{change("512MiB", "1MiB"), "line 19: limits.memory:"},
		{change("90s", "90"), "line 19: limits.wall:"},
		{change("90s", "121m"), "line 19: limits.wall:"},
		{change("cells: 5000", "cells: 0"), "line 19: limits.cells:"},
		{change("analysis: cross-participant-mean", "analysis: Cross Mean"), "line 2: analysis:"},
		{change("analysis: cross-participant-mean\n", ""), "analysis: is missing"},
		{change("datasets: [sales]", "datasets: [sales, costs]"), "line 13: measures[1].dataset: is missing. Say which of the datasets sales, costs"},
		{change("title: Mean by tags", `title: "Mean\u202e by tags"`), "line 3: title: has characters that cannot be seen"},
		{change("title: Mean by tags", "title: "+strings.Repeat("x", 201)), "line 3: title: is longer than 200"},
		{"analysis: joint\ndatasets: [a]\nmeasures:\n- {name: S, function: sum, column: V, decimals: 0}\n- {name: M, function: mean, own: mean, column: V, decimals: 0}\n- {name: N, function: count}\nrules: {min_contributors: 4}\n",
			"line 5: measures[1]: the definition has 3 different measures of column \"V\": together they say more of each contributor than each alone. Set rules.min_contributors to at least 5"},
		{"analysis: none\ndatasets: []\nmeasures: []\n", "datasets: is missing"},
		{"analysis: none\ndatasets: [a]\n", "measures: is missing"},
		{"analysis: two\ndatasets: [a, b]\nmeasures:\n- {name: N, function: count}\n", "line 4: measures[0].dataset: is missing. Say which of the datasets a, b"},
		{"analysis: two\ndatasets: [a, b]\nmeasures:\n- {name: N, function: count, dataset: a}\n", `line 2: datasets[1]: no measure uses "b"`},
	} {
		_, err := Parse([]byte(c.text))
		switch {
		case !fault.Is(err, fault.Invalid):
			t.Errorf("want %q, got %v", c.want, err)
		case !strings.Contains(err.Error(), c.want):
			t.Errorf("want %q in\n%v", c.want, err)
		}
	}
	if _, err := Parse(bytes.Repeat([]byte("#"), MaxYAML+1)); !fault.Is(err, fault.TooLarge) {
		t.Errorf("long text: %v", err)
	}
}

func TestAllMistakesAreNamedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := Parse([]byte("analysis: X\ndatasets: [a]\nmeasures: [{}]\nquorum: x\nx: 1\n"))
	for _, want := range []string{"line 1: analysis:", "line 3: measures[0].function:", "line 4: quorum:", "line 5: x:"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q in\n%v", want, err)
		}
	}
	var many strings.Builder
	for i := range 100 {
		many.WriteString(strings.Repeat("k", i+1) + ": 1\n")
	}
	if _, err := Parse([]byte(many.String())); strings.Count(err.Error(), "\n") != maxProblems+1 || !strings.Contains(err.Error(), "more.") {
		t.Errorf("100 mistakes: %v", err)
	}
}

func TestAFilterWithoutADatasetIsForEach(t *testing.T) {
	t.Parallel()
	d := parsed(t, `analysis: two
datasets: [a, b]
filters: [{column: R, equals: [x]}, {column: S, from: 1, dataset: b}]
measures: [{name: A, function: count, dataset: a}, {name: B, function: count, dataset: b}]
`)
	var got []string
	for _, f := range d.Filters {
		got = append(got, f.Dataset+"."+f.Column)
	}
	if g := strings.Join(got, " "); g != "a.R b.R b.S" {
		t.Errorf("filters = %s, want a.R b.R b.S", g)
	}
}

func TestTheHashIsOfTheMeaning(t *testing.T) {
	t.Parallel()
	d := parsed(t, small)
	same := parsed(t, `# laid out differently, with the defaults written out
measures:
  - decimals: 2
    column: "Value"
    function: sum
    name: Value
    own: sum
    dataset: sales
groups: []
datasets:
  - sales
analysis: small
rules: {dominance: {k: 85, n: 2}, p_percent: 10}
quorum: 5
limits: {memory: 2048MiB, wall: 600s}
`)
	if d.Hash() != same.Hash() {
		t.Errorf("hashes differ:\n%s\n%s", d.Canonical(), same.Canonical())
	}
	want := `{"format":1,"analysis":"small","datasets":["sales"],"filters":[],"groups":[],` +
		`"measures":[{"name":"Value","dataset":"sales","function":"sum","column":"Value","own":"sum","decimals":2}],` +
		`"recipients":"contributors","own_value":true,` +
		`"output":{"file_name":"{analysis}-{date}-{participant}.csv","date_column":"Date","date_format":"YYYY-MM-DD","id_column":"YourId","own_prefix":"Your"},` +
		`"rules":{"min_contributors":5,"p_percent":10,"dominance":{"n":2,"k":85}},"quorum":5,` +
		`"limits":{"memory_bytes":2147483648,"wall_ns":600000000000,"cells":1000000}}`
	if got := string(d.Canonical()); got != want {
		t.Errorf("canonical form =\n%s\nwant\n%s", got, want)
	}
	for _, other := range []string{
		small + "title: x", small + "own_value: false", small + "rules: {p_percent: 11}", small + "limits: {cells: 5}",
		strings.Replace(small, "decimals: 2", "decimals: 3", 1), small + "filters: [{column: A, equals: [x]}]",
	} {
		if parsed(t, other).Hash() == d.Hash() {
			t.Errorf("the hash does not see\n%s", other)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte(small))
	f.Add([]byte(derivedText))
	f.Add([]byte("analysis: two\ndatasets: [a, b]\nfilters: [{column: R, equals: [x]}]\nmeasures: [{name: N, function: count, dataset: a}]\nrules: {dominance: off}"))
	columns := Columns{{Name: "Value", Type: Decimal, Scale: 2}, {Name: "Region", Type: Text}, {Name: "Tag1", Type: Date}, {Name: "Tag2", Type: Timestamp}}
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := Parse(text)
		if err != nil {
			if k := fault.KindOf(err); k != fault.Invalid && k != fault.TooLarge {
				t.Fatalf("kind %s: %v", k, err)
			}
			return
		}
		if d.Rules.MinContributors < 2 || d.Quorum < d.Rules.MinContributors || len(d.Measures) == 0 || len(d.Datasets) == 0 {
			t.Fatalf("accepted %+v", d)
		}
		if w := Widens(d, d); len(w) > 0 {
			t.Fatalf("widens itself: %v", w)
		}
		if len(Describe(d)) == 0 {
			t.Fatal("nothing to say")
		}
		if err := Check(d, map[string]Columns{"sales": columns}); err != nil && !fault.Is(err, fault.Invalid) {
			t.Fatal(err)
		}
	})
}
