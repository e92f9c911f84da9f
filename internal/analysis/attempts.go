package analysis

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"tributary/internal/meta"
	"tributary/internal/query"
)

// Whether a cell is hidden depends on what a recipient has sent itself: it has too much
// beside the others, or not. Who could send one value after the other until the cell is
// shown would know by which value what the others have. So a cell that was hidden from
// everybody twice, while somebody had sent something else each time, stays hidden, until
// as many organisations as a cell needs have sent something else.

// attempt is an earlier run of the date in which somebody had sent something else, and too
// few others.
type attempt struct {
	analysis string
	hidden   []byte            // digests of what was hidden, see hides
	withheld bool              // all was
	had      map[string]string // what each organisation that has changed its files had sent
}

// tries is how often a cell that was hidden may be tried with other values.
const tries = 2

// maxAttempts is how many runs that were withheld are looked at, the newest.
const maxAttempts = 100

// attempted notes the earlier runs that were attempts: the releases that the run is
// judged beside, and the runs that released nothing.
func (x *execution) attempted(ctx context.Context, tx *meta.DB, releases []earlierRelease) error {
	now := byOrganisation(x.inputs)
	for _, e := range releases {
		x.attempt(attempt{analysis: e.analysis, hidden: e.hidden}, e.sent, now)
	}
	rows, err := tx.Query(ctx, `SELECT id, analysis, version FROM runs WHERE date = $1 AND state = $2 AND id <> $3 ORDER BY created_at DESC, id LIMIT $4`,
		x.run.Date, string(RunWithheld), x.run.ID, int64(maxAttempts))
	if err != nil {
		return fmt.Errorf("list runs that were withheld: %w", err)
	}
	var withheld []Run
	for rows.Next() {
		var r Run
		if err := rows.Scan(&r.ID, &r.Analysis, &r.Version); err != nil {
			return fmt.Errorf("list runs that were withheld: %w", err)
		}
		withheld = append(withheld, r)
	}
	for _, r := range withheld {
		of, err := x.related(ctx, tx, r.Analysis, r.Version)
		if err != nil {
			return err
		}
		if !of.has.any || !sameCells(of.def, x.def) {
			continue
		}
		sent, err := x.Analyses.inputs(ctx, tx, r.ID)
		if err != nil {
			return err
		}
		x.attempt(attempt{analysis: r.Analysis, withheld: true}, sent, now)
	}
	return nil
}

// attempt notes a run, with what was sent for it, if it was an attempt.
func (x *execution) attempt(a attempt, sent []RunInput, now map[string]string) {
	before := byOrganisation(sent)
	changed := 0
	for o := range before {
		if now[o] == "" {
			changed++
		}
	}
	a.had = map[string]string{}
	for o, files := range now {
		if before[o] == files {
			continue
		}
		changed++
		if before[o] != "" {
			a.had[o] = before[o]
		}
	}
	if len(a.had) > 0 && changed < x.gateRules().MinContributors {
		x.before.attempts = append(x.before.attempts, a)
	}
}

// byOrganisation is a digest of the files of each organisation.
func byOrganisation(inputs []RunInput) map[string]string {
	files := map[string][]string{}
	for _, i := range inputs {
		files[i.Organisation] = append(files[i.Organisation], fmt.Sprintf("%q %q", i.Dataset, i.Submission))
	}
	list := map[string]string{}
	for o, names := range files {
		slices.Sort(names)
		sum := sha256.Sum256([]byte(strings.Join(names, "\n")))
		list[o] = hex.EncodeToString(sum[:])
	}
	return list
}

// stays reports whether a part of a cell is hidden because it was tried too often.
func (x *execution) stays(part query.Measure, key []query.Value, over string) bool {
	if len(x.before.attempts) < tries {
		return false
	}
	tried := map[string]map[string]bool{} // what an organisation had sent each time
	for _, a := range x.before.attempts {
		if !a.withheld && !hides(a.hidden, x.digest(a.analysis, part, key, over)) {
			continue
		}
		for o, files := range a.had {
			if tried[o] == nil {
				tried[o] = map[string]bool{}
			}
			if tried[o][files] = true; len(tried[o]) >= tries {
				return true
			}
		}
	}
	return false
}
