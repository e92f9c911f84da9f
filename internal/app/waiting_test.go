package app

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"tributary/internal/job"
	"tributary/internal/meta"
	"tributary/internal/notify"
	"tributary/internal/tenant"
)

// TestAnAlarmWhenKeysAreAwayForTooLong has two jobs wait for keys that nobody
// works on, and looks where an operator would.
func TestAnAlarmWhenKeysAreAwayForTooLong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	must(Init(ctx, w.cfg, "admin@example.com", "a long enough password"))(t)
	w.start()
	read := func(path string) string {
		t.Helper()
		r := must(http.Get(w.URL() + path))(t)
		defer r.Body.Close()
		return string(must(io.ReadAll(r.Body))(t))
	}
	const none = `tributary_jobs_waiting{for="keys",kind="run"} 0`
	if got := read("/metrics"); !strings.Contains(got, none) {
		t.Errorf("metrics lack %q", none)
	}
	now := w.cfg.Clock.Now()
	for subject, at := range map[string]time.Time{"run_soon": now.Add(-time.Minute), "run_later": {}} {
		var id string
		must(0, w.stores.db.Transact(ctx, func(tx *meta.DB) (err error) {
			id, err = w.stores.jobs.Add(ctx, tx, job.Work{Kind: "run", Subject: subject, Payload: struct{}{}, AlarmAt: at})
			if err == nil { // no worker takes what is run in a year
				_, err = tx.Unscoped().Exec(ctx, `UPDATE jobs SET run_after = $1, waits_for = 'keys', waits_since = $2 WHERE id = $3`, now.AddDate(1, 0, 0), now, id)
			}
			return err
		}))(t)
	}
	alarms := func() int {
		t.Helper()
		must(0, w.raiseAlarms(ctx))(t)
		return strings.Count(w.log.String(), "ALARM")
	}
	if got := alarms(); got != 1 || !strings.Contains(w.log.String(), "subject=run_soon") {
		t.Errorf("%d alarms past the cut-off of one, want 1", got)
	}
	w.late.Store(int64(16 * time.Minute))
	if got := alarms(); got != 2 {
		t.Errorf("%d alarms after a quarter of an hour, want 2", got)
	}
	w.stop()
	w.start()
	if got := alarms(); got != 2 {
		t.Errorf("%d alarms after a restart, want 2", got)
	}
	if got, want := read("/metrics"), `tributary_jobs_waiting{for="keys",kind="run"} 2`; !strings.Contains(got, want) {
		t.Errorf("metrics lack %q", want)
	}
	if got, want := read("/readyz"), "warning: keys cannot be reached: 2 runs wait, the longest since "+now.Format(time.RFC3339); !strings.HasPrefix(got, "ready\n") || !strings.Contains(got, want) {
		t.Errorf("readyz: got %q, want %q in it", got, want)
	}
	provider := tenant.ID("")
	mails, _, err := w.stores.notices.UnscopedOutbox(ctx, &provider, notify.MailFilter{Kind: notify.WorkWaits}, meta.Page{})
	if err != nil || len(mails) != 2 {
		t.Errorf("mails: %+v, %v, want two", mails, err)
	}
}
