package stream

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tributary/internal/fault"
	"tributary/internal/tenant"
)

// What a stream's metadata in JetStream says: how long it is kept, and up to where some
// tenants' messages were removed before the others', or erased.
const (
	ageNote     = "tributary-age"
	thinnedNote = "tributary-thinned"
)

// Keep sets how much of a stream is kept from now on. It makes the stream if it is
// not there.
func (s *Streams) Keep(ctx context.Context, n Name, r Retention) error {
	if r.Age == 0 {
		r.Age = week
	}
	return s.set(ctx, n, func(c *jetstream.StreamConfig) {
		c.Metadata[ageNote] = r.Age.String()
		if c.MaxBytes = r.Bytes; r.Bytes == 0 {
			c.MaxBytes = -1
		}
	})
}

// set changes how a stream is kept, or makes it.
func (s *Streams) set(ctx context.Context, n Name, change func(*jetstream.StreamConfig)) error {
	replicas := 1
	if s.server == nil {
		if replicas = s.cfg.Replicas; replicas == 0 {
			replicas = 3
		}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c := jetstream.StreamConfig{
		Name: string(n), Subjects: []string{n.all()},
		Storage: jetstream.FileStorage, Replicas: replicas,
		Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew,
		MaxBytes: -1, MaxMsgs: -1, MaxMsgsPerSubject: -1, Metadata: map[string]string{},
		AllowDirect:        true,
		AllowAtomicPublish: true,
	}
	there, err := s.js.Stream(ctx, string(n))
	if err == nil {
		old := there.CachedInfo().Config
		c.MaxBytes = old.MaxBytes
		for _, note := range []string{ageNote, thinnedNote} {
			if v, ok := old.Metadata[note]; ok {
				c.Metadata[note] = v
			}
		}
		before := maps.Clone(c.Metadata)
		change(&c)
		if old.MaxAge == 0 && old.MaxBytes == c.MaxBytes && old.Replicas == replicas && maps.Equal(before, c.Metadata) {
			return nil // which a full disk can do too
		}
	} else {
		change(&c)
	}
	if _, err = s.js.CreateOrUpdateStream(ctx, c); err != nil {
		return fault.Wrap(fault.Unavailable, fmt.Errorf("make stream %s: %w", n, err), "The stream %s cannot be set up: %s.", n, told(err))
	}
	return nil
}

func ageOf(notes map[string]string) (time.Duration, error) {
	if notes[ageNote] == "" {
		return week, nil // before it was noted
	}
	return time.ParseDuration(notes[ageNote])
}

func thinned(notes map[string]string) (uint64, error) {
	if notes[thinnedNote] == "" {
		return 0, nil
	}
	return strconv.ParseUint(notes[thinnedNote], 10, 64)
}

// Expire removes all messages of a stream up to a sequence, and returns how many they
// were. They must be kept elsewhere: who reads on from before them is told that they are
// kept no longer.
func (s *Streams) Expire(ctx context.Context, n Name, through uint64) (removed int64, err error) {
	state, err := s.State(ctx, n)
	if err != nil || through < state.First || through > state.Last {
		return 0, err
	}
	if removed, err = s.purge(ctx, n, map[string]any{"seq": through + 1}); err != nil {
		return 0, fmt.Errorf("expire stream %s: %w", n, err)
	}
	return removed, nil
}

// ExpireTenant removes one tenant's messages up to a sequence, with "" the provider's, and
// returns how many they were. Who reads that tenant's on from before it is told that
// they are kept no longer; this process has to be told so again after it was started, by
// NoteExpired. Who reads all tenants' does not see that they were there, as if they had
// been erased; nor, up to that sequence, that a damaged one was.
func (s *Streams) ExpireTenant(ctx context.Context, n Name, id tenant.ID, through uint64) (removed int64, err error) {
	subject, err := n.subject(id)
	if err != nil {
		return 0, err
	}
	if err := s.thin(ctx, n, through); err != nil {
		return 0, err
	}
	s.NoteExpired(n, id, through)
	if removed, err = s.purge(ctx, n, map[string]any{"filter": subject, "seq": through + 1}); err != nil {
		return 0, fmt.Errorf("expire a tenant's messages of stream %s: %w", n, err)
	}
	return removed, nil
}

// NoteExpired says how far a tenant's messages of a stream, with "" the provider's, were
// removed before the others'.
func (s *Streams) NoteExpired(n Name, id tenant.ID, through uint64) {
	p := s.named[n]
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expired[id] = max(p.expired[id], through)
}

// thin notes with the stream that some tenants' messages up to a sequence are removed
// before the others'.
func (s *Streams) thin(ctx context.Context, n Name, through uint64) error {
	p := s.named[n]
	if through <= p.thinnedTo() {
		return nil
	}
	if err := s.set(ctx, n, func(c *jetstream.StreamConfig) { c.Metadata[thinnedNote] = strconv.FormatUint(through, 10) }); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.thinned = max(p.thinned, through)
	return nil
}

func (p *place) thinnedTo() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.thinned
}

// expiredOf is how far a tenant's messages were removed before the others'.
func (p *place) expiredOf(id tenant.ID) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.expired[id]
}

// purge removes what a request of JetStream's says.
func (s *Streams) purge(ctx context.Context, n Name, request map[string]any) (removed int64, err error) {
	var answer struct {
		Error  *jetstream.APIError `json:"error"`
		Purged int64               `json:"purged"`
	}
	if err := s.ask(ctx, "STREAM.PURGE."+string(n), request, &answer); err != nil {
		return 0, err
	}
	if answer.Error != nil {
		return 0, kindly(n, answer.Error)
	}
	return answer.Purged, nil
}
