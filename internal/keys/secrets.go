package keys

import (
	"context"
	"fmt"

	"tributary/internal/clock"
	"tributary/internal/fault"
)

// Secrets are the server's own, made once at its first start. They are kept
// wrapped by the KEK.
type Secrets struct {
	MAC         [32]byte // authenticates rows that grant power
	SigningSeed [32]byte // of the Ed25519 key that signs the audit log's checkpoints
}

// secretsVersion starts the plaintext: version | MAC | SigningSeed, 65 bytes.
const secretsVersion = 1

// NewSecrets makes secrets and returns them wrapped, for the caller to store.
func NewSecrets(ctx context.Context, kek KEK, c clock.Clock) ([]byte, error) {
	plain := append([]byte{secretsVersion}, c.Bytes(64)...)
	defer clear(plain)
	wrapped, err := kek.Wrap(ctx, plain, secretsContext())
	if err != nil {
		return nil, fmt.Errorf("wrap server's secrets: %w", err)
	}
	return wrapped, nil
}

// OpenSecrets unwraps what NewSecrets returned. Other bytes are Damaged.
func OpenSecrets(ctx context.Context, kek KEK, wrapped []byte) (Secrets, error) {
	var s Secrets
	plain, err := kek.Unwrap(ctx, wrapped, secretsContext())
	if err != nil {
		return s, fmt.Errorf("unwrap server's secrets: %w", err)
	}
	defer clear(plain)
	if len(plain) != 65 || plain[0] != secretsVersion {
		return s, fault.New(fault.Damaged, "The server's stored secrets have a form that this version does not know.")
	}
	copy(s.MAC[:], plain[1:33])
	copy(s.SigningSeed[:], plain[33:])
	return s, nil
}

func secretsContext() []byte { return canonical("tributary server secrets 1") }
