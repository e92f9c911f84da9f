package query

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"tributary/internal/fault"
)

func TestCheckNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	one := IntegerOf(1)
	for name, c := range map[string]struct {
		change func(*Spec)
		want   string // "" for a right spec
	}{
		"right":                   {func(*Spec) {}, ""},
		"no sources":              {func(s *Spec) { s.Sources = nil }, ""},
		"no groups":               {func(s *Spec) { s.Groups = nil }, ""},
		"no participants":         {func(s *Spec) { s.Participants = 0 }, "0 participants"},
		"no measures":             {func(s *Spec) { s.Measures = nil }, "0 measures"},
		"no limit of rows":        {func(s *Spec) { s.Limits.Rows = 0 }, "rows of the answer"},
		"no limit of memory":      {func(s *Spec) { s.Limits.Memory = 0 }, "0 bytes of memory"},
		"unknown type":            {func(s *Spec) { s.Datasets["d"][0].Type = "json" }, `unknown type "json"`},
		"scale of a text":         {func(s *Spec) { s.Datasets["d"][0].Scale = 2 }, "only decimals"},
		"scale of 19":             {func(s *Spec) { s.Datasets["d"][3].Scale = 19 }, "scale 19"},
		"column twice":            {func(s *Spec) { s.Datasets["d"][1].Name = "tag" }, `two columns "tag"`},
		"name with NUL":           {func(s *Spec) { s.Datasets["d"][6].Name = "f\x00" }, "without NUL"},
		"name that is not UTF-8":  {func(s *Spec) { s.Datasets["d"][6].Name = "\xff" }, "UTF-8"},
		"empty name":              {func(s *Spec) { s.Datasets["d"][6].Name = "" }, "1 to 1024"},
		"source of another":       {func(s *Spec) { s.Sources[1].Dataset = "x" }, `dataset "x"`},
		"participant beyond":      {func(s *Spec) { s.Sources[1].Participant = 3 }, "participant 3"},
		"negative participant":    {func(s *Spec) { s.Sources[1].Participant = -1 }, "participant -1"},
		"file of two sources":     {func(s *Spec) { s.Sources[1].Input = 0 }, "input 0"},
		"negative file":           {func(s *Spec) { s.Sources[1].Input = -1 }, "input -1"},
		"group twice":             {func(s *Spec) { s.Groups = []string{"tag", "tag"} }, "twice"},
		"unknown group":           {func(s *Spec) { s.Groups = []string{"x"} }, `no column "x"`},
		"group by a float":        {func(s *Spec) { s.Groups = []string{"f"} }, "is a float"},
		"group in one dataset":    {func(s *Spec) { s.Datasets["e"] = []Column{{Name: "day", Type: Date}} }, `"e" has no column "tag"`},
		"group of two types":      {func(s *Spec) { s.Datasets["e"] = []Column{{Name: "day", Type: Text}, {Name: "tag", Type: Text}} }, "same type"},
		"measure twice":           {func(s *Spec) { s.Measures[1].Name = "sum" }, `two measures "sum"`},
		"sum of a text":           {func(s *Spec) { s.Measures[0].Column = "tag" }, "which is text"},
		"sum of nothing":          {func(s *Spec) { s.Measures[0].Column = "" }, `no column ""`},
		"unknown way":             {func(s *Spec) { s.Measures[0].Own = "median" }, `"median"`},
		"measure of another":      {func(s *Spec) { s.Measures[1].Dataset = "x" }, `dataset "x"`},
		"measure with 19 digits":  {func(s *Spec) { s.Measures[0].Scale = 19 }, "scale 19"},
		"filter without values":   {func(s *Spec) { s.Filters = []Filter{{Column: "n"}} }, "1 to 1000 values"},
		"filter with both":        {func(s *Spec) { s.Filters = []Filter{{Column: "n", Equals: []Value{one}, To: &one}} }, "1 to 1000 values"},
		"filter on another":       {func(s *Spec) { s.Filters = []Filter{{Column: "x", To: &one}} }, `no column "x"`},
		"filter of another type":  {func(s *Spec) { s.Filters = []Filter{{Column: "tag", To: &one}} }, "not of type text"},
		"filter of another scale": {func(s *Spec) { s.Filters = []Filter{{Column: "value", Equals: []Value{DecimalOf(1, 3)}}} }, "2 digits"},
		"filter by null":          {func(s *Spec) { s.Filters = []Filter{{Column: "n", Equals: []Value{{Type: Integer, Null: true}}}} }, "not of type integer"},
		"filter by NaN":           {func(s *Spec) { s.Filters = []Filter{{Column: "f", Equals: []Value{FloatOf(math.NaN())}}} }, "not of type float"},
		"filter by two in one": {func(s *Spec) {
			s.Filters = []Filter{{Column: "n", Equals: []Value{{Type: Integer, Int: 1, Text: "x"}}}}
		}, "not of type integer"},
	} {
		spec := specForTests()
		c.change(&spec)
		err := spec.Check()
		if c.want == "" && err != nil || c.want != "" && (!fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestSpecSurvivesJSON(t *testing.T) {
	t.Parallel()
	spec := specForTests()
	low, high := DecimalOf(math.MinInt64, 2), DecimalOf(math.MaxInt64, 2)
	spec.Filters = []Filter{
		{Column: "value", From: &low, To: &high}, {Dataset: "d", Column: "tag", Equals: []Value{TextOf("a\x00\u2028<\"'"), TextOf("")}},
		{Column: "f", Equals: []Value{FloatOf(0.1), FloatOf(math.MaxFloat64)}}, {Column: "flag", Equals: []Value{BooleanOf(true)}},
	}
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	var back Spec
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(spec, back) {
		t.Errorf("got  %+v\nwant %+v", back, spec)
	}
}

func TestValuesAsText(t *testing.T) {
	t.Parallel()
	before := time.Date(1969, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
	for want, v := range map[string]Value{
		"-0.05": DecimalOf(-5, 2), "12.50": DecimalOf(1250, 2), "7": DecimalOf(7, 0), "0.000000000000000001": DecimalOf(1, 18),
		"-9223372036854775808": IntegerOf(math.MinInt64), "-9.223372036854775808": DecimalOf(math.MinInt64, 18), "true": BooleanOf(true), "a": TextOf("a"),
		"1969-12-31": DateOf(before), "1969-12-31T23:59:59.999999Z": TimestampOf(before), "2026-02-28": DateOf(time.Date(2026, 2, 28, 23, 0, 0, 0, time.UTC)),
		"0.1": FloatOf(0.1), "": NullOf(Column{Type: Text}),
	} {
		if got := v.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestOrderOfKeys(t *testing.T) {
	t.Parallel()
	for _, sorted := range [][]Value{
		{NullOf(Column{Type: Text}), TextOf(""), TextOf("Z"), TextOf("a"), TextOf("a\x00"), TextOf("ab"), TextOf("é")},
		{NullOf(Column{Type: Integer}), IntegerOf(math.MinInt64), IntegerOf(-1), IntegerOf(0), IntegerOf(math.MaxInt64)},
		{NullOf(Column{Type: Boolean}), BooleanOf(false), BooleanOf(true)},
	} {
		for i := range sorted {
			for j := range sorted {
				a, b := []Value{IntegerOf(1), sorted[i]}, []Value{IntegerOf(1), sorted[j]}
				if got, want := CompareKeys(a, b), slices.Compare([]int{i}, []int{j}); got != want {
					t.Errorf("%v and %v: got %d, want %d", sorted[i], sorted[j], got, want)
				}
			}
		}
	}
}
