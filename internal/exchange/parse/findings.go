package parse

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"tributary/internal/exchange/contract"
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
	CodeJSON         = "json"             // a line is not one JSON object
	CodeMissing      = "column-missing"   // the file lacks a column
	CodeUnknown      = "column-unknown"   // the file has a column that the contract has not
	CodeDuplicate    = "column-duplicate" // the header, or a JSON object, names a column twice
	CodeColumnType   = "column-type"      // a Parquet column's type cannot hold the contract's values
	CodeEncoding     = "encoding"         // bytes are not text in the dialect's encoding
	CodeEmpty        = "empty"            // no header, or no rows
	CodeLimit        = "limit"            // a limit of the contract or of the server is exceeded
	CodeCompression  = "compression"      // gzip where none is allowed, none where it is needed, or damaged
	CodeFormat       = "format"           // of no format that the dataset takes, or damaged
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
	notUTF8     // in a format that is always in UTF-8
	nestedValue // a JSON object or list
	notQuoted   // a JSON number or boolean where text belongs
	lastCell    = notQuoted
)

const (
	// of a record
	ragged    flaw = iota + 32 // a: fields, b: columns
	bareQuote                  // a: line
	badJSON                    // a: line, b: byte of the line
	keyTwice                   // a: line; column
	lastRow   = keyTwice
)

const (
	// of the header or the file, after which reading stops
	columnMissing   flaw = iota + 64 // of these five a: index of contract.AllFormats
	columnUnknown                    // in NDJSON of a row, and reading goes on
	columnOtherCase                  // as unknown; column: the one that is probably meant
	columnDuplicate
	headerEncoding
	columnType // excerpt: the file's type
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
	wrongFormat   // a: index of mistaken
	parquetCutOff
	parquetEncrypted
	parquetDamaged // excerpt: what the reader says
	pageTooLarge   // a: limit
	lastFile       = pageTooLarge
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
// are, in words; takes are the formats of the dataset.
func (f finding) describe(column, want string, takes []contract.Format) (code, message string) {
	switch {
	case f.flaw <= lastRow:
		return f.describeRow(column, want)
	case f.flaw >= columnMissing && f.flaw <= columnType:
		return f.describeColumn(column, want)
	case f.flaw >= tooManyBytes && f.flaw <= recordTooLong, f.flaw == pageTooLarge:
		return CodeLimit, f.describeLimit()
	case f.flaw == foreignFormat, f.flaw >= wrongFormat && f.flaw <= parquetDamaged:
		return CodeFormat, f.describeFormat(takes)
	}
	return f.describeText()
}

// describeRow is describe for a cell or a row.
func (f finding) describeRow(column, want string) (code, message string) {
	switch f.flaw {
	case badType:
		return CodeType, fmt.Sprintf("%q is not %s.", f.excerpt, want)
	case tooPrecise:
		return CodeType, fmt.Sprintf("%q has more digits after the decimal sign than %s.", f.excerpt, want)
	case outOfRange:
		return CodeRange, fmt.Sprintf("%q is too large for %s.", f.excerpt, want)
	case badEncoding:
		return CodeEncoding, fmt.Sprintf("%q has bytes that are not text in the dataset's encoding. Save the file in that encoding.", f.excerpt)
	case notUTF8:
		return CodeEncoding, fmt.Sprintf("%q has bytes that are not UTF-8, which this format is always in.", f.excerpt)
	case hasNUL:
		return CodeEncoding, fmt.Sprintf("%q has a NUL byte. Remove it, or check the file's encoding.", f.excerpt)
	case ragged:
		return CodeRagged, fmt.Sprintf("This row has %d fields instead of %d. Quote values that contain the delimiter.", f.a, f.b)
	case bareQuote:
		return CodeQuote, fmt.Sprintf("A quote stands inside an unquoted value in line %d. Quote the value and double the quotes in it.", f.a)
	case nestedValue:
		return CodeType, fmt.Sprintf("%q is a JSON object or list, but this column takes one value: %s.", f.excerpt, want)
	case notQuoted:
		return CodeType, fmt.Sprintf("%s is not text. Write it in double quotes.", f.excerpt)
	case badJSON:
		return CodeJSON, fmt.Sprintf("Line %d is not one JSON object: see its byte %d. Write each row as an object on a line of its own.", f.a, f.b)
	case keyTwice:
		return CodeDuplicate, fmt.Sprintf("The object in line %d has the key %q more than once. Remove one.", f.a, column)
	}
	return unreadable()
}

func unreadable() (code, message string) { return CodeFormat, "The file cannot be read." }

// describeColumn is describe for the columns of a file.
func (f finding) describeColumn(column, want string) (code, message string) {
	who := map[contract.Format]string{contract.CSV: "The header", contract.NDJSON: "This row", contract.Parquet: "The file"}[contract.AllFormats[f.a]]
	switch f.flaw {
	case columnMissing:
		hint := "Add it."
		if who == "The header" {
			hint = "Add it, or check the delimiter."
		}
		return CodeMissing, fmt.Sprintf("%s lacks the column %q. %s", who, column, hint)
	case columnUnknown:
		return CodeUnknown, fmt.Sprintf("%s has a column %q that the dataset has not. Remove it.", who, f.excerpt)
	case columnOtherCase:
		return CodeUnknown, fmt.Sprintf("%s has a column %q; the dataset writes it %q.", who, f.excerpt, column)
	case columnDuplicate:
		return CodeDuplicate, fmt.Sprintf("%s names the column %q more than once. Remove one.", who, column)
	case headerEncoding:
		if who != "The header" {
			return CodeEncoding, "The name of a column is not text in UTF-8. Rename it."
		}
		return CodeEncoding, "The header has bytes that are not text in the dataset's encoding. Save the file in that encoding."
	case columnType:
		return CodeColumnType, fmt.Sprintf("The column %q is %s in the file, but its values must be %s. Write it with a type that holds these exactly, or as text.", column, f.excerpt, want)
	}
	return unreadable()
}

// mistaken are what a file may be instead of what the dataset takes.
var mistaken = []struct{ what, hint string }{
	{"This is NDJSON.", ""},
	{"This is a JSON list.", " Write one object a line, without a list around them."},
	{"This is no file of a known format.", ""},
	{"This is a Parquet file in gzip.", " Send it without: it is compressed inside."},
}

// The indices of mistaken.
const (
	isNDJSON = iota
	isJSONList
	isUnknown
	isPackedParquet
)

// describeFormat is describe for a file of another format.
func (f finding) describeFormat(takes []contract.Format) string {
	var words []string
	for _, k := range contract.AllFormats {
		if contract.Takes(takes, k) {
			words = append(words, map[contract.Format]string{contract.CSV: "CSV", contract.NDJSON: "NDJSON", contract.Parquet: "Parquet"}[k])
		}
	}
	last := len(words) - 1
	list := words[last]
	if last > 0 {
		list = strings.Join(words[:last], ", ") + " or " + list
	}
	switch f.flaw {
	case foreignFormat:
		if list == "CSV" {
			return fmt.Sprintf("This is %s, not a CSV text file. Export the table as CSV.", signatures[f.a].name)
		}
		return fmt.Sprintf("This is %s. The dataset takes %s.", signatures[f.a].name, list)
	case wrongFormat:
		return fmt.Sprintf("%s The dataset takes %s.%s", mistaken[f.a].what, list, mistaken[f.a].hint)
	case parquetCutOff:
		return "The file begins as Parquet and does not end so: it is cut off. Send it again."
	case parquetEncrypted:
		return "The Parquet file is encrypted. Send it without encryption of its own: it is sealed on arrival."
	}
	return fmt.Sprintf("The Parquet file is damaged, or has what this server does not read: %s. Write it again.", strings.TrimSuffix(f.excerpt, "."))
}

// describeText is describe for a file of text as a whole.
func (f finding) describeText() (code, message string) {
	switch f.flaw {
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
	}
	return unreadable()
}

// describeLimit is describe for a limit that a file exceeds.
func (f finding) describeLimit() string {
	at := ""
	if f.b > 0 {
		at = fmt.Sprintf(", in line %d", f.b)
	}
	switch f.flaw {
	case tooManyBytes:
		return fmt.Sprintf("The file is larger than the limit of %d bytes, as sent or unpacked.", f.a)
	case tooHighRatio:
		return fmt.Sprintf("The file unpacks to more than %d times its size. Send it uncompressed.", f.a)
	case tooManyRows:
		return fmt.Sprintf("The file has more than %d rows. Split it, or ask for a higher limit.", f.a)
	case tooManyFields:
		if at == "" {
			return fmt.Sprintf("The file has more than %d columns.", f.a)
		}
		return fmt.Sprintf("A record has more than %d columns%s.", f.a, at)
	case pageTooLarge:
		return fmt.Sprintf("A page of the Parquet file unpacks to more than %d bytes. Write it with smaller pages.", f.a)
	}
	what := map[flaw]string{fieldTooLong: "A value", recordTooLong: "A record"}[f.flaw]
	hint := map[flaw]string{fieldTooLong: " Is a quote or a line end missing?", recordTooLong: " Is a quote missing?"}[f.flaw]
	if at == "" {
		hint = ""
	}
	return fmt.Sprintf("%s is longer than %d bytes%s.%s", what, f.a, at, hint)
}
