package main

import (
	"context"
	"fmt"
	"time"

	"tributary/internal/app"
	"tributary/internal/backup"
)

type backupCmd struct {
	Create backupCreateCmd `cmd:"" default:"withargs" help:"Make a backup of a data directory, while its server runs or not."`
	List   backupListCmd   `cmd:"" help:"List the finished backups of a directory, the newest first."`
	Verify backupVerifyCmd `cmd:"" help:"Read every byte of a backup and compare it with its signed manifest."`
	Prune  backupPruneCmd  `cmd:"" help:"Remove all but the newest backups of a directory, and the objects that only they had."`
}

type backupCreateCmd struct {
	place
	To string `required:"" placeholder:"DIR" help:"Directory of backups, made if it is not there. Not where the key is. What it has already is not copied again."`
}

// backupJSON is what is printed of a backup.
type backupJSON struct {
	ID       string           `json:"id"`
	Path     string           `json:"path,omitempty"`
	MadeAt   time.Time        `json:"made_at"`
	Version  string           `json:"version"`
	Engine   string           `json:"engine"`
	Schema   int64            `json:"schema"`
	KEK      string           `json:"kek"`
	Mark     backup.Mark      `json:"mark"`
	Rows     int64            `json:"rows"`
	Objects  int64            `json:"objects"`
	Bytes    int64            `json:"bytes"`
	Missing  []string         `json:"missing"`
	Streams  []backup.Stream  `json:"streams"`
	Erasures []backup.Erasure `json:"erased"`
}

func describe(m backup.Manifest, path string) backupJSON {
	return backupJSON{m.ID, path, m.MadeAt, m.Version, m.Engine, m.Schema, m.KEK, m.Mark, m.Control.Rows, m.Objects.Count, m.Objects.Bytes,
		append([]string{}, m.Objects.Missing...), append([]backup.Stream{}, m.Streams...), append([]backup.Erasure{}, m.Erased...)}
}

// steps returns what shows how far a command on this machine is: a line on a
// terminal, nothing elsewhere.
func (o *output) steps() backup.Progress {
	last := time.Time{}
	return func(step string, done, total int64) {
		now := time.Now()
		if done != total && now.Sub(last) < redraw {
			return
		}
		last = now
		if total > 0 {
			o.draw(fmt.Sprintf("%s  %d of %d", step, done, total))
		} else {
			o.draw(fmt.Sprintf("%s  %d", step, done))
		}
	}
}

// Run makes a backup.
func (c *backupCreateCmd) Run(ctx context.Context, out *output) error {
	made, err := app.Backup(ctx, c.config(out, nil), c.To, out.steps())
	if err != nil {
		return err
	}
	out.clearLine()
	if made.Unaudited != "" {
		out.note("The audit log has no entry of this backup: %s", made.Unaudited)
	}
	if made.Unarchived != "" {
		out.note("Events of the last minutes may not be in this backup: %s", made.Unarchived)
	}
	if out.json {
		err = out.JSON(struct {
			backupJSON
			Copied      int64    `json:"copied"`
			CopiedBytes int64    `json:"copied_bytes"`
			Differs     []string `json:"differs"`
		}{describe(made.Manifest, made.Path), made.Copied, made.CopiedBytes, made.Differs})
	} else {
		out.fields("id", made.ID, "path", made.Path, "made_at", when(made.MadeAt), "audit log up to entry", number(made.Mark.Audit.Seq),
			"rows", number(made.Control.Rows), "objects", number(made.Objects.Count), "size", size(made.Objects.Bytes+made.Control.Size),
			"copied now", fmt.Sprintf("%d objects, %s", made.Copied, size(made.CopiedBytes)))
	}
	for _, k := range made.Differs {
		out.note("not as it was backed up before, which stays: %s", k)
	}
	if err == nil && len(made.Objects.Missing) == 0 && len(made.Differs) > 0 {
		err = &exit{code: exitFailed, says: fmt.Sprintf("The backup is whole, but %d objects of the data directory are not as they were backed up before.", len(made.Differs)),
			hint: "tributary fsck --deep finds out what is wrong with them."}
	}
	if err == nil && len(made.Objects.Missing) > 0 {
		for _, k := range made.Objects.Missing {
			out.note("missing: %s", k)
		}
		err = &exit{code: exitFailed, says: fmt.Sprintf("The backup is whole but for %d objects that the data directory itself has lost.", len(made.Objects.Missing)),
			hint: "tributary fsck names what they belong to."}
	}
	return err
}

type backupListCmd struct {
	Dir string `arg:"" help:"Directory of backups."`
}

// Run lists backups.
func (c *backupListCmd) Run(out *output) error {
	list, problems, err := app.ListBackups(app.Config{}, c.Dir)
	if err != nil {
		return err
	}
	items := []backupJSON{}
	rows := make([][]string, 0, len(list))
	for _, m := range list {
		items = append(items, describe(m, ""))
		rows = append(rows, []string{m.ID, when(m.MadeAt), m.Version, m.Engine, number(m.Control.Rows), number(m.Objects.Count), number(int64(len(m.Objects.Missing))), size(m.Objects.Bytes), m.KEK})
	}
	if out.json {
		err = out.JSON(map[string]any{"items": items})
	} else {
		out.table([]string{"ID", "MADE", "VERSION", "DATABASE", "ROWS", "OBJECTS", "MISSING", "SIZE", "KEY"}, rows)
	}
	for _, p := range problems {
		out.note("%s", message(p))
	}
	if err == nil && len(problems) > 0 {
		err = &exit{code: exitFailed, says: fmt.Sprintf("%d backups cannot be read.", len(problems))}
	}
	return err
}

type backupVerifyCmd struct {
	Backup  string `arg:"" help:"Directory of backups, for the newest, or the directory of one: DIR/backups/ID."`
	KeyFile string `placeholder:"FILE" env:"TRIBUTARY_KEY_FILE" help:"Key file: also find out whether this server signed it, and read the control tables."`
}

// Run verifies a backup.
func (c *backupVerifyCmd) Run(ctx context.Context, out *output) error {
	check, err := app.VerifyBackup(ctx, app.Config{KeyFile: c.KeyFile}, c.Backup, out.steps())
	if err != nil {
		return err
	}
	out.clearLine()
	if out.json {
		err = out.JSON(struct {
			backupJSON
			Opened   bool     `json:"opened"`
			Problems []string `json:"problems"`
		}{describe(check.Manifest, check.Path), check.Opened, check.Problems})
	} else {
		for _, p := range check.Problems {
			out.line("%s", p)
		}
		switch {
		case len(check.Problems) > 0:
		case check.Opened:
			out.line("%s is whole, and this key file's server made it: %d rows, %d objects.", check.ID, check.Control.Rows, check.Objects.Count)
		default:
			out.line("%s is whole: %d rows, %d objects. Whose it is, only the key file tells (--key-file).", check.ID, check.Control.Rows, check.Objects.Count)
		}
	}
	if err == nil && len(check.Problems) > 0 {
		err = &exit{code: exitFailed, says: fmt.Sprintf("%d things are wrong.", len(check.Problems))}
	}
	return err
}

type backupPruneCmd struct {
	Dir  string `arg:"" help:"Directory of backups."`
	Keep int    `required:"" placeholder:"N" help:"How many backups stay, the newest."`
}

// Run removes old backups.
func (c *backupPruneCmd) Run(ctx context.Context, out *output) error {
	backups, objects, err := app.PruneBackups(ctx, app.Config{}, c.Dir, c.Keep)
	if err != nil {
		return err
	}
	if out.json {
		return out.JSON(map[string]int64{"backups": backups, "objects": objects})
	}
	out.fields("backups removed", number(backups), "objects removed", number(objects))
	return nil
}

type restoreCmd struct {
	place
	From string `required:"" placeholder:"BACKUP" help:"Directory of backups, for the newest, or the directory of one: DIR/backups/ID."`
}

// Run restores a backup into an empty place.
func (c *restoreCmd) Run(ctx context.Context, out *output) error {
	r, err := app.Restore(ctx, c.config(out, nil), c.From, out.steps())
	if err != nil {
		return err
	}
	out.clearLine()
	if out.json {
		err = out.JSON(struct {
			backupJSON
			Database string           `json:"database"`
			Repeat   []backup.Erasure `json:"erased_since"`
			Findings []app.Finding    `json:"findings"`
		}{describe(r.Manifest, r.Path), r.Database, r.ErasedSince, append([]app.Finding{}, r.Findings...)})
	} else {
		out.fields("backup", r.ID, "as of", when(r.MadeAt), "audit log up to entry", number(r.Mark.Audit.Seq), "rows", number(r.Control.Rows),
			"objects", number(r.Objects.Count), "from", r.Engine, "to", r.Database, "data", c.Data)
		for _, f := range r.Findings {
			out.line("%s", f.String())
		}
	}
	for _, e := range r.ErasedSince {
		out.note("Tenant %s was erased at %s, after this backup, and is there again: erase it again.", e.Tenant, when(e.At))
	}
	out.note("What was changed after %s is not in it: credentials revoked and tenants suspended or erased since then have to be so again.", when(r.MadeAt))
	if err == nil && len(r.Findings) > 0 {
		err = &exit{code: exitFailed, says: fmt.Sprintf("The backup was restored, and %d things in it are wrong.", len(r.Findings))}
	}
	return err
}
