package policy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"tributary/internal/clock"
	"tributary/internal/fault"
	"tributary/internal/tenant"
)

// How long scopes live.
const (
	// Life is how long a scope from a credential lives.
	Life = 15 * time.Minute
	// LongestTransfer is how long the scope of a transfer can be renewed: as long as
	// a session lasts. It must be below Longest, for which ended scopes are remembered.
	LongestTransfer = 12 * time.Hour
	// Longest is the longest that a scope for work can be asked for.
	Longest = 24 * time.Hour
	// MaxVerified is how old a principal may be that a scope is made from. It must
	// be below Longest, for which revoked credentials are remembered.
	MaxVerified = 12 * time.Hour
)

// Template says what a kind of work may ask for; policies.cedar has the list.
type Template string

// The templates.
const (
	Validation  Template = "validation"  // reads one submitted file, writes its accepted form
	Expiry      Template = "expiry"      // removes parts of what nobody goes on sending
	RunGrant    Template = "run"         // reads the accepted forms it names, writes results
	Offboarding Template = "offboarding" // deletes; reads nothing; goes on while the tenant is blocked
	Retention   Template = "retention"   // deletes the files and results it names; the same
	Intake      Template = "intake"      // writes the events that come with a write key of the tenant's
)

// Work is something that the server does for one tenant when nobody is present.
// That a standing grant or a submission calls for it is for the caller to see to.
type Work struct {
	Template    Template
	Tenant      tenant.ID
	Actor       string              // the run's or submission's id; revoking it ends the scope
	Permissions []tenant.Permission // what it needs, no more; each must fit the template
	For         time.Duration       // more than 0, at most Longest
}

// stores lists what scopes are made of. Everything is not among them: a scope
// names what it reaches.
var stores = [...]tenant.Resource{
	tenant.VaultInput, tenant.VaultOutput, tenant.Submissions, tenant.Results,
	tenant.Acceptances, tenant.Credentials, tenant.AuditTrail, tenant.TenantProfile, tenant.Notices, tenant.Events, tenant.Streams, tenant.Warehouse,
}

var (
	scopeActions = [...]Action{scopeRead, scopeWrite, scopeDelete}
	verbs        = map[tenant.Verb]Action{tenant.Read: scopeRead, tenant.Write: scopeWrite, tenant.Delete: scopeDelete}
)

// template is what the permissions of a scope depend on, besides the tenant.
type template struct {
	role Role
	kind Kind
}

// makeTemplates asks Cedar once for all that a role with a kind of credential may
// have, since the answer does not depend on who it is.
func (e *Engine) makeTemplates() map[template][]tenant.Permission {
	const anyone = tenant.ID("ten_00000000000000000000000000")
	made := map[template][]tenant.Permission{}
	for role := range groups {
		for _, kind := range []Kind{Session, APIKey, SSHKey, Setup} {
			p := Principal{Credential: "anyone", Kind: kind, Role: role}
			if !role.Staff() {
				p.Tenant = anyone
			}
			var list []tenant.Permission
			for verb, action := range verbs {
				for _, store := range stores {
					if ok, _ := e.decide(p.entity(), action, stored(anyone, store)); ok {
						list = append(list, tenant.Permission{Verb: verb, Resource: store})
					}
				}
			}
			made[template{role, kind}] = list
		}
	}
	return made
}

// Scope makes the scope of a tenant's principal: what its role has, for its own
// tenant, for Life. The fault is Denied for staff and blocked tenants, and
// Unauthenticated for a credential that was revoked or verified too long ago.
func (e *Engine) Scope(ctx context.Context, p Principal) (tenant.Scope, error) {
	return e.scope(ctx, p, nil)
}

// TransferScope makes a scope like Scope for sending or fetching something large.
// At the end of each Life the next check looks the credential up again, and the
// scope goes on if it is still good for the same person in the same role; after
// LongestTransfer it ends in any case. Revocation ends it at once, like any other.
func (e *Engine) TransferScope(ctx context.Context, p Principal, again Verifier) (tenant.Scope, error) {
	return e.scope(ctx, p, unchanged(p, again))
}

// Presence says, each time it is called, whether a principal is still good, as the
// scope of a transfer does: revocation, a block or another role ends it at once, at the
// end of each Life the credential is looked up again, and it lasts LongestTransfer at
// most. It is for the provider's people too, and opens nothing.
func (e *Engine) Presence(p Principal, again Verifier) (func(context.Context) error, error) {
	if !p.whole() {
		return nil, fault.New(fault.Denied, "This credential may not do that.")
	}
	l, err := e.live.lease(terms{tenant: p.Tenant, actor: p.Actor(), credential: p.Credential, user: p.User, life: Life, again: unchanged(p, again)})
	if err != nil {
		return nil, err
	}
	return l.alive, nil
}

// unchanged looks a principal up again, and wants the same of it as before.
func unchanged(p Principal, again Verifier) func(context.Context) error {
	return func(ctx context.Context) error {
		now, err := again(ctx, p)
		if err == nil && (now.Credential != p.Credential || now.Kind != p.Kind || now.User != p.User || now.Tenant != p.Tenant || now.Role != p.Role) {
			err = fault.New(fault.Unauthenticated, "What this credential may do has changed; begin again.")
		}
		return err
	}
}

// Verifier looks up anew, without its secret, the credential that a principal
// came with. Its error says that the credential is not good any more, or that
// this cannot be known. It may be called within a transaction, so it only reads.
type Verifier func(context.Context, Principal) (Principal, error)

func (e *Engine) scope(ctx context.Context, p Principal, again func(context.Context) error) (tenant.Scope, error) {
	if err := ctx.Err(); err != nil {
		return tenant.Scope{}, err
	}
	if !p.whole() || p.Tenant == "" {
		return tenant.Scope{}, fault.New(fault.Denied, "Only a tenant's own people can do this.")
	}
	if p.VerifiedAt.IsZero() {
		return tenant.Scope{}, fmt.Errorf("policy: the principal %s does not say when it was verified", p.Credential)
	}
	age := e.live.now().Sub(p.VerifiedAt)
	if age > MaxVerified || age < -time.Minute { // a time to come means that the clock was set back
		return tenant.Scope{}, fault.Wrap(fault.Unauthenticated, fmt.Errorf("policy: the credential was verified %s ago", age),
			"The permission for this has expired; sign in again.")
	}
	list := e.templates[template{p.Role, p.Kind}]
	if len(list) == 0 {
		return tenant.Scope{}, fault.New(fault.Denied, "This credential may not do that.")
	}
	return e.mint(terms{tenant: p.Tenant, actor: p.Actor(), credential: p.Credential, user: p.User, life: Life, permissions: list, again: again})
}

// WorkScope makes the scope of some work. The fault is Denied when the template
// does not allow a permission, the tenant is blocked (but for Offboarding and Retention) or the
// actor was revoked, and Internal when the work is not described wholly.
func (e *Engine) WorkScope(w Work) (tenant.Scope, error) {
	switch {
	case !w.Tenant.Valid():
		return tenant.Scope{}, fmt.Errorf("policy: work for %q, which is no tenant", w.Tenant)
	case w.Actor == "":
		return tenant.Scope{}, errors.New("policy: work of nobody")
	case len(w.Permissions) == 0:
		return tenant.Scope{}, errors.New("policy: work that asks for no permission")
	case w.For <= 0 || w.For > Longest:
		return tenant.Scope{}, fmt.Errorf("policy: work for %s; it must be more than 0 and at most %s", w.For, Longest)
	}
	worker := types.Entity{UID: cedar.NewEntityUID("Work", cedar.String(w.Template))}
	for _, p := range w.Permissions {
		action, known := verbs[p.Verb]
		if !known || !named(p.Resource) {
			return tenant.Scope{}, fmt.Errorf("policy: there is no permission to %s %s", p.Verb, p.Resource)
		}
		if ok, why := e.decide(worker, action, stored(w.Tenant, p.Resource)); !ok {
			return tenant.Scope{}, fault.Wrap(fault.Denied, fmt.Errorf("policy: %s of %s for %s: %s", p.Verb, p.Resource, w.Actor, why),
				"Work of the kind %q may not %s %s.", w.Template, p.Verb, p.Resource)
		}
	}
	return e.mint(terms{
		tenant: w.Tenant, actor: w.Actor, credential: w.Actor, life: w.For,
		permissions: slices.Clone(w.Permissions), whileBlocked: w.Template == Offboarding || w.Template == Retention,
	})
}

// Narrow makes a scope with some of the parent's permissions, for at most life.
// It ends with its parent at the latest. The fault is Denied when the parent does
// not have a permission that is asked for.
func (e *Engine) Narrow(ctx context.Context, parent tenant.Scope, permissions []tenant.Permission, life time.Duration) (tenant.Scope, error) {
	if len(permissions) == 0 || life <= 0 {
		return tenant.Scope{}, errors.New("policy: a narrower scope needs permissions and a life")
	}
	for _, p := range permissions {
		if !named(p.Resource) {
			return tenant.Scope{}, fmt.Errorf("policy: there is no permission to %s %s", p.Verb, p.Resource)
		}
		if err := parent.Check(ctx, p.Verb, p.Resource); err != nil {
			return tenant.Scope{}, err
		}
	}
	first := permissions[0]
	return e.mint(terms{
		tenant: parent.Tenant(), actor: parent.Actor(), credential: parent.Actor(), life: min(life, Longest),
		permissions: slices.Clone(permissions),
		// The parent answers for itself, whatever kept it alive.
		parent:       func(ctx context.Context) error { return parent.Check(ctx, first.Verb, first.Resource) },
		whileBlocked: true,
	})
}

// terms is what a scope is made from here.
type terms struct {
	tenant           tenant.ID
	actor            string
	credential, user string // either's revocation ends the scope
	life             time.Duration
	permissions      []tenant.Permission
	again            func(context.Context) error // looks the credential up at the end of each life; nil: the scope has one
	parent           func(context.Context) error // nil: none
	whileBlocked     bool
}

func (e *Engine) mint(t terms) (tenant.Scope, error) {
	lease, err := e.live.lease(t)
	if err != nil {
		return tenant.Scope{}, err
	}
	lately := lease.lately
	if t.parent != nil { // which answers for itself, and knows no more than whether it is alive
		lately = nil
	}
	return tenant.Mint(tenant.Terms{
		Tenant: t.tenant, Actor: t.actor, Permissions: t.permissions, Lately: lately,
		Alive: func(ctx context.Context) error {
			if t.parent != nil {
				if err := t.parent(ctx); err != nil {
					return err
				}
			}
			return lease.alive(ctx)
		},
	}), nil
}

// named reports whether r is one of stores, or one thing in it by an id that the
// server could have made.
func named(r tenant.Resource) bool {
	for _, s := range stores {
		if r == s {
			return true
		}
		if id, below := strings.CutPrefix(string(r), string(s)+"/"); below {
			prefix, _, _ := strings.Cut(id, "_")
			return strings.Trim(prefix, "abcdefghijklmnopqrstuvwxyz") == "" && clock.ValidID(prefix, id) && !tenant.ID(id).Valid()
		}
	}
	return false
}

// stored is a store, or a thing in one, as Cedar knows it.
func stored(id tenant.ID, r tenant.Resource) types.Entity {
	e := types.Entity{
		UID:        cedar.NewEntityUID("Store", cedar.String(r)),
		Attributes: cedar.NewRecord(cedar.RecordMap{"tenant": owner(id)}),
	}
	for _, s := range stores {
		if strings.HasPrefix(string(r), string(s)+"/") {
			e.UID.Type = "Object"
			e.Parents = cedar.NewEntityUIDSet(cedar.NewEntityUID("Store", cedar.String(s)))
		}
	}
	return e
}
