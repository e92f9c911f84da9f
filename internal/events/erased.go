package events

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// Erasure is the erasure of one person from a tenant's events: of what had come until it
// was asked for. An admin begins it, package archive carries it out, and it is kept as long
// as the tenant: what is in a block or an object of before stays left out.
type Erasure struct {
	ID      string
	Tenant  tenant.ID
	Names   []string  // what events call the person; the first as it was asked for
	Through time.Time // events that were received until then
	Whole   bool      // Names has all that stand for the same person, whose events are left out from then on
	By      string

	Archived, Objects, Unread, Loaded, Held int64

	Problem string    // what it waits for
	DoneAt  time.Time // zero: it goes on
}

// erasureBody is what is sealed of an Erasure.
type erasureBody struct {
	Names   []string  `json:"names"`
	Through time.Time `json:"through"`
	Whole   bool      `json:"whole"`
}

// Has reports whether an event is the person's.
func (r *Erasure) Has(e *Event) bool {
	return !e.Received.After(r.Through) && slices.Contains(r.Names, e.person())
}

// person is what an event calls who did it, as fact_activity has it. Acts in Tributary
// itself are those of accounts, and stay.
func (e *Event) person() string {
	switch {
	case e.Source == ControlSource:
		return ""
	case e.User != "":
		return e.User
	}
	return e.Anonymous
}

// Erased knows who was erased from tenants' events. It is safe for use by several
// goroutines; a nil Erased knows nobody.
type Erased struct {
	db   *meta.DB
	ring *keys.Ring

	version atomic.Int64
	mu      sync.Mutex
	by      map[tenant.ID]People // of tenants that were asked for
}

// People are until when events of each name are left out.
type People map[string]time.Time

// Has reports whether an event is to be left out.
func (p People) Has(e *Event) bool {
	if len(p) == 0 {
		return false
	}
	until, erased := p[e.person()]
	return erased && !e.Received.After(until)
}

// NewErased makes Erased.
func NewErased(db *meta.DB, ring *keys.Ring) *Erased {
	return &Erased{db: db, ring: ring, by: map[tenant.ID]People{}}
}

// Version is another one after anybody was erased.
func (x *Erased) Version() int64 {
	if x == nil {
		return 0
	}
	return x.version.Load()
}

// UnscopedOf are the people that were erased from the events of a tenant; with "" nobody.
func (x *Erased) UnscopedOf(ctx context.Context, id tenant.ID) (People, error) {
	if x == nil || id == "" {
		return nil, nil
	}
	x.mu.Lock()
	found, known := x.by[id]
	version := x.version.Load()
	x.mu.Unlock()
	if known {
		return found, nil
	}
	list, err := x.list(ctx, x.db.For(id), `tenant = $1`, string(id))
	if err != nil { // nothing is read wrongly meanwhile, and nothing passed over
		return nil, fmt.Errorf("%w: %w", keys.ErrKey, err)
	}
	for _, r := range list {
		if !r.Whole { // what tells the other names has to be read first
			continue
		}
		if found == nil {
			found = People{}
		}
		for _, name := range r.Names {
			if r.Through.After(found[name]) {
				found[name] = r.Through
			}
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.version.Load() == version {
		x.by[id] = found
	}
	return found, nil
}

// forget has a tenant's asked for again.
func (x *Erased) forget(id tenant.ID) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.version.Add(1)
	delete(x.by, id)
}

func (x *Erased) seal(ctx context.Context, r *Erasure) ([]byte, error) {
	raw, err := json.Marshal(erasureBody{r.Names, r.Through, r.Whole})
	if err != nil {
		return nil, fmt.Errorf("encode erasure: %w", err)
	}
	return x.ring.Encrypt(ctx, r.Tenant, keys.Pool, raw, []byte("event erasure "+r.ID))
}

// Add notes, when tx commits, who is to be erased.
func (x *Erased) Add(ctx context.Context, tx *meta.DB, r Erasure) error {
	body, err := x.seal(ctx, &r)
	if err != nil {
		return err
	}
	if _, err := tx.RowsOf(r.Tenant).Exec(ctx, `INSERT INTO event_erasures (id, tenant, body, asked_at, asked_by) VALUES ($1, $2, $3, $4, $5)`,
		r.ID, string(r.Tenant), body, meta.Micros(r.Through), r.By); err != nil {
		return fmt.Errorf("note erasure: %w", err)
	}
	return nil
}

// Name notes all the names of who is to be erased. From then on Blocks leave the person's
// events out.
func (x *Erased) Name(ctx context.Context, r Erasure) error {
	body, err := x.seal(ctx, &r)
	if err != nil {
		return err
	}
	_, err = x.db.RowsOf(r.Tenant).Exec(ctx, `UPDATE event_erasures SET body = $1 WHERE tenant = $2 AND id = $3`, body, string(r.Tenant), r.ID)
	x.forget(r.Tenant)
	if err != nil {
		return fmt.Errorf("name who is erased: %w", err)
	}
	return nil
}

// Count adds to what an erasure has done.
func (x *Erased) Count(ctx context.Context, tx *meta.DB, r Erasure, done Erasure) error {
	if _, err := tx.RowsOf(r.Tenant).Exec(ctx, `UPDATE event_erasures SET archived = archived + $1, objects = objects + $2, loaded = loaded + $3, held = held + $4 WHERE tenant = $5 AND id = $6`,
		done.Archived, done.Objects, done.Loaded, done.Held, string(r.Tenant), r.ID); err != nil {
		return fmt.Errorf("count what was erased: %w", err)
	}
	return nil
}

// Wait notes what an erasure waits for.
func (x *Erased) Wait(ctx context.Context, r Erasure, problem string) error {
	if _, err := x.db.RowsOf(r.Tenant).Exec(ctx, `UPDATE event_erasures SET problem = $1 WHERE tenant = $2 AND id = $3`, problem, string(r.Tenant), r.ID); err != nil {
		return fmt.Errorf("note what an erasure waits for: %w", err)
	}
	return nil
}

// End notes that an erasure has been carried out, but for objects that could not be read.
func (x *Erased) End(ctx context.Context, tx *meta.DB, r Erasure, unread int64, at time.Time) error {
	if _, err := tx.RowsOf(r.Tenant).Exec(ctx, `UPDATE event_erasures SET done_at = $1, unread = $2, problem = '' WHERE tenant = $3 AND id = $4`,
		meta.Micros(at), unread, string(r.Tenant), r.ID); err != nil {
		return fmt.Errorf("note the end of an erasure: %w", err)
	}
	return nil
}

// UnscopedAgain has a tenant's erasures carried out once more.
func (x *Erased) UnscopedAgain(ctx context.Context, tx *meta.DB, id tenant.ID) error {
	if _, err := tx.RowsOf(id).Exec(ctx, `UPDATE event_erasures SET done_at = NULL WHERE tenant = $1`, string(id)); err != nil {
		return fmt.Errorf("begin erasures again: %w", err)
	}
	return nil
}

// UnscopedDue lists the erasures that are not carried out yet, of all tenants.
func (x *Erased) UnscopedDue(ctx context.Context) ([]Erasure, error) {
	return x.list(ctx, x.db.Unscoped(), `done_at IS NULL`)
}

// UnscopedFind finds an erasure: with "" whosever it is, else a tenant's.
func (x *Erased) UnscopedFind(ctx context.Context, id tenant.ID, erasure string) (Erasure, error) {
	db, where, args := x.db.Unscoped(), `id = $1`, []any{erasure}
	if id != "" {
		db, where, args = x.db.For(id), where+` AND tenant = $2`, append(args, string(id))
	}
	r, err := x.scan(ctx, db.QueryRow(ctx, `SELECT `+erasureColumns+` FROM event_erasures WHERE `+where, args...))
	if errors.Is(err, sql.ErrNoRows) {
		return r, fault.New(fault.NotFound, "There is no erasure %q.", erasure)
	}
	return r, err
}

const erasureColumns = `id, tenant, body, asked_by, archived, objects, unread, loaded, held, problem, done_at`

func (x *Erased) list(ctx context.Context, db *meta.DB, where string, args ...any) (list []Erasure, err error) {
	rows, err := db.Query(ctx, `SELECT `+erasureColumns+` FROM event_erasures WHERE `+where+` ORDER BY asked_at, id`, args...)
	if err != nil {
		return nil, fmt.Errorf("list erasures: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		r, err := x.scan(ctx, rows)
		if err != nil && !fault.Is(err, fault.NotFound) { // the tenant is being erased itself
			return nil, err
		}
		if err == nil {
			list = append(list, r)
		}
	}
	return list, rows.Err()
}

func (x *Erased) scan(ctx context.Context, row meta.Scanner) (r Erasure, err error) {
	var sealed []byte
	var done *int64
	if err := row.Scan(&r.ID, &r.Tenant, &sealed, &r.By, &r.Archived, &r.Objects, &r.Unread, &r.Loaded, &r.Held, &r.Problem, &done); err != nil {
		return r, err
	}
	if done != nil {
		r.DoneAt = meta.Time(*done)
	}
	var body erasureBody
	raw, err := x.ring.Decrypt(ctx, r.Tenant, keys.Pool, sealed, []byte("event erasure "+r.ID))
	if err == nil {
		err = json.Unmarshal(raw, &body)
	}
	if err != nil {
		return r, fmt.Errorf("open erasure %s: %w", r.ID, err)
	}
	r.Names, r.Through, r.Whole = body.Names, body.Through, body.Whole
	return r, nil
}
