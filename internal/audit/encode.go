package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"tributary/internal/fault"
	"tributary/internal/tenant"
)

// The formats that docs/formats/audit.md describes to the byte. Whoever changes
// what is hashed or signed makes a new version and a page for it.
const (
	entryFormat      = "tributary audit entry v1"
	detailsFormat    = "tributary audit details v1"
	checkpointFormat = "tributary audit checkpoint v1"
	hashSize         = sha256.Size
)

// What a record's details are, by their first byte. No details are no bytes.
const (
	detailsGone   = 0 // were there, but the tenant's key was not any more
	detailsPlain  = 1 // JSON follows: the provider's chain
	detailsSealed = 2 // bytes sealed with the tenant's vault key follow
)

// Record is an entry as it is stored and hashed.
type Record struct {
	Tenant  tenant.ID // which chain; empty is the provider's
	Seq     int64     // 1, 2, … in its chain
	At      int64     // microseconds since 1970 in UTC
	Actor   string
	Verb    string
	Subject string
	Outcome string
	Details []byte // as sealed
	Prev    []byte // Hash of the record before; 32 zeros in the first
	Hash    []byte // SHA-256 of all above
}

// appendText appends a field: its length in 4 bytes, big-endian, then its bytes.
func appendText[T ~string | ~[]byte](b []byte, s T) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

// appendInt appends a field of 8 bytes: n in two's complement, big-endian.
func appendInt(b []byte, n int64) []byte {
	b = binary.BigEndian.AppendUint32(b, 8)
	return binary.BigEndian.AppendUint64(b, uint64(n))
}

// skeleton appends the fields that stay readable.
func (r *Record) skeleton(b []byte, format string) []byte {
	b = appendText(b, format)
	b = appendText(b, r.Tenant)
	b = appendInt(b, r.Seq)
	b = appendInt(b, r.At)
	b = appendText(b, r.Actor)
	b = appendText(b, r.Verb)
	b = appendText(b, r.Subject)
	return appendText(b, r.Outcome)
}

// digest computes what Hash has to be, with b as scratch space that it returns.
func (r *Record) digest(b []byte) ([hashSize]byte, []byte) {
	b = r.skeleton(b[:0], entryFormat)
	b = appendText(b, r.Details)
	b = appendText(b, r.Prev)
	return sha256.Sum256(b), b
}

// associated is what a record's sealed details are bound to.
func (r *Record) associated() []byte { return r.skeleton(nil, detailsFormat) }

// maxDetails is how large an entry's details may be, as JSON.
const maxDetails = 64 << 10

// encodeDetails makes JSON in one line: keys sorted, and every character that
// would end a line or turn its direction in some reader written as \u….
func encodeDetails(d map[string]any) ([]byte, error) {
	if len(d) == 0 {
		return nil, nil
	}
	raw, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encode details: %w", err)
	}
	if len(raw) > maxDetails {
		return nil, fault.New(fault.TooLarge, "The description of this act is over the %d bytes that the audit log takes.", maxDetails)
	}
	var b bytes.Buffer
	for _, r := range string(raw) {
		switch {
		case !invisible(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := (r-0x10000)>>10+0xd800, (r-0x10000)&0x3ff+0xdc00
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.Bytes(), nil
}

func invisible(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }

// maxWord is how long a field of the skeleton may be.
const maxWord = 200

// word makes a field of the skeleton: printable ASCII, in which a backslash and
// every other byte are written as \xNN, so that no name can forge a line. What is
// longer than maxWord ends in "...".
func word(s string) string {
	plain := len(s) <= maxWord
	for i := 0; plain && i < len(s); i++ {
		plain = printable(s[i])
	}
	if plain {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		piece := s[i : i+1]
		if !printable(s[i]) {
			piece = fmt.Sprintf(`\x%02x`, s[i])
		}
		if b.Len()+len(piece) > maxWord-len("...") {
			b.WriteString("...")
			break
		}
		b.WriteString(piece)
	}
	return b.String()
}

func printable(c byte) bool { return c >= ' ' && c < utf8.RuneSelf-1 && c != '\\' }

// statement is the signed part of a checkpoint.
type statement struct {
	seq, at, heads int64
	root, prev     []byte
}

func (s statement) encode() []byte {
	b := appendText(nil, checkpointFormat)
	b = appendInt(b, s.seq)
	b = appendInt(b, s.at)
	b = appendInt(b, s.heads)
	b = appendText(b, s.root)
	return appendText(b, s.prev)
}

// decodeStatement reads a statement and reports whether b was exactly its encoding.
func decodeStatement(b []byte) (statement, bool) {
	var s statement
	whole := b
	field := func() []byte {
		if len(b) < 4 {
			return nil
		}
		n := int(binary.BigEndian.Uint32(b))
		if n > len(b)-4 {
			return nil
		}
		f := b[4 : 4+n]
		b = b[4+n:]
		return f
	}
	number := func() int64 {
		f := field()
		if len(f) != 8 {
			return 0
		}
		return int64(binary.BigEndian.Uint64(f))
	}
	format := string(field())
	s.seq, s.at, s.heads = number(), number(), number()
	s.root, s.prev = field(), field()
	return s, format == checkpointFormat && len(s.root) == hashSize && len(s.prev) == hashSize && bytes.Equal(s.encode(), whole)
}
