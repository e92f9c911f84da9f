package client

import "time"

// Entrance is what the pages before signing in can do at this server.
type Entrance struct {
	Mail         bool   `json:"mail" doc:"Whether mails go out: without, nobody signs up, and administrators set passwords"`
	TenantSignUp bool   `json:"tenant_sign_up" doc:"Whether a new organisation can sign up"`
	NoAdmin      bool   `json:"no_admin,omitempty" doc:"Whether nobody can sign in yet: the first system admin is made with tributary setup-link on the server"`
	OIDC         string `json:"oidc,omitempty" doc:"What people know the issuer as where the provider's people can sign in; absent: there is none"`
}

// Invitation asks somebody to join, by a link that is good for 72 hours and works once.
type Invitation struct {
	ID        string    `json:"id"`
	Tenant    string    `json:"tenant,omitempty" doc:"The tenant's id; absent for the provider's people"`
	State     string    `json:"state" enum:"open,expired"`
	User      string    `json:"user" doc:"Id of the user who is invited, and active once they have come"`
	Email     string    `json:"email"`
	Name      string    `json:"name,omitempty"`
	Role      string    `json:"role"`
	Mailed    bool      `json:"mailed" doc:"False where no mails go out"`
	Path      string    `json:"path,omitempty" doc:"Of the link, to be given to whom it is for: only where it was not mailed, and only in the answer to making it"`
	SentAt    time.Time `json:"sent_at"`
	ExpiresAt time.Time `json:"expires_at"`
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by"`
}

// NewInvitation asks for an invitation. A credential of a tenant invites to that tenant
// only: Tenant is then ignored.
type NewInvitation struct {
	Tenant string `json:"tenant,omitempty" doc:"Id or slug; for the provider's credentials only, and only until the tenant is claimed"`
	Email  string `json:"email" format:"email" maxLength:"254"`
	Name   string `json:"name,omitempty" maxLength:"200"`
	Role   string `json:"role" enum:"system_admin,auditor,analyst,tenant_admin,tenant_user"`
}

// LinkToken is the token of a link that was mailed.
type LinkToken struct {
	Token string `json:"token" minLength:"1" maxLength:"200"`
}

// Invited is what who has an invitation's link is told of it.
type Invited struct {
	State     string    `json:"state" enum:"open,used,expired,ended" doc:"Ended: taken back, or replaced by a newer link"`
	By        string    `json:"by,omitempty" doc:"Who invites"`
	To        string    `json:"to,omitempty" doc:"The name of the tenant, or the provider's staff"`
	Email     string    `json:"email,omitempty"`
	Login     string    `json:"login,omitempty"`
	Name      string    `json:"name,omitempty"`
	Role      string    `json:"role,omitempty"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Acceptor takes an invitation up.
type Acceptor struct {
	Token    string `json:"token" minLength:"1" maxLength:"200"`
	Name     string `json:"name,omitempty" maxLength:"200"`
	Password string `json:"password" minLength:"12" maxLength:"1000"`
	Cookie   bool   `json:"cookie,omitempty" doc:"Set the session's token as a cookie that scripts cannot read, instead of answering it: for browsers"`
}

// Joined is who has just come in.
type Joined struct {
	User     string `json:"user"`
	Login    string `json:"login" doc:"What to sign in with from now on"`
	Role     string `json:"role"`
	Tenant   string `json:"tenant,omitempty"`
	SignedIn bool   `json:"signed_in" doc:"False where the tenant lets nobody in from this address"`
	Token    string `json:"token,omitempty" doc:"The session's, unless it is in a cookie"`
}

// Forgotten asks for a link to set a password with.
type Forgotten struct {
	Login string `json:"login" minLength:"1" maxLength:"300" doc:"SLUG.USER, or an email"`
}

// Asked is the answer to whoever asks, whatever is known of them.
type Asked struct {
	ID        string    `json:"id,omitempty" doc:"Of a sign-up: needed with the code"`
	ExpiresAt time.Time `json:"expires_at" doc:"When the code or link that may have been mailed ends"`
}

// Resetting is what who has a link to set a password with is told of it.
type Resetting struct {
	State     string    `json:"state" enum:"open,used,expired,ended" doc:"Ended: replaced by a newer link"`
	Login     string    `json:"login,omitempty"`
	ExpiresAt time.Time `json:"expires_at"`
}

// PasswordReset sets a password by a link.
type PasswordReset struct {
	Token    string `json:"token" minLength:"1" maxLength:"200"`
	Password string `json:"password" minLength:"12" maxLength:"1000"`
}

// SignUp asks for a code to sign up with.
type SignUp struct {
	Email string `json:"email" format:"email" maxLength:"254"`
}

// SignUpCode is the code that was mailed.
type SignUpCode struct {
	ID   string `json:"id" maxLength:"100"`
	Code string `json:"code" minLength:"1" maxLength:"20"`
}

// SignUpTicket is what a right code is exchanged for.
type SignUpTicket struct {
	Ticket    string    `json:"ticket"`
	ExpiresAt time.Time `json:"expires_at"`
	Email     string    `json:"email"`
	Tenant    string    `json:"tenant,omitempty" doc:"The name of the tenant that the account will be in; absent: a new one"`
}

// NewMember makes the account of who signs up.
type NewMember struct {
	Ticket       string `json:"ticket" minLength:"1" maxLength:"200"`
	Name         string `json:"name,omitempty" maxLength:"200"`
	Password     string `json:"password" minLength:"12" maxLength:"1000"`
	Organisation string `json:"organisation,omitempty" maxLength:"150" doc:"The name of a new tenant, for who joins none"`
	Cookie       bool   `json:"cookie,omitempty" doc:"Set the session's token as a cookie that scripts cannot read, instead of answering it: for browsers"`
}

// Domain is one whose people sign up to a tenant by themselves, once it is approved.
type Domain struct {
	ID         string     `json:"id"`
	Tenant     string     `json:"tenant"`
	Domain     string     `json:"domain"`
	State      string     `json:"state" enum:"vouched,approved" doc:"Vouched: the provider says that it is the tenant's, and an admin of the tenant has to approve it before anybody signs up"`
	VouchedAt  *time.Time `json:"vouched_at,omitempty"`
	VouchedBy  string     `json:"vouched_by,omitempty"`
	ApprovedAt *time.Time `json:"approved_at,omitempty"`
	ApprovedBy string     `json:"approved_by,omitempty"`
	Proof      string     `json:"proof,omitempty" doc:"Of the approval: the user whose address proved it, or provider"`
	CreatedAt  time.Time  `json:"created_at"`
}

// NewDomain approves a domain for one's own tenant, or, of the provider, vouches for one
// of the tenant named.
type NewDomain struct {
	Tenant string `json:"tenant,omitempty" doc:"Id or slug; for the provider's credentials only"`
	Domain string `json:"domain" minLength:"3" maxLength:"254"`
}
