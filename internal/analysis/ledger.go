package analysis

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tributary/internal/analysis/definition"
	"tributary/internal/audit"
	"tributary/internal/disclosure"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// A date may be released more than once: late, corrected and withdrawn files join the
// next run, and other analyses may measure the same columns. What its recipients learn is
// the difference, so the gate judges a release beside all that was released for the date
// before and has to do with it. No values are kept for that: of who is in a release with
// the same files its values are those of now, and of who changed its files the run reads
// the earlier ones again.

// ledger is what was released for the run's date before that has to do with it.
type ledger struct {
	runs     []string // that made the releases, recalled or not: what was downloaded is known
	releases []former
	versions []sentVersion
	again    []*table  // what the versions have, by version instead of participant
	attempts []attempt // at what a release shows
}

// names lists the runs whose releases were judged beside this one.
func (l ledger) names() []string {
	var list []string
	for _, f := range l.releases {
		list = append(list, f.run)
	}
	return list
}

// former is an earlier release with the same cells as this one.
type former struct {
	run      string
	analysis string
	version  int64 // that has to be agreed to, for its files to be read again
	def      *definition.Definition
	had      map[partName]bool  // what that measured
	same     map[tenant.ID]bool // who is in both with the same files
	versions []int              // of those who are not
	hidden   []byte             // digests of cells, in order; see hides
}

// sentVersion is what one tenant had sent when a release was made, if it is not what
// it has sent now.
type sentVersion struct {
	analysis     string // that it was read for, in which version
	version      int64
	tenant       tenant.ID
	organisation string
	inputs       []RunInput
}

// file is one tenant's part in one dataset.
type file struct{ dataset, submission string }

// lookBack finds what was released before, and whose earlier files have to be read
// again. It says why nothing can be released, if so.
func (x *execution) lookBack(ctx context.Context) (withheld string, err error) {
	err = x.DB.Transact(ctx, func(tx *meta.DB) error {
		x.before, withheld = ledger{}, ""
		rows, err := x.earlier(ctx, tx)
		if err != nil {
			return err
		}
		for _, e := range rows {
			x.before.runs = append(x.before.runs, e.run)
		}
		if rows, err = x.reached(ctx, tx, rows); err != nil {
			return err
		}
		if withheld = x.comparable(rows); withheld != "" {
			return nil
		}
		for _, e := range rows {
			x.compare(e)
		}
		if withheld, err = x.mayReadAgain(ctx, tx); withheld != "" || err != nil {
			return err
		}
		return x.attempted(ctx, tx, rows)
	})
	return withheld, err
}

// maxReleases is how many releases of one date are judged together.
const maxReleases = 30

// earlierRelease is a row of a release.
type earlierRelease struct {
	run, analysis string
	version       int64
	other
	inputs []ManifestInput
	sent   []RunInput // the same, of the stored snapshot
	hidden []byte
}

// earlier lists the releases for the run's date that have to do with it.
func (x *execution) earlier(ctx context.Context, tx *meta.DB) ([]earlierRelease, error) {
	rows, err := tx.Query(ctx, `SELECT id, run, analysis, version FROM releases WHERE date = $1 ORDER BY created_at, id`, x.run.Date)
	if err != nil {
		return nil, fmt.Errorf("list releases of %s: %w", x.run.Date, err)
	}
	var all, list []earlierRelease
	var ids []string
	for rows.Next() {
		var e earlierRelease
		var id string
		if err := rows.Scan(&id, &e.run, &e.analysis, &e.version); err != nil {
			return nil, fmt.Errorf("list releases of %s: %w", x.run.Date, err)
		}
		all, ids = append(all, e), append(ids, id)
	}
	for n, e := range all {
		if e.other, err = x.related(ctx, tx, e.analysis, e.version); err != nil {
			return nil, err
		}
		if !e.has.any {
			continue
		}
		var manifest, signature []byte
		if err := tx.QueryRow(ctx, `SELECT r.manifest, r.signature, COALESCE(h.cells, $2) FROM releases r LEFT JOIN release_hidden h ON h.release = r.id WHERE r.id = $1`,
			ids[n], []byte{}).Scan(&manifest, &signature, &e.hidden); err != nil {
			return nil, fmt.Errorf("release of run %s: %w", e.run, err)
		}
		m, err := signedManifest(x.Keys, manifest, signature)
		if err != nil {
			return nil, err
		}
		if m.Run != e.run || m.Analysis != e.analysis || m.Version != e.version || m.Hidden != digestOf(e.hidden) {
			return nil, fault.New(fault.Damaged, "What the release of run %q was made from, or hid, is not what its manifest says.", e.run)
		}
		e.inputs = m.Inputs
		list = append(list, e)
	}
	return list, nil
}

// digestOf is what a manifest says of the cells that were hidden; of none, nothing.
func digestOf(hidden []byte) string {
	if len(hidden) == 0 {
		return ""
	}
	sum := sha256.Sum256(hidden)
	return hex.EncodeToString(sum[:])
}

// reached keeps the releases that a participant of this run took part in, or one of a
// release that is kept: of others altogether nothing follows. Their snapshots are those
// that their manifests name.
func (x *execution) reached(ctx context.Context, tx *meta.DB, rows []earlierRelease) (list []earlierRelease, err error) {
	for n := range rows {
		e := &rows[n]
		if e.sent, err = x.Analyses.inputs(ctx, tx, e.run); err != nil {
			return nil, err
		}
		if !slices.EqualFunc(e.sent, e.inputs, func(i RunInput, m ManifestInput) bool {
			return i.Tenant == m.Tenant && i.Dataset == m.Dataset && i.Submission == m.Submission && hex.EncodeToString(i.Commitment) == m.Commitment
		}) {
			return nil, fault.New(fault.Damaged, "The stored snapshot of run %q is not the one that its manifest names.", e.run)
		}
	}
	tenants, kept := map[tenant.ID]bool{}, map[string]bool{}
	for _, id := range x.participants {
		tenants[id] = true
	}
	for more := true; more; {
		more = false
		for _, e := range rows {
			if kept[e.run] || !slices.ContainsFunc(e.sent, func(i RunInput) bool { return tenants[i.Tenant] }) {
				continue
			}
			more, kept[e.run] = true, true
			for _, i := range e.sent {
				tenants[i.Tenant] = true
			}
		}
	}
	return slices.DeleteFunc(rows, func(e earlierRelease) bool { return !kept[e.run] }), nil
}

// comparable says why nothing can be released beside some releases, if so.
func (x *execution) comparable(rows []earlierRelease) (withheld string) {
	if len(rows) > maxReleases {
		return fmt.Sprintf("This date was released %d times before; more cannot be judged together.", len(rows))
	}
	all := []*definition.Definition{x.def}
	for _, e := range rows {
		all = append(all, e.def)
		switch together := definition.Together(all...); {
		case !sameCells(e.def, x.def):
			return fmt.Sprintf("Run %s of version %d of analysis %q released the same columns for this date with other groups, filters or totals. "+
				"What is hidden in one could be computed from both. Let one analysis give all of them, with totals.", e.run, e.version, e.analysis)
		case e.has.beside:
			return fmt.Sprintf("Run %s of version %d of analysis %q released other measures of the same columns for this date. "+
				"What is hidden in one could be computed from both. Let one analysis give all of them.", e.run, e.version, e.analysis)
		case together != "":
			return fmt.Sprintf("Run %s of version %d of analysis %q released measures for this date that may not stand beside those of this one: %s", e.run, e.version, e.analysis, together)
		}
	}
	return ""
}

// compare notes whose files of an earlier release are not those of now.
func (x *execution) compare(e earlierRelease) {
	version := e.version
	if e.analysis == x.run.Analysis {
		version = x.run.Version // that is what has to be agreed to
	}
	inputs := e.sent
	f := former{run: e.run, analysis: e.analysis, version: version, def: e.def, had: e.has.parts, same: map[tenant.ID]bool{}, hidden: e.hidden}
	sent, now := filesOf(inputs), filesOf(x.inputs)
	for from := 0; from < len(inputs); {
		to := from
		for to < len(inputs) && inputs[to].Tenant == inputs[from].Tenant {
			to++
		}
		v := sentVersion{e.analysis, version, inputs[from].Tenant, inputs[from].Organisation, inputs[from:to]}
		if maps.Equal(sent[v.tenant], now[v.tenant]) {
			f.same[v.tenant] = true
		} else {
			f.versions = append(f.versions, x.version(v))
		}
		from = to
	}
	x.before.releases = append(x.before.releases, f)
}

// version is the number of what a tenant had sent.
func (x *execution) version(v sentVersion) int {
	for n, known := range x.before.versions {
		if known.analysis == v.analysis && known.version == v.version && known.tenant == v.tenant && slices.EqualFunc(known.inputs, v.inputs, func(a, b RunInput) bool { return a.Submission == b.Submission && a.Dataset == b.Dataset }) {
			return n
		}
	}
	x.before.versions = append(x.before.versions, v)
	return len(x.before.versions) - 1
}

func filesOf(inputs []RunInput) map[tenant.ID]map[file]bool {
	list := map[tenant.ID]map[file]bool{}
	for _, i := range inputs {
		if list[i.Tenant] == nil {
			list[i.Tenant] = map[file]bool{}
		}
		list[i.Tenant][file{i.Dataset, i.Submission}] = true
	}
	return list
}

// sameCells reports whether two versions of a definition divide the same rows into the
// same cells, with the same totals, so that their releases can be compared cell by cell.
// The order in which something is written does not matter.
func sameCells(a, b *definition.Definition) bool {
	return cellsOf(a) == cellsOf(b)
}

// cellsOf writes down how a definition divides rows into cells.
func cellsOf(d *definition.Definition) string {
	filters := map[string][]string{}
	for _, f := range d.Filters {
		filters[f.Dataset+"\x00"+f.Column] = append(slices.Sorted(slices.Values(f.Equals)), "from", f.From, "to", f.To)
	}
	totals := map[string]bool{} // each as it is nested
	for _, t := range d.Totals {
		totals[strings.Join(t, "\x00")] = true
	}
	groups := map[string]string{} // what is behind each name
	for _, dataset := range d.Datasets {
		for _, g := range d.Groups {
			groups[dataset+"\x00"+g] = d.Meaning(dataset, g)
		}
	}
	text, err := json.Marshal([]any{slices.Sorted(slices.Values(d.Datasets)), groups, filters, totals})
	if err != nil {
		panic("analysis: " + err.Error()) // texts only
	}
	return string(text)
}

// mayReadAgain checks that the earlier files may be read: of tenants that take part
// still. Each of them finds in its log that they were.
func (x *execution) mayReadAgain(ctx context.Context, tx *meta.DB) (withheld string, err error) {
	if len(x.before.versions) == 0 {
		return "", nil
	}
	gone := map[tenant.ID]bool{}
	for n, v := range x.before.versions {
		if n == 0 || v.analysis != x.before.versions[n-1].analysis || v.version != x.before.versions[n-1].version {
			if err := x.gone(ctx, tx, v.analysis, v.version, gone); err != nil {
				return "", err
			}
		}
	}
	if len(gone) > 0 {
		return fmt.Sprintf("Participants of an earlier release of this date that take no part any more: %d. Their files may not be read again, so it cannot be shown that the difference would not tell what they had sent.", len(gone)), nil
	}
	for _, v := range x.before.versions {
		for _, i := range v.inputs {
			if err := x.Audit.Append(ctx, tx, audit.Entry{Tenant: i.Tenant, Actor: x.run.ID, Verb: "run.grant", Subject: i.Submission, Outcome: "ok",
				Details: map[string]any{"analysis": x.run.Analysis, "version": x.run.Version, "date": x.run.Date, "compared": true}}); err != nil {
				return "", err
			}
		}
	}
	return "", nil
}

// gone adds those who had sent something for a version of an analysis and do not take
// part in it any more.
func (x *execution) gone(ctx context.Context, tx *meta.DB, name string, version int64, gone map[tenant.ID]bool) error {
	of, err := x.AnalysisIn(ctx, tx, name, version)
	if err != nil {
		return err
	}
	byTenant, _, err := x.decisions(ctx, tx, name)
	if err != nil {
		return err
	}
	var ids []tenant.ID
	for _, v := range x.before.versions {
		if v.analysis == name && v.version == version {
			ids = append(ids, v.tenant)
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	tenants, err := x.takingPart(ctx, tx, of, byTenant, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, takes := tenants[id]; !takes {
			gone[id] = true
		}
	}
	return nil
}

// floorOf is the floor of a part, if the earlier releases keep to it as well.
func (x *execution) floorOf(t *table, earlier [][][]disclosure.Cell, part int) (int64, error) {
	floor, err := x.floor(t, part)
	for e := range earlier {
		for _, cell := range earlier[e][part] {
			for _, c := range cell {
				floor = min(floor, max(c.Value, 0))
			}
		}
	}
	return floor, err
}

// alone checks that nothing was released for the date since the run looked back.
func (x *execution) alone(ctx context.Context, tx *meta.DB) error {
	rows, err := x.earlier(ctx, tx)
	if err != nil {
		return err
	}
	var runs []string
	for _, e := range rows {
		runs = append(runs, e.run)
	}
	if !slices.Equal(runs, x.before.runs) {
		return fault.New(fault.Unavailable, "The date was released by another run meanwhile, so this one is judged again.")
	}
	return nil
}
