package notify_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tributary/internal/account"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/notify"
	"tributary/internal/notify/notifytest"
	"tributary/internal/policy"
)

func TestMailsReachThoseWhoAreToldAndNobodyElse(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		server := notifytest.New(t, "127.0.0.1", nil, nil)
		w.mailTo(server)
		a, _, _ := w.tenant("acme")
		w.tenant("bolt")
		w.person("", "boss@provider.example", policy.SystemAdmin)
		gone := w.person(a, "gone@acme.example", policy.TenantUser)
		disabled := account.UserDisabled
		if _, err := w.accounts.UnscopedUpdateUser(t.Context(), staff, gone.ID, account.UserPatch{State: &disabled}); err != nil {
			t.Fatal(err)
		}
		w.add(rejected(a))
		if got := server.Mails(); len(got) > 0 {
			t.Fatalf("sent before its round: %v", got)
		}
		w.round(w.SendDue)
		var to []string
		for _, m := range server.Mails() {
			to = append(to, m.To)
			if got, want := m.Subject(t), "A file for values of 2026-02-28 was rejected"; got != want {
				t.Errorf("subject: got %q, want %q", got, want)
			}
			for _, want := range []string{"sub_00000000000000000000000001", "\r\nhttps://data.example.com\r\n", "notice settings set submission.rejected off"} {
				if !strings.Contains(m.Text, want) {
					t.Errorf("the text has no %q:\n%s", want, m.Text)
				}
			}
			if strings.Contains(m.Text, "bolt") || m.Header.Get("From") != `"Data" <data@example.com>` || m.Header.Get("To") != "<"+m.To+">" {
				t.Errorf("got header %v\n%s", m.Header, m.Text)
			}
		}
		slices.Sort(to)
		if want := "admin@acme.example user@acme.example"; strings.Join(to, " ") != want {
			t.Errorf("told %q, want %q", to, want)
		}
		if got := states(w.outbox(a)); got != "map[sent:2]" {
			t.Errorf("outbox: %s", got)
		}
		w.round(w.SendDue)
		if got := len(server.Mails()); got != 2 {
			t.Errorf("after another round %d mails were sent, want 2", got)
		}
	})
}

func TestWhoTurnedAKindOffIsNotTold(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		a, admin, user := w.tenant("acme")
		must(w.SetSwitch(ctx, w.principal(user), notify.SubmissionRejected, false))(t)
		list := must(w.Switches(ctx, w.principal(user)))(t)
		if i := slices.IndexFunc(list, func(s notify.Switch) bool { return s.Kind == notify.SubmissionRejected }); i < 0 || list[i].On {
			t.Errorf("the switch is on: %v", list)
		}
		w.add(rejected(a))
		got := w.outbox(a)
		if len(got) != 1 || got[0].User != admin.ID {
			t.Errorf("got %v, want a mail to %s only", got, admin.ID)
		}
		must(w.SetSwitch(ctx, w.principal(user), notify.SubmissionRejected, true))(t)
		w.add(rejected(a))
		if got := len(w.outbox(a)); got != 3 {
			t.Errorf("turned on again: %d mails, want 3", got)
		}
		_, err := w.SetSwitch(ctx, w.principal(user), notify.NewSignIn, false)
		wantKind(t, "turning off what is for security", err, fault.Conflict)
		_, err = w.SetSwitch(ctx, w.principal(user), "gossip", false)
		wantKind(t, "a kind that is not there", err, fault.NotFound)
		key := policy.Principal{Credential: "key_1", Kind: policy.APIKey, Tenant: a, Role: policy.TenantAdmin}
		_, err = w.Switches(ctx, key)
		wantKind(t, "switches of a key", err, fault.Conflict)
		for _, s := range must(w.Switches(ctx, w.principal(user)))(t) {
			if s.Kind == notify.WebhookDisabled {
				t.Error("a user has a switch for what only admins are told")
			}
		}
	})
}

// What waits lies sealed, and nothing shows it.
func TestTheOutboxShowsThatAMailExistsAndNothingOfIt(t *testing.T) {
	t.Parallel()
	const code = "code-8841f0c2"
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		a, admin, _ := w.tenant("acme")
		_, other, _ := w.tenant("bolt")
		boss := w.person("", "boss@provider.example", policy.SystemAdmin)
		w.add(notify.Notice{Kind: notify.NewCredential, Tenant: a, User: admin.ID, Subject: admin.ID, Detail: code})
		w.add(notify.Notice{Kind: notify.NewCredential, User: boss.ID, Subject: boss.ID, Detail: code})
		rows := must(w.cfg.DB.Unscoped().Query(ctx, `SELECT body FROM notice_mails`))(t)
		for rows.Next() {
			var body []byte
			if err := rows.Scan(&body); err != nil || len(body) == 0 || strings.Contains(string(body), code) || strings.Contains(string(body), "example") {
				t.Errorf("a mail is not sealed: %q, %v", body, err)
			}
		}
		all := w.outbox("*")
		if text := fmt.Sprintf("%+v", all); len(all) != 2 || strings.Contains(text, code) || strings.Contains(text, "@") {
			t.Errorf("the outbox shows %s", text)
		}
		own, _, err := w.Outbox(ctx, w.scope(admin), notify.MailFilter{}, meta.Page{})
		if err != nil || len(own) != 1 || own[0].Tenant != a || own[0].User != admin.ID || own[0].Kind != notify.NewCredential || own[0].State != notify.Waiting {
			t.Errorf("a tenant's own outbox: %+v, %v", own, err)
		}
		if others, _, err := w.Outbox(ctx, w.scope(other), notify.MailFilter{}, meta.Page{}); err != nil || len(others) != 0 {
			t.Errorf("another's outbox: %+v, %v", others, err)
		}
		w.Pass(3 * 24 * time.Hour)
		w.round(w.SendDue)
		var sealed int64
		if err := w.cfg.DB.Unscoped().QueryRow(ctx, `SELECT count(*) FROM notice_mails WHERE body IS NOT NULL`).Scan(&sealed); err != nil || sealed != 0 {
			t.Errorf("%d mails that were given up have a body still, %v", sealed, err)
		}
		if got := states(w.outbox("*")); got != "map[failed:2]" {
			t.Errorf("after three days without a mail server: %s", got)
		}
		w.Pass(30 * 24 * time.Hour)
		w.round(w.ForgetDue)
		if got := w.outbox("*"); len(got) > 0 {
			t.Errorf("after 30 days: %v", got)
		}
	})
}

func TestAMailIsTriedAgainUnderItsID(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		var refusal string
		server := notifytest.New(t, "127.0.0.1", nil, func(command, argument string) string {
			if command == "RCPT" && strings.Contains(argument, "admin@") {
				return refusal
			}
			return ""
		})
		w.mailTo(server)
		a, admin, _ := w.tenant("acme")
		refusal = "451 admin@acme.example: later, secret-words"
		w.add(rejected(a))
		w.round(w.SendDue)
		if got := states(w.outbox(a)); got != "map[sent:1 waiting:1]" {
			t.Fatalf("one recipient is refused for now: %s", got)
		}
		w.round(w.SendDue)
		w.Pass(2 * time.Minute)
		refusal = ""
		w.round(w.SendDue)
		if got := states(w.outbox(a)); got != "map[sent:2]" {
			t.Errorf("later: %s", got)
		}
		refusal = "550 admin@acme.example secret-words"
		w.add(rejected(a))
		w.round(w.SendDue)
		for _, m := range w.outbox(a)[:2] {
			if want := map[bool]notify.State{true: notify.Failed, false: notify.Sent}[m.User == admin.ID]; m.State != want || strings.Contains(m.Error, "secret-words") {
				t.Errorf("refused for good: got %+v, want %s", m, want)
			}
		}
		if strings.Contains(w.log.String(), "secret-words") {
			t.Errorf("the log has a mail server's words:\n%s", w.log.String())
		}
	})
}

// What was taken, and not noted, is sent again: at least once, and the receiver can
// tell by its id.
func TestAMailWhoseEndIsNotKnownIsSentAgain(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		first := true
		server := notifytest.New(t, "127.0.0.1", nil, func(command, _ string) string {
			if command == "." && first {
				first = false
				return "hang up"
			}
			return ""
		})
		w.mailTo(server)
		a, _, user := w.tenant("acme")
		w.add(notify.Notice{Kind: notify.NewSignIn, Tenant: a, User: user.ID, Subject: "ses_1", Detail: "192.0.2.1, with\r\nBcc: x@example.com\r\n\r\nMozilla"})
		w.round(w.SendDue)
		w.Pass(2 * time.Minute)
		w.restart()
		w.round(w.SendDue)
		got := server.Mails()
		if len(got) != 2 || got[0].Header.Get("Message-Id") != got[1].Header.Get("Message-Id") || got[0].Header.Get("Message-Id") == "" {
			t.Fatalf("got %v, want one mail twice", got)
		}
		if m := got[0]; m.Header.Get("Bcc") != "" || !strings.Contains(m.Text, "\r\n192.0.2.1, with Bcc: x@example.com Mozilla.") {
			t.Errorf("words of others: header %v, text\n%s", m.Header, m.Text)
		}
		if got := states(w.outbox(a)); got != "map[sent:1]" {
			t.Errorf("outbox: %s", got)
		}
	})
}

// A process that ends between taking a mail up and sending it leaves it to the next.
func TestAMailThatWasTakenUpAndNotSentIsSentByTheNextServer(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		stuck, release := make(chan struct{}), make(chan struct{})
		dying := notifytest.New(t, "127.0.0.1", nil, func(command, _ string) string {
			if command == "EHLO" {
				close(stuck)
				<-release
				return "hang up"
			}
			return ""
		})
		w.mailTo(dying)
		a, _, user := w.tenant("acme")
		w.add(notify.Notice{Kind: notify.NewSignIn, Tenant: a, User: user.ID, Subject: "ses_1"})
		ended := make(chan error)
		old := w.Notices
		go func() { ended <- old.SendDue(context.WithoutCancel(t.Context())) }()
		<-stuck // and this one never comes to note anything
		server := notifytest.New(t, "127.0.0.1", nil, nil)
		w.mailTo(server)
		w.round(w.SendDue)
		if got := server.Mails(); len(got) > 0 {
			t.Errorf("it was sent while another had it: %v", got)
		}
		w.Pass(2 * time.Minute)
		w.round(w.SendDue)
		if got := server.Mails(); len(got) != 1 || !strings.HasPrefix(got[0].Header.Get("Message-Id"), "<"+w.outbox(a)[0].ID+"@") {
			t.Errorf("got %v, want the mail under its id", got)
		}
		close(release)
		<-ended
	})
}

func TestNobodyIsFloodedButForSecurity(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a, _, user := w.tenant("acme")
		for range 40 {
			w.add(rejected(a))
			w.add(notify.Notice{Kind: notify.NewSignIn, Tenant: a, User: user.ID, Subject: "ses_1"})
		}
		count := func() (rejections, signIns int) {
			rows := must(w.cfg.DB.Unscoped().Query(t.Context(), `SELECT kind, count(*) FROM notice_mails WHERE user_id = $1 GROUP BY kind`, user.ID))(t)
			for rows.Next() {
				var kind notify.Kind
				var n int
				if err := rows.Scan(&kind, &n); err != nil {
					t.Fatal(err)
				}
				if kind == notify.NewSignIn {
					signIns = n
				} else {
					rejections = n
				}
			}
			return rejections, signIns
		}
		if r, s := count(); r != 30 || s != 40 {
			t.Errorf("got %d mails of rejections and %d of sign-ins, want 30 and 40", r, s)
		}
		w.Pass(time.Hour)
		w.add(rejected(a))
		if r, _ := count(); r != 31 {
			t.Errorf("an hour later: got %d, want 31", r)
		}
	})
}
