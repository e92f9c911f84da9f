package api

import (
	"context"
	"net/http"
	"time"

	"tributary/client"
	"tributary/internal/audit"
	"tributary/internal/policy"
)

// auditRoutes are the audit log and what it takes to verify it.
func (s *server) auditRoutes() {
	add(s, route{method: http.MethodGet, path: "/audit", id: "list-audit", summary: "Audit entries, the newest first: one's own with details, or all tenants' without", thing: "audit log",
		action: policy.AuditRead, audience: anyone, view: audit.EntryList.Words()}, s.auditEntries)
	add(s, route{method: http.MethodGet, path: "/audit/raw", id: "list-audit-records", summary: "A chain's records as stored, from after a number, for verification", thing: "audit log",
		action: policy.AuditRaw, audience: anyone}, s.auditRaw)
	add(s, route{method: http.MethodGet, path: "/audit/checkpoints", id: "list-checkpoints", summary: "Signed checkpoints, the newest first, with the proof for one's own chain", thing: "audit log",
		action: policy.AuditCheckpoints, audience: anyone}, s.checkpoints)
	add(s, route{method: http.MethodGet, path: "/audit/keys", id: "list-audit-keys", summary: "The public keys that checkpoints and statements are signed with", thing: "audit log",
		audience: public}, s.auditKeys)
	add(s, route{method: http.MethodGet, path: "/sftp", id: "show-sftp", summary: "Where the SFTP server is, and its host keys", thing: "SFTP server",
		audience: public}, s.sftp)
	add(s, route{method: http.MethodGet, path: "/collector", id: "show-collector", summary: "Where events are collected from the clients that people have", thing: "collector",
		audience: public}, s.collector)
}

func (s *server) sftp(context.Context, *call, *struct{}) (*out[client.SFTP], error) {
	return &out[client.SFTP]{s.SFTP()}, nil
}

func (s *server) collector(context.Context, *call, *struct{}) (*out[client.Collector], error) {
	return &out[client.Collector]{client.Collector{Address: s.Collect()}}, nil
}

type auditList struct {
	TenantViewing
	Provider bool      `query:"provider" doc:"Only the provider's own chain"`
	Actor    string    `query:"actor"`
	Verb     string    `query:"verb"`
	Subject  string    `query:"subject"`
	From     time.Time `query:"from"`
	To       time.Time `query:"to"`
}

func (s *server) auditEntries(ctx context.Context, c *call, i *auditList) (*list[client.AuditEntry], error) {
	id, err := c.named(ctx, i.Tenant)
	if err != nil {
		return nil, err
	}
	f := audit.Filter{Actor: i.Actor, Verb: i.Verb, Subject: i.Subject, From: i.From, To: i.To}
	var found []audit.Full
	var next string
	if c.staff() {
		if id != "" || i.Provider {
			f.Tenant = &id
		}
		found, next, err = s.Audit.UnscopedEntries(ctx, f, i.meta())
	} else {
		scope, scopeErr := c.scope(ctx)
		if scopeErr != nil {
			return nil, scopeErr
		}
		found, next, err = s.Audit.Entries(ctx, scope, f, i.meta())
	}
	if err != nil {
		return nil, err
	}
	return each(found, next, func(e audit.Full) client.AuditEntry {
		return client.AuditEntry{Tenant: string(e.Tenant), Seq: e.Seq, At: e.At, Actor: e.Actor, Verb: e.Verb, Subject: e.Subject, Outcome: e.Outcome,
			Details: e.Details, Sealed: e.Sealed, Damaged: e.Damaged}
	}), nil
}

type rawAfter struct {
	After  int64  `query:"after" minimum:"0" doc:"The number of the last record seen"`
	Limit  int    `query:"limit" minimum:"1" maximum:"5000"`
	Tenant string `query:"tenant" doc:"Id or slug; for the provider's credentials only; absent: the provider's own chain"`
}

func (s *server) auditRaw(ctx context.Context, c *call, i *rawAfter) (*list[client.AuditRecord], error) {
	id, err := c.named(ctx, i.Tenant)
	if err != nil {
		return nil, err
	}
	var found []audit.Record
	if c.staff() {
		found, err = s.Audit.UnscopedRaw(ctx, id, i.After, i.Limit)
	} else {
		scope, scopeErr := c.scope(ctx)
		if scopeErr != nil {
			return nil, scopeErr
		}
		found, err = s.Audit.Raw(ctx, scope, i.After, i.Limit)
	}
	if err != nil {
		return nil, err
	}
	return each(found, "", func(r audit.Record) client.AuditRecord {
		return client.AuditRecord{Tenant: string(r.Tenant), Seq: r.Seq, At: r.At, Actor: r.Actor, Verb: r.Verb, Subject: r.Subject, Outcome: r.Outcome,
			Details: r.Details, Prev: r.Prev, Hash: r.Hash}
	}), nil
}

func (s *server) checkpoints(ctx context.Context, c *call, i *TenantPaging) (*list[client.Checkpoint], error) {
	id, err := c.named(ctx, i.Tenant)
	if err != nil {
		return nil, err
	}
	var found []audit.Checkpoint
	var next string
	if c.staff() {
		found, next, err = s.Audit.UnscopedCheckpoints(ctx, id, i.meta())
	} else {
		scope, scopeErr := c.scope(ctx)
		if scopeErr != nil {
			return nil, scopeErr
		}
		found, next, err = s.Audit.Checkpoints(ctx, scope, i.meta())
	}
	if err != nil {
		return nil, err
	}
	return each(found, next, func(p audit.Checkpoint) client.Checkpoint {
		w := client.Checkpoint{Seq: p.Seq, At: p.At, Heads: p.Heads, Root: p.Root, Prev: p.Prev, Body: p.Body, Hash: p.Hash, Key: p.Key, Signature: p.Signature}
		if p.Own != nil {
			w.Own = &client.Inclusion{Tenant: string(p.Own.Tenant), Seq: p.Own.Seq, Hash: p.Own.Hash}
			for _, step := range p.Own.Path {
				w.Own.Path = append(w.Own.Path, client.Step(step))
			}
		}
		return w
	}), nil
}

func (s *server) auditKeys(context.Context, *call, *struct{}) (*list[client.AuditKey], error) {
	return each(s.Audit.PublicKeys(), "", func(k audit.PublicKey) client.AuditKey {
		return client.AuditKey{ID: k.ID, Algorithm: k.Algorithm, PublicKey: k.Key}
	}), nil
}
