package schedule

import (
	"strings"
	"testing"
	"time"

	"tributary/internal/fault"
)

func timing(t *testing.T, expression, zone string) Timing {
	t.Helper()
	when, err := ParseTiming(expression, zone)
	if err != nil {
		t.Fatal(err)
	}
	return when
}

func moment(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at.UTC()
}

// Clocks in Berlin go from 2:00 to 3:00 on 29 March 2026 at 1:00 UTC, and from 3:00
// to 2:00 on 25 October at 1:00 UTC; in New York on 8 March at 7:00 UTC, and from
// 2:00 to 1:00 on 1 November at 6:00 UTC.
func TestTimesWhereClocksAreSet(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, cron, zone, after, want string }{
		{"an ordinary day", "30 2 * * *", "Europe/Berlin", "2026-03-27T12:00:00Z", "2026-03-28T01:30:00Z 2026-03-29T01:00:00Z 2026-03-30T00:30:00Z"},
		{"a skipped time comes when the clocks are set", "30 2 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z 2026-03-30T00:30:00Z"},
		{"two skipped times come once", "0,30 2 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z 2026-03-30T00:00:00Z"},
		{"a skipped time and the first that there is", "30 2,3 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z 2026-03-29T01:30:00Z 2026-03-30T00:30:00Z"},
		{"the last moment before the gap", "59 1 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T00:59:00Z 2026-03-29T23:59:00Z"},
		{"a doubled time comes the first time only", "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z 2026-10-26T01:30:00Z"},
		{"asked in the second of the doubled hours", "45 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", "2026-10-26T01:45:00Z"},
		{"the hour after the doubled one", "0 3 * * *", "Europe/Berlin", "2026-10-25T00:59:00Z", "2026-10-25T02:00:00Z 2026-10-26T02:00:00Z"},
		{"how often, over the gap", "*/30 * * * *", "Europe/Berlin", "2026-03-29T00:15:00Z", "2026-03-29T00:30:00Z 2026-03-29T01:00:00Z 2026-03-29T01:30:00Z"},
		{"how often, in an hour that is skipped", "*/30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-30T00:00:00Z 2026-03-30T00:30:00Z"},
		{"how often, in an hour that is doubled", "*/30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:00:00Z 2026-10-25T00:30:00Z 2026-10-25T01:00:00Z 2026-10-25T01:30:00Z 2026-10-26T01:00:00Z"},
		{"each hour is an hour", "@hourly", "Europe/Berlin", "2026-10-24T23:30:00Z", "2026-10-25T00:00:00Z 2026-10-25T01:00:00Z 2026-10-25T02:00:00Z"},

		{"New York in spring", "30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", "2026-03-08T07:00:00Z 2026-03-09T06:30:00Z"},
		{"New York in autumn", "30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", "2026-11-01T05:30:00Z 2026-11-02T06:30:00Z"},
		{"New York, how often in spring", "15 * * * *", "America/New_York", "2026-03-08T06:00:00Z", "2026-03-08T06:15:00Z 2026-03-08T07:15:00Z"},
		{"New York, how often in autumn", "0,30 1 */1 * *", "America/New_York", "2026-10-31T12:00:00Z", "2026-11-01T05:00:00Z 2026-11-01T05:30:00Z 2026-11-02T06:00:00Z"},

		{"a midnight that is skipped", "@daily", "Asia/Beirut", "2026-03-28T12:00:00Z", "2026-03-28T22:00:00Z 2026-03-29T21:00:00Z"},
		{"a day that is skipped", "0 12 30 12 *", "Pacific/Apia", "2011-12-01T00:00:00Z", "2011-12-30T10:00:00Z 2012-12-29T22:00:00Z"},
		{"half an hour", "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", "2026-10-03T15:30:00Z 2026-10-04T15:15:00Z"},
		{"months", "@monthly", "Europe/Zurich", "2026-01-15T00:00:00Z", "2026-01-31T23:00:00Z 2026-02-28T23:00:00Z 2026-03-31T22:00:00Z"},
		{"leap years", "0 0 29 2 *", "", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z 2032-02-29T00:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			when := timing(t, c.cron, c.zone)
			at := moment(t, c.after)
			for _, want := range strings.Fields(c.want) {
				if at = when.Next(at); at.Format(time.RFC3339) != want {
					t.Fatalf("%s in %s: got %s, want %s", c.cron, c.zone, at.Format(time.RFC3339), want)
				}
			}
		})
	}
}

// TestEveryTimeOfAYearComesOnce goes through a year second by second of the clock's
// minutes, and wants each local time of a fixed expression exactly once a day.
func TestEveryTimeOfAYearComesOnce(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"Europe/Berlin", "America/New_York", "Asia/Beirut", "Australia/Lord_Howe", "UTC"} {
		for _, expression := range []string{"30 1 * * *", "30 2 * * *", "0 0 * * *", "15 3 * * *"} {
			when := timing(t, expression, zone)
			begin, end := moment(t, "2026-01-01T12:00:00Z"), moment(t, "2027-01-01T12:00:00Z")
			days := map[string]int{}
			for at := when.Next(begin); at.Before(end); at = when.Next(at) {
				days[when.Local(at).Format(time.DateOnly)]++
			}
			if len(days) != 365 {
				t.Errorf("%s in %s: %d days, want 365", expression, zone, len(days))
			}
			for day, n := range days {
				if n != 1 {
					t.Errorf("%s in %s: %d times on %s", expression, zone, n, day)
				}
			}
		}
	}
}

func TestNextDoesNotDependOnWhereItIsAskedFrom(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ cron, zone string }{
		{"30 2 * * *", "Europe/Berlin"}, {"*/20 1-3 * * *", "America/New_York"}, {"0 0,12 * * 1,4", "Asia/Beirut"}, {"7 * * * *", "Australia/Lord_Howe"},
	} {
		when := timing(t, c.cron, c.zone)
		begin, end := moment(t, "2026-01-01T00:00:00Z"), moment(t, "2027-01-01T00:00:00Z")
		next := when.Next(begin)
		for at := begin; at.Before(end); at = at.Add(10 * time.Minute) {
			for !next.After(at) {
				next = when.Next(next)
			}
			if got := when.Next(at); !got.Equal(next) {
				t.Fatalf("%s in %s from %s: got %s, want %s", c.cron, c.zone, at, got, next)
			}
		}
	}
}

func TestWhatIsNoTiming(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ cron, zone, want string }{
		{"", "", "not a cron expression"},
		{"* * * *", "", "not a cron expression"},
		{"* * * * * *", "", "not a cron expression"},
		{"60 * * * *", "", "not a cron expression"},
		{"0 0 * * 7", "", "0 is Sunday"},
		{"0 0 30 2 *", "", "never comes"},
		{"0 0 , * *", "", "never comes"},
		{"@every 5m", "", "is not known"},
		{"@", "", "is not known"},
		{"TZ=UTC 0 0 * * *", "", "not a cron expression"},
		{"TZ=UTC 0 0 * *", "", "not a cron expression"},
		{"CRON_TZ=", "", "not a cron expression"},
		{"0 0 * * *", "Local", "not a time zone"},
		{"0 0 * * *", "Mars/Olympus", "not a time zone"},
		{"0 0 * * *", "../etc/passwd", "not a time zone"},
		{strings.Repeat("1,", 100) + "1 * * * *", "", "not a cron expression"},
	} {
		_, err := ParseTiming(c.cron, c.zone)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q in %q: got %v, want %q", c.cron, c.zone, err, c.want)
		}
	}
}

func TestTheLastTimesUpToNow(t *testing.T) {
	t.Parallel()
	when := timing(t, "*/10 * * * *", "UTC")
	until := moment(t, "2026-03-01T12:00:00Z")
	for _, c := range []struct {
		from        string
		first       string
		count, most int
		left        bool
	}{
		{"2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z", 1, 24, false},
		{"2026-03-01T11:30:00Z", "2026-03-01T11:30:00Z", 4, 24, false},
		{"2026-03-01T08:10:00Z", "2026-03-01T08:10:00Z", 24, 24, false},
		{"2026-03-01T08:00:00Z", "2026-03-01T08:10:00Z", 24, 24, true},
		{"2016-03-01T08:00:00Z", "2026-03-01T12:00:00Z", 1, 1, true},
		{"2026-03-01T11:55:00Z", "2026-03-01T11:55:00Z", 2, 24, false}, // what was stored counts, whatever the expression says now
	} {
		list, left := when.upTo(moment(t, c.from), until, c.most)
		if len(list) != c.count || !list[0].Equal(moment(t, c.first)) || left != c.left || !list[len(list)-1].Equal(until) {
			t.Errorf("from %s: got %v and left %v, want %d from %s and %v", c.from, list, left, c.count, c.first, c.left)
		}
	}
}

func FuzzTiming(f *testing.F) {
	for _, s := range []string{"0 6 * * 1", "@monthly", "TZ=UTC 1", "*/5 0-23/2 1,15 jan mon", "59 23 31 12 ?", "CRON_TZ= * * * *"} {
		f.Add(s, "Europe/Berlin", int64(1774746000))
	}
	f.Fuzz(func(t *testing.T, expression, zone string, at int64) {
		when, err := ParseTiming(expression, zone)
		if err != nil {
			return
		}
		begin := time.Unix(at%(1<<33), 0)
		next := when.Next(begin)
		if !next.IsZero() && !next.After(begin) {
			t.Errorf("%q in %q: %s comes after %s", expression, zone, next, begin)
		}
	})
}
