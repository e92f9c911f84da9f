package account

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"tributary/internal/fault"
	"tributary/internal/policy"
)

func TestPreferencesAreOnesOwn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		boss, _, err := w.FirstAdmin(ctx, "boss@provider.example", password)
		if err != nil {
			t.Fatal(err)
		}
		acme, ann, _ := w.owned(t, "acme")
		_, bob, _ := w.owned(t, "bolt")
		is := func(u User) policy.Principal {
			return policy.Principal{Kind: policy.Session, User: u.ID, Tenant: u.Tenant, Role: u.Role}
		}
		set := func(u User, change Preferences) Preferences {
			t.Helper()
			got, err := w.ChangePreferences(ctx, is(u), change)
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		for _, u := range []User{boss, ann, bob} {
			if got, err := w.Preferences(ctx, is(u)); err != nil || len(got) != 0 {
				t.Fatalf("before anything was set: got %v, %v", got, err)
			}
			set(u, Preferences{"rows.users": 25.0, "of": u.ID})
		}
		set(ann, Preferences{"columns.users": []any{"email"}, "rows.users": nil})
		for u, want := range map[*User]Preferences{
			&boss: {"rows.users": 25.0, "of": boss.ID}, &bob: {"rows.users": 25.0, "of": bob.ID}, &ann: {"columns.users": []any{"email"}, "of": ann.ID},
		} {
			if got, err := w.Preferences(ctx, is(*u)); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: got %v, %v, want %v", u.Email, got, err, want)
			}
		}
		if got := len(w.entries(t, acme.ID, "preferences.update")); got != 2 {
			t.Errorf("got %d audit entries, want 2", got)
		}
		rows, err := w.DB.Unscoped().Query(ctx, `SELECT choices FROM preferences`)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var sealed []byte
			if err := rows.Scan(&sealed); err != nil || bytes.Contains(sealed, []byte("rows.users")) || bytes.Contains(sealed, []byte("usr_")) {
				t.Errorf("got %q, %v, want it sealed", sealed, err)
			}
		}
		if _, _, err := w.EraseTenant(ctx, acme.ID); err != nil {
			t.Fatal(err)
		}
		var left int
		if err := w.DB.Unscoped().QueryRow(ctx, `SELECT count(*) FROM preferences`).Scan(&left); err != nil || left != 2 {
			t.Errorf("after acme was erased: got %d rows (%v), want 2", left, err)
		}
	})
}

func TestPreferencesHaveBounds(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		_, ann, _ := w.owned(t, "acme")
		p := policy.Principal{Kind: policy.Session, User: ann.ID, Tenant: ann.Tenant, Role: ann.Role}
		many := Preferences{}
		for i := range maxPreferences + 1 {
			many[fmt.Sprint("n", i)] = true
		}
		for name, c := range map[string]struct {
			p      policy.Principal
			change Preferences
			want   fault.Kind
		}{
			"an API key":     {policy.Principal{Kind: policy.APIKey, Tenant: ann.Tenant, Role: ann.Role}, Preferences{"a": 1.0}, fault.Conflict},
			"too many":       {p, many, fault.TooLarge},
			"too long":       {p, Preferences{"a": strings.Repeat("x", maxPreferenceBytes)}, fault.TooLarge},
			"another's form": {p, Preferences{"A b": 1.0}, fault.Invalid},
			"no name":        {p, Preferences{"": 1.0}, fault.Invalid},
		} {
			if _, err := w.ChangePreferences(t.Context(), c.p, c.change); fault.KindOf(err) != c.want {
				t.Errorf("%s: got %v, want %s", name, err, c.want)
			}
		}
		if got, err := w.Preferences(t.Context(), p); err != nil || len(got) != 0 {
			t.Errorf("got %v, %v, want nothing kept", got, err)
		}
	})
}
