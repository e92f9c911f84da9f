package render

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"tributary/internal/fault"
)

// maxLine is far above any line that WriteCSV writes: 16 groups and 64 measures.
const maxLine = 64 << 20

// Reader reads lines that WriteCSV wrote, and no other CSV: what it reads is a
// result, made and sealed by this program. Memory is bounded by one line.
type Reader struct {
	r    *bufio.Reader
	left int // bytes that the line may still have

	// Read is how many bytes the lines had that were read so far.
	Read int64
}

// NewReader begins to read at the start of a line.
func NewReader(r io.Reader) *Reader { return &Reader{r: bufio.NewReaderSize(r, 64<<10)} }

// Line returns the fields of the next line as they are written, without quotes;
// nil is Null. Behind the last line it is io.EOF. Bytes that are not as WriteCSV
// writes them are fault.Damaged.
func (r *Reader) Line() ([]*string, error) {
	if _, err := r.r.Peek(1); err != nil {
		return nil, err
	}
	r.left = maxLine
	var fields []*string
	for {
		field, end, err := r.field()
		if errors.Is(err, io.EOF) {
			return nil, notOurs("it ends within a line")
		}
		if err != nil {
			return nil, err
		}
		fields = append(fields, field)
		if end == '\n' {
			return fields, nil
		}
	}
}

// field reads one field and what ends it, a comma or the line's end.
func (r *Reader) field() (*string, byte, error) {
	var text []byte
	quoted, open := false, false
	for at := 0; ; at++ {
		b, err := r.next()
		if err != nil {
			return nil, 0, err
		}
		switch {
		case at == 0 && b == '"':
			quoted, open = true, true
		case open && b == '"':
			open = false
		case open:
			text = append(text, b)
		case quoted && b == '"': // a quote within quotes is written twice
			text, open = append(text, b), true
		case b == ',' || b == '\n':
			if !quoted && len(text) == 0 {
				return nil, b, nil
			}
			s := string(text)
			return &s, b, nil
		case quoted || b == '"' || b == '\r':
			return nil, 0, notOurs(fmt.Sprintf("a field has %q where it cannot be", b))
		default:
			text = append(text, b)
		}
	}
}

func (r *Reader) next() (byte, error) {
	if r.left--; r.left < 0 {
		return 0, notOurs("a line is longer than any")
	}
	b, err := r.r.ReadByte()
	if err == nil {
		r.Read++
	}
	return b, err
}

func notOurs(what string) error {
	return fault.New(fault.Damaged, "A result is not as it was written: %s.", what)
}
