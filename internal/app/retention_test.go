package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"tributary/client"
	"tributary/internal/analysis"
	"tributary/internal/exchange"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
	"tributary/internal/policy"
	"tributary/internal/tenant"
	"tributary/internal/vault"
)

// TestWhatRetentionAndRecallLeaveIsSound has files and results go through the server's
// own rounds, recalls what is left, and lets fsck look at it, also where a crash came
// between the rows and their bytes.
func TestWhatRetentionAndRecallLeaveIsSound(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]string{"sqlite": "", "postgres": metatest.Postgres(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			w := newWorld(t)
			w.cfg.Database = database
			token := must(Init(ctx, w.cfg, "admin@example.com", "a long enough password"))(t)
			w.start()
			admin := w.as(token)
			const keep = "retention: {days: 10}\n"
			must(admin.ApplyDataset(ctx, append(example(t, "dataset.yaml"), keep...)))(t)
			var parties []*client.Client
			for i, slug := range []string{"acme", "other"} {
				c, _ := w.party(admin, slug, []string{"000001", "000002"}[i])
				file := []string{"input-2022-09-23-000001-000001.csv", "input-2022-09-23-000002-000001.csv"}[i]
				sent := must(c.Submit(ctx, client.Upload{Dataset: "tagged-values", Date: "2022-09-23", Name: file, Body: bytes.NewReader(example(t, file))}))(t)
				must(c.WaitSubmission(ctx, sent.ID))(t)
				parties = append(parties, c)
			}
			must(parties[0].CreateUser(ctx, client.NewUser{Email: "one@example.com", Role: "tenant_user"}))(t)
			run := w.released(must(admin.ApplyAnalysis(ctx, append(example(t, "analysis.yaml"), keep...)))(t), parties...)
			hold := must(admin.SetHold(ctx, client.NewHold{Tenant: "other", Reason: "a case"}))(t)
			if got := must(parties[1].Holds(ctx, client.HoldFilter{}))(t).Items; len(got) != 1 || got[0].Reason != "a case" {
				t.Errorf("the tenant's holds: %+v", got)
			}
			w.late.Add(int64(11 * 24 * time.Hour))
			if err := w.exchange.DeleteDue(ctx); err != nil {
				t.Fatal(err)
			}
			sound := func(when string) {
				t.Helper()
				w.stop()
				if found, err := Fsck(ctx, w.cfg, true); err != nil || len(found) != 0 {
					t.Errorf("fsck %s: %v, %v", when, found, err)
				}
				w.start()
				admin = w.as(token)
				for i, c := range parties { // the port is another one
					parties[i] = w.as(c.Token())
				}
			}
			sound("before the bytes went")
			if err := w.stores.vault.RemoveDue(ctx); err != nil {
				t.Fatal(err)
			}
			sound("after the bytes went")
			for i, want := range []string{"deleted", "available"} {
				if got := must(parties[i].Results(ctx, client.ResultFilter{}))(t).Items; len(got) != 1 || got[0].State != want || got[0].Held != (i == 1) {
					t.Errorf("results of tenant %d: %+v, want one that is %s", i, got, want)
				}
			}
			if _, err := admin.RecallRun(ctx, run, "it was wrong"); err != nil {
				t.Fatal(err)
			}
			sound("after the recall")
			for i, c := range parties {
				got := must(c.Results(ctx, client.ResultFilter{}))(t).Items[0]
				var content bytes.Buffer
				_, err := c.ResultContent(ctx, got.ID, "csv", &content, nil)
				if got.State != "recalled" || !client.Is(err, client.Conflict) || !strings.Contains(err.Error(), "it was wrong") || content.Len() != 0 {
					t.Errorf("the result of tenant %d: %+v, %v, want it recalled", i, got, err)
				}
				files := exported(t, c)
				for name := range files {
					if strings.HasPrefix(name, "results/") && !strings.HasSuffix(name, "/result.json") {
						t.Errorf("the export has %s", name)
					}
				}
				if files["holds.json"] == nil {
					t.Error("the export has no holds")
				}
			}
			var mails int64
			if err := w.stores.db.Unscoped().QueryRow(ctx, `SELECT count(*) FROM notice_mails WHERE kind = 'result.recalled'`).Scan(&mails); err != nil || mails != 1 {
				t.Errorf("mails about the recall: %d, %v, want one to the one person", mails, err)
			}
			// A recall that is undone in the database shows in the audit log.
			for _, q := range []string{`UPDATE results SET recalled_at = NULL`, `UPDATE releases SET recalled_at = NULL`} {
				must(w.stores.db.Unscoped().Exec(ctx, q))(t)
			}
			w.stop()
			found := must(Fsck(ctx, w.cfg, false))(t)
			if text := fmt.Sprint(found); len(found) != 3 || strings.Count(text, "has the result's recall, and the result is handed out") != 2 || !strings.Contains(text, "and the release is not recalled") {
				t.Errorf("fsck of a recall undone: %v", found)
			}
			w.start()
			admin = w.as(token)
			must(admin.ReleaseHold(ctx, hold.ID))(t)
			if going := must(admin.RetentionPreview(ctx, 0))(t).Items; len(going) != 2 || going[0].Count != 1 || going[1].Count != 1 {
				t.Errorf("due: %+v, want the other's file and result", going)
			}
		})
	}
}

// released makes a run with a release of which every party has a result that is kept
// for 10 days, as package analysis would with an engine, which this test has not.
func (w *world) released(a client.Analysis, parties ...*client.Client) (run string) {
	w.t.Helper()
	ctx, s, now := w.t.Context(), w.stores, w.cfg.Clock.Now()
	run, release := w.cfg.Clock.ID("run"), w.cfg.Clock.ID("rel")
	manifest := must(json.Marshal(analysis.Manifest{Run: run, Release: release, Analysis: a.ID, Version: a.Version, Date: "2022-09-23"}))(w.t)
	exec := func(tx *meta.DB, query string, args ...any) {
		w.t.Helper()
		must(tx.Unscoped().Exec(ctx, query, args...))(w.t)
	}
	exec(s.db, `INSERT INTO runs (id, analysis, version, date, state, job, started_by, release_id, created_at) VALUES ($1, $2, $3, '2022-09-23', 'succeeded', '', 'x', $4, $5)`,
		run, a.ID, a.Version, release, meta.Micros(now))
	exec(s.db, `INSERT INTO releases (id, run, analysis, version, date, organisations, verified, snapshot, manifest, signature, created_at) VALUES ($1, $2, $3, $4, '2022-09-23', 0, 0, $5, $6, $7, $8)`,
		release, run, a.ID, a.Version, []byte("snapshot"), manifest, s.ring.Sign(manifest), meta.Micros(now))
	for _, c := range parties {
		of := tenant.ID(must(c.OwnTenant(ctx))(w.t).ID)
		scope := must(s.policy.WorkScope(policy.Work{Template: policy.RunGrant, Tenant: of, Actor: run, For: time.Minute,
			Permissions: []tenant.Permission{{Verb: tenant.Write, Resource: tenant.VaultOutput}}}))(w.t)
		object := must(s.vault.Create(ctx, scope, vault.Output, vault.Result))(w.t)
		must(object.Write([]byte("a,b\n")))(w.t)
		n := exchange.NewResult{Release: release, Analysis: a.ID, Date: "2022-09-23", Name: "out", Object: must(object.Finish(ctx))(w.t), CSVSize: 4, Days: 10}
		if err := s.db.Transact(ctx, func(tx *meta.DB) error { _, err := w.exchange.AddResult(ctx, tx, scope, n); return err }); err != nil {
			w.t.Fatal(err)
		}
	}
	return run
}
