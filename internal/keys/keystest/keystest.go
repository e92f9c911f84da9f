// Package keystest gives tests keys of their own.
package keystest

import (
	"path/filepath"
	"testing"

	"tributary/internal/clock"
	"tributary/internal/keys"
	"tributary/internal/keys/file"
)

// New makes a key file that ends with the test, and the secrets of an installation.
func New(t testing.TB, c clock.Clock) (keys.KEK, keys.Secrets) {
	t.Helper()
	kek, err := file.Open(filepath.Join(t.TempDir(), "key"), c)
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := keys.NewSecrets(t.Context(), kek, c)
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := keys.OpenSecrets(t.Context(), kek, wrapped)
	if err != nil {
		t.Fatal(err)
	}
	return kek, secrets
}
