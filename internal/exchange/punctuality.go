package exchange

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tributary/internal/exchange/contract"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// judge says of submissions when they were due, and whether they came too late, by
// the contract that each is held against. It is not for use within a transaction.
func (x *Exchange) judge(ctx context.Context, list ...*Submission) error {
	var missed []*Submission
	starts := map[*Submission]string{}
	for _, s := range list {
		c, err := x.contractOf(ctx, s)
		if err != nil {
			return err
		}
		day, err := contract.ParseDate(s.Date)
		if err != nil {
			return fmt.Errorf("date of submission %s: %w", s.ID, err)
		}
		due, ok := c.DueAt(day)
		if !ok {
			continue
		}
		end, _ := c.CutOff(day)
		s.DueAt, s.CutOffAt, s.Late, s.AfterCutOff = &due, &end, c.Late(day, s.ReceivedAt), s.ReceivedAt.After(end)
		if s.AfterCutOff {
			missed, starts[s] = append(missed, s), c.Cadence.Period(day).Start.String()
		}
	}
	if missed == nil {
		return nil
	}
	// Few are late, and few periods are reopened: those that could matter are read at once.
	id, first := missed[0].Tenant, missed[0].ReceivedAt
	for _, s := range missed {
		if s.ReceivedAt.Before(first) {
			first = s.ReceivedAt
		}
		if s.Tenant != id {
			id = ""
		}
	}
	db, whose, args := x.of(id, first)
	open, err := x.reopenings(ctx, db, `WHERE until >= $1`+whose, args...)
	if err != nil {
		return err
	}
	for _, s := range missed {
		for _, r := range open {
			if r.Tenant == s.Tenant && r.Dataset == s.Dataset && r.Date == starts[s] && !s.ReceivedAt.After(r.Until) {
				s.AfterCutOff = false
			}
		}
	}
	return nil
}

func (x *Exchange) contractOf(ctx context.Context, s *Submission) (*contract.Dataset, error) {
	x.mu.Lock()
	c := x.contracts[contractKey{s.Dataset, s.DatasetVersion}]
	x.mu.Unlock()
	if c != nil {
		return c, nil
	}
	d, err := x.Dataset(ctx, s.Dataset, s.DatasetVersion)
	return d.Contract, err
}

// sameAs finds the submission before a new one, of the same tenant, dataset and
// date, that stands or may yet, and returns its id if its bytes are the same. One that
// is damaged is the same as nothing: it stops nobody from sending the file again.
func (x *Exchange) sameAs(ctx context.Context, scope tenant.Scope, s Submission, sum []byte) (string, error) {
	var id, object string
	err := x.DB.For(s.Tenant).QueryRow(ctx, `
		SELECT id, object FROM submissions WHERE tenant = $1 AND dataset = $2 AND date = $3 AND state IN ($4, $5, $6) AND object <> ''
		ORDER BY revision DESC LIMIT 1`,
		string(s.Tenant), s.Dataset, s.Date, string(Received), string(Validating), string(Accepted)).Scan(&id, &object)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("look for the submission before: %w", err)
	}
	before, _, err := x.Vault.Digest(ctx, scope, object)
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Damaged) {
		x.Log.ErrorContext(ctx, "a new file is not compared with the one before it: what was recorded of that is missing or damaged", "submission", id, "error", err)
		return "", nil
	}
	if err != nil || !bytes.Equal(before, sum) {
		return "", err
	}
	return id, nil
}

// Notes says in words what a submission's time means for it, and what it repeats.
func (s Submission) Notes() []string {
	var notes []string
	if s.DuplicateOf != "" {
		notes = append(notes, fmt.Sprintf("Its bytes are those of %s, which came before it.", s.DuplicateOf))
	}
	over := s.State == Rejected || s.State == Superseded || s.State == Withdrawn
	switch {
	case s.DueAt == nil || over:
	case s.AfterCutOff:
		notes = append(notes, fmt.Sprintf("It came after the cut-off, %s. Scheduled runs for this period leave it out unless the provider reopens the period; "+
			"a run that the provider starts by hand takes it.", shown(*s.CutOffAt)))
	case s.Late:
		notes = append(notes, fmt.Sprintf("It came after it was due, %s.", shown(*s.DueAt)))
	}
	if s.State == Withdrawn && s.CutOffAt != nil && s.ClosedAt != nil && s.ClosedAt.After(*s.CutOffAt) {
		notes = append(notes, fmt.Sprintf("It was withdrawn after the cut-off, %s: runs that had read it keep what they made of it, and no later one reads it.", shown(*s.CutOffAt)))
	}
	return notes
}

func shown(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// Arrival is a submission in short, for who follows what came when.
type Arrival struct {
	Tenant     tenant.ID
	Date       string
	Submission string
	State      State
	ReceivedAt time.Time
	Late       bool
}

// UnscopedArrivals lists what came for a dataset with a date from one to another,
// both included, of all tenants or of one: by tenant, date and revision.
func (x *Exchange) UnscopedArrivals(ctx context.Context, id tenant.ID, dataset, from, to string) ([]Arrival, error) {
	db, whose, args := x.of(id, dataset, from, to)
	rows, err := db.Query(ctx, `SELECT tenant, date, id, state, received_at, dataset_version FROM submissions
		WHERE dataset = $1 AND date >= $2 AND date <= $3`+whose+` ORDER BY tenant, date, revision`, args...)
	if err != nil {
		return nil, fmt.Errorf("list arrivals: %w", err)
	}
	var list []Arrival
	for rows.Next() {
		a := Arrival{}
		s := Submission{Dataset: dataset}
		var received int64
		if err := rows.Scan(&a.Tenant, &a.Date, &a.Submission, &a.State, &received, &s.DatasetVersion); err != nil {
			return nil, fmt.Errorf("list arrivals: %w", err)
		}
		a.ReceivedAt = meta.Time(received)
		c, err := x.contractOf(ctx, &s)
		if err != nil {
			return nil, err
		}
		if day, err := contract.ParseDate(a.Date); err == nil {
			a.Late = c.Late(day, a.ReceivedAt)
		}
		list = append(list, a)
	}
	return list, nil
}

// UnscopedFirstDates returns, by tenant, the earliest business date for which it
// had a submission to a dataset accepted, of all tenants or of one.
func (x *Exchange) UnscopedFirstDates(ctx context.Context, id tenant.ID, dataset string) (map[tenant.ID]string, error) {
	db, whose, args := x.of(id, dataset)
	rows, err := db.Query(ctx, `SELECT tenant, MIN(date) FROM submissions WHERE dataset = $1 AND error_count = 0`+whose+` GROUP BY tenant`, args...)
	if err != nil {
		return nil, fmt.Errorf("list first dates: %w", err)
	}
	first := map[tenant.ID]string{}
	for rows.Next() {
		var t tenant.ID
		var date string
		if err := rows.Scan(&t, &date); err != nil {
			return nil, fmt.Errorf("list first dates: %w", err)
		}
		first[t] = date
	}
	return first, nil
}

// of is the handle for one tenant's rows, with the condition that finds them and the
// arguments that go with it, or for all tenants' where none is named.
func (x *Exchange) of(id tenant.ID, args ...any) (db *meta.DB, whose string, all []any) {
	if id == "" {
		return x.DB.Unscoped(), "", args
	}
	return x.DB.For(id), fmt.Sprintf(" AND tenant = $%d", len(args)+1), append(args, string(id))
}
