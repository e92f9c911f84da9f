package account

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// linkKind is what a link is for.
type linkKind string

const (
	invitationLink linkKind = "invitation"
	resetLink      linkKind = "reset"
)

// How long links are good.
const (
	invitationLife = 72 * time.Hour
	resetLife      = 30 * time.Minute
	keepLinks      = 7 * 24 * time.Hour // after their end, so that who opens one is told what became of it
)

// LinkState says what has become of a link.
type LinkState string

// The states.
const (
	LinkOpen    LinkState = "open"
	LinkUsed    LinkState = "used"
	LinkExpired LinkState = "expired"
	LinkEnded   LinkState = "ended" // taken back, or replaced by a newer one
)

// link is a single-use way to a user's account: an invitation, which an admin makes,
// or a reset of a password, which somebody asks for. It ends when it is used, after its
// time, and when a newer one takes its place. Of its token only the hash is kept.
type link struct {
	id        string
	tenant    tenant.ID
	user      string
	kind      linkKind
	token     []byte // hash
	mailed    bool   // the token went to the user's address and nowhere else
	createdAt time.Time
	createdBy string
	sentAt    time.Time
	expires   time.Time
	used      *time.Time
	ended     *time.Time
}

const linkColumns = `id, tenant, user_id, kind, token_hash, mailed, created_at, created_by, sent_at, expires_at, used_at, ended_at, mac`

func (a *Accounts) scanLink(row scanner) (link, error) {
	var l link
	var mailed, created, sent, expires int64
	var used, ended sql.NullInt64
	var mac []byte
	if err := row.Scan(&l.id, &l.tenant, &l.user, &l.kind, &l.token, &mailed, &created, &l.createdBy, &sent, &expires, &used, &ended, &mac); err != nil {
		return l, err
	}
	l.mailed, l.createdAt, l.sentAt, l.expires = mailed != 0, meta.Time(created), meta.Time(sent), meta.Time(expires)
	l.used, l.ended = meta.Moment(used), meta.Moment(ended)
	if err := a.Keys.CheckMAC(mac, "account link", l.fields()...); err != nil {
		return l, fmt.Errorf("account link %s: %w", l.id, err)
	}
	return l, nil
}

// fields are what the row's MAC covers: all.
func (l link) fields() []any {
	return []any{l.id, string(l.tenant), l.user, string(l.kind), l.token, l.mailed, meta.Micros(l.createdAt), l.createdBy, meta.Micros(l.sentAt), meta.Micros(l.expires),
		meta.MomentMicros(l.used), meta.MomentMicros(l.ended)}
}

func (l link) state(now time.Time) LinkState {
	switch {
	case l.used != nil:
		return LinkUsed
	case l.ended != nil:
		return LinkEnded
	case !now.Before(l.expires):
		return LinkExpired
	}
	return LinkOpen
}

// errNoLink is for a token that there is no link for.
var errNoLink = fault.New(fault.NotFound, "This link is not one that was sent from here. Open it from the mail once more, or copy it whole.")

// closed says why a link cannot be used any more.
func (l link) closed(now time.Time) error {
	again := "Ask who invited you to send it again."
	if l.kind == resetLink {
		again = "Ask for another one."
	}
	switch l.state(now) {
	case LinkUsed:
		return fault.New(fault.Conflict, "This link was used already, and works once. If it was you, sign in.")
	case LinkEnded:
		return fault.New(fault.Conflict, "This link was taken back, or a newer one was sent. Look for a newer mail.")
	case LinkExpired:
		return fault.New(fault.Conflict, "This link has expired. %s", again)
	case LinkOpen:
	}
	return nil
}

// findLink finds the link of a token.
func (a *Accounts) findLink(ctx context.Context, db *meta.DB, kind linkKind, token string) (link, error) {
	l, err := a.scanLink(db.Unscoped().QueryRow(ctx, `SELECT `+linkColumns+` FROM account_links WHERE token_hash = $1 AND kind = $2`, digest(token), string(kind)))
	if errors.Is(err, sql.ErrNoRows) {
		return l, errNoLink
	}
	if err != nil {
		return l, fmt.Errorf("find link: %w", err)
	}
	return l, nil
}

// insertLink adds a link whose token is the one returned.
func (a *Accounts) insertLink(ctx context.Context, tx *meta.DB, l link, life time.Duration) (link, string, error) {
	token := a.freshToken(&l, life)
	l.createdAt = l.sentAt
	_, err := tx.RowsOf(l.tenant).Exec(ctx, `INSERT INTO account_links (`+linkColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, NULL, NULL, $11)`,
		l.id, string(l.tenant), l.user, string(l.kind), l.token, l.mailed, meta.Micros(l.createdAt), l.createdBy, meta.Micros(l.sentAt), meta.Micros(l.expires),
		a.Keys.MAC("account link", l.fields()...))
	if err != nil {
		return l, "", fmt.Errorf("insert link: %w", err)
	}
	return l, token, nil
}

func (a *Accounts) freshToken(l *link, life time.Duration) string {
	token := "trl_" + a.Clock.Secret(32)
	l.token, l.sentAt = digest(token), a.Clock.Now()
	l.expires = l.sentAt.Add(life)
	return token
}

// saveLink saves a link as it was when it was open; it is a Conflict if somebody was
// faster.
func (a *Accounts) saveLink(ctx context.Context, tx *meta.DB, l link) error {
	n, err := tx.RowsOf(l.tenant).Exec(ctx, `
		UPDATE account_links SET token_hash = $1, mailed = $2, sent_at = $3, expires_at = $4, used_at = $5, ended_at = $6, mac = $7
		WHERE id = $8 AND tenant = $9 AND used_at IS NULL AND ended_at IS NULL`,
		l.token, l.mailed, meta.Micros(l.sentAt), meta.Micros(l.expires), l.used, l.ended, a.Keys.MAC("account link", l.fields()...), l.id, string(l.tenant))
	if err != nil {
		return fmt.Errorf("save link %s: %w", l.id, err)
	}
	if n == 0 {
		return fault.New(fault.Conflict, "This link was used already, and works once. If it was you, sign in.")
	}
	return nil
}

// useLink spends a link. Of two at the same moment one gets a Conflict.
func (a *Accounts) useLink(ctx context.Context, tx *meta.DB, l link) error {
	now := a.Clock.Now()
	l.used = &now
	return a.saveLink(ctx, tx, l)
}

// endLinks takes back the open links that a user has, of a kind or of all ("").
func (a *Accounts) endLinks(ctx context.Context, tx *meta.DB, u User, kind linkKind) error {
	list, err := collect(ctx, tx.RowsOf(u.Tenant), a.scanLink, `SELECT `+linkColumns+` FROM account_links
		WHERE tenant = $1 AND user_id = $2 AND ($3 = '' OR kind = $3) AND used_at IS NULL AND ended_at IS NULL`, string(u.Tenant), u.ID, string(kind))
	if err != nil {
		return fmt.Errorf("list links of %s: %w", u.ID, err)
	}
	now := a.Clock.Now()
	for _, l := range list {
		l.ended = &now
		if err := a.saveLink(ctx, tx, l); err != nil {
			return err
		}
	}
	return nil
}

// proveEmail notes that a user's address is its own: something that was mailed there came back.
func (a *Accounts) proveEmail(ctx context.Context, tx *meta.DB, u User) error {
	now := meta.Micros(a.Clock.Now())
	_, err := tx.RowsOf(u.Tenant).Exec(ctx, `
		INSERT INTO proven_emails (tenant, user_id, email, proven_at, mac) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (tenant, user_id) DO UPDATE SET email = excluded.email, proven_at = excluded.proven_at, mac = excluded.mac`,
		string(u.Tenant), u.ID, u.Email, now, a.Keys.MAC("proven email", string(u.Tenant), u.ID, u.Email, now))
	if err != nil {
		return fmt.Errorf("note that an address is proven: %w", err)
	}
	return nil
}

// Sends reports whether mails go out. Where they do not, links are shown to who makes
// them, and nobody signs up.
func (a *Accounts) Sends() bool { return a.Notices != nil && a.Notices.Sends() }

// words is how a time stands in a mail.
func words(t time.Time) string { return t.Format("2006-01-02 15:04 UTC") }
