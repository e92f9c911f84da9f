package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"

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
