package analysis

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/tenant"
)

// Receipt proves to a tenant how one of its submissions was used: the statement
// names the run and its manifest, whose hash it has, and the commitment that the
// manifest lists; with the salt the tenant can see that it is its own file's.
type Receipt struct {
	Submission, Run, Release, Analysis string
	Version                            int64
	Date                               string
	SHA256, Salt, Commitment           []byte
	Organisations, Verified            int64  // that took part, and of them those verified by the provider
	Manifest                           []byte // SHA-256 of the manifest
	Body, Signature                    []byte // the signed statement
}

// Receipts returns a receipt for each release that a submission of the scope's
// tenant went into.
func (a *Analyses) Receipts(ctx context.Context, scope tenant.Scope, submission string) ([]Receipt, error) {
	s, err := a.Exchange.Submission(ctx, scope, submission)
	if err != nil {
		return nil, err
	}
	salt, err := a.Exchange.Salt(ctx, scope, submission)
	if err != nil && !fault.Is(err, fault.NotFound) { // after its bytes were deleted there is none
		return nil, err
	}
	rows, err := a.DB.For(scope.Tenant()).Query(ctx, `
		SELECT l.manifest, l.signature FROM run_inputs i JOIN releases l ON l.run = i.run
		WHERE i.submission = $1 AND i.tenant = $2 ORDER BY l.created_at, l.id`, submission, string(scope.Tenant()))
	if err != nil {
		return nil, fmt.Errorf("list releases of %s: %w", submission, err)
	}
	list := []Receipt{}
	for rows.Next() {
		r := Receipt{Submission: submission, SHA256: s.SHA256, Salt: salt, Commitment: s.Commitment}
		var manifest, signature []byte
		if err := rows.Scan(&manifest, &signature); err != nil {
			return nil, fmt.Errorf("list releases of %s: %w", submission, err)
		}
		m, err := signedManifest(a.Keys, manifest, signature)
		if err != nil {
			return nil, err
		}
		r.Run, r.Release, r.Analysis, r.Version, r.Date, r.Organisations, r.Verified = m.Run, m.Release, m.Analysis, m.Version, m.Date, int64(m.Owners), m.Verified
		sum := sha256.Sum256(manifest)
		r.Manifest = sum[:]
		r.Body, err = json.Marshal(map[string]any{"statement": "tributary receipt v1", "tenant": scope.Tenant(), "submission": submission,
			"commitment": hex.EncodeToString(s.Commitment), "run": r.Run, "release": r.Release, "organisations": r.Organisations, "organisations_verified": r.Verified, "manifest_sha256": hex.EncodeToString(r.Manifest)})
		if err != nil {
			return nil, fmt.Errorf("encode receipt: %w", err)
		}
		r.Signature = a.Keys.Sign(r.Body)
		list = append(list, r)
	}
	return list, nil
}

// signedManifest decodes a stored manifest, which must be the one that was signed.
func signedManifest(ring *keys.Ring, manifest, signature []byte) (Manifest, error) {
	var m Manifest
	if !ring.Signed(manifest, signature) {
		return m, fault.New(fault.Damaged, "A stored manifest is not the one that was signed.")
	}
	if err := json.Unmarshal(manifest, &m); err != nil {
		return m, fmt.Errorf("decode manifest: %w", err)
	}
	return m, nil
}
