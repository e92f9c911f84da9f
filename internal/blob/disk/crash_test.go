package disk

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"tributary/internal/blob"
	"tributary/internal/blob/blobtest"
	"tributary/internal/clock"
	"tributary/internal/fault"
)

// machine is what a disk may hold after a power cut: it follows the calls that a
// store makes, and knows of each name and each byte whether it was synced. What
// was not may be there or not, each on its own. After a sync has failed, what it
// should have written is lost, and later syncs do not bring it back.
type machine struct {
	t    *testing.T
	root string

	mu     sync.Mutex
	folder map[string]*folder
	files  map[string]*file // by the name they were created under
	fail   int              // the call that fails; -1 for none
	errno  error
	calls  int
	failed string              // what did
	kept   map[blob.Key][]byte // acknowledged objects
	gone   map[blob.Key]bool   // acknowledged deletions
	tried  map[blob.Key][]byte // what each object would hold
	busy   map[blob.Key]bool   // being made or deleted: may be there or not
}

type folder struct {
	now, durable map[string]any // *file or *folder
	lost         map[string]bool
}

type file struct {
	now, durable []byte
	lost         bool
}

func newFolder() *folder {
	return &folder{map[string]any{}, map[string]any{}, map[string]bool{}}
}

func newMachine(t *testing.T, fail int, errno error) (*machine, *Store, error) {
	t.Helper()
	m := &machine{
		t: t, root: t.TempDir(), folder: map[string]*folder{".": newFolder()}, files: map[string]*file{}, fail: fail, errno: errno,
		kept: map[blob.Key][]byte{}, gone: map[blob.Key]bool{}, tried: map[blob.Key][]byte{}, busy: map[blob.Key]bool{},
	}
	s, err := open(m.root, clock.Clock{}, m.system())
	if err == nil {
		t.Cleanup(func() { s.Close() })
	}
	return m, s, err
}

// breaks counts a call, and tells whether it is the one that fails.
func (m *machine) breaks(what string) bool {
	m.calls++
	if m.calls-1 == m.fail {
		m.failed = what
		return true
	}
	return false
}

func (m *machine) at(f *os.File) string {
	rel, err := filepath.Rel(m.root, f.Name())
	if err != nil {
		m.t.Error(err)
	}
	return rel
}

func (m *machine) system() system {
	actual := linux()
	step := func(f func() error) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		defer m.check()
		return f()
	}
	return system{
		create: func(r *os.Root, name string) (f *os.File, err error) {
			err = step(func() error {
				if m.breaks("create") {
					return m.errno
				}
				f, err = actual.create(r, name)
				if err == nil {
					m.files[name] = &file{}
					m.folder[path.Dir(name)].set(path.Base(name), m.files[name])
				}
				return err
			})
			return f, err
		},
		write: func(f *os.File, p []byte) (n int, err error) {
			err = step(func() error {
				broken := m.breaks("write")
				if broken {
					p = p[:len(p)/2]
				}
				n, err = actual.write(f, p)
				node := m.files[m.at(f)]
				node.now = append(node.now, p[:n]...)
				if broken {
					err = m.errno
				}
				return err
			})
			return n, err
		},
		sync: func(f *os.File) error {
			return step(func() error {
				node := m.files[m.at(f)]
				if m.breaks("sync") {
					node.lost = true
					return m.errno
				}
				if !node.lost {
					node.durable = bytes.Clone(node.now)
				}
				return actual.sync(f)
			})
		},
		mkdir: func(r *os.Root, name string) error {
			return step(func() error {
				if m.breaks("mkdir") {
					return m.errno
				}
				err := actual.mkdir(r, name)
				if err == nil {
					m.folder[name] = newFolder()
					m.folder[path.Dir(name)].set(path.Base(name), m.folder[name])
				}
				return err
			})
		},
		rename: func(from *os.File, old string, to *os.File, name string) error {
			return step(func() error {
				if m.breaks("rename") {
					return m.errno
				}
				err := actual.rename(from, old, to, name)
				if err == nil {
					source := m.folder[m.at(from)]
					m.folder[m.at(to)].set(name, source.now[old])
					source.set(old, nil)
				}
				return err
			})
		},
		remove: func(r *os.Root, name string) error {
			return step(func() error {
				if m.breaks("remove") {
					return m.errno
				}
				err := actual.remove(r, name)
				if err == nil {
					m.folder[path.Dir(name)].set(path.Base(name), nil)
				}
				return err
			})
		},
		syncDir: func(d *os.File) error {
			return step(func() error {
				node := m.folder[m.at(d)]
				if m.breaks("sync of a folder") {
					for name := range node.changes() {
						node.lost[name] = true
					}
					return m.errno
				}
				for name := range node.changes() {
					if !node.lost[name] {
						put(node.durable, name, node.now[name])
					}
				}
				return actual.syncDir(d)
			})
		},
	}
}

func (f *folder) set(name string, to any) {
	put(f.now, name, to)
	delete(f.lost, name)
}

func put(entries map[string]any, name string, to any) {
	if to == nil {
		delete(entries, name)
		return
	}
	entries[name] = to
}

// changes are the names that differ from what is durable.
func (f *folder) changes() map[string]bool {
	list := map[string]bool{}
	for name, to := range f.now {
		if f.durable[name] != to {
			list[name] = true
		}
	}
	for name := range f.durable {
		if f.now[name] == nil {
			list[name] = true
		}
	}
	return list
}

// survivors are the objects that are there after a power cut; late decides for
// each change that was not synced whether it made it to the disk.
func survivors(f *folder, at string, late func() bool, found map[blob.Key][]byte) {
	for name := range union(f.now, f.durable) {
		node := f.durable[name]
		if node != f.now[name] && late() {
			node = f.now[name]
		}
		switch node := node.(type) {
		case *folder:
			survivors(node, path.Join(at, name), late, found)
		case *file:
			content := node.durable
			if late() && !node.lost {
				content = node.now
			}
			found[blob.Key(path.Join(at, strings.TrimSuffix(name, mark)))] = content
		}
	}
}

func union(a, b map[string]any) map[string]bool {
	all := map[string]bool{}
	for _, m := range []map[string]any{a, b} {
		for name := range m {
			all[name] = true
		}
	}
	return all
}

// check cuts the power here, in several ways.
func (m *machine) check() {
	random := rand.New(rand.NewPCG(uint64(m.calls), 7))
	for name, late := range map[string]func() bool{
		"nothing that was not synced":  func() bool { return false },
		"all that was not synced":      func() bool { return true },
		"some that was not synced":     func() bool { return random.IntN(2) == 0 },
		"others that were not synced":  func() bool { return random.IntN(2) == 0 },
		"names of what was not synced": alternate(),
	} {
		found := map[blob.Key][]byte{}
		if f, ok := m.folder["."].durable[objects].(*folder); ok {
			survivors(f, "", late, found)
		}
		for k, want := range m.kept {
			if got, ok := found[k]; !m.busy[k] && (!ok || !bytes.Equal(got, want)) {
				m.t.Errorf("power cut at call %d (%q failed), %s survived: acknowledged %s is %d bytes, want %d", m.calls, m.failed, name, k, len(got), len(want))
			}
		}
		for k, got := range found {
			if m.gone[k] && !m.busy[k] {
				m.t.Errorf("power cut at call %d (%q failed), %s survived: %s came back", m.calls, m.failed, name, k)
			}
			if !bytes.Equal(got, m.tried[k]) {
				m.t.Errorf("power cut at call %d (%q failed), %s survived: %s is half there, %d bytes of %d", m.calls, m.failed, name, k, len(got), len(m.tried[k]))
			}
		}
	}
}

// alternate lets names through and holds bytes back.
func alternate() func() bool {
	n := 0
	return func() bool { n++; return n%2 == 1 }
}

func (m *machine) put(s *Store, k blob.Key, content string) error {
	m.mark(func() { m.tried[k], m.busy[k] = []byte(content), true })
	err := blobtest.Put(m.t.Context(), s, k, []byte(content))
	m.mark(func() {
		if err == nil {
			delete(m.busy, k)
			delete(m.gone, k)
			m.kept[k] = []byte(content)
		}
		m.check()
	})
	return err
}

func (m *machine) delete(s *Store, k blob.Key) error {
	m.mark(func() { m.busy[k] = true })
	err := s.Delete(m.t.Context(), k)
	m.mark(func() {
		if err == nil {
			delete(m.kept, k)
			delete(m.busy, k)
			m.gone[k] = true
		}
		m.check()
	})
	return err
}

func (m *machine) mark(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// workload is what the store is cut in the middle of. It returns how many of its
// nine calls answered as on a disk that works.
func (m *machine) workload(s *Store) int {
	good := 0
	count := func(err error, want fault.Kind) {
		if fault.KindOf(err) == want {
			good++
		}
	}
	for i, k := range []blob.Key{"ten_a/in/obj_1a", "ten_a/in/obj_1b", "ten_a/in/obj_2", "ten_b/in/obj_1", "solo"} {
		count(m.put(s, k, strings.Repeat("x", 10+i)), "")
	}
	count(m.delete(s, "ten_a/in/obj_1a"), "")
	count(m.put(s, "ten_a/in/obj_1c", "later"), "")
	count(m.delete(s, "solo"), "")
	count(m.delete(s, "solo"), fault.NotFound)
	return good
}

func TestPowerCutsLoseNothing(t *testing.T) {
	t.Parallel()
	m, s, err := newMachine(t, -1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if good := m.workload(s); good != 9 || len(m.kept) != 4 || m.calls < 50 {
		t.Errorf("got %d good answers, %d objects, %d calls: the workload did not run", good, len(m.kept), m.calls)
	}
}

// Each call fails once, in both ways. What was acknowledged before and after
// survives a power cut at any call, and the store as it is then, reopened.
func TestFailingCallsLoseNothing(t *testing.T) {
	t.Parallel()
	for _, errno := range []error{syscall.EIO, syscall.ENOSPC} {
		seen := map[string]int{}
		for fail := 0; ; fail++ {
			m, s, err := newMachine(t, fail, errno)
			good := 0
			if err == nil {
				good = m.workload(s)
			}
			if m.failed == "" {
				break
			}
			seen[m.failed]++
			what := fmt.Sprintf("%v at call %d, %s", errno, fail, m.failed)
			if m.failed != "remove" && good == 9 {
				t.Errorf("%s: every call was acknowledged", what)
			}
			reopen(t, m, what)
		}
		for what, least := range map[string]int{"create": 6, "write": 6, "sync": 6, "mkdir": 6, "rename": 6, "remove": 8, "sync of a folder": 15} {
			if seen[what] < least {
				t.Errorf("%v: got %d failures of %s tried, want at least %d", errno, seen[what], what, least)
			}
		}
	}
}

// reopen looks at the disk as it is, after the process died.
func reopen(t *testing.T, m *machine, what string) {
	t.Helper()
	s := newStore(t, m.root)
	for k, want := range m.kept {
		if got, err := blobtest.Get(t.Context(), s, k); !m.busy[k] && (err != nil || !bytes.Equal(got, want)) {
			t.Errorf("%s: acknowledged %s is %q, %v, want %q", what, k, got, err, want)
		}
	}
	list, err := blobtest.Keys(t.Context(), s, "")
	if err != nil {
		t.Errorf("%s: list: %v", what, err)
	}
	for _, k := range list {
		got, err := blobtest.Get(t.Context(), s, k)
		if err != nil || !bytes.Equal(got, m.tried[k]) || m.gone[k] && !m.busy[k] {
			t.Errorf("%s: %s is %q, %v, want %q or nothing", what, k, got, err, m.tried[k])
		}
	}
	if _, err := s.Sweep(t.Context(), 0); err != nil {
		t.Errorf("%s: sweep: %v", what, err)
	}
	if left, err := fs.ReadDir(s.root.FS(), tmp); err != nil || len(left) > 0 {
		t.Errorf("%s: got %d files in tmp, %v, want none", what, len(left), err)
	}
	if err := blobtest.Put(t.Context(), s, "ten_a/in/obj_9", []byte("after")); err != nil {
		t.Errorf("%s: put after it: %v", what, err)
	}
}

// A folder that another Commit has made but not yet synced is no ground to stand
// on.
func TestCommitsDoNotTrustEachOthersFolders(t *testing.T) {
	t.Parallel()
	m, s, err := newMachine(t, -1, nil)
	if err != nil {
		t.Fatal(err)
	}
	made, proceed := make(chan struct{}), make(chan struct{})
	var met atomic.Bool
	mkdir := s.sys.mkdir
	s.sys.mkdir = func(r *os.Root, name string) error {
		err := mkdir(r, name)
		if strings.HasSuffix(name, "/ten_a") && met.CompareAndSwap(false, true) {
			close(made)
			<-proceed
		}
		return err
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := m.put(s, "ten_a/obj_1", "slow"); err != nil {
			t.Error(err)
		}
	})
	<-made
	if err := m.put(s, "ten_a/obj_2", "fast"); err != nil {
		t.Error(err)
	}
	close(proceed)
	wg.Wait()
	if len(m.kept) != 2 {
		t.Errorf("got %d objects, want 2", len(m.kept))
	}
}
