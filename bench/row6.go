package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"tributary/client"
)

const (
	runFloor     = 0.3 // of raw DuckDB
	participants = 100
	rowsEach     = 100_000
	pollEvery    = 10 * time.Millisecond // each poll takes some of the server's time
)

// crossParticipant runs an analysis of 100 participants with 100,000 rows each
// through the API of a real server, and has DuckDB in this process answer the same
// on the same accepted Parquet, in turn.
func (b *bench) crossParticipant(ctx context.Context) error {
	each := rowsEach
	if b.quick {
		each /= 10
	}
	s, err := b.newStore(ctx, "runs")
	if err != nil {
		return err
	}
	p, err := b.start(ctx, s)
	if err != nil {
		return err
	}
	defer func() { _ = p.kill() }() // if it is still there
	admin, err := p.client(s.token)
	if err != nil {
		return err
	}
	began := time.Now()
	files, err := b.participate(ctx, p, admin, each)
	if err != nil {
		return err
	}
	cpu, err := p.cpu()
	if err != nil {
		return err
	}
	b.printf("%d participants sent %d rows each, accepted after %.1f s, server's CPU %.1f s\n", participants, each, time.Since(began).Seconds(), cpu.Seconds())
	db, err := openRaw(ctx, files)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // it only read
	b.printf("product: POST of the run to its success seen by the client (polled every %s): snapshot, decryption of %d files into memory, strict sandbox, aggregation, gate, 2 x %d results rendered, sealed and synced, one transaction\n", pollEvery, participants, participants)
	b.printf("peer:    DuckDB %s open and warm in this process, 2 threads, same accepted Parquet, unsealed and in the page cache:\n\t%s\n", db.version, rawStatement)
	return b.compare(ctx, p, admin, db, int64(participants*each))
}

// participate makes the tenants, and has each accept the analysis and send its
// file. It returns the accepted forms for the peer.
func (b *bench) participate(ctx context.Context, p *server, admin *client.Client, each int) ([]string, error) {
	if _, err := admin.ApplyDataset(ctx, []byte(dataset)); err != nil {
		return nil, err
	}
	if _, err := admin.ApplyAnalysis(ctx, fmt.Appendf(nil, definition, 0)); err != nil {
		return nil, err
	}
	files := make([]string, participants)
	callers := make([]*client.Client, participants)
	sent := make([]string, participants)
	for n := range participants {
		slug := fmt.Sprintf("tenant-%03d", n)
		if _, err := admin.CreateTenant(ctx, client.NewTenant{Slug: slug, Name: slug, Organisation: "Organisation " + slug, ExternalIDs: []string{externalID(n)}}); err != nil {
			return nil, err
		}
		k, err := admin.CreateAPIKey(ctx, client.NewAPIKey{Tenant: slug, Role: "tenant_admin", Name: "bench"})
		if err != nil {
			return nil, err
		}
		c, err := p.client(k.Key)
		if err != nil {
			return nil, err
		}
		if _, err := c.AcceptAnalysis(ctx, "bench-sum", 0); err != nil {
			return nil, err
		}
		csv := csvOf(n, each)
		s, err := c.Submit(ctx, client.Upload{Dataset: "bench-values", Date: runDate, Name: slug + ".csv", Body: bytes.NewReader(csv)})
		if err != nil {
			return nil, err
		}
		callers[n], sent[n] = c, s.ID
		files[n] = filepath.Join(b.dir, slug+".parquet")
		if err := acceptedForm(ctx, n, csv, files[n]); err != nil {
			return nil, err
		}
	}
	for n, c := range callers {
		if s, err := c.WaitSubmission(ctx, sent[n]); err != nil || s.State != "accepted" {
			return nil, fmt.Errorf("submission %s is %s: %w", s.ID, s.State, err)
		}
	}
	return files, nil
}

// compare takes one unmeasured turn of both, then the rounds.
func (b *bench) compare(ctx context.Context, p *server, admin *client.Client, db *raw, rowCount int64) error {
	const cells = tags * tags / 10
	var ratios, less, inside, work []float64
	var walls, peers []time.Duration
	for round := range b.rounds + 1 {
		if _, err := admin.ApplyAnalysis(ctx, fmt.Appendf(nil, definition, round+1)); err != nil {
			return err
		}
		var watch *watcher
		if round == 0 {
			watch = p.watch()
		}
		cpu, err := p.cpu()
		if err != nil {
			return err
		}
		r, wall, err := oneRun(ctx, admin)
		if err != nil {
			return err
		}
		after, err := p.cpu()
		if err != nil {
			return err
		}
		own := ownCPU()
		peer, err := db.ask(ctx, rawStatement, participants*cells, rowCount)
		if err != nil {
			return err
		}
		own = ownCPU() - own
		part, err := db.ask(ctx, cellsStatement, cells, rowCount)
		if err != nil {
			return err
		}
		if r.Participants != participants {
			return fmt.Errorf("the run had %d participants", r.Participants)
		}
		if round == 0 {
			b.printf("warm-up: run %s, DuckDB %s; largest child resident %.1f MB\n", millis(wall), millis(peer), mega(watch.stop()))
			continue
		}
		server := r.FinishedAt.Sub(*r.StartedAt)
		ratios, inside = append(ratios, peer.Seconds()/wall.Seconds()), append(inside, peer.Seconds()/server.Seconds())
		less, work = append(less, part.Seconds()/wall.Seconds()), append(work, own.Seconds()/(after-cpu).Seconds())
		walls, peers = append(walls, wall), append(peers, peer)
		b.printf("round %d: run %s (%s from started_at to finished_at), server's CPU %s; DuckDB %s, CPU %s; ratio %.3f\n",
			round, millis(wall), millis(server), millis(after-cpu), millis(peer), millis(own), ratios[len(ratios)-1])
	}
	peak, err := p.memory("VmHWM")
	if err = errors.Join(err, p.stop()); err != nil {
		return err
	}
	b.printf("run %s; DuckDB %s; server's peak memory %.1f MB\n", spreadOf(walls), spreadOf(peers), mega(peak))
	b.printf("DuckDB/run by the server's own started_at and finished_at: %s; by CPU-seconds: %s\n", spreadOf(inside), spreadOf(work))
	b.printf("DuckDB for the cells' sums alone, without each participant's own/run: %s\n", spreadOf(less))
	ratio := spreadOf(ratios)
	b.floor(ratio.median >= runFloor, "DuckDB/run over %d rounds %s; floor %.1f", len(ratios), ratio, runFloor)
	return nil
}

// oneRun starts a run and waits for its success.
func oneRun(ctx context.Context, c *client.Client) (client.Run, time.Duration, error) {
	began := time.Now()
	started, err := c.StartRuns(ctx, []string{"bench-sum"}, runDate)
	if err != nil {
		return client.Run{}, 0, err
	}
	for {
		list, err := c.Runs(ctx, client.RunFilter{Page: client.Page{Limit: 1}})
		if err != nil {
			return client.Run{}, 0, err
		}
		r := list.Items[0]
		wall := time.Since(began)
		switch {
		case r.ID != started.Items[0].ID:
			return r, wall, fmt.Errorf("another run, %s, came between", r.ID)
		case r.State == "succeeded":
			return r, wall, nil
		case r.Finished():
			return r, wall, fmt.Errorf("run %s is %s: %s", r.ID, r.State, r.Reason)
		}
		time.Sleep(pollEvery)
	}
}
