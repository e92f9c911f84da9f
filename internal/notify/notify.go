// Package notify tells people and programs what has happened: by mail, by signed
// webhooks, and in an outbox that shows that a mail exists. An act adds its notices
// in its own transaction; they are sent afterwards, each at least once under an id
// that stays the same. What is worth a notice, the other capabilities decide.
//
// A notice has no content in it: it names things by their ids, and whoever may see
// them looks there. What is to be sent is sealed until it has been, so that a code
// or link in a mail lies nowhere in plain.
package notify

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"tributary/internal/audit"
	"tributary/internal/clock"
	"tributary/internal/egress"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/live"
	"tributary/internal/meta"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// Config is what Notices needs; DB, Keys and Audit are required.
type Config struct {
	DB    *meta.DB
	Keys  *keys.Ring
	Audit *audit.Log
	Clock clock.Clock
	Log   *slog.Logger
	// Mail sends mails; nil: they stay in the outbox.
	Mail *SMTP
	// PublicURL is where people reach this server. Mails have links to it, and no
	// others; empty: they have none.
	PublicURL string
	// Client sends webhooks; nil: egress.Client, which reaches public addresses only.
	Client Client
	// Changes is told what becomes of mails and of messages to webhooks; nil: nobody is.
	Changes *live.Hub
}

// Client is the part of an HTTP client that webhooks need.
type Client interface {
	Do(*http.Request) (*http.Response, error)
}

// Person is somebody who can be told.
type Person struct {
	ID, Email string
	Role      policy.Role
}

// people is the part of account that says who can be told.
type people interface {
	// UnscopedPeople lists the active people of a tenant, or of the provider for "".
	UnscopedPeople(ctx context.Context, tx *meta.DB, id tenant.ID) ([]Person, error)
}

// Notices keeps and sends notices.
type Notices struct {
	Config
	people people

	mu        sync.Mutex
	mailAfter time.Time // the mail server could not be reached, and is let alone until then
}

// New makes Notices. Until SetPeople is called nobody gets mails.
func New(cfg Config) *Notices {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Client == nil {
		cfg.Client = egress.Client()
	}
	return &Notices{Config: cfg}
}

// SetPeople says where people are found. Accounts need Notices, so it comes after New.
func (n *Notices) SetPeople(p people) { n.people = p }

// Notice is one thing that has happened. Mails and webhooks carry these fields and
// nothing else, so none may hold what a file, its name or a result says.
type Notice struct {
	Kind    Kind
	Tenant  tenant.ID // whose people and webhooks are told; empty: the provider's
	User    string    // the one person who is told by mail; empty: all that the kind is for
	Subject string    // the id of what it is about
	Dataset string    // of the subject, if it has one; so too the next two
	Date    string
	// Analysis is the analysis that a result is of.
	Analysis string
	// Detail goes into the mail only, and is sealed until then: a reason, an address.
	Detail string
	// To is an address that a mail goes to instead of to people, since it is nobody's
	// yet, or proves itself by the mail. Secret is the code or link's token in it, and
	// Until when that ends; like Detail they are in the mail only.
	To, Secret, Until string
}

// Sends reports whether mails go out. Where they do not they stay in the outbox, and
// whoever would wait for one has to be told another way.
func (n *Notices) Sends() bool { return n.Mail != nil }

// Add makes a notice exist when tx commits: a mail for each person who is told, and
// a delivery for each webhook. Nothing is sent before.
func (n *Notices) Add(ctx context.Context, tx *meta.DB, x Notice) error {
	k, ok := kinds[x.Kind]
	if !ok || x.Tenant != "" && !x.Tenant.Valid() {
		return fmt.Errorf("notify: there is no kind %q, or no tenant %q", x.Kind, x.Tenant)
	}
	if err := n.addMails(ctx, tx, k, x); err != nil {
		return fmt.Errorf("add mails of %s: %w", x.Kind, err)
	}
	if k.letter {
		return nil
	}
	if err := n.addDeliveries(ctx, tx, x.Tenant, x); err != nil {
		return fmt.Errorf("add deliveries of %s: %w", x.Kind, err)
	}
	if x.Tenant == "" || !k.shared {
		return nil
	}
	if err := n.addDeliveries(ctx, tx, "", x); err != nil {
		return fmt.Errorf("add the provider's deliveries of %s: %w", x.Kind, err)
	}
	return nil
}

// AddOnce is Add for what is told once for a tenant's period: of the same kind,
// dataset and date there is no second notice, whoever adds it, and after a restart.
func (n *Notices) AddOnce(ctx context.Context, tx *meta.DB, x Notice) error {
	first, err := tx.RowsOf(x.Tenant).Exec(ctx, `INSERT INTO notices_told (tenant, kind, dataset, date, told_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
		string(x.Tenant), string(x.Kind), x.Dataset, x.Date, meta.Micros(n.Clock.Now()))
	if err != nil {
		return fmt.Errorf("note that %s is told: %w", x.Kind, err)
	}
	if first == 0 {
		return nil
	}
	return n.Add(ctx, tx, x)
}

// seal seals a value for its row: with the tenant's pool key, or the server's own
// for the provider. It is NotFound once the tenant's keys are destroyed.
func (n *Notices) seal(ctx context.Context, id tenant.ID, data []byte, row string) ([]byte, error) {
	if id == "" {
		return n.Keys.EncryptOwn(data, []byte("notice "+row))
	}
	return n.Keys.Encrypt(ctx, id, keys.Pool, data, []byte("notice "+row))
}

func (n *Notices) open(ctx context.Context, id tenant.ID, sealed []byte, row string) ([]byte, error) {
	if id == "" {
		return n.Keys.DecryptOwn(sealed, []byte("notice "+row))
	}
	return n.Keys.Decrypt(ctx, id, keys.Pool, sealed, []byte("notice "+row))
}

// gone reports that a tenant's keys are destroyed: it is told nothing any more.
func gone(err error) bool { return fault.Is(err, fault.NotFound) }

type scanner interface{ Scan(...any) error }

// collect reads all rows before anything is written, since one connection does
// one thing at a time.
func collect[T any](ctx context.Context, db *meta.DB, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := db.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}
