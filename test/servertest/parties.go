package servertest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tributary/client"
)

// The example that the tests go through.
const (
	Dataset  = "tagged-values"
	Analysis = "cross-participant-mean"
)

// Example reads a file of the example.
func Example(t *testing.T, name string) []byte {
	t.Helper()
	return Must(os.ReadFile(filepath.Join(Repository(), "examples", Analysis, name)))(t)
}

// Party is a tenant with a key of its tenant admin.
type Party struct {
	client.Tenant
	*client.Client
	Number int
	Key    string
}

// Party onboards tenant-n, whose external id is n in six digits.
func (s *Server) Party(n int) Party {
	s.T.Helper()
	ctx, admin := s.T.Context(), s.As(s.Token)
	made := Must(admin.CreateTenant(ctx, client.NewTenant{Slug: fmt.Sprintf("tenant-%d", n), Name: fmt.Sprintf("Tenant %d", n), Tier: "platinum",
		Organisation: fmt.Sprintf("Organisation %d", n), ExternalIDs: []string{fmt.Sprintf("%06d", n)}}))(s.T)
	key := Must(admin.CreateAPIKey(ctx, client.NewAPIKey{Tenant: made.Slug, Role: "tenant_admin", Name: "tests"}))(s.T).Key
	return Party{made, s.As(key), n, key}
}

// Exchange applies the example's dataset and analysis, and has parties 1 and 2
// accept it.
func (s *Server) Exchange() (a, b Party) {
	s.T.Helper()
	ctx, admin := s.T.Context(), s.As(s.Token)
	Must(admin.ApplyDataset(ctx, Example(s.T, "dataset.yaml")))(s.T)
	version := Must(admin.ApplyAnalysis(ctx, Example(s.T, "analysis.yaml")))(s.T).Version
	a, b = s.Party(1), s.Party(2)
	for _, p := range []Party{a, b} {
		Must(p.AcceptAnalysis(ctx, Analysis, version))(s.T)
	}
	return a, b
}

// Reconnect gives the parties clients of the server's present address.
func (s *Server) Reconnect(parties ...*Party) {
	s.T.Helper()
	for _, p := range parties {
		p.Client = s.As(p.Key)
	}
}

// Values is a file of tagged values of participant n for a day.
func Values(n int, date string, rows ...string) string {
	var text strings.Builder
	text.WriteString("Date,ClientID,Tag1,Tag2,Value\n")
	for _, row := range rows {
		fmt.Fprintf(&text, "%s,%06d,%s\n", strings.ReplaceAll(date, "-", ""), n, row)
	}
	return text.String()
}

// InputName is a file name as the example's dataset wants it.
func InputName(n int, date string) string { return fmt.Sprintf("input-%s-%06d-000001.csv", date, n) }

// Send sends the party's file for a day.
func (p Party) Send(ctx context.Context, date, text string) (client.Submission, error) {
	return p.Submit(ctx, client.Upload{Dataset: Dataset, Date: date, Name: InputName(p.Number, date), Body: strings.NewReader(text)})
}

// Accepted sends a file and wants it accepted.
func (p Party) Accepted(t *testing.T, date, text string) client.Submission {
	t.Helper()
	sent := Must(p.Send(t.Context(), date, text))(t)
	got := Must(p.WaitSubmission(t.Context(), sent.ID))(t)
	if got.State != "accepted" {
		t.Fatalf("submission of %s for %s: got %s %v, want accepted", p.Slug, date, got.State, got.Problems)
	}
	return got
}
