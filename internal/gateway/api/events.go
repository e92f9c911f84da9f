package api

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"tributary/client"
	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/policy"
)

// maxEvents is how many bytes of events a request has at most.
const maxEvents = 10 << 20

// eventRoutes are events, their sources, the tracking plan and quarantine. Their audit
// entries are written by package events; that events were sent is no entry, since the
// events are there.
func (s *server) eventRoutes() {
	add(s, route{method: http.MethodPost, path: "/events", id: "send-events", summary: "Send a CloudEvent, or an array of them; with Prefer: return=representation the answer is what became of each", thing: "event",
		action: policy.EventSend, audience: tenants, audit: "event.send", writeKeys: true, takes: "application/json", body: maxEvents,
		errors: []int{http.StatusRequestEntityTooLarge, http.StatusServiceUnavailable}}, s.sendEvents)

	add(s, route{method: http.MethodPost, path: "/sources", id: "create-source", summary: "Make a source of events; its write key is shown once", thing: "source",
		action: policy.SourceCreate, audience: anyone, audit: "source.create", status: http.StatusCreated, secret: true}, s.createSource)
	add(s, route{method: http.MethodGet, path: "/sources", id: "list-sources", summary: "List the sources of one's tenant, or of the provider, the newest first", thing: "source",
		action: policy.SourceRead, audience: anyone}, s.sources)
	add(s, route{method: http.MethodGet, path: "/sources/{id}", id: "show-source", summary: "Show a source", thing: "source",
		action: policy.SourceRead, audience: anyone}, s.source)
	add(s, route{method: http.MethodDelete, path: "/sources/{id}", id: "revoke-source", summary: "End a source: what comes with its key from now on is refused", thing: "source",
		action: policy.SourceRevoke, audience: anyone, audit: "source.revoke", status: http.StatusOK}, s.revokeSource)

	add(s, route{method: http.MethodPost, path: "/sources/{id}/pixels", id: "create-pixels", summary: "Make links of pictures that tell, by being fetched, that a recipient opened a mail; each writes that one event and nothing else", thing: "source",
		action: policy.SourceCreate, audience: anyone, audit: "source.pixel", status: http.StatusCreated, secret: true}, s.createPixels)

	add(s, route{method: http.MethodPost, path: "/plans", id: "apply-plan", summary: "Apply a tracking plan; a changed one makes a version", thing: "plan",
		action: policy.PlanApply, audience: staff, audit: "plan.apply", yaml: true}, s.applyPlan)
	add(s, route{method: http.MethodGet, path: "/plans", id: "list-plans", summary: "List the versions of the tracking plan, the newest first", thing: "plan",
		action: policy.PlanRead, audience: anyone}, s.plans)
	add(s, route{method: http.MethodGet, path: "/plans/{id}", id: "show-plan", summary: "Show a version of the tracking plan; current is the one in use", thing: "plan",
		action: policy.PlanRead, audience: anyone}, s.plan)

	add(s, route{method: http.MethodGet, path: "/quarantine", id: "list-quarantine", summary: "List the events in quarantine, the newest first: one's own, or those of the provider's sources", thing: "event",
		action: policy.QuarantineRead, audience: anyone}, s.quarantine)
	add(s, route{method: http.MethodGet, path: "/quarantine/{id}", id: "show-held-event", summary: "Show an event in quarantine", thing: "event",
		action: policy.QuarantineRead, audience: anyone}, s.heldEvent)
	add(s, route{method: http.MethodPost, path: "/quarantine/replay", id: "replay-quarantine", summary: "Judge what is in quarantine again, and take in what is fit now, up to some 1,000 at once", thing: "event",
		action: policy.QuarantineReplay, audience: anyone, audit: "quarantine.replay"}, s.replay)
	add(s, route{method: http.MethodPost, path: "/quarantine/{id}/replay", id: "replay-held-event", summary: "Judge an event in quarantine again, and take it in if it is fit now", thing: "event",
		action: policy.QuarantineReplay, audience: anyone, audit: "quarantine.replay"}, s.replayEvent)
	add(s, route{method: http.MethodDelete, path: "/quarantine/{id}", id: "drop-held-event", summary: "Remove an event from quarantine for good", thing: "event",
		action: policy.QuarantineDrop, audience: anyone, audit: "quarantine.drop", status: http.StatusNoContent}, s.dropEvent)
}

// writeKey admits what comes with a source's key.
func (s *server) writeKey(ctx context.Context, w http.ResponseWriter, c *call, r route, key string) error {
	source, err := s.Events.Source(ctx, key)
	if err != nil {
		if fault.Is(err, fault.Unauthenticated) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="tributary", error="invalid_token"`)
			s.limits.badCredential(addressOf(ctx))
		}
		id, owner := events.Refused(err)
		return s.denied(ctx, c, r, policy.Principal{Credential: id, Tenant: owner}, err)
	}
	if c.request.URL.Query().Get("tenant") != "" || c.request.Header.Get("X-Tenant") != "" || c.request.Header.Get("X-Tenant-Id") != "" {
		s.counted.foreign.Add(ctx, 1)
	}
	c.source = source
	return nil
}

type sentEvents struct {
	Prefer  string `header:"Prefer" doc:"return=representation: the answer says what became of each event"`
	RawBody []byte `contentType:"application/json"`
}

type verdicts struct {
	Status int
	Body   client.List[client.Verdict]
}

func verdictWord(v events.Verdict) client.Verdict {
	return client.Verdict{ID: v.ID, Result: string(v.Result), Details: v.Details}
}

// sendEvents answers 204 when nothing of the request has to be sent again: who wants
// to know what is in quarantine asks for it. A request of which nothing was taken is
// refused.
func (s *server) sendEvents(ctx context.Context, c *call, i *sentEvents) (*verdicts, error) {
	source := c.source
	if source == nil {
		scope, err := c.scope(ctx)
		if err != nil {
			return nil, err
		}
		if source, err = s.Events.Own(ctx, scope, c.principal.Tier); err != nil {
			return nil, err
		}
	}
	list, err := events.ReadCloudEvents(i.RawBody)
	if err != nil {
		return nil, err
	}
	found, err := s.Events.Take(ctx, source, events.Batch{Channel: "api", Received: list})
	told := strings.Contains(i.Prefer, "return=representation")
	if err == nil && !told {
		err = events.Again(found)
	}
	if err != nil {
		return nil, err
	}
	out := &verdicts{Status: http.StatusOK, Body: each(found, "", verdictWord).Body}
	if told {
		return out, nil
	}
	dropped := 0
	for n, v := range found {
		switch {
		case v.Result == events.Drop && len(list[n].Raw) > events.MaxEvent && len(list) == 1:
			return nil, fault.New(fault.TooLarge, "%s", v.Details)
		case v.Result == events.Drop:
			dropped++
		}
	}
	if dropped > 0 && dropped == len(found) {
		return nil, fault.New(fault.Invalid, "None of the events was taken. The first: %s", found[0].Details)
	}
	out.Status = http.StatusNoContent
	return out, nil
}

func sourceWord(x events.Source) client.Source {
	return client.Source{ID: x.ID, Tenant: string(x.Tenant), Name: x.Name, TenantField: x.TenantField, Strict: x.Strict, EverySeconds: int64(x.Every.Seconds()), Hint: x.Hint,
		CreatedAt: x.CreatedAt, CreatedBy: x.CreatedBy, RevokedAt: x.RevokedAt}
}

func (s *server) createSource(ctx context.Context, c *call, i *in[client.NewSource]) (*out[client.Source], error) {
	owner, err := c.owner(ctx)
	if err != nil {
		return nil, err
	}
	made, key, err := s.Events.CreateSource(ctx, owner, events.NewSource{Name: i.Body.Name, TenantField: i.Body.TenantField, Strict: i.Body.Strict, Every: time.Duration(i.Body.EverySeconds) * time.Second})
	if err != nil {
		return nil, err
	}
	w := sourceWord(made)
	w.Key = key
	return &out[client.Source]{w}, nil
}

func (s *server) sources(ctx context.Context, c *call, i *Paging) (*list[client.Source], error) {
	owner, err := c.owner(ctx)
	if err != nil {
		return nil, err
	}
	found, next, err := s.Events.Sources(ctx, owner, i.meta())
	if err != nil {
		return nil, err
	}
	return each(found, next, sourceWord), nil
}

func (s *server) source(ctx context.Context, c *call, i *ByID) (*out[client.Source], error) {
	owner, err := c.owner(ctx)
	if err != nil {
		return nil, err
	}
	found, err := s.Events.ShowSource(ctx, owner, i.ID)
	if err != nil {
		return nil, err
	}
	return &out[client.Source]{sourceWord(found)}, nil
}

func (s *server) revokeSource(ctx context.Context, c *call, i *ByID) (*out[client.Source], error) {
	owner, err := c.owner(ctx)
	if err != nil {
		return nil, err
	}
	found, err := s.Events.RevokeSource(ctx, owner, i.ID)
	if err != nil {
		return nil, err
	}
	return &out[client.Source]{sourceWord(found)}, nil
}

type newPixels struct {
	ByID
	Body client.NewPixels
}

func (s *server) createPixels(ctx context.Context, c *call, i *newPixels) (*list[client.Pixel], error) {
	owner, err := c.owner(ctx)
	if err != nil {
		return nil, err
	}
	made, err := s.Events.CreatePixels(ctx, owner, i.ID, events.NewPixels{Type: i.Body.Type, Users: i.Body.Users, Tenant: i.Body.Tenant, Data: jsontext.Value(i.Body.Data)})
	if err != nil {
		return nil, err
	}
	return each(made, "", func(p events.Pixel) client.Pixel { return client.Pixel{ID: p.User, Path: "/p/" + p.Token + ".gif"} }), nil
}

func trackingWord(p events.Plan) client.Plan {
	w := client.Plan{ID: strconv.FormatInt(p.Version, 10), Version: p.Version, Types: []client.PlannedType{}, Hash: hex.EncodeToString(p.Hash), CreatedAt: p.CreatedAt, CreatedBy: p.CreatedBy}
	for _, t := range p.Types {
		x := client.PlannedType{Type: t.Type, Description: t.Description, Owner: t.Owner, Fields: []client.PlannedField{}}
		for _, f := range t.Fields {
			x.Fields = append(x.Fields, client.PlannedField{Name: f.Name, Type: f.Type, Required: f.Required, Allowed: f.Allowed, MaxLength: f.MaxLength, PII: f.PII, Description: f.Note})
		}
		w.Types = append(w.Types, x)
	}
	return w
}

func (s *server) applyPlan(ctx context.Context, c *call, i *document) (*out[client.Plan], error) {
	p, changed, err := s.Events.UnscopedApplyPlan(ctx, c.by(), i.RawBody)
	if err != nil {
		return nil, err
	}
	w := trackingWord(p)
	w.Source, w.Changed = p.Source, &changed
	return &out[client.Plan]{w}, nil
}

func (s *server) plans(ctx context.Context, _ *call, i *Paging) (*list[client.Plan], error) {
	found, next, err := s.Events.Plans(ctx, i.meta())
	if err != nil {
		return nil, err
	}
	return each(found, next, trackingWord), nil
}

func (s *server) plan(ctx context.Context, _ *call, i *ByID) (*out[client.Plan], error) {
	version := int64(0)
	if i.ID != "current" {
		var err error
		if version, err = strconv.ParseInt(i.ID, 10, 64); err != nil || version < 1 {
			return nil, fault.New(fault.NotFound, "There is no version %q of the tracking plan.", i.ID)
		}
	}
	p, err := s.Events.Plan(ctx, version)
	if err != nil {
		return nil, err
	}
	w := trackingWord(p)
	w.Source = p.Source
	return &out[client.Plan]{w}, nil
}

type quarantineList struct {
	Paging
	Source string `query:"source" maxLength:"100"`
	Reason string `query:"reason" enum:"unreadable,malformed,tenant,unplanned,unfit,variety"`
}

func heldWord(h events.Held) client.HeldEvent {
	return client.HeldEvent{ID: h.ID, Source: h.Source, Tenant: string(h.About), Reason: string(h.For), Details: h.Reason, ReceivedAt: h.ReceivedAt, Event: json.RawMessage(h.Event), Raw: h.Raw}
}

func (s *server) quarantine(ctx context.Context, c *call, i *quarantineList) (*list[client.HeldEvent], error) {
	owner, err := c.owner(ctx)
	if err != nil {
		return nil, err
	}
	found, next, err := s.Events.Quarantine(ctx, owner, events.HeldFilter{Source: i.Source, For: events.HeldFor(i.Reason)}, i.meta())
	if err != nil {
		return nil, err
	}
	return each(found, next, heldWord), nil
}

func (s *server) heldEvent(ctx context.Context, c *call, i *ByID) (*out[client.HeldEvent], error) {
	owner, err := c.owner(ctx)
	if err != nil {
		return nil, err
	}
	h, err := s.Events.ShowHeld(ctx, owner, i.ID)
	if err != nil {
		return nil, err
	}
	return &out[client.HeldEvent]{heldWord(h)}, nil
}

func (s *server) replay(ctx context.Context, c *call, i *in[client.ReplayRequest]) (*out[client.Replayed], error) {
	owner, err := c.owner(ctx)
	if err != nil {
		return nil, err
	}
	done, err := s.Events.Replay(ctx, owner, events.HeldFilter{Source: i.Body.Source, For: events.HeldFor(i.Body.Reason)})
	if err != nil {
		return nil, err
	}
	return &out[client.Replayed]{client.Replayed(done)}, nil
}

func (s *server) replayEvent(ctx context.Context, c *call, i *ByID) (*out[client.Verdict], error) {
	owner, err := c.owner(ctx)
	if err != nil {
		return nil, err
	}
	v, err := s.Events.ReplayHeld(ctx, owner, i.ID)
	if err != nil {
		return nil, err
	}
	return &out[client.Verdict]{verdictWord(v)}, nil
}

func (s *server) dropEvent(ctx context.Context, c *call, i *ByID) (*struct{}, error) {
	owner, err := c.owner(ctx)
	if err != nil {
		return nil, err
	}
	return nil, s.Events.DropHeld(ctx, owner, i.ID)
}
