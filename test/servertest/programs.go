package servertest

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Need returns the path of the first of some programs that is installed. Without any the
// test is skipped, or fails where all are required.
func Need(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("TRIBUTARY_REQUIRE_ALL") != "" {
		t.Fatalf("none of %s is installed; run make deps", strings.Join(names, ", "))
	}
	t.Skipf("none of %s is installed", strings.Join(names, ", "))
	return ""
}

// Chromium is the path of a browser: of one without windows if there is one, since they take a
// third of the processor though nobody sees them.
func Chromium(t *testing.T) string {
	t.Helper()
	return Need(t, "chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
}
