// Command bench measures a built server against its floors: durable intake of events beside the
// least that it takes (row 1), how soon an event is found (row 2), files over SFTP beside
// OpenSSH's server (row 3), an upload by the web beside net/http to a file (row 4), what sealing costs a query (row 5), whole runs beside DuckDB on the same files (row 6), dashboards of many tenants (row 7), the cost of a tenant (row 8),
// a noisy neighbour on intake (row 12), the start of an idle server (row 13), the disclosure gate on large tables (row disclosure), pages of long lists (row lists), loads of
// the warehouse (row load), memory over a while (row soak), and what a browser loads (row portal). Rows with a number are those of the project's table of measures.
//
//	go run ./bench [-quick] [-rounds N] [ROW…]
//
// It prints medians with minimum and maximum and exits 1 when one is below its
// floor. Everything random comes from PCG with seed 42.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// seed of every generator.
const seed = 42

// bench is one invocation.
type bench struct {
	out      io.Writer
	dir      string // everything that is made, removed at the end
	binary   string // the server that is measured
	quick    bool   // a tenth of the size: a trial of the benchmark, not a measurement
	rounds   int
	millions int // of rows, of row 7
	soaking  time.Duration
	missed   []string // the floors that were not reached
}

// row is one measure.
type row struct {
	name, title string
	run         func(*bench, context.Context) error
}

var rows = []row{
	{"1", "durable intake of events", (*bench).intake},
	{"2", "an event is found, and the limit of that", (*bench).queryable},
	{"3", "SFTP against OpenSSH's server", (*bench).sftp},
	{"4", "web upload against net/http to a file", (*bench).uploads},
	{"5", "tax of sealing on queries", (*bench).sealing},
	{"6", "cross-participant run against raw DuckDB", (*bench).crossParticipant},
	{"7", "dashboards of one tenant after the other", (*bench).dashboards},
	{"8", "cost of a tenant", (*bench).tenants},
	{"12", "noisy neighbour on intake", (*bench).neighbours},
	{"13", "cold start and idle", (*bench).coldStart},
	{"disclosure", "tables protected, and what is hidden beside the best", (*bench).gate},
	{"lists", "pages of lists of 100,000 beside those of 1,000", (*bench).lists},
	{"load", "loads of the warehouse against DuckDB's own appender", (*bench).loads},
	{"portal", "sizes and load times of the portals", (*bench).portal},
	{"soak", "memory over a while of intake", (*bench).soak},
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == probeCommand {
		fmt.Fprintln(os.Stderr, "bench:", serveProbe(os.Args[2]))
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	b := &bench{out: out}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.BoolVar(&b.quick, "quick", false, "a tenth of the size, to try the benchmark itself")
	flags.IntVar(&b.rounds, "rounds", 7, "interleaved rounds, at least 5")
	flags.IntVar(&b.millions, "millions", 20, "of events, of row 7")
	minutes := flags.Int("minutes", 2, "of the row soak")
	flags.StringVar(&b.binary, "binary", "", "measure this build instead of building one")
	parent := flags.String("dir", "", "directory on the disk to measure; the system's temporary one if absent")
	if err := flags.Parse(args); err != nil {
		return err
	}
	b.soaking = time.Duration(*minutes) * time.Minute
	if b.rounds < 5 {
		return errors.New("fewer than 5 rounds say nothing")
	}
	chosen, err := choose(flags.Args())
	if err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp(*parent, "tributary-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if b.binary == "" {
		b.binary = filepath.Join(b.dir, "tributary")
		if err := build(ctx, b.binary); err != nil {
			return err
		}
	}
	if err := b.host(ctx); err != nil {
		return err
	}
	for _, r := range chosen {
		b.printf("\n== row %s: %s\n", r.name, r.title)
		if err := r.run(b, ctx); err != nil {
			return fmt.Errorf("row %s: %w", r.name, err)
		}
		b.printf("load average %s\n", loadAverage())
	}
	if len(b.missed) > 0 {
		return fmt.Errorf("below the floor: %s", strings.Join(b.missed, "; "))
	}
	return nil
}

// choose returns the rows named, all if none is.
func choose(names []string) ([]row, error) {
	if len(names) == 0 {
		return rows, nil
	}
	var chosen []row
	for _, name := range names {
		i := slices.IndexFunc(rows, func(r row) bool { return r.name == name })
		if i < 0 {
			var all []string
			for _, r := range rows {
				all = append(all, r.name)
			}
			return nil, fmt.Errorf("there is no row %q; there are %s", name, strings.Join(all, ", "))
		}
		chosen = append(chosen, rows[i])
	}
	return chosen, nil
}

func (b *bench) printf(format string, args ...any) { fmt.Fprintf(b.out, format, args...) }

// floor prints a verdict and notes a floor that was not reached.
func (b *bench) floor(ok bool, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !ok {
		b.missed = append(b.missed, text)
		text = "BELOW THE FLOOR: " + text
	} else {
		text = "floor reached: " + text
	}
	b.printf("%s\n", text)
}
