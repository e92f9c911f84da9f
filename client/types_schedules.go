package client

import "time"

// NewSchedule asks for a schedule.
type NewSchedule struct {
	ID             string   `json:"id" doc:"Its name: 1 to 63 lower-case letters, digits, - and _"`
	Analyses       []string `json:"analyses" minItems:"1" maxItems:"100"`
	Cron           string   `json:"cron" maxLength:"200" doc:"Five fields (minute, hour, day of the month, month, day of the week), or @hourly, @daily, @weekly, @monthly, @yearly" example:"30 6 * * 1"`
	Zone           string   `json:"zone,omitempty" doc:"IANA name of the time zone; UTC if absent" example:"Europe/Zurich"`
	DateOffsetDays *int64   `json:"date_offset_days,omitempty" doc:"The business date is the day of the firing in the zone, less so many days. Absent: each period whose cut-off has passed and that the schedule has not run yet"`
}

// ScheduleChange says what of a schedule is to be otherwise; what is nil stays.
type ScheduleChange struct {
	Analyses       []string `json:"analyses,omitempty" maxItems:"100"`
	Cron           *string  `json:"cron,omitempty" maxLength:"200"`
	Zone           *string  `json:"zone,omitempty"`
	DateOffsetDays *int64   `json:"date_offset_days,omitempty"`
	Closed         bool     `json:"closed,omitempty" doc:"Run the periods that have closed, in place of a date offset"`
}

// Schedule is when analyses run by themselves.
type Schedule struct {
	ID             string     `json:"id"`
	Analyses       []string   `json:"analyses"`
	Cron           string     `json:"cron"`
	Zone           string     `json:"zone"`
	Dates          string     `json:"dates" enum:"closed,offset" doc:"closed: each period whose cut-off has passed and that was not run yet"`
	DateOffsetDays *int64     `json:"date_offset_days,omitempty"`
	State          string     `json:"state" enum:"active,paused"`
	Next           []NextTime `json:"next" doc:"The next five times; none while it is paused"`
	LastAt         *time.Time `json:"last_at,omitempty" doc:"The last time that was dealt with: none up to it fires again"`
	Made
}

// ScheduleTimes are the next five times at which a schedule of this timing would fire.
type ScheduleTimes struct {
	Cron string     `json:"cron"`
	Zone string     `json:"zone"`
	Next []NextTime `json:"next"`
}

// NextTime is a time at which a schedule will fire.
type NextTime struct {
	At    time.Time `json:"at"`
	Local time.Time `json:"local" doc:"The same as clocks in the zone show it"`
}

// Firing is a time at which a schedule fired, or the end of a reopening after which
// it ran a period once more.
type Firing struct {
	ID      string       `json:"id"`
	At      time.Time    `json:"at" doc:"When it was to fire"`
	Cause   string       `json:"cause" doc:"cron, or the id of a reopening"`
	FiredAt time.Time    `json:"fired_at"`
	Note    string       `json:"note,omitempty" doc:"Why there is no run, or what was left out"`
	Runs    []StartedRun `json:"runs"`
}

// StartedRun is a run that a firing started, as it is now.
type StartedRun struct {
	ID       string `json:"id"`
	Analysis string `json:"analysis"`
	Date     string `json:"date"`
	State    string `json:"state,omitempty"`
	Reason   string `json:"reason,omitempty"`
}
