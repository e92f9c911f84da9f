package test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"tributary/client"
	"tributary/test/servertest"
)

// header is the first line of a file for the example's dataset.
const header = "Date,ClientID,Tag1,Tag2,Value\n"

// loose takes any name and any tags, and is generous with the ratio of gzip.
const loose = `dataset: loose
title: Any name
csv: {delimiter: ",", header: true}
columns:
  - {name: Tag, type: text}
  - {name: Value, type: integer}
limits: {ratio: 1000}
`

// fetch sends a request and returns the answer's status and body.
func fetch(t *testing.T, r *http.Request) (int, string) {
	t.Helper()
	w := must(http.DefaultClient.Do(r))(t)
	defer w.Body.Close()
	return w.StatusCode, string(must(io.ReadAll(w.Body))(t))
}

// packed is a text compressed with gzip.
func packed(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	must(io.WriteString(z, text))(t)
	must(struct{}{}, z.Close())(t)
	return b.String()
}

// zipped is a text in a zip archive, which is what an Excel workbook is too.
func zipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w := must(z.Create("values.csv"))(t)
	must(io.WriteString(w, text))(t)
	must(struct{}{}, z.Close())(t)
	return b.String()
}

// wrong is a problem of a file as its tenant reads it.
func wrong(row int64, column, code, message string) client.FileError {
	return client.FileError{Row: row, Column: column, Code: code, Message: message}
}

// TestBadFilesAreRejected sends bad files as tenant A by the command line, and reads
// by the API what is wrong with each. What A had sent before stays accepted, and
// what B sends at the same time is accepted.
func TestBadFilesAreRejected(t *testing.T) {
	t.Parallel()
	s := started(t, "")
	a, b := s.exchange()
	type problems = []client.FileError
	const lastLine = ` has bytes that are not text in the dataset's encoding. Save the file in that encoding.`
	day := func(row string) string { return header + strings.ReplaceAll(row, "D,", "20221101,000001,") }
	for name, c := range map[string]struct {
		text  string
		count int64 // of problems; 0: those that are listed
		want  problems
	}{
		"ragged": {day("D,x,y\nD,x,z,1\nD,x,w,1,2\n"), 0, problems{
			wrong(1, "", "ragged", "This row has 4 fields instead of 5. Quote values that contain the delimiter."),
			wrong(3, "", "ragged", "This row has 6 fields instead of 5. Quote values that contain the delimiter."),
		}},
		"wrong columns": {"Date,Client,tag1,Value,Value\n20221101,000001,x,1,1\n", 6, problems{
			wrong(0, "", "column-unknown", `The header has a column "Client" that the dataset has not. Remove it.`),
			wrong(0, "Tag1", "column-unknown", `The header has a column "tag1"; the dataset writes it "Tag1".`),
			wrong(0, "Value", "column-duplicate", `The header names the column "Value" more than once. Remove one.`),
			wrong(0, "ClientID", "column-missing", `The header lacks the column "ClientID". Add it, or check the delimiter.`),
		}},
		"another delimiter": {"Date;ClientID;Tag1;Tag2;Value\n20221101;000001;x;y;1\n", 6, problems{
			wrong(0, "", "column-unknown", `The header has a column "Date;ClientID;Tag1;Tag2;Value" that the dataset has not. Remove it.`),
		}},
		"no header":        {day("D,x,y,1\n")[len(header):], 10, nil},
		"Latin-1":          {day("D,Z\xfcrich,y,1\n"), 0, problems{wrong(1, "Tag1", "encoding", "\"Z\ufffdrich\""+lastLine)}},
		"NUL":              {day("D,x,y\x00,1\n"), 0, problems{wrong(1, "Tag2", "encoding", "\"y\ufffd\" has a NUL byte. Remove it, or check the file's encoding.")}},
		"UTF-16":           {"\xff\xfeD\x00a\x00t\x00e\x00", 0, problems{wrong(0, "", "encoding", "The file begins with the byte order mark of utf-16le, which is not the dataset's encoding. Save the file in that encoding.")}},
		"only a header":    {header, 0, problems{wrong(0, "", "empty", "The file has no data rows.")}},
		"gzip of nothing":  {packed(t, ""), 0, problems{wrong(0, "", "empty", "The file is empty.")}},
		"gzip cut off":     {packed(t, day("D,x,y,1\n"))[:40], 0, problems{wrong(0, "", "compression", "The gzip data is cut off or damaged. Compress the file again and send it again.")}},
		"gzip twice":       {packed(t, packed(t, day("D,x,y,1\n"))), 0, problems{wrong(0, "", "compression", "The file is compressed twice. Compress it once.")}},
		"workbook":         {zipped(t, day("D,x,y,1\n")), 0, problems{wrong(0, "", "format", "This is a zip archive or an Excel workbook, not a CSV text file. Export the table as CSV.")}},
		"open quote":       {day("D,\"x,y,1\n"), 0, problems{wrong(1, "", "quote", "The quote that opens in line 2 is not closed. Is the file cut off?")}},
		"another's":        {day("D,x,y,1\n20221101,000002,x,z,1\n"), 0, problems{wrong(2, "ClientID", "participant", "")}},
		"another day":      {day("D,x,y,1\n20221102,000001,x,z,1\n"), 0, problems{wrong(2, "Date", "business-date", "")}},
		"not a number":     {day("D,x,y,ten\n"), 0, problems{wrong(1, "Value", "type", `"ten" is not a number with at most 2 digits after the decimal sign and 18 in all.`)}},
		"too large":        {day("D,x,y,99999999999999999999\n"), 0, problems{wrong(1, "Value", "range", "")}},
		"no value":         {day("D,x,y,\n"), 0, problems{wrong(1, "Value", "required", "")}},
		"twice":            {day("D,x,y,1\nD,x,z,1\nD,x,y,2\n"), 0, problems{wrong(3, "", "unique", "Row 1 has the same Tag1, Tag2. Keep one of them.")}},
		"100,000 columns":  {strings.Repeat("c,", 99_999) + "c\n", 0, problems{wrong(0, "", "limit", "A record has more than 200 columns, in line 1.")}},
		"a row of 100,000": {day("D,x,y,1\n") + strings.Repeat("c,", 99_999) + "c\n", 0, problems{wrong(2, "", "limit", "A record has more than 200 columns, in line 3.")}},
		"a long value":     {day("D,x,y,1\nD," + strings.Repeat("x", 1<<20) + ",y,1\n"), 0, problems{wrong(2, "", "limit", "A value is longer than 65536 bytes, in line 3. Is a quote or a line end missing?")}},
	} {
		t.Run(name, func(t *testing.T) {
			before := a.Accepted(t, date, servertest.Values(1, date, "x,y,1"))
			bystander := b.meanwhile(t, 2)
			file := filepath.Join(t.TempDir(), servertest.InputName(1, date))
			writeFile(t, file, c.text)
			out, errs, code := s.Try(a.Key, "submit", "--dataset", dataset, "--date", date, "--json", file)
			bystander()
			if code != 6 || !strings.HasPrefix(errs, "error: The file was rejected: ") || !strings.Contains(errs, "hint: Correct the file and send it again; nothing of this one is used.") {
				t.Fatalf("submit: got exit code %d, %q, %q; want 6 and that the file was rejected", code, out, errs)
			}
			got := must(a.Submission(t.Context(), servertest.Decode[client.Submission](t, out).ID))(t)
			count := c.count
			if count == 0 {
				count = int64(len(c.want))
			}
			if got.State != "rejected" || got.ErrorCount == nil || *got.ErrorCount != count || len(got.Problems) != int(count) {
				t.Fatalf("got %s with %d problems %+v, want rejected with %d", got.State, len(got.Problems), got.Problems, count)
			}
			for n, p := range c.want {
				if p.Message == "" {
					p.Message = got.Problems[n].Message
				}
				if got.Problems[n] != p || p.Message == "" {
					t.Errorf("problem %d: got %+v, want %+v", n, got.Problems[n], p)
				}
			}
			// The bad one is kept as it was sent, and the good one is what runs read.
			a.keeps(t, got.ID, c.text)
			if still := must(a.Submission(t.Context(), before.ID))(t); still.State != "accepted" {
				t.Errorf("the good file from before: got %s, want accepted", still.State)
			}
		})
	}
	// A person at the command line reads the same words.
	file := s.File(servertest.InputName(1, date), day("D,x,y,ten\n"))
	out, errs, code := s.Try(a.Key, "submit", "--dataset", dataset, "--date", date, file)
	for _, want := range []string{"rejected", "ROW  COLUMN  CODE  MESSAGE", `1    Value   type  "ten" is not a number`} {
		if code != 6 || !strings.Contains(string(out), want) || !strings.Contains(errs, "1 thing is wrong.") {
			t.Errorf("submit: got exit code %d, %q, %q; want 6, saying %q", code, out, errs, want)
		}
	}
	s.Stop()
	s.Sound()
}

// meanwhile starts sending a good file of participant n, and returns how to wait
// for it: it must be accepted, and its bytes be what was sent.
func (p party) meanwhile(t *testing.T, n int) (wait func()) {
	t.Helper()
	text := servertest.Values(n, date, "x,y,20", "x,z,4")
	var sending sync.WaitGroup
	sending.Go(func() {
		sent, err := p.Send(t.Context(), date, text)
		if err == nil {
			sent, err = p.WaitSubmission(t.Context(), sent.ID)
		}
		if err != nil || sent.State != "accepted" || *sent.Rows != 2 {
			t.Errorf("another tenant's file at the same time: got %+v, %v, want it accepted", sent, err)
			return
		}
		p.keeps(t, sent.ID, text)
	})
	return sending.Wait
}

// keeps wants a submission's bytes to be what was sent.
func (p party) keeps(t *testing.T, id, text string) {
	t.Helper()
	var kept bytes.Buffer
	if _, err := p.SubmissionContent(t.Context(), id, &kept, nil); err != nil || kept.String() != text {
		t.Errorf("bytes of %s: got %d, %v, want the %d that were sent", id, kept.Len(), err, len(text))
	}
}

// TestHostileNames sends files under names that are attacks somewhere. Those that
// could be a path or mislead a reader are refused; the others are only names.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	s := started(t, "")
	a, b := s.exchange()
	must(s.As(s.Token).ApplyDataset(t.Context(), []byte(loose)))(t)
	const (
		path    = "The file's name must not be a path: leave out what is before the last slash."
		control = "The file's name has control characters in it."
		text    = "Tag,Value\nx,1\n"
	)
	bystander := b.meanwhile(t, 2)
	for name, says := range map[string]string{
		"../../etc/passwd": path, "/etc/passwd": path, `..\..\boot.ini`: path, `C:\x.csv`: path, "..": path, ".": path, "a/b.csv": path,
		"a\x00.csv": control, "a\nb.csv": control, "a\x1b[31m.csv": control, "a\u0085b.csv": control, "a\u202evsc.exe": control, "\u2066a.csv": control,
		strings.Repeat("n", 1024): "The file's name is longer than 255 bytes.",
		"a\xff.csv":               "The file's name is not valid UTF-8.",
		"":                        "The file needs a name.",
	} {
		if got := s.upload(a.Key, "loose", name, strings.NewReader(text), nil); got.Status != 422 || got.Type != "urn:tributary:invalid" || got.Detail != says && name != "" {
			t.Errorf("name %q: got %d %s %q, want 422 urn:tributary:invalid %q", name, got.Status, got.Type, got.Detail, says)
		}
		if name == "" || strings.Contains(name, "\x00") || !utf8.ValidString(name) {
			continue // cannot be typed, or is sent as something else
		}
		file := filepath.Join(t.TempDir(), "file.csv")
		writeFile(t, file, text)
		if _, errs, code := s.Try(a.Key, "submit", "--dataset", "loose", "--date", date, "--name", name, file); code != 6 || !strings.Contains(errs, says) {
			t.Errorf("submit --name %q: got exit code %d, %q, want 6, saying %q", name, code, errs, says)
		}
	}
	bystander()
	if got := must(a.Submissions(t.Context(), client.SubmissionFilter{}))(t).Items; len(got) != 0 {
		t.Errorf("submissions under names that were refused: got %+v, want none", got)
	}
	harmless := []string{
		"🧾 Übersicht 数据.csv", ".htaccess", "...csv", "-rf", "~root", "CON", "nul.csv", "COM1.txt", "a.csv ", "%2e%2e%2fpasswd", "$(reboot).csv",
		`";'--.csv`, "<script>alert(1)<script>.csv", "filename=\"x\"; y.csv", "=cmd|' C calc'!A0.csv", strings.Repeat("é", 127) + "x",
	}
	for _, name := range harmless {
		sent := must(a.Submit(t.Context(), client.Upload{Dataset: "loose", Date: date, Name: name, Body: strings.NewReader(text)}))(t)
		got := must(a.WaitSubmission(t.Context(), sent.ID))(t)
		if got.State != "accepted" || got.Name != name {
			t.Errorf("name %q: got %s %q, want it accepted under its name", name, got.State, got.Name)
		}
		var kept bytes.Buffer
		if d, err := a.SubmissionContent(t.Context(), sent.ID, &kept, nil); err != nil || kept.String() != text || strings.TrimSpace(d.Name) != strings.TrimSpace(name) {
			t.Errorf("name %q: downloaded %q as %q, %v, want %q", name, kept.String(), d.Name, err, text)
		}
	}
	for _, stored := range s.stored() { // names are sealed, and no part of any path
		if strings.ContainsAny(stored, "%$<'~ ") || strings.Contains(stored, "CON") || strings.Contains(stored, "..") {
			t.Errorf("a stored file is called %q", stored)
		}
	}
	s.Stop()
	s.Sound()
}

// TestTwoUploadsToOneName sends two files at once under one name: both are kept, each
// with a revision of its own, and the higher one is what runs read.
func TestTwoUploadsToOneName(t *testing.T) {
	t.Parallel()
	s := started(t, "")
	a, b := s.exchange()
	texts := []string{servertest.Values(1, date, "x,y,1"), servertest.Values(1, date, "x,y,2")}
	sent := make([]client.Submission, len(texts))
	bystander := b.meanwhile(t, 2)
	var sending sync.WaitGroup
	for n, text := range texts {
		sending.Go(func() {
			var err error
			if sent[n], err = a.Send(t.Context(), date, text); err != nil {
				t.Errorf("upload %d: %v", n, err)
			}
		})
	}
	sending.Wait()
	bystander()
	want := map[int64]string{1: "superseded", 2: "accepted"}
	for n, text := range texts {
		must(a.WaitSubmission(t.Context(), sent[n].ID))(t)
		a.keeps(t, sent[n].ID, text)
	}
	for n := range texts { // once both were judged
		got := must(a.Submission(t.Context(), sent[n].ID))(t)
		if got.State != want[got.Revision] {
			t.Errorf("revision %d: got %s, want %s", got.Revision, got.State, want[got.Revision])
		}
		delete(want, got.Revision)
	}
	if len(want) != 0 {
		t.Errorf("revisions %v are missing", want)
	}
	// The earlier one takes longer to judge: the later one stays what runs read.
	kids := s.children()
	slow := must(a.Send(t.Context(), date, many(1, 50_000)))(t)
	pid := kids.caught()
	quick := a.Accepted(t, date, servertest.Values(1, date, "x,y,3"))
	s.signal(pid, unix.SIGCONT)
	slow = must(a.WaitSubmission(t.Context(), slow.ID))(t)
	quick = must(a.Submission(t.Context(), quick.ID))(t)
	if slow.State != "superseded" || quick.State != "accepted" || slow.Revision >= quick.Revision {
		t.Errorf("judged in the other order: got revision %d %s and %d %s, want superseded and accepted", slow.Revision, slow.State, quick.Revision, quick.State)
	}
	s.Stop()
	s.Sound()
}

// TestUnknownColumnsInADefinition applies definitions that name what is not there.
// Nothing changes, and what stood goes on.
func TestUnknownColumnsInADefinition(t *testing.T) {
	t.Parallel()
	s := started(t, "")
	a, b := s.exchange()
	text := string(servertest.Example(t, "analysis.yaml"))
	for name, c := range map[string]struct{ old, new, says string }{
		"group":   {"groups: [Tag1, Tag2]", "groups: [Tag1, Tag3]", `groups[1]: dataset "tagged-values" has no column "Tag3".`},
		"measure": {"column: Value,", "column: Valeu,", `measures[0].column: dataset "tagged-values" has no column "Valeu". Did you mean "Value"?`},
		"filter":  {"groups:", "filters: [{column: Colour, equals: [red]}]\ngroups:", `dataset "tagged-values" has no column "Colour".`},
		"whose":   {"groups: [Tag1, Tag2]", "groups: [Tag1, ClientID]", `groups[1]: column "ClientID" of dataset "tagged-values" tells whose a row is`},
		"dataset": {"datasets: [tagged-values]", "datasets: [tagged-value]", `datasets[0]: there is no dataset "tagged-value".`},
		"key":     {"quorum: 2", "quorom: 2", `quorom`},
	} {
		bystander := b.meanwhile(t, 2)
		changed := strings.Replace(text, c.old, c.new, 1)
		if _, err := s.As(s.Token).ApplyAnalysis(t.Context(), []byte(changed)); changed == text || !client.Is(err, client.Invalid) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want it invalid, saying %q", name, err, c.says)
		}
		file := filepath.Join(t.TempDir(), "analysis.yaml")
		writeFile(t, file, changed)
		if out, errs, code := s.Try(s.Token, "analysis", "apply", "-f", file); code != 6 || len(out) != 0 || !strings.Contains(errs, c.says) {
			t.Errorf("%s: analysis apply: got exit code %d, %q, %q, want 6, saying %q", name, code, out, errs, c.says)
		}
		bystander()
	}
	if got := must(a.Analysis(t.Context(), analysis, 0))(t); got.Version != 1 {
		t.Errorf("version after what was refused: got %d, want 1", got.Version)
	}
	a.Accepted(t, date, servertest.Values(1, date, "x,y,10"))
	run := must(s.As(s.Token).StartRuns(t.Context(), []string{analysis}, date))(t).Items[0]
	if run = must(s.As(s.Token).WaitRun(t.Context(), run.ID, nil))(t); run.State != "succeeded" {
		t.Errorf("a run of what stood: got %s (%s), want succeeded", run.State, run.Reason)
	}
}
