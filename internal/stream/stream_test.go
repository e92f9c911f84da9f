package stream_test

import (
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
	acknowledged := map[string]bool{}
	for i := range 60 {
		if i == 20 {
			nodes[0].Shutdown()
		}
		list := []stream.Message{{Tenant: a, ID: fmt.Sprint(i), Data: []byte("x")}, {ID: fmt.Sprintf("p%d", i), Data: []byte("y")}}
		for { // as a publisher does, which knows its messages by their IDs
			_, err := s.Publish(ctx, stream.Events, list)
			if err == nil || fault.Is(err, fault.Conflict) {
				break
			}
			if !fault.Is(err, fault.Unavailable) {
				t.Fatal(err)
			}
		}
		acknowledged[list[0].ID], acknowledged[list[1].ID] = true, true
	}
	seen := map[string]bool{}
	for after := uint64(0); len(seen) < len(acknowledged); {
		list, err := s.Read(ctx, stream.Events, after, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			t.Fatalf("read %d messages, want %d", len(seen), len(acknowledged))
		}
		for _, m := range list {
			if seen[m.ID] || !acknowledged[m.ID] {
				t.Errorf("message %q is there twice, or was not published", m.ID)
			}
			seen[m.ID], after = true, m.Sequence
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
