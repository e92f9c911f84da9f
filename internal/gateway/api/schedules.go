package api

import (
	"context"
	"net/http"
	"time"

	"tributary/client"
	"tributary/internal/policy"
	"tributary/internal/schedule"
)

// scheduleRoutes are schedules and what they did. Their audit entries are written
// by package schedule.
func (s *server) scheduleRoutes() {
	add(s, route{method: http.MethodPost, path: "/schedules", id: "create-schedule", summary: "Have analyses run by the clock", thing: "schedule",
		action: policy.ScheduleCreate, audience: staff, audit: "schedule.create", status: http.StatusCreated}, s.createSchedule)
	add(s, route{method: http.MethodGet, path: "/schedules", id: "list-schedules", summary: "List schedules by name, with their next times", thing: "schedule",
		action: policy.ScheduleRead, audience: staff}, s.schedules)
	add(s, route{method: http.MethodGet, path: "/schedule-times", id: "preview-schedule", summary: "When a schedule would fire next, before there is one", thing: "schedule",
		action: policy.ScheduleRead, audience: staff}, s.previewSchedule)
	add(s, route{method: http.MethodGet, path: "/schedules/{id}", id: "show-schedule", summary: "Show a schedule and its next five times", thing: "schedule",
		action: policy.ScheduleRead, audience: staff}, s.schedule)
	add(s, route{method: http.MethodPatch, path: "/schedules/{id}", id: "update-schedule", summary: "Change a schedule", thing: "schedule",
		action: policy.ScheduleUpdate, audience: staff, audit: "schedule.update"}, s.updateSchedule)
	add(s, route{method: http.MethodDelete, path: "/schedules/{id}", id: "delete-schedule", summary: "Delete a schedule with its history; its runs stay", thing: "schedule",
		action: policy.ScheduleDelete, audience: staff, audit: "schedule.delete", status: http.StatusOK}, s.deleteSchedule)
	add(s, route{method: http.MethodPost, path: "/schedules/{id}/pause", id: "pause-schedule", summary: "Keep a schedule from firing", thing: "schedule",
		action: policy.SchedulePause, audience: staff, audit: "schedule.pause"}, s.pauseSchedule)
	add(s, route{method: http.MethodPost, path: "/schedules/{id}/resume", id: "resume-schedule", summary: "Let a paused schedule fire again, from its next time on", thing: "schedule",
		action: policy.ScheduleResume, audience: staff, audit: "schedule.resume"}, s.resumeSchedule)
	add(s, route{method: http.MethodGet, path: "/schedules/{id}/firings", id: "list-firings", summary: "What a schedule did, the newest first: the runs that it started, or why none", thing: "schedule",
		action: policy.ScheduleRead, audience: staff}, s.firings)
}

// shownTimes is how many of a schedule's next times are shown.
const shownTimes = 5

func scheduleWord(n schedule.Schedule) client.Schedule {
	w := client.Schedule{ID: n.Name, Analyses: n.Analyses, Cron: n.Cron, Zone: n.Zone, Dates: "closed", DateOffsetDays: n.DateOffset,
		State: string(n.State), Next: []client.NextTime{}, LastAt: n.LastAt,
		Made: client.Made{CreatedAt: n.CreatedAt, CreatedBy: n.CreatedBy, ModifiedAt: n.ModifiedAt, ModifiedBy: n.ModifiedBy, TimesModified: n.TimesModified}}
	if n.DateOffset != nil {
		w.Dates = "offset"
	}
	for _, at := range n.Upcoming(shownTimes) {
		w.Next = append(w.Next, client.NextTime{At: at, Local: n.Local(at)})
	}
	return w
}

func firingWord(f schedule.Firing) client.Firing {
	w := client.Firing{ID: f.At.Format(time.RFC3339Nano) + " " + f.Cause, At: f.At, Cause: f.Cause, FiredAt: f.FiredAt, Note: f.Note, Runs: []client.StartedRun{}}
	for _, r := range f.Runs {
		w.Runs = append(w.Runs, client.StartedRun{ID: r.Run, Analysis: r.Analysis, Date: r.Date, State: string(r.State), Reason: r.Reason})
	}
	return w
}

func (s *server) createSchedule(ctx context.Context, c *call, i *in[client.NewSchedule]) (*out[client.Schedule], error) {
	b := i.Body
	made, err := s.Schedules.Create(ctx, c.by(), schedule.NewSchedule{Name: b.ID, Analyses: b.Analyses, Cron: b.Cron, Zone: b.Zone, DateOffset: b.DateOffsetDays})
	return answerWith(made, err, scheduleWord)
}

func (s *server) schedules(ctx context.Context, _ *call, i *Paging) (*list[client.Schedule], error) {
	found, next, err := s.Schedules.Schedules(ctx, i.meta())
	if err != nil {
		return nil, err
	}
	return each(found, next, scheduleWord), nil
}

func (s *server) schedule(ctx context.Context, _ *call, i *ByID) (*out[client.Schedule], error) {
	found, err := s.Schedules.Schedule(ctx, i.ID)
	return answerWith(found, err, scheduleWord)
}

type timing struct {
	Cron string `query:"cron" required:"true" maxLength:"200" doc:"As in a schedule"`
	Zone string `query:"zone" maxLength:"100" doc:"As in a schedule"`
}

func (s *server) previewSchedule(_ context.Context, _ *call, i *timing) (*out[client.ScheduleTimes], error) {
	read, err := schedule.ParseTiming(i.Cron, i.Zone)
	return answerWith(read, err, func(t schedule.Timing) client.ScheduleTimes {
		w := client.ScheduleTimes{Cron: t.Cron, Zone: t.Zone, Next: []client.NextTime{}}
		for _, at := range t.From(s.Clock.Now(), shownTimes) {
			w.Next = append(w.Next, client.NextTime{At: at, Local: t.Local(at)})
		}
		return w
	})
}

type scheduleChange struct {
	ByID
	Body client.ScheduleChange
}

func (s *server) updateSchedule(ctx context.Context, c *call, i *scheduleChange) (*out[client.Schedule], error) {
	b := i.Body
	changed, err := s.Schedules.Update(ctx, c.by(), i.ID, schedule.Change{Analyses: b.Analyses, Cron: b.Cron, Zone: b.Zone, DateOffset: b.DateOffsetDays, Closed: b.Closed})
	return answerWith(changed, err, scheduleWord)
}

func (s *server) deleteSchedule(ctx context.Context, c *call, i *ByID) (*out[client.Schedule], error) {
	deleted, err := s.Schedules.Delete(ctx, c.by(), i.ID)
	if err == nil {
		deleted.NextAt = nil
	}
	return answerWith(deleted, err, scheduleWord)
}

func (s *server) pauseSchedule(ctx context.Context, c *call, i *ByID) (*out[client.Schedule], error) {
	changed, err := s.Schedules.Pause(ctx, c.by(), i.ID)
	return answerWith(changed, err, scheduleWord)
}

func (s *server) resumeSchedule(ctx context.Context, c *call, i *ByID) (*out[client.Schedule], error) {
	changed, err := s.Schedules.Resume(ctx, c.by(), i.ID)
	return answerWith(changed, err, scheduleWord)
}

type firingList struct {
	ByID
	Paging
}

func (s *server) firings(ctx context.Context, _ *call, i *firingList) (*list[client.Firing], error) {
	found, next, err := s.Schedules.Firings(ctx, i.ID, i.meta())
	if err != nil {
		return nil, err
	}
	return each(found, next, firingWord), nil
}
