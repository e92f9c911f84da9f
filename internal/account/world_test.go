package account

import (
	"net/netip"
	"testing"

	"github.com/alexedwards/argon2id"

	"tributary/internal/audit"
	"tributary/internal/clock"
	"tributary/internal/clock/clocktest"
	"tributary/internal/control"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/keys/keystest"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
	"tributary/internal/notify"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

const (
	staff    = "usr_staff"
	password = "correct horse battery"
	changed  = "staple correct horse"
)

var home = netip.MustParseAddr("192.0.2.7")

// world is accounts with the real parts around them.
type world struct {
	*Accounts
	hands *clocktest.Hands
	mails string // the directory where mails go
}

// each runs f in parallel on both databases. Passwords are hashed cheaply.
func each(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	metatest.Each(t, func(t *testing.T, db *meta.DB) {
		t.Parallel()
		f(t, newWorld(t, db))
	})
}

func newWorld(t *testing.T, db *meta.DB) *world {
	t.Helper()
	h := new(clocktest.Hands)
	c := clock.Clock{NowFunc: h.Now}
	kek, secrets := keystest.New(t, c)
	engine, err := policy.New(policy.Config{Clock: c})
	if err != nil {
		t.Fatal(err)
	}
	ctl := control.New(control.Config{DB: db, Policy: engine, Clock: c})
	ring, err := keys.NewRing(keys.Config{KEK: kek, Store: ctl, Clock: c, Secrets: secrets})
	if err != nil {
		t.Fatal(err)
	}
	log := audit.New(audit.Config{DB: db, Keys: ring, Clock: c})
	ctl.SetKeys(ring)
	ctl.SetAudit(log)
	dir := t.TempDir()
	mail := &notify.SMTP{Dir: dir, From: "data@provider.example"}
	if err := mail.Check(); err != nil {
		t.Fatal(err)
	}
	notices := notify.New(notify.Config{DB: db, Keys: ring, Audit: log, Clock: c, Mail: mail, PublicURL: "https://data.provider.example"})
	a := New(Config{DB: db, Keys: ring, Policy: engine, Audit: log, Control: ctl, Notices: notices, Clock: c})
	notices.SetPeople(a)
	a.params = &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}
	return &world{a, h, dir}
}

func (w *world) tenant(t *testing.T, slug string) control.Tenant {
	t.Helper()
	got, err := w.Control.UnscopedOnboard(t.Context(), staff, "", control.NewTenant{Slug: slug, Name: slug, Organisation: slug})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// member makes a user as the provider.
func (w *world) member(t *testing.T, id tenant.ID, email string, role policy.Role) User {
	t.Helper()
	u, err := w.UnscopedCreateUser(t.Context(), staff, id, NewUser{Email: email, Role: role, Password: password})
	if err != nil {
		t.Fatalf("create %s: %v", email, err)
	}
	return u
}

// owned makes a tenant that its own admin has taken over, and the admin's scope.
func (w *world) owned(t *testing.T, slug string) (control.Tenant, User, tenant.Scope) {
	t.Helper()
	got := w.tenant(t, slug)
	u := w.member(t, got.ID, "admin@"+slug+".example", policy.TenantAdmin)
	token, _, _, err := w.SignIn(t.Context(), Attempt{Login: u.Login(), Password: password, Next: changed, Address: home, Agent: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return got, u, w.scope(t, token)
}

func (w *world) authenticate(t *testing.T, token string) policy.Principal {
	t.Helper()
	p, _, err := w.Authenticate(t.Context(), token, home)
	if err != nil {
		t.Fatalf("authenticate: %v", err)
	}
	return p
}

func (w *world) scope(t *testing.T, token string) tenant.Scope {
	t.Helper()
	s, err := w.Policy.Scope(t.Context(), w.authenticate(t, token))
	if err != nil {
		t.Fatalf("scope: %v", err)
	}
	return s
}

// signIn signs in from home, with nothing new.
func (w *world) signIn(t *testing.T, login, password string) (string, Session, error) {
	t.Helper()
	token, s, _, err := w.SignIn(t.Context(), Attempt{Login: login, Password: password, Address: home, Agent: "test"})
	return token, s, err
}

func (w *world) refused(t *testing.T, what, token string) {
	t.Helper()
	_, _, err := w.Authenticate(t.Context(), token, home)
	wantKind(t, what, err, fault.Unauthenticated)
}

// tamper runs a statement that no part of the server would.
func (w *world) tamper(t *testing.T, query string, args ...any) {
	t.Helper()
	if n, err := w.DB.Unscoped().Exec(t.Context(), query, args...); err != nil || n != 1 {
		t.Fatalf("%s: changed %d rows, %v; want 1", query, n, err)
	}
}

func wantKind(t *testing.T, what string, err error, want fault.Kind) {
	t.Helper()
	if got := fault.KindOf(err); got != want {
		t.Errorf("%s: got %q (%v), want %q", what, got, err, want)
	}
}
