package analysis

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"tributary/internal/analysis/definition"
	"tributary/internal/audit"
	"tributary/internal/control"
	"tributary/internal/exchange"
	"tributary/internal/fault"
	"tributary/internal/job"
	"tributary/internal/meta"
	"tributary/internal/policy"
	"tributary/internal/query"
	"tributary/internal/sandbox"
	"tributary/internal/tenant"
)

const (
	runKind    = "run"
	runTimeout = 2 * time.Hour // the most; a definition's own limit is usually less
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
	columnsOf    map[string][]query.Column // of each dataset, those that are used
	contracts    []ManifestDataset         // that the inputs were accepted under
}

// do is the job of a run.
func (a *Analyses) do(ctx context.Context, j *job.Job) error {
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
	if err := x.grant(ctx); err != nil {
		return err
	}
	table, totals, err := x.compute(ctx)
	if err != nil {
		return err
	}
	return x.release(ctx, table, totals)
}

// snapshot fixes, once, which submissions the run reads: those accepted for its
// date, of active tenants with a standing yes that covers the version. It
// reports whether there is a quorum; without one the run ends as skipped.
func (x *execution) snapshot(ctx context.Context) (bool, error) {
	enough := false
	err := x.DB.Transact(ctx, func(tx *meta.DB) error {
		now := x.Clock.Now()
		if _, err := tx.Exec(ctx, `UPDATE runs SET state = $1, started_at = COALESCE(started_at, $2) WHERE id = $3`,
			string(RunRunning), meta.Micros(now), x.run.ID); err != nil {
			return fmt.Errorf("start run: %w", err)
		}
		if x.run.Snapshot != nil { // an attempt before this one took it
			var err error
			x.inputs, err = x.Analyses.inputs(ctx, tx, x.run.ID)
			enough = true
			return err
		}
		inputs, waiting, err := x.eligible(ctx, tx)
		if err != nil {
			return err
		}
		x.inputs = inputs
		x.number()
		if err := x.note(ctx, tx, x.run.ID, "info", "%d participants have accepted the analysis and an accepted submission for %s; %d submissions are of tenants that take no part",
			len(x.participants), x.run.Date, waiting); err != nil {
			return err
		}
		if enough = len(x.participants) >= x.def.Quorum && len(x.participants) > 0; !enough {
			return nil
		}
		hash := x.hash()
		for _, i := range x.inputs {
			if _, err := tx.Unscoped().Exec(ctx, `INSERT INTO run_inputs (run, tenant, organisation, dataset, submission, object, commitment) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
				x.run.ID, string(i.Tenant), i.Organisation, i.Dataset, i.Submission, i.Object, i.Commitment); err != nil {
				return fmt.Errorf("fix snapshot: %w", err)
			}
			if err := x.Audit.Append(ctx, tx, audit.Entry{Tenant: i.Tenant, Actor: x.run.ID, Verb: "run.grant", Subject: i.Submission, Outcome: "ok",
				Details: map[string]any{"analysis": x.run.Analysis, "version": x.run.Version, "date": x.run.Date}}); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, `UPDATE runs SET snapshot = $1, participants = $2 WHERE id = $3`, hash, int64(len(x.participants)), x.run.ID); err != nil {
			return fmt.Errorf("fix snapshot: %w", err)
		}
		x.run.Snapshot = hash
		return nil
	})
	if err != nil {
		return false, err
	}
	x.number()
	if !enough {
		return false, x.job.Finish(ctx, func(tx *meta.DB) error {
			return x.conclude(ctx, tx, x.run, RunSkipped, fmt.Sprintf("%d participants are fewer than the quorum of %d.", len(x.participants), x.def.Quorum))
		})
	}
	return true, nil
}

// eligible lists what may be in the snapshot, in order of tenant and dataset,
// and how many accepted submissions may not.
func (x *execution) eligible(ctx context.Context, tx *meta.DB) (list []RunInput, others int, err error) {
	byTenant, _, err := x.decisions(ctx, tx, x.run.Analysis)
	if err != nil {
		return nil, 0, err
	}
	admitted := map[tenant.ID]bool{}
	owner := map[tenant.ID]string{}
	for _, dataset := range x.def.Datasets {
		accepted, err := x.Exchange.UnscopedAccepted(ctx, tx, dataset, x.run.Date)
		if err != nil {
			return nil, 0, err
		}
		for _, in := range accepted {
			yes, known := admitted[in.Tenant]
			if !known {
				s, err := x.standing(ctx, tx, x.analysis, byTenant[in.Tenant])
				if err != nil {
					return nil, 0, err
				}
				t, err := x.Control.UnscopedTenantIn(ctx, tx, in.Tenant)
				if err != nil {
					return nil, 0, err
				}
				yes = s.Covers() && t.State == control.Active
				admitted[in.Tenant], owner[in.Tenant] = yes, t.Organisation
			}
			if !yes {
				others++
				continue
			}
			list = append(list, RunInput{Tenant: in.Tenant, Organisation: owner[in.Tenant], Dataset: in.Dataset, Submission: in.Submission, Object: in.Object, Commitment: in.Commitment})
		}
	}
	slices.SortFunc(list, func(a, b RunInput) int {
		if a.Tenant != b.Tenant {
			return compare(string(a.Tenant), string(b.Tenant))
		}
		return compare(a.Dataset, b.Dataset)
	})
	return list, others, nil
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
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
		put(i.Commitment)
	}
	return h.Sum(nil)
}

// alreadyReleased ends the run with the recorded release of its snapshot, if
// there is one: repeating a run gives nobody anything new.
func (x *execution) alreadyReleased(ctx context.Context) (bool, error) {
	var release, by string
	rows, err := x.DB.Query(ctx, `SELECT id, run FROM releases WHERE snapshot = $1`, x.run.Snapshot)
	if err != nil {
		return false, fmt.Errorf("look for release: %w", err)
	}
	if !rows.Next() {
		return false, nil
	}
	if err := rows.Scan(&release, &by); err != nil {
		return false, fmt.Errorf("look for release: %w", err)
	}
	return true, x.job.Finish(ctx, func(tx *meta.DB) error {
		if _, err := tx.Exec(ctx, `UPDATE runs SET release_id = $1 WHERE id = $2`, release, x.run.ID); err != nil {
			return fmt.Errorf("point to release: %w", err)
		}
		return x.conclude(ctx, tx, x.run, RunSucceeded, fmt.Sprintf("The same inputs were released before, by run %s; its release stands.", by))
	})
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

// spec turns the definition into the engine's question. Inputs accepted under
// different versions of a contract must agree in the columns that it uses.
func (x *execution) spec(ctx context.Context) (query.Spec, error) {
	s := query.Spec{
		Participants: len(x.participants), Groups: x.def.Groups, Datasets: map[string][]query.Column{},
		Limits: query.Limits{Memory: x.def.Limits.Memory, Rows: int(min(x.def.Limits.Cells*int64(len(x.participants)), query.MaxRows))},
	}
	columns := map[string]definition.Columns{}
	for n, i := range x.inputs {
		sub, err := x.Exchange.UnscopedSubmission(ctx, i.Submission)
		if err != nil {
			return s, err
		}
		d, err := x.Exchange.Dataset(ctx, i.Dataset, sub.DatasetVersion)
		if err != nil {
			return s, err
		}
		used, err := x.columns(d)
		if err != nil {
			return s, err
		}
		if known, ok := s.Datasets[i.Dataset]; ok && !slices.Equal(known, used) {
			return s, fault.New(fault.Conflict, "Submissions for dataset %q were accepted under versions of its contract that differ in the columns this analysis uses. Have the older ones sent again.", i.Dataset)
		}
		s.Datasets[i.Dataset], columns[i.Dataset] = used, columnsOf(d)
		c := ManifestDataset{Dataset: d.Name, Version: d.Version, SHA256: hex.EncodeToString(d.Hash)}
		if !slices.Contains(x.contracts, c) {
			x.contracts = append(x.contracts, c)
		}
		s.Sources = append(s.Sources, query.Source{Dataset: i.Dataset, Participant: x.index(i.Tenant), Input: n})
	}
	x.columnsOf = s.Datasets
	if err := definition.Check(x.def, columns); err != nil && len(columns) == len(x.def.Datasets) {
		return s, err
	}
	for _, m := range x.def.Measures {
		if columns[m.Dataset] == nil { // nobody sent this dataset for the date
			continue
		}
		column, _ := columns[m.Dataset].Find(m.Column)
		s.Measures = append(s.Measures, query.Measure{Name: m.Name, Dataset: m.Dataset, Column: m.Column, Own: query.Own(m.Own), Scale: m.Scale(column)})
	}
	for _, f := range x.def.Filters {
		if columns[f.Dataset] == nil {
			continue
		}
		q, err := filterOf(f, columns[f.Dataset])
		if err != nil {
			return s, err
		}
		s.Filters = append(s.Filters, q)
	}
	return s, nil
}

func (x *execution) index(id tenant.ID) int { return slices.Index(x.participants, id) }

// columns are those of a dataset that the definition uses.
func (x *execution) columns(d exchange.Dataset) ([]query.Column, error) {
	var names []string
	names = append(names, x.def.Groups...)
	for _, m := range x.def.Measures {
		if m.Dataset == d.Name && m.Column != "" {
			names = append(names, m.Column)
		}
	}
	for _, f := range x.def.Filters {
		if f.Dataset == d.Name {
			names = append(names, f.Column)
		}
	}
	slices.Sort(names)
	all := columnsOf(d)
	var list []query.Column
	for _, name := range slices.Compact(names) {
		c, ok := all.Find(name)
		if !ok {
			return nil, fault.New(fault.Conflict, "Version %d of dataset %q has no column %q, which this analysis uses.", d.Version, d.Name, name)
		}
		list = append(list, query.Column{Name: c.Name, Type: query.Type(c.Type), Scale: c.Scale})
	}
	return list, nil
}

func filterOf(f definition.Filter, columns definition.Columns) (query.Filter, error) {
	c, ok := columns.Find(f.Column)
	if !ok {
		return query.Filter{}, fault.New(fault.Conflict, "Dataset %q has no column %q to filter by.", f.Dataset, f.Column)
	}
	value := func(text string) (query.Value, error) {
		l, ok := c.ParseValue(text)
		if !ok {
			return query.Value{}, fault.New(fault.Conflict, "The filter's value %q does not fit column %q.", text, c.Name)
		}
		return query.Value{Type: query.Type(c.Type), Scale: c.Scale, Text: l.Text, Int: l.Int, Float: l.Float}, nil
	}
	q := query.Filter{Dataset: f.Dataset, Column: f.Column}
	for _, text := range f.Equals {
		v, err := value(text)
		if err != nil {
			return q, err
		}
		q.Equals = append(q.Equals, v)
	}
	if f.From != "" {
		v, err := value(f.From)
		if err != nil {
			return q, err
		}
		q.From = &v
	}
	if f.To != "" {
		v, err := value(f.To)
		if err != nil {
			return q, err
		}
		q.To = &v
	}
	return q, nil
}

// compute opens the accepted forms into memory files, has the sandboxed child
// aggregate each participant's own rows, and gathers what it returns by cell.
func (x *execution) compute(ctx context.Context) (*table, query.Totals, error) {
	spec, err := x.spec(ctx)
	if err != nil {
		return nil, query.Totals{}, err
	}
	args, err := json.Marshal(spec)
	if err != nil {
		return nil, query.Totals{}, err
	}
	files, closeAll, err := x.open(ctx)
	defer closeAll()
	if err != nil {
		return nil, query.Totals{}, err
	}
	x.job.Progress(ctx, "aggregating", 0, 0)
	t := newTable(spec)
	var totals query.Totals
	limits := sandbox.Limits{Memory: x.def.Limits.Memory + 1<<30, CPU: 2 * x.def.Limits.Wall, Wall: x.def.Limits.Wall, Output: 16 << 30, Threads: 2}
	err = x.Sandbox.Run(ctx, sandbox.Job{Program: query.ProgramName, Args: args, Inputs: files, Limits: limits}, func(r io.Reader) error {
		var err error
		totals, err = query.Read(r, spec, t.add)
		return err
	})
	if err != nil {
		return nil, totals, fmt.Errorf("aggregate: %w", err)
	}
	return t, totals, nil
}

// openers is how many accepted forms are opened at a time: decrypting and copying
// keeps a processor busy, and a run leaves the others some.
const openers = 2

// open decrypts the accepted forms into sealed memory files, in the order of the
// inputs. closeAll is never nil.
func (x *execution) open(ctx context.Context) (files []*sandbox.Memory, closeAll func(), err error) {
	files = make([]*sandbox.Memory, len(x.inputs))
	closeAll = func() {
		for _, f := range files {
			if f != nil {
				f.Close()
			}
		}
	}
	var total atomic.Int64
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range openers {
		group.Go(func() error {
			buffer := make([]byte, 1<<20)
			for n := int(next.Add(1)) - 1; n < len(x.inputs); n = int(next.Add(1)) - 1 {
				x.job.Progress(ctx, "opening inputs", int64(n), int64(len(x.inputs)))
				var err error
				if files[n], err = x.openOne(ctx, x.inputs[n], &total, buffer); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return files, closeAll, group.Wait()
}

// openOne decrypts one accepted form. What was made of it is returned with an
// error too, for the caller to close.
func (x *execution) openOne(ctx context.Context, i RunInput, total *atomic.Int64, buffer []byte) (*sandbox.Memory, error) {
	r, o, err := x.Vault.Open(ctx, x.scopes[x.index(i.Tenant)], i.Object)
	if fault.Is(err, fault.NotFound) {
		return nil, fault.Wrap(fault.Conflict, err, "A submission of the snapshot was deleted. Start a new run.")
	}
	if err != nil {
		return nil, fmt.Errorf("open input of %s: %w", i.Tenant, err)
	}
	defer r.Close()
	if total.Add(o.Size) > x.def.Limits.Memory {
		return nil, fault.New(fault.TooLarge, "The inputs take more than the analysis's memory limit of %d bytes.", x.def.Limits.Memory)
	}
	f, err := sandbox.NewMemory("input")
	if err != nil {
		return nil, fmt.Errorf("open input of %s: %w", i.Tenant, err)
	}
	if _, err = io.CopyBuffer(struct{ io.Writer }{f}, struct{ io.Reader }{r}, buffer); err == nil {
		err = f.Seal()
	}
	if err != nil {
		return f, fmt.Errorf("open input of %s: %w", i.Tenant, err)
	}
	return f, nil
}
