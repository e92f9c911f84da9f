package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"tributary/internal/egress"
	"tributary/internal/fault"
)

// envelope is what a message's subject and headers may take beside its data.
const envelope = 64 << 10

// reserve is the free space below which nothing is taken: a server that runs into the
// end of its disk takes nothing until it is opened again.
const reserve = 32 << 20

// serve starts the server in this process. Nobody else can reach it.
func (s *Streams) serve() error {
	if s.cfg.Dir == "" {
		return errors.New("stream: a directory or a URL is needed")
	}
	if err := os.MkdirAll(s.cfg.Dir, 0o700); err != nil {
		return fault.Wrap(fault.Unavailable, err, "The directory %s cannot be made.", s.cfg.Dir)
	}
	var err error
	if s.marks, err = openMarks(s.cfg.Dir); err != nil {
		return err
	}
	if s.stage, err = openStage(s.cfg.Dir); err != nil {
		s.cfg.Log.Warn("streams: batches are kept on the disk, which is slower", "error", err)
	}
	server, err := natsserver.NewServer(&natsserver.Options{
		ServerName: "tributary", DontListen: true, NoSigs: true, NoAuthUser: "",
		JetStream: true, StoreDir: s.cfg.Dir, SyncAlways: true,
		JetStreamMaxMemory: 1 << 20, JetStreamMaxStore: 1 << 60, // Retention and room bound it
		JetStreamLimits: natsserver.JSLimitOpts{MaxBatchSize: MaxBatch},
		MaxPayload:      MaxMessage + envelope, MaxPending: 16 * MaxMessage,
		DisableJetStreamBanner: true,
	})
	if err != nil {
		return fmt.Errorf("make the server of the streams: %w", err)
	}
	server.SetLogger(logger{s.cfg.Log}, false, false)
	s.server = server
	server.Start() // returns once JetStream has its streams
	if !server.ReadyForConnections(patience) || !server.JetStreamEnabled() {
		return fault.New(fault.Unavailable, "The streams in %s cannot be opened; the log says why.", s.cfg.Dir)
	}
	if s.conn, err = nats.Connect("", nats.InProcessServer(server), nats.MaxReconnects(-1), nats.Name("tributary")); err != nil {
		return fmt.Errorf("connect to the streams: %w", err)
	}
	return nil
}

// connect reaches the cluster, at the addresses named and at no others.
func (s *Streams) connect() error {
	hosts, err := hostPorts(s.cfg.URL)
	if err != nil {
		return err
	}
	options := []nats.Option{
		nats.Name("tributary"), nats.MaxReconnects(-1), nats.ReconnectWait(200 * time.Millisecond), nats.Timeout(patience),
		nats.SetCustomDialer(dialer(egress.Dialer(hosts...))), nats.SkipHostLookup(), nats.IgnoreDiscoveredServers(), nats.NoEcho(),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { s.cfg.Log.Warn("streams: connection lost", "error", err) }),
		nats.ReconnectHandler(func(c *nats.Conn) { s.cfg.Log.Info("streams: connected again", "server", c.ConnectedServerName()) }),
	}
	if s.cfg.Credentials != "" {
		options = append(options, nats.UserCredentials(s.cfg.Credentials))
	}
	if s.conn, err = nats.Connect(s.cfg.URL, options...); err != nil {
		return fault.Wrap(fault.Unavailable, err, "The NATS servers at %s do not let us in, or do not answer.", strings.Join(hosts, ", "))
	}
	if most := s.conn.MaxPayload(); most < MaxMessage+envelope {
		return fault.New(fault.Invalid, "The NATS servers at %s take messages of %d bytes. Set max_payload to %d or more there.", strings.Join(hosts, ", "), most, MaxMessage+envelope)
	}
	return nil
}

func hostPorts(list string) (hosts []string, err error) {
	for one := range strings.SplitSeq(list, ",") {
		u, err := url.Parse(strings.TrimSpace(one))
		if err != nil || u.Scheme != "nats" && u.Scheme != "tls" || u.Hostname() == "" {
			return nil, fault.New(fault.Invalid, "The URL of the streams is to be nats://HOST:PORT or tls://HOST:PORT, several with commas between.")
		}
		port := u.Port()
		if port == "" {
			port = "4222"
		}
		hosts = append(hosts, net.JoinHostPort(u.Hostname(), port))
	}
	return hosts, nil
}

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

func (d dialer) Dial(network, address string) (net.Conn, error) {
	return d(context.Background(), network, address)
}

// room refuses what would fill the disk of the server in this process.
func (s *Streams) room(bytes int) error {
	if s.server == nil {
		return nil
	}
	var disk syscall.Statfs_t
	if err := syscall.Statfs(s.cfg.Dir, &disk); err != nil {
		return fmt.Errorf("look at the disk of the streams: %w", err)
	}
	// A batch is written twice: aside while it comes, and then where it stays.
	if free := disk.Bavail * uint64(disk.Bsize); free < uint64(reserve+2*bytes) {
		return fault.New(fault.Unavailable, "The disk of the streams is full. Nothing was taken; try again when there is room.")
	}
	return nil
}

// broken returns what failed of the server in this process: after a write or a sync
// that did it takes nothing more until it is opened again, and answers nobody.
func (s *Streams) broken() error {
	if s.server == nil {
		return nil
	}
	health := s.server.Healthz(&natsserver.HealthzOptions{Details: true})
	for _, e := range health.Errors {
		err := fault.Wrap(fault.Unavailable, errors.New(e.Error), "The streams could not be written, and take nothing until the server is started again. Look after their disk first.")
		s.failed.Store(&err)
		return err
	}
	return nil
}

// logger passes on what the server says. What it calls fatal is ours to judge.
type logger struct{ log *slog.Logger }

func (l logger) Noticef(format string, v ...any) {
	l.log.Debug("streams", "said", fmt.Sprintf(format, v...))
}

func (l logger) Warnf(format string, v ...any) {
	l.log.Warn("streams", "said", fmt.Sprintf(format, v...))
}

func (l logger) Fatalf(format string, v ...any) { l.Errorf(format, v...) }

func (l logger) Errorf(format string, v ...any) {
	l.log.Error("streams", "said", fmt.Sprintf(format, v...))
}

func (l logger) Debugf(string, ...any) {}
func (l logger) Tracef(string, ...any) {}
