package api

import (
	"context"
	"strings"
	"time"

	"tributary/internal/audit"
	"tributary/internal/clock"
	"tributary/internal/fault"
	"tributary/internal/policy"
)

// How many refusals are written to the audit log one by one. The next entry after
// that says how many were not, so that nobody fills the disk by knocking.
const (
	deniedBurst   = 100
	deniedEvery   = 10 * time.Second // for each credential
	strangerBurst = 30
	strangerEvery = time.Minute // for all credentials that nobody knows
)

// denial reports whether an error is a refusal: of a credential, of an act, or of
// what is not the tenant's own, which answers as if it did not exist.
func denial(p policy.Principal, err error) (outcome string, ok bool) {
	switch fault.KindOf(err) {
	case fault.Denied, fault.Unauthenticated:
		return "denied", true
	case fault.NotFound:
		return "not found", p.Tenant != ""
	}
	return "", false
}

// denied writes a refusal to the audit log of the credential's owner, or of the
// provider if the credential is nobody's, and returns the error to answer with.
func (s *server) denied(ctx context.Context, c *call, r route, p policy.Principal, err error) error {
	outcome, ok := denial(p, err)
	if !ok {
		return err
	}
	s.counted.denied.Add(ctx, 1)
	lane := audit.Lane{Of: p.Credential, Every: deniedEvery, Burst: deniedBurst}
	e := audit.Entry{Tenant: p.Tenant, Verb: r.event(), Outcome: outcome, Details: map[string]any{}}
	if lane.Of == "" {
		lane.Every, lane.Burst = strangerEvery, strangerBurst
		e.Tenant, e.Actor, e.Details["address"] = "", "anonymous", addressOf(ctx).String()
	} else {
		e.Actor = p.Actor()
	}
	if id := c.request.PathValue("id"); opaque(id) {
		e.Subject = id
	} else if id != "" { // what somebody wrote
		e.Details["id"] = id
	}
	if auditErr := s.refusals.Record(ctx, s.Clock.Now(), lane, e, s.Audit.Record); auditErr != nil {
		return auditErr
	}
	return err
}

// opaque reports whether s is an id that this server could have made.
func opaque(s string) bool {
	prefix, _, ok := strings.Cut(s, "_")
	return ok && clock.ValidID(prefix, s)
}
