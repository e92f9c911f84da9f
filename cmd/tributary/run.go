package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"tributary/client"
)

type runCmd struct {
	List     runListCmd     `cmd:"" help:"List runs, the newest first."`
	Show     runShowCmd     `cmd:"" help:"Show a run, its snapshot and progress."`
	Logs     runLogsCmd     `cmd:"" help:"Print a run's log."`
	Cancel   runCancelCmd   `cmd:"" help:"Cancel a run."`
	Retry    runRetryCmd    `cmd:"" help:"Queue a run's analysis and date once more."`
	Recall   runRecallCmd   `cmd:"" help:"Take back every result of a run's release."`
	Manifest runManifestCmd `cmd:"" help:"Print the signed manifest of a run's release."`
}

var runColumns = columns[client.Run]{
	[]string{"ID", "ANALYSIS", "VERSION", "DATE", "STATE", "PARTICIPANTS", "CREATED", "TOOK", "REASON"},
	func(r client.Run) []string {
		return []string{r.ID, r.Analysis, number(r.Version), r.Date, r.State, number(r.Participants), when(r.CreatedAt), took(r.StartedAt, r.FinishedAt), r.Reason}
	},
}

// took is how long something ran.
func took(from, to *time.Time) string {
	if from == nil || to == nil {
		return ""
	}
	d := to.Sub(*from)
	if d < time.Minute {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

type runListCmd struct {
	listFlags
	viewFlags
	Analysis string `placeholder:"NAME" help:"Only of this analysis."`
	Date     string `placeholder:"YYYY-MM-DD" help:"Only for this business date."`
	State    string `placeholder:"STATE" enum:",queued,running,succeeded,withheld,skipped,failed,cancelled" default:"" help:"Only in this state: queued, running, succeeded, withheld, skipped, failed, cancelled."`
}

// Run lists runs.
func (r *runListCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	return printList(ctx, out, r.listFlags, c.Runs, client.RunFilter{Page: r.page(), Analysis: r.Analysis, Date: r.Date, State: r.State, View: r.view()}, runColumns)
}

// runArg is a run that is named.
type runArg struct {
	ID string `arg:"" name:"id" help:"The run's id."`
}

func (o *output) run(r client.Run) {
	progress := ""
	if !r.Finished() && r.Total > 0 {
		progress = fmt.Sprintf("%d of %d", r.Done, r.Total)
	}
	recalled := ""
	if r.Recalled > 0 {
		recalled = fmt.Sprintf("%d of %d results", r.Recalled, r.Results)
	}
	o.fields("id", r.ID, "analysis", r.Analysis, "version", number(r.Version), "date", r.Date, "through", whenever(r.Through), "state", r.State, "reason", r.Reason, "stage", r.Stage,
		"progress", progress, "participants", number(r.Participants), "release", r.Release, "recalled", recalled, "recalled_at", whenever(r.RecalledAt), "recall_reason", r.RecallReason, "started_by", r.StartedBy,
		"created_at", when(r.CreatedAt), "started_at", whenever(r.StartedAt), "finished_at", whenever(r.FinishedAt))
	if len(r.Inputs) == 0 {
		return
	}
	var lines [][]string
	for _, i := range r.Inputs {
		lines = append(lines, []string{named(i.TenantSlug, i.Tenant), i.Dataset, i.Submission, i.Commitment})
	}
	fmt.Fprintln(o.stdout)
	o.table([]string{"TENANT", "DATASET", "SUBMISSION", "COMMITMENT"}, lines)
}

type runShowCmd struct{ runArg }

// Run shows a run.
func (r *runShowCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	found, err := c.Run(ctx, r.ID)
	if err != nil {
		return err
	}
	if out.json || found.Release == "" {
		return out.answer(func() { out.run(found) })
	}
	signed, err := c.Manifest(ctx, r.ID)
	if err != nil {
		return err
	}
	out.run(found)
	return out.shown(signed.Body)
}

// why says in words why a cell was hidden, by the verdict in the manifest.
var why = map[string]string{
	"minimum":    "too few organisations",
	"zero":       "all of the others have nothing",
	"p-percent":  "a recipient could have worked out another's value too closely",
	"dominance":  "a few organisations have too much of it",
	"close":      "the values lie so that a variance or quantile would tell them",
	"undefined":  "there is no value: a divisor is zero",
	"difference": "the difference to an earlier release would tell too much",
	"secondary":  "others could be computed from it",
	"overflow":   "the value is too large to be written",
}

// shown prints what a manifest says of how much was shown, and why the rest was not.
func (o *output) shown(manifest []byte) error {
	var m struct {
		Released   int64            `json:"values_released"`
		Suppressed map[string]int64 `json:"values_suppressed"`
		Utility    []struct {
			Measure string `json:"measure"`
			Cells   int    `json:"cells"`
			Shown   int    `json:"shown"`
			Value   int    `json:"value_percent"`
		} `json:"utility"`
		Attack *struct {
			Hidden    int      `json:"hidden"`
			Unbounded int      `json:"unbounded"`
			Witnesses int      `json:"witnesses"`
			Intervals int      `json:"intervals"`
			Narrowest *float64 `json:"narrowest_percent"`
		} `json:"attack"`
	}
	if err := json.Unmarshal(manifest, &m); err != nil {
		return fmt.Errorf("read manifest: %w", err)
	}
	var lines [][]string
	for _, u := range m.Utility {
		lines = append(lines, []string{u.Measure, number(int64(u.Cells)), number(int64(u.Shown)), share(u.Shown, u.Cells), fmt.Sprintf("%d %%", u.Value)})
	}
	if len(lines) > 0 {
		fmt.Fprintln(o.stdout)
		o.table([]string{"MEASURE", "CELLS", "SHOWN", "OF CELLS", "OF VALUE"}, lines)
	}
	fmt.Fprintln(o.stdout)
	o.line("%d values went to recipients.", m.Released)
	lines = nil
	for _, name := range byCount(m.Suppressed) {
		words := why[name]
		if words == "" {
			words = name
		}
		lines = append(lines, []string{number(m.Suppressed[name]), name, words})
	}
	if len(lines) > 0 {
		o.table([]string{"HIDDEN", "RULE", "WHY"}, lines)
	}
	if a := m.Attack; a != nil && a.Hidden > 0 {
		o.line("Attacked before it went out: nothing that is shown bounds %d of %d hidden cells.", a.Unbounded, a.Hidden)
		if a.Witnesses > 0 {
			o.line("That hidden ones stay in doubt was proven by %d other tables that agree with all that is shown.", a.Witnesses)
		}
		if a.Narrowest != nil {
			o.line("The narrowest of the %d intervals that could be derived is %.4g %% of its cell.", a.Intervals, *a.Narrowest)
		}
	}
	return nil
}

type runLogsCmd struct {
	runArg
	Follow bool `short:"f" help:"Go on until the run has ended; with --json a line is a document of its own."`
}

// Run prints a run's log.
func (r *runLogsCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	if !r.Follow {
		found, err := c.RunLog(ctx, r.ID, 0)
		if err != nil {
			return err
		}
		return out.answer(func() { printLog(out, found.Items) })
	}
	ended, err := c.FollowRun(ctx, r.ID, 0, func(l client.LogLine) error {
		if !out.json {
			printLog(out, []client.LogLine{l})
			return nil
		}
		raw, err := json.Marshal(l)
		if err != nil {
			return fmt.Errorf("encode log: %w", err)
		}
		return out.raw(raw)
	}, nil)
	if err != nil {
		return err
	}
	out.note("%s %s", r.ID, ended.State)
	return nil
}

func printLog(out *output, lines []client.LogLine) {
	for _, l := range lines {
		out.line("%s  %-5s  %s", when(l.At), l.Level, l.Message)
	}
}

type runCancelCmd struct{ runArg }

// Run cancels a run.
func (r *runCancelCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	x, err := c.CancelRun(ctx, r.ID)
	if err != nil {
		return err
	}
	return out.answer(func() { out.fields("id", x.ID, "state", x.State) })
}

type runRetryCmd struct {
	runArg
	Wait bool `help:"Wait until the new run has ended, and exit by how it did."`
}

// Run queues a run once more.
func (r *runRetryCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	x, err := c.RetryRun(ctx, r.ID)
	if err != nil {
		return err
	}
	if r.Wait {
		return waitRuns(ctx, out, c, client.List[client.Run]{Items: []client.Run{x}})
	}
	return out.answer(func() { out.table(runColumns.header, [][]string{runColumns.row(x)}) })
}

type runManifestCmd struct{ runArg }

// Run prints a manifest, after checking its signature. With --json it is the
// signed statement, else what it states.
func (r *runManifestCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	found, err := c.Manifest(ctx, r.ID)
	if err != nil {
		return err
	}
	body := out.last
	keys, err := c.AuditKeys(ctx)
	if err != nil {
		return err
	}
	if err := found.Verify(keys.Items); err != nil {
		return err
	}
	if out.json {
		return out.raw(body)
	}
	if err := out.raw(found.Body); err != nil {
		return err
	}
	out.note("signed by the server's key %s", found.Key)
	return nil
}
