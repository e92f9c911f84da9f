package parse

import (
	"bytes"
	"errors"
	"io"
)

// maxRecord is how many bytes one record may have, whatever the limits of
// fields and columns are: it bounds the memory of both halves.
const maxRecord = 4 << 20

// records reads the records of a delimited text, by RFC 4180 with any ASCII
// delimiter and quote. It is lenient where nothing can be misread:
//
//   - records end with LF, CRLF or CR, also mixed; the last one may lack an end
//   - empty lines between records are skipped, unless there is just one column
//   - lines that start with the comment sign are skipped
//   - spaces are part of values; what that means is up to the column's type
//
// It is strict where RFC 4180 is: a quote within an unquoted field makes the
// record faulty, text after a closing quote or a quote that is never closed
// ends the reading, as nobody can say where that record ends. encoding/csv is
// not used, as it knows one quote sign and reads a record of any size.
//
// A record lies in one buffer, which grows to its size; fields are slices of
// it. Memory is bounded by the limits on fields and records, never by a line.
type records struct {
	src       io.Reader
	err       error // of src, once it ended
	buf       []byte
	start     int // of the record in buf
	end       int // of what is read into buf
	delimiter byte
	quote     byte // 0: none
	comment   byte // 0: none
	blank     bool // an empty line is a record
	maxFields int
	maxField  int
	stops     [256]bool // bytes that end a run of ordinary ones

	line   int64 // where the record starts, from 1
	lines  int64 // line ends in the record
	bare   bool  // the record has a quote within an unquoted field
	fields [][]byte
	spans  []span
}

// span is a field of the record, relative to its start.
type span struct{ from, to int }

const firstBuffer = 256 << 10

// quote and comment are never letters or NUL, so NUL can mean none.
func newRecords(src io.Reader, delimiter, quote, comment byte, maxFields, maxField int) *records {
	r := &records{
		src: src, buf: make([]byte, firstBuffer), delimiter: delimiter, quote: quote, comment: comment,
		maxFields: maxFields, maxField: maxField, line: 1,
	}
	r.stops[delimiter], r.stops['\r'], r.stops['\n'] = true, true, true
	if quote != 0 {
		r.stops[quote] = true
	}
	return r
}

// fill reads more of the record, which may move it within the buffer. It
// returns false at the end of the file and an error if src fails.
func (r *records) fill() (bool, error) {
	if errors.Is(r.err, io.EOF) {
		return false, nil
	}
	if r.err != nil {
		return false, r.err
	}
	if r.start > 0 {
		copy(r.buf, r.buf[r.start:r.end])
		r.end -= r.start
		r.start = 0
	}
	if r.end == len(r.buf) {
		if len(r.buf) >= maxRecord {
			return false, refuse(recordTooLong, maxRecord, r.line)
		}
		grown := make([]byte, min(2*len(r.buf), maxRecord))
		copy(grown, r.buf[:r.end])
		r.buf = grown
	}
	for range 100 {
		n, err := r.src.Read(r.buf[r.end:])
		r.end += n
		r.err = err
		if n > 0 {
			return true, nil
		}
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, io.ErrNoProgress
}

// next returns the fields of the next record, valid until the next call, and
// io.EOF after the last one. A refusal or another error is final.
func (r *records) next() ([][]byte, error) {
	r.line, r.lines = r.line+r.lines, 0
	for {
		if r.start == r.end {
			if more, err := r.fill(); err != nil || !more {
				return nil, orEOF(err)
			}
		}
		first := r.buf[r.start]
		if first == r.comment && first != 0 {
			if err := r.skipLine(); err != nil {
				return nil, err
			}
			continue
		}
		if (first == '\n' || first == '\r') && !r.blank {
			n, err := r.lineEnd(0)
			if err != nil {
				return nil, err
			}
			r.start += n
			r.line++
			continue
		}
		return r.record()
	}
}

func orEOF(err error) error {
	if err == nil {
		return io.EOF
	}
	return err
}

// skipLine drops a comment, which may be of any length.
func (r *records) skipLine() error {
	for {
		i := bytes.IndexAny(r.buf[r.start:r.end], "\r\n")
		if i >= 0 {
			r.start += i
			n, err := r.lineEnd(0)
			r.start += n
			r.line++
			return err
		}
		r.start = r.end
		if more, err := r.fill(); err != nil || !more {
			return err
		}
	}
}

// lineEnd returns the length of the line end at offset i of the record.
func (r *records) lineEnd(i int) (int, error) {
	if r.buf[r.start+i] == '\n' {
		return 1, nil
	}
	if r.start+i+1 == r.end {
		if more, err := r.fill(); err != nil || !more {
			return 1, err
		}
	}
	if r.buf[r.start+i+1] == '\n' {
		return 2, nil
	}
	return 1, nil
}

// record reads the record that starts at r.start and moves past it.
func (r *records) record() ([][]byte, error) {
	r.spans, r.bare = r.spans[:0], false
	for i := 0; ; i++ {
		if len(r.spans) == r.maxFields {
			return nil, refuse(tooManyFields, int64(r.maxFields), r.line)
		}
		s, after, err := r.field(i)
		if err != nil {
			return nil, err
		}
		if s.to-s.from > r.maxField {
			return nil, refuse(fieldTooLong, int64(r.maxField), r.line+r.lines)
		}
		r.spans = append(r.spans, s)
		if r.start+after < r.end && r.buf[r.start+after] == r.delimiter {
			i = after
			continue
		}
		size := after
		if r.start+after < r.end {
			n, err := r.lineEnd(after)
			if err != nil {
				return nil, err
			}
			size += n
			r.lines++
		}
		r.fields = r.fields[:0]
		for _, s := range r.spans {
			r.fields = append(r.fields, r.buf[r.start+s.from:r.start+s.to])
		}
		r.start += size
		return r.fields, nil
	}
}

// field reads the field at offset i and returns it and the offset of what ends
// it: a delimiter, a line end, or the end of the file.
func (r *records) field(i int) (span, int, error) {
	if r.start+i == r.end {
		if more, err := r.fill(); err != nil || !more {
			return span{i, i}, i, err
		}
	}
	if r.quote != 0 && r.buf[r.start+i] == r.quote {
		return r.quoted(i)
	}
	from := i
	for {
		b := r.buf[r.start:r.end]
		for i < len(b) && !r.stops[b[i]] {
			i++
		}
		switch {
		case i < len(b) && r.quote != 0 && b[i] == r.quote:
			r.bare = true
			i++
		case i < len(b):
			return span{from, i}, i, nil
		case i-from > r.maxField:
			return span{}, 0, refuse(fieldTooLong, int64(r.maxField), r.line+r.lines)
		default:
			if more, err := r.fill(); err != nil || !more {
				return span{from, i}, i, err
			}
		}
	}
}

// quoted reads a quoted field and removes the doubling of quotes in place.
func (r *records) quoted(i int) (span, int, error) {
	opened := r.line + r.lines
	from, to := i+1, i+1 // what is kept
	i = from
	for {
		b := r.buf[r.start:r.end]
		n := bytes.IndexByte(b[i:], r.quote)
		run := n
		if n < 0 {
			run = len(b) - i
		}
		r.lines += int64(bytes.Count(b[i:i+run], []byte{'\n'}))
		if to != i {
			copy(b[to:], b[i:i+run])
		}
		to, i = to+run, i+run
		if to-from > r.maxField {
			return span{}, 0, refuse(fieldTooLong, int64(r.maxField), opened)
		}
		if r.start+i == r.end {
			more, err := r.fill()
			if err != nil {
				return span{}, 0, err
			}
			if !more {
				return span{}, 0, refuse(quoteNotClosed, opened, 0)
			}
			continue
		}
		i++ // the quote: the end, or the first of two
		if r.start+i == r.end {
			if more, err := r.fill(); err != nil || !more {
				return span{from, to}, i, err
			}
		}
		switch r.buf[r.start+i] {
		case r.quote:
			r.buf[r.start+to] = r.quote
			to, i = to+1, i+1
		case r.delimiter, '\r', '\n':
			return span{from, to}, i, nil
		default:
			return span{}, 0, refuse(textAfterQuote, r.line+r.lines, 0)
		}
	}
}
