package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"tributary/internal/egress"
	"tributary/internal/fault"
)

func (c *Config) tls() bool { return c.CertFile != "" || len(c.ACME) > 0 }

func (c *Config) scheme() string {
	if c.tls() {
		return "https"
	}
	return "http"
}

// listen opens the listeners, all or none.
func (a *App) listen(ctx context.Context) error {
	config, err := tlsConfig(a.cfg) // one for both, or each would ask the authority for itself
	if err != nil {
		return err
	}
	if a.listener, err = a.cfg.open(ctx, a.cfg.HTTP, config); err != nil {
		return err
	}
	if err := a.listenCollect(ctx, config); err != nil {
		return errors.Join(err, a.listener.Close())
	}
	if err := a.listenSSH(ctx); err != nil {
		err = errors.Join(err, a.listener.Close())
		if a.collector.listener != nil {
			err = errors.Join(err, a.collector.listener.Close())
		}
		return err
	}
	return nil
}

// open opens a listener for HTTP. Without TLS it binds loopback only, unless a proxy
// stands before it, and then it lets in nobody else.
func (c Config) open(ctx context.Context, address string, config *tls.Config) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "The address %q is not HOST:PORT.", address)
	}
	if !c.tls() && len(c.BehindProxy) == 0 && !loopback(host) {
		return nil, fault.New(fault.Invalid, "Without TLS the server listens on loopback only, and %s is not. Give --tls-cert and --tls-key, or --acme HOST, or --behind-proxy CIDR if a proxy ends TLS.", address)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "Cannot listen on %s: %v.", address, errors.Unwrap(err))
	}
	l = newGuard(l, c)
	if config != nil {
		l = tls.NewListener(l, config)
	}
	return l, nil
}

// listenSSH opens the SFTP server's listener, if there is to be one.
func (a *App) listenSSH(ctx context.Context) error {
	if a.files == nil {
		return nil
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.cfg.SFTP)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "Cannot listen on %s for SFTP: %v. Give another address with --sftp.", a.cfg.SFTP, errors.Unwrap(err))
	}
	c := a.cfg
	c.BehindProxy = nil // a proxy that ends TLS does not stand before it
	a.ssh = newGuard(l, c)
	return nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

func tlsConfig(c Config) (*tls.Config, error) {
	switch {
	case c.CertFile != "":
		r := &reloader{cert: c.CertFile, key: c.CertKeyFile, now: c.Clock.Now, log: c.Log}
		if _, err := r.get(nil); err != nil {
			return nil, err
		}
		return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: r.get, NextProtos: []string{"h2", "http/1.1"}}, nil
	case len(c.ACME) > 0:
		m, err := authority(c)
		if err != nil {
			return nil, err
		}
		return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: m.GetCertificate, NextProtos: []string{"h2", "http/1.1", acme.ALPNProto}}, nil
	}
	return nil, nil
}

// authority is who gives certificates by ACME. It is asked through egress: what a
// directory or an order points to is not the operator's word. The host of a
// directory that the operator named may be a private one.
func authority(c Config) (*autocert.Manager, error) {
	var named []string
	if c.ACMEDirectory != "" {
		u, err := url.Parse(c.ACMEDirectory)
		if err != nil || u.Scheme != "https" || u.Hostname() == "" {
			return nil, fault.New(fault.Invalid, "The ACME directory %q is not an https URL, as in https://ca.example.com/acme/directory.", c.ACMEDirectory)
		}
		port := u.Port()
		if port == "" {
			port = "443"
		}
		named = append(named, net.JoinHostPort(u.Hostname(), port))
	}
	return &autocert.Manager{Prompt: autocert.AcceptTOS, HostPolicy: autocert.HostWhitelist(c.ACME...), Cache: autocert.DirCache(filepath.Join(c.Data, "acme")),
		Client: &acme.Client{HTTPClient: egress.Client(named...), DirectoryURL: c.ACMEDirectory}}, nil
}

// reloader reads a certificate again when its files have changed, looking at most
// once a minute. A certificate that cannot be read leaves the one before in use,
// is warned of once, and is tried again each time.
type reloader struct {
	cert, key string
	now       func() time.Time
	log       *slog.Logger

	mu      sync.Mutex
	looked  time.Time
	current *tls.Certificate
	loaded  string // the state of the files that current is from
	warned  string // the state of the files that was warned of last
}

func (r *reloader) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if r.current != nil && now.Sub(r.looked) < time.Minute {
		return r.current, nil
	}
	r.looked = now
	state := fileState(r.cert) + fileState(r.key) // before reading: what changes meanwhile is read next time
	if r.current != nil && state == r.loaded {
		return r.current, nil
	}
	pair, err := tls.LoadX509KeyPair(r.cert, r.key)
	if err != nil && r.current == nil {
		return nil, fault.Wrap(fault.Invalid, fmt.Errorf("load certificate: %w", err), "The certificate %s with the key %s cannot be read.", r.cert, r.key)
	}
	if err != nil {
		if state != r.warned {
			r.log.Warn("certificate files changed and cannot be used; the certificate before stays in use", "certificate", r.cert, "key", r.key,
				"expires", r.current.Leaf.NotAfter, "error", err)
			r.warned = state
		}
		return r.current, nil
	}
	if r.current != nil {
		r.log.Info("certificate read again", "certificate", r.cert, "serial", pair.Leaf.SerialNumber.Text(16), "expires", pair.Leaf.NotAfter)
	}
	r.current, r.loaded, r.warned = &pair, state, ""
	return r.current, nil
}

// fileState tells one content of a file from another, without reading it.
func fileState(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "absent;"
	}
	return fmt.Sprintf("%d %d;", info.ModTime().UnixNano(), info.Size())
}
