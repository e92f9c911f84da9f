package sftp

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tributary/client"
	"tributary/internal/meta/metatest"
	"tributary/test/servertest"
)

// TestTheWholeExchange is the golden case as a provider has it: one tenant sends over
// SFTP, the other by resumable uploads, a schedule runs the analysis, each fetches its
// result, and a backup of the running server goes on elsewhere, on either database.
func TestTheWholeExchange(t *testing.T) {
	t.Parallel()
	const day = "2022-09-23"
	s := servertest.Initialised(t, filepath.Join(t.TempDir(), "data"), "")
	s.Start()
	w := &world{Server: s}
	ctx, admin := t.Context(), s.As(s.Token)
	// What has no due time has no cut-off, which for this day would be years ago.
	contract := bytes.Replace(servertest.Example(t, "dataset.yaml"), []byte("due: {"), []byte("# due: {"), 1)
	servertest.Must(admin.ApplyDataset(ctx, contract))(t)
	servertest.Must(admin.ApplyAnalysis(ctx, servertest.Example(t, "analysis.yaml")))(t)
	w.a, w.b = w.person(s.Party(1), "tenant_user"), w.person(s.Party(2), "tenant_user")
	for _, p := range []person{w.a, w.b} {
		servertest.Must(p.AcceptAnalysis(ctx, servertest.Analysis, 1))(t)
	}
	names := [2]string{servertest.InputName(1, day), servertest.InputName(2, day)}
	config, _, _, _ := w.known(t, w.a)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, names[0]), servertest.Example(t, names[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	w.run(t, fmt.Sprintf("put %s/%s /input/\n", dir, names[0]), "sftp", "-F", config, "-b", "-", "a")
	sent := servertest.Must(w.b.SubmitResumable(ctx, client.Upload{Dataset: servertest.Dataset, Date: day, Name: names[1], Body: bytes.NewReader(servertest.Example(t, names[1]))}))(t)
	if got := servertest.Must(w.b.WaitSubmission(ctx, sent.ID))(t); got.State != "accepted" || got.Channel != "web" {
		t.Fatalf("over the web protocol: got %s %v by %s", got.State, got.Problems, got.Channel)
	}
	files := w.connect(w.a)
	if got := w.verdict(files, "/input/"+names[0]); !strings.HasSuffix(got, ".accepted.json") {
		t.Fatal(files.get(t, got))
	}

	// Each minute, for the same day; over midnight there is a firing for the next, too.
	now := time.Now().UTC()
	offset := int64(now.Truncate(24*time.Hour).Sub(time.Date(2022, 9, 23, 0, 0, 0, 0, time.UTC)) / (24 * time.Hour))
	if now.Hour() == 23 && now.Minute() >= 58 {
		offset++
	}
	servertest.Must(admin.CreateSchedule(ctx, client.NewSchedule{ID: "minutely", Analyses: []string{servertest.Analysis}, Cron: "* * * * *", DateOffsetDays: &offset}))(t)
	t.Log("waiting for the next minute")
	deadline := time.Now().Add(3 * servertest.Patience)
	for len(servertest.Must(w.a.Results(ctx, client.ResultFilter{}))(t).Items) == 0 {
		if time.Now().After(deadline) {
			t.Fatalf("no result; firings: %+v", servertest.Must(admin.Firings(ctx, client.FiringFilter{Schedule: "minutely"}))(t).Items)
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
	servertest.Must(admin.PauseSchedule(ctx, "minutely"))(t)
	w.collect(t, "where it was made")

	// The backup is made while the server runs, and goes on on the other database too.
	backups := filepath.Join(t.TempDir(), "backups")
	s.Run("", s.Place("backup", "--to", backups)...)
	s.Stop()
	key := filepath.Join(s.Data, "keys", "kek.json")
	for name, database := range map[string]string{"sqlite": "", "postgres": metatest.Postgres(t)} {
		other := &servertest.Server{T: t, Home: t.TempDir(), Data: filepath.Join(t.TempDir(), "data"), Token: s.Token, Database: []string{"--key-file", key}}
		if database != "" {
			other.Database = append(other.Database, "--database", database)
		}
		other.Run("", other.Place("restore", "--from", backups)...)
		other.Sound()
		other.Start()
		restored := &world{Server: other, a: w.a, b: w.b}
		other.Reconnect(&restored.a.Party, &restored.b.Party)
		restored.collect(t, "restored on "+name)
		other.Stop()
	}
}

// collect fetches both results, each by its tenant's way, and wants them as they must be.
func (w *world) collect(t *testing.T, where string) {
	t.Helper()
	const day = "2022-09-23"
	s := w.connect(w.a)
	first := fmt.Sprintf("output-%s-%06d-000001.csv", day, 1)
	if got, want := s.get(t, "/output/"+servertest.Analysis+"/"+first), string(servertest.Example(t, first)); got != want {
		t.Errorf("%s: over SFTP: got %q, want %q", where, got, want)
	}
	list := servertest.Must(w.b.Results(t.Context(), client.ResultFilter{}))(t)
	if len(list.Items) != 1 {
		t.Fatalf("%s: got %d results, want 1", where, len(list.Items))
	}
	var got bytes.Buffer
	if _, err := w.b.ResultContent(t.Context(), list.Items[0].ID, "csv", &got, nil); err != nil {
		t.Fatal(err)
	}
	second := fmt.Sprintf("output-%s-%06d-000001.csv", day, 2)
	if want := servertest.Example(t, second); !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%s: by the API: got %q, want %q", where, got.Bytes(), want)
	}
}
