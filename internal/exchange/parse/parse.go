// Package parse turns a submitted file into the accepted form, in two halves
// that meet in a stream of frames. Main runs in a sandboxed child: it reads the
// raw file in the dialect of its contract and writes typed records. Check runs
// in the server: it trusts no frame, holds the records against the contract and
// writes the accepted form. Storing either is left to the exchange.
package parse

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"tributary/internal/exchange/contract"
)

// request is what the child is told: how to read, not what is allowed.
type request struct {
	Formats []contract.Format `json:"formats,omitempty"`
	CSV     contract.Dialect  `json:"csv"`
	Limits  contract.Limits   `json:"limits"`
	Columns []requested       `json:"columns"`
}

type requested struct {
	Name   string        `json:"name"`
	Type   contract.Type `json:"type"`
	Scale  int           `json:"scale,omitempty"`
	Format string        `json:"format,omitempty"`
}

// Args are the arguments of a child that reads a file of this dataset.
func Args(d *contract.Dataset) ([]byte, error) {
	r := request{Formats: d.Formats, CSV: d.CSV, Limits: d.Limits}
	for _, c := range d.Columns {
		r.Columns = append(r.Columns, requested{c.Name, c.Type, c.Scale, c.Format})
	}
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode arguments of the parser: %w", err)
	}
	return b, nil
}

// Main is the child's half: it reads a file as args say and writes frames to out.
// A file that is Parquet must also be readable at any place, as InMemory says.
// Whatever is wrong with the file is in the frames; an error is a failure to read
// or write, or arguments that Args did not make. Memory does not grow with a file
// of text: it is a few times maxRecord. For Parquet it grows with its pages.
func Main(ctx context.Context, args []byte, file io.Reader, out io.Writer) error {
	var r request
	if err := json.Unmarshal(args, &r); err != nil {
		return fmt.Errorf("decode arguments of the parser: %w", err)
	}
	vectors, err := r.vectors()
	if err != nil {
		return err
	}
	w := &frameWriter{out: bufio.NewWriterSize(out, 256<<10)}
	p := parser{ctx: ctx, request: r, vectors: vectors, frames: w}
	err = p.file(file)
	var refused *refusal
	if errors.As(err, &refused) {
		w.problem(refused.finding)
		err = nil
	}
	if err != nil {
		return fmt.Errorf("read the submitted file: %w", err)
	}
	w.end(p.rows, refused == nil && !p.headerIsWrong)
	if err := w.out.Flush(); err != nil {
		return fmt.Errorf("write records: %w", err)
	}
	return nil
}

func (r *request) vectors() ([]*vector, error) {
	if len(r.Columns) == 0 || len(r.Columns) > contract.MaxColumns {
		return nil, fmt.Errorf("arguments of the parser have %d columns", len(r.Columns))
	}
	numbers := contract.NumbersOf(r.CSV)
	var all []*vector
	for _, c := range r.Columns {
		v := &vector{typ: c.Type, kind: kindOf(c.Type), scale: c.Scale, numbers: numbers, nulls: r.CSV.Null}
		if c.Type == contract.DateType || c.Type == contract.Timestamp {
			var err error
			if v.layout, err = contract.NewLayout(c.Type, c.Format); err != nil {
				return nil, fmt.Errorf("arguments of the parser: %w", err)
			}
		}
		if v.kind == 0 {
			return nil, fmt.Errorf("arguments of the parser have the type %q", c.Type)
		}
		all = append(all, v)
	}
	return all, nil
}
