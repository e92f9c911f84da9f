package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"tributary/client"
	"tributary/internal/audit"
	"tributary/internal/clock"
	"tributary/internal/control"
	"tributary/internal/keys"
	"tributary/internal/keys/file"
	"tributary/internal/meta"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// full is an installation with long lists: as many submissions, results and audit
// entries of its tenants, of which the first has a twentieth.
type full struct {
	store
	rows    int
	tenants []tenant.ID
	login   string // of the first tenant's admin
	opening time.Duration
	names   []sealedName
}

type sealedName struct {
	of     tenant.ID
	sealed []byte
	ad     []byte
}

const (
	listTenants = 200
	big         = 20 // one row in so many is the first tenant's
	rare        = 1000
	needle      = "needle" // is in the name of one file in so many as rare says
	first       = "the password of the provider"
	own         = "a password of my own 1"
)

// owner is whose the row n is, as an index of the tenants.
func owner(n int) int {
	if n%big == 0 {
		return 0
	}
	return 1 + (n-n/big-1)%(listTenants-1)
}

// fill makes the tenants by the API and the rows by the server's own packages, in a
// hundredth of the time that sending files would take: names and details are sealed, chains of
// the audit log are whole. Only the files themselves are not there.
func (b *bench) fill(ctx context.Context, s store, rows int) (_ *full, err error) {
	f := &full{store: s, rows: rows}
	p, err := b.start(ctx, s)
	if err != nil {
		return nil, err
	}
	admin, err := p.client(s.token)
	if err == nil {
		err = f.people(ctx, admin)
	}
	if err := errors.Join(err, p.stop()); err != nil {
		return nil, err
	}
	c := clock.Clock{}
	db, err := meta.Open(ctx, meta.Config{URL: s.url()})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	ring, err := openRing(ctx, s, db, c)
	if err != nil {
		return nil, err
	}
	log := audit.New(audit.Config{DB: db, Keys: ring, Clock: c})
	steps := []func(context.Context, *meta.DB, *keys.Ring, int) error{f.submission, f.result, func(ctx context.Context, tx *meta.DB, _ *keys.Ring, n int) error {
		verbs := []string{"submission.receive", "submission.read", "result.read", "session.create"}
		return log.Append(ctx, tx, audit.Entry{Tenant: f.tenants[owner(n)], Actor: c.ID("usr"), Verb: verbs[(n+n/big)%len(verbs)], Subject: c.ID("sub"), Outcome: "ok", Details: map[string]any{"name": name(n)}})
	}}
	const together = 1000
	for from := 0; from < rows; from += together {
		err := db.Unscoped().Transact(ctx, func(tx *meta.DB) error {
			for _, step := range steps {
				for n := from; n < min(from+together, rows); n++ {
					if err := step(ctx, tx, ring, n); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("fill rows from %d: %w", from, err)
		}
	}
	if f.opening, err = f.open(ctx, ring); err == nil && s.database != "" {
		err = analyze(ctx, s.database)
	}
	return f, err
}

// open is how long it takes to open as many names as a search may for a page: the
// limit that one has.
func (f *full) open(ctx context.Context, ring *keys.Ring) (time.Duration, error) {
	var took []time.Duration
	for range 9 {
		began := time.Now()
		for _, n := range f.names {
			if _, err := ring.Decrypt(ctx, n.of, keys.Pool, n.sealed, n.ad); err != nil {
				return 0, err
			}
		}
		took = append(took, time.Since(began))
	}
	return spreadOf(took).median, nil
}

// analyze does what PostgreSQL's own service does after so many rows.
func analyze(ctx context.Context, database string) error {
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, `ANALYZE`)
	return errors.Join(err, conn.Close(ctx))
}

func (f *full) people(ctx context.Context, admin *client.Client) error {
	if _, err := admin.ApplyDataset(ctx, []byte(dataset)); err != nil {
		return err
	}
	if _, err := admin.ApplyAnalysis(ctx, fmt.Appendf(nil, definition, 1)); err != nil {
		return err
	}
	for n := range listTenants {
		t, err := admin.CreateTenant(ctx, client.NewTenant{Slug: fmt.Sprintf("tenant-%03d", n), Name: fmt.Sprintf("Tenant %d", n), Tier: "platinum",
			Organisation: fmt.Sprintf("Organisation %d", n), ExternalIDs: []string{externalID(n)}})
		if err != nil {
			return err
		}
		f.tenants = append(f.tenants, tenant.ID(t.ID))
	}
	u, err := admin.CreateUser(ctx, client.NewUser{Tenant: "tenant-000", Email: "ada@tenant.example", Role: "tenant_admin", Name: "Ada", Password: first})
	if err != nil {
		return err
	}
	f.login = u.Login
	_, err = admin.SignIn(ctx, client.SignIn{Login: u.Login, Password: first, NewPassword: own})
	return err
}

// openRing opens a store's keys as the server does.
func openRing(ctx context.Context, s store, db *meta.DB, c clock.Clock) (*keys.Ring, error) {
	kek, err := file.Load(filepath.Join(s.data, "keys", "kek.json"), c)
	if err != nil {
		return nil, err
	}
	var wrapped []byte
	if err := db.QueryRow(ctx, `SELECT value FROM settings WHERE name = 'secrets'`).Scan(&wrapped); err != nil {
		return nil, err
	}
	secrets, err := keys.OpenSecrets(ctx, kek, wrapped)
	if err != nil {
		return nil, err
	}
	p, err := policy.New(policy.Config{Clock: c})
	if err != nil {
		return nil, err
	}
	tenants := control.New(control.Config{DB: db, Policy: p, Clock: c})
	ring, err := keys.NewRing(keys.Config{KEK: kek, Store: tenants, Clock: c, Secrets: secrets})
	if err == nil {
		tenants.SetKeys(ring)
	}
	return ring, err
}

// The rows go back in time from yesterday, one every minute.
func at(n int) time.Time {
	return time.Now().UTC().Truncate(24 * time.Hour).Add(-time.Duration(n) * time.Minute)
}

func name(n int) string {
	word := "figures"
	if n%rare == rare/2+n/rare%big { // now and then the first tenant's
		word = needle
	}
	return fmt.Sprintf("%s-%s-%06d.csv", word, at(n).Format(time.DateOnly), n)
}

func (f *full) submission(ctx context.Context, tx *meta.DB, ring *keys.Ring, n int) error {
	id, of := clock.Clock{}.ID("sub"), f.tenants[owner(n)]
	sealed, err := ring.Encrypt(ctx, of, keys.Pool, []byte(name(n)), []byte("submission name "+id))
	if err != nil {
		return err
	}
	if len(f.names) < openedAtMost {
		f.names = append(f.names, sealedName{of, sealed, []byte("submission name " + id)})
	}
	state := "accepted"
	switch {
	case n%19 == 0:
		state = "rejected"
	case n%10 == 1:
		state = "superseded"
	}
	_, err = tx.Exec(ctx, `INSERT INTO submissions (id, tenant, dataset, dataset_version, date, revision, state, name, channel, size, row_count, column_count, object, commitment, received_at, validated_at, submitted_by)
		VALUES ($1, $2, 'bench-values', 1, $3, $4, $5, $6, $7, $8, 100, 5, '', $9, $10, $10, 'usr_bench')`,
		id, string(of), at(n).Format(time.DateOnly), int64(n), state, sealed, []string{"web", "api", "cli"}[n%3], int64(1000+n*7919%100_000), make([]byte, 32), meta.Micros(at(n)))
	return err
}

// result adds a release for every so many results as it has recipients, the first tenant
// among them.
func (f *full) result(ctx context.Context, tx *meta.DB, ring *keys.Ring, n int) error {
	release := fmt.Sprintf("rel_%026d", n/big)
	when, date := meta.Micros(at(n)), at(n).Format(time.DateOnly)
	if n%big == 0 {
		run := strings.Replace(release, "rel", "run", 1)
		if _, err := tx.Exec(ctx, `INSERT INTO runs (id, analysis, version, date, state, job, started_by, release_id, created_at) VALUES ($1, 'bench-sum', 1, $2, 'succeeded', '', 'usr_bench', $3, $4)`, run, date, release, when); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO releases (id, run, analysis, version, date, organisations, verified, snapshot, manifest, signature, created_at) VALUES ($1, $2, 'bench-sum', 1, $3, 20, 20, $4, $5, $5, $6)`,
			release, run, date, []byte(release), []byte{}, when); err != nil {
			return err
		}
	}
	id, of := clock.Clock{}.ID("res"), f.tenants[owner(n)]
	sealed, err := ring.Encrypt(ctx, of, keys.Pool, []byte(name(n)), []byte("result name "+id))
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO results (id, tenant, release_id, analysis, date, name, object, csv_size, row_count, suppressed, marked, created_at) VALUES ($1, $2, $3, 'bench-sum', $4, $5, '', 4000, 100, 0, 0, $6)`,
		id, string(of), release, date, sealed, when)
	return err
}
