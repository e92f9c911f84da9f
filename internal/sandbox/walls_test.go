//go:build linux && (amd64 || arm64)

package sandbox_test

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tributary/internal/sandbox"
)

func TestChildCannotDoHarm(t *testing.T) {
	t.Parallel()
	atEachLevel(t, func(t *testing.T, b *sandbox.Box) {
		j := job("attack", "try")
		j.Inputs = []*sandbox.Memory{memory(t, "input")}
		text := string(run(t, b, j))
		seen := 0
		for line := range strings.Lines(strings.TrimPrefix(text, ".")) {
			name, got, _ := strings.Cut(strings.TrimSpace(line), "\t")
			if tries[name] == nil {
				t.Errorf("line %q is of no try", line)
			}
			if got == "<nil>" {
				t.Errorf("a child can: %s", name)
			}
			seen++
		}
		if seen != len(tries) {
			t.Errorf("%d tries reported, want %d", seen, len(tries))
		}
	})
}

// Without this, a test above could pass because the try is wrong.
func TestTriesSucceedOutside(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"executable memory", "memory made executable", "read /etc/passwd", "read /etc/group", "read through own root",
		"list /proc of others", "socket", "unix socket", "netlink socket", "pair of sockets", "new memory file",
		"be traceable", "process by descriptor", "write temporary file", "leave directory",
	} {
		if err := tries[name](sandbox.Child{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	os.Remove(filepath.Join("/tmp", "sandbox-was-here"))
}

func TestChildHasNothingButItsInputs(t *testing.T) {
	// Not parallel: it leaves a descriptor open that every child would inherit.
	leak, err := unix.Open("/etc/passwd", unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(leak)
	t.Setenv("SANDBOX_TEST_SECRET", "secret")
	best, err := sandbox.Probe(t.Context())
	for _, level := range []sandbox.Level{sandbox.Strict, sandbox.Reduced} {
		t.Run(string(level), func(t *testing.T) {
			if level == sandbox.Strict && best != sandbox.Strict {
				t.Skip(err)
			}
			b, err := sandbox.New(sandbox.Config{Level: level})
			if err != nil {
				t.Fatal(err)
			}
			j := job("look", "secret")
			j.Inputs = []*sandbox.Memory{memory(t, "a"), memory(t, "b")}
			j.Limits.Threads = 3
			got := string(run(t, b, j))
			want := `fds 0=pipe 1=pipe 2=pipe 3=pipe 4=pipe 5=/memfd:test (deleted) 6=/memfd:test (deleted)
environment 0
arguments tributary-sandbox run -
user UID GID
process PID
processors 3
CapInh: 0000000000000000
CapPrm: 0000000000000000
CapEff: 0000000000000000
CapBnd: BND
CapAmb: 0000000000000000
NoNewPrivs: 1
Seccomp: 2
mounts MOUNTS
dumpable 0 <nil>`
			uid, gid, pid, bnd, mounts := "65534", "65534", `\d+`, "[0-9a-f]+", "[^\n]+"
			if level == sandbox.Strict {
				pid, bnd, mounts = "1", "0000000000000000", `/( /etc/ld.so.cache| /(usr/(local/)?)?lib(64)?)*( /proc/self)( /(usr/(local/)?)?lib(64)?)*`
			} else if os.Geteuid() != 0 {
				uid, gid = strconv.Itoa(os.Geteuid()), strconv.Itoa(os.Getegid())
			}
			pattern := strings.NewReplacer("UID", uid, "GID", gid, "PID", pid, "BND", bnd, "MOUNTS", mounts).Replace(
				strings.NewReplacer("(", `\(`, ")", `\)`).Replace(want))
			if !regexp.MustCompile("^" + pattern + "$").MatchString(got) {
				t.Errorf("got\n%s\nwant\n%s", got, pattern)
			}
		})
	}
}

func TestChildDiesWithItsParent(t *testing.T) {
	t.Parallel()
	atEachLevel(t, func(t *testing.T, b *sandbox.Box) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), beParent+"="+string(b.Level()))
		cmd.Stdout = w
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		w.Close()
		if line, err := bufio.NewReader(r).ReadString('\n'); line != "ready\n" {
			t.Fatalf("the parent says %q, %v", line, err)
		}
		var handles []unix.PollFd
		for _, pid := range descendantsOf(t, cmd.Process.Pid) {
			handle, err := unix.PidfdOpen(pid, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(handle)
			handles = append(handles, unix.PollFd{Fd: int32(handle), Events: unix.POLLIN})
		}
		if len(handles) == 0 {
			t.Fatal("the parent has no child")
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		for i := range handles {
			for {
				n, err := unix.Poll(handles[i:i+1], int(20*time.Second/time.Millisecond))
				if err == unix.EINTR {
					continue
				}
				if n != 1 || err != nil {
					t.Errorf("descendant %d of %d outlived its parent: %v", i+1, len(handles), err)
				}
				break
			}
		}
	})
}

// descendantsOf lists the processes that pid started, and those that they did.
func descendantsOf(t *testing.T, pid int) []int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := bytes.Cut(text, []byte(") "))
		if f := strings.Fields(string(rest)); len(f) > 1 && f[1] == strconv.Itoa(pid) {
			child, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			if err != nil {
				t.Fatal(err)
			}
			found = append(append(found, child), descendantsOf(t, child)...)
		}
	}
	return found
}

// A server that is not root must be able to do all of it too.
func TestAllOfItAsAnOrdinaryUser(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it runs all other tests twice")
	}
	if os.Geteuid() != 0 {
		t.Skip("this is an ordinary user")
	}
	best, err := sandbox.Probe(t.Context())
	if best != sandbox.Strict {
		t.Skip(err)
	}
	for name, env := range map[string][]string{"traceable": {}, "untraceable": {beUntraceable + "=1"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.v", "-test.timeout=3m")
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 4242, Gid: 4242}}
			cmd.Dir, cmd.Env = "/", env
			text, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, text)
			}
			for line := range strings.Lines(string(text)) {
				if strings.Contains(line, "--- SKIP") && !strings.Contains(line, "TestAllOfItAsAnOrdinaryUser") {
					t.Errorf("%s\n%s", line, text)
				}
			}
		})
	}
}

func TestProbeFindsStrictOrSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	level, err := sandbox.Probe(t.Context())
	if level != sandbox.Strict && err == nil || level == sandbox.Strict && err != nil {
		t.Errorf("level %q with error %v", level, err)
	}
	if os.Geteuid() != 0 || unix.Access("/proc/sys/user/max_user_namespaces", unix.W_OK) != nil {
		return // as in a container
	}
	for name, c := range map[string]struct {
		mode, before, want string
	}{
		"namespaces disabled": {"755", "echo 0 > /proc/sys/user/max_user_namespaces &&", // of the test's own namespace
			`reduced: The sandbox level "strict" does not work here: user namespaces are disabled: sysctl user.max_user_namespaces is 0.`},
		"program file private": {"700", "",
			": No sandbox level works here: the program file must be readable and executable by every user (chmod 755)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			exe := filepath.Join(t.TempDir(), "server")
			// The shell copies it: were it open here for writing while another test
			// starts a process, it could not be executed.
			self, err := os.Open("/proc/self/exe")
			if err != nil {
				t.Fatal(err)
			}
			defer self.Close()
			cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c",
				"cp /proc/self/fd/3 "+exe+" && chmod "+c.mode+" "+exe+" && "+c.before+" exec "+exe)
			cmd.ExtraFiles = []*os.File{self}
			cmd.Env = []string{beProbe + "=1"}
			cmd.SysProcAttr = &syscall.SysProcAttr{
				Cloneflags:                 unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
				UidMappings:                []syscall.SysProcIDMap{{Size: 65536}},
				GidMappings:                []syscall.SysProcIDMap{{Size: 65536}},
				GidMappingsEnableSetgroups: true,
			}
			text, err := cmd.CombinedOutput()
			if err != nil || !strings.HasPrefix(string(text), c.want) {
				t.Errorf("got %v, %s; want %q", err, text, c.want)
			}
		})
	}
}
