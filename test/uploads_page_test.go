package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tributary/test/servertest"
)

// TestTusClient sends a file with the client that web pages use.
func TestTusClient(t *testing.T) {
	t.Parallel()
	modules := must(filepath.Abs(filepath.Join(servertest.Repository(), ".cache", "tus", "node_modules")))(t)
	if _, err := os.Stat(modules); err != nil {
		if os.Getenv("TRIBUTARY_REQUIRE_ALL") != "" {
			t.Fatal("tus-js-client is not installed; run make deps")
		}
		t.Skip("tus-js-client is not installed")
	}
	s := started(t, "")
	a, _ := s.exchange()
	text, name := file(1, date), servertest.InputName(1, date)
	path := filepath.Join(t.TempDir(), name)
	writeFile(t, path, text)
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join("testdata", "tus.cjs"), s.URL+"/api/v1/uploads", a.Key, name, path)
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("tus-js-client: got %v, want success\n%s", err, out)
	}
	s.uploads(a.Key).accepts(a, strings.TrimSpace(string(out)), text)
	if got := strings.Count(s.Log.String(), `method=HEAD route="HEAD /api/v1/uploads/{id}" status=200`); got != 1 {
		t.Errorf("looks for the offset: got %d, want 1", got)
	}
	s.Stop()
	s.Sound()
}
