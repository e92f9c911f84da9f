// Package sftp is the SFTP server: a tenant's people put files into /input and fetch
// results from /output. What a file becomes is the exchange's to decide, and no path is
// ever one of a file system.
package sftp

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pkg/sftp"
	"go.opentelemetry.io/otel/metric"
	"golang.org/x/crypto/ssh"

	"tributary/internal/account"
	"tributary/internal/audit"
	"tributary/internal/clock"
	"tributary/internal/exchange"
	"tributary/internal/fault"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// Config is what a Server needs; all fields but Passwords are required.
type Config struct {
	Accounts *account.Accounts
	Exchange *exchange.Exchange
	Policy   *policy.Engine
	Audit    *audit.Log
	Clock    clock.Clock
	Log      *slog.Logger
	Meter    metric.Meter
	HostKeys []ssh.Signer
	// Passwords lets people sign in with their password too.
	Passwords bool
}

// Server serves SFTP.
type Server struct {
	Config
	opened  opened
	counted counters

	mu       sync.Mutex
	conns    map[*connection]struct{}
	greeting map[string]int    // connections that nobody has signed in on yet, by address, and "" for all
	signed   map[tenant.ID]int // connections of a tenant
	seated   map[tenant.ID]int // and its sessions
	stopping bool
	stop     chan struct{} // closed when stopping begins
	running  sync.WaitGroup
}

type counters struct {
	files, bytes, refused metric.Int64Counter
}

const (
	// handshake is how long a client may take until somebody has signed in.
	handshake = 30 * time.Second
	// mostGreeting and mostStrangers bound the connections that nobody has signed in
	// on yet, of all and of one address, or IPv6 /64, that is not this machine's.
	mostGreeting  = 256
	mostStrangers = 16
	// mostConnections bounds the connections of one tenant.
	mostConnections = 64
	// mostHandles bounds what one tenant has open at once, files and folders.
	mostHandles = 128
	// idle is how long a connection may say nothing; clients that keep it alive send
	// something more often.
	idle = 15 * time.Minute
	// mostSessions bounds the SFTP sessions of one tenant: of one the answers may wait
	// in memory until the client takes them.
	mostSessions = 32
	// oldest is how old a connection may be that a file is begun on. The scope of one
	// ends after twelve hours, and what is still arriving then is broken off.
	oldest = 8 * time.Hour
	// parting is how long a stopping server waits for its last answers to be sent.
	parting = 300 * time.Millisecond
	// watching is how often a session looks whether its credential is still good.
	watching = 500 * time.Millisecond
	// stall is how long a client may take none of what it asked for.
	stall = time.Minute
)

// New makes a server.
func New(cfg Config) (*Server, error) {
	s := &Server{Config: cfg, conns: map[*connection]struct{}{}, greeting: map[string]int{}, signed: map[tenant.ID]int{}, seated: map[tenant.ID]int{}, stop: make(chan struct{})}
	var err error
	count := func(name, what string) (c metric.Int64Counter) {
		if err == nil {
			c, err = cfg.Meter.Int64Counter(name, metric.WithDescription(what))
		}
		return c
	}
	s.counted = counters{
		files:   count("tributary.sftp.files", "files submitted over SFTP"),
		bytes:   count("tributary.sftp.bytes", "bytes submitted over SFTP"),
		refused: count("tributary.sftp.refused", "sign-ins refused over SFTP"),
	}
	return s, err
}

// Serve takes connections until the listener is closed.
func (s *Server) Serve(l net.Listener) error {
	wait := time.Duration(0)
	for {
		raw, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		if err != nil { // such as too many open files; others are served meanwhile
			s.Log.Error("cannot take connections", "error", err)
			if wait = min(max(2*wait, 10*time.Millisecond), time.Second); !s.pause(wait) {
				return err
			}
			continue
		}
		wait = 0
		peer, err := netip.ParseAddrPort(raw.RemoteAddr().String())
		c := &connection{Conn: raw, addr: peer.Addr().Unmap()}
		if err != nil || !s.admit(c) {
			_ = raw.Close() // one too many, or from nowhere
			continue
		}
		go func() {
			defer s.running.Done()
			s.serve(c)
		}()
	}
}

// pause waits, unless the server stops meanwhile.
func (s *Server) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.stop:
		return false
	}
}

// admit counts a connection that nobody has signed in on yet, or says that there are
// too many.
func (s *Server) admit(c *connection) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	from := account.Network(c.addr)
	if s.stopping || s.greeting[""] >= mostGreeting || !c.addr.IsLoopback() && s.greeting[from] >= mostStrangers {
		return false
	}
	s.greeting[""]++
	s.greeting[from]++
	c.greeted = sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.greeting[""]--
		if s.greeting[from]--; s.greeting[from] == 0 {
			delete(s.greeting, from)
		}
	})
	s.conns[c] = struct{}{}
	s.running.Add(1)
	return true
}

// settle counts a connection on which somebody has signed in, or says that the tenant
// has too many.
func (s *Server) settle(id tenant.ID) (leave func(), ok bool) {
	return s.count(s.signed, id, mostConnections)
}

// sitting counts a session likewise.
func (s *Server) sitting(id tenant.ID) (leave func(), ok bool) {
	return s.count(s.seated, id, mostSessions)
}

func (s *Server) count(of map[tenant.ID]int, id tenant.ID, most int) (leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if of[id] >= most {
		return nil, false
	}
	of[id]++
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if of[id]--; of[id] == 0 {
			delete(of, id)
		}
	}), true
}

// taken is a channel that ends if its client does not take what it asked for: the
// connection may well be alive then.
type taken struct {
	ssh.Channel
	end func()
}

// Write implements io.Writer.
func (t *taken) Write(p []byte) (int, error) {
	late := time.AfterFunc(stall, t.end)
	defer late.Stop()
	return t.Channel.Write(p)
}

// Shutdown lets files that are being written arrive until ctx ends, and closes all
// connections. What had not arrived by then is kept for its sender to go on with. The
// listener is closed before.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	if !s.stopping {
		s.stopping = true
		close(s.stop)
	}
	s.mu.Unlock()
	for _, f := range s.opened.all() { // once more, and not for as long as there is no room
		if !f.retry(ctx) {
			f.abandon()
		}
	}
	err := s.opened.wait(ctx)
	select { // so that the last answers are out
	case <-time.After(parting):
	case <-ctx.Done():
	}
	s.mu.Lock()
	for c := range s.conns {
		c.close()
	}
	s.mu.Unlock()
	s.running.Wait()
	return err
}

// connection is a client's.
type connection struct {
	net.Conn
	addr    netip.Addr
	greeted func() // once somebody has signed in, or nobody will
	signed  atomic.Bool
	once    sync.Once
}

func (c *connection) close() { c.once.Do(func() { _ = c.Close() }) }

// Read ends a connection that says nothing for long. Before somebody has signed in
// there is one deadline for all.
func (c *connection) Read(p []byte) (int, error) {
	if c.signed.Load() {
		if err := c.SetReadDeadline(time.Now().Add(idle)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(p)
}

// Write ends a connection whose client does not take what it asked for.
func (c *connection) Write(p []byte) (int, error) {
	if c.signed.Load() {
		if err := c.SetWriteDeadline(time.Now().Add(stall)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(p)
}

func (s *Server) serve(c *connection) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer func() {
		c.close()
		c.greeted()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, c)
	}()
	if err := c.SetDeadline(time.Now().Add(handshake)); err != nil {
		return
	}
	tried := &attempts{addr: c.addr, keys: map[string][]string{}}
	defer s.endSessions(context.WithoutCancel(ctx), tried)
	conn, channels, requests, err := ssh.NewServerConn(c, s.config(ctx, tried))
	if err != nil {
		s.record(ctx, tried, "")
		s.Log.DebugContext(ctx, "no SSH connection", "address", c.addr.String(), "error", err)
		return
	}
	defer func() { _ = conn.Close() }() // it may be closed already
	c.signed.Store(true)
	c.greeted()
	who, ok := conn.Permissions.ExtraData[identity{}].(policy.Principal)
	if !ok {
		return
	}
	s.record(ctx, tried, conn.User())
	log := s.Log.With("tenant.id", string(who.Tenant), "actor", who.Actor(), "address", c.addr.String())
	leave, ok := s.settle(who.Tenant)
	if !ok {
		log.WarnContext(ctx, "connection refused: the tenant has too many")
		return
	}
	defer leave()
	scope, err := s.Policy.TransferScope(ctx, who, s.Accounts.Reverify)
	if err == nil {
		err = s.Audit.Record(ctx, audit.Entry{Tenant: who.Tenant, Actor: who.Actor(), Verb: "sftp.connect", Subject: who.Credential, Outcome: "ok",
			Details: map[string]any{"address": c.addr.String(), "client": string(conn.ClientVersion())}})
	}
	if err != nil {
		log.InfoContext(ctx, "connection refused", "error", err)
		return
	}
	log.InfoContext(ctx, "connected", "client", string(conn.ClientVersion()))
	defer log.InfoContext(ctx, "disconnected")
	go ssh.DiscardRequests(requests) // keep-alives are answered, forwarding is not
	go s.watch(ctx, scope, func() { _ = conn.Close() })
	began := s.Clock.Now()
	s.sessions(ctx, who.Tenant, channels, func(ctx context.Context) *session {
		return &session{server: s, ctx: ctx, scope: scope, who: who, began: began, log: log, end: func() { _ = conn.Close() }}
	})
}

// watch ends a connection whose credential is not good any more, although nothing is
// asked for on it.
func (s *Server) watch(ctx context.Context, scope tenant.Scope, end func()) {
	tick := time.NewTicker(watching)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := scope.Check(ctx, tenant.Read, tenant.Submissions); fault.Is(err, fault.Unauthenticated) || fault.Is(err, fault.Denied) {
			end()
			return
		}
	}
}

// sessions serves the connection's channels until it ends.
func (s *Server) sessions(ctx context.Context, id tenant.ID, channels <-chan ssh.NewChannel, begin func(context.Context) *session) {
	var running sync.WaitGroup
	defer running.Wait()
	for ch := range channels {
		if ch.ChannelType() != "session" {
			_ = ch.Reject(ssh.UnknownChannelType, "only SFTP is served here") // the peer is gone otherwise
			continue
		}
		leave, ok := s.sitting(id)
		if !ok {
			_ = ch.Reject(ssh.ResourceShortage, "too many sessions are open")
			continue
		}
		channel, requests, err := ch.Accept()
		if err != nil {
			leave()
			continue
		}
		running.Go(func() {
			defer leave()
			defer func() { _ = channel.Close() }() // the client may have closed it
			if !subsystem(ctx, requests) {
				return
			}
			session := begin(ctx)
			// Without the library's allocator, which gives back nothing while a session lasts.
			server := sftp.NewRequestServer(&taken{channel, session.end}, session.handlers())
			err := server.Serve()
			if err != nil && !errors.Is(err, io.EOF) && ctx.Err() == nil {
				session.log.DebugContext(ctx, "session ended", "error", err)
			}
			_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{0})) // clients wait for it
		})
	}
}

// subsystem waits until the client asks for SFTP and refuses everything else: there is
// no shell and no command here.
func subsystem(ctx context.Context, requests <-chan *ssh.Request) bool {
	for {
		select {
		case <-ctx.Done():
			return false
		case r, ok := <-requests:
			if !ok {
				return false
			}
			var name struct{ Name string }
			wanted := r.Type == "subsystem" && ssh.Unmarshal(r.Payload, &name) == nil && name.Name == "sftp"
			if r.WantReply {
				_ = r.Reply(wanted, nil) // the peer is gone otherwise
			}
			if wanted {
				go ssh.DiscardRequests(requests)
				return true
			}
			if r.Type == "shell" || r.Type == "exec" || r.Type == "subsystem" {
				return false
			}
		}
	}
}
