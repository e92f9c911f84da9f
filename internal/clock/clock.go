// Package clock is where time, randomness and identifiers come from, so that
// tests decide all three.
package clock

import (
	"crypto/rand"
	"encoding/base32"
	"io"
	"strings"
	"time"
)

// Clock tells the time and makes identifiers. The zero value uses the system's
// clock and its cryptographic randomness.
type Clock struct {
	NowFunc func() time.Time // nil: time.Now
	Rand    io.Reader        // nil: crypto/rand
}

// Now returns the time in UTC, to the microsecond that the stores keep.
func (c Clock) Now() time.Time {
	now := time.Now
	if c.NowFunc != nil {
		now = c.NowFunc
	}
	return now().UTC().Truncate(time.Microsecond)
}

// Bytes returns n random bytes. It panics if the system has no randomness,
// since nothing sensible can follow.
func (c Clock) Bytes(n int) []byte {
	r := c.Rand
	if r == nil {
		r = rand.Reader
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		panic("clock: no randomness: " + err.Error())
	}
	return b
}

var encoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// ID makes an identifier: the prefix, an underscore, and 128 random bits in 26
// lower-case characters of Crockford's base 32. "run" gives run_3t1…
func (c Clock) ID(prefix string) string {
	return prefix + "_" + encoding.EncodeToString(c.Bytes(16))
}

// Secret makes a credential's secret part: n random bytes in base 32.
func (c Clock) Secret(n int) string { return encoding.EncodeToString(c.Bytes(n)) }

// ValidID reports whether s is an identifier that ID could have made with this prefix.
func ValidID(prefix, s string) bool {
	rest, ok := strings.CutPrefix(s, prefix+"_")
	if !ok || len(rest) != 26 {
		return false
	}
	_, err := encoding.DecodeString(rest)
	return err == nil
}
