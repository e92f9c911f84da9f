package analysis

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"tributary/internal/fault"
	"tributary/internal/query"
	"tributary/internal/sandbox"
	"tributary/internal/tenant"
)

// answer is what the child found and the gate decided of it.
type answer struct {
	*outcome
	totals query.Totals
}

// compute has the sandboxed child aggregate each participant's own rows, gathers what
// it returns by cell, and puts that before the gate while the child ends.
func (x *execution) compute(ctx context.Context, spec query.Spec) (a answer, err error) {
	withheld, err := x.readAgain(ctx, spec)
	if err != nil || withheld != "" {
		a.outcome = &outcome{withheld: withheld}
		return a, err
	}
	t := newTable(spec, x.def.Limits.Cells)
	t.thins = len(x.def.Totals) == 0
	scopes := make([]tenant.Scope, len(x.inputs))
	for n, i := range x.inputs {
		scopes[n] = x.scopes[x.index(i.Tenant)]
	}
	a.totals, err = x.aggregate(ctx, spec, x.inputs, scopes, t.add, func() (err error) {
		x.job.Progress(ctx, "judging", 0, 0)
		if a.outcome, err = x.judge(ctx, t); err == nil {
			a.table = nil // what each has is not needed any more
		}
		return err
	})
	return a, err
}

// aggregate has a child answer the spec over some inputs, each opened by its scope into
// the child's memory files while it starts.
func (x *execution) aggregate(ctx context.Context, spec query.Spec, inputs []RunInput, scopes []tenant.Scope, add func(query.Row) error, then func() error) (totals query.Totals, err error) {
	args, err := json.Marshal(spec)
	if err != nil {
		return totals, err
	}
	files := make([]*sandbox.Memory, 0, len(inputs))
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	for range inputs {
		f, err := sandbox.NewMemory("input")
		if err != nil {
			return totals, err
		}
		files = append(files, f)
	}
	err = x.Sandbox.Run(ctx, sandbox.Job{
		Program: query.ProgramName, Args: args, Inputs: files,
		Fill: func(ctx context.Context) error {
			err := x.open(ctx, inputs, scopes, files)
			x.job.Progress(ctx, "aggregating", 0, 0)
			return err
		},
		Limits: sandbox.Limits{Memory: x.def.Limits.Memory + 1<<30, CPU: 2 * x.def.Limits.Wall, Wall: x.def.Limits.Wall, Output: 16 << 30, Threads: 2},
	}, func(r io.Reader) (err error) {
		totals, err = query.ReadThen(r, spec, add, then)
		return err
	})
	if err != nil { // also if the child ended badly after all
		return totals, fmt.Errorf("aggregate: %w", err)
	}
	return totals, nil
}

// openers is how many accepted forms are opened at a time: decrypting and copying
// keeps a processor busy, and a run leaves the others some.
const openers = 2

// open decrypts the accepted forms into memory files, in the order of the inputs,
// and seals these.
func (x *execution) open(ctx context.Context, inputs []RunInput, scopes []tenant.Scope, files []*sandbox.Memory) error {
	var total atomic.Int64
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range openers {
		group.Go(func() error {
			buffer := make([]byte, 1<<20)
			for n := int(next.Add(1)) - 1; n < len(inputs); n = int(next.Add(1)) - 1 {
				x.job.Progress(ctx, "opening inputs", int64(n), int64(len(inputs)))
				if err := x.openOne(ctx, inputs[n], scopes[n], files[n], &total, buffer); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// openOne decrypts one accepted form.
func (x *execution) openOne(ctx context.Context, i RunInput, scope tenant.Scope, to *sandbox.Memory, total *atomic.Int64, buffer []byte) error {
	r, o, err := x.Vault.Open(ctx, scope, i.Object)
	if fault.Is(err, fault.NotFound) {
		return fault.Wrap(fault.Conflict, err, "A submission of the snapshot was deleted. Start a new run.")
	}
	if err != nil {
		return fmt.Errorf("open input of %s: %w", i.Tenant, err)
	}
	defer r.Close()
	if total.Add(o.Size) > x.def.Limits.Memory {
		return fault.New(fault.TooLarge, "The inputs take more than the analysis's memory limit of %d bytes.", x.def.Limits.Memory)
	}
	if _, err = io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{r}, buffer); err == nil {
		err = to.Seal()
	}
	if err != nil {
		return fmt.Errorf("open input of %s: %w", i.Tenant, err)
	}
	return nil
}
