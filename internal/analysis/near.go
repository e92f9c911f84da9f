package analysis

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// scheduled is what the name of a schedule begins with where it starts a run.
const scheduled = "schedule:"

// near says, of a run that nobody but a schedule decided on, why it may not be
// released beside the releases that its analysis has for its date: if what two of
// them read differs by fewer organisations than must stand behind a value, their
// difference shows what these sent. It is empty if it may. A run by hand is not asked:
// who starts it decides.
func (x *execution) near(ctx context.Context, tx *meta.DB) (string, error) {
	if !strings.HasPrefix(x.run.StartedBy, scheduled) {
		return "", nil
	}
	earlier, err := x.earlier(ctx, tx)
	if err != nil {
		return "", err
	}
	now := sent(x.inputs)
	for _, run := range earlier {
		inputs, err := x.Analyses.inputs(ctx, tx, run)
		if err != nil {
			return "", err
		}
		before, differ := sent(inputs), 0
		for organisation, files := range now {
			if !maps.Equal(files, before[organisation]) {
				differ++
			}
		}
		for organisation := range before {
			if now[organisation] == nil {
				differ++
			}
		}
		if differ > 0 && differ < x.def.Rules.MinContributors {
			return fmt.Sprintf("Run %s released this date before, and what the two read differs by %d organisations; a value needs %d. Their difference would show what these sent, so a schedule does not release it. Try the run again by hand if that is to be.",
				run, differ, x.def.Rules.MinContributors), nil
		}
	}
	return "", nil
}

// earlier lists the runs that made the releases of the analysis for the run's date,
// recalled or not: what was downloaded is known.
func (x *execution) earlier(ctx context.Context, tx *meta.DB) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT run FROM releases WHERE analysis = $1 AND date = $2 ORDER BY id`, x.run.Analysis, x.run.Date)
	if err != nil {
		return nil, fmt.Errorf("list releases of %s: %w", x.run.Analysis, err)
	}
	var list []string
	for rows.Next() {
		var run string
		if err := rows.Scan(&run); err != nil {
			return nil, fmt.Errorf("list releases of %s: %w", x.run.Analysis, err)
		}
		list = append(list, run)
	}
	return list, nil
}

// file is one tenant's part in one dataset.
type file struct {
	tenant  tenant.ID
	dataset string
}

// sent lists by organisation which submissions a snapshot has.
func sent(inputs []RunInput) map[string]map[file]string {
	list := map[string]map[file]string{}
	for _, i := range inputs {
		if list[i.Organisation] == nil {
			list[i.Organisation] = map[file]string{}
		}
		list[i.Organisation][file{i.Tenant, i.Dataset}] = i.Submission
	}
	return list
}
