package api

import (
	"net/http"
	"testing"
)

// A list is not empty because its date is none.
func TestDatesInQueriesAreDates(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		_, _, key := w.tenant(t, "acme")
		for path, token := range map[string]string{"runs": w.admin, "submissions": key, "results": key} {
			for _, date := range []string{"yesterday", "2026-02-30", "20260301"} {
				wantStatus(t, path+" of "+date, w.ask(http.MethodGet, "/api/v1/"+path+"?date="+date, from, token, "", ""), http.StatusUnprocessableEntity)
			}
		}
	})
}
