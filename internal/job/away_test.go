package job

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
)

func TestAJobWaitsForWhatIsAway(t *testing.T) {
	t.Parallel()
	metatest.Each(t, func(t *testing.T, db *meta.DB) {
		t.Parallel()
		b := newBench(db, Config{})
		ctx := t.Context()
		var answer error
		b.Handle("work", Handler{Do: func(context.Context, *Job) error { return answer }})
		away := Away("keys", errors.New("dial: no route"))
		soon, ordinary := b.hands.read().Add(2*time.Minute), "ordinary"
		early := b.add(t, Work{Subject: "early", AlarmAt: soon})
		late := b.add(t, Work{Subject: ordinary})
		// turn advances the clock far enough for one attempt of each.
		turn := func(err error) {
			t.Helper()
			answer = err
			b.hands.advance(10 * time.Second)
			for {
				did, err := b.once(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if !did {
					return
				}
			}
		}
		alarms := func() string {
			t.Helper()
			told := 0
			list, err := b.Alarms(ctx, func(_ *meta.DB, list []Alarm) error { told = len(list); return nil })
			if err != nil || told != len(list) {
				t.Fatal(told, list, err)
			}
			text := ""
			for _, a := range list {
				text += a.Subject + " " + a.For + " "
			}
			return text
		}
		waiting := func(want string) {
			t.Helper()
			list, err := b.UnscopedWaiting(ctx)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, w := range list {
				got += fmt.Sprintf("%d %s for %s", w.Count, w.Kind, w.For)
			}
			if got != want {
				t.Errorf("waiting: got %q, want %q", got, want)
			}
		}
		waiting("")
		turn(away)
		turn(away)
		s, err := b.UnscopedStatus(ctx, early)
		if err != nil || s.State != Queued || s.Attempts != 0 || s.Stage != "waits: keys cannot be reached" {
			t.Errorf("while keys are away: %+v, %v", s, err)
		}
		waiting("2 work for keys")
		if got := alarms(); got != "" {
			t.Errorf("alarms at once: %q", got)
		}
		b.hands.advance(2 * time.Minute)
		if _, err := b.Alarms(ctx, func(*meta.DB, []Alarm) error { return errors.New("nobody could be told") }); err == nil {
			t.Error("an alarm that nobody could be told of was raised")
		}
		if got := alarms(); got != "early keys " {
			t.Errorf("alarms at the job's own time: %q", got)
		}
		b = b.restarted(t)
		b.Handle("work", Handler{Do: func(context.Context, *Job) error { return answer }})
		turn(away)
		if got := alarms(); got != "" {
			t.Errorf("alarms again: %q", got)
		}
		b.hands.advance(15 * time.Minute)
		if got := alarms(); got != "ordinary keys " {
			t.Errorf("alarms after a quarter of an hour: %q", got)
		}
		// It waits for something else, and then for keys again: that is another alarm.
		b.hands.advance(10 * time.Minute)
		turn(fault.New(fault.Unavailable, "The store is away."))
		waiting("")
		b.hands.advance(10 * time.Minute)
		turn(away)
		waiting("2 work for keys")
		b.hands.advance(16 * time.Minute)
		if got := alarms(); len(got) != len("early keys ordinary keys ") {
			t.Errorf("alarms when it begins anew: %q", got)
		}
		b.hands.advance(10 * time.Minute)
		turn(nil)
		waiting("")
		for _, id := range []string{early, late} {
			if s, err := b.UnscopedStatus(ctx, id); err != nil || s.State != Succeeded || s.Attempts != 1 {
				t.Errorf("in the end: %+v, %v", s, err)
			}
		}
		if got := alarms(); got != "" {
			t.Errorf("alarms of what has ended: %q", got)
		}
	})
}
