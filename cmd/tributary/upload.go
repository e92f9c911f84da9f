package main

import (
	"context"
	"path/filepath"

	"tributary/client"
)

// resumable is the size from which a file is sent so that sending it can be gone on with.
const resumable = 64 << 20

type uploadCmd struct {
	List uploadListCmd `cmd:"" help:"List large files on their way, and those submitted in the last week, the newest first."`
	Show uploadShowCmd `cmd:"" help:"Show how much of a file has arrived, and what became of it."`
	Drop uploadDropCmd `cmd:"" help:"End an upload; what arrived of it is gone."`

	Recognise uploadRecogniseCmd `cmd:"" help:"Say what files would be taken for by their names, without sending them."`
}

type uploadListCmd struct {
	listFlags
	Dataset string `placeholder:"NAME" help:"Only for this dataset."`
	Date    string `placeholder:"YYYY-MM-DD" help:"Only for this business date."`
	Name    string `placeholder:"NAME" help:"Only files of this name."`
}

// Run lists uploads.
func (u *uploadListCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	return printList(ctx, out, u.listFlags, c.WebUploads, client.WebUploadFilter{Page: u.page(), Dataset: u.Dataset, Date: u.Date, Name: u.Name}, columns[client.WebUpload]{
		[]string{"ID", "DATASET", "DATE", "NAME", "ARRIVED", "SIZE", "EXPIRES", "SUBMISSION"},
		func(w client.WebUpload) []string {
			return []string{w.ID, w.Dataset, w.Date, w.Name, size(w.Offset), size(w.Length), when(w.ExpiresAt), w.Submission}
		},
	})
}

// uploadArg is an upload that is named.
type uploadArg struct {
	ID string `arg:"" name:"id" help:"The upload's id."`
}

type uploadShowCmd struct{ uploadArg }

// Run shows an upload.
func (u *uploadShowCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	w, err := c.WebUpload(ctx, u.ID)
	if err != nil {
		return err
	}
	return out.answer(func() {
		out.fields("id", w.ID, "dataset", w.Dataset, "date", w.Date, "name", w.Name, "offset", number(w.Offset), "length", number(w.Length), "sha256", w.SHA256,
			"submission", w.Submission, "created_at", when(w.CreatedAt), "created_by", w.CreatedBy, "expires_at", when(w.ExpiresAt))
	})
}

type uploadRecogniseCmd struct {
	Names   []string `arg:"" help:"The files' names."`
	Dataset string   `placeholder:"NAME" help:"The dataset that they are for, if not what their names say."`
	Date    string   `placeholder:"YYYY-MM-DD" help:"The business date, likewise."`
}

// Run asks what files would be taken for.
func (u *uploadRecogniseCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	var files []client.FileToRecognise
	for _, name := range u.Names {
		files = append(files, client.FileToRecognise{Name: filepath.Base(name), Dataset: u.Dataset, Date: u.Date})
	}
	found, err := c.Recognise(ctx, files)
	if err != nil {
		return err
	}
	return printItems(out, found, columns[client.RecognisedFile]{
		[]string{"NAME", "DATASET", "DATE", "PROBLEM"},
		func(r client.RecognisedFile) []string { return []string{r.Name, r.Dataset, r.Date, r.Problem} },
	})
}

type uploadDropCmd struct{ uploadArg }

// Run ends an upload.
func (u *uploadDropCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	if err := c.DropWebUpload(ctx, u.ID); err != nil {
		return err
	}
	out.note("ended %s", u.ID)
	return nil
}
