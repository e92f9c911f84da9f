package exchange_test

import (
	"crypto/sha256"
	"io"
	"strings"
	"testing"
	"time"

	"tributary/internal/exchange"
	"tributary/internal/fault"
	"tributary/internal/tenant"
)

var folder = exchange.Folder{Dataset: "tagged-values", Date: date}

func (b *bench) draft(t *testing.T, scope tenant.Scope, u exchange.Upload, text string) *exchange.Draft {
	t.Helper()
	d, err := b.Draft(t.Context(), scope, u)
	check(t, err)
	_, err = io.WriteString(d, text)
	check(t, err)
	return d
}

// rows counts what the tenants have of files on their way.
func (b *bench) rows(t *testing.T) (uploads, parts, objects int) {
	t.Helper()
	for query, to := range map[string]*int{`SELECT count(*) FROM uploads`: &uploads, `SELECT count(*) FROM upload_parts`: &parts, `SELECT count(*) FROM vault_objects`: &objects} {
		check(t, b.DB.Unscoped().QueryRow(t.Context(), query).Scan(to))
	}
	return uploads, parts, objects
}

func TestUploads(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		ctx, scope := t.Context(), b.scope(t, 0)
		text := body("000001", "x,1", "y,2")
		sum := sha256.Sum256([]byte(text))
		u, err := b.draft(t, scope, exchange.Upload{Channel: exchange.Web, Folder: folder, Name: "in.csv", Length: int64(len(text)), SHA256: sum[:]}, text[:10]).Keep(ctx)
		check(t, err)
		theirs, err := b.Upload(ctx, b.scope(t, 1), u.ID)
		missing, none := b.Upload(ctx, b.scope(t, 1), "upl_0")
		if !fault.Is(err, fault.NotFound) || strings.ReplaceAll(err.Error(), u.ID, "upl_0") != none.Error() || theirs.Size != missing.Size {
			t.Errorf("another's: %v; a missing one: %v", err, none)
		}
		if err := b.DropUpload(ctx, b.scope(t, 1), u.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("dropping another's: %v", err)
		}
		if err := b.RenameUpload(ctx, b.scope(t, 1), u.ID, folder, "mine.csv"); !fault.Is(err, fault.NotFound) {
			t.Errorf("renaming another's: %v", err)
		}
		for range 2 {
			if u, err = b.Upload(ctx, scope, u.ID); err != nil || u.Length != int64(len(text)) || string(u.SHA256) != string(sum[:]) || u.Name != "in.csv" {
				t.Fatalf("upload: %+v, %v", u, err)
			}
			u, err = b.draft(t, scope, u, text[u.Size:u.Size+10]).Keep(ctx)
			check(t, err)
		}
		stale := u
		u, err = b.Upload(ctx, scope, u.ID)
		check(t, err)
		n := exchange.NewSubmission{Dataset: folder.Dataset, Date: date, Name: u.Name, Channel: exchange.Web, SHA256: u.SHA256, Size: u.Length}
		s, err := b.draft(t, scope, u, text[u.Size:]).Submit(ctx, n)
		check(t, err)
		b.turn(t, b.idle(t))
		b.want(t, 0, s.ID, exchange.Accepted)
		if u, err = b.Upload(ctx, scope, u.ID); err != nil || u.Submission != s.ID || u.Size != int64(len(text)) {
			t.Errorf("after the submission: %+v, %v", u, err)
		}
		if _, err := b.SubmitUpload(ctx, scope, stale, n); err == nil {
			t.Error("one upload was submitted twice")
		}
		if _, err := b.Draft(ctx, scope, u); !fault.Is(err, fault.Conflict) {
			t.Errorf("going on with what is submitted: %v", err)
		}
		if uploads, parts, objects := b.rows(t); uploads != 1 || parts != 0 || objects != 2 {
			t.Errorf("left are %d uploads, %d parts, %d objects, want 1, 0 and the file with its accepted form", uploads, parts, objects)
		}

		// One part is the file as it is; a wrong one is refused, and stays to be looked at.
		u, err = b.draft(t, scope, exchange.Upload{Channel: exchange.SFTP, Folder: folder, Name: "in.csv.tmp", Length: -1}, text).Keep(ctx)
		check(t, err)
		n.SHA256, n.Size, n.Channel = make([]byte, 32), -1, exchange.SFTP
		if u, err = b.Upload(ctx, scope, u.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := b.SubmitUpload(ctx, scope, u, n); !fault.Is(err, fault.Invalid) {
			t.Errorf("another checksum: %v", err)
		}
		n.SHA256 = nil
		s, err = b.SubmitUpload(ctx, scope, u, n)
		check(t, err)
		b.turn(t, b.idle(t))
		if b.want(t, 0, s.ID, exchange.Accepted); s.Revision != 2 {
			t.Errorf("revision %d, want 2", s.Revision)
		}

		// What nobody goes on with goes after a week, with its bytes.
		_, err = b.draft(t, scope, exchange.Upload{Channel: exchange.SFTP, Folder: folder, Name: "half.csv", Length: -1}, "half").Keep(ctx)
		check(t, err)
		check(t, b.ExpireUploadsDue(ctx))
		if uploads, parts, _ := b.rows(t); uploads != 2 || parts != 1 {
			t.Errorf("before its time: %d uploads, %d parts", uploads, parts)
		}
		b.stop(time.Now().Add(8 * 24 * time.Hour))
		check(t, b.ExpireUploadsDue(ctx))
		if uploads, parts, objects := b.rows(t); uploads != 0 || parts != 0 || objects != 4 {
			t.Errorf("after a week: %d uploads, %d parts, %d objects", uploads, parts, objects)
		}
	})
}

func TestRecognise(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply(t, strings.Replace(dataset, "dataset: tagged-values", "dataset: by-name\nfile_name: \"in-{date}-{participant}.csv\"", 1))
		b.apply(t, strings.Replace(dataset, "dataset: tagged-values", "dataset: by-pattern\nfile_pattern: \"^in-(?P<date>2022-10-[0-9]{2})-.*$\"", 1))
		for name, want := range map[string]any{
			"in-2022-09-23-000001.csv":          exchange.Folder{Dataset: "by-name", Date: "2022-09-23"},
			"in-2022-10-01-x.txt":               exchange.Folder{Dataset: "by-pattern", Date: "2022-10-01"},
			"in-2022-10-01-000001.csv":          "could be for",
			"in-2022-02-30-000001.csv":          "No dataset's",
			"x.csv":                             "No dataset's",
			"in-2022-09-23-000001.csv.filepart": "still being sent",
			".in-2022-09-23-000001.csv":         "still being sent",
			"../in":                             "must not be a path",
		} {
			got, err := b.Recognise(t.Context(), exchange.Folder{}, name)
			if words, refused := want.(string); refused {
				if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.Message(err), words) {
					t.Errorf("%s: got %+v, %v, want %q", name, got, err, words)
				}
			} else if err != nil || got != want {
				t.Errorf("%s: got %+v, %v, want %+v", name, got, err, want)
			}
		}
		if got, err := b.Recognise(t.Context(), folder, "anything"); err != nil || got != folder {
			t.Errorf("in a folder: %+v, %v", got, err)
		}
		if _, err := b.Recognise(t.Context(), exchange.Folder{Dataset: "none", Date: date}, "anything"); !fault.Is(err, fault.NotFound) {
			t.Errorf("in a folder of no dataset: %v", err)
		}
	})
}
