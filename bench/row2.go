package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	whole "math/big"
	"path/filepath"
	"slices"
	"time"

	duckdb "github.com/duckdb/duckdb-go/v2"

	"tributary/client"
)

const (
	queryableFloor = 1005 * time.Millisecond // VictoriaLogs', quoted
	loadFloor      = 0.05                    // of the rows a second of DuckDB's own appender
	markersFor     = 30 * time.Second
	poll           = 10 * time.Millisecond
	loadRows       = 200_000
	appendedRows   = 20_000 // of the peer, in one transaction
)

// queryable sends an event, and asks for it until it is there, again and again, while 10,000
// others a second come in. The limit is DuckDB's own: 1,000 rows appended, flushed and counted.
func (b *bench) queryable(ctx context.Context) error {
	tenants, during := 200, markersFor
	if b.quick {
		tenants, during = tenants/4, during/5
	}
	p, err := b.collecting(ctx, "queryable", "platinum", tenants, 2)
	if err != nil {
		return err
	}
	defer func() { _ = p.kill() }() // if it is still there
	background, err := p.senders(ctx, p.keys[0], 0, 32, tenants, 100)
	if err != nil {
		return err
	}
	marker, err := dial(ctx, p.collect, p.keys[1], 1000, nil)
	if err != nil {
		return err
	}
	limit, err := b.appendAndCount(ctx)
	if err != nil {
		return err
	}
	var others sent
	ended := make(chan error, 1)
	go func() {
		var err error
		others, err = drive(background, during, 10*time.Millisecond)
		ended <- err
	}()
	var took []time.Duration
	for began := time.Now(); time.Since(began) < during; {
		one, err := p.mark(ctx, marker, len(took))
		if err != nil {
			return errors.Join(err, <-ended)
		}
		took = append(took, one)
	}
	if err := errors.Join(<-ended, closeAll(background), marker.close(), p.stop()); err != nil {
		return err
	}
	slices.Sort(took)
	b.printf("background: %.0f events a second of %d tenants, acknowledged p99 %s; %d markers, asked for every %s through the API\n", float64(len(others.took)*100)/others.wall.Seconds(), tenants, millis(others.p(99)), len(took), millis(poll))
	b.printf("limit: DuckDB alone, 1,000 rows appended, flushed and counted: %s\n", limit)
	p95 := percentile(took, 95)
	b.floor(p95 <= queryableFloor, "from sending an event to finding it p50 %s, p95 %s, max %s; floor %s", millis(percentile(took, 50)), millis(p95), millis(took[len(took)-1]), millis(queryableFloor))
	return nil
}

// mark sends an event of a type of its own, and returns how long it was until a SELECT
// found it.
func (c *collecting) mark(ctx context.Context, s *sender, number int) (time.Duration, error) {
	kind := fmt.Sprintf("marker-%06d", number)
	now := time.Now().UTC().Format(stampForm)
	m := payload{body: fmt.Appendf(nil, `{"batch":[{"type":"track","messageId":"%0*d","userId":"marker","event":%q,"timestamp":%q,"context":{"groupId":%q}}],"sentAt":"`, idDigits, 0, kind, now, slugOf(0)),
		ids: []int{len(`{"batch":[{"type":"track","messageId":"`)}}
	m.sent = len(m.body)
	m.body = append(m.body, now+`"}`...)
	s.payloads = []payload{m}
	began := time.Now()
	if status, err := s.send(); err != nil || status != 200 {
		return 0, errors.Join(err, fmt.Errorf("the marker was answered with %d", status))
	}
	for {
		found, err := c.count(ctx, "SELECT count(*) FROM fact_event WHERE type = '"+kind+"'")
		if err != nil {
			return 0, err
		}
		took := time.Since(began)
		if found == 1 {
			return took, nil
		}
		if took > time.Minute {
			return 0, errors.New("a marker was not to be found within a minute")
		}
		time.Sleep(poll)
	}
}

// count asks the warehouse for a number.
func (c *collecting) count(ctx context.Context, statement string) (int, error) {
	answer, err := c.admin.Query(ctx, client.NewQuery{SQL: statement})
	if err != nil {
		return 0, err
	}
	if len(answer.Rows) != 1 || len(answer.Rows[0]) != 1 {
		return 0, fmt.Errorf("unexpected answer %v", answer.Rows)
	}
	n, ok := answer.Rows[0][0].(float64)
	if !ok {
		return 0, fmt.Errorf("unexpected answer %v", answer.Rows)
	}
	return int(n), nil
}

// appender is the peer of loads: DuckDB's own, into a table of the warehouse's columns in a file.
type appender struct {
	connector *duckdb.Connector
	conn      driver.Conn
	rows      *duckdb.Appender
	next      int64
}

func (b *bench) openAppender(ctx context.Context, name string) (_ *appender, err error) {
	a := &appender{}
	if a.connector, err = duckdb.NewConnector(filepath.Join(b.dir, name), func(driver.ExecerContext) error { return nil }); err != nil {
		return nil, err
	}
	db := sql.OpenDB(a.connector)
	_, err = db.ExecContext(ctx, `CREATE TABLE fact_event (key HUGEINT NOT NULL, tenant VARCHAR, source VARCHAR NOT NULL, origin VARCHAR, id VARCHAR NOT NULL, type VARCHAR NOT NULL, subject VARCHAR,
		time TIMESTAMP NOT NULL, received TIMESTAMP NOT NULL, channel VARCHAR, user_id VARCHAR, anonymous_id VARCHAR, session_id VARCHAR, device_id VARCHAR, data VARCHAR, context VARCHAR, flags VARCHAR)`)
	if err == nil {
		a.conn, err = a.connector.Connect(ctx)
	}
	if err == nil {
		a.rows, err = duckdb.NewAppenderFromConn(a.conn, "", "fact_event")
	}
	return a, err
}

// add appends rows, and commits them.
func (a *appender) add(count int) error {
	at := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
	data := `{"path":"/projects/123/reports/4567","title":"Report 4567 of project 123","referrer":"https://app.example.com/projects/123","duration_ms":45678,"plan":"business","seats":120}`
	about := `{"groupId":"tenant-00123","ip":"10.1.2.3","userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36","library":{"name":"@segment/analytics-node","version":"2.3.0"},"sessionId":"s-0000123456"}`
	for range count {
		n := a.next
		a.next++
		when := at.Add(time.Duration(n) * time.Millisecond)
		if err := a.rows.AppendRow(whole.NewInt(n), fmt.Sprintf("ten_%026d", n%1000), "src_1", nil, fmt.Sprintf("%0*d", idDigits, n), eventTypes[n%12].name, nil,
			when, when, "segment", fmt.Sprintf("user-%06d", n%100_000), fmt.Sprintf("%032d", n), "s-0000123456", nil, data, about, nil); err != nil {
			return err
		}
	}
	return a.rows.Flush()
}

func (a *appender) close() error {
	return errors.Join(a.rows.Close(), a.conn.Close(), a.connector.Close())
}

func (b *bench) appendAndCount(ctx context.Context) (spread[time.Duration], error) {
	a, err := b.openAppender(ctx, "limit.duckdb")
	if err != nil {
		return spread[time.Duration]{}, err
	}
	var took []time.Duration
	for range 30 {
		began := time.Now()
		if err := a.add(1000); err != nil {
			return spread[time.Duration]{}, err
		}
		q, ok := a.conn.(driver.QueryerContext)
		if !ok {
			return spread[time.Duration]{}, errors.New("the peer's connection asks nothing")
		}
		rows, err := q.QueryContext(ctx, `SELECT count(*) FROM fact_event WHERE type = 'login'`, nil)
		if err != nil {
			return spread[time.Duration]{}, err
		}
		if err := errors.Join(rows.Next(make([]driver.Value, 1)), rows.Close()); err != nil {
			return spread[time.Duration]{}, err
		}
		took = append(took, time.Since(began))
	}
	return spreadOf(took), a.close()
}

// loads lets events wait in the stream, and then the warehouse load them all: read, opened, decoded,
// sent to its process, each once, and committed. The peer appends rows of the same columns and looks for none.
func (b *bench) loads(ctx context.Context) error {
	tenants, most := 200, loadRows
	if b.quick {
		tenants, most = tenants/4, most/10
	}
	p, err := b.collecting(ctx, "loads", "platinum", tenants, 4)
	if err != nil {
		return err
	}
	defer func() { _ = p.kill() }() // if it is still there
	a, err := b.openAppender(ctx, "peer.duckdb")
	if err != nil {
		return err
	}
	b.printf("product: from the stream to committed rows, each once, in transactions of about 12 MiB; peer: DuckDB's own appender, row by row, %d in a transaction\n", appendedRows)
	var ratios []float64
	for round := range b.rounds + 1 {
		ours, rows, err := p.loadOnce(ctx, round, tenants, most/(b.rounds+1))
		if err != nil {
			return err
		}
		began := time.Now()
		for left := rows; left > 0; left -= appendedRows {
			if err := a.add(min(left, appendedRows)); err != nil {
				return err
			}
		}
		theirs := time.Since(began)
		if round == 0 {
			continue
		}
		ratios = append(ratios, theirs.Seconds()/ours.Seconds())
		b.printf("round %d: %d rows, product %.0f a second, peer %.0f a second, ratio %.3f; load average %s\n", round, rows, float64(rows)/ours.Seconds(), float64(rows)/theirs.Seconds(), ratios[len(ratios)-1], loadAverage())
	}
	if err := errors.Join(a.close(), p.stop()); err != nil {
		return err
	}
	ratio := spreadOf(ratios)
	b.floor(ratio.median >= loadFloor, "rows a second, product/peer, over %d rounds %s; floor %.2f", len(ratios), ratio, loadFloor)
	return nil
}

// loadOnce has about so many events wait, and returns how long it took to load how many.
func (c *collecting) loadOnce(ctx context.Context, round, tenants, rows int) (time.Duration, int, error) {
	const all = "SELECT count(*) FROM fact_event"
	before, err := c.count(ctx, all) // which starts its process
	if err != nil {
		return 0, 0, err
	}
	goOn, err := c.stopLoading()
	if err != nil {
		return 0, 0, err
	}
	sent := 0
	for n, key := range c.keys {
		list, err := c.senders(ctx, key, 1+round*len(c.keys)+n, 1, tenants, 100)
		if err != nil {
			return 0, 0, errors.Join(err, goOn())
		}
		for range rows / 100 / len(c.keys) {
			status, err := list[0].send()
			if err != nil || status != 200 {
				return 0, 0, errors.Join(err, fmt.Errorf("events were answered with %d", status), goOn())
			}
			sent += 100
		}
		if err := closeAll(list); err != nil {
			return 0, 0, errors.Join(err, goOn())
		}
	}
	if err := goOn(); err != nil {
		return 0, 0, err
	}
	for began := time.Now(); ; time.Sleep(poll) {
		have, err := c.count(ctx, all)
		if err != nil {
			return 0, 0, err
		}
		took := time.Since(began)
		if have == before+sent {
			return took, sent, nil
		}
		if took > 2*time.Minute {
			return 0, 0, fmt.Errorf("%d of %d rows were loaded within two minutes", have-before, sent)
		}
	}
}
