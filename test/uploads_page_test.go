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
	modules := os.Getenv("TRIBUTARY_TEST_NODE_MODULES")
	if modules == "" {
		t.Skip("TRIBUTARY_TEST_NODE_MODULES names no folder with tus-js-client in it")
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
