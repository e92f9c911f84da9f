package backup

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"

	"tributary/internal/blob"
	"tributary/internal/fault"
)

// keep makes sure that the pool has an object. One that a backup before has, of the
// same size, is there. Another is compared, since a backup that was cut off may have
// left it; it stays if it is as a list has it, be it that of a backup which cannot
// be read any more.
func (m *maker) keep(ctx context.Context, k blob.Key) (object, error) {
	there, err := m.target.pool.Open(ctx, k)
	if fault.Is(err, fault.NotFound) {
		return m.copy(ctx, k)
	}
	if err != nil {
		return object{}, err
	}
	size := there.Size()
	if err := there.Close(); err != nil {
		return object{}, err
	}
	if known, ok := m.recall(string(k)); ok && known.Size == size {
		return known, nil
	}
	got, err := digest(ctx, m.target.pool, k)
	if err != nil {
		return object{}, err
	}
	want, err := digest(ctx, m.Blobs, k)
	switch {
	case err == nil && got == want, fault.Is(err, fault.NotFound) && m.claimed(got):
		return got, nil
	case err != nil:
		return object{}, err
	case m.claimed(got):
		m.differs = append(m.differs, got.Key)
		return got, nil
	}
	if err := m.target.pool.Delete(ctx, k); err != nil { // what is there is damaged
		return object{}, err
	}
	return m.copy(ctx, k)
}

func (m *maker) copy(ctx context.Context, k blob.Key) (object, error) {
	got, err := copyObject(ctx, m.Blobs, m.target.pool, k)
	if err == nil {
		m.copied++
		m.copiedBytes += got.Size
	}
	return got, err
}

// digest reads an object and returns what a list would say of it.
func digest(ctx context.Context, s blob.Store, k blob.Key) (object, error) {
	src, err := s.Open(ctx, k)
	if err != nil {
		return object{}, err
	}
	defer src.Close()
	h := newHasher(io.Discard)
	if _, err := io.Copy(h, contextReader{ctx, io.NewSectionReader(src, 0, src.Size())}); err != nil {
		return object{}, err
	}
	return object{string(k), h.size, hex.EncodeToString(h.sum())}, nil
}

// recall returns what the newest readable backup that has an object says of it.
// Most often the newest of all has it, so no more lists are read than it takes.
func (m *maker) recall(k string) (object, bool) {
	for {
		o, ok := m.known[k]
		if ok || len(m.unread) == 0 {
			return o, ok
		}
		last := len(m.unread) - 1
		list, err := m.unread[last].objects()
		m.unread = m.unread[:last]
		if err != nil {
			continue // compared rather than trusted
		}
		for _, o := range list {
			if _, newer := m.known[o.Key]; !newer {
				m.known[o.Key] = o
			}
		}
	}
}

// claimed reports whether a list has an object as it is, of whatever backup and
// signed or not. So it is no proof that the object is right, but it is as it was
// copied.
func (m *maker) claimed(o object) bool {
	if m.claims == nil {
		m.claims = map[object]bool{}
		names, _ := m.target.whole()
		for _, name := range names {
			m.claim(filepath.Join(m.target.dir, backupsDir, name, objectsFile))
		}
	}
	return m.claims[o]
}

// claim reads a list as far as it is one.
func (m *maker) claim(path string) {
	f, err := os.Open(path)
	if err != nil {
		return
	}
	defer f.Close()
	lines := json.NewDecoder(f)
	for {
		var o object
		if lines.Decode(&o) != nil {
			return
		}
		m.claims[o] = true
	}
}
