package account

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/mail"
	"regexp"
	"strings"
	"time"

	"tributary/internal/audit"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// User is a person, of a tenant or of the provider. An admin makes it; disabling
// ends its credentials at once; the tenant's erasure removes it.
type User struct {
	ID           string
	Tenant       tenant.ID // empty: the provider's
	TenantSlug   string
	Name         string
	Email        string // lower case
	Role         policy.Role
	State        UserState
	HasPassword  bool
	SecondFactor bool // signing in takes a code beside the password
	ProviderMade bool // made by the provider for a tenant
	SignedInAt   *time.Time
	Made

	login        string // the part after the dot
	password     string // argon2id
	secondFactor string // the id of the one that is on
}

// UserState says whether a user may sign in.
type UserState string

// The states.
const (
	UserActive   UserState = "active"
	UserDisabled UserState = "disabled"
	UserInvited  UserState = "invited" // and has not come yet
)

// Login is what the user signs in with: SLUG.USER, or the email for the
// provider's people.
func (u User) Login() string {
	if u.Tenant == "" {
		return u.Email
	}
	return u.TenantSlug + "." + u.login
}

// NewUser asks for a user.
type NewUser struct {
	Email        string
	Login        string // the part after the dot; made from the email if empty
	Name         string
	Role         policy.Role
	Password     string // empty: none
	SSHPublicKey string // a line of authorized_keys; empty: none

	invited bool   // it waits for an invitation to be taken up
	hash    string // of a password of its own, instead of Password
}

const userColumns = `u.id, u.tenant, COALESCE(t.slug, ''), u.login, u.email, u.name, u.role, u.password, u.second_factor, u.state, u.provider_made, u.signed_in_at,
	u.created_at, u.created_by, u.modified_at, u.modified_by, u.times_modified, u.mac`

const userTables = ` FROM users u LEFT JOIN tenants t ON t.id = u.tenant `

func (a *Accounts) scanUser(row scanner) (User, error) {
	var u User
	var made, created, modified int64
	var signedIn sql.NullInt64
	var mac []byte
	if err := row.Scan(&u.ID, &u.Tenant, &u.TenantSlug, &u.login, &u.Email, &u.Name, &u.Role, &u.password, &u.secondFactor, &u.State, &made, &signedIn,
		&created, &u.CreatedBy, &modified, &u.ModifiedBy, &u.TimesModified, &mac); err != nil {
		return u, err
	}
	u.HasPassword, u.SecondFactor, u.ProviderMade, u.SignedInAt = u.password != "", u.secondFactor != "", made != 0, meta.Moment(signedIn)
	u.CreatedAt, u.ModifiedAt = meta.Time(created), meta.Time(modified)
	if err := a.Keys.CheckMAC(mac, "user", u.fields()...); err != nil {
		return u, fmt.Errorf("user %s: %w", u.ID, err)
	}
	return u, nil
}

// fields are what the row's MAC covers: all that grants power. A second factor is one
// more field, so that rows of before there were any keep their MAC.
func (u User) fields() []any {
	list := []any{u.ID, string(u.Tenant), u.login, u.Email, string(u.Role), u.password, string(u.State), u.ProviderMade}
	if u.secondFactor != "" {
		list = append(list, u.secondFactor)
	}
	return list
}

func noUser(id string) error { return fault.New(fault.NotFound, "There is no user %q.", id) }

func (a *Accounts) user(ctx context.Context, db *meta.DB, id tenant.ID, user string) (User, error) {
	u, err := a.scanUser(db.RowsOf(id).QueryRow(ctx, `SELECT `+userColumns+userTables+`WHERE u.id = $1 AND u.tenant = $2`, user, string(id)))
	if errors.Is(err, sql.ErrNoRows) {
		return u, noUser(user)
	}
	if err != nil {
		return u, fmt.Errorf("find user %s: %w", user, err)
	}
	return u, nil
}

// User returns a user of the scope's tenant.
func (a *Accounts) User(ctx context.Context, scope tenant.Scope, id string) (User, error) {
	u, err := a.user(ctx, a.DB, scope.Tenant(), id)
	if err != nil {
		return u, err
	}
	return u, scope.Check(ctx, tenant.Read, tenant.Credentials.One(id))
}

// UnscopedUser returns a user of any tenant, or of the provider.
func (a *Accounts) UnscopedUser(ctx context.Context, id string) (User, error) {
	u, err := a.scanUser(a.DB.Unscoped().QueryRow(ctx, `SELECT `+userColumns+userTables+`WHERE u.id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return u, noUser(id)
	}
	if err != nil {
		return u, fmt.Errorf("find user %s: %w", id, err)
	}
	return u, nil
}

// Users lists the people of the scope's tenant.
func (a *Accounts) Users(ctx context.Context, scope tenant.Scope, page meta.Page) ([]User, string, error) {
	if err := scope.Check(ctx, tenant.Read, tenant.Credentials); err != nil {
		return nil, "", err
	}
	return a.listUsers(ctx, a.DB.RowsOf(scope.Tenant()), scope.Tenant(), page)
}

// UnscopedUsers lists the people of a tenant, or the provider's for "".
func (a *Accounts) UnscopedUsers(ctx context.Context, id tenant.ID, page meta.Page) ([]User, string, error) {
	return a.listUsers(ctx, a.DB.Unscoped(), id, page)
}

// UserList is how users are searched, filtered and sorted.
var UserList = meta.List[User]{
	Select: userColumns, From: userTables, Order: "-created_at", Key: []meta.Key{{SQL: "u.id", Kind: meta.Text}},
	Columns: []meta.Column[User]{
		{Name: "id", Kind: meta.Ident, SQL: "u.id", Search: true},
		{Name: "login", Kind: meta.Text, SQL: "u.login", Search: true, Sort: true},
		{Name: "email", Kind: meta.Text, SQL: "u.email", Search: true, Sort: true},
		{Name: "name", Kind: meta.Text, SQL: "u.name", Search: true, Sort: true},
		{Name: "role", Kind: meta.Choice, SQL: "u.role", Values: []string{string(policy.SystemAdmin), string(policy.Auditor), string(policy.Analyst), string(policy.TenantAdmin), string(policy.TenantUser)}},
		{Name: "state", Kind: meta.Choice, SQL: "u.state", Values: []string{string(UserActive), string(UserDisabled), string(UserInvited)}},
		{Name: "signed_in_at", Kind: meta.Instant, SQL: "u.signed_in_at", Null: true, Sort: true},
		{Name: "created_at", Kind: meta.Instant, SQL: "u.created_at", Sort: true},
	},
}

func (a *Accounts) listUsers(ctx context.Context, db *meta.DB, id tenant.ID, page meta.Page) ([]User, string, error) {
	var where meta.Where
	where.And("u.tenant = ?", string(id))
	list, next, err := UserList.Read(ctx, db, &where, page, func(row meta.Scanner) (User, error) { return a.scanUser(row) })
	if err != nil {
		return nil, "", fmt.Errorf("list users: %w", err)
	}
	return list, next, nil
}

// CreateUser makes a user of the scope's tenant.
func (a *Accounts) CreateUser(ctx context.Context, scope tenant.Scope, n NewUser) (User, error) {
	if err := scope.Check(ctx, tenant.Write, tenant.Credentials); err != nil {
		return User{}, err
	}
	return a.createUser(ctx, a.DB, scope.Actor(), scope.Tenant(), false, n)
}

// UnscopedCreateUser makes a user of the provider (for ""), or of a tenant that
// is not claimed yet; that of a claimed one is a Conflict.
func (a *Accounts) UnscopedCreateUser(ctx context.Context, by string, id tenant.ID, n NewUser) (User, error) {
	if id != "" {
		if _, err := a.unclaimed(ctx, a.DB, id); err != nil {
			return User{}, err
		}
	}
	return a.createUser(ctx, a.DB, by, id, id != "", n)
}

var loginForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)

var notLogin = regexp.MustCompile(`[^a-z0-9_-]+`)

func (n *NewUser) check(id tenant.ID) error {
	addr, err := mail.ParseAddress(n.Email)
	if err != nil || addr.Address != n.Email || len(n.Email) > 254 {
		return fault.New(fault.Invalid, "%q is not an email address.", n.Email)
	}
	n.Email = strings.ToLower(n.Email)
	switch {
	case !n.Role.Valid():
		return fault.New(fault.Invalid, "There is no role %q.", n.Role)
	case n.Role.Staff() && id != "":
		return fault.New(fault.Invalid, "The role %s is for the provider's people; a tenant has tenant_admin and tenant_user.", n.Role)
	case !n.Role.Staff() && id == "":
		return fault.New(fault.Invalid, "The role %s is for a tenant's people; name the tenant.", n.Role)
	}
	if n.Login == "" {
		local, _, _ := strings.Cut(n.Email, "@")
		n.Login = strings.Trim(notLogin.ReplaceAllString(local, "-"), "-_")
		n.Login = n.Login[:min(len(n.Login), 32)]
	}
	if !loginForm.MatchString(n.Login) {
		return fault.New(fault.Invalid, "The login %q must be 1 to 32 lower-case letters, digits, hyphens and underscores, starting with a letter or digit.", n.Login)
	}
	if n.Password != "" {
		return checkPassword(n.Password)
	}
	return nil
}

func (a *Accounts) createUser(ctx context.Context, db *meta.DB, by string, id tenant.ID, provider bool, n NewUser) (User, error) {
	given := n.Login != ""
	if err := n.check(id); err != nil {
		return User{}, err
	}
	var key NewSSHKey
	if n.SSHPublicKey != "" {
		key = NewSSHKey{Name: "first key", PublicKey: n.SSHPublicKey}
		if err := key.check(a.Clock.Now()); err != nil {
			return User{}, err
		}
	}
	hash := n.hash
	if n.Password != "" {
		var err error
		if hash, err = a.hash(ctx, n.Password); err != nil {
			return User{}, err
		}
	}
	now := a.Clock.Now()
	u := User{ID: a.Clock.ID("usr"), Tenant: id, login: n.Login, Email: n.Email, Name: n.Name, Role: n.Role, State: UserActive,
		password: hash, HasPassword: hash != "",
		Made: Made{CreatedAt: now, CreatedBy: by, ModifiedAt: now, ModifiedBy: by}}
	if n.invited {
		u.State = UserInvited
	}
	err := db.Transact(ctx, func(tx *meta.DB) error {
		if provider { // again, now that nothing can come between
			if _, err := a.unclaimed(ctx, tx, id); err != nil {
				return err
			}
		}
		made, err := a.derived(ctx, tx, id, by)
		if err != nil {
			return fmt.Errorf("look for maker of user: %w", err)
		}
		u.ProviderMade = provider || made
		if err := a.peer(ctx, tx, id, by, u.Role); err != nil {
			return err
		}
		if err := a.freeLogin(ctx, tx, &u, given); err != nil {
			return err
		}
		if err := a.insertUser(ctx, tx, u); err != nil {
			return err
		}
		if n.SSHPublicKey != "" {
			if _, err := a.insertSSHKey(ctx, tx, by, u, provider, key); err != nil {
				return err
			}
		}
		if n.Password != "" {
			if err := a.tellPassword(ctx, tx, u); err != nil {
				return err
			}
		}
		return a.record(ctx, tx, id, provider, audit.Entry{Actor: by, Verb: "user.create", Subject: u.ID, Outcome: "ok",
			Details: map[string]any{"email": u.Email, "role": u.Role, "login": u.login}})
	})
	if err != nil {
		return User{}, err
	}
	return a.user(ctx, db, id, u.ID)
}

// freeLogin refuses a login or email that the tenant has already; a login that
// was made from the email gets a number instead.
func (a *Accounts) freeLogin(ctx context.Context, tx *meta.DB, u *User, given bool) error {
	base := u.login
	for n := 2; ; n++ {
		var logins, emails int64
		if err := tx.RowsOf(u.Tenant).QueryRow(ctx, `
			SELECT COALESCE(SUM(CASE WHEN login = $2 THEN 1 ELSE 0 END), 0), COALESCE(SUM(CASE WHEN email = $3 THEN 1 ELSE 0 END), 0) FROM users WHERE tenant = $1`,
			string(u.Tenant), u.login, u.Email).Scan(&logins, &emails); err != nil {
			return fmt.Errorf("look for login: %w", err)
		}
		switch {
		case emails > 0:
			return fault.New(fault.Conflict, "There is a user with the email %q already.", u.Email)
		case logins == 0:
			return nil
		case given || n > 100:
			return fault.New(fault.Conflict, "There is a user with the login %q already.", u.login)
		}
		u.login = fmt.Sprintf("%s-%d", base[:min(len(base), 28)], n)
	}
}

func (a *Accounts) insertUser(ctx context.Context, tx *meta.DB, u User) error {
	_, err := tx.RowsOf(u.Tenant).Exec(ctx, `
		INSERT INTO users (id, tenant, login, email, name, role, password, state, provider_made, created_at, created_by, modified_at, modified_by, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $10, $11, $12)`,
		u.ID, string(u.Tenant), u.login, u.Email, u.Name, string(u.Role), u.password, string(u.State), u.ProviderMade,
		meta.Micros(u.CreatedAt), u.CreatedBy, a.Keys.MAC("user", u.fields()...))
	if err != nil {
		return fmt.Errorf("insert user: %w", err)
	}
	return nil
}

// UserPatch changes what is not nil.
type UserPatch struct {
	Name  *string
	Role  *policy.Role
	State *UserState
}

// UpdateUser changes a user of the scope's tenant.
func (a *Accounts) UpdateUser(ctx context.Context, scope tenant.Scope, id string, p UserPatch) (User, error) {
	return a.changeUser(ctx, scope.Actor(), scope.Tenant(), id, "user.update", false,
		func(*meta.DB) error { return scope.Check(ctx, tenant.Write, tenant.Credentials.One(id)) }, func(_ *meta.DB, u *User) error { return u.apply(p) })
}

// UnscopedUpdateUser changes one of the provider's own people. It may disable a
// tenant's user, which takes power away, but nothing else of one.
func (a *Accounts) UnscopedUpdateUser(ctx context.Context, by, id string, p UserPatch) (User, error) {
	u, err := a.UnscopedUser(ctx, id)
	if err != nil {
		return u, err
	}
	if u.Tenant != "" && (p.Name != nil || p.Role != nil || p.State == nil || *p.State != UserDisabled) {
		return u, fault.New(fault.Conflict, "Only the tenant's own admins change its users; the provider can disable one.")
	}
	return a.changeUser(ctx, by, u.Tenant, id, "user.update", true, func(*meta.DB) error { return nil }, func(_ *meta.DB, u *User) error { return u.apply(p) })
}

func (u *User) apply(p UserPatch) error {
	if p.Name != nil {
		u.Name = *p.Name
	}
	if p.Role != nil {
		if !p.Role.Valid() || p.Role.Staff() != (u.Tenant == "") {
			return fault.New(fault.Invalid, "The role %q is not one that this user can have.", *p.Role)
		}
		u.Role = *p.Role
	}
	if p.State != nil {
		if *p.State != UserActive && *p.State != UserDisabled {
			return fault.New(fault.Invalid, "There is no state %q; it is active or disabled.", *p.State)
		}
		if u.State == UserInvited {
			return fault.New(fault.Conflict, "The user %q is invited and becomes active by that; take the invitation back instead.", u.ID)
		}
		u.State = *p.State
	}
	return nil
}

// changeUser loads, changes and saves a user, refuses to take away the last
// admin, and ends the user's sessions and keys where power was taken away: with an
// admin's, the API keys that it made.
func (a *Accounts) changeUser(ctx context.Context, by string, id tenant.ID, user, verb string, provider bool, check func(*meta.DB) error, change func(*meta.DB, *User) error) (User, error) {
	var u User
	var ended []string
	var changed bool
	err := a.DB.Transact(ctx, func(tx *meta.DB) error {
		ended = nil
		var err error
		if u, err = a.user(ctx, tx, id, user); err != nil {
			return err
		}
		if err := check(tx); err != nil {
			return err
		}
		before := u
		if err := change(tx, &u); err != nil {
			return err
		}
		if u.Role != before.Role || u.State == UserActive && before.State != UserActive || (u.password != before.password || u.secondFactor != before.secondFactor) && by != u.ID {
			if err := a.peer(ctx, tx, id, by, u.Role); err != nil {
				return err
			}
		}
		if err := a.saveUser(ctx, tx, by, &u); err != nil {
			return err
		}
		if before.State == UserActive && before.Role.Admin() && (u.State != UserActive || !u.Role.Admin()) {
			if err := a.keepAdmin(ctx, tx, id); err != nil {
				return err
			}
		}
		changed = u.State != before.State || u.Role != before.Role
		if changed || u.password != before.password || u.secondFactor != before.secondFactor {
			if ended, err = a.endSessions(ctx, tx, u); err != nil {
				return err
			}
		}
		if u.State == UserDisabled && before.State != UserDisabled {
			keys, err := a.endSSHKeys(ctx, tx, by, u)
			if err != nil {
				return err
			}
			ended = append(ended, keys...)
		}
		if u.State == UserDisabled && before.State != UserDisabled || before.Role.Admin() && !u.Role.Admin() {
			keys, err := a.endKeysMadeBy(ctx, tx, by, u.ID, u.Tenant, u.Tenant == "")
			if err != nil {
				return err
			}
			ended = append(ended, keys...)
		}
		return a.record(ctx, tx, id, provider, audit.Entry{Actor: by, Verb: verb, Subject: u.ID, Outcome: "ok",
			Details: map[string]any{"role": u.Role, "state": u.State}})
	})
	if err == nil {
		a.revoked(ended)
		if changed { // SSH keys stay, with another role
			a.Policy.EndScopesOf(u.ID)
		}
	}
	return u, err
}

// revoked tells policy, after the commit, so that live scopes end at once.
func (a *Accounts) revoked(ids []string) {
	for _, id := range ids {
		a.Policy.RevokeCredential(id)
	}
}

func (a *Accounts) saveUser(ctx context.Context, tx *meta.DB, by string, u *User) error {
	u.ModifiedAt, u.ModifiedBy, u.TimesModified = a.Clock.Now(), by, u.TimesModified+1
	u.HasPassword, u.SecondFactor = u.password != "", u.secondFactor != ""
	_, err := tx.RowsOf(u.Tenant).Exec(ctx, `
		UPDATE users SET name = $1, role = $2, password = $3, state = $4, provider_made = $5, signed_in_at = $6, modified_at = $7, modified_by = $8, times_modified = $9, mac = $10, second_factor = $11
		WHERE id = $12 AND tenant = $13`,
		u.Name, string(u.Role), u.password, string(u.State), u.ProviderMade, u.SignedInAt,
		meta.Micros(u.ModifiedAt), by, u.TimesModified, a.Keys.MAC("user", u.fields()...), u.secondFactor, u.ID, string(u.Tenant))
	if err != nil {
		return fmt.Errorf("save user %s: %w", u.ID, err)
	}
	return nil
}

// keepAdmin refuses a change that would leave nobody who can sign in and manage.
func (a *Accounts) keepAdmin(ctx context.Context, tx *meta.DB, id tenant.ID) error {
	role := policy.SystemAdmin
	if id != "" {
		role = policy.TenantAdmin
	}
	var left int64
	if err := tx.RowsOf(id).QueryRow(ctx, `SELECT count(*) FROM users WHERE tenant = $1 AND role = $2 AND state = $3`,
		string(id), string(role), string(UserActive)).Scan(&left); err != nil {
		return fmt.Errorf("count admins: %w", err)
	}
	if left == 0 {
		return fault.New(fault.Conflict, "This is the last %s; make another one first.", role)
	}
	return nil
}
