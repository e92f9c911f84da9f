//go:build linux && (amd64 || arm64)

package parse

import (
	"context"
	"time"

	"tributary/internal/exchange/contract"
	"tributary/internal/sandbox"
)

// ProgramName is what jobs call the child's half.
const ProgramName = "parse"

// Program is the child's half for sandbox.Main.
func Program() sandbox.Program {
	return sandbox.Program{Name: ProgramName, Main: func(ctx context.Context, c sandbox.Child) error {
		return Main(ctx, c.Args, c.Stream, c.Output)
	}}
}

// What a child needs beyond what grows with the file.
const (
	childMemory = 512 << 20
	childStart  = 10 * time.Second
	slowest     = 2 << 20 // unpacked bytes a second that a child reads at the least
	inflation   = 10      // frame bytes for each byte of text: ",1" becomes a status and eight bytes
)

// Limits are what a child may use to read a file of this many bytes, as sent.
// CPU and wall time allow for a slow machine that does other work besides.
func Limits(d *contract.Dataset, size int64) sandbox.Limits {
	unpacked := size
	if d.CSV.Compression != contract.Plain {
		unpacked = max(size, 1<<20) * int64(d.Limits.Ratio)
	}
	unpacked = min(unpacked, d.Limits.Bytes)
	busy := childStart + time.Duration(unpacked/slowest)*time.Second
	return sandbox.Limits{
		Memory: childMemory, CPU: busy, Wall: 4 * busy,
		Output: 64<<20 + inflation*unpacked, Threads: 1,
	}
}
