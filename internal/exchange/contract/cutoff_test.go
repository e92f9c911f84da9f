package contract

import (
	"strings"
	"testing"
	"time"

	"tributary/internal/fault"
)

func TestCutOff(t *testing.T) {
	t.Parallel()
	parse := func(cadence, due string) *Dataset {
		return mustParse(t, "dataset: x\ncolumns: [{name: a, type: text}]\ncadence: "+cadence+"\ndue: "+due+"\n")
	}
	for _, c := range []struct{ cadence, due, day, want string }{
		{"monthly", "{after_days: 5, at: '12:00', zone: Europe/Zurich}", "2022-09-01", "2022-10-05T10:00:00Z"},             // no grace: when it is due
		{"monthly", "{after_days: 5, at: '12:00', zone: Europe/Zurich, grace: 90m}", "2022-09-01", "2022-10-05T11:30:00Z"}, //
		{"monthly", "{grace: 6h}", "2024-02-10", "2024-03-01T05:59:00Z"},                                                   // a leap year's February
		{"monthly", "{grace: 6h}", "2023-02-10", "2023-03-01T05:59:00Z"},                                                   //
		{"quarterly", "{after_days: 30, grace: 1d}", "2024-11-05", "2025-01-31T23:59:00Z"},                                 // 31 + 30 days later
		{"daily", "{after_days: 1, at: '12:00', zone: Europe/Zurich, grace: 2d}", "2024-03-29", "2024-04-01T10:00:00Z"},    // noon, two days later: 47 hours
		{"daily", "{after_days: 1, at: '12:00', zone: Europe/Zurich, grace: 48h}", "2024-03-29", "2024-04-01T11:00:00Z"},   // 48 hours
		{"daily", "{after_days: 1, at: '12:00', zone: Europe/Zurich, grace: 1d}", "2024-10-25", "2024-10-27T11:00:00Z"},    // 25 hours
		{"daily", "{after_days: 1, at: '02:30', zone: Europe/Zurich, grace: 1d}", "2024-10-25", "2024-10-27T01:30:00Z"},    // the second 02:30 of that night
		{"daily", "{at: '02:30', zone: Europe/Zurich, grace: 1h}", "2024-03-31", "2024-03-31T02:30:00Z"},                   // there is no 02:30
		{"daily", "{at: '12:00', zone: Pacific/Apia, grace: 1d}", "2011-12-29", "2011-12-30T22:00:00Z"},                    // there is no 30 December
	} {
		d := parse(c.cadence, c.due)
		day, err := ParseDate(c.day)
		if err != nil {
			t.Fatal(err)
		}
		end, ok := d.CutOff(day)
		if got := end.Format(time.RFC3339); !ok || got != c.want {
			t.Errorf("%s %s: got %s %v, want %s", c.day, c.due, got, ok, c.want)
		}
	}
	if _, ok := mustParse(t, "dataset: x\ncolumns: [{name: a, type: text}]\ncadence: daily\n").CutOff(0); ok {
		t.Error("a dataset without a due time has a cut-off")
	}
	none := parse("daily", "{at: '12:00'}")
	for _, zero := range []string{"0h", "00d", `""`} {
		if parse("daily", "{at: '12:00', grace: "+zero+"}").Hash() != none.Hash() {
			t.Errorf("grace %s is not none", zero)
		}
	}
	if parse("daily", "{grace: 06h}").Hash() != parse("daily", "{grace: 6h}").Hash() {
		t.Error("zeros in front change the contract")
	}
	for _, bad := range []string{"6", "h", "6 h", "-1h", "+1h", "1.5h", "1w", "6H", "367d", "8785h", "99999999m", "{}", "6ħ"} {
		if _, err := Parse([]byte("dataset: x\ncolumns: [{name: a, type: text}]\ndue: {grace: " + bad + "}\n")); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "due.grace") {
			t.Errorf("grace %s: %v", bad, err)
		}
	}
}

// What contracts without newer keys hash to, as stored ones are checked against it.
func TestTheHashOfAContractStays(t *testing.T) {
	t.Parallel()
	if got, want := mustParse(t, sales).Hash(), "29bb1f91ae6f4360848e58fad0a6642084f5f77dd80ada39699afaaa57fad9cb"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
