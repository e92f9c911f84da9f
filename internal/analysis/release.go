package analysis

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"tributary/internal/analysis/definition"
	"tributary/internal/analysis/render"
	"tributary/internal/audit"
	"tributary/internal/disclosure"
	"tributary/internal/exchange"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/query"
	"tributary/internal/tenant"
)

// table gathers the engine's answer by cell: for each cell and measure the
// contributions in order of participant.
type table struct {
	spec  query.Spec
	limit int64 // cells
	keys  [][]query.Value
	cells [][]disclosure.Cell // by measure, then by cell
}

func newTable(spec query.Spec, limit int64) *table {
	return &table{spec: spec, limit: limit, cells: make([][]disclosure.Cell, len(spec.Measures))}
}

// add takes the next row; rows come sorted by key, then participant.
func (t *table) add(r query.Row) error {
	if n := len(t.keys); n == 0 || query.CompareKeys(t.keys[n-1], r.Key) != 0 {
		if int64(n) >= t.limit {
			return fault.New(fault.TooLarge, "The result has more than the %d cells of the analysis's limit. Group by fewer columns, filter, or raise limits.cells.", t.limit)
		}
		t.keys = append(t.keys, r.Key)
		for m := range t.cells {
			t.cells[m] = append(t.cells[m], make(disclosure.Cell, 0, min(t.spec.Participants, 8)))
		}
	}
	last := len(t.keys) - 1
	for m, v := range r.Values {
		if v.Present {
			t.cells[m][last] = append(t.cells[m][last], disclosure.Contribution{Participant: int32(r.Participant), Value: v.Fixed})
		}
	}
	return nil
}

// outcome is what the gate decided.
type outcome struct {
	measures   []definition.Measure // those that were asked for, in the order of the table
	judgements []*disclosure.Judgement
	rows       [][]render.Row // by participant
	suppressed []int64        // by participant: cells and measures it contributed to and does not get
	reasons    map[string]int64
	released   int64 // pairs of cell and recipient
	spare      []render.Value
}

// judge puts every measure of every cell before the gate, for each recipient.
func (x *execution) judge(t *table) (*outcome, error) {
	o := &outcome{rows: make([][]render.Row, len(x.participants)), suppressed: make([]int64, len(x.participants)), reasons: map[string]int64{}}
	organisation := x.organisationIndex()
	rules := disclosure.Rules{MinContributors: x.def.Rules.MinContributors, PPercent: x.def.Rules.PPercent,
		Dominance: disclosure.Dominance{N: x.def.Rules.Dominance.N, K: x.def.Rules.Dominance.K}}
	for m, qm := range t.spec.Measures {
		for _, cell := range t.cells[m] {
			for i := range cell {
				cell[i].Organisation = organisation[cell[i].Participant]
			}
		}
		var floor int64
		var err error
		if x.counted[m] {
			if floor, err = disclosure.Mean(1, 1, 0, qm.Scale); err != nil { // one row, at the measure's scale
				return nil, fmt.Errorf("judge %s: %w", qm.Name, err)
			}
		}
		j, err := disclosure.Judge(rules, floor, t.cells[m])
		if err != nil {
			return nil, fmt.Errorf("judge %s: %w", qm.Name, err)
		}
		o.judgements = append(o.judgements, j)
		for _, def := range x.def.Measures {
			if def.Name == qm.Name {
				o.measures = append(o.measures, def)
			}
		}
		for _, v := range disclosure.Verdicts() {
			if n := j.Count(v); n > 0 && !v.Released() {
				o.reasons[v.String()] += n
			}
		}
	}
	rows := make([]render.Row, len(x.participants))
	for cell, key := range t.keys {
		clear(rows)
		if err := x.cellRows(t, o, cell, renderKey(key), rows); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// organisationIndex numbers the participants' organisations.
func (x *execution) organisationIndex() []int32 {
	numbers := map[string]int32{}
	index := make([]int32, len(x.owners))
	for p, owner := range x.owners {
		n, ok := numbers[owner]
		if !ok {
			n = int32(len(numbers))
			numbers[owner] = n
		}
		index[p] = n
	}
	return index
}

// cellRows adds a cell's row to the table of each recipient that may have it.
// rows has an empty one for each participant.
func (x *execution) cellRows(t *table, o *outcome, cell int, key []render.Value, rows []render.Row) error {
	for m := range o.judgements {
		out := o.judgements[m].Cells[cell]
		scale, decimals := t.spec.Measures[m].Scale, o.measures[m].Decimals
		divisor := int64(1)
		if o.measures[m].Function == definition.Mean {
			divisor = int64(out.Participants)
		}
		value, err := disclosure.Mean(out.Sum, max(divisor, 1), scale, decimals)
		for i, c := range t.cells[m][cell] {
			r := &rows[c.Participant]
			if r.Values == nil {
				r.Key, r.Values = key, o.nulls(len(o.judgements))
				if x.def.OwnValue {
					r.Own = o.nulls(len(o.judgements))
				}
			}
			if !out.Verdicts[i].Released() {
				o.suppressed[c.Participant]++
				continue
			}
			o.released++
			own, ownErr := disclosure.Mean(c.Value, 1, scale, decimals)
			if errors.Is(err, disclosure.ErrOverflow) || errors.Is(ownErr, disclosure.ErrOverflow) {
				// A value that cannot be written hides its cell; it must not stop the run for all.
				o.released--
				o.suppressed[c.Participant]++
				o.reasons[disclosure.Overflow.String()]++
				continue
			}
			if err := errors.Join(err, ownErr); err != nil {
				return fmt.Errorf("measure %s: %w", o.measures[m].Name, err)
			}
			r.Values[m] = render.Value{Int: value}
			if x.def.OwnValue {
				r.Own[m] = render.Value{Int: own}
			}
		}
	}
	for p, r := range rows {
		if slices.ContainsFunc(r.Values, func(v render.Value) bool { return !v.Null }) {
			o.rows[p] = append(o.rows[p], r)
		}
	}
	return nil
}

// nulls returns n nulls. There are many short lists of them, so they are cut from
// long ones.
func (o *outcome) nulls(n int) []render.Value {
	if len(o.spare) < n {
		o.spare = slices.Repeat([]render.Value{{Null: true}}, 1024*n)
	}
	list := o.spare[:n:n]
	o.spare = o.spare[n:]
	return list
}

func renderKey(key []query.Value) []render.Value {
	list := make([]render.Value, len(key))
	for i, v := range key {
		list[i] = render.Value{Null: v.Null, Text: v.Text, Int: v.Int}
	}
	return list
}

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
	Suppressed   map[string]int64  `json:"values_suppressed"` // by reason
	Marked       bool              `json:"marked"`            // made under a minimum below 3
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
	m, err := x.manifest(ctx, o, a.cells, release, results)
	if err != nil {
		return err
	}
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode manifest: %w", err)
	}
	withheld := ""
	err = x.job.Finish(ctx, func(tx *meta.DB) (err error) {
		if withheld, err = x.near(ctx, tx); err != nil {
			return err
		}
		if withheld != "" {
			return x.conclude(ctx, tx, x.run, RunWithheld, withheld)
		}
		return x.commit(ctx, tx, o, m, results, body, a.totals)
	})
	if err == nil && withheld != "" {
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

func (x *execution) manifest(ctx context.Context, o *outcome, cells int, release string, results []exchange.NewResult) (Manifest, error) {
	owners := slices.Compact(slices.Sorted(slices.Values(x.owners)))
	verified, err := x.Control.UnscopedVerified(ctx, owners)
	if err != nil {
		return Manifest{}, err
	}
	m := Manifest{
		Statement: "tributary run manifest v1", Run: x.run.ID, Release: release, Analysis: x.run.Analysis, Version: x.run.Version,
		Definition: hex.EncodeToString(x.analysis.Hash), Date: x.run.Date, Through: x.run.Through, Snapshot: hex.EncodeToString(x.run.Snapshot),
		Participants: len(x.participants), Owners: len(owners), Verified: verified, Software: "tributary " + x.Version, Sandbox: string(x.Sandbox.Level()),
		StartedBy: x.run.StartedBy, StartedAt: x.started, ReleasedAt: x.Clock.Now(), Cells: cells, Released: o.released,
		Suppressed: o.reasons, Marked: x.def.MarksResults(), Datasets: x.contracts,
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
