// Package blob is the seam for objects: named byte strings, written once and read
// by range. It knows nothing of tenants or of what the bytes mean; they come
// sealed. The backends are in the folders below; blobtest is the suite that each
// passes.
package blob

import (
	"context"
	"io"
	"time"

	"tributary/internal/fault"
)

// Key names an object: 1 to 512 bytes, parts of a-z, 0-9, _, . and - joined by
// slashes, each part of 1 to 128 bytes and not beginning with a dot. Keys are made
// by the server from identifiers; nothing a user typed is in one.
type Key string

// Limits of a Key, in bytes.
const (
	MaxKey  = 512
	MaxPart = 128
)

// Validate returns nil if k has the form of a Key, and Invalid otherwise.
func (k Key) Validate() error {
	if len(k) > MaxKey {
		return fault.New(fault.Invalid, "A key of %d bytes is longer than %d.", len(k), MaxKey)
	}
	part := 0
	for i := range len(k) {
		c := k[i]
		switch {
		case c == '/' && part == 0 || c == '.' && part == 0:
			return fault.New(fault.Invalid, "The key %q has a part that is empty or begins with a dot.", string(k))
		case c == '/':
			part = 0
			continue
		case 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '_' || c == '.' || c == '-':
		default:
			return fault.New(fault.Invalid, "The key %q has a character other than a-z, 0-9, _, ., - and /.", string(k))
		}
		if part++; part > MaxPart {
			return fault.New(fault.Invalid, "The key %q has a part longer than %d bytes.", string(k), MaxPart)
		}
	}
	if part == 0 {
		return fault.New(fault.Invalid, "The key %q is empty or ends with a slash.", string(k))
	}
	return nil
}

// Store keeps objects. It is safe for concurrent use. Where the meaning is known,
// errors have a kind: StorageFull when there is no room, Unavailable when the
// store does not take or give bytes, Invalid for a malformed key.
type Store interface {
	// Create starts an object. Nothing of it is visible to Open or List until
	// Commit. A key that exists is Conflict, here or at Commit: objects are never
	// overwritten.
	Create(context.Context, Key) (Writer, error)

	// Open opens an object for reading; one that does not exist is NotFound. What
	// is open stays readable when the object is deleted, where the store can (see
	// blobtest.Differences); elsewhere reading it is then an error, and never
	// another object's bytes.
	Open(context.Context, Key) (Object, error)

	// Delete removes an object. One that does not exist is NotFound. After nil or
	// NotFound the object does not come back, not even by a power cut.
	Delete(context.Context, Key) error

	// List calls f for each object whose key begins with prefix, in the byte order
	// of keys, and stops at f's first error, which it returns. Objects that come or
	// go meanwhile may be missed or seen; f may delete what it is shown.
	List(ctx context.Context, prefix string, f func(Info) error) error

	// Check writes a little, durably, and takes it away again. An error says why
	// the store cannot be relied on now.
	Check(context.Context) error
}

// Writer takes an object's bytes. It is not safe for concurrent use. Commit or
// Abort ends it; after an error of Write only Abort is left to do.
type Writer interface {
	io.Writer

	// Commit makes the object exist. When it returns nil, the whole object survives
	// a power cut. When it does not, the object is not acknowledged: it is most
	// likely not there, and if it is, it is whole.
	Commit(context.Context) error

	// Abort drops the object, unless Commit was called. It may be called more than
	// once.
	Abort()
}

// Object is an object open for reading; ReadAt is safe for concurrent use.
type Object interface {
	io.ReaderAt
	io.Closer

	// Size returns the length in bytes.
	Size() int64
}

// Info describes an object in a List.
type Info struct {
	Key      Key
	Size     int64     // in bytes
	Modified time.Time // when it was committed, by the store's clock
}
