package test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"

	"tributary/client"
	"tributary/internal/meta/metatest"
)

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
	s.run(s.token, "dataset", "apply", "-f", example+"dataset.yaml")
	s.run(s.token, "analysis", "apply", "-f", example+"analysis.yaml")
	ssh := s.file("key.pub", publicKey(t))
	var keys [2]string
	for n := range keys {
		slug, id := fmt.Sprintf("tenant-%d", n+1), fmt.Sprintf("%06d", n+1)
		s.run(s.token, "tenant", "create", slug, "--name", slug, "--tier", "basic", "--external-id", id, "--organisation", "Organisation "+id)
		user := decode[client.User](t, s.run(s.token, "user", "create", "--tenant", slug, "--email", slug+"@example.com", "--role", "tenant_user", "--ssh-key", ssh, "--json"))
		if user.ID == "" || user.Login != slug+"."+slug || user.SFTPLogin != user.Login {
			t.Errorf("user create: got id %q, login %q, sftp_login %q, want an id and logins %s.%s", user.ID, user.Login, user.SFTPLogin, slug, slug)
		}
		keys[n] = decode[client.APIKey](t, s.run(s.token, "apikey", "create", "--tenant", slug, "--role", "tenant_admin", "--json")).Key
	}
	for n, key := range keys {
		s.run(key, "analysis", "accept", analysis)
		s.run(key, "submit", "--dataset", dataset, "--date", date, fmt.Sprintf("%sinput-%s-%06d-000001.csv", example, date, n+1))
	}
	s.run(s.token, "analysis", "run", analysis, "--date", date, "--wait")
	for n, key := range keys {
		name := fmt.Sprintf("output-%s-%06d-000001.csv", date, n+1)
		results := decode[client.List[client.Result]](t, s.run(key, "result", "list", "--json")).Items
		if len(results) != 1 || results[0].Name+".csv" != name && results[0].Name != name || !results[0].Marked {
			t.Fatalf("results of tenant-%d: got %+v, want one marked, %s", n+1, results, name)
		}
		path := filepath.Join(s.dir, name)
		s.run(key, "result", "get", results[0].ID, "-o", path)
		if got, want := read(t, path), read(t, example+name); !bytes.Equal(got, want) {
			t.Errorf("result of tenant-%d: got %q, want %q", n+1, got, want)
		}
		s.run(key, "audit", "verify")
	}
	s.run(s.token, "audit", "verify")
	s.stop()
	s.sound()
}
