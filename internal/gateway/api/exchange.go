package api

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"tributary/client"
	"tributary/internal/analysis"
	"tributary/internal/exchange"
	"tributary/internal/fault"
	"tributary/internal/policy"
)

// exchangeRoutes are datasets, submissions and results. Their audit entries are
// written by package exchange.
func (s *server) exchangeRoutes() {
	add(s, route{method: http.MethodPost, path: "/datasets", id: "apply-dataset", summary: "Apply a dataset's contract; a changed one makes a version", thing: "dataset",
		action: policy.DatasetApply, audience: staff, audit: "dataset.apply", yaml: true}, s.applyDataset)
	add(s, route{method: http.MethodGet, path: "/datasets", id: "list-datasets", summary: "List datasets by name", thing: "dataset",
		action: policy.DatasetRead, audience: anyone}, s.datasets)
	add(s, route{method: http.MethodGet, path: "/datasets/{id}", id: "show-dataset", summary: "Show a version of a dataset", thing: "dataset",
		action: policy.DatasetRead, audience: anyone}, s.dataset)
	add(s, route{method: http.MethodGet, path: "/datasets/{id}/template", id: "download-dataset-template", summary: "A file as the dataset wants it, with one example row", thing: "dataset",
		action: policy.DatasetRead, audience: anyone}, s.datasetTemplate)

	add(s, route{method: http.MethodPost, path: "/submissions", id: "submit", summary: "Send a file for a dataset and a business date", thing: "submission",
		action: policy.SubmissionCreate, audience: tenants, audit: "submission.receive", status: http.StatusCreated, body: -1, takes: "application/octet-stream"}, s.submit)
	add(s, route{method: http.MethodGet, path: "/submissions", id: "list-submissions", summary: "List submissions, the newest first: one's own, or as metadata all tenants'", thing: "submission",
		action: policy.SubmissionRead, audience: anyone, view: exchange.SubmissionList.Words()}, s.submissions)
	add(s, route{method: http.MethodGet, path: "/submissions/{id}", id: "show-submission", summary: "Show a submission and what is wrong with it", thing: "submission",
		action: policy.SubmissionRead, audience: anyone}, s.submission)
	add(s, route{method: http.MethodGet, path: "/submissions/{id}/content", id: "download-submission", summary: "The file as it was sent", thing: "submission",
		action: policy.SubmissionContent, audience: tenants, audit: "submission.read"}, s.submissionContent)
	add(s, route{method: http.MethodGet, path: "/submissions/{id}/preview", id: "preview-submission", summary: "The first rows of a submission: of its accepted form, or as it was sent", thing: "submission",
		action: policy.SubmissionContent, audience: tenants, audit: "submission.read"}, s.previewSubmission)
	add(s, route{method: http.MethodPost, path: "/submissions/{id}/withdraw", id: "withdraw-submission", summary: "Take a submission back: no later run reads it", thing: "submission",
		action: policy.SubmissionWithdraw, audience: tenants, audit: "submission.withdraw"}, s.withdraw)
	add(s, route{method: http.MethodDelete, path: "/submissions/{id}", id: "delete-submission", summary: "Delete a submission's bytes, and withdraw it", thing: "submission",
		action: policy.SubmissionDelete, audience: tenants, audit: "submission.delete", status: http.StatusOK}, s.deleteSubmission)
	add(s, route{method: http.MethodGet, path: "/submissions/{id}/receipts", id: "list-receipts", summary: "Signed proof of how a submission was used", thing: "submission",
		action: policy.SubmissionReceipts, audience: tenants}, s.receipts)

	add(s, route{method: http.MethodGet, path: "/results", id: "list-results", summary: "List results, the newest first: one's own, or as metadata all tenants'", thing: "result",
		action: policy.ResultRead, audience: anyone, view: exchange.ResultList.Words()}, s.results)
	add(s, route{method: http.MethodGet, path: "/results/{id}", id: "show-result", summary: "Show a result", thing: "result",
		action: policy.ResultRead, audience: anyone}, s.result)
	add(s, route{method: http.MethodGet, path: "/results/{id}/rows", id: "show-result-rows", summary: "A page of a result's rows, with what its columns mean", thing: "result",
		action: policy.ResultContent, audience: tenants, audit: "result.read"}, s.resultRows)
	add(s, route{method: http.MethodGet, path: "/results/{id}/content", id: "download-result", summary: "A result as CSV or Parquet", thing: "result",
		action: policy.ResultContent, audience: tenants, audit: "result.read"}, s.resultContent)
}

// document is a request whose body is YAML.
type document struct {
	RawBody []byte `contentType:"application/yaml"`
}

func (s *server) applyDataset(ctx context.Context, c *call, i *document) (*out[client.Dataset], error) {
	d, changed, err := s.Exchange.UnscopedApplyDataset(ctx, c.by(), i.RawBody)
	if err != nil {
		return nil, err
	}
	w := datasetWord(d)
	w.Source, w.Changed = d.Source, &changed
	return &out[client.Dataset]{w}, nil
}

func (s *server) datasets(ctx context.Context, _ *call, i *Paging) (*list[client.Dataset], error) {
	found, next, err := s.Exchange.Datasets(ctx, i.meta())
	if err != nil {
		return nil, err
	}
	return each(found, next, datasetWord), nil
}

type versioned struct {
	ByID
	Version int64 `query:"version" minimum:"0" doc:"0, or absent: the current one"`
}

func (s *server) dataset(ctx context.Context, _ *call, i *versioned) (*out[client.Dataset], error) {
	d, err := s.Exchange.Dataset(ctx, i.ID, i.Version)
	return answerWith(d, err, func(d exchange.Dataset) client.Dataset {
		w := datasetWord(d)
		w.Source = d.Source
		return w
	})
}

type templateRequest struct {
	ByID
	Date string `query:"date" format:"date" doc:"The business date of its example; one of the period before this one if absent"`
}

func (s *server) datasetTemplate(ctx context.Context, c *call, i *templateRequest) (*huma.StreamResponse, error) {
	name, text, err := s.template(ctx, c, i)
	if err != nil {
		return nil, err
	}
	return s.download(io.NopCloser(bytes.NewReader(text)), int64(len(text)), name, "application/octet-stream"), nil
}

func (s *server) template(ctx context.Context, c *call, i *templateRequest) (name string, text []byte, err error) {
	if c.staff() {
		return s.Exchange.UnscopedTemplate(ctx, i.ID, i.Date)
	}
	scope, err := c.scope(ctx)
	if err != nil {
		return "", nil, err
	}
	return s.Exchange.Template(ctx, scope, i.ID, i.Date)
}

// fileRequest is a request whose body is a file, read as it comes in.
type fileRequest struct {
	Dataset string `query:"dataset" required:"true" maxLength:"100"`
	Date    string `query:"date" required:"true" format:"date" doc:"The business date"`
	Name    string `query:"name" required:"true" doc:"The file's name, without folders"`
	Channel string `header:"Tributary-Channel" enum:"api,cli" doc:"What sends it; api if absent"`
	Digest  string `header:"Content-Digest" doc:"sha-256=:base64: as in RFC 9530; checked when it is there"`

	body io.Reader
	size int64
}

// Resolve implements huma.Resolver: it keeps the body for the handler instead of
// reading it into memory.
func (u *fileRequest) Resolve(ctx huma.Context) []error {
	r, w := humago.Unwrap(ctx)
	u.body, u.size = &steady{r.Body, http.NewResponseController(w)}, r.ContentLength
	return nil
}

// steady ends a transfer that stands still.
type steady struct {
	r       io.Reader
	control *http.ResponseController
}

func (t *steady) Read(p []byte) (int, error) {
	// Without a deadline (a test's recorder has none) the transfer is only less well guarded.
	_ = t.control.SetReadDeadline(time.Now().Add(Stall))
	return t.r.Read(p)
}

// digest reads an RFC 9530 Content-Digest.
func digest(header string) ([]byte, error) {
	if header == "" {
		return nil, nil
	}
	for _, part := range strings.Split(header, ",") {
		value, ok := strings.CutPrefix(strings.TrimSpace(part), "sha-256=:")
		if !ok {
			continue
		}
		sum, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(value, ":"))
		if err != nil || len(sum) != 32 {
			break
		}
		return sum, nil
	}
	return nil, fault.New(fault.Invalid, "The Content-Digest %q is not of the form sha-256=:BASE64:.", header)
}

func (s *server) submit(ctx context.Context, c *call, i *fileRequest) (*out[client.Submission], error) {
	sum, err := digest(i.Digest)
	if err != nil {
		return nil, err
	}
	scope, err := c.transfer(ctx)
	if err != nil {
		return nil, err
	}
	if i.Channel == "" {
		i.Channel = "api"
	}
	n := exchange.NewSubmission{Dataset: i.Dataset, Date: i.Date, Name: i.Name, Channel: i.Channel, SHA256: sum, Size: i.size}
	sub, err := s.Exchange.Submit(ctx, scope, n, i.body)
	if err != nil {
		return nil, err
	}
	s.counted.uploaded.Add(ctx, sub.Size)
	return &out[client.Submission]{submissionWord(sub)}, nil
}

type submissionList struct {
	TenantViewing
	Dataset string `query:"dataset"`
	Date    string `query:"date" format:"date"`
	State   string `query:"state" enum:"received,validating,accepted,rejected,superseded,withdrawn"`
}

func (s *server) submissions(ctx context.Context, c *call, i *submissionList) (*list[client.Submission], error) {
	id, err := c.named(ctx, i.Tenant)
	if err != nil {
		return nil, err
	}
	f := exchange.SubmissionFilter{Dataset: i.Dataset, Date: i.Date, State: exchange.State(i.State)}
	var found []exchange.Submission
	var next string
	if c.staff() {
		found, next, err = s.Exchange.UnscopedSubmissions(ctx, id, f, i.meta())
	} else {
		scope, scopeErr := c.scope(ctx)
		if scopeErr != nil {
			return nil, scopeErr
		}
		found, next, err = s.Exchange.Submissions(ctx, scope, f, i.meta())
	}
	if err != nil {
		return nil, err
	}
	return each(found, next, submissionWord), nil
}

func (s *server) submission(ctx context.Context, c *call, i *ByID) (*out[client.Submission], error) {
	if c.staff() {
		sub, err := s.Exchange.UnscopedSubmission(ctx, i.ID)
		return answerWith(sub, err, submissionWord)
	}
	scope, err := c.scope(ctx)
	if err != nil {
		return nil, err
	}
	sub, err := s.Exchange.Submission(ctx, scope, i.ID)
	return answerWith(sub, err, submissionWord)
}

func (s *server) withdraw(ctx context.Context, c *call, i *ByID) (*out[client.Submission], error) {
	scope, err := c.scope(ctx)
	if err != nil {
		return nil, err
	}
	sub, err := s.Exchange.Withdraw(ctx, scope, i.ID)
	return answerWith(sub, err, submissionWord)
}

func (s *server) deleteSubmission(ctx context.Context, c *call, i *ByID) (*out[client.Submission], error) {
	scope, err := c.scope(ctx)
	if err != nil {
		return nil, err
	}
	sub, err := s.Exchange.Delete(ctx, scope, i.ID)
	return answerWith(sub, err, submissionWord)
}

func (s *server) receipts(ctx context.Context, c *call, i *ByID) (*list[client.Receipt], error) {
	scope, err := c.scope(ctx)
	if err != nil {
		return nil, err
	}
	found, err := s.Analyses.Receipts(ctx, scope, i.ID)
	if err != nil {
		return nil, err
	}
	return each(found, "", func(r analysis.Receipt) client.Receipt {
		return client.Receipt{Submission: r.Submission, Run: r.Run, Release: r.Release, Analysis: r.Analysis, Version: r.Version, Date: r.Date, Organisations: r.Organisations, OrganisationsVerified: r.Verified,
			SHA256: hex.EncodeToString(r.SHA256), Salt: hex.EncodeToString(r.Salt), Commitment: hex.EncodeToString(r.Commitment),
			Manifest: hex.EncodeToString(r.Manifest), Signed: *s.signed(r.Body, r.Signature)}
	}), nil
}

func (s *server) submissionContent(ctx context.Context, c *call, i *ByID) (*huma.StreamResponse, error) {
	scope, err := c.transfer(ctx)
	if err != nil {
		return nil, err
	}
	r, sub, err := s.Exchange.Content(ctx, scope, i.ID)
	if err != nil {
		return nil, err
	}
	return s.download(r, sub.Size, sub.Name, "application/octet-stream"), nil
}

func (s *server) previewSubmission(ctx context.Context, c *call, i *ByID) (*out[client.Preview], error) {
	scope, err := c.scope(ctx)
	if err != nil {
		return nil, err
	}
	p, err := s.Exchange.Preview(ctx, scope, i.ID)
	return answerWith(p, err, func(p exchange.Preview) client.Preview {
		return client.Preview{Columns: p.Columns, Rows: p.Rows, More: p.More, Hidden: p.Hidden, Stopped: p.Stopped, Accepted: p.Accepted}
	})
}

type resultList struct {
	TenantViewing
	Analysis string `query:"analysis"`
	Date     string `query:"date" format:"date"`
}

func (s *server) results(ctx context.Context, c *call, i *resultList) (*list[client.Result], error) {
	id, err := c.named(ctx, i.Tenant)
	if err != nil {
		return nil, err
	}
	f := exchange.ResultFilter{Analysis: i.Analysis, Date: i.Date}
	var found []exchange.Result
	var next string
	if c.staff() {
		found, next, err = s.Exchange.UnscopedResults(ctx, id, f, i.meta())
	} else {
		scope, scopeErr := c.scope(ctx)
		if scopeErr != nil {
			return nil, scopeErr
		}
		found, next, err = s.Exchange.Results(ctx, scope, f, i.meta())
	}
	if err != nil {
		return nil, err
	}
	return each(found, next, resultWord), nil
}

func (s *server) result(ctx context.Context, c *call, i *ByID) (*out[client.Result], error) {
	if c.staff() {
		r, err := s.Exchange.UnscopedResult(ctx, i.ID)
		return answerWith(r, err, resultWord)
	}
	scope, err := c.scope(ctx)
	if err != nil {
		return nil, err
	}
	r, inputs, err := s.Analyses.Result(ctx, scope, i.ID)
	return answerWith(r, err, func(r exchange.Result) client.Result {
		w := resultWord(r)
		for _, i := range inputs {
			w.Inputs = append(w.Inputs, inputWord(i))
		}
		return w
	})
}

type resultRows struct {
	ByID
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"1000" doc:"How many rows"`
	After string `query:"after" maxLength:"20" doc:"The cursor that the page before returned as next"`
}

func (s *server) resultRows(ctx context.Context, c *call, i *resultRows) (*out[client.ResultRows], error) {
	scope, err := c.scope(ctx)
	if err != nil {
		return nil, err
	}
	p, err := s.Analyses.Rows(ctx, scope, i.ID, i.After, i.Limit)
	return answerWith(p, err, func(p analysis.Rows) client.ResultRows {
		w := client.ResultRows{Columns: []client.ResultColumn{}, Rows: p.Rows, Next: p.Next}
		for _, c := range p.Columns {
			w.Columns = append(w.Columns, client.ResultColumn{Name: c.Name, Role: string(c.Role), Measure: c.Measure, Function: string(c.Function), Words: c.Words})
		}
		return w
	})
}

type resultContent struct {
	ByID
	Format string `query:"format" enum:"csv,parquet" default:"csv"`
}

func (s *server) resultContent(ctx context.Context, c *call, i *resultContent) (*huma.StreamResponse, error) {
	scope, err := c.transfer(ctx)
	if err != nil {
		return nil, err
	}
	form, kind := exchange.CSV, "text/csv; charset=utf-8"
	if i.Format == "parquet" {
		form, kind = exchange.Parquet, "application/vnd.apache.parquet"
	}
	r, result, err := s.Exchange.ResultContent(ctx, scope, i.ID, form)
	if err != nil {
		return nil, err
	}
	return s.download(r, r.Size(), result.Name+"."+i.Format, kind), nil
}

// download sends an object as an attachment. If it fails in the middle the
// connection is cut, so that nobody takes a part for the whole.
func (s *server) download(r io.ReadCloser, size int64, name, kind string) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer r.Close()
		req, w := humago.Unwrap(hc)
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
		w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
		buffer := make([]byte, 256<<10)
		for {
			n, err := r.Read(buffer)
			if n > 0 {
				if _, err := w.Write(buffer[:n]); err != nil {
					return // the client is gone
				}
			}
			if err == io.EOF {
				return
			}
			if err != nil {
				s.logFault(req.Context(), fmt.Errorf("download: %w", err))
				panic(http.ErrAbortHandler)
			}
		}
	}}
}
