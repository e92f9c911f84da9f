package file

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"tributary/internal/clock"
)

// A key file is ASCII; each line ends in one line feed, its words are parted by
// one space, and nothing follows the last line.
//
//	tributary key file 1
//	key kek_<26 characters> <RFC 3339 UTC, to the second> <32 bytes, base64 with padding>
//	end <SHA-256 of all bytes before this line, 64 hexadecimal digits in lower case>
//
// There are 1 to 64 key lines, with different ids. New keys are wrapped by the
// first; the others only unwrap.
const (
	firstLine = "tributary key file 1"
	idPrefix  = "kek"
	idSize    = len(idPrefix) + 1 + 26
	maxKeys   = 64
	maxFile   = 16 << 10 // bytes; 64 keys take 6.5 KB
)

// entry is a key line.
type entry struct {
	id     string
	made   time.Time
	secret []byte
}

// newEntry makes a key.
func newEntry(c clock.Clock) entry {
	return entry{c.ID(idPrefix), c.Now(), c.Bytes(32)}
}

func format(entries []entry) []byte {
	var b bytes.Buffer
	fmt.Fprintln(&b, firstLine)
	for _, e := range entries {
		fmt.Fprintln(&b, "key", e.id, e.made.Format(time.RFC3339), base64.StdEncoding.EncodeToString(e.secret))
	}
	fmt.Fprintln(&b, "end", checksum(b.Bytes()))
	return b.Bytes()
}

func checksum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// parse reads a key file. Its error says what is wrong for the one who can mend
// it, without a part of a key.
func parse(text []byte) ([]entry, error) {
	if len(text) > maxFile {
		return nil, errors.New("it is too large to be one")
	}
	rest, ok := strings.CutPrefix(string(text), firstLine+"\n")
	if !ok {
		return nil, fmt.Errorf("its first line is not %q", firstLine)
	}
	var entries []entry
	seen := map[string]bool{}
	for n := 2; ; n++ {
		line, after, ok := strings.Cut(rest, "\n")
		if !ok {
			return nil, fmt.Errorf("it ends in the middle of line %d", n)
		}
		if sum, ok := strings.CutPrefix(line, "end "); ok {
			switch {
			case after != "":
				return nil, fmt.Errorf("something follows line %d", n)
			case sum != checksum(text[:len(text)-len(rest)]):
				return nil, errors.New("its checksum does not match")
			case len(entries) == 0:
				return nil, errors.New("it has no key")
			}
			return entries, nil
		}
		e, err := parseKey(line)
		if err != nil {
			return nil, fmt.Errorf("line %d %w", n, err)
		}
		if seen[e.id] || len(entries) == maxKeys {
			return nil, fmt.Errorf("line %d is a second %s or one key too many", n, e.id)
		}
		seen[e.id] = true
		entries = append(entries, e)
		rest = after
	}
}

func parseKey(line string) (entry, error) {
	words := strings.Split(line, " ")
	if len(words) != 4 || words[0] != "key" {
		return entry{}, errors.New("is not a key")
	}
	if !clock.ValidID(idPrefix, words[1]) {
		return entry{}, errors.New("has no valid id")
	}
	made, err := time.Parse(time.RFC3339, words[2])
	if err != nil || made.UTC().Format(time.RFC3339) != words[2] {
		return entry{}, errors.New("has no valid time")
	}
	secret, err := base64.StdEncoding.Strict().DecodeString(words[3])
	if err != nil || len(secret) != 32 {
		return entry{}, errors.New("has no key of 32 bytes")
	}
	return entry{words[1], made, secret}, nil
}
