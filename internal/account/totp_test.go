package account

import (
	"net/url"
	"testing"
	"time"
)

// The vectors of RFC 6238, appendix B, in six digits.
func TestCodesAreThoseOfTheRFC(t *testing.T) {
	t.Parallel()
	secret := []byte("12345678901234567890")
	for at, want := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		if got := totpCode(secret, totpAt(time.Unix(at, 0))); got != want {
			t.Errorf("at %d: got %s, want %s", at, got, want)
		}
	}
}

func TestACodeDriftsOneStep(t *testing.T) {
	t.Parallel()
	secret, now := []byte("12345678901234567890"), time.Unix(2_000_000_000, 0)
	for drift := int64(-3); drift <= 3; drift++ {
		step := totpAt(now) + drift
		_, ok := totpFits(secret, totpCode(secret, step), now, 0)
		if want := drift >= -1 && drift <= 1; ok != want {
			t.Errorf("a code of %d steps off: got %v, want %v", drift, ok, want)
		}
		if _, ok := totpFits(secret, totpCode(secret, step), now, step); ok {
			t.Errorf("a code of %d steps off, used: got true, want false", drift)
		}
	}
}

func TestAuthenticatorsReadTheURL(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(totpURL("acme.ann", []byte("12345678901234567890")))
	if err != nil {
		t.Fatal(err)
	}
	if u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/Tributary:acme.ann" || u.Query().Get("secret") != "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" || u.Query().Get("issuer") != "Tributary" {
		t.Errorf("got %s", u)
	}
}
