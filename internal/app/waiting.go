package app

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"tributary/internal/job"
	"tributary/internal/meta"
	"tributary/internal/notify"
)

// kindsOfWork are the kinds of jobs that can wait for keys, in words.
var kindsOfWork = map[string]string{"run": "runs", "validate": "validations"}

// raiseAlarms tells of work that has waited too long for keys that cannot be
// reached: in the log, and by a notice.
func (a *App) raiseAlarms(ctx context.Context) error {
	alarms, err := a.stores.jobs.Alarms(ctx, func(tx *meta.DB, list []job.Alarm) error {
		first := list[0]
		for _, x := range list {
			if x.Since.Before(first.Since) {
				first = x
			}
		}
		return a.stores.notices.Add(ctx, tx, notify.Notice{Kind: notify.WorkWaits, Subject: first.Subject,
			Detail: fmt.Sprintf("%s cannot be reached since %s", first.For, first.Since.Format(time.RFC3339))})
	})
	for _, x := range alarms {
		a.cfg.Log.ErrorContext(ctx, "ALARM: work waits for what cannot be reached", "for", x.For, "since", x.Since, "kind", x.Kind, "subject", x.Subject,
			"tenant.id", string(x.Tenant), "job", x.Job)
	}
	return err
}

// warnings are what an operator should see to while the server works.
func (a *App) warnings(ctx context.Context) []string {
	list := a.stores.warnings(ctx)
	if held := a.cfg.hold().warning(); held != "" {
		list = append(list, held)
	}
	list = append(list, a.schedules.Warnings(ctx)...)
	list = append(list, a.archive.Warnings(ctx)...)
	waiting, err := a.stores.jobs.UnscopedWaiting(ctx)
	if err != nil { // for Ready to find
		return list
	}
	for _, w := range waiting {
		kind := kindsOfWork[w.Kind]
		if kind == "" {
			kind = w.Kind
		}
		list = append(list, fmt.Sprintf("%s cannot be reached: %d %s wait, the longest since %s", w.For, w.Count, kind, w.Since.Format(time.RFC3339)))
	}
	return list
}

// measureWaiting makes the figure of jobs that wait for keys.
func (a *App) measureWaiting() error {
	_, err := a.telemetry.meter.Int64ObservableGauge("tributary.jobs.waiting", metric.WithDescription("Jobs that wait for something that cannot be reached"),
		metric.WithInt64Callback(func(ctx context.Context, o metric.Int64Observer) error {
			counts := map[[2]string]int64{}
			for kind := range kindsOfWork {
				counts[[2]string{kind, "keys"}] = 0
			}
			list, err := a.stores.jobs.UnscopedWaiting(ctx)
			if err != nil {
				return err
			}
			for _, w := range list {
				counts[[2]string{w.Kind, w.For}] = w.Count
			}
			for what, n := range counts {
				o.Observe(n, metric.WithAttributes(attribute.String("kind", what[0]), attribute.String("for", what[1])))
			}
			return nil
		}))
	if err != nil {
		return fmt.Errorf("measure waiting jobs: %w", err)
	}
	return nil
}
