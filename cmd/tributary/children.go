package main

import (
	"context"

	"tributary/internal/exchange/parse"
	"tributary/internal/query"
	"tributary/internal/query/duckdb"
	"tributary/internal/sandbox"
)

// children does the work of a sandboxed child if this process is one, and then
// does not return.
func children() {
	sandbox.Main(
		parse.Program(),
		parse.PreviewProgram(),
		sandbox.Program{Name: query.ProgramName, Main: func(ctx context.Context, c sandbox.Child) error {
			return duckdb.Main(ctx, c.Args, c.Inputs, c.Filled, c.Output)
		}},
		sandbox.Program{Name: query.SliceProgram, Main: func(ctx context.Context, c sandbox.Child) error {
			return duckdb.SliceMain(ctx, c.Args, c.Stream, c.Output)
		}},
		sandbox.Program{Name: query.WarehouseProgram, Main: func(ctx context.Context, c sandbox.Child) error {
			return duckdb.WarehouseMain(ctx, c.Args, c.Dir, c.Serve)
		}},
	)
}
