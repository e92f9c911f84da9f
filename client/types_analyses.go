package client

import "time"

// Analysis is a version of a definition.
type Analysis struct {
	ID            string    `json:"id"`
	Version       int64     `json:"version"`
	Title         string    `json:"title,omitempty"`
	Description   string    `json:"description,omitempty"`
	Words         []string  `json:"words" doc:"The definition in plain words: what is used, who gets what, which rules"`
	Datasets      []string  `json:"datasets"`
	Hash          string    `json:"hash"`
	Source        string    `json:"source,omitempty" doc:"The YAML as applied; for the provider's people, since it has the parameters of the rules"`
	Changed       *bool     `json:"changed,omitempty"`
	Decision      string    `json:"decision,omitempty" doc:"For a tenant: accepted, declined, or open" enum:"accepted,declined,open"`
	DecidedFor    int64     `json:"decided_for,omitempty" doc:"The version that the decision was made for, and still covers this one"`
	Widened       []string  `json:"widened,omitempty" doc:"What this version widens beyond the one accepted"`
	Organisations *Counted  `json:"organisations,omitempty" doc:"How many organisations have accepted, and how many of them are verified"`
	CreatedAt     time.Time `json:"created_at"`
	CreatedBy     string    `json:"created_by"`
}

// Counted counts organisations.
type Counted struct {
	Accepted int64 `json:"accepted"`
	Verified int64 `json:"verified"`
}

// Decision names the version that a tenant accepts or declines; 0 means the
// current one.
type Decision struct {
	Version int64 `json:"version,omitempty" minimum:"0"`
}

// Acceptance is a tenant's decision about a version of an analysis.
type Acceptance struct {
	Tenant     string    `json:"tenant"`
	TenantSlug string    `json:"tenant_slug"`
	Analysis   string    `json:"analysis"`
	Version    int64     `json:"version"`
	Decision   string    `json:"decision"`
	Covers     bool      `json:"covers" doc:"Whether it is a yes that covers the current version"`
	DecidedAt  time.Time `json:"decided_at"`
	DecidedBy  string    `json:"decided_by"`
}

// NewRuns asks for a run of each analysis named.
type NewRuns struct {
	Analyses []string `json:"analyses" minItems:"1" maxItems:"100"`
	Date     string   `json:"date" format:"date"`
}

// RunPlan is what a run that began now would take part with.
type RunPlan struct {
	Analysis      string        `json:"analysis"`
	Version       int64         `json:"version"`
	Date          string        `json:"date"`
	Outcome       string        `json:"outcome" doc:"What the run would come to, in words, as far as files decide it"`
	Quorum        int64         `json:"quorum"`
	QuorumHolds   bool          `json:"quorum_holds"`
	Organisations int64         `json:"organisations" doc:"Of the participants"`
	Participants  []PlannedPart `json:"participants"`
	Missing       []PlannedLack `json:"missing" doc:"Who has accepted the analysis and would not take part, or not with every dataset"`
	Declined      int64         `json:"declined" doc:"Tenants that have declined"`
	Release       string        `json:"release,omitempty" doc:"The run whose release of the same files stands"`
	Notes         []string      `json:"notes" doc:"What the run's log would say of whom it leaves out"`
	Rows          int64         `json:"rows" doc:"Of the files that would be read"`
	Bytes         int64         `json:"bytes" doc:"Of their accepted forms"`
}

// PlannedPart is a participant of a RunPlan.
type PlannedPart struct {
	Tenant     string   `json:"tenant"`
	TenantSlug string   `json:"tenant_slug"`
	Datasets   []string `json:"datasets"`
}

// PlannedLack is what a RunPlan is without.
type PlannedLack struct {
	Tenant     string `json:"tenant"`
	TenantSlug string `json:"tenant_slug"`
	Dataset    string `json:"dataset,omitempty" doc:"Absent: nothing of the tenant's takes part"`
	Reason     string `json:"reason"`
}

// Run is one execution of an analysis over a snapshot.
type Run struct {
	ID           string     `json:"id"`
	Analysis     string     `json:"analysis"`
	Version      int64      `json:"version"`
	Date         string     `json:"date"`
	Through      *time.Time `json:"through,omitempty" doc:"The cut-off: only files received by then count, and for a tenant whose period was reopened those until its end. Absent: all that is accepted"`
	State        string     `json:"state" enum:"queued,running,succeeded,withheld,skipped,failed,cancelled"`
	Reason       string     `json:"reason,omitempty"`
	Stage        string     `json:"stage,omitempty" doc:"What it is doing"`
	Done         int64      `json:"done,omitempty"`
	Total        int64      `json:"total,omitempty"`
	Participants int64      `json:"participants"`
	Release      string     `json:"release,omitempty"`
	RecalledAt   *time.Time `json:"recalled_at,omitempty" doc:"Since when the release's results are not handed out"`
	RecallReason string     `json:"recall_reason,omitempty"`
	Results      int64      `json:"results,omitempty" doc:"In a single run: that its release has"`
	Recalled     int64      `json:"recalled,omitempty" doc:"In a single run: of them, those that were recalled"`
	StartedBy    string     `json:"started_by"`
	CreatedAt    time.Time  `json:"created_at"`
	StartedAt    *time.Time `json:"started_at,omitempty"`
	FinishedAt   *time.Time `json:"finished_at,omitempty"`
	Inputs       []RunInput `json:"inputs,omitempty" doc:"In a single run: its snapshot"`
}

// RunInput is a submission in a run's snapshot.
type RunInput struct {
	Tenant     string `json:"tenant"`
	TenantSlug string `json:"tenant_slug,omitempty"`
	Dataset    string `json:"dataset"`
	Submission string `json:"submission"`
	Commitment string `json:"commitment"`
}

// LogLine is a line of a run's log.
type LogLine struct {
	Seq     int64     `json:"seq"`
	At      time.Time `json:"at"`
	Level   string    `json:"level"`
	Message string    `json:"message"`
}

// Result is a sealed file that a run made for one recipient.
type Result struct {
	ID         string `json:"id"`
	Tenant     string `json:"tenant"`
	TenantSlug string `json:"tenant_slug,omitempty"`
	Analysis   string `json:"analysis"`
	Version    int64  `json:"version" doc:"Of the analysis's definition"`
	Date       string `json:"date"`
	Run        string `json:"run"`
	Release    string `json:"release"`
	Name       string `json:"name"`
	Rows       int64  `json:"rows"`
	Suppressed int64  `json:"suppressed" doc:"How many cells of this recipient were hidden"`
	Marked     bool   `json:"marked" doc:"Made with fewer than three organisations required: participants may compute each other's values"`
	Mark       string `json:"mark,omitempty" doc:"The marking in words"`

	Organisations         int64 `json:"organisations" doc:"That took part in the run"`
	OrganisationsVerified int64 `json:"organisations_verified" doc:"Of them, those verified by the provider, with evidence"`

	State        string     `json:"state" enum:"available,recalled,deleted"`
	RecalledAt   *time.Time `json:"recalled_at,omitempty" doc:"Since when it is not handed out any more"`
	RecallReason string     `json:"recall_reason,omitempty"`
	DeletesAt    *time.Time `json:"deletes_at,omitempty" doc:"When its bytes are deleted"`
	DeletedAt    *time.Time `json:"deleted_at,omitempty" doc:"When its bytes were deleted"`
	Held         bool       `json:"held,omitempty" doc:"A legal hold keeps its bytes longer"`
	CreatedAt    time.Time  `json:"created_at"`
	DownloadedAt *time.Time `json:"downloaded_at,omitempty" doc:"When it was first opened, in whatever form"`

	Inputs []RunInput `json:"inputs,omitempty" doc:"In a single result, to its own tenant: its own submissions that went into the run"`
}

// ResultRows is a page of a result's rows.
type ResultRows struct {
	Columns []ResultColumn `json:"columns"`
	Rows    [][]*string    `json:"rows" doc:"As written in the CSV; null: no value, which in the column of a measure is a hidden one"`
	Next    string         `json:"next,omitempty" doc:"Cursor of the next page; absent on the last"`
}

// ResultColumn is a column of a result and what it means.
type ResultColumn struct {
	Name     string `json:"name"`
	Role     string `json:"role" enum:"date,group,total,measure,id,own" doc:"total: of a total, the groups that it is over; own: the recipient's own value of a measure; id: the recipient's external id"`
	Measure  string `json:"measure,omitempty" doc:"Of measure and own: the measure's name"`
	Function string `json:"function,omitempty" enum:"count,sum,mean,ratio,weighted_mean,variance,quantile" doc:"Of these: how the cell's value comes from the participants' values"`
	Words    string `json:"words,omitempty" doc:"Of measure: the same in words"`
}
