package keys

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"io"

	"tributary/internal/fault"
)

// ownVersion starts what EncryptOwn makes, so that another algorithm can follow.
const ownVersion = 1

// EncryptOwn encrypts a value of the provider's, which has no tenant's key,
// under a key of the server, and binds it to ad. It is for what is short-lived:
// the key is derived from the server's secrets, and goes when they go.
func (r *Ring) EncryptOwn(data, ad []byte) ([]byte, error) {
	aead, err := r.own()
	if err != nil {
		return nil, err
	}
	return aead.Seal([]byte{ownVersion}, nil, data, ownContext(ad)), nil
}

// DecryptOwn undoes EncryptOwn. Anything else is Damaged.
func (r *Ring) DecryptOwn(data, ad []byte) ([]byte, error) {
	aead, err := r.own()
	if err != nil {
		return nil, err
	}
	if len(data) == 0 || data[0] != ownVersion {
		return nil, fault.New(fault.Damaged, "A stored value is damaged: it is not what was encrypted here.")
	}
	plain, err := aead.Open(nil, nil, data[1:], ownContext(ad))
	if err != nil {
		return nil, fault.Wrap(fault.Damaged, err, "A stored value is damaged: it is not what was encrypted here.")
	}
	return plain, nil
}

// NewOwnWriter starts to seal an object of the provider's to w, as NewWriter does a
// tenant's.
func (r *Ring) NewOwnWriter(o Object, w io.Writer) (*Writer, error) {
	aead, err := r.own()
	if err != nil {
		return nil, err
	}
	wrap := func(dataKey, ad []byte) ([]byte, error) {
		return append([]byte(ownPrefix), aead.Seal(nil, nil, dataKey, ownContext(ad))...), nil
	}
	return startWriter(&Writer{dst: w, clock: r.clock, place: ownPlace(o), bits: chunkBits, wrap: wrap})
}

// NewOwnReader opens what NewOwnWriter sealed, as NewReader does.
func (r *Ring) NewOwnReader(o Object, src io.ReaderAt, size int64) (*Reader, error) {
	aead, err := r.own()
	if err != nil {
		return nil, err
	}
	unwrap := func(wrapped, ad []byte) ([]byte, error) {
		rest, ok := bytes.CutPrefix(wrapped, []byte(ownPrefix))
		if !ok {
			return nil, errKeyForm
		}
		return aead.Open(nil, nil, rest, ownContext(ad))
	}
	return openReader(ownPlace(o), unwrap, src, size)
}

// ownPlace is of no tenant and of a purpose that no tenant's key has.
func ownPlace(o Object) place { return place{purpose: "own", object: o} }

// ownPrefix starts a data key that is wrapped under a key of the server, where Tink has
// its own prefix with the number of a tenant's key.
const ownPrefix = "\x01\x00\x00\x00\x00"

// own is AES-256-GCM with random nonces, which are good for four thousand million
// values under one key.
func (r *Ring) own() (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, r.mac[:], nil, "tributary own values 1", 32)
	if err != nil {
		return nil, fmt.Errorf("derive key of own values: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make cipher of own values: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func ownContext(ad []byte) []byte { return canonical("tributary own value 1", ad) }
