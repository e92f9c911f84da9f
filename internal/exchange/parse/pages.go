package parse

import (
	"bufio"
	"errors"
	"hash/crc32"
	"io"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// pageWalk goes from header to header of the pages of a column's part of a row
// group, and sees that what they say fits the file.
type pageWalk struct {
	opened *opened
	at     int64 // the next header
	end    int64
	left   int64 // values that pages may still have
	buffer bufio.Reader

	header format.PageHeader
	body   int64 // where the page's bytes begin, after next
}

func (t *opened) walk(c *format.ColumnChunk, rows int64) (*pageWalk, error) {
	m := &c.MetaData
	from := m.DataPageOffset
	if m.DictionaryPageOffset != 0 {
		from = m.DictionaryPageOffset
	}
	if from < int64(len(parquetMagic)) || from > t.data || m.TotalCompressedSize < 0 || m.TotalCompressedSize > t.data-from ||
		m.DataPageOffset < from || m.DataPageOffset > from+m.TotalCompressedSize {
		return nil, damaged("a column is said to be where the file has none")
	}
	return &pageWalk{opened: t, at: from, end: from + m.TotalCompressedSize, left: rows}, nil
}

// next reads a header; io.EOF after the last.
func (w *pageWalk) next() error {
	if w.at == w.end {
		if w.left > 0 {
			return damaged("a column has fewer values than rows")
		}
		return io.EOF
	}
	section := io.NewSectionReader(w.opened.file, w.at, w.end-w.at)
	w.buffer.Reset(section)
	w.header = format.PageHeader{}
	err := w.opened.decode(func() error {
		return thrift.NewDecoder(new(thrift.CompactProtocol).NewReader(&w.buffer)).Decode(&w.header)
	})
	if err != nil {
		return noEnd(err)
	}
	read, _ := section.Seek(0, io.SeekCurrent) // within the section, which never fails
	w.body = w.at + read - int64(w.buffer.Buffered())
	h := &w.header
	packed, unpacked := int64(h.CompressedPageSize), int64(h.UncompressedPageSize)
	if packed < 0 || packed > w.end-w.body || unpacked < 0 {
		return damaged("a page is said to be larger than its column")
	}
	if max(packed, unpacked) > maxPage {
		return refuse(pageTooLarge, maxPage, 0)
	}
	w.at = w.body + packed
	n := int64(0)
	switch h.Type {
	case format.DataPage:
		n = int64(h.DataPageHeader.V.NumValues)
	case format.DataPageV2:
		n = int64(h.DataPageHeaderV2.V.NumValues)
		levels := int64(h.DataPageHeaderV2.V.RepetitionLevelsByteLength) + int64(h.DataPageHeaderV2.V.DefinitionLevelsByteLength)
		if levels < 0 || levels > min(packed, unpacked) {
			return damaged("a page is said to be smaller than a part of it")
		}
	case format.DictionaryPage:
		if d := int64(h.DictionaryPageHeader.V.NumValues); d < 0 || d > max(unpacked, 1) {
			return damaged("a dictionary of %d bytes is said to have %d values", unpacked, d)
		}
	}
	if n < 0 || n > w.left {
		return damaged("a column has more values than rows")
	}
	w.left -= n
	return nil
}

// unpackedPages are the pages of a column's part of a row group as the decoder gets
// them: one after the other without compression, whatever they are in the file. The
// decoder unpacks pages itself, but takes a page for unpacked that its codec put
// into another buffer of the same size (LZ4 does, in version 0.32.0), and trusts
// the size that the header says.
type unpackedPages struct {
	walk    *pageWalk
	codec   format.CompressionCodec
	packed  []byte
	page    []byte // unpacked
	pending []byte // of the header, then of the page
	rest    []byte // the page, while pending is of its header
	at      int64  // what was read
}

// ReadAt reads what follows the last read, as the decoder does that reads from the
// start to the end.
func (u *unpackedPages) ReadAt(p []byte, off int64) (int, error) {
	if off != u.at+int64(len(parquetMagic)) {
		return 0, damaged("a page needs a dictionary, and the column has none before it")
	}
	for len(u.pending) == 0 {
		if u.pending, u.rest = u.rest, nil; len(u.pending) > 0 {
			break
		}
		if err := u.walk.next(); err != nil {
			return 0, err
		}
		if err := u.load(); err != nil {
			return 0, err
		}
	}
	n := copy(p, u.pending)
	u.pending, u.at = u.pending[n:], u.at+int64(n)
	return n, nil
}

// load unpacks the page that the walk is at.
func (u *unpackedPages) load() error {
	t, h := u.walk.opened, &u.walk.header
	u.packed = grow(u.packed, int(h.CompressedPageSize))
	if _, err := t.file.ReadAt(u.packed, u.walk.body); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if h.CRC != 0 && crc32.ChecksumIEEE(u.packed) != uint32(h.CRC) {
		return damaged("the checksum of a page does not match")
	}
	levels, packed := 0, u.codec != format.Uncompressed
	if h.Type == format.DataPageV2 {
		v := &h.DataPageHeaderV2.V
		levels = int(v.RepetitionLevelsByteLength) + int(v.DefinitionLevelsByteLength)
		packed = packed && (!v.IsCompressed.Valid || v.IsCompressed.V)
		v.IsCompressed = thrift.New(false)
	}
	u.rest = u.packed
	if packed && int(h.UncompressedPageSize) > levels {
		u.page = append(grow(u.page, int(h.UncompressedPageSize)+1)[:0], u.packed[:levels]...) // with room to see that it ends
		values, err := parquet.LookupCompressionCodec(u.codec).Decode(u.page[levels:cap(u.page)], u.packed[levels:])
		if err != nil {
			return err
		}
		u.rest = append(u.page, values...) // onto itself, unless the codec took another buffer
	} else if packed {
		u.rest = u.packed[:levels]
	}
	if len(u.rest) != int(h.UncompressedPageSize) {
		return damaged("a page unpacks to %d bytes, its header says %d", len(u.rest), h.UncompressedPageSize)
	}
	h.CompressedPageSize, h.CRC = h.UncompressedPageSize, 0
	var err error
	u.pending, err = thrift.Marshal(new(thrift.CompactProtocol), h)
	return err
}

func grow(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}

// pageReader reads the values of a column's part of a row group.
type pageReader struct {
	pages  parquet.Pages
	page   parquet.Page
	reader parquet.ValueReader
	left   int64 // values of the page that were not read yet
	values []parquet.Value
	at     int // the next of values
}

// valuesAtOnce keeps the memory of 2,000 columns small.
const valuesAtOnce = 256

// fill reads the next values. Those before are not valid any more.
func (r *pageReader) fill() error {
	for r.left == 0 {
		r.release()
		page, err := r.pages.ReadPage()
		if err != nil {
			return err
		}
		r.page, r.reader, r.left = page, page.Values(), page.NumValues()
	}
	if r.values == nil {
		r.values = make([]parquet.Value, valuesAtOnce)
	}
	n, err := r.reader.ReadValues(r.values[:min(r.left, valuesAtOnce)])
	if n == 0 {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	r.values, r.at, r.left = r.values[:n], 0, r.left-int64(n)
	return nil
}

func (r *pageReader) release() {
	if r.page != nil {
		parquet.Release(r.page)
		r.page = nil
	}
}

func (r *pageReader) close() error {
	if r.pages == nil {
		return nil
	}
	r.release()
	return r.pages.Close()
}
