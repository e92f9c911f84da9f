package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"tributary/internal/gateway/api"
	"tributary/internal/gateway/collect"
)

// collector is the server that events are collected by; the zero value is none.
type collector struct {
	server   *http.Server
	listener net.Listener
}

// makeCollector makes the collector, if there is to be one.
func (a *App) makeCollector() error {
	c := a.cfg
	if c.Collect == "" {
		return nil
	}
	handler, err := collect.New(collect.Config{Events: a.events, Audit: a.stores.audit, Clock: c.Clock, Log: c.Log, Meter: a.telemetry.meter, Tracers: c.tracers,
		HTTPS: len(c.BehindProxy) > 0, Address: func(r *http.Request) netip.Addr { return api.Address(r, c.BehindProxy) }})
	if err != nil {
		return fmt.Errorf("make collector: %w", err)
	}
	a.collector.server = &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: api.BodyTime, WriteTimeout: 2 * api.BodyTime,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug)}
	return nil
}

// listenCollect opens the collector's listener, under the rules of HTTP's.
func (a *App) listenCollect(ctx context.Context, config *tls.Config) error {
	if a.collector.server == nil {
		return nil
	}
	var err error
	a.collector.listener, err = a.cfg.open(ctx, a.cfg.Collect, config)
	return err
}

func (a *App) serveCollector() {
	if a.collector.server == nil {
		return
	}
	if err := a.collector.server.Serve(a.collector.listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
		a.fail(fmt.Errorf("collect: %w", err))
	}
}

// close lets requests under way finish, until ctx ends.
func (c *collector) close(ctx context.Context) error {
	if c.server == nil {
		return nil
	}
	if err := c.server.Shutdown(ctx); err != nil {
		return errors.Join(err, c.server.Close())
	}
	return nil
}

// Collect is where events are collected; empty: nowhere.
func (a *App) Collect() string {
	if a.collector.listener == nil {
		return ""
	}
	return a.cfg.scheme() + "://" + a.collector.listener.Addr().String()
}
