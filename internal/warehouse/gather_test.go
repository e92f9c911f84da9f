package warehouse_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"tributary/internal/events"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

// More than one transaction holds is loaded by several, of which the next is gathered while
// one is committed: each event once, also when a block in between cannot be opened at first.
func TestManyTransactions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	opener := &failing{opener: w.config.Blocks}
	w.config.Blocks = opener
	w.again()
	ids := []tenant.ID{w.tenant("acme"), w.tenant("globex")}
	const perBlock, blocks = 12, 100 // 60 KB each: 6 transactions
	data := []byte(`{"text":"` + strings.Repeat("0123456789", 6000) + `"}`)
	for n := range blocks {
		var list []events.Event
		for i := range perBlock {
			e := event(fmt.Sprintf("%d-%d", n, i), "pageViewed", w.hands.Now())
			e.Data = data
			list = append(list, e)
		}
		w.send(stream.Events, ids[n%2], list...)
	}
	opener.after.Store(70)
	if err := w.Load(t.Context()); !errors.Is(err, errOpen) {
		t.Fatalf("loaded although a block cannot be opened: %v", err)
	}
	w.want("SELECT count(*) BETWEEN 1 AND 70 * 12, count(*) = count(DISTINCT id) FROM fact_event", "true|true\n")
	opener.after.Store(0)
	w.load()
	w.want("SELECT count(*), count(DISTINCT id), count(DISTINCT tenant) FROM fact_event", "1200|1200|2\n")
	w.want("SELECT sum(rows)::BIGINT FROM load_interval WHERE model = 'fact_event'", "1200\n")
	w.want("SELECT sequence FROM load_position WHERE stream = 'events'", "100\n")
	w.want("SELECT count(*) FROM load_problem", "0\n")
}

var errOpen = errors.New("not now")

// failing opens so many blocks, with 0 all.
type failing struct {
	opener interface {
		Open(ctx context.Context, block []byte) (events.Header, []events.Event, error)
		Kept(ctx context.Context, list []events.Event) ([]events.Event, error)
	}
	after, opened atomic.Int64
}

func (f *failing) Open(ctx context.Context, block []byte) (events.Header, []events.Event, error) {
	if most := f.after.Load(); most > 0 && f.opened.Add(1) > most {
		return events.Header{}, nil, errOpen
	}
	return f.opener.Open(ctx, block)
}

func (f *failing) Kept(ctx context.Context, list []events.Event) ([]events.Event, error) {
	return f.opener.Kept(ctx, list)
}
