package analysis

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"tributary/internal/audit"
	"tributary/internal/disclosure"
	"tributary/internal/exchange"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/query"
	"tributary/internal/tenant"
)

// Manifest is what a release says about itself. It names inputs by commitments,
// which only their owners can open, and no values.
type Manifest struct {
	Statement    string            `json:"statement"` // always "tributary run manifest v1"
	Run          string            `json:"run"`
	Release      string            `json:"release"`
	Analysis     string            `json:"analysis"`
	Version      int64             `json:"version"`
	Definition   string            `json:"definition_sha256"`
	Date         string            `json:"date"`
	Through      *time.Time        `json:"through,omitempty"` // the cut-off that it was made for
	Snapshot     string            `json:"snapshot_sha256"`
	Inputs       []ManifestInput   `json:"inputs"`
	Participants int               `json:"participants"`
	Owners       int               `json:"organisations"`
	Verified     int64             `json:"organisations_verified"` // by the provider, with evidence
	Datasets     []ManifestDataset `json:"datasets"`
	Software     string            `json:"software"`
	Sandbox      string            `json:"sandbox"`
	StartedBy    string            `json:"started_by"`
	StartedAt    time.Time         `json:"started_at"`
	ReleasedAt   time.Time         `json:"released_at"`
	Cells        int               `json:"cells"`
	Released     int64             `json:"values_released"`
	Suppressed   map[string]int64  `json:"values_suppressed"`       // by reason
	Utility      []Utility         `json:"utility,omitempty"`       // by measure; the first releases have none
	Attack       *Attack           `json:"attack,omitempty"`        // releases made before there was one have none
	Hidden       string            `json:"hidden_sha256,omitempty"` // of the ledger of what was hidden
	Before       []string          `json:"judged_beside,omitempty"` // runs whose releases of the date it was judged beside
	Marked       bool              `json:"marked"`                  // made under a minimum below 3
	Results      []ManifestResult  `json:"results"`
}

// ManifestInput is a submission that was read.
type ManifestInput struct {
	Tenant     tenant.ID `json:"tenant"`
	Dataset    string    `json:"dataset"`
	Submission string    `json:"submission"`
	Commitment string    `json:"commitment"`
}

// ManifestDataset is a contract that the inputs were accepted under.
type ManifestDataset struct {
	Dataset string `json:"dataset"`
	Version int64  `json:"version"`
	SHA256  string `json:"sha256"`
}

// ManifestResult is what went to one recipient.
type ManifestResult struct {
	Tenant     tenant.ID `json:"tenant"`
	Rows       int64     `json:"rows"`
	Suppressed int64     `json:"suppressed"`
	Commitment string    `json:"commitment"` // to the bytes of the CSV followed by those of the Parquet file
}

// release seals to each recipient what it may have, and records all of it in one
// transaction: the release, its results and the run's end exist together or not
// at all.
func (x *execution) release(ctx context.Context, a answer) error {
	o := a.outcome
	if o.withheld != "" {
		return x.job.Finish(ctx, func(tx *meta.DB) error {
			return x.conclude(ctx, tx, x.run, RunWithheld, o.withheld)
		})
	}
	if o.released == 0 {
		return x.job.Finish(ctx, func(tx *meta.DB) error {
			return x.conclude(ctx, tx, x.run, RunWithheld, "The disclosure rules released no cell to anybody: "+words(o.reasons)+".")
		})
	}
	release := x.Clock.ID("rel")
	results, err := x.deliverAll(ctx, o, release)
	if err != nil {
		return err
	}
	m, err := x.manifest(ctx, o, release, results)
	if err != nil {
		return err
	}
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode manifest: %w", err)
	}
	err = x.job.Finish(ctx, func(tx *meta.DB) error {
		if err := x.alone(ctx, tx); err != nil {
			return err
		}
		return x.commit(ctx, tx, o, m, results, body, a.totals)
	})
	if fault.Is(err, fault.Unavailable) {
		x.discard(ctx, results)
	}
	if meta.IsUnique(err) { // another run has released the same snapshot meanwhile
		x.discard(ctx, results)
		if done, err := x.alreadyReleased(ctx); done || err != nil {
			return err
		}
	}
	return err
}

// alreadyReleased ends the run with the recorded release of its snapshot, if
// there is one: repeating a run gives nobody anything new. That holds of one which
// was recalled too.
func (x *execution) alreadyReleased(ctx context.Context) (bool, error) {
	var release, by, reason string
	var recalled sql.NullInt64
	rows, err := x.DB.Query(ctx, `SELECT id, run, recalled_at, recall_reason FROM releases WHERE snapshot = $1`, x.run.Snapshot)
	if err != nil {
		return false, fmt.Errorf("look for release: %w", err)
	}
	if !rows.Next() {
		return false, nil
	}
	if err := rows.Scan(&release, &by, &recalled, &reason); err != nil {
		return false, fmt.Errorf("look for release: %w", err)
	}
	return true, x.job.Finish(ctx, func(tx *meta.DB) error {
		if _, err := tx.Exec(ctx, `UPDATE runs SET release_id = $1 WHERE id = $2`, release, x.run.ID); err != nil {
			return fmt.Errorf("point to release: %w", err)
		}
		said := fmt.Sprintf("The same inputs were released before, by run %s; its release stands.", by)
		if recalled.Valid {
			said = fmt.Sprintf("The same inputs were released before, by run %s, and that release was recalled, so its results are not handed out. The reason: %s", by, reason)
		}
		return x.conclude(ctx, tx, x.run, RunSucceeded, said)
	})
}

func words(reasons map[string]int64) string {
	text := ""
	for _, v := range disclosure.Verdicts() {
		if n := reasons[v.String()]; n > 0 {
			if text != "" {
				text += ", "
			}
			text += fmt.Sprintf("%s %d", v, n)
		}
	}
	return text
}

func (x *execution) manifest(ctx context.Context, o *outcome, release string, results []exchange.NewResult) (Manifest, error) {
	owners := slices.Compact(slices.Sorted(slices.Values(x.owners)))
	verified, err := x.Control.UnscopedVerified(ctx, owners)
	if err != nil {
		return Manifest{}, err
	}
	m := Manifest{
		Statement: "tributary run manifest v1", Run: x.run.ID, Release: release, Analysis: x.run.Analysis, Version: x.run.Version,
		Definition: hex.EncodeToString(x.analysis.Hash), Date: x.run.Date, Through: x.run.Through, Snapshot: hex.EncodeToString(x.run.Snapshot),
		Participants: len(x.participants), Owners: len(owners), Verified: verified, Software: "tributary " + x.Version, Sandbox: string(x.Sandbox.Level()),
		StartedBy: x.run.StartedBy, StartedAt: x.started, ReleasedAt: x.Clock.Now(), Cells: o.cells, Released: o.released,
		Suppressed: o.reasons, Utility: o.utility, Attack: &o.attack, Hidden: digestOf(o.hidden), Before: x.before.names(), Marked: x.def.MarksResults(), Datasets: x.contracts,
	}
	for _, i := range x.inputs {
		m.Inputs = append(m.Inputs, ManifestInput{Tenant: i.Tenant, Dataset: i.Dataset, Submission: i.Submission, Commitment: hex.EncodeToString(i.Commitment)})
	}
	for p, r := range results {
		m.Results = append(m.Results, ManifestResult{Tenant: x.participants[p], Rows: r.Rows, Suppressed: r.Suppressed,
			Commitment: hex.EncodeToString(r.Object.Commitment)})
	}
	return m, nil
}

func (x *execution) commit(ctx context.Context, tx *meta.DB, o *outcome, m Manifest, results []exchange.NewResult, manifest []byte, totals query.Totals) error {
	now := x.Clock.Now()
	if _, err := tx.Exec(ctx, `
		INSERT INTO releases (id, run, analysis, version, date, organisations, verified, snapshot, manifest, signature, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		m.Release, x.run.ID, x.run.Analysis, x.run.Version, x.run.Date, int64(m.Owners), m.Verified, x.run.Snapshot, manifest, x.Keys.Sign(manifest), meta.Micros(now)); err != nil {
		return fmt.Errorf("record release: %w", err)
	}
	if err := x.record(ctx, tx, m.Release, o.hidden); err != nil {
		return err
	}
	for p, n := range results {
		r, err := x.Exchange.AddResult(ctx, tx, x.scopes[p], n)
		if err != nil {
			return err
		}
		if err := x.Audit.Append(ctx, tx, audit.Entry{Tenant: r.Tenant, Actor: x.run.ID, Verb: "result.deliver", Subject: r.ID, Outcome: "ok",
			Details: map[string]any{"analysis": x.run.Analysis, "date": x.run.Date, "rows": r.Rows, "suppressed": r.Suppressed}}); err != nil {
			return err
		}
	}
	var rows int64
	for _, n := range totals.Scanned {
		rows += n
	}
	reason := fmt.Sprintf("%d values went to %d recipients.", o.released, len(results))
	if hidden := words(o.reasons); hidden != "" {
		reason += " Values hidden, by rule: " + hidden + "."
	}
	if err := x.note(ctx, tx, x.run.ID, "info", "submissions read: %d, rows: %d, sandbox: %s", len(x.inputs), rows, x.Sandbox.Level()); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `UPDATE runs SET release_id = $1 WHERE id = $2`, m.Release, x.run.ID); err != nil {
		return fmt.Errorf("point to release: %w", err)
	}
	return x.conclude(ctx, tx, x.run, RunSucceeded, reason)
}
