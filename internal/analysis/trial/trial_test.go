package trial_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"tributary/internal/analysis"
	"tributary/internal/analysis/definition"
	"tributary/internal/analysis/trial"
	"tributary/internal/fault"
	"tributary/internal/query"
)

func parsed(t *testing.T, yaml string) *definition.Definition {
	t.Helper()
	d, err := definition.Parse([]byte(yaml))
	if err != nil {
		t.Fatalf("%v in\n%s", err, yaml)
	}
	return d
}

// chosen is a random definition: whatever an author may write, within the defaults of
// the rules or stricter.
func chosen(rng *rand.Rand, rules string) string {
	var b strings.Builder
	b.WriteString("analysis: chosen\ndatasets: [d]\n")
	var derived []string
	groups := []string{"region", "country", "product", "size"}[:1+rng.IntN(4)]
	for i, of := range []string{1: "lower(trim(city))", 3: "month(sold)"} {
		if of != "" && i < len(groups) && rng.IntN(3) == 0 {
			derived = append(derived, fmt.Sprintf("{name: %s, expression: %s}", groups[i], of))
		}
	}
	fmt.Fprintf(&b, "groups: [%s]\n", strings.Join(groups, ", "))
	totals := []string{}
	switch rng.IntN(4) {
	case 0:
	case 1:
		totals = append(totals, "["+groups[rng.IntN(len(groups))]+"]")
	default:
		cut := 1 + rng.IntN(len(groups))
		totals = append(totals, "["+strings.Join(groups[:cut], ", ")+"]")
		if cut < len(groups) {
			totals = append(totals, "["+strings.Join(groups[cut:], ", ")+"]")
		}
	}
	measures := []string{
		"{name: h, function: sum, column: both, decimals: 2}", "{name: i, function: mean, column: share, decimals: 2}", "{name: j, function: weighted_mean, column: x, weight: w, decimals: 3}",
		"{name: a, function: sum, column: x, decimals: 0}", "{name: b, function: mean, column: x, decimals: 2}", "{name: c, function: count}",
		"{name: d, function: ratio, column: y, of: x, decimals: 4}", "{name: e, function: sum, column: y, decimals: 2}",
	}
	if len(totals) > 0 {
		fmt.Fprintf(&b, "totals: [%s]\n", strings.Join(totals, ", "))
	} else {
		measures = append(measures, "{name: f, function: variance, column: x, decimals: 1}", "{name: g, function: mean, own: mean, column: y, decimals: 1}",
			"{name: k, function: quantile, quantile: 50, column: x, decimals: 2}", "{name: l, function: quantile, quantile: 30, column: x, decimals: 2}",
			"{name: m, function: quantile, quantile: 70, column: x, decimals: 1}", "{name: n, function: variance, own: mean, column: y, decimals: 1}", "{name: o, function: quantile, quantile: 80, own: mean, column: y, decimals: 1}")
	}
	var picked []string
	for _, n := range rng.Perm(len(measures))[:1+rng.IntN(len(measures))] {
		picked = append(picked, measures[n])
	}
	for _, of := range []string{"{name: both, expression: x + 0.5 * z, decimals: 3}", "{name: share, expression: z / w, decimals: 4}"} {
		name, _, _ := strings.Cut(strings.TrimPrefix(of, "{name: "), ",")
		if strings.Contains(strings.Join(picked, " "), "column: "+name) {
			derived = append(derived, of)
		}
	}
	if len(derived) > 0 {
		fmt.Fprintf(&b, "derived: [%s]\n", strings.Join(derived, ", "))
	}
	fmt.Fprintf(&b, "measures: [%s]\n", strings.Join(picked, ", "))
	fmt.Fprintf(&b, "rules: {%s}\n", rules)
	return b.String()
}

// search is what became of definitions and worlds that were made up, by function.
type search struct {
	breaches, shown map[definition.Function]int
	found           string // the first breach, in its world
}

// searched makes up definitions and worlds, each the same each time, and lets an attacker
// look at everything that each of them releases, until enough says that it may end.
func searched(t *testing.T, worlds int, rules func(*rand.Rand) string, o trial.Options, enough func(search) bool) search {
	t.Helper()
	got := search{breaches: map[definition.Function]int{}, shown: map[definition.Function]int{}}
	for world := range worlds {
		rng := rand.New(rand.NewPCG(21, uint64(world)))
		yaml := chosen(rng, rules(rand.New(rand.NewPCG(22, uint64(world)))))
		d, err := definition.Parse([]byte(yaml))
		if fault.Is(err, fault.Invalid) { // too many measures of one column for so low a minimum
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		columns := trial.Columns(d)
		if err := definition.Check(d, columns); err != nil {
			t.Fatal(err)
		}
		s := trial.Synthetic{Participants: 6 + rng.IntN(20), Cells: 2 + rng.IntN(30), Releases: 1 + rng.IntN(4)}
		if rng.IntN(2) == 0 { // so many that there are quantiles
			s.Participants, s.Cells = 20+rng.IntN(40), 1+rng.IntN(3)
		}
		releases, err := trial.Generate(analysis.NewTrial(d, columns), d, s, rng)
		if err != nil {
			t.Fatal(err)
		}
		r, err := trial.Attack(context.Background(), d, columns, releases, o)
		if err != nil {
			t.Fatalf("world %d: %v\n%s", world, err, yaml)
		}
		for i, m := range r.Measures {
			got.shown[d.Measures[i].Function] += m.Shown
			if len(m.Closest) > 0 && m.Closest[0].Breach {
				got.breaches[d.Measures[i].Function]++
				if b := m.Closest[0]; got.found == "" {
					got.found = fmt.Sprintf("world %d: %s: %v to %v and %v %% above, %+v\n%s", world, m.Name, b.Least, *b.Most, *b.Above, b, yaml)
				}
			}
		}
		if enough(got) {
			break
		}
	}
	return got
}

// An attacker who may choose among all that a definition can ask for (which groups,
// which totals, which measures, how often) finds nothing that tells a value.
func TestNoDefinitionLetsAValueBeBounded(t *testing.T) {
	t.Parallel()
	worlds := 40
	if os.Getenv("TRIBUTARY_TORTURE") != "" {
		worlds = 1000
	}
	for name, rules := range map[string]func(*rand.Rand) string{
		"defaults": func(*rand.Rand) string { return "" },
		"any": func(rng *rand.Rand) string {
			list := []string{fmt.Sprintf("min_contributors: %d", 3+rng.IntN(4)), fmt.Sprintf("p_percent: %d", 5+rng.IntN(30)), fmt.Sprintf("coalition: %d", 1+rng.IntN(3))}
			if rng.IntN(2) == 0 {
				list = append(list, "dominance: off")
			}
			return strings.Join(list, ", ")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := searched(t, worlds, rules, trial.Options{Tries: 60, Listed: 1}, func(s search) bool { return s.found != "" })
			if got.found != "" {
				t.Errorf("an attack worked: %s", got.found)
			}
			for _, f := range []definition.Function{definition.Sum, definition.Mean, definition.Ratio, definition.WeightedMean, definition.Variance, definition.Quantile} {
				if got.shown[f] == 0 {
					t.Errorf("no cell of a %s was shown, so the test shows nothing of it", f)
				}
			}
		})
	}
}

// With a rule switched off, in the same worlds, the same search finds something: of every
// measure that the rule is about.
func TestARuleSwitchedOffIsFound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		on, off string
		o       trial.Options
		of      []definition.Function
	}{
		"p %":       {"dominance: off", "dominance: off, p_percent: 0", trial.Options{}, []definition.Function{definition.Sum, definition.Mean, definition.Ratio, definition.Variance, definition.Quantile}},
		"pq":        {"dominance: off, q_percent: 40", "dominance: off", trial.Options{Within: 25}, []definition.Function{definition.Sum, definition.Variance}},
		"dominance": {"", "dominance: off", trial.Options{Coalition: 2, Within: 17}, []definition.Function{definition.Sum}},
		"minimum":   {"", "dominance: off, min_contributors: 2", trial.Options{Coalition: 2, Within: 10}, []definition.Function{definition.Sum}},
		"coalition": {"dominance: off, coalition: 2", "dominance: off", trial.Options{Coalition: 2, Within: 10}, []definition.Function{definition.Sum, definition.Variance}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.o.Tries, c.o.Listed = 60, 1
			all := func(s search) bool {
				return !slices.ContainsFunc(c.of, func(f definition.Function) bool { return s.breaches[f] == 0 })
			}
			if got := searched(t, 400, func(*rand.Rand) string { return c.off }, c.o, all); !all(got) {
				t.Errorf("off: attacks worked on %v only, so the search could not fail", got.breaches)
			}
			if got := searched(t, 10, func(*rand.Rand) string { return c.on }, c.o, func(s search) bool { return s.found != "" }); got.breaches[definition.Sum] > 0 {
				t.Errorf("on: an attack worked: %s", got.found)
			}
		})
	}
}

// Quantiles tell where all but 400 of what hides the largest is; so not all of them are shown.
func TestQuantilesAreHiddenBesideAMean(t *testing.T) {
	t.Parallel()
	d := parsed(t, "analysis: beside\ndatasets: [d]\nmeasures:\n"+
		"- {name: A, function: mean, column: x, decimals: 0}\n- {name: Q, function: quantile, quantile: 10, column: x, decimals: 0}\n- {name: M, function: quantile, quantile: 50, column: x, decimals: 0}\n")
	columns := trial.Columns(d)
	file := "participant,x\n"
	for n := range 59 {
		file += fmt.Sprintf("p%d,100\n", n)
	}
	for largest, want := range map[string]int{"3000": 1, "5000": 0} {
		sent, err := trial.Read(analysis.NewTrial(d, columns), d, columns, []byte(file+"large,"+largest))
		if err != nil {
			t.Fatal(err)
		}
		r, err := trial.Attack(context.Background(), d, columns, [][]analysis.Contributor{sent}, trial.Options{Tries: 500, Listed: 1})
		if err != nil || r.Breaches > 0 {
			t.Fatalf("%s: %+v, %v", largest, r, err)
		}
		if a, q, m := r.Measures[0], r.Measures[1], r.Measures[2]; a.Shown != 1 || q.Shown != want || m.Shown != 0 && want == 0 || q.Shown == 0 && q.Hidden["close"] != 1 {
			t.Errorf("%s: shown %d, %d and %d (%v), want 1 and %d", largest, a.Shown, q.Shown, m.Shown, q.Hidden, want)
		}
	}
}

const three = `analysis: three
datasets: [d]
groups: [region]
measures: [{name: a, function: sum, column: x, decimals: 2}, {name: b, function: mean, own: mean, column: x, decimals: 2}, {name: n, function: count}]
rules: {p_percent: 0, dominance: off, min_contributors: 2}
`

func TestRealRowsAreAddedUpAsARunDoes(t *testing.T) {
	t.Parallel()
	d := parsed(t, three)
	columns := trial.Columns(d)
	sent, err := trial.Read(analysis.NewTrial(d, columns), d, columns, []byte("participant,organisation,region,x\nalpha,one,n,1.50\nalpha,one,n,2.25\nbeta,two,n,7\nbeta,two,,\nbeta,two,s,-1\n"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range sent {
		for _, row := range c.Rows {
			text := c.Name + " " + c.Organisation + " " + row.Key[0].Text
			for _, v := range row.Values {
				text += fmt.Sprintf(" %v/%d", v.Present, v.Fixed)
			}
			got = append(got, text)
		}
	}
	slices.Sort(got)
	want := []string{"alpha one n true/375 true/1875000 true/2", "beta two  false/0 false/0 true/1", "beta two n true/700 true/7000000 true/1", "beta two s true/-100 true/-1000000 true/1"}
	if !slices.Equal(got, want) {
		t.Errorf("rows\n%s, want\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	r, err := trial.Attack(context.Background(), d, columns, [][]analysis.Contributor{sent}, trial.Options{Tries: 100, Listed: 9})
	if err != nil || r.Breaches == 0 {
		t.Fatalf("two contributors: %+v, %v, want each to know the other's", r, err)
	}
	if b := r.Measures[0].Closest[0]; !b.Breach || b.Cell != "region n" || !b.Shown || *b.Most != b.Value {
		t.Errorf("closest = %+v, want an exact value in region n", b)
	}
}

func TestBadRowsAreNamed(t *testing.T) {
	t.Parallel()
	d := parsed(t, three)
	columns := trial.Columns(d)
	for file, want := range map[string]string{
		"":                                                      "no header",
		"participant,region\n":                                  `no column "x"`,
		"region,x\n":                                            `no column "participant"`,
		"participant,region,x\na,n,1.234\n":                     "Line 2",
		"participant,region,x\na,n,1\n,n,1\n":                   "Line 3",
		"participant,region,x,x\n":                              "two columns",
		"participant,region,x\na,n\n":                           "wrong number of fields",
		`{"participant":"a","region":"n"}`:                      `no column "x"`,
		`{"participant":"a","region":"n","x":1.234}`:            "Object 1",
		`[{"participant":"a","region":"n","x":[1]}]`:            "Object 1",
		`{"participant":"a","region":"n","x":1} x`:              "Object 2",
		"participant,organisation,region,x\na,o,n,1\na,q,n,1\n": "before",
	} {
		if _, err := trial.Read(analysis.NewTrial(d, columns), d, columns, []byte(file)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", file, err, want)
		}
	}
	for _, s := range []trial.Synthetic{{1, 10, 1}, {10, 0, 1}, {10, 10, 0}, {10, 10, 99}, {2000, 10, 1}, {10, 20_000, 1}, {1000, 10_000, 1}} {
		if _, err := trial.Generate(analysis.NewTrial(d, columns), d, s, rand.New(rand.NewPCG(1, 1))); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v, want an invalid fault", s, err)
		}
	}
}

const calculated = `analysis: calculated
datasets: [sales]
derived:
  - {name: place, expression: lower(trim(City))}
  - {name: month, expression: month(Sold)}
  - {name: revenue, expression: Price * Quantity * 1.19, decimals: 4}
  - {name: unit, expression: Discount / Quantity, decimals: 3}
groups: [place, month]
filters: [{column: Kind, equals: [shop, web]}]
measures:
  - {name: Revenue, function: sum, column: revenue, decimals: 4}
  - {name: Unit, function: mean, column: unit, decimals: 3}
  - {name: Price, function: weighted_mean, column: Price, weight: Quantity, decimals: 3}
`

// What is calculated of real rows is what the engine of runs makes of them: values are those
// of analysis's TestDerivedColumnsAndWeightedMeans. It does not matter how the file is written.
func TestRealRowsAreCalculatedWith(t *testing.T) {
	t.Parallel()
	d := parsed(t, calculated)
	columns := trial.Columns(d)
	if err := definition.Check(d, columns); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{
		"CSV": "participant,City,Sold,Price,Quantity,Discount,Kind\n" +
			"b,Bern ,2022-09-02,2.50,3,1.00,shop\nb, bErn,2022-09-30,,1000,1.00,web\nb,BERN,2022-09-30,2.00,0,4.00,shop\nb,Bern,2022-10-01,1,1,1,shop\nb,Bern,2022-09-01,1,1,1,mail\nb,Bern,2022-09-01,1,1,1,\n",
		"JSON lines": `{"participant":"b","City":"Bern ","Sold":"2022-09-02","Price":2.50,"Quantity":3,"Discount":"1.00","Kind":"shop"}
{"participant":"b","City":" bErn","Sold":"2022-09-30","Price":null,"Quantity":1000,"Discount":1,"Kind":"web"}
{"participant":"b","City":"BERN","Sold":"2022-09-30","Price":2,"Quantity":0,"Discount":4,"Kind":"shop"}
{"participant":"b","City":"Bern","Sold":"2022-10-01","Price":1,"Quantity":1,"Discount":1,"Kind":"shop"}
{"participant":"b","City":"Bern","Sold":"2022-09-01","Price":1,"Quantity":1,"Discount":1,"Kind":"mail"}`,
		"a list": `[{"participant":"b","City":"Bern ","Sold":"2022-09-02","Price":2.50,"Quantity":3,"Discount":"1.00","Kind":"shop"},
{"participant":"b","City":" bErn","Sold":"2022-09-30","Quantity":1000,"Discount":1,"Kind":"web"},
{"participant":"b","City":"BERN","Sold":"2022-09-30","Price":2,"Quantity":0,"Discount":4,"Kind":"shop"},
{"participant":"b","City":"Bern","Sold":"2022-10-01","Price":1,"Quantity":1,"Discount":1,"Kind":"shop"}]`,
	} {
		sent, err := trial.Read(analysis.NewTrial(d, columns), d, columns, []byte(file))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got []string
		for _, row := range sent[0].Rows {
			text := fmt.Sprint(row.Key[0], " ", row.Key[1])
			for i, v := range row.Values {
				text += " " + query.FormatFixed(v.Fixed, analysis.NewTrial(d, columns).Parts()[i].Scale)
			}
			got = append(got, text)
		}
		// Revenue 2.5 * 3 * 1.19; units 1/3 and 1/1000; prices 2.5 * 3, weights 3 and 0.
		want := []string{"bern 9 8.9250 0.334 7.5000 3.00", "bern 10 1.1900 1.000 1.0000 1.00"}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}
