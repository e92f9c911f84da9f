package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// secretPrefix starts a webhook's secret; the rest is base64 of secretBytes bytes.
const (
	secretPrefix = "whsec_"
	secretBytes  = 32
)

func encodeSecret(raw []byte) string { return secretPrefix + base64.StdEncoding.EncodeToString(raw) }

// sign makes the header webhook-signature of Standard Webhooks: for each secret
// "v1," and the base64 of HMAC-SHA256 over "<id>.<seconds>.<body>".
func sign(secrets [][]byte, id string, at time.Time, body []byte) string {
	list := make([]string, len(secrets))
	for i, secret := range secrets {
		h := hmac.New(sha256.New, secret)
		h.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
		h.Write(body)
		list[i] = "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil))
	}
	return strings.Join(list, " ")
}
