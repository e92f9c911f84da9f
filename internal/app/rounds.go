package app

import (
	"context"
	"sync"
	"time"
)

// round is something done again and again in the background.
type round struct {
	name  string
	every time.Duration
	once  func(context.Context) error
}

func (a *App) rounds(ctx context.Context) {
	s := a.stores
	var running sync.WaitGroup
	for _, r := range []round{
		{"tell of work that waits for keys", 5 * time.Second, a.raiseAlarms},
		{"publish what was done", time.Second, a.outbox.PublishDue},
		{"sign audit checkpoints", time.Minute, s.audit.CheckpointDue},
		{"resume sagas", 30 * time.Second, s.control.ResumeDue},
		{"erase offboarded tenants", 30 * time.Second, s.control.EraseDue},
		{"delete what is kept no longer", time.Hour, a.exchange.DeleteDue},
		{"remove bytes of removed objects", time.Minute, s.vault.RemoveDue},
		{"remove bytes without a row", 6 * time.Hour, s.vault.SweepDue},
		{"remove idle uploads", time.Hour, a.exchange.ExpireUploadsDue},
		{"keep what stands still over SFTP", time.Minute, a.keepStill},
		{"remove unfinished objects", 6 * time.Hour, s.sweepUnfinished},
		{"tell who is due", time.Hour, a.periods.TellDue},
		{"answer forgotten passwords and sign-ups", time.Second, s.accounts.AnswerDue},
		{"send mails", 5 * time.Second, s.notices.SendDue},
		{"deliver to webhooks", 5 * time.Second, s.notices.DeliverDue},
		{"archive the streams", time.Minute, a.archive.FlushDue},
		{"archive for a backup", time.Second, a.archiveAsked},
		{"expire what is archived from the streams", time.Hour, a.archive.ExpireDue},
		{"compact the archive", time.Hour, a.archive.CompactDue},
		{"forget what the archive keeps no longer", time.Hour, a.archive.ForgetDue},
		{"remove objects of the archive without a row", time.Hour, a.archive.SweepDue},
		{"erase people from events", 5 * time.Second, a.archive.EraseDue},
		{"remove bytes that the archive replaced", time.Minute, a.archive.RemoveDue},
		{"save how far streams have got", 10 * time.Minute, a.events.Sequencer.Save},
		{"forget events in quarantine", time.Hour, a.events.ForgetDue},
		{"tell what is late", time.Minute, a.warehouse.TellDue},
		{"forget old notices", time.Hour, s.notices.ForgetDue},
		{"forget ended sessions and failures", time.Hour, s.accounts.ForgetDue},
	} {
		running.Go(func() { a.repeat(ctx, r) })
	}
	running.Wait()
}

// repeat does a round every so often until ctx ends. An error is logged, and the
// next round tries again.
func (a *App) repeat(ctx context.Context, r round) {
	tick := time.NewTicker(r.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := r.once(ctx); err != nil && ctx.Err() == nil {
			a.cfg.Log.ErrorContext(ctx, "background round failed", "round", r.name, "error", err)
		}
	}
}

// keepStill is a round of the SFTP server, if there is one.
func (a *App) keepStill(ctx context.Context) error {
	if a.files == nil {
		return nil
	}
	return a.files.KeepDue(ctx)
}
