package account

import (
	"bytes"
	"errors"
	"io"
	"mime/quotedprintable"
	"net/mail"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/notify"
	"tributary/internal/policy"
)

const own = "a password of my own"

var away = netip.MustParseAddr("198.51.100.9")

// letters sends what waits and returns the texts of the mails that went to an address, and
// not to a person who is told, since the last call, of which there are as many as wanted.
func (w *world) letters(t *testing.T, to string, want int) []string {
	t.Helper()
	if err := errors.Join(w.AnswerDue(t.Context()), w.Notices.SendDue(t.Context())); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(w.mails, "*.eml"))
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		m, err := mail.ReadMessage(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if m.Header.Get("To") != "<"+to+">" {
			continue
		}
		text, err := io.ReadAll(quotedprintable.NewReader(m.Body))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte("somebody gave this address")) {
			texts = append(texts, strings.ReplaceAll(string(text), "\r\n", "\n"))
		}
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	if len(texts) != want {
		t.Fatalf("mails to %s: got %d %q, want %d", to, len(texts), texts, want)
	}
	return texts
}

var (
	linkIn = regexp.MustCompile(`https://data\.provider\.example/(?:invite|reset)#(trl_[a-z0-9]+)\n`)
	codeIn = regexp.MustCompile(`\n    ([0-9]{6})\n`)
)

// secretOf returns the link's token, or the code, in the one mail with such.
func secretOf(t *testing.T, what *regexp.Regexp, texts []string) string {
	t.Helper()
	var found []string
	for _, text := range texts {
		for _, m := range what.FindAllStringSubmatch(text, -1) {
			found = append(found, m[1])
		}
	}
	if len(found) != 1 {
		t.Fatalf("secrets in %q: got %q, want one", texts, found)
	}
	return found[0]
}

func (w *world) forget(t *testing.T, login string) string {
	t.Helper()
	if _, err := w.AskReset(t.Context(), login, away); err != nil {
		t.Fatal(err)
	}
	u, _, err := w.meant(t.Context(), login)
	if err != nil {
		t.Fatal(err)
	}
	return secretOf(t, linkIn, w.letters(t, u.Email, 1))
}

func TestAnInvitationIsTakenUpOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		acme, admin, scope := w.owned(t, "acme")
		made, err := w.Invite(ctx, scope, NewUser{Email: "Bob@acme.example", Role: policy.TenantUser})
		if err != nil {
			t.Fatal(err)
		}
		if made.Token != "" || !made.Mailed || made.User.State != UserInvited || made.User.Login() != "acme.bob" {
			t.Errorf("got %+v, want an invited acme.bob, and no token in the answer", made)
		}
		if _, _, err := w.signIn(t, "acme.bob", password); fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("sign-in of who is invited: got %v", err)
		}
		texts := w.letters(t, "bob@acme.example", 1)
		if !strings.Contains(texts[0], admin.Email+" invites you to acme, as a user") {
			t.Errorf("the mail does not say who invites to what:\n%s", texts[0])
		}
		token := secretOf(t, linkIn, texts)
		i, by, to, err := w.Look(ctx, token)
		if err != nil || by != admin.Email || to != "acme" || i.State != LinkOpen || i.User.Email != "bob@acme.example" {
			t.Errorf("look: got %+v by %q to %q, %v", i, by, to, err)
		}
		wantAccept := func(what, token string, want fault.Kind) {
			_, err := w.Accept(ctx, token, "Bob", own, away, "test")
			wantKind(t, what, err, want)
		}
		_, err = w.Accept(ctx, token, "Bob", "short", away, "test")
		wantKind(t, "a short password", err, fault.Invalid)
		wantAccept("another token", token+"0", fault.NotFound)

		again, err := w.Resend(ctx, scope, made.ID)
		if err != nil || again.ID != made.ID {
			t.Fatalf("resend: got %+v, %v", again, err)
		}
		wantAccept("the link before the newer one", token, fault.NotFound)
		token = secretOf(t, linkIn, w.letters(t, "bob@acme.example", 1))

		var mu sync.Mutex
		var in, out int
		var racers sync.WaitGroup
		for range 4 {
			racers.Go(func() {
				j, err := w.Accept(ctx, token, "Bob", own, away, "test")
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil && j.Token != "":
					in++
				case fault.Is(err, fault.Conflict):
					out++
				default:
					t.Errorf("accept: got %+v, %v", j, err)
				}
			})
		}
		racers.Wait()
		if in != 1 || out != 3 {
			t.Errorf("four at once: got %d in and %d out, want 1 and 3", in, out)
		}
		if i, _, _, err := w.Look(ctx, token); err != nil || i.State != LinkUsed {
			t.Errorf("look at a used one: got %q, %v", i.State, err)
		}
		if _, _, err := w.signIn(t, "acme.bob", own); err != nil {
			t.Error(err)
		}
		u, err := w.user(ctx, w.DB, acme.ID, made.User.ID)
		if err != nil || u.Name != "Bob" || u.State != UserActive || u.ProviderMade {
			t.Errorf("who came: got %+v, %v", u, err)
		}
		if list, _, err := w.Invitations(ctx, scope, meta.Page{}); err != nil || len(list) != 0 {
			t.Errorf("invitations: got %+v, %v, want none", list, err)
		}
	})
}

func TestInvitationsEnd(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, _, scope := w.owned(t, "acme")
		_, _, other := w.owned(t, "bolt")
		made, err := w.Invite(ctx, scope, NewUser{Email: "bob@acme.example", Role: policy.TenantUser})
		if err != nil {
			t.Fatal(err)
		}
		token := secretOf(t, linkIn, w.letters(t, "bob@acme.example", 1))
		_, err = w.Resend(ctx, other, made.ID)
		wantKind(t, "another tenant's resend", err, fault.NotFound)
		wantKind(t, "another tenant's revoke", w.RevokeInvitation(ctx, other, made.ID), fault.NotFound)
		_, err = w.Invite(ctx, scope, NewUser{Email: "bob@acme.example", Role: policy.TenantUser})
		wantKind(t, "a second invitation", err, fault.Conflict)
		on := UserActive
		_, err = w.UpdateUser(ctx, scope, made.User.ID, UserPatch{State: &on})
		wantKind(t, "in without a link", err, fault.Conflict)

		w.hands.Pass(invitationLife)
		_, err = w.Accept(ctx, token, "", own, away, "test")
		wantKind(t, "an expired link", err, fault.Conflict)
		if i, _, _, err := w.Look(ctx, token); err != nil || i.State != LinkExpired {
			t.Errorf("look: got %q, %v, want expired", i.State, err)
		}
		if list, _, err := w.UnscopedInvitations(ctx, scope.Tenant(), meta.Page{}); err != nil || len(list) != 1 || list[0].State != LinkExpired {
			t.Errorf("list: got %+v, %v, want one that expired", list, err)
		}
	})
}

func TestARevokedInvitationLeavesNobody(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, _, scope := w.owned(t, "acme")
		made, err := w.Invite(ctx, scope, NewUser{Email: "bob@acme.example", Role: policy.TenantUser})
		if err != nil {
			t.Fatal(err)
		}
		token := secretOf(t, linkIn, w.letters(t, "bob@acme.example", 1))
		if err := w.RevokeInvitation(ctx, scope, made.ID); err != nil {
			t.Fatal(err)
		}
		_, err = w.Accept(ctx, token, "", own, away, "test")
		wantKind(t, "its link", err, fault.Conflict)
		wantKind(t, "revoked twice", w.RevokeInvitation(ctx, scope, made.ID), fault.NotFound)
		_, err = w.User(ctx, scope, made.User.ID)
		wantKind(t, "who was invited", err, fault.NotFound)
		if _, err = w.Invite(ctx, scope, NewUser{Email: "bob@acme.example", Role: policy.TenantUser}); err != nil {
			t.Errorf("invited anew: %v", err)
		}
	})
}

// The provider invites a tenant's first people, and loses all that when they come.
func TestTheProviderInvitesUntilATenantIsClaimed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		acme := w.tenant(t, "acme")
		invite := func(email string, role policy.Role) string {
			if _, err := w.UnscopedInvite(ctx, staff, acme.ID, NewUser{Email: email, Role: role}); err != nil {
				t.Fatal(err)
			}
			return secretOf(t, linkIn, w.letters(t, email, 1))
		}
		spy, late, boss := invite("spy@provider.example", policy.TenantUser), invite("late@provider.example", policy.TenantAdmin), invite("boss@acme.example", policy.TenantAdmin)
		j, err := w.Accept(ctx, spy, "", own, away, "test")
		if err != nil || j.Token == "" || !j.User.ProviderMade {
			t.Fatalf("the first to come: got %+v, %v, want a marked user", j, err)
		}
		b, err := w.Accept(ctx, boss, "Boss", own, away, "test")
		if err != nil || b.Token == "" {
			t.Fatalf("the admin: got %+v, %v", b, err)
		}
		w.refused(t, "the marked user's session", j.Token)
		if _, _, err := w.signIn(t, j.User.Login(), own); fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("the marked user's password: got %v", err)
		}
		_, err = w.Accept(ctx, late, "", own, away, "test")
		wantKind(t, "an invitation of the provider's afterwards", err, fault.Conflict)
		_, err = w.UnscopedInvite(ctx, staff, acme.ID, NewUser{Email: "x@provider.example", Role: policy.TenantAdmin})
		wantKind(t, "the provider invites afterwards", err, fault.Conflict)
		if _, err := w.AskReset(ctx, j.User.Login(), away); err != nil { // the provider chose that address
			t.Fatal(err)
		}
		w.letters(t, "spy@provider.example", 0)
		list, _, err := w.UnscopedUsers(ctx, acme.ID, meta.Page{})
		if err != nil || len(list) != 2 {
			t.Errorf("users: got %d, %v, want the admin and the marked one", len(list), err)
		}
	})
}

func TestWithoutMailsTheLinkIsInTheAnswer(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.Notices.Mail = nil
		_, _, scope := w.owned(t, "acme")
		made, err := w.Invite(ctx, scope, NewUser{Email: "bob@acme.example", Role: policy.TenantUser})
		if err != nil || made.Mailed || made.Token == "" {
			t.Fatalf("got %+v, %v, want a token", made, err)
		}
		if j, err := w.Accept(ctx, made.Token, "", own, away, "test"); err != nil || j.Token == "" {
			t.Errorf("accept: got %+v, %v", j, err)
		}
		list, _, err := w.Notices.UnscopedOutbox(ctx, nil, notify.MailFilter{Kind: notify.Invitation}, meta.Page{})
		if err != nil || len(list) != 0 {
			t.Errorf("outbox: got %+v, %v, want no invitation", list, err)
		}
		_, err = w.ApproveDomain(ctx, scope, "acme.example")
		wantKind(t, "a domain by an address that no mail has proven", err, fault.Denied)
	})
}

func TestAForgottenPasswordIsSetByALink(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, u, _ := w.owned(t, "acme")
		session, _, err := w.signIn(t, u.Login(), changed)
		if err != nil {
			t.Fatal(err)
		}
		for range freeFailures { // somebody else locks the account
			_, _, err = w.signIn(t, u.Login(), "not the password")
		}
		wantKind(t, "wrong passwords", err, fault.Unauthenticated)
		older := w.forget(t, u.Login())
		token := w.forget(t, u.Email)
		wantKind(t, "the link before a newer one", w.Reset(ctx, older, own, away), fault.Conflict)
		if login, state, _, err := w.LookReset(ctx, older); err != nil || state != LinkEnded || login != u.Login() {
			t.Errorf("look: got %q %q, %v", login, state, err)
		}
		wantKind(t, "a made-up link", w.Reset(ctx, "trl_0", own, away), fault.NotFound)
		_, err = w.Accept(ctx, token, "", own, away, "test")
		wantKind(t, "a reset's link as an invitation", err, fault.NotFound)
		if err := w.Reset(ctx, token, own, away); err != nil {
			t.Fatal(err)
		}
		wantKind(t, "the link once more", w.Reset(ctx, token, changed, away), fault.Conflict)
		w.refused(t, "a session of before", session)
		if _, _, err := w.SignInFrom(t, u.Login(), own); err != nil {
			t.Errorf("the new password: %v", err)
		}
		seen := map[string]bool{}
		if told := w.told(t, seen, map[string]string{u.ID: "admin"}); !strings.HasPrefix(told, "credential.new admin, credential.new admin, ") {
			t.Errorf("told: got %q, want the first password and the reset", told)
		}
		w.hands.Pass(2 * time.Hour)
		token = w.forget(t, u.Login())
		w.hands.Pass(resetLife)
		wantKind(t, "an expired link", w.Reset(ctx, token, changed, away), fault.Conflict)
	})
}

// SignInFrom signs in from another place, whose failures nobody counts.
func (w *world) SignInFrom(t *testing.T, login, password string) (string, Session, error) {
	t.Helper()
	token, s, _, err := w.SignIn(t.Context(), Attempt{Login: login, Password: password, Address: away, Agent: "test"})
	return token, s, err
}

func TestALinkIsUsedOnceByManyAtOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		_, u, _ := w.owned(t, "acme")
		token := w.forget(t, u.Login())
		var mu sync.Mutex
		var set int
		var racers sync.WaitGroup
		for range 4 {
			racers.Go(func() {
				err := w.Reset(t.Context(), token, own, away)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					set++
				} else if !fault.Is(err, fault.Conflict) {
					t.Error(err)
				}
			})
		}
		racers.Wait()
		if set != 1 {
			t.Errorf("four at once: got %d, want 1", set)
		}
	})
}

// Whoever asks learns nothing, and nobody is flooded.
func TestWhoAsksLearnsNothingAndIsBounded(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, u, scope := w.owned(t, "acme")
		if _, err := w.UnscopedVouch(ctx, staff, scope.Tenant(), "acme.example"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.ApproveDomain(ctx, scope, "acme.example"); err != nil {
			t.Fatal(err)
		}
		off := UserDisabled
		gone, err := w.CreateUser(ctx, scope, NewUser{Email: "gone@acme.example", Role: policy.TenantUser})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.UpdateUser(ctx, scope, gone.ID, UserPatch{State: &off}); err != nil {
			t.Fatal(err)
		}
		for _, login := range []string{u.Login(), "acme.nobody", "no.tenant", gone.Login(), gone.Email, "x@unknown.example", ""} {
			expires, err := w.AskReset(ctx, login, away)
			if want := w.Clock.Now().Add(resetLife); err != nil || !expires.Equal(want) {
				t.Errorf("%q: got %s, %v, want %s", login, expires, err, want)
			}
		}
		w.letters(t, gone.Email, 0)
		w.letters(t, u.Email, 1)
		for n := range 5 {
			if _, err := w.AskReset(ctx, u.Login(), away); err != nil {
				t.Fatalf("asked for the %dth time: %v", n, err)
			}
		}
		w.letters(t, u.Email, 2) // three in an hour
		for n, email := range []string{"new@acme.example", u.Email, "new@unknown.example"} {
			id, expires, err := w.AskSignUp(ctx, email, home)
			if want := w.Clock.Now().Add(codeLife); err != nil || len(id) != 30 || !expires.Equal(want) {
				t.Errorf("sign-up %d: got %q, %s, %v, want an id and %s", n, id, expires, err, want)
			}
			_, err = w.Prove(ctx, id, "not it")
			wantKind(t, "a wrong code for "+email, err, fault.Denied)
			if err != nil && err.Error() != errCode.Error() {
				t.Errorf("%s: got %v, want the words of all", email, err)
			}
		}
		secretOf(t, codeIn, w.letters(t, "new@acme.example", 1))
		if texts := w.letters(t, u.Email, 1); !strings.Contains(texts[0], "You have an account already") && !strings.Contains(texts[0], u.Login()) {
			t.Errorf("who is known: got %q", texts)
		}
		w.letters(t, "new@unknown.example", 0)
		for range asksOfAddress {
			_, err = w.AskReset(ctx, "somebody", home)
		}
		wantKind(t, "too many from one address", err, fault.Throttled)
		if _, err := w.AskReset(ctx, "somebody", netip.MustParseAddr("203.0.113.77")); err != nil {
			t.Errorf("from another: %v", err)
		}
		w.hands.Pass(time.Hour)
		if _, err := w.AskReset(ctx, "somebody", home); err != nil {
			t.Errorf("an hour later: %v", err)
		}
	})
}

// A link that was made on the host is for the provider's own people.
func TestTheHostMakesLinksForTheProvidersPeople(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		boss, _, err := w.FirstAdmin(ctx, "boss@provider.example", password)
		if err != nil {
			t.Fatal(err)
		}
		token, _, err := w.ResetLink(ctx, boss.Email)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Reset(ctx, token, own, home); err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.signIn(t, boss.Email, own); err != nil {
			t.Error(err)
		}
		_, u, _ := w.owned(t, "acme")
		_, _, err = w.ResetLink(ctx, u.Login())
		wantKind(t, "of a tenant that is claimed", err, fault.Conflict)
		_, _, err = w.ResetLink(ctx, "nobody@provider.example")
		wantKind(t, "of nobody", err, fault.NotFound)

		bolt := w.tenant(t, "bolt")
		first := w.member(t, bolt.ID, "first@bolt.example", policy.TenantAdmin)
		if token, _, err = w.ResetLink(ctx, first.Login()); err != nil {
			t.Fatal(err)
		}
		if err := w.Reset(ctx, token, own, home); err != nil {
			t.Fatal(err)
		}
		_, _, err = w.signIn(t, first.Login(), own)
		wantKind(t, "a password that the provider may know", err, fault.Conflict)
	})
}

// An address that the provider chose, but its owner holds: the owner takes over.
func TestAResetByMailTakesATenantOver(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		acme := w.tenant(t, "acme")
		u := w.member(t, acme.ID, "first@acme.example", policy.TenantAdmin)
		_, secret, err := w.UnscopedCreateAPIKey(ctx, staff, acme.ID, NewAPIKey{Role: policy.TenantAdmin})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Reset(ctx, w.forget(t, u.Login()), own, away); err != nil {
			t.Fatal(err)
		}
		w.refused(t, "the provider's key", secret)
		if _, _, err := w.signIn(t, u.Login(), own); err != nil {
			t.Error(err)
		}
	})
}
