package exchange_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"

	"tributary/internal/blob"
	"tributary/internal/control"
	"tributary/internal/exchange"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// begin creates a web upload of A's for a text.
func (b *bench) begin(t *testing.T, text string) exchange.Upload {
	t.Helper()
	u, err := b.CreateUpload(t.Context(), b.scope(t, 0), exchange.Upload{Name: "in.csv", Length: int64(len(text)), Folder: folder})
	check(t, err)
	return u
}

// on goes on with an upload as it is now.
func (b *bench) on(t *testing.T, id, text string) (exchange.Upload, error) {
	t.Helper()
	scope := b.scope(t, 0)
	u, err := b.WebUpload(t.Context(), scope, id)
	check(t, err)
	return b.draft(t, scope, u, text).Complete(t.Context())
}

func (b *bench) claimed(t *testing.T) bool {
	t.Helper()
	a, err := b.control.UnscopedTenant(t.Context(), string(b.tenants[0].ID))
	check(t, err)
	return a.ClaimedAt != nil
}

func TestWebUploadsAreSubmittedWithTheirLastByte(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		text := body("000001", "x,1", "y,2")
		u := b.begin(t, text)
		if b.claimed(t) {
			t.Error("the tenant's data has begun before its first byte")
		}
		u, err := b.on(t, u.ID, text[:10])
		check(t, err)
		if u.Size != 10 || u.Submission != "" || !b.claimed(t) {
			t.Fatalf("after 10 bytes: %+v, claimed %v", u, b.claimed(t))
		}
		if u, err = b.on(t, u.ID, text[10:]); err != nil || u.Submission == "" || u.Size != int64(len(text)) {
			t.Fatalf("after all: %+v, %v", u, err)
		}
		b.turn(t, b.idle(t))
		s := b.want(t, 0, u.Submission, exchange.Accepted)
		if s.Channel != exchange.Web || s.Size != int64(len(text)) {
			t.Errorf("submission: %+v", s)
		}
		if n := b.count(t, "vault_objects WHERE kind = 'part'"); n != 0 {
			t.Errorf("%d parts are left", n)
		}
		whole := b.begin(t, text) // in one piece, which becomes the file as it is
		if whole, err = b.on(t, whole.ID, text); err != nil || whole.Submission == "" {
			t.Fatalf("in one piece: %+v, %v", whole, err)
		}
		list, _, err := b.WebUploads(t.Context(), b.scope(t, 0), exchange.UploadFilter{Name: "in.csv"}, meta.Page{})
		if err != nil || len(list) != 2 || list[0].Submission == "" || list[0].Size != int64(len(text)) {
			t.Errorf("list: %+v, %v", list, err)
		}
		for _, f := range []exchange.UploadFilter{{Name: "other.csv"}, {Dataset: "none"}, {Date: "2020-01-01"}} {
			if list, _, err = b.WebUploads(t.Context(), b.scope(t, 0), f, meta.Page{}); err != nil || len(list) != 0 {
				t.Errorf("list of %+v: %+v, %v", f, list, err)
			}
		}
		if list, _, err = b.WebUploads(t.Context(), b.scope(t, 1), exchange.UploadFilter{}, meta.Page{}); err != nil || len(list) != 0 {
			t.Errorf("B's list: %+v, %v", list, err)
		}
	})
}

// The server ended between the last byte and the submission.
func TestAnUploadThatWasCutOffAtItsEndIsFinished(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		text := body("000001", "x,1", "y,2")
		u := b.begin(t, text)
		for _, part := range []string{text[:20], text[20:]} {
			scope := b.scope(t, 0)
			now, err := b.WebUpload(t.Context(), scope, u.ID)
			check(t, err)
			_, err = b.draft(t, scope, now, part).Keep(t.Context())
			check(t, err)
		}
		scope := b.scope(t, 0)
		now, err := b.WebUpload(t.Context(), scope, u.ID)
		check(t, err)
		if !now.Arrived() || now.Submission != "" {
			t.Fatalf("before: %+v", now)
		}
		done, err := b.FinishUpload(t.Context(), scope, now)
		check(t, err)
		if _, err := b.FinishUpload(t.Context(), scope, now); !fault.Is(err, fault.NotFound) { // another request was first
			t.Errorf("again, from the same look: %v, want not found", err)
		}
		if n := b.count(t, "submissions"); n != 1 {
			t.Errorf("%d submissions, want 1", n)
		}
		if again, err := b.WebUpload(t.Context(), scope, u.ID); err != nil || again.Submission != done.Submission {
			t.Errorf("after: %+v, %v", again, err)
		}
		if same, err := b.FinishUpload(t.Context(), scope, done); err != nil || same.Submission != done.Submission {
			t.Errorf("finished again: %+v, %v", same, err)
		}
	})
}

func TestUploadsThatCannotBeTakenEnd(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		text := body("000001", "x,1", "y,2")
		sum := sha256.Sum256([]byte("another"))
		for name, pieces := range map[string][]string{"in one": {text}, "in two": {text[:9], text[9:]}} {
			u, err := b.CreateUpload(t.Context(), b.scope(t, 0), exchange.Upload{Name: "in.csv", Length: int64(len(text)), SHA256: sum[:], Folder: folder})
			check(t, err)
			for _, p := range pieces {
				_, err = b.on(t, u.ID, p)
			}
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("%s: %v, want invalid", name, err)
			}
		}
		for _, table := range []string{"uploads", "upload_parts", "vault_objects", "submissions"} {
			if n := b.count(t, table); n != 0 {
				t.Errorf("%d rows left in %s", n, table)
			}
		}
	})
}

func TestWebUploadsSayWhatTheyAreFor(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		more := func(name, pattern string) {
			b.apply(t, strings.Replace(dataset, "dataset: tagged-values", "dataset: "+name+"\nfile_name: \""+pattern+"\"", 1))
		}
		more("first", "a-{date}-{participant}.csv")
		more("second", "b-{date}-{participant}.csv")
		more("third", "b-{date}-{participant}.csv")
		type said = exchange.Folder
		for _, c := range []struct {
			name string
			said said
			want said
			kind fault.Kind
		}{
			{"a-2022-01-02-000001.csv", said{}, said{"first", "2022-01-02"}, ""},
			{"a-2022-01-02-000001.csv", said{Dataset: "first"}, said{"first", "2022-01-02"}, ""},
			{"a-2022-01-02-000001.csv", said{Date: "2022-01-02"}, said{"first", "2022-01-02"}, ""},
			{"a-2022-01-02-000001.csv", said{"tagged-values", date}, said{"tagged-values", date}, ""},
			{"b-2022-01-02-000001.csv", said{Dataset: "third"}, said{"third", "2022-01-02"}, ""},
			{"b-2022-01-02-000001.csv", said{}, said{}, fault.Invalid},                   // two
			{"a-2022-01-02-000001.csv", said{Date: "2022-01-03"}, said{}, fault.Invalid}, // another
			{"a-2022-01-02-000001.csv", said{Dataset: "second"}, said{}, fault.Invalid},
			{"a-2022-01-02-000001.csv", said{Dataset: "none"}, said{}, fault.NotFound},
			{"anything.csv", said{}, said{}, fault.Invalid},
		} {
			u, err := b.CreateUpload(t.Context(), b.scope(t, 0), exchange.Upload{Name: c.name, Length: 5, Folder: c.said})
			if fault.KindOf(err) != c.kind || err == nil && u.Folder != c.want {
				t.Errorf("%s, said %+v: %+v, %v, want %+v %s", c.name, c.said, u.Folder, err, c.want, c.kind)
			}
		}
	})
}

func TestUploadsEndAfterAWeek(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		text := body("000001", "x,1")
		start := time.Now()
		b.stop(start)
		idle, done, busy := b.begin(t, text), b.begin(t, text), b.begin(t, text)
		_, err := b.on(t, idle.ID, text[:5])
		check(t, err)
		finished, err := b.on(t, done.ID, text)
		check(t, err)
		b.stop(start.Add(6 * 24 * time.Hour))
		_, err = b.on(t, busy.ID, text[:5])
		check(t, err)
		b.stop(start.Add(7*24*time.Hour + time.Second))
		if _, err := b.WebUpload(t.Context(), b.scope(t, 0), idle.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("before the round: %v, want not found", err)
		}
		check(t, b.ExpireUploadsDue(t.Context()))
		if n := b.count(t, "uploads"); n != 1 {
			t.Errorf("%d uploads, want the busy one", n)
		}
		check(t, b.Vault.RemoveDue(t.Context()))
		if n := b.count(t, "vault_objects"); n != 2 || b.count(t, "vault_garbage") != 0 {
			t.Errorf("%d objects, want the busy one's part and the file", n)
		}
		_, err = b.Submission(t.Context(), b.scope(t, 0), finished.Submission)
		check(t, err)
	})
}

// Those of a suspended tenant stay, and must not stand before others' for ever.
func TestExpiryGoesPastWhatStays(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.begin(t, "12345")
		_, err := b.DB.Unscoped().Exec(t.Context(), `UPDATE uploads SET changed_at = 1`)
		check(t, err)
		err = b.DB.Transact(t.Context(), func(tx *meta.DB) error { // as many again as one look sees
			_, err := tx.For(b.tenants[0].ID).Exec(t.Context(), `
				WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1100)
				INSERT INTO uploads (id, tenant, channel, name, name_key, created_at, changed_at, created_by)
				SELECT 'upl_' || n.i, u.tenant, u.channel, u.name, u.name_key, 1, 1, 'x' FROM uploads u CROSS JOIN n WHERE u.tenant = $1`, string(b.tenants[0].ID))
			return err
		})
		check(t, err)
		_, err = b.CreateUpload(t.Context(), b.scope(t, 1), exchange.Upload{Name: "b.csv", Length: 5, Folder: folder})
		check(t, err)
		_, err = b.DB.Unscoped().Exec(t.Context(), `UPDATE uploads SET changed_at = 2 WHERE tenant = $1`, string(b.tenants[1].ID))
		check(t, err)
		_, err = b.control.UnscopedSuspend(t.Context(), "usr_admin", b.tenants[0].Slug, "")
		check(t, err)
		check(t, b.ExpireUploadsDue(t.Context()))
		if n := b.count(t, "uploads"); n != 1101 {
			t.Errorf("%d uploads, want the suspended tenant's 1101", n)
		}
	})
}

// away is a database that does not answer some times when a file is to be written down.
type away struct {
	*control.Control
	times int
}

func (a *away) Claim(ctx context.Context, tx *meta.DB, id tenant.ID) error {
	if a.times > 0 {
		a.times--
		return errors.New("away")
	}
	return a.Control.Claim(ctx, tx, id)
}

// What a fault of ours stops is kept, and goes on when it is over.
func TestFaultsOfOursKeepWhatArrived(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		ctx, scope, text := t.Context(), b.scope(t, 0), body("000001", "x,1")
		u := b.begin(t, text)
		b.Tenants = &away{b.control, 1}
		if _, err := b.on(t, u.ID, text); !fault.Is(err, fault.Internal) {
			t.Errorf("submitting: got %v, want the fault", err)
		}
		got, err := b.WebUpload(ctx, scope, u.ID)
		if check(t, err); !got.Arrived() || got.Submission != "" {
			t.Errorf("after it: got %+v, want all of it, not submitted", got)
		}
		got, err = b.FinishUpload(ctx, scope, got)
		if check(t, err); got.Submission == "" {
			t.Errorf("once it is over: got %+v, want a submission", got)
		}

		// What not even keeping succeeds with goes on in its draft.
		sftp := exchange.Upload{Channel: exchange.SFTP, Folder: folder, Name: "b.csv", Length: -1}
		n := exchange.NewSubmission{Dataset: folder.Dataset, Date: date, Name: "b.csv", Channel: exchange.SFTP, Size: -1}
		for _, kept := range []bool{false, true} {
			b.Tenants = &away{b.control, 2}
			d := b.draft(t, scope, sftp, text)
			if _, err := d.Submit(ctx, n); err == nil || !d.Whole() {
				t.Fatalf("submitting: %v, whole: %v", err, d.Whole())
			}
			if _, err := d.Keep(ctx); err == nil || !d.Whole() {
				t.Fatalf("keeping: %v, whole: %v", err, d.Whole())
			}
			if kept {
				got, err = d.Keep(ctx)
				if check(t, err); !got.Arrived() || d.Whole() {
					t.Errorf("kept: got %+v", got)
				}
				got, err = b.Upload(ctx, scope, got.ID)
				check(t, err)
				_, err = b.SubmitUpload(ctx, scope, got, n)
				check(t, err)
				continue
			}
			_, err = d.Submit(ctx, n)
			check(t, err)
		}
		// A wrong file ends with its verdict, whatever came before.
		d := b.draft(t, scope, sftp, text)
		n.SHA256 = make([]byte, 32)
		if _, err := d.Submit(ctx, n); !fault.Is(err, fault.Invalid) || d.Whole() {
			t.Errorf("another checksum: %v, whole: %v", err, d.Whole())
		}
		if uploads, _, _ := b.rows(t); uploads != 1 {
			t.Errorf("%d uploads are left, want the web's", uploads)
		}
	})
}

func TestUnfinishedUploadsAreBounded(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.begin(t, "12345")
		fill := func(became string) {
			err := b.DB.Transact(t.Context(), func(tx *meta.DB) error {
				_, err := tx.For(b.tenants[0].ID).Exec(t.Context(), `
					WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4999)
					INSERT INTO uploads (id, tenant, channel, name, name_key, created_at, changed_at, created_by, submission)
					SELECT 'upl_' || $2 || n.i, $1, 'web', name, name_key, created_at, changed_at, 'x', $2 FROM uploads CROSS JOIN n WHERE tenant = $1 AND created_by <> 'x'`,
					string(b.tenants[0].ID), became)
				return err
			})
			check(t, err)
		}
		fill("sub_1")
		b.begin(t, "12345") // what is submitted does not count
		_, err := b.DB.Unscoped().Exec(t.Context(), `DELETE FROM uploads WHERE created_by <> 'x' AND id NOT IN (SELECT MIN(id) FROM uploads WHERE created_by <> 'x')`)
		check(t, err)
		fill("")
		_, err = b.CreateUpload(t.Context(), b.scope(t, 0), exchange.Upload{Name: "in.csv", Length: 5, Folder: folder})
		if !fault.Is(err, fault.Throttled) {
			t.Errorf("one too many: %v, want throttled", err)
		}
	})
}

func TestDroppedUploadsFreeTheirBytes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		u := b.begin(t, body("000001", "x,1"))
		_, err := b.on(t, u.ID, "Date")
		check(t, err)
		other := b.DropUpload(t.Context(), b.scope(t, 1), u.ID)
		none := b.DropUpload(t.Context(), b.scope(t, 1), "upl_0")
		if !fault.Is(other, fault.NotFound) || strings.ReplaceAll(other.Error(), u.ID, "upl_0") != none.Error() {
			t.Errorf("B's dropping: %v, want %v", other, none)
		}
		check(t, b.DropUpload(t.Context(), b.scope(t, 0), u.ID))
		check(t, b.Vault.RemoveDue(t.Context()))
		stored := 0
		check(t, b.Vault.Blobs.List(t.Context(), "", func(blob.Info) error { stored++; return nil }))
		if stored != 0 || b.count(t, "vault_objects") != 0 {
			t.Errorf("%d objects are stored, want none", stored)
		}
		var verbs int64
		check(t, b.DB.Unscoped().QueryRow(context.WithoutCancel(t.Context()), `SELECT count(*) FROM audit_entries WHERE verb IN ('upload.create', 'upload.drop') AND subject = $1`, u.ID).Scan(&verbs))
		if verbs != 2 {
			t.Errorf("%d audit entries, want 2", verbs)
		}
	})
}
