package isolation

import (
	"fmt"
	"strings"
	"time"
)

// gone ends credentials in the model, and in the very next request wants the
// server to agree.
func (w *world) gone(status int, list ...*credential) {
	w.t.Helper()
	for _, c := range list {
		if c == nil || status == anon && c.dead {
			continue
		}
		c.dead = c.dead || status == anon
		a := w.send(w.stranger(), w.ops["me"], c.token, "", shot{}, nil)
		if a.status != status && (c.tenant == nil || !c.tenant.fading) {
			w.fail("the request after %s ended: got %d %s, want %d; before:\n\t%s", w.who(c), a.status, a.body, status, strings.Join(w.trail, "\n\t"))
		}
	}
}

func (w *world) sessionsOf(u *user) []*credential {
	var list []*credential
	for _, c := range w.creds {
		if c.user == u && !c.dead {
			list = append(list, c)
			w.things[c.id].gone = true
		}
	}
	return list
}

// credentialsOf lists a tenant's that live.
func (w *world) credentialsOf(t *tenant) []*credential {
	var list []*credential
	for _, c := range w.creds {
		if c.tenant == t && !c.dead && c.only == "" && c.expires.IsZero() {
			list = append(list, c)
		}
	}
	return list
}

func setup(*world, *credential, string) shot {
	return shot{body: document(map[string]any{"token": "tru_nonsense", "email": "x@provider.test", "password": "a long enough password"}), want: []int{anon}}
}

func signIn(w *world, _ *credential, _ string) shot {
	u := pick(w, w.users)
	password, want := u.password, []int{created, tooMany}
	switch {
	case u.password == "" || w.chance(15):
		password, want = "not the password", []int{anon, tooMany}
	case u.lost || u.tenant != nil && u.tenant.fading:
		want = append(want, anon, clash)
	case u.disabled, u.tenant != nil && u.tenant.state == "suspended", u.tenant != nil && u.tenant.state == "offboarding" && u.role != 'A':
		want = []int{anon, tooMany}
	}
	body := map[string]any{"login": u.login, "password": password}
	next := password
	if u.provided && u.role == 'A' {
		next = w.password()
		body["new_password"] = next
	}
	return shot{body: document(body), want: want, then: func(a *answer) { w.signedIn(u, next, a) }}
}

// password is a new one that nothing may repeat.
func (w *world) password() string {
	w.serial++
	text := fmt.Sprintf("%spassword%d%x", mark, w.serial, w.random.Uint64())
	w.secrets = append(w.secrets, text)
	return text
}

// signedIn is what a sign-in changes.
func (w *world) signedIn(u *user, password string, a *answer) *credential {
	w.t.Helper()
	c := &credential{id: a.field("id"), token: a.field("token"), tenant: u.tenant, user: u, role: u.role, person: u.id}
	w.secrets = append(w.secrets, c.token)
	x := w.know(sessions, c.id, u.tenant)
	x.user, x.key = u, c
	w.creds = append(w.creds, c)
	first := (!u.signedIn || u.provided) && u.role == 'A' && u.tenant != nil
	if u.provided && u.role == 'A' {
		u.password, u.provided = password, false
	}
	u.signedIn = true
	if first {
		w.takenOver(u)
	}
	return c
}

// takenOver is what the first sign-in of a tenant's admin ends: all that the provider made.
func (w *world) takenOver(u *user) {
	w.t.Helper()
	u.tenant.claimed = true
	for _, x := range w.things {
		if x.tenant == u.tenant && x.kind == invitations && x.given && !x.gone {
			w.uninvited(x)
		}
		if x.tenant == u.tenant && x.kind == sshKeys {
			x.gone = x.gone || x.key != nil
		}
	}
	for _, k := range w.creds {
		if k.tenant == u.tenant && k.provided {
			w.things[k.id].gone = true
			w.gone(anon, k)
		}
	}
	for _, other := range w.users {
		if other.tenant == u.tenant && other.provided && other != u {
			w.gone(anon, w.sessionsOf(other)...)
			other.password = ""
		}
	}
}

func endSession(w *world, c *credential, id string) shot {
	if id == "current" {
		if c != nil && c.user == nil {
			return shot{want: []int{clash}}
		}
		return shot{want: []int{empty}, then: func(*answer) { w.things[c.id].gone = true; w.gone(anon, c) }}
	}
	return shot{want: []int{empty}, then: func(*answer) {
		if x := w.things[id]; x != nil {
			x.gone = true
			w.gone(anon, x.key)
		}
	}}
}

func changePassword(w *world, c *credential, _ string) shot {
	if c == nil || c.user == nil {
		return shot{body: document(map[string]any{"current": "whatever it may be", "new": "another long password"}), want: []int{denied}}
	}
	current, next := c.user.password, w.password()
	if w.chance(50) {
		return shot{body: document(map[string]any{"current": "not the password", "new": next}), want: []int{denied, tooMany}}
	}
	want := []int{empty, tooMany}
	if c.user.lost || c.user.password == "" {
		want = append(want, denied)
	}
	return shot{body: document(map[string]any{"current": current, "new": next}), want: want, then: func(*answer) {
		c.user.password = next
		w.gone(anon, w.sessionsOf(c.user)...)
	}}
}

func endOtherSessions(w *world, c *credential, _ string) shot {
	if c == nil || c.user == nil {
		return shot{want: []int{clash}}
	}
	return shot{want: []int{empty}, then: func(*answer) {
		for _, other := range w.creds {
			if other.user == c.user && other != c && !other.dead {
				w.things[other.id].gone = true
				w.gone(anon, other)
			}
		}
	}}
}

// own is what a request of a person's about itself says and is answered that takes its
// password, and now and then says another; a key has no such things.
func (w *world) own(c *credential, body map[string]any, right ...int) shot {
	body["password"] = "not the password"
	switch {
	case c == nil || c.user == nil:
		return shot{body: document(body), want: []int{denied}}
	case w.chance(50):
		return shot{body: document(body), want: []int{denied, tooMany}}
	}
	want := append(right, tooMany)
	if c.user.lost || c.user.password == "" {
		want = append(want, denied)
	} else {
		body["password"] = c.user.password
	}
	return shot{body: document(body), want: want}
}

func showTOTP(_ *world, c *credential, _ string) shot {
	if c == nil || c.user == nil {
		return shot{want: []int{denied}}
	}
	return shot{}
}

// startTOTP begins a second factor; the model never turns one on.
func startTOTP(w *world, c *credential, _ string) shot {
	q := w.own(c, map[string]any{}, created)
	q.then = func(a *answer) { w.secrets = append(w.secrets, a.field("secret")) }
	return q
}

func confirmTOTP(_ *world, c *credential, _ string) shot {
	want := []int{denied, clash, tooMany}
	if c == nil || c.user == nil {
		want = []int{denied}
	}
	return shot{body: document(map[string]any{"code": "no such code"}), want: want}
}

func withTOTP(w *world, c *credential, _ string) shot {
	return w.own(c, map[string]any{"code": "no such code"}, absent)
}

func addOwnSSHKey(w *world, c *credential, _ string) shot {
	var of *tenant
	if c != nil {
		of = c.tenant
	}
	public := w.line()
	q := w.own(c, map[string]any{"name": w.fresh(of, key), "public_key": public}, created, clash)
	q.then = func(a *answer) {
		k := w.know(sshKeys, a.field("id"), of)
		k.public, k.user = public, c.user
		if c.user.provided {
			k.key = c // marks it as the provider's
		}
	}
	return q
}

// mayProvide is what the provider is answered that would make a credential.
func mayProvide(t *tenant, made int) []int {
	switch {
	case t == nil:
		return []int{made}
	case t.fading:
		return []int{made, clash, absent}
	case t.claimed || t.state == "offboarding":
		return []int{clash}
	}
	return []int{made}
}

// forWhom chooses whose person or key somebody makes, in which role. A tenant's own
// credential makes its own, whoever is named.
func (w *world) forWhom(c *credential) (t, named *tenant, role byte, provided bool, want []int) {
	want = []int{created}
	switch {
	case c != nil && c.tenant != nil:
		t, named, provided = c.tenant, pick(w, w.tenants), c.provided
	case w.chance(80):
		t, provided = pick(w, w.tenants), true
		named, want = t, mayProvide(t, created)
	}
	role = pick(w, []byte("AUU"))
	if t == nil {
		role = pick(w, []byte("RN"))
	}
	return t, named, role, provided, want
}

func createUser(w *world, c *credential, _ string) shot {
	t, named, role, provided, want := w.forWhom(c)
	body := map[string]any{}
	if named != nil {
		body["tenant"] = named.slug
	}
	email := w.fresh(t, person) + "@example.com"
	if t != nil && w.chance(20) { // one that every tenant may have, once
		email = "everybody@example.com"
		if t.emails[email] && want[0] == created {
			want = []int{clash}
		}
	}
	if c.bounded(t) && c.role == role {
		want = append(want[:0:0], denied, clash)
	}
	u := &user{tenant: t, role: role, provided: provided}
	body["email"], body["name"], body["role"] = email, w.fresh(t, person), roleNames[role]
	if w.chance(4) {
		u.password = w.password()
		body["password"] = u.password
	}
	return shot{body: document(body), want: want, then: func(a *answer) { w.hired(u, email, a) }}
}

var roleNames = map[byte]string{'S': "system_admin", 'R': "auditor", 'N': "analyst", 'A': "tenant_admin", 'U': "tenant_user"}

func (w *world) hired(u *user, email string, a *answer) {
	u.id, u.login = a.field("id"), a.field("login")
	want := ""
	if u.tenant != nil {
		want = u.tenant.id
		u.tenant.emails[email] = true
	}
	if got := a.field("tenant"); got != want {
		w.fail("create-user: got a user of %q, want of %q", got, want)
	}
	w.know(users, u.id, u.tenant).user = u
	w.users = append(w.users, u)
}

func updateUser(w *world, c *credential, id string) shot {
	x := w.things[id]
	if x == nil || x.user == nil || c == nil || c.tenant == nil && x.tenant == nil {
		s := shot{body: document(map[string]any{"name": "somebody"})}
		if x != nil && x.tenant != nil && c != nil && c.tenant == nil { // whoever was invited is the tenant's too
			s.want = relaxed(x.tenant, clash)
		}
		return s
	}
	u := x.user
	if c.tenant == nil && (u.founder || w.chance(70)) {
		return shot{body: document(map[string]any{"name": "the provider was here"}), want: relaxed(x.tenant, clash)}
	}
	if u.founder {
		return shot{body: document(map[string]any{"name": w.fresh(c.tenant, person)})}
	}
	if c.tenant == nil || w.chance(25) {
		return shot{body: document(map[string]any{"state": "disabled"}), want: relaxed(x.tenant, ok, clash), then: func(*answer) {
			if u.disabled {
				return // an SSH key that was added since stays
			}
			u.disabled = true
			w.gone(anon, w.sessionsOf(u)...)
			for _, other := range w.things {
				if other.kind == sshKeys && other.user == u {
					other.gone = true
				}
			}
			w.endKeysMadeBy(u)
		}}
	}
	if w.chance(30) {
		role := pick(w, []byte("AU"))
		want := []int{ok, clash}
		if c.bounded(x.tenant) && role == c.role && role != u.role {
			want = []int{denied, clash}
		}
		return shot{body: document(map[string]any{"role": roleNames[role]}), want: want, then: func(*answer) {
			if role != u.role {
				u.role = role
				w.gone(anon, w.sessionsOf(u)...)
				if role != 'A' {
					w.endKeysMadeBy(u)
				}
			}
		}}
	}
	if u.disabled && w.chance(50) {
		want := []int{ok}
		if c.bounded(x.tenant) && u.role == c.role {
			want = []int{denied}
		}
		return shot{body: document(map[string]any{"state": "active"}), want: want, then: func(*answer) { u.disabled = false }}
	}
	return shot{body: document(map[string]any{"name": w.fresh(c.tenant, person)})}
}

// endKeysMadeBy ends the API keys that a user made, and those that were made with
// them.
func (w *world) endKeysMadeBy(u *user) {
	w.t.Helper()
	for _, k := range w.creds {
		if k.user == nil && k.tenant == u.tenant && k.person == u.id {
			w.things[k.id].gone = true
			w.gone(anon, k)
		}
	}
}

// bounded reports whether a credential is a key of the tenant that expires or is
// bound to an address, and so makes nothing that is not.
func (c *credential) bounded(t *tenant) bool {
	return c != nil && c.user == nil && c.tenant == t && (c.only != "" || !c.expires.IsZero())
}

func setPassword(w *world, c *credential, id string) shot {
	x, next := w.things[id], w.password()
	want := []int{empty}
	if c != nil && c.tenant == nil && x != nil {
		want = mayProvide(x.tenant, empty)
	}
	if c != nil && x != nil && x.user != nil && (c.user == x.user || c.bounded(x.tenant) && c.role == x.user.role) {
		want = []int{denied}
	}
	if x != nil && x.user == nil { // who is invited
		want = append(want, clash)
	}
	return shot{body: document(map[string]any{"new": next}), want: want, then: func(*answer) {
		if x == nil || x.user == nil {
			return
		}
		x.user.password, x.user.provided = next, c.tenant == nil && x.tenant != nil || c.provided
		w.gone(anon, w.sessionsOf(x.user)...)
	}}
}

func addSSHKey(w *world, c *credential, id string) shot {
	x, public := w.things[id], w.line()
	var of *tenant
	want := []int{created}
	if x != nil {
		of = x.tenant
	}
	if c != nil && c.tenant == nil {
		if want = mayProvide(of, created); of == nil {
			want = []int{invalid}
		}
	}
	if x != nil && x.user == nil { // who is invited
		want = append(want, clash)
	}
	for _, other := range w.things { // whoever else has the key
		if other.kind == sshKeys && other.public == public && x != nil && other.user == x.user && want[0] == created {
			want = append(want, clash)
		}
	}
	return shot{body: document(map[string]any{"name": w.fresh(of, key), "public_key": public}), want: want, then: func(a *answer) {
		k := w.know(sshKeys, a.field("id"), of)
		if k.public = public; x != nil {
			k.user = x.user
		}
		if c.tenant == nil || c.provided {
			k.key = c // marks it as the provider's
		}
	}}
}

func revokeSSHKey(w *world, _ *credential, id string) shot {
	return shot{want: []int{empty, absent}, then: func(*answer) {
		if x := w.things[id]; x != nil {
			x.gone = true
		}
	}}
}

func createAPIKey(w *world, c *credential, _ string) shot {
	t, named, role, provided, want := w.forWhom(c)
	body := map[string]any{}
	if named != nil {
		body["tenant"] = named.id
	}
	body["name"], body["role"] = w.fresh(t, key), roleNames[role]
	var expires time.Time
	only := ""
	switch {
	case w.chance(8):
		expires = time.Now().Add(3 * time.Second).UTC().Truncate(time.Microsecond)
		body["expires_at"] = expires
	case w.chance(8):
		only = fmt.Sprintf("127.9.%d.%d", 1+w.random.IntN(200), 1+w.random.IntN(200))
		body["ip_allow"] = []string{only}
	}
	if c.bounded(t) {
		if !c.expires.IsZero() && (expires.IsZero() || expires.After(c.expires)) {
			expires = c.expires
		}
		if c.only != "" && only != "" && only != c.only {
			want = []int{invalid}
		}
		if only == "" {
			only = c.only
		}
	}
	return shot{body: document(body), want: want, then: func(a *answer) {
		made := w.key(t, a.field("id"), a.field("key"), role, provided)
		made.expires, made.only, made.person = expires, only, c.person
		if c.user == nil {
			made.maker = c
		}
		if got := a.field("tenant"); t != nil && got != t.id || t == nil && got != "" {
			w.fail("create-api-key: got a key of %q, want of %+v", got, t)
		}
	}}
}

func revokeAPIKey(w *world, _ *credential, id string) shot {
	return shot{want: []int{empty}, then: func(*answer) {
		x := w.things[id]
		if x == nil {
			return
		}
		for _, c := range w.creds { // and those made with it
			for maker := c; maker != nil; maker = maker.maker {
				if maker == x.key { // one that has expired is revoked too
					w.things[c.id].gone = true
					w.gone(anon, c)
					break
				}
			}
		}
	}}
}
