package account

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tributary/internal/control"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

func patchAllow(list []netip.Prefix) control.Patch { return control.Patch{IPAllow: &list} }

func TestUsersAreChecked(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		acme := w.tenant(t, "acme")
		for what, c := range map[string]struct {
			id   tenant.ID
			n    NewUser
			want fault.Kind
		}{
			"no email":                 {acme.ID, NewUser{Role: policy.TenantUser}, fault.Invalid},
			"a name with the email":    {acme.ID, NewUser{Email: "A <a@example.com>", Role: policy.TenantUser}, fault.Invalid},
			"no role":                  {acme.ID, NewUser{Email: "a@example.com"}, fault.Invalid},
			"staff in a tenant":        {acme.ID, NewUser{Email: "a@example.com", Role: policy.SystemAdmin}, fault.Invalid},
			"departing":                {acme.ID, NewUser{Email: "a@example.com", Role: policy.Departing}, fault.Invalid},
			"a tenant's among staff":   {"", NewUser{Email: "a@example.com", Role: policy.TenantAdmin}, fault.Invalid},
			"a login with a dot":       {acme.ID, NewUser{Email: "a@example.com", Login: "a.b", Role: policy.TenantUser}, fault.Invalid},
			"a short password":         {acme.ID, NewUser{Email: "a@example.com", Role: policy.TenantUser, Password: "elevenchars"}, fault.Invalid},
			"a tenant that is missing": {"ten_00000000000000000000000000", NewUser{Email: "a@example.com", Role: policy.TenantUser}, fault.NotFound},
			"an SSH key of nobody":     {acme.ID, NewUser{Email: "a@example.com", Role: policy.TenantUser, SSHPublicKey: "x"}, fault.Invalid},
		} {
			_, err := w.UnscopedCreateUser(ctx, staff, c.id, c.n)
			wantKind(t, what, err, c.want)
		}
		one := w.member(t, acme.ID, "a.b@one.example", policy.TenantUser)
		two := w.member(t, acme.ID, "a.b@two.example", policy.TenantUser)
		if one.Login() != "acme.a-b" || two.Login() != "acme.a-b-2" {
			t.Errorf("logins: got %q and %q, want acme.a-b and acme.a-b-2", one.Login(), two.Login())
		}
		_, err := w.UnscopedCreateUser(ctx, staff, acme.ID, NewUser{Email: "A.B@one.example", Role: policy.TenantUser})
		wantKind(t, "the same email", err, fault.Conflict)
		_, err = w.UnscopedCreateUser(ctx, staff, acme.ID, NewUser{Email: "c@one.example", Login: "a-b", Role: policy.TenantUser})
		wantKind(t, "the same login", err, fault.Conflict)
		list, _, err := w.UnscopedUsers(ctx, acme.ID, meta.Page{})
		if err != nil || len(list) != 2 {
			t.Errorf("users: got %d, %v, want 2", len(list), err)
		}
	})
}

func TestTheLastAdminStays(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, boss, admin := w.owned(t, "acme")
		w.owned(t, "other-one") // whose admin does not count
		off, user := UserDisabled, policy.TenantUser
		for _, p := range []UserPatch{{State: &off}, {Role: &user}} {
			_, err := w.UpdateUser(ctx, admin, boss.ID, p)
			wantKind(t, "take the last admin's power", err, fault.Conflict)
		}
		if got, err := w.UnscopedUser(ctx, boss.ID); err != nil || got.State != UserActive || got.Role != policy.TenantAdmin {
			t.Errorf("got %s %s, %v, want an active admin", got.State, got.Role, err)
		}
		if _, err := w.CreateUser(ctx, admin, NewUser{Email: "b@acme.example", Role: policy.TenantAdmin}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.UpdateUser(ctx, admin, boss.ID, UserPatch{Role: &user}); err != nil {
			t.Errorf("with another admin: %v", err)
		}

		first := w.member(t, "", "s@example.com", policy.SystemAdmin)
		w.member(t, "", "r@example.com", policy.Auditor)
		_, err := w.UnscopedUpdateUser(ctx, staff, first.ID, UserPatch{State: &off})
		wantKind(t, "disable the last system admin", err, fault.Conflict)
		analyst := policy.Analyst
		_, err = w.UnscopedUpdateUser(ctx, staff, first.ID, UserPatch{Role: &user})
		wantKind(t, "a tenant's role for staff", err, fault.Invalid)
		_, err = w.UnscopedUpdateUser(ctx, staff, first.ID, UserPatch{Role: &analyst})
		wantKind(t, "another role for the last system admin", err, fault.Conflict)
	})
}

// What is another tenant's is as if it were missing, in the same words.
func TestTenantsAreApart(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, _, a := w.owned(t, "acme")
		_, _, b := w.owned(t, "other-one")
		u, err := w.CreateUser(ctx, a, NewUser{Email: "u@acme.example", Role: policy.TenantUser, Password: password})
		if err != nil {
			t.Fatal(err)
		}
		k, secret, err := w.CreateAPIKey(ctx, a, NewAPIKey{Role: policy.TenantUser})
		if err != nil {
			t.Fatal(err)
		}
		s, err := w.AddSSHKey(ctx, a, u.ID, NewSSHKey{Name: "a", PublicKey: ed25519Line(t)})
		if err != nil {
			t.Fatal(err)
		}
		name := "mine"
		public := ed25519Line(t)
		for what, c := range map[string]struct {
			id  string
			ask func(id string) error
		}{
			"read a user":    {u.ID, func(id string) error { _, err := w.User(ctx, b, id); return err }},
			"change a user":  {u.ID, func(id string) error { _, err := w.UpdateUser(ctx, b, id, UserPatch{Name: &name}); return err }},
			"set a password": {u.ID, func(id string) error { return w.SetPassword(ctx, b, id, changed) }},
			"list SSH keys":  {u.ID, func(id string) error { _, err := w.SSHKeys(ctx, b, id); return err }},
			"add an SSH key": {u.ID, func(id string) error {
				_, err := w.AddSSHKey(ctx, b, id, NewSSHKey{Name: "a", PublicKey: public})
				return err
			}},
			"revoke an SSH key": {s.ID, func(id string) error { return w.RevokeSSHKey(ctx, b, id) }},
			"revoke an API key": {k.ID, func(id string) error { return w.RevokeAPIKey(ctx, b, id) }},
		} {
			prefix, _, _ := strings.Cut(c.id, "_")
			missing := w.Clock.ID(prefix)
			foreign, gone := c.ask(c.id), c.ask(missing)
			wantKind(t, what, foreign, fault.NotFound)
			if got, want := strings.ReplaceAll(fault.Message(foreign), c.id, "X"), strings.ReplaceAll(fault.Message(gone), missing, "X"); got != want {
				t.Errorf("%s: got %q, want %q as for a missing one", what, got, want)
			}
		}
		for what, list := range map[string]func() (int, error){
			"users":    func() (int, error) { l, _, err := w.Users(ctx, b, meta.Page{}); return len(l), err },
			"API keys": func() (int, error) { l, _, err := w.APIKeys(ctx, b, meta.Page{}); return len(l), err },
		} {
			want := map[string]int{"users": 1, "API keys": 0}[what]
			if got, err := list(); err != nil || got != want {
				t.Errorf("%s of the other tenant: got %d, %v, want %d", what, got, err, want)
			}
		}
		w.authenticate(t, secret)
		if _, _, err := w.signIn(t, u.Login(), password); err != nil {
			t.Errorf("after all that: %v", err)
		}
	})
}

func TestAdminsOfATenantThatLeavesComeInToExport(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, boss, admin := w.owned(t, "acme")
		u, err := w.CreateUser(ctx, admin, NewUser{Email: "u@acme.example", Role: policy.TenantUser, Password: password})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Control.UnscopedSuspend(ctx, staff, "acme", ""); err != nil {
			t.Fatal(err)
		}
		_, _, err = w.signIn(t, boss.Login(), changed)
		wantKind(t, "the admin while suspended", err, fault.Unauthenticated)
		if _, err := w.Control.UnscopedOffboard(ctx, control.Admin{Actor: staff, Person: staff}, "acme", "acme"); err != nil {
			t.Fatal(err)
		}
		token, _, err := w.signIn(t, boss.Login(), changed)
		if err != nil {
			t.Fatal(err)
		}
		if p := w.authenticate(t, token); p.Role != policy.Departing {
			t.Errorf("the admin's role: got %q, want %q", p.Role, policy.Departing)
		}
		scope := w.scope(t, token)
		wantKind(t, "read", scope.Check(ctx, tenant.Read, tenant.VaultInput), "")
		wantKind(t, "write", scope.Check(ctx, tenant.Write, tenant.VaultInput), fault.Denied)
		_, _, err = w.CreateAPIKey(ctx, scope, NewAPIKey{Role: policy.TenantAdmin})
		wantKind(t, "make a key", err, fault.Denied)
		_, _, err = w.signIn(t, u.Login(), password)
		wantKind(t, "another user", err, fault.Unauthenticated)
	})
}

func TestTheFirstAdminIsMadeOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		old, _, err := w.SetupLink(ctx)
		if err != nil {
			t.Fatal(err)
		}
		token, expires, err := w.SetupLink(ctx)
		if err != nil || !expires.Equal(w.hands.Now().Add(15*time.Minute)) {
			t.Fatalf("got %v, %v, want 15 minutes", expires, err)
		}
		claim := func(what, token, password string, want fault.Kind) string {
			t.Helper()
			_, secret, err := w.ClaimSetup(ctx, token, "a@example.com", password)
			wantKind(t, what, err, want)
			return secret
		}
		claim("a short password", token, "short", fault.Invalid)
		claim("an earlier link", old, password, fault.Unauthenticated)
		claim("a wrong token", token+"x", password, fault.Unauthenticated)
		w.hands.Pass(15 * time.Minute)
		claim("an expired link", token, password, fault.Unauthenticated)
		if token, _, err = w.SetupLink(ctx); err != nil {
			t.Fatal(err)
		}
		if p := w.authenticate(t, claim("the link", token, password, "")); p.Role != policy.SystemAdmin {
			t.Errorf("the key's role: got %q, want %q", p.Role, policy.SystemAdmin)
		}
		claim("the link again", token, password, fault.Unauthenticated)
		_, _, err = w.SetupLink(ctx)
		wantKind(t, "a link when there is an admin", err, fault.Conflict)
		_, _, err = w.FirstAdmin(ctx, "b@example.com", password)
		wantKind(t, "a second first admin", err, fault.Conflict)
		if _, _, err := w.signIn(t, "a@example.com", password); err != nil {
			t.Errorf("the first admin: %v", err)
		}
	})
}

// Several who begin at the same moment: one is the first admin, with one key.
func TestTheFirstAdminIsOne(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		var made atomic.Int64
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				_, secret, err := w.FirstAdmin(ctx, fmt.Sprintf("a%d@example.com", i), password)
				if err == nil && secret != "" {
					made.Add(1)
				} else if !fault.Is(err, fault.Conflict) {
					t.Errorf("first admin %d: got %q, %v, want a key or a conflict", i, secret, err)
				}
			})
		}
		all.Wait()
		for table, query := range map[string]string{"users": `SELECT count(*) FROM users`, "API keys": `SELECT count(*) FROM api_keys`} {
			var n int64
			if err := w.DB.Unscoped().QueryRow(ctx, query).Scan(&n); err != nil || n != 1 || made.Load() != 1 {
				t.Errorf("%s: got %d for %d that were told so, %v, want 1", table, n, made.Load(), err)
			}
		}
	})
}

// Rows that grant power are refused when anybody but the server changed them.
func TestTamperedRowsAreRefused(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		acme, boss, admin := w.owned(t, "acme")
		k, secret, err := w.CreateAPIKey(ctx, admin, NewAPIKey{Role: policy.TenantUser})
		if err != nil {
			t.Fatal(err)
		}
		other, thief, _ := w.owned(t, "other-one")
		token, s, err := w.signIn(t, boss.Login(), changed)
		if err != nil {
			t.Fatal(err)
		}
		sshKey, err := w.AddSSHKey(ctx, admin, boss.ID, NewSSHKey{Name: "a", PublicKey: ed25519Line(t)})
		if err != nil {
			t.Fatal(err)
		}
		good := func() {
			t.Helper()
			w.authenticate(t, secret)
			w.authenticate(t, token)
			if err := w.UnscopedVerify(ctx, func(table string, _ tenant.ID, row, problem string) { t.Errorf("%s %s: %s", table, row, problem) }); err != nil {
				t.Fatal(err)
			}
		}
		good()
		for _, c := range []struct{ table, id, column, value, with string }{
			{"users", boss.ID, "role", "tenant_admin", "tenant_user"},
			{"users", boss.ID, "email", boss.Email, "thief@example.com"},
			{"users", boss.ID, "state", "active", "disabled"},
			{"api_keys", k.ID, "role", "tenant_user", "tenant_admin"},
			{"api_keys", k.ID, "tenant", string(acme.ID), string(other.ID)},
			{"api_keys", k.ID, "created_by", k.CreatedBy, thief.ID},
			{"api_keys", k.ID, "ip_allow", "[]", `["192.0.2.0/24"]`},
			{"sessions", s.ID, "user_id", boss.ID, thief.ID},
			{"ssh_keys", sshKey.ID, "ip_allow", "[]", `["192.0.2.0/24"]`},
			{"ssh_keys", sshKey.ID, "public_key", sshKey.PublicKey, strings.TrimSpace(ed25519Line(t))},
		} {
			w.tamper(t, `UPDATE `+c.table+` SET `+c.column+` = $1 WHERE id = $2`, c.with, c.id)
			var err error
			switch c.table {
			case "users":
				_, err = w.UnscopedUser(ctx, c.id)
				_, _, asked := w.Authenticate(ctx, token, home)
				wantKind(t, "a session of the tampered user", asked, fault.Damaged)
			case "api_keys":
				_, _, err = w.Authenticate(ctx, secret, home)
			case "sessions":
				_, _, err = w.Authenticate(ctx, token, home)
			case "ssh_keys":
				_, err = w.UnscopedSSHKeys(ctx, boss.ID)
			}
			wantKind(t, c.table+"."+c.column, err, fault.Damaged)
			var found []string
			if err := w.UnscopedVerify(ctx, func(table string, _ tenant.ID, row, _ string) { found = append(found, table+" "+row) }); err != nil {
				t.Fatal(err)
			}
			if len(found) != 1 || found[0] != c.table+" "+c.id {
				t.Errorf("%s.%s: findings %v, want that row alone", c.table, c.column, found)
			}
			w.tamper(t, `UPDATE `+c.table+` SET `+c.column+` = $1 WHERE id = $2`, c.value, c.id)
			good()
		}
	})
}
