package analysis

import (
	"testing"

	"tributary/internal/fault"
	"tributary/internal/query"
)

// One participant's file may have millions of cells that no other has: they take
// about what is in them, however many participants there are, and there is a limit.
func TestCellsOfFewContributorsCostLittle(t *testing.T) {
	t.Parallel()
	const cells = 1000
	spec := query.Spec{Participants: 100_000, Measures: make([]query.Measure, 2)}
	table := newTable(spec, cells)
	values := []query.Number{{Present: true, Fixed: 1}, {Present: true, Fixed: 2}}
	add := func(n int) error {
		return table.add(query.Row{Key: []query.Value{{Type: query.Integer, Int: int64(n)}}, Participant: 7, Values: values})
	}
	for n := range cells {
		if err := add(n); err != nil {
			t.Fatal(err)
		}
	}
	for m := range table.cells {
		for _, cell := range table.cells[m] {
			if cap(cell) > 8 {
				t.Fatalf("room for %d contributions where there is one", cap(cell))
			}
		}
	}
	if err := add(cells); !fault.Is(err, fault.TooLarge) {
		t.Errorf("a cell over the limit: %v", err)
	}
}
