package client

import (
	"context"
	"net/http"
)

// CreateSchedule makes a schedule, which is active at once.
func (c *Client) CreateSchedule(ctx context.Context, n NewSchedule) (Schedule, error) {
	return post[Schedule](ctx, c, "/schedules", n)
}

// Schedules lists a page of schedules by name.
func (c *Client) Schedules(ctx context.Context, p Page) (List[Schedule], error) {
	return get[List[Schedule]](ctx, c, "/schedules", p.values())
}

// Schedule finds a schedule, with its next times.
func (c *Client) Schedule(ctx context.Context, name string) (Schedule, error) {
	return get[Schedule](ctx, c, "/schedules/"+id(name), nil)
}

// PreviewSchedule tells when a schedule of a cron expression in a zone (empty: UTC)
// would fire next, without making one.
func (c *Client) PreviewSchedule(ctx context.Context, cron, zone string) (ScheduleTimes, error) {
	return get[ScheduleTimes](ctx, c, "/schedule-times", params{}.text("cron", cron).text("zone", zone))
}

// UpdateSchedule changes what is not nil in change.
func (c *Client) UpdateSchedule(ctx context.Context, name string, change ScheduleChange) (Schedule, error) {
	return send[Schedule](ctx, c, request{method: http.MethodPatch, path: "/schedules/" + id(name)}, change)
}

// PauseSchedule keeps a schedule from firing.
func (c *Client) PauseSchedule(ctx context.Context, name string) (Schedule, error) {
	return post[Schedule](ctx, c, "/schedules/"+id(name)+"/pause", struct{}{})
}

// ResumeSchedule lets a paused schedule fire again, from its next time on.
func (c *Client) ResumeSchedule(ctx context.Context, name string) (Schedule, error) {
	return post[Schedule](ctx, c, "/schedules/"+id(name)+"/resume", struct{}{})
}

// DeleteSchedule removes a schedule with its history, and returns what it was.
func (c *Client) DeleteSchedule(ctx context.Context, name string) (Schedule, error) {
	return call[Schedule](ctx, c, request{method: http.MethodDelete, path: "/schedules/" + id(name)})
}

// FiringFilter names the schedule whose firings are listed.
type FiringFilter struct {
	Page
	Schedule string
}

func (f FiringFilter) from(cursor string) FiringFilter { f.After = cursor; return f }
func (f FiringFilter) limited(n int) FiringFilter      { f.Page = f.Page.limited(n); return f }

// Firings lists a page of what a schedule did, the newest first.
func (c *Client) Firings(ctx context.Context, f FiringFilter) (List[Firing], error) {
	return get[List[Firing]](ctx, c, "/schedules/"+id(f.Schedule)+"/firings", f.values())
}
