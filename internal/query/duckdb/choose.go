package duckdb

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	bindings "github.com/duckdb/duckdb-go-bindings"

	"tributary/internal/fault"
	"tributary/internal/query"
)

// choose does a SELECT on a connection of its own, in a transaction that can only read.
// Every value comes as a text that the engine makes.
func (w *Warehouse) choose(ctx context.Context, s query.Select, out io.Writer) error {
	db, err := w.main.another()
	if err != nil {
		return err
	}
	defer db.disconnect()
	return db.choose(ctx, s, out)
}

func (db *instance) choose(ctx context.Context, s query.Select, out io.Writer) error {
	if s.Rows <= 0 || s.Bytes <= 0 {
		return fmt.Errorf("a SELECT needs limits of rows and bytes")
	}
	sql := bare(s.SQL)
	// With the parentheses, as it is executed: what closes them is another tree.
	plain := "SELECT * FROM (\n" + sql + "\n) AS q"
	if s.Tables != nil {
		if err := db.gate(ctx, sql, s); err != nil { // for the better message
			return err
		}
		if err := db.gate(ctx, plain, s); err != nil {
			return err
		}
	}
	before := instead(s.Instead)
	if err := db.run(ctx, "BEGIN TRANSACTION READ ONLY"); err != nil {
		return err
	}
	defer func() { _ = db.run(context.WithoutCancel(ctx), "ROLLBACK") }() // nothing was changed
	columns, err := db.describe(ctx, before+plain, s)
	if err != nil {
		return err
	}
	if len(columns) > query.MaxAnswerColumns {
		return fault.New(fault.TooLarge, "The answer has %d columns; the limit is %d.", len(columns), query.MaxAnswerColumns)
	}
	if s.Describe {
		a, err := query.NewAnswerWriter(out, heads(columns))
		if err != nil {
			return err
		}
		return a.End(false)
	}
	final := rendered(sql, columns, s.Rows+1)
	if s.Tables != nil {
		if err := db.gate(ctx, final, s); err != nil {
			return err
		}
	}
	return db.write(ctx, before+final, s, columns, out)
}

// bare is a SELECT without what may end it.
func bare(sql string) string { return strings.TrimRight(sql, "; \t\r\n") }

// instead puts SELECTs before another one, which then sees them in the place of tables.
// They are not materialised: a condition reaches through them to the table.
func instead(list []query.Instead) string {
	if len(list) == 0 {
		return ""
	}
	parts := make([]string, len(list))
	for i, x := range list {
		parts[i] = identifier(x.Table) + " AS NOT MATERIALIZED (" + x.SQL + ")"
	}
	return "WITH " + strings.Join(parts, ", ") + " "
}

func heads(columns []described) []query.AnswerColumn {
	head := make([]query.AnswerColumn, len(columns))
	for i, c := range columns {
		head[i] = c.AnswerColumn
	}
	return head
}

// described is a column of a SELECT before it is a text.
type described struct {
	query.AnswerColumn
	id bindings.Type
}

// describe returns the columns of a SELECT that the gate has let through.
func (db *instance) describe(ctx context.Context, sql string, s query.Select) ([]described, error) {
	defer db.interruptWhenDone(ctx)()
	var prepared bindings.PreparedStatement
	defer func() { bindings.DestroyPrepare(&prepared) }()
	if bindings.Prepare(db.conn, sql, &prepared) == bindings.StateError {
		text := bindings.PrepareError(prepared)
		return nil, db.explain(ctx, preparing(text), text, s)
	}
	if t := bindings.PreparedStatementType(prepared); t != bindings.StatementTypeSelect {
		return nil, fmt.Errorf("a statement of type %d is no SELECT", t)
	}
	columns := make([]described, int(bindings.PreparedStatementColumnCount(prepared)))
	for i := range columns {
		at := bindings.IdxT(i)
		logical := bindings.PreparedStatementColumnLogicalType(prepared, at)
		id := bindings.GetTypeId(logical)
		kind := kindOf(id, bindings.LogicalTypeGetAlias(logical))
		columns[i] = described{query.AnswerColumn{Name: bindings.PreparedStatementColumnName(prepared, at), Kind: kind, Type: typeOf(logical, id, kind)}, id}
		bindings.DestroyLogicalType(&logical)
	}
	return columns, nil
}

// typeOf is what the engine calls a type, where its kind alone does not say how to store it.
func typeOf(logical bindings.LogicalType, id bindings.Type, kind query.Kind) string {
	if id == bindings.TypeDecimal {
		return fmt.Sprintf("DECIMAL(%d,%d)", bindings.DecimalWidth(logical), bindings.DecimalScale(logical))
	}
	if name := typeNames[id]; name != "" {
		return name
	}
	return string(kind)
}

var typeNames = map[bindings.Type]string{
	bindings.TypeTinyInt: "TINYINT", bindings.TypeSmallInt: "SMALLINT", bindings.TypeInteger: "INTEGER", bindings.TypeBigInt: "BIGINT", bindings.TypeHugeInt: "HUGEINT",
	bindings.TypeUTinyInt: "UTINYINT", bindings.TypeUSmallInt: "USMALLINT", bindings.TypeUInteger: "UINTEGER", bindings.TypeUBigInt: "UBIGINT", bindings.TypeUHugeInt: "UHUGEINT",
	bindings.TypeBigNum: "BIGNUM", bindings.TypeFloat: "FLOAT", bindings.TypeDouble: "DOUBLE", bindings.TypeBlob: "BLOB",
}

func kindOf(id bindings.Type, alias string) query.Kind {
	switch id {
	case bindings.TypeBoolean:
		return query.KindBoolean
	case bindings.TypeTinyInt, bindings.TypeSmallInt, bindings.TypeInteger, bindings.TypeBigInt, bindings.TypeHugeInt,
		bindings.TypeUTinyInt, bindings.TypeUSmallInt, bindings.TypeUInteger, bindings.TypeUBigInt, bindings.TypeUHugeInt, bindings.TypeBigNum:
		return query.KindInteger
	case bindings.TypeFloat, bindings.TypeDouble:
		return query.KindNumber
	case bindings.TypeDecimal:
		return query.KindDecimal
	case bindings.TypeTimestamp, bindings.TypeTimestampS, bindings.TypeTimestampMS, bindings.TypeTimestampNS, bindings.TypeTimestampTZ:
		return query.KindTimestamp
	case bindings.TypeDate:
		return query.KindDate
	case bindings.TypeList, bindings.TypeStruct, bindings.TypeMap, bindings.TypeArray, bindings.TypeUnion, bindings.TypeVariant:
		return query.KindJSON
	case bindings.TypeVarchar:
		if alias == "JSON" {
			return query.KindJSON
		}
	}
	return query.KindText
}

// rendered is the SELECT whose columns are all texts, with at most as many rows. The
// columns are known by their place: names may be there twice.
func rendered(sql string, columns []described, rows int) string {
	var list, names []string
	for i, c := range columns {
		name := "c" + strconv.Itoa(i+1)
		names = append(names, name)
		switch {
		case c.id == bindings.TypeTimestampNS:
			list = append(list, "CASE WHEN isfinite("+name+"::TIMESTAMP) THEN replace("+name+"::VARCHAR, ' ', 'T') || 'Z' ELSE "+name+"::VARCHAR END")
		case c.Kind == query.KindTimestamp:
			list = append(list, "CASE WHEN isfinite("+name+"::TIMESTAMP) THEN strftime("+name+"::TIMESTAMP, '%Y-%m-%dT%H:%M:%S.%fZ') ELSE "+name+"::VARCHAR END")
		case c.id == bindings.TypeBlob:
			list = append(list, "to_base64("+name+")")
		case c.Kind == query.KindJSON && c.id != bindings.TypeVarchar:
			list = append(list, "to_json("+name+")::VARCHAR")
		default:
			list = append(list, name+"::VARCHAR")
		}
	}
	return "SELECT " + strings.Join(list, ", ") + " FROM (\n" + sql + "\n) AS q(" + strings.Join(names, ", ") + ") LIMIT " + strconv.Itoa(rows)
}

// write writes the rows of the SELECT of texts as they come.
func (db *instance) write(ctx context.Context, sql string, s query.Select, columns []described, out io.Writer) error {
	a, err := query.NewAnswerWriter(out, heads(columns))
	if err != nil {
		return err
	}
	types := make([]columnType, len(columns))
	for i := range types {
		types[i] = columnType{id: bindings.TypeVarchar}
	}
	row := make([][]byte, len(columns))
	failed := func(kind bindings.ErrorType, text string) error { return db.explain(ctx, kind, text, s) }
	err = db.stream(ctx, query.Statement{SQL: sql, Arguments: s.Arguments}, types, failed, func(n int, data []column) error {
		for i := range n {
			if a.Rows() >= int64(s.Rows) || a.Size() >= s.Bytes {
				return errEnough
			}
			size := 0
			for c := range row {
				if row[c] = nil; !data[c].null(i) {
					text := data[c].text(i)
					if size += len(text); size > query.MaxAnswerRow {
						return query.ErrRow
					}
					row[c] = append([]byte{}, text...)
				}
			}
			if err := writeRow(a, row); err != nil {
				return err
			}
		}
		return nil
	})
	truncated := err == errEnough //nolint:errorlint // it is ours, from the function above
	if err != nil && !truncated {
		return err
	}
	return a.End(truncated)
}

var errEnough = fmt.Errorf("enough rows")

// explain is failure for a SELECT: who wrote it is told what the engine says of it. Where
// SELECTs of ours stand for tables that is for the operator: the engine may evaluate a
// part of the query on rows that they leave out, and quote one.
func (db *instance) explain(ctx context.Context, kind bindings.ErrorType, text string, s query.Select) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	cause := said(kind, text)
	switch {
	case kind == bindings.ErrorTypeOutOfMemory:
		return fault.Wrap(fault.TooLarge, cause, "The SELECT needs more memory than it may take. Ask for less at once: a shorter time, fewer groups, no ORDER BY of everything.")
	case s.Tables == nil, kind == bindings.ErrorTypeFatal, kind == bindings.ErrorTypeInternal:
		return cause
	case len(s.Instead) > 0 && !s.Describe:
		return fault.Wrap(fault.Invalid, cause, "The query failed on this data; the provider can see why.")
	}
	text, _, _ = strings.Cut(text, "\n\nLINE ") // it would quote what we have put around the SELECT
	return refused(text)
}
