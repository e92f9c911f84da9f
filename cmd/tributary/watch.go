package main

import (
	"context"
	"encoding/json"
	"fmt"

	"tributary/client"
)

type watchCmd struct{}

// Run prints changes until it is interrupted.
func (*watchCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	return c.WatchChanges(ctx, func(change client.Change) error {
		if out.json {
			raw, err := json.Marshal(change)
			if err != nil {
				return fmt.Errorf("encode change: %w", err)
			}
			return out.raw(raw)
		}
		if change.Kind == "" {
			change.Kind = "(more than could be said)"
		}
		out.line("%s  %s", change.Kind, change.ID)
		return nil
	})
}
