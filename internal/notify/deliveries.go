package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"tributary/internal/audit"
	"tributary/internal/fault"
	"tributary/internal/live"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// Delivery is one message to one webhook. An act adds it, or an admin's test; it is
// delivered when the receiver answers 2xx, or fails after the last of pauses.
type Delivery struct {
	ID        string // the header webhook-id, the same at each attempt
	Tenant    tenant.ID
	Webhook   string
	Kind      Kind
	State     State
	Attempts  int64
	Status    int64  // of the last answer; 0: there was none
	Error     string // why the last attempt failed, in our words
	CreatedAt time.Time
	TriedAt   *time.Time
	NextAt    *time.Time // while it waits
}

// pauses are the times between the attempts, which are eight in about 28 hours.
var pauses = [...]time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 10 * time.Hour}

const (
	webhookTimeout = 15 * time.Second
	hookTime       = webhookTimeout     // in a round, after which no message to the same webhook begins
	brokenFor      = 5 * 24 * time.Hour // without any success, and a webhook is disabled
	hooksAtOnce    = 16                 // that are sent to at the same time
	hooksInRound   = 200                // that one round looks at
	eachInRound    = 10                 // messages to one webhook, one after the other
	mostAsked      = 100                // that may wait for a webhook when another is asked for
	mostPayload    = 16 << 10
)

// message is the body of a delivery: ids, and no content.
type message struct {
	Type      Kind      `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      things    `json:"data"`
}

type things struct {
	Tenant   string `json:"tenant,omitempty"`
	Subject  string `json:"id"`
	User     string `json:"user,omitempty"`
	Dataset  string `json:"dataset,omitempty"`
	Analysis string `json:"analysis,omitempty"`
	Date     string `json:"date,omitempty"`
}

// addDeliveries adds a delivery for each of an owner's webhooks that wants it.
func (n *Notices) addDeliveries(ctx context.Context, tx *meta.DB, owner tenant.ID, x Notice) error {
	ids, err := collect(ctx, tx.RowsOf(owner), func(r scanner) (id string, err error) { return id, r.Scan(&id) },
		`SELECT id FROM webhooks WHERE tenant = $1 AND state = $2 ORDER BY id`, string(owner), string(HookActive))
	if err != nil {
		return fmt.Errorf("list webhooks: %w", err)
	}
	for _, id := range ids {
		w, err := n.webhook(ctx, tx, owner, id)
		if gone(err) || fault.Is(err, fault.Damaged) { // no reason for the act to fail; fsck names it
			n.Log.ErrorContext(ctx, "a webhook cannot be opened", "webhook", id, "tenant.id", string(owner), "error", err)
			continue
		}
		if err != nil {
			return err
		}
		if !w.wants(x.Kind) {
			continue
		}
		if _, err := n.addDelivery(ctx, tx, w, x); err != nil {
			return err
		}
	}
	return nil
}

func (n *Notices) addDelivery(ctx context.Context, tx *meta.DB, w Webhook, x Notice) (Delivery, error) {
	now := n.Clock.Now()
	d := Delivery{ID: n.Clock.ID("msg"), Tenant: w.Tenant, Webhook: w.ID, Kind: x.Kind, State: Waiting, CreatedAt: now, NextAt: &now}
	payload, err := json.Marshal(message{x.Kind, now, things{string(x.Tenant), x.Subject, x.User, x.Dataset, x.Analysis, x.Date}})
	if err != nil {
		return d, err
	}
	if len(payload) > mostPayload {
		return d, fmt.Errorf("notify: a message of %d bytes to %s", len(payload), w.ID)
	}
	if payload, err = n.seal(ctx, d.Tenant, payload, d.row()); err != nil {
		return d, fmt.Errorf("seal a message to %s: %w", w.ID, err)
	}
	if _, err := tx.RowsOf(w.Tenant).Exec(ctx, `
		INSERT INTO webhook_deliveries (id, tenant, webhook, kind, payload, state, next_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $7)`,
		d.ID, string(d.Tenant), d.Webhook, string(d.Kind), payload, string(Waiting), meta.Micros(now)); err != nil {
		return d, fmt.Errorf("insert delivery: %w", err)
	}
	n.changed(tx, live.Webhook, w.Tenant, w.ID)
	return d, nil
}

// row is what a message is sealed for: itself, to one webhook. So whoever writes the
// database has the server sign nothing else, and nothing with another's secret.
func (d Delivery) row() string { return d.ID + " " + d.Webhook }

// dueDelivery is a delivery that is due, with what is needed to send it.
type dueDelivery struct {
	Delivery
	payload []byte // sealed
	next    int64
}

const deliveryColumns = `id, tenant, webhook, kind, state, attempts, status, error, created_at, tried_at, next_at`

func scanDelivery(row scanner, more ...any) (d Delivery, err error) {
	var created, next int64
	var tried sql.NullInt64
	err = row.Scan(append([]any{&d.ID, &d.Tenant, &d.Webhook, &d.Kind, &d.State, &d.Attempts, &d.Status, &d.Error, &created, &tried, &next}, more...)...)
	d.CreatedAt, d.TriedAt = meta.Time(created), meta.Moment(tried)
	if d.State == Waiting {
		at := meta.Time(next)
		d.NextAt = &at
	}
	return d, err
}

// DeliverDue sends what is due to webhooks. It is a round. Webhooks are sent to side
// by side, so that one that does not answer keeps up few others, and messages to one
// in turn: after one that fails, or hookTime, the rest wait for the next round.
func (n *Notices) DeliverDue(ctx context.Context) error {
	due, err := collect(ctx, n.DB.Unscoped(), func(r scanner) (d dueDelivery, err error) {
		d.Delivery, err = scanDelivery(r, &d.payload)
		if err == nil && d.NextAt != nil {
			d.next = meta.Micros(*d.NextAt)
		}
		return d, err
	}, `SELECT `+deliveryColumns+`, payload FROM (
			SELECT `+deliveryColumns+`, payload, ROW_NUMBER() OVER (PARTITION BY webhook ORDER BY next_at, id) AS turn FROM webhook_deliveries WHERE state = $1 AND next_at <= $2) AS d
		WHERE turn <= $3 ORDER BY turn, next_at, id LIMIT $4`,
		string(Waiting), meta.Micros(n.Clock.Now()), int64(eachInRound), int64(hooksInRound))
	if err != nil {
		return fmt.Errorf("list deliveries that are due: %w", err)
	}
	var hooks []string
	of := map[string][]dueDelivery{}
	for _, d := range due {
		if of[d.Webhook] == nil {
			hooks = append(hooks, d.Webhook)
		}
		of[d.Webhook] = append(of[d.Webhook], d)
	}
	errs := make([]error, len(hooks))
	places := make(chan struct{}, hooksAtOnce)
	var sending sync.WaitGroup
	for i, id := range hooks {
		places <- struct{}{}
		sending.Go(func() {
			defer func() { <-places }()
			errs[i] = n.deliverTo(ctx, of[id])
		})
	}
	sending.Wait()
	return errors.Join(errs...)
}

// deliverTo sends messages to one webhook until one fails or its time is over.
func (n *Notices) deliverTo(ctx context.Context, list []dueDelivery) error {
	owner, id := list[0].Tenant, list[0].Webhook
	w, unopened := n.webhook(ctx, n.DB, owner, id)
	if unopened != nil && !gone(unopened) && !fault.Is(unopened, fault.Damaged) {
		return unopened
	}
	end := n.Clock.Now().Add(hookTime)
	for _, d := range list {
		if ctx.Err() != nil || !n.Clock.Now().Before(end) {
			break // the next round, or the next server, takes it up
		}
		taken, err := n.DB.RowsOf(owner).Exec(ctx, `UPDATE webhook_deliveries SET attempts = attempts + 1, next_at = $1 WHERE id = $2 AND tenant = $3 AND state = $4 AND next_at = $5`,
			meta.Micros(n.Clock.Now().Add(max(d.pause(), 2*webhookTimeout))), d.ID, string(owner), string(Waiting), d.next)
		if err != nil {
			return fmt.Errorf("take up delivery %s: %w", d.ID, err)
		}
		if taken == 0 {
			continue
		}
		var a attempt
		switch {
		case unopened != nil:
			a = attempt{words: "The webhook could not be opened.", final: true, ours: true}
		case w.State != HookActive:
			a = attempt{words: "The webhook was disabled.", final: true, ours: true}
		default:
			a = n.post(ctx, w, d)
		}
		if err := n.settle(ctx, w, d, a); err != nil {
			return err
		}
		if !a.ok() && !a.ours {
			return nil
		}
	}
	return nil //nolint:nilerr // that it could not be opened is in its deliveries
}

// pause is the time from this attempt to the next.
func (d dueDelivery) pause() time.Duration { return pauses[min(int(d.Attempts), len(pauses)-1)] }

// attempt is what came of sending a message once.
type attempt struct {
	status int
	words  string // why it failed; empty: it did not
	final  bool   // another attempt would come to the same
	gone   bool   // the receiver wants nothing more
	ours   bool   // why it failed says nothing about the webhook
}

func (a attempt) ok() bool { return a.words == "" }

// post sends a message. Why a receiver was not reached is told in words that say
// nothing about the network that this server is in.
func (n *Notices) post(ctx context.Context, w Webhook, d dueDelivery) attempt {
	text, err := n.open(ctx, w.Tenant, d.payload, d.row())
	if err != nil {
		n.Log.ErrorContext(ctx, "a message to a webhook cannot be opened", "delivery", d.ID, "tenant.id", string(d.Tenant), "error", err)
		return attempt{words: "The message could not be opened.", final: gone(err) || fault.Is(err, fault.Damaged), ours: true}
	}
	ctx, cancel := context.WithTimeout(ctx, webhookTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(text))
	if err != nil {
		return attempt{words: "The webhook's URL is not usable.", final: true}
	}
	now := n.Clock.Now()
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Tributary-Webhooks/1")
	r.Header.Set("Webhook-Id", d.ID)
	r.Header.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
	r.Header.Set("Webhook-Signature", sign(w.keys(now), d.ID, now, text))
	answer, err := n.Client.Do(r)
	if answer != nil {
		defer answer.Body.Close() // nothing of it is read
	}
	var certificate *tls.CertificateVerificationError
	switch {
	case answer != nil && answer.StatusCode/100 == 3:
		return attempt{status: answer.StatusCode, words: "The answer was a redirect, and redirects are not followed."}
	case errors.As(err, &certificate):
		return attempt{words: "The receiver's certificate is not good."}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return attempt{words: fmt.Sprintf("There was no answer within %.0f s.", webhookTimeout.Seconds())}
	case err != nil:
		return attempt{words: "The receiver could not be reached. It must be on the public internet."}
	case answer.StatusCode/100 == 2:
		return attempt{status: answer.StatusCode}
	case answer.StatusCode == http.StatusGone:
		return attempt{status: answer.StatusCode, words: "The answer was 410: the receiver wants nothing more.", final: true, gone: true}
	}
	return attempt{status: answer.StatusCode, words: fmt.Sprintf("The answer was %d.", answer.StatusCode)}
}

// keys are the secrets that sign now, the newest first.
func (w Webhook) keys(now time.Time) [][]byte {
	var list [][]byte
	for _, s := range w.secrets {
		if s.Until == nil || now.Before(*s.Until) {
			list = append(list, s.Key)
		}
	}
	return list
}

// settle notes what became of an attempt, and of its webhook.
func (n *Notices) settle(ctx context.Context, w Webhook, d dueDelivery, a attempt) error {
	ctx = context.WithoutCancel(ctx)
	now := n.Clock.Now()
	state, next := Delivered, meta.Micros(now)
	switch {
	case a.ok():
	case a.final || int(d.Attempts) >= len(pauses):
		state = Failed
	default:
		state, next = Waiting, meta.Micros(now.Add(d.pause()))
	}
	err := n.DB.Transact(ctx, func(tx *meta.DB) error {
		last, err := tx.RowsOf(d.Tenant).Exec(ctx, `
			UPDATE webhook_deliveries SET state = $1, next_at = $2, status = $3, error = $4, tried_at = $5 WHERE id = $6 AND tenant = $7 AND state = $8 AND attempts = $9`,
			string(state), next, int64(a.status), a.words, meta.Micros(now), d.ID, string(d.Tenant), string(Waiting), d.Attempts+1)
		if err != nil || last == 0 { // somebody else has made another attempt since, and that one counts
			return err
		}
		if a.ours {
			return nil
		}
		return n.judge(ctx, tx, w, a, now)
	})
	if err != nil {
		return fmt.Errorf("settle delivery %s: %w", d.ID, err)
	}
	n.changed(n.DB, live.Webhook, d.Tenant, d.Webhook)
	return nil
}

// judge keeps since when a webhook has been failing, and disables one that has been
// for too long. Its owner's admins are told.
func (n *Notices) judge(ctx context.Context, tx *meta.DB, sent Webhook, a attempt, now time.Time) error {
	w, err := n.webhook(ctx, tx, sent.Tenant, sent.ID)
	if gone(err) { // deleted meanwhile
		return nil
	}
	if err != nil || w.State != HookActive || w.TimesModified != sent.TimesModified {
		return err // what was changed since begins anew
	}
	reason := ""
	switch {
	case a.ok() && w.FailingSince == nil:
		return nil
	case a.ok():
		w.FailingSince = nil
	case a.gone:
		reason = "the receiver answered 410, that it wants nothing more"
	case w.FailingSince == nil:
		w.FailingSince = &now
	case now.Sub(*w.FailingSince) >= brokenFor:
		reason = "nothing could be delivered for five days"
	default:
		return nil
	}
	if reason == "" {
		return n.saveWebhook(ctx, tx, w)
	}
	w.State, w.Reason = HookDisabled, reason
	w.ModifiedAt, w.ModifiedBy, w.TimesModified = now, "tributary", w.TimesModified+1
	if err := n.saveWebhook(ctx, tx, w); err != nil {
		return err
	}
	if err := n.record(ctx, tx, "tributary", "webhook.update", w); err != nil {
		return err
	}
	return n.Add(ctx, tx, Notice{Kind: WebhookDisabled, Tenant: w.Tenant, Subject: w.ID, Detail: reason})
}

// Deliveries lists what was sent to a webhook of an owner's, the newest first.
func (n *Notices) Deliveries(ctx context.Context, owner tenant.Owner, webhook string, page meta.Page) ([]Delivery, string, error) {
	w, err := n.Webhook(ctx, owner, webhook)
	if err != nil {
		return nil, "", err
	}
	pos, err := page.Position()
	if err != nil {
		return nil, "", err
	}
	list, err := collect(ctx, n.DB.RowsOf(w.Tenant), func(r scanner) (Delivery, error) { return scanDelivery(r) }, `SELECT `+deliveryColumns+` FROM webhook_deliveries
		WHERE webhook = $1 AND tenant = $2 AND (created_at < $3 OR (created_at = $3 AND id < $4)) ORDER BY created_at DESC, id DESC LIMIT $5`,
		webhook, string(w.Tenant), pos.At, pos.ID, int64(page.Size()+1))
	if err != nil {
		return nil, "", fmt.Errorf("list deliveries: %w", err)
	}
	list, next := meta.Cut(list, page, func(d Delivery) meta.Position { return meta.Position{At: meta.Micros(d.CreatedAt), ID: d.ID} })
	return list, next, nil
}

// TestWebhook sends a message of the type webhook.test to a webhook of an owner's, in
// the next round.
func (n *Notices) TestWebhook(ctx context.Context, owner tenant.Owner, id string) (d Delivery, err error) {
	if err := owner.Check(ctx, tenant.Write, tenant.Notices.One(id)); err != nil {
		return d, err
	}
	err = n.DB.Transact(ctx, func(tx *meta.DB) error {
		w, err := n.ready(ctx, tx, owner.ID(), id)
		if err != nil {
			return err
		}
		if d, err = n.addDelivery(ctx, tx, w, Notice{Kind: webhookTest, Tenant: w.Tenant, Subject: id}); err != nil {
			return err
		}
		return n.record(ctx, tx, owner.Actor(), "webhook.test", w)
	})
	return d, err
}

// ready finds a webhook that another message can be asked for.
func (n *Notices) ready(ctx context.Context, tx *meta.DB, owner tenant.ID, id string) (Webhook, error) {
	w, err := n.webhook(ctx, tx, owner, id)
	if err != nil {
		return w, err
	}
	if w.State != HookActive {
		return w, fault.New(fault.Conflict, "The webhook is disabled; enable it first.")
	}
	var waiting int64
	if err := tx.RowsOf(owner).QueryRow(ctx, `SELECT count(*) FROM webhook_deliveries WHERE webhook = $1 AND tenant = $2 AND state = $3`, id, string(owner), string(Waiting)).Scan(&waiting); err != nil {
		return w, fmt.Errorf("count deliveries: %w", err)
	}
	if waiting >= mostAsked {
		return w, fault.New(fault.Throttled, "There are %d messages waiting for this webhook; try again when they are delivered.", waiting)
	}
	return w, nil
}

// Redeliver sends one message to a webhook of an owner's again, under the same id.
func (n *Notices) Redeliver(ctx context.Context, owner tenant.Owner, id string) (d Delivery, err error) {
	if err := owner.Check(ctx, tenant.Write, tenant.Notices); err != nil {
		return d, err
	}
	whose := owner.ID()
	err = n.DB.Transact(ctx, func(tx *meta.DB) error {
		d, err = scanDelivery(tx.RowsOf(whose).QueryRow(ctx, `SELECT `+deliveryColumns+` FROM webhook_deliveries WHERE id = $1 AND tenant = $2`, id, string(whose)))
		if errors.Is(err, sql.ErrNoRows) {
			return fault.New(fault.NotFound, "There is no delivery %q.", id)
		}
		if err != nil {
			return fmt.Errorf("find delivery: %w", err)
		}
		if d.State == Waiting {
			return fault.New(fault.Conflict, "The message waits already; its next attempt is at %s.", d.NextAt.Format(time.RFC3339))
		}
		if _, err := n.ready(ctx, tx, whose, d.Webhook); err != nil {
			return err
		}
		now := n.Clock.Now()
		d.State, d.Attempts, d.NextAt = Waiting, 0, &now
		if _, err := tx.RowsOf(whose).Exec(ctx, `UPDATE webhook_deliveries SET state = $1, attempts = 0, next_at = $2 WHERE id = $3 AND tenant = $4`,
			string(Waiting), meta.Micros(now), id, string(whose)); err != nil {
			return fmt.Errorf("redeliver %s: %w", id, err)
		}
		return n.Audit.Append(ctx, tx, audit.Entry{Tenant: whose, Actor: owner.Actor(), Verb: "webhook.redeliver", Subject: id, Outcome: "ok"})
	})
	return d, err
}
