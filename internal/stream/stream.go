// Package stream keeps durable streams of sealed messages: NATS JetStream, in this
// process or as a cluster that is reached by URL. What a message says, and that none
// of a tenant's is missing in between, its owner shows with numbers and digests of
// its own; see docs/decisions.
package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tributary/internal/clock"
	"tributary/internal/fault"
	"tributary/internal/tenant"
)

// Name is a stream's name.
type Name string

// The streams.
const (
	Tenants Name = "tenants" // what becomes of tenants, organisations and their credentials
	Users   Name = "users"   // what people do: sign-ins, invitations, keys
	Jobs    Name = "jobs"    // submissions, runs, results and what starts them
	Events  Name = "events"  // what happens in the provider's product
)

// Names lists the streams.
var Names = [...]Name{Tenants, Users, Jobs, Events}

// Valid reports whether n is one of Names.
func (n Name) Valid() bool { return slices.Contains(Names[:], n) }

// The bounds of a Publish.
const (
	MaxMessage = 4 << 20 // bytes of one message's data
	MaxBatch   = 1000    // messages at once
)

// Message is something to publish.
type Message struct {
	Tenant tenant.ID // whose; empty: the provider's own
	Data   []byte    // kept as it is, so sealed already
}

// Stored is a message of a stream.
type Stored struct {
	Message
	Sequence uint64 // in the stream, rising; numbers of erased tenants' messages are left out
	At       time.Time
}

// Retention is how much of a stream is kept. What is older than Age may be removed, by
// Expire, once it is kept elsewhere; nothing goes by itself. What would be over Bytes is
// refused, so that nothing is ever removed for want of room.
type Retention struct {
	Age   time.Duration // 0: 7 days
	Bytes int64         // 0: as much as there is room
}

// State is what a stream holds.
type State struct {
	Created     time.Time // when it was made; another stream of the name was made at another time
	First, Last uint64    // sequences; First is Last+1 when there is nothing
	Messages    uint64
	Bytes       uint64
	FirstAt     time.Time // zero when there is nothing
	LastAt      time.Time
	Retention   Retention
	// Expired is up to where some tenants' messages were removed before the others', or erased.
	Expired uint64
	// Lost lists messages whose bytes were found damaged when the stream was opened.
	Lost []uint64
}

// Config says where streams are.
type Config struct {
	// Dir is the directory of the server in this process, which has it to itself.
	Dir string
	// URL names a cluster instead: nats://HOST:PORT or tls://HOST:PORT, several with
	// commas. Its nodes have to sync before they acknowledge (sync_interval: always).
	URL string
	// Credentials is a NATS credentials file for the cluster; empty: none.
	Credentials string
	// Replicas is how many nodes of the cluster keep each message; 0: 3.
	Replicas int
	// Retention of each stream; what is not listed has that of the zero Retention.
	Retention map[Name]Retention
	// AsIs leaves the retention of streams that are there as it is, for who only looks.
	AsIs bool
	// Reached is how far a stream that was made at a time is known to have got, by who
	// has read it; nil: nobody. It is for streams in this process.
	Reached func(ctx context.Context, n Name, created time.Time) (uint64, error)
	Clock   clock.Clock
	Log     *slog.Logger // nil: nothing is logged
}

// Streams are the streams. They are safe for use by several goroutines.
type Streams struct {
	cfg    Config
	server *natsserver.Server // nil: a cluster
	conn   *nats.Conn
	js     jetstream.JetStream
	named  map[Name]*place
	marks  *marks // nil: a cluster
	stage  *stage
	failed atomic.Pointer[error] // why nothing is taken any more, once that is known
}

// place is what this process knows of a stream.
type place struct {
	turns chan struct{} // bounds what is on its way in

	mu   sync.Mutex
	more chan struct{} // closed when something may have been published
	// thinned is up to where some tenants' messages were removed before the others', or
	// erased, and expired how far each tenant's were removed.
	thinned uint64
	expired map[tenant.ID]uint64
	marked  uint64 // the newest that was acknowledged, 0: none yet
}

const (
	onItsWay = 8                // publishes at once to one stream; the rest wait
	patience = 10 * time.Second // for an answer
	week     = 7 * 24 * time.Hour
	provider = "-" // the subject of the provider's own
	lost     = "!" // the subject of what is in the place of lost messages
)

// subject is where a tenant's messages are, with "" the provider's.
func (n Name) subject(id tenant.ID) (string, error) {
	switch {
	case !n.Valid():
		return "", unknown(n)
	case id == "":
		return string(n) + "." + provider, nil
	case id == lost:
		return string(n) + "." + lost, nil
	case !id.Valid():
		return "", fmt.Errorf("stream: %q is no tenant", id)
	}
	return string(n) + "." + string(id), nil
}

func (n Name) all() string { return string(n) + ".>" }

// Open opens the streams, and makes those that are not there.
func Open(ctx context.Context, c Config) (_ *Streams, err error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Streams{cfg: c, named: map[Name]*place{}}
	for _, n := range Names {
		s.named[n] = &place{turns: make(chan struct{}, onItsWay), more: make(chan struct{}), expired: map[tenant.ID]uint64{}}
	}
	defer func() {
		if err != nil {
			_ = s.Close()
		}
	}()
	if c.URL == "" {
		err = s.serve()
	} else {
		err = s.connect()
	}
	if err != nil {
		return nil, err
	}
	if s.js, err = jetstream.New(s.conn, jetstream.WithDefaultTimeout(patience)); err != nil {
		return nil, fmt.Errorf("use JetStream: %w", err)
	}
	for _, n := range Names {
		if err := s.begin(ctx, n); err != nil {
			return nil, err
		}
		if err := s.stage.use(filepath.Join(c.Dir, "jetstream", "$G", "streams", string(n)), n); err != nil {
			c.Log.WarnContext(ctx, "streams: batches are kept on the disk, which is slower", "stream", string(n), "error", err)
		}
		if s.marks != nil {
			if err := s.fill(ctx, n); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// begin makes a stream if it is not there, and sets its retention unless that is to
// stay as it is.
func (s *Streams) begin(ctx context.Context, n Name) error {
	there, err := s.js.Stream(ctx, string(n))
	switch {
	case err == nil:
		if s.named[n].thinned, err = thinned(there.CachedInfo().Config.Metadata); err != nil {
			return fmt.Errorf("look at stream %s: %w", n, err)
		}
		if s.cfg.AsIs {
			return nil
		}
	case s.cfg.AsIs && !errors.Is(err, jetstream.ErrStreamNotFound):
		return fault.Wrap(fault.Unavailable, fmt.Errorf("look for stream %s: %w", n, err), "The stream %s cannot be looked at: %s.", n, told(err))
	}
	return s.Keep(ctx, n, s.cfg.Retention[n])
}

// Close ends all. What was acknowledged is durable already.
func (s *Streams) Close() error {
	if s.conn != nil {
		s.conn.Close()
	}
	if s.server != nil {
		s.server.Shutdown()
		s.server.WaitForShutdown()
	}
	return errors.Join(s.marks.close(), s.stage.close())
}

// told is what an operator may read of the server's word.
func told(err error) string {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		return strings.TrimSuffix(api.Description, ".")
	}
	return "the NATS server does not answer as it should"
}

// State returns what a stream holds now.
func (s *Streams) State(ctx context.Context, n Name) (State, error) {
	if !n.Valid() {
		return State{}, unknown(n)
	}
	var info struct {
		Error   *jetstream.APIError `json:"error"`
		Created time.Time           `json:"created"`
		Config  struct {
			MaxBytes int64             `json:"max_bytes"`
			Metadata map[string]string `json:"metadata"`
		} `json:"config"`
		State struct {
			First    uint64    `json:"first_seq"`
			Last     uint64    `json:"last_seq"`
			Messages uint64    `json:"messages"`
			Bytes    uint64    `json:"bytes"`
			FirstAt  time.Time `json:"first_ts"`
			LastAt   time.Time `json:"last_ts"`
			Lost     *struct {
				Messages []uint64 `json:"msgs"`
			} `json:"lost"`
		} `json:"state"`
	}
	if err := s.ask(ctx, "STREAM.INFO."+string(n), nil, &info); err != nil {
		return State{}, fmt.Errorf("look at stream %s: %w", n, err)
	}
	if info.Error != nil {
		return State{}, fmt.Errorf("look at stream %s: %w", n, kindly(n, info.Error))
	}
	age, err := ageOf(info.Config.Metadata)
	if err != nil {
		return State{}, fmt.Errorf("look at stream %s: %w", n, err)
	}
	expired, err := thinned(info.Config.Metadata)
	if err != nil {
		return State{}, fmt.Errorf("look at stream %s: %w", n, err)
	}
	state := State{Created: info.Created.UTC(), First: info.State.First, Last: info.State.Last, Messages: info.State.Messages, Bytes: info.State.Bytes, Expired: expired,
		Retention: Retention{Age: age, Bytes: max(0, info.Config.MaxBytes)}}
	if state.Messages == 0 {
		state.First = state.Last + 1
	} else {
		state.FirstAt, state.LastAt = info.State.FirstAt.UTC(), info.State.LastAt.UTC()
	}
	if info.State.Lost != nil {
		state.Lost = info.State.Lost.Messages
	}
	return state, nil
}

// Check returns nil while the streams take messages.
func (s *Streams) Check(ctx context.Context) error {
	if err := s.room(0); err != nil {
		return err
	}
	if err := s.broken(); err != nil {
		return err
	}
	for _, n := range Names {
		if _, err := s.State(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// EraseTenant removes a tenant's messages from all streams, and returns how many
// they were. It may be called again. Who reads all tenants' does not see that they were
// there; nor, of what came before, that a damaged one was.
func (s *Streams) EraseTenant(ctx context.Context, id tenant.ID) (removed int64, err error) {
	if id == "" {
		return 0, errors.New("stream: the provider's own messages are not erased")
	}
	for _, n := range Names {
		subject, err := n.subject(id)
		if err != nil {
			return removed, err
		}
		if _, err := s.Last(ctx, n, id); fault.Is(err, fault.NotFound) {
			continue
		} else if err != nil {
			return removed, err
		}
		state, err := s.State(ctx, n)
		if err == nil {
			err = s.thin(ctx, n, state.Last)
		}
		if err != nil {
			return removed, fmt.Errorf("erase a tenant from stream %s: %w", n, err)
		}
		some, err := s.purge(ctx, n, map[string]any{"filter": subject})
		if err != nil {
			return removed, fmt.Errorf("erase a tenant from stream %s: %w", n, err)
		}
		removed += some
	}
	return removed, nil
}

// ask makes a request of JetStream's API, and reads the answer into result.
func (s *Streams) ask(ctx context.Context, what string, request, result any) error {
	body := []byte{}
	if request != nil {
		var err error
		if body, err = json.Marshal(request); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	m, err := s.conn.RequestWithContext(ctx, "$JS.API."+what, body)
	if err != nil {
		return silent(ctx, err)
	}
	return json.Unmarshal(m.Data, result)
}

func unknown(n Name) error {
	return fault.New(fault.NotFound, "There is no stream %q. There are %s, %s, %s and %s.", n, Tenants, Users, Jobs, Events)
}

// silent is the error of who got no answer.
func silent(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	return fault.Wrap(fault.Unavailable, err, "The streams do not answer. Try again.")
}

// kindly gives the server's word its kind.
func kindly(n Name, e *jetstream.APIError) error {
	switch e.ErrorCode {
	case endsElsewhere, endsElsewhereToo:
		return fault.Wrap(fault.Conflict, e, "The stream %s ends elsewhere by now.", n)
	case tooLarge:
		return fault.Wrap(fault.TooLarge, e, "The message is larger than the stream %s takes.", n)
	}
	return fault.Wrap(fault.Unavailable, e, "The stream %s takes nothing now: %s. Try again later.", n, told(e))
}

// JetStream's codes.
const (
	tooLarge         jetstream.ErrorCode = 10054
	endsElsewhere    jetstream.ErrorCode = 10071
	endsElsewhereToo jetstream.ErrorCode = 10164
)
