package exchange

import (
	"context"
	"fmt"
	"io"

	"tributary/internal/audit"
	"tributary/internal/exchange/contract"
	"tributary/internal/exchange/parse"
	"tributary/internal/fault"
	"tributary/internal/sandbox"
	"tributary/internal/tenant"
	"tributary/internal/vault"
)

// Previews are made while somebody waits, so few at once: of each tenant, and in all.
const (
	previewsOfTenant = 2
	previewsAtOnce   = 4
)

// Preview is the start of a submission's file.
type Preview struct {
	parse.Preview
	// Accepted says that the rows are of the accepted form, so as the dataset's contract
	// reads them; otherwise they are as they were sent.
	Accepted bool
}

// Preview reads the first rows of a submission in a sandboxed child: of its accepted form,
// or of the file as it was sent, if it was not accepted or its accepted form is large. A
// file of which not even the first rows can be read has none. The reading is in the audit
// log before.
func (x *Exchange) Preview(ctx context.Context, scope tenant.Scope, id string) (Preview, error) {
	s, err := x.find(ctx, x.DB, scope.Tenant(), id)
	if err != nil {
		return Preview{}, err
	}
	if s.object == "" {
		return Preview{}, gone("submission", id, s.DeletedAt, s.DeletedFor)
	}
	release, err := x.admitPreview(scope.Tenant())
	if err != nil {
		return Preview{}, err
	}
	defer release()
	d, err := x.Dataset(ctx, s.Dataset, s.DatasetVersion)
	if err != nil {
		return Preview{}, err
	}
	file, accepted, err := x.previewed(ctx, scope, s)
	if err != nil {
		return Preview{}, err
	}
	defer file.Close()
	if err := x.Audit.Record(ctx, audit.Entry{Tenant: s.Tenant, Actor: scope.Actor(), Verb: "submission.read", Subject: id, Outcome: "ok",
		Details: map[string]any{"rows": parse.PreviewRows}}); err != nil {
		return Preview{}, err
	}
	p, err := x.start(ctx, d.Contract, file)
	switch {
	case err == nil:
		return Preview{p, accepted}, nil
	case fault.Is(err, fault.Internal): // it crashed, and a file may do that
		x.Log.ErrorContext(ctx, "preview failed", "submission", s.ID, "error", err)
		fallthrough
	case unreadable(err):
		return Preview{parse.Preview{Columns: []string{}, Rows: [][]*string{}, Stopped: true}, accepted}, nil
	}
	return Preview{}, fmt.Errorf("preview submission %s: %w", id, err)
}

// previewed opens what is shown of a submission.
func (x *Exchange) previewed(ctx context.Context, scope tenant.Scope, s Submission) (*vault.Reader, bool, error) {
	if s.accepted != "" {
		file, _, err := x.Vault.Open(ctx, scope, s.accepted)
		if err != nil {
			return nil, false, err
		}
		if file.Size() <= parse.PreviewMemory {
			return file, true, nil
		}
		file.Close()
	}
	file, _, err := x.Vault.Open(ctx, scope, s.object)
	return file, false, err
}

// start has a child read a file's first rows.
func (x *Exchange) start(ctx context.Context, d *contract.Dataset, file *vault.Reader) (p parse.Preview, err error) {
	args, err := parse.Args(d)
	if err != nil {
		return p, err
	}
	work := sandbox.Job{Program: parse.PreviewName, Args: args, Limits: parse.PreviewLimits()}
	var start [8]byte
	n, err := file.ReadAt(start[:], 0)
	if err != nil && n == 0 {
		return p, err
	}
	in := &meter{r: file, report: func(int64) {}}
	switch {
	case !parse.LooksLikeParquet(start[:n]):
		work.Stream = in
	case file.Size() > parse.PreviewMemory:
		return p, fault.New(fault.TooLarge, "The file is too large for a preview.")
	default:
		release, err := inMemory(&work, in)
		if err != nil {
			return p, err
		}
		defer release()
	}
	err = x.Sandbox.Run(ctx, work, func(out io.Reader) error {
		p, err = parse.ReadPreview(out)
		return err
	})
	if in.err != nil {
		return p, in.err
	}
	return p, err
}

// admitPreview bounds the children that run for previews.
func (x *Exchange) admitPreview(id tenant.ID) (release func(), err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	all := 0
	for _, n := range x.previewing {
		all += n
	}
	if x.previewing[id] >= previewsOfTenant || all >= previewsAtOnce {
		return nil, fault.New(fault.Throttled, "Other files are being previewed; try again in a moment.")
	}
	x.previewing[id]++
	return func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		if x.previewing[id]--; x.previewing[id] == 0 {
			delete(x.previewing, id)
		}
	}, nil
}
