package notify

import (
	"context"
	"fmt"

	"tributary/internal/audit"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// Switch says whether a person gets the mails of a kind.
type Switch struct {
	Kind  Kind
	On    bool
	Fixed bool // it is about the account's security and cannot be turned off
}

// errNoPerson is for programs, which get webhooks and no mails.
var errNoPerson = fault.New(fault.Conflict, "An API key gets no mails, so it has no switches for them. Sign in as a person; programs are told by webhooks.")

// Switches lists one's own switches: the kinds that one's role is told of.
func (n *Notices) Switches(ctx context.Context, p policy.Principal) ([]Switch, error) {
	if p.User == "" {
		return nil, errNoPerson
	}
	off, err := collect(ctx, n.DB.RowsOf(p.Tenant), func(r scanner) (k Kind, err error) { return k, r.Scan(&k) },
		`SELECT kind FROM notice_switches WHERE tenant = $1 AND user_id = $2`, string(p.Tenant), p.User)
	if err != nil {
		return nil, fmt.Errorf("read switches: %w", err)
	}
	is := map[Kind]bool{}
	for _, k := range off {
		is[k] = true
	}
	var list []Switch
	for _, k := range Kinds() {
		if r := kinds[k]; k.mailed() && (r.security || r.tells(p.Role) && (p.Tenant != "" && !r.provider || p.Tenant == "" && !r.shared)) {
			list = append(list, Switch{Kind: k, On: r.security || !is[k], Fixed: r.security})
		}
	}
	return list, nil
}

// Off is a kind of mails that somebody has turned off.
type Off struct {
	User string
	Kind Kind
}

// TurnedOff lists which mails the people of the scope's tenant have turned off.
func (n *Notices) TurnedOff(ctx context.Context, scope tenant.Scope) ([]Off, error) {
	if err := scope.Check(ctx, tenant.Read, tenant.Notices); err != nil {
		return nil, err
	}
	list, err := collect(ctx, n.DB.For(scope.Tenant()), func(r scanner) (o Off, err error) { return o, r.Scan(&o.User, &o.Kind) },
		`SELECT user_id, kind FROM notice_switches WHERE tenant = $1 ORDER BY user_id, kind`, string(scope.Tenant()))
	if err != nil {
		return nil, fmt.Errorf("list switches: %w", err)
	}
	return list, nil
}

// SetSwitch turns a kind of mails to oneself on or off.
func (n *Notices) SetSwitch(ctx context.Context, p policy.Principal, k Kind, on bool) (Switch, error) {
	r, known := kinds[k]
	switch {
	case !known || !k.mailed():
		return Switch{}, fault.New(fault.NotFound, "There are no mails of a kind %q.", k)
	case p.User == "":
		return Switch{}, errNoPerson
	case r.security && !on:
		return Switch{}, fault.New(fault.Conflict, "Mails of the kind %q are about the account's security and cannot be turned off.", k)
	}
	query := `INSERT INTO notice_switches (tenant, user_id, kind) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`
	if on {
		query = `DELETE FROM notice_switches WHERE tenant = $1 AND user_id = $2 AND kind = $3`
	}
	err := n.DB.Transact(ctx, func(tx *meta.DB) error {
		if _, err := tx.RowsOf(p.Tenant).Exec(ctx, query, string(p.Tenant), p.User, string(k)); err != nil {
			return fmt.Errorf("set switch: %w", err)
		}
		return n.Audit.Append(ctx, tx, audit.Entry{Tenant: p.Tenant, Actor: p.Actor(), Verb: "notices.update", Subject: p.User, Outcome: "ok"})
	})
	return Switch{Kind: k, On: on, Fixed: r.security}, err
}
