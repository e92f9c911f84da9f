package client

import "context"

// Query asks the warehouse. The answer's numbers are float64, as JSON has them.
func (c *Client) Query(ctx context.Context, n NewQuery) (QueryAnswer, error) {
	return post[QueryAnswer](ctx, c, "/query", n)
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
