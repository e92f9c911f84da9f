package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"tributary/client"
)

func (f *fake) periods() {
	due, end := noon, noon.Add(6*time.Hour)
	f.on("GET /periods", func(w http.ResponseWriter, r *http.Request) {
		list := []client.Period{{Dataset: "sales", Date: "2026-02-01", TenantSlug: "acme", State: "missing", DueAt: &due, CutOffAt: &end}}
		if r.URL.Query().Get("state") != "missing" {
			list = append(list, client.Period{Dataset: "sales", Date: "2026-02-01", TenantSlug: "globex", State: "late", DueAt: &due, CutOffAt: &end, Submission: "sub_1", ReceivedAt: &end})
		}
		yes(w, client.List[client.Period]{Items: list})
	})
	f.on("GET /periods/{id}/{date}", func(w http.ResponseWriter, r *http.Request) {
		yes(w, client.PeriodSummary{Dataset: r.PathValue("id"), Date: "2026-02-01", End: "2026-02-28", Label: "2026-02", DueAt: &due, CutOffAt: &end,
			Tenants: map[string]int64{"late": 1, "missing": 2}, Reopenings: []client.Reopening{{TenantSlug: "acme", Until: end, CreatedAt: due, Reason: hostile}}})
	})
	f.on("POST /periods/{id}/{date}/{what}", func(w http.ResponseWriter, r *http.Request) {
		var n client.NewReopening
		if err := json.NewDecoder(r.Body).Decode(&n); err != nil || n.Tenant != "acme" || strings.TrimSpace(n.Reason) == "" && r.PathValue("what") == "reopen" {
			no(w, 422, client.Invalid, "Say why.")
			return
		}
		yes(w, client.Reopening{ID: "rop_1", TenantSlug: n.Tenant, Dataset: r.PathValue("id"), Date: "2026-02-01", Until: end})
	})
}
