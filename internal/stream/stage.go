package stream

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// memory is where Linux keeps files in memory.
const memory = "/dev/shm"

// leastStage is how much room there has to be for batches in memory.
const leastStage = 32 << 20

// stage is a directory in memory in which the server of this process keeps the messages
// of a batch until it commits them, instead of in files of their own that it would sync
// for each batch: ten syncs for the one that counts. A process that is killed leaves
// it, so that its next start finishes the batch that was being committed. After
// a power cut it is gone; the stream has then what was written of that batch, which
// nobody was told of.
//
// nil is none: the disk does it, several times slower.
type stage struct {
	dir   string
	links []string // to it, in the directories of the streams
}

// openStage makes the stage of a directory of streams. Nobody else can write to it.
func openStage(dir string) (*stage, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	var room unix.Statfs_t
	if err := unix.Statfs(memory, &room); err != nil {
		return nil, err
	}
	if room.Type != unix.TMPFS_MAGIC || room.Bavail*uint64(room.Bsize) < leastStage {
		return nil, fmt.Errorf("%s is not in memory, or has no room", memory)
	}
	user := os.Geteuid()
	of := sha256.Sum256([]byte(dir))
	at := filepath.Join(memory, "tributary-"+strconv.Itoa(user)+"-"+hex.EncodeToString(of[:12]))
	if err := os.Mkdir(at, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	info, err := os.Lstat(at)
	if err != nil {
		return nil, err
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); !ok || !info.IsDir() || info.Mode().Perm() != 0o700 || int(owner.Uid) != user {
		return nil, fmt.Errorf("%s is somebody else's", at)
	}
	return &stage{dir: at}, nil
}

// use has the batches of a stream, whose directory this is, kept here. Those that a
// killed process left are finished by now.
func (s *stage) use(dir string, n Name) error {
	if s == nil {
		return nil
	}
	here, there := filepath.Join(s.dir, string(n)), filepath.Join(dir, "batches")
	if err := errors.Join(os.RemoveAll(there), os.RemoveAll(here)); err != nil {
		return err
	}
	if err := os.Mkdir(here, 0o700); err != nil {
		return err
	}
	s.links = append(s.links, there)
	return os.Symlink(here, there)
}

func (s *stage) close() error {
	if s == nil {
		return nil
	}
	var errs []error
	for _, link := range s.links {
		errs = append(errs, os.RemoveAll(link))
	}
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}
