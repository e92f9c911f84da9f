package crash

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tributary/test/servertest"
)

// A file system's shutdown call, and the flag with which nothing that was not
// synced gets to the device, not even what the journal has in memory.
const (
	shutdown   = 0x8004587d
	noLogFlush = 2
)

// prefix begins the name of a volume's directory; the process's number follows.
const prefix = "tributary-crash-"

// volume is a file system of its own on a loop device.
type volume struct {
	t       *testing.T
	device  string
	dir     string // where it is mounted
	options string
	mounted bool
}

// kinds are the file systems to try, and how to make them. The smallest XFS is 300
// MB; the image is sparse. ext4 must not help programs that forget to sync: no
// commits by the clock, and none at a rename.
var kinds = map[string]struct {
	size    int64
	mkfs    []string
	options string
}{
	"ext4": {64 << 20, []string{"mkfs.ext4", "-q", "-F", "-m", "0"}, "noatime,noauto_da_alloc,commit=300"},
	"xfs":  {320 << 20, []string{"mkfs.xfs", "-q", "-f"}, "noatime"},
}

// newVolume makes and mounts a file system; size 0 means the kind's own.
func newVolume(t *testing.T, kind string, mkfs ...string) *volume {
	t.Helper()
	k := kinds[kind]
	if os.Geteuid() != 0 {
		missing(t, "a volume of its own needs root: mounting is not for others")
	}
	for _, tool := range []string{k.mkfs[0], "losetup", "mount"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing(t, "%s is missing (run scripts/deps): %v", tool, err)
		}
	}
	base := must(os.MkdirTemp("", fmt.Sprintf("%s%d-", prefix, os.Getpid())))(t) //nolint:usetesting // the name tells sweep whose it is
	t.Cleanup(func() {
		if err := os.RemoveAll(base); err != nil {
			t.Errorf("remove the volume's image: %v", err)
		}
	})
	image := filepath.Join(base, "image")
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, k.size)); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(k.mkfs[0], append(append(k.mkfs[1:len(k.mkfs):len(k.mkfs)], mkfs...), image)...).CombinedOutput(); err != nil {
		t.Fatalf("make %s: %v\n%s", kind, err, out)
	}
	out, err := exec.Command("losetup", "--find", "--show", image).CombinedOutput()
	if err != nil {
		missing(t, "there is no loop device: %v: %s", err, out)
	}
	v := &volume{t: t, device: strings.TrimSpace(string(out)), dir: filepath.Join(base, "mount"), options: k.options}
	t.Cleanup(func() {
		if out, err := exec.Command("losetup", "--detach", v.device).CombinedOutput(); err != nil {
			t.Errorf("detach %s: %v: %s", v.device, err, out)
		}
	})
	if err := os.Mkdir(v.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-o", v.options, v.device, v.dir).CombinedOutput(); err != nil {
		missing(t, "%s cannot be mounted: %v: %s", kind, err, out)
	}
	v.mounted = true
	t.Cleanup(v.unmount)
	return v
}

// data is where a server's data directory goes.
func (v *volume) data() string { return filepath.Join(v.dir, "data") }

// cut cuts the power: the file system forgets what is not on the device and
// answers nothing but errors.
func (v *volume) cut() {
	v.t.Helper()
	root := must(os.Open(v.dir))(v.t)
	defer root.Close()
	if err := unix.IoctlSetPointerInt(int(root.Fd()), shutdown, noLogFlush); err != nil {
		missing(v.t, "the file system cannot be shut down: %v", err)
	}
}

// restore mounts the file system again, which replays its journal. Whoever had
// files open on it has ended.
func (v *volume) restore() {
	v.t.Helper()
	v.unmount()
	if out, err := exec.Command("mount", "-o", v.options, v.device, v.dir).CombinedOutput(); err != nil {
		v.t.Fatalf("mount after the power cut: %v: %s", err, out)
	}
	v.mounted = true
}

func (v *volume) unmount() {
	v.t.Helper()
	if !v.mounted {
		return
	}
	v.mounted = false
	end := time.Now().Add(servertest.Patience)
	for {
		err := unix.Unmount(v.dir, 0)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EBUSY) || time.Now().After(end) {
			_ = unix.Unmount(v.dir, unix.MNT_DETACH)
			v.t.Fatalf("unmount: %v", err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	// Sandboxed children, of any server on this machine, began with a copy of all
	// mounts. As long as one has this one too, the file system as it was, shut down,
	// would be mounted again.
	for {
		err := free(v.device)
		if err == nil {
			return
		}
		if !errors.Is(err, unix.EBUSY) || time.Now().After(end) {
			v.t.Fatalf("%s after it was unmounted: %v", v.device, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// free reports whether nobody has a device for itself. It does not look while a
// process is being started, which would have what is open here for a moment longer.
func free(device string) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	f, err := os.OpenFile(device, os.O_RDONLY|os.O_EXCL, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

// fill leaves no free block, and returns the file to remove for room.
func (v *volume) fill() string {
	v.t.Helper()
	ballast := filepath.Join(v.dir, "ballast")
	f := must(os.OpenFile(ballast, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600))(v.t)
	defer f.Close()
	// Synced in between: what is written later may hold back room meanwhile.
	for _, size := range []int{1 << 20, 4 << 10, 4 << 10} {
		var err error
		for err == nil {
			_, err = f.Write(make([]byte, size))
		}
		if err = errors.Join(ignore(err, unix.ENOSPC), ignore(f.Sync(), unix.ENOSPC)); err != nil {
			v.t.Fatal(err)
		}
	}
	return ballast
}

// ignore drops an error that is expected.
func ignore(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}

// fillNames leaves no free inode, and returns the folder to remove for more.
func (v *volume) fillNames() string {
	v.t.Helper()
	folder := filepath.Join(v.dir, "ballast")
	err := os.Mkdir(folder, 0o700)
	for n := 0; err == nil; n++ {
		err = os.WriteFile(filepath.Join(folder, fmt.Sprint(n)), nil, 0o600)
	}
	if !errors.Is(err, unix.ENOSPC) {
		v.t.Fatal(err)
	}
	return folder
}

// sweep removes what test processes left that were killed.
func sweep() {
	mounts, _ := os.ReadFile("/proc/self/mounts")
	for line := range strings.Lines(string(mounts)) {
		if words := strings.Fields(line); len(words) > 1 && orphaned(words[1]) {
			_ = unix.Unmount(words[1], unix.MNT_DETACH)
		}
	}
	loops, _ := exec.Command("losetup", "--list", "--noheadings", "--raw", "--output", "NAME,BACK-FILE").Output()
	for line := range strings.Lines(string(loops)) {
		if words := strings.Fields(line); len(words) > 1 && orphaned(words[1]) {
			_ = exec.Command("losetup", "--detach", words[0]).Run()
		}
	}
	left, _ := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*"))
	for _, dir := range left {
		if orphaned(dir) {
			_ = os.RemoveAll(dir)
		}
	}
}

// orphaned reports whether a path is a volume's whose process has ended.
func orphaned(path string) bool {
	rest, ok := strings.CutPrefix(path, filepath.Join(os.TempDir(), prefix))
	if !ok {
		return false
	}
	pid, _, _ := strings.Cut(rest, "-")
	_, err := os.Stat(filepath.Join("/proc", pid))
	return errors.Is(err, fs.ErrNotExist)
}
