package schedule

import (
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"tributary/internal/fault"
)

// Timing is when a schedule fires: a cron expression in a time zone.
//
// Where clocks are set forward or back it keeps cron's own rule. An expression
// that names hours and minutes fires once for each of them: one that the clocks
// skip, at the moment they are set forward; one that they show twice, the first
// time. An expression with a * as its minute or hour says how often, not when, and
// goes by what the clocks show: nothing in the skipped hour, twice in the repeated
// one.
type Timing struct {
	Cron, Zone string

	spec  *cron.SpecSchedule // read with clocks that are never changed
	zone  *time.Location
	often bool // there is a * in minute or hour
}

// descriptors are the names that stand for expressions.
var descriptors = map[string]string{
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
	"@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}

const maxExpression = 200

// ParseTiming reads a cron expression of five fields, or a descriptor such as
// @monthly, and the IANA name of a time zone; an empty one is UTC.
func ParseTiming(expression, zone string) (Timing, error) {
	t := Timing{Cron: strings.Join(strings.Fields(expression), " "), Zone: zone}
	if t.Zone == "" {
		t.Zone = "UTC"
	}
	var err error
	if t.zone, err = time.LoadLocation(t.Zone); err != nil || t.Zone == "Local" {
		return t, fault.New(fault.Invalid, "%.64q is not a time zone. Write an IANA name such as Europe/Zurich, or UTC.", zone)
	}
	fields := t.Cron
	if strings.HasPrefix(fields, "@") {
		if fields = descriptors[strings.ToLower(fields)]; fields == "" {
			return t, fault.New(fault.Invalid, "%.64q is not known. Write five fields, or @hourly, @daily, @weekly, @monthly or @yearly.", expression)
		}
	}
	parts := strings.Fields(fields)
	if len(parts) != 5 || len(fields) > maxExpression {
		return t, fault.New(fault.Invalid, `%.64q is not a cron expression. Write five fields: minute, hour, day of the month, month, day of the week, such as "30 6 * * 1" for Mondays at 6:30.`, expression)
	}
	parsed, err := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(fields)
	if err != nil {
		return t, fault.New(fault.Invalid, "%.64q is not a cron expression: %s. Its five fields are minute (0-59), hour (0-23), day of the month (1-31), month (1-12) and day of the week (0-6, 0 is Sunday).", expression, err)
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return t, fault.New(fault.Invalid, "%.64q is not a cron expression of five fields.", expression)
	}
	spec.Location = time.UTC
	t.spec, t.often = spec, strings.ContainsAny(parts[0]+parts[1], "*?")
	if spec.Next(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return t, fault.New(fault.Invalid, "%.64q never comes: there is no such day.", expression)
	}
	return t, nil
}

// Local is a moment as the clocks of the zone show it.
func (t Timing) Local(at time.Time) time.Time { return at.In(t.zone) }

// Next returns the first moment after another, in UTC, at which the schedule
// fires; the zero time if there is none within the next years.
func (t Timing) Next(after time.Time) time.Time {
	if t.often {
		return t.nextOften(after)
	}
	for wall := t.wall(after); ; {
		if wall = t.spec.Next(wall); wall.IsZero() {
			return wall
		}
		if at := t.first(wall); at.After(after) {
			return at
		}
	}
}

// wall is what clocks in the zone show, as a time in UTC.
func (t Timing) wall(at time.Time) time.Time {
	_, east := at.In(t.zone).Zone()
	return at.UTC().Add(time.Duration(east) * time.Second)
}

// first returns the first moment at which clocks in the zone show wall, or, where
// they never do, the one at which they are set forward past it.
func (t Timing) first(wall time.Time) time.Time {
	at := func(near time.Duration) (moment time.Time, shown bool) {
		_, east := wall.Add(near).In(t.zone).Zone()
		moment = wall.Add(-time.Duration(east) * time.Second)
		_, then := moment.In(t.zone).Zone()
		return moment, then == east
	}
	before, shownBefore := at(-24 * time.Hour)
	after, shownAfter := at(24 * time.Hour)
	switch {
	case shownBefore && (!shownAfter || before.Before(after)):
		return before
	case shownAfter:
		return after
	}
	forward, _ := before.In(t.zone).ZoneBounds()
	return forward.UTC()
}

// nextOften looks in each span of time in which the zone's clocks are not changed.
func (t Timing) nextOften(after time.Time) time.Time {
	local := after.In(t.zone)
	shift := t.wall(after).Sub(after)
	for wall := t.spec.Next(after.UTC().Add(shift)); !wall.IsZero(); {
		at := wall.Add(-shift)
		_, end := local.ZoneBounds()
		if end.IsZero() || at.Before(end) {
			return at
		}
		local = end.In(t.zone)
		shift = t.wall(end).Sub(end)
		wall = t.spec.Next(end.UTC().Add(shift - time.Second)) // the span's first moment too
	}
	return time.Time{}
}

// From returns the first moments after another at which the schedule fires, at most n.
func (t Timing) From(after time.Time, n int) []time.Time {
	var list []time.Time
	for at := t.Next(after); len(list) < n && !at.IsZero(); at = t.Next(at) {
		list = append(list, at)
	}
	return list
}

// upTo returns the last moments at which the schedule fires, from one of them on
// and not after another, in order, at most some. It reports whether it left out
// earlier ones.
func (t Timing) upTo(from, until time.Time, most int) (list []time.Time, left bool) {
	for span := time.Hour; ; span *= 2 {
		begin := until.Add(-span)
		whole := !begin.After(from)
		list = list[:0]
		if whole {
			begin, list = from, append(list, from)
		}
		for at := t.Next(begin); !at.IsZero() && !at.After(until); at = t.Next(at) {
			list = append(list, at)
		}
		if len(list) > most || whole {
			break
		}
	}
	if len(list) > most {
		return list[len(list)-most:], true
	}
	return list, false
}
