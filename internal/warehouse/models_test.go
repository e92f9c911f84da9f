package warehouse_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"tributary/internal/clock"
	"tributary/internal/events"
	"tributary/internal/stream"
)

func TestSessionsAreWhatHasNoBreak(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant("acme"), w.tenant("birch")
	var list []events.Event
	for i, minute := range []int{0, 10, 39, 70, 71, 200} { // breaks before 70 and 200
		list = append(list, event(fmt.Sprint(i), "click", noon.Add(time.Duration(minute)*time.Minute)))
	}
	own := event("own", "click", noon)
	own.Session = "s1"
	later := event("later", "click", noon.Add(5*time.Hour))
	later.Session = "s1"
	w.send(stream.Events, a, append(list, own, later)...)
	w.send(stream.Events, b, event("0", "click", noon.Add(5*time.Minute))) // the same person's name, of another tenant
	w.load()
	w.want(fmt.Sprintf("SELECT tenant = '%s', coalesce(session_id, '-'), events, seconds FROM fact_session ORDER BY 1, 2, started", a),
		"false|-|1|0.0\ntrue|-|3|2340.0\ntrue|-|2|60.0\ntrue|-|1|0.0\ntrue|s1|2|18000.0\n")
}

// A session goes over midnight, whichever of its days is loaded first, and what never ends is cut after each whole day.
func TestSessionsGoOverMidnight(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant("acme")
	midnight := noon.Add(12 * time.Hour)
	w.send(stream.Events, a, event("2", "click", midnight.Add(10*time.Minute)))
	w.load()
	w.want("SELECT started, events FROM fact_session", "2026-03-02T00:10:00.000000Z|1\n")
	w.send(stream.Events, a, event("1", "click", midnight.Add(-10*time.Minute)))
	w.load()
	w.want("SELECT started, events FROM fact_session", "2026-03-01T23:50:00.000000Z|2\n")

	// A robot, for four days from the second's noon.
	var list []events.Event
	for i := range 4 * 24 * 3 {
		e := event(fmt.Sprintf("r%d", i), "poll", noon.Add(24*time.Hour).Add(time.Duration(i)*20*time.Minute))
		e.User = "robot"
		list = append(list, e)
	}
	for _, half := range [][]events.Event{list[150:], list[:150]} {
		w.send(stream.Events, a, half...)
		w.load()
	}
	w.want("SELECT strftime(started, '%d %H:%M'), events FROM fact_session WHERE person = 'robot' ORDER BY started",
		"02 12:00|108\n04 00:00|72\n05 00:00|72\n06 00:00|36\n")
	w.want("SELECT (SELECT sum(events) FROM fact_session) = (SELECT count(*) FROM fact_event)", "true\n")
}

// An event is in one session, also where who did it is said days later.
func TestSessionsOfWhoIsNamedLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant("acme")
	midnight := noon.Add(12 * time.Hour)
	before, after, link := event("1", "click", midnight.Add(-10*time.Minute)), event("2", "click", midnight.Add(10*time.Minute)), event("3", "identify", midnight.Add(30*time.Hour))
	before.User, after.User, after.Anonymous, link.User, link.Anonymous = "ann", "", "anon", "ann", "anon"
	w.send(stream.Events, a, before, after, link)
	w.load()
	w.want("SELECT sum(events)::BIGINT, count(DISTINCT person) FROM fact_session", "3|1\n")
}

func TestUsageIsWhatHappenedInEachHour(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant("acme")
	w.send(stream.Events, a, event("1", "buy", noon), event("2", "buy", noon.Add(time.Minute)), event("3", "buy", noon.Add(time.Hour)))
	w.send(stream.Users, a,
		act(1, "session.create", "ses_1", `{"actor":"usr_2","outcome":"ok","entry":1}`, noon),
		act(2, "session.create", "ses_1", `{"actor":"usr_2","outcome":"denied","entry":2}`, noon))
	w.send(stream.Jobs, a,
		act(3, "submission.receive", "sub_1", `{"actor":"usr_2","outcome":"ok","entry":3,"dataset":"prices","bytes":100}`, noon),
		act(4, "submission.validate", "sub_1", `{"actor":"tributary","outcome":"accepted","entry":4,"dataset":"prices","bytes":100,"rows":12}`, noon),
		act(5, "run.grant", "sub_1", `{"actor":"run_1","outcome":"ok","entry":5}`, noon.Add(time.Hour)),
		act(6, "run.grant", "sub_2", `{"actor":"run_1","outcome":"ok","entry":6}`, noon.Add(time.Hour)),
		act(7, "result.deliver", "res_1", `{"actor":"run_1","outcome":"ok","entry":7}`, noon.Add(time.Hour)),
		act(8, "result.read", "res_1", `{"actor":"usr_2","outcome":"ok","entry":8}`, noon.Add(time.Hour)))
	w.load()
	w.want("SELECT strftime(start, '%H'), metric, quantity, unit FROM fact_usage ORDER BY 1, 2", `12|event_bytes|30|bytes
12|events|2|count
12|logins|1|count
12|submission_bytes|100|bytes
12|submission_rows|12|rows
12|submissions|1|count
13|event_bytes|15|bytes
13|events|1|count
13|participations|1|runs
13|result_reads|1|count
13|results|1|count
`)
}

// One stable id joins what somebody did before and after, and in other sources; never across tenants.
func TestPeopleAreJoinedWithinATenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant("acme"), w.tenant("birch")
	at := noon
	step := func(id, kind, user, anonymous, data string) events.Event {
		at = at.Add(time.Minute)
		return events.Event{ID: id, Source: "src_1", Type: kind, Time: at, User: user, Anonymous: anonymous, Data: []byte(data)}
	}
	w.send(stream.Events, a,
		step("1", "page", "", "anon1", `{}`),
		step("2", "$identify", "ann", "anon1", `{"$set":{"plan":"pro"}}`),
		step("3", "page", "ann", "", `{}`),
		step("4", "page", "bob", "anon1", `{}`), // the same browser later: whom it was first stays
		step("5", "$create_alias", "ann@example.com", "", `{"previousId":"ann"}`),
		step("6", "page", "", "anon2", `{}`))
	w.send(stream.Events, b, step("7", "page", "", "anon1", `{}`))
	w.load()
	w.want("SELECT tenant = '"+string(a)+"', alias, user_id FROM dim_identity ORDER BY 1, 2", "true|ann|ann@example.com\ntrue|anon1|ann@example.com\n")
	w.want("SELECT tenant = '"+string(a)+"', user_id, anonymous, events, traits FROM dim_user WHERE kind = 'product' ORDER BY 1, 2",
		"false|anon1|true|1|\ntrue|ann@example.com|false|4|{\"plan\":\"pro\"}\ntrue|anon2|true|1|\ntrue|bob|false|1|\n")
	w.want("SELECT person, events FROM fact_session WHERE tenant = '"+string(a)+"' ORDER BY 1", "ann@example.com|3\nann@example.com|1\nanon2|1\nbob|1\n") // an alias joins people, and not sessions

	// What was said earlier and came later counts as the first, and a circle ends.
	early := step("8", "$identify", "eve", "anon1", `{}`)
	early.Time = noon
	w.send(stream.Events, a, early, step("9", "$create_alias", "ann", "", `{"alias":"ann@example.com"}`))
	w.load()
	w.want("SELECT alias, user_id FROM dim_identity WHERE alias = 'anon1'", "anon1|eve\n")
	w.want("SELECT count(*) FROM dim_identity", "3\n")
}

func TestDimensionsOfUsersAndJobs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant("acme")
	w.send(stream.Users, a,
		act(1, "user.create", "usr_1", `{"actor":"usr_staff","outcome":"ok","entry":1}`, noon),
		act(2, "session.create", "ses_1", `{"actor":"usr_1","outcome":"ok","entry":2}`, noon.Add(time.Hour)))
	w.send(stream.Jobs, "",
		act(1, "run.start", "run_1", `{"actor":"usr_1","outcome":"ok","entry":1,"analysis":"mean","version":2,"state":"succeeded"}`, noon),
		act(2, "run.start", "run_2", `{"actor":"usr_1","outcome":"ok","entry":2,"analysis":"mean","version":2,"state":"failed"}`, noon.Add(time.Minute)))
	w.load()
	w.want("SELECT user_id, kind, strftime(first_seen, '%H'), strftime(last_seen, '%H'), events FROM dim_user", "usr_1|account|12|13|1\n")
	w.want("SELECT analysis, version, runs, succeeded FROM dim_job", "mean|2|2|1\n")
}

// Late data makes an interval stale, and nothing else is made again.
func TestStaleIntervalsAreMadeAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant("acme"), w.tenant("birch")
	w.send(stream.Events, a, event("1", "buy", noon), event("2", "buy", noon.Add(2*time.Hour)))
	w.send(stream.Events, b, event("1", "buy", noon))
	w.load()
	first := w.hands.Now()
	w.hands.Pass(time.Hour)
	w.again()
	w.load()
	w.want("SELECT count(*) FROM model_interval WHERE epoch_us(made) > "+fmt.Sprint(first.UnixMicro()), "0\n")
	w.send(stream.Events, a, event("3", "buy", noon.Add(time.Minute)))
	w.load()
	w.want("SELECT tenant = '"+string(a)+"', start, rows FROM model_interval WHERE model = 'fact_usage' AND epoch_us(made) > "+fmt.Sprint(first.UnixMicro()),
		"true|2026-03-01T12:00:00.000000Z|2\n")
	w.want("SELECT quantity FROM fact_usage WHERE tenant = '"+string(a)+"' AND metric = 'events' ORDER BY start", "2\n1\n")
}

// A child that is killed in the middle leaves an interval made or not made.
func TestModelsAreMadeWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant("acme")
	for i := range 20 {
		w.send(stream.Events, a, event(fmt.Sprint(i), "buy", noon.Add(time.Duration(i)*time.Hour)))
	}
	if err := w.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 8 {
		made := make(chan error, 1)
		go func() { made <- w.Make(t.Context()) }()
		moment, over := context.WithTimeout(t.Context(), time.Duration(i*i)*3*time.Millisecond)
		<-moment.Done()
		over()
		_ = w.Close(moment) // which is over, so that the child is killed
		if err := <-made; i == 0 && err == nil {
			t.Error("all was made before the child was killed")
		}
		w.Warehouse = nil
		w.again()
		w.want("SELECT count(*) FROM model_interval i WHERE model = 'fact_usage' AND rows <> (SELECT count(*) FROM fact_usage u WHERE u.tenant = i.tenant AND u.start = i.start)", "0\n")
		w.want("SELECT count(*) FROM fact_usage u WHERE NOT EXISTS (SELECT 1 FROM model_interval i WHERE i.model = 'fact_usage' AND i.tenant = u.tenant AND i.start = u.start)", "0\n")
	}
	w.load()
	const usage = "SELECT sum(quantity)::BIGINT, count(*) FROM fact_usage WHERE metric = 'events'"
	w.want(usage, "20|20\n")

	// The last statement of a transaction fails: those before it have not happened.
	w.send(stream.Events, a, event("again", "click", noon))
	if err := w.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.harm("ALTER TABLE model_interval ADD COLUMN more INTEGER")
	if err := w.Make(t.Context()); err == nil {
		t.Error("got no error of a ledger that takes no entries")
	}
	w.want(usage, "20|20\n")
	w.harm("ALTER TABLE model_interval DROP COLUMN more")
	w.load()
	w.want("SELECT sum(quantity)::BIGINT FROM fact_usage WHERE metric = 'events'", "21\n")
}

// A round ends while facts go on coming: an interval that they make stale again is for the next.
func TestARoundEndsWhileFactsCome(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant("acme")
	more, inside := 0, false
	w.config.Clock = clock.Clock{NowFunc: func() time.Time { // which is asked for with each interval
		if more > 0 && more < 100 && !inside {
			inside = true
			w.send(stream.Events, a, event(fmt.Sprint("a", more), "click", noon), event(fmt.Sprint("b", more), "click", noon.Add(-10*24*time.Hour)))
			if err := w.Load(t.Context()); err != nil {
				t.Error(err)
			}
			more++
			inside = false
		}
		return w.hands.Now()
	}}
	w.again()
	w.send(stream.Events, a, event("a0", "click", noon), event("b0", "click", noon.Add(-10*24*time.Hour)))
	if err := w.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	more = 1
	if err := w.Make(t.Context()); err != nil || more < 5 || more == 100 {
		t.Errorf("got %d loads during a round, %v, want one with each interval", more-1, err)
	}
	more = 0
	w.load()
	w.want("SELECT (SELECT sum(events) FROM fact_session) = (SELECT count(*) FROM fact_event)", "true\n")
}

// counted is a context that ends after it has been asked some times whether it has.
type counted struct {
	context.Context //nolint:containedctx // it is one itself
	left            atomic.Int64
}

func (c *counted) Err() error {
	if c.left.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

// A round that is cancelled, wherever it is, takes nothing for made that it has not made.
func TestWhatACancelledRoundLeavesIsMade(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant("acme")
	for n := range 10 {
		w.send(stream.Events, a, event(fmt.Sprint("a", n), "click", noon), event(fmt.Sprint("b", n), "click", noon.Add(-240*time.Hour)))
		if err := w.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx := &counted{Context: t.Context()}
		ctx.left.Store(int64(n))
		if err := w.Make(ctx); err == nil {
			t.Errorf("cancelled after %d: got no error", n)
		}
		if err := w.Make(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.want("SELECT count(*) FROM load_interval i WHERE NOT EXISTS (SELECT 1 FROM model_interval m WHERE m.model = 'source_hour' AND m.tenant = i.tenant AND m.start = i.start AND m.version >= i.changed)", "0\n")
	}
}
