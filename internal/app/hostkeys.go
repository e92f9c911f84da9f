package app

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"

	"tributary/client"
	"tributary/internal/fault"
)

// hostKeysSetting is the setting that keeps the seeds of the SFTP server's host keys,
// encrypted: 32 bytes for Ed25519, then 32 bytes for ECDSA over P-256, which some old
// clients need. They are made once, and whoever has the data and the key file is the same host.
const hostKeysSetting = "ssh host keys"

// hostKeys returns the host keys, making them the first time.
func (s *stores) hostKeys(ctx context.Context, c Config) ([]ssh.Signer, error) {
	var sealed []byte
	err := s.db.QueryRow(ctx, `SELECT value FROM settings WHERE name = $1`, hostKeysSetting).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		seeds := c.Clock.Bytes(64)
		for !scalar(seeds[32:]) {
			seeds = c.Clock.Bytes(64)
		}
		if sealed, err = s.ring.EncryptOwn(seeds, []byte(hostKeysSetting)); err != nil {
			return nil, fmt.Errorf("seal host keys: %w", err)
		}
		if _, err := s.db.Exec(ctx, `INSERT INTO settings (name, value) VALUES ($1, $2)`, hostKeysSetting, sealed); err != nil {
			return nil, fmt.Errorf("store host keys: %w", err)
		}
	} else if err != nil {
		return nil, fmt.Errorf("find host keys: %w", err)
	}
	seeds, err := s.ring.DecryptOwn(sealed, []byte(hostKeysSetting))
	if err == nil && len(seeds) != 64 {
		err = fault.New(fault.Damaged, "The stored host keys are damaged.")
	}
	if err != nil {
		return nil, fmt.Errorf("open host keys: %w", err)
	}
	defer clear(seeds)
	first, err := ssh.NewSignerFromSigner(ed25519.NewKeyFromSeed(seeds[:32]))
	if err != nil {
		return nil, fmt.Errorf("make host key: %w", err)
	}
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seeds[32:])
	if err != nil {
		return nil, fmt.Errorf("make host key: %w", err)
	}
	second, err := ssh.NewSignerFromSigner(private)
	if err != nil {
		return nil, fmt.Errorf("make host key: %w", err)
	}
	return []ssh.Signer{first, second}, nil
}

// scalar reports whether bytes are a private key of P-256: of 2^32, one is not.
func scalar(b []byte) bool {
	_, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), b)
	return err == nil
}

// HostKeys are the SFTP server's.
func (a *App) HostKeys() []client.HostKey { return a.hostKeys }

func described(signers []ssh.Signer) []client.HostKey {
	var list []client.HostKey
	for _, s := range signers {
		k := s.PublicKey()
		list = append(list, client.HostKey{Type: k.Type(), Fingerprint: ssh.FingerprintSHA256(k), PublicKey: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k)))})
	}
	return list
}
