package control_test

import (
	"testing"

	"tributary/internal/account"
	"tributary/internal/audit"
	"tributary/internal/blob/disk"
	"tributary/internal/clock"
	"tributary/internal/clock/clocktest"
	"tributary/internal/control"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/keys/keystest"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
	"tributary/internal/policy"
	"tributary/internal/tenant"
	"tributary/internal/vault"
)

const (
	admin  = "usr_admin"
	second = "usr_second"
)

// world is a control plane with the real parts around it.
type world struct {
	*control.Control
	db       *meta.DB
	hands    *clocktest.Hands
	blobs    *disk.Store
	kek      keys.KEK
	secrets  keys.Secrets
	ring     *keys.Ring
	policy   *policy.Engine
	accounts *account.Accounts
	vault    *vault.Vault
}

// each runs f in parallel on both databases.
func each(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	metatest.Each(t, func(t *testing.T, db *meta.DB) {
		t.Parallel()
		f(t, newWorld(t, db))
	})
}

func newWorld(t *testing.T, db *meta.DB) *world {
	t.Helper()
	w := &world{db: db, hands: new(clocktest.Hands)}
	c := clock.Clock{NowFunc: w.hands.Now}
	w.kek, w.secrets = keystest.New(t, c)
	var err error
	if w.blobs, err = disk.New(t.TempDir(), c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.blobs.Close() })
	return w.restart(t)
}

// restart returns the world as a fresh process would find it.
func (w *world) restart(t *testing.T) *world {
	t.Helper()
	n := *w
	c := clock.Clock{NowFunc: w.hands.Now}
	var err error
	if n.policy, err = policy.New(policy.Config{Clock: c}); err != nil {
		t.Fatal(err)
	}
	n.Control = control.New(control.Config{DB: n.db, Policy: n.policy, Clock: c})
	if n.ring, err = keys.NewRing(keys.Config{KEK: n.kek, Store: n.Control, Clock: c, Secrets: n.secrets}); err != nil {
		t.Fatal(err)
	}
	log := audit.New(audit.Config{DB: n.db, Keys: n.ring, Clock: c})
	n.SetKeys(n.ring)
	n.SetAudit(log)
	n.accounts = account.New(account.Config{DB: n.db, Keys: n.ring, Policy: n.policy, Audit: log, Control: n.Control, Clock: c})
	n.vault = vault.New(vault.Config{DB: n.db, Blobs: n.blobs, Keys: n.ring, Clock: c})
	n.SetErasers(
		control.NamedEraser{Store: "vault", Eraser: n.vault},
		control.NamedEraser{Store: "accounts", Eraser: n.accounts},
		control.NamedEraser{Store: "audit", Eraser: log},
	)
	if err := n.LoadBlocked(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &n
}

func request(slug string) control.NewTenant {
	return control.NewTenant{Slug: slug, Name: "Name of " + slug, Organisation: "Organisation of " + slug, ExternalIDs: []string{slug + "-x", slug + "-y"}}
}

// onboard makes a tenant.
func (w *world) onboard(t *testing.T, slug string) control.Tenant {
	t.Helper()
	got, err := w.UnscopedOnboard(t.Context(), admin, "", request(slug))
	if err != nil {
		t.Fatalf("onboard %s: %v", slug, err)
	}
	return got
}

// principal is a tenant's own admin.
func principal(id tenant.ID, w *world) policy.Principal {
	return policy.Principal{Credential: "ses_1", Kind: policy.Session, User: "usr_1", Tenant: id, Role: policy.TenantAdmin, VerifiedAt: w.hands.Now()}
}

// scope makes a scope of a tenant's own admin.
func (w *world) scope(t *testing.T, id tenant.ID) tenant.Scope {
	t.Helper()
	s, err := w.policy.Scope(t.Context(), principal(id, w))
	if err != nil {
		t.Fatalf("scope of %s: %v", id, err)
	}
	return s
}

// count counts a table's rows under a condition.
func (w *world) count(t *testing.T, table, where string, args ...any) int64 {
	t.Helper()
	var n int64
	if err := w.db.Unscoped().QueryRow(t.Context(), `SELECT count(*) FROM `+table+` WHERE `+where, args...).Scan(&n); err != nil {
		t.Fatalf("count %s: %v", table, err)
	}
	return n
}

// tamper runs a statement that no part of the server would.
func (w *world) tamper(t *testing.T, query string, args ...any) {
	t.Helper()
	if n, err := w.db.Unscoped().Exec(t.Context(), query, args...); err != nil || n != 1 {
		t.Fatalf("%s: changed %d rows, %v; want 1", query, n, err)
	}
}

func wantKind(t *testing.T, what string, err error, want fault.Kind) {
	t.Helper()
	if got := fault.KindOf(err); got != want {
		t.Errorf("%s: got %q (%v), want %q", what, got, err, want)
	}
}
