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
	"tributary/internal/archive"
	"tributary/internal/audit"
	"tributary/internal/control"
	"tributary/internal/exchange"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/notify"
	"tributary/internal/tenant"
)

// exporter writes a tenant's archive.
type exporter struct {
	*server
	ctx   context.Context //nolint:containedctx // lives for one request only
	scope tenant.Scope
	tar   *tar.Writer

	profile control.Tenant
}

// export sends everything of a tenant as one tar archive: its profile, people and
// keys (no secrets; there are only digests of them), holds, webhooks (without their
// secrets), what it accepted and declined, periods reopened for it, every submission
// with its verdict and receipts, every result in both forms, its events, and its audit
// chain. It is written as it is read, so its size does not matter. An archive that is cut short
// has no end, and tar says so.
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
		x := &exporter{server: s, ctx: ctx, scope: scope, tar: tar.NewWriter(w), profile: profile}
		err := x.all()
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

func (x *exporter) all() error {
	if err := x.document("tenant.json", tenantWord(x.profile)); err != nil {
		return err
	}
	for _, part := range []func() error{x.people, x.keys, x.holds, x.notices, x.decisions, x.reopenings, x.submissions, x.results, x.events, x.trail} {
		if err := part(); err != nil {
			return fmt.Errorf("%s: %w", x.profile.Slug, err)
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

// reopenings writes the periods that were reopened for the tenant.
func (x *exporter) reopenings() error {
	found, err := x.Exchange.Reopenings(x.ctx, x.scope)
	if err != nil {
		return err
	}
	words := each(found, "", func(r exchange.Reopening) client.Reopening { return reopeningWord(r, x.profile.Slug) })
	return x.document("reopenings.json", words.Body.Items)
}

// notices writes the webhooks, whose secrets are not in their words, and which mails
// people have turned off.
func (x *exporter) notices() error {
	found, err := x.Notices.Webhooks(x.ctx, tenant.OwnerOf(x.scope))
	if err != nil {
		return err
	}
	if err := x.document("webhooks.json", each(found, "", webhookWord).Body.Items); err != nil {
		return err
	}
	off, err := x.Notices.TurnedOff(x.ctx, x.scope)
	if err != nil {
		return err
	}
	words := each(off, "", func(o notify.Off) turnedOff { return turnedOff{o.User, string(o.Kind)} })
	return x.document("people/notices-off.json", words.Body.Items)
}

// turnedOff is a kind of mails that a user has turned off.
type turnedOff struct {
	User string `json:"user"`
	Kind string `json:"kind"`
}

func (x *exporter) submissions() error {
	return pages(func(p meta.Page) (string, error) {
		found, next, err := x.Exchange.Submissions(x.ctx, x.scope, exchange.SubmissionFilter{}, p)
		for _, sub := range found {
			if err := x.entries(func() ([]entry, error) { return x.submission(sub.ID) }); err != nil {
				return "", err
			}
		}
		return next, err
	})
}

func (x *exporter) submission(id string) ([]entry, error) {
	sub, err := x.Exchange.Submission(x.ctx, x.scope, id)
	if err != nil {
		return nil, err
	}
	receipts, err := x.Analyses.Receipts(x.ctx, x.scope, id)
	if err != nil {
		return nil, err
	}
	folder := "submissions/" + sub.Dataset + "/" + sub.Date + "/" + sub.ID + "/"
	list := []entry{{folder + "submission.json", submissionWord(sub)}, {folder + "receipts.json", receipts}}
	if sub.SHA256 == nil { // its bytes were deleted
		return list, nil
	}
	r, _, err := x.Exchange.Content(x.ctx, x.scope, id)
	if err != nil {
		return nil, err
	}
	return append(list, entry{folder + sub.Name, r}), nil
}

func (x *exporter) results() error {
	return pages(func(p meta.Page) (string, error) {
		found, next, err := x.Exchange.Results(x.ctx, x.scope, exchange.ResultFilter{}, p)
		for _, res := range found {
			if err := x.entries(func() ([]entry, error) { return x.result(res.ID) }); err != nil {
				return "", err
			}
		}
		return next, err
	})
}

func (x *exporter) result(id string) ([]entry, error) {
	res, err := x.Exchange.Result(x.ctx, x.scope, id)
	if err != nil {
		return nil, err
	}
	folder := "results/" + res.Analysis + "/" + res.Date + "/" + res.ID + "/"
	list := []entry{{folder + "result.json", resultWord(res)}}
	if res.State() != exchange.Available { // recalled, or its bytes were deleted
		return list, nil
	}
	for _, form := range []exchange.Form{exchange.CSV, exchange.Parquet} {
		r, _, err := x.Exchange.ResultContent(x.ctx, x.scope, id, form)
		if err != nil {
			return list, err
		}
		list = append(list, entry{folder + res.Name + "." + string(form), r})
	}
	return list, nil
}

// entry is something in the archive: a file, or what is encoded as one.
type entry struct {
	name    string
	content any
}

// entries writes what belongs to one submission or result. Its bytes may go between
// its row and their opening: by retention, by its people's hand or by a recall. Then
// it is opened once more, the row says so, and it is written without them. While the
// row says that they are there, it is an error that they are not.
func (x *exporter) entries(open func() ([]entry, error)) error {
	list, err := open()
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Conflict) {
		closeAll(list)
		list, err = open()
	}
	defer func() { closeAll(list) }()
	if err != nil {
		return err
	}
	for _, e := range list {
		if f, ok := e.content.(file); ok {
			err = x.file(e.name, f)
		} else {
			err = x.document(e.name, e.content)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func closeAll(list []entry) {
	for _, e := range list {
		if f, ok := e.content.(file); ok {
			f.Close()
		}
	}
}

// events writes the tenant's events of all days that are kept, a line of JSON each, and
// which of them could not be read.
func (x *exporter) events() error {
	unread, err := x.Archive.Export(x.ctx, x.scope, func(o archive.Object, part int, lines []byte) error {
		return x.bytes(fmt.Sprintf("events/%s/%s/%s-%04d.ndjson", o.Stream, o.Day, o.ID, part), lines)
	})
	if err != nil || len(unread) == 0 {
		return err
	}
	return x.document("events/not-readable.json", archiveFindings(unread))
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
	return x.bytes(name, raw)
}

func (x *exporter) bytes(name string, raw []byte) error {
	if err := x.tar.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(raw)), ModTime: x.Clock.Now(), Format: tar.FormatPAX}); err != nil {
		return err
	}
	_, err := x.tar.Write(raw)
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
	if err := x.tar.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: r.Size(), ModTime: x.Clock.Now(), Format: tar.FormatPAX}); err != nil {
		return err
	}
	_, err := io.Copy(x.tar, struct{ io.Reader }{r})
	return err
}
