package exchange_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"tributary/internal/exchange"
	"tributary/internal/fault"
	"tributary/internal/meta"
)

func TestSubmissions(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		good := b.send(t, 0, body("000001", "x,1.50", "y,2"))
		spoofed := b.send(t, 1, body("000001", "x,1")) // as if it were the first tenant
		shortened := b.send(t, 1, body("1", "x,1"))    // leading zeros count
		twice := b.send(t, 1, body("000002", "x,1", "x,2"))
		fine := b.send(t, 1, body("000002", "x,1", "z,3"))
		b.turn(t, b.idle(t))

		s := b.want(t, 0, good.ID, exchange.Accepted)
		sum := sha256.Sum256([]byte(body("000001", "x,1.50", "y,2")))
		if *s.Rows != 2 || *s.Columns != 4 || *s.ErrorCount != 0 || !bytes.Equal(s.SHA256, sum[:]) || s.Name != "in.csv" || s.Revision != 1 {
			t.Errorf("accepted: %+v", s)
		}
		for _, bad := range []string{spoofed.ID, shortened.ID, twice.ID} {
			s := b.want(t, 1, bad, exchange.Rejected)
			if len(s.Problems) == 0 || s.Problems[0].Row == 0 || s.Problems[0].Message == "" {
				t.Errorf("problems of a rejected file: %+v", s.Problems)
			}
			staff, err := b.UnscopedSubmission(t.Context(), bad)
			check(t, err)
			if staff.Problems != nil || staff.SHA256 != nil {
				t.Error("the provider's people see problems or the digest")
			}
			var sealed []byte
			check(t, b.DB.Unscoped().QueryRow(t.Context(), `SELECT verdict FROM submissions WHERE id = $1`, bad).Scan(&sealed))
			if len(sealed) == 0 || bytes.Contains(sealed, []byte(s.Problems[0].Message)) {
				t.Error("the verdict is not sealed")
			}
		}
		b.want(t, 1, fine.ID, exchange.Accepted) // no bad file stops a good one

		theirs, err := b.Submission(t.Context(), b.scope(t, 1), good.ID)
		missing, none := b.Submission(t.Context(), b.scope(t, 1), "sub_0")
		if !fault.Is(err, fault.NotFound) || strings.ReplaceAll(err.Error(), good.ID, "sub_0") != none.Error() || theirs.Tenant != missing.Tenant {
			t.Errorf("another's: %v; a missing one: %v", err, none)
		}
		r, _, err := b.Content(t.Context(), b.scope(t, 0), good.ID)
		check(t, err)
		defer r.Close()
		if text, err := io.ReadAll(r); err != nil || string(text) != body("000001", "x,1.50", "y,2") {
			t.Errorf("content: %q, %v", text, err)
		}
	})
}

func TestWhatIsNotTakenLeavesNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply(t, dataset+"limits: {bytes: 1 KiB}\n")
		text := body("000001", "x,1")
		sum := sha256.Sum256([]byte("another"))
		for name, c := range map[string]struct {
			change func(*exchange.NewSubmission)
			body   io.Reader
			want   fault.Kind
		}{
			"checksum":        {func(n *exchange.NewSubmission) { n.SHA256 = sum[:] }, nil, fault.Invalid},
			"not a checksum":  {func(n *exchange.NewSubmission) { n.SHA256 = []byte("x") }, nil, fault.Invalid},
			"shorter":         {func(n *exchange.NewSubmission) { n.Size = int64(len(text)) + 1 }, nil, fault.Invalid},
			"longer":          {func(n *exchange.NewSubmission) { n.Size = int64(len(text)) - 1 }, nil, fault.Invalid},
			"truncated":       {nil, io.MultiReader(strings.NewReader(text), iotest.ErrReader(io.ErrUnexpectedEOF)), fault.Invalid},
			"broken":          {nil, io.MultiReader(strings.NewReader(text), iotest.ErrReader(errors.New("reset"))), fault.Internal},
			"empty":           {nil, strings.NewReader(""), fault.Invalid},
			"too large":       {nil, strings.NewReader(strings.Repeat("x", 1025)), fault.TooLarge},
			"says too large":  {func(n *exchange.NewSubmission) { n.Size = 1025 }, nil, fault.TooLarge},
			"no dataset":      {func(n *exchange.NewSubmission) { n.Dataset = "none" }, nil, fault.NotFound},
			"no date":         {func(n *exchange.NewSubmission) { n.Date = "2022-02-30" }, nil, fault.Invalid},
			"no name":         {func(n *exchange.NewSubmission) { n.Name = "" }, nil, fault.Invalid},
			"dots":            {func(n *exchange.NewSubmission) { n.Name = ".." }, nil, fault.Invalid},
			"path":            {func(n *exchange.NewSubmission) { n.Name = "../../etc/passwd" }, nil, fault.Invalid},
			"backslash":       {func(n *exchange.NewSubmission) { n.Name = `a\b.csv` }, nil, fault.Invalid},
			"null":            {func(n *exchange.NewSubmission) { n.Name = "a\x00.csv" }, nil, fault.Invalid},
			"line":            {func(n *exchange.NewSubmission) { n.Name = "a\nb.csv" }, nil, fault.Invalid},
			"reversed":        {func(n *exchange.NewSubmission) { n.Name = "a\u202evsc.exe" }, nil, fault.Invalid},
			"not UTF-8":       {func(n *exchange.NewSubmission) { n.Name = "a\xff.csv" }, nil, fault.Invalid},
			"a very long one": {func(n *exchange.NewSubmission) { n.Name = strings.Repeat("a", 256) }, nil, fault.Invalid},
		} {
			n, from := named("in.csv"), c.body
			if c.change != nil {
				c.change(&n)
			}
			if from == nil {
				from = strings.NewReader(text)
			}
			if _, err := b.Submit(t.Context(), b.scope(t, 0), n, from); !fault.Is(err, c.want) {
				t.Errorf("%s: %v, want %s", name, err, c.want)
			}
		}
		for _, table := range []string{"submissions", "vault_objects", "jobs"} {
			if n := b.count(t, table); n != 0 {
				t.Errorf("%d rows left in %s", n, table)
			}
		}
	})
}

func TestTheHighestRevisionStands(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		first := b.send(t, 0, body("000001", "x,1"))
		second := b.send(t, 0, body("000001", "x,2"))
		// The later one is validated first.
		_, err := b.DB.Unscoped().Exec(t.Context(), `UPDATE jobs SET run_after = run_after - 1000000 WHERE subject = $1`, second.ID)
		check(t, err)
		b.turn(t, b.idle(t))
		b.want(t, 0, first.ID, exchange.Superseded)
		b.want(t, 0, second.ID, exchange.Accepted)
		bad := b.send(t, 0, body("000001", "x,2", "x,3"))
		b.turn(t, b.idle(t))
		b.want(t, 0, bad.ID, exchange.Rejected)
		b.want(t, 0, second.ID, exchange.Accepted)
		third := b.send(t, 0, body("000001", "x,3"))
		b.turn(t, b.idle(t))
		b.want(t, 0, second.ID, exchange.Superseded)
		b.want(t, 0, third.ID, exchange.Accepted)
		if third.Revision != 4 {
			t.Errorf("revision %d, want 4", third.Revision)
		}
	})
}

func TestWithdrawAndDelete(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		early, late := b.send(t, 0, body("000001", "x,1")), b.send(t, 0, body("000001", "x,2"))
		scope := b.scope(t, 0)
		_, err := b.Withdraw(t.Context(), scope, early.ID)
		check(t, err)
		b.turn(t, b.idle(t))
		b.want(t, 0, early.ID, exchange.Withdrawn)
		b.want(t, 0, late.ID, exchange.Accepted)
		if _, err := b.Withdraw(t.Context(), b.scope(t, 1), late.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("another tenant withdraws: %v", err)
		}
		_, err = b.Withdraw(t.Context(), scope, late.ID)
		check(t, err)
		if _, err := b.Withdraw(t.Context(), scope, late.ID); !fault.Is(err, fault.Conflict) {
			t.Errorf("withdraw again: %v", err)
		}
		check(t, b.DB.Transact(t.Context(), func(tx *meta.DB) error {
			list, err := b.UnscopedAccepted(t.Context(), tx, "tagged-values", date, nil, b.now())
			if len(list) != 0 {
				t.Errorf("runs would still read %v", list)
			}
			return err
		}))
		for _, id := range []string{early.ID, late.ID} {
			_, err = b.Delete(t.Context(), scope, id)
			check(t, err)
			b.want(t, 0, id, exchange.Withdrawn)
			if _, _, err := b.Content(t.Context(), scope, id); !fault.Is(err, fault.NotFound) {
				t.Errorf("content after deletion: %v", err)
			}
		}
		if n := b.count(t, "vault_objects"); n != 0 {
			t.Errorf("%d objects are left", n)
		}
	})
}

func TestUploadsAtOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		// Two to one name and date: both are kept, each with a revision of its own.
		var sending sync.WaitGroup
		for range 2 {
			scope := b.scope(t, 0)
			sending.Go(func() {
				if _, err := b.Submit(t.Context(), scope, named("in.csv"), strings.NewReader(body("000001", "x,1"))); err != nil {
					t.Error(err)
				}
			})
		}
		sending.Wait()
		list, _, err := b.Submissions(t.Context(), b.scope(t, 0), exchange.SubmissionFilter{}, meta.Page{})
		check(t, err)
		if len(list) != 2 || list[0].Revision+list[1].Revision != 3 {
			t.Errorf("submissions: %+v", list)
		}
		// While two arrive, the same tenant's third waits, and another's does not.
		var writers []*io.PipeWriter
		for range 2 {
			r, w := io.Pipe()
			scope := b.scope(t, 0)
			sending.Go(func() {
				if _, err := b.Submit(t.Context(), scope, named("in.csv"), r); err != nil {
					t.Error(err)
				}
			})
			if _, err := io.WriteString(w, "x"); err != nil { // returns once it is read
				t.Fatal(err)
			}
			writers = append(writers, w)
		}
		if _, err := b.Submit(t.Context(), b.scope(t, 0), named("in.csv"), strings.NewReader("x")); !fault.Is(err, fault.Throttled) {
			t.Errorf("the third at once: %v", err)
		}
		b.send(t, 1, body("000002", "x,1"))
		for _, w := range writers {
			check(t, w.Close())
		}
		sending.Wait()
		b.send(t, 0, body("000001", "x,1"))
	})
}

func TestDatasetVersions(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		if d, changed := b.apply(t, dataset+"# the same\n"); changed || d.Version != 1 {
			t.Errorf("the same again: version %d, changed %v", d.Version, changed)
		}
		old := b.send(t, 0, body("000001", "x,1"))
		if d, changed := b.apply(t, strings.Replace(dataset, "name: Value", "name: Amount", 1)); !changed || d.Version != 2 {
			t.Errorf("a change: version %d, changed %v", d.Version, changed)
		}
		late := b.send(t, 1, body("000002", "x,1"))
		b.turn(t, b.idle(t))
		b.want(t, 0, old.ID, exchange.Accepted) // judged by the version that it was sent for
		b.want(t, 1, late.ID, exchange.Rejected)
		if d, err := b.Dataset(t.Context(), "tagged-values", 1); err != nil || d.Source != dataset {
			t.Errorf("version 1: %v", err)
		}
		for name, version := range map[string]int64{"tagged-values": 3, "none": 0} {
			if _, err := b.Dataset(t.Context(), name, version); !fault.Is(err, fault.NotFound) {
				t.Errorf("%s version %d: %v", name, version, err)
			}
		}
	})
}
