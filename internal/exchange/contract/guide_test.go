package contract

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// What the guide says of the cadence is what contracts take.
func TestTheGuideNamesTheCadences(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../../docs/guide.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| `cadence` \\|(.*)\\|(.*)\\|$").FindStringSubmatch(string(guide))
	if row == nil {
		t.Fatal("the guide has no row for cadence")
	}
	word := regexp.MustCompile("`([a-z]+)`")
	parse := func(cadence string) *Dataset {
		d, err := Parse([]byte("dataset: x\ncolumns: [{name: a, type: text}]\n" + cadence))
		if err != nil {
			t.Fatalf("%q: %v", cadence, err)
		}
		return d
	}
	words := word.FindAllStringSubmatch(row[1], -1)
	if len(words) != 6 {
		t.Errorf("the guide names %d cadences, want 6", len(words))
	}
	for _, w := range words {
		if d := parse("cadence: " + w[1] + "\n"); string(d.Cadence) != w[1] {
			t.Errorf("cadence %q became %q", w[1], d.Cadence)
		}
	}
	if absent := parse("").Cadence; !strings.Contains(row[2], "`"+string(absent)+"`") {
		t.Errorf("the default is %q, the guide says%s", absent, row[2])
	}
}
