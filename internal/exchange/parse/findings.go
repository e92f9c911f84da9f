package parse

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Codes of problems. They are stable: programs may act on them.
const (
	CodeRequired     = "required"         // a required value is null
	CodeType         = "type"             // a text is not a value of the column's type
	CodePattern      = "pattern"          // a text does not match the column's pattern
	CodeAllowed      = "allowed"          // a text is not in the column's list
	CodeLength       = "length"           // a text is longer than the column allows
	CodeRange        = "range"            // a value is outside min and max, or does not fit the type
	CodeUnique       = "unique"           // an earlier row has the same key
	CodeBusinessDate = "business-date"    // a row is of another day than the submission
	CodeParticipant  = "participant"      // a row is not of one of the submitter's own ids
	CodeRagged       = "ragged"           // a record has more or fewer fields than columns
	CodeQuote        = "quote"            // quotes are not as the dialect says
	CodeMissing      = "column-missing"   // the header lacks a column
	CodeUnknown      = "column-unknown"   // the header has a column that the contract has not
	CodeDuplicate    = "column-duplicate" // the header names a column twice
	CodeEncoding     = "encoding"         // bytes are not text in the dialect's encoding
	CodeEmpty        = "empty"            // no header, or no rows
	CodeLimit        = "limit"            // a limit of the contract or of the server is exceeded
	CodeCompression  = "compression"      // gzip where none is allowed, none where it is needed, or damaged
	CodeFormat       = "format"           // not a text file at all
)

// flaw is a finding's code on the wire between child and server. Numbers are
// part of no stored format, since both halves are the same binary.
type flaw uint8

const (
	sound flaw = iota
	null       // of a cell: no value
	// of a cell
	badType
	tooPrecise
	outOfRange
	badEncoding
	hasNUL
	lastCell = hasNUL
)

const (
	// of a record
	ragged    flaw = iota + 32 // a: fields, b: columns
	bareQuote                  // a: line
	lastRow   = bareQuote
)

const (
	// of the header or the file, after which reading stops
	columnMissing flaw = iota + 64
	columnUnknown
	columnOtherCase // as unknown; column: the one that is probably meant
	columnDuplicate
	headerEncoding
	fileEmpty
	textAfterQuote // a: line
	quoteNotClosed // a: line
	gzipDamaged
	gzipMissing
	gzipUnwanted
	gzipTwice
	gzipTrailed
	foreignBOM // a: index of marks
	noBOM
	foreignFormat // a: index of signatures
	tooManyBytes  // a: limit
	tooHighRatio  // a: limit
	tooManyRows   // a: limit
	tooManyFields // a: limit, b: line
	fieldTooLong  // a: limit, b: line
	recordTooLong // a: limit, b: line
	lastFile      = recordTooLong
)

// finding is something wrong, as the child tells it.
type finding struct {
	flaw    flaw
	row     int64 // counts data rows from 1; 0: the file as a whole
	column  int   // index in the contract; -1: none
	a, b    int64 // what the flaw says
	excerpt string
}

// refusal is a finding after which the child does not read on.
type refusal struct{ finding }

func (r *refusal) Error() string { return fmt.Sprintf("file refused, flaw %d", r.flaw) }

func refuse(f flaw, a, b int64) error {
	return &refusal{finding{flaw: f, column: -1, a: a, b: b}}
}

// maxExcerpt is how many characters of a value a message may show.
const maxExcerpt = 64

// excerpt makes the start of a value fit for a message: short, printable.
func excerpt(value []byte) string {
	var b strings.Builder
	n := 0
	for len(value) > 0 {
		r, size := utf8.DecodeRune(value)
		if n++; n > maxExcerpt-1 && len(value) > size {
			b.WriteRune('…')
			break
		}
		if r < ' ' || r >= 0x7f && r <= 0x9f || r == utf8.RuneError || invisible(r) {
			r = '\ufffd'
		}
		b.WriteRune(r)
		value = value[size:]
	}
	return b.String()
}

// invisible names the characters that change how the text around them reads.
func invisible(r rune) bool {
	return r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2060 && r <= 0x206f || r == 0xfeff || r >= 0xe0000
}

// Verdict is the outcome of a check.
type Verdict struct {
	Accepted   bool      `json:"accepted"`
	Rows       int64     `json:"rows"`        // data rows read; fewer than the file has if reading stopped early
	Columns    int64     `json:"columns"`     // columns of the file; 0 if it could not be told
	Errors     []Problem `json:"errors"`      // the first 100 by row, then column
	ErrorCount int64     `json:"error_count"` // all that were found
}

// Problem is one thing wrong with a file. Its message shows at most 64
// characters of a value, which is the submitter's own, and says nothing about
// any other participant.
type Problem struct {
	Row     int64  `json:"row"`    // counts data rows from 1; 0: the file as a whole
	Column  string `json:"column"` // empty: the row or file as a whole
	Code    string `json:"code"`
	Message string `json:"message"`
}

// maxKept is how many problems a verdict lists.
const maxKept = 100

// located is a problem whose message is not written yet.
type located struct {
	finding
	code    string // set by the server's own checks
	message string
}

// describe writes the problem for the user. want says what a column's values
// are, in words.
func (f finding) describe(column, want string) (code, message string) {
	at := fmt.Sprintf("in line %d", f.b)
	switch f.flaw {
	case badType:
		return CodeType, fmt.Sprintf("%q is not %s.", f.excerpt, want)
	case tooPrecise:
		return CodeType, fmt.Sprintf("%q has more digits after the decimal sign than %s.", f.excerpt, want)
	case outOfRange:
		return CodeRange, fmt.Sprintf("%q is too large for %s.", f.excerpt, want)
	case badEncoding:
		return CodeEncoding, fmt.Sprintf("%q has bytes that are not text in the dataset's encoding. Save the file in that encoding.", f.excerpt)
	case hasNUL:
		return CodeEncoding, fmt.Sprintf("%q has a NUL byte. Remove it, or check the file's encoding.", f.excerpt)
	case ragged:
		return CodeRagged, fmt.Sprintf("This row has %d fields instead of %d. Quote values that contain the delimiter.", f.a, f.b)
	case bareQuote:
		return CodeQuote, fmt.Sprintf("A quote stands inside an unquoted value in line %d. Quote the value and double the quotes in it.", f.a)
	case columnMissing:
		return CodeMissing, fmt.Sprintf("The header lacks the column %q. Add it, or check the delimiter.", column)
	case columnUnknown:
		return CodeUnknown, fmt.Sprintf("The header has a column %q that the dataset has not. Remove it.", f.excerpt)
	case columnOtherCase:
		return CodeUnknown, fmt.Sprintf("The header has a column %q; the dataset writes it %q.", f.excerpt, column)
	case columnDuplicate:
		return CodeDuplicate, fmt.Sprintf("The header names the column %q more than once. Remove one.", column)
	case headerEncoding:
		return CodeEncoding, "The header has bytes that are not text in the dataset's encoding. Save the file in that encoding."
	case fileEmpty:
		return CodeEmpty, "The file is empty."
	case textAfterQuote:
		return CodeQuote, fmt.Sprintf("Text follows a closing quote in line %d. Double the quotes inside a quoted value. Nothing after this was read.", f.a)
	case quoteNotClosed:
		return CodeQuote, fmt.Sprintf("The quote that opens in line %d is not closed. Is the file cut off?", f.a)
	case gzipDamaged:
		return CodeCompression, "The gzip data is cut off or damaged. Compress the file again and send it again."
	case gzipMissing:
		return CodeCompression, "The dataset wants gzip, but the file is not compressed with it."
	case gzipUnwanted:
		return CodeCompression, "The file is compressed with gzip, which this dataset does not take. Send it uncompressed."
	case gzipTwice:
		return CodeCompression, "The file is compressed twice. Compress it once."
	case gzipTrailed:
		return CodeCompression, "More bytes follow the gzip data in the file. Compress the file again, by itself, and send it again."
	case foreignBOM:
		return CodeEncoding, fmt.Sprintf("The file begins with the byte order mark of %s, which is not the dataset's encoding. Save the file in that encoding.", marks[f.a].encoding)
	case noBOM:
		return CodeEncoding, "The file has no byte order mark, which UTF-16 needs here. Save the file with one."
	case foreignFormat:
		return CodeFormat, fmt.Sprintf("This is %s, not a CSV text file. Export the table as CSV.", signatures[f.a].name)
	case tooManyBytes:
		return CodeLimit, fmt.Sprintf("The file is larger than the limit of %d bytes, as sent or unpacked.", f.a)
	case tooHighRatio:
		return CodeLimit, fmt.Sprintf("The file unpacks to more than %d times its size. Send it uncompressed.", f.a)
	case tooManyRows:
		return CodeLimit, fmt.Sprintf("The file has more than %d rows. Split it, or ask for a higher limit.", f.a)
	case tooManyFields:
		return CodeLimit, fmt.Sprintf("A record has more than %d columns, %s.", f.a, at)
	case fieldTooLong:
		return CodeLimit, fmt.Sprintf("A value is longer than %d bytes, %s. Is a quote or a line end missing?", f.a, at)
	case recordTooLong:
		return CodeLimit, fmt.Sprintf("A record is longer than %d bytes, %s. Is a quote missing?", f.a, at)
	}
	return CodeFormat, "The file cannot be read."
}
