package duckdb

import (
	"strings"
	"testing"

	"tributary/internal/fault"
)

// A value is the same in an answer, also where its type has more than others, and a row
// has a bound.
func TestValuesAreWhole(t *testing.T) {
	t.Parallel()
	w := openTest(t, t.TempDir(), steps)
	defer w.Close()
	if got, err := ask(t.Context(), w, "SELECT TIMESTAMP_NS '2026-01-31 08:00:00.123456789'"); err != nil || !strings.HasSuffix(got, "2026-01-31T08:00:00.123456789Z|") {
		t.Errorf("got %q, %v, want all nanoseconds", got, err)
	}
	const many = "repeat('x', 900000)"
	if _, err := ask(t.Context(), w, "SELECT "+many+strings.Repeat(", "+many, 36)); err != nil {
		t.Errorf("got %v, want a row of less than 32 MiB", err)
	}
	if _, err := ask(t.Context(), w, "SELECT "+many+strings.Repeat(", "+many, 37)); !fault.Is(err, fault.TooLarge) || !strings.Contains(fault.Message(err), "A row of the answer") {
		t.Errorf("got %v, want that the row is too large", err)
	}
}
