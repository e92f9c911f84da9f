package app

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tributary/client"
	"tributary/internal/blob/s3/s3test"
	"tributary/internal/clock"
	"tributary/internal/exchange/parse"
	"tributary/internal/policy"
	"tributary/internal/query"
	"tributary/internal/query/duckdb"
	"tributary/internal/sandbox"
)

func TestMain(m *testing.M) {
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
	for _, e := range s3test.Env() {
		name, value, _ := strings.Cut(e, "=")
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// slow is a file of which a part has been moved when a scope's life passes. It is
// larger than what the network holds on its way.
const slow = 32 << 20

// passing lets time pass in the middle of what goes through it.
type passing struct {
	moved int64
	late  *atomic.Int64 // how far the server's clock is ahead
}

func (p *passing) count(n int) {
	half := p.moved < slow/2 && p.moved+int64(n) >= slow/2
	p.moved += int64(n)
	if half {
		p.late.Add(int64(policy.Life + time.Minute))
	}
}

func (p *passing) Write(b []byte) (int, error) { p.count(len(b)); return len(b), nil }

// lines are a file that is sent.
type lines struct {
	passing
	left int64
}

func (l *lines) Read(b []byte) (int, error) {
	if l.left == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(b)), l.left))
	for i := range n {
		b[i] = "0123456789abcde\n"[(l.left-int64(i))%16]
	}
	l.left -= int64(n)
	l.count(n)
	return n, nil
}

// Sending, fetching and exporting may take longer than any other request's scope
// lives.
func TestTransfersOverHTTPOutlastTheirScope(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	late := &atomic.Int64{}
	level, err := sandbox.Probe(ctx)
	if level == "" {
		t.Fatal(err)
	}
	c := Config{Data: filepath.Join(t.TempDir(), "data"), HTTP: "127.0.0.1:0", Sandbox: level,
		Clock: clock.Clock{NowFunc: func() time.Time { return time.Now().Add(time.Duration(late.Load())) }}}
	token, err := Init(ctx, c, "admin@example.com", "a long enough password")
	if err != nil {
		t.Fatal(err)
	}
	server, err := Start(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Close(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	}()
	as := func(token string) *client.Client {
		t.Helper()
		c, err := client.New(server.URL(), token)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	admin := as(token)
	if _, err := admin.CreateTenant(ctx, client.NewTenant{Slug: "acme", Name: "Acme", Organisation: "Acme", Tier: "basic"}); err != nil {
		t.Fatal(err)
	}
	key, err := admin.CreateAPIKey(ctx, client.NewAPIKey{Tenant: "acme", Role: "tenant_admin"})
	if err != nil {
		t.Fatal(err)
	}
	const contract = "dataset: values\ntitle: Values\ncolumns:\n  - {name: A, type: text}\ncadence: daily\ndue: {after_days: 1, at: \"12:00\", zone: UTC}\n"
	if _, err := admin.ApplyDataset(ctx, []byte(contract)); err != nil {
		t.Fatal(err)
	}
	tenant := as(key.Key)
	passed := func(what string, p *passing, before int64, err error) {
		t.Helper()
		if err != nil || p.moved < slow || late.Load() == before {
			t.Errorf("%s: moved %d bytes of %d or more, time passed: %v, %v", what, p.moved, slow, late.Load() != before, err)
		}
	}
	before, file := late.Load(), &lines{passing: passing{late: late}, left: slow}
	sub, err := tenant.Submit(ctx, client.Upload{Dataset: "values", Date: time.Now().UTC().Format(time.DateOnly), Name: "a.csv", Body: file})
	passed("sending", &file.passing, before, err)
	if err != nil {
		return
	}
	before, fetched := late.Load(), &passing{late: late}
	_, err = tenant.SubmissionContent(ctx, sub.ID, fetched, nil)
	passed("fetching", fetched, before, err)
	before, exported := late.Load(), &passing{late: late}
	_, err = tenant.ExportTenant(ctx, exported, nil)
	passed("exporting", exported, before, err)
}
