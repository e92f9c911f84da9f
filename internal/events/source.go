package events

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"tributary/internal/audit"
	"tributary/internal/clock"
	"tributary/internal/control"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// Source is what events come from, and who may write them: a verified write key, or
// a tenant's API key. A tenant admin makes its tenant's, whose events are all that
// tenant's; a system admin makes the provider's, whose events say themselves which
// tenant they are of, in one field. It ends when it is revoked, or with the API key
// that made it. Its key writes events and can do nothing else.
type Source struct {
	ID          string
	Tenant      tenant.ID // empty: the provider's
	Name        string
	TenantField string // of the provider's: the path in an event to what names the tenant, such as context.groupId
	Strict      bool   // what is not as the tracking plan says goes to quarantine, and is not only flagged
	// Every is how often at least something is to come; 0: what is usual for it is learned.
	Every     time.Duration
	Hint      string // the key's last characters
	CreatedAt time.Time
	CreatedBy string
	RevokedAt *time.Time

	hash  []byte
	about tenant.ID // of the provider's: whose events alone it sends; empty: those of whom they name
	tier  tenant.Tier
	scope tenant.Scope // of a tenant's: what lets it write
}

// NewSource asks for a source.
type NewSource struct {
	Name        string
	TenantField string
	Strict      bool
	Every       time.Duration
}

const (
	keyPrefix   = "trw_"
	mostSources = 50 // of a tenant, or of the provider, that are not revoked
	apiSource   = "api"
	mostEvery   = 31 * 24 * time.Hour
	fresh       = time.Second // how long a source is believed to be what it was
)

// OwnSource is what a tenant's API keys, and its people, send events as.
const OwnSource = "api"

// WriteKey reports whether a token has the form of a source's key.
func WriteKey(token string) bool { return strings.HasPrefix(token, keyPrefix) }

var errKey = fault.New(fault.Unauthenticated, "The write key is not valid: it may have been revoked. Make a source, and use its key.")

var fieldForm = regexp.MustCompile(`^(subject|type|origin|user|anonymous|session|device|(data|context)(\.[^.\x00-\x1f]{1,100}){1,10})$`)

const sourceColumns = `id, tenant, name, tenant_field, strict, every_seconds, key_hash, hint, created_at, created_by, revoked_at, mac`

func (e *Events) scanSource(ctx context.Context) func(meta.Scanner) (Source, error) {
	return func(row meta.Scanner) (Source, error) {
		var s Source
		var name, mac []byte
		var strict, every, created int64
		var revoked sql.NullInt64
		if err := row.Scan(&s.ID, &s.Tenant, &name, &s.TenantField, &strict, &every, &s.hash, &s.Hint, &created, &s.CreatedBy, &revoked, &mac); err != nil {
			return s, err
		}
		s.Every = time.Duration(every) * time.Second
		s.Strict, s.CreatedAt, s.RevokedAt = strict != 0, meta.Time(created), meta.Moment(revoked)
		if err := e.Keys.CheckMAC(mac, "event source", s.fields()...); err != nil {
			return s, fmt.Errorf("source %s: %w", s.ID, err)
		}
		text, err := e.open(ctx, s.Tenant, name, "source "+s.ID)
		if err != nil {
			return s, fmt.Errorf("name of source %s: %w", s.ID, err)
		}
		s.Name = string(text)
		return s, nil
	}
}

// fields are what the row's MAC covers: all that grants power.
func (s *Source) fields() []any {
	return []any{s.ID, string(s.Tenant), s.TenantField, s.Strict, s.hash, s.CreatedBy, meta.MomentMicros(s.RevokedAt)}
}

// CreateSource makes a source of an owner's and returns its key, which is not kept.
func (e *Events) CreateSource(ctx context.Context, owner tenant.Owner, n NewSource) (Source, string, error) {
	if err := owner.Check(ctx, tenant.Write, tenant.Credentials); err != nil {
		return Source{}, "", err
	}
	n.Name = strings.TrimSpace(n.Name)
	switch {
	case n.Name == "" || len(n.Name) > 100 || !utf8.ValidString(n.Name):
		return Source{}, "", fault.New(fault.Invalid, "A source needs a name, of 100 bytes at most.")
	case owner.Provider() && !fieldForm.MatchString(n.TenantField):
		return Source{}, "", fault.New(fault.Invalid, "A source of the provider's needs the field of its events that names their tenant: subject, user, or a path below data or context, such as context.groupId.")
	case n.Every < 0 || n.Every > 0 && n.Every < time.Minute || n.Every > mostEvery:
		return Source{}, "", fault.New(fault.Invalid, "Something can be expected of a source every minute to every 31 days.")
	case !owner.Provider() && n.TenantField != "":
		return Source{}, "", fault.New(fault.Invalid, "A tenant's source sends the events of that tenant alone; it has no field that names one.")
	}
	now, id, by := e.Clock.Now(), owner.ID(), owner.Actor()
	key := keyPrefix + e.Clock.Secret(32)
	hash := sha256.Sum256([]byte(key))
	s := Source{ID: e.Clock.ID("src"), Tenant: id, Name: n.Name, TenantField: n.TenantField, Strict: n.Strict, Every: n.Every.Truncate(time.Second), Hint: key[len(key)-4:], CreatedAt: now, CreatedBy: by, hash: hash[:]}
	name, err := e.seal(ctx, id, []byte(s.Name), "source "+s.ID)
	if err != nil {
		return Source{}, "", fmt.Errorf("seal name of source: %w", err)
	}
	err = e.DB.Transact(ctx, func(tx *meta.DB) error {
		var have int64
		if err := tx.RowsOf(id).QueryRow(ctx, `SELECT count(*) FROM event_sources WHERE tenant = $1 AND revoked_at IS NULL`, string(id)).Scan(&have); err != nil {
			return fmt.Errorf("count sources: %w", err)
		}
		if have >= mostSources {
			return fault.New(fault.Conflict, "There are %d sources, which is the most; revoke one first.", mostSources)
		}
		if _, err := tx.RowsOf(id).Exec(ctx, `
			INSERT INTO event_sources (id, tenant, name, tenant_field, strict, every_seconds, key_hash, hint, created_at, created_by, mac)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
			s.ID, string(id), name, s.TenantField, s.Strict, int64(s.Every.Seconds()), s.hash, s.Hint, meta.Micros(now), by, e.Keys.MAC("event source", s.fields()...)); err != nil {
			return fmt.Errorf("insert source: %w", err)
		}
		return e.Audit.Append(ctx, tx, audit.Entry{Tenant: id, Actor: by, Verb: "source.create", Subject: s.ID, Outcome: "ok",
			Details: map[string]any{"name": s.Name, "strict": s.Strict, "tenant_field": s.TenantField, "every_seconds": int64(s.Every.Seconds())}})
	})
	if err != nil {
		return Source{}, "", err
	}
	return s, key, nil
}

// Sources lists an owner's sources, the newest first, those that were revoked too.
func (e *Events) Sources(ctx context.Context, owner tenant.Owner, page meta.Page) ([]Source, string, error) {
	if err := owner.Check(ctx, tenant.Read, tenant.Credentials); err != nil {
		return nil, "", err
	}
	pos, err := page.Position()
	if err != nil {
		return nil, "", err
	}
	rows, err := e.DB.RowsOf(owner.ID()).Query(ctx, `SELECT `+sourceColumns+` FROM event_sources WHERE tenant = $1 AND (created_at < $2 OR (created_at = $2 AND id < $3)) ORDER BY created_at DESC, id DESC LIMIT $4`,
		string(owner.ID()), pos.At, pos.ID, int64(page.Size()+1))
	if err != nil {
		return nil, "", fmt.Errorf("list sources: %w", err)
	}
	var list []Source
	for rows.Next() {
		s, err := e.scanSource(ctx)(rows)
		if err != nil {
			return nil, "", fmt.Errorf("list sources: %w", err)
		}
		list = append(list, s)
	}
	list, next := meta.Cut(list, page, func(s Source) meta.Position { return meta.Position{At: meta.Micros(s.CreatedAt), ID: s.ID} })
	return list, next, nil
}

// ShowSource returns one of an owner's sources.
func (e *Events) ShowSource(ctx context.Context, owner tenant.Owner, id string) (Source, error) {
	if err := owner.Check(ctx, tenant.Read, tenant.Credentials); err != nil {
		return Source{}, err
	}
	return e.source(ctx, e.DB, owner.ID(), id)
}

func (e *Events) source(ctx context.Context, db *meta.DB, owner tenant.ID, id string) (Source, error) {
	s, err := e.scanSource(ctx)(db.RowsOf(owner).QueryRow(ctx, `SELECT `+sourceColumns+` FROM event_sources WHERE tenant = $1 AND id = $2`, string(owner), id))
	if errors.Is(err, sql.ErrNoRows) {
		return s, fault.New(fault.NotFound, "There is no source %q.", id)
	}
	if err != nil {
		return s, fmt.Errorf("find source: %w", err)
	}
	return s, nil
}

// RevokeSource ends a source: what comes with its key from now on is refused. What
// it has sent stays.
func (e *Events) RevokeSource(ctx context.Context, owner tenant.Owner, id string) (Source, error) {
	if err := owner.Check(ctx, tenant.Delete, tenant.Credentials); err != nil {
		return Source{}, err
	}
	var s Source
	err := e.DB.Transact(ctx, func(tx *meta.DB) error {
		var err error
		if s, err = e.source(ctx, tx, owner.ID(), id); err != nil || s.RevokedAt != nil {
			return err
		}
		now := e.Clock.Now()
		s.RevokedAt = &now
		if _, err := tx.RowsOf(s.Tenant).Exec(ctx, `UPDATE event_sources SET revoked_at = $1, revoked_by = $2, mac = $3 WHERE tenant = $4 AND id = $5`,
			meta.Micros(now), owner.Actor(), e.Keys.MAC("event source", s.fields()...), string(s.Tenant), s.ID); err != nil {
			return fmt.Errorf("revoke source: %w", err)
		}
		return e.Audit.Append(ctx, tx, audit.Entry{Tenant: s.Tenant, Actor: owner.Actor(), Verb: "source.revoke", Subject: s.ID, Outcome: "ok"})
	})
	if err != nil {
		return Source{}, err
	}
	e.Policy.RevokeCredential(s.ID)
	e.forgetSource([32]byte(s.hash))
	e.forgetSource(byID(s.ID))
	return s, nil
}

// known is a source as it was when it was looked up last.
type known struct {
	source *Source
	at     time.Time
}

// Source finds the source that a write key is of. Everything wrong with a key is
// Unauthenticated in the same words, and Refused tells whose it was; a tenant that is
// blocked is Denied. What has changed of it is known within a second.
func (e *Events) Source(ctx context.Context, key string) (*Source, error) {
	if !WriteKey(key) || len(key) > 100 {
		return nil, errKey
	}
	hash := sha256.Sum256([]byte(key))
	return e.current(ctx, hash, func() (Source, error) {
		return e.scanSource(ctx)(e.DB.Unscoped().QueryRow(ctx, `SELECT `+sourceColumns+` FROM event_sources WHERE key_hash = $1`, hash[:]))
	})
}

// byID is where a source is remembered by its id, beside the digest of its key.
func byID(id string) [32]byte { return sha256.Sum256([]byte("source " + id)) }

// current is a source that may write now, as it is remembered, or as it is found.
func (e *Events) current(ctx context.Context, by [32]byte, find func() (Source, error)) (*Source, error) {
	now := e.Clock.Now()
	e.mu.Lock()
	k, ok := e.sources[by]
	e.mu.Unlock()
	if age := now.Sub(k.at); ok && age >= 0 && age < fresh {
		return k.source, nil
	}
	s, err := find()
	if errors.Is(err, sql.ErrNoRows) {
		return nil, errKey
	}
	if err == nil {
		err = e.usable(ctx, &s)
	}
	if err != nil {
		e.forgetSource(by)
		return nil, &refused{err, s.ID, s.Tenant}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.sources) > 10000 {
		clear(e.sources)
	}
	e.sources[by] = known{&s, now}
	return &s, nil
}

// refused is why a source that there is may not write.
type refused struct {
	error
	source string
	owner  tenant.ID
}

func (r *refused) Unwrap() error { return r.error }

// Refused returns the source whose key Source refused, and its owner; "": the key is
// nobody's.
func Refused(err error) (source string, owner tenant.ID) {
	var r *refused
	if errors.As(err, &r) {
		return r.source, r.owner
	}
	return "", ""
}

// usable returns nil if a source may write now, and gives a tenant's the scope that
// lets it.
func (e *Events) usable(ctx context.Context, s *Source) error {
	if s.RevokedAt != nil {
		return errKey
	}
	if clock.ValidID("key", s.CreatedBy) {
		ended, err := e.Makers.UnscopedKeyEnded(ctx, s.Tenant, s.CreatedBy)
		if err != nil {
			return fmt.Errorf("look for the maker of source %s: %w", s.ID, err)
		}
		if ended {
			return errKey
		}
	}
	if s.Tenant == "" {
		return nil
	}
	t, err := e.Tenants.UnscopedTenant(ctx, string(s.Tenant))
	if err != nil {
		return fmt.Errorf("find the tenant of source %s: %w", s.ID, err)
	}
	if t.State != control.Active {
		return fault.New(fault.Denied, "This tenant sends no events now; it is not active. Ask the provider.")
	}
	s.tier = t.Tier
	s.scope, err = e.Policy.WorkScope(policy.Work{Template: policy.Intake, Tenant: s.Tenant, Actor: s.ID, For: policy.Life,
		Permissions: []tenant.Permission{{Verb: tenant.Write, Resource: tenant.Events}}})
	return err
}

func (e *Events) forgetSource(by [32]byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.sources, by)
}

// Tier is that of the tenant that the source fixes; empty: it fixes none.
func (s *Source) Tier() tenant.Tier { return s.tier }

// Own is what a tenant's API keys, and its people, send events as. Like a source that
// is not strict it only flags what is not as the plan says.
func (e *Events) Own(ctx context.Context, scope tenant.Scope, tier tenant.Tier) (*Source, error) {
	if err := scope.Check(ctx, tenant.Write, tenant.Events); err != nil {
		return nil, err
	}
	return &Source{ID: OwnSource, Tenant: scope.Tenant(), tier: tier, scope: scope}, nil
}

// Cadence is how often at least something is to come from a source.
type Cadence struct {
	Source string
	Tenant tenant.ID     // empty: the provider's
	Every  time.Duration // 0: nobody said
}

// UnscopedCadences lists those of all sources that are not revoked.
func (e *Events) UnscopedCadences(ctx context.Context) ([]Cadence, error) {
	rows, err := e.DB.Unscoped().Query(ctx, `SELECT id, tenant, every_seconds FROM event_sources WHERE revoked_at IS NULL`)
	if err != nil {
		return nil, fmt.Errorf("list sources: %w", err)
	}
	var list []Cadence
	for rows.Next() {
		var c Cadence
		var every int64
		if err := rows.Scan(&c.Source, &c.Tenant, &every); err != nil {
			return nil, fmt.Errorf("list sources: %w", err)
		}
		c.Every = time.Duration(every) * time.Second
		list = append(list, c)
	}
	return list, rows.Err()
}
