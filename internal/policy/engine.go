// Package policy is the one place that decides who may do what, and the only one
// that makes a tenant.Scope. The rules are Cedar policies in policies.cedar;
// that a credential is what it says is for package account, and that a thing is a
// tenant's for the capability that owns it.
package policy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"tributary/internal/clock"
	"tributary/internal/fault"
	"tributary/internal/tenant"
)

// Config is what an Engine needs.
type Config struct {
	Clock clock.Clock
	// Elapsed is a clock that nobody can set: the time since any fixed moment,
	// going on while the machine sleeps. Nil: the kernel's clock since boot.
	Elapsed func() time.Duration
}

// Engine decides and mints. It is safe for use by several goroutines.
type Engine struct {
	policies  map[Action]cedar.PolicyMap       // those that could decide about an action
	templates map[template][]tenant.Permission // what a scope of a role and kind of credential has
	live      *liveness
}

// New makes an engine from the policies that are built in.
func New(cfg Config) (*Engine, error) { return newEngine(cfg, schemaText, policyText) }

func newEngine(cfg Config, schemaText, policyText []byte) (*Engine, error) {
	policies, err := compile(schemaText, policyText)
	if err != nil {
		return nil, fmt.Errorf("policies: %w", err)
	}
	e := &Engine{policies: byAction(policies), live: newLiveness(cfg)}
	e.templates = e.makeTemplates()
	return e, nil
}

// Allow returns nil if the principal may do the action on the resource now. It is
// the one decision point of every route. The fault is NotFound when a tenant's
// principal names another tenant's resource, as if it were missing;
// Unauthenticated when the credential was revoked; Denied for all else. Its cause
// names the rule, for the log.
func (e *Engine) Allow(ctx context.Context, p Principal, a Action, r Resource) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !p.whole() {
		return fault.Wrap(fault.Denied, errors.New("policy: the principal is incomplete"), "This credential may not do that.")
	}
	if err := e.live.admits(p.Tenant, p.Credential, p.User); err != nil {
		return err
	}
	if !p.Role.Staff() && r.Tenant != "" && r.Tenant != p.Tenant {
		return notFound(r)
	}
	ok, why := e.decide(p.entity(), a, thing(r))
	if !ok {
		return fault.Wrap(fault.Denied, fmt.Errorf("policy: %s on %s: %s", a, r.Type, why),
			"The role %s does not allow this (%s). Ask an administrator.", p.Role, a)
	}
	return nil
}

// notFound says the same as a capability says of what does not exist.
func notFound(r Resource) error {
	kind := r.Type
	if kind == "" {
		kind = "such thing"
	}
	if r.ID == "" {
		return fault.New(fault.NotFound, "There is no %s.", kind)
	}
	return fault.New(fault.NotFound, "There is no %s %q.", kind, r.ID)
}

// decide asks Cedar, and says which rules decided. A rule that cannot be
// evaluated denies, since it might have been one that forbids.
func (e *Engine) decide(principal types.Entity, a Action, resource types.Entity) (bool, string) {
	decision, diagnostic := cedar.Authorize(e.policies[a], pair{principal, resource}, cedar.Request{
		Principal: principal.UID,
		Action:    cedar.NewEntityUID("Action", cedar.String(a)),
		Resource:  resource.UID,
	})
	if len(diagnostic.Errors) > 0 {
		return false, "a rule failed: " + diagnostic.Errors[0].String()
	}
	if len(diagnostic.Reasons) == 0 {
		return false, "no rule allows it"
	}
	names := make([]string, len(diagnostic.Reasons))
	for i, r := range diagnostic.Reasons {
		names[i] = string(r.PolicyID)
	}
	return decision == cedar.Allow, strings.Join(names, "; ")
}

// pair is the two entities that a decision is about.
type pair [2]types.Entity

func (p pair) Get(uid types.EntityUID) (types.Entity, bool) {
	for _, e := range p {
		if e.UID == uid {
			return e, true
		}
	}
	return types.Entity{}, false
}

var (
	provider = cedar.NewEntityUID("Tenant", "provider")
	groups   = func() map[Role]cedar.EntityUIDSet {
		m := map[Role]cedar.EntityUIDSet{}
		for _, r := range append(Roles[:], Departing) {
			m[r] = cedar.NewEntityUIDSet(cedar.NewEntityUID("Role", cedar.String(r)))
		}
		return m
	}()
)

// owner is a tenant as Cedar knows it. No tenant's id is "provider".
func owner(id tenant.ID) cedar.EntityUID {
	if id == "" {
		return provider
	}
	return cedar.NewEntityUID("Tenant", cedar.String(id))
}

func (p Principal) entity() types.Entity {
	attributes := cedar.RecordMap{"kind": cedar.String(p.Kind)}
	uid := cedar.NewEntityUID("Staff", cedar.String(p.Credential))
	if !p.Role.Staff() {
		uid.Type = "Member"
		attributes["tenant"] = owner(p.Tenant)
	}
	return types.Entity{UID: uid, Parents: groups[p.Role], Attributes: cedar.NewRecord(attributes)}
}

func thing(r Resource) types.Entity {
	return types.Entity{
		UID:        cedar.NewEntityUID("Thing", cedar.String(r.Type+" "+r.ID)),
		Attributes: cedar.NewRecord(cedar.RecordMap{"tenant": owner(r.Tenant)}),
	}
}
