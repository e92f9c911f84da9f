package contract

import (
	"fmt"
	"strings"
	"time"
)

// Default formats.
const (
	ISODate = "YYYY-MM-DD"
	RFC3339 = "rfc3339" // with an offset or Z, and up to nine digits of a second
)

// Layout reads dates or timestamps of one format. A format is made of
//
//	YYYY          year, four digits
//	MM  M         month, two digits; or one or two
//	DD  D         day of the month
//	HH  H         hour, 0 to 23
//	mm            minute
//	ss            second, 0 to 59
//	S … SSSSSS    one to six digits of a second
//	Z             offset from UTC: Z, +hh:mm or +hhmm
//
// and signs between them. A timestamp without Z is in UTC. The zero Layout
// reads RFC 3339.
type Layout struct{ parts []part }

type part struct {
	field       byte // one of Y M D H m s S Z; 0: a literal
	least, most int  // digits
	literal     byte
}

// tokens from longest to shortest of each field, so that the first that fits is meant.
var tokens = []struct {
	text        string
	field       byte
	least, most int
}{
	{"YYYY", 'Y', 4, 4}, {"MM", 'M', 2, 2}, {"M", 'M', 1, 2}, {"DD", 'D', 2, 2}, {"D", 'D', 1, 2},
	{"HH", 'H', 2, 2}, {"H", 'H', 1, 2}, {"mm", 'm', 2, 2}, {"ss", 's', 2, 2},
	{"SSSSSS", 'S', 6, 6}, {"SSSSS", 'S', 5, 5}, {"SSSS", 'S', 4, 4}, {"SSS", 'S', 3, 3}, {"SS", 'S', 2, 2}, {"S", 'S', 1, 1},
	{"Z", 'Z', 0, 0},
}

// NewLayout reads a format for a column of type date or timestamp. The error
// is for the author of the format, in words.
func NewLayout(t Type, format string) (Layout, error) {
	if t == Timestamp && format == RFC3339 {
		return Layout{}, nil
	}
	var l Layout
	seen := ""
	for rest := format; rest != ""; {
		p, n := nextPart(rest)
		if p.field == 0 && (p.literal >= '0' && p.literal <= '9' || p.literal >= 0x80 || p.literal < ' ' ||
			strings.IndexByte("YyMmDdHhSsZAaPp", p.literal) >= 0) {
			return Layout{}, fmt.Errorf("%q is not understood at %q; use YYYY, MM, DD, HH, mm, ss, SSS, Z and signs, as in %s", format, rest, ISODate)
		}
		if p.field != 0 && strings.IndexByte(seen, p.field) >= 0 {
			return Layout{}, fmt.Errorf("%q has %s twice", format, rest[:n])
		}
		if last := len(l.parts) - 1; last >= 0 && l.parts[last].least != l.parts[last].most && p.field != 0 {
			return Layout{}, fmt.Errorf("%q has a field of one or two digits right before another; put a sign between them", format)
		}
		if p.field != 0 {
			seen += string(p.field)
		}
		l.parts = append(l.parts, p)
		rest = rest[n:]
	}
	if err := complete(t, format, seen); err != nil {
		return Layout{}, err
	}
	return l, nil
}

func nextPart(s string) (part, int) {
	for _, t := range tokens {
		if strings.HasPrefix(s, t.text) {
			return part{field: t.field, least: t.least, most: t.most}, len(t.text)
		}
	}
	return part{literal: s[0]}, 1
}

func complete(t Type, format, seen string) error {
	need, may := "YMD", "YMD"
	if t == Timestamp {
		need, may = "YMDH", "YMDHmsSZ"
	}
	for _, f := range need {
		if !strings.ContainsRune(seen, f) {
			return fmt.Errorf("%q lacks the year, month, day%s; a %s needs them all", format, map[Type]string{Timestamp: " or hour"}[t], t)
		}
	}
	for _, f := range seen {
		if !strings.ContainsRune(may, f) {
			return fmt.Errorf("%q has a time of day, which a date has not; use type timestamp", format)
		}
	}
	if strings.Contains(seen, "s") && !strings.Contains(seen, "m") || strings.Contains(seen, "S") && !strings.Contains(seen, "s") {
		return fmt.Errorf("%q has a smaller unit of time without the larger one", format)
	}
	return nil
}

// Date reads a day.
func (l Layout) Date(b []byte) (Date, bool) {
	f, ok := l.fields(b)
	if !ok {
		return 0, false
	}
	return civil(f.year, f.month, f.day)
}

// Timestamp reads a moment as microseconds since 1970 in UTC; digits beyond
// the microsecond are refused unless they are zero.
func (l Layout) Timestamp(b []byte) (int64, bool) {
	if l.parts == nil {
		return rfc3339(b)
	}
	f, ok := l.fields(b)
	if !ok {
		return 0, false
	}
	return f.micros()
}

// Format writes a moment in UTC as the format has it; the zero Layout as RFC 3339.
func (l Layout) Format(t time.Time) string {
	t = t.UTC()
	if l.parts == nil {
		return t.Format(time.RFC3339)
	}
	var b strings.Builder
	for _, p := range l.parts {
		v, digits := 0, p.least
		switch p.field {
		case 0:
			b.WriteByte(p.literal)
			continue
		case 'Z':
			b.WriteByte('Z')
			continue
		case 'Y':
			v = t.Year()
		case 'M':
			v = int(t.Month())
		case 'D':
			v = t.Day()
		case 'H':
			v = t.Hour()
		case 'm':
			v = t.Minute()
		case 's':
			v = t.Second()
		case 'S':
			v = t.Nanosecond() / 1000
			for range 6 - p.most {
				v /= 10
			}
		}
		fmt.Fprintf(&b, "%0*d", digits, v)
	}
	return b.String()
}

type moment struct {
	year, month, day, hour, minute, second, micro int
	offset                                        int // seconds east of UTC
}

func (m moment) micros() (int64, bool) {
	d, ok := civil(m.year, m.month, m.day)
	if !ok || m.hour > 23 || m.minute > 59 || m.second > 59 {
		return 0, false
	}
	s := int64(d)*86400 + int64(m.hour*3600+m.minute*60+m.second-m.offset)
	v := s*1e6 + int64(m.micro)
	return v, v >= minMicros && v <= maxMicros
}

// Timestamps are in the years 1 to 9999 of UTC.
var (
	minMicros = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	maxMicros = time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC).UnixMicro()
)

// ValidTimestamp reports whether microseconds since 1970 are in the years 1 to 9999.
func ValidTimestamp(micros int64) bool { return micros >= minMicros && micros <= maxMicros }

func (l Layout) fields(b []byte) (m moment, ok bool) {
	for _, p := range l.parts {
		switch p.field {
		case 0:
			if len(b) == 0 || b[0] != p.literal {
				return m, false
			}
			b = b[1:]
		case 'Z':
			if m.offset, b, ok = offset(b); !ok {
				return m, false
			}
		default:
			v, n := 0, 0
			for n < p.most && n < len(b) && b[n] >= '0' && b[n] <= '9' {
				v = v*10 + int(b[n]-'0')
				n++
			}
			if n < p.least {
				return m, false
			}
			b = b[n:]
			m.set(p, v)
		}
	}
	return m, len(b) == 0
}

func (m *moment) set(p part, v int) {
	switch p.field {
	case 'Y':
		m.year = v
	case 'M':
		m.month = v
	case 'D':
		m.day = v
	case 'H':
		m.hour = v
	case 'm':
		m.minute = v
	case 's':
		m.second = v
	case 'S':
		for range 6 - p.most {
			v *= 10
		}
		m.micro = v
	}
}

func two(b []byte) (int, bool) {
	if len(b) < 2 || b[0] < '0' || b[0] > '9' || b[1] < '0' || b[1] > '9' {
		return 0, false
	}
	return int(b[0]-'0')*10 + int(b[1]-'0'), true
}

// offset reads Z, +hh:mm or +hhmm from the start of b.
func offset(b []byte) (seconds int, rest []byte, ok bool) {
	if len(b) > 0 && (b[0] == 'Z' || b[0] == 'z') {
		return 0, b[1:], true
	}
	if len(b) < 5 || b[0] != '+' && b[0] != '-' {
		return 0, nil, false
	}
	negative := b[0] == '-'
	h, ok1 := two(b[1:])
	b = b[3:]
	if b[0] == ':' {
		b = b[1:]
	}
	m, ok2 := two(b)
	if !ok1 || !ok2 || h > 23 || m > 59 {
		return 0, nil, false
	}
	seconds = h*3600 + m*60
	if negative {
		seconds = -seconds
	}
	return seconds, b[2:], true
}

var rfc3339Head = func() Layout {
	l, err := NewLayout(Timestamp, "YYYY-MM-DD HH:mm:ss")
	if err != nil {
		panic(err)
	}
	return l
}()

// rfc3339 reads YYYY-MM-DD, T or a space, hh:mm:ss, a fraction, an offset.
func rfc3339(b []byte) (int64, bool) {
	const head = len("YYYY-MM-DD HH:mm:ss")
	if len(b) <= head || b[10] != 'T' && b[10] != 't' && b[10] != ' ' {
		return 0, false
	}
	var text [head]byte
	copy(text[:], b)
	text[10] = ' '
	m, ok := rfc3339Head.fields(text[:])
	if !ok {
		return 0, false
	}
	b = b[head:]
	if b[0] == '.' {
		n, unit := 1, 100_000
		for ; n < len(b) && b[n] >= '0' && b[n] <= '9'; n++ {
			if unit == 0 && b[n] != '0' || n > 9 {
				return 0, false
			}
			m.micro += int(b[n]-'0') * unit
			unit /= 10
		}
		if n == 1 {
			return 0, false
		}
		b = b[n:]
	}
	if m.offset, b, ok = offset(b); !ok || len(b) > 0 {
		return 0, false
	}
	return m.micros()
}
