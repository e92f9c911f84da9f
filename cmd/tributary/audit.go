package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"tributary/client"
)

type auditCmd struct {
	List        auditListCmd        `cmd:"" help:"List entries, the newest first: a tenant's own with details, to the provider all tenants' without."`
	Verify      auditVerifyCmd      `cmd:"" help:"Check that no entry was changed, removed, added or moved."`
	Checkpoints auditCheckpointsCmd `cmd:"" help:"List signed checkpoints, the newest first; number and hash are what to pin."`
	Keys        auditKeysCmd        `cmd:"" help:"List the public keys that checkpoints and statements are signed with."`
}

type auditListCmd struct {
	listFlags
	viewFlags
	tenantFlag
	Provider bool   `help:"Only the provider's own chain."`
	Actor    string `placeholder:"ID" help:"Only by this user, key or run."`
	Verb     string `placeholder:"VERB" help:"Only this act, such as submission.receive."`
	Subject  string `placeholder:"ID" help:"Only about this thing."`
	From     string `placeholder:"TIME" help:"Not before this date or time."`
	To       string `placeholder:"TIME" help:"Before this date or time."`
}

// Run lists entries.
func (a *auditListCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	filter := client.AuditFilter{TenantPage: client.TenantPage{Page: a.page(), Tenant: a.Tenant}, Provider: a.Provider, Actor: a.Actor, Verb: a.Verb, Subject: a.Subject, View: a.view()}
	for _, bound := range []struct {
		text string
		to   *time.Time
	}{{a.From, &filter.From}, {a.To, &filter.To}} {
		t, err := until(bound.text)
		if err != nil {
			return err
		}
		if t != nil {
			*bound.to = *t
		}
	}
	return printList(ctx, out, a.listFlags, c.AuditEntries, filter, columns[client.AuditEntry]{
		[]string{"AT", "TENANT", "SEQ", "ACTOR", "VERB", "SUBJECT", "OUTCOME", "DETAILS"},
		func(e client.AuditEntry) []string {
			return []string{when(e.At), e.Tenant, number(e.Seq), e.Actor, e.Verb, e.Subject, e.Outcome, details(e)}
		},
	})
}

// details prints an entry's details in one cell.
func details(e client.AuditEntry) string {
	switch {
	case e.Damaged:
		return "damaged"
	case e.Sealed:
		return "sealed"
	case len(e.Details) == 0:
		return ""
	}
	raw, err := json.Marshal(e.Details)
	if err != nil {
		return ""
	}
	return string(raw)
}

type auditVerifyCmd struct {
	tenantFlag
	AllTenants bool   `name:"all" help:"The provider's chain and every tenant's; for the provider's tokens."`
	Pin        string `placeholder:"FILE" help:"Compare with the pins in this file: on each line a checkpoint's number and hash."`
	WritePin   string `placeholder:"FILE" help:"If all is well, add the last checkpoint to this file."`
}

// Run verifies chains.
func (a *auditVerifyCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	pins, err := readPins(ctx, a.Pin)
	if err != nil {
		return err
	}
	names := []string{a.Tenant}
	if a.AllTenants {
		names = []string{""}
		for t, err := range client.All(ctx, c.Tenants, client.TenantFilter{}) {
			if err != nil {
				return err
			}
			names = append(names, t.ID)
		}
	}
	var all []client.AuditReport
	for _, name := range names {
		v, err := c.VerifyAudit(ctx, client.VerifyOptions{Tenant: name, Pins: pins, Progress: func(n int64) {
			out.draw("verified " + number(n) + " entries")
		}})
		if err != nil {
			return err
		}
		out.clearLine()
		all = append(all, v)
	}
	return a.report(out, all)
}

// report prints what was found, and is an error if anything is wrong.
func (a *auditVerifyCmd) report(out *output, all []client.AuditReport) error {
	var lines, wrong [][]string
	for _, v := range all {
		state := "whole"
		if len(v.Findings) > 0 {
			state = "WRONG"
		}
		lines = append(lines, []string{chainName(v.Chain), state, number(v.Entries), number(v.Checkpoints), number(v.Covered), number(int64(v.Pinned))})
		for _, f := range v.Findings {
			wrong = append(wrong, []string{chainName(f.Chain), f.What, number(f.Seq), f.Problem})
		}
	}
	if out.json {
		var err error
		if a.AllTenants {
			err = out.JSON(map[string]any{"items": all})
		} else {
			err = out.JSON(all[0])
		}
		if err != nil {
			return err
		}
	} else {
		out.table([]string{"CHAIN", "STATE", "ENTRIES", "CHECKPOINTS", "COVERED TO", "PINS"}, lines)
		if wrong != nil {
			fmt.Fprintln(out.stdout)
			out.table([]string{"CHAIN", "WHAT", "SEQ", "PROBLEM"}, wrong)
		}
	}
	if wrong != nil {
		return &exit{code: exitFailed, says: "The audit log is not what was written.",
			hint: "docs/formats/audit.md says what each finding means; keep the log and the pins as they are."}
	}
	last := all[0].Last
	if last == nil {
		out.note("There is no checkpoint yet, so nothing shows that the newest entries were not removed.")
		return nil
	}
	out.note("last checkpoint: %d %x", last.Seq, last.Hash)
	if a.WritePin == "" {
		return nil
	}
	return writePin(a.WritePin, *last)
}

func chainName(id string) string {
	if id == "" {
		return "provider"
	}
	return id
}

// readPins reads a file of pins: on each line a checkpoint's number and its hash
// in hexadecimal; # begins a comment.
func readPins(ctx context.Context, path string) ([]client.Pin, error) {
	if path == "" {
		return nil, nil
	}
	raw, err := document(ctx, path)
	if err != nil {
		return nil, err
	}
	var pins []client.Pin
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(text)
		if len(words) == 0 {
			continue
		}
		bad := usage("%s, line %d: a pin is a checkpoint's number and its hash, 64 hexadecimal digits", path, n)
		if len(words) != 2 {
			return nil, bad
		}
		seq, seqErr := strconv.ParseInt(words[0], 10, 64)
		hash, hashErr := hex.DecodeString(words[1])
		if seqErr != nil || hashErr != nil || len(hash) != 32 {
			return nil, bad
		}
		pins = append(pins, client.Pin{Seq: seq, Hash: hash})
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(pins) == 0 {
		return nil, usage("%s has no pins", path)
	}
	return pins, nil
}

// writePin adds a pin to a file, unless it is there.
func writePin(path string, pin client.Pin) error {
	line := fmt.Sprintf("%d %x\n", pin.Seq, pin.Hash)
	raw, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if bytes.Contains(append([]byte("\n"), raw...), []byte("\n"+line)) {
		return nil
	}
	f, err := newFile(path)
	if err != nil {
		return err
	}
	defer f.discard()
	if _, err := f.Write(append(raw, line...)); err != nil {
		return err
	}
	return f.replace()
}

type auditCheckpointsCmd struct {
	listFlags
	tenantFlag
}

// Run lists checkpoints.
func (a *auditCheckpointsCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	return printList(ctx, out, a.listFlags, c.Checkpoints, client.TenantPage{Page: a.page(), Tenant: a.Tenant}, columns[client.Checkpoint]{
		[]string{"SEQ", "HASH", "AT", "CHAINS", "OWN CHAIN TO", "KEY"},
		func(p client.Checkpoint) []string {
			own := ""
			if p.Own != nil {
				own = number(p.Own.Seq)
			}
			return []string{number(p.Seq), hex.EncodeToString(p.Hash), when(p.At), number(p.Heads), own, p.Key}
		},
	})
}

type auditKeysCmd struct{}

// Run lists keys. It needs no token.
func (auditKeysCmd) Run(ctx context.Context, root *cli, out *output) error {
	c, err := root.connect(out)
	if err != nil {
		return err
	}
	found, err := c.AuditKeys(ctx)
	if err != nil {
		return err
	}
	return printItems(out, found, columns[client.AuditKey]{
		[]string{"ID", "ALGORITHM", "PUBLIC KEY"},
		func(k client.AuditKey) []string { return []string{k.ID, k.Algorithm, hex.EncodeToString(k.PublicKey)} },
	})
}
