package analysis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"tributary/internal/analysis/definition"
	"tributary/internal/analysis/render"
	"tributary/internal/exchange"
	"tributary/internal/fault"
	"tributary/internal/tenant"
)

// A page of rows ends at whichever comes first.
const (
	MaxRows    = 1_000
	maxRowText = 4 << 20 // bytes of text; one row may be longer
)

// Role is what a column of a result is.
type Role string

// The roles.
const (
	DateRole    Role = "date"
	GroupRole   Role = "group"
	TotalRole   Role = "total" // of a total: the groups that it is over
	MeasureRole Role = "measure"
	IDRole      Role = "id"
	OwnRole     Role = "own" // the recipient's own value of a measure
)

// RowColumn is a column of a result, with what the definition says of it.
type RowColumn struct {
	Name     string // as in the CSV
	Role     Role
	Measure  string              // of MeasureRole and OwnRole: the measure's name in the definition
	Function definition.Function // of these: how the cell's value comes from the participants' values
	Words    string              // of MeasureRole: the same in words
}

// Rows is a page of a result.
type Rows struct {
	Columns []RowColumn
	Rows    [][]*string // as written in the CSV; nil: no value, which for a measure is a suppressed one
	Next    string      // where the next page begins; empty: this was the last
}

// Rows reads a page of at most limit rows of one of the scope's tenant's results, from
// where after says, which is the page before's Next. The reading is in the audit log before, and a
// result that is not handed out has no rows either, as with ResultContent.
//
// It reads the CSV here and not in a sandboxed child: no tenant wrote it. The run's
// child gave typed values, this program wrote them and sealed the bytes, which open
// only as they were written; and render.Reader takes nothing but that form.
func (a *Analyses) Rows(ctx context.Context, scope tenant.Scope, id, after string, limit int) (Rows, error) {
	file, result, err := a.Exchange.ResultContent(ctx, scope, id, exchange.Rows)
	if err != nil {
		return Rows{}, err
	}
	defer func() { _ = file.Close() }() // of what was only read
	v, err := a.Analysis(ctx, result.Analysis, result.Version)
	if err != nil {
		return Rows{}, err
	}
	lines := render.NewReader(file)
	header, err := lines.Line()
	if err != nil {
		return Rows{}, fmt.Errorf("rows of %s: %w", id, err)
	}
	page := Rows{Rows: [][]*string{}}
	if page.Columns, err = rowColumns(v.Definition, header); err != nil {
		return Rows{}, fmt.Errorf("rows of %s: %w", id, err)
	}
	if after != "" {
		at, err := lineAt(file, lines.Read, after)
		if err != nil {
			return Rows{}, err
		}
		lines = render.NewReader(io.NewSectionReader(file, at, file.Size()-at))
		lines.Read = at
	}
	for text := 0; len(page.Rows) < limit && text < maxRowText; {
		row, err := lines.Line()
		if errors.Is(err, io.EOF) {
			return page, nil
		}
		if err != nil && after == "" {
			return Rows{}, fmt.Errorf("rows of %s: %w", id, err)
		}
		if err != nil || len(row) != len(page.Columns) {
			return Rows{}, badCursor(after)
		}
		for _, v := range row {
			if v != nil {
				text += len(*v)
			}
		}
		page.Rows = append(page.Rows, row)
	}
	if lines.Read < file.Size() {
		page.Next = strconv.FormatInt(lines.Read, 10)
	}
	return page, nil
}

func badCursor(after string) error {
	return fault.New(fault.Invalid, "%q is not where a page of this result ended.", after)
}

// lineAt reads a cursor: the byte at which a line begins, not before first.
func lineAt(file io.ReaderAt, first int64, after string) (int64, error) {
	at, err := strconv.ParseInt(after, 10, 64)
	var before [1]byte
	if err != nil || at < first {
		return 0, badCursor(after)
	}
	if _, err := file.ReadAt(before[:], at-1); errors.Is(err, io.EOF) || err == nil && before[0] != '\n' {
		return 0, badCursor(after)
	} else if err != nil {
		return 0, err
	}
	return at, nil
}

// rowColumns finds what the definition says of the columns of a result of it.
func rowColumns(d *definition.Definition, header []*string) ([]RowColumn, error) {
	known := map[string]RowColumn{}
	add := func(name string, c RowColumn) {
		c.Name = render.Harmless(name)
		known[c.Name] = c
	}
	add(d.Output.DateColumn, RowColumn{Role: DateRole})
	for _, g := range d.Groups {
		add(g, RowColumn{Role: GroupRole})
	}
	if len(d.Totals) > 0 {
		add(d.Output.TotalColumn, RowColumn{Role: TotalRole})
	}
	for _, m := range d.Measures {
		add(m.Name, RowColumn{Role: MeasureRole, Measure: m.Name, Function: m.Function, Words: m.Words()})
		if d.OwnValue {
			add(d.Output.OwnPrefix+m.Name, RowColumn{Role: OwnRole, Measure: m.Name, Function: m.Function})
		}
	}
	add(d.Output.IDColumn, RowColumn{Role: IDRole})
	columns := make([]RowColumn, len(header))
	for i, name := range header {
		if name == nil {
			return nil, fault.New(fault.Damaged, "A column has no name.")
		}
		c, ok := known[*name]
		if !ok {
			return nil, fault.New(fault.Damaged, "The definition has no column %q.", *name)
		}
		columns[i] = c
	}
	return columns, nil
}

// Result returns one of the scope's tenant's results, and the tenant's own
// submissions that went into its run.
func (a *Analyses) Result(ctx context.Context, scope tenant.Scope, id string) (exchange.Result, []RunInput, error) {
	r, err := a.Exchange.Result(ctx, scope, id)
	if err != nil {
		return r, nil, err
	}
	inputs, err := a.ownInputs(ctx, scope, r.Run)
	return r, inputs, err
}

func (a *Analyses) ownInputs(ctx context.Context, scope tenant.Scope, run string) ([]RunInput, error) {
	rows, err := a.DB.For(scope.Tenant()).Query(ctx, `SELECT dataset, submission, commitment FROM run_inputs WHERE run = $1 AND tenant = $2 ORDER BY dataset`, run, string(scope.Tenant()))
	if err != nil {
		return nil, fmt.Errorf("list own inputs of %s: %w", run, err)
	}
	var list []RunInput
	for rows.Next() {
		i := RunInput{Tenant: scope.Tenant()}
		if err := rows.Scan(&i.Dataset, &i.Submission, &i.Commitment); err != nil {
			return nil, fmt.Errorf("list own inputs of %s: %w", run, err)
		}
		list = append(list, i)
	}
	return list, nil
}
