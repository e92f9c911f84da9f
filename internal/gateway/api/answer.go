package api

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"

	"tributary/client"
	"tributary/internal/analysis/render"
	"tributary/internal/fault"
	"tributary/internal/gateway/api/columnar"
	"tributary/internal/query"
	"tributary/internal/warehouse"
)

// held is how much of an answer is held back before it begins: a SELECT that fails until
// then is an error, and not half an answer.
const held = 256 << 10

// The formats of answers.
const (
	asJSON    = "application/json"
	asNDJSON  = "application/x-ndjson"
	asCSV     = "text/csv"
	asArrow   = "application/vnd.apache.arrow.stream"
	asParquet = "application/vnd.apache.parquet"
)

// formatOf chooses the format that a request accepts; JSON if it does not say.
func formatOf(accept string) (string, error) {
	accept = strings.ToLower(accept)
	for part := range strings.SplitSeq(accept, ",") {
		kind, _, _ := strings.Cut(part, ";")
		switch kind = strings.TrimSpace(kind); kind {
		case "", "*/*", "application/*":
			return asJSON, nil
		case "text/*":
			return asCSV, nil
		case "application/ndjson":
			return asNDJSON, nil
		case asJSON, asNDJSON, asCSV, asArrow, asParquet:
			return kind, nil
		}
	}
	return "", fault.New(fault.Invalid, "An answer is %s, %s, %s, %s or %s; not %.100q.", asJSON, asNDJSON, asCSV, asArrow, asParquet, accept)
}

// answering writes an answer while it comes.
type answering struct {
	server  *server
	w       http.ResponseWriter
	format  string
	begun   bool // something was sent
	buffer  []byte
	columns []warehouse.Column
	rows    int64
	table   columnarWriter // of formats that are no text
}

type columnarWriter interface {
	Row(values [][]byte) error
	Close(rows int64, truncated bool) error
}

// Write holds the begin of an answer back.
func (a *answering) Write(p []byte) (int, error) {
	if a.buffer = append(a.buffer, p...); len(a.buffer) > held {
		return len(p), a.flush()
	}
	return len(p), nil
}

func (a *answering) flush() error {
	if !a.begun {
		a.begun = true
		kind := a.format
		if kind == asCSV {
			kind += "; charset=utf-8; header=present"
		}
		a.w.Header().Set("Content-Type", kind)
		a.w.Header().Set("X-Accel-Buffering", "no") // a proxy that gathers answers would hold it back
		a.w.WriteHeader(http.StatusOK)
	}
	_, err := a.w.Write(a.buffer)
	a.buffer = a.buffer[:0]
	if err != nil {
		return fault.Wrap(fault.Cancelled, err, "The client is gone.")
	}
	return nil
}

func (a *answering) begin(columns []warehouse.Column) error {
	a.columns = columns
	switch a.format {
	case asArrow:
		to, err := columnar.NewArrow(a, columns)
		a.table = to
		return err
	case asParquet:
		to, err := columnar.NewParquet(a, columns)
		a.table = to
		return err
	case asCSV:
		var b []byte
		for i, c := range columns {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendCell(b, true, []byte(c.Name))
		}
		_, err := a.Write(append(b, '\n'))
		return err
	case asJSON:
		words := make([]client.QueryColumn, len(columns))
		for i, c := range columns {
			words[i] = client.QueryColumn{Name: c.Name, Kind: string(c.Kind)}
		}
		raw, err := json.Marshal(words)
		if err != nil {
			return fmt.Errorf("encode columns: %w", err)
		}
		_, err = fmt.Fprintf(a, `{"columns":%s,"rows":[`, raw)
		return err
	}
	return nil
}

// appendCell appends a cell of CSV: nothing for a null, two quotes for an empty text, and no
// formula.
func appendCell(b []byte, text bool, v []byte) []byte {
	if v == nil {
		return b
	}
	s := string(v)
	if text {
		s = render.Harmless(s)
	}
	if s != "" && !strings.ContainsAny(s, "\",\r\n") && strings.TrimSpace(s) == s {
		return append(b, s...)
	}
	return append(append(append(b, '"'), strings.ReplaceAll(s, `"`, `""`)...), '"')
}

func (a *answering) each(values [][]byte) error {
	a.rows++
	if a.table != nil {
		return a.table.Row(values)
	}
	var b []byte
	if a.format == asCSV {
		for i, v := range values {
			if i > 0 {
				b = append(b, ',')
			}
			kind := a.columns[i].Kind
			b = appendCell(b, kind == query.KindText || kind == query.KindJSON, v)
		}
		_, err := a.Write(append(b, '\n'))
		return err
	}
	switch {
	case a.format == asNDJSON:
		b = append(b, '{')
	case a.rows > 1:
		b = append(b, ",\n["...)
	default:
		b = append(b, '[')
	}
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		if a.format == asNDJSON {
			name, err := json.Marshal(a.columns[i].Name)
			if err != nil {
				return fmt.Errorf("encode name: %w", err)
			}
			b = append(append(b, name...), ':')
		}
		value, err := json.Marshal(jsonOf(a.columns[i].Kind, v))
		if err != nil {
			return fmt.Errorf("encode value: %w", err)
		}
		b = append(b, value...)
	}
	if a.format == asNDJSON {
		b = append(b, "}\n"...)
	} else {
		b = append(b, ']')
	}
	_, err := a.Write(b)
	return err
}

// end ends the answer: with a failure it is one if nothing was sent, and otherwise cuts the
// connection, so that nobody takes a part for the whole.
func (a *answering) end(ctx context.Context, end warehouse.Ran, err error) error {
	if err == nil && a.table != nil {
		err = a.table.Close(end.Rows, end.Truncated)
	}
	if err == nil && a.format == asJSON {
		tail := fmt.Sprintf(`],"truncated":%v`, end.Truncated)
		if end.Cached {
			tail += `,"cached":true`
		}
		_, err = a.Write([]byte(tail + "}\n"))
	}
	if err == nil {
		if end.Truncated {
			name := "Tributary-Truncated"
			if a.begun {
				name = http.TrailerPrefix + name
			}
			a.w.Header().Set(name, "true")
		}
		if err = a.flush(); err == nil {
			return nil
		}
	}
	if !a.begun {
		return err
	}
	a.server.logFault(ctx, fmt.Errorf("answer query: %w", err))
	panic(http.ErrAbortHandler)
}

// exact is the largest whole number that every reader of JSON keeps as it is.
const exact = 1 << 53

// jsonOf is a value as JSON has it. What JSON's numbers cannot hold stays a text:
// whole numbers beyond 2^53, decimals, and what is no finite number.
func jsonOf(kind query.Kind, v []byte) any {
	if v == nil {
		return nil
	}
	switch kind {
	case query.KindBoolean:
		return string(v) == "true"
	case query.KindInteger:
		if n, err := strconv.ParseInt(string(v), 10, 64); err == nil && n <= exact && n >= -exact {
			return n
		}
	case query.KindNumber:
		if f, err := strconv.ParseFloat(string(v), 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return f
		}
	case query.KindJSON:
		if json.Valid(v) {
			return json.RawMessage(v)
		}
	}
	return string(v)
}
