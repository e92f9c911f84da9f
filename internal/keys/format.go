package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"tributary/internal/fault"
	"tributary/internal/tenant"
)

// The bytes of a sealed object; docs/formats/sealed-object.md says more. Numbers
// are big-endian.
//
//	object   segment... trailer
//	segment  header chunk...
//	header   12 magic "tributary/so"
//	          1 format version, 1
//	          1 algorithm, 1
//	          1 chunk size as a power of two, 10 to 22
//	          1 zero
//	          4 segment number from 0
//	          4 number of the segment's first chunk in the object
//	          7 nonce prefix
//	         65 data key, wrapped under the tenant's key
//	         32 commitment to the data key
//	chunk    a chunk size of plaintext, encrypted, and a tag of 16; the object's
//	         last chunk may be shorter
//	trailer  4 for each segment but the first: the number of its first chunk
//	         4 number of segments, 1 to 1024
const (
	magic         = "tributary/so"
	formatVersion = 1
	algorithm     = 1 // chunks AES-256-GCM, HKDF-SHA256, data keys wrapped by Tink AES-256-GCM

	prefixSize = 7
	plainSize  = 31 // of the header's part before the wrapped data key
	wrapSize   = 5 + 12 + 32 + 16
	commitSize = 32
	headerSize = plainSize + wrapSize + commitSize
	tagSize    = 16

	minChunkBits = 10
	maxChunkBits = 22
	maxSegments  = 1024
	maxChunks    = math.MaxUint32 // chunk numbers are 32 bits of the nonce

	// chunkBits is what Writer uses: 64 KiB. By BenchmarkChunkSize, reading a file
	// in sequence is 15 % faster than with 16 KiB and 5 % slower than with 256 KiB,
	// and a small read at a random place costs 15 us rather than 5 or 55.
	chunkBits = 16
)

// errKeyForm is returned for wrapped data keys of another length than the
// algorithm's.
var errKeyForm = errors.New("wrapped data key has another length than algorithm 1 has")

// place is what a sealed object is bound to.
type place struct {
	tenant  tenant.ID
	purpose Purpose
	object  Object
}

// header is the start of a segment.
type header struct {
	bits    uint8
	segment uint32
	start   uint32 // the segment's first chunk, counted through the object
	prefix  [prefixSize]byte
	wrapped [wrapSize]byte
	commit  [commitSize]byte
}

func (h *header) append(b []byte) []byte {
	b = h.appendPlain(b)
	b = append(b, h.wrapped[:]...)
	return append(b, h.commit[:]...)
}

func (h *header) appendPlain(b []byte) []byte {
	b = append(b, magic...)
	b = append(b, formatVersion, algorithm, h.bits, 0)
	b = binary.BigEndian.AppendUint32(b, h.segment)
	b = binary.BigEndian.AppendUint32(b, h.start)
	return append(b, h.prefix[:]...)
}

// parseHeader reads a header from headerSize bytes. Its error says what is wrong,
// for the operator.
func parseHeader(b []byte) (header, error) {
	var h header
	switch {
	case string(b[:12]) != magic:
		return h, errors.New("no segment starts here")
	case b[12] != formatVersion:
		return h, fmt.Errorf("format version %d is not known", b[12])
	case b[13] != algorithm:
		return h, fmt.Errorf("algorithm %d is not known", b[13])
	case b[14] < minChunkBits || b[14] > maxChunkBits:
		return h, fmt.Errorf("chunk size 2^%d is out of range", b[14])
	case b[15] != 0:
		return h, errors.New("reserved byte is not zero")
	}
	h.bits = b[14]
	h.segment = binary.BigEndian.Uint32(b[16:])
	h.start = binary.BigEndian.Uint32(b[20:])
	copy(h.prefix[:], b[24:])
	copy(h.wrapped[:], b[plainSize:])
	copy(h.commit[:], b[plainSize+wrapSize:])
	return h, nil
}

// context is what a segment's data key is bound to: the place, the header's plain
// part, and the commitment of the segment before, which by the same rule stands
// for everything in front of this segment.
func (h *header) context(label string, at place, previous []byte) []byte {
	return canonical(label, string(at.tenant), string(at.purpose), at.object.ID, at.object.Version, h.appendPlain(nil), previous)
}

func (h *header) wrapContext(at place, previous []byte) []byte {
	return h.context("tributary/so/1 data key", at, previous)
}

// derive makes from a data key the cipher for chunks, and the commitment: no other
// data key yields the same one, so no chunk opens under two keys.
func (h *header) derive(dataKey []byte, at place, previous []byte) (cipher.AEAD, [commitSize]byte, error) {
	var commit [commitSize]byte
	secret, err := hkdf.Extract(sha256.New, dataKey, nil)
	if err != nil {
		return nil, commit, fmt.Errorf("derive from data key: %w", err)
	}
	defer clear(secret)
	c, err := hkdf.Expand(sha256.New, secret, string(h.context("tributary/so/1 commitment", at, previous)), commitSize)
	if err != nil {
		return nil, commit, fmt.Errorf("derive commitment: %w", err)
	}
	copy(commit[:], c)
	chunkKey, err := hkdf.Expand(sha256.New, secret, string(h.context("tributary/so/1 chunk key", at, previous)), 32)
	if err != nil {
		return nil, commit, fmt.Errorf("derive chunk key: %w", err)
	}
	defer clear(chunkKey)
	block, err := aes.NewCipher(chunkKey)
	if err != nil {
		return nil, commit, fmt.Errorf("start cipher: %w", err)
	}
	sealer, err := cipher.NewGCM(block)
	if err != nil {
		return nil, commit, fmt.Errorf("start cipher: %w", err)
	}
	return sealer, commit, nil
}

// unlock is derive for a header that was read: it checks the commitment before
// anything is decrypted.
func (h *header) unlock(dataKey []byte, at place, previous []byte) (cipher.AEAD, error) {
	sealer, commit, err := h.derive(dataKey, at, previous)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(commit[:], h.commit[:]) != 1 {
		return nil, errors.New("commitment does not match the data key")
	}
	return sealer, nil
}

// nonce is that of the STREAM construction: prefix, chunk number, last flag.
func nonce(prefix [prefixSize]byte, chunk uint32, last bool) [12]byte {
	var n [12]byte
	copy(n[:], prefix[:])
	binary.BigEndian.PutUint32(n[prefixSize:], chunk)
	if last {
		n[11] = 1
	}
	return n
}

func damaged(o Object, cause error) error {
	return fault.Wrap(fault.Damaged, cause, "The stored object %s is damaged: its bytes are not those that were stored.", o.ID)
}
