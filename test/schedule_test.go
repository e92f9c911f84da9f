package test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"tributary/client"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
	"tributary/test/servertest"
)

// TestTheGoldenCaseOnASchedule has a server that was down since 2022, by its own
// books, make up for what it missed, is killed meanwhile, and gives the golden
// case's results.
func TestTheGoldenCaseOnASchedule(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]func(*testing.T) string{
		"sqlite":   func(*testing.T) string { return "" },
		"postgres": func(t *testing.T) string { return metatest.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scheduled(t, database(t))
		})
	}
}

func scheduled(t *testing.T, database string) {
	const golden = "2022-09-23"
	s := started(t, database)
	ctx := t.Context()
	a, b := s.exchange()
	for n, p := range []party{a, b} {
		p.Accepted(t, golden, string(servertest.Example(t, fmt.Sprintf("input-%s-%06d-000001.csv", golden, n+1))))
	}
	s.Run(s.Token, "schedule", "create", "yearly", "--analysis", analysis, "--cron", "0 6 24 9 *", "--zone", "Europe/Zurich", "--date-offset-days", "1")
	for _, command := range []string{"list", "show yearly", "next yearly"} {
		if got := string(s.Run(s.Token, append([]string{"schedule"}, strings.Fields(command)...)...)); !strings.Contains(got, "-09-24 06:00 +02:00") {
			t.Errorf("schedule %s: got %q, want the local time in it", command, got)
		}
	}
	found := servertest.Decode[client.Schedule](t, s.Run(s.Token, "schedule", "show", "yearly", "--json"))
	if len(found.Next) != 5 || found.Next[0].At.Hour() != 4 || found.Next[0].Local.Format("15:04 -07:00") != "06:00 +02:00" {
		t.Errorf("next: got %+v, want five times", found.Next)
	}
	first := time.Date(2022, 9, 24, 4, 0, 0, 0, time.UTC)
	want := found.Next[0].At.Year() - first.Year()
	s.Kill()
	downSince(t, s, database, "yearly", first)
	s.Start()
	s.Kill() // before, while or after it fires
	s.Start()

	var firings []client.Firing
	ended := func() bool {
		firings = servertest.Must(s.As(s.Token).Firings(ctx, client.FiringFilter{Schedule: "yearly"}))(t).Items
		for _, f := range firings {
			for _, r := range f.Runs {
				if r.State == "queued" || r.State == "running" {
					return false
				}
			}
		}
		return len(firings) > 0
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(servertest.Patience); !ended(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("the runs have not ended after %v: %+v", servertest.Patience, firings)
		}
	}
	if len(firings) != want || !firings[want-1].At.Equal(first) {
		t.Fatalf("firings: got %+v, want one in each of %d years", firings, want)
	}
	for n, f := range firings {
		state, date := "skipped", f.At.AddDate(0, 0, -1).Format(time.DateOnly)
		if n == want-1 {
			state = "succeeded"
		}
		if len(f.Runs) != 1 || f.Runs[0].State != state || f.Runs[0].Date != date || f.Cause != "cron" {
			t.Errorf("firing at %s: got %+v, want one run for %s that %s", f.At, f, date, state)
		}
	}
	if got := firings[0].Runs[0].Reason; !strings.Contains(got, "the quorum is 2") {
		t.Errorf("why it was skipped: got %q", got)
	}
	runs := servertest.Must(s.As(s.Token).Runs(ctx, client.RunFilter{}))(t).Items
	if len(runs) != want || runs[0].StartedBy != "schedule:yearly" {
		t.Errorf("runs: got %d, the newest by %s, want %d", len(runs), runs[0].StartedBy, want)
	}
	servers := []*servertest.Party{&a.Party, &b.Party}
	s.Reconnect(servers...)
	for n, p := range servers {
		results := servertest.Must(p.Results(ctx, client.ResultFilter{}))(t).Items
		if len(results) != 1 {
			t.Fatalf("results of %s: got %d, want 1", p.Slug, len(results))
		}
		var got bytes.Buffer
		servertest.Must(p.ResultContent(ctx, results[0].ID, "csv", &got, nil))(t)
		if want := servertest.Example(t, fmt.Sprintf("output-%s-%06d-000001.csv", golden, n+1)); !bytes.Equal(got.Bytes(), want) {
			t.Errorf("result of %s: got %q, want %q", p.Slug, got.String(), want)
		}
	}

	refused := func(want int, words string, args ...string) {
		t.Helper()
		if _, errs, code := s.Try(s.Token, args...); code != want || !strings.Contains(errs, words) {
			t.Errorf("%v: got exit code %d, %q, want %d, %q", args, code, errs, want, words)
		}
	}
	s.Run(s.Token, "schedule", "pause", "yearly")
	refused(5, "paused already", "schedule", "pause", "yearly")
	s.Run(s.Token, "schedule", "update", "yearly", "--cron", "@monthly", "--zone", "America/New_York")
	s.Run(s.Token, "schedule", "resume", "yearly")
	refused(6, "not a cron expression", "schedule", "update", "yearly", "--cron", "61 * * * *")
	refused(6, "not a time zone", "schedule", "update", "yearly", "--zone", "Mars")
	s.Run(s.Token, "schedule", "delete", "yearly")
	refused(3, `no schedule "yearly"`, "schedule", "firings", "yearly")
	s.Run(s.Token, "audit", "verify", "--all")
	s.Stop()
	s.Sound()
}

// downSince makes it so that a stopped server's schedule was to fire at a moment, as if
// the server had been down since.
func downSince(t *testing.T, s *server, database, name string, since time.Time) {
	t.Helper()
	if database == "" {
		database = "sqlite:" + s.Data + "/control.db"
	}
	db := servertest.Must(meta.Open(t.Context(), meta.Config{URL: database, Existing: true, Wait: true}))(t)
	changed, err := db.Exec(t.Context(), `UPDATE schedules SET next_at = $1 WHERE id = $2`, since, name)
	if err != nil || changed != 1 {
		t.Fatalf("set the next time: %d rows, %v", changed, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
