package client

import "time"

// TOTP says how one's own second factor stands.
type TOTP struct {
	On            bool       `json:"on"`
	Since         *time.Time `json:"since,omitempty"`
	RecoveryCodes int        `json:"recovery_codes" doc:"How many are left"`
}

// Password is one's own, asked for once more.
type Password struct {
	Password string `json:"password" minLength:"1" maxLength:"1000"`
}

// NewTOTP is the secret of an authenticator, shown once. It is on once it is confirmed.
type NewTOTP struct {
	Secret string `json:"secret" doc:"In base32, to be typed into an authenticator app"`
	URL    string `json:"url" doc:"The same as an otpauth URL, to be shown as a QR code"`
}

// Code is what an authenticator shows.
type Code struct {
	Code string `json:"code" minLength:"6" maxLength:"100"`
}

// PasswordAndCode is one's own password with a code of the second factor.
type PasswordAndCode struct {
	Password string `json:"password" minLength:"1" maxLength:"1000"`
	Code     string `json:"code" minLength:"6" maxLength:"100" doc:"What the authenticator shows, or a recovery code"`
}

// RecoveryCodes are good once each in place of an authenticator's code, and shown once.
type RecoveryCodes struct {
	Codes []string `json:"codes"`
}

// NewOwnSSHKey asks for an SSH key of one's own.
type NewOwnSSHKey struct {
	NewSSHKey
	Password string `json:"password" minLength:"1" maxLength:"1000" doc:"One's own, once more"`
}
