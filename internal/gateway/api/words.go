package api

import (
	"encoding/hex"
	"net/netip"

	"tributary/client"
	"tributary/internal/account"
	"tributary/internal/analysis"
	"tributary/internal/control"
	"tributary/internal/exchange"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/policy"
)

// The shapes that inputs and outputs share.
type (
	Paging struct {
		Limit int    `query:"limit" minimum:"1" maximum:"500" doc:"How many things; 50 if absent"`
		After string `query:"after" doc:"The cursor that the page before returned as next"`
	}
	// Viewing is Paging for lists that are searched, filtered and sorted.
	Viewing struct {
		Paging
		Search string   `query:"search" maxLength:"200" doc:"A part, in any case, of what people search in; the operation's description says which columns that is"`
		Filter []string `query:"filter,explode" maxItems:"20" doc:"COLUMN:is:VALUE, COLUMN:not:VALUE or COLUMN:contains:VALUE; repeatable. Several with is for one column are any of them"`
		Sort   string   `query:"sort" maxLength:"50" doc:"COLUMN, or -COLUMN for the greatest first"`
	}
	ByID struct {
		ID string `path:"id" maxLength:"200"`
	}
	out[T any]  struct{ Body T }
	list[T any] struct{ Body client.List[T] }
	in[T any]   struct{ Body T }
)

func (p Paging) meta() meta.Page { return meta.Page{Limit: p.Limit, After: p.After} }

func (v Viewing) meta() meta.Page {
	p := v.Paging.meta()
	p.View = meta.View{Search: v.Search, Filters: v.Filter, Sort: v.Sort}
	return p
}

// each encodes a page of things.
func each[T, W any](things []T, next string, word func(T) W) *list[W] {
	items := make([]W, len(things))
	for i, t := range things {
		items[i] = word(t)
	}
	return &list[W]{client.List[W]{Items: items, Next: next, Searched: meta.Searched(next)}}
}

func made(m control.Made) client.Made { return client.Made(m) }

func prefixes(texts []string) ([]netip.Prefix, error) {
	list := make([]netip.Prefix, 0, len(texts))
	for _, t := range texts {
		p, err := netip.ParsePrefix(t)
		if err != nil {
			a, addrErr := netip.ParseAddr(t)
			if addrErr != nil {
				return nil, fault.New(fault.Invalid, "%q is not an address or a prefix such as 192.0.2.0/24.", t)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		list = append(list, p.Masked())
	}
	return list, nil
}

func texts(list []netip.Prefix) []string {
	out := make([]string, len(list))
	for i, p := range list {
		out[i] = p.String()
	}
	return out
}

func organisationWord(o control.Organisation) client.Organisation {
	return client.Organisation{ID: o.ID, Name: o.Name, Verified: o.VerifiedAt != nil, VerifiedAt: o.VerifiedAt, VerifiedBy: o.VerifiedBy, Evidence: o.Evidence, Made: made(o.Made)}
}

func tenantWord(t control.Tenant) client.Tenant {
	return client.Tenant{ID: string(t.ID), Slug: t.Slug, Name: t.Name, Organisation: t.Organisation, OrganisationName: t.OrganisationName,
		ExternalIDs: t.ExternalIDs, Tier: string(t.Tier), Type: t.Type, Industry: t.Industry, Revenue: t.Revenue, Employees: t.Employees,
		State: string(t.State), StateReason: t.StateReason, IPAllow: texts(t.IPAllow), ClaimedAt: t.ClaimedAt, Made: made(t.Made)}
}

func userWord(u account.User) client.User {
	w := client.User{ID: u.ID, Tenant: string(u.Tenant), Login: u.Login(), Email: u.Email, Name: u.Name, Role: string(u.Role), State: string(u.State),
		HasPassword: u.HasPassword, SecondFactor: u.SecondFactor, ProviderMade: u.ProviderMade, SignedInAt: u.SignedInAt, Made: made(u.Made)}
	if u.Tenant != "" {
		w.SFTPLogin = w.Login
	}
	return w
}

func sshKeyWord(k account.SSHKey) client.SSHKey {
	return client.SSHKey{ID: k.ID, User: k.User, Name: k.Name, PublicKey: k.PublicKey, Fingerprint: k.Fingerprint, IPAllow: texts(k.IPAllow),
		ProviderMade: k.ProviderMade, CreatedAt: k.CreatedAt, CreatedBy: k.CreatedBy, ExpiresAt: k.ExpiresAt, UsedAt: k.UsedAt, RevokedAt: k.RevokedAt}
}

func apiKeyWord(k account.APIKey) client.APIKey {
	return client.APIKey{ID: k.ID, Tenant: string(k.Tenant), Role: string(k.Role), Name: k.Name, Hint: k.Hint, IPAllow: texts(k.IPAllow),
		ProviderMade: k.ProviderMade, CreatedAt: k.CreatedAt, CreatedBy: k.CreatedBy, ExpiresAt: k.ExpiresAt, UsedAt: k.UsedAt, RevokedAt: k.RevokedAt}
}

func sessionWord(s account.Session, p policy.Principal) client.Session {
	return client.Session{ID: s.ID, User: s.User, CreatedAt: s.CreatedAt, UsedAt: s.UsedAt, ExpiresAt: s.IdleUntil, EndsAt: s.AbsoluteUntil,
		Address: s.Address, Agent: s.Agent, Current: s.ID == p.Credential}
}

func datasetWord(d exchange.Dataset) client.Dataset {
	w := client.Dataset{ID: d.Name, Version: d.Version, Title: d.Contract.Title, Description: d.Contract.Description, Cadence: string(d.Contract.Cadence),
		Hash: hex.EncodeToString(d.Hash), CreatedAt: d.CreatedAt, CreatedBy: d.CreatedBy, Columns: []client.Column{}, Words: d.Contract.Words(), FileName: d.Contract.FileName}
	if d.Contract.Retention != nil {
		w.Retention = d.Contract.Retention.Days
	}
	for _, c := range d.Contract.Columns {
		w.Columns = append(w.Columns, client.Column{Name: c.Name, Type: string(c.Type), Scale: c.Scale, Unit: c.Unit, Required: c.Required, Role: string(c.Role), Description: c.Description, Rules: c.Rules()})
	}
	return w
}

func submissionWord(s exchange.Submission) client.Submission {
	w := client.Submission{ID: s.ID, Tenant: string(s.Tenant), Dataset: s.Dataset, DatasetVersion: s.DatasetVersion, Date: s.Date, Revision: s.Revision,
		State: string(s.State), Name: s.Name, Channel: s.Channel, Size: s.Size, Rows: s.Rows, Columns: s.Columns, ErrorCount: s.ErrorCount,
		SHA256: hex.EncodeToString(s.SHA256), Commitment: hex.EncodeToString(s.Commitment), ReceivedAt: s.ReceivedAt, DueAt: s.DueAt, CutOffAt: s.CutOffAt,
		Late: s.Late, AfterCutOff: s.AfterCutOff, DuplicateOf: s.DuplicateOf, Notes: s.Notes(), ValidatedAt: s.ValidatedAt,
		ClosedAt: s.ClosedAt, DeletesAt: s.DeletesAt, DeletedAt: s.DeletedAt, DeletedFor: s.DeletedFor, Held: s.Held, SubmittedBy: s.SubmittedBy}
	for _, p := range s.Problems {
		w.Problems = append(w.Problems, client.FileError{Row: p.Row, Column: p.Column, Code: p.Code, Message: p.Message})
	}
	return w
}

// mark says in words what a marked result is.
const mark = "Made under a rule that lets fewer than three organisations into a cell: participants may be able to compute each other's values."

func resultWord(r exchange.Result) client.Result {
	w := client.Result{ID: r.ID, Tenant: string(r.Tenant), Analysis: r.Analysis, Version: r.Version, Date: r.Date, Run: r.Run, Release: r.Release, Name: r.Name,
		Rows: r.Rows, Suppressed: r.Suppressed, Marked: r.Marked, Organisations: r.Organisations, OrganisationsVerified: r.Verified,
		State: string(r.State()), RecalledAt: r.RecalledAt, RecallReason: r.RecallReason, DeletesAt: r.DeletesAt, DeletedAt: r.DeletedAt, Held: r.Held,
		CreatedAt: r.CreatedAt, DownloadedAt: r.DownloadedAt}
	if r.Marked {
		w.Mark = mark
	}
	return w
}

func analysisWord(a analysis.Analysis) client.Analysis {
	return client.Analysis{ID: a.Name, Version: a.Version, Title: a.Definition.Title, Description: a.Definition.Description, Words: a.Words(),
		Datasets: a.Definition.Datasets, Hash: hex.EncodeToString(a.Hash), CreatedAt: a.CreatedAt, CreatedBy: a.CreatedBy}
}

func runWord(r analysis.Run) client.Run {
	w := client.Run{ID: r.ID, Analysis: r.Analysis, Version: r.Version, Date: r.Date, Through: r.Through, State: string(r.State), Reason: r.Reason,
		Stage: r.Progress.Stage, Done: r.Progress.Done, Total: r.Progress.Total, Participants: r.Participants, Release: r.Release,
		RecalledAt: r.RecalledAt, RecallReason: r.RecallReason, Results: r.Results, Recalled: r.Recalled, StartedBy: r.StartedBy, CreatedAt: r.CreatedAt, StartedAt: r.StartedAt, FinishedAt: r.FinishedAt}
	for _, i := range r.Inputs {
		w.Inputs = append(w.Inputs, inputWord(i))
	}
	return w
}

func inputWord(i analysis.RunInput) client.RunInput {
	return client.RunInput{Tenant: string(i.Tenant), Dataset: i.Dataset, Submission: i.Submission, Commitment: hex.EncodeToString(i.Commitment)}
}
