package analysis_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tributary/internal/analysis"
	"tributary/internal/blob"
	"tributary/internal/fault"
	"tributary/internal/meta/metatest"
	"tributary/internal/tenant"
)

// findings are what a check of the stores says of analyses.
func (b *bench) findings(t *testing.T) (found []string) {
	t.Helper()
	check(t, analysis.UnscopedVerify(t.Context(), b.DB, b.Keys, func(table string, _ tenant.ID, row, _ string) { found = append(found, table+" "+row) }))
	return found
}

func (b *bench) tamper(t *testing.T, statement string, args ...any) {
	t.Helper()
	n, err := b.DB.Unscoped().Exec(t.Context(), statement, args...)
	check(t, err)
	if n == 0 {
		t.Fatalf("nothing was changed: %s", statement)
	}
}

// Whoever can write the database cannot make a tenant agree to what it did not.
func TestGrantsCannotBeForged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   func(t *testing.T, b *bench)
		want string
	}{
		"a later moment makes an old yes the last word": {func(t *testing.T, b *bench) {
			b.apply(t, read(t, "dataset.yaml"), strings.Replace(read(t, "analysis.yaml"), "quorum: 2", "quorum: 3", 1))
			b.decide(t, analysis.Declined, 0, 1)
			b.tamper(t, `UPDATE acceptances SET decided_at = decided_at + 3600000000 WHERE version = 1`)
		}, "acceptances cross-participant-mean"},
		"the definition is another than was accepted": {func(t *testing.T, b *bench) {
			b.tamper(t, `UPDATE analysis_versions SET source = REPLACE(source, 'decimals: 1', 'decimals: 2')`)
		}, "analyses cross-participant-mean version 1"},
		"so is its hash": {func(t *testing.T, b *bench) {
			text := strings.Replace(read(t, "analysis.yaml"), "decimals: 1", "decimals: 2", 1)
			b.apply(t, read(t, "dataset.yaml"), text)
			b.tamper(t, `UPDATE analysis_versions SET source = (SELECT source FROM analysis_versions WHERE version = 2), hash = (SELECT hash FROM analysis_versions WHERE version = 2) WHERE version = 1`)
			b.tamper(t, `UPDATE analyses SET version = 1`)
		}, "acceptances cross-participant-mean"},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, b *bench) {
				b.golden(t)
				b.decide(t, analysis.Accepted, 0, 1)
				b.send(t, 0, rows(0, "a,b,1"))
				b.send(t, 1, rows(1, "a,b,2"))
				b.turn(t, b.idle(t))
				c.do(t, b)
				b = b.restarted(t) // which has read nothing yet
				if found := b.findings(t); len(found) == 0 || found[0] != c.want {
					t.Errorf("found %q, want %q", found, c.want)
				}
				if _, err := b.UnscopedStart(t.Context(), "usr_admin", []string{"cross-participant-mean"}, date, nil); fault.Is(err, fault.Damaged) {
					return
				}
				b.turn(t, b.idle(t))
				if n := b.releases(t); n != 0 {
					t.Errorf("%d releases of what nobody accepted", n)
				}
			})
		})
	}
}

// Whoever can write the database has no run read other files than it was started for,
// or count as started by a person.
func TestRunsCannotBeForged(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"another cut-off":        `through = through + 1`,
		"none":                   `through = NULL`,
		"another date":           `date = '2022-09-22'`,
		"by somebody else":       `started_by = 'usr_admin'`,
		"a snapshot":             `snapshot = mac, participants = 2`,
		"without the MAC either": `through = NULL, mac = NULL`,
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, b *bench) {
				b.golden(t)
				b.decide(t, analysis.Accepted, 0, 1)
				b.send(t, 0, rows(0, "a,b,1"))
				b.send(t, 1, rows(1, "a,b,2"))
				b.turn(t, b.idle(t))
				now := b.Clock.Now()
				runs, err := b.UnscopedStart(t.Context(), "schedule:noon", []string{"cross-participant-mean"}, date, &now)
				check(t, err)
				b.tamper(t, `UPDATE runs SET `+change)
				if found := b.findings(t); len(found) != 1 || found[0] != "runs "+runs[0].ID {
					t.Errorf("found %q", found)
				}
				b.late.Add(int64(time.Minute))
				b.turn(t, b.idle(t))
				if r := b.want(t, runs[0].ID, analysis.RunFailed); !strings.Contains(r.Reason, "was changed, or was started by an earlier version") {
					t.Errorf("reason: %q", r.Reason)
				}
				if _, err := b.UnscopedRetry(t.Context(), "usr_admin", runs[0].ID); !fault.Is(err, fault.Damaged) {
					t.Errorf("retry: %v", err)
				}
			})
		})
	}
}

func TestReceiptsAreForSignedManifestsOnly(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.golden(t)
		b.decide(t, analysis.Accepted, 0, 1)
		s := b.send(t, 0, rows(0, "a,b,1"))
		b.send(t, 1, rows(1, "a,b,2"))
		b.turn(t, b.idle(t))
		b.run(t, analysis.RunSucceeded)
		list, err := b.Receipts(t.Context(), b.scope(t, 0), s.ID)
		check(t, err)
		if len(list) != 1 || list[0].Organisations != 2 || list[0].Verified != 0 {
			t.Errorf("receipts: %+v", list)
		}
		b.tamper(t, `UPDATE releases SET organisations = 40, verified = 40`)
		list, err = b.Receipts(t.Context(), b.scope(t, 0), s.ID)
		check(t, err)
		if list[0].Organisations != 2 || len(b.findings(t)) != 1 {
			t.Errorf("receipt of %d organisations, findings %q", list[0].Organisations, b.findings(t))
		}
		b.tamper(t, `UPDATE releases SET manifest = $1`, []byte(`{"statement":"tributary run manifest v1"}`))
		if _, err := b.Receipts(t.Context(), b.scope(t, 0), s.ID); !fault.Is(err, fault.Damaged) {
			t.Errorf("a receipt for a forged manifest: %v", err)
		}
		if found := b.findings(t); len(found) != 1 || !strings.HasPrefix(found[0], "releases run_") {
			t.Errorf("found %q", found)
		}
	})
}

// A no to a later version is one to the analysis: a run of an earlier version that
// is tried again leaves the tenant out.
func TestALaterNoHoldsForEarlierVersions(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.golden(t)
		skipped := b.run(t, analysis.RunSkipped)
		b.decide(t, analysis.Accepted, 0, 1)
		b.send(t, 0, rows(0, "a,b,1"))
		b.send(t, 1, rows(1, "a,b,2"))
		b.turn(t, b.idle(t))
		b.apply(t, read(t, "dataset.yaml"), strings.Replace(read(t, "analysis.yaml"), "quorum: 2", "quorum: 3", 1))
		b.decide(t, analysis.Declined, 0)
		again, err := b.UnscopedRetry(t.Context(), "usr_admin", skipped.ID)
		check(t, err)
		b.turn(t, b.idle(t))
		if r := b.want(t, again.ID, analysis.RunSkipped); r.Participants != 0 {
			t.Errorf("%d participants", r.Participants)
		}
	})
}

// A file that was accepted under columns which have changed since leaves its
// tenant out, and the others get their results.
func TestAFileOfAnOlderContractIsLeftOut(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.golden(t)
		b.join(t, "Org 3")
		b.decide(t, analysis.Accepted, 0, 1, 2)
		b.send(t, 2, rows(2, "a,b,7"))
		b.turn(t, b.idle(t))
		b.apply(t, strings.Replace(read(t, "dataset.yaml"), "scale: 2", "scale: 3", 1), read(t, "analysis.yaml"))
		b.send(t, 0, rows(0, "a,b,1"))
		b.send(t, 1, rows(1, "a,b,2"))
		b.turn(t, b.idle(t))
		r := b.run(t, analysis.RunSucceeded)
		if r.Participants != 2 || len(b.received(t, 0)) != 1 || len(b.received(t, 2)) != 0 {
			t.Errorf("%d participants, results %q and %q", r.Participants, b.received(t, 0), b.received(t, 2))
		}
		log, err := b.UnscopedLog(t.Context(), r.ID, 0)
		check(t, err)
		if !strings.Contains(log[0].Message, "is left out: it was accepted under version 1") {
			t.Errorf("log: %+v", log)
		}
	})
}

// Under PostgreSQL a transaction may have to be repeated, and so the snapshot.
func TestASnapshotThatIsTakenTwice(t *testing.T) {
	t.Parallel()
	url := metatest.Postgres(t)
	b := newBench(t, metatest.Open(t, url))
	b.golden(t)
	b.decide(t, analysis.Accepted, 0, 1)
	b.send(t, 0, rows(0, "a,b,1"))
	b.send(t, 1, rows(1, "a,b,2"))
	b.turn(t, b.idle(t))
	conn, err := pgx.Connect(t.Context(), url)
	check(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	_, err = conn.Exec(t.Context(), `
		CREATE SEQUENCE attempts;
		CREATE FUNCTION fail_once() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			IF nextval('attempts') = 1 THEN
				RAISE EXCEPTION 'somebody else was faster' USING ERRCODE = 'serialization_failure';
			END IF;
			RETURN NULL;
		END $$;
		CREATE CONSTRAINT TRIGGER fail_once AFTER INSERT ON run_inputs DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail_once()`)
	check(t, err)
	b.run(t, analysis.RunSucceeded)
	var attempts int64
	check(t, conn.QueryRow(t.Context(), `SELECT last_value FROM attempts`).Scan(&attempts))
	if attempts < 2 {
		t.Errorf("the transaction was tried %d times", attempts)
	}
}

// full is a store with room for one result only.
type full struct {
	blob.Store
	on    atomic.Bool
	tries atomic.Int64
}

func (f *full) Create(ctx context.Context, k blob.Key) (blob.Writer, error) {
	w, err := f.Store.Create(ctx, k)
	if err == nil && f.on.Load() && strings.Contains(string(k), "/output/") {
		w = &fullWriter{w, f}
	}
	return w, err
}

type fullWriter struct {
	blob.Writer
	store *full
}

func (w *fullWriter) Commit(ctx context.Context) error {
	if w.store.tries.Add(1)%2 == 0 {
		w.Abort()
		return fault.New(fault.StorageFull, "The disk is full.")
	}
	return w.Writer.Commit(ctx)
}

// waiting is a run whose snapshot was taken and whose results found no room.
func (b *bench) waiting(t *testing.T) (*full, analysis.Run) {
	t.Helper()
	f := &full{Store: b.Vault.Blobs}
	b.Vault.Blobs = f
	f.on.Store(true)
	b.golden(t)
	b.decide(t, analysis.Accepted, 0, 1)
	b.send(t, 0, rows(0, "a,b,1"))
	b.send(t, 1, rows(1, "a,b,2"))
	b.turn(t, b.idle(t))
	r := b.start(t)
	b.turn(t, func() bool {
		s, err := b.jobs.UnscopedStatus(t.Context(), r.Job)
		check(t, err)
		return strings.HasPrefix(s.Stage, "waits: ")
	})
	return f, r
}

func (b *bench) goOn(t *testing.T) {
	t.Helper()
	b.tamper(t, `UPDATE jobs SET run_after = 0 WHERE state = 'queued'`)
	b.turn(t, b.idle(t))
}

func TestARunThatFindsNoRoomTakesNone(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		f, r := b.waiting(t)
		for range 3 {
			was := f.tries.Load()
			b.tamper(t, `UPDATE jobs SET run_after = 0 WHERE state = 'queued'`)
			b.turn(t, func() bool {
				s, err := b.jobs.UnscopedStatus(t.Context(), r.Job)
				check(t, err)
				return f.tries.Load() >= was+2 && strings.HasPrefix(s.Stage, "waits: ")
			})
		}
		if n, _ := b.outputs(t); n != 0 {
			t.Errorf("%d results lie about", n)
		}
		f.on.Store(false)
		b.goOn(t)
		b.want(t, r.ID, analysis.RunSucceeded)
	})
}

func TestASnapshotThatWaited(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(t *testing.T, b *bench){
		"somebody declines": func(t *testing.T, b *bench) { b.decide(t, analysis.Declined, 1) },
		"somebody is suspended": func(t *testing.T, b *bench) {
			_, err := b.Control.UnscopedSuspend(t.Context(), "usr_admin", b.tenants[1].Slug, "unpaid")
			check(t, err)
		},
		"its organisations are edited": func(t *testing.T, b *bench) {
			b.tamper(t, `UPDATE run_inputs SET organisation = 'org_other' WHERE tenant = $1`, string(b.tenants[1].ID))
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, b *bench) {
				f, r := b.waiting(t)
				do(t, b)
				f.on.Store(false)
				b.goOn(t)
				b.want(t, r.ID, analysis.RunFailed)
				if b.releases(t) != 0 {
					t.Error("there is a release")
				}
			})
		})
	}
}

// Whoever takes no part does not decide which version of a contract counts.
func TestStrangersFilesDecideNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.golden(t)
		b.join(t, "Org 3")
		b.decide(t, analysis.Accepted, 0, 1)
		b.send(t, 0, rows(0, "a,b,1"))
		b.send(t, 1, rows(1, "a,b,2"))
		b.turn(t, b.idle(t))
		_, _, err := b.exchange.UnscopedApplyDataset(t.Context(), "usr_admin", []byte(strings.Replace(read(t, "dataset.yaml"), "scale: 2", "scale: 3", 1)))
		check(t, err)
		b.send(t, 2, rows(2, "a,b,7"))
		b.turn(t, b.idle(t))
		if r := b.run(t, analysis.RunSucceeded); r.Participants != 2 {
			t.Errorf("%d participants", r.Participants)
		}
	})
}
