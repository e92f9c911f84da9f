package account

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"tributary/internal/audit"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/meta"
	"tributary/internal/policy"
)

// Preferences are how a user likes to see things in the portals: JSON values by
// name. What they mean is for the portals. They are nobody's but the user's own.
type Preferences map[string]any

// Bounds of a user's preferences.
const (
	maxPreferences     = 64
	maxPreferenceBytes = 16 << 10 // of them all as JSON
)

var preferenceForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

var errNobody = fault.New(fault.Conflict, "An API key has no preferences. Sign in as a person.")

// Preferences returns those of the user that a principal is.
func (a *Accounts) Preferences(ctx context.Context, p policy.Principal) (Preferences, error) {
	if p.User == "" {
		return nil, errNobody
	}
	return a.preferences(ctx, a.DB, p)
}

// ChangePreferences sets those that are named, and takes away those of which the
// value is null. It returns all.
func (a *Accounts) ChangePreferences(ctx context.Context, p policy.Principal, change Preferences) (Preferences, error) {
	if p.User == "" {
		return nil, errNobody
	}
	var all Preferences
	err := a.DB.Transact(ctx, func(tx *meta.DB) error {
		list, err := a.preferences(ctx, tx, p)
		if err != nil {
			return err
		}
		for name, value := range change {
			if !preferenceForm.MatchString(name) {
				return fault.New(fault.Invalid, "A preference's name is of up to 64 lower-case letters, digits, dots, hyphens and underscores; %q is not.", name)
			}
			if delete(list, name); value != nil {
				list[name] = value
			}
		}
		raw, err := json.Marshal(list)
		if err != nil {
			return fault.Wrap(fault.Invalid, err, "A preference's value is JSON.")
		}
		if len(list) > maxPreferences || len(raw) > maxPreferenceBytes {
			return fault.New(fault.TooLarge, "A user has at most %d preferences, of %d KiB in all; these would be %d, of %d bytes.", maxPreferences, maxPreferenceBytes>>10, len(list), len(raw))
		}
		if err := a.savePreferences(ctx, tx, p, raw); err != nil {
			return err
		}
		all = list
		return a.Audit.Append(ctx, tx, audit.Entry{Tenant: p.Tenant, Actor: p.Actor(), Verb: "preferences.update", Subject: p.User, Outcome: "ok"})
	})
	return all, err
}

func preferencesContext(user string) []byte { return []byte("preferences " + user) }

func (a *Accounts) preferences(ctx context.Context, db *meta.DB, p policy.Principal) (Preferences, error) {
	var sealed []byte
	list := Preferences{}
	err := db.RowsOf(p.Tenant).QueryRow(ctx, `SELECT choices FROM preferences WHERE user_id = $1 AND tenant = $2`, p.User, string(p.Tenant)).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return list, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read preferences of %s: %w", p.User, err)
	}
	var raw []byte
	if p.Tenant == "" {
		raw, err = a.Keys.DecryptOwn(sealed, preferencesContext(p.User))
	} else {
		raw, err = a.Keys.Decrypt(ctx, p.Tenant, keys.Pool, sealed, preferencesContext(p.User))
	}
	if err == nil {
		err = json.Unmarshal(raw, &list)
	}
	if err != nil {
		return nil, fmt.Errorf("open preferences of %s: %w", p.User, err)
	}
	return list, nil
}

func (a *Accounts) savePreferences(ctx context.Context, tx *meta.DB, p policy.Principal, raw []byte) error {
	var sealed []byte
	var err error
	if p.Tenant == "" {
		sealed, err = a.Keys.EncryptOwn(raw, preferencesContext(p.User))
	} else {
		sealed, err = a.Keys.Encrypt(ctx, p.Tenant, keys.Pool, raw, preferencesContext(p.User))
	}
	if err != nil {
		return fmt.Errorf("seal preferences of %s: %w", p.User, err)
	}
	_, err = tx.RowsOf(p.Tenant).Exec(ctx, `
		INSERT INTO preferences (user_id, tenant, choices, changed_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (user_id) DO UPDATE SET choices = excluded.choices, changed_at = excluded.changed_at`,
		p.User, string(p.Tenant), sealed, meta.Micros(a.Clock.Now()))
	if err != nil {
		return fmt.Errorf("save preferences of %s: %w", p.User, err)
	}
	return nil
}
