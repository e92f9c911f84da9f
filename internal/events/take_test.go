package events_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

func TestWhatIsTakenIsKeptOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.tenant("acme")
		s, _ := w.source(w.admin(a.ID), events.NewSource{})
		v := w.take(s, login("1"), login("2"), login("1"))
		if got := results(v); got != "ok ok duplicate" {
			t.Errorf("got %s, want ok ok duplicate", got)
		}
		if got := results(w.take(s, login("2"), login("3"))); got != "duplicate ok" {
			t.Errorf("got %s, want duplicate ok", got)
		}
		origin := login("3") // the same id of another of the sender's sources is another event
		origin.Origin = "/shop"
		if got := results(w.take(s, origin)); got != "ok" {
			t.Errorf("another origin: got %s, want ok", got)
		}
		list := w.kept(a.ID)
		if len(list) != 4 || list[0].ID != "1" || list[0].Source != s.ID || list[0].Channel != "api" || list[0].User != "u1" || !list[0].Received.Equal(w.hands.Now()) {
			t.Errorf("got %+v, want four events", list)
		}
		w.again()
		if err := w.Remember(t.Context()); err != nil {
			t.Fatal(err)
		}
		s = w.sourceAgain(t, s)
		if got := results(w.take(s, login("2"), login("4"))); got != "duplicate ok" {
			t.Errorf("after a restart: got %s, want duplicate ok", got)
		}
		w.hands.Pass(8 * 24 * time.Hour)
		if got := results(w.take(w.sourceAgain(t, s), login("5"), login("2"))); got != "ok ok" {
			t.Errorf("after 8 days: got %s, want ok ok", got)
		}
		if n := len(w.kept(a.ID)); n != 7 {
			t.Errorf("got %d events, want 7", n)
		}
	})
}

// sourceAgain is a source with a scope that is not over.
func (w *world) sourceAgain(t *testing.T, s *events.Source) *events.Source {
	t.Helper()
	own, err := w.Own(t.Context(), w.scope(s.Tenant, policy.TenantAdmin), "")
	if err != nil {
		t.Fatal(err)
	}
	again := *own
	again.ID = s.ID
	return &again
}

// Another tenant's events with the same ids are its own, and a tenant that an event
// names counts for nothing where the credential fixes one.
func TestTenantsEventsAreApart(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a, b := w.tenant("acme"), w.tenant("bolt")
		of, _ := w.source(w.admin(a.ID), events.NewSource{})
		other, _ := w.source(w.admin(b.ID), events.NewSource{})
		forged := login("1")
		forged.Tenant, forged.Source = b.ID, other.ID
		w.take(of, forged)
		if got := results(w.take(other, login("1"))); got != "ok" {
			t.Errorf("got %s for the id that another tenant used first, want ok", got)
		}
		if got := w.kept(a.ID); len(got) != 1 || got[0].Tenant != a.ID || got[0].Source != of.ID {
			t.Errorf("got %+v, want one event of acme's", got)
		}
		if got := w.kept(b.ID); len(got) != 1 || got[0].Source != other.ID {
			t.Errorf("got %+v, want one event of bolt's", got)
		}
	})
}

func TestTheProvidersSourcesNameTheTenant(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a, b := w.tenant("acme", "000001"), w.tenant("bolt")
		s, _ := w.source(provider, events.NewSource{TenantField: "context.groupId"})
		named := func(id, context string) events.Event {
			e := login(id)
			e.Context = jsontext.Value(context)
			return e
		}
		v := w.take(s, named("1", `{"groupId":"acme"}`), named("2", `{"groupId":"000001"}`), named("3", `{ "groupId" : "bolt" }`), named("4", `{"groupId":"nobody"}`),
			named("5", `{"group":"acme"}`), login("6"), named("7", `{"groupId":{"a":1}}`), named("8", `{"groupId":"`+string(b.ID)+`"}`))
		if got := results(v); got != "ok ok ok drop drop drop drop drop" {
			t.Errorf("got %s, want ok ok ok and five drops", got)
		}
		if got := w.kept(a.ID); len(got) != 2 || string(got[0].Context) != `{"groupId":"acme"}` {
			t.Errorf("got %+v, want two events of acme's", got)
		}
		if got := w.kept(b.ID); len(got) != 1 || string(got[0].Context) != `{"groupId":"bolt"}` {
			t.Errorf("got %+v, want one event of bolt's", got)
		}
		held, _, err := w.Quarantine(t.Context(), provider, events.HeldFilter{For: events.NoTenant}, page)
		if err != nil || len(held) != 5 {
			t.Errorf("got %d in quarantine, %v, want 5", len(held), err)
		}
		if v[3].Details != v[5].Details {
			t.Errorf("got %q and %q, want the same words of whoever is no tenant", v[3].Details, v[5].Details)
		}
		other, _ := w.source(provider, events.NewSource{TenantField: "data.org"})
		e := login("9")
		e.Data = jsontext.Value(`{"org":"nobody"}`)
		if v := w.take(other, e); !strings.Contains(v[0].Details, `"data.org"`) {
			t.Errorf("got %q, want the field of the source that it came by", v[0].Details)
		}
		if strings.Contains(v[3].Details, "nobody") {
			t.Errorf("got %q, want no value of an event in it", v[3].Details)
		}
	})
}

func TestBadEventsGoToQuarantine(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.tenant("acme")
		s, _ := w.source(w.admin(a.ID), events.NewSource{})
		data := func(text string) events.Event {
			e := login("x" + fmt.Sprint(len(text)))
			e.Data = jsontext.Value(text)
			return e
		}
		with := func(change func(*events.Event)) events.Event {
			e := login("y")
			change(&e)
			return e
		}
		for _, c := range []struct {
			name  string
			event events.Event
			want  string
		}{
			{"deep nesting", data(strings.Repeat(`{"a":`, 33) + "1" + strings.Repeat("}", 33)), "more than 32 levels deep"},
			{"deep arrays", data(`{"a":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + "}"), "more than 32 levels deep"},
			{"many names", data(`{"a":[` + strings.TrimSuffix(strings.Repeat(`{"b":1},`, 1000), ",") + `]}`), "more than 1000 names"},
			{"an array", data(`[1]`), "not a JSON object"},
			{"a text", data(`"{}"`), "not a JSON object"},
			{"NaN", data(`{"a":NaN}`), "is not right"},
			{"duplicate names", data(`{"a":1,"a":2}`), "is not right"},
			{"broken JSON", data(`{"a":1`), "is not right"},
			{"two values", data(`{} {}`), "is not right"},
			{"invalid UTF-8 in data", data("{\"a\":\"\xff\"}"), "is not right"},
			{"invalid UTF-8 in an id", with(func(e *events.Event) { e.ID = "\xff" }), "not UTF-8"},
			{"no type", with(func(e *events.Event) { e.Type = "" }), "no type"},
			{"control characters", with(func(e *events.Event) { e.Type = "a\nb" }), "control characters"},
			{"a long type", with(func(e *events.Event) { e.Type = strings.Repeat("a", 201) }), "longer than 200 bytes"},
			{"a long id", with(func(e *events.Event) { e.ID = strings.Repeat("a", 257) }), "longer than 256 bytes"},
			{"a long user", with(func(e *events.Event) { e.User = strings.Repeat("a", 257) }), "longer than 256 bytes"},
		} {
			v := w.take(s, c.event)
			if v[0].Result != events.Drop || !strings.Contains(v[0].Details, c.want) || !strings.Contains(v[0].Details, "in quarantine") {
				t.Errorf("%s: got %+v, want it in quarantine: %q", c.name, v[0], c.want)
			}
		}
		for name, e := range map[string]events.Event{
			"32 levels":      data(strings.Repeat(`{"a":`, 31) + "{}" + strings.Repeat("}", 31)),
			"brackets":       data(`{"a":"` + strings.Repeat(`{[\":`, 50) + `"}`),
			"1000 names":     data(`{` + strings.TrimSuffix(names(1000), ",") + `}`),
			"white space":    data("{ \"a\" :\n1 }"),
			"null":           with(func(e *events.Event) { e.Data, e.Context = jsontext.Value("null"), jsontext.Value(" null ") }),
			"surrogate pair": with(func(e *events.Event) { e.ID, e.Data = "z", jsontext.Value(`{"a":"\ud83d\ude00"}`) }),
		} {
			if v := w.take(s, e); v[0].Result != events.OK {
				t.Errorf("%s: got %+v, want ok", name, v[0])
			}
		}
		unread, err := w.Take(t.Context(), s, events.Batch{Channel: "api", Received: []events.Incoming{
			{Raw: jsontext.Value(`{"broken`), Err: fault.New(fault.Invalid, "It is not JSON.")}, {Event: login("good")},
			{Event: login("big"), Raw: make([]byte, events.MaxEvent+1)},
		}})
		if err != nil || results(unread) != "drop ok drop" || !strings.Contains(unread[0].Details, "It is not JSON.") || strings.Contains(unread[2].Details, "quarantine") {
			t.Errorf("got %+v, %v, want drop ok drop", unread, err)
		}
		for _, e := range w.kept(a.ID) {
			if len(e.Data) > 0 && !e.Data.IsValid() {
				t.Errorf("got %q kept, which is not JSON", e.Data)
			}
		}
	})
}

func names(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"n%d":1,`, i)
	}
	return b.String()
}

func TestTimesAreJudged(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.tenant("acme")
		s, _ := w.source(w.admin(a.ID), events.NewSource{})
		now := w.hands.Now()
		for n, c := range []struct {
			name     string
			at, sent time.Time
			want     time.Time
			stated   bool
			flags    []string
			result   events.Result
		}{
			{"just now", now.Add(-time.Second), now, now.Add(-time.Second), false, nil, events.OK},
			{"a little late on its way", now.Add(-time.Minute), now.Add(-30 * time.Second), now.Add(-time.Minute), false, nil, events.OK},
			{"no time", time.Time{}, now, now, false, []string{"untimed"}, events.OK},
			{"a clock an hour behind", now.Add(-time.Hour - time.Second), now.Add(-time.Hour), now.Add(-time.Second), true, []string{"skewed"}, events.OK},
			{"a clock a year ahead", now.AddDate(1, 0, 0), now.AddDate(1, 0, 0).Add(5 * time.Second), now.Add(-5 * time.Second), true, []string{"skewed"}, events.OK},
			{"ten years ahead", now.AddDate(10, 0, 0), time.Time{}, now, true, []string{"future"}, events.Warning},
			{"an hour ahead", now.Add(time.Hour), time.Time{}, now.Add(time.Hour), false, nil, events.OK},
			{"a decade old", now.AddDate(-10, 0, 0), now, now.AddDate(-10, 0, 0), false, []string{"late"}, events.OK},
			{"1970", time.Unix(0, 0), now, now, true, []string{"past"}, events.Warning},
			{"a sender that lies about when it sent", now, now.AddDate(-100, 0, 0), now, true, []string{"skewed", "future"}, events.Warning},
		} {
			e := login(c.name)
			e.Time = c.at
			v, err := w.Take(t.Context(), s, events.Batch{SentAt: c.sent, Received: []events.Incoming{{Event: e}}})
			if err != nil || v[0].Result != c.result {
				t.Errorf("%s: got %+v, %v, want %s", c.name, v, err, c.result)
			}
			got := w.kept(a.ID)[n]
			if !got.Time.Equal(c.want) || !reflect.DeepEqual(got.Flags, c.flags) || c.stated == got.Stated.IsZero() || c.stated && !got.Stated.Equal(c.at.Truncate(time.Microsecond)) {
				t.Errorf("%s: got %s stated %s %v, want %s %v", c.name, got.Time, got.Stated, got.Flags, c.want, c.flags)
			}
		}
	})
}

func TestRatesAreLimited(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.config.Rates = map[tenant.Tier]int{tenant.Basic: 10}
		w.again()
		a, b := w.tenant("acme"), w.tenant("bolt")
		s, _ := w.source(w.admin(a.ID), events.NewSource{})
		other, _ := w.source(w.admin(b.ID), events.NewSource{})
		send := func(s *events.Source, from, n int) error {
			var list events.Batch
			for i := range n {
				list.Received = append(list.Received, events.Incoming{Event: login(fmt.Sprint(from + i))})
			}
			_, err := w.Take(t.Context(), s, list)
			return err
		}
		if err := send(s, 0, 100); err != nil {
			t.Fatal(err)
		}
		err := send(s, 100, 50)
		wantKind(t, "beyond the burst", err, fault.Throttled)
		if after := events.RetryAfter(fmt.Errorf("take: %w", err)); after != 5*time.Second {
			t.Errorf("got %s, want to try again in 5 s", after)
		}
		if err := send(other, 0, 100); err != nil {
			t.Errorf("another tenant: %v", err)
		}
		w.hands.Pass(5 * time.Second)
		if err := send(w.sourceAgain(t, s), 100, 50); err != nil {
			t.Errorf("after waiting: %v", err)
		}
		wantKind(t, "too many at once", send(s, 0, events.MaxEvents+1), fault.TooLarge)
	})
}

func TestConcurrentRequestsAreKeptOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a, b := w.tenant("acme"), w.tenant("bolt")
		s, _ := w.source(w.admin(a.ID), events.NewSource{})
		other, _ := w.source(w.admin(b.ID), events.NewSource{})
		var mu sync.Mutex
		count := map[events.Result]int{}
		var all sync.WaitGroup
		for n := range 40 {
			all.Go(func() {
				from := s
				if n%2 == 1 {
					from = other
				}
				v, err := w.Take(context.Background(), from, events.Batch{Received: []events.Incoming{{Event: login(fmt.Sprint(n / 4))}, {Event: login(fmt.Sprint("own", n))}}})
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				for _, v := range v {
					count[v.Result]++
				}
			})
		}
		all.Wait()
		if count[events.OK] != 60 || count[events.Duplicate] != 20 {
			t.Errorf("got %v, want 60 ok and 20 duplicates", count)
		}
		if got := len(w.kept("")); got != 60 {
			t.Errorf("got %d events, want 60", got)
		}
	})
}

// A client that leaves in the middle of a commit holds up nobody; what it sent is kept,
// once, and was charged.
func TestWhoLeavesInTheMiddleHoldsUpNobody(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.config.Rates = map[tenant.Tier]int{tenant.Basic: 1}
		w.again()
		a := w.tenant("acme")
		s, _ := w.source(w.admin(a.ID), events.NewSource{})
		begun, goOn := make(chan struct{}), make(chan struct{})
		events.Within(w.Events, func() error {
			begun <- struct{}{}
			<-goOn
			return nil
		})
		ctx, leave := context.WithCancel(t.Context())
		left, other := make(chan error, 1), make(chan []events.Verdict, 1)
		go func() {
			_, err := w.Take(ctx, s, events.Batch{Received: []events.Incoming{{Event: login("1")}, {Event: login("2")}}})
			left <- err
		}()
		<-begun
		leave()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want that it has left", err)
		}
		go func() { other <- w.take(s, login("3"), login("4"), login("5"), login("6"), login("7")) }()
		goOn <- struct{}{}
		<-begun
		goOn <- struct{}{}
		if got := results(<-other); got != "ok ok ok ok ok" {
			t.Errorf("who came next: got %s, want ok", got)
		}
		close(goOn)
		go func() { <-begun }()
		if got := results(w.take(s, login("1"), login("2"), login("8"))); got != "duplicate duplicate ok" {
			t.Errorf("again: got %s, want duplicates, and ok", got)
		}
		if got := len(w.kept(a.ID)); got != 8 {
			t.Errorf("got %d events, want each of 8 once", got)
		}
		_, err := w.Take(t.Context(), s, events.Batch{Received: []events.Incoming{{Event: login("9")}}})
		wantKind(t, "after ten", err, fault.Throttled)
	})
}

// Bytes have a rate too, and what could not be kept is not charged.
func TestBytesAreLimited(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.config.Rates = map[tenant.Tier]int{tenant.Basic: 10, tenant.Standard: 10, tenant.Premium: 10, tenant.Platinum: 10}
		w.again()
		a := w.tenant("acme")
		own, _ := w.source(w.admin(a.ID), events.NewSource{})
		of, _ := w.source(provider, events.NewSource{TenantField: "context.groupId"})
		var disk error
		events.Within(w.Events, func() error { return disk })
		for _, s := range []*events.Source{own, of} {
			sent := 0
			large := func(size int) error {
				sent++
				e := login(fmt.Sprint(s.ID, sent))
				e.Context, e.Data = jsontext.Value(`{"groupId":"acme"}`), jsontext.Value(`{"a":"`+strings.Repeat("x", size-18-8)+`"}`)
				v, err := w.Take(t.Context(), s, events.Batch{Received: []events.Incoming{{Event: e}}})
				if err == nil {
					err = events.Again(v)
				}
				return err
			}
			if err := large(300 << 10); err != nil {
				t.Fatal(err)
			}
			err := large(200 << 10)
			if wantKind(t, "beyond 400 KiB", err, fault.Throttled); events.RetryAfter(err) != 2500*time.Millisecond {
				t.Errorf("got %s, want to try again when there are 100 KiB more", events.RetryAfter(err))
			}
			disk = fault.New(fault.Unavailable, "The disk is full.")
			wantKind(t, "with a full disk", large(100<<10), fault.Unavailable)
			disk = nil
			if err := large(100 << 10); err != nil {
				t.Errorf("got %v, want what was not kept not charged", err)
			}
			wantKind(t, "after all", large(100), fault.Throttled)
		}
	})
}

// What is sent again because one tenant has sent too much uses up nothing of the source's,
// and a quarantine that fails gives nothing back of what the stream has kept.
func TestOnlyWhatIsKeptIsCharged(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.config.Rates = map[tenant.Tier]int{tenant.Basic: 10, tenant.Standard: 10, tenant.Premium: 10, tenant.Platinum: 10}
		w.again()
		a := w.tenant("acme")
		of, _ := w.source(provider, events.NewSource{TenantField: "context.groupId"})
		loud := func(from int) (list []events.Event) {
			for n := range 60 {
				e := login(fmt.Sprint(from + n))
				e.Context = jsontext.Value(`{"groupId":"acme"}`)
				list = append(list, e)
			}
			return list
		}
		w.take(of, loud(0)...)
		if v := w.take(of, loud(60)...); v[0].Result != events.Retry {
			t.Fatalf("got %s, want more than the tenant may have", results(v))
		}
		if got := events.Charged(w.Events, of.ID); got != 60 {
			t.Errorf("got %v events charged to the source, want those that were kept", got)
		}
		own, _ := w.source(w.admin(a.ID), events.NewSource{})
		events.WithinQuarantine(w.Events, func() error { return fault.New(fault.Unavailable, "The disk is full.") })
		good, bad := login("good"), login("bad")
		bad.Type = ""
		_, err := w.Take(t.Context(), own, events.Batch{Received: []events.Incoming{{Event: good}, {Event: bad}}})
		wantKind(t, "a quarantine that fails", err, fault.Unavailable)
		if got := events.Charged(w.Events, string(a.ID)); got != 1 {
			t.Errorf("got %v events charged, want the one that was kept", got)
		}
	})
}

// Who repeats what a tenant sent by the provider's source does not use up its rate.
func TestDuplicatesAreNotChargedToTheTenant(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.config.Rates = map[tenant.Tier]int{tenant.Basic: 10, tenant.Standard: 10, tenant.Premium: 10, tenant.Platinum: 10}
		w.again()
		w.tenant("acme")
		s, _ := w.source(provider, events.NewSource{TenantField: "context.groupId"})
		batch := func(from int) (list []events.Event) {
			for n := range 50 {
				e := login(fmt.Sprint(from + n))
				e.Context = jsontext.Value(`{"groupId":"acme"}`)
				list = append(list, e)
			}
			return list
		}
		w.take(s, batch(0)...)
		for range 3 {
			if v := w.take(s, batch(0)...); v[0].Result != events.Duplicate || v[49].Result != events.Duplicate {
				t.Errorf("again: got %s, want duplicates", results(v))
			}
		}
		if v := w.take(s, batch(50)...); v[0].Result != events.OK {
			t.Errorf("new ones: got %+v, want ok", v[0])
		}
	})
}
