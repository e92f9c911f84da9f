package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"tributary/internal/app"
	"tributary/internal/fault"
	"tributary/internal/notify"
	"tributary/internal/oidc"
	"tributary/internal/sandbox"
)

// place is where a server's data is.
type place struct {
	Data     string `required:"" placeholder:"DIR" env:"TRIBUTARY_DATA" help:"Directory of everything that is kept."`
	Database string `placeholder:"URL" env:"TRIBUTARY_DATABASE" help:"Control database: sqlite:FILE or postgres://…; SQLite in the data directory if absent."`
	Objects  string `placeholder:"URL" env:"TRIBUTARY_OBJECTS" help:"Object store: s3://BUCKET/PREFIX?endpoint=https://…&region=…; a folder of the data directory if absent. Its credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or from the file that AWS_SHARED_CREDENTIALS_FILE names."`
	KeyFile  string `placeholder:"FILE" env:"TRIBUTARY_KEY_FILE" help:"Key-encryption key; keys/kek.json in the data directory if absent. Without it nothing stored can be read."`
}

func (p place) config(out *output, log slog.Handler) app.Config {
	if log == nil {
		log = slog.NewTextHandler(out.stderr, &slog.HandlerOptions{Level: slog.LevelWarn})
	}
	return app.Config{Data: p.Data, Database: p.Database, Objects: p.Objects, KeyFile: p.KeyFile, Version: buildVersion(), Log: slog.New(log)}
}

// listening is how a server listens.
type listening struct {
	HTTP          string        `placeholder:"ADDR" env:"TRIBUTARY_HTTP" default:"127.0.0.1:8080" help:"Address of the API. Without TLS, loopback only."`
	SFTP          string        `placeholder:"ADDR" env:"TRIBUTARY_SFTP" default:"127.0.0.1:2022" help:"Address of the SFTP server, which needs no TLS; off for none."`
	Collect       string        `placeholder:"ADDR" env:"TRIBUTARY_COLLECT" help:"Address that events are collected at, from the clients that people have: those of Segment and PostHog, CloudEvents, pixels in mails. None if absent. Without TLS, loopback only."`
	SFTPPasswords bool          `name:"sftp-passwords" env:"TRIBUTARY_SFTP_PASSWORDS" help:"Let people sign in over SFTP with their password too, not with keys alone."`
	TLSCert       string        `name:"tls-cert" placeholder:"FILE" env:"TRIBUTARY_TLS_CERT" help:"Certificate, read again when it changes."`
	TLSKey        string        `name:"tls-key" placeholder:"FILE" env:"TRIBUTARY_TLS_KEY" help:"The certificate's key."`
	ACME          []string      `name:"acme" placeholder:"HOST" env:"TRIBUTARY_ACME" help:"Get certificates for these host names from Let's Encrypt."`
	ACMEDirectory string        `name:"acme-directory" placeholder:"URL" env:"TRIBUTARY_ACME_DIRECTORY" help:"Get them from the authority with this ACME directory instead; its host may have a private address."`
	BehindProxy   []string      `placeholder:"CIDR" env:"TRIBUTARY_BEHIND_PROXY" help:"Proxies that end TLS before the server and set X-Forwarded-For."`
	Sandbox       string        `enum:"strict,reduced" default:"strict" env:"TRIBUTARY_SANDBOX" help:"How far children are shut in: ${enum}. There is no off."`
	Workers       int           `default:"3" env:"TRIBUTARY_WORKERS" help:"Jobs that run at once."`
	SignUp        bool          `env:"TRIBUTARY_SIGN_UP" help:"Let new organisations sign up by themselves. What they send counts in no run until a system admin has verified them. Needs --smtp."`
	Wait          bool          `help:"Wait while another server has the data, instead of failing."`
	LogFormat     string        `enum:"text,json" default:"text" env:"TRIBUTARY_LOG_FORMAT" help:"${enum}."`
	Drain         time.Duration `default:"30s" help:"How long requests and jobs under way may take when the server stops."`
}

// mailing is how mails go out.
type mailing struct {
	SMTP             string `name:"smtp" placeholder:"HOST:PORT" env:"TRIBUTARY_SMTP" help:"Server for mails: TLS on port 465, else STARTTLS, which only a server on this host may lack. Without it mails stay in the outbox."`
	SMTPFrom         string `name:"smtp-from" placeholder:"EMAIL" env:"TRIBUTARY_SMTP_FROM" help:"Who mails are from."`
	SMTPUser         string `name:"smtp-user" placeholder:"USER" env:"TRIBUTARY_SMTP_USER" help:"Who to sign in to it as."`
	SMTPPasswordFile string `name:"smtp-password-file" placeholder:"FILE" env:"TRIBUTARY_SMTP_PASSWORD_FILE" help:"File with that user's password."`
	PublicURL        string `name:"public-url" placeholder:"URL" env:"TRIBUTARY_PUBLIC_URL" help:"Where people reach this server. Mails have links to it, and none without; an OIDC issuer sends people back to it."`
}

func (m mailing) fill(cfg *app.Config) error {
	cfg.PublicURL = m.PublicURL
	if m.SMTP == "" {
		if m.SMTPFrom != "" || m.SMTPUser != "" || m.SMTPPasswordFile != "" {
			return usage("--smtp-from, --smtp-user and --smtp-password-file go with --smtp HOST:PORT")
		}
		return nil
	}
	cfg.Mail = &notify.SMTP{Address: m.SMTP, From: m.SMTPFrom, User: m.SMTPUser}
	if m.SMTPPasswordFile == "" {
		return nil
	}
	var err error
	cfg.Mail.Password, err = fileSecret(m.SMTPPasswordFile, "the mail server's password")
	return err
}

// issuing is where the provider's people sign in with OIDC.
type issuing struct {
	Issuer     string `name:"oidc-issuer" placeholder:"URL" env:"TRIBUTARY_OIDC_ISSUER" help:"OpenID Connect issuer that the provider's people can sign in with, to the letter as it says itself. Needs --public-url; register PUBLIC-URL/login/oidc there."`
	ClientID   string `name:"oidc-client-id" placeholder:"ID" env:"TRIBUTARY_OIDC_CLIENT_ID" help:"What this server is registered as there."`
	SecretFile string `name:"oidc-client-secret-file" placeholder:"FILE" env:"TRIBUTARY_OIDC_CLIENT_SECRET_FILE" help:"File with the secret that it is registered with."`
	Name       string `name:"oidc-name" placeholder:"NAME" env:"TRIBUTARY_OIDC_NAME" help:"What people know the issuer as, on the button; its host if absent."`
}

func (i issuing) fill(cfg *app.Config) error {
	if i.Issuer == "" {
		if i.ClientID != "" || i.SecretFile != "" || i.Name != "" {
			return usage("--oidc-client-id, --oidc-client-secret-file and --oidc-name go with --oidc-issuer URL")
		}
		return nil
	}
	if i.ClientID == "" || i.SecretFile == "" {
		return usage("--oidc-issuer needs --oidc-client-id and --oidc-client-secret-file")
	}
	secret, err := fileSecret(i.SecretFile, "the OIDC client's secret")
	cfg.OIDC = &oidc.Config{Issuer: i.Issuer, ClientID: i.ClientID, Secret: secret, Name: i.Name}
	return err
}

// fileSecret reads a secret that a file holds as its only line.
func fileSecret(file, what string) (string, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", &exit{code: exitInvalid, err: fmt.Errorf("read %s: %w", what, err)}
	}
	return strings.TrimRight(string(raw), "\r\n"), nil
}

// streaming is where streams are, and how long they are kept.
type streaming struct {
	Streams            string         `placeholder:"URL" env:"TRIBUTARY_STREAMS" help:"NATS JetStream cluster for the streams: nats://HOST:PORT or tls://HOST:PORT, several with commas; in the server itself if absent."`
	StreamsCredentials string         `placeholder:"FILE" env:"TRIBUTARY_STREAMS_CREDENTIALS" help:"NATS credentials file for the cluster."`
	StreamDays         map[string]int `placeholder:"STREAM=DAYS" env:"TRIBUTARY_STREAM_DAYS" help:"How long the streams tenants, users, jobs and events are kept, 1 to 365 days each, several with semicolons; with a tier, as in basic:events=3, its tenants'; 7 if absent. Nothing goes before it is archived."`
	ArchiveDays        map[string]int `placeholder:"TIER=DAYS" env:"TRIBUTARY_ARCHIVE_DAYS" help:"How long the archive of a tier's events is kept, several with semicolons; all stands for tiers that are not listed; 0, or absent: for ever."`
}

func (s streaming) fill(cfg *app.Config) {
	cfg.Streams, cfg.StreamsCredentials, cfg.StreamDays, cfg.ArchiveDays = s.Streams, s.StreamsCredentials, s.StreamDays, s.ArchiveDays
}

type serveCmd struct {
	place
	listening
	streaming
	mailing
	issuing
}

// Run runs a server until a signal ends it.
func (c *serveCmd) Run(_ context.Context, out *output) error {
	handler := slog.Handler(slog.NewTextHandler(out.stderr, nil))
	if c.LogFormat == "json" {
		handler = slog.NewJSONHandler(out.stderr, nil)
	}
	cfg := c.config(out, handler)
	if err := errors.Join(c.listening.fill(&cfg), c.mailing.fill(&cfg), c.issuing.fill(&cfg)); err != nil {
		return err
	}
	c.streaming.fill(&cfg)
	// Its own signals: what was acknowledged is finished before the process ends.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	server, err := app.Start(ctx, cfg)
	if err != nil {
		return err
	}
	if err := announce(ctx, out, server); err != nil {
		return errors.Join(err, server.Close(ctx))
	}
	var failed error
	select {
	case <-ctx.Done():
	case failed = <-server.Failed():
	}
	stop() // the next signal kills
	drain, cancel := context.WithTimeout(context.Background(), c.Drain)
	defer cancel()
	return errors.Join(failed, server.Close(drain))
}

func (c listening) fill(cfg *app.Config) error {
	cfg.HTTP, cfg.CertFile, cfg.CertKeyFile, cfg.ACME = c.HTTP, c.TLSCert, c.TLSKey, c.ACME
	cfg.SignUp, cfg.Collect = c.SignUp, c.Collect
	cfg.Sandbox, cfg.Workers, cfg.Wait = sandbox.Level(c.Sandbox), c.Workers, c.Wait
	if cfg.SFTPPasswords = c.SFTPPasswords; c.SFTP != "off" {
		cfg.SFTP = c.SFTP
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return usage("--tls-cert and --tls-key go together")
	}
	if c.ACMEDirectory != "" && len(c.ACME) == 0 {
		return usage("--acme-directory goes with --acme HOST")
	}
	cfg.ACMEDirectory = c.ACMEDirectory
	for _, text := range c.BehindProxy {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return usage("--behind-proxy %q is not a prefix such as 10.0.0.0/8", text)
		}
		cfg.BehindProxy = append(cfg.BehindProxy, p)
	}
	return nil
}

// announce says where the server is, and on an empty store how to begin.
func announce(ctx context.Context, out *output, server *app.App) error {
	fmt.Fprintf(out.stderr, "Tributary %s listens on %s\n", buildVersion(), server.URL())
	if addr := server.SFTP(); addr != "" {
		fmt.Fprintf(out.stderr, "SFTP listens on %s with host key %s\n", addr, server.HostKeys()[0].Fingerprint)
	}
	if url := server.Collect(); url != "" {
		fmt.Fprintf(out.stderr, "Events are collected at %s\n", url)
	}
	token, expires, err := server.SetupLink(ctx)
	if fault.Is(err, fault.Conflict) { // there is a system admin
		return nil
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(out.stderr, "There is no system admin yet. Until %s, make one with:\n  tributary --server %s setup --email YOU@EXAMPLE.COM\nand this single-use token: %s\n",
		expires.Format(time.RFC3339), server.URL(), token)
	return nil
}

type initCmd struct {
	place
	AdminEmail        string `required:"" placeholder:"EMAIL" help:"The first system admin."`
	AdminPasswordFile string `required:"" placeholder:"FILE" help:"File with its password, of 12 characters or more."`
}

// Run makes a data directory with its first system admin.
func (c *initCmd) Run(ctx context.Context, out *output) error {
	raw, err := os.ReadFile(c.AdminPasswordFile)
	if err != nil {
		return &exit{code: exitInvalid, err: fmt.Errorf("read password: %w", err)}
	}
	token, err := app.Init(ctx, c.config(out, nil), c.AdminEmail, strings.TrimRight(string(raw), "\r\n"))
	if err != nil {
		return err
	}
	if out.json {
		return out.JSON(map[string]string{"token": token})
	}
	fmt.Fprintf(out.stdout, "%s\n", token)
	out.note("This is %s's API key, shown once. Start the server: tributary serve --data %s", c.AdminEmail, c.Data)
	return nil
}

type setupLinkCmd struct{ place }

// Run makes a setup token for a store that no server has open.
func (c *setupLinkCmd) Run(ctx context.Context, out *output) error {
	token, expires, err := app.SetupLink(ctx, c.config(out, nil))
	if err != nil {
		return err
	}
	if out.json {
		return out.JSON(map[string]any{"token": token, "expires_at": expires})
	}
	fmt.Fprintf(out.stdout, "%s\n", token)
	out.note("Single use, until %s: tributary --server URL setup --email YOU@EXAMPLE.COM", expires.Format(time.RFC3339))
	return nil
}

type resetLinkCmd struct {
	place
	Login string `arg:"" help:"The email of one of the provider's people, or SLUG.USER of a tenant that nobody has signed in to yet."`
}

// Run makes a link to set a password with, for a store that no server has open.
func (c *resetLinkCmd) Run(ctx context.Context, out *output) error {
	token, expires, err := app.ResetLink(ctx, c.config(out, nil), c.Login)
	if err != nil {
		return err
	}
	if out.json {
		return out.JSON(map[string]any{"path": "/reset#" + token, "token": token, "expires_at": expires})
	}
	fmt.Fprintf(out.stdout, "/reset#%s\n", token)
	out.note("Single use, until %s: start the server and open this path there, or give the token to tributary password reset.", expires.Format(time.RFC3339))
	return nil
}

type fsckCmd struct {
	place
	Deep bool `help:"Also decrypt every object and compare its bytes."`
}

// Run checks every store against every other. The server must not be running.
func (c *fsckCmd) Run(ctx context.Context, out *output) error {
	findings, err := app.Fsck(ctx, c.config(out, nil), c.Deep)
	if err != nil {
		return err
	}
	if out.json {
		if err := out.JSON(map[string]any{"items": append([]app.Finding{}, findings...)}); err != nil {
			return err
		}
	} else {
		for _, f := range findings {
			fmt.Fprintf(out.stdout, "%s\n", clean(f.String()))
		}
		if len(findings) == 0 {
			fmt.Fprintln(out.stdout, "Every store agrees with every other.")
		}
	}
	if len(findings) > 0 {
		return &exit{code: exitFailed, says: fmt.Sprintf("%d things are wrong.", len(findings))}
	}
	return nil
}
