package parse

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"tributary/internal/exchange/contract"
)

// Bounds of a Parquet file beyond those of the contract.
const (
	maxFooter = 32 << 20 // bytes of metadata; in memory they are some ten times that
	maxPage   = 64 << 20 // bytes of a page, unpacked
)

const (
	parquetMagic   = "PAR1"
	encryptedMagic = "PARE"
	parquetTail    = 8 // the length of the footer and the magic
)

// opened is a Parquet file whose footer was read and holds together: columns that
// are the contract's, sizes that fit the file and the limits. Nothing is decoded
// before that is known, since a footer is what bombs lie in.
type opened struct {
	*parser
	file    watched
	size    int64
	data    int64 // where pages end and the footer begins
	meta    format.FileMetaData
	sources []source // of the file's columns
}

// watched keeps the first error of reading that is not the file's end: it is ours,
// where every other that a decoder returns is the file's.
type watched struct {
	io.ReaderAt
	err *error
}

func (w watched) ReadAt(p []byte, off int64) (int, error) {
	n, err := w.ReaderAt.ReadAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) && *w.err == nil {
		*w.err = err
	}
	return n, err
}

// decode calls the library, which may panic at what it did not expect, and says
// whose fault an error is.
func (t *opened) decode(do func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = damaged("the decoder stopped at what it did not expect (%v)", r)
		}
	}()
	err = do()
	var refused *refusal
	switch {
	case err == nil, errors.Is(err, io.EOF), errors.As(err, &refused):
		return err
	case *t.file.err != nil:
		return *t.file.err
	}
	return damaged("%v", err)
}

func damaged(format string, args ...any) error {
	return &refusal{finding{flaw: parquetDamaged, column: -1, excerpt: excerpt(fmt.Appendf(nil, format, args...))}}
}

// parquet reads a Parquet file.
func (p *parser) parquet(file random) error {
	p.inUTF8()
	t := &opened{parser: p, file: watched{file, new(error)}, size: file.Size()}
	if most := min(p.Limits.Bytes, contract.MaxParquet); t.size > most {
		return refuse(tooManyBytes, most, 0)
	}
	if err := t.footer(); err != nil {
		return err
	}
	if err := t.columns(); err != nil || p.headerIsWrong {
		return err
	}
	if err := t.inspect(); err != nil {
		return err
	}
	f, err := t.open()
	if err != nil {
		return err
	}
	for i, g := range f.RowGroups() {
		if err := t.group(g, &t.meta.RowGroups[i], t.add); err != nil {
			p.flush()
			return p.inRow(noEnd(err))
		}
	}
	p.flush()
	return nil
}

// noEnd names an end of data in the middle of a file, whose end was checked.
func noEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return damaged("a column has fewer values than rows")
	}
	return err
}

// footer reads the metadata.
func (t *opened) footer() error {
	tail := make([]byte, parquetTail)
	if t.size < int64(len(parquetMagic)+len(tail)) {
		return refuse(parquetCutOff, 0, 0)
	}
	if _, err := t.file.ReadAt(tail, t.size-parquetTail); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch string(tail[4:]) {
	case parquetMagic:
	case encryptedMagic:
		return refuse(parquetEncrypted, 0, 0)
	default:
		return refuse(parquetCutOff, 0, 0)
	}
	n := int64(binary.LittleEndian.Uint32(tail))
	if t.data = t.size - parquetTail - n; t.data < int64(len(parquetMagic)) {
		return damaged("its footer would begin before the file")
	}
	if n > maxFooter {
		return damaged("its footer has %d bytes, at most %d", n, maxFooter)
	}
	text := make([]byte, n)
	if _, err := t.file.ReadAt(text, t.data); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if c := (cursor{rest: text}); !skim(&c, thrift.STRUCT, maxDepth) {
		return damaged("its footer does not hold together")
	}
	err := t.decode(func() error {
		return thrift.NewDecoder(new(thrift.CompactProtocol).NewReaderFromBytes(text)).Decode(&t.meta)
	})
	if t.meta.EncryptionAlgorithm.Value != nil {
		return refuse(parquetEncrypted, 0, 0)
	}
	return noEnd(err)
}

// maxDepth is how deep a footer nests, with room for what later versions add.
const maxDepth = 32

// skim reads over a value of Thrift's compact protocol and reports whether it is
// whole: the decoder allocates lists as long as they are said to be, and follows
// what nests however deep.
func skim(c *cursor, t thrift.Type, depth int) bool {
	switch t {
	case thrift.TRUE, thrift.FALSE, thrift.I8: // in lists; as a field's type the first two are all of it
		c.take(1)
	case thrift.I16, thrift.I32, thrift.I64:
		c.uvarint()
	case thrift.DOUBLE:
		c.take(8)
	case thrift.BINARY:
		c.take(c.length())
	case thrift.LIST, thrift.SET:
		return depth > 0 && skimList(c, depth-1)
	case thrift.STRUCT:
		return depth > 0 && skimStruct(c, depth-1)
	default: // maps are in no footer
		return false
	}
	return !c.short
}

func skimList(c *cursor, depth int) bool {
	head := c.u8()
	n := int(head >> 4)
	if n == 15 {
		n = c.length()
	}
	if n > len(c.rest) {
		return false // every element takes a byte at least
	}
	for range n {
		if !skim(c, thrift.Type(head&15), depth) {
			return false
		}
	}
	return !c.short
}

func skimStruct(c *cursor, depth int) bool {
	for {
		head := c.u8()
		if head == 0 {
			return !c.short
		}
		if head>>4 == 0 {
			c.uvarint() // the field's number, where it is not close to the last
		}
		if t := thrift.Type(head & 15); t != thrift.TRUE && t != thrift.FALSE && !skim(c, t, depth) {
			return false
		}
	}
}

// top are the schema's columns. What is below them has no place in a table.
func (t *opened) top() ([]*format.SchemaElement, error) {
	schema := t.meta.Schema
	if len(schema) == 0 {
		return nil, damaged("it has no schema")
	}
	var top []*format.SchemaElement
	for i := 1; i < len(schema); {
		top = append(top, &schema[i])
		for left := int64(1); left > 0; i++ { // to the end of what is below it
			if i == len(schema) || schema[i].NumChildren.V < 0 {
				return nil, damaged("its schema does not hold together")
			}
			left += int64(schema[i].NumChildren.V) - 1
		}
	}
	if int64(len(top)) != int64(schema[0].NumChildren.V) {
		return nil, damaged("its schema does not hold together")
	}
	switch {
	case len(top) > t.Limits.Columns:
		return nil, refuse(tooManyFields, int64(t.Limits.Columns), 0)
	case len(top) == 0:
		return nil, damaged("it has no columns")
	}
	return top, nil
}

// columns finds the contract's columns in the schema. They are flat.
func (t *opened) columns() error {
	top, err := t.top()
	if err != nil {
		return err
	}
	names := make([][]byte, len(top))
	for i, e := range top {
		names[i] = []byte(e.Name)
	}
	if err := t.match(names, parquetIndex); err != nil {
		return err
	}
	for i, e := range top {
		s := sourceOf(e)
		if c := t.column(names[i]); c >= 0 && !s.holds(t.vectors[c].typ) {
			t.wrong(finding{flaw: columnType, column: c, a: parquetIndex, excerpt: excerpt([]byte(s.name))})
		}
		t.sources = append(t.sources, s)
	}
	return nil
}

// inspect goes through the headers of all pages. What they and the footer say of
// sizes and numbers must agree with the file and keep to the limits, so that the
// decoder, which believes them, allocates no more.
func (t *opened) inspect() error {
	rows, unpacked := int64(0), int64(0)
	for g := range t.meta.RowGroups {
		group := &t.meta.RowGroups[g]
		if group.NumRows < 0 || len(group.Columns) != len(t.sources) {
			return damaged("row group %d does not have the columns of the schema", g)
		}
		if rows += group.NumRows; rows > t.Limits.Rows || group.NumRows > t.Limits.Rows {
			return refuse(tooManyRows, t.Limits.Rows, 0)
		}
		for i := range group.Columns {
			chunk := &group.Columns[i]
			if err := t.chunk(chunk, i, g, group.NumRows); err != nil {
				return err
			}
			n, err := t.pages(chunk, group.NumRows)
			if err != nil {
				return err
			}
			unpacked += n
			switch {
			case unpacked > t.Limits.Bytes:
				return refuse(tooManyBytes, t.Limits.Bytes, 0)
			case unpacked > freeRatio && unpacked/int64(max(t.Limits.Ratio, 1)) > t.size:
				return refuse(tooHighRatio, int64(t.Limits.Ratio), 0)
			}
		}
	}
	if rows != t.meta.NumRows {
		return damaged("its row groups have %d rows, its footer says %d", rows, t.meta.NumRows)
	}
	return nil
}

// chunk checks what the footer says of a column's part of a row group.
func (t *opened) chunk(c *format.ColumnChunk, column, group int, rows int64) error {
	m, leaf := &c.MetaData, &t.meta.Schema[1+column]
	switch {
	case c.FilePath != "":
		return damaged("a column is in another file")
	case c.CryptoMetadata.Value != nil || len(c.EncryptedColumnMetadata) > 0:
		return refuse(parquetEncrypted, 0, 0)
	case len(m.PathInSchema) != 1 || m.PathInSchema[0] != leaf.Name || m.Type != leaf.Type.V:
		return damaged("row group %d does not have the columns of the schema", group)
	case m.NumValues != rows:
		return damaged("a column of row group %d has %d values in %d rows", group, m.NumValues, rows)
	}
	return nil
}

// pages walks over a column's pages and returns how many bytes they unpack to.
func (t *opened) pages(c *format.ColumnChunk, rows int64) (unpacked int64, err error) {
	w, err := t.walk(c, rows)
	for err == nil {
		if err = w.next(); err == nil {
			unpacked += int64(w.header.UncompressedPageSize)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return unpacked, err
}

// open gives the decoder a file of columns that are where unpackedPages has them,
// with no more in its footer than the decoder needs.
func (t *opened) open() (f *parquet.File, err error) {
	m := format.FileMetaData{Version: 1, Schema: t.meta.Schema, NumRows: t.meta.NumRows}
	for _, g := range t.meta.RowGroups {
		own := format.RowGroup{NumRows: g.NumRows}
		for _, c := range g.Columns {
			own.Columns = append(own.Columns, format.ColumnChunk{MetaData: format.ColumnMetaData{
				Type: c.MetaData.Type, PathInSchema: c.MetaData.PathInSchema, NumValues: c.MetaData.NumValues,
				Codec: format.Uncompressed, TotalCompressedSize: math.MaxInt64 / 2, DataPageOffset: int64(len(parquetMagic)),
			}})
		}
		m.RowGroups = append(m.RowGroups, own)
	}
	err = t.decode(func() error {
		footer, err := thrift.Marshal(new(thrift.CompactProtocol), &m)
		if err != nil {
			return err
		}
		file := append([]byte(parquetMagic), footer...)
		file = append(binary.LittleEndian.AppendUint32(file, uint32(len(footer))), parquetMagic...)
		f, err = parquet.OpenFile(bytes.NewReader(file), int64(len(file)), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
		return err
	})
	return f, noEnd(err)
}

// group hands each row of a row group to add.
func (t *opened) group(g parquet.RowGroup, meta *format.RowGroup, add func([]parquet.Value) error) error {
	chunks := g.ColumnChunks()
	columns := make([]pageReader, len(chunks))
	defer func() {
		for i := range columns {
			_ = t.decode(columns[i].close) // after it nothing is read
		}
	}()
	for i := range columns {
		walk, err := t.walk(&meta.Columns[i], meta.NumRows)
		if err != nil {
			return err
		}
		if err := t.decode(func() error {
			pages := &unpackedPages{walk: walk, codec: meta.Columns[i].MetaData.Codec}
			columns[i].pages = chunks[i].(*parquet.FileColumnChunk).PagesFrom(pages)
			return nil
		}); err != nil {
			return err
		}
	}
	row := make([]parquet.Value, len(columns))
	for range g.NumRows() {
		texts := 0
		for i := range columns {
			c := &columns[i]
			if c.at == len(c.values) {
				if err := t.decode(c.fill); err != nil {
					return err
				}
			}
			row[i] = c.values[c.at]
			c.at++
			if t.sources[i].kind != fromText || row[i].IsNull() {
				continue
			}
			n := len(row[i].ByteArray())
			if texts += n; n > t.Limits.Field {
				return &refusal{finding{flaw: fieldTooLong, column: t.order[i], a: int64(t.Limits.Field)}}
			}
		}
		if texts > maxRecord {
			return refuse(recordTooLong, maxRecord, 0)
		}
		if err := t.weigh(len(row), texts); err != nil {
			return err
		}
		if err := add(row); err != nil {
			return err
		}
	}
	return nil
}

func (t *opened) add(row []parquet.Value) error {
	offset, err := t.begin()
	if err != nil {
		return err
	}
	for i := range row {
		c := t.order[i]
		if f := t.sources[i].put(t.parser, t.vectors[c], row[i]); f > null {
			t.show(c, offset, t.sources[i].write(row[i]))
		}
	}
	return t.cut()
}
