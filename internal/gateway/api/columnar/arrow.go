package columnar

import (
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"tributary/internal/query"
)

// Arrow writes an answer as a stream of Arrow record batches, while it comes.
type Arrow struct {
	columns []query.AnswerColumn
	forms   []form
	batch   *array.RecordBuilder
	out     *ipc.Writer
	held    held
}

// NewArrow begins a stream.
func NewArrow(w io.Writer, columns []query.AnswerColumn) (*Arrow, error) {
	forms, err := forms(columns)
	if err != nil {
		return nil, err
	}
	fields := make([]arrow.Field, len(columns))
	for i, c := range columns {
		fields[i] = arrow.Field{Name: c.Name, Type: forms[i].arrow(), Nullable: true}
	}
	schema := arrow.NewSchema(fields, nil)
	return &Arrow{columns: columns, forms: forms, batch: array.NewRecordBuilder(memory.DefaultAllocator, schema), out: ipc.NewWriter(w, ipc.WithSchema(schema))}, nil
}

func (f form) arrow() arrow.DataType {
	switch f.kind {
	case booleans:
		return arrow.FixedWidthTypes.Boolean
	case integers:
		signed := map[int]arrow.DataType{8: arrow.PrimitiveTypes.Int8, 16: arrow.PrimitiveTypes.Int16, 32: arrow.PrimitiveTypes.Int32, 64: arrow.PrimitiveTypes.Int64}
		if f.unsigned {
			signed = map[int]arrow.DataType{8: arrow.PrimitiveTypes.Uint8, 16: arrow.PrimitiveTypes.Uint16, 32: arrow.PrimitiveTypes.Uint32, 64: arrow.PrimitiveTypes.Uint64}
		}
		return signed[f.bits]
	case numbers:
		if f.bits == 32 {
			return arrow.PrimitiveTypes.Float32
		}
		return arrow.PrimitiveTypes.Float64
	case decimals:
		return &arrow.Decimal128Type{Precision: int32(f.precision), Scale: int32(f.scale)}
	case timestamps:
		return arrow.FixedWidthTypes.Timestamp_us
	case dates:
		return arrow.FixedWidthTypes.Date32
	case binaries:
		return arrow.BinaryTypes.Binary
	}
	return arrow.BinaryTypes.String
}

// Row writes a row's values: texts as an answer has them, nil for a null.
func (a *Arrow) Row(values [][]byte) error {
	for i, text := range values {
		to := a.batch.Field(i)
		if text == nil {
			to.AppendNull()
			continue
		}
		v, ok := a.forms[i].parse(text)
		if !ok {
			return unfit(a.columns[i], text)
		}
		appendTo(to, v)
	}
	if a.held.add(values) {
		return a.flush()
	}
	return nil
}

func appendTo(to array.Builder, v value) {
	switch b := to.(type) {
	case *array.BooleanBuilder:
		b.Append(v.low != 0)
	case *array.Int8Builder:
		b.Append(int8(v.low))
	case *array.Int16Builder:
		b.Append(int16(v.low))
	case *array.Int32Builder:
		b.Append(int32(v.low))
	case *array.Int64Builder:
		b.Append(int64(v.low))
	case *array.Uint8Builder:
		b.Append(uint8(v.low))
	case *array.Uint16Builder:
		b.Append(uint16(v.low))
	case *array.Uint32Builder:
		b.Append(uint32(v.low))
	case *array.Uint64Builder:
		b.Append(v.low)
	case *array.Float32Builder:
		b.Append(float32(v.number))
	case *array.Float64Builder:
		b.Append(v.number)
	case *array.Decimal128Builder:
		b.Append(decimal128.New(int64(v.high), v.low))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(v.low))
	case *array.Date32Builder:
		b.Append(arrow.Date32(v.low))
	case *array.StringBuilder:
		b.BinaryBuilder.Append(v.bytes)
	case *array.BinaryBuilder:
		b.Append(v.bytes)
	}
}

func (a *Arrow) flush() error {
	if a.held.rows == 0 {
		return nil
	}
	a.held = held{}
	batch := a.batch.NewRecordBatch()
	defer batch.Release()
	if err := a.out.Write(batch); err != nil {
		return fmt.Errorf("write Arrow: %w", err)
	}
	return nil
}

// Close ends the stream with the format's mark of an end. Readers take a stream without
// one for whole too, and none can say how many rows it has, or that there are more: only
// what it comes by tells that one was cut off.
func (a *Arrow) Close(int64, bool) error {
	if err := a.flush(); err != nil {
		return err
	}
	a.batch.Release()
	if err := a.out.Close(); err != nil {
		return fmt.Errorf("write Arrow: %w", err)
	}
	return nil
}
