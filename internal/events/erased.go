package events

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
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
	Through time.Time // events that were received until then: when it was asked for
	Begun   bool      // from then on the person's events are left out
	By      string

	Archived, Objects, Unread, Loaded, Held int64

	Problem string    // what it waits for
	DoneAt  time.Time // zero: it goes on
	Again   int64     // how often it is to be done again since
	Damage  error     // why it cannot be told who it is; nil: it can
}

// Done reports whether it has been carried out.
func (r *Erasure) Done() bool { return !r.DoneAt.IsZero() && r.Again == 0 }

// MostNames is how many names one erasure has at most.
const MostNames = 1000

// mostOpen is how many erasures of a tenant may be under way.
const mostOpen = 100

// Person is who may be erased from a tenant's events.
type Person struct {
	Names  []string // the first as it was asked for
	Events []int64  // that came under each name, and are in the warehouse
	Shared []string // that are linked with the first, and somebody else's too
}

// erasureBody is what is sealed of an Erasure.
type erasureBody struct {
	Names   []string  `json:"names"`
	Through time.Time `json:"through"`
	Begun   bool      `json:"begun"`
}

// People are those whose events an erasure takes away.
func (r *Erasure) People() People {
	p := People{}
	p.add(r)
	return p
}

// person is what an event calls who did it, as fact_activity has it; "" is nobody. Acts in
// Tributary itself are those of accounts, and stay.
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

	mu       sync.Mutex
	versions map[tenant.ID]int64
	by       map[tenant.ID]People // of tenants that were asked for
}

// People are until when events of each name are left out.
type People map[string]time.Time

// Has reports whether an event is to be left out.
func (p People) Has(e *Event) bool {
	if len(p) == 0 {
		return false
	}
	name := e.person()
	until, erased := p[name]
	return erased && name != "" && !e.Received.After(until)
}

func (p People) add(r *Erasure) {
	for _, name := range r.Names {
		if r.Through.After(p[name]) {
			p[name] = r.Through
		}
	}
}

// NewErased makes Erased.
func NewErased(db *meta.DB, ring *keys.Ring) *Erased {
	return &Erased{db: db, ring: ring, versions: map[tenant.ID]int64{}, by: map[tenant.ID]People{}}
}

// UnscopedVersion is another one after anybody was erased from a tenant's events.
func (x *Erased) UnscopedVersion(id tenant.ID) int64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.versions[id]
}

// UnscopedOf are the people that were erased from the events of a tenant; with "" nobody.
// Where that cannot be told, the error has keys.ErrKey in its chain, as if it were the key.
func (x *Erased) UnscopedOf(ctx context.Context, id tenant.ID) (People, error) {
	if x == nil || id == "" {
		return nil, nil
	}
	x.mu.Lock()
	found, known := x.by[id]
	version := x.versions[id]
	x.mu.Unlock()
	if known {
		return found, nil
	}
	list, err := x.list(ctx, x.db.For(id), `tenant = $1 ORDER BY asked_at, id`, string(id))
	if err != nil { // nothing is read wrongly meanwhile, and nothing passed over
		return nil, fmt.Errorf("%w: %w", keys.ErrKey, err)
	}
	for _, r := range list {
		if r.Damage != nil {
			return nil, fmt.Errorf("%w: %w", keys.ErrKey, r.Damage)
		}
		if !r.Begun {
			continue
		}
		if found == nil {
			found = People{}
		}
		found.add(&r)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.versions[id] == version {
		x.by[id] = found
	}
	return found, nil
}

// forget has a tenant's asked for again.
func (x *Erased) forget(id tenant.ID) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.versions[id]++
	delete(x.by, id)
}

func (x *Erased) seal(ctx context.Context, r *Erasure) ([]byte, error) {
	raw, err := json.Marshal(erasureBody{r.Names, r.Through, r.Begun})
	if err != nil {
		return nil, fmt.Errorf("encode erasure: %w", err)
	}
	return x.ring.Encrypt(ctx, r.Tenant, keys.Pool, raw, []byte("event erasure "+r.ID))
}

// Add notes, when tx commits, who is to be erased. It is Throttled while too many are under
// way.
func (x *Erased) Add(ctx context.Context, tx *meta.DB, r Erasure) error {
	if len(r.Names) == 0 || len(r.Names) > MostNames || slices.Contains(r.Names, "") {
		return fault.New(fault.Invalid, "An erasure has from 1 to %d names, and none of them is empty.", MostNames)
	}
	body, err := x.seal(ctx, &r)
	if err != nil {
		return err
	}
	var open int64
	if err := tx.RowsOf(r.Tenant).QueryRow(ctx, `SELECT count(*) FROM event_erasures WHERE tenant = $1 AND done_at IS NULL`, string(r.Tenant)).Scan(&open); err != nil {
		return fmt.Errorf("count erasures: %w", err)
	}
	if open >= mostOpen {
		return fault.New(fault.Throttled, "%d erasures are under way; wait until one is done.", open)
	}
	if _, err := tx.RowsOf(r.Tenant).Exec(ctx, `INSERT INTO event_erasures (id, tenant, body, asked_at, asked_by) VALUES ($1, $2, $3, $4, $5)`,
		r.ID, string(r.Tenant), body, meta.Micros(r.Through), r.By); err != nil {
		return fmt.Errorf("note erasure: %w", err)
	}
	return nil
}

// Begin notes whether an erasure is begun: while it is, Blocks leave the person's events out.
// may is asked in the same transaction.
func (x *Erased) Begin(ctx context.Context, r Erasure, may func(tx *meta.DB) error) error {
	body, err := x.seal(ctx, &r)
	if err != nil {
		return err
	}
	err = x.db.Transact(ctx, func(tx *meta.DB) error {
		if err := may(tx); err != nil {
			return err
		}
		_, err := tx.RowsOf(r.Tenant).Exec(ctx, `UPDATE event_erasures SET body = $1 WHERE tenant = $2 AND id = $3`, body, string(r.Tenant), r.ID)
		return err
	})
	x.forget(r.Tenant) // after an error too: it may have been made
	if err != nil {
		return fmt.Errorf("begin an erasure: %w", err)
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

// End notes that an erasure has been carried out, but for objects that could not be read. If
// it is to be done again since it was listed, it still is.
func (x *Erased) End(ctx context.Context, tx *meta.DB, r Erasure, unread int64, at time.Time) error {
	if _, err := tx.RowsOf(r.Tenant).Exec(ctx, `UPDATE event_erasures SET done_at = $1, unread = $2, again = again - $3, problem = '' WHERE tenant = $4 AND id = $5`,
		meta.Micros(at), unread, r.Again, string(r.Tenant), r.ID); err != nil {
		return fmt.Errorf("note the end of an erasure: %w", err)
	}
	return nil
}

// UnscopedAgain has a tenant's erasures carried out once more.
func (x *Erased) UnscopedAgain(ctx context.Context, tx *meta.DB, id tenant.ID) error {
	if _, err := tx.RowsOf(id).Exec(ctx, `UPDATE event_erasures SET again = again + 1 WHERE tenant = $1`, string(id)); err != nil {
		return fmt.Errorf("begin erasures again: %w", err)
	}
	return nil
}

// UnscopedDue lists the erasures that are not carried out yet, or not in all objects, of all
// tenants, the oldest first.
func (x *Erased) UnscopedDue(ctx context.Context) ([]Erasure, error) {
	return x.list(ctx, x.db.Unscoped(), `done_at IS NULL OR again > 0 OR unread > 0 ORDER BY asked_at, id`)
}

// UnscopedOpen counts the erasures that were asked for before a time and are not carried out.
func (x *Erased) UnscopedOpen(ctx context.Context, before time.Time) (n int64, err error) {
	if err := x.db.Unscoped().QueryRow(ctx, `SELECT count(*) FROM event_erasures WHERE done_at IS NULL AND asked_at < $1`, meta.Micros(before)).Scan(&n); err != nil {
		return 0, fmt.Errorf("count erasures: %w", err)
	}
	return n, nil
}

// UnscopedList lists the erasures of a tenant, with "" of all, the newest first.
func (x *Erased) UnscopedList(ctx context.Context, id tenant.ID, page meta.Page) ([]Erasure, string, error) {
	pos, err := page.Position()
	if err != nil {
		return nil, "", err
	}
	db, where, args := x.db.Unscoped(), ``, []any{pos.At, pos.ID, int64(page.Size() + 1)}
	if id != "" {
		db, where, args = x.db.For(id), `tenant = $4 AND `, append(args, string(id))
	}
	list, err := x.list(ctx, db, where+`(asked_at < $1 OR asked_at = $1 AND id < $2) ORDER BY asked_at DESC, id DESC LIMIT $3`, args...)
	if err != nil {
		return nil, "", err
	}
	list, next := meta.Cut(list, page, func(r Erasure) meta.Position { return meta.Position{At: meta.Micros(r.Through), ID: r.ID} })
	return list, next, nil
}

// UnscopedVerify reports erasures of which it cannot be told who it is, and so what of the
// tenant's events may be read. An error means that it could not look.
func (x *Erased) UnscopedVerify(ctx context.Context, report func(id tenant.ID, erasure, problem string)) error {
	list, err := x.list(ctx, x.db.Unscoped(), `true ORDER BY asked_at, id`)
	for _, r := range list {
		if r.Damage != nil {
			report(r.Tenant, r.ID, fault.Message(r.Damage))
		}
	}
	return err
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

const erasureColumns = `id, tenant, body, asked_by, archived, objects, unread, loaded, held, problem, asked_at, done_at, again`

func (x *Erased) list(ctx context.Context, db *meta.DB, where string, args ...any) (list []Erasure, err error) {
	rows, err := db.Query(ctx, `SELECT `+erasureColumns+` FROM event_erasures WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("list erasures: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		r, err := x.scan(ctx, rows)
		switch {
		case fault.Is(err, fault.NotFound): // the tenant is being erased itself
			continue
		case fault.Is(err, fault.Damaged): // which is for those to see to whose it is
			r.Damage, r.Problem = err, fault.Message(err)
		case err != nil:
			return nil, err
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

func (x *Erased) scan(ctx context.Context, row meta.Scanner) (r Erasure, err error) {
	var sealed []byte
	var asked int64
	var done *int64
	if err := row.Scan(&r.ID, &r.Tenant, &sealed, &r.By, &r.Archived, &r.Objects, &r.Unread, &r.Loaded, &r.Held, &r.Problem, &asked, &done, &r.Again); err != nil {
		return r, err
	}
	r.Through = meta.Time(asked)
	if done != nil {
		r.DoneAt = meta.Time(*done)
	}
	var body erasureBody
	raw, err := x.ring.Decrypt(ctx, r.Tenant, keys.Pool, sealed, []byte("event erasure "+r.ID))
	if err != nil {
		return r, fmt.Errorf("open erasure %s: %w", r.ID, err)
	}
	if err := json.Unmarshal(raw, &body); err != nil {
		return r, fault.Wrap(fault.Damaged, err, "The erasure %s is damaged.", r.ID)
	}
	r.Names, r.Through, r.Begun = body.Names, body.Through, body.Begun
	return r, nil
}
