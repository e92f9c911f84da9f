package client

import "time"

// Period is how a tenant stands in a period of a dataset.
type Period struct {
	Dataset       string     `json:"dataset"`
	Date          string     `json:"date" doc:"The period's first day, which is its name"`
	End           string     `json:"end" doc:"Its last day"`
	Label         string     `json:"label" doc:"Such as 2024-02 or 2024-W09"`
	Tenant        string     `json:"tenant"`
	TenantSlug    string     `json:"tenant_slug"`
	State         string     `json:"state" enum:"due,received,validating,rejected,accepted,late,overdue,missing" doc:"due: not there yet. overdue: nor when it was due. missing: nor at the cut-off. late: accepted, and came after it was due"`
	DueAt         *time.Time `json:"due_at,omitempty"`
	CutOffAt      *time.Time `json:"cut_off_at,omitempty" doc:"Until when files count in scheduled runs"`
	ReopenedUntil *time.Time `json:"reopened_until,omitempty" doc:"Until when this tenant's count, if that is later"`
	Submission    string     `json:"submission,omitempty" doc:"The one that stands, is being validated, or was rejected"`
	ReceivedAt    *time.Time `json:"received_at,omitempty"`
}

// PeriodSummary is a period of a dataset.
type PeriodSummary struct {
	Dataset    string           `json:"dataset"`
	Date       string           `json:"date" doc:"The period's first day, which is its name"`
	End        string           `json:"end" doc:"Its last day"`
	Label      string           `json:"label"`
	DueAt      *time.Time       `json:"due_at,omitempty"`
	CutOffAt   *time.Time       `json:"cut_off_at,omitempty"`
	Tenants    map[string]int64 `json:"tenants" doc:"How many are in which state; a tenant counts itself alone"`
	Reopenings []Reopening      `json:"reopenings" doc:"By their ends; to a tenant its own"`
}

// Reopening lets one tenant's files for a period count until a time after the
// cut-off.
type Reopening struct {
	ID         string     `json:"id"`
	Tenant     string     `json:"tenant"`
	TenantSlug string     `json:"tenant_slug,omitempty"`
	Dataset    string     `json:"dataset"`
	Date       string     `json:"date"`
	Reason     string     `json:"reason,omitempty"`
	Until      time.Time  `json:"until"`
	CreatedAt  time.Time  `json:"created_at"`
	CreatedBy  string     `json:"created_by"`
	ClosedAt   *time.Time `json:"closed_at,omitempty" doc:"If it was closed early"`
	ClosedBy   string     `json:"closed_by,omitempty"`
}

// NewReopening reopens a period for a tenant.
type NewReopening struct {
	Tenant string    `json:"tenant" doc:"Id or slug"`
	Reason string    `json:"reason" doc:"Which the tenant reads too"`
	Until  time.Time `json:"until"`
}

// EndReopening ends a tenant's reopening.
type EndReopening struct {
	Tenant string `json:"tenant" doc:"Id or slug"`
}
