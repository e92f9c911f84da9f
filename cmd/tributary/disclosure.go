package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"tributary/internal/analysis"
	"tributary/internal/analysis/definition"
	"tributary/internal/analysis/trial"
	"tributary/internal/exchange/contract"
)

type disclosureCmd struct {
	Attack disclosureAttackCmd `cmd:"" help:"Attack what a definition would release, before it is published. Needs no server."`
}

type disclosureAttackCmd struct {
	Definition string   `required:"" placeholder:"FILE" help:"The analysis's definition, in YAML."`
	Dataset    []string `placeholder:"FILE" sep:"none" help:"The contract of a dataset that it uses, in YAML, once for each; without any, groups are texts, numbers have two decimals, and parts are taken of dates."`
	Data       []string `placeholder:"FILE" sep:"none" help:"Real rows in CSV or JSON, with the datasets' columns and whose they are: participant, organisation, and dataset if there are several. Given again, it is what was sent for the next release. Stays on this machine."`
	Synthetic  string   `placeholder:"participants=20,cells=200,seed=1" help:"Make rows up, with heavy tails. This is what happens without --data."`
	Releases   int      `placeholder:"N" default:"1" help:"Of synthetic rows: so many releases, between which some join, leave and correct what they sent."`
	Coalition  int      `placeholder:"N" help:"So many recipients pool what they know; as many as the definition's rules hold against, if absent."`
	Within     float64  `placeholder:"PERCENT" help:"A value counts as known within so much; the definition's p, if absent."`
	Tries      int      `placeholder:"N" default:"2000" help:"Attacks at most on each column of a measure, those that look best first."`
	Top        int      `placeholder:"N" default:"5" help:"Values to list of each measure, those that were bounded most closely."`
}

// Help says more.
func (*disclosureAttackCmd) Help() string {
	return `The gate of a run judges the rows, release after release. Then, for every cell, those who know
most of it try to bound what the largest others have in it from all that they were shown, by
linear programs that share nothing with the gate. Exits with 1 if a value is bounded from above
to within p per cent.`
}

// Run attacks.
func (a *disclosureAttackCmd) Run(ctx context.Context, out *output) error {
	if a.Coalition < 0 || a.Coalition > definition.MaxCoalition || a.Within < 0 || a.Within > 100 || a.Tries < 1 || a.Top < 0 {
		return usage("--coalition is 1 to %d, --within 0 to 100, --tries at least 1", definition.MaxCoalition)
	}
	d, columns, err := a.read(ctx)
	if err != nil {
		return err
	}
	releases, err := a.releases(ctx, d, columns)
	if err != nil {
		return err
	}
	o := trial.Options{Tries: a.Tries, Within: a.Within, Listed: a.Top, Coalition: a.Coalition}
	if out.live && !out.quiet {
		o.Advance = func(done, total int64) {
			if done%16 == 0 {
				out.draw(fmt.Sprintf("attack %d of %d", done, total))
			}
		}
	}
	report, err := trial.Attack(ctx, d, columns, releases, o)
	out.clearLine()
	if err != nil {
		return err
	}
	if out.json {
		err = out.JSON(report)
	} else {
		printAttack(out, report)
	}
	if err == nil && report.Breaches > 0 {
		err = &exit{code: exitFailed, says: fmt.Sprintf("Values were bounded to within %.4g %%: %d attacks worked.", report.Within, report.Breaches)}
	}
	return err
}

// read reads the definition, and the contracts that it is checked against.
func (a *disclosureAttackCmd) read(ctx context.Context) (*definition.Definition, map[string]definition.Columns, error) {
	raw, err := document(ctx, a.Definition)
	if err != nil {
		return nil, nil, err
	}
	d, err := definition.Parse(raw)
	if err != nil {
		return nil, nil, err
	}
	if len(a.Dataset) == 0 {
		columns := trial.Columns(d)
		return d, columns, definition.Check(d, columns)
	}
	columns := map[string]definition.Columns{}
	for _, path := range a.Dataset {
		raw, err := document(ctx, path)
		if err != nil {
			return nil, nil, err
		}
		c, err := contract.Parse(raw)
		if err != nil {
			return nil, nil, err
		}
		for _, column := range c.Columns {
			columns[c.Name] = append(columns[c.Name], definition.Column{Name: column.Name, Type: string(column.Type), Scale: column.Scale, Role: string(column.Role), Required: column.Required})
		}
	}
	return d, columns, definition.Check(d, columns)
}

// releases reads or makes up what was sent.
func (a *disclosureAttackCmd) releases(ctx context.Context, d *definition.Definition, columns map[string]definition.Columns) ([][]analysis.Contributor, error) {
	t := analysis.NewTrial(d, columns)
	if len(a.Data) > 0 {
		if a.Synthetic != "" || a.Releases != 1 {
			return nil, usage("rows come from --data or are made up with --synthetic and --releases")
		}
		var list [][]analysis.Contributor
		for _, path := range a.Data {
			raw, err := document(ctx, path)
			if err != nil {
				return nil, err
			}
			sent, err := trial.Read(t, d, columns, raw)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			list = append(list, sent)
		}
		return list, nil
	}
	s, seed := trial.Synthetic{Participants: 20, Cells: 200, Releases: a.Releases}, 1
	for pair := range strings.SplitSeq(a.Synthetic, ",") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		n, err := strconv.Atoi(value)
		if err != nil {
			return nil, usage("--synthetic %s: write participants=20,cells=200,seed=1", pair)
		}
		switch name {
		case "participants":
			s.Participants = n
		case "cells":
			s.Cells = n
		case "seed":
			seed = n
		default:
			return nil, usage("--synthetic has participants, cells and seed, not %q", name)
		}
	}
	return trial.Generate(t, d, s, rand.New(rand.NewPCG(uint64(seed), 1))) //nolint:gosec // rows that are made up, the same for the same seed
}

// printAttack prints a report for people.
func printAttack(out *output, r *trial.Report) {
	for n, one := range r.Releases {
		out.line("release %d: %d participants of %d organisations, %d cells%s", n+1, one.Participants, one.Organisations, one.Cells, withheld(one.Withheld))
	}
	var rows, closest [][]string
	for _, m := range r.Measures {
		rows = append(rows, []string{m.Name, number(int64(m.Cells)), number(int64(m.Shown)), share(m.Shown, m.Cells), fmt.Sprintf("%d %%", m.Value), reasons(m.Hidden), number(int64(m.Tries))})
		for _, b := range m.Closest {
			most := "any"
			if b.Most != nil {
				most = fmt.Sprintf("%.6g", *b.Most)
			}
			closest = append(closest, []string{m.Name, number(int64(b.Release)), b.Cell, yesNo(b.Shown), b.Victim, fmt.Sprintf("%.6g", b.Value), fmt.Sprintf("%.6g", b.Least), most, fmt.Sprintf("%.4g %%", *b.Above), strings.Join(b.By, " "), yesIf(b.Breach)})
		}
		if m.Partial > 0 {
			r.Notes = append(r.Notes, fmt.Sprintf("%s: %d attacks were too large to be made in full, or had no numerical solution; more may be known than they found.", m.Name, m.Partial))
		}
	}
	fmt.Fprintln(out.stdout)
	out.table([]string{"MEASURE", "CELLS", "SHOWN", "OF CELLS", "OF VALUE", "HIDDEN", "ATTACKS"}, rows)
	if len(closest) > 0 {
		fmt.Fprintln(out.stdout)
		out.line("What was bounded most closely, from above, by %d who know their own:", r.Coalition)
		out.table([]string{"MEASURE", "RELEASE", "CELL", "SHOWN", "OF", "VALUE", "LEAST", "MOST", "ABOVE BY", "BY", "KNOWN"}, closest)
	}
	fmt.Fprintln(out.stdout)
	for _, note := range r.Notes {
		out.line("%s", note)
	}
	if r.Breaches == 0 {
		out.line("No attack bounded a value to within %.4g %%.", r.Within)
	}
}

func withheld(reason string) string {
	if reason == "" {
		return ""
	}
	return "; withheld: " + reason
}

// share is a part of a whole in per cent.
func share(part, whole int) string {
	if whole == 0 {
		return ""
	}
	return fmt.Sprintf("%d %%", (100*part+whole/2)/whole)
}

// reasons lists counts by verdict, those with most first.
func reasons(hidden map[string]int) string {
	list := byCount(hidden)
	for i, name := range list {
		list[i] = fmt.Sprintf("%s %d", name, hidden[name])
	}
	return strings.Join(list, ", ")
}

// byCount lists names, those with most first.
func byCount[N int | int64](counts map[string]N) []string {
	return slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b))
	})
}
