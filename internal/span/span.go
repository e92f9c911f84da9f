// Package span resolves what reports are about: a range of days in a zone, cut into
// days or months. It is done once, on the server, so that every figure and every
// picture of a report means the same time.
package span

import (
	"slices"
	"time"

	"tributary/internal/fault"
)

// Query is what somebody asks for; empty fields have defaults.
type Query struct {
	From string // first day, YYYY-MM-DD; empty: 29 days before To
	To   string // last day; empty: today
	Zone string // IANA name; empty: UTC
	Each string // day or month; empty: day, of more than 93 days month
}

// Span is a range and its buckets, in order and without gaps.
type Span struct {
	From, To time.Time // To is the moment after
	Zone     string
	Each     string
	Buckets  []Bucket
}

// Bucket is a day or a month in the zone, as far as it is in the range.
type Bucket struct {
	From, To time.Time
	Label    string // 2026-03-01, or 2026-03
	Partial  bool   // it is cut by the range, or is not over
}

// The units.
const (
	Day   = "day"
	Month = "month"
)

const (
	usual      = 30  // days
	manyDays   = 93  // more than which are shown by month
	maxBuckets = 400 // of one report
)

// Resolve says which time is meant. The fault is Invalid for what is no range.
func Resolve(now time.Time, q Query) (Span, error) {
	s := Span{Zone: q.Zone, Each: q.Each}
	if s.Zone == "" {
		s.Zone = "UTC"
	}
	zone, err := time.LoadLocation(s.Zone)
	if err != nil || s.Zone == "Local" {
		return s, fault.New(fault.Invalid, "There is no time zone %q; name one such as Europe/Berlin.", q.Zone)
	}
	last, err := day(q.To, now.In(zone))
	if err != nil {
		return s, err
	}
	first, err := day(q.From, last.AddDate(0, 0, 1-usual))
	if err != nil {
		return s, err
	}
	s.From, s.To = begin(first, zone), begin(last.AddDate(0, 0, 1), zone)
	if last.Before(first) {
		return s, fault.New(fault.Invalid, "The range ends on %s, before it begins on %s.", last.Format(time.DateOnly), first.Format(time.DateOnly))
	}
	switch {
	case s.Each == "" && s.From.AddDate(0, 0, manyDays).Before(s.To):
		s.Each = Month
	case s.Each == "":
		s.Each = Day
	case s.Each != Day && s.Each != Month:
		return s, fault.New(fault.Invalid, "Reports are by day or by month, not by %q.", s.Each)
	}
	for from := s.From; from.Before(s.To); {
		b := s.bucket(from, now)
		if s.Buckets = append(s.Buckets, b); len(s.Buckets) > maxBuckets {
			return s, fault.New(fault.Invalid, "That are more than %d buckets. Ask for a shorter range, or by month.", maxBuckets)
		}
		from = b.To.In(zone)
	}
	s.From, s.To = s.From.UTC(), s.To.UTC()
	return s, nil
}

// Bucket is the number of the bucket that a moment of the span is in, from 0.
func (s Span) Bucket(at time.Time) int64 {
	n, found := slices.BinarySearchFunc(s.Buckets, at, func(b Bucket, at time.Time) int { return b.From.Compare(at) })
	if !found {
		n--
	}
	return int64(n)
}

// bucket is the one that begins at a moment in the zone, or is cut there.
func (s Span) bucket(from, now time.Time) Bucket {
	y, m, d := from.Date()
	whole, end, label := from, begin(date(y, m, d+1), from.Location()), time.DateOnly
	if s.Each == Month {
		whole, end, label = begin(date(y, m, 1), from.Location()), begin(date(y, m+1, 1), from.Location()), "2006-01"
	}
	b := Bucket{From: from.UTC(), To: end.UTC(), Label: from.Format(label), Partial: whole.Before(from) || end.After(now)}
	if end.After(s.To) {
		b.To, b.Partial = s.To.UTC(), true
	}
	return b
}

// date is a day as such: midnight in UTC.
func date(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }

// day reads a date; without one it is that of another moment.
func day(text string, other time.Time) (time.Time, error) {
	if text == "" {
		return date(other.Date()), nil
	}
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return t, fault.New(fault.Invalid, "%q is not a day such as 2026-03-31.", text)
	}
	return t, nil
}

// begin is the first moment of a day in a zone. Where the clocks are put forward at
// midnight that is later than midnight, of which time.Date gives the day before.
func begin(day time.Time, zone *time.Location) time.Time {
	y, m, d := day.Date()
	t := time.Date(y, m, d, 0, 0, 0, 0, zone)
	for date(t.Date()).Before(day) {
		t = t.Add(15 * time.Minute)
	}
	return t
}
