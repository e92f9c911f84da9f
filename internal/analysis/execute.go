package analysis

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"time"

	"tributary/internal/analysis/definition"
	"tributary/internal/audit"
	"tributary/internal/exchange"
	"tributary/internal/fault"
	"tributary/internal/job"
	"tributary/internal/keys"
	"tributary/internal/meta"
	"tributary/internal/policy"
	"tributary/internal/query"
	"tributary/internal/tenant"
)

const (
	runKind    = "run"
	runTimeout = definition.MaxWall // the most; a definition's own limit is usually less
)

type runPayload struct {
	Run string `json:"run"`
}

// execution is a run being done.
type execution struct {
	*Analyses
	job      *job.Job
	run      Run
	analysis Analysis
	def      *definition.Definition
	inputs   []RunInput
	started  time.Time

	participants []tenant.ID // by index, in order of id
	owners       []string    // organisation of each
	scopes       []tenant.Scope
	asked        query.Spec        // its datasets and derived columns
	contracts    []ManifestDataset // that the inputs were accepted under
	dry          bool              // nothing is stored: what the log would say is in remarks
	remarks      []string
	tried        bool                          // there is no run, see Trial
	before       ledger                        // what was released for the date
	others       map[versionOf]other           // that were looked up for that
	declared     map[string]definition.Columns // of the datasets that there are
	measures     []measure                     // of the definition, without what is found of them
	counted      []bool                        // by measure of the query: it counts rows, so nobody who has a cell has less than 1
}

// do is the job of a run. While keys cannot be reached the run waits.
func (a *Analyses) do(ctx context.Context, j *job.Job) error {
	err := a.execute(ctx, j)
	if keys.Unreachable(err) {
		return job.Away("keys", err)
	}
	return err
}

func (a *Analyses) execute(ctx context.Context, j *job.Job) error {
	var p runPayload
	if err := j.Decode(&p); err != nil {
		return err
	}
	r, err := a.run(ctx, a.DB, p.Run)
	if err != nil {
		return err
	}
	if r.State.Done() {
		return nil
	}
	if err := r.genuine(a.Keys); err != nil {
		return err
	}
	v, err := a.Analysis(ctx, r.Analysis, r.Version)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, v.Definition.Limits.Wall)
	defer cancel()
	x := &execution{Analyses: a, job: j, run: r, analysis: v, def: v.Definition, started: a.Clock.Now()}
	enough, err := x.snapshot(ctx)
	if err != nil || !enough {
		return err
	}
	if done, err := x.alreadyReleased(ctx); done || err != nil {
		return err
	}
	spec, err := x.spec(ctx)
	if err != nil {
		return err
	}
	withheld, err := x.lookBack(ctx)
	if err != nil {
		return err
	}
	if withheld != "" {
		return x.release(ctx, answer{outcome: &outcome{withheld: withheld}})
	}
	if err := x.grant(ctx); err != nil {
		return err
	}
	answer, err := x.compute(ctx, spec)
	if err != nil {
		return err
	}
	return x.release(ctx, answer)
}

// snapshot fixes, once, which submissions the run reads: those accepted for its
// date, of active tenants with a standing yes that covers the version. It
// reports whether there is a quorum; without one the run ends as skipped.
func (x *execution) snapshot(ctx context.Context) (bool, error) {
	taken := x.run.Snapshot // by an attempt before this one
	enough, known := false, taken
	err := x.DB.Transact(ctx, func(tx *meta.DB) error {
		taken = known // what is set below counts once the transaction is committed
		now := x.Clock.Now()
		if _, err := tx.Exec(ctx, `UPDATE runs SET state = $1, started_at = COALESCE(started_at, $2) WHERE id = $3`,
			string(RunRunning), meta.Micros(now), x.run.ID); err != nil {
			return fmt.Errorf("start run: %w", err)
		}
		if taken != nil {
			enough = true
			return x.resume(ctx, tx)
		}
		var err error
		if x.inputs, err = x.eligible(ctx, tx); err != nil {
			return err
		}
		x.number()
		if enough = len(x.participants) >= x.def.Quorum && len(x.participants) > 0; !enough {
			return nil
		}
		taken = x.hash()
		for _, i := range x.inputs {
			if _, err := tx.Unscoped().Exec(ctx, `INSERT INTO run_inputs (run, tenant, organisation, dataset, submission, contract, object, commitment) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
				x.run.ID, string(i.Tenant), i.Organisation, i.Dataset, i.Submission, i.Contract, i.Object, i.Commitment); err != nil {
				return fmt.Errorf("fix snapshot: %w", err)
			}
			if err := x.Audit.Append(ctx, tx, audit.Entry{Tenant: i.Tenant, Actor: x.run.ID, Verb: "run.grant", Subject: i.Submission, Outcome: "ok",
				Details: map[string]any{"analysis": x.run.Analysis, "version": x.run.Version, "date": x.run.Date}}); err != nil {
				return err
			}
		}
		fixed := x.run
		fixed.Snapshot = taken
		if _, err := tx.Exec(ctx, `UPDATE runs SET snapshot = $1, participants = $2, mac = $3 WHERE id = $4`, taken, int64(len(x.participants)),
			x.Keys.MAC("run", fixed.fields()...), x.run.ID); err != nil {
			return fmt.Errorf("fix snapshot: %w", err)
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	x.run.Snapshot = taken
	x.number()
	if !enough {
		return false, x.job.Finish(ctx, func(tx *meta.DB) error {
			return x.conclude(ctx, tx, x.run, RunSkipped, fmt.Sprintf("There are %d participants; the quorum is %d.", len(x.participants), x.def.Quorum))
		})
	}
	return true, nil
}

// resume takes over the snapshot of an attempt before this one. It must be what was
// fixed, and everybody in it must still take part: an attempt may wait for a long
// time for a disk with room.
func (x *execution) resume(ctx context.Context, tx *meta.DB) error {
	var err error
	if x.inputs, err = x.Analyses.inputs(ctx, tx, x.run.ID); err != nil {
		return err
	}
	x.number()
	if !bytes.Equal(x.hash(), x.run.Snapshot) {
		return fault.New(fault.Damaged, "The stored snapshot of run %q is not the one that was taken.", x.run.ID)
	}
	byTenant, _, err := x.decisions(ctx, tx, x.run.Analysis)
	if err != nil {
		return err
	}
	tenants, err := x.takingPart(ctx, tx, x.analysis, byTenant, x.participants)
	if err != nil {
		return err
	}
	for p, id := range x.participants {
		if t, in := tenants[id]; !in || t.Organisation != x.owners[p] {
			return fault.New(fault.Conflict, "Tenant %s takes no part any more, or under another organisation. Start a new run.", id)
		}
	}
	return nil
}

// eligible lists what may be in the snapshot, in order of tenant and dataset, and
// writes into the run's log what may not and why.
func (x *execution) eligible(ctx context.Context, tx *meta.DB) ([]RunInput, error) {
	byTenant, _, err := x.decisions(ctx, tx, x.run.Analysis)
	if err != nil {
		return nil, err
	}
	if err := x.awaitVerdicts(ctx, tx, byTenant); err != nil {
		return nil, err
	}
	var accepted []exchange.Input
	for _, dataset := range x.def.Datasets {
		inputs, err := x.Exchange.UnscopedAccepted(ctx, tx, dataset, x.run.Date, x.run.Through, x.run.CreatedAt)
		if err != nil {
			return nil, err
		}
		accepted = append(accepted, inputs...)
	}
	var ids []tenant.ID
	for _, in := range accepted {
		ids = append(ids, in.Tenant)
	}
	slices.Sort(ids)
	tenants, err := x.takingPart(ctx, tx, x.analysis, byTenant, slices.Compact(ids))
	if err != nil {
		return nil, err
	}
	var list []RunInput
	others := 0
	for _, in := range accepted {
		t, takes := tenants[in.Tenant]
		if !takes {
			others++
			continue
		}
		list = append(list, RunInput{Tenant: in.Tenant, Organisation: t.Organisation, Dataset: in.Dataset, Submission: in.Submission,
			Contract: in.Version, Object: in.Object, Commitment: in.Commitment})
	}
	if list, err = x.agreeing(ctx, tx, list); err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b RunInput) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Dataset, b.Dataset))
	})
	participants := 0
	for n, i := range list {
		if n == 0 || list[n-1].Tenant != i.Tenant {
			participants++
		}
	}
	if x.run.Through != nil {
		if err := x.note(ctx, tx, x.run.ID, "info", "files count that were received by %s, and those of a tenant whose period was reopened by its end", x.run.Through.Format(time.RFC3339)); err != nil {
			return nil, err
		}
	}
	return list, x.note(ctx, tx, x.run.ID, "info", "participants that have accepted the analysis and have an accepted submission for %s: %d; submissions of tenants that take no part: %d",
		x.run.Date, participants, others)
}

// awaitVerdicts puts a run with a cut-off off for as long as files that came in time
// are being validated: who is in must not depend on how fast that went.
func (x *execution) awaitVerdicts(ctx context.Context, tx *meta.DB, decisions map[tenant.ID][]Acceptance) error {
	if x.run.Through == nil {
		return nil
	}
	var pending []tenant.ID
	for _, dataset := range x.def.Datasets {
		ids, err := x.Exchange.UnscopedPending(ctx, tx, dataset, x.run.Date, *x.run.Through, x.run.CreatedAt)
		if err != nil {
			return err
		}
		pending = append(pending, ids...)
	}
	slices.Sort(pending)
	tenants, err := x.takingPart(ctx, tx, x.analysis, decisions, slices.Compact(pending))
	if err != nil {
		return err
	}
	if len(tenants) > 0 {
		return fault.New(fault.Unavailable, "Files that came in time are still being validated; participants that this concerns: %d.", len(tenants))
	}
	return nil
}

// agreeing leaves out what was accepted under a version of its contract that has
// not the columns which the analysis uses, as the newest version that has them.
func (x *execution) agreeing(ctx context.Context, tx *meta.DB, list []RunInput) ([]RunInput, error) {
	type version struct {
		dataset string
		number  int64
	}
	used := map[version][]query.Column{} // nil: a column is missing
	newest := map[string]int64{}         // of those that have all
	for _, i := range list {
		v := version{i.Dataset, i.Contract}
		if _, known := used[v]; known {
			continue
		}
		d, err := x.Exchange.DatasetIn(ctx, tx, v.dataset, v.number)
		if err != nil {
			return nil, err
		}
		columns, err := x.columns(d)
		switch {
		case fault.Is(err, fault.Conflict):
			used[v] = nil
			continue
		case err != nil:
			return nil, err
		}
		used[v] = append([]query.Column{}, columns...) // a count of rows uses none
		newest[v.dataset] = max(newest[v.dataset], v.number)
	}
	kept := list[:0]
	for _, i := range list {
		columns := used[version{i.Dataset, i.Contract}]
		if columns != nil && slices.Equal(columns, used[version{i.Dataset, newest[i.Dataset]}]) {
			kept = append(kept, i)
			continue
		}
		if err := x.note(ctx, tx, x.run.ID, "warning", "submission %s of tenant %s is left out: it was accepted under version %d of the contract of %q, which has not the columns that the analysis uses as the others have them. Have it sent again.",
			i.Submission, i.Tenant, i.Contract, i.Dataset); err != nil {
			return nil, err
		}
	}
	return kept, nil
}

// note appends a line to the run's log.
func (x *execution) note(ctx context.Context, db *meta.DB, run, level, format string, args ...any) error {
	if x.dry {
		x.remarks = append(x.remarks, fmt.Sprintf(format, args...))
		return nil
	}
	return x.Analyses.note(ctx, db, run, level, format, args...)
}

// number gives participants their indices: the order in which values are
// combined, which is that of their ids.
func (x *execution) number() {
	x.participants, x.owners = nil, nil
	for _, i := range x.inputs {
		if n := len(x.participants); n == 0 || x.participants[n-1] != i.Tenant {
			x.participants = append(x.participants, i.Tenant)
			x.owners = append(x.owners, i.Organisation)
		}
	}
}

// hash names the snapshot: the same definition over the same inputs for the same
// date has the same hash, and then one release.
func (x *execution) hash() []byte {
	h := sha256.New()
	put := func(b []byte) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		h.Write(n[:])
		h.Write(b)
	}
	put([]byte("tributary snapshot 1"))
	put([]byte(x.analysis.Name))
	put(x.analysis.Hash)
	put([]byte(x.run.Date))
	for _, i := range x.inputs {
		put([]byte(i.Tenant))
		put([]byte(i.Organisation))
		put([]byte(i.Dataset))
		put([]byte(i.Submission))
		put(strconv.AppendInt(nil, i.Contract, 10))
		put([]byte(i.Object))
		put(i.Commitment)
	}
	return h.Sum(nil)
}

// grant mints the scope of each participant from its standing yes: read what the
// snapshot names, write results.
func (x *execution) grant(context.Context) error {
	x.scopes = make([]tenant.Scope, len(x.participants))
	for n, id := range x.participants {
		permissions := []tenant.Permission{{Verb: tenant.Write, Resource: tenant.VaultOutput}}
		for _, i := range x.inputs {
			if i.Tenant == id {
				permissions = append(permissions, tenant.Permission{Verb: tenant.Read, Resource: tenant.VaultInput.One(i.Object)})
			}
		}
		var err error
		x.scopes[n], err = x.Policy.WorkScope(policy.Work{Template: policy.RunGrant, Tenant: id, Actor: x.run.ID, Permissions: permissions, For: runTimeout})
		if err != nil {
			return fmt.Errorf("grant of %s: %w", id, err)
		}
	}
	return nil
}
