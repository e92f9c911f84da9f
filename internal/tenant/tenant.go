// Package tenant has the words that every layer uses for a tenant: its ID, its
// tier, and the Scope without which none of its data can be reached. It knows
// nothing of how tenants are stored.
package tenant

import (
	"regexp"

	"tributary/internal/clock"
)

// ID identifies a tenant for ever; it is random and never reused. The empty ID
// is no tenant.
type ID string

// Valid reports whether id has the form that identifiers of tenants have.
func (id ID) Valid() bool { return clock.ValidID("ten", string(id)) }

// Tier is a package of isolation model, limits, features and price.
type Tier string

// The tiers. Basic, standard and premium share one pool; platinum has a silo.
const (
	Basic    Tier = "basic"
	Standard Tier = "standard"
	Premium  Tier = "premium"
	Platinum Tier = "platinum"
)

// Tiers lists the tiers from smallest to largest.
var Tiers = [...]Tier{Basic, Standard, Premium, Platinum}

// Valid reports whether t is one of Tiers.
func (t Tier) Valid() bool {
	for _, known := range Tiers {
		if t == known {
			return true
		}
	}
	return false
}

var slug = regexp.MustCompile(`^[a-z][a-z0-9-]{1,38}[a-z0-9]$`)

// ValidSlug reports whether s may be a tenant's slug: 3 to 40 lower-case
// letters, digits and hyphens, starting with a letter and not ending with a
// hyphen. Dots are not allowed, because SFTP logins are SLUG.USER.
func ValidSlug(s string) bool { return slug.MatchString(s) }
