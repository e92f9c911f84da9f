package collect

import (
	"context"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"tributary/internal/events"
)

// intake is the part of events.Events that collecting needs.
type intake interface {
	Source(ctx context.Context, key string) (*Source, error)
	Take(ctx context.Context, s *Source, b Batch) ([]Verdict, error)
}

// Source is who may write with a key.
type Source struct{ ID string }

// Batch is what came in one request, in its order.
type Batch struct {
	Channel  string
	SentAt   time.Time
	Received []Incoming
}

// Incoming is an event as it came; with Err it could not be read as one.
type Incoming struct {
	Event events.Event
	Raw   jsontext.Value
	Err   error
}

// Verdict is what became of an event.
type Verdict struct {
	ID      string
	Result  Result
	Details string
}

// Result is a verdict's word.
type Result string

// The results.
const (
	OK        Result = "ok"
	Warning   Result = "warning"
	Duplicate Result = "duplicate"
	Drop      Result = "drop"
	Retry     Result = "retry"
)
