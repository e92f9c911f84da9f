package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"tributary/client"
)

const (
	dashboardFloor = 5.0 // times DuckDB's own p95 on the same table
	dashboardEvery = 250 * time.Millisecond
	dashboardCount = 120 // questions
)

// dashboard is what a dashboard asks of one tenant's last 30 days.
var dashboard = []string{
	`SELECT time::DATE AS day, count(*) AS events, count(DISTINCT user_id) AS people FROM fact_event WHERE tenant = '[tenant]' AND time >= TIMESTAMP '2026-08-25' GROUP BY ALL ORDER BY ALL`,
	`SELECT type, count(*) AS events FROM fact_event WHERE tenant = '[tenant]' AND time >= TIMESTAMP '2026-08-02' GROUP BY ALL ORDER BY events DESC, type LIMIT 10`,
	`SELECT user_id, count(*) AS events, max(time) AS last FROM fact_event WHERE tenant = '[tenant]' GROUP BY ALL ORDER BY events DESC, user_id LIMIT 20`,
}

// Events of 60 days in the order in which they came, of 1,000 tenants by Zipf 1.1 (its continuous
// form) and 100,000 users.
const dashboardRows = `INSERT INTO fact_event BY NAME
	SELECT n::UHUGEINT AS key, printf('ten_%026d', tenant) AS tenant, 'src_1' AS source, n::VARCHAR AS id,
		['page viewed', 'report opened', 'search run', 'login', 'dashboard opened', 'file uploaded', 'export started', 'invite sent'][1 + (hash(n, 3) % 8 * (hash(n, 4) % 8) // 8)::INTEGER] AS type,
		moment AS time, moment AS received, 'segment' AS channel, printf('user-%d-%d', tenant, hash(n, 2) % 100) AS user_id
	FROM (SELECT n, floor(pow(1 - (hash(n, 1) % 1000000 / 1e6) * (1 - pow(1001, -0.1)), -10))::INTEGER AS tenant, TIMESTAMP '2026-07-03' + to_microseconds(n * (5184000000000 // [rows])) AS moment FROM range([rows]) t(n))`

// dashboards asks what a dashboard shows of one tenant after the other, by Zipf, at fixed times
// whether or not the last question is answered. The limit is DuckDB itself, one question after the other, on
// the same file, and on a copy that is sorted by tenant.
func (b *bench) dashboards(ctx context.Context) error {
	rows, count := b.millions*1_000_000, dashboardCount
	if b.quick {
		rows, count = rows/10, count/4
	}
	s, err := b.newStore(ctx, "dashboards")
	if err != nil {
		return err
	}
	p := &collecting{store: s}
	if err := b.warehouseOf(ctx, p, rows); err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(seed, 7)) //nolint:gosec // the same each time
	zipf := rand.NewZipf(random, 1.1, 1, eventTenants-1)
	questions := make([]string, count)
	for n := range questions {
		questions[n] = strings.Replace(dashboard[n%len(dashboard)], "[tenant]", fmt.Sprintf("ten_%026d", 1+zipf.Uint64()), 1)
	}
	plain, sorted, err := b.rawDashboards(ctx, s, questions)
	if err != nil {
		return err
	}
	if p.server, err = b.start(ctx, s); err != nil {
		return err
	}
	defer func() { _ = p.kill() }() // if it is still there
	if p.admin, err = p.client(s.token); err != nil {
		return err
	}
	if _, err := p.count(ctx, "SELECT count(*) FROM fact_event"); err != nil { // which starts its process
		return err
	}
	ours, err := p.ask(ctx, questions)
	if err != nil {
		return err
	}
	if err := p.stop(); err != nil {
		return err
	}
	for _, list := range [][]time.Duration{ours, plain, sorted} {
		slices.Sort(list)
	}
	b.printf("%d questions about %d rows of %d tenants; product through the API, one each %s, open loop\n", count, rows, eventTenants, millis(dashboardEvery))
	for _, m := range []struct {
		what string
		took []time.Duration
	}{{"product", ours}, {"DuckDB, the same table", plain}, {"DuckDB, sorted by tenant", sorted}} {
		b.printf("%s: p50 %s, p95 %s, max %s\n", m.what, millis(percentile(m.took, 50)), millis(percentile(m.took, 95)), millis(m.took[len(m.took)-1]))
	}
	ratio := percentile(ours, 95).Seconds() / percentile(plain, 95).Seconds()
	b.floor(ratio <= dashboardFloor, "p95 of a dashboard's questions is %.2f times DuckDB's own on the same table, %.2f times on a sorted one; floor %.1f", ratio, percentile(ours, 95).Seconds()/percentile(sorted, 95).Seconds(), dashboardFloor)
	return nil
}

func (s store) warehouse() string { return filepath.Join(s.data, "warehouse", "warehouse.duckdb") }

// warehouseOf has the server make its warehouse, and fills it while the server is stopped.
func (b *bench) warehouseOf(ctx context.Context, p *collecting, rows int) (err error) {
	if p.server, err = b.start(ctx, p.store); err != nil {
		return err
	}
	if p.admin, err = p.client(p.store.token); err == nil {
		_, err = p.count(ctx, "SELECT count(*) FROM fact_event")
	}
	if err := errors.Join(err, p.stop()); err != nil {
		return err
	}
	db, err := sql.Open("duckdb", p.store.warehouse()+"?threads=2")
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, strings.ReplaceAll(dashboardRows, "[rows]", fmt.Sprint(rows)))
	return errors.Join(err, db.Close())
}

// rawDashboards asks DuckDB itself.
func (b *bench) rawDashboards(ctx context.Context, s store, questions []string) (plain, sorted []time.Duration, err error) {
	db, err := sql.Open("duckdb", s.warehouse()+"?threads=2")
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	if plain, err = timesOf(ctx, db, questions); err != nil {
		return nil, nil, err
	}
	for _, statement := range []string{
		"ATTACH '" + filepath.Join(b.dir, "sorted.duckdb") + "' AS sorted",
		"CREATE TABLE sorted.fact_event AS SELECT tenant, time, type, user_id FROM fact_event ORDER BY tenant, time",
		"USE sorted",
	} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return nil, nil, err
		}
	}
	sorted, err = timesOf(ctx, db, questions)
	return plain, sorted, err
}

func timesOf(ctx context.Context, db *sql.DB, questions []string) (took []time.Duration, err error) {
	for _, q := range questions {
		began := time.Now()
		found, err := rowsOf(ctx, db, q)
		if err != nil {
			return nil, err
		}
		if found == 0 {
			return nil, fmt.Errorf("nothing was found by %s", q)
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}

// rowsOf visits the rows of an answer.
func rowsOf(ctx context.Context, db *sql.DB, question string) (found int, err error) {
	rows, err := db.QueryContext(ctx, question)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		found++
	}
	return found, rows.Err()
}

// ask asks each question when it is due, and returns how long after that it was answered.
func (c *collecting) ask(ctx context.Context, questions []string) ([]time.Duration, error) {
	took := make([]time.Duration, len(questions))
	errs := make([]error, len(questions))
	began := time.Now()
	var all sync.WaitGroup
	for n, q := range questions {
		due := began.Add(time.Duration(n) * dashboardEvery)
		time.Sleep(time.Until(due))
		all.Go(func() {
			answer, err := c.admin.Query(ctx, client.NewQuery{SQL: q})
			if err == nil && len(answer.Rows) == 0 {
				err = fmt.Errorf("nothing was found by %s", q)
			}
			took[n], errs[n] = time.Since(due), err
		})
	}
	all.Wait()
	return took, errors.Join(errs...)
}
