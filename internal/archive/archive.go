// Package archive keeps what the streams held: Parquet objects of one tenant's events of
// one stream and day each, sealed with the tenant's pool key, in the object store, and a
// catalogue of them in the control database. What it has may expire from the streams,
// which it sees to. It is for restoring and for taking away, not for queries.
package archive

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"tributary/internal/audit"
	"tributary/internal/blob"
	"tributary/internal/clock"
	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/meta"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

// streams is the part of stream.Streams that an archive needs.
type streams interface {
	Read(ctx context.Context, n stream.Name, after uint64, id tenant.ID, most int) ([]stream.Stored, error)
	State(ctx context.Context, n stream.Name) (stream.State, error)
	First(ctx context.Context, n stream.Name, id tenant.ID) (stream.Stored, error)
	Before(ctx context.Context, n stream.Name, t time.Time) (uint64, error)
	Expire(ctx context.Context, n stream.Name, through uint64) (removed int64, err error)
	ExpireTenant(ctx context.Context, n stream.Name, id tenant.ID, through uint64) (removed int64, err error)
	NoteExpired(n stream.Name, id tenant.ID, through uint64)
}

// tenants is the part of control that an archive needs.
type tenants interface {
	// UnscopedOfTier lists the tenants of a tier that have not been erased.
	UnscopedOfTier(ctx context.Context, t tenant.Tier) ([]tenant.ID, error)
	// UnscopedHeld is Conflict while there is a hold on a tenant.
	UnscopedHeld(ctx context.Context, db *meta.DB, id tenant.ID, datasets ...string) error
}

// Config is what an Archive needs; all fields but Log, Days, Keep and Removing are required.
type Config struct {
	DB         *meta.DB
	Blobs      blob.Store
	Keys       *keys.Ring
	Blocks     *events.Blocks
	Erased     *events.Erased
	Streams    streams
	Tenants    tenants
	Quarantine quarantine
	Audit      *audit.Log
	Clock      clock.Clock
	Log        *slog.Logger
	// Days says how long streams are kept.
	Days Days
	// Keep says how long the archive is; nil: for ever.
	Keep Keep
	// Removing is asked before bytes are removed that a row named a moment ago, and
	// done called afterwards. It is Unavailable while a backup still needs them. Nil:
	// there are no backups.
	Removing func() (done func(), err error)
}

// Archive is the archive. It is safe for use by several goroutines.
type Archive struct {
	Config

	writing    sync.Mutex           // held by what writes rows, and by an erasure
	rowless    map[string]time.Time // since when SweepDue has found no row of these objects
	eraseAfter map[string]time.Time // when EraseDue tries again what failed
	taken      map[string]taken     // by erasures that are not ended
	warehouse  warehouse
}

// New makes an Archive.
func New(cfg Config) *Archive {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Removing == nil {
		cfg.Removing = func() (func(), error) { return func() {}, nil }
	}
	return &Archive{Config: cfg, eraseAfter: map[string]time.Time{}, taken: map[string]taken{}}
}

// UnscopedHas reports whether there is anything of a stream.
func (a *Archive) UnscopedHas(ctx context.Context, n stream.Name) (bool, error) {
	var there int64
	if err := a.DB.Unscoped().QueryRow(ctx, `SELECT count(*) FROM (SELECT id FROM archive_objects WHERE stream = $1 LIMIT 1) AS o`, string(n)).Scan(&there); err != nil {
		return false, fmt.Errorf("look into the archive: %w", err)
	}
	return there > 0, nil
}

// Day is a day of UTC: its beginning.
type Day struct{ time.Time }

// DayOf returns the day that a time is on.
func DayOf(t time.Time) Day { return Day{t.UTC().Truncate(24 * time.Hour)} }

// ParseDay reads a day as in 2026-01-31.
func ParseDay(s string) (Day, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return Day{}, fault.New(fault.Invalid, "%q is no day; one is written 2026-01-31.", s)
	}
	return Day{t}, nil
}

func (d Day) String() string { return d.Format(time.DateOnly) }

// Object is a sealed object of the archive: the events of consecutive blocks of one
// chain, which came on one day. A flush makes it, compaction replaces it by one that has
// more, and expiry or an erasure ends it.
type Object struct {
	ID         string
	Tenant     tenant.ID // empty: the provider's own
	Stream     stream.Name
	Day        Day
	Parts      int64  // how many flushes made it
	First      uint64 // block
	Last       uint64 // block
	Previous   events.Digest
	Digest     events.Digest // of the last block
	Events     int64
	Size       int64 // bytes of the Parquet file
	SealedSize int64
	SHA256     [32]byte // of the sealed bytes
	CreatedAt  time.Time
	// Problem is what is wrong with its row in the catalogue, so that it is not read.
	Problem string
}

// blobKey is where the bytes are. The path says whose they are and when they came, the
// bytes themselves prove it.
func (o *Object) blobKey() blob.Key {
	return blob.Key(fmt.Sprintf("%s%s/%s/%s/%s", Prefix, owner(o.Tenant), o.Stream, o.Day, o.ID))
}

// Prefix is what the keys of the archive's objects begin with.
const Prefix = "archive/"

// provider stands in keys for the provider's own.
const provider = "provider"

func owner(id tenant.ID) string {
	if id == "" {
		return provider
	}
	return string(id)
}
