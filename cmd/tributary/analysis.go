package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"tributary/client"
)

type analysisCmd struct {
	Apply       analysisApplyCmd       `cmd:"" help:"Apply a definition; a changed one makes a version."`
	List        analysisListCmd        `cmd:"" help:"List analyses by name, to a tenant with its decision."`
	Show        analysisShowCmd        `cmd:"" help:"Show an analysis in plain words: what is used, who gets what, which rules."`
	Accept      analysisAcceptCmd      `cmd:"" help:"Accept an analysis: runs may use one's accepted submissions from now on."`
	Decline     analysisDeclineCmd     `cmd:"" help:"Decline an analysis, or take a yes back."`
	Acceptances analysisAcceptancesCmd `cmd:"" help:"List what each tenant has decided."`
	Run         analysisRunCmd         `cmd:"" help:"Run analyses for a business date."`
}

type analysisApplyCmd struct {
	File string `short:"f" required:"" placeholder:"FILE" help:"The definition, in YAML; - is standard input."`
}

// Run applies a definition.
func (a *analysisApplyCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	yaml, err := document(ctx, a.File)
	if err != nil {
		return err
	}
	x, err := c.ApplyAnalysis(ctx, yaml)
	if err != nil {
		return err
	}
	return out.answer(func() { applied(out, x.ID, x.Version, x.Changed) })
}

type analysisListCmd struct{ listFlags }

// Run lists analyses.
func (a *analysisListCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	return printList(ctx, out, a.listFlags, c.Analyses, a.page(), columns[client.Analysis]{
		[]string{"ID", "VERSION", "DATASETS", "DECISION", "ORGANISATIONS", "TITLE"},
		func(x client.Analysis) []string {
			return []string{x.ID, number(x.Version), strings.Join(x.Datasets, ", "), x.Decision, counted(x.Organisations), x.Title}
		},
	})
}

// counted says how many organisations have accepted.
func counted(n *client.Counted) string {
	if n == nil {
		return ""
	}
	return fmt.Sprintf("%d (%d verified)", n.Accepted, n.Verified)
}

// analysisArg is an analysis that is named.
type analysisArg struct {
	Name string `arg:"" help:"The analysis's name."`
}

type analysisShowCmd struct {
	analysisArg
	versionFlags
}

// Run shows an analysis.
func (a *analysisShowCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	x, err := c.Analysis(ctx, a.Name, a.Version)
	if err != nil {
		return err
	}
	if a.Source && x.Source == "" {
		return errors.New("the provider's people alone see how a definition is written; without --source it is shown in words")
	}
	return out.answer(func() {
		if a.Source {
			out.text(x.Source)
			return
		}
		decided := ""
		if x.DecidedFor > 0 {
			decided = "version " + number(x.DecidedFor)
		}
		out.fields("id", x.ID, "version", number(x.Version), "title", x.Title, "description", x.Description, "datasets", strings.Join(x.Datasets, ", "),
			"hash", x.Hash, "decision", x.Decision, "decided_for", decided, "organisations", counted(x.Organisations),
			"created_at", when(x.CreatedAt), "created_by", x.CreatedBy)
		fmt.Fprintln(out.stdout)
		for _, w := range x.Words {
			out.line("- %s", w)
		}
		if len(x.Widened) > 0 {
			fmt.Fprintln(out.stdout)
			out.line("Beyond what was accepted, this version:")
			for _, w := range x.Widened {
				out.line("- %s", w)
			}
		}
	})
}

// decisionFlags are those of a decision.
type decisionFlags struct {
	analysisArg
	Version int64 `placeholder:"N" help:"This version; the current one if not said."`
}

func (o *output) decision(a client.Acceptance) {
	o.line("%s  version %d  %s", a.Analysis, a.Version, a.Decision)
}

type analysisAcceptCmd struct{ decisionFlags }

// Run accepts an analysis.
func (a *analysisAcceptCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	x, err := c.AcceptAnalysis(ctx, a.Name, a.Version)
	if err != nil {
		return err
	}
	return out.answer(func() { out.decision(x) })
}

type analysisDeclineCmd struct{ decisionFlags }

// Run declines an analysis.
func (a *analysisDeclineCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	x, err := c.DeclineAnalysis(ctx, a.Name, a.Version)
	if err != nil {
		return err
	}
	return out.answer(func() { out.decision(x) })
}

type analysisAcceptancesCmd struct{ analysisArg }

// Run lists decisions.
func (a *analysisAcceptancesCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	found, err := c.Acceptances(ctx, a.Name)
	if err != nil {
		return err
	}
	return printItems(out, found, columns[client.Acceptance]{
		[]string{"TENANT", "VERSION", "DECISION", "COVERS CURRENT", "DECIDED", "BY"},
		func(x client.Acceptance) []string {
			return []string{named(x.TenantSlug, x.Tenant), number(x.Version), x.Decision, yesNo(x.Covers), when(x.DecidedAt), x.DecidedBy}
		},
	})
}

type analysisRunCmd struct {
	Names []string `arg:"" name:"name" help:"The analyses."`
	Date  string   `required:"" placeholder:"YYYY-MM-DD" help:"The business date."`
	Wait  bool     `help:"Wait until all runs have ended, and exit by how they did." xor:"how"`
	Dry   bool     `name:"dry-run" help:"Say who would take part and what would come of it, and run nothing." xor:"how"`
}

// Run starts runs and, if it is to, waits for them.
func (a *analysisRunCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	if a.Dry {
		return planRuns(ctx, out, c, a.Names, a.Date)
	}
	runs, err := c.StartRuns(ctx, a.Names, a.Date)
	if err != nil {
		return err
	}
	if !a.Wait {
		return printItems(out, runs, runColumns)
	}
	return waitRuns(ctx, out, c, runs)
}

// planRuns prints what runs would take.
func planRuns(ctx context.Context, out *output, c *client.Client, names []string, date string) error {
	plans, err := c.PlanRuns(ctx, names, date)
	if err != nil {
		return err
	}
	return out.answer(func() {
		for n, p := range plans.Items {
			if n > 0 {
				fmt.Fprintln(out.stdout)
			}
			out.fields("analysis", p.Analysis, "version", number(p.Version), "date", p.Date, "outcome", p.Outcome, "quorum", number(p.Quorum), "participants", number(int64(len(p.Participants))),
				"organisations", number(p.Organisations), "declined", number(p.Declined), "rows", number(p.Rows), "size", size(p.Bytes), "release", p.Release)
			var lines [][]string
			for _, x := range p.Participants {
				lines = append(lines, []string{named(x.TenantSlug, x.Tenant), strings.Join(x.Datasets, ", "), "takes part"})
			}
			for _, x := range p.Missing {
				lines = append(lines, []string{named(x.TenantSlug, x.Tenant), x.Dataset, x.Reason})
			}
			fmt.Fprintln(out.stdout)
			out.table([]string{"TENANT", "DATASETS", "HOW"}, lines)
			for _, note := range p.Notes {
				out.note("%s", note)
			}
		}
	})
}

// waitRuns waits for runs to end and prints them.
func waitRuns(ctx context.Context, out *output, c *client.Client, runs client.List[client.Run]) error {
	var bodies []json.RawMessage
	for i, r := range runs.Items {
		ended, err := c.WaitRun(ctx, r.ID, out.follow())
		if err != nil {
			for _, left := range runs.Items[i:] {
				out.note("The run goes on without you: tributary run show %s, tributary run cancel %s", left.ID, left.ID)
			}
			return err
		}
		out.clearLine()
		runs.Items[i] = ended
		bodies = append(bodies, out.last)
	}
	if out.json {
		out.last = listOf(bodies)
	}
	if err := printItems(out, runs, runColumns); err != nil {
		return err
	}
	return outcome(runs.Items)
}

// follow returns what shows a run on its way: a line that changes on a terminal,
// else a line for each state.
func (o *output) follow() func(client.Run) {
	state := ""
	return func(r client.Run) {
		if o.live {
			text := r.ID + "  " + r.Analysis + "  " + r.State
			if r.Stage != "" {
				text += "  " + r.Stage
			}
			if r.Total > 0 {
				text += fmt.Sprintf("  %d/%d", r.Done, r.Total)
			}
			o.draw(text)
			return
		}
		if r.State != state {
			state = r.State
			o.note("%s  %s  %s", r.ID, r.Analysis, r.State)
		}
	}
}

// outcome is the error of runs that did not all succeed. The runs themselves have
// been printed, with their reasons.
func outcome(runs []client.Run) error {
	var bad []string
	code := exitInterrupted
	for _, r := range runs {
		if r.State == "succeeded" {
			continue
		}
		text := r.Analysis + " was " + r.State
		if r.State == "failed" {
			text = r.Analysis + " failed"
		}
		if r.Reason != "" {
			text += ": " + strings.TrimSuffix(r.Reason, ".")
		}
		bad = append(bad, text)
		if r.State != "cancelled" {
			code = exitFailed
		}
	}
	if bad == nil {
		return nil
	}
	return &exit{code: code, says: strings.Join(bad, "; ") + ".", hint: "tributary run logs ID has more."}
}
