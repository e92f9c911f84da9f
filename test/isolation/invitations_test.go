package isolation

import "fmt"

// stray is a request of a stranger who guesses.
func stray(want int, body map[string]any) func(*world, *credential, string) shot {
	return func(*world, *credential, string) shot { return shot{body: document(body), want: []int{want, tooMany}} }
}

// invite invites somebody. No mails go out, so the answer has the link.
func invite(w *world, c *credential, _ string) shot {
	t, named, role, provided, want := w.forWhom(c)
	body := map[string]any{"email": w.fresh(t, person) + "@example.com", "name": w.fresh(t, person), "role": roleNames[role]}
	if named != nil {
		body["tenant"] = named.slug
	}
	if c.bounded(t) && c.role == role {
		want = append(want[:0:0], denied, clash)
	}
	return shot{body: document(body), want: want, then: func(a *answer) {
		x := w.know(invitations, a.field("id"), t)
		x.role, x.given, x.invited = role, provided, w.know(users, a.field("user"), t)
		w.linked(x, a)
	}}
}

// linked notes the link in an answer, which must be nowhere again.
func (w *world) linked(x *thing, a *answer) {
	w.t.Helper()
	const path = "/invite#"
	link := a.field("path")
	if len(link) < len(path)+20 {
		w.fail("invitation %s: got the link %q, want one", x.id, link)
		return
	}
	x.token = link[len(path):]
	w.secrets = append(w.secrets, x.token)
}

func resendInvitation(w *world, c *credential, id string) shot {
	x := w.things[id]
	want := []int{ok}
	if c != nil && c.tenant == nil && x != nil {
		want = mayProvide(x.tenant, ok)
	}
	if x != nil && c.bounded(x.tenant) && c.role == x.role {
		want = []int{denied}
	}
	return shot{want: want, then: func(a *answer) {
		x.given = x.given || c.tenant == nil && x.tenant != nil || c.provided
		w.linked(x, a)
	}}
}

func revokeInvitation(w *world, _ *credential, id string) shot {
	return shot{want: []int{empty}, then: func(*answer) { w.uninvited(w.things[id]) }}
}

// uninvited is the end of an invitation, and of who was invited.
func (w *world) uninvited(x *thing) { x.gone, x.invited.gone = true, true }

// acceptInvitation has whom it is for come in.
func acceptInvitation(w *world, _ *credential, _ string) shot {
	var open []*thing
	for _, id := range w.ids[invitations] {
		if x := w.things[id]; x != nil && x.token != "" && !x.gone {
			open = append(open, x)
		}
	}
	if len(open) == 0 {
		return stray(absent, map[string]any{"token": "trl_nonsense", "password": "a long enough password"})(w, nil, "")
	}
	x, password := pick(w, open), w.password()
	want := []int{created, tooMany}
	if x.tenant != nil && (x.tenant.fading || x.tenant.state != "active") {
		want = []int{clash, absent, tooMany}
	}
	return shot{body: document(map[string]any{"token": x.token, "password": password}), want: want, whose: x.tenant, then: func(a *answer) {
		x.gone = true
		u := &user{tenant: x.tenant, role: x.role, provided: x.given && x.role != 'A', password: password, id: a.field("user"), login: a.field("login")}
		w.know(users, u.id, u.tenant).user = u
		w.users = append(w.users, u)
		w.secrets = append(w.secrets, a.field("token"))
		if u.signedIn = true; u.role == 'A' && u.tenant != nil {
			w.takenOver(u)
		}
	}}
}

func addDomain(w *world, c *credential, _ string) shot {
	t := pick(w, w.tenants)
	w.serial++
	body := map[string]any{"domain": fmt.Sprintf("d%d.example", w.serial), "tenant": t.slug}
	if c != nil && c.tenant != nil { // nobody has proven an address there
		return shot{body: document(body), want: []int{denied}}
	}
	want := relaxed(t, created)
	if t.state == "offboarding" {
		want = []int{clash, absent}
	}
	return shot{body: document(body), want: want, then: func(a *answer) { w.know(domains, a.field("id"), t) }}
}

func removeDomain(w *world, _ *credential, id string) shot {
	return shot{want: []int{empty}, then: func(*answer) { w.things[id].gone = true }}
}
