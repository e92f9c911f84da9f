// Package keys keeps tenants' bytes sealed: a key-encryption key (KEK) wraps each
// tenant's keys, a tenant's key wraps a fresh data key for each segment of an
// object, and a data key seals that segment's chunks. The bytes are described in
// docs/formats/sealed-object.md. Where wrapped keys and sealed objects are stored,
// and who may ask for them, is for others to decide.
package keys

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/tink"

	"tributary/internal/clock"
	"tributary/internal/fault"
	"tributary/internal/tenant"
)

// KEK is a key-encryption key that never leaves its place: a file, a key
// management service. Implementations are safe for concurrent use.
type KEK interface {
	// Name identifies the key that Wrap uses, for people; it is no secret.
	Name() string

	// Wrap encrypts plaintext, binding it to ad, and names in the result the key
	// it used, so that Unwrap still finds it when Wrap has moved on to another.
	Wrap(ctx context.Context, plaintext, ad []byte) ([]byte, error)

	// Current reports whether Wrap would use the same key that wrapped this.
	Current(wrapped []byte) bool

	// Unwrap undoes Wrap. Bytes or ad that are not what Wrap was given and gave are
	// Damaged; a key that is not there (any more, or yet) is Unavailable.
	Unwrap(ctx context.Context, wrapped, ad []byte) ([]byte, error)
}

// Purpose tells a tenant's keys apart.
type Purpose string

// The purposes.
const (
	Vault Purpose = "vault" // the tenant's own data: its users and run grants only
	Pool  Purpose = "pool"  // its archive, its streams, and what the provider reads of it
)

// Store is where tenants' wrapped keys are kept.
type Store interface {
	// WrappedKey returns what Generate made, and NotFound when it was destroyed or
	// never made.
	WrappedKey(context.Context, tenant.ID, Purpose) ([]byte, error)
}

// Object names what is sealed. Its bytes open under this name only. Two objects
// never share an ID and version, since whoever can write the store could
// otherwise show one for the other.
type Object struct {
	ID      string // not empty
	Version int64
}

// MaxValue is how many bytes Encrypt takes.
const MaxValue = 1 << 20

// Config is what a Ring needs.
type Config struct {
	KEK     KEK
	Store   Store
	Clock   clock.Clock
	Secrets Secrets // as OpenSecrets returned them

	// CachedTenants is how many tenants' unwrapped keys are kept in memory, the
	// ones used last; each takes about 3 KB with both its keys. 0 means 4,096.
	CachedTenants int
}

// Ring seals and unseals under tenants' keys. It is safe for concurrent use.
type Ring struct {
	kek    KEK
	store  Store
	clock  clock.Clock
	mac    [32]byte
	signer ed25519.PrivateKey
	cache  *cache
}

// NewRing makes a Ring. A missing KEK, Store or Secrets is Internal: a mistake in
// how the program was put together.
func NewRing(c Config) (*Ring, error) {
	if c.KEK == nil || c.Store == nil {
		return nil, errors.New("make key ring: the KEK or the store of wrapped keys is missing")
	}
	if c.Secrets.MAC == [32]byte{} || c.Secrets.SigningSeed == [32]byte{} {
		return nil, errors.New("make key ring: the server's secrets are missing")
	}
	if c.CachedTenants <= 0 {
		c.CachedTenants = 4096
	}
	return &Ring{
		kek: c.KEK, store: c.Store, clock: c.Clock,
		mac: c.Secrets.MAC, signer: ed25519.NewKeyFromSeed(c.Secrets.SigningSeed[:]),
		cache: newCache(c.CachedTenants),
	}, nil
}

// Generate makes a tenant's key for a purpose and returns it wrapped. It is in use
// from when the caller has stored it where Store finds it.
func (r *Ring) Generate(ctx context.Context, id tenant.ID, p Purpose) ([]byte, error) {
	if err := named(id, p); err != nil {
		return nil, err
	}
	handle, err := newKeyset(r.clock)
	if err != nil {
		return nil, err
	}
	wrapped, err := wrapKeyset(ctx, r.kek, handle, keyContext(id, p))
	if err != nil {
		return nil, fmt.Errorf("wrap %s key of %s: %w", p, id, err)
	}
	return wrapped, nil
}

// Encrypt encrypts a small value, such as a file's name, under a tenant's key and
// binds it to ad, without which Decrypt refuses. What differs in meaning must
// differ in ad: name the field and the row. More than MaxValue bytes are TooLarge.
func (r *Ring) Encrypt(ctx context.Context, id tenant.ID, p Purpose, data, ad []byte) ([]byte, error) {
	if len(data) > MaxValue {
		return nil, fault.New(fault.TooLarge, "A value of %d bytes is too large to be kept here; the limit is %d.", len(data), MaxValue)
	}
	key, err := r.key(ctx, id, p)
	if err != nil {
		return nil, err
	}
	sealed, err := key.Encrypt(data, valueContext(id, p, ad))
	if err != nil {
		return nil, fmt.Errorf("encrypt value of %s: %w", id, err)
	}
	return sealed, nil
}

// ErrKey is in the chain of an error of Decrypt that is about the tenant's key, and
// says nothing of what the key encrypted.
var ErrKey = errors.New("the key cannot be had")

// Decrypt undoes Encrypt. Anything that Encrypt did not make for this tenant,
// purpose and ad is Damaged.
func (r *Ring) Decrypt(ctx context.Context, id tenant.ID, p Purpose, data, ad []byte) ([]byte, error) {
	key, err := r.key(ctx, id, p)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	plain, err := key.Decrypt(data, valueContext(id, p, ad))
	if err != nil {
		return nil, fault.Wrap(fault.Damaged, err, "A stored value is damaged: it is not what was encrypted here.")
	}
	return plain, nil
}

// Destroyed reports whether a tenant's key is there no more.
func (r *Ring) Destroyed(ctx context.Context, id tenant.ID, p Purpose) (bool, error) {
	_, err := r.key(ctx, id, p)
	switch {
	case fault.Is(err, fault.NotFound):
		return true, nil
	case err == nil, fault.Is(err, fault.Damaged):
		return false, nil
	}
	return false, err
}

// Forget drops a tenant's cached keys at once; the next use asks the Store again.
// Writers and Readers that are open keep the data keys they have: whoever opened
// them ends them.
func (r *Ring) Forget(id tenant.ID) { r.cache.forget(id) }

// key returns a tenant's key, from the cache if it is there.
func (r *Ring) key(ctx context.Context, id tenant.ID, p Purpose) (tink.AEAD, error) {
	if err := named(id, p); err != nil {
		return nil, err
	}
	key, epoch := r.cache.get(id, p)
	if key != nil {
		return key, nil
	}
	wrapped, err := r.store.WrappedKey(ctx, id, p)
	if err != nil {
		return nil, fmt.Errorf("find %s key of %s: %w", p, id, err)
	}
	handle, err := unwrapKeyset(ctx, r.kek, wrapped, keyContext(id, p))
	if err != nil {
		return nil, fmt.Errorf("unwrap %s key of %s: %w", p, id, err)
	}
	if key, err = aead.New(handle); err != nil {
		return nil, fault.Wrap(fault.Damaged, err, "The stored %s key of tenant %s is not usable.", p, id)
	}
	r.cache.put(id, p, key, epoch)
	return key, nil
}

func named(id tenant.ID, p Purpose) error {
	if id == "" {
		return errors.New("find key: no tenant was named")
	}
	if p != Vault && p != Pool {
		return fmt.Errorf("find key of %s: there is no purpose %q", id, p)
	}
	return nil
}

func keyContext(id tenant.ID, p Purpose) []byte {
	return canonical("tributary tenant key 1", string(id), string(p))
}

func valueContext(id tenant.ID, p Purpose, ad []byte) []byte {
	return canonical("tributary value 1", string(id), string(p), ad)
}

// keysetKEK lends Tink a KEK for one keyset, and keeps the KEK's error, whose kind
// Tink would lose.
type keysetKEK struct {
	kek     KEK
	err     error
	current bool // what was unwrapped last is under the key that wraps
}

func (k *keysetKEK) EncryptWithContext(ctx context.Context, plaintext, ad []byte) (wrapped []byte, err error) {
	wrapped, err = k.kek.Wrap(ctx, plaintext, ad)
	k.err = answered(err)
	return wrapped, k.err
}

func (k *keysetKEK) DecryptWithContext(ctx context.Context, wrapped, ad []byte) (plaintext []byte, err error) {
	plaintext, err = k.kek.Unwrap(ctx, wrapped, ad)
	if k.err = answered(err); k.err == nil {
		k.current = k.kek.Current(wrapped)
	}
	return plaintext, k.err
}

func (k *keysetKEK) cause(err error) error {
	if k.err != nil {
		return k.err
	}
	return err
}
