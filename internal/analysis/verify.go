package analysis

import (
	"context"
	"fmt"

	"tributary/internal/keys"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// UnscopedVerify checks that every definition is the one that was applied, every
// decision the one that was made, every manifest the one that was signed, and every
// run the one that was started. An error means that it could not look.
func UnscopedVerify(ctx context.Context, db *meta.DB, ring *keys.Ring, report func(table string, id tenant.ID, row, problem string)) error {
	versions, err := db.Query(ctx, `SELECT analysis, version, source, hash FROM analysis_versions ORDER BY analysis, version`)
	if err != nil {
		return fmt.Errorf("list definitions: %w", err)
	}
	for versions.Next() {
		var v Analysis
		if err := versions.Scan(&v.Name, &v.Version, &v.Source, &v.Hash); err != nil {
			return fmt.Errorf("list definitions: %w", err)
		}
		if _, err := stored(v); err != nil {
			report("analyses", "", fmt.Sprintf("%s version %d", v.Name, v.Version), err.Error())
		}
	}
	decisions, err := db.Unscoped().Query(ctx, acceptanceQuery+`ORDER BY a.tenant, a.analysis, a.version`)
	if err != nil {
		return fmt.Errorf("list acceptances: %w", err)
	}
	for decisions.Next() {
		if c, err := scanAcceptance(ring, decisions); err != nil {
			report("acceptances", c.Tenant, c.Analysis, err.Error())
		}
	}
	releases, err := db.Query(ctx, `
		SELECT r.id, r.run, r.analysis, r.version, r.date, r.organisations, r.verified, r.manifest, r.signature, COALESCE(h.cells, $1)
		FROM releases r LEFT JOIN release_hidden h ON h.release = r.id ORDER BY r.created_at, r.id`, []byte{})
	if err != nil {
		return fmt.Errorf("list releases: %w", err)
	}
	for releases.Next() {
		var id, run, name, date string
		var version, organisations, verified int64
		var manifest, signature, hidden []byte
		if err := releases.Scan(&id, &run, &name, &version, &date, &organisations, &verified, &manifest, &signature, &hidden); err != nil {
			return fmt.Errorf("list releases: %w", err)
		}
		m, err := signedManifest(ring, manifest, signature)
		switch {
		case err != nil:
			report("releases", "", run, err.Error())
		case m.Release != id || m.Run != run || m.Analysis != name || m.Version != version || m.Date != date || int64(m.Owners) != organisations || m.Verified != verified:
			report("releases", "", run, "the row does not say what its manifest says")
		case m.Hidden != digestOf(hidden):
			report("releases", "", run, "what it hid is not what its manifest says")
		}
	}
	runs, err := db.Query(ctx, runQuery+`WHERE r.mac IS NOT NULL OR r.state IN ('queued', 'running') ORDER BY r.id`)
	if err != nil {
		return fmt.Errorf("list runs: %w", err)
	}
	for runs.Next() {
		r, err := scanRun(runs)
		if err == nil {
			err = r.genuine(ring)
		}
		if err != nil {
			report("runs", "", r.ID, err.Error())
		}
	}
	return nil
}
