package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tributary/client"
	"tributary/internal/notify"
	"tributary/internal/notify/notifytest"
)

// hooks is a receiver of webhooks, and the way to it for a server that would refuse
// an address of this host.
type hooks struct {
	*http.Client
	mu     sync.Mutex
	bodies []string
}

func newHooks(t *testing.T) *hooks {
	t.Helper()
	h := &hooks{}
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		h.mu.Lock()
		h.bodies = append(h.bodies, fmt.Sprint(r.Header, string(body)))
		h.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(s.Close)
	h.Client = &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, s.Listener.Addr().String())
		},
	}}
	return h
}

func (h *hooks) all() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.bodies)
}

// TestNoticesHaveNoContent submits and signs in, and looks at every mail and
// message that comes of it, at the log, and at what an erasure leaves.
func TestNoticesHaveNoContent(t *testing.T) {
	t.Parallel()
	const canary = "canary8f31"
	ctx := t.Context()
	w, mails, hook := newWorld(t), notifytest.New(t, "127.0.0.1", nil, nil), newHooks(t)
	w.cfg.Mail = &notify.SMTP{Address: mails.Address, From: "data@example.com"}
	w.cfg.PublicURL, w.cfg.webhooks = "https://data.example.com/", hook
	token := must(Init(ctx, w.cfg, "boss@provider.example", "a long enough password"))(t)
	w.start()
	admin := w.as(token)
	must(admin.ApplyDataset(ctx, example(t, "dataset.yaml")))(t)
	must(admin.CreateWebhook(ctx, client.NewWebhook{URL: "https://example.com/" + canary}))(t)

	var parties []*client.Client
	for i, slug := range []string{"acme", "bolt"} {
		c, _ := w.party(admin, slug, fmt.Sprintf("00000%d", i+1))
		must(c.CreateUser(ctx, client.NewUser{Email: "ann@" + slug + ".example", Role: "tenant_admin", Password: "a first long password"}))(t)
		parties = append(parties, c)
	}
	acme := parties[0]
	must(acme.CreateWebhook(ctx, client.NewWebhook{URL: "https://example.com/" + canary}))(t)
	session := must(w.as("").SignIn(ctx, client.SignIn{Login: "acme.ann", Password: "a first long password", NewPassword: "a second long password"}))(t)
	acme = w.as(session.Token)
	must(acme.CreateAPIKey(ctx, client.NewAPIKey{Role: "tenant_user"}))(t)
	bad := must(acme.Submit(ctx, client.Upload{Dataset: "tagged-values", Date: "2022-09-23", Name: canary + ".csv", Body: strings.NewReader(canary + "\n")}))(t)
	if bad = must(acme.WaitSubmission(ctx, bad.ID))(t); bad.State != "rejected" {
		t.Fatalf("got %s, want it rejected", bad.State)
	}
	for i, c := range []*client.Client{acme, parties[1]} {
		name := fmt.Sprintf("input-2022-09-23-00000%d-000001.csv", i+1)
		sent := must(c.Submit(ctx, client.Upload{Dataset: "tagged-values", Date: "2022-09-23", Name: name, Body: strings.NewReader(string(example(t, name)))}))(t)
		if sent = must(c.WaitSubmission(ctx, sent.ID))(t); sent.State != "accepted" {
			t.Fatalf("got %s, want it accepted", sent.State)
		}
	}
	for range 20 { // the server's own rounds may have a part in hand
		for _, once := range []func(context.Context) error{w.stores.notices.SendDue, w.stores.notices.DeliverDue} {
			if err := once(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}

	var sent []string
	for _, m := range mails.Mails() {
		text := m.Subject(t) + "\n" + m.Text
		sent = append(sent, m.To+": "+strings.SplitN(m.Subject(t), " ", 4)[0])
		for _, secret := range []string{canary, "input-2022", "Bolt", "a first long password", session.Token, "whsec_", "15.5", "000001"} {
			if strings.Contains(text, secret) {
				t.Errorf("a mail has %q in it:\n%s", secret, text)
			}
		}
		if strings.Contains(text, "http") && !strings.Contains(text, "\nhttps://data.example.com\r\n") {
			t.Errorf("a link to elsewhere:\n%s", text)
		}
	}
	for _, want := range []string{"ann@acme.example: A", "ann@acme.example: New", "ann@bolt.example: New", "boss@provider.example: New"} {
		if !slices.Contains(sent, want) {
			t.Errorf("no mail %q among %q", want, sent)
		}
	}
	types := map[string]bool{}
	for _, body := range hook.all() {
		for _, secret := range []string{canary, "input-2022", "Bolt", "example.com", "127.0.0.1", "15.5", "000001"} {
			if strings.Contains(body, secret) {
				t.Errorf("a message has %q in it: %s", secret, body)
			}
		}
		_, rest, _ := strings.Cut(body, `"type":"`)
		kind, _, _ := strings.Cut(rest, `"`)
		types[kind] = true
	}
	for _, want := range []string{"submission.accepted", "submission.rejected", "credential.new", "sign-in.new"} {
		if !types[want] {
			t.Errorf("no message of the type %s among %v", want, types)
		}
	}
	if strings.Contains(w.log.String(), canary) {
		t.Error("the log has the canary in it")
	}
	w.erases(admin, "acme")
}

// erases lets a tenant's grace pass and wants its notices gone, with a line in the receipt.
func (w *world) erases(admin *client.Client, slug string) {
	w.t.Helper()
	ctx := w.t.Context()
	tenant := must(admin.Tenant(ctx, slug))(w.t)
	must(admin.OffboardTenant(ctx, slug, slug))(w.t)
	w.late.Add(int64(31 * 24 * time.Hour))
	for range 50 {
		if err := w.stores.control.EraseDue(ctx); err != nil {
			w.t.Fatal(err)
		}
		if must(admin.Tenant(ctx, tenant.ID))(w.t).State == "erased" {
			break
		}
	}
	receipt := fmt.Sprintf("%+v", must(admin.OffboardingReceipt(ctx, tenant.ID))(w.t))
	if !strings.Contains(receipt, "notices") || !strings.Contains(receipt, "rows of webhooks, deliveries, mails") {
		w.t.Errorf("the receipt has no line of notices: %s", receipt)
	}
	if list := must(admin.Outbox(ctx, client.MailFilter{TenantPage: client.TenantPage{Tenant: tenant.ID}}))(w.t).Items; len(list) > 0 {
		w.t.Errorf("mails of an erased tenant: %v", list)
	}
	w.stop()
	found, err := Fsck(ctx, w.cfg, false)
	if err != nil || len(found) > 0 {
		w.t.Errorf("fsck: %v, %v", found, err)
	}
}

// Mails and webhooks that cannot work are refused at the start.
func TestSettingsOfNoticesAreChecked(t *testing.T) {
	t.Parallel()
	for _, c := range []Config{
		{Data: "x", PublicURL: "data.example.com"},
		{Data: "x", PublicURL: "https://user:pass@data.example.com"},
		{Data: "x", PublicURL: "javascript:alert(1)"},
		{Data: "x", Mail: &notify.SMTP{Address: "nowhere"}},
	} {
		if err := c.defaults(); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}
