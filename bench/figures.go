package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// spread is the median, minimum and maximum of a row of figures.
type spread[T cmp.Ordered] struct{ median, min, max T }

// spreadOf panics without figures. Of an even number the median is the lower of
// the two in the middle, so that it is one that was measured.
func spreadOf[T cmp.Ordered](list []T) spread[T] {
	sorted := slices.Sorted(slices.Values(list))
	return spread[T]{percentile(sorted, 50), sorted[0], sorted[len(sorted)-1]}
}

// percentile is the smallest figure of a sorted row that p % are not above.
func percentile[T any](sorted []T, p int) T {
	return sorted[max(0, (len(sorted)*p+99)/100-1)]
}

func millis(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/1e6) }

func (s spread[T]) String() string {
	show := func(v any) string {
		switch v := v.(type) {
		case time.Duration:
			return millis(v)
		case float64:
			return fmt.Sprintf("%.3f", v)
		}
		return fmt.Sprint(v)
	}
	return fmt.Sprintf("median %s, min %s, max %s", show(s.median), show(s.min), show(s.max))
}

// host prints what a reader has to know of the machine and the versions.
func (b *bench) host(ctx context.Context) error {
	version, err := exec.CommandContext(ctx, b.binary, "version").CombinedOutput()
	if err != nil {
		return fmt.Errorf("ask for the version: %w: %s", err, version)
	}
	b.printf("%s, bench %s, %s/%s, %d processors, %s\n", strings.TrimSpace(string(version)), runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), processor())
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if strings.HasPrefix(d.Path, "github.com/duckdb/duckdb-go") && !strings.Contains(d.Path, "/lib/") || d.Path == "modernc.org/sqlite" {
				b.printf("  %s %s\n", d.Path, d.Version)
			}
		}
	}
	var system unix.Statfs_t
	if err := unix.Statfs(b.dir, &system); err != nil {
		return fmt.Errorf("look at file system: %w", err)
	}
	b.printf("load average %s; data on a file system of type %#x\n", loadAverage(), system.Type)
	b.printf("durability: control database SQLite in WAL mode with synchronous=FULL, objects fsync, rename, fsync of the directory, all before the acknowledgement\n")
	if b.quick {
		b.printf("QUICK: a tenth of the size; floors are for the full one\n")
	}
	return nil
}

func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "processor unknown"
	}
	for line := range strings.Lines(string(text)) {
		if name, model, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(model)
		}
	}
	return "processor unknown"
}

func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}

// ownCPU is the processor time this process has used.
func ownCPU() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err) // the arguments are right
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
