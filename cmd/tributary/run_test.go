package main

import (
	"bytes"
	"strings"
	"testing"
)

// A run says how much was shown and why the rest was not, in words; the first releases
// say less.
func TestARunSaysWhatItShowed(t *testing.T) {
	t.Parallel()
	for manifest, want := range map[string][]string{
		`{"values_released":20,"values_suppressed":{"secondary":2,"minimum":5},"utility":[{"measure":"m","cells":8,"shown":6,"value_percent":71}],"attack":{"hidden":2,"unbounded":1,"witnesses":3,"intervals":2,"narrowest_percent":40.5}}`: {
			"m        8      6      75 %      71 %", "20 values went to recipients.", "5       minimum    too few organisations\n2       secondary  others could be computed from it",
			"nothing that is shown bounds 1 of 2 hidden cells.",
			"proven by 3 other tables that agree with all that is shown.",
			"The narrowest of the 2 intervals that could be derived is 40.5 % of its cell.",
		},
		`{"values_released":3,"values_suppressed":{}}`: {"\n3 values went to recipients.\n"},
	} {
		var b bytes.Buffer
		if err := newOutput(&b, &b).shown([]byte(manifest)); err != nil {
			t.Fatal(err)
		}
		for _, text := range want {
			if !strings.Contains(b.String(), text) {
				t.Errorf("%s\nsays\n%s, want %q in it", manifest, b.String(), text)
			}
		}
	}
}
