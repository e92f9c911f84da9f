package notify_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"testing"

	"tributary/internal/account"
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
	"tributary/internal/notify/notifytest"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

const staff = "usr_staff"

// record is what several goroutines write, for a test to read.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// world is notices with the real parts around them.
type world struct {
	*notify.Notices
	*clocktest.Hands
	t        *testing.T
	cfg      notify.Config
	accounts *account.Accounts
	control  *control.Control
	policy   *policy.Engine
	log      record
}

// each runs f in parallel on both databases.
func each(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	metatest.Each(t, func(t *testing.T, db *meta.DB) {
		t.Parallel()
		f(t, newWorld(t, db))
	})
}

// tenantID is for what names none itself.
type tenantID = tenant.ID

// each1 is one database, for what no SQL is new in.
func each1(t *testing.T) *meta.DB {
	t.Helper()
	return metatest.Open(t, metatest.SQLite(t))
}

func newWorld(t *testing.T, db *meta.DB) *world {
	t.Helper()
	w := &world{t: t, Hands: new(clocktest.Hands)}
	c := clock.Clock{NowFunc: w.Now}
	kek, secrets := keystest.New(t, c)
	w.policy = must(policy.New(policy.Config{Clock: c}))(t)
	w.control = control.New(control.Config{DB: db, Policy: w.policy, Clock: c})
	ring := must(keys.NewRing(keys.Config{KEK: kek, Store: w.control, Clock: c, Secrets: secrets}))(t)
	log := audit.New(audit.Config{DB: db, Keys: ring, Clock: c})
	w.control.SetKeys(ring)
	w.control.SetAudit(log)
	w.cfg = notify.Config{DB: db, Keys: ring, Audit: log, Clock: c, Log: slog.New(slog.NewTextHandler(&w.log, nil)), PublicURL: "https://data.example.com"}
	w.accounts = account.New(account.Config{DB: db, Keys: ring, Policy: w.policy, Audit: log, Control: w.control, Clock: c})
	w.restart()
	return w
}

// restart makes the notices anew, as another process would.
func (w *world) restart() {
	w.Notices = notify.New(w.cfg)
	w.SetPeople(w.accounts)
}

// mailTo sends mails to a server from now on.
func (w *world) mailTo(s *notifytest.MailServer) {
	w.t.Helper()
	w.cfg.Mail = &notify.SMTP{Address: s.Address, From: "Data <data@example.com>"}
	if err := w.cfg.Mail.Check(); err != nil {
		w.t.Fatal(err)
	}
	w.restart()
}

// tenant makes a tenant with an admin and a user.
func (w *world) tenant(slug string) (id tenant.ID, admin, user account.User) {
	w.t.Helper()
	id = must(w.control.UnscopedOnboard(w.t.Context(), staff, "", control.NewTenant{Slug: slug, Name: slug + " of Delft", Organisation: slug}))(w.t).ID
	return id, w.person(id, "admin@"+slug+".example", policy.TenantAdmin), w.person(id, "user@"+slug+".example", policy.TenantUser)
}

func (w *world) person(id tenant.ID, email string, role policy.Role) account.User {
	w.t.Helper()
	return must(w.accounts.UnscopedCreateUser(w.t.Context(), staff, id, account.NewUser{Email: email, Role: role}))(w.t)
}

func (w *world) principal(u account.User) policy.Principal {
	return policy.Principal{Credential: "ses_1", Kind: policy.Session, User: u.ID, Tenant: u.Tenant, Role: u.Role, Address: netip.MustParseAddr("192.0.2.1"), VerifiedAt: w.Now()}
}

func (w *world) scope(u account.User) tenant.Scope {
	w.t.Helper()
	return must(w.policy.Scope(w.t.Context(), w.principal(u)))(w.t)
}

func (w *world) owner(u account.User) tenant.Owner { return tenant.OwnerOf(w.scope(u)) }

// add makes a notice in a transaction of its own.
func (w *world) add(x notify.Notice) {
	w.t.Helper()
	if err := w.cfg.DB.Transact(w.t.Context(), func(tx *meta.DB) error { return w.Add(w.t.Context(), tx, x) }); err != nil {
		w.t.Fatal(err)
	}
}

func rejected(id tenant.ID) notify.Notice {
	return notify.Notice{Kind: notify.SubmissionRejected, Tenant: id, Subject: "sub_00000000000000000000000001", Dataset: "values", Date: "2026-02-28"}
}

// round runs a round, which must not fail.
func (w *world) round(once func(context.Context) error) {
	w.t.Helper()
	if err := once(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// outbox is all mails of a tenant, or of everybody for "*".
func (w *world) outbox(id tenant.ID) []notify.Mail {
	w.t.Helper()
	of := &id
	if id == "*" {
		of = nil
	}
	list, _, err := w.UnscopedOutbox(w.t.Context(), of, notify.MailFilter{}, meta.Page{})
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func wantKind(t *testing.T, what string, err error, want fault.Kind) {
	t.Helper()
	if got := fault.KindOf(err); got != want {
		t.Errorf("%s: got %q (%v), want %q", what, got, err, want)
	}
}

func states(list []notify.Mail) string {
	count := map[notify.State]int{}
	for _, m := range list {
		count[m.State]++
	}
	return fmt.Sprint(count)
}
