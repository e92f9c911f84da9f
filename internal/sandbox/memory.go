//go:build linux && (amd64 || arm64)

package sandbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Memory is a file without a place in any file system: plaintext for a child
// that never touches a disk. It is written once, sealed, and then given to any
// number of runs, also at once. The one who made it closes it; its memory is
// returned when it is closed and every child that had it has ended.
type Memory struct {
	mu     sync.Mutex
	file   *os.File // nil once closed
	size   int64
	sealed bool
}

const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE

// NewMemory makes an empty memory file. The name appears in the kernel's lists
// of open files only; it must not hold tenants' text.
func NewMemory(name string) (*Memory, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	// Not executable where the kernel knows how to say so (6.3); before, the
	// seccomp filter alone stops its execution.
	fd, err := unix.MemfdCreate(name, flags|unix.MFD_NOEXEC_SEAL)
	if errors.Is(err, unix.EINVAL) {
		fd, err = unix.MemfdCreate(name, flags)
	}
	if err != nil {
		return nil, fmt.Errorf("make memory file %s: %w", name, err)
	}
	return &Memory{file: os.NewFile(uintptr(fd), name)}, nil
}

var errNotSealed = errors.New("memory file is not sealed")

// fixed reports whether the content is sealed.
func (m *Memory) fixed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sealed
}

// Write appends to a memory file that is not sealed.
func (m *Memory) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.file == nil {
		return 0, os.ErrClosed
	}
	if m.sealed {
		return 0, errors.New("write to a sealed memory file")
	}
	n, err := m.file.Write(p)
	m.size += int64(n)
	return n, err
}

// Seal fixes the content for good: nobody who holds the file, this process
// included, can change it. Sealing again does nothing.
func (m *Memory) Seal() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.file == nil {
		return os.ErrClosed
	}
	if m.sealed {
		return nil
	}
	if err := m.file.Chmod(0o444); err != nil {
		return fmt.Errorf("seal memory file: %w", err)
	}
	if _, err := unix.FcntlInt(m.file.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		return fmt.Errorf("seal memory file: %w", err)
	}
	m.sealed = true
	return nil
}

// Size returns the bytes written, which is the memory that the file takes up to
// rounding to pages. After Close it is 0.
func (m *Memory) Size() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.size
}

// Close gives the memory back once no child has the file any more. Closing
// again does nothing.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.file == nil {
		return nil
	}
	err := m.file.Close()
	m.file, m.size = nil, 0
	return err
}

// open returns the content as a new read-only file, whose position no other run
// shares. It is sealed, or will be before anything is read.
func (m *Memory) open(toBeFilled bool) (*os.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.file == nil {
		return nil, os.ErrClosed
	}
	if !m.sealed && !toBeFilled {
		return nil, errNotSealed
	}
	f, err := os.Open(fdPath(int(m.file.Fd())))
	if err != nil {
		return nil, fmt.Errorf("open memory file: %w", err)
	}
	return f, nil
}

// sealedBytes returns a sealed memory file with this content.
func sealedBytes(name string, content []byte) (*os.File, error) {
	m, err := NewMemory(name)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	if _, err := m.Write(content); err != nil {
		return nil, fmt.Errorf("write memory file %s: %w", name, err)
	}
	if err := m.Seal(); err != nil {
		return nil, err
	}
	return m.open(false)
}

// readSealed returns the content of a memory file that nobody can change.
func readSealed(fd int, limit int64) ([]byte, error) {
	got, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	if err != nil {
		return nil, fmt.Errorf("read seals: %w", err)
	}
	if got&seals != seals {
		return nil, errNotSealed
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, fmt.Errorf("read size: %w", err)
	}
	if st.Size > limit {
		return nil, fmt.Errorf("memory file of %d bytes, at most %d", st.Size, limit)
	}
	content := make([]byte, st.Size)
	for n := 0; n < len(content); {
		m, err := unix.Pread(fd, content[n:], int64(n))
		if err != nil {
			return nil, err
		}
		if m == 0 {
			return nil, io.ErrUnexpectedEOF
		}
		n += m
	}
	return content, nil
}

func fdPath(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }
