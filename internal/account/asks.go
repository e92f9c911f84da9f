package account

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// askKind is what somebody without a credential asks for.
type askKind string

const (
	resetAsk  askKind = "reset"
	signUpAsk askKind = "sign-up"
)

type askState string

// A question is asked; a round answers it, by a mail or by nothing. That to sign up is
// proven by the code that was mailed, and done when the account is made.
const (
	asked    askState = "asked"
	answered askState = "answered"
	proven   askState = "proven"
	done     askState = "done"
)

// How much may be asked in an hour, and how long it is remembered.
const (
	asksOfAddress = 20    // by one address; what is over is refused
	asksOfRegion  = 200   // by one region
	asksOfSubject = 5     // for one login or email; what is over is not answered, and nobody learns that
	asksOpen      = 10000 // by all
	asksInRound   = 100
	keepAsks      = 24 * time.Hour
)

// ask is a question of somebody who is not known: to reset a password, or to sign up. To
// ask takes the same work and has the same answer whatever is known of what was typed;
// only a round looks, later, and writes a mail or does not.
type ask struct {
	id       string
	kind     askKind
	body     []byte // sealed
	subject  []byte
	address  []byte
	region   []byte // nil: it was asked before regions were noted
	state    askState
	joins    tenant.ID
	code     []byte // keyed digest; nil: none was mailed
	tries    int64
	ticket   []byte // hash
	created  time.Time
	expires  time.Time
	question question
}

// question is what is sealed of an ask.
type question struct {
	Typed   string `json:"typed"` // a login or an email
	Address string `json:"address"`
}

const askColumns = `id, kind, body, subject, address, region, state, joins, code, tries, ticket, created_at, expires_at, mac`

func (a *Accounts) scanAsk(row scanner) (ask, error) {
	var q ask
	var created, expires int64
	var mac []byte
	if err := row.Scan(&q.id, &q.kind, &q.body, &q.subject, &q.address, &q.region, &q.state, &q.joins, &q.code, &q.tries, &q.ticket, &created, &expires, &mac); err != nil {
		return q, err
	}
	q.created, q.expires = meta.Time(created), meta.Time(expires)
	if err := a.Keys.CheckMAC(mac, "account ask", q.fields()...); err != nil {
		return q, fmt.Errorf("account ask %s: %w", q.id, err)
	}
	if q.body == nil {
		return q, nil
	}
	raw, err := a.Keys.DecryptOwn(q.body, []byte("account ask "+q.id))
	if err == nil {
		err = json.Unmarshal(raw, &q.question)
	}
	if err != nil {
		return q, fmt.Errorf("open account ask %s: %w", q.id, err)
	}
	return q, nil
}

// fields are what the row's MAC covers: all.
func (q ask) fields() []any {
	list := []any{q.id, string(q.kind), q.body, q.subject, q.address, string(q.state), string(q.joins), q.code, q.tries, q.ticket, meta.Micros(q.created), meta.Micros(q.expires)}
	if q.region != nil {
		list = append(list, q.region)
	}
	return list
}

// put notes what somebody asks for. It is Throttled for who asks too much.
func (a *Accounts) put(ctx context.Context, kind askKind, typed string, addr netip.Addr, life time.Duration) (ask, error) {
	now := a.Clock.Now()
	typed = strings.ToLower(strings.TrimSpace(typed))
	q := ask{id: a.Clock.ID("ask"), kind: kind, state: asked, created: now, expires: now.Add(life),
		subject: a.Keys.MAC("ask subject", string(kind), typed), address: a.Keys.MAC("ask address", Network(addr)), region: a.Keys.MAC("ask region", region(addr))}
	raw, err := json.Marshal(question{typed, addr.String()})
	if err != nil {
		return q, err
	}
	if q.body, err = a.Keys.EncryptOwn(raw, []byte("account ask "+q.id)); err != nil {
		return q, fmt.Errorf("seal account ask: %w", err)
	}
	err = a.DB.Transact(ctx, func(tx *meta.DB) error {
		var all, near, his, same int64
		if err := tx.QueryRow(ctx, `
			SELECT count(*), COALESCE(SUM(CASE WHEN region = $1 THEN 1 ELSE 0 END), 0), COALESCE(SUM(CASE WHEN address = $2 THEN 1 ELSE 0 END), 0),
				COALESCE(SUM(CASE WHEN subject = $3 THEN 1 ELSE 0 END), 0)
			FROM account_asks WHERE created_at > $4`, q.region, q.address, q.subject, meta.Micros(now.Add(-time.Hour))).Scan(&all, &near, &his, &same); err != nil {
			return fmt.Errorf("count account asks: %w", err)
		}
		if his >= asksOfAddress || near >= asksOfRegion || all >= asksOpen {
			return fault.New(fault.Throttled, "Too much was asked for from here. Try again in an hour.")
		}
		if q.state = asked; same >= asksOfSubject {
			q.state = answered // by nothing
		}
		_, err := tx.Exec(ctx, `INSERT INTO account_asks (`+askColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
			q.id, string(q.kind), q.body, q.subject, q.address, q.region, string(q.state), string(q.joins), q.code, q.tries, q.ticket, meta.Micros(q.created), meta.Micros(q.expires),
			a.Keys.MAC("account ask", q.fields()...))
		if err != nil {
			return fmt.Errorf("insert account ask: %w", err)
		}
		return nil
	})
	return q, err
}

// saveAsk saves what has become of a question since it was read in state before.
func (a *Accounts) saveAsk(ctx context.Context, tx *meta.DB, before ask, q ask) error {
	n, err := tx.Exec(ctx, `UPDATE account_asks SET body = $1, state = $2, joins = $3, code = $4, tries = $5, ticket = $6, expires_at = $7, mac = $8
		WHERE id = $9 AND state = $10 AND tries = $11`,
		q.body, string(q.state), string(q.joins), q.code, q.tries, q.ticket, meta.Micros(q.expires), a.Keys.MAC("account ask", q.fields()...),
		q.id, string(before.state), before.tries)
	if err != nil {
		return fmt.Errorf("save account ask %s: %w", q.id, err)
	}
	if n == 0 {
		return fault.New(fault.Conflict, "This was done already.")
	}
	return nil
}

// AnswerDue answers what was asked, by mails. It is a round.
func (a *Accounts) AnswerDue(ctx context.Context) error {
	rows, err := collect(ctx, a.DB, func(r scanner) (id string, err error) { return id, r.Scan(&id) },
		`SELECT id FROM account_asks WHERE state = $1 ORDER BY created_at, id LIMIT $2`, string(asked), int64(asksInRound))
	if err != nil {
		return fmt.Errorf("list account asks: %w", err)
	}
	for _, id := range rows {
		if err := a.DB.Transact(ctx, func(tx *meta.DB) error { return a.answer(ctx, tx, id) }); err != nil {
			if !fault.Is(err, fault.Damaged) {
				return fmt.Errorf("answer %s: %w", id, err)
			}
			a.Log.ErrorContext(ctx, "a question is not answered, and dropped", "ask", id, "error", err)
			if _, err := a.DB.Exec(ctx, `DELETE FROM account_asks WHERE id = $1`, id); err != nil {
				return fmt.Errorf("drop %s: %w", id, err)
			}
		}
	}
	return nil
}

func (a *Accounts) answer(ctx context.Context, tx *meta.DB, id string) error {
	q, err := a.scanAsk(tx.QueryRow(ctx, `SELECT `+askColumns+` FROM account_asks WHERE id = $1 AND state = $2`, id, string(asked)))
	if err == sql.ErrNoRows { //nolint:errorlint // it is the driver's own
		return nil
	}
	if err != nil {
		return err
	}
	before := q
	q.state = answered
	switch {
	case !a.Clock.Now().Before(q.expires):
	case q.kind == resetAsk:
		err, q.body = a.mailReset(ctx, tx, q), nil
	case q.kind == signUpAsk:
		err = a.mailCode(ctx, tx, &q)
	}
	if err != nil {
		return err
	}
	return a.saveAsk(ctx, tx, before, q)
}
