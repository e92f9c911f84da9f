package client

import (
	"context"
	"io"
	"net/http"
)

// ApplyDataset applies a dataset's contract, in YAML. One that is not the current
// version makes a new one; Changed in the answer says which it was.
func (c *Client) ApplyDataset(ctx context.Context, yaml []byte) (Dataset, error) {
	return apply[Dataset](ctx, c, "/datasets", yaml)
}

// apply sends a YAML document. Doing so twice is as doing so once, so it needs no
// key to be repeated safely; it has one for the retries.
func apply[T any](ctx context.Context, c *Client, path string, yaml []byte) (T, error) {
	r := request{method: http.MethodPost, path: path, contentType: "application/yaml", body: yaml, key: newKey()}
	return call[T](ctx, c, r)
}

// Datasets lists a page of datasets by name.
func (c *Client) Datasets(ctx context.Context, p Page) (List[Dataset], error) {
	return get[List[Dataset]](ctx, c, "/datasets", p.values())
}

// Dataset finds a version of a dataset, with its source; 0 means the current one.
func (c *Client) Dataset(ctx context.Context, name string, version int64) (Dataset, error) {
	return get[Dataset](ctx, c, "/datasets/"+id(name), params{}.number("version", version))
}

// DatasetTemplate writes a file as the dataset wants it, with one example row, to w. The
// date is the example's, YYYY-MM-DD; empty: the server chooses.
func (c *Client) DatasetTemplate(ctx context.Context, name, date string, w io.Writer) (Download, error) {
	return c.download(ctx, "/datasets/"+id(name)+"/template", params{}.text("date", date), w, nil)
}

// SubmissionFilter narrows the list of submissions.
type SubmissionFilter struct {
	TenantPage
	Dataset string
	Date    string // YYYY-MM-DD
	State   string // received, validating, accepted, rejected, superseded or withdrawn
	View
}

func (f SubmissionFilter) from(cursor string) SubmissionFilter { f.After = cursor; return f }
func (f SubmissionFilter) limited(n int) SubmissionFilter      { f.Page = f.Page.limited(n); return f }

// Submissions lists a page of submissions, the newest first: the credential's
// tenant's, or as metadata all tenants'.
func (c *Client) Submissions(ctx context.Context, f SubmissionFilter) (List[Submission], error) {
	return get[List[Submission]](ctx, c, "/submissions", f.narrow(f.values()).text("dataset", f.Dataset).text("date", f.Date).text("state", f.State))
}

// Submission finds a submission, to its own tenant with what is wrong with it.
func (c *Client) Submission(ctx context.Context, submission string) (Submission, error) {
	return get[Submission](ctx, c, "/submissions/"+id(submission), nil)
}

// SubmissionContent writes a submission's file, as it was sent, to w.
func (c *Client) SubmissionContent(ctx context.Context, submission string, w io.Writer, progress Progress) (Download, error) {
	return c.download(ctx, "/submissions/"+id(submission)+"/content", nil, w, progress)
}

// PreviewSubmission reads the first rows of a submission's file.
func (c *Client) PreviewSubmission(ctx context.Context, submission string) (Preview, error) {
	return get[Preview](ctx, c, "/submissions/"+id(submission)+"/preview", nil)
}

// WithdrawSubmission takes a submission back: no later run reads it.
func (c *Client) WithdrawSubmission(ctx context.Context, submission string) (Submission, error) {
	return post[Submission](ctx, c, "/submissions/"+id(submission)+"/withdraw", struct{}{})
}

// DeleteSubmission deletes a submission's bytes, and withdraws it.
func (c *Client) DeleteSubmission(ctx context.Context, submission string) (Submission, error) {
	return call[Submission](ctx, c, request{method: http.MethodDelete, path: "/submissions/" + id(submission)})
}

// Receipts lists the signed proofs of how a submission was used.
func (c *Client) Receipts(ctx context.Context, submission string) (List[Receipt], error) {
	return get[List[Receipt]](ctx, c, "/submissions/"+id(submission)+"/receipts", nil)
}

// ResultFilter narrows the list of results.
type ResultFilter struct {
	TenantPage
	Analysis string
	Date     string // YYYY-MM-DD
	View
}

func (f ResultFilter) from(cursor string) ResultFilter { f.After = cursor; return f }
func (f ResultFilter) limited(n int) ResultFilter      { f.Page = f.Page.limited(n); return f }

// Results lists a page of results, the newest first: the credential's tenant's,
// or as metadata all tenants'.
func (c *Client) Results(ctx context.Context, f ResultFilter) (List[Result], error) {
	return get[List[Result]](ctx, c, "/results", f.narrow(f.values()).text("analysis", f.Analysis).text("date", f.Date))
}

// Result finds a result.
func (c *Client) Result(ctx context.Context, result string) (Result, error) {
	return get[Result](ctx, c, "/results/"+id(result), nil)
}

// ResultRows reads a page of a result's rows. After is the next of the page before;
// a limit of 0 means 1,000, which is the most.
func (c *Client) ResultRows(ctx context.Context, result, after string, limit int) (ResultRows, error) {
	return get[ResultRows](ctx, c, "/results/"+id(result)+"/rows", params{}.text("after", after).number("limit", int64(limit)))
}

// ResultContent writes a result to w, as "csv" or "parquet".
func (c *Client) ResultContent(ctx context.Context, result, format string, w io.Writer, progress Progress) (Download, error) {
	return c.download(ctx, "/results/"+id(result)+"/content", params{}.text("format", format), w, progress)
}
