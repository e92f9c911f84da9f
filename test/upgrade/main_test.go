// Package upgrade starts the program on data that each released version left
// behind, and on databases that are newer than it.
//
// testdata has, for each version and both databases, VERSION-DATABASE.tar.gz: a
// data directory that the program of that version filled, on PostgreSQL also the
// control tables as SQL, and fixture.json, which says what is in it and has the
// secrets of all who may see it. scripts/fixture makes them.
package upgrade

import (
	"os"
	"testing"

	"tributary/test/servertest"
)

func TestMain(m *testing.M) { os.Exit(servertest.Main(m)) }

func must[T any](value T, err error) func(*testing.T) T { return servertest.Must(value, err) }
