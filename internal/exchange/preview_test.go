package exchange_test

import (
	"strings"
	"testing"

	"tributary/internal/exchange"
	"tributary/internal/exchange/parse"
	"tributary/internal/fault"
)

func TestPreviewsAreForTheTenantAlone(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		good := b.send(t, 0, body("000001", "x,1.5"))
		bad := b.send(t, 0, body("000001", "<b>x</b>,many", "y,2"))
		picture := b.send(t, 0, "\x89PNG\r\n\x1a\n")
		b.turn(t, b.idle(t))
		for _, c := range []struct {
			id       string
			accepted bool
			want     string
		}{
			{good.ID, true, "2022-09-23 000001 x 1.50"},
			{bad.ID, false, "20220923 000001 <b>x</b> many\n20220923 000001 y 2"},
			{picture.ID, false, ""},
		} {
			p, err := b.Preview(t.Context(), b.scope(t, 0), c.id)
			check(t, err)
			var lines []string
			for _, row := range p.Rows {
				var cells []string
				for _, v := range row {
					cells = append(cells, *v)
				}
				lines = append(lines, strings.Join(cells, " "))
			}
			if got := strings.Join(lines, "\n"); got != c.want || p.Accepted != c.accepted || p.Stopped != (c.want == "") {
				t.Errorf("got %q, accepted %v, stopped %v, want %q, %v", got, p.Accepted, p.Stopped, c.want, c.accepted)
			}
			_, err = b.Preview(t.Context(), b.scope(t, 1), c.id)
			_, none := b.Preview(t.Context(), b.scope(t, 1), "sub_0")
			if !fault.Is(err, fault.NotFound) || strings.ReplaceAll(err.Error(), c.id, "sub_0") != none.Error() {
				t.Errorf("another's: %v; a missing one: %v", err, none)
			}
		}
		if n := b.count(t, "audit_entries WHERE verb = 'submission.read'"); n != 3 {
			t.Errorf("got %d entries of reading, want 3", n)
		}
		_, err := b.Delete(t.Context(), b.scope(t, 0), good.ID)
		check(t, err)
		if p, err := b.Preview(t.Context(), b.scope(t, 0), good.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("of a deleted one: %+v, %v", p, err)
		}
	})
}

func TestPreviewsOfParquet(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply(t, dataset+"formats: [csv, parquet]\n")
		torn := b.send(t, 0, "PAR1\x15\x04\x15\x00")
		b.turn(t, b.idle(t))
		if p, err := b.Preview(t.Context(), b.scope(t, 0), torn.ID); err != nil || !p.Stopped || len(p.Rows) > 0 {
			t.Errorf("got %+v, %v, want nothing", p, err)
		}
	})
}

func TestFilesAreRecognisedBeforeTheyAreSent(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply(t, strings.Replace(dataset, "tagged-values", "named", 1)+"file_name: 'in-{date}-{participant}.csv'\nlimits: {bytes: 1 KiB}\n")
		other := exchange.Folder{Dataset: "named", Date: "2022-09-24"}
		tagged := exchange.Folder{Dataset: "tagged-values", Date: date}
		for _, c := range []struct {
			file    exchange.Upload
			folder  exchange.Folder
			problem string
		}{
			{exchange.Upload{Name: "in-2022-09-24-000001.csv", Length: -1}, other, ""},
			{exchange.Upload{Name: "in-2022-09-24-000001.csv", Length: 2000}, other, "larger than the 1024 bytes"},
			{exchange.Upload{Name: "in-2022-09-24-000001.csv"}, other, "empty"},
			{exchange.Upload{Name: "in-2022-09-24-000002.csv", Length: -1}, other, "one of your organisation's ids"},
			{exchange.Upload{Name: "in-2022-02-30-000001.csv", Length: -1}, exchange.Folder{}, "does not say"},
			{exchange.Upload{Name: "any.csv", Length: -1}, exchange.Folder{}, "does not say"},
			{exchange.Upload{Name: "any.csv", Length: -1, Folder: tagged}, tagged, ""},
			{exchange.Upload{Name: "any.csv", Length: -1, Folder: other}, other, "does not have the form"},
			{exchange.Upload{Name: "in-2022-09-24-000001.csv", Length: -1, Folder: exchange.Folder{Dataset: "named", Date: date}}, exchange.Folder{Dataset: "named", Date: date}, "but the submission is for"},
			{exchange.Upload{Name: "any.csv", Length: -1, Folder: exchange.Folder{Dataset: "none", Date: date}}, exchange.Folder{Dataset: "none", Date: date}, "no dataset"},
			{exchange.Upload{Name: "a\nb.csv", Length: -1}, exchange.Folder{}, "control characters"},
		} {
			got, err := b.RecogniseFiles(t.Context(), b.scope(t, 0), []exchange.Upload{c.file})
			check(t, err)
			if got[0].Folder != c.folder || (c.problem == "") != (got[0].Problem == "") || !strings.Contains(got[0].Problem, c.problem) {
				t.Errorf("%+v: got %+v, want %v and a problem with %q", c.file, got[0], c.folder, c.problem)
			}
		}
		name, text, err := b.Template(t.Context(), b.scope(t, 1), "named", date)
		if err != nil || name != "in-2022-09-23-000002.csv" || string(text) != "Date,ClientID,Tag1,Value\n20220923,000002,example,12.50\n" {
			t.Errorf("template: %q, %q, %v", name, text, err)
		}
		name, text, err = b.UnscopedTemplate(t.Context(), "named", "")
		if err != nil || !strings.HasPrefix(name, "in-20") || !strings.Contains(string(text), "YOUR-ID") {
			t.Errorf("template of nobody: %q, %q, %v", name, text, err)
		}
	})
}

// One tenant's previews leave room for others'.
func TestPreviewsAreFewAtOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		s := b.send(t, 0, body("000001", strings.Repeat("x,1\n20220923,000001,", 100)+"y,2"))
		errs := make(chan error, 8)
		for range cap(errs) {
			go func() {
				_, err := b.Preview(t.Context(), b.scope(t, 0), s.ID)
				errs <- err
			}()
		}
		for range cap(errs) {
			if err := <-errs; err != nil && !fault.Is(err, fault.Throttled) {
				t.Error(err)
			}
		}
		if p, err := b.Preview(t.Context(), b.scope(t, 0), s.ID); err != nil || len(p.Rows) != parse.PreviewRows {
			t.Errorf("after all: %d rows, %v", len(p.Rows), err)
		}
	})
}
