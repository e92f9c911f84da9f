// Package crash cuts the power, breaks and fills the disk, and kills the process
// under the built program, and wants everything that it had acknowledged.
//
// TRIBUTARY_CRASH_ROUNDS makes it cut the power that often on each file system,
// however long it takes; TRIBUTARY_CRASH_SEED repeats the moments of a run.
package crash

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"tributary/test/servertest"
)

func TestMain(m *testing.M) {
	sweep()
	os.Exit(servertest.Main(m))
}

// missing ends a test for which this machine lacks something; where nothing may be
// left out, as in CI, it fails.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("TRIBUTARY_REQUIRE_ALL") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// chance is a source of random moments, whose seed is in the log.
func chance(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("TRIBUTARY_CRASH_SEED"); text != "" {
		seed = must(strconv.ParseUint(text, 10, 64))(t)
	}
	t.Logf("TRIBUTARY_CRASH_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func must[T any](value T, err error) func(*testing.T) T { return servertest.Must(value, err) }
