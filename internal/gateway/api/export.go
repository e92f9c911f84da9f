package api

import (
	"archive/tar"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"tributary/client"
	"tributary/internal/audit"
	"tributary/internal/exchange"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// exporter writes a tenant's archive.
type exporter struct {
	*server
	ctx   context.Context //nolint:containedctx // lives for one request only
	scope tenant.Scope
	tar   *tar.Writer
}

// export sends everything of a tenant as one tar archive: its profile, people and
// keys (no secrets; there are only digests of them), what it accepted and declined,
// every submission with its verdict and receipts, every result in both forms, and
// its audit chain. It is written as it is read, so its size does not matter. An
// archive that is cut short has no end, and tar says so.
func (s *server) export(ctx context.Context, c *call, _ *struct{}) (*huma.StreamResponse, error) {
	scope, err := c.transfer(ctx)
	if err != nil {
		return nil, err
	}
	profile, err := s.Control.Profile(ctx, scope)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		req, w := humago.Unwrap(hc)
		w.Header().Set("Content-Type", "application/x-tar")
		w.Header().Set("Content-Disposition", `attachment; filename="`+profile.Slug+`-export.tar"`)
		x := &exporter{server: s, ctx: ctx, scope: scope, tar: tar.NewWriter(w)}
		err := x.all(profile.Slug)
		if err == nil {
			err = x.tar.Close()
		}
		if err == nil {
			err = s.Control.Exported(ctx, scope)
		}
		if err != nil {
			s.logFault(req.Context(), err)
			s.Log.WarnContext(ctx, "export cut short", "request", noteOf(ctx).id, "tenant.id", string(scope.Tenant()), "error", err)
			panic(http.ErrAbortHandler)
		}
	}}, nil
}

func (x *exporter) all(slug string) error {
	profile, err := x.Control.Profile(x.ctx, x.scope)
	if err != nil {
		return err
	}
	if err := x.document("tenant.json", tenantWord(profile)); err != nil {
		return err
	}
	for _, part := range []func() error{x.people, x.keys, x.holds, x.decisions, x.submissions, x.results, x.trail} {
		if err := part(); err != nil {
			return fmt.Errorf("%s: %w", slug, err)
		}
	}
	return nil
}

// people writes the tenant's users, each with its SSH keys.
func (x *exporter) people() error {
	users, sshKeys := []client.User{}, []client.SSHKey{}
	err := pages(func(p meta.Page) (string, error) {
		found, next, err := x.Accounts.Users(x.ctx, x.scope, p)
		if err != nil {
			return "", err
		}
		for _, u := range found {
			users = append(users, userWord(u))
			theirs, err := x.Accounts.SSHKeys(x.ctx, x.scope, u.ID)
			if err != nil {
				return "", err
			}
			for _, k := range theirs {
				sshKeys = append(sshKeys, sshKeyWord(k))
			}
		}
		return next, nil
	})
	if err != nil {
		return err
	}
	if err := x.document("people/users.json", users); err != nil {
		return err
	}
	return x.document("people/ssh-keys.json", sshKeys)
}

func (x *exporter) keys() error {
	keys := []client.APIKey{}
	err := pages(func(p meta.Page) (string, error) {
		found, next, err := x.Accounts.APIKeys(x.ctx, x.scope, p)
		for _, k := range found {
			keys = append(keys, apiKeyWord(k))
		}
		return next, err
	})
	if err != nil {
		return err
	}
	return x.document("people/api-keys.json", keys)
}

// holds writes the legal holds, also those that were released.
func (x *exporter) holds() error {
	holds := []client.Hold{}
	err := pages(func(p meta.Page) (string, error) {
		found, next, err := x.Control.Holds(x.ctx, x.scope, true, p)
		for _, h := range found {
			holds = append(holds, holdWord(h))
		}
		return next, err
	})
	if err != nil {
		return err
	}
	return x.document("holds.json", holds)
}

func (x *exporter) decisions() error {
	found, err := x.Analyses.Decisions(x.ctx, x.scope)
	if err != nil {
		return err
	}
	words := make([]decided, len(found))
	for i, d := range found {
		words[i] = decided{d.Analysis, d.Version, string(d.Decision), d.DecidedAt, d.DecidedBy}
	}
	return x.document("acceptances.json", words)
}

// decided is a decision as an export has it: without whether it covers the
// analysis as it is now, which changes.
type decided struct {
	Analysis  string    `json:"analysis"`
	Version   int64     `json:"version"`
	Decision  string    `json:"decision"`
	DecidedAt time.Time `json:"decided_at"`
	DecidedBy string    `json:"decided_by"`
}

func (x *exporter) submissions() error {
	return pages(func(p meta.Page) (string, error) {
		found, next, err := x.Exchange.Submissions(x.ctx, x.scope, exchange.SubmissionFilter{}, p)
		if err != nil {
			return "", err
		}
		for _, row := range found {
			sub, err := x.Exchange.Submission(x.ctx, x.scope, row.ID)
			if err != nil {
				return "", err
			}
			folder := "submissions/" + sub.Dataset + "/" + sub.Date + "/" + sub.ID
			if err := x.document(folder+"/submission.json", submissionWord(sub)); err != nil {
				return "", err
			}
			receipts, err := x.Analyses.Receipts(x.ctx, x.scope, sub.ID)
			if err != nil {
				return "", err
			}
			if err := x.document(folder+"/receipts.json", receipts); err != nil {
				return "", err
			}
			if sub.SHA256 == nil { // its bytes were deleted
				continue
			}
			r, _, err := x.Exchange.Content(x.ctx, x.scope, sub.ID)
			if err != nil {
				return "", err
			}
			if err := x.file(folder+"/"+sub.Name, r); err != nil {
				return "", err
			}
		}
		return next, nil
	})
}

func (x *exporter) results() error {
	return pages(func(p meta.Page) (string, error) {
		found, next, err := x.Exchange.Results(x.ctx, x.scope, exchange.ResultFilter{}, p)
		if err != nil {
			return "", err
		}
		for _, res := range found {
			folder := "results/" + res.Analysis + "/" + res.Date + "/" + res.ID
			if err := x.document(folder+"/result.json", resultWord(res)); err != nil {
				return "", err
			}
			if res.State() != exchange.Available { // recalled, or its bytes were deleted
				continue
			}
			for _, form := range []exchange.Form{exchange.CSV, exchange.Parquet} {
				r, _, err := x.Exchange.ResultContent(x.ctx, x.scope, res.ID, form)
				if err != nil {
					return "", err
				}
				if err := x.file(folder+"/"+res.Name+"."+string(form), r); err != nil {
					return "", err
				}
			}
		}
		return next, nil
	})
}

// trail writes the audit chain twice: to read, and as stored, to verify.
func (x *exporter) trail() error {
	n := 0
	err := pages(func(p meta.Page) (string, error) {
		found, next, err := x.Audit.Entries(x.ctx, x.scope, audit.Filter{}, p)
		if err != nil {
			return "", err
		}
		n++
		return next, x.document(fmt.Sprintf("audit/entries-%04d.json", n), found)
	})
	if err != nil {
		return err
	}
	for after, n := int64(0), 1; ; n++ {
		found, err := x.Audit.Raw(x.ctx, x.scope, after, 0)
		if err != nil || len(found) == 0 {
			return err
		}
		if err := x.document(fmt.Sprintf("audit/records-%04d.json", n), found); err != nil {
			return err
		}
		after = found[len(found)-1].Seq
	}
}

// pages calls one for each page of a list.
func pages(one func(meta.Page) (next string, err error)) error {
	p := meta.Page{Limit: 200}
	for {
		next, err := one(p)
		if err != nil || next == "" {
			return err
		}
		p.After = next
	}
}

func (x *exporter) document(name string, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	if err := x.tar.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(raw)), ModTime: x.Clock.Now(), Format: tar.FormatPAX}); err != nil {
		return err
	}
	_, err = x.tar.Write(raw)
	return err
}

// file is what an object of the vault and a part of one have in common.
type file interface {
	io.ReadCloser
	Size() int64
}

// file copies an object into the archive. The name is the tenant's own and was
// checked to be no path when it was submitted.
func (x *exporter) file(name string, r file) error {
	defer r.Close()
	if err := x.tar.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: r.Size(), ModTime: x.Clock.Now(), Format: tar.FormatPAX}); err != nil {
		return err
	}
	_, err := io.Copy(x.tar, struct{ io.Reader }{r})
	return err
}
