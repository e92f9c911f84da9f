// Package analysis is what is computed across participants: versioned
// definitions, the tenants' acceptances of them, runs over immutable snapshots,
// and releases. What may leave a run is decided in package disclosure, what a
// definition may say in package definition.
package analysis

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"tributary/internal/analysis/definition"
	"tributary/internal/audit"
	"tributary/internal/clock"
	"tributary/internal/control"
	"tributary/internal/exchange"
	"tributary/internal/fault"
	"tributary/internal/job"
	"tributary/internal/keys"
	"tributary/internal/live"
	"tributary/internal/meta"
	"tributary/internal/policy"
	"tributary/internal/sandbox"
	"tributary/internal/tenant"
	"tributary/internal/vault"
)

// Config is what Analyses needs; all fields but Log are required.
type Config struct {
	DB       *meta.DB
	Exchange *exchange.Exchange
	Vault    *vault.Vault
	Control  *control.Control
	Policy   *policy.Engine
	Audit    *audit.Log
	Jobs     *job.Queue
	Sandbox  *sandbox.Box
	Keys     *keys.Ring
	Clock    clock.Clock
	Log      *slog.Logger
	// Changes is told of each line of a run's log; nil: nobody is.
	Changes *live.Hub
	// Version is the server's, for manifests.
	Version string
}

// Analyses keeps definitions and acceptances, and runs them.
type Analyses struct {
	Config

	mu     sync.Mutex
	parsed map[versionKey]*definition.Definition // versions never change
}

type versionKey struct {
	name    string
	version int64
}

// New makes Analyses and registers its jobs.
func New(cfg Config) *Analyses {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	a := &Analyses{Config: cfg, parsed: map[versionKey]*definition.Definition{}}
	cfg.Jobs.Handle(runKind, job.Handler{Timeout: runTimeout, Yields: true, Do: a.do, Failed: a.runFailed, Tells: live.Run})
	return a
}

// Analysis is a version of a definition. Applying a changed definition makes the
// next version; none is ever changed or removed.
type Analysis struct {
	Name       string
	Version    int64
	Source     string // the YAML as applied
	Hash       []byte
	Definition *definition.Definition
	CreatedAt  time.Time
	CreatedBy  string
}

// Words is the definition in plain words, for those who accept it.
func (a Analysis) Words() []string { return definition.Describe(a.Definition) }

// UnscopedApply makes the definition the analysis's current version, and reports
// whether that changed anything. It is checked against the datasets it names.
func (a *Analyses) UnscopedApply(ctx context.Context, by string, source []byte) (v Analysis, changed bool, err error) {
	def, err := definition.Parse(source)
	if err != nil {
		return v, false, err
	}
	if err := a.checkAgainstDatasets(ctx, def); err != nil {
		return v, false, err
	}
	hash := def.Hash()
	now := a.Clock.Now()
	err = a.DB.Transact(ctx, func(tx *meta.DB) error {
		changed = false
		v = Analysis{Name: def.Name, Source: string(source), Hash: hash[:], Definition: def, CreatedAt: now, CreatedBy: by}
		current, err := a.AnalysisIn(ctx, tx, def.Name, 0)
		switch {
		case err == nil && bytes.Equal(current.Hash, v.Hash):
			v = current
			return nil
		case err == nil:
			v.Version = current.Version + 1
		case fault.Is(err, fault.NotFound):
			v.Version = 1
		default:
			return err
		}
		changed = true
		if _, err := tx.Exec(ctx, `
			INSERT INTO analyses (id, version, created_at, created_by) VALUES ($1, $2, $3, $4)
			ON CONFLICT (id) DO UPDATE SET version = excluded.version`, v.Name, v.Version, meta.Micros(now), by); err != nil {
			return fmt.Errorf("apply analysis %s: %w", v.Name, err)
		}
		if _, err := tx.Exec(ctx, `
			INSERT INTO analysis_versions (analysis, version, source, hash, created_at, created_by) VALUES ($1, $2, $3, $4, $5, $6)`,
			v.Name, v.Version, v.Source, v.Hash, meta.Micros(now), by); err != nil {
			return fmt.Errorf("apply analysis %s: %w", v.Name, err)
		}
		return a.Audit.Append(ctx, tx, audit.Entry{Actor: by, Verb: "analysis.apply", Subject: v.Name, Outcome: "ok",
			Details: map[string]any{"version": v.Version, "hash": fmt.Sprintf("%x", v.Hash)}})
	})
	return v, changed, err
}

// checkAgainstDatasets checks what the definition names against the current
// contracts of its datasets.
func (a *Analyses) checkAgainstDatasets(ctx context.Context, def *definition.Definition) error {
	columns := map[string]definition.Columns{}
	for _, name := range def.Datasets {
		d, err := a.Exchange.Dataset(ctx, name, 0)
		if fault.Is(err, fault.NotFound) {
			continue // Check names it, with its line
		}
		if err != nil {
			return err
		}
		columns[name] = columnsOf(d)
	}
	return definition.Check(def, columns)
}

func columnsOf(d exchange.Dataset) definition.Columns {
	var list definition.Columns
	for _, c := range d.Contract.Columns {
		list = append(list, definition.Column{Name: c.Name, Type: string(c.Type), Scale: c.Scale, Role: string(c.Role), Required: c.Required})
	}
	return list
}

// Analysis returns a version of an analysis; version 0 is the current one.
func (a *Analyses) Analysis(ctx context.Context, name string, version int64) (Analysis, error) {
	return a.AnalysisIn(ctx, a.DB, name, version)
}

// AnalysisIn is Analysis inside a transaction.
func (a *Analyses) AnalysisIn(ctx context.Context, db *meta.DB, name string, version int64) (Analysis, error) {
	v := Analysis{Name: name}
	var created int64
	err := db.QueryRow(ctx, `
		SELECT v.version, v.source, v.hash, v.created_at, v.created_by FROM analyses a JOIN analysis_versions v ON v.analysis = a.id
		WHERE a.id = $1 AND v.version = CASE WHEN $2 = 0 THEN a.version ELSE $2 END`, name, version).
		Scan(&v.Version, &v.Source, &v.Hash, &created, &v.CreatedBy)
	if errors.Is(err, sql.ErrNoRows) {
		if version > 0 {
			return v, fault.New(fault.NotFound, "There is no version %d of an analysis %q.", version, name)
		}
		return v, fault.New(fault.NotFound, "There is no analysis %q.", name)
	}
	if err != nil {
		return v, fmt.Errorf("find analysis %s: %w", name, err)
	}
	v.CreatedAt = meta.Time(created)
	v.Definition, err = a.definition(v)
	return v, err
}

func (a *Analyses) definition(v Analysis) (*definition.Definition, error) {
	key := versionKey{v.Name, v.Version}
	a.mu.Lock()
	def := a.parsed[key]
	a.mu.Unlock()
	if def != nil {
		return def, nil
	}
	def, err := stored(v)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.parsed[key] = def
	a.mu.Unlock()
	return def, nil
}

// stored parses a stored version and sees that it is what was applied: tenants
// accepted the hash.
func stored(v Analysis) (*definition.Definition, error) {
	def, err := definition.Parse([]byte(v.Source))
	if err != nil {
		return nil, fault.Wrap(fault.Damaged, err, "The stored version %d of analysis %q is damaged.", v.Version, v.Name)
	}
	if hash := def.Hash(); !bytes.Equal(hash[:], v.Hash) {
		return nil, fault.New(fault.Damaged, "The stored version %d of analysis %q is not the one that was applied.", v.Version, v.Name)
	}
	return def, nil
}

// Analyses lists the current version of each analysis by name.
func (a *Analyses) Analyses(ctx context.Context, page meta.Page) ([]Analysis, string, error) {
	pos, err := page.Position()
	if err != nil {
		return nil, "", err
	}
	rows, err := a.DB.Query(ctx, `
		SELECT a.id, v.version, v.source, v.hash, v.created_at, v.created_by
		FROM analyses a JOIN analysis_versions v ON v.analysis = a.id AND v.version = a.version
		WHERE a.id > $1 ORDER BY a.id LIMIT $2`, pos.ID, int64(page.Size()+1))
	if err != nil {
		return nil, "", fmt.Errorf("list analyses: %w", err)
	}
	var list []Analysis
	for rows.Next() {
		var v Analysis
		var created int64
		if err := rows.Scan(&v.Name, &v.Version, &v.Source, &v.Hash, &created, &v.CreatedBy); err != nil {
			return nil, "", fmt.Errorf("list analyses: %w", err)
		}
		v.CreatedAt = meta.Time(created)
		if v.Definition, err = a.definition(v); err != nil {
			return nil, "", err
		}
		list = append(list, v)
	}
	list, next := meta.Cut(list, page, func(v Analysis) meta.Position { return meta.Position{ID: v.Name} })
	return list, next, nil
}

// Decision is what a tenant said of a version.
type Decision string

// The decisions. A later one about the same version replaces an earlier one.
const (
	Accepted Decision = "accepted"
	Declined Decision = "declined"
)

// Acceptance is a tenant admin's yes or no to a version of an analysis. A yes is
// the standing grant that runs' grants are minted from; it covers later versions
// for as long as none of them widens what it was given for.
type Acceptance struct {
	Tenant    tenant.ID
	Analysis  string
	Version   int64
	Decision  Decision
	DecidedAt time.Time
	DecidedBy string

	hash []byte // of the definition decided about
}

// fields are what the row's MAC covers: all that grants power, and when, as the
// last decision counts.
func (c Acceptance) fields() []any {
	return []any{string(c.Tenant), c.Analysis, c.Version, c.hash, string(c.Decision), meta.Micros(c.DecidedAt), c.DecidedBy}
}

const acceptanceQuery = `
	SELECT a.tenant, a.analysis, a.version, v.hash, a.decision, a.decided_at, a.decided_by, a.mac
	FROM acceptances a LEFT JOIN analysis_versions v ON v.analysis = a.analysis AND v.version = a.version `

type scanner interface{ Scan(...any) error }

func scanAcceptance(ring *keys.Ring, row scanner) (Acceptance, error) {
	var c Acceptance
	var at int64
	var mac []byte
	if err := row.Scan(&c.Tenant, &c.Analysis, &c.Version, &c.hash, &c.Decision, &at, &c.DecidedBy, &mac); err != nil {
		return c, err
	}
	c.DecidedAt = meta.Time(at)
	if err := ring.CheckMAC(mac, "acceptance", c.fields()...); err != nil {
		return c, fmt.Errorf("acceptance of %s by %s: %w", c.Analysis, c.Tenant, err)
	}
	return c, nil
}

// Decide records what the scope's tenant says of a version; 0 is the current one.
// A no takes back an earlier yes for every run that has no snapshot yet.
func (a *Analyses) Decide(ctx context.Context, scope tenant.Scope, name string, version int64, d Decision) (Acceptance, error) {
	if err := scope.Check(ctx, tenant.Write, tenant.Acceptances); err != nil {
		return Acceptance{}, err
	}
	var c Acceptance
	err := a.DB.Transact(ctx, func(tx *meta.DB) error {
		v, err := a.AnalysisIn(ctx, tx, name, version)
		if err != nil {
			return err
		}
		c = Acceptance{Tenant: scope.Tenant(), Analysis: name, Version: v.Version, Decision: d, DecidedAt: a.Clock.Now(), DecidedBy: scope.Actor(), hash: v.Hash}
		if _, err := tx.For(c.Tenant).Exec(ctx, `
			INSERT INTO acceptances (tenant, analysis, version, decision, decided_at, decided_by, mac) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (tenant, analysis, version) DO UPDATE
			SET decision = excluded.decision, decided_at = excluded.decided_at, decided_by = excluded.decided_by, mac = excluded.mac`,
			string(c.Tenant), c.Analysis, c.Version, string(c.Decision), meta.Micros(c.DecidedAt), c.DecidedBy, a.Keys.MAC("acceptance", c.fields()...)); err != nil {
			return fmt.Errorf("record decision on %s: %w", name, err)
		}
		return a.Audit.Append(ctx, tx, audit.Entry{Tenant: c.Tenant, Actor: c.DecidedBy, Verb: "analysis." + string(d), Subject: name, Outcome: "ok",
			Details: map[string]any{"version": v.Version, "hash": fmt.Sprintf("%x", v.Hash)}})
	})
	return c, err
}

// Standing is how a tenant stands to a version: its latest decision that says
// anything of it, and what the version widens beyond that.
type Standing struct {
	Decision Decision // empty: none yet
	For      int64    // the version that it was made for
	Widened  []string // what this version widens beyond it; empty if it is covered
}

// Covers reports whether it is a yes that covers the version.
func (s Standing) Covers() bool { return s.Decision == Accepted && len(s.Widened) == 0 }

// weigher weighs many tenants' decisions for one version.
type weigher struct {
	*Analyses
	version Analysis
	widened map[int64][]string // what it widens beyond an earlier version
}

func (a *Analyses) weigher(v Analysis) *weigher {
	return &weigher{Analyses: a, version: v, widened: map[int64][]string{}}
}

// standing weighs decisions about one analysis, of one tenant, for a version. The
// decision made last counts, and of two at the same moment the no. A yes says
// nothing of versions before its own; a no is one to the analysis.
func (w *weigher) standing(ctx context.Context, db *meta.DB, decisions []Acceptance) (Standing, error) {
	v := w.version
	var last *Acceptance
	for i, c := range decisions {
		if (c.Version <= v.Version || c.Decision == Declined) && (last == nil || c.DecidedAt.After(last.DecidedAt) ||
			c.DecidedAt.Equal(last.DecidedAt) && c.Decision == Declined) {
			last = &decisions[i]
		}
	}
	if last == nil {
		return Standing{}, nil
	}
	s := Standing{Decision: last.Decision, For: last.Version}
	if last.Decision != Accepted || last.Version == v.Version {
		return s, nil
	}
	widened, known := w.widened[last.Version]
	if !known {
		old, err := w.AnalysisIn(ctx, db, v.Name, last.Version)
		if err != nil {
			return s, err
		}
		widened = definition.Widens(old.Definition, v.Definition)
		w.widened[last.Version] = widened
	}
	s.Widened = widened
	return s, nil
}

// Standing returns how the scope's tenant stands to a version.
func (a *Analyses) Standing(ctx context.Context, scope tenant.Scope, v Analysis) (Standing, error) {
	if err := scope.Check(ctx, tenant.Read, tenant.Acceptances); err != nil {
		return Standing{}, err
	}
	list, err := a.acceptances(ctx, a.DB.For(scope.Tenant()), `WHERE a.analysis = $1 AND a.tenant = $2`, v.Name, string(scope.Tenant()))
	if err != nil {
		return Standing{}, err
	}
	return a.weigher(v).standing(ctx, a.DB, list)
}

func (a *Analyses) acceptances(ctx context.Context, db *meta.DB, where string, args ...any) ([]Acceptance, error) {
	rows, err := db.Query(ctx, acceptanceQuery+where+` ORDER BY a.tenant, a.version`, args...)
	if err != nil {
		return nil, fmt.Errorf("list acceptances: %w", err)
	}
	var list []Acceptance
	for rows.Next() {
		c, err := scanAcceptance(a.Keys, rows)
		if err != nil {
			return nil, fmt.Errorf("list acceptances: %w", err)
		}
		list = append(list, c)
	}
	return list, nil
}

// Stand is a tenant's standing, for lists.
type Stand struct {
	Acceptance
	Covers bool // the current version
}

// UnscopedStands lists every tenant's last decision about an analysis.
func (a *Analyses) UnscopedStands(ctx context.Context, name string) ([]Stand, error) {
	v, err := a.Analysis(ctx, name, 0)
	if err != nil {
		return nil, err
	}
	byTenant, order, err := a.decisions(ctx, a.DB, name)
	if err != nil {
		return nil, err
	}
	var list []Stand
	w := a.weigher(v)
	for _, id := range order {
		s, err := w.standing(ctx, a.DB, byTenant[id])
		if err != nil {
			return nil, err
		}
		for _, c := range byTenant[id] {
			if c.Version == s.For {
				list = append(list, Stand{Acceptance: c, Covers: s.Covers()})
			}
		}
	}
	return list, nil
}

// decisions returns the decisions about an analysis by tenant.
func (a *Analyses) decisions(ctx context.Context, db *meta.DB, name string) (map[tenant.ID][]Acceptance, []tenant.ID, error) {
	all, err := a.acceptances(ctx, db.Unscoped(), `WHERE a.analysis = $1`, name)
	if err != nil {
		return nil, nil, err
	}
	byTenant := map[tenant.ID][]Acceptance{}
	var order []tenant.ID
	for _, c := range all {
		if byTenant[c.Tenant] == nil {
			order = append(order, c.Tenant)
		}
		byTenant[c.Tenant] = append(byTenant[c.Tenant], c)
	}
	return byTenant, order, nil
}

// UnscopedCounts returns how many organisations have accepted the current
// version, and how many of those are verified: what a tenant may know of the
// others before it joins them.
func (a *Analyses) UnscopedCounts(ctx context.Context, name string) (accepted, verified int64, err error) {
	stands, err := a.UnscopedStands(ctx, name)
	if err != nil {
		return 0, 0, err
	}
	var ids []tenant.ID
	for _, s := range stands {
		if s.Covers {
			ids = append(ids, s.Tenant)
		}
	}
	owners, err := a.Control.UnscopedOrganisationsOf(ctx, ids)
	if err != nil {
		return 0, 0, err
	}
	seen := map[string]bool{}
	for _, o := range owners {
		if seen[o.ID] || !o.Counts() {
			continue
		}
		seen[o.ID] = true
		accepted++
		if o.VerifiedAt != nil {
			verified++
		}
	}
	return accepted, verified, nil
}

// EraseTenant removes a tenant's decisions. Manifests and snapshots keep its
// opaque id and the commitments of its files, which say nothing any more. It is
// safe to repeat.
func (a *Analyses) EraseTenant(ctx context.Context, id tenant.ID) (method string, count int64, err error) {
	if !id.Valid() {
		return "", 0, fmt.Errorf("erase acceptances: %q is no tenant", id)
	}
	n, err := a.DB.For(id).Exec(ctx, `DELETE FROM acceptances WHERE tenant = $1`, string(id))
	if err != nil {
		return "", 0, fmt.Errorf("erase acceptances of %s: %w", id, err)
	}
	return "rows deleted; manifests keep the opaque tenant id and the commitments of its files", n, nil
}
