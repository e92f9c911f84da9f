package meta

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"tributary/internal/fault"
)

// postgresDB is a schema of a PostgreSQL database: a pool, and one connection
// that holds the lock.
type postgresDB struct {
	pool   *pgxpool.Pool
	holder *pgx.Conn
	policy string        // what separates tenants, as PostgreSQL writes it
	gone   chan struct{} // closed when the lock was lost
	stop   context.CancelFunc
	done   sync.WaitGroup
}

// setTenant makes the policies show one tenant's rows until the transaction
// ends. It goes out together with the statement that it is for, so it costs no
// round trip; PostgreSQL forgets it with the transaction, so it cannot reach the
// next user of the connection.
const setTenant = `SELECT set_config('tributary.tenant', $1, true)`

const beginSerializable = `BEGIN ISOLATION LEVEL SERIALIZABLE`

func (db *postgresDB) name() string { return "postgres" }

func (db *postgresDB) lost() <-chan struct{} { return db.gone }

func (db *postgresDB) close() error {
	if db.stop != nil {
		db.stop()
		db.done.Wait()
	}
	if db.pool != nil {
		db.pool.Close()
	}
	if db.holder != nil {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		// The lock ends with the connection, but the server may take its time to see that.
		_, _ = db.holder.Exec(ctx, `SELECT pg_advisory_unlock_all()`)
		_ = db.holder.Close(ctx)
	}
	return nil
}

const closeTimeout = 5 * time.Second

// run sends the setting and the statement in one message, which PostgreSQL runs
// as one transaction at the connection's default level, serialisable.
func (db *postgresDB) run(ctx context.Context, setting string, s *statement, args []any) (result, error) {
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return result{}, classifyPostgres(ctx, err)
	}
	defer conn.Release()
	b := &pgx.Batch{}
	if setting != "" {
		b.Queue(setTenant, setting)
	}
	r, err := send(ctx, conn.Conn(), b, s.text, args)
	return r, classifyPostgres(ctx, err)
}

// send adds a statement to a batch, sends it and reads what the statement gave.
// The error of a commit at the batch's end counts as the statement's.
func send(ctx context.Context, conn *pgx.Conn, b *pgx.Batch, text string, args []any) (r result, err error) {
	before := b.Len()
	b.Queue(text, args...)
	answers := conn.SendBatch(ctx, b)
	defer func() {
		if closing := answers.Close(); err == nil {
			err = closing
		}
	}()
	for range before {
		if _, err := answers.Exec(); err != nil {
			return r, err
		}
	}
	rows, err := answers.Query()
	if err != nil {
		return r, err
	}
	defer rows.Close()
	for _, f := range rows.FieldDescriptions() {
		r.columns = append(r.columns, f.Name)
	}
	size := 0
	for rows.Next() {
		row, err := rows.Values()
		if err != nil {
			return r, err
		}
		for i := range row {
			if row[i], err = plain(row[i]); err != nil {
				return r, fmt.Errorf("column %s: %w", r.columns[i], err)
			}
		}
		if size += rowSize(row); size > maxResult {
			return r, errTooMuch(text)
		}
		r.rows = append(r.rows, row)
	}
	rows.Close()
	r.changed = rows.CommandTag().RowsAffected()
	if tag := rows.CommandTag(); tag.Select() {
		r.changed = 0
	}
	return r, rows.Err()
}

// plain turns PostgreSQL's types into the few that SQLite has.
func plain(v any) (any, error) {
	switch v := v.(type) {
	case nil, int64, float64, string, []byte, bool:
		return v, nil
	case int32:
		return int64(v), nil
	case int16:
		return int64(v), nil
	case float32:
		return float64(v), nil
	case pgtype.Numeric: // SUM and AVG of BIGINT
		if i, err := v.Int64Value(); err == nil && i.Valid {
			return i.Int64, nil
		}
		f, err := v.Float64Value()
		if err != nil {
			return nil, err
		}
		if !f.Valid {
			return nil, nil
		}
		if f.Float64 == math.Trunc(f.Float64) {
			return nil, errors.New("the sum does not fit a BIGINT")
		}
		return f.Float64, nil
	}
	return nil, fmt.Errorf("a %T is not a type that both databases have", v)
}

func (db *postgresDB) begin(ctx context.Context) (session, error) {
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return nil, classifyPostgres(ctx, err)
	}
	return &postgresTx{conn: conn}, nil
}

// postgresTx is a transaction. It begins with its first statement, in the same
// message.
type postgresTx struct {
	conn    *pgxpool.Conn
	begun   bool
	setting string // what tributary.tenant is now
}

func (t *postgresTx) run(ctx context.Context, setting string, s *statement, args []any) (result, error) {
	b := &pgx.Batch{}
	if !t.begun {
		b.Queue(beginSerializable)
	}
	if setting != t.setting {
		b.Queue(setTenant, setting)
	}
	t.begun, t.setting = true, setting
	r, err := send(ctx, t.conn.Conn(), b, s.text, args)
	return r, classifyPostgres(ctx, err)
}

func (t *postgresTx) commit(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		t.rollback()
		return err
	}
	defer t.conn.Release()
	if !t.begun {
		return nil
	}
	// The context no longer counts: a commit that is cut off halfway would leave
	// open whether it happened.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	tag, err := t.conn.Exec(ctx, "COMMIT")
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return fault.Wrap(fault.Unavailable, err, wordsUnavailable)
		}
		return classifyPostgres(ctx, err)
	}
	if tag.String() != "COMMIT" {
		return fmt.Errorf("meta: the commit was a %s", tag)
	}
	return nil
}

const commitTimeout = 30 * time.Second

func (t *postgresTx) rollback() {
	if t.begun && t.conn.Conn().PgConn().TxStatus() != 'I' {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		_, _ = t.conn.Exec(ctx, "ROLLBACK") // if it fails, Release closes the connection
	}
	t.conn.Release()
}

func (db *postgresDB) compact(ctx context.Context) error {
	if err := db.awaitReaders(ctx); err != nil {
		return classifyPostgres(ctx, err)
	}
	tables, err := allTables(ctx, db.pool)
	if err != nil {
		return classifyPostgres(ctx, err)
	}
	for _, t := range tables {
		if _, err := db.pool.Exec(ctx, "VACUUM (FULL) "+pgx.Identifier{t}.Sanitize()); err != nil {
			return classifyPostgres(ctx, err)
		}
	}
	return nil
}

// awaitReaders waits until no transaction is left that may still see what was
// deleted before: VACUUM would leave it those rows.
func (db *postgresDB) awaitReaders(ctx context.Context) error {
	var now string
	if err := db.pool.QueryRow(ctx, `SELECT pg_current_xact_id()::xid::text`).Scan(&now); err != nil {
		return err
	}
	tick := time.NewTicker(readersPoll)
	defer tick.Stop()
	for deadline := time.Now().Add(maxWait); ; {
		var older int
		err := db.pool.QueryRow(ctx, `
			SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid() AND age(backend_xmin) > age($1::text::xid)`, now).Scan(&older)
		if err != nil || older == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fault.New(fault.Unavailable, "A transaction still reads what was deleted from the control database. Try again.")
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

const readersPoll = 20 * time.Millisecond

func (db *postgresDB) verify(ctx context.Context) ([]string, error) {
	var problems []string
	tables, err := allTables(ctx, db.pool)
	if err != nil {
		return nil, classifyPostgres(ctx, err)
	}
	for _, t := range tables {
		// Reads every value, so the server checks its pages' checksums if it has them.
		s := &statement{text: "SELECT coalesce(sum(length(t::text)), 0) FROM " + pgx.Identifier{t}.Sanitize() + " AS t"}
		_, err := db.run(ctx, everyone, s, nil)
		switch {
		case fault.Is(err, fault.Damaged):
			problems = append(problems, "control database: table "+t+": "+err.Error())
		case err != nil:
			return nil, err
		}
	}
	open, err := unprotected(ctx, db.pool, db.policy)
	if err != nil {
		return nil, classifyPostgres(ctx, err)
	}
	for _, t := range open {
		problems = append(problems, "control database: table "+t+" does not keep tenants apart: row-level security or its policy was changed; a restart repairs it")
	}
	return problems, nil
}

// hold takes the lock that makes this the one active server on the schema.
func (db *postgresDB) hold(ctx context.Context, c Config, schema string) error {
	key := lockKey(schema)
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	// Asked again and again, and not waited for in the server: a statement that
	// waits has a snapshot, which would keep deleted rows from being removed.
	for polls := 0; ; polls++ {
		var got bool
		if err := db.holder.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, key).Scan(&got); err != nil || got {
			return err
		}
		if !c.Wait && polls >= int(lockGrace/lockPoll) {
			return errSecond(fmt.Sprintf("in schema %q", schema))
		}
		if c.Wait && polls == 0 {
			c.Log.InfoContext(ctx, "waiting until the other server ends", "schema", schema)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func lockKey(schema string) int64 {
	h := fnv.New64a()
	h.Write([]byte("tributary/" + schema))
	return int64(h.Sum64())
}

// How often the connection that holds the lock is asked whether it is still
// there, when nothing has said that it is not.
const (
	watchEvery   = 5 * time.Second
	watchTimeout = 5 * time.Second
)

// watch closes gone when the connection that holds the lock breaks.
func (db *postgresDB) watch(log *slog.Logger) {
	ctx, stop := context.WithCancel(context.Background())
	db.stop = stop
	db.done.Go(func() {
		for {
			wait, cancel := context.WithTimeout(ctx, watchEvery)
			err := db.holder.PgConn().WaitForNotification(wait) // returns at once when the server hangs up
			cancel()
			if ctx.Err() != nil {
				return
			}
			if wait.Err() != nil && !db.holder.IsClosed() {
				ping, cancel := context.WithTimeout(ctx, watchTimeout)
				err = db.holder.Ping(ping)
				cancel()
			}
			if err != nil && ctx.Err() == nil {
				log.Error("lost the lock on the control database", "error", err)
				close(db.gone)
				return
			}
		}
	})
}
