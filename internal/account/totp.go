package account

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // what authenticator apps compute (RFC 6238); HMAC-SHA1 is not broken
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"time"
)

// Codes are those of RFC 6238 in the one form that every authenticator app knows: six
// digits, SHA-1, a step of 30 seconds.
const (
	totpStep   = 30 * time.Second
	totpDigits = 6
	totpDrift  = 1  // steps that a phone's clock may be ahead or behind
	totpSecret = 20 // bytes: as long as a SHA-1, as RFC 4226 asks
)

var base32Plain = base32.StdEncoding.WithPadding(base32.NoPadding)

// totpAt is the step that a moment is in.
func totpAt(t time.Time) int64 { return t.Unix() / int64(totpStep/time.Second) }

// totpCode is the code of a secret in a step.
func totpCode(secret []byte, step int64) string {
	mac := hmac.New(sha1.New, secret)
	_ = binary.Write(mac, binary.BigEndian, step) // a hash takes all
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 0xf
	return fmt.Sprintf("%0*d", totpDigits, binary.BigEndian.Uint32(sum[at:at+4])&0x7fffffff%1_000_000)
}

// totpFits returns the step within the drift whose code this is, if that step is after
// the last one that was used.
func totpFits(secret []byte, code string, now time.Time, used int64) (step int64, ok bool) {
	for step := totpAt(now) - totpDrift; step <= totpAt(now)+totpDrift; step++ {
		if hmac.Equal([]byte(totpCode(secret, step)), []byte(code)) && step > used {
			return step, true
		}
	}
	return 0, false
}

// totpURL is what an authenticator app reads from a picture.
func totpURL(login string, secret []byte) string {
	q := url.Values{"secret": {base32Plain.EncodeToString(secret)}, "issuer": {totpIssuer}, "algorithm": {"SHA1"}, "digits": {fmt.Sprint(totpDigits)}, "period": {"30"}}
	u := url.URL{Scheme: "otpauth", Host: "totp", Path: "/" + totpIssuer + ":" + login, RawQuery: q.Encode()}
	return u.String()
}

const totpIssuer = "Tributary"
