package columnar

import (
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"

	"tributary/internal/analysis/render"
	"tributary/internal/query"
)

// Parquet writes an answer as a Parquet file, while it comes.
type Parquet struct {
	columns []query.AnswerColumn
	forms   []form
	out     *parquet.GenericWriter[any]
	row     parquet.Row
	held    held
}

// NewParquet begins a file.
func NewParquet(w io.Writer, columns []query.AnswerColumn) (*Parquet, error) {
	forms, err := forms(columns)
	if err != nil {
		return nil, err
	}
	root := &render.Ordered{}
	options := []parquet.WriterOption{parquet.Compression(&parquet.Snappy), parquet.CreatedBy("tributary", "1", "0")}
	for i, c := range columns {
		node := forms[i].parquet()
		if most, long := longest[forms[i].kind]; long {
			node = parquet.Leaf(unbounded{node.Type(), most})
			options = append(options, parquet.SkipPageBounds(c.Name), parquet.SkipPageStatistics(c.Name))
		}
		root.Add(c.Name, parquet.Optional(node))
	}
	options = append(options, parquet.NewSchema("answer", root))
	return &Parquet{columns: columns, forms: forms, out: parquet.NewGenericWriter[any](w, options...)}, nil
}

// longest are the forms of which values may be long, and what sorts behind their values.
var longest = map[formKind]string{
	texts: strings.Repeat("\U0010ffff", 4), documents: strings.Repeat("\U0010ffff", 4), binaries: strings.Repeat("\xff", 16),
}

// unbounded is a type whose columns do not say what their least and greatest values are.
// They are whole values, which the writer keeps until the file ends.
type unbounded struct {
	parquet.Type
	most string
}

// NewColumnIndexer makes the index that a file has of its pages in any case. Without
// bounds it would say that all values are empty, and readers would pass over pages.
func (u unbounded) NewColumnIndexer(limit int) parquet.ColumnIndexer {
	return widest{u.Type.NewColumnIndexer(limit), parquet.ByteArrayValue([]byte(u.most))}
}

type widest struct {
	parquet.ColumnIndexer
	most parquet.Value
}

func (w widest) IndexPage(values, nulls int64, _, _ parquet.Value) {
	w.ColumnIndexer.IndexPage(values, nulls, parquet.ByteArrayValue(nil), w.most)
}

func (f form) parquet() parquet.Node {
	switch f.kind {
	case documents:
		return parquet.JSON()
	case binaries:
		return parquet.Leaf(parquet.ByteArrayType)
	case booleans:
		return parquet.Leaf(parquet.BooleanType)
	case integers:
		if f.unsigned {
			return parquet.Uint(f.bits)
		}
		return parquet.Int(f.bits)
	case numbers:
		if f.bits == 32 {
			return parquet.Leaf(parquet.FloatType)
		}
		return parquet.Leaf(parquet.DoubleType)
	case decimals:
		stored := parquet.FixedLenByteArrayType(16)
		if f.precision <= inHalf {
			stored = parquet.Int32Type
		} else if f.precision <= inWord {
			stored = parquet.Int64Type
		}
		return parquet.Decimal(f.scale, f.precision, stored)
	case timestamps:
		return parquet.TimestampAdjusted(parquet.Microsecond, true)
	case dates:
		return parquet.Date()
	}
	return parquet.String()
}

// How many digits 64 and 32 bits have room for.
const (
	inWord = 18
	inHalf = 9
)

// Row writes a row's values: texts as an answer has them, nil for a null.
func (p *Parquet) Row(values [][]byte) error {
	p.row = p.row[:0]
	for i, text := range values {
		if text == nil {
			p.row = append(p.row, parquet.NullValue().Level(0, 0, i))
			continue
		}
		v, ok := p.forms[i].parse(text)
		if !ok {
			return unfit(p.columns[i], text)
		}
		p.row = append(p.row, p.forms[i].value(v).Level(0, 1, i))
	}
	if _, err := p.out.WriteRows([]parquet.Row{p.row}); err != nil {
		return fmt.Errorf("write Parquet: %w", err)
	}
	if !p.held.add(values) {
		return nil
	}
	p.held = held{}
	if err := p.out.Flush(); err != nil {
		return fmt.Errorf("write Parquet: %w", err)
	}
	return nil
}

func (f form) value(v value) parquet.Value {
	switch f.kind {
	case texts, documents, binaries:
		return parquet.ByteArrayValue(v.bytes)
	case booleans:
		return parquet.BooleanValue(v.low != 0)
	case numbers:
		if f.bits == 32 {
			return parquet.FloatValue(float32(v.number))
		}
		return parquet.DoubleValue(v.number)
	case decimals:
		if f.precision > inWord {
			both := binary.BigEndian.AppendUint64(nil, v.high)
			return parquet.FixedLenByteArrayValue(binary.BigEndian.AppendUint64(both, v.low))
		}
		if f.precision <= inHalf {
			return parquet.Int32Value(int32(v.low))
		}
	case dates:
		return parquet.Int32Value(int32(v.low))
	case integers:
		if f.bits < 64 {
			return parquet.Int32Value(int32(v.low))
		}
	case timestamps:
	}
	return parquet.Int64Value(int64(v.low))
}

// Close ends the file, which says how many rows of the answer it has, and whether there
// are more. Without it, it is no Parquet file.
func (p *Parquet) Close(rows int64, truncated bool) error {
	p.out.SetKeyValueMetadata("tributary.rows", strconv.FormatInt(rows, 10))
	p.out.SetKeyValueMetadata("tributary.truncated", strconv.FormatBool(truncated))
	if err := p.out.Close(); err != nil {
		return fmt.Errorf("write Parquet: %w", err)
	}
	return nil
}
