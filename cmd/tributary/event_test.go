package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestEventsAreSentInBatches(t *testing.T) {
	t.Parallel()
	big := `{"x":"` + strings.Repeat("a", 3<<20) + `"}`
	for _, c := range []struct{ name, text, want string }{
		{"one", `{"a":1}`, `[{"a":1}]`},
		{"an array", ` [ {"a":1}, {"b":2} ] `, `[{"a":1},{"b":2}]`},
		{"one after the other", "{\"a\":1}\n[{\"b\":2}]\n{\"c\":3}\n", `[{"a":1},{"b":2},{"c":3}]`},
		{"nothing", " ", ""},
		{"too large for one request", big + big, fmt.Sprintf("[%s]|[%s]", big, big)},
	} {
		list, err := eventBatches([]byte(c.text))
		var got []string
		for _, b := range list {
			got = append(got, string(b))
		}
		if text := strings.Join(got, "|"); err != nil || text != c.want {
			t.Errorf("%s: got %.80s, %v, want %.80s", c.name, text, err, c.want)
		}
	}
	if list, err := eventBatches([]byte(strings.Repeat(`{}`, 2500))); err != nil || len(list) != 3 {
		t.Errorf("2,500 events: got %d requests, %v, want 3", len(list), err)
	}
	for _, text := range []string{`{"a":1`, `{} nonsense`, `[1`} {
		if _, err := eventBatches([]byte(text)); err == nil {
			t.Errorf("%s: got nil, want an error", text)
		}
	}
}
