//go:build linux && (amd64 || arm64)

package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// The descriptors of a child. Nothing else is open in it.
const (
	fdStream = 0 // pipe in: Job.Stream
	fdSpec   = 1 // sealed memory file with the spec; then the same as fdStderr
	fdStderr = 2 // pipe out: for the operator
	fdOutput = 3 // pipe out: records
	fdStatus = 4 // pipe out: the child's own account of how it went
	fdInputs = 5 // the first input; after the last one the directory, if there is one
)

// nobody is the user and group of children.
const nobody = 65534

// spec is what the parent tells the child. It travels in a sealed memory file,
// since arguments and environment are readable by others on the host.
type spec struct {
	Level   Level  `json:"level"`
	Program string `json:"program"`
	Args    []byte `json:"args"`
	Inputs  int    `json:"inputs"`
	Limits  Limits `json:"limits"`
	Lives   bool   `json:"lives,omitempty"`
	Dir     bool   `json:"dir,omitempty"`
}

// files is how many descriptors the child starts with.
func (s spec) files() int {
	if s.Dir {
		return s.dirFile() + 1
	}
	return s.dirFile()
}

// dirFile is the descriptor of the directory, if there is one.
func (s spec) dirFile() int { return fdInputs + s.Inputs }

// maxSpec holds the largest arguments in base 64 and the rest.
const maxSpec = 2 * maxArgs

// process is a started child with the parent's ends of its pipes.
type process struct {
	*os.Process
	stream, stderr, output, status *os.File
}

func (p *process) closePipes() {
	for _, f := range []*os.File{p.stream, p.stderr, p.output, p.status} {
		f.Close()
	}
}

// start starts the first stage of a child. The calling thread must live as long
// as the child: the kernel kills the child when the thread ends.
func (b *Box) start(job Job, limits Limits) (*process, error) {
	encoded, err := json.Marshal(spec{b.level, job.Program, job.Args, len(job.Inputs), limits, job.lives, job.dir != ""})
	if err != nil {
		return nil, fmt.Errorf("encode spec: %w", err)
	}
	files := make([]*os.File, fdInputs, fdInputs+len(job.Inputs))
	defer func() {
		for _, f := range files {
			if f != nil {
				f.Close()
			}
		}
	}()
	if files[fdSpec], err = sealedBytes("spec", encoded); err != nil {
		return nil, err
	}
	for i, m := range job.Inputs {
		f, err := m.open(job.Fill != nil)
		if err != nil {
			return nil, fmt.Errorf("input %d: %w", i, err)
		}
		files = append(files, f)
	}
	if job.dir != "" {
		dir, err := b.openDir(job.dir)
		if err != nil {
			return nil, err
		}
		files = append(files, dir)
	}
	p := &process{}
	for _, pipe := range []struct {
		parent, child **os.File
		writes        bool // the parent writes
	}{
		{&p.stream, &files[fdStream], true}, {&p.stderr, &files[fdStderr], false},
		{&p.output, &files[fdOutput], false}, {&p.status, &files[fdStatus], false},
	} {
		if *pipe.parent, *pipe.child, err = newPipe(pipe.writes); err != nil {
			p.closePipes()
			return nil, err
		}
	}
	stage, attributes := stageConfine, childAttributes(b.level, b.privileged)
	if b.level == Strict && !b.privileged && untraceable() {
		stage, attributes = stageLaunch, &syscall.SysProcAttr{Setsid: true}
	}
	p.Process, err = startStage(b.executable, stage, files, attributes)
	if err != nil {
		p.closePipes()
		return nil, explain(b.level, err)
	}
	return p, nil
}

func startStage(executable, stage string, files []*os.File, attributes *syscall.SysProcAttr) (*os.Process, error) {
	return os.StartProcess(executable, []string{stageName, stage, strconv.Itoa(os.Getpid())}, &os.ProcAttr{
		Env: []string{}, Files: files, Sys: attributes,
	})
}

// untraceable reports whether this process has made itself so, as servers should
// that hold keys. The kernel then lets only root fill in the user map of a
// child, so an ordinary user's server needs the stage "launch" in between.
func untraceable() bool {
	v, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	return err == nil && v != 1
}

// launch starts the strict child of an untraceable server, waits for it and ends
// as it ended. If it is killed, the kernel kills the child.
func launch(parent string) error {
	if err := dieWithParent(parent); err != nil {
		return err
	}
	s, err := readSpec()
	if err != nil {
		return err
	}
	var files []*os.File
	for fd := range s.files() {
		files = append(files, os.NewFile(uintptr(fd), "inherited"))
	}
	child, err := startStage(selfExe, stageConfine, files, childAttributes(s.Level, false))
	if err != nil {
		return explain(s.Level, err)
	}
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) // nothing is in here but the same descriptors
	state, err := child.Wait()
	if err != nil {
		return fmt.Errorf("wait for child: %w", err)
	}
	w, _ := state.Sys().(syscall.WaitStatus)
	switch {
	case !w.Signaled():
		os.Exit(w.ExitStatus())
	case w.Signal() == unix.SIGKILL:
		_ = unix.Kill(os.Getpid(), unix.SIGKILL)
	}
	os.Exit(exitSignal + int(w.Signal()))
	return nil
}

// exitSignal is added to the signal that ended a child, as shells do.
const exitSignal = 128

// explain adds to the error of starting a child what stops the kernel, if that
// can be told.
func explain(level Level, err error) error {
	failed := fmt.Errorf("start child: %w", err)
	if words := obstacle(level, err); words != "" {
		return unfit(fmt.Errorf("%s: %w", words, failed), words)
	}
	return unfit(failed, "")
}

// obstacle says in words what stops the kernel from starting a child.
func obstacle(level Level, err error) string {
	if errors.Is(err, unix.EACCES) {
		return "the program file must be readable and executable by every user (chmod 755), and not on a file system " +
			"mounted noexec, because children run as another user"
	}
	if level == Reduced || errors.Is(err, unix.ENOMEM) || errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.ENOENT) {
		return ""
	}
	for _, s := range []struct{ path, value, words string }{
		{"/proc/sys/user/max_user_namespaces", "0", "user namespaces are disabled: sysctl user.max_user_namespaces is 0"},
		{"/proc/sys/kernel/unprivileged_userns_clone", "0",
			"user namespaces are disabled for ordinary users: sysctl kernel.unprivileged_userns_clone is 0"},
		{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1",
			"AppArmor restricts user namespaces: sysctl kernel.apparmor_restrict_unprivileged_userns is 1"},
	} {
		if text, _ := os.ReadFile(s.path); strings.TrimSpace(string(text)) == s.value {
			return s.words
		}
	}
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EUSERS) {
		return "there are as many namespaces as this user may have: see sysctl user.max_*_namespaces"
	}
	if filtered() {
		return "a system call filter, such as a container's, refuses namespaces " +
			"(docker run --security-opt seccomp=unconfined lifts it)"
	}
	return "the kernel refuses namespaces, as it does inside a chroot or where they are not built in"
}

// filtered reports whether this process itself has a system call filter.
func filtered() bool {
	mode, err := unix.PrctlRetInt(unix.PR_GET_SECCOMP, 0, 0, 0, 0)
	return err != nil || mode != unix.SECCOMP_MODE_DISABLED
}

// pipeSize is what pipes of data ask for; the kernel's default of 64 KiB stays
// where a user has too many.
const pipeSize = 256 << 10

// newPipe makes a pipe. The child's end blocks, so that the child needs no
// poller and no descriptors for one; the parent's end does not.
func newPipe(parentWrites bool) (parent, child *os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, fmt.Errorf("make pipe: %w", err)
	}
	mine, its := fds[0], fds[1]
	if parentWrites {
		mine, its = its, mine
	}
	_, _ = unix.FcntlInt(uintptr(mine), unix.F_SETPIPE_SZ, pipeSize)
	if err := unix.SetNonblock(mine, true); err != nil {
		unix.Close(mine) //nolint:errcheck // nothing was written
		unix.Close(its)  //nolint:errcheck // nothing was written
		return nil, nil, fmt.Errorf("make pipe: %w", err)
	}
	return os.NewFile(uintptr(mine), "pipe"), os.NewFile(uintptr(its), "pipe"), nil
}

// childAttributes says how the kernel makes the child. A session of its own keeps
// the terminal's interrupt from children: the server decides when they end.
func childAttributes(level Level, privileged bool) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setsid: true}
	if privileged || level == Strict {
		a.Credential = &syscall.Credential{Uid: nobody, Gid: nobody, NoSetGroups: !privileged}
	}
	if level == Reduced {
		return a
	}
	a.Cloneflags = unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET |
		unix.CLONE_NEWIPC | unix.CLONE_NEWUTS
	uid, gid := os.Geteuid(), os.Getegid()
	if privileged {
		uid, gid = nobody, nobody
	}
	a.UidMappings = []syscall.SysProcIDMap{{ContainerID: nobody, HostID: uid, Size: 1}}
	a.GidMappings = []syscall.SysProcIDMap{{ContainerID: nobody, HostID: gid, Size: 1}}
	a.GidMappingsEnableSetgroups = privileged
	// The first stage needs these inside its own user namespace to arrange it,
	// and gives them up before the second.
	a.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_SETPCAP}
	return a
}

// mayBecomeNobody reports whether this process may start others as the user
// and group 65534 of the host.
func mayBecomeNobody() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if os.Geteuid() != 0 || unix.Capget(&header, &data[0]) != nil {
		return false
	}
	const need = 1<<unix.CAP_SETUID | 1<<unix.CAP_SETGID
	return data[0].Effective&need == need && mapsNobody("/proc/self/uid_map") && mapsNobody("/proc/self/gid_map")
}

// mapsNobody reports whether a user namespace's map has the id 65534.
func mapsNobody(path string) bool {
	text, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) != 3 {
			continue
		}
		first, err1 := strconv.ParseInt(f[0], 10, 64)
		size, err2 := strconv.ParseInt(f[2], 10, 64)
		if err1 == nil && err2 == nil && first <= nobody && nobody < first+size {
			return true
		}
	}
	return false
}
