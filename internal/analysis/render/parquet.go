package render

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
)

// rowsPerGroup bounds what WriteParquet holds in memory beside the table.
const rowsPerGroup = 128 << 10

// parquetWriter writes tables of the same columns and metadata, one after the
// other, and keeps its buffers between them.
type parquetWriter struct {
	out    *parquet.GenericWriter[any]
	values []parquet.Value
	texts  []byte // of values
}

// newParquetWriter makes a writer for tables like t.
func newParquetWriter(t *Table) *parquetWriter {
	root := &Ordered{}
	for _, c := range t.Columns {
		node := c.leaf()
		if !c.required {
			node = parquet.Optional(node)
		}
		root.Add(c.Name, node)
	}
	options := []parquet.WriterOption{
		parquet.NewSchema("result", root),
		parquet.Compression(&parquet.Snappy),
		parquet.CreatedBy("tributary", "1", "0"), // the format of results, not the build: same table, same bytes
	}
	for _, key := range slices.Sorted(maps.Keys(t.Metadata)) {
		options = append(options, parquet.KeyValueMetadata(key, t.Metadata[key]))
	}
	return &parquetWriter{out: parquet.NewGenericWriter[any](nil, options...)}
}

// WriteParquet writes the table as Parquet: decimals as DECIMAL(18, scale) on 64 bits,
// dates as DATE, timestamps in UTC microseconds, every column but the date's and
// the recipient's id optional. The same table gives the same bytes.
func (m *Maker) WriteParquet(w io.Writer, t *Table) error {
	if m.parquet == nil {
		m.parquet = newParquetWriter(t)
	}
	p := m.parquet
	p.out.Reset(w)
	for group := range slices.Chunk(t.Rows, rowsPerGroup) {
		for i, c := range p.out.ColumnWriters() {
			for rows := range slices.Chunk(group, 1024) {
				p.values, p.texts = p.values[:0], p.texts[:0]
				for _, row := range rows {
					p.add(t.Columns[i], row[i], i)
				}
				if _, err := c.WriteRowValues(p.values); err != nil {
					return fmt.Errorf("write Parquet: %w", err)
				}
			}
		}
		if err := p.out.Flush(); err != nil {
			return fmt.Errorf("write Parquet: %w", err)
		}
	}
	if err := p.out.Close(); err != nil {
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

// add appends a value of the column, whose number is i, to the values.
func (p *parquetWriter) add(c Column, v Value, i int) {
	var value parquet.Value
	switch {
	case v.Null:
	case c.Type == Text:
		from := len(p.texts)
		p.texts = append(p.texts, v.Text...)
		value = parquet.ByteArrayValue(p.texts[from:])
	case c.Type == Boolean:
		value = parquet.BooleanValue(v.Int != 0)
	case c.Type == Date:
		value = parquet.Int32Value(int32(v.Int))
	default:
		value = parquet.Int64Value(v.Int)
	}
	level := 1
	if v.Null || c.required {
		level = 0
	}
	p.values = append(p.values, value.Level(0, level, i))
}

// Ordered is a group whose columns keep their order; the library's own sorts them by name.
type Ordered struct {
	parquet.Group
	names  []string
	fields []parquet.Field // once they were asked for
}

// Add adds a column, whose name no other has.
func (o *Ordered) Add(name string, node parquet.Node) {
	if o.Group == nil {
		o.Group = parquet.Group{}
	}
	o.Group[name] = node
	o.names, o.fields = append(o.names, name), nil
}

// Fields are the columns in the order in which they were added.
func (o *Ordered) Fields() []parquet.Field {
	if o.fields == nil {
		sorted := o.Group.Fields()
		for _, name := range o.names {
			i, _ := slices.BinarySearchFunc(sorted, name, func(f parquet.Field, name string) int { return strings.Compare(f.Name(), name) })
			o.fields = append(o.fields, sorted[i])
		}
	}
	return o.fields
}
