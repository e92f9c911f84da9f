package collect

import (
	"fmt"
	"net/http"
	"slices"

	"tributary/internal/events"
)

// route is one of the ways in. Whoever sends needs a write key, which the request
// itself carries; what its events do is audited nowhere, since they are the record.
type route struct {
	method   string
	paths    []string
	protocol *protocol
	body     int64                                // bytes of the body at most; 0: it has none
	header   bool                                 // a key in Authorization is the request's, whatever the body says
	read     func(*call) (delivery, error)        // nil: nothing is sent, and no key is needed
	answer   func(c *call, list []events.Verdict) // list is in the order of what was read
}

// protocol is how a family of clients wants to be told no.
type protocol struct {
	name   string
	refuse func(c *call, status int, err error)
	each   func(*call) bool // whether the answer has a verdict for each event; nil: never
}

// routes lists all of them.
func (s *server) routes() []route {
	return slices.Concat(s.segmentRoutes(), s.posthogRoutes(), s.cloudEventRoutes(), s.pixelRoutes())
}

// checkRoutes refuses routes that say too little.
func checkRoutes(routes []route) error {
	known := map[string]bool{}
	for _, r := range routes {
		switch {
		case len(r.paths) == 0 || r.protocol == nil || r.protocol.name == "" || r.protocol.refuse == nil || r.answer == nil:
			return fmt.Errorf("route %s %v has no path, protocol or answer", r.method, r.paths)
		case r.method != http.MethodGet && r.read != nil && r.body == 0:
			return fmt.Errorf("route %s %v has no limit", r.method, r.paths)
		}
		for _, p := range r.paths {
			if known[r.method+" "+p] {
				return fmt.Errorf("two routes are at %s %s", r.method, p)
			}
			known[r.method+" "+p] = true
		}
	}
	return nil
}
