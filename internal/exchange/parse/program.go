//go:build linux && (amd64 || arm64)

package parse

import (
	"context"
	"fmt"
	"io"
	"time"

	"tributary/internal/exchange/contract"
	"tributary/internal/sandbox"
)

// ProgramName is what jobs call the child's half.
const ProgramName = "parse"

// PreviewName is what jobs call the child that reads a file's start.
const PreviewName = "preview"

// Program is the child's half for sandbox.Main.
func Program() sandbox.Program { return program(ProgramName, Main) }

// PreviewProgram is the child's half of a preview.
func PreviewProgram() sandbox.Program { return program(PreviewName, PreviewMain) }

// PreviewLimits are what a preview may use.
func PreviewLimits() sandbox.Limits {
	return sandbox.Limits{Memory: 2 * childMemory, CPU: childStart, Wall: 3 * childStart, Output: previewOutput, Threads: 1}
}

func program(name string, main func(context.Context, []byte, io.Reader, io.Writer) error) sandbox.Program {
	return sandbox.Program{Name: name, Main: func(ctx context.Context, c sandbox.Child) error {
		if len(c.Inputs) == 0 {
			return main(ctx, c.Args, c.Stream, c.Output)
		}
		if err := c.Filled(); err != nil {
			return err
		}
		size, err := c.Inputs[0].Seek(0, io.SeekEnd)
		if err != nil {
			return fmt.Errorf("find the size of the submitted file: %w", err)
		}
		return main(ctx, c.Args, io.NewSectionReader(c.Inputs[0], 0, size), c.Output)
	}}
}

// InMemory reports whether a file that starts so must be in a memory file, the only
// input of its child, because it is not read from its start to its end. Every other
// file is the child's stream.
func InMemory(d *contract.Dataset, start []byte, size int64) bool {
	return d.Takes(contract.Parquet) && LooksLikeParquet(start) && size <= contract.MaxParquet
}

// What a child needs beyond what grows with the file.
const (
	childMemory = 512 << 20
	childStart  = 10 * time.Second
	slowest     = 2 << 20 // unpacked bytes a second that a child reads at the least
	inflation   = 10      // frame bytes for each byte of text: ",1" becomes a status and eight bytes
	pageMemory  = 1 << 20 // of a column of Parquet, whose pages are unpacked side by side
)

// Limits are what a child may use to read a file of this many bytes, as sent.
// CPU and wall time allow for a slow machine that does other work besides.
func Limits(d *contract.Dataset, size int64) sandbox.Limits {
	unpacked := size
	if d.CSV.Compression != contract.Plain {
		unpacked = max(size, 1<<20) * int64(d.Limits.Ratio)
	}
	memory := int64(childMemory)
	if d.Takes(contract.NDJSON) || d.Takes(contract.Parquet) { // in which null takes no bytes
		unpacked = d.Limits.Bytes
	}
	if d.Takes(contract.Parquet) {
		memory += pageMemory * int64(len(d.Columns))
	}
	unpacked = min(unpacked, d.Limits.Bytes)
	busy := childStart + time.Duration(unpacked/slowest)*time.Second
	return sandbox.Limits{
		Memory: memory, CPU: busy, Wall: 4 * busy,
		Output: 64<<20 + inflation*unpacked, Threads: 1,
	}
}
