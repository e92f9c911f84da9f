// Package events takes in what happens in the provider's product: it checks who
// sends, what and for which tenant, and keeps it durably, once, as sealed blocks
// on streams. What is made of it, others decide.
package events

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// A block is one tenant's events of one commit to one stream; docs/formats/event-block.md
// has it to the byte. Numbers are big-endian:
//
//	[12] "tributary/ev"   [1] version, 1
//	[1] n   [n] stream
//	[1] n   [n] tenant's id; none: the provider's own
//	[8] sequence in the chain of this stream and tenant, from 1
//	[4] events
//	[8] received first   [8] received last; microseconds since 1970
//	[4] bytes of the lines
//	[32] digest of the block before; of the first, zeros
//	[…] lines, compressed (zstd) and sealed with everything above as associated data

// MaxLines is how many bytes of lines a block has at most. Sealed it is then
// smaller than a message of a stream may be, however badly it compresses.
const MaxLines = 768 << 10

const (
	blockMagic   = "tributary/ev"
	blockVersion = 1
)

// Digest identifies a block's bytes: their SHA-256.
type Digest [sha256.Size]byte

func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// Header is what anybody who has a block can read of it.
type Header struct {
	Stream   string
	Tenant   tenant.ID // empty: the provider's own
	Sequence uint64
	Count    int
	First    time.Time // received
	Last     time.Time
	Size     int    // bytes of the lines
	Previous Digest // of the block before
}

func (h Header) String() string {
	of := string(h.Tenant)
	if of == "" {
		of = "the provider"
	}
	return fmt.Sprintf("block %d of %s on stream %s", h.Sequence, of, h.Stream)
}

// encode returns the header's bytes.
func (h Header) encode() ([]byte, error) {
	if h.Stream == "" || len(h.Stream) > 255 || h.Tenant != "" && !h.Tenant.Valid() || h.Sequence == 0 || h.Count < 1 {
		return nil, fmt.Errorf("a block needs a stream, a place in it and events: %+v", h)
	}
	b := make([]byte, 0, 160)
	b = append(b, blockMagic...)
	b = append(b, blockVersion, byte(len(h.Stream)))
	b = append(b, h.Stream...)
	b = append(b, byte(len(h.Tenant)))
	b = append(b, h.Tenant...)
	b = binary.BigEndian.AppendUint64(b, h.Sequence)
	b = binary.BigEndian.AppendUint32(b, uint32(h.Count))
	b = binary.BigEndian.AppendUint64(b, uint64(meta.Micros(h.First)))
	b = binary.BigEndian.AppendUint64(b, uint64(meta.Micros(h.Last)))
	b = binary.BigEndian.AppendUint32(b, uint32(h.Size))
	return append(b, h.Previous[:]...), nil
}

// ReadHeader reads a block's header without its key. Bytes that are no block are
// Damaged. What the header says is true only once Blocks.Open has opened the block,
// or its digest is known.
func ReadHeader(block []byte) (Header, error) {
	h, _, err := splitBlock(block)
	return h, err
}

// DigestOf returns a block's digest.
func DigestOf(block []byte) Digest { return sha256.Sum256(block) }

// splitBlock returns a block's header and how many bytes it has.
func splitBlock(block []byte) (h Header, size int, err error) {
	rest := block
	take := func(n int) []byte {
		if len(rest) < n {
			err = errors.New("it ends within its header")
			return make([]byte, n)
		}
		b := rest[:n]
		rest = rest[n:]
		return b
	}
	if string(take(len(blockMagic))) != blockMagic {
		return h, 0, damaged(h, errors.New("it does not begin as one"))
	}
	if v := take(1)[0]; v != blockVersion && err == nil {
		return h, 0, fault.New(fault.Damaged, "A block of events has the format %d, and this version reads %d.", v, blockVersion)
	}
	h.Stream = string(take(int(take(1)[0])))
	h.Tenant = tenant.ID(take(int(take(1)[0])))
	h.Sequence = binary.BigEndian.Uint64(take(8))
	h.Count = int(binary.BigEndian.Uint32(take(4)))
	h.First = meta.Time(int64(binary.BigEndian.Uint64(take(8))))
	h.Last = meta.Time(int64(binary.BigEndian.Uint64(take(8))))
	h.Size = int(binary.BigEndian.Uint32(take(4)))
	copy(h.Previous[:], take(sha256.Size))
	switch {
	case err != nil:
	case h.Stream == "" || h.Sequence == 0 || h.Count < 1 || h.Size > MaxLines || h.Tenant != "" && !h.Tenant.Valid():
		err = errors.New("its header has what none can have")
	default:
		return h, len(block) - len(rest), nil
	}
	return Header{}, 0, damaged(Header{}, err)
}

func damaged(h Header, cause error) error {
	if h.Sequence == 0 {
		return fault.Wrap(fault.Damaged, cause, "A block of events is damaged.")
	}
	return fault.Wrap(fault.Damaged, cause, "The %s is damaged.", h)
}

// Blocks seals and opens blocks. It is safe for use by several goroutines.
type Blocks struct {
	ring   *keys.Ring
	erased *Erased
	in     *zstd.Encoder
	out    *zstd.Decoder
	space  sync.Pool // of *[]byte, for what is compressed until it is sealed
}

// NewBlocks makes Blocks, which leave out the events of people who were erased; nil: of
// nobody.
func NewBlocks(ring *keys.Ring, erased *Erased) (*Blocks, error) {
	in, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(1<<20))
	if err != nil {
		return nil, fmt.Errorf("make compressor: %w", err)
	}
	out, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(MaxLines), zstd.WithDecoderConcurrency(0))
	if err != nil {
		return nil, fmt.Errorf("make decompressor: %w", err)
	}
	return &Blocks{ring: ring, erased: erased, in: in, out: out, space: sync.Pool{New: func() any { return new([]byte) }}}, nil
}

// Seal makes the block of h's stream, tenant, sequence and predecessor with the
// events in order, and returns its whole header. More lines than MaxLines are
// TooLarge; a tenant whose key is gone is NotFound.
func (b *Blocks) Seal(ctx context.Context, h Header, list []Event) (Header, []byte, error) {
	var lines []byte
	var err error
	for n := range list {
		if lines, err = list[n].appendLine(lines); err != nil {
			return h, nil, err
		}
		if at := list[n].Received; n == 0 || at.Before(h.First) {
			h.First = at
		}
		if at := list[n].Received; n == 0 || at.After(h.Last) {
			h.Last = at
		}
	}
	h.Count = len(list)
	return b.sealLines(ctx, h, lines)
}

// sealLines is Seal for events that are lines already.
func (b *Blocks) sealLines(ctx context.Context, h Header, lines []byte) (Header, []byte, error) {
	if len(lines) > MaxLines {
		return h, nil, fault.New(fault.TooLarge, "A block of events has %d bytes; the limit is %d.", len(lines), MaxLines)
	}
	h.Size = len(lines)
	block, err := h.encode()
	if err != nil {
		return h, nil, err
	}
	space := b.space.Get().(*[]byte)
	packed := b.in.EncodeAll(lines, (*space)[:0])
	defer func() {
		*space = packed
		b.space.Put(space)
	}()
	var sealed []byte
	if h.Tenant == "" {
		sealed, err = b.ring.EncryptOwn(packed, block)
	} else {
		sealed, err = b.ring.Encrypt(ctx, h.Tenant, keys.Pool, packed, block)
	}
	if err != nil {
		return h, nil, fmt.Errorf("seal %s: %w", h, err)
	}
	return h, append(block, sealed...), nil
}

// Open opens what Seal made, and leaves out the events of people who were erased. Anything
// else is Damaged and said by its place; if the tenant's key is destroyed, NotFound. Where
// it is the key that is damaged, the error has keys.ErrKey in its chain: the block may be
// whole.
func (b *Blocks) Open(ctx context.Context, block []byte) (Header, []Event, error) {
	h, list, gone, err := b.openWhole(ctx, block)
	if len(gone) > 0 {
		list = slices.DeleteFunc(list, func(e Event) bool { return gone.Has(&e) })
	}
	return h, list, err
}

// openWhole is Open with all events, and whose are to be left out.
func (b *Blocks) openWhole(ctx context.Context, block []byte) (Header, []Event, People, error) {
	h, list, err := b.unseal(ctx, block)
	if err != nil {
		return h, nil, nil, err
	}
	gone, err := b.erased.UnscopedOf(ctx, h.Tenant)
	if err != nil {
		return h, nil, nil, fmt.Errorf("open %s: %w", h, err)
	}
	return h, list, gone, nil
}

// tenantErased is the type of the one act of the provider's about a tenant that outlives it.
const tenantErased = "tributary.tenant.erase"

// Kept returns those of some events, wherever they were read, that may be kept elsewhere:
// not those of a tenant whose key is destroyed, nor of a person who was erased, nor what
// the provider's own chain says of an erased tenant but that it was. It takes the list over.
func (b *Blocks) Kept(ctx context.Context, list []Event) ([]Event, error) {
	ended := map[tenant.ID]bool{}
	var failed error
	kept := slices.DeleteFunc(list, func(e Event) bool {
		about := e.Tenant
		if about == "" && e.Source == ControlSource && e.Type != tenantErased && tenant.ID(e.Subject).Valid() {
			about = tenant.ID(e.Subject)
		}
		gone, known := ended[about]
		if !known && about != "" && failed == nil {
			gone, failed = b.ring.Destroyed(ctx, about, keys.Pool)
			ended[about] = gone
		}
		who, err := b.erased.UnscopedOf(ctx, e.Tenant)
		if err != nil && failed == nil {
			failed = err
		}
		return gone || who.Has(&e)
	})
	if failed != nil {
		return nil, fmt.Errorf("see whose events may be kept: %w", failed)
	}
	return kept, nil
}

// unseal opens a block.
func (b *Blocks) unseal(ctx context.Context, block []byte) (Header, []Event, error) {
	h, size, err := splitBlock(block)
	if err != nil {
		return h, nil, err
	}
	var packed []byte
	if h.Tenant == "" {
		packed, err = b.ring.DecryptOwn(block[size:], block[:size])
	} else {
		packed, err = b.ring.Decrypt(ctx, h.Tenant, keys.Pool, block[size:], block[:size])
	}
	if fault.Is(err, fault.Damaged) && !errors.Is(err, keys.ErrKey) {
		return h, nil, damaged(h, err)
	}
	if err != nil {
		return h, nil, fmt.Errorf("open %s: %w", h, err)
	}
	lines, err := b.out.DecodeAll(packed, make([]byte, 0, h.Size))
	if err == nil && len(lines) != h.Size {
		err = fmt.Errorf("%d bytes of lines, and the header says %d", len(lines), h.Size)
	}
	if err != nil {
		return h, nil, damaged(h, err)
	}
	list, err := readLines(lines, h.Tenant)
	if err == nil && len(list) != h.Count {
		err = fmt.Errorf("%d events, and the header says %d", len(list), h.Count)
	}
	if err != nil {
		return h, nil, damaged(h, err)
	}
	return h, list, nil
}

// Place is where a chain of blocks has got to.
type Place struct {
	Sequence uint64
	Digest   Digest
}

// Follows returns nil if a block with this header comes right after p, and
// otherwise Damaged, with what is missing, repeated or changed.
func (p Place) Follows(h Header) error {
	switch {
	case h.Sequence == p.Sequence+1 && h.Previous == p.Digest:
		return nil
	case h.Sequence == p.Sequence+1:
		return fault.New(fault.Damaged, "The %s does not follow the block %d that is there: one of the two is another than was written.", h, p.Sequence)
	case h.Sequence <= p.Sequence:
		return fault.New(fault.Damaged, "The %s is there a second time, or after block %d.", h, p.Sequence)
	case h.Sequence == p.Sequence+2:
		return fault.New(fault.Damaged, "Block %d is missing before the %s.", p.Sequence+1, h)
	}
	return fault.New(fault.Damaged, "Blocks %d to %d are missing before the %s.", p.Sequence+1, h.Sequence-1, h)
}

// PlaceOf is where its chain has got to with a block that has this header.
func PlaceOf(h Header, block []byte) Place { return Place{h.Sequence, DigestOf(block)} }
