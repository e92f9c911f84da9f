package schedule

import (
	"testing"

	"tributary/internal/fault"
)

func TestWhatAPauseMissedDoesNotFireLater(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.make(NewSchedule{Name: "noon", Analyses: []string{"daily"}, Cron: "0 12 * * *"})
		w.at("2026-03-11T12:00:00Z")
		w.turn()
		_, err := w.Pause(ctx, "usr_admin", "noon")
		check(t, err)
		w.at("2026-06-11T13:00:00Z")
		_, err = w.Resume(ctx, "usr_admin", "noon")
		check(t, err)
		w.at("2026-06-12T12:00:00Z")
		w.turn()
		w.wants("noon", "2026-03-11T12:00 daily:2026-03-10\n2026-06-12T12:00 daily:2026-06-11")
	})
}

func TestOneScheduleThatCannotBeReadStopsNoOther(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.make(NewSchedule{Name: "noon", Analyses: []string{"daily"}, Cron: "0 12 * * *"})
		w.make(NewSchedule{Name: "bad", Analyses: []string{"daily"}, Cron: "0 12 * * *"})
		_, err := w.DB.Exec(ctx, `UPDATE schedules SET zone = 'Nowhere' WHERE id = 'bad'`)
		check(t, err)
		w.at("2026-03-11T12:00:00Z")
		w.turn()
		w.wants("noon", "2026-03-11T12:00 daily:2026-03-10")
		_, err = w.Delete(ctx, "usr_admin", "bad")
		check(t, err)
		if _, err := w.Schedule(ctx, "bad"); !fault.Is(err, fault.NotFound) {
			t.Errorf("what was deleted: %v", err)
		}
	})
}
