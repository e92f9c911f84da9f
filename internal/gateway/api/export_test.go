package api

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tributary/client"
	"tributary/internal/analysis"
	"tributary/internal/blob/disk"
	"tributary/internal/exchange"
	"tributary/internal/fault"
	"tributary/internal/job"
	"tributary/internal/meta"
	"tributary/internal/tenant"
	"tributary/internal/vault"
)

const (
	keptDays = 10
	sentFile = "Date,Who,Value\n20260301,acme,1\n"
	contract = `dataset: values
title: Values
csv: {delimiter: ",", header: true}
columns:
  - {name: Date, type: date, format: YYYYMMDD, role: business_date}
  - {name: Who, type: text, role: participant}
  - {name: Value, type: decimal, scale: 2, required: true}
retention: {days: 10}
`
)

// withExchange gives the world an exchange that validates nothing.
func (w *world) withExchange(t *testing.T) *vault.Vault {
	t.Helper()
	ctx := t.Context()
	blobs, err := disk.New(filepath.Join(t.TempDir(), "objects"), w.Clock)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { blobs.Close() })
	v := vault.New(vault.Config{DB: w.DB, Blobs: blobs, Keys: w.Keys, Clock: w.Clock})
	jobs := job.New(job.Config{DB: w.DB, Clock: w.Clock})
	w.Exchange = exchange.New(exchange.Config{DB: w.DB, Vault: v, Tenants: w.Control, Policy: w.Policy, Audit: w.log, Jobs: jobs, Keys: w.Keys, Clock: w.Clock})
	w.Analyses = analysis.New(analysis.Config{DB: w.DB, Exchange: w.Exchange, Vault: v, Control: w.Control, Policy: w.Policy, Audit: w.log, Jobs: jobs, Keys: w.Keys, Clock: w.Clock})
	if _, _, err := w.Exchange.UnscopedApplyDataset(ctx, "usr_admin", []byte(contract)); err != nil {
		t.Fatal(err)
	}
	w.exec(t, `INSERT INTO analyses (id, version, created_at, created_by) VALUES ('mean', 1, 1, 'x')`)
	w.exec(t, `INSERT INTO analysis_versions (analysis, version, source, hash, created_at, created_by) VALUES ('mean', 1, '', $1, 1, 'x')`, []byte("x"))
	return v
}

func (w *world) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	if n, err := w.DB.Unscoped().Exec(t.Context(), query, args...); err != nil || n != 1 {
		t.Fatalf("%s: %d rows, %v", query, n, err)
	}
}

// watched is a scope for all of a tenant's that calls checked at each of its checks.
func watched(id tenant.ID, checked func()) tenant.Scope {
	terms := tenant.Terms{Tenant: id, Actor: "usr_1", Alive: func(context.Context) error { checked(); return nil }}
	for _, r := range []tenant.Resource{tenant.VaultInput, tenant.VaultOutput, tenant.Submissions, tenant.Results} {
		for _, v := range []tenant.Verb{tenant.Read, tenant.Write, tenant.Delete} {
			terms.Permissions = append(terms.Permissions, tenant.Permission{Verb: v, Resource: r})
		}
	}
	return tenant.Mint(terms)
}

// sentAndGot sends a file for a tenant and makes a result for it; both are due.
func (w *world) sentAndGot(t *testing.T, v *vault.Vault, scope tenant.Scope) (submission, result string) {
	t.Helper()
	ctx := t.Context()
	sub, err := w.Exchange.Submit(ctx, scope, exchange.NewSubmission{Dataset: "values", Date: "2026-03-01", Name: "in.csv", Size: int64(len(sentFile))}, strings.NewReader(sentFile))
	if err != nil {
		t.Fatal(err)
	}
	w.exec(t, `UPDATE submissions SET state = 'accepted' WHERE id = $1`, sub.ID)
	o, err := v.Create(ctx, scope, vault.Output, vault.Result)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(o, "csv;parquet"); err != nil {
		t.Fatal(err)
	}
	object, err := o.Finish(ctx)
	if err != nil {
		t.Fatal(err)
	}
	run, release := w.Clock.ID("run"), w.Clock.ID("rel")
	w.exec(t, `INSERT INTO runs (id, analysis, version, date, state, job, started_by, release_id, created_at) VALUES ($1, 'mean', 1, '2026-03-01', 'succeeded', '', 'x', $2, 1)`, run, release)
	w.exec(t, `INSERT INTO releases (id, run, analysis, version, date, organisations, verified, snapshot, manifest, signature, created_at)
		VALUES ($1, $2, 'mean', 1, '2026-03-01', 0, 0, $3, $3, $3, 1)`, release, run, []byte(run))
	var res exchange.Result
	err = w.DB.Transact(ctx, func(tx *meta.DB) (err error) {
		res, err = w.Exchange.AddResult(ctx, tx, scope, exchange.NewResult{Release: release, Analysis: "mean", Date: "2026-03-01", Name: "out", Object: object, CSVSize: 3, Days: keptDays})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	w.hands.Pass((keptDays + 1) * 24 * time.Hour)
	return sub.ID, res.ID
}

// archive writes one submission and one result as an export does.
func (w *world) archive(t *testing.T, scope tenant.Scope, submission, result string) (map[string]string, error) {
	t.Helper()
	var out bytes.Buffer
	x := &exporter{server: w.server, ctx: t.Context(), scope: scope, tar: tar.NewWriter(&out)}
	for _, open := range []func() ([]entry, error){
		func() ([]entry, error) { return x.submission(submission) },
		func() ([]entry, error) { return x.result(result) },
	} {
		if err := x.entries(open); err != nil {
			return nil, err
		}
	}
	if err := x.tar.Close(); err != nil {
		return nil, err
	}
	files := map[string]string{}
	for r := tar.NewReader(&out); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name[strings.LastIndexByte(h.Name, '/')+1:]] = string(text)
	}
}

// TestWhatGoesMeanwhileIsExportedWithoutItsBytes has a file and a result go at each
// moment of an export at which its scope is asked, by retention, and by the tenant's
// hand and a recall.
func TestWhatGoesMeanwhileIsExportedWithoutItsBytes(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		v := w.withExchange(t)
		id, _, _ := w.tenant(t, "acme")
		all := watched(id, func() {})
		for name, goes := range map[string]func(submission, result string) error{
			"retention": func(_, _ string) error { return w.Exchange.DeleteDue(ctx) },
			"hand and recall": func(submission, result string) error {
				_, deleted := w.Exchange.Delete(ctx, all, submission)
				_, recalled := w.Exchange.UnscopedRecall(ctx, "usr_admin", result, "it was wrong")
				return errors.Join(deleted, recalled)
			},
		} {
			whole, without := 0, 0
			for moment, asked := 1, 1; asked >= moment; moment++ {
				submission, result := w.sentAndGot(t, v, all)
				asked = 0
				scope := watched(id, func() {
					if asked++; asked != moment {
						return
					}
					if err := goes(submission, result); err != nil {
						t.Errorf("%s at moment %d: %v", name, moment, err)
					}
				})
				files, err := w.archive(t, scope, submission, result)
				if err != nil {
					t.Fatalf("%s at moment %d: %v", name, moment, err)
				}
				var sub client.Submission
				var res client.Result
				if err := errors.Join(json.Unmarshal([]byte(files["submission.json"]), &sub), json.Unmarshal([]byte(files["result.json"]), &res)); err != nil {
					t.Fatalf("%s at moment %d: %v in %v", name, moment, err, files)
				}
				switch text, there := files["in.csv"]; {
				case there && text == sentFile:
					whole++
				case !there && sub.DeletedAt != nil:
					without++
				default:
					t.Errorf("%s at moment %d: the file is %q, deleted at %v", name, moment, text, sub.DeletedAt)
				}
				csv, parquet := files["out.csv"], files["out.parquet"]
				switch {
				case csv == "csv" && parquet == ";parquet":
					whole++
				case csv == "" && parquet == "" && res.State != "available":
					without++
				default:
					t.Errorf("%s at moment %d: the result is %s, %q and %q", name, moment, res.State, csv, parquet)
				}
			}
			if whole < 2 || without < 2 {
				t.Errorf("%s: %d were there and %d were not, so the test shows little", name, whole, without)
			}
		}
	})
}

// TestAnExportIsCutWhereBytesAreMissing damages a file and a result that nobody
// deleted.
func TestAnExportIsCutWhereBytesAreMissing(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		v := w.withExchange(t)
		for _, table := range []string{"submissions", "results"} {
			id, _, _ := w.tenant(t, "tenant-of-"+table)
			all := watched(id, func() {})
			submission, result := w.sentAndGot(t, v, all)
			thing := map[string]string{"submissions": submission, "results": result}[table]
			w.exec(t, `DELETE FROM vault_objects WHERE id = (SELECT object FROM `+table+` WHERE id = $1)`, thing)
			if _, err := w.archive(t, all, submission, result); !fault.Is(err, fault.NotFound) {
				t.Errorf("without the row of bytes of %s: %v, want the export cut", table, err)
			}
		}
	})
}
