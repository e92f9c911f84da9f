package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"tributary/client"
)

type submitCmd struct {
	Dataset string `required:"" placeholder:"NAME" help:"The dataset that the file is for."`
	Date    string `required:"" placeholder:"YYYY-MM-DD" help:"The business date that it is for."`
	Name    string `placeholder:"NAME" help:"The name to send it under; the file's own if not said."`
	NoWait  bool   `name:"no-wait" help:"Do not wait for the verdict."`
	File    string `arg:"" help:"The file; - is standard input, which needs --name."`
}

// Run sends a file and, if it is to, waits for the verdict.
func (s *submitCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	up := client.Upload{Dataset: s.Dataset, Date: s.Date, Name: s.Name, Sending: out.progress("sending " + filepath.Base(s.File))}
	send := c.Submit
	if s.File == "-" {
		if s.Name == "" {
			return usage("a file from standard input needs a --name")
		}
		// Not a file to the client even if it is one: a pipe cannot be read twice.
		up.Body = struct{ io.Reader }{os.Stdin}
	} else {
		if info, err := os.Stat(s.File); err == nil && !info.Mode().IsRegular() { // opening a pipe would wait
			return usage("%s is not a file", s.File)
		}
		f, err := os.Open(s.File)
		if err != nil {
			return usage("%w", err)
		}
		defer f.Close()
		up.Body, up.Hashing = f, out.progress("reading "+filepath.Base(s.File))
		if info, err := f.Stat(); err == nil && info.Size() >= resumable {
			send = s.resumable(out, c)
		}
		if s.Name == "" {
			up.Name = filepath.Base(s.File)
		}
	}
	sub, err := send(ctx, up)
	if err != nil {
		return err
	}
	out.clearLine()
	if !s.NoWait {
		if sub, err = s.wait(ctx, out, c, sub); err != nil {
			return err
		}
	}
	if err := out.answer(func() { out.verdict(sub) }); err != nil {
		return err
	}
	switch sub.State {
	case "rejected":
		return &exit{code: exitInvalid, says: "The file was rejected: " + plural(count(sub), "thing is wrong", "things are wrong") + ".",
			hint: "Correct the file and send it again; nothing of this one is used."}
	case "withdrawn":
		return &exit{code: exitFailed, says: "The submission was withdrawn before it was validated."}
	}
	return nil
}

// resumable sends a large file, and says what becomes of it when that breaks off.
func (s *submitCmd) resumable(out *output, c *client.Client) func(context.Context, client.Upload) (client.Submission, error) {
	return func(ctx context.Context, up client.Upload) (client.Submission, error) {
		sub, err := c.SubmitResumable(ctx, up)
		if err != nil && (ctx.Err() != nil || client.Is(err, client.Unavailable)) {
			out.clearLine()
			out.note("What has arrived is kept for a week: the same command goes on from there.")
		}
		return sub, err
	}
}

// wait waits for the verdict. The file is safe by then, so being interrupted
// loses nothing, and says so.
func (s *submitCmd) wait(ctx context.Context, out *output, c *client.Client, sub client.Submission) (client.Submission, error) {
	out.draw("sent as " + sub.ID + "; waiting for the verdict")
	decided, err := c.WaitSubmission(ctx, sub.ID)
	out.clearLine()
	if err != nil {
		out.note("The file is kept and is being validated: tributary submission show %s", sub.ID)
	}
	return decided, err
}

func count(s client.Submission) int64 {
	if s.ErrorCount != nil {
		return *s.ErrorCount
	}
	return int64(len(s.Problems))
}

func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + many
}

// verdict prints a submission in short, with its problems.
func (o *output) verdict(s client.Submission) {
	o.fields("id", s.ID, "state", s.State, "dataset", s.Dataset, "date", s.Date, "revision", number(s.Revision), "name", s.Name, "size", size(s.Size),
		"rows", numberOr(s.Rows), "columns", numberOr(s.Columns))
	o.notes(s)
	o.problems(s)
}

// notes says what the submission's time means for it, and what it repeats.
func (o *output) notes(s client.Submission) {
	for _, n := range s.Notes {
		o.note("%s", n)
	}
}

// problems prints what is wrong with a file.
func (o *output) problems(s client.Submission) {
	if len(s.Problems) == 0 {
		return
	}
	var lines [][]string
	for _, p := range s.Problems {
		row := ""
		if p.Row > 0 {
			row = number(p.Row)
		}
		lines = append(lines, []string{row, p.Column, p.Code, p.Message})
	}
	fmt.Fprintln(o.stdout)
	o.table([]string{"ROW", "COLUMN", "CODE", "MESSAGE"}, lines)
	if n := count(s); n > int64(len(lines)) {
		o.line("… and %d more", n-int64(len(lines)))
	}
}

type submissionCmd struct {
	List     submissionListCmd     `cmd:"" help:"List submissions, the newest first."`
	Show     submissionShowCmd     `cmd:"" help:"Show a submission and what is wrong with it."`
	Get      submissionGetCmd      `cmd:"" help:"Download a submission's file, as it was sent."`
	Preview  submissionPreviewCmd  `cmd:"" help:"Show the first rows of a submission."`
	Withdraw submissionWithdrawCmd `cmd:"" help:"Take a submission back: no later run reads it."`
	Delete   submissionDeleteCmd   `cmd:"" help:"Delete a submission's bytes, and withdraw it."`
	Receipts submissionReceiptsCmd `cmd:"" help:"List the signed proofs of how a submission was used."`
}

type submissionListCmd struct {
	listFlags
	viewFlags
	tenantFlag
	Dataset string `placeholder:"NAME" help:"Only for this dataset."`
	Date    string `placeholder:"YYYY-MM-DD" help:"Only for this business date."`
	State   string `placeholder:"STATE" enum:",received,validating,accepted,rejected,superseded,withdrawn" default:"" help:"Only in this state: received, validating, accepted, rejected, superseded, withdrawn."`
}

// Run lists submissions.
func (s *submissionListCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	filter := client.SubmissionFilter{TenantPage: client.TenantPage{Page: s.page(), Tenant: s.Tenant}, Dataset: s.Dataset, Date: s.Date, State: s.State, View: s.view()}
	return printList(ctx, out, s.listFlags, c.Submissions, filter, columns[client.Submission]{
		[]string{"ID", "TENANT", "DATASET", "DATE", "REVISION", "STATE", "ROWS", "SIZE", "NAME", "RECEIVED", "LATE"},
		func(s client.Submission) []string {
			return []string{s.ID, named(s.TenantSlug, s.Tenant), s.Dataset, s.Date, number(s.Revision), s.State, numberOr(s.Rows), size(s.Size), s.Name, when(s.ReceivedAt), yesNo(s.Late)}
		},
	})
}

// named is a tenant's slug where the server gives it, else its id.
func named(slug, id string) string {
	if slug != "" {
		return slug
	}
	return id
}

// submissionArg is a submission that is named.
type submissionArg struct {
	ID string `arg:"" name:"id" help:"The submission's id."`
}

func (o *output) submission(s client.Submission) {
	o.fields("id", s.ID, "tenant", named(s.TenantSlug, s.Tenant), "dataset", s.Dataset, "dataset_version", number(s.DatasetVersion), "date", s.Date,
		"revision", number(s.Revision), "state", s.State, "name", s.Name, "channel", s.Channel, "size", size(s.Size), "rows", numberOr(s.Rows),
		"columns", numberOr(s.Columns), "error_count", numberOr(s.ErrorCount), "sha256", s.SHA256, "commitment", s.Commitment,
		"received_at", when(s.ReceivedAt), "due_at", whenever(s.DueAt), "cut_off_at", whenever(s.CutOffAt), "late", yesNo(s.Late), "after_cut_off", yesNo(s.AfterCutOff),
		"duplicate_of", s.DuplicateOf, "validated_at", whenever(s.ValidatedAt), "closed_at", whenever(s.ClosedAt),
		"deletes_at", whenever(s.DeletesAt), "deleted_at", whenever(s.DeletedAt), "deleted_for", s.DeletedFor, "held", yesIf(s.Held), "submitted_by", s.SubmittedBy)
	o.notes(s)
	o.problems(s)
}

type submissionShowCmd struct{ submissionArg }

// Run shows a submission.
func (s *submissionShowCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	found, err := c.Submission(ctx, s.ID)
	if err != nil {
		return err
	}
	return out.answer(func() { out.submission(found) })
}

type submissionGetCmd struct {
	submissionArg
	target
}

// Run downloads a submission.
func (s *submissionGetCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	return s.fetch(ctx, out, func(ctx context.Context, w io.Writer, p client.Progress) (client.Download, error) {
		return c.SubmissionContent(ctx, s.ID, w, p)
	})
}

type submissionPreviewCmd struct{ submissionArg }

// Run shows the first rows of a submission.
func (s *submissionPreviewCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	p, err := c.PreviewSubmission(ctx, s.ID)
	if err != nil {
		return err
	}
	return out.answer(func() {
		out.table(p.Columns, plain(p.Rows))
		switch {
		case p.Stopped:
			out.note("What follows cannot be read.")
		case p.More:
			out.note("There are more rows.")
		}
		if p.Hidden > 0 {
			out.note("%s not shown.", plural(int64(p.Hidden), "column is", "columns are"))
		}
	})
}

// plain is rows of values with nothing for what is null.
func plain(rows [][]*string) [][]string {
	all := make([][]string, len(rows))
	for i, row := range rows {
		for _, v := range row {
			if v == nil {
				v = new(string)
			}
			all[i] = append(all[i], *v)
		}
	}
	return all
}

type submissionWithdrawCmd struct{ submissionArg }

// Run withdraws a submission.
func (s *submissionWithdrawCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	changed, err := c.WithdrawSubmission(ctx, s.ID)
	if err != nil {
		return err
	}
	return out.answer(func() {
		out.fields("id", changed.ID, "state", changed.State)
		out.notes(changed)
	})
}

type submissionDeleteCmd struct{ submissionArg }

// Run deletes a submission's bytes.
func (s *submissionDeleteCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	changed, err := c.DeleteSubmission(ctx, s.ID)
	if err != nil {
		return err
	}
	return out.answer(func() { out.fields("id", changed.ID, "state", changed.State) })
}

type submissionReceiptsCmd struct{ submissionArg }

// Run lists receipts, and checks them: a receipt that does not verify is an error.
func (s *submissionReceiptsCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	found, err := c.Receipts(ctx, s.ID)
	if err != nil {
		return err
	}
	if err := printItems(out, found, columns[client.Receipt]{
		[]string{"RUN", "RELEASE", "ANALYSIS", "VERSION", "DATE", "MANIFEST"},
		func(r client.Receipt) []string {
			return []string{r.Run, r.Release, r.Analysis, number(r.Version), r.Date, r.Manifest}
		},
	}); err != nil || len(found.Items) == 0 {
		return err
	}
	keys, err := c.AuditKeys(ctx)
	if err != nil {
		return err
	}
	var wrong []string
	for _, r := range found.Items {
		if err := r.Verify(keys.Items); err != nil {
			wrong = append(wrong, r.Run+": "+err.Error())
		}
	}
	if wrong != nil {
		return fmt.Errorf("receipts that do not verify: %s", strings.Join(wrong, "; "))
	}
	out.note("%s, signed by the server's key %s", plural(int64(len(found.Items)), "receipt", "receipts"), found.Items[0].Signed.Key)
	return nil
}
