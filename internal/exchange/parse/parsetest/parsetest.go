// Package parsetest makes Parquet files that are not what they say: a footer or a
// page is changed, and everything else still fits it.
package parsetest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// tailBytes are the length of the footer and the magic at the end of a file.
const tailBytes = 8

// Honest is a Parquet file of three rows in one row group. Its columns are a, texts
// with a null, and b, numbers, each on one page.
func Honest(t testing.TB, options ...parquet.WriterOption) string {
	t.Helper()
	type row struct {
		A *string `parquet:"a,optional"`
		B int64   `parquet:"b"`
	}
	x := "x"
	var b bytes.Buffer
	w := parquet.NewGenericWriter[row](&b, options...)
	if _, err := w.Write([]row{{&x, 1}, {nil, 2}, {&x, 3}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// WithFooter changes the footer of a Parquet file.
func WithFooter(t testing.TB, file string, change func(*format.FileMetaData)) string {
	t.Helper()
	tail := len(file) - tailBytes
	start := tail - int(binary.LittleEndian.Uint32([]byte(file[tail:])))
	var m format.FileMetaData
	if err := thrift.Unmarshal(new(thrift.CompactProtocol), []byte(file[start:tail]), &m); err != nil {
		t.Fatal(err)
	}
	change(&m)
	footer, err := thrift.Marshal(new(thrift.CompactProtocol), &m)
	if err != nil {
		t.Fatal(err)
	}
	footer = binary.LittleEndian.AppendUint32(footer, uint32(len(footer)))
	return file[:start] + string(footer) + "PAR1"
}

// WithPage changes the first data page of a column of the first row group: its
// header, and what is in it.
func WithPage(t testing.TB, file string, column int, change func(*format.PageHeader, []byte) []byte) string {
	t.Helper()
	at := int64(0)
	WithFooter(t, file, func(m *format.FileMetaData) { at = m.RowGroups[0].Columns[column].MetaData.DataPageOffset })
	var h format.PageHeader
	r := new(thrift.CompactProtocol).NewReaderFromBytes([]byte(file[at:]))
	if err := thrift.NewDecoder(r).Decode(&h); err != nil {
		t.Fatal(err)
	}
	body := int(at) + r.BytesRead()
	end := body + int(h.CompressedPageSize)
	page := change(&h, []byte(file[body:end]))
	header, err := thrift.Marshal(new(thrift.CompactProtocol), &h)
	if err != nil {
		t.Fatal(err)
	}
	changed := file[:at] + string(header) + string(page) + file[end:]
	moved := int64(len(changed) - len(file))
	return WithFooter(t, changed, func(m *format.FileMetaData) {
		for g := range m.RowGroups {
			for c := range m.RowGroups[g].Columns {
				d := &m.RowGroups[g].Columns[c].MetaData
				if from := max(d.DictionaryPageOffset, 0); d.DataPageOffset == at || from == at {
					d.TotalCompressedSize += moved
				}
				if d.DataPageOffset > at {
					d.DataPageOffset += moved
				}
				if d.DictionaryPageOffset > at {
					d.DictionaryPageOffset += moved
				}
			}
		}
	})
}

// RLEBomb is a file like Honest with a page of three values that are a run of a billion.
func RLEBomb(t testing.TB) string {
	t.Helper()
	type row struct {
		A string `parquet:"a,dict"`
		B int64  `parquet:"b"`
	}
	var written bytes.Buffer
	w := parquet.NewGenericWriter[row](&written, parquet.Compression(&parquet.Uncompressed), parquet.DataPageVersion(1))
	_, err := w.Write([]row{{"x", 1}, {"x", 2}, {"x", 3}})
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return WithPage(t, written.String(), 0, func(h *format.PageHeader, _ []byte) []byte {
		page := append(binary.AppendUvarint([]byte{1}, 1_000_000_000<<1), 0) // a bit wide, and a run
		h.CompressedPageSize, h.UncompressedPageSize, h.CRC = int32(len(page)), int32(len(page)), 0
		return page
	})
}

// SnappyBomb is a file like Honest with a page that says that it unpacks to 4 GB.
func SnappyBomb(t testing.TB) string {
	t.Helper()
	file := Honest(t, parquet.Compression(&parquet.Snappy), parquet.DataPageVersion(1))
	return WithPage(t, file, 0, func(h *format.PageHeader, b []byte) []byte {
		_, n := binary.Uvarint(b)
		page := append(binary.AppendUvarint(nil, 1<<32-1), b[n:]...)
		h.CompressedPageSize, h.CRC = int32(len(page)), 0
		return page
	})
}
