package app

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"tributary/internal/fault"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

// The bounds of how long a stream is kept, in days.
const (
	leastDays = 1
	mostDays  = 365
)

// streamsDir is where streams are, unless they are in a cluster.
func (c Config) streamsDir() string { return filepath.Join(c.Data, "streams") }

// checkStreams refuses what cannot be kept.
func (c Config) checkStreams() error {
	for name, days := range c.StreamDays {
		if !stream.Name(name).Valid() {
			return fault.New(fault.Invalid, "There is no stream %q to keep: there are %v.", name, stream.Names)
		}
		if days < leastDays || days > mostDays {
			return fault.New(fault.Invalid, "The stream %s can be kept %d to %d days, not %d.", name, leastDays, mostDays, days)
		}
	}
	if c.StreamsCredentials != "" && c.Streams == "" {
		return fault.New(fault.Invalid, "Credentials for streams go with the URL of a cluster.")
	}
	return nil
}

func (c Config) openStreams(ctx context.Context) (*stream.Streams, error) {
	keep := map[stream.Name]stream.Retention{}
	for name, days := range c.StreamDays {
		keep[stream.Name(name)] = stream.Retention{Age: time.Duration(days) * 24 * time.Hour}
	}
	s, err := stream.Open(ctx, stream.Config{Dir: c.streamsDir(), URL: c.Streams, Credentials: c.StreamsCredentials, Retention: keep, AsIs: c.existing, Clock: c.Clock, Log: c.Log})
	if err != nil {
		return nil, fmt.Errorf("open streams: %w", err)
	}
	return s, nil
}

// streamEraser is the streams' part of a tenant's erasure.
type streamEraser struct{ *stream.Streams }

func (e streamEraser) EraseTenant(ctx context.Context, id tenant.ID) (method string, count int64, err error) {
	count, err = e.Streams.EraseTenant(ctx, id)
	return "messages removed from the streams; they were sealed with the destroyed key", count, err
}
