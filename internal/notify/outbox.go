package notify

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tributary/internal/fault"
	"tributary/internal/live"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// Mail shows that a mail exists, and never what is in it. An act adds it; it is
// sent, or given up mailLife later, and then its text is deleted; the row is
// forgotten after keepRows.
type Mail struct {
	ID        string
	Tenant    tenant.ID // empty: the provider's
	User      string    // who it is to
	Kind      Kind
	State     State
	Attempts  int64
	Error     string // why the last attempt failed, in our words
	CreatedAt time.Time
	SettledAt *time.Time // when it was sent or given up
}

// State says what has become of a mail or a delivery.
type State string

// The states. A delivery is delivered where a mail is sent: all that is known of a
// mail is that the next server took it.
const (
	Waiting   State = "waiting"
	Sent      State = "sent"
	Delivered State = "delivered"
	Failed    State = "failed"
)

// How long things are tried and kept.
const (
	mailLife    = 3 * 24 * time.Hour   // then a mail is old news
	mailTimeout = time.Minute          // for one, with its connection
	keepRows    = 30 * 24 * time.Hour  // of the outbox and of deliveries
	keepTold    = 400 * 24 * time.Hour // that a period was told: longer than one is looked at
	hourly      = 30                   // mails of a kind to one person in an hour; what is over is left out
	mailsAtOnce = 200                  // in a round
	mailRest    = time.Minute          // of a mail server that cannot be reached
)

// mailPause is the time to the next attempt. It is longer than an attempt takes, so
// that nobody else takes up a mail that is being sent.
func mailPause(attempts int64) time.Duration {
	pause := 2 * time.Minute
	for range min(attempts, 8) {
		pause *= 2
	}
	return min(pause, 6*time.Hour)
}

// letter is what is sealed of a mail until it is sent.
type letter struct {
	To      string `json:"to"`
	Subject string `json:"subject"`
	Text    string `json:"text"`
}

// addMails adds a mail for each person who is told.
func (n *Notices) addMails(ctx context.Context, tx *meta.DB, k rules, x Notice) error {
	if k.letter {
		return n.addLetter(ctx, tx, x)
	}
	if n.people == nil || !x.Kind.mailed() {
		return nil
	}
	all, err := n.people.UnscopedPeople(ctx, tx, x.Tenant)
	if err != nil {
		return err
	}
	var told []Person
	for _, p := range all {
		if x.User == p.ID || x.User == "" && k.tells(p.Role) {
			told = append(told, p)
		}
	}
	if len(told) == 0 {
		return nil
	}
	if !k.security {
		if told, err = n.wanted(ctx, tx, x, told); err != nil {
			return err
		}
	}
	subject, text, err := x.Kind.write(x, n.PublicURL)
	if err != nil {
		return err
	}
	for _, p := range told {
		if err := n.addMail(ctx, tx, x, p, letter{p.Email, subject, text}); gone(err) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

// addLetter adds the mail of a kind that is for one address only.
func (n *Notices) addLetter(ctx context.Context, tx *meta.DB, x Notice) error {
	subject, text, err := x.Kind.write(x, n.PublicURL)
	if err != nil {
		return err
	}
	if err := n.addMail(ctx, tx, x, Person{ID: x.User}, letter{x.To, subject, text}); !gone(err) {
		return err
	}
	return nil
}

// wanted leaves out who has turned the kind off, and who has had enough of it.
func (n *Notices) wanted(ctx context.Context, tx *meta.DB, x Notice, all []Person) ([]Person, error) {
	rows := tx.RowsOf(x.Tenant)
	id := func(r scanner) (user string, err error) { return user, r.Scan(&user) }
	off, err := collect(ctx, rows, id, `SELECT user_id FROM notice_switches WHERE tenant = $1 AND kind = $2`, string(x.Tenant), string(x.Kind))
	if err != nil {
		return nil, fmt.Errorf("read switches: %w", err)
	}
	enough, err := collect(ctx, rows, id, `SELECT user_id FROM notice_mails WHERE tenant = $1 AND kind = $2 AND created_at > $3 GROUP BY user_id HAVING count(*) >= $4`,
		string(x.Tenant), string(x.Kind), meta.Micros(n.Clock.Now().Add(-time.Hour)), int64(hourly))
	if err != nil {
		return nil, fmt.Errorf("count mails: %w", err)
	}
	out := map[string]bool{}
	for _, user := range append(off, enough...) {
		out[user] = true
	}
	var told []Person
	for _, p := range all {
		if !out[p.ID] {
			told = append(told, p)
		}
	}
	return told, nil
}

func (n *Notices) addMail(ctx context.Context, tx *meta.DB, x Notice, p Person, l letter) error {
	id, now := n.Clock.ID("eml"), meta.Micros(n.Clock.Now())
	raw, err := json.Marshal(l)
	if err != nil {
		return err
	}
	body, err := n.seal(ctx, x.Tenant, raw, id)
	if err != nil {
		return fmt.Errorf("seal mail: %w", err)
	}
	_, err = tx.RowsOf(x.Tenant).Exec(ctx, `
		INSERT INTO notice_mails (id, tenant, user_id, kind, body, state, next_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $7)`,
		id, string(x.Tenant), p.ID, string(x.Kind), body, string(Waiting), now)
	n.changed(tx, live.Outbox, x.Tenant, id)
	return err
}

// changed tells who watches, once tx is committed.
func (n *Notices) changed(tx *meta.DB, kind live.Kind, whose tenant.ID, id string) {
	tx.AfterCommit(func() { n.Changes.Tell(live.Change{Kind: kind, ID: id, Tenant: whose, By: "tributary"}) })
}

// waitingMail is a mail that is due, with what is needed to send it.
type waitingMail struct {
	id       string
	tenant   tenant.ID
	body     []byte
	attempts int64
	next     int64
}

// SendDue sends the mails that are due, and gives up those that are too old. It is
// a round. One that is killed between taking a mail up and noting that it was sent
// leaves it to be sent again, under the same id.
func (n *Notices) SendDue(ctx context.Context) error {
	now := n.Clock.Now()
	if _, err := n.DB.Unscoped().Exec(ctx, `
		UPDATE notice_mails SET state = $1, body = NULL, settled_at = $2, error = CASE WHEN error = '' THEN $3 ELSE error END WHERE state = $4 AND created_at <= $5`,
		string(Failed), meta.Micros(now), "It was not sent within three days.", string(Waiting), meta.Micros(now.Add(-mailLife))); err != nil {
		return fmt.Errorf("give up old mails: %w", err)
	}
	n.mu.Lock()
	rests := now.Before(n.mailAfter)
	n.mu.Unlock()
	if n.Mail == nil || rests {
		return nil
	}
	due, err := collect(ctx, n.DB.Unscoped(), func(r scanner) (m waitingMail, err error) {
		return m, r.Scan(&m.id, &m.tenant, &m.body, &m.attempts, &m.next)
	}, `SELECT id, tenant, body, attempts, next_at FROM notice_mails WHERE state = $1 AND next_at <= $2 ORDER BY next_at, id LIMIT $3`,
		string(Waiting), meta.Micros(now), int64(mailsAtOnce))
	if err != nil {
		return fmt.Errorf("list mails that are due: %w", err)
	}
	var server *smtpSession
	defer func() { server.close() }()
	for _, m := range due {
		var broken bool
		if server, broken, err = n.sendOne(ctx, server, m); err != nil {
			return err
		}
		if broken { // it cannot be reached, so the others wait
			n.mu.Lock()
			n.mailAfter = n.Clock.Now().Add(mailRest)
			n.mu.Unlock()
			return nil
		}
	}
	return nil
}

// sendOne takes up one mail, sends it over the session that is open or a new one,
// and notes what became of it. It is broken if the mail server could not be reached.
func (n *Notices) sendOne(ctx context.Context, server *smtpSession, m waitingMail) (_ *smtpSession, broken bool, err error) {
	now := n.Clock.Now()
	taken, err := n.DB.RowsOf(m.tenant).Exec(ctx, `UPDATE notice_mails SET attempts = attempts + 1, next_at = $1 WHERE id = $2 AND tenant = $3 AND state = $4 AND next_at = $5`,
		meta.Micros(now.Add(mailPause(m.attempts))), m.id, string(m.tenant), string(Waiting), m.next)
	if err != nil {
		return server, false, fmt.Errorf("take up mail %s: %w", m.id, err)
	}
	if taken == 0 {
		return server, false, nil
	}
	raw, err := n.open(ctx, m.tenant, m.body, m.id)
	var l letter
	if err == nil {
		err = json.Unmarshal(raw, &l)
	}
	if err != nil {
		n.Log.ErrorContext(ctx, "a mail cannot be opened", "mail", m.id, "tenant.id", string(m.tenant), "error", err)
		return server, false, n.settleMail(ctx, m, &mailError{words: "It could not be opened.", final: gone(err) || fault.Is(err, fault.Damaged)})
	}
	server, err = n.deliver(ctx, server, m.id, l)
	var e *mailError
	if errors.As(err, &e) && e.broken {
		server.close()
		server, broken = nil, true
	}
	return server, broken, n.settleMail(ctx, m, err)
}

func (n *Notices) deliver(ctx context.Context, server *smtpSession, id string, l letter) (_ *smtpSession, err error) {
	ctx, cancel := context.WithTimeout(ctx, mailTimeout)
	defer cancel()
	if server == nil {
		if server, err = n.Mail.open(ctx, n.PublicURL); err != nil {
			return nil, err
		}
	}
	return server, server.send(ctx, n.Mail.from.Address, id, n.Mail.message(id, l, n.Clock.Now()), l.To)
}

// settleMail notes what became of an attempt, unless somebody else has made another
// since.
func (n *Notices) settleMail(ctx context.Context, m waitingMail, cause error) error {
	state, words := Sent, ""
	var e *mailError
	if errors.As(cause, &e) {
		state, words = Waiting, e.words
		if e.final {
			state = Failed
		}
		n.Log.WarnContext(ctx, "a mail was not sent", "mail", m.id, "tenant.id", string(m.tenant), "error", words, "final", e.final)
	}
	settled := sql.NullInt64{Int64: meta.Micros(n.Clock.Now()), Valid: state != Waiting}
	_, err := n.DB.RowsOf(m.tenant).Exec(context.WithoutCancel(ctx), `
		UPDATE notice_mails SET state = $1, error = $2, settled_at = $3, body = CASE WHEN $1 = 'waiting' THEN body ELSE NULL END
		WHERE id = $4 AND tenant = $5 AND state = 'waiting' AND attempts = $6`,
		string(state), words, settled, m.id, string(m.tenant), m.attempts+1)
	if err != nil {
		return fmt.Errorf("settle mail %s: %w", m.id, err)
	}
	n.changed(n.DB, live.Outbox, m.tenant, m.id)
	return nil
}

// MailFilter narrows a list; empty fields do not.
type MailFilter struct {
	State State
	Kind  Kind
}

// Outbox lists the mails to the scope's tenant's people, the newest first.
func (n *Notices) Outbox(ctx context.Context, scope tenant.Scope, f MailFilter, page meta.Page) ([]Mail, string, error) {
	if err := scope.Check(ctx, tenant.Read, tenant.Notices); err != nil {
		return nil, "", err
	}
	id := scope.Tenant()
	return n.listMails(ctx, n.DB.For(id), &id, f, page)
}

// UnscopedOutbox lists the mails to a tenant's people ("" has the provider's), or
// for nil all.
func (n *Notices) UnscopedOutbox(ctx context.Context, id *tenant.ID, f MailFilter, page meta.Page) ([]Mail, string, error) {
	return n.listMails(ctx, n.DB.Unscoped(), id, f, page)
}

// ofTenant picks mails by their tenant, and so by what staff call it.
const ofTenant = "tenant IN (SELECT t.id FROM tenants AS t WHERE %s)"

// MailList is how mails are searched, filtered and sorted. What is in them, and whom
// they go to, is sealed, and not searched.
var MailList = meta.List[Mail]{
	Select: "id, tenant, user_id, kind, state, attempts, error, created_at, settled_at", From: "FROM notice_mails", Order: "-created_at",
	Key: []meta.Key{{SQL: "id", Kind: meta.Text}},
	Columns: []meta.Column[Mail]{
		{Name: "id", Kind: meta.Ident, SQL: "id", Search: true},
		{Name: "kind", Kind: meta.Text, SQL: "kind", Search: true},
		{Name: "user", Kind: meta.Ident, SQL: "user_id", Search: true},
		{Name: "state", Kind: meta.Choice, SQL: "state", Values: []string{string(Waiting), string(Sent), string(Failed)}},
		{Name: "tenant", Kind: meta.Text, SQL: "t.slug", Within: ofTenant, Search: true},
		{Name: "tenant_name", Kind: meta.Text, SQL: "t.name", Within: ofTenant, Search: true},
		{Name: "error", Kind: meta.Text, SQL: "error", Search: true},
		{Name: "attempts", Kind: meta.Number, SQL: "attempts"},
		{Name: "created_at", Kind: meta.Instant, SQL: "created_at", Sort: true},
	},
}

func (n *Notices) listMails(ctx context.Context, db *meta.DB, id *tenant.ID, f MailFilter, page meta.Page) ([]Mail, string, error) {
	var where meta.Where
	if id != nil {
		where.And("tenant = ?", string(*id))
	}
	where.AndIs("state", string(f.State))
	where.AndIs("kind", string(f.Kind))
	list, next, err := MailList.Read(ctx, db, &where, page, func(r meta.Scanner) (m Mail, err error) {
		var created int64
		var settled sql.NullInt64
		err = r.Scan(&m.ID, &m.Tenant, &m.User, &m.Kind, &m.State, &m.Attempts, &m.Error, &created, &settled)
		m.CreatedAt, m.SettledAt = meta.Time(created), meta.Moment(settled)
		return m, err
	})
	if err != nil {
		return nil, "", fmt.Errorf("list outbox: %w", err)
	}
	return list, next, nil
}

// ForgetDue removes the rows of mails and deliveries that are over. It is a round.
func (n *Notices) ForgetDue(ctx context.Context) error {
	before := meta.Micros(n.Clock.Now().Add(-keepRows))
	for _, table := range []string{"notice_mails", "webhook_deliveries"} {
		if _, err := n.DB.Unscoped().Exec(ctx, `DELETE FROM `+table+` WHERE created_at < $1 AND state <> 'waiting'`, before); err != nil {
			return fmt.Errorf("forget old notices: %w", err)
		}
	}
	if _, err := n.DB.Unscoped().Exec(ctx, `DELETE FROM notices_told WHERE told_at < $1`, meta.Micros(n.Clock.Now().Add(-keepTold))); err != nil {
		return fmt.Errorf("forget what was told: %w", err)
	}
	return nil
}
