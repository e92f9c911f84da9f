package client

import "context"

// Query asks the warehouse. The answer's numbers are float64, as JSON has them.
func (c *Client) Query(ctx context.Context, n NewQuery) (QueryAnswer, error) {
	return post[QueryAnswer](ctx, c, "/query", n)
}
