// Package app joins the parts into a server: it alone knows every one of them.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"tributary/client"
	"tributary/internal/account"
	"tributary/internal/analysis"
	"tributary/internal/archive"
	"tributary/internal/audit"
	"tributary/internal/clock"
	"tributary/internal/control"
	"tributary/internal/events"
	"tributary/internal/exchange"
	"tributary/internal/fault"
	"tributary/internal/gateway/api"
	"tributary/internal/gateway/sftp"
	"tributary/internal/job"
	"tributary/internal/keys"
	"tributary/internal/live"
	"tributary/internal/meta"
	"tributary/internal/notify"
	"tributary/internal/oidc"
	"tributary/internal/period"
	"tributary/internal/policy"
	"tributary/internal/sandbox"
	"tributary/internal/schedule"
	"tributary/internal/stream"
	"tributary/internal/vault"
	"tributary/internal/warehouse"
)

// Config says how a server is made. Config{Data: dir} is a sensible one.
type Config struct {
	// Data is the directory of everything that is kept. Required.
	Data string
	// Database is the control database's URL; empty: SQLite in Data.
	Database string
	// Objects is the URL of the object store, s3://…; empty: a directory in Data.
	Objects string
	// KeyFile is the file of the key-encryption key; empty: keys/kek.json in Data.
	// Keep it elsewhere, and out of backups of Data.
	KeyFile string
	// Streams is the URL of a NATS cluster for the streams, with StreamsCredentials its
	// credentials file; empty: they are in this process and in Data.
	Streams            string
	StreamsCredentials string
	// StreamDays is how many days streams are kept, by their name, or with a tier before
	// it (basic:events) those of its tenants: 1 to 365; what is not listed 7.
	StreamDays map[string]int
	// ArchiveDays is how many days the archive is kept, by tier, with "all" those that are
	// not listed; 0, and none listed: for ever.
	ArchiveDays map[string]int
	// HTTP is the address to listen on; empty: 127.0.0.1:8080. Port 0 takes a free one.
	HTTP string
	// SFTP is the address of the SFTP server; empty: there is none. It needs no TLS.
	SFTP string
	// Collect is the address that events are collected at, by the protocols of clients
	// that people have; empty: nowhere. Port 0 takes a free one.
	Collect string
	// SFTPPasswords lets people sign in there with their password too.
	SFTPPasswords bool
	// CertFile and KeyPEM are a certificate and its key, read again when they change.
	CertFile, CertKeyFile string
	// ACME lists the host names to get certificates for, from Let's Encrypt or
	// from the authority whose directory is at ACMEDirectory, an https URL.
	ACME          []string
	ACMEDirectory string
	// BehindProxy lists proxies that end TLS before us and set X-Forwarded-For.
	BehindProxy []netip.Prefix
	// Sandbox is the level that children must have; empty: strict.
	Sandbox sandbox.Level
	// Workers is how many jobs run at once; 0 means 3.
	Workers int
	// Mail sends mails; nil: they stay in the outbox.
	Mail *notify.SMTP
	// PublicURL is where people reach this server; empty: mails have no links.
	PublicURL string
	// OIDC is the issuer that the provider's people can sign in with; nil: there is
	// none. Its PublicURL and Clock are those here.
	OIDC *oidc.Config
	// SignUp lets whole tenants sign up by themselves, with organisations that nobody
	// has verified and that take no part in runs until somebody has.
	SignUp bool
	// Grace is how long an offboarded tenant can still be kept; 0 means 30 days.
	Grace time.Duration
	// Wait makes Start wait while another server has the data, instead of failing.
	Wait bool
	// Version is the binary's.
	Version string
	Clock   clock.Clock
	Log     *slog.Logger

	tracers  trace.TracerProvider // the telemetry's, once Start has made it
	webhooks notify.Client        // that tests bring, since receivers on this host are refused
	existing bool                 // what is not there is refused, and nothing is made
	beside   bool                 // a server may have the data open
	loading  bool                 // what a restore makes, and is not whole yet
	restore  string               // the restore's id, with loading
}

func (c *Config) defaults() error {
	if c.Data == "" {
		return fault.New(fault.Invalid, "A data directory is needed (--data DIR).")
	}
	if c.Database == "" {
		c.Database = "sqlite:" + filepath.Join(c.Data, "control.db")
	}
	if c.KeyFile == "" {
		c.KeyFile = filepath.Join(c.Data, "keys", "kek.json")
	}
	if c.HTTP == "" {
		c.HTTP = "127.0.0.1:8080"
	}
	if c.Sandbox == "" {
		c.Sandbox = sandbox.Strict
	}
	if c.Version == "" {
		c.Version = "devel"
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return errors.Join(c.checkNotices(), c.checkStreams())
}

// stores are the parts that hold data, joined but not running.
type stores struct {
	db       *meta.DB
	blobs    objects
	ring     *keys.Ring
	policy   *policy.Engine
	audit    *audit.Log
	changes  *live.Hub
	control  *control.Control
	notices  *notify.Notices
	accounts *account.Accounts
	vault    *vault.Vault
	jobs     *job.Queue
}

// open opens the stores; the caller closes them.
func open(ctx context.Context, c Config) (_ *stores, err error) {
	if c.existing {
		err = c.findDirs()
	} else {
		err = makeDir(c.Data)
	}
	if err == nil && !c.loading {
		err = refuseUnfinished(ctx, c)
	}
	if err != nil {
		return nil, err
	}
	s := &stores{changes: live.New(c.Clock)}
	if s.db, err = meta.Open(ctx, meta.Config{URL: c.Database, Wait: c.Wait, Existing: c.existing, Beside: c.beside, Loading: c.loading, Version: c.Version, Log: c.Log}); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	kek, secrets, err := openSecrets(ctx, c, s.db)
	if err != nil {
		return nil, err
	}
	if s.policy, err = policy.New(policy.Config{Clock: c.Clock}); err != nil {
		return nil, fmt.Errorf("load policies: %w", err)
	}
	s.control = control.New(control.Config{DB: s.db, Policy: s.policy, Clock: c.Clock, Log: c.Log, Grace: c.Grace})
	if s.ring, err = keys.NewRing(keys.Config{KEK: kek, Store: s.control, Clock: c.Clock, Secrets: secrets}); err != nil {
		return nil, fmt.Errorf("make key ring: %w", err)
	}
	if s.blobs, err = c.openObjectsOf(ctx, s.db); err != nil {
		return nil, err
	}
	s.audit = audit.New(audit.Config{DB: s.db, Keys: s.ring, Clock: c.Clock, Changes: s.changes})
	s.control.SetKeys(s.ring)
	s.control.SetAudit(s.audit)
	s.notices = notify.New(notify.Config{DB: s.db, Keys: s.ring, Audit: s.audit, Clock: c.Clock, Log: c.Log, Mail: c.Mail, PublicURL: c.PublicURL, Client: c.webhooks, Changes: s.changes})
	issuer, err := c.issuer()
	if err != nil {
		return nil, err
	}
	s.accounts = account.New(account.Config{DB: s.db, Issuer: issuer, Keys: s.ring, Policy: s.policy, Audit: s.audit, Control: s.control, Notices: s.notices, SignUp: c.SignUp, Clock: c.Clock, Log: c.Log})
	s.notices.SetPeople(s.accounts)
	s.vault = vault.New(vault.Config{DB: s.db, Blobs: s.blobs, Keys: s.ring, Clock: c.Clock, Log: c.Log, Removing: c.hold().removing, Elsewhere: archive.Prefix})
	s.jobs = job.New(job.Config{DB: s.db, Clock: c.Clock, Workers: c.Workers, Log: c.Log, Tracers: c.tracers, Changes: s.changes})
	return s, nil
}

func (s *stores) close() {
	if s.blobs != nil {
		_ = s.blobs.Close() // what was acknowledged is durable already
	}
	_ = s.db.Close()
}

// App is a running server.
type App struct {
	cfg       Config
	stores    *stores
	streams   *stream.Streams
	events    *events.Events
	warehouse *warehouse.Warehouse
	archive   *archive.Archive
	outbox    *events.Outbox
	exchange  *exchange.Exchange
	analyses  *analysis.Analyses
	periods   *period.Calendar
	schedules *schedule.Schedules
	telemetry *telemetry
	server    *http.Server
	listener  net.Listener
	files     *sftp.Server // nil: none
	ssh       net.Listener
	collector collector
	hostKeys  []client.HostKey
	stop      context.CancelFunc
	done      sync.WaitGroup
	failed    chan error
}

// Start starts a server: it probes the sandbox, opens the stores, carries on
// with what was unfinished, and listens. When Start returns it answers.
func Start(ctx context.Context, c Config) (*App, error) {
	if err := c.defaults(); err != nil {
		return nil, err
	}
	box, err := openSandbox(ctx, c)
	if err != nil {
		return nil, err
	}
	tel, err := newTelemetry(ctx, c)
	if err != nil {
		return nil, err
	}
	c.tracers = tel.tracers
	s, err := open(ctx, c)
	if err != nil {
		return nil, errors.Join(err, tel.shutdown(ctx))
	}
	for _, w := range s.warnings(ctx) {
		c.Log.WarnContext(ctx, "see to this", "warning", w)
	}
	a := &App{cfg: c, stores: s, telemetry: tel, failed: make(chan error, 1)}
	if a.streams, err = c.openStreams(ctx, s); err != nil {
		s.close()
		return nil, errors.Join(err, tel.shutdown(ctx))
	}
	if err = a.join(ctx, box); err == nil {
		err = a.listen(ctx)
	}
	if err != nil {
		err = errors.Join(err, a.streams.Close())
		s.close()
		return nil, errors.Join(err, tel.shutdown(ctx))
	}
	a.run()
	return a, nil
}

func openSandbox(ctx context.Context, c Config) (*sandbox.Box, error) {
	best, err := sandbox.Probe(ctx)
	if err := unfit(c.Sandbox, best, err); err != nil {
		return nil, err
	}
	if c.Sandbox == sandbox.Reduced {
		c.Log.WarnContext(ctx, "sandbox without namespaces, as asked for", "level", string(c.Sandbox))
	}
	return sandbox.New(sandbox.Config{Level: c.Sandbox, Clock: c.Clock})
}

// unfit says why a server that wants a level does not start where best is the best
// that works. The probe's words say what is missing, and its causes only say it again.
func unfit(wanted, best sandbox.Level, err error) error {
	switch {
	case err == nil, best != "" && wanted != sandbox.Strict:
		return nil
	case best == "":
		return fault.New(fault.Invalid, "%s The server does not start without.", fault.Message(err))
	}
	return fault.New(fault.Invalid, "%s With --sandbox %s the server runs without namespaces.", fault.Message(err), best)
}

// join makes the parts that work on the stores, and carries on.
func (a *App) join(ctx context.Context, box *sandbox.Box) error {
	c, s := a.cfg, a.stores
	a.exchange = exchange.New(exchange.Config{DB: s.db, Vault: s.vault, Tenants: s.control, Policy: s.policy, Audit: s.audit, Jobs: s.jobs,
		Sandbox: box, Keys: s.ring, Notices: s.notices, Clock: c.Clock, Log: c.Log, Changes: s.changes})
	a.analyses = analysis.New(analysis.Config{DB: s.db, Exchange: a.exchange, Vault: s.vault, Control: s.control, Policy: s.policy, Audit: s.audit,
		Jobs: s.jobs, Sandbox: box, Keys: s.ring, Clock: c.Clock, Log: c.Log, Version: c.Version, Changes: s.changes})
	a.schedules = schedule.New(schedule.Config{DB: s.db, Analyses: a.analyses, Exchange: a.exchange, Audit: s.audit, Keys: s.ring, Clock: c.Clock, Log: c.Log, Changes: s.changes})
	if err := a.makeEvents(ctx); err != nil {
		return err
	}
	if err := a.makeWarehouse(box); err != nil {
		return err
	}
	if err := a.makeArchive(ctx); err != nil {
		return err
	}
	s.control.SetErasers(
		control.NamedEraser{Store: "vault", Eraser: s.vault},
		control.NamedEraser{Store: "exchange", Eraser: a.exchange},
		control.NamedEraser{Store: "acceptances", Eraser: a.analyses},
		control.NamedEraser{Store: "accounts", Eraser: s.accounts},
		control.NamedEraser{Store: "notices", Eraser: s.notices},
		control.NamedEraser{Store: "archive", Eraser: a.archive}, // before events: a flush under way notes where chains end
		control.NamedEraser{Store: "events", Eraser: a.events},
		control.NamedEraser{Store: "streams", Eraser: streamEraser{a.streams}},
		control.NamedEraser{Store: "warehouse", Eraser: a.warehouse},
		control.NamedEraser{Store: "audit", Eraser: s.audit},
	)
	hostKeys, err := s.hostKeys(ctx, c)
	if err != nil {
		return err
	}
	a.hostKeys = described(hostKeys)
	if c.SFTP != "" {
		if a.files, err = sftp.New(sftp.Config{Accounts: s.accounts, Exchange: a.exchange, Policy: s.policy, Audit: s.audit, Clock: c.Clock, Log: c.Log,
			Meter: a.telemetry.meter, HostKeys: hostKeys, Passwords: c.SFTPPasswords}); err != nil {
			return fmt.Errorf("make SFTP server: %w", err)
		}
	}
	if err := a.measureWaiting(); err != nil {
		return err
	}
	a.makeOutbox()
	a.periods = period.New(period.Config{DB: s.db, Exchange: a.exchange, Analyses: a.analyses, Control: s.control, Notices: s.notices, Clock: c.Clock})
	handler, err := api.New(api.Config{Accounts: s.accounts, Control: s.control, Exchange: a.exchange, Analyses: a.analyses, Schedules: a.schedules, Notices: s.notices, Audit: s.audit,
		Periods: a.periods, Events: a.events, Warehouse: a.warehouse, Archive: a.archive, Changes: s.changes, Streams: events.NewReader(a.streams, a.events.Blocks, s.ring, a.kept),
		Policy: s.policy, Keys: s.ring, DB: s.db, Clock: c.Clock, Log: c.Log, Ready: a.Ready, Warnings: a.warnings, Metrics: a.telemetry.metrics,
		SFTP: func() client.SFTP { return client.SFTP{Address: a.SFTP(), HostKeys: a.hostKeys} }, Collect: a.Collect,
		Meter: a.telemetry.meter, Tracers: c.tracers, BehindProxy: c.BehindProxy, Version: c.Version})
	if err != nil {
		return fmt.Errorf("make API: %w", err)
	}
	// How long an answer may take to be taken is set with each part of it.
	a.server = &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: api.BodyTime, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, HTTP2: &http.HTTP2Config{WriteByteTimeout: api.Stall},
		ErrorLog: slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug)}
	a.server.RegisterOnShutdown(s.changes.Close) // who watches would be waited for
	if err := a.makeCollector(); err != nil {
		return err
	}
	// Nothing is being written yet, so whatever is unfinished was cut off.
	if _, err := s.blobs.Sweep(ctx, 0); err != nil {
		return fmt.Errorf("sweep object store: %w", err)
	}
	if err := s.control.LoadBlocked(ctx); err != nil {
		return err
	}
	if err := api.ForgetUnanswered(ctx, s.db); err != nil {
		return err
	}
	if err := s.jobs.Recover(ctx); err != nil {
		return err
	}
	if err := s.control.ResumeDue(ctx); err != nil {
		c.Log.ErrorContext(ctx, "unfinished sagas; they are tried again", "error", err)
	}
	return nil
}

// URL is where the server listens.
func (a *App) URL() string {
	return a.cfg.scheme() + "://" + a.listener.Addr().String()
}

// SFTP is where the SFTP server listens; empty: nowhere.
func (a *App) SFTP() string {
	if a.ssh == nil {
		return ""
	}
	return a.ssh.Addr().String()
}

// Failed is sent an error when the server cannot go on: its lock was lost, or
// the listener broke.
func (a *App) Failed() <-chan error { return a.failed }

// run starts what works in the background.
func (a *App) run() {
	ctx, stop := context.WithCancel(context.Background())
	a.stop = stop
	a.done.Go(func() {
		if err := a.stores.jobs.Run(ctx); err != nil {
			a.fail(fmt.Errorf("job queue: %w", err))
		}
	})
	a.done.Go(func() { a.rounds(ctx) })
	a.done.Go(func() { a.remember(ctx) })
	a.done.Go(func() { a.loadWarehouse(ctx) })
	a.done.Go(func() {
		if err := a.schedules.Run(ctx); err != nil {
			a.fail(fmt.Errorf("schedules: %w", err))
		}
	})
	a.done.Go(func() {
		select {
		case <-a.stores.db.Lost():
			a.fail(errors.New("another server may have taken over the control database; this one stops"))
		case <-ctx.Done():
		}
	})
	if a.files != nil {
		a.done.Go(func() {
			if err := a.files.Serve(a.ssh); !errors.Is(err, net.ErrClosed) {
				a.fail(fmt.Errorf("serve SFTP: %w", err))
			}
		})
	}
	a.done.Go(a.serveCollector)
	a.done.Go(func() {
		if err := a.server.Serve(a.listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			a.fail(fmt.Errorf("serve: %w", err))
		}
	})
}

func (a *App) fail(err error) {
	a.cfg.Log.Error("server cannot go on", "error", err)
	select {
	case a.failed <- err:
	default: // one is enough
	}
}

// Close stops the server: no new requests, those under way finish, so do jobs,
// or they are put back; until ctx ends.
func (a *App) Close(ctx context.Context) error {
	begun := a.cfg.Clock.Now()
	a.cfg.Log.InfoContext(ctx, "stopping: no new requests; those under way and running jobs finish")
	err := a.close(ctx)
	took := a.cfg.Clock.Now().Sub(begun).Round(time.Millisecond)
	if err != nil {
		a.cfg.Log.ErrorContext(ctx, "stopped, and not everything finished", "duration", took, "error", err)
		return err
	}
	a.cfg.Log.InfoContext(ctx, "stopped", "duration", took)
	return nil
}

func (a *App) close(ctx context.Context) error {
	var files, collected error
	var both sync.WaitGroup
	if a.files != nil {
		both.Go(func() { files = errors.Join(a.ssh.Close(), a.files.Shutdown(ctx)) })
	}
	both.Go(func() { collected = a.collector.close(ctx) })
	err := a.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, a.server.Close())
	}
	both.Wait()
	err = errors.Join(err, files, collected)
	a.stop()
	a.done.Wait()
	err = errors.Join(err, a.stores.audit.CheckpointDue(ctx)) // what was done since the last one is covered too
	err = errors.Join(err, a.outbox.PublishDue(ctx), a.events.Close(ctx), a.warehouse.Close(ctx), a.streams.Close(), a.telemetry.shutdown(ctx))
	a.stores.close()
	return err
}
