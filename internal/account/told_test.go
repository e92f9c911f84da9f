package account

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"tributary/internal/meta"
	"tributary/internal/notify"
	"tributary/internal/policy"
)

// told is who has been told of what since it was last asked: "KIND USER", sorted.
func (w *world) told(t *testing.T, seen map[string]bool, names map[string]string) string {
	t.Helper()
	list, _, err := w.Notices.UnscopedOutbox(t.Context(), nil, notify.MailFilter{}, meta.Page{Limit: 500})
	if err != nil {
		t.Fatal(err)
	}
	var fresh []string
	for _, m := range list {
		if !seen[m.ID] {
			seen[m.ID] = true
			fresh = append(fresh, fmt.Sprintf("%s %s", m.Kind, names[m.User]))
		}
	}
	slices.Sort(fresh)
	return strings.Join(fresh, ", ")
}

func publicKey(t *testing.T) string {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return string(ssh.MarshalAuthorizedKey(key))
}

func TestPeopleAreToldOfNewCredentials(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		boss, _, err := w.FirstAdmin(ctx, "boss@provider.example", password)
		if err != nil {
			t.Fatal(err)
		}
		_, other, _ := w.owned(t, "bolt")
		a, admin, scope := w.owned(t, "acme")
		user, err := w.CreateUser(ctx, scope, NewUser{Email: "user@acme.example", Role: policy.TenantUser})
		if err != nil {
			t.Fatal(err)
		}
		seen, names := map[string]bool{}, map[string]string{boss.ID: "boss", other.ID: "other", admin.ID: "admin", user.ID: "user"}
		w.told(t, seen, names)
		for _, c := range []struct {
			what string
			do   func() error
			want string
		}{
			{"an API key", func() error { _, _, err := w.CreateAPIKey(ctx, scope, NewAPIKey{Role: policy.TenantUser}); return err }, "credential.new admin"},
			{"an SSH key", func() error {
				_, err := w.AddSSHKey(ctx, scope, user.ID, NewSSHKey{Name: "laptop", PublicKey: publicKey(t)})
				return err
			}, "credential.new user"},
			{"a password", func() error { return w.SetPassword(ctx, scope, user.ID, password) }, "credential.new user"},
			{"one's own password", func() error {
				u, err := w.user(ctx, w.DB, a.ID, user.ID)
				if err != nil {
					return err
				}
				return w.replacePassword(ctx, u, changed)
			}, ""},
			{"the provider's API key", func() error {
				_, _, err := w.UnscopedCreateAPIKey(ctx, boss.ID, "", NewAPIKey{Role: policy.Auditor})
				return err
			}, "credential.new boss"},
			{"a refused one", func() error {
				if _, _, err := w.CreateAPIKey(ctx, scope, NewAPIKey{Role: policy.SystemAdmin}); err == nil {
					t.Error("a tenant's key was made a system admin's")
				}
				return nil
			}, ""},
		} {
			if err := c.do(); err != nil {
				t.Fatalf("%s: %v", c.what, err)
			}
			if got := w.told(t, seen, names); got != c.want {
				t.Errorf("%s: told %q, want %q", c.what, got, c.want)
			}
		}
	})
}

func TestASignInFromElsewhereIsTold(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, u, _ := w.owned(t, "acme")
		seen, names := map[string]bool{}, map[string]string{u.ID: "admin"}
		w.told(t, seen, names)
		const told = "sign-in.new admin"
		for _, c := range []struct {
			what, from, agent string
			pass              time.Duration
			want              string
		}{
			{"from where it was before", "192.0.2.7", "test", 0, ""},
			{"from another address", "192.0.2.8", "test", 0, told},
			{"from there again", "192.0.2.8", "test", 0, ""},
			{"with another program", "192.0.2.7", "Mozilla/5.0 (X11) Firefox/128.0", 0, told},
			{"with its next version", "192.0.2.7", "Mozilla/5.0 (X11) Firefox/129.1", 0, ""},
			{"from another network of IPv6", "2001:db8:1:2::1", "test", 0, told},
			{"from another address in it", "2001:db8:1:2::2", "test", 0, ""},
			{"half a year later", "192.0.2.7", "test", 181 * 24 * time.Hour, told},
		} {
			w.hands.Pass(c.pass)
			if err := w.ForgetDue(ctx); err != nil {
				t.Fatal(err)
			}
			if _, _, _, err := w.SignIn(ctx, Attempt{Login: u.Login(), Password: changed, Address: netip.MustParseAddr(c.from), Agent: c.agent}); err != nil {
				t.Fatalf("%s: %v", c.what, err)
			}
			if got := w.told(t, seen, names); got != c.want {
				t.Errorf("%s: told %q, want %q", c.what, got, c.want)
			}
		}
		if _, _, _, err := w.SignIn(ctx, Attempt{Login: u.Login(), Password: "a wrong password", Address: netip.MustParseAddr("203.0.113.9"), Agent: "thief"}); err == nil {
			t.Error("a wrong password was right")
		}
		if got := w.told(t, seen, names); got != "" {
			t.Errorf("a sign-in that was refused: told %q", got)
		}
		if _, _, err := w.EraseTenant(ctx, u.Tenant); err != nil {
			t.Fatal(err)
		}
		var left int64
		if err := w.DB.Unscoped().QueryRow(ctx, `SELECT count(*) FROM known_sign_ins`).Scan(&left); err != nil || left != 0 {
			t.Errorf("%d known sign-ins of an erased tenant, %v", left, err)
		}
	})
}
