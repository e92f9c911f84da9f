package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// The formats of answers that are written as they come.
const (
	CSV    = "text/csv"             // nothing between commas is a null; what could be a formula begins with an apostrophe
	NDJSON = "application/x-ndjson" // a line is a row
	// Arrow and Parquet have the engine's types: whole numbers of 128 bits are decimals
	// of 38 digits, or without a sign texts, and times are UTC microseconds.
	Arrow   = "application/vnd.apache.arrow.stream"
	Parquet = "application/vnd.apache.parquet"
)

// Query asks the warehouse. The answer's numbers are float64, as JSON has them.
func (c *Client) Query(ctx context.Context, n NewQuery) (QueryAnswer, error) {
	return post[QueryAnswer](ctx, c, "/query", n)
}

// QueryTo writes the answer of a SELECT to w as it comes, in a format, and reports whether
// there are more rows than were asked for. An answer that ends early is an error,
// whatever was written by then.
func (c *Client) QueryTo(ctx context.Context, n NewQuery, format string, w io.Writer) (truncated bool, err error) {
	return c.answerTo(ctx, "/query", n, format, w)
}

// RunQueryTo is QueryTo of a named query.
func (c *Client) RunQueryTo(ctx context.Context, name string, r QueryRun, format string, w io.Writer) (truncated bool, err error) {
	return c.answerTo(ctx, "/queries/named/"+id(name)+"/run", r, format, w)
}

func (c *Client) answerTo(ctx context.Context, path string, body any, format string, w io.Writer) (bool, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return false, fmt.Errorf("encode request: %w", err)
	}
	res, err := c.do(ctx, request{method: http.MethodPost, path: path, contentType: "application/json", body: raw, accept: format})
	if err != nil {
		return false, err
	}
	defer res.Body.Close()
	in := &incoming{r: res.Body}
	_, err = io.Copy(struct{ io.Writer }{w}, in)
	switch {
	case in.failed != nil:
		return false, c.unreachable(ctx, errors.Join(errors.New("the answer ended early"), in.failed))
	case err != nil:
		return false, fmt.Errorf("write answer: %w", err)
	}
	return res.Header.Get("Tributary-Truncated") != "" || res.Trailer.Get("Tributary-Truncated") != "", nil
}

// Queries lists the queries that are under way: one's own, or to admins all.
func (c *Client) Queries(ctx context.Context) (List[RunningQuery], error) {
	return get[List[RunningQuery]](ctx, c, "/queries", nil)
}

// CancelQuery ends a query that is under way.
func (c *Client) CancelQuery(ctx context.Context, query string) error {
	return c.delete(ctx, "/queries/"+id(query))
}

// NamedQueries lists the named queries.
func (c *Client) NamedQueries(ctx context.Context) (List[NamedQuery], error) {
	return get[List[NamedQuery]](ctx, c, "/queries/named", nil)
}

// NamedQuery returns a named query; version 0 is the newest.
func (c *Client) NamedQuery(ctx context.Context, name string, version int64) (NamedQuery, error) {
	return get[NamedQuery](ctx, c, "/queries/named/"+id(name), params{}.number("version", version))
}

// SaveQuery saves a named query. The same text again changes nothing, another one is the
// next version.
func (c *Client) SaveQuery(ctx context.Context, n NewNamedQuery) (NamedQuery, error) {
	return post[NamedQuery](ctx, c, "/queries/named", n)
}

// QueryVersions lists the versions of a saved query, the newest first.
func (c *Client) QueryVersions(ctx context.Context, name string) (List[NamedQuery], error) {
	return get[List[NamedQuery]](ctx, c, "/queries/named/"+id(name)+"/versions", nil)
}

// DeleteQuery deletes a saved query.
func (c *Client) DeleteQuery(ctx context.Context, name string) error {
	return c.delete(ctx, "/queries/named/"+id(name))
}

// RunQuery does a named query. The answer is as Query's.
func (c *Client) RunQuery(ctx context.Context, name string, r QueryRun) (QueryAnswer, error) {
	return post[QueryAnswer](ctx, c, "/queries/named/"+id(name)+"/run", r)
}

// Tables lists the tables that can be asked, with their columns.
func (c *Client) Tables(ctx context.Context) (List[Table], error) {
	return get[List[Table]](ctx, c, "/query/tables", nil)
}
