package keys

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/secretdata"
	"github.com/tink-crypto/tink-go/v2/tink"

	"tributary/internal/clock"
	"tributary/internal/fault"
)

// Apart is a key for what is kept apart from the server, such as one backup. It
// is wrapped by the KEK like a tenant's key, and what it seals opens only together
// with the key file.
type Apart struct {
	label string
	clock clock.Clock
	key   tink.AEAD
}

// NewApart makes a key and returns it wrapped as well, for the caller to keep with
// what it seals. No two things have the same label.
func NewApart(ctx context.Context, kek KEK, c clock.Clock, label string) (_ *Apart, wrapped []byte, err error) {
	handle, err := newKeyset(c)
	if err != nil {
		return nil, nil, err
	}
	if wrapped, err = wrapKeyset(ctx, kek, handle, apartContext(label)); err != nil {
		return nil, nil, fmt.Errorf("wrap key of %s: %w", label, err)
	}
	key, err := aead.New(handle)
	if err != nil {
		return nil, nil, fmt.Errorf("use key of %s: %w", label, err)
	}
	return &Apart{label, c, key}, wrapped, nil
}

// OpenApart unwraps what NewApart returned for the same label. Other bytes are
// Damaged; without the KEK that wrapped them the fault is Unavailable.
func OpenApart(ctx context.Context, kek KEK, wrapped []byte, label string) (*Apart, error) {
	handle, err := unwrapKeyset(ctx, kek, wrapped, apartContext(label))
	if err != nil {
		return nil, fmt.Errorf("unwrap key of %s: %w", label, err)
	}
	key, err := aead.New(handle)
	if err != nil {
		return nil, fault.Wrap(fault.Damaged, err, "The stored key of %s is not usable.", label)
	}
	return &Apart{label: label, key: key}, nil
}

// NewWriter seals a file of that name to w, as Ring.NewWriter does an object.
func (a *Apart) NewWriter(name string, w io.Writer) (*Writer, error) {
	return startWriter(&Writer{dst: w, clock: a.clock, place: a.place(name), bits: chunkBits, wrap: a.key.Encrypt})
}

// NewReader opens what NewWriter sealed under that name.
func (a *Apart) NewReader(name string, src io.ReaderAt, size int64) (*Reader, error) {
	return openReader(a.place(name), a.key.Decrypt, src, size)
}

// place is of no tenant and of a purpose that no tenant's key has.
func (a *Apart) place(name string) place {
	return place{purpose: "apart", object: Object{ID: a.label + "/" + name, Version: 1}}
}

func apartContext(label string) []byte { return canonical("tributary key apart 1", label) }

// newKeyset makes a key of AES-256-GCM.
func newKeyset(c clock.Clock) (*keyset.Handle, error) {
	params, err := aesgcm.NewParameters(aesgcm.ParametersOpts{KeySizeInBytes: 32, IVSizeInBytes: 12, TagSizeInBytes: 16, Variant: aesgcm.VariantTink})
	if err != nil {
		return nil, fmt.Errorf("make key parameters: %w", err)
	}
	raw := c.Bytes(36)
	keyID := binary.BigEndian.Uint32(raw[32:])
	key, err := aesgcm.NewKey(secretdata.NewBytesFromData(raw[:32], insecuresecretdataaccess.Token{}), keyID, params)
	clear(raw)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	m := keyset.NewManager()
	if _, err := m.AddKey(key); err != nil {
		return nil, fmt.Errorf("make keyset: %w", err)
	}
	if err := m.SetPrimary(keyID); err != nil {
		return nil, fmt.Errorf("make keyset: %w", err)
	}
	handle, err := m.Handle()
	if err != nil {
		return nil, fmt.Errorf("make keyset: %w", err)
	}
	return handle, nil
}

func wrapKeyset(ctx context.Context, kek KEK, handle *keyset.Handle, ad []byte) ([]byte, error) {
	var wrapped bytes.Buffer
	lent := &keysetKEK{kek: kek}
	if err := handle.WriteWithContext(ctx, keyset.NewBinaryWriter(&wrapped), lent, ad); err != nil {
		return nil, lent.cause(err)
	}
	return wrapped.Bytes(), nil
}

// unwrapKeyset undoes wrapKeyset. What is no keyset is Damaged.
func unwrapKeyset(ctx context.Context, kek KEK, wrapped, ad []byte) (*keyset.Handle, error) {
	handle, _, err := unwrapNoting(ctx, kek, wrapped, ad)
	return handle, err
}

// unwrapNoting is unwrapKeyset, and reports whether the KEK's present key wrapped it.
func unwrapNoting(ctx context.Context, kek KEK, wrapped, ad []byte) (_ *keyset.Handle, current bool, err error) {
	lent := &keysetKEK{kek: kek}
	handle, err := keyset.ReadWithContext(ctx, keyset.NewBinaryReader(bytes.NewReader(wrapped)), lent, ad)
	if err == nil {
		return handle, lent.current, nil
	}
	if lent.err == nil {
		return nil, false, fault.Wrap(fault.Damaged, err, "A stored key is damaged.")
	}
	return nil, false, lent.cause(err)
}

// Sign is Ring.Sign, where there is no ring.
func (s Secrets) Sign(msg []byte) []byte {
	return ed25519.Sign(ed25519.NewKeyFromSeed(s.SigningSeed[:]), msg)
}

// PublicKey is Ring.PublicKey, where there is no ring.
func (s Secrets) PublicKey() ed25519.PublicKey {
	public, _ := ed25519.NewKeyFromSeed(s.SigningSeed[:]).Public().(ed25519.PublicKey) // its documented type
	return public
}

// Signed reports whether sig is what the owner of public signed msg with.
func Signed(public ed25519.PublicKey, msg, sig []byte) bool {
	return len(public) == ed25519.PublicKeySize && ed25519.Verify(public, msg, sig)
}
