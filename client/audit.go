package client

import (
	"context"
	"net/http"
	"time"
)

// AuditFilter narrows the list of audit entries.
type AuditFilter struct {
	TenantPage
	Provider             bool // only the provider's own chain
	Actor, Verb, Subject string
	From, To             time.Time // zero: open
	View
}

func (f AuditFilter) from(cursor string) AuditFilter { f.After = cursor; return f }
func (f AuditFilter) limited(n int) AuditFilter      { f.Page = f.Page.limited(n); return f }

// AuditEntries lists a page of audit entries, the newest first: to a tenant its
// own with details, to the provider all tenants' without.
func (c *Client) AuditEntries(ctx context.Context, f AuditFilter) (List[AuditEntry], error) {
	q := f.narrow(f.values()).yes("provider", f.Provider).text("actor", f.Actor).text("verb", f.Verb).text("subject", f.Subject).time("from", f.From).time("to", f.To)
	return get[List[AuditEntry]](ctx, c, "/audit", q)
}

// AuditRecords returns at most limit records of a chain as they are stored, from
// behind the record with number after. Tenant is for the provider's credentials;
// empty, it is the provider's own chain.
func (c *Client) AuditRecords(ctx context.Context, tenant string, after int64, limit int) (List[AuditRecord], error) {
	return get[List[AuditRecord]](ctx, c, "/audit/raw", params{}.text("tenant", tenant).number("after", after).number("limit", int64(limit)))
}

// Checkpoints lists a page of signed checkpoints, the newest first, with the
// proof for the chain of the tenant that is asked for.
func (c *Client) Checkpoints(ctx context.Context, p TenantPage) (List[Checkpoint], error) {
	return get[List[Checkpoint]](ctx, c, "/audit/checkpoints", p.values())
}

// AuditKeys lists the public keys that checkpoints and statements are signed
// with. It needs no credential.
func (c *Client) AuditKeys(ctx context.Context) (List[AuditKey], error) {
	return call[List[AuditKey]](ctx, c, request{method: http.MethodGet, path: "/audit/keys", open: true})
}

// SFTP says where the SFTP server listens and what it is recognised by.
type SFTP struct {
	Address  string    `json:"address" doc:"HOST:PORT that it listens on; empty: there is none"`
	HostKeys []HostKey `json:"host_keys"`
}

// HostKey is a host key of the SFTP server.
type HostKey struct {
	Type        string `json:"type" doc:"As ssh-ed25519"`
	Fingerprint string `json:"fingerprint" doc:"As SHA256:…"`
	PublicKey   string `json:"public_key" doc:"The part of a line of known_hosts that follows the host's name"`
}

// SFTP returns where the SFTP server is, and its host keys.
func (c *Client) SFTP(ctx context.Context) (SFTP, error) {
	return call[SFTP](ctx, c, request{method: http.MethodGet, path: "/sftp", open: true})
}
