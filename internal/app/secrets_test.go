package app

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tributary/client"
	"tributary/internal/fault"
)

// TestSecretsStayOut goes through everything that makes or takes a secret, right
// and wrong, and then looks for each of them where none may be: in the server's
// log of every level, in the audit log, in every answer that is an error, and in
// all that is on the disk.
func TestSecretsStayOut(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	secrets := map[string]string{} // by what it is
	keep := func(what, secret string) string {
		t.Helper()
		if len(secret) < 12 {
			t.Fatalf("%s: got %q, want a secret", what, secret)
		}
		secrets[what] = secret
		return secret
	}
	refused := func(what string, err error) {
		t.Helper()
		if err == nil {
			t.Errorf("%s: got no error", what)
		}
	}

	// A first admin by init, in a store of its own, and one by a setup link.
	w := newWorld(t)
	elsewhere := w.cfg
	elsewhere.Data = filepath.Join(t.TempDir(), "data")
	keep("init's key", must(Init(ctx, elsewhere, "first@example.com", keep("init's password", "init-password-3c1f")))(t))
	_, err := Init(ctx, elsewhere, "second@example.com", keep("a second init's password", "second-init-password-77b0"))
	refused("a second init", err)
	w.start()
	link, _, err := w.SetupLink(ctx)
	if err != nil {
		t.Fatal(err)
	}
	keep("setup token", link)
	stranger := w.as("")
	adminPassword := keep("admin's password", "admin-password-90aa1")
	_, err = stranger.Setup(ctx, client.Setup{Token: keep("wrong setup token", link[:len(link)-8]+"aaaaaaaa"), Email: "admin@example.com", Password: adminPassword})
	refused("a wrong setup token", err)
	_, err = stranger.Setup(ctx, client.Setup{Token: link, Email: "admin@example.com", Password: "short-pw-41"})
	secrets["too short a password"] = "short-pw-41"
	refused("too short a password", err)
	token := must(stranger.Setup(ctx, client.Setup{Token: link, Email: "admin@example.com", Password: adminPassword}))(t).Token
	keep("admin's key", token)
	_, err = stranger.Setup(ctx, client.Setup{Token: link, Email: "again@example.com", Password: adminPassword})
	refused("a setup token's second use", err)

	// Tenants, people, API keys, SSH keys.
	admin := w.as(token)
	must(admin.ApplyDataset(ctx, example(t, "dataset.yaml")))(t)
	_, ownKey := w.party(admin, "acme", "000001")
	keep("tenant's key by the provider", ownKey.Key)
	hook := must(w.as(ownKey.Key).CreateWebhook(ctx, client.NewWebhook{URL: "https://example.com/" + keep("webhook's path", "hook-path-4b1d22")}))(t)
	keep("webhook's secret", hook.Secret)
	handed := keep("password set by the provider", "handed-password-5e5e")
	user := must(admin.CreateUser(ctx, client.NewUser{Tenant: "acme", Email: "ann@example.com", Role: "tenant_admin", Password: handed}))(t)
	line, private := sshPair(t)
	keep("private SSH key", strings.Split(private, "\n")[2])
	must(admin.AddSSHKey(ctx, user.ID, client.NewSSHKey{Name: "laptop", PublicKey: line}))(t)
	_, err = admin.AddSSHKey(ctx, user.ID, client.NewSSHKey{Name: "oops", PublicKey: private})
	refused("a private SSH key as a public one", err)

	// Sign-ins, wrong and right; a password where the login belongs.
	_, err = stranger.SignIn(ctx, client.SignIn{Login: "acme.ann", Password: keep("wrong password", "wrong-password-6a6a")})
	refused("a wrong password", err)
	_, err = stranger.SignIn(ctx, client.SignIn{Login: keep("a password as login", "typed-into-login-8d8d"), Password: "x"})
	refused("a password as login", err)
	_, err = stranger.SignIn(ctx, client.SignIn{Login: "acme.ann", Password: keep("too long a password", strings.Repeat("long-password-", 100))})
	refused("too long a password", err)
	own := keep("ann's own password", "own-password-b2b2b2")
	session := must(stranger.SignIn(ctx, client.SignIn{Login: "acme.ann", Password: handed, NewPassword: own}))(t)
	keep("session's token", session.Token)
	ann := w.as(session.Token)
	refused("a wrong present password", ann.ChangePassword(ctx, keep("wrong present password", "not-the-present-c3c3"), own+"2"))
	next := keep("ann's next password", "next-password-d4d4d4")
	if err := ann.ChangePassword(ctx, own, next); err != nil {
		t.Fatal(err)
	}
	again := must(stranger.SignIn(ctx, client.SignIn{Login: "ann@example.com", Password: next}))(t)
	ann = w.as(keep("second session's token", again.Token))
	w.late.Add(int64(20 * time.Minute))
	must(ann.Me(ctx))(t)
	if ann.Token() == again.Token {
		t.Error("session's token after 20 minutes: got the same, want another")
	}
	keep("renewed session's token", ann.Token())

	// Credentials of the tenant's own, one revoked and used, some invented.
	key := must(ann.CreateAPIKey(ctx, client.NewAPIKey{Role: "tenant_user", Name: "program"}))(t)
	keep("tenant's own key", key.Key)
	bob := must(ann.CreateUser(ctx, client.NewUser{Email: "bob@example.com", Role: "tenant_user", Password: keep("bob's password", "bob-password-e5e5e5")}))(t)
	if err := ann.SetPassword(ctx, bob.ID, keep("bob's new password", "bob-new-password-f6f6")); err != nil {
		t.Fatal(err)
	}
	_, err = admin.CreateAPIKey(ctx, client.NewAPIKey{Tenant: "acme", Role: "tenant_admin"})
	refused("a key by the provider after the claim", err)
	if err := ann.RevokeAPIKey(ctx, key.ID); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{key.Key, ownKey.Key, keep("invented key", "trk_inventedinventedinvented01"), keep("invented session", "trs_inventedinventedinvented02"), keep("no token", "just-some-text-0707")} {
		_, err := w.as(wrong).Me(ctx)
		refused("a token that is not valid", err)
	}

	// Files, one right and one wrong, whose values are nobody's but the tenant's.
	const name = "input-2022-09-23-000001-000001.csv"
	text := string(example(t, name)) + "20220923,000001,sealed-tag-1818,sealed-tag-1919,1818.19\n"
	for _, c := range []struct{ text, state string }{{text + "20220923,000001,sealed-tag-2020,x,not-a-number-2121\n", "rejected"}, {text, "accepted"}} {
		sent := must(ann.Submit(ctx, client.Upload{Dataset: "tagged-values", Date: "2022-09-23", Name: name, Body: strings.NewReader(c.text)}))(t)
		if got := must(ann.WaitSubmission(ctx, sent.ID))(t); got.State != c.state {
			t.Errorf("submission: got %s %v, want %s", got.State, got.Problems, c.state)
		}
	}
	for _, value := range []string{"sealed-tag-1818", "sealed-tag-1919", "sealed-tag-2020", "not-a-number-2121"} {
		keep("value "+value, value)
	}

	// What is where none may be.
	places := map[string]string{}
	for what, c := range map[string]*client.Client{"audit pages of the provider": admin, "audit pages of the tenant": ann} {
		places[what] = audited(t, c)
	}
	if !strings.Contains(places["audit pages of the tenant"], "session.create") || !strings.Contains(places["audit pages of the provider"], "user.create") {
		t.Errorf("audit pages: got %v, want those of sign-ins and users", places)
	}
	w.stop()
	for _, words := range []string{"msg=request", `msg="stopping: `, "msg=stopped"} {
		if !strings.Contains(w.log.String(), words) {
			t.Errorf("log: got no %q", words)
		}
	}
	if !strings.Contains(w.problems.String(), "urn:tributary:"+string(fault.Unauthenticated)) {
		t.Errorf("answers that are errors: got %s, want one that refuses a credential", w.problems.String())
	}
	places["log"], places["answers that are errors"] = w.log.String(), w.problems.String()
	for _, data := range []string{w.cfg.Data, elsewhere.Data} {
		for path, text := range stored(t, data) {
			places[path] = text
		}
	}
	for what, secret := range secrets {
		part := secret
		if len(secret) >= 40 {
			part = secret[len(secret)/2-8 : len(secret)/2+8] // a piece is too much already
		}
		for place, text := range places {
			if i := strings.Index(text, part); i >= 0 {
				t.Errorf("%s is in %s: …%q…", what, place, text[max(0, i-200):min(len(text), i+100)])
			}
		}
	}
}

// audited is all that a credential can read of the audit log.
func audited(t *testing.T, c *client.Client) string {
	t.Helper()
	var text strings.Builder
	f := client.AuditFilter{}
	for {
		page := must(c.AuditEntries(t.Context(), f))(t)
		for _, e := range page.Items {
			text.Write(must(json.Marshal(e))(t))
		}
		if f.After = page.Next; page.Next == "" {
			break
		}
	}
	for _, r := range must(c.AuditRecords(t.Context(), "", 0, 500))(t).Items {
		text.Write(must(json.Marshal(r))(t))
		text.Write(r.Details)
	}
	return text.String()
}

// stored reads all files below a directory.
func stored(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		files[path] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
