// Package client is the Go client of Tributary's HTTP API, and the words of that
// API: the server encodes these same types. It imports nothing else of the
// module, so other programs can use it.
//
// Times are RFC 3339 in UTC; dates are YYYY-MM-DD; sizes are bytes.
package client

import "time"

// List is a page of things, newest first where time matters. Next is the cursor
// of the following page, empty on the last.
type List[T any] struct {
	Items []T    `json:"items" doc:"The things on this page"`
	Next  string `json:"next,omitempty" doc:"Cursor of the next page; absent on the last"`

	// Searched is told where a search had to open names that are sealed, and paused
	// before it had looked at everything.
	Searched int `json:"searched,omitempty" doc:"How many things were looked at so far, where a search of sealed names paused before its end; go on with next"`
}

// Problem is what the API answers when it cannot do as asked (RFC 9457).
type Problem struct {
	Type     string         `json:"type"`   // stable: "urn:tributary:" and the kind of fault
	Title    string         `json:"title"`  // the status in words
	Status   int            `json:"status"` // the HTTP status
	Detail   string         `json:"detail"` // what was wrong, where, and what to do
	Instance string         `json:"instance,omitempty"`
	Errors   []ProblemError `json:"errors,omitempty"`
}

// ProblemError is one of several things wrong with a request.
type ProblemError struct {
	Location string `json:"location,omitempty"`
	Message  string `json:"message"`
}

// Made says who made and last changed a thing, and when.
type Made struct {
	CreatedAt     time.Time `json:"created_at"`
	CreatedBy     string    `json:"created_by"`
	ModifiedAt    time.Time `json:"modified_at"`
	ModifiedBy    string    `json:"modified_by"`
	TimesModified int64     `json:"times_modified"`
}

// Organisation is the verified owner of one or more tenants.
type Organisation struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Verified   bool       `json:"verified"`
	VerifiedAt *time.Time `json:"verified_at,omitempty"`
	VerifiedBy string     `json:"verified_by,omitempty"`
	Evidence   string     `json:"evidence,omitempty"`
	Made
}

// NewOrganisation asks for an organisation.
type NewOrganisation struct {
	Name string `json:"name" minLength:"1" maxLength:"200"`
}

// Verification is a system admin's word that an organisation is who it says.
type Verification struct {
	Evidence string `json:"evidence" minLength:"1" maxLength:"2000" doc:"What was checked, and how"`
}

// Tenant is a customer of the provider.
type Tenant struct {
	ID               string     `json:"id"`
	Slug             string     `json:"slug"`
	Name             string     `json:"name"`
	Organisation     string     `json:"organisation" doc:"The organisation's id"`
	OrganisationName string     `json:"organisation_name"`
	ExternalIDs      []string   `json:"external_ids"`
	Tier             string     `json:"tier"`
	Type             string     `json:"type"`
	Industry         string     `json:"industry,omitempty"`
	Revenue          *int64     `json:"revenue,omitempty" doc:"A year, in whole units of the provider's currency"`
	Employees        *int64     `json:"employees,omitempty"`
	State            string     `json:"state"`
	StateReason      string     `json:"state_reason,omitempty"`
	IPAllow          []string   `json:"ip_allow"`
	ClaimedAt        *time.Time `json:"claimed_at,omitempty" doc:"Since when only the tenant's own admins make its credentials"`
	Health           *Health    `json:"health,omitempty" doc:"To the provider's people who ask for it"`
	Made
}

// NewTenant asks for a tenant.
type NewTenant struct {
	Slug         string   `json:"slug" doc:"3 to 40 lower-case letters, digits and hyphens, starting with a letter"`
	Name         string   `json:"name" minLength:"1" maxLength:"200"`
	Organisation string   `json:"organisation" minLength:"1" maxLength:"200" doc:"An organisation's id or name; a new name makes an organisation"`
	ExternalIDs  []string `json:"external_ids,omitempty" maxItems:"100" doc:"How the provider's own data names it"`
	Tier         string   `json:"tier,omitempty" enum:"basic,standard,premium,platinum" default:"basic"`
	Type         string   `json:"type,omitempty" enum:"PRODUCTION,POC,TESTING" default:"PRODUCTION"`
	Industry     string   `json:"industry,omitempty" maxLength:"100"`
	Revenue      *int64   `json:"revenue,omitempty" minimum:"0"`
	Employees    *int64   `json:"employees,omitempty" minimum:"0"`
	IPAllow      []string `json:"ip_allow,omitempty" maxItems:"100" doc:"CIDR prefixes that may use this tenant's credentials; empty allows all"`
}

// TenantChange changes what is not nil.
type TenantChange struct {
	Name        *string   `json:"name,omitempty" minLength:"1" maxLength:"200"`
	ExternalIDs *[]string `json:"external_ids,omitempty" maxItems:"100"`
	Tier        *string   `json:"tier,omitempty" enum:"basic,standard,premium,platinum"`
	Type        *string   `json:"type,omitempty" enum:"PRODUCTION,POC,TESTING"`
	Industry    *string   `json:"industry,omitempty" maxLength:"100"`
	Revenue     *int64    `json:"revenue,omitempty" minimum:"0"`
	Employees   *int64    `json:"employees,omitempty" minimum:"0"`
	IPAllow     *[]string `json:"ip_allow,omitempty" maxItems:"100"`
}

// Reason says why something is done.
type Reason struct {
	Reason string `json:"reason,omitempty" maxLength:"500"`
}

// SagaStep is one recorded step of an onboarding or offboarding.
type SagaStep struct {
	Step   string    `json:"step"`
	State  string    `json:"state"`
	Detail string    `json:"detail,omitempty"`
	At     time.Time `json:"at"`
}

// Saga is an onboarding or offboarding with its steps.
type Saga struct {
	ID         string     `json:"id"`
	Kind       string     `json:"kind"`
	State      string     `json:"state"`
	Error      string     `json:"error,omitempty"`
	Steps      []SagaStep `json:"steps"`
	CreatedAt  time.Time  `json:"created_at"`
	FinishedAt *time.Time `json:"finished_at,omitempty"`
}

// NewOffboarding asks to end a tenant.
type NewOffboarding struct {
	Confirm string `json:"confirm" doc:"The tenant's slug, typed once more"`
}

// Offboarding is the state of a tenant's end.
type Offboarding struct {
	Tenant      string           `json:"tenant"`
	RequestedAt time.Time        `json:"requested_at"`
	RequestedBy string           `json:"requested_by"`
	EraseAfter  time.Time        `json:"erase_after" doc:"Until then it can be taken back, and the tenant can export"`
	HastenedBy  string           `json:"hastened_by,omitempty"`
	ExportedAt  *time.Time       `json:"exported_at,omitempty"`
	FinishedAt  *time.Time       `json:"finished_at,omitempty"`
	Held        string           `json:"held,omitempty" doc:"Why the erasure waits: a legal hold"`
	Receipt     []ErasureLine    `json:"receipt,omitempty"`
	Signed      *SignedStatement `json:"signed,omitempty"`
}

// ErasureLine says what was erased from one store, and how.
type ErasureLine struct {
	Store  string `json:"store"`
	Method string `json:"method"`
	Count  int64  `json:"count"`
}

// User is a person, of a tenant or of the provider.
type User struct {
	ID           string     `json:"id"`
	Tenant       string     `json:"tenant,omitempty" doc:"The tenant's id; absent for the provider's people"`
	Login        string     `json:"login" doc:"What to sign in with: SLUG.USER, or the email for the provider's people"`
	SFTPLogin    string     `json:"sftp_login,omitempty"`
	Email        string     `json:"email"`
	Name         string     `json:"name,omitempty"`
	Role         string     `json:"role"`
	State        string     `json:"state"`
	HasPassword  bool       `json:"has_password"`
	SecondFactor bool       `json:"second_factor" doc:"Signing in takes a code beside the password"`
	ProviderMade bool       `json:"provider_made" doc:"Made by the provider for a tenant; ends when a tenant admin first signs in"`
	SignedInAt   *time.Time `json:"signed_in_at,omitempty"`
	Made
}

// NewUser asks for a user. A credential of a tenant makes users of that tenant
// only: Tenant is then ignored.
type NewUser struct {
	Tenant       string `json:"tenant,omitempty" doc:"Id or slug; for the provider's credentials only"`
	Email        string `json:"email" format:"email" maxLength:"254"`
	Login        string `json:"login,omitempty" maxLength:"32" doc:"The part after the dot in SLUG.USER; made from the email if absent"`
	Name         string `json:"name,omitempty" maxLength:"200"`
	Role         string `json:"role" enum:"system_admin,auditor,analyst,tenant_admin,tenant_user"`
	Password     string `json:"password,omitempty" maxLength:"1000"`
	SSHPublicKey string `json:"ssh_public_key,omitempty" maxLength:"16384" doc:"A line of authorized_keys"`
}

// UserChange changes what is not nil.
type UserChange struct {
	Name  *string `json:"name,omitempty" maxLength:"200"`
	Role  *string `json:"role,omitempty" enum:"system_admin,auditor,analyst,tenant_admin,tenant_user"`
	State *string `json:"state,omitempty" enum:"active,disabled"`
}

// PasswordChange sets a password. Current is needed for one's own.
type PasswordChange struct {
	Current string `json:"current,omitempty" maxLength:"1000"`
	New     string `json:"new" minLength:"12" maxLength:"1000"`
}

// SSHKey is a public key that signs a user in over SFTP.
type SSHKey struct {
	ID           string     `json:"id"`
	User         string     `json:"user"`
	Name         string     `json:"name"`
	PublicKey    string     `json:"public_key"`
	Fingerprint  string     `json:"fingerprint"`
	IPAllow      []string   `json:"ip_allow"`
	ProviderMade bool       `json:"provider_made"`
	CreatedAt    time.Time  `json:"created_at"`
	CreatedBy    string     `json:"created_by"`
	ExpiresAt    *time.Time `json:"expires_at,omitempty"`
	UsedAt       *time.Time `json:"used_at,omitempty"`
	RevokedAt    *time.Time `json:"revoked_at,omitempty"`
}

// NewSSHKey asks for an SSH key.
type NewSSHKey struct {
	Name      string     `json:"name" minLength:"1" maxLength:"100"`
	PublicKey string     `json:"public_key" minLength:"1" maxLength:"16384" doc:"A line of authorized_keys: ed25519, ecdsa, or rsa of at least 3072 bits"`
	IPAllow   []string   `json:"ip_allow,omitempty" maxItems:"100"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// APIKey is a credential for programs. Key is its secret, shown once.
type APIKey struct {
	ID           string     `json:"id"`
	Tenant       string     `json:"tenant,omitempty"`
	Role         string     `json:"role"`
	Name         string     `json:"name"`
	Hint         string     `json:"hint" doc:"The secret's last characters"`
	IPAllow      []string   `json:"ip_allow"`
	ProviderMade bool       `json:"provider_made"`
	CreatedAt    time.Time  `json:"created_at"`
	CreatedBy    string     `json:"created_by"`
	ExpiresAt    *time.Time `json:"expires_at,omitempty"`
	UsedAt       *time.Time `json:"used_at,omitempty"`
	RevokedAt    *time.Time `json:"revoked_at,omitempty"`
	Key          string     `json:"key,omitempty" doc:"The secret; only in the answer that makes it"`
}

// NewAPIKey asks for an API key.
type NewAPIKey struct {
	Tenant    string     `json:"tenant,omitempty" doc:"Id or slug; for the provider's credentials only"`
	Role      string     `json:"role" enum:"system_admin,auditor,analyst,tenant_admin,tenant_user"`
	Name      string     `json:"name,omitempty" maxLength:"100"`
	IPAllow   []string   `json:"ip_allow,omitempty" maxItems:"100"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// SignIn asks for a session.
type SignIn struct {
	Login    string `json:"login" minLength:"1" maxLength:"300" doc:"SLUG.USER, or an email"`
	Password string `json:"password" minLength:"1" maxLength:"1000"`
	// NewPassword replaces a password that the provider set, at the first sign-in.
	NewPassword string `json:"new_password,omitempty" maxLength:"1000"`
	// Code is wanted where the account has a second factor.
	Code string `json:"code,omitempty" maxLength:"100" doc:"What the account's authenticator shows, or a recovery code"`
	// Cookie is for pages: the token goes into a cookie that their scripts cannot read.
	Cookie bool `json:"cookie,omitempty" doc:"Keep the token in the browser's cookie instead of answering it"`
}

// Session is a signed-in user. Token is its secret, shown once and at rotation.
type Session struct {
	ID        string    `json:"id"`
	User      string    `json:"user"`
	CreatedAt time.Time `json:"created_at"`
	UsedAt    time.Time `json:"used_at"`
	ExpiresAt time.Time `json:"expires_at" doc:"When it ends if it is not used"`
	EndsAt    time.Time `json:"ends_at" doc:"When it ends in any case"`
	Address   string    `json:"address"`
	Agent     string    `json:"agent"`
	Current   bool      `json:"current"`
	Token     string    `json:"token,omitempty"`
}

// Me says who the credential is.
type Me struct {
	ID         string `json:"id" doc:"The user's or API key's id"`
	Credential string `json:"credential"`
	Kind       string `json:"kind" enum:"session,api-key"`
	Role       string `json:"role"`
	Tenant     string `json:"tenant,omitempty"`
	TenantSlug string `json:"tenant_slug,omitempty"`
	Email      string `json:"email,omitempty"`
	Name       string `json:"name,omitempty"`
	Login      string `json:"login,omitempty" doc:"What a user signs in with: SLUG.USER, by SFTP too, or the email for the provider's people"`
}

// Setup makes the first system admin with the single-use token of a setup link.
type Setup struct {
	Token    string `json:"token"`
	Email    string `json:"email" format:"email"`
	Password string `json:"password" minLength:"12" maxLength:"1000"`
}

// Token is a credential, shown once.
type Token struct {
	Token string `json:"token"`
}

// Column is a column of a dataset.
type Column struct {
	Name        string   `json:"name"`
	Type        string   `json:"type"`
	Scale       int      `json:"scale,omitempty"`
	Unit        string   `json:"unit,omitempty"`
	Required    bool     `json:"required"`
	Role        string   `json:"role,omitempty"`
	Description string   `json:"description,omitempty"`
	Rules       []string `json:"rules,omitempty" doc:"What its values must be, in words"`
}

// Dataset is a version of a named contract for files.
type Dataset struct {
	ID          string    `json:"id"`
	Version     int64     `json:"version"`
	Title       string    `json:"title,omitempty"`
	Description string    `json:"description,omitempty"`
	Columns     []Column  `json:"columns"`
	Cadence     string    `json:"cadence"`
	FileName    string    `json:"file_name,omitempty" doc:"What files are called, with {date} and {participant}, if the contract has a form for it"`
	Words       []string  `json:"words,omitempty" doc:"The contract in plain words: what a file must be"`
	Retention   int       `json:"retention_days,omitempty" doc:"For how many days from its receipt a file is kept; absent: as long as its tenant"`
	Hash        string    `json:"hash" doc:"SHA-256 of the contract, in hexadecimal"`
	Source      string    `json:"source,omitempty" doc:"The YAML as applied"`
	Changed     *bool     `json:"changed,omitempty" doc:"In the answer to applying: whether this made a version"`
	CreatedAt   time.Time `json:"created_at"`
	CreatedBy   string    `json:"created_by"`
}

// Submission is a file that a participant sent for a dataset and a business
// date. Problems is there for its own tenant only.
type Submission struct {
	ID             string      `json:"id"`
	Tenant         string      `json:"tenant"`
	TenantSlug     string      `json:"tenant_slug,omitempty"`
	Dataset        string      `json:"dataset"`
	DatasetVersion int64       `json:"dataset_version"`
	Date           string      `json:"date"`
	Revision       int64       `json:"revision"`
	State          string      `json:"state" enum:"received,validating,accepted,rejected,superseded,withdrawn"`
	Name           string      `json:"name"`
	Channel        string      `json:"channel"`
	Size           int64       `json:"size"`
	Rows           *int64      `json:"rows,omitempty"`
	Columns        *int64      `json:"columns,omitempty"`
	ErrorCount     *int64      `json:"error_count,omitempty"`
	Problems       []FileError `json:"problems,omitempty" doc:"The first 100, for the tenant's own people"`
	SHA256         string      `json:"sha256,omitempty" doc:"For the tenant's own people"`
	Commitment     string      `json:"commitment" doc:"SHA-256(salt | SHA-256 of the file); manifests name the file by it"`
	ReceivedAt     time.Time   `json:"received_at"`
	DueAt          *time.Time  `json:"due_at,omitempty" doc:"When it was due, if its contract says so"`
	CutOffAt       *time.Time  `json:"cut_off_at,omitempty" doc:"Until when files count in scheduled runs for its period"`
	Late           bool        `json:"late" doc:"Received after the dataset's due time for its date"`
	AfterCutOff    bool        `json:"after_cut_off" doc:"Received after the cut-off, and the period was not reopened: scheduled runs for it leave the file out"`
	DuplicateOf    string      `json:"duplicate_of,omitempty" doc:"The submission before it, which has the same bytes"`
	Notes          []string    `json:"notes,omitempty" doc:"What lateness, repetition or a withdrawal mean for it, in words"`
	ValidatedAt    *time.Time  `json:"validated_at,omitempty"`
	ClosedAt       *time.Time  `json:"closed_at,omitempty"`
	DeletesAt      *time.Time  `json:"deletes_at,omitempty" doc:"When its bytes are deleted, as the dataset's retention says now"`
	DeletedAt      *time.Time  `json:"deleted_at,omitempty" doc:"When its bytes were deleted"`
	DeletedFor     string      `json:"deleted_for,omitempty" enum:"tenant,retention" doc:"By whom"`
	Held           bool        `json:"held,omitempty" doc:"A legal hold keeps its bytes"`
	SubmittedBy    string      `json:"submitted_by"`
}

// FileError is one thing wrong with a file. Row counts data rows from 1; 0 means
// the file as a whole.
type FileError struct {
	Row     int64  `json:"row,omitempty"`
	Column  string `json:"column,omitempty"`
	Code    string `json:"code"`
	Message string `json:"message"`
}
