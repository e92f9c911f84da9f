package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"tributary/client"
	"tributary/internal/app"
	"tributary/internal/clock"
	"tributary/internal/notify"
)

type demoCmd struct {
	Data string `default:"tributary-demo" placeholder:"DIR" help:"Directory of the demo's data; one that is there already is started again as it is."`
	HTTP string `default:"127.0.0.1:8080" placeholder:"ADDR" help:"Address of the API."`
	SFTP string `default:"127.0.0.1:2022" placeholder:"ADDR" help:"Address of the SFTP server."`
	Exit bool   `help:"Stop when it is filled, instead of serving."`
}

// Run starts a server and, the first time, fills it through its own API with a
// simulated provider.
func (c *demoCmd) Run(_ context.Context, out *output) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	_, err := os.Stat(filepath.Join(c.Data, "control.db"))
	fresh := errors.Is(err, os.ErrNotExist)
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return fmt.Errorf("make demo directory: %w", err)
	}
	cfg := place{Data: c.Data}.config(out, slog.NewTextHandler(out.stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	cfg.HTTP, cfg.SFTP, cfg.SignUp = c.HTTP, c.SFTP, true
	cfg.Mail = &notify.SMTP{Dir: c.mails(), From: "Tributary demo <tributary@demo.example>"}
	if !strings.HasSuffix(c.HTTP, ":0") {
		cfg.PublicURL = "http://" + c.HTTP
	}
	password := clock.Clock{}.Secret(10)
	set, now := &demoClock{}, time.Now().UTC()
	var token string
	if fresh {
		set.behind.Store(int64(now.Sub(demoBegan(now))))
		cfg.Clock = clock.Clock{NowFunc: set.now}
		if token, err = app.Init(ctx, cfg, demoAdmin, password); err != nil {
			return err
		}
	}
	server, err := app.Start(ctx, cfg)
	if err != nil {
		return err
	}
	err = c.show(ctx, out, server, token, password, set)
	if err == nil && !c.Exit {
		out.note("Ctrl+C stops it. The data is in %s; remove that to begin anew.", c.Data)
		select {
		case <-ctx.Done():
		case err = <-server.Failed():
		}
	}
	stop()
	drain, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = &exit{code: exitInterrupted, says: "Interrupted while the demo was being filled.", hint: "rm -r " + c.Data}
	}
	return errors.Join(err, server.Close(drain))
}

// mails is where the demo's mails are, since nobody in it is real.
func (c *demoCmd) mails() string { return filepath.Join(c.Data, "mails") }

const demoAdmin = "admin@demo.example"

func (c *demoCmd) show(ctx context.Context, out *output, server *app.App, token, password string, set *demoClock) error {
	if token == "" {
		fmt.Fprintf(out.stdout, "The demo of before is running again at %s. Its credentials were shown when it was made; who has lost them removes %s and begins anew.\n", server.URL(), c.Data)
		return nil
	}
	admin, err := client.New(server.URL(), token)
	if err != nil {
		return err
	}
	world := &demoWorld{admin: admin, url: server.URL(), out: out, now: time.Now().UTC(), clock: set, sshKey: filepath.Join(c.Data, "demo.key")}
	if err := world.fill(ctx); err != nil {
		return fmt.Errorf("fill the demo: %w", err)
	}
	first := world.tenants[0]
	binary := os.Args[0]
	host, port, err := net.SplitHostPort(server.SFTP())
	if err != nil {
		return fmt.Errorf("where SFTP listens: %w", err)
	}
	fmt.Fprintf(out.stdout, `
%s

  Open           %s   and sign in, as the one or the other (API documentation at /docs, metrics at /metrics)
  System admin   %s   password %s
                 token %s
  Tenant %s    %s   password %s
                 token %s
  Shown once; stored only as hashes.
  Mails          none are sent; they are files in %s

  export TRIBUTARY_SERVER=%s
  export TRIBUTARY_TOKEN=%s      # the system admin

Seven commands to try:
  %s period list --state missing               # who owes which file
  %s submission list --state rejected          # who sent what could not be accepted; what is wrong with it only they see
  %s run list                                  # and: run show ID, run logs ID, run manifest ID
  %s schedule list                             # when they run by themselves
  TRIBUTARY_TOKEN=%s %s result list   # as tenant %s; then: result get ID -o -
  sftp -P %s -i %s %s@%s         # as the same: ls /output, put FILE /input/monthly-figures/%s
  %s audit verify --all                        # the log of all that happened, the provider's and every tenant's, chained and signed
`,
		world.summary(), server.URL(), demoAdmin, password, token,
		first.slug, first.login, first.password, first.key, c.mails(),
		server.URL(), token, binary, binary, binary, binary, first.key, binary, first.slug, port, world.sshKey, first.login, host, world.month(0), binary)
	return nil
}
