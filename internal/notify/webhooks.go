package notify

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"tributary/internal/audit"
	"tributary/internal/egress"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// Webhook is where a program of a tenant's, or of the provider's, is told. An admin
// makes it; it is disabled by an admin, by the answer 410, or when nothing could be
// delivered for brokenFor; deleting it, or its tenant's erasure, ends it.
type Webhook struct {
	ID            string
	Tenant        tenant.ID // empty: the provider's
	URL           string
	Kinds         []Kind // empty: all
	State         WebhookState
	Reason        string // why it was disabled
	FailingSince  *time.Time
	CreatedAt     time.Time
	CreatedBy     string
	ModifiedAt    time.Time
	ModifiedBy    string
	TimesModified int64

	secrets []secret
}

// WebhookState says whether anything is sent.
type WebhookState string

// The states.
const (
	HookActive   WebhookState = "active"
	HookDisabled WebhookState = "disabled"
)

// secret signs what is sent; one that was replaced goes on until its time is over.
type secret struct {
	Key   []byte     `json:"key"`
	Until *time.Time `json:"until,omitempty"`
}

// target is what is sealed of a webhook. It opens in its own row only, so whoever
// writes the database cannot point a webhook elsewhere.
type target struct {
	URL     string   `json:"url"`
	Kinds   []Kind   `json:"kinds"`
	Secrets []secret `json:"secrets"`
}

// The bounds of webhooks.
const (
	mostWebhooks = 10 // of a tenant, or of the provider
	longestURL   = 2000
	overlap      = 24 * time.Hour // in which a replaced secret signs too
)

// NewWebhook asks for a webhook.
type NewWebhook struct {
	URL   string
	Kinds []Kind // empty: all
}

// WebhookPatch changes what is not nil.
type WebhookPatch struct {
	URL          *string
	Kinds        *[]Kind
	State        *WebhookState
	RotateSecret bool
}

var hostForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)

// checkURL refuses what is not plainly the address of a public server. Where its
// name leads is judged again, by address, at each connection.
func checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Opaque != "" || len(text) > longestURL {
		return fault.New(fault.Invalid, "A webhook's URL is https://HOST/…, of %d bytes at most.", longestURL)
	}
	host := strings.ToLower(u.Hostname())
	addr, err := netip.ParseAddr(host)
	switch {
	case u.User != nil || u.Fragment != "":
		return fault.New(fault.Invalid, "A webhook's URL has no user, password or fragment in it.")
	case err == nil && !egress.Public(addr):
		return fault.New(fault.Invalid, "A webhook's URL leads to the public internet, and %s is not in it.", host)
	case err != nil && !hostForm.MatchString(host):
		return fault.New(fault.Invalid, "A webhook's host is a name of letters, digits, dots and hyphens; names in other scripts are written as xn--….")
	}
	return nil
}

func checkKinds(list []Kind) error {
	for _, k := range list {
		if _, ok := kinds[k]; !ok {
			return fault.New(fault.Invalid, "There is no kind %q. The kinds are %s.", k, join(Kinds()))
		}
	}
	return nil
}

func join(list []Kind) string {
	var b []string
	for _, k := range list {
		b = append(b, string(k))
	}
	return strings.Join(b, ", ")
}

const webhookColumns = `id, tenant, config, state, reason, failing_since, created_at, created_by, modified_at, modified_by, times_modified`

func (n *Notices) scanWebhook(ctx context.Context) func(scanner) (Webhook, error) {
	return func(row scanner) (Webhook, error) {
		var w Webhook
		var config []byte
		var created, modified int64
		var failing sql.NullInt64
		if err := row.Scan(&w.ID, &w.Tenant, &config, &w.State, &w.Reason, &failing, &created, &w.CreatedBy, &modified, &w.ModifiedBy, &w.TimesModified); err != nil {
			return w, err
		}
		w.FailingSince, w.CreatedAt, w.ModifiedAt = meta.Moment(failing), meta.Time(created), meta.Time(modified)
		raw, err := n.open(ctx, w.Tenant, config, w.ID)
		if err != nil {
			return w, fmt.Errorf("open webhook %s: %w", w.ID, err)
		}
		var t target
		if err := json.Unmarshal(raw, &t); err != nil {
			return w, fmt.Errorf("read webhook %s: %w", w.ID, err)
		}
		w.URL, w.Kinds, w.secrets = t.URL, t.Kinds, t.Secrets
		return w, nil
	}
}

// wants reports whether a kind is sent to the webhook.
func (w Webhook) wants(k Kind) bool {
	return w.State == HookActive && (len(w.Kinds) == 0 || slices.Contains(w.Kinds, k))
}

func (n *Notices) sealWebhook(ctx context.Context, w Webhook) ([]byte, error) {
	raw, err := json.Marshal(target{w.URL, w.Kinds, w.secrets})
	if err != nil {
		return nil, err
	}
	sealed, err := n.seal(ctx, w.Tenant, raw, w.ID)
	if err != nil {
		return nil, fmt.Errorf("seal webhook %s: %w", w.ID, err)
	}
	return sealed, nil
}

// CreateWebhook makes a webhook of an owner's and returns its secret, which is shown
// this once.
func (n *Notices) CreateWebhook(ctx context.Context, owner tenant.Owner, ask NewWebhook) (Webhook, string, error) {
	if err := owner.Check(ctx, tenant.Write, tenant.Notices); err != nil {
		return Webhook{}, "", err
	}
	if err := checkURL(ask.URL); err != nil {
		return Webhook{}, "", err
	}
	if err := checkKinds(ask.Kinds); err != nil {
		return Webhook{}, "", err
	}
	now, id, by := n.Clock.Now(), owner.ID(), owner.Actor()
	key := n.Clock.Bytes(secretBytes)
	w := Webhook{ID: n.Clock.ID("whk"), Tenant: id, URL: ask.URL, Kinds: ask.Kinds, State: HookActive, CreatedAt: now, CreatedBy: by, ModifiedAt: now, ModifiedBy: by,
		secrets: []secret{{Key: key}}}
	config, err := n.sealWebhook(ctx, w)
	if err != nil {
		return w, "", err
	}
	err = n.DB.Transact(ctx, func(tx *meta.DB) error {
		var have int64
		if err := tx.RowsOf(id).QueryRow(ctx, `SELECT count(*) FROM webhooks WHERE tenant = $1`, string(id)).Scan(&have); err != nil {
			return fmt.Errorf("count webhooks: %w", err)
		}
		if have >= mostWebhooks {
			return fault.New(fault.Conflict, "There are %d webhooks, which is the most; delete one first.", mostWebhooks)
		}
		if _, err := tx.RowsOf(id).Exec(ctx, `
			INSERT INTO webhooks (id, tenant, config, state, created_at, created_by, modified_at, modified_by) VALUES ($1, $2, $3, $4, $5, $6, $5, $6)`,
			w.ID, string(id), config, string(w.State), meta.Micros(now), by); err != nil {
			return fmt.Errorf("insert webhook: %w", err)
		}
		return n.record(ctx, tx, by, "webhook.create", w)
	})
	return w, encodeSecret(key), err
}

// record puts what was done to a webhook in its owner's audit log.
func (n *Notices) record(ctx context.Context, tx *meta.DB, by, verb string, w Webhook) error {
	u, err := url.Parse(w.URL)
	if err != nil {
		return fmt.Errorf("read URL of webhook %s: %w", w.ID, err)
	}
	return n.Audit.Append(ctx, tx, audit.Entry{Tenant: w.Tenant, Actor: by, Verb: verb, Subject: w.ID, Outcome: "ok",
		Details: map[string]any{"host": u.Host, "kinds": w.Kinds, "state": w.State}}) // the rest of a URL is often a secret
}

// Webhook returns a webhook of an owner's.
func (n *Notices) Webhook(ctx context.Context, owner tenant.Owner, id string) (Webhook, error) {
	if err := owner.Check(ctx, tenant.Read, tenant.Notices.One(id)); err != nil {
		return Webhook{}, err
	}
	return n.webhook(ctx, n.DB, owner.ID(), id)
}

func (n *Notices) webhook(ctx context.Context, db *meta.DB, owner tenant.ID, id string) (Webhook, error) {
	w, err := n.scanWebhook(ctx)(db.RowsOf(owner).QueryRow(ctx, `SELECT `+webhookColumns+` FROM webhooks WHERE id = $1 AND tenant = $2`, id, string(owner)))
	if errors.Is(err, sql.ErrNoRows) {
		return w, fault.New(fault.NotFound, "There is no webhook %q.", id)
	}
	if err != nil {
		return w, fmt.Errorf("find webhook: %w", err)
	}
	return w, nil
}

// Webhooks lists the webhooks of an owner; they are few.
func (n *Notices) Webhooks(ctx context.Context, owner tenant.Owner) ([]Webhook, error) {
	if err := owner.Check(ctx, tenant.Read, tenant.Notices); err != nil {
		return nil, err
	}
	id := owner.ID()
	list, err := collect(ctx, n.DB.RowsOf(id), n.scanWebhook(ctx), `SELECT `+webhookColumns+` FROM webhooks WHERE tenant = $1 ORDER BY created_at DESC, id DESC`, string(id))
	if err != nil {
		return nil, fmt.Errorf("list webhooks: %w", err)
	}
	return list, nil
}

// UpdateWebhook changes a webhook of an owner's; it returns the new secret if one was
// asked for. The one before signs too for a day more.
func (n *Notices) UpdateWebhook(ctx context.Context, owner tenant.Owner, id string, p WebhookPatch) (w Webhook, shown string, err error) {
	if err := owner.Check(ctx, tenant.Write, tenant.Notices.One(id)); err != nil {
		return w, "", err
	}
	key, by := n.Clock.Bytes(secretBytes), owner.Actor()
	err = n.DB.Transact(ctx, func(tx *meta.DB) error {
		if w, err = n.webhook(ctx, tx, owner.ID(), id); err != nil {
			return err
		}
		if err := w.apply(p); err != nil {
			return err
		}
		now := n.Clock.Now()
		if p.RotateSecret {
			until := now.Add(overlap)
			w.secrets = []secret{{Key: key}, {Key: w.secrets[0].Key, Until: &until}}
		}
		w.ModifiedAt, w.ModifiedBy, w.TimesModified = now, by, w.TimesModified+1
		if err := n.saveWebhook(ctx, tx, w); err != nil {
			return err
		}
		return n.record(ctx, tx, by, "webhook.update", w)
	})
	if p.RotateSecret {
		shown = encodeSecret(key)
	}
	return w, shown, err
}

func (w *Webhook) apply(p WebhookPatch) error {
	if p.URL != nil {
		if err := checkURL(*p.URL); err != nil {
			return err
		}
		w.URL = *p.URL
	}
	if p.Kinds != nil {
		if err := checkKinds(*p.Kinds); err != nil {
			return err
		}
		w.Kinds = *p.Kinds
	}
	if p.State == nil {
		return nil
	}
	switch *p.State {
	case HookActive:
		w.Reason, w.FailingSince = "", nil
	case HookDisabled:
		w.Reason = "It was disabled by an administrator."
	default:
		return fault.New(fault.Invalid, "There is no state %q; it is active or disabled.", *p.State)
	}
	w.State = *p.State
	return nil
}

func (n *Notices) saveWebhook(ctx context.Context, tx *meta.DB, w Webhook) error {
	config, err := n.sealWebhook(ctx, w)
	if err != nil {
		return err
	}
	if _, err := tx.RowsOf(w.Tenant).Exec(ctx, `
		UPDATE webhooks SET config = $1, state = $2, reason = $3, failing_since = $4, modified_at = $5, modified_by = $6, times_modified = $7 WHERE id = $8 AND tenant = $9`,
		config, string(w.State), w.Reason, w.FailingSince, meta.Micros(w.ModifiedAt), w.ModifiedBy, w.TimesModified, w.ID, string(w.Tenant)); err != nil {
		return fmt.Errorf("save webhook %s: %w", w.ID, err)
	}
	return nil
}

// DeleteWebhook removes a webhook of an owner's, with what waits for it.
func (n *Notices) DeleteWebhook(ctx context.Context, owner tenant.Owner, id string) error {
	if err := owner.Check(ctx, tenant.Delete, tenant.Notices.One(id)); err != nil {
		return err
	}
	return n.DB.Transact(ctx, func(tx *meta.DB) error {
		w, err := n.webhook(ctx, tx, owner.ID(), id)
		if err != nil {
			return err
		}
		for _, query := range []string{`DELETE FROM webhook_deliveries WHERE webhook = $1 AND tenant = $2`, `DELETE FROM webhooks WHERE id = $1 AND tenant = $2`} {
			if _, err := tx.RowsOf(w.Tenant).Exec(ctx, query, id, string(w.Tenant)); err != nil {
				return fmt.Errorf("delete webhook %s: %w", id, err)
			}
		}
		return n.record(ctx, tx, owner.Actor(), "webhook.delete", w)
	})
}
