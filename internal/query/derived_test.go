package query

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"tributary/internal/fault"
)

func TestCheckOfDerivedColumns(t *testing.T) {
	t.Parallel()
	product := Derived{Dataset: "d", Name: "p", Type: Decimal, Scale: 4, Terms: []Term{{Times: 119, Over: []string{"n", "value"}}}, By: 100}
	month := Derived{Dataset: "d", Name: "month", Type: Integer, Of: "day", Functions: []string{"month"}}
	lower := Derived{Dataset: "d", Name: "low", Type: Text, Of: "tag", Functions: []string{"trim", "lower"}}
	for name, c := range map[string]struct {
		derived Derived
		change  func(*Derived, *Spec)
		want    string // "" for a right spec
	}{
		"number":                    {product, func(*Derived, *Spec) {}, ""},
		"month":                     {month, func(*Derived, *Spec) {}, ""},
		"text":                      {lower, func(*Derived, *Spec) {}, ""},
		"measured":                  {product, func(_ *Derived, s *Spec) { s.Measures[0].Column = "p" }, ""},
		"grouped":                   {month, func(_ *Derived, s *Spec) { s.Groups = []string{"month"} }, ""},
		"another dataset":           {product, func(d *Derived, _ *Spec) { d.Dataset = "x" }, `dataset "x"`},
		"name of a column":          {product, func(d *Derived, _ *Spec) { d.Name = "VALUE" }, "two columns"},
		"no name":                   {product, func(d *Derived, _ *Spec) { d.Name = "" }, "1 to 1024"},
		"no terms":                  {product, func(d *Derived, _ *Spec) { d.Terms = nil }, "1 to 8 terms"},
		"a constant":                {product, func(d *Derived, _ *Spec) { d.Terms[0].Over = nil }, "without columns"},
		"nothing":                   {product, func(d *Derived, _ *Spec) { d.Terms[0].Times = 0 }, "factor out of range"},
		"large":                     {product, func(d *Derived, _ *Spec) { d.Terms[0].Times = MaxFactor + 1 }, "factor out of range"},
		"by zero":                   {product, func(d *Derived, _ *Spec) { d.By = 0 }, "a divisor up to"},
		"too many digits":           {product, func(d *Derived, _ *Spec) { d.Scale = 23 }, "25 digits"},
		"unknown column":            {product, func(d *Derived, _ *Spec) { d.Terms[0].Under = []string{"x"} }, `no column "x"`},
		"unknown need":              {product, func(d *Derived, _ *Spec) { d.Needs = []string{"x"} }, `no column "x"`},
		"itself":                    {product, func(d *Derived, _ *Spec) { d.Terms[0].Under = []string{"p"} }, `no column "p"`},
		"of a text":                 {product, func(d *Derived, _ *Spec) { d.Terms[0].Over = []string{"tag"} }, "which is text"},
		"of a date":                 {product, func(d *Derived, _ *Spec) { d.Terms[0].Over = []string{"day"} }, "which is date"},
		"a decimal of floats":       {product, func(d *Derived, _ *Spec) { d.Terms[0].Over = []string{"f"} }, "made of floats"},
		"a float of decimals":       {product, func(d *Derived, _ *Spec) { d.Type, d.Scale = Float, 0 }, ""},
		"both kinds":                {product, func(d *Derived, _ *Spec) { d.Functions = []string{"lower"} }, "1 to 8 terms"},
		"a text of terms":           {product, func(d *Derived, _ *Spec) { d.Type = Text }, "functions"},
		"unknown function":          {lower, func(d *Derived, _ *Spec) { d.Functions[1] = "read_text" }, "no function of column"},
		"month of a text":           {month, func(d *Derived, _ *Spec) { d.Of = "tag" }, "no function of column"},
		"lower of a date":           {lower, func(d *Derived, _ *Spec) { d.Of = "day" }, "no function of column"},
		"month of a month":          {month, func(d *Derived, _ *Spec) { d.Functions = []string{"month", "month"} }, "no function of column"},
		"a text with a scale":       {lower, func(d *Derived, _ *Spec) { d.Scale = 1 }, "has a scale"},
		"no functions":              {lower, func(d *Derived, _ *Spec) { d.Functions = nil }, "functions"},
		"a number as group":         {product, func(_ *Derived, s *Spec) { s.Groups = []string{"p"} }, "is calculated"},
		"a month measured":          {month, func(_ *Derived, s *Spec) { s.Measures[0].Column = "month" }, "sums and means of calculated"},
		"counted":                   {product, func(_ *Derived, s *Spec) { s.Measures[0].Column, s.Measures[0].Own = "p", Count }, "sums and means of calculated"},
		"filtered by":               {month, func(_ *Derived, s *Spec) { s.Filters = []Filter{{Column: "month", Equals: []Value{IntegerOf(1)}}} }, `no column "month"`},
		"a group of another's type": {month, func(d *Derived, s *Spec) { d.Name, s.Groups = "flag2", []string{"flag2", "x"} }, `no column "x"`},
	} {
		spec := specForTests()
		text, _ := json.Marshal(c.derived)
		var d Derived
		if err := json.Unmarshal(text, &d); err != nil || !reflect.DeepEqual(d, c.derived) {
			t.Fatalf("%s: %+v does not survive JSON: %v", name, c.derived, err)
		}
		c.change(&d, &spec)
		spec.Derived = []Derived{d}
		err := spec.Check()
		if c.want == "" && err != nil || c.want != "" && (!fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}
