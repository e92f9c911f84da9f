package render

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/parquet-go/parquet-go"
)

// rowsPerGroup bounds what WriteParquet holds in memory beside the table.
const rowsPerGroup = 128 << 10

// WriteParquet writes the table as Parquet: decimals as DECIMAL(18, scale) on
// 64 bits, dates as DATE, timestamps in UTC microseconds, every column but the
// date's and the recipient's id optional. The same table gives the same bytes.
func WriteParquet(w io.Writer, t *Table) error {
	root := &ordered{Group: parquet.Group{}}
	for _, c := range t.Columns {
		node := c.leaf()
		if !c.required {
			node = parquet.Optional(node)
		}
		root.add(c.Name, node)
	}
	options := []parquet.WriterOption{
		parquet.NewSchema("result", root),
		parquet.Compression(&parquet.Snappy),
		parquet.CreatedBy("tributary", "1", "0"), // the format of results, not the build: same table, same bytes
		parquet.MaxRowsPerRowGroup(rowsPerGroup),
	}
	for _, key := range slices.Sorted(maps.Keys(t.Metadata)) {
		options = append(options, parquet.KeyValueMetadata(key, t.Metadata[key]))
	}
	out := parquet.NewGenericWriter[any](w, options...)
	const batch = 512
	rows := make([]parquet.Row, 0, batch)
	for chunk := range slices.Chunk(t.Rows, batch) {
		rows = rows[:0]
		for _, row := range chunk {
			values := make(parquet.Row, len(row))
			for i, v := range row {
				values[i] = t.Columns[i].parquetValue(v, i)
			}
			rows = append(rows, values)
		}
		if _, err := out.WriteRows(rows); err != nil {
			return fmt.Errorf("write Parquet: %w", err)
		}
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("write Parquet: %w", err)
	}
	return nil
}

func (c Column) leaf() parquet.Node {
	switch c.Type {
	case Integer:
		return parquet.Int(64)
	case Decimal:
		return parquet.Decimal(c.Scale, 18, parquet.Int64Type)
	case Boolean:
		return parquet.Leaf(parquet.BooleanType)
	case Date:
		return parquet.Date()
	case Timestamp:
		return parquet.TimestampAdjusted(parquet.Microsecond, true)
	}
	return parquet.String()
}

func (c Column) parquetValue(v Value, column int) parquet.Value {
	if v.Null {
		return parquet.NullValue().Level(0, 0, column)
	}
	var value parquet.Value
	switch c.Type {
	case Text:
		value = parquet.ByteArrayValue([]byte(v.Text))
	case Boolean:
		value = parquet.BooleanValue(v.Int != 0)
	case Date:
		value = parquet.Int32Value(int32(v.Int))
	default:
		value = parquet.Int64Value(v.Int)
	}
	if c.required {
		return value.Level(0, 0, column)
	}
	return value.Level(0, 1, column)
}

// ordered is a group whose columns keep their order; the library's own sorts them by name.
type ordered struct {
	parquet.Group
	fields []parquet.Field
}

func (o *ordered) add(name string, node parquet.Node) {
	o.Group[name] = node
	i := slices.IndexFunc(o.Group.Fields(), func(f parquet.Field) bool { return f.Name() == name })
	o.fields = append(o.fields, o.Group.Fields()[i])
}

// Fields are the columns in the order in which they were added.
func (o *ordered) Fields() []parquet.Field { return o.fields }
