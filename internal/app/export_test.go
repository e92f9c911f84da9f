package app

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"tributary/client"
	"tributary/internal/notify"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// exported is a tenant's archive, by name.
func exported(t *testing.T, c *client.Client) map[string][]byte {
	t.Helper()
	var archive bytes.Buffer
	if _, err := c.ExportTenant(t.Context(), &archive, nil); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for r := tar.NewReader(&archive); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = must(io.ReadAll(r))(t)
	}
}

func decoded[T any](t *testing.T, raw []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("decode %q: %v", raw, err)
	}
	return v
}

// TestExportHasEverythingOfTheTenant exports a leaving tenant that has people, keys
// and decisions, beside another that has them too.
func TestExportHasEverythingOfTheTenant(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := newWorld(t)
	token := must(Init(ctx, w.cfg, "admin@example.com", "a long enough password"))(t)
	w.start()
	admin := w.as(token)
	must(admin.ApplyDataset(ctx, example(t, "dataset.yaml")))(t)
	definition := example(t, "analysis.yaml")
	must(admin.ApplyAnalysis(ctx, definition))(t)
	must(admin.ApplyAnalysis(ctx, bytes.Replace(definition, []byte("title: Mean"), []byte("title: The mean"), 1)))(t)
	acme, key := w.party(admin, "acme", "000001")
	other, otherKey := w.party(admin, "other", "000002")
	const analysis = "cross-participant-mean"
	var users []client.User
	var sshKeys []client.SSHKey
	for i, c := range []*client.Client{acme, acme, other} {
		line, _ := sshPair(t)
		u := must(c.CreateUser(ctx, client.NewUser{Email: []string{"one@example.com", "two@example.com", "three@example.com"}[i], Role: "tenant_user"}))(t)
		users = append(users, u)
		sshKeys = append(sshKeys, must(c.AddSSHKey(ctx, u.ID, client.NewSSHKey{Name: "laptop", PublicKey: line}))(t))
	}
	if err := acme.RevokeSSHKey(ctx, sshKeys[1].ID); err != nil {
		t.Fatal(err)
	}
	must(acme.DeclineAnalysis(ctx, analysis, 1))(t)
	must(acme.AcceptAnalysis(ctx, analysis, 2))(t)
	must(other.AcceptAnalysis(ctx, analysis, 1))(t)
	const name = "input-2022-09-23-000001-000001.csv"
	sent := must(acme.Submit(ctx, client.Upload{Dataset: "tagged-values", Date: "2022-09-23", Name: name, Body: bytes.NewReader(example(t, name))}))(t)
	must(acme.WaitSubmission(ctx, sent.ID))(t)
	hook := must(acme.CreateWebhook(ctx, client.NewWebhook{URL: "https://acme.example/of-acme"}))(t)
	must(other.CreateWebhook(ctx, client.NewWebhook{URL: "https://other.example/of-the-other"}))(t)
	until := w.cfg.Clock.Now().Add(time.Hour)
	must(admin.ReopenPeriod(ctx, "tagged-values", "2022-09-23", client.NewReopening{Tenant: "acme", Reason: "acme was ill", Until: until}))(t)
	must(admin.ReopenPeriod(ctx, "tagged-values", "2022-09-23", client.NewReopening{Tenant: "other", Reason: "the other was ill", Until: until}))(t)
	off := policy.Principal{Kind: policy.Session, User: users[0].ID, Tenant: tenant.ID(users[0].Tenant), Role: policy.TenantUser}
	must(w.stores.notices.SetSwitch(ctx, off, notify.ResultReady, false))(t)
	send(t, acme, 0, 3)
	must(other.SendEvents(ctx, []byte(`{"specversion":"1.0","id":"of-the-other","source":"/shop","type":"order"}`)))(t)
	must(admin.OffboardTenant(ctx, "acme", "acme"))(t)

	files := exported(t, acme)
	if got := decoded[client.Tenant](t, files["tenant.json"]); got.Slug != "acme" || len(got.ExternalIDs) != 1 {
		t.Errorf("tenant.json: got %+v, want acme with its external id", got)
	}
	if got := decoded[[]client.User](t, files["people/users.json"]); len(got) != 2 || got[0].ID != users[1].ID || got[1].ID != users[0].ID || got[1].Email != "one@example.com" {
		t.Errorf("people/users.json: got %+v, want %+v", got, users[:2])
	}
	gotSSH := map[string]client.SSHKey{}
	for _, k := range decoded[[]client.SSHKey](t, files["people/ssh-keys.json"]) {
		gotSSH[k.ID] = k
	}
	if len(gotSSH) != 2 || gotSSH[sshKeys[0].ID].Fingerprint != sshKeys[0].Fingerprint || gotSSH[sshKeys[1].ID].RevokedAt == nil {
		t.Errorf("people/ssh-keys.json: got %+v, want %+v, the second revoked", gotSSH, sshKeys[:2])
	}
	if got := decoded[[]client.APIKey](t, files["people/api-keys.json"]); len(got) != 1 || got[0].ID != key.ID || got[0].Name != "key of acme" || got[0].Key != "" {
		t.Errorf("people/api-keys.json: got %+v, want %s without its secret", got, key.ID)
	}
	got := decoded[[]client.Acceptance](t, files["acceptances.json"])
	if len(got) != 2 || got[0].Analysis != analysis || got[0].Version != 1 || got[0].Decision != "declined" || got[1].Version != 2 || got[1].Decision != "accepted" ||
		got[1].DecidedBy != key.ID || got[1].DecidedAt.IsZero() {
		t.Errorf("acceptances.json: got %+v, want a no to version 1 and a yes to version 2", got)
	}
	if got := decoded[[]client.Webhook](t, files["webhooks.json"]); len(got) != 1 || got[0].ID != hook.ID || got[0].URL != hook.URL || got[0].Secret != "" {
		t.Errorf("webhooks.json: got %+v, want %s without its secret", got, hook.ID)
	}
	if got := decoded[[]client.Reopening](t, files["reopenings.json"]); len(got) != 1 || got[0].Reason != "acme was ill" || got[0].TenantSlug != "acme" {
		t.Errorf("reopenings.json: got %+v, want acme's", got)
	}
	if got := string(files["people/notices-off.json"]); !strings.Contains(got, users[0].ID) || !strings.Contains(got, "result.ready") {
		t.Errorf("people/notices-off.json: got %s, want that of %s", got, users[0].ID)
	}
	if got := files["submissions/tagged-values/2022-09-23/"+sent.ID+"/"+name]; !bytes.Equal(got, example(t, name)) {
		t.Errorf("the submitted file: got %d bytes, want those that were sent", len(got))
	}
	if files["audit/entries-0001.json"] == nil || files["audit/records-0001.json"] == nil {
		t.Error("audit: got none")
	}
	var happened []string
	for file, text := range files {
		if strings.HasPrefix(file, "events/events/") && strings.HasSuffix(file, "-0001.ndjson") {
			for line := range strings.Lines(string(text)) {
				happened = append(happened, decoded[client.StreamEvent](t, []byte(line)).ID)
			}
		}
	}
	if len(happened) != 3 || happened[2] != "e2" || files["events/not-readable.json"] != nil {
		t.Errorf("events: got %q", happened)
	}
	for file, text := range files {
		for what, secret := range map[string]string{"its own key": key.Key, "its webhook's secret": hook.Secret, "the other's webhook and event": "of-the-other", "the other's reopening": "the other was ill",
			"the other's key": otherKey.ID, "the other's user": users[2].ID, "the other's SSH key": sshKeys[2].ID,
			"the other's address": "three@example.com"} {
			if strings.Contains(string(text), secret) {
				t.Errorf("%s has %s", file, what)
			}
		}
	}
}
