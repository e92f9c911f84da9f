package main

import (
	"context"
	"fmt"
	"strings"

	"tributary/client"
)

type scheduleCmd struct {
	Create  scheduleCreateCmd  `cmd:"" help:"Have analyses run by the clock."`
	List    scheduleListCmd    `cmd:"" help:"List schedules by name."`
	Show    scheduleShowCmd    `cmd:"" help:"Show a schedule and its next times."`
	Next    scheduleNextCmd    `cmd:"" help:"Print a schedule's next five times."`
	Preview schedulePreviewCmd `cmd:"" help:"Print when a schedule would fire next, without making one."`
	Firings scheduleFiringsCmd `cmd:"" help:"List what a schedule did, the newest first: the runs that it started, or why none."`
	Update  scheduleUpdateCmd  `cmd:"" help:"Change a schedule."`
	Pause   schedulePauseCmd   `cmd:"" help:"Keep a schedule from firing."`
	Resume  scheduleResumeCmd  `cmd:"" help:"Let a paused schedule fire again, from its next time on."`
	Delete  scheduleDeleteCmd  `cmd:"" help:"Delete a schedule with its history; its runs stay."`
}

// local prints a time as the clocks of its zone show it.
func local(n client.NextTime) string { return n.Local.Format("Mon 2006-01-02 15:04 -07:00") }

// dates says which business dates a schedule is for.
func dates(x client.Schedule) string {
	if x.DateOffsetDays == nil {
		return "periods that have closed"
	}
	return fmt.Sprintf("%d days before", *x.DateOffsetDays)
}

func next(x client.Schedule) string {
	if len(x.Next) == 0 {
		return ""
	}
	return local(x.Next[0])
}

var nextColumns = columns[client.NextTime]{
	[]string{"AT", "LOCAL"},
	func(n client.NextTime) []string { return []string{when(n.At), local(n)} },
}

func (o *output) schedule(x client.Schedule) {
	o.fields("id", x.ID, "analyses", strings.Join(x.Analyses, " "), "cron", x.Cron, "zone", x.Zone, "dates", dates(x), "state", x.State,
		"last_at", whenever(x.LastAt), "created_at", when(x.CreatedAt), "created_by", x.CreatedBy, "modified_at", when(x.ModifiedAt), "modified_by", x.ModifiedBy)
	if len(x.Next) == 0 {
		return
	}
	fmt.Fprintln(o.stdout)
	o.table(nextColumns.header, rows(x.Next, nextColumns))
}

type scheduleCreateCmd struct {
	scheduleArg
	Analysis       []string `required:"" placeholder:"NAME" sep:"none" help:"An analysis to run; repeatable."`
	Cron           string   `required:"" placeholder:"EXPR" help:"Five fields in one argument: minute, hour, day of the month, month, day of the week; or @hourly, @daily, @weekly, @monthly, @yearly."`
	Zone           string   `default:"UTC" placeholder:"ZONE" help:"Whose clocks the fields are about, such as Europe/Zurich."`
	DateOffsetDays *int64   `name:"date-offset-days" placeholder:"N" help:"Run for the day of the firing in that zone, less so many days; if not said, for each period whose cut-off has passed and that the schedule has not run yet."`
}

// scheduleArg is a schedule that is named.
type scheduleArg struct {
	Name string `arg:"" help:"The schedule's name."`
}

// Run makes a schedule.
func (s *scheduleCreateCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	made, err := c.CreateSchedule(ctx, client.NewSchedule{ID: s.Name, Analyses: s.Analysis, Cron: s.Cron, Zone: s.Zone, DateOffsetDays: s.DateOffsetDays})
	return out.answerSchedule(made, err)
}

func (o *output) answerSchedule(x client.Schedule, err error) error {
	if err != nil {
		return err
	}
	return o.answer(func() { o.schedule(x) })
}

type scheduleListCmd struct{ listFlags }

// Run lists schedules.
func (s *scheduleListCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	return printList(ctx, out, s.listFlags, c.Schedules, s.page(), columns[client.Schedule]{
		[]string{"ID", "ANALYSES", "CRON", "ZONE", "DATES", "STATE", "NEXT"},
		func(x client.Schedule) []string {
			return []string{x.ID, strings.Join(x.Analyses, " "), x.Cron, x.Zone, dates(x), x.State, next(x)}
		},
	})
}

type scheduleShowCmd struct{ scheduleArg }

// Run shows a schedule.
func (s *scheduleShowCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	found, err := c.Schedule(ctx, s.Name)
	return out.answerSchedule(found, err)
}

type scheduleNextCmd struct{ scheduleArg }

// Run prints a schedule's next times; with --json the schedule.
func (s *scheduleNextCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	found, err := c.Schedule(ctx, s.Name)
	if err != nil {
		return err
	}
	return out.answer(func() { out.table(nextColumns.header, rows(found.Next, nextColumns)) })
}

type schedulePreviewCmd struct {
	Cron string `arg:"" help:"Five fields in one argument, or a name such as @monthly, as schedule create takes them."`
	Zone string `default:"UTC" placeholder:"ZONE" help:"Whose clocks the fields are about."`
}

// Run prints when a schedule would fire.
func (s *schedulePreviewCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	found, err := c.PreviewSchedule(ctx, s.Cron, s.Zone)
	if err != nil {
		return err
	}
	return out.answer(func() { out.table(nextColumns.header, rows(found.Next, nextColumns)) })
}

type scheduleFiringsCmd struct {
	scheduleArg
	listFlags
}

// Run lists what a schedule did.
func (s *scheduleFiringsCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	return printList(ctx, out, s.listFlags, c.Firings, client.FiringFilter{Page: s.page(), Schedule: s.Name}, columns[client.Firing]{
		[]string{"AT", "CAUSE", "FIRED", "RUNS", "NOTE"},
		func(f client.Firing) []string {
			var runs []string
			for _, r := range f.Runs {
				runs = append(runs, fmt.Sprintf("%s %s for %s: %s", r.ID, r.Analysis, r.Date, r.State))
			}
			return []string{when(f.At), f.Cause, when(f.FiredAt), strings.Join(runs, ", "), f.Note}
		},
	})
}

type scheduleUpdateCmd struct {
	scheduleArg
	Analysis       []string `placeholder:"NAME" sep:"none" help:"In place of all its analyses; repeatable."`
	Cron           *string  `placeholder:"EXPR" help:"When it fires."`
	Zone           *string  `placeholder:"ZONE" help:"Whose clocks that is about."`
	DateOffsetDays *int64   `name:"date-offset-days" placeholder:"N" xor:"dates" help:"Run for the day of the firing, less so many days."`
	Closed         bool     `xor:"dates" help:"Run for each period that has closed and was not run yet."`
}

// Run changes a schedule.
func (s *scheduleUpdateCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	if len(s.Analysis) == 0 && s.Cron == nil && s.Zone == nil && s.DateOffsetDays == nil && !s.Closed {
		return usage("there is nothing to change: name at least one flag")
	}
	changed, err := c.UpdateSchedule(ctx, s.Name, client.ScheduleChange{Analyses: s.Analysis, Cron: s.Cron, Zone: s.Zone, DateOffsetDays: s.DateOffsetDays, Closed: s.Closed})
	return out.answerSchedule(changed, err)
}

type schedulePauseCmd struct{ scheduleArg }

// Run pauses a schedule.
func (s *schedulePauseCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	changed, err := c.PauseSchedule(ctx, s.Name)
	return out.answerSchedule(changed, err)
}

type scheduleResumeCmd struct{ scheduleArg }

// Run resumes a schedule.
func (s *scheduleResumeCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	changed, err := c.ResumeSchedule(ctx, s.Name)
	return out.answerSchedule(changed, err)
}

type scheduleDeleteCmd struct{ scheduleArg }

// Run deletes a schedule.
func (s *scheduleDeleteCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	deleted, err := c.DeleteSchedule(ctx, s.Name)
	return out.answerSchedule(deleted, err)
}
