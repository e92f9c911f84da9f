package stream_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tributary/internal/fault"
	"tributary/internal/stream"
	"tributary/internal/stream/streamtest"
)

func open(t testing.TB, c stream.Config) *stream.Streams {
	t.Helper()
	s, err := stream.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestInThisProcess(t *testing.T) {
	t.Parallel()
	streamtest.Run(t, func(t *testing.T) *stream.Streams { return open(t, stream.Config{Dir: t.TempDir()}) })
}

// node starts a server that listens on a free port of this host.
func node(t *testing.T, change func(*natsserver.Options)) *natsserver.Server {
	t.Helper()
	o := &natsserver.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, JetStream: true, StoreDir: t.TempDir(), SyncAlways: true,
		JetStreamMaxMemory: 1 << 20, JetStreamMaxStore: 1 << 40, MaxPayload: 8 << 20, DisableJetStreamBanner: true, NoLog: true}
	if change != nil {
		change(o)
	}
	s, err := natsserver.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return s
}

func TestByURL(t *testing.T) {
	t.Parallel()
	streamtest.Run(t, func(t *testing.T) *stream.Streams {
		s := node(t, nil)
		if !s.ReadyForConnections(10 * time.Second) {
			t.Fatal("the server does not answer")
		}
		return open(t, stream.Config{URL: s.ClientURL(), Replicas: 1})
	})
}

// Three nodes on this host: one goes, and everything that was acknowledged is there.
func TestAClusterLosesANode(t *testing.T) {
	t.Parallel()
	const host = "127.83.0.1" // loopback too, and nobody else's: a port that is free stays so until its node has it
	var routes []*url.URL
	for range 3 {
		l, err := net.Listen("tcp", host+":0")
		if err != nil {
			t.Fatal(err)
		}
		routes = append(routes, &url.URL{Scheme: "nats", Host: l.Addr().String()})
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var nodes []*natsserver.Server
	var addresses []string
	for i, r := range routes {
		port, err := strconv.Atoi(r.Port())
		if err != nil {
			t.Fatal(err)
		}
		s := node(t, func(o *natsserver.Options) {
			o.ServerName, o.Routes = fmt.Sprint("n", i), routes
			o.Cluster = natsserver.ClusterOpts{Name: "test", Host: host, Port: port}
		})
		nodes, addresses = append(nodes, s), append(addresses, s.ClientURL())
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	whole := func(s *natsserver.Server) bool {
		return s.JetStreamIsLeader() && len(s.JetStreamClusterPeers()) == len(nodes)
	}
	for !slices.ContainsFunc(nodes, whole) {
		if <-tick.C; ctx.Err() != nil {
			t.Fatal("the nodes have no leader that knows all of them")
		}
	}
	s := open(t, stream.Config{URL: strings.Join(addresses, ",")})
	a := streamtest.NewTenant()
	var want []stream.Message
	end := uint64(0)
	for i := range 60 {
		if i == 20 {
			nodes[0].Shutdown()
		}
		list := []stream.Message{{Tenant: a, Data: fmt.Append(nil, i)}, {Data: fmt.Appendf(nil, "p%d", i)}}
		end = follow(ctx, t, s, end, list)
		want = append(want, list...)
	}
	got := 0
	for after := uint64(0); ; {
		list, err := s.Read(ctx, stream.Events, after, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			break
		}
		for _, m := range list {
			if got == len(want) || m.Tenant != want[got].Tenant || !bytes.Equal(m.Data, want[got].Data) {
				t.Fatalf("message %d says %q: it is there twice, or another is not there", m.Sequence, m.Data)
			}
			got, after = got+1, m.Sequence
		}
	}
	if got != len(want) {
		t.Errorf("read %d messages, want %d", got, len(want))
	}
}

// follow publishes a list once, after what ends at a sequence, however often it has to
// ask: a publisher that got no answer, or is told that the stream ends elsewhere, looks
// whether its list came. The last of the list is the provider's.
func follow(ctx context.Context, t *testing.T, s *stream.Streams, end uint64, list []stream.Message) uint64 {
	t.Helper()
	unsure := func(err error) bool {
		if err != nil && (ctx.Err() != nil || !fault.Is(err, fault.Unavailable) && !fault.Is(err, fault.Conflict)) {
			t.Fatal(err)
		}
		return err != nil
	}
	for {
		last, err := s.PublishAfter(ctx, stream.Events, end, list)
		if !unsure(err) {
			return last
		}
		state, err := s.State(ctx, stream.Events) // before Last: what comes in between is a conflict
		if unsure(err) {
			continue
		}
		m, err := s.Last(ctx, stream.Events, "")
		switch {
		case err == nil && bytes.Equal(m.Data, list[len(list)-1].Data):
			return m.Sequence
		case fault.Is(err, fault.NotFound), !unsure(err):
			end = state.Last
		}
	}
}

// Messages once had ids, in a header that JetStream knows; a stream with some goes on.
func TestMessagesThatHaveIDsAreRead(t *testing.T) {
	t.Parallel()
	dir, a := t.TempDir(), streamtest.NewTenant()
	before := node(t, func(o *natsserver.Options) { o.StoreDir = dir })
	if !before.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server does not answer")
	}
	conn, err := nats.Connect(before.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: string(stream.Events), Subjects: []string{string(stream.Events) + ".>"}, Discard: jetstream.DiscardNew,
		Duplicates: 2 * time.Minute, AllowDirect: true, AllowAtomicPublish: true,
	}); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if _, err := js.Publish(t.Context(), string(stream.Events)+"."+string(a), fmt.Append(nil, i), jetstream.WithMsgID(fmt.Sprint("id", i))); err != nil {
			t.Fatal(err)
		}
	}
	conn.Close()
	before.Shutdown()
	before.WaitForShutdown()

	s := open(t, stream.Config{Dir: dir, Retention: map[stream.Name]stream.Retention{stream.Events: {Age: time.Hour, Bytes: 1 << 20}}})
	if m, err := s.Last(t.Context(), stream.Events, a); err != nil || m.Sequence != 3 || string(m.Data) != "2" {
		t.Errorf("the last: %+v, %v", m, err)
	}
	if last, err := s.PublishAfter(t.Context(), stream.Events, 3, []stream.Message{{Tenant: a, Data: []byte("3")}, {Tenant: a, Data: []byte("4")}}); err != nil || last != 5 {
		t.Fatalf("behind them: %d, %v, want 5", last, err)
	}
	list, err := s.Read(t.Context(), stream.Events, 0, "", 0)
	if err != nil || len(list) != 5 {
		t.Fatalf("read %d messages, %v, want 5", len(list), err)
	}
	for i, m := range list {
		if m.Tenant != a || string(m.Data) != fmt.Sprint(i) {
			t.Errorf("message %d: %q of %q", i, m.Data, m.Tenant)
		}
	}
}

func TestWrongURLs(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"http://localhost:1", "localhost", "nats://", "nats://a,ws://b"} {
		if _, err := stream.Open(t.Context(), stream.Config{URL: url}); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", url, err)
		}
	}
	small := node(t, func(o *natsserver.Options) { o.MaxPayload = 1 << 20 })
	if !small.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server does not answer")
	}
	if _, err := stream.Open(t.Context(), stream.Config{URL: small.ClientURL()}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a server that takes small messages only: %v", err)
	}
}

// Who only looks at streams must not have them forget what they were told to keep.
func TestLookingKeepsTheRetention(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	kept := stream.Retention{Age: 365 * 24 * time.Hour}
	s := open(t, stream.Config{Dir: dir, Retention: map[stream.Name]stream.Retention{stream.Events: kept}})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, stream.Config{Dir: dir, AsIs: true})
	if state, err := s.State(t.Context(), stream.Events); err != nil || state.Retention != kept {
		t.Errorf("got %+v, %v, want %+v", state.Retention, err, kept)
	}
}
