// Package control is the control plane: organisations, tenants, their tiers and
// states, and the sagas that begin and end a tenant's life. It leaves people and
// credentials to package account and bytes to package vault.
package control

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"tributary/internal/audit"
	"tributary/internal/clock"
	"tributary/internal/keys"
	"tributary/internal/meta"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// Eraser is a store that forgets a tenant when it is offboarded. It is called
// after the tenant's keys are destroyed, and may be called again after a crash.
type Eraser interface {
	// EraseTenant removes what the store has of a tenant and says how, in words,
	// and how many things went.
	EraseTenant(ctx context.Context, id tenant.ID) (method string, count int64, err error)
}

// NamedEraser is an Eraser with the store's name for the receipt.
type NamedEraser struct {
	Store  string
	Eraser Eraser
}

// Config is what a Control needs; all fields but Log are required. Keys is set
// with SetKeys, because the ring reads tenants' wrapped keys from here.
type Config struct {
	DB     *meta.DB
	Policy *policy.Engine
	Audit  *audit.Log
	Clock  clock.Clock
	Log    *slog.Logger
	// Grace is how long a tenant that is offboarded can still be kept, and can
	// export; 0 means 30 days.
	Grace time.Duration
}

// Control keeps organisations and tenants.
type Control struct {
	Config
	ring    *keys.Ring
	erasers []NamedEraser

	mu     sync.Mutex
	active map[string]bool // sagas that this process is working on

	telling sync.Mutex // held while a tenant's state changes, until policy knows

	// fail is called before each saga step; tests make steps fail with it.
	fail func(saga, step string) error
}

// New makes a control plane.
func New(cfg Config) *Control {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Grace == 0 {
		cfg.Grace = 30 * 24 * time.Hour
	}
	return &Control{Config: cfg, active: map[string]bool{}, fail: func(string, string) error { return nil }}
}

// SetKeys gives the ring that makes tenants' keys and authenticates rows. It is
// called once, before anything else.
func (c *Control) SetKeys(r *keys.Ring) { c.ring = r }

// SetAudit gives the log, which needs the ring, which needs the control plane.
// It is called once, before anything else.
func (c *Control) SetAudit(l *audit.Log) { c.Audit = l }

// SetErasers gives the stores that offboarding empties, in order.
func (c *Control) SetErasers(list ...NamedEraser) { c.erasers = list }

// Made says who made and last changed a row, and when.
type Made struct {
	CreatedAt     time.Time
	CreatedBy     string
	ModifiedAt    time.Time
	ModifiedBy    string
	TimesModified int64
}
