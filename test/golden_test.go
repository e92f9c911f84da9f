package test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tributary/client"
	"tributary/internal/meta/metatest"
	"tributary/test/servertest"
)

// example is where the files of the golden case are.
const example = "../examples/" + servertest.Analysis + "/"

// TestGoldenCase goes the whole way by the command line alone.
func TestGoldenCase(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]func(*testing.T) string{
		"sqlite":   func(*testing.T) string { return "" },
		"postgres": func(t *testing.T) string { return metatest.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, started(t, database(t)))
		})
	}
}

func golden(t *testing.T, s *server) {
	const date = "2022-09-23"
	s.Run(s.Token, "dataset", "apply", "-f", example+"dataset.yaml")
	s.Run(s.Token, "analysis", "apply", "-f", example+"analysis.yaml")
	ssh := s.File("key.pub", publicKey(t))
	var keys [2]string
	for n := range keys {
		slug, id := fmt.Sprintf("tenant-%d", n+1), fmt.Sprintf("%06d", n+1)
		s.Run(s.Token, "tenant", "create", slug, "--name", slug, "--tier", "basic", "--external-id", id, "--organisation", "Organisation "+id)
		user := servertest.Decode[client.User](t, s.Run(s.Token, "user", "create", "--tenant", slug, "--email", slug+"@example.com", "--role", "tenant_user", "--ssh-key", ssh, "--json"))
		if user.ID == "" || user.Login != slug+"."+slug || user.SFTPLogin != user.Login {
			t.Errorf("user create: got id %q, login %q, sftp_login %q, want an id and logins %s.%s", user.ID, user.Login, user.SFTPLogin, slug, slug)
		}
		keys[n] = servertest.Decode[client.APIKey](t, s.Run(s.Token, "apikey", "create", "--tenant", slug, "--role", "tenant_admin", "--json")).Key
	}
	for n, key := range keys {
		if _, errs, code := s.Try(key, "analysis", "show", analysis, "--source"); code == 0 || !strings.Contains(errs, "the provider's people alone") {
			t.Errorf("source, which has the rules' parameters, for tenant-%d: exit code %d, %q", n+1, code, errs)
		}
		s.Run(key, "analysis", "accept", analysis)
		s.Run(key, "submit", "--dataset", dataset, "--date", date, fmt.Sprintf("%sinput-%s-%06d-000001.csv", example, date, n+1))
	}
	s.Run(s.Token, "analysis", "run", analysis, "--date", date, "--wait")
	for n, key := range keys {
		name := fmt.Sprintf("output-%s-%06d-000001.csv", date, n+1)
		results := servertest.Decode[client.List[client.Result]](t, s.Run(key, "result", "list", "--json")).Items
		if len(results) != 1 || results[0].Name+".csv" != name && results[0].Name != name || !results[0].Marked {
			t.Fatalf("results of tenant-%d: got %+v, want one marked, %s", n+1, results, name)
		}
		path := filepath.Join(s.Home, name)
		s.Run(key, "result", "get", results[0].ID, "-o", path)
		if got, want := must(os.ReadFile(path))(t), must(os.ReadFile(example+name))(t); !bytes.Equal(got, want) {
			t.Errorf("result of tenant-%d: got %q, want %q", n+1, got, want)
		}
		s.Run(key, "audit", "verify")
	}
	s.Run(s.Token, "audit", "verify")
	s.Stop()
	s.Sound()
}
