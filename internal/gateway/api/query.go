package api

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"

	"tributary/client"
	"tributary/internal/fault"
	"tributary/internal/policy"
	"tributary/internal/query"
	"tributary/internal/warehouse"
)

// maxAnswer is how many bytes of values an answer has at most: it is gathered before
// it is sent, so that a SELECT that fails half-way is an error and not half an answer.
const maxAnswer = 32 << 20

// queryRoutes ask the warehouse, whose capability writes the audit entries.
func (s *server) queryRoutes() {
	add(s, route{method: http.MethodPost, path: "/query", id: "query", summary: "Ask the warehouse: one SELECT over all tenants' events and what was done here", thing: "query",
		action: policy.WarehouseQuery, audience: staff, audit: "warehouse.query", secret: true,
		errors: []int{http.StatusRequestEntityTooLarge}}, s.query)
}

func (s *server) query(ctx context.Context, c *call, i *in[client.NewQuery]) (*out[client.QueryAnswer], error) {
	answer := client.QueryAnswer{Columns: []client.QueryColumn{}, Rows: [][]any{}}
	kinds := []query.Kind{}
	size := 0
	end, err := s.Warehouse.UnscopedAsk(ctx, c.by(), warehouse.Ask{SQL: i.Body.SQL, Rows: i.Body.Rows, Timeout: time.Duration(i.Body.Seconds) * time.Second},
		func(columns []warehouse.Column) error {
			for _, x := range columns {
				answer.Columns = append(answer.Columns, client.QueryColumn{Name: x.Name, Kind: string(x.Kind)})
				kinds = append(kinds, x.Kind)
			}
			return nil
		}, func(values [][]byte) error {
			row := make([]any, len(values))
			for n, v := range values {
				size += len(v) + 16
				row[n] = jsonOf(kinds[n], v)
			}
			if size > maxAnswer {
				return fault.New(fault.TooLarge, "The answer has more than %d MiB. Ask for fewer rows or columns.", maxAnswer>>20)
			}
			answer.Rows = append(answer.Rows, row)
			return nil
		})
	if err != nil {
		return nil, err
	}
	answer.Truncated = end.Truncated
	return &out[client.QueryAnswer]{Body: answer}, nil
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
