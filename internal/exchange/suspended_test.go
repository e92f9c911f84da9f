package exchange_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"tributary/internal/control"
	"tributary/internal/exchange"
	"tributary/internal/exchange/parse"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/sandbox"
	"tributary/internal/tenant"
)

// looked reports whether an attempt at the submission's job has ended.
func (b *bench) looked(t *testing.T, id string) func() bool {
	return func() bool {
		var n int64
		check(t, b.DB.Unscoped().QueryRow(t.Context(), `SELECT count(*) FROM jobs WHERE subject = $1 AND state <> 'running' AND error_kind <> ''`, id).Scan(&n))
		return n == 1
	}
}

// hurry ends the pauses of jobs.
func (b *bench) hurry(t *testing.T) {
	t.Helper()
	_, err := b.DB.Unscoped().Exec(t.Context(), `UPDATE jobs SET run_after = 0`)
	check(t, err)
}

// state is what the provider's people see.
func (b *bench) state(t *testing.T, id string, want exchange.State) {
	t.Helper()
	s, err := b.UnscopedSubmission(t.Context(), id)
	check(t, err)
	if s.State != want {
		t.Fatalf("submission: %s, want %s", s.State, want)
	}
}

func TestASuspendedTenantsFilesWait(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		waiting := b.send(t, 0, body("000001", "x,1"))
		slug := b.tenants[0].Slug
		_, err := b.control.UnscopedSuspend(t.Context(), "usr_admin", slug, "Unpaid")
		check(t, err)
		for range 5 { // more often than a job may fail
			b.turn(t, b.looked(t, waiting.ID))
			b.state(t, waiting.ID, exchange.Received)
			_, err = b.DB.Unscoped().Exec(t.Context(), `UPDATE jobs SET run_after = 0, error_kind = '' WHERE subject = $1`, waiting.ID)
			check(t, err)
		}
		other := b.send(t, 1, body("000002", "x,1"))
		b.turn(t, func() bool { return b.count(t, "jobs WHERE state = 'succeeded'") == 1 })
		b.want(t, 1, other.ID, exchange.Accepted)
		_, err = b.control.UnscopedActivate(t.Context(), "usr_admin", slug)
		check(t, err)
		b.hurry(t)
		b.turn(t, b.idle(t))
		b.want(t, 0, waiting.ID, exchange.Accepted)
	})
}

// meddling is control that does something when a validation has begun.
type meddling struct {
	*control.Control
	first func() error // then nothing
}

func (m *meddling) ExternalIDs(ctx context.Context, scope tenant.Scope) ([]string, error) {
	if f := m.first; f != nil {
		m.first = nil
		if err := f(); err != nil {
			return nil, err
		}
	}
	return m.Control.ExternalIDs(ctx, scope)
}

func TestAValidationGoesOnAfterItsScopeEnded(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(context.Context, *bench, string) error{
		"suspended": func(ctx context.Context, b *bench, slug string) error {
			_, err := b.control.UnscopedSuspend(ctx, "usr_admin", slug, "Unpaid")
			return err
		},
		"offboarding": func(ctx context.Context, b *bench, slug string) error {
			_, err := b.control.UnscopedOffboard(ctx, control.Admin{Actor: "usr_admin", Person: "usr_admin"}, slug, slug)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, b *bench) {
				slug := b.tenants[0].Slug
				b.Tenants = &meddling{b.control, func() error { return end(t.Context(), b, slug) }}
				sub := b.send(t, 0, body("000001", "x,1"))
				b.turn(t, b.looked(t, sub.ID))
				b.state(t, sub.ID, exchange.Received)
				if name == "suspended" {
					_, err := b.control.UnscopedActivate(t.Context(), "usr_admin", slug)
					check(t, err)
				}
				b.hurry(t)
				b.turn(t, b.idle(t))
				b.state(t, sub.ID, exchange.Accepted)
			})
		})
	}
}

func TestWhatIsNotTheFilesFaultIsNotBlamedOnIt(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		fail := func(n int, want string) parse.Problem {
			t.Helper()
			sub := b.send(t, n, body("000001", "x,1"))
			_, err := b.DB.Unscoped().Exec(t.Context(), `UPDATE jobs SET max_attempts = 1 WHERE subject = $1`, sub.ID)
			check(t, err)
			b.turn(t, b.idle(t))
			s := b.want(t, n, sub.ID, exchange.Rejected)
			if len(s.Problems) != 1 || s.Problems[0].Code != want {
				t.Fatalf("problems: %+v, want %s", s.Problems, want)
			}
			return s.Problems[0]
		}
		b.Tenants = &meddling{b.control, func() error { return errors.New("the database is away") }}
		if p := fail(0, "unchecked"); !strings.Contains(p.Message, "could not be checked") || !strings.Contains(p.Message, "Send it again") || !strings.Contains(p.Message, "ask the provider") {
			t.Errorf("message: %s", p.Message)
		}
		// While no sandbox can be started nothing is blamed; the file waits.
		b.Tenants = b.control
		working := b.Sandbox
		box, err := sandbox.New(sandbox.Config{Level: working.Level(), Executable: "/bin/false"}) // a child that ends at once
		check(t, err)
		b.Sandbox = box
		sub := b.send(t, 1, body("000002", "x,1"))
		b.turn(t, b.looked(t, sub.ID))
		b.Sandbox = working
		b.hurry(t)
		b.turn(t, b.idle(t))
		b.state(t, sub.ID, exchange.Accepted)
	})
}

func TestLateness(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		take := func(day string, want bool) {
			t.Helper()
			n := named("in.csv")
			n.Date = day
			s, err := b.Submit(t.Context(), b.scope(t, 0), n, strings.NewReader("x"))
			check(t, err)
			own, err := b.Submission(t.Context(), b.scope(t, 0), s.ID)
			check(t, err)
			staff, err := b.UnscopedSubmission(t.Context(), s.ID)
			check(t, err)
			list, _, err := b.Submissions(t.Context(), b.scope(t, 0), exchange.SubmissionFilter{Date: day}, meta.Page{})
			check(t, err)
			gone, err := b.Withdraw(t.Context(), b.scope(t, 0), s.ID)
			check(t, err)
			if s.Late != want || own.Late != want || staff.Late != want || list[0].Late != want || gone.Late != want {
				t.Errorf("%s: late %v %v %v %v %v, want %v", day, s.Late, own.Late, staff.Late, list[0].Late, gone.Late, want)
			}
		}
		take("2022-09-23", false) // nothing is ever due
		b.apply(t, dataset+"cadence: monthly\ndue: {after_days: 5}\n")
		take("2022-09-24", true)
		take("2199-01-01", false)
		old, _, err := b.UnscopedSubmissions(t.Context(), "", exchange.SubmissionFilter{Date: "2022-09-23"}, meta.Page{})
		check(t, err)
		if old[0].Late {
			t.Error("a later version of the contract made an earlier submission late")
		}
	})
}

func TestDatesOutsideTheCalendarAreNotTaken(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		for _, day := range []string{"0000-01-01", "0000-12-31", "2023-02-29", "2023-1-1", "10000-01-01", ""} {
			n := named("in.csv")
			n.Date = day
			if _, err := b.Submit(t.Context(), b.scope(t, 0), n, strings.NewReader("x")); !fault.Is(err, fault.Invalid) || !strings.Contains(fault.Message(err), "YYYY-MM-DD") {
				t.Errorf("%q: %v, want invalid", day, err)
			}
		}
	})
}
