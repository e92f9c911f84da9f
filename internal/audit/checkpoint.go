package audit

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// Checkpoint is a signed statement of where the chains that grew since the
// checkpoint before it had ended. Checkpoints are a chain too, so that who keeps
// the hash of one (a pin) finds whether anything up to then was changed since.
type Checkpoint struct {
	Seq       int64
	At        time.Time
	Heads     int64  // how many chains it is about
	Root      []byte // of the tree of their heads
	Prev      []byte // Hash of the checkpoint before; 32 zeros in the first
	Body      []byte // what is signed: all above
	Hash      []byte // SHA-256 of Body
	Key       string // the id of the key that signed, as in PublicKeys
	Signature []byte
	Own       *Inclusion // the reader's own chain, if this checkpoint is about it
}

// Inclusion shows that a checkpoint is about a chain: hashed up along the path,
// the chain's head gives the checkpoint's root.
type Inclusion struct {
	Head
	Path []Step
}

// PublicKey checks signatures of checkpoints.
type PublicKey struct {
	ID        string // the first 16 hexadecimal digits of the key's SHA-256
	Algorithm string // "Ed25519"
	Key       ed25519.PublicKey
}

// PublicKeys returns the keys that checkpoints are signed with, for everybody.
func (l *Log) PublicKeys() []PublicKey {
	key := l.cfg.Keys.PublicKey()
	sum := sha256.Sum256(key)
	return []PublicKey{{ID: hex.EncodeToString(sum[:8]), Algorithm: "Ed25519", Key: key}}
}

// CheckpointDue signs a checkpoint if any chain has grown since the last one. A
// chain whose end is not what was written is left out, and named in the error.
func (l *Log) CheckpointDue(ctx context.Context) error {
	var damaged error
	err := l.cfg.DB.Transact(ctx, func(tx *meta.DB) error {
		var grown []Head
		var err error
		grown, damaged, err = l.grown(ctx, tx)
		if err != nil || len(grown) == 0 {
			return err
		}
		last := Checkpoint{Hash: make([]byte, hashSize)}
		err = tx.QueryRow(ctx, `SELECT seq, hash FROM audit_checkpoints ORDER BY seq DESC LIMIT 1`).Scan(&last.Seq, &last.Hash)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("find the last checkpoint: %w", err)
		}
		return l.sign(ctx, tx, last, grown)
	})
	return errors.Join(err, damaged)
}

// grown returns the heads of the chains that went on since their last checkpoint.
func (l *Log) grown(ctx context.Context, tx *meta.DB) (list []Head, damaged, err error) {
	rows, err := tx.Unscoped().Query(ctx, `
		SELECT tenant, seq, hash, mac, signed FROM (
			SELECT h.tenant, h.seq, h.hash, h.mac, COALESCE((
				SELECT c.seq FROM audit_checkpoint_heads c WHERE c.tenant = h.tenant ORDER BY c.checkpoint DESC LIMIT 1
			), 0) AS signed
			FROM audit_heads h
		) heads WHERE seq <> signed ORDER BY tenant`)
	if err != nil {
		return nil, nil, fmt.Errorf("find what no checkpoint has: %w", err)
	}
	var problems []error
	for rows.Next() {
		var h Head
		var mac []byte
		var signed int64
		if err := rows.Scan(&h.Tenant, &h.Seq, &h.Hash, &mac, &signed); err != nil {
			return nil, nil, fmt.Errorf("find what no checkpoint has: %w", err)
		}
		switch err := l.checkHead(h, mac); {
		case err != nil:
			problems = append(problems, err)
		case h.Seq < signed:
			problems = append(problems, fault.New(fault.Damaged, "The audit log of %q ends at entry %d, but a checkpoint has entry %d.", h.Tenant, h.Seq, signed))
		default:
			list = append(list, h)
		}
	}
	return list, errors.Join(problems...), rows.Err()
}

func (l *Log) sign(ctx context.Context, tx *meta.DB, last Checkpoint, heads []Head) error {
	s := statement{seq: last.Seq + 1, at: meta.Micros(l.cfg.Clock.Now()), heads: int64(len(heads)), root: root(leaves(heads)), prev: last.Hash}
	body := s.encode()
	hash := sha256.Sum256(body)
	if _, err := tx.Exec(ctx, `INSERT INTO audit_checkpoints (seq, at, body, prev, hash, key_id, signature) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		s.seq, s.at, body, s.prev, hash[:], l.PublicKeys()[0].ID, l.cfg.Keys.Sign(body)); err != nil {
		return fmt.Errorf("write checkpoint %d: %w", s.seq, err)
	}
	const most = 100 // rows in a statement
	for len(heads) > 0 {
		batch := heads[:min(most, len(heads))]
		heads = heads[len(batch):]
		var query strings.Builder
		query.WriteString(`INSERT INTO audit_checkpoint_heads (checkpoint, tenant, seq, hash) VALUES `)
		args := []any{s.seq}
		for i, h := range batch {
			if i > 0 {
				query.WriteString(", ")
			}
			fmt.Fprintf(&query, "($1, $%d, $%d, $%d)", len(args)+1, len(args)+2, len(args)+3)
			args = append(args, string(h.Tenant), h.Seq, h.Hash)
		}
		if _, err := tx.Unscoped().Exec(ctx, query.String(), args...); err != nil {
			return fmt.Errorf("write heads of checkpoint %d: %w", s.seq, err)
		}
	}
	return nil
}

// Checkpoints lists checkpoints, newest first, each with the proof that it is
// about the tenant's chain if it is.
func (l *Log) Checkpoints(ctx context.Context, scope tenant.Scope, page meta.Page) ([]Checkpoint, string, error) {
	if err := scope.Check(ctx, tenant.Read, tenant.AuditTrail); err != nil {
		return nil, "", err
	}
	return l.UnscopedCheckpoints(ctx, scope.Tenant(), page)
}

// UnscopedCheckpoints is Checkpoints for any chain; the empty id is the provider's.
func (l *Log) UnscopedCheckpoints(ctx context.Context, id tenant.ID, page meta.Page) ([]Checkpoint, string, error) {
	at, err := page.Position()
	if err != nil {
		return nil, "", err
	}
	list, err := l.checkpoints(ctx, `WHERE seq < $1 ORDER BY seq DESC LIMIT $2`, at.At, page.Size()+1)
	if err != nil {
		return nil, "", err
	}
	list, next := meta.Cut(list, page, func(c Checkpoint) meta.Position { return meta.Position{At: c.Seq} })
	for i := range list {
		if list[i].Own, err = l.inclusion(ctx, list[i].Seq, id); err != nil {
			return nil, "", err
		}
	}
	return list, next, nil
}

func (l *Log) checkpoints(ctx context.Context, where string, args ...any) ([]Checkpoint, error) {
	rows, err := l.cfg.DB.Query(ctx, `SELECT seq, at, body, prev, hash, key_id, signature FROM audit_checkpoints `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read checkpoints: %w", err)
	}
	var list []Checkpoint
	for rows.Next() {
		var c Checkpoint
		if err := rows.Scan(&c.Seq, &c.At, &c.Body, &c.Prev, &c.Hash, &c.Key, &c.Signature); err != nil {
			return nil, fmt.Errorf("read checkpoints: %w", err)
		}
		if s, ok := decodeStatement(c.Body); ok { // Verify says so if it is damaged
			c.Heads, c.Root = s.heads, s.root
		}
		list = append(list, c)
	}
	return list, rows.Err()
}

// inclusion returns nil if the checkpoint is not about the chain.
func (l *Log) inclusion(ctx context.Context, checkpoint int64, id tenant.ID) (*Inclusion, error) {
	var found int64
	if err := l.cfg.DB.RowsOf(id).QueryRow(ctx, `SELECT count(*) FROM audit_checkpoint_heads WHERE checkpoint = $1 AND tenant = $2`,
		checkpoint, string(id)).Scan(&found); err != nil || found == 0 {
		return nil, err
	}
	heads, err := l.signedHeads(ctx, `WHERE checkpoint = $1 ORDER BY tenant`, checkpoint)
	if err != nil {
		return nil, err
	}
	for i, h := range heads {
		if h.Tenant == id {
			return &Inclusion{Head: h.Head, Path: path(leaves(headsOf(heads)), i)}, nil
		}
	}
	return nil, nil
}

// signedHead is a head as a checkpoint has it.
type signedHead struct {
	Head
	checkpoint int64
}

func headsOf(list []signedHead) []Head {
	heads := make([]Head, len(list))
	for i, h := range list {
		heads[i] = h.Head
	}
	return heads
}

func (l *Log) signedHeads(ctx context.Context, where string, args ...any) ([]signedHead, error) {
	rows, err := l.cfg.DB.Unscoped().Query(ctx, `SELECT checkpoint, tenant, seq, hash FROM audit_checkpoint_heads `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read heads of checkpoints: %w", err)
	}
	var list []signedHead
	for rows.Next() {
		var h signedHead
		if err := rows.Scan(&h.checkpoint, &h.Tenant, &h.Seq, &h.Hash); err != nil {
			return nil, fmt.Errorf("read heads of checkpoints: %w", err)
		}
		list = append(list, h)
	}
	return list, rows.Err()
}
