package test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"tributary/client"
)

const (
	example  = "../examples/cross-participant-mean/"
	dataset  = "tagged-values"
	analysis = "cross-participant-mean"
)

func decode[T any](t *testing.T, raw []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("decode %q: %v", raw, err)
	}
	return v
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	return must(os.ReadFile(path))(t)
}

// publicKey returns a fresh line of authorized_keys.
func publicKey(t *testing.T) string {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return string(ssh.MarshalAuthorizedKey(must(ssh.NewPublicKey(public))(t)))
}

// party is a tenant with a key of its tenant admin.
type party struct {
	client.Tenant
	*client.Client
	key string
}

// party onboards tenant-n, whose external id is n in six digits.
func (s *server) party(n int) party {
	s.t.Helper()
	ctx, admin := s.t.Context(), s.as(s.token)
	made := must(admin.CreateTenant(ctx, client.NewTenant{Slug: fmt.Sprintf("tenant-%d", n), Name: fmt.Sprintf("Tenant %d", n), Tier: "platinum",
		Organisation: fmt.Sprintf("Organisation %d", n), ExternalIDs: []string{fmt.Sprintf("%06d", n)}}))(s.t)
	key := must(admin.CreateAPIKey(ctx, client.NewAPIKey{Tenant: made.Slug, Role: "tenant_admin", Name: "tests"}))(s.t).Key
	return party{made, s.as(key), key}
}

// reconnect gives the party a client of the server's present address.
func (s *server) reconnect(p *party) { p.Client = s.as(p.key) }

// exchange applies the example's dataset and analysis, and has two parties accept it.
func (s *server) exchange() (a, b party) {
	s.t.Helper()
	ctx, admin := s.t.Context(), s.as(s.token)
	must(admin.ApplyDataset(ctx, read(s.t, example+"dataset.yaml")))(s.t)
	version := must(admin.ApplyAnalysis(ctx, read(s.t, example+"analysis.yaml")))(s.t).Version
	a, b = s.party(1), s.party(2)
	for _, p := range []party{a, b} {
		must(p.AcceptAnalysis(ctx, analysis, version))(s.t)
	}
	return a, b
}

// values is a file of tagged values of participant n for a day.
func values(n int, date string, rows ...string) string {
	text := "Date,ClientID,Tag1,Tag2,Value\n"
	for _, row := range rows {
		text += fmt.Sprintf("%s,%06d,%s\n", strings.ReplaceAll(date, "-", ""), n, row)
	}
	return text
}

// inputName is a file name as the example's dataset wants it.
func inputName(n int, date string) string { return fmt.Sprintf("input-%s-%06d-000001.csv", date, n) }

func (p party) send(ctx context.Context, name, date, text string) (client.Submission, error) {
	return p.Submit(ctx, client.Upload{Dataset: dataset, Date: date, Name: name, Body: strings.NewReader(text)})
}

// accepted sends a file and wants it accepted.
func (p party) accepted(t *testing.T, name, date, text string) client.Submission {
	t.Helper()
	sent := must(p.send(t.Context(), name, date, text))(t)
	got := must(p.WaitSubmission(t.Context(), sent.ID))(t)
	if got.State != "accepted" {
		t.Fatalf("submission %s: got %s %v, want accepted", name, got.State, got.Problems)
	}
	return got
}

// file writes a file below the server's home and returns its path.
func (s *server) file(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}
