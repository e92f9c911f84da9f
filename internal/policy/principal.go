package policy

import (
	"net/netip"
	"time"

	"tributary/internal/tenant"
)

// Role is what a credential may do. The table of roles and actions is in
// policies.cedar.
type Role string

// The roles. The first three are the provider's staff, the others a tenant's people.
const (
	SystemAdmin Role = "system_admin"
	Auditor     Role = "auditor"
	Analyst     Role = "analyst"
	TenantAdmin Role = "tenant_admin"
	TenantUser  Role = "tenant_user"
)

// Departing is what a tenant admin is while the tenant is offboarded: it reads and
// exports. No user or key has it of itself, so it is neither Valid nor in Roles.
const Departing Role = "departing"

// Roles lists the roles that users and keys have.
var Roles = [...]Role{SystemAdmin, Auditor, Analyst, TenantAdmin, TenantUser}

// Staff reports whether the role is one of the provider's.
func (r Role) Staff() bool { return r == SystemAdmin || r == Auditor || r == Analyst }

// Admin reports whether the role manages people and credentials.
func (r Role) Admin() bool { return r == SystemAdmin || r == TenantAdmin }

// Valid reports whether r is one of Roles.
func (r Role) Valid() bool { return r.Staff() || r == TenantAdmin || r == TenantUser }

// Kind is the sort of credential that a principal came with.
type Kind string

// The kinds. An SSH key moves files and does nothing else; a setup token claims a
// new server, which no policy decides, so that a principal of this kind may do nothing.
const (
	Session Kind = "session"
	APIKey  Kind = "api-key"
	SSHKey  Kind = "ssh-key"
	Setup   Kind = "setup"
)

// Principal is a verified credential. Package account makes it for each request;
// the zero Principal may do nothing.
type Principal struct {
	Credential string      // the session's or key's id
	Kind       Kind        // what sort of credential it is
	User       string      // the user's id; empty for an API key
	Tenant     tenant.ID   // whose credential it is; empty for the provider's
	Role       Role        // the user's or key's role
	Tier       tenant.Tier // the tenant's, for limits and logs; no rule depends on it
	Address    netip.Addr  // where the request came from

	// VerifiedAt is when the credential was last looked up and found good. A scope
	// is not made from one that was verified more than MaxVerified ago: a connection
	// that stays open longer has to look it up again.
	VerifiedAt time.Time
}

// Actor returns the id of who acts, for the audit log: the user's, or the key's
// if it belongs to no user.
func (p Principal) Actor() string {
	if p.User != "" {
		return p.User
	}
	return p.Credential
}

// whole reports whether the parts of a principal fit each other.
func (p Principal) whole() bool {
	switch {
	case p.Credential == "":
		return false
	case p.Role.Staff():
		return p.Tenant == ""
	case p.Role.Valid() || p.Role == Departing:
		return p.Tenant.Valid()
	}
	return false
}

// Resource is what an action is about.
type Resource struct {
	Type   string    // in words for users: "submission", "tenant"
	ID     string    // empty for a list, or for what has none
	Tenant tenant.ID // whose it is; empty: the provider's, or everybody's
}
