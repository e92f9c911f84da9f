package test

import (
	"bytes"
	"path/filepath"
	"testing"

	"filippo.io/age"

	"tributary/client"
	"tributary/internal/meta/metatest"
	"tributary/test/servertest"
)

// TestTheGoldenCaseGoesOnAfterAMove takes the exported key and a backup of a running
// server, and nothing else, to another place and the other database: there
// everything is as it was, and work goes on.
func TestTheGoldenCaseGoesOnAfterAMove(t *testing.T) {
	t.Parallel()
	databases := map[string]func(*testing.T) string{
		"sqlite":   func(*testing.T) string { return "" },
		"postgres": func(t *testing.T) string { return metatest.Postgres(t) },
	}
	for from, to := range map[string]string{"sqlite": "postgres", "postgres": "sqlite"} {
		t.Run("from "+from+" to "+to, func(t *testing.T) {
			t.Parallel()
			const date = "2022-09-23"
			s := started(t, databases[from](t))
			a, b := s.Exchange()
			parties := []*servertest.Party{&a, &b}
			for _, p := range parties {
				p.Accepted(t, date, string(servertest.Example(t, servertest.InputName(p.Number, date))))
			}
			ctx := t.Context()
			run := succeeded(t, s, date)
			before := delivered(t, parties, date)

			identity := must(age.GenerateX25519Identity())(t)
			s.Run("", append([]string{"keys"}, s.Place("export", "--recipient", identity.Recipient().String(), "-o", filepath.Join(s.Home, "kek.age"))...)...)
			target := filepath.Join(t.TempDir(), "backups")
			s.Run("", s.Place("backup", "--to", target)...)
			s.Stop()

			moved := servertest.Existing(t, filepath.Join(t.TempDir(), "new"), databases[to](t))
			moved.Home, moved.Token = s.Home, s.Token
			moved.Run("", "keys", "import", filepath.Join(s.Home, "kek.age"), "--identity", moved.File("identity.txt", identity.String()+"\n"),
				"-o", filepath.Join(s.Home, "keys", "kek.json"))
			key := []string{"--key-file", filepath.Join(s.Home, "keys", "kek.json")}
			moved.Run("", append(moved.Place("restore", "--from", target), key...)...)
			moved.Start(key...)
			moved.Reconnect(parties...)

			for i, got := range delivered(t, parties, date) {
				if !bytes.Equal(got, before[i]) {
					t.Errorf("result of tenant-%d: got %q, want %q", i+1, got, before[i])
				}
			}
			admin := moved.As(moved.Token)
			again := must(admin.StartRuns(ctx, []string{servertest.Analysis}, date))(t)
			if got := must(admin.WaitRun(ctx, again.Items[0].ID, nil))(t); got.Release != run.Release {
				t.Errorf("the same snapshot again: got release %s (%s %s), want %s", got.Release, got.State, got.Reason, run.Release)
			}
			for _, p := range parties {
				p.Accepted(t, "2022-09-24", servertest.Values(p.Number, "2022-09-24", "x,y,1", "x,z,2"))
				moved.Run(p.Key, "audit", "verify")
			}
			admin = moved.As(moved.Token)
			next := must(admin.StartRuns(ctx, []string{servertest.Analysis}, "2022-09-24"))(t)
			if got := must(admin.WaitRun(ctx, next.Items[0].ID, nil))(t); got.State != "succeeded" {
				t.Errorf("a run of the next day: got %s %s, want succeeded", got.State, got.Reason)
			}
			moved.Stop()
		})
	}
}

func succeeded(t *testing.T, s *server, date string) client.Run {
	t.Helper()
	admin := s.As(s.Token)
	started := must(admin.StartRuns(t.Context(), []string{servertest.Analysis}, date))(t)
	run := must(admin.WaitRun(t.Context(), started.Items[0].ID, nil))(t)
	if run.State != "succeeded" {
		t.Fatalf("run: got %s %s, want succeeded", run.State, run.Reason)
	}
	return run
}

// delivered is each party's result for a day.
func delivered(t *testing.T, parties []*servertest.Party, date string) (contents [][]byte) {
	t.Helper()
	for _, p := range parties {
		list := must(p.Results(t.Context(), client.ResultFilter{Date: date}))(t).Items
		if len(list) != 1 {
			t.Fatalf("results of %s: got %d, want 1", p.Slug, len(list))
		}
		var content bytes.Buffer
		must(p.ResultContent(t.Context(), list[0].ID, "csv", &content, nil))(t)
		contents = append(contents, content.Bytes())
	}
	return contents
}
