package tenant

import (
	"context"
	"strings"

	"tributary/internal/fault"
)

// Verb is something that a Scope lets its holder do.
type Verb string

// The verbs.
const (
	Read   Verb = "read"
	Write  Verb = "write"
	Delete Verb = "delete"
)

// Resource names a tenant's things: a kind of them, such as "vault/input", or
// one of them, such as "vault/input/obj_1". A kind covers each one below it.
type Resource string

// One names one thing of a kind.
func (r Resource) One(id string) Resource { return r + "/" + Resource(id) }

// The resources that capabilities ask for.
const (
	VaultInput    Resource = "vault/input"  // submitted files and their accepted forms
	VaultOutput   Resource = "vault/output" // results
	Submissions   Resource = "submissions"  // rows about submissions
	Results       Resource = "results"      // rows about results
	Acceptances   Resource = "acceptances"  // the tenant's yes and no to analyses
	Credentials   Resource = "credentials"  // users, keys, sessions of the tenant
	AuditTrail    Resource = "audit"        // the tenant's audit entries with their details
	TenantProfile Resource = "tenant"       // the tenant's own row
	Notices       Resource = "notices"      // webhooks, and the outbox of mails
	Events        Resource = "events"       // sending events, and what of them is in quarantine
	Streams       Resource = "streams"      // the tenant's events on the streams
	Warehouse     Resource = "warehouse"    // the tenant's rows in the warehouse
	Everything    Resource = "/"            // all of the above
)

// Permission is a verb on a resource.
type Permission struct {
	Verb     Verb
	Resource Resource
}

// Terms is what package policy mints a Scope from.
type Terms struct {
	Tenant      ID
	Actor       string       // who acts: a user's, key's or run's id
	Permissions []Permission // empty: nothing is allowed
	// Alive is asked at each operation; an error ends the scope at once. It must
	// be cheap, since long transfers ask it for every chunk.
	Alive func(context.Context) error
	// Lately is asked instead about keeping what arrived while the scope was alive;
	// nil: Alive is.
	Lately func(context.Context) error
}

// Scope is a short-lived capability for one tenant: verbs and resources, while
// it is alive. It is the only way to a tenant's data. Package policy mints it from
// a verified credential or a standing grant; the zero Scope allows nothing.
type Scope struct{ terms *Terms }

// Mint makes a Scope. Only package policy may call it; layers_test.go sees to that.
func Mint(t Terms) Scope { return Scope{&t} }

// Tenant returns the tenant that the scope is for.
func (s Scope) Tenant() ID {
	if s.terms == nil {
		return ""
	}
	return s.terms.Tenant
}

// Actor returns the id of who acts under the scope.
func (s Scope) Actor() string {
	if s.terms == nil {
		return ""
	}
	return s.terms.Actor
}

// Check returns nil if the scope allows verb on resource now. Otherwise the
// fault is Denied, Unauthenticated when the scope has expired or its credential
// was revoked, or what the context says.
func (s Scope) Check(ctx context.Context, v Verb, r Resource) error {
	if s.terms == nil {
		return s.check(ctx, v, r, nil)
	}
	return s.check(ctx, v, r, s.terms.Alive)
}

// CheckLately is Check for nothing but making durable what arrived while the scope was
// alive: for a while it allows it although the scope's time is over, and not if its
// credential was revoked or its tenant blocked.
func (s Scope) CheckLately(ctx context.Context, v Verb, r Resource) error {
	if s.terms == nil || s.terms.Lately == nil {
		return s.Check(ctx, v, r)
	}
	return s.check(ctx, v, r, s.terms.Lately)
}

func (s Scope) check(ctx context.Context, v Verb, r Resource, alive func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.terms == nil || s.terms.Tenant == "" || alive == nil {
		return fault.New(fault.Denied, "This needs a scope for a tenant.")
	}
	if err := alive(ctx); err != nil {
		return err
	}
	for _, p := range s.terms.Permissions {
		if p.Verb == v && covers(p.Resource, r) {
			return nil
		}
	}
	return fault.New(fault.Denied, "This credential may not %s %s.", v, r)
}

// covers reports whether a permission for have extends to want: the same
// resource, or one below it, as "vault/input" covers "vault/input/obj_1".
func covers(have, want Resource) bool {
	return have == want || strings.HasPrefix(string(want), string(have)+"/")
}
