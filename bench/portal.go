package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// Limits of a first load, in bytes as they are sent.
const (
	scriptLimit = 180_000
	styleLimit  = 15_000
	loadLimit   = 300_000
)

// visit is what web/e2e/portal.bench.ts says of a page.
type visit struct {
	Page     string
	Script   int
	Style    int
	All      int
	Requests int       // for files
	Asked    int       // of the API
	Cold     []float64 // milliseconds until the page's heading is there, with nothing in the cache
	Warm     []float64 // and with everything
	Blank    []float64 // until the same browser has loaded /healthz
}

// portal loads pages of the portals in Chromium from a server on this machine, and in turn
// a page with nothing on it, which is the least that a browser takes.
func (b *bench) portal(ctx context.Context) error {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		b.printf("not measured: %v\n", err)
		return nil
	}
	s, err := b.newStore(ctx, "portal")
	if err != nil {
		return err
	}
	p, err := b.start(ctx, s)
	if err != nil {
		return err
	}
	visits, err := b.visits(ctx, p, s, chromium)
	if err := errors.Join(err, p.stop()); err != nil {
		return err
	}
	script, style, all := 0, 0, 0
	for _, v := range visits {
		cold, warm, blank := middle(v.Cold), middle(v.Warm), middle(v.Blank)
		b.printf("  %-7s first load %.1f kB in %d requests (script %.1f, style %.1f) and %d of the API; cold %s, warm %s; an empty page %s; ratio cold %.1f, warm %.1f\n",
			v.Page, kilo(v.All), v.Requests, kilo(v.Script), kilo(v.Style), v.Asked, millis(cold), millis(warm), millis(blank), float64(cold)/float64(blank), float64(warm)/float64(blank))
		script, style, all = max(script, v.Script), max(style, v.Style), max(all, v.All)
	}
	b.floor(script <= scriptLimit, "script of a first load at most %.1f kB compressed; limit %.0f kB", kilo(script), kilo(scriptLimit))
	b.floor(style <= styleLimit, "style at most %.1f kB; limit %.0f kB", kilo(style), kilo(styleLimit))
	b.floor(all <= loadLimit, "all of it at most %.1f kB; limit %.0f kB", kilo(all), kilo(loadLimit))
	return nil
}

// visits has the runner of the stories load the pages.
func (b *bench) visits(ctx context.Context, p *server, s store, chromium string) ([]visit, error) {
	figures := filepath.Join(b.dir, "figures.json")
	cmd := exec.CommandContext(ctx, "node", "node_modules/vitest/vitest.mjs", "run", "--config", "vitest.e2e.config.ts")
	cmd.Dir = "web"
	cmd.Env = append(os.Environ(), "TRIBUTARY_URL="+p.url, "TRIBUTARY_TOKEN="+s.token, "TRIBUTARY_PASSWORD="+adminPassword, "TRIBUTARY_CHROMIUM="+chromium, "TRIBUTARY_STORIES=e2e/portal.bench.ts", "TRIBUTARY_FIGURES="+figures)
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("load the pages: %w: %s", err, text)
	}
	text, err := os.ReadFile(figures)
	if err != nil {
		return nil, err
	}
	var visits []visit
	return visits, json.Unmarshal(text, &visits)
}

// middle is the median of times in milliseconds.
func middle(list []float64) time.Duration {
	slices.Sort(list)
	return time.Duration(percentile(list, 50) * 1e6)
}

func kilo(bytes int) float64 { return float64(bytes) / 1000 }
