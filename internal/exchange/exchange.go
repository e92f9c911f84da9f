// Package exchange is where participants' files come in and results go out:
// datasets, submissions and their validation, results. It leaves the sealing to
// package vault and what is computed to package analysis.
package exchange

import (
	"context"
	"log/slog"
	"sync"

	"tributary/internal/audit"
	"tributary/internal/clock"
	"tributary/internal/exchange/contract"
	"tributary/internal/job"
	"tributary/internal/keys"
	"tributary/internal/live"
	"tributary/internal/meta"
	"tributary/internal/notify"
	"tributary/internal/policy"
	"tributary/internal/sandbox"
	"tributary/internal/tenant"
	"tributary/internal/vault"
)

// tenants is the part of control that submissions need.
type tenants interface {
	ExternalIDs(ctx context.Context, scope tenant.Scope) ([]string, error)
	// Claim records that the tenant's data has begun: from now on the provider
	// makes no credentials for it.
	Claim(ctx context.Context, tx *meta.DB, id tenant.ID) error
	// UnscopedHeld is a Conflict while a legal hold keeps what the tenant has of one
	// of the datasets.
	UnscopedHeld(ctx context.Context, db *meta.DB, id tenant.ID, datasets ...string) error
}

// Config is what an Exchange needs; all fields but Notices, Log, Changes and Uploads are required.
type Config struct {
	DB      *meta.DB
	Vault   *vault.Vault
	Tenants tenants
	Policy  *policy.Engine
	Audit   *audit.Log
	Jobs    *job.Queue
	Sandbox *sandbox.Box
	Keys    *keys.Ring
	Notices *notify.Notices // nil: nobody is told
	Clock   clock.Clock
	Log     *slog.Logger
	// Changes is told when a result is downloaded for the first time; nil: nobody is.
	Changes *live.Hub
	// Uploads is how many files one tenant may send at once; 0 means 8.
	Uploads int
}

// Exchange takes submissions and hands out results.
type Exchange struct {
	Config

	mu         sync.Mutex
	uploading  map[tenant.ID]int
	previewing map[tenant.ID]int
	contracts  map[contractKey]*contract.Dataset // parsed versions; they never change
}

type contractKey struct {
	dataset string
	version int64
}

// New makes an exchange and registers its jobs.
func New(cfg Config) *Exchange {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Uploads == 0 {
		cfg.Uploads = 8
	}
	x := &Exchange{Config: cfg, uploading: map[tenant.ID]int{}, previewing: map[tenant.ID]int{}, contracts: map[contractKey]*contract.Dataset{}}
	cfg.Jobs.Handle(validateKind, job.Handler{Timeout: validateTimeout, Do: x.validate, Failed: x.validationFailed, Tells: live.Submission})
	return x
}

// notice tells a tenant's people and programs, if anybody is told.
func (x *Exchange) notice(ctx context.Context, tx *meta.DB, n notify.Notice) error {
	if x.Notices == nil {
		return nil
	}
	return x.Notices.Add(ctx, tx, n)
}
