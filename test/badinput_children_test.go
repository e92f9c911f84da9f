package test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tributary/client"
	"tributary/test/servertest"
)

// What is wrong with a child is done to it from outside, by the kernel, since
// nothing in the product makes a child misbehave: it is stopped or
// killed.

// children finds the server's children. It remembers which processes it has seen,
// since looking at all of them takes longer than some children live.
type children struct {
	*server
	known map[string]bool // by process id: whether it is a child that was not caught yet
}

func (s *server) children() *children { return &children{s, map[string]bool{}} }

// confined returns a child of the server whose program runs behind its walls, 0 if
// there is none. A child that ends earlier is no fault of what it was to work on.
func (c *children) confined() int {
	c.T.Helper()
	dir := must(os.Open("/proc"))(c.T)
	defer dir.Close()
	for _, name := range must(dir.Readdirnames(-1))(c.T) {
		pid, err := strconv.Atoi(name)
		mine, seen := c.known[name]
		if err != nil || seen && !mine {
			continue
		}
		stat, err := os.ReadFile("/proc/" + name + "/stat")
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if c.known[name] = fields[1] == strconv.Itoa(c.Process.Pid); !c.known[name] {
			continue
		}
		if warehouse("/proc/" + name) {
			c.known[name] = false
			continue
		}
		if filters("/proc/"+name) > filters("/proc/self") && asleep("/proc/"+name) {
			return pid
		}
	}
	return 0
}

// warehouse reports whether a child is the one that owns the warehouse, and lives.
func warehouse(process string) bool {
	open, _ := os.ReadDir(process + "/fd")
	return slices.ContainsFunc(open, func(f os.DirEntry) bool {
		path, _ := os.Readlink(process + "/fd/" + f.Name())
		return strings.Contains(path, "warehouse")
	})
}

// filters is how many filters of system calls a process has. A child sets its own
// when all else is done.
func filters(process string) int {
	status, _ := os.ReadFile(process + "/status")
	_, rest, _ := strings.Cut(string(status), "Seccomp_filters:")
	number, _, _ := strings.Cut(rest, "\n")
	n, _ := strconv.Atoi(strings.TrimSpace(number)) // of a process that has ended: 0
	return n
}

// asleep reports whether a process's first thread sleeps. A child's says that it is
// ready, and then waits for the program, which runs on another thread.
func asleep(process string) bool {
	stat, _ := os.ReadFile(filepath.Join(process, "task", filepath.Base(process), "stat"))
	_, rest, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(rest, "S")
}

// caught waits for a child of the server and stops it, as one that spins for ever
// or hangs would stand.
func (c *children) caught() int {
	c.T.Helper()
	pid := 0
	for end := time.Now().Add(servertest.Patience); pid == 0; { // without a pause, since children are quick
		if found := c.confined(); found != 0 && unix.Kill(found, unix.SIGSTOP) == nil {
			pid = found
		} else if time.Now().After(end) {
			c.T.Fatalf("no child of the server in %v", servertest.Patience)
		}
	}
	c.known[strconv.Itoa(pid)] = false
	return pid
}

func (s *server) signal(pid int, with syscall.Signal) {
	s.T.Helper()
	must(struct{}{}, unix.Kill(pid, with))(s.T)
}

func (s *server) gone(pid int) {
	s.T.Helper()
	s.until("the child is gone", func() bool { return unix.Kill(pid, 0) != nil })
}

// many is a file of participant n with rows enough to keep a child busy for a while.
func many(n, count int) string {
	var text strings.Builder
	text.WriteString(header)
	for i := range count {
		fmt.Fprintf(&text, "20221101,%06d,tag %d,y,%d\n", n, i, i)
	}
	return text.String()
}

// TestValidationWhoseChildFails has the child that reads A's file crash, once and
// again and again. While it stands still, B's file is accepted.
func TestValidationWhoseChildFails(t *testing.T) {
	t.Parallel()
	s := started(t, "")
	a, b := s.exchange()
	text := many(1, 100_000)
	kids := s.children()
	fails := func(attempts int, fail func(pid int)) client.Submission {
		t.Helper()
		sent := must(a.Send(t.Context(), date, text))(t)
		for n := range attempts {
			pid := kids.caught()
			if n == 0 {
				b.meanwhile(t, 2)()
			}
			fail(pid)
			s.signal(pid, unix.SIGCONT)
			s.gone(pid)
		}
		got := must(a.WaitSubmission(t.Context(), sent.ID))(t)
		a.keeps(t, got.ID, text)
		return got
	}
	crash := func(pid int) { s.signal(pid, unix.SIGSEGV) }
	if got := fails(1, crash); got.State != "accepted" || *got.Rows != 100_000 {
		t.Errorf("a child that crashed once: got %s %+v, want the file accepted at the next try", got.State, got.Problems)
	}
	started := must(a.Submissions(t.Context(), client.SubmissionFilter{State: "accepted"}))(t).Items[0]
	got := fails(3, crash)
	want := wrong(0, "", "unreadable", "The file could not be read: the process that parses it stopped each time. Check that it is what the dataset asks for, and send it again; if it stops again, tell the provider the submission's id.")
	if got.State != "rejected" || len(got.Problems) != 1 || got.Problems[0] != want {
		t.Errorf("a child that crashes: got %s %+v, want rejected for %+v", got.State, got.Problems, want)
	}
	if still := must(a.Submission(t.Context(), started.ID))(t); still.State != "accepted" {
		t.Errorf("what was accepted before: got %s, want accepted", still.State)
	}
	s.Stop()
	s.Sound()
}

// TestRunWhoseChildFails has the child of a run stand still, until it is cancelled
// or for longer than its analysis may take, and crash.
func TestRunWhoseChildFails(t *testing.T) {
	t.Parallel()
	s := started(t, "")
	a, b := s.exchange()
	admin := s.As(s.Token)
	kids := s.children()
	a.Accepted(t, date, many(1, 50_000))
	b.Accepted(t, date, many(2, 50_000))
	ends := func(name, state, says string, code int, fail func(pid int, run string)) {
		t.Helper()
		done := make(chan func(), 1)
		go func() {
			out, errs, got := s.Try(s.Token, "analysis", "run", analysis, "--date", date, "--wait", "--json")
			done <- func() {
				t.Helper()
				run := servertest.Decode[client.List[client.Run]](t, out).Items[0]
				if run.State != state || !strings.Contains(run.Reason, says) || got != code || run.Release != "" {
					t.Errorf("%s: got %s %q with exit code %d, %q; want %s saying %q with %d", name, run.State, run.Reason, got, errs, state, says, code)
				}
			}
		}()
		pid := kids.caught()
		fail(pid, must(admin.Runs(t.Context(), client.RunFilter{}))(t).Items[0].ID)
		s.gone(pid)
		(<-done)()
	}
	ends("a run that is cancelled", "cancelled", "It was cancelled.", 130, func(_ int, run string) { must(admin.CancelRun(t.Context(), run))(t) })
	text := string(servertest.Example(t, "analysis.yaml")) + "limits: {wall: 5s}\n"
	must(admin.ApplyAnalysis(t.Context(), []byte(text)))(t)
	ends("a child that hangs", "failed", "The work took longer than ", 1, func(int, string) { a.Accepted(t, date, many(1, 50_001)) })
	if got := append(must(a.Results(t.Context(), client.ResultFilter{}))(t).Items, must(b.Results(t.Context(), client.ResultFilter{}))(t).Items...); len(got) != 0 {
		t.Errorf("results of runs that failed: got %+v, want none", got)
	}
	// A crash is tried again, and then nothing of it is left.
	run := must(admin.StartRuns(t.Context(), []string{analysis}, date))(t).Items[0]
	pid := kids.caught()
	s.signal(pid, unix.SIGSEGV)
	s.signal(pid, unix.SIGCONT)
	if run = must(admin.WaitRun(t.Context(), run.ID, nil))(t); run.State != "succeeded" {
		t.Errorf("a run whose child crashed once: got %s (%s), want succeeded", run.State, run.Reason)
	}
	s.Stop()
	s.Sound()
}

// TestRunThatNeedsTooMuchMemory has more groups than fit in what its analysis may use.
func TestRunThatNeedsTooMuchMemory(t *testing.T) {
	t.Parallel()
	s := started(t, "")
	a, b := s.exchange()
	a.Accepted(t, date, many(1, 500_000))
	b.Accepted(t, date, many(2, 500_000))
	text := string(servertest.Example(t, "analysis.yaml")) + "limits: {memory: 64MiB}\n"
	must(s.As(s.Token).ApplyAnalysis(t.Context(), []byte(text)))(t)
	start := s.memory("VmHWM")
	out, errs, code := s.Try(s.Token, "analysis", "run", analysis, "--date", date, "--wait", "--json")
	const says = "The analysis needs more than its 64 MiB of memory. Group by fewer columns or filter, or ask for a higher limit."
	run := servertest.Decode[client.List[client.Run]](t, out).Items[0]
	if run.State != "failed" || run.Reason != says || code != 1 || !strings.Contains(errs, says) {
		t.Errorf("got %s %q with exit code %d, %q, want failed saying %q with 1", run.State, run.Reason, code, errs, says)
	}
	if most := s.memory("VmHWM"); most > start+grows {
		t.Errorf("the server's memory: got %d MiB at most, %d MiB before, want less than %d MiB more", most>>20, start>>20, grows>>20)
	}
	b.meanwhile(t, 2)()
	s.Stop()
	s.Sound()
}
