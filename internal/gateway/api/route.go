package api

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"tributary/internal/control"
	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// audience says who a route is for. Policy decides; the audience is what the
// documentation says and what the first check is.
type audience string

const (
	public  audience = "public"  // no credential
	anyone  audience = "anyone"  // any credential
	staff   audience = "staff"   // the provider's
	tenants audience = "tenants" // a tenant's
)

// route is a route as it is registered. What it leaves empty has no default that
// opens anything: without an action it must be public.
type route struct {
	method, path string
	id           string // in the OpenAPI document
	summary      string
	thing        string // what it is about, in words for errors: "submission"
	action       policy.Action
	audience     audience
	audit        string                     // the audit entry that the capability writes; "" where nothing changes and nothing sealed is read
	status       int                        // of success; 0 means 200
	body         int64                      // most bytes of the request's body; 0 means 1 MiB; negative: the capability limits it
	secret       bool                       // the answer has a secret in it, so it is not kept for its idempotency key
	yaml         bool                       // the request's body is YAML
	writeKeys    bool                       // the write key of a source of events will do too
	takes        string                     // the type of a body that is not read into memory
	answers      map[string]*huma.MediaType // of a POST that only reads: what it streams; its idempotency key says nothing
	errors       []int                      // statuses that it has beside everybody's
	view         string                     // what its list can be searched, filtered and sorted by
}

const defaultBody = 1 << 20

// event is the audit log's name for what the route does, done or denied. Where
// doing it makes no entry it is the action's name in the same form.
func (r route) event() string {
	if r.audit != "" {
		return r.audit
	}
	return strings.ReplaceAll(string(r.action), ":", ".")
}

var eventForm = regexp.MustCompile(`^[a-z-]+(\.[a-z-]+)+$`)

// call is one request being answered.
type call struct {
	server    *server
	principal policy.Principal
	request   *http.Request
	response  http.ResponseWriter
	cookie    bool           // the credential came in the browser's cookie
	source    *events.Source // instead of the principal, where the credential is a write key
}

type callKey struct{}

// scope mints the scope of a tenant's principal.
func (c *call) scope(ctx context.Context) (tenant.Scope, error) {
	return c.server.Policy.Scope(ctx, c.principal)
}

// transfer mints the scope for sending or fetching bytes, which may take long.
func (c *call) transfer(ctx context.Context) (tenant.Scope, error) {
	return c.server.Policy.TransferScope(ctx, c.principal, c.server.Accounts.Reverify)
}

func (c *call) staff() bool { return c.principal.Role.Staff() }

// either does one thing for the provider's credentials and another for a tenant's, under
// its scope.
func either[T any](ctx context.Context, c *call, provider func() (T, error), own func(tenant.Scope) (T, error)) (T, error) {
	if c.staff() {
		return provider()
	}
	scope, err := c.scope(ctx)
	if err != nil {
		var none T
		return none, err
	}
	return own(scope)
}

// by is who acts, for the provider's doings.
func (c *call) by() string { return c.principal.Actor() }

// admin is who acts where it takes two people.
func (c *call) admin(ctx context.Context) (control.Admin, error) {
	person, err := c.server.Accounts.Person(ctx, c.principal)
	return control.Admin{Actor: c.by(), Person: person}, err
}

// named resolves the tenant that a staff member names in a request. For a
// tenant's credential a name is ignored and counted, and the answer is its own.
func (c *call) named(ctx context.Context, idOrSlug string) (tenant.ID, error) {
	if !c.staff() {
		if idOrSlug != "" && c.request.URL.Query().Get("tenant") == "" { // in the body; authenticate has counted the query
			c.server.counted.foreign.Add(ctx, 1)
		}
		return c.principal.Tenant, nil
	}
	if idOrSlug == "" {
		return "", nil
	}
	t, err := c.server.Control.UnscopedTenant(ctx, idOrSlug)
	return t.ID, err
}

// add registers a route with what does it.
func add[I, O any](s *server, r route, do func(context.Context, *call, *I) (*O, error)) {
	op := huma.Operation{
		Method: r.method, Path: "/api/v1" + r.path, OperationID: r.id, Summary: r.summary, DefaultStatus: r.status,
		Tags: []string{strings.SplitN(strings.TrimPrefix(r.path, "/"), "/", 2)[0]}, SkipValidateBody: r.yaml || r.takes != "",
		Errors:       []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusTooManyRequests},
		MaxBodyBytes: defaultBody, BodyReadTimeout: BodyTime,
	}
	if r.body > 0 {
		op.MaxBodyBytes = r.body
	}
	if r.takes != "" {
		op.RequestBody = &huma.RequestBody{Content: map[string]*huma.MediaType{r.takes: {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}
	}
	if r.answers != nil {
		op.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: r.answers}}
	}
	op.Errors = append(op.Errors, r.errors...)
	if r.audience != public {
		op.Security = []map[string][]string{{"bearer": {}}}
		op.Description = fmt.Sprintf("For: %s. Action: `%s`.", r.audience, r.action)
	}
	if r.view != "" {
		op.Description += " " + r.view
	}
	op.Middlewares = huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) { s.admit(r, ctx, next) }}
	s.routes = append(s.routes, r)
	huma.Register(s.api, op, func(ctx context.Context, in *I) (*O, error) {
		c, ok := ctx.Value(callKey{}).(*call)
		if !ok {
			return nil, s.problem(ctx, fmt.Errorf("route %s was not admitted", r.id))
		}
		out, err := do(ctx, c, in)
		if err != nil && r.audience != public {
			err = s.denied(ctx, c, r, c.principal, err)
		}
		if err != nil {
			return nil, s.problem(ctx, err)
		}
		return out, nil
	})
}

// admit is what stands before every route: credential, rate, policy, and the
// memory of idempotency keys.
func (s *server) admit(r route, hc huma.Context, next func(huma.Context)) {
	req, w := humago.Unwrap(hc)
	ctx := hc.Context()
	c := &call{server: s, request: req, response: w}
	if err := s.limits.address(ctx, w, addressOf(ctx), r.audience == public); err != nil {
		s.counted.refused.Add(ctx, 1)
		s.refuse(w, req, err)
		return
	}
	if r.audience != public {
		if err := s.authenticate(ctx, w, c, r); err != nil {
			s.refuse(w, req, err)
			return
		}
		ctx = hc.Context()
	}
	ctx = context.WithValue(ctx, callKey{}, c)
	hc = huma.WithContext(hc, ctx)
	if r.method == http.MethodPost && !r.writeKeys && r.answers == nil && req.Header.Get("Idempotency-Key") != "" && r.audience != public && r.body >= 0 {
		s.remembered(r, c, hc, next)
		return
	}
	next(hc)
}

// authenticate finds who asks and whether they may. A refusal is in the audit log.
func (s *server) authenticate(ctx context.Context, w http.ResponseWriter, c *call, r route) error {
	token, err := c.token()
	if err != nil {
		return err
	}
	if token == "" {
		w.Header().Set("WWW-Authenticate", `Bearer realm="tributary"`)
		return fault.New(fault.Unauthenticated, "This needs a credential: send Authorization: Bearer with an API key or a session's token.")
	}
	if r.writeKeys && events.WriteKey(token) {
		return s.writeKey(ctx, w, c, r, token)
	}
	p, renewed, err := s.Accounts.Authenticate(ctx, token, addressOf(ctx))
	if err != nil {
		if fault.Is(err, fault.Unauthenticated) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="tributary", error="invalid_token"`)
			if c.cookie {
				c.setCookie("")
			}
			s.limits.badCredential(addressOf(ctx))
		}
		return s.denied(ctx, c, r, p, err)
	}
	switch {
	case r.body < 0: // its answer comes when all has arrived, after those that had a newer one
	case renewed != "" && c.cookie:
		c.setCookie(renewed)
	case renewed != "":
		w.Header().Set("Tributary-Session", renewed)
	}
	c.principal = p
	if p.Tenant != "" {
		trace.SpanFromContext(ctx).SetAttributes(attribute.String("tenant.id", string(p.Tenant)), attribute.String("tenant.tier", string(p.Tier)))
	}
	noteOf(ctx).principal = p
	if err := s.limits.credential(ctx, w, p); err != nil {
		s.counted.refused.Add(ctx, 1)
		return err
	}
	if named := c.request.URL.Query().Get("tenant"); named != "" && !p.Role.Staff() || c.request.Header.Get("X-Tenant") != "" || c.request.Header.Get("X-Tenant-Id") != "" {
		s.counted.foreign.Add(ctx, 1)
	}
	err = s.Policy.Allow(ctx, p, r.action, policy.Resource{Type: r.thing, Tenant: p.Tenant})
	if err == nil && (r.audience == staff && !p.Role.Staff() || r.audience == tenants && p.Role.Staff()) {
		err = fault.New(fault.Denied, "This is for %s only.", map[audience]string{staff: "the provider's people", tenants: "a tenant's own people"}[r.audience])
	}
	return s.denied(ctx, c, r, p, err)
}

// checkRoutes refuses routes that say too little, and operations that are not
// among them.
func checkRoutes(routes []route, doc *huma.OpenAPI) error {
	known := map[string]bool{}
	for _, r := range routes {
		switch {
		case r.id == "" || r.summary == "" || r.audience == "":
			return fmt.Errorf("route %s %s has no id, summary or audience", r.method, r.path)
		case (r.action == "") != (r.audience == public):
			return fmt.Errorf("route %s needs an action, or to be public", r.id)
		case r.method != http.MethodGet && r.method != http.MethodOptions && r.audit == "":
			return fmt.Errorf("route %s changes things and names no audit event", r.id)
		case r.audience != public && !eventForm.MatchString(r.event()):
			return fmt.Errorf("route %s has the audit event %q, which is not of the form thing.done", r.id, r.event())
		case known[r.id]:
			return fmt.Errorf("two routes are called %s", r.id)
		}
		known[r.id] = true
	}
	for path, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete, item.Head, item.Options} {
			if op != nil && !known[op.OperationID] {
				return fmt.Errorf("operation %s at %s is not a registered route", op.OperationID, path)
			}
		}
	}
	return nil
}
