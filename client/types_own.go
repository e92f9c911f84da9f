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

// OIDCBegun is where a page sends its browser to sign in with OIDC.
type OIDCBegun struct {
	URL       string    `json:"url"`
	ExpiresAt time.Time `json:"expires_at" doc:"When the browser has to be back"`
}

// OIDCReturn is what a browser came back from the issuer with, to /login/oidc.
type OIDCReturn struct {
	State string `json:"state" maxLength:"100"`
	Code  string `json:"code,omitempty" maxLength:"4096"`
	Error string `json:"error,omitempty" maxLength:"100" doc:"The issuer's error; it comes instead of a code"`
}

// Identity is who one of the provider's people is at the issuer they sign in with.
type Identity struct {
	Linked   bool       `json:"linked"`
	Issuer   string     `json:"issuer,omitempty"`
	Subject  string     `json:"subject,omitempty" doc:"What the issuer calls the person; this and the issuer count, and not the email"`
	Email    string     `json:"email,omitempty" doc:"As the issuer said it at the first sign-in"`
	LinkedAt *time.Time `json:"linked_at,omitempty"`
}
