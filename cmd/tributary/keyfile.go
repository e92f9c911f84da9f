package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"tributary/internal/app"
)

type keysCmd struct {
	Export keysExportCmd `cmd:"" help:"Encrypt the key file to age recipients, for a safe place. The server may run."`
	Import keysImportCmd `cmd:"" help:"Decrypt an exported key file to a new one."`
	Rotate keysRotateCmd `cmd:"" help:"Make a new key-encryption key and wrap everything with it. The server must not run."`
	Retire keysRetireCmd `cmd:"" help:"Take the keys that wrap nothing any more out of the key file. The server must not run."`
}

type keysExportCmd struct {
	place
	Recipient []string `required:"" placeholder:"AGE1…" help:"age recipient, each of whom can decrypt it alone; repeatable."`
	Output    string   `short:"o" required:"" placeholder:"FILE" help:"File to write, which must not be there yet; - is standard output."`
}

// Run exports the key file.
func (c *keysExportCmd) Run(ctx context.Context, out *output) error {
	made, err := app.ExportKeys(ctx, c.config(out, nil), c.Recipient, func(sealed []byte) error {
		if c.Output == "-" {
			_, err := out.stdout.Write(sealed)
			return err
		}
		return createFile(c.Output, sealed)
	})
	if err != nil {
		return err
	}
	switch {
	case c.Output == "-":
	case out.json:
		return out.JSON(made)
	default:
		out.fields("id", made.ID, "key", made.KEK, "file", c.Output, "recipients", strings.Join(made.Recipients, " "))
	}
	out.note("Keep it where the backups are not. To get the key file back: tributary keys import FILE --identity IDENTITY -o KEYFILE")
	return nil
}

// createFile makes a file that must not be there, for its owner only, durably.
func createFile(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return &exit{code: exitConflict, says: fmt.Sprintf("There is a file at %s already, and it is not overwritten.", path)}
	}
	if err != nil {
		return &exit{code: exitInvalid, err: err}
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

type keysImportCmd struct {
	File     string `arg:"" help:"What keys export wrote; - is standard input."`
	Identity string `short:"i" required:"" placeholder:"FILE" help:"age identity file of one of the recipients."`
	Output   string `short:"o" required:"" placeholder:"FILE" help:"Key file to make, which must not be there yet."`
}

// Run imports a key file.
func (c *keysImportCmd) Run(out *output) error {
	sealed, err := readSmallFile(c.File)
	if err != nil {
		return err
	}
	identities, err := readSmallFile(c.Identity)
	if err != nil {
		return err
	}
	kek, err := app.ImportKeys(app.Config{}, sealed, identities, c.Output)
	if err != nil {
		return err
	}
	if out.json {
		return out.JSON(map[string]string{"key": kek, "file": c.Output})
	}
	out.fields("key", kek, "file", c.Output)
	return nil
}

// readSmallFile reads a file of at most 1 MiB; - is standard input.
func readSmallFile(path string) ([]byte, error) {
	f := os.Stdin
	if path != "-" {
		var err error
		if f, err = os.Open(path); err != nil {
			code := exitInvalid
			if errors.Is(err, os.ErrNotExist) {
				code = exitNotFound
			}
			return nil, &exit{code: code, err: err}
		}
		defer f.Close()
	}
	return io.ReadAll(io.LimitReader(f, 1<<20))
}

type keysRotateCmd struct {
	place
	Retire bool `help:"Take the keys before out of the key file at the end. Backups made so far then open only with a copy of the file as it was."`
}

// Run rotates the key-encryption key, or goes on where that was cut off.
func (c *keysRotateCmd) Run(ctx context.Context, out *output) error {
	steps := out.steps()
	made, err := app.RotateKeys(ctx, c.config(out, nil), c.Retire, func(done, total int64) { steps("keys", done, total) })
	if err != nil {
		return err
	}
	out.clearLine()
	if out.json {
		return out.JSON(made)
	}
	out.fields("id", made.ID, "key", made.KEK, "rewrapped", number(made.Rewrapped), "resumed", yesNo(made.Resumed), "retired", strings.Join(made.Retired, " "))
	out.note("Export the key file again: tributary keys export")
	return nil
}

type keysRetireCmd struct{ place }

// Run takes old keys out of the key file.
func (c *keysRetireCmd) Run(ctx context.Context, out *output) error {
	gone, err := app.RetireKeys(ctx, c.config(out, nil))
	if err != nil {
		return err
	}
	if out.json {
		return out.JSON(map[string][]string{"retired": append([]string{}, gone...)})
	}
	if len(gone) == 0 {
		out.note("There is no key to retire.")
		return nil
	}
	out.fields("retired", strings.Join(gone, " "))
	return nil
}
