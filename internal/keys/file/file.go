// Package file keeps key-encryption keys in a file that only the server's own user
// can read. Whoever has this file and the data directory can read everything, so
// the two are backed up apart; README.md says how.
package file

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"tributary/internal/clock"
	"tributary/internal/fault"
	"tributary/internal/keys"
)

// A wrapped key is bound to its whole head by AES-256-GCM's associated data, which
// is the head, then ad.
//
//	 1 version, 1
//	30 id of the KEK
//	12 nonce, random
//	 n ciphertext
//	16 tag
const (
	wrapVersion = 1
	headSize    = 1 + idSize
	nonceSize   = 12
	tagSize     = 16
)

// KEK wraps with the first key of a key file and unwraps with any of them.
type KEK struct {
	clock   clock.Clock
	primary string
	keys    map[string]cipher.AEAD
}

var _ keys.KEK = (*KEK)(nil)

// Open reads the key file at path, and makes it if there is none: a file of mode
// 0600, in a directory that is made with mode 0700 if need be. When Open returns,
// the file survives a power cut.
//
// A key file that others could read or replace is Denied, a malformed one
// Damaged, with a message that says what to do. Where keys are already in use,
// call Load: a new key file would open none of them.
func Open(path string, c clock.Clock) (*KEK, error) { return open(path, c, linux()) }

// Load is Open for a key file that must exist; a missing one is NotFound.
func Load(path string, c clock.Clock) (*KEK, error) {
	return load(filepath.Clean(path), c)
}

func open(path string, c clock.Clock, sys system) (*KEK, error) {
	path = filepath.Clean(path)
	k, err := load(path, c)
	if fault.Is(err, fault.NotFound) {
		if err := create(path, c, sys); err != nil {
			return nil, err
		}
		k, err = load(path, c)
	}
	if err != nil {
		return nil, err
	}
	if err := settle(path, sys); err != nil {
		return nil, err
	}
	return k, nil
}

func load(path string, c clock.Clock) (*KEK, error) {
	entries, err := read(path)
	if err != nil {
		return nil, err
	}
	k := &KEK{clock: c, primary: entries[0].id, keys: map[string]cipher.AEAD{}}
	for _, e := range entries {
		block, err := aes.NewCipher(e.secret)
		clear(e.secret)
		if err != nil {
			return nil, fmt.Errorf("use key %s: %w", e.id, err)
		}
		if k.keys[e.id], err = cipher.NewGCM(block); err != nil {
			return nil, fmt.Errorf("use key %s: %w", e.id, err)
		}
	}
	return k, nil
}

// read reads a key file that nobody but its owner could have read or replaced.
func read(path string) ([]entry, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fault.New(fault.NotFound, "There is no key file at %s. Without it nothing sealed can be read; put back the one this server was set up with.", path)
	case errors.Is(err, syscall.ELOOP):
		return nil, fault.New(fault.Denied, "The key file %s is a symbolic link. Name the file itself.", path)
	case errors.Is(err, fs.ErrPermission):
		return nil, fault.Wrap(fault.Denied, err, "The key file %s cannot be read by the user this server runs as. Run: chown to that user, chmod 600.", path)
	case err != nil:
		return nil, fmt.Errorf("open key file: %w", err)
	}
	defer f.Close()
	if err := guarded(f, path); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	defer clear(text)
	entries, err := parse(text)
	if err != nil {
		return nil, fault.New(fault.Damaged, "The key file %s is damaged: %s. Put it back from your backup.", path, err)
	}
	return entries, nil
}

// guarded refuses a key file that anybody but its owner could read or replace.
func guarded(f *os.File, path string) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("look at key file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fault.New(fault.Denied, "The key file %s is not a regular file.", path)
	}
	if mode := info.Mode().Perm(); mode&0o177 != 0 {
		return fault.New(fault.Denied, "The key file %s has mode %04o, so others may reach it. Run: chmod 600 %[1]s", path, mode)
	}
	if owner, me := ownerOf(info), os.Geteuid(); owner != me {
		return fault.New(fault.Denied, "The key file %s belongs to user %d, but this server runs as user %d. Give it to that user.", path, owner, me)
	}
	dir, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("look at directory of key file: %w", err)
	}
	if mode := dir.Mode(); mode.Perm()&0o022 != 0 {
		return fault.New(fault.Denied, "The directory %s of the key file has mode %04o, so others may replace the file. Run: chmod 700 %[1]s", filepath.Dir(path), mode.Perm())
	}
	if owner := ownerOf(dir); owner != os.Geteuid() && owner != 0 {
		return fault.New(fault.Denied, "The directory %s of the key file belongs to user %d, who may replace the file. Give it to the user this server runs as.", filepath.Dir(path), owner)
	}
	return nil
}

func ownerOf(info fs.FileInfo) int {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid)
	}
	return -1
}

// Name implements keys.KEK: "file:" and the id of the key that Wrap uses.
func (k *KEK) Name() string { return "file:" + k.primary }

// Current implements keys.KEK.
func (k *KEK) Current(wrapped []byte) bool {
	return len(wrapped) >= headSize && wrapped[0] == wrapVersion && string(wrapped[1:headSize]) == k.primary
}

// Wrap implements keys.KEK.
func (k *KEK) Wrap(ctx context.Context, plaintext, ad []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b := make([]byte, 0, headSize+nonceSize+len(plaintext)+tagSize)
	b = append(b, wrapVersion)
	b = append(b, k.primary...)
	nonce := k.clock.Bytes(nonceSize)
	b = append(b, nonce...)
	return k.keys[k.primary].Seal(b, nonce, plaintext, bound(b[:headSize], ad)), nil
}

// Unwrap implements keys.KEK.
func (k *KEK) Unwrap(ctx context.Context, wrapped, ad []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(wrapped) < headSize+nonceSize+tagSize || wrapped[0] != wrapVersion || !clock.ValidID(idPrefix, string(wrapped[1:headSize])) {
		return nil, fault.New(fault.Damaged, "A stored key is damaged: it has no form that this version knows.")
	}
	id := string(wrapped[1:headSize])
	key, ok := k.keys[id]
	if !ok {
		return nil, fault.New(fault.Unavailable, "A stored key was wrapped by %s, which is not in this server's key file. Put back the key file that has it.", id)
	}
	nonce, sealed := wrapped[headSize:headSize+nonceSize], wrapped[headSize+nonceSize:]
	plain, err := key.Open(nil, nonce, sealed, bound(wrapped[:headSize], ad))
	if err != nil {
		return nil, fault.Wrap(fault.Damaged, err, "A stored key is damaged: it is not what %s wrapped here.", id)
	}
	return plain, nil
}

func bound(head, ad []byte) []byte {
	return append(append(make([]byte, 0, len(head)+len(ad)), head...), ad...)
}
