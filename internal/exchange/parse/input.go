package parse

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"tributary/internal/exchange/contract"
)

// random is a file that can be read at any place.
type random interface {
	io.Reader
	io.ReaderAt
	Size() int64
}

// LooksLikeParquet reports whether a file that starts so is Parquet or pretends to
// be: after the magic comes binary, where a CSV column PAR1 would go on as text.
func LooksLikeParquet(start []byte) bool { return begins(start, "PAR1+") }

func (r *request) takes(f contract.Format) bool { return contract.Takes(r.Formats, f) }

// textFormat tells the format of a file of text by its first sign. Where the
// dataset takes CSV, anything that a first record of CSV can be is CSV.
func (r *request) textFormat(start []byte) (contract.Format, error) {
	first := bytes.TrimLeft(bytes.TrimPrefix(start, []byte(marks[0].bytes)), " \t\r\n")
	is := func(sign byte) bool { return len(first) > 0 && first[0] == sign }
	csv := r.takes(contract.CSV)
	special := len(first) > 0 && strings.IndexByte(r.CSV.Delimiter+r.CSV.Quote+r.CSV.Comment, first[0]) >= 0
	couldBe := csv && (!r.CSV.Header || special) // no column's name begins with { or [
	switch {
	case is('{') && r.takes(contract.NDJSON):
		return contract.NDJSON, nil
	case is('{') && !couldBe:
		return "", refuse(wrongFormat, isNDJSON, 0)
	case is('[') && !couldBe:
		return "", refuse(wrongFormat, isJSONList, 0)
	case !csv:
		return "", refuse(wrongFormat, isUnknown, 0)
	}
	return contract.CSV, nil
}

// signatures are the first bytes of what people send instead of CSV, long enough
// that no header of text begins with them in the encodings that contracts know.
// In a magic, * is any byte, and + one that text has not.
var signatures = []struct{ magic, name string }{
	{"PK\x03\x04", "a zip archive or an Excel workbook"},
	{"PK\x05\x06", "an empty zip archive"},
	{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook"},
	{"PAR1\x15", "a Parquet file"}, // of a page header or, without rows, of the footer
	{"PARE\x15", "an encrypted Parquet file"},
	{"ARROW1\x00\x00", "an Arrow file"},
	{"Obj\x01", "an Avro file"},
	{"ORC+", "an ORC file"}, {"ORC*+", "an ORC file"},
	{"SQLite format 3\x00", "an SQLite database"},
	{"%PDF-", "a PDF document"},
	{"BZh*1AY&SY", "a bzip2 archive"},
	{"BZh*\x17rE8P\x90", "an empty bzip2 archive"},
	{"\xfd7zXZ\x00", "an xz archive"},
	{"\x28\xb5\x2f\xfd", "zstd-compressed"},
	{"7z\xbc\xaf\x27\x1c", "a 7z archive"},
	{"Rar!\x1a\x07", "a RAR archive"},
	{"\x7fELF", "a program"},
	{"MZ\x90\x00", "a program"},
	{"\x89PNG\r\n", "a picture"},
	{"\xff\xd8\xff", "a picture"},
	{"{\\rtf", "an RTF document"},
	{"<!DOCTYPE html", "a web page"},
	{"<html", "a web page"},
	{"<?xml", "an XML document"},
}

const gzipMagic = "\x1f\x8b"

// freeRatio is how many bytes may be unpacked before the ratio counts: small
// files of equal rows pack very well.
const freeRatio = 1 << 20

// counted passes on what it reads and refuses more than limit bytes.
type counted struct {
	src   io.Reader
	n     int64
	limit int64
	err   error
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.src.Read(p)
	c.n += int64(n)
	if c.n > c.limit {
		err = refuse(tooManyBytes, c.limit, 0)
	}
	c.err = err
	return n, err
}

// unpacked reads a gzip stream of one or more members, and zeros after the last
// as tapes add them, and tells damage from failures of the source. Checksums are
// verified.
type unpacked struct {
	packed *counted
	src    *bufio.Reader // of packed
	gz     *gzip.Reader
	n      int64
	ratio  int64
}

func (u *unpacked) Read(p []byte) (int, error) {
	n, err := u.gz.Read(p)
	u.n += int64(n)
	if u.n > freeRatio && u.n/u.ratio > u.packed.n {
		return n, refuse(tooHighRatio, u.ratio, 0)
	}
	if errors.Is(err, io.EOF) {
		err = u.member()
	}
	return n, u.blame(err)
}

// member begins the next member; io.EOF if there is none.
func (u *unpacked) member() error {
	next, err := u.src.Peek(len(gzipMagic))
	switch {
	case len(next) == 0:
		return err
	case strings.HasPrefix(gzipMagic, string(next)): // or what is left of it
		if err := u.gz.Reset(u.src); err != nil {
			return noEOF(err)
		}
		u.gz.Multistream(false)
		return nil
	}
	for {
		b, err := u.src.ReadByte()
		if err != nil {
			return err
		}
		if b != 0 {
			return refuse(gzipTrailed, 0, 0)
		}
	}
}

func (u *unpacked) blame(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	if u.packed.err != nil && !errors.Is(u.packed.err, io.EOF) {
		return u.packed.err
	}
	var refused *refusal
	if errors.As(err, &refused) {
		return err
	}
	return refuse(gzipDamaged, 0, 0)
}

// input returns the file unpacked, and how it starts, or refuses it.
func (r *request) input(stream io.Reader) (plain *bufio.Reader, start []byte, err error) {
	raw := &counted{src: stream, limit: r.Limits.Bytes}
	plain = bufio.NewReaderSize(raw, 64<<10)
	start, err = peek(plain)
	if err != nil {
		return nil, nil, err
	}
	isGzip := bytes.HasPrefix(start, []byte(gzipMagic))
	switch {
	case len(start) == 0:
		return nil, nil, refuse(fileEmpty, 0, 0)
	case isGzip && r.CSV.Compression == contract.Plain:
		return nil, nil, refuse(gzipUnwanted, 0, 0)
	case !isGzip && r.CSV.Compression == contract.Gzip && foreign(start) == nil:
		return nil, nil, refuse(gzipMissing, 0, 0)
	case isGzip:
		u := &unpacked{packed: raw, src: plain, ratio: int64(max(r.Limits.Ratio, 1))}
		if u.gz, err = gzip.NewReader(plain); err != nil {
			return nil, nil, u.blame(noEOF(err))
		}
		u.gz.Multistream(false)
		plain = bufio.NewReaderSize(&counted{src: u, limit: r.Limits.Bytes}, 64<<10)
		if start, err = peek(plain); err != nil {
			return nil, nil, err
		}
		if len(start) == 0 {
			return nil, nil, refuse(fileEmpty, 0, 0)
		}
		if bytes.HasPrefix(start, []byte(gzipMagic)) {
			return nil, nil, refuse(gzipTwice, 0, 0)
		}
	}
	if LooksLikeParquet(start) && r.takes(contract.Parquet) {
		if isGzip {
			return nil, nil, refuse(wrongFormat, isPackedParquet, 0)
		}
		return nil, nil, refuse(tooManyBytes, contract.MaxParquet, 0) // else it would be in memory
	}
	if err := foreign(start); err != nil {
		return nil, nil, err
	}
	return plain, start, nil
}

// noEOF keeps a gzip header that is cut off from looking like an end.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// peek returns the start of a file: 32 bytes, or as many more as are blank before
// its first sign and fit the buffer.
func peek(b *bufio.Reader) ([]byte, error) {
	for n := 32; ; n *= 2 {
		start, err := b.Peek(min(n, b.Size()))
		if err == io.EOF {
			return start, nil
		}
		if err != nil || n >= b.Size() || len(bytes.TrimLeft(start, " \t\r\n")) > 0 {
			return start, err
		}
	}
}

func foreign(start []byte) error {
	for i, s := range signatures {
		if begins(start, s.magic) {
			return refuse(foreignFormat, int64(i), 0)
		}
	}
	return nil
}

func begins(start []byte, magic string) bool {
	if len(start) < len(magic) {
		return false
	}
	for i, want := range []byte(magic) {
		switch {
		case start[i] == want, want == '*':
		case want == '+' && start[i] < 0x1c && start[i] != '\t' && start[i] != '\n' && start[i] != '\r':
		default:
			return false
		}
	}
	return true
}

var marks = []struct{ bytes, encoding string }{
	{"\xef\xbb\xbf", "utf-8"}, {"\xff\xfe", "utf-16le"}, {"\xfe\xff", "utf-16be"},
}

var decoders = map[string]encoding.Encoding{
	"utf-16":       unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM),
	"utf-16le":     unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM),
	"utf-16be":     unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM),
	"iso-8859-1":   charmap.ISO8859_1,
	"iso-8859-2":   charmap.ISO8859_2,
	"iso-8859-15":  charmap.ISO8859_15,
	"windows-1250": charmap.Windows1250,
	"windows-1251": charmap.Windows1251,
	"windows-1252": charmap.Windows1252,
	"macintosh":    charmap.Macintosh,
	"ibm850":       charmap.CodePage850,
}

// decoded removes the byte order mark, which must fit, and transcodes. suspect
// reports whether transcoding may have left replacement characters or C1 controls
// where the file had bytes that are no text.
func (r *request) decoded(plain *bufio.Reader, start []byte) (text io.Reader, suspect bool, err error) {
	name := r.CSV.Encoding
	for i, m := range marks {
		if !bytes.HasPrefix(start, []byte(m.bytes)) {
			continue
		}
		if m.encoding != name && (name != "utf-16" || m.encoding == "utf-8") {
			return nil, false, refuse(foreignBOM, int64(i), 0)
		}
		if name != "utf-16" {
			if _, err := plain.Discard(len(m.bytes)); err != nil {
				return nil, false, fmt.Errorf("skip byte order mark: %w", err)
			}
		}
	}
	if name == "utf-8" {
		return plain, false, nil
	}
	e, ok := decoders[name]
	if !ok {
		return nil, false, fmt.Errorf("arguments of the parser have the encoding %q", name)
	}
	return &transcoded{transform.NewReader(plain, e.NewDecoder())}, true, nil
}

// transcoded names the one error of decoders that the file is to blame for.
type transcoded struct{ src io.Reader }

func (t *transcoded) Read(p []byte) (int, error) {
	n, err := t.src.Read(p)
	if errors.Is(err, unicode.ErrMissingBOM) {
		err = refuse(noBOM, 0, 0)
	}
	return n, err
}

// flawOfText says whether a field is text: valid UTF-8 without NUL and, if it
// was transcoded, without the marks of bytes that had no meaning.
func flawOfText(b []byte, suspect bool) flaw {
	ascii := true
	for _, c := range b {
		if c >= utf8.RuneSelf {
			ascii = false
			break
		}
		if c == 0 {
			return hasNUL
		}
	}
	if ascii {
		return sound
	}
	if bytes.IndexByte(b, 0) >= 0 {
		return hasNUL
	}
	if !utf8.Valid(b) {
		return badEncoding
	}
	if suspect {
		for len(b) > 0 {
			r, n := utf8.DecodeRune(b)
			if r == utf8.RuneError || r >= 0x80 && r <= 0x9f {
				return badEncoding
			}
			b = b[n:]
		}
	}
	return sound
}
