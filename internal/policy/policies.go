package policy

import (
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"
)

var (
	//go:embed policies.cedar
	policyText []byte
	//go:embed policies.cedarschema
	schemaText []byte
)

// compile reads a policy set and refuses one that is empty, does not fit the
// schema, knows other actions than this package, has a rule without a name, or
// names a tenant. The policies' ids are their names.
func compile(schemaText, policyText []byte) (cedar.PolicyMap, error) {
	var s schema.Schema
	s.SetFilename("policies.cedarschema")
	if err := s.UnmarshalCedar(schemaText); err != nil {
		return nil, fmt.Errorf("read the schema of the policies: %w", err)
	}
	shapes, err := s.Resolve()
	if err != nil {
		return nil, fmt.Errorf("read the schema of the policies: %w", err)
	}
	if err := sameActions(shapes); err != nil {
		return nil, err
	}
	list, err := cedar.NewPolicyListFromBytes("policies.cedar", policyText)
	if err != nil {
		return nil, fmt.Errorf("read the policies: %w", err)
	}
	set, permits := make(cedar.PolicyMap, len(list)), 0
	check := validate.New(shapes)
	for _, p := range list {
		name := cedar.PolicyID(p.Annotations()["id"])
		if name == "" {
			return nil, fmt.Errorf("policies.cedar, line %d: the rule needs an @id that says what it is for", p.Position().Line)
		}
		if _, twice := set[name]; twice {
			return nil, fmt.Errorf("policies.cedar: there are two rules %q", name)
		}
		if err := check.Policy(string(name), (*ast.Policy)(p.AST())); err != nil {
			return nil, fmt.Errorf("policies.cedar: %w", err)
		}
		if err := modest(p); err != nil {
			return nil, fmt.Errorf("policies.cedar: %q: %w", name, err)
		}
		set[name] = p
		if p.Effect() == cedar.Permit {
			permits++
		}
	}
	if permits == 0 {
		return nil, errors.New("policies.cedar allows nothing: a server with it would be of no use to anybody")
	}
	return set, nil
}

// sameActions checks that the schema and this package have the same actions.
func sameActions(shapes *resolved.Schema) error {
	known := map[types.EntityUID]bool{}
	for _, list := range [][]Action{Actions[:], scopeActions[:]} {
		for _, a := range list {
			uid := cedar.NewEntityUID("Action", cedar.String(a))
			known[uid] = true
			if _, ok := shapes.Actions[uid]; !ok {
				return fmt.Errorf("policies.cedarschema: the action %q is missing", a)
			}
		}
	}
	for uid := range shapes.Actions {
		if !known[uid] {
			return fmt.Errorf("policies.cedarschema: no route asks for %s", uid)
		}
	}
	return nil
}

var namedTenant = regexp.MustCompile(`Tenant::"[^"]*"`)

// modest refuses a rule that names a tenant, since what tenants may do depends on
// their roles alone, and one that allows whatever is asked.
func modest(p *cedar.Policy) error {
	for _, name := range namedTenant.FindAllString(string(p.MarshalCedar()), -1) {
		if name != provider.String() {
			return fmt.Errorf("it names a tenant, %s", name)
		}
	}
	if _, all := (*ast.Policy)(p.AST()).Action.(ast.ScopeTypeAll); all && p.Effect() == cedar.Permit {
		return errors.New("it allows every action; name them")
	}
	return nil
}

// byAction sorts the rules by the actions that their heads name, so that each
// decision evaluates those few. An action that is not known has no rules.
func byAction(all cedar.PolicyMap) map[Action]cedar.PolicyMap {
	sorted := map[Action]cedar.PolicyMap{}
	for _, list := range [][]Action{Actions[:], scopeActions[:]} {
		for _, a := range list {
			sorted[a] = cedar.PolicyMap{}
			for id, p := range all {
				if concerns(p, cedar.NewEntityUID("Action", cedar.String(a))) {
					sorted[a][id] = p
				}
			}
		}
	}
	return sorted
}

func concerns(p *cedar.Policy, action types.EntityUID) bool {
	switch head := (*ast.Policy)(p.AST()).Action.(type) {
	case ast.ScopeTypeEq:
		return head.Entity == action
	case ast.ScopeTypeInSet:
		return slices.Contains(head.Entities, action) // actions have no groups
	}
	return true
}
