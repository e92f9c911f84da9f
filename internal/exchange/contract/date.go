package contract

import (
	"fmt"
	"time"
	_ "time/tzdata" // zones of due times must work in a container that has no files

	"tributary/internal/fault"
)

// Date is a day: the number of days since 1970-01-01. It has no zone.
type Date int32

var isoDate = func() Layout {
	l, err := NewLayout(DateType, ISODate)
	if err != nil {
		panic(err)
	}
	return l
}()

// ParseDate reads YYYY-MM-DD.
func ParseDate(s string) (Date, error) {
	if d, ok := isoDate.Date([]byte(s)); ok {
		return d, nil
	}
	return 0, fault.New(fault.Invalid, "%.64q is not a date. Write it as YYYY-MM-DD, for example 2024-02-29.", s)
}

// DateOf returns the day that t is on in its own location.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// Time returns the start of the day in UTC.
func (d Date) Time() time.Time { return time.Unix(int64(d)*86400, 0).UTC() }

// Valid reports whether the day is in the years 1 to 9999.
func (d Date) Valid() bool { return d >= firstDate && d <= lastDate }

var (
	firstDate = Date(minMicros / 86400e6)
	lastDate  = DateOf(time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC))
)

func (d Date) String() string { return d.Time().Format(time.DateOnly) }

// MarshalText writes YYYY-MM-DD.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is ParseDate.
func (d *Date) UnmarshalText(b []byte) (err error) {
	*d, err = ParseDate(string(b))
	return err
}

// civil returns the day of a date in the proleptic Gregorian calendar; false
// if there is none or its year is not 1 to 9999.
func civil(year, month, day int) (Date, bool) {
	if year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return 0, false
	}
	// Years that begin in March put the leap day last, so that months have a
	// fixed offset; eras of 400 years all have 146,097 days.
	y, m := year, month-3
	if m < 0 {
		y, m = y-1, m+12
	}
	era, inEra := y/400, y%400
	inYear := (153*m+2)/5 + day - 1
	return Date(era*146097 + inEra*365 + inEra/4 - inEra/100 + inYear - 719468), true
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// Cadence is how often a dataset is submitted.
type Cadence string

// The cadences.
const (
	Daily     Cadence = "daily"
	Weekly    Cadence = "weekly" // from Monday
	Monthly   Cadence = "monthly"
	Quarterly Cadence = "quarterly"
	Yearly    Cadence = "yearly"
	Irregular Cadence = "none" // each business date stands for itself
)

// Period is the span of days that one submission covers, both ends included.
type Period struct{ Start, End Date }

// Period returns the period of this cadence that a day is in.
func (c Cadence) Period(d Date) Period {
	y, m, _ := d.Time().Date()
	span := func(first time.Month, months int) Period {
		return Period{
			DateOf(time.Date(y, first, 1, 0, 0, 0, 0, time.UTC)),
			DateOf(time.Date(y, first+time.Month(months), 0, 0, 0, 0, 0, time.UTC)),
		}
	}
	switch c {
	case Weekly:
		monday := d - Date((d.Time().Weekday()+6)%7)
		return Period{monday, monday + 6}
	case Monthly:
		return span(m, 1)
	case Quarterly:
		return span((m-1)/3*3+1, 3)
	case Yearly:
		return span(1, 12)
	}
	return Period{d, d}
}

// Label names the period that a day is in: 2024-02-29, 2024-W09, 2024-02,
// 2024-Q1 or 2024.
func (c Cadence) Label(d Date) string {
	t := d.Time()
	switch c {
	case Weekly:
		y, w := t.ISOWeek()
		return fmt.Sprintf("%04d-W%02d", y, w)
	case Monthly:
		return t.Format("2006-01")
	case Quarterly:
		return fmt.Sprintf("%04d-Q%d", t.Year(), (t.Month()-1)/3+1)
	case Yearly:
		return t.Format("2006")
	}
	return d.String()
}

// Due is when a submission is due: on the given day after the last day of its
// period, at a time of day in a zone; and how long after that scheduled runs wait.
type Due struct {
	AfterDays int    `json:"after_days"`
	At        string `json:"at"`              // HH:mm
	Zone      string `json:"zone"`            // IANA name
	Grace     string `json:"grace,omitempty"` // from due to the cut-off: 90m, 6h or 2d; empty: none

	minutes   int
	zone      *time.Location
	graceDays int           // by the calendar of the zone
	grace     time.Duration // by the clock
}

// DueAt returns when the submission for a business date is due, in UTC; false
// if the dataset has no due time. Where clocks are set back, the later of the
// two moments counts; where they skip the time, the one after the gap.
func (d *Dataset) DueAt(business Date) (time.Time, bool) {
	if d.Due == nil {
		return time.Time{}, false
	}
	return d.dueAfter(business, 0), true
}

func (d *Dataset) dueAfter(business Date, days int) time.Time {
	day := d.Cadence.Period(business).End + Date(d.Due.AfterDays+days)
	return latest(int64(day)*86400+int64(d.Due.minutes)*60, d.Due.zone)
}

// CutOff returns until when what arrives for a business date counts in scheduled
// runs, in UTC: when it is due, and the grace after that. A grace in days ends at
// the time of day at which the submission was due. It is false if the dataset has
// no due time.
func (d *Dataset) CutOff(business Date) (time.Time, bool) {
	if d.Due == nil {
		return time.Time{}, false
	}
	return d.dueAfter(business, d.Due.graceDays).Add(d.Due.grace), true
}

// Late reports whether a submission that arrived at t for a business date came
// after it was due.
func (d *Dataset) Late(business Date, t time.Time) bool {
	due, ok := d.DueAt(business)
	return ok && t.After(due)
}

// latest returns the last moment at which a clock in the zone shows wall, in
// seconds since 1970 as if the clock were in UTC.
func latest(wall int64, zone *time.Location) time.Time {
	var best, fallback time.Time
	for _, near := range []int64{-86400, 86400} { // the offsets before and after any change
		_, east := time.Unix(wall+near, 0).In(zone).Zone()
		t := time.Unix(wall-int64(east), 0).UTC()
		if fallback.IsZero() { // by the clock as it was before the gap
			fallback = t
		}
		if _, shown := t.In(zone).Zone(); shown == east && (t.After(best) || best.IsZero()) {
			best = t
		}
	}
	if best.IsZero() {
		return fallback
	}
	return best
}
