package metatest_test

import (
	"testing"

	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
)

func TestEachGivesAFreshDatabase(t *testing.T) {
	t.Parallel()
	for range 2 {
		metatest.Each(t, func(t *testing.T, db *meta.DB) {
			n, err := db.Exec(t.Context(), `INSERT INTO settings (name, value) VALUES ('a', $1)`, []byte("b"))
			if err != nil || n != 1 {
				t.Fatalf("insert: got %d, %v; want 1 row", n, err)
			}
		})
	}
}
