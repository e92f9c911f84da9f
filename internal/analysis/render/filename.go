package render

import (
	"regexp"
	"strings"
	"time"

	"tributary/internal/fault"
)

// Names are what a file name can be made of.
type Names struct {
	Analysis    string
	Date        time.Time // the business date, always written YYYY-MM-DD
	Participant string    // the recipient's external id
	Dataset     string
}

// The ends of file names.
const (
	CSV     = ".csv"
	Parquet = ".parquet"
)

// maxFileName is what every file system and SFTP client takes, with room for a suffix.
const maxFileName = 200

// FileName makes the name of a result's file from a definition's pattern, which
// ends in .csv; the extension takes the place of that. It consists of letters,
// digits, . _ - and ~, does not begin with a dot or a hyphen, is not a name that
// some system reserves, and has at most 200 bytes. Other bytes of a name are
// written ~ and two hexadecimal digits, so that different names stay different.
// Errors are fault.Invalid.
func FileName(pattern string, names Names, extension string) (string, error) {
	pattern, ok := strings.CutSuffix(pattern, CSV)
	if !ok || extension != CSV && extension != Parquet {
		return "", fault.New(fault.Invalid, "The file name pattern %q must end in .csv.", pattern)
	}
	name := strings.NewReplacer(
		"{analysis}", escape(names.Analysis),
		"{date}", names.Date.UTC().Format(time.DateOnly),
		"{participant}", escape(names.Participant),
		"{dataset}", escape(names.Dataset),
	).Replace(pattern)
	switch {
	case name == "" || !safeName.MatchString(name):
		return "", fault.New(fault.Invalid, "The file name pattern %q gives %q, which is not a safe file name. Use letters, digits, . _ - and {analysis}, {date}, {participant}, {dataset}.", pattern, name)
	case len(name)+len(extension) > maxFileName:
		return "", fault.New(fault.Invalid, "The file name pattern %q gives a name of %d bytes; at most %d are possible.", pattern, len(name)+len(extension), maxFileName)
	}
	if strings.ContainsAny(name[:1], ".-") || reserved.MatchString(name) {
		name = hex(name[0]) + name[1:]
	}
	return name + extension, nil
}

var (
	safeName = regexp.MustCompile(`^[A-Za-z0-9._~-]+$`)
	reserved = regexp.MustCompile(`(?i)^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)`) // Windows opens devices under these
)

func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
			b.WriteByte(c)
		default:
			b.WriteString(hex(c))
		}
	}
	return b.String()
}

func hex(c byte) string {
	const digits = "0123456789ABCDEF"
	return string([]byte{'~', digits[c>>4], digits[c&15]})
}
