package warehouse_test

import (
	"testing"

	"tributary/internal/warehouse"
)

func TestTablesSayTheirColumns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	found, err := w.Tables(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{}
	for _, table := range found {
		for _, c := range table.Columns {
			kinds[table.Name+"."+c.Name] = string(c.Kind)
		}
	}
	if len(found) != len(warehouse.Tables) || kinds["fact_event.time"] != "timestamp" || kinds["dim_tenant.slug"] != "text" || kinds["dim_date.weekend"] != "boolean" {
		t.Errorf("got %d tables of %d, and %v", len(found), len(warehouse.Tables), kinds)
	}
	if found, err = w.Tables(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	for _, table := range found {
		if table.Name == "load_position" || table.Name == "dim_job" {
			t.Errorf("a tenant is told of %s, which it cannot ask", table.Name)
		}
	}
	if len(found) == 0 {
		t.Error("a tenant has nothing to ask")
	}
}
