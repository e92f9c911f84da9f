package keys

import (
	"context"
	"fmt"

	"tributary/internal/tenant"
)

// Rewrap wraps a tenant's key anew, under the key that the KEK wraps with now, and
// returns nil if it is under that one already. The tenant's key stays the same.
func (r *Ring) Rewrap(ctx context.Context, id tenant.ID, p Purpose, wrapped []byte) ([]byte, error) {
	if err := named(id, p); err != nil {
		return nil, err
	}
	handle, current, err := unwrapNoting(ctx, r.kek, wrapped, keyContext(id, p))
	if err != nil {
		return nil, fmt.Errorf("unwrap %s key of %s: %w", p, id, err)
	}
	if current {
		return nil, nil
	}
	again, err := wrapKeyset(ctx, r.kek, handle, keyContext(id, p))
	if err != nil {
		return nil, fmt.Errorf("wrap %s key of %s: %w", p, id, err)
	}
	return again, nil
}

// RewrapSecrets is Rewrap for what NewSecrets returned.
func (r *Ring) RewrapSecrets(ctx context.Context, wrapped []byte) ([]byte, error) {
	plain, err := r.kek.Unwrap(ctx, wrapped, secretsContext())
	if err != nil {
		return nil, fmt.Errorf("unwrap server's secrets: %w", err)
	}
	defer clear(plain)
	if r.kek.Current(wrapped) {
		return nil, nil
	}
	again, err := r.kek.Wrap(ctx, plain, secretsContext())
	if err != nil {
		return nil, fmt.Errorf("wrap server's secrets: %w", err)
	}
	return again, nil
}

// KEKName identifies the key-encryption key that wraps now, for people.
func (r *Ring) KEKName() string { return r.kek.Name() }
