//go:build linux && (amd64 || arm64)

package sandbox_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"tributary/internal/fault"
	"tributary/internal/sandbox"
)

func TestProbe(t *testing.T) {
	level, err := sandbox.Probe(t.Context())
	t.Log(level, err)
}

func TestInputsAndStreamGoInAndOutputComesOut(t *testing.T) {
	t.Parallel()
	atEachLevel(t, func(t *testing.T, b *sandbox.Box) {
		j := job("echo", "args ")
		j.Inputs = []*sandbox.Memory{memory(t, "first "), memory(t, ""), memory(t, "third ")}
		stream := strings.Repeat("stream\x00", 500_000)
		j.Stream = strings.NewReader(stream)
		if got, want := string(run(t, b, j)), "args first third "+stream; got != want {
			t.Errorf("output of %d bytes, want %d", len(got), len(want))
		}
	})
}

var _ = bytes.NewReader
var _ = context.Background
var _ = iotest.ErrReader
var _ = time.Second
var _ fault.Kind
var _ io.Reader
