package collect

import (
	"context"

	"tributary/internal/events"
)

// intake is the part of events.Events that collecting needs.
type intake interface {
	Source(ctx context.Context, key string) (*events.Source, error)
	Pixel(ctx context.Context, token string) (*events.Source, events.Event, error)
	Take(ctx context.Context, s *events.Source, b events.Batch) ([]events.Verdict, error)
}
