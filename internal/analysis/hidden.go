package analysis

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"tributary/internal/disclosure"
	"tributary/internal/meta"
	"tributary/internal/query"
)

// digestSize is how long a digest of a hidden cell is.
const digestSize = 16

// digest stands for a part of a cell in the ledger: keyed, since values of groups come
// from tenants' files.
func (x *execution) digest(analysis string, part query.Measure, key []query.Value, over string) []byte {
	values := make([]string, len(key))
	for i, name := range x.def.Groups {
		values[i] = fmt.Sprintf("%q %q", name, encoded(key[i:i+1], nil))
	}
	slices.Sort(values)
	groups := strings.Split(over, ", ")
	slices.Sort(groups)
	return x.Keys.MAC("released cell", analysis, x.run.Date, part.Dataset, part.Column, string(part.Own), part.Scale, strings.Join(values, "\n"), strings.Join(groups, ", "))[:digestSize]
}

// maxDigests is how many hidden cells that stand alone the ledger takes; of others it
// is taken that they were shown.
const maxDigests = 200_000

// hideAlone lists, of cells that stand alone, those that were shown to nobody. One of a
// single organisation is not worth the room.
func (x *execution) hideAlone(t *table, o *outcome) {
	shown := func(part, cell int) bool {
		for m := range o.measures {
			if at := slices.Index(o.measures[m].parts, part); at >= 0 && slices.ContainsFunc(o.measures[m].judgements[at].Cells[cell].Verdicts, disclosure.Verdict.Released) {
				return true
			}
		}
		return false
	}
	for part := range t.cells {
		for cell, c := range t.cells[part] {
			alone := !slices.ContainsFunc(c, func(d disclosure.Contribution) bool { return d.Organisation != c[0].Organisation })
			if !alone && !shown(part, cell) && len(o.hidden) < maxDigests*digestSize {
				o.hidden = append(o.hidden, x.digest(x.run.Analysis, t.spec.Measures[part], t.keys[cell], "")...)
			}
		}
	}
	o.hidden = inOrder(o.hidden)
}

// hides reports whether the digests of what a release hid, in order, have one.
func hides(hidden, digest []byte) bool {
	from, to := 0, len(hidden)/digestSize
	for from < to {
		middle := (from + to) / 2
		switch c := bytes.Compare(hidden[middle*digestSize:(middle+1)*digestSize], digest); {
		case c == 0:
			return true
		case c < 0:
			from = middle + 1
		default:
			to = middle
		}
	}
	return false
}

// record writes down what a release hid.
func (x *execution) record(ctx context.Context, tx *meta.DB, release string, hidden []byte) error {
	if len(hidden) == 0 {
		return nil
	}
	if _, err := tx.Exec(ctx, `INSERT INTO release_hidden (release, cells) VALUES ($1, $2)`, release, hidden); err != nil {
		return fmt.Errorf("record what was hidden: %w", err)
	}
	return nil
}

func sameContributions(a, b disclosure.Cell) bool {
	if len(a) != len(b) {
		return false
	}
	values := map[int32]int64{}
	for _, c := range a {
		values[c.Participant] = c.Value
	}
	for _, c := range b {
		if v, there := values[c.Participant]; !there || v != c.Value {
			return false
		}
	}
	return true
}
