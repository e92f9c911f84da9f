package client

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"time"
)

// This file verifies the audit log from what the API gives out. It was written
// from docs/formats/audit.md alone and shares nothing with the server's code.

const (
	entryFormat      = "tributary audit entry v1"
	checkpointFormat = "tributary audit checkpoint v1"
)

// Pin is a checkpoint's number and hash, written down where the server cannot
// change it.
type Pin struct {
	Seq  int64 `json:"seq"`
	Hash Hex   `json:"hash"`
}

// Hex is bytes that are written in hexadecimal, as in a file of pins.
type Hex []byte

// MarshalText writes the digits.
func (h Hex) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }

// UnmarshalText reads them.
func (h *Hex) UnmarshalText(text []byte) (err error) {
	*h, err = hex.AppendDecode(nil, text)
	return err
}

// Finding is something that is wrong with the audit log.
type Finding struct {
	Chain   string `json:"chain"`          // the tenant's id; empty: the provider's chain
	What    string `json:"what"`           // "entry", "checkpoint", "key" or "pin"
	Seq     int64  `json:"seq"`            // its number
	Problem string `json:"problem"`        // in words
	Hash    Hex    `json:"hash,omitempty"` // what stands there, if that helps
}

// AuditReport is what verifying a chain found. Without findings, everything up
// to the last entry is as it was written and signed.
type AuditReport struct {
	Chain       string    `json:"chain"`
	Entries     int64     `json:"entries"`
	Head        Hex       `json:"head"`        // the last entry's hash
	Checkpoints int64     `json:"checkpoints"` // how many were checked
	Covered     int64     `json:"covered"`     // the last entry that a checkpoint vouches for
	Last        *Pin      `json:"last,omitempty"`
	Pinned      int       `json:"pinned"` // how many pins were compared
	Findings    []Finding `json:"findings"`
}

// VerifyOptions say what to verify.
type VerifyOptions struct {
	// Tenant is the id or slug of the tenant whose chain to verify, for the
	// provider's credentials; empty, it is the provider's own chain. A tenant's
	// credential verifies its own.
	Tenant string
	// Pins are compared with the checkpoints.
	Pins []Pin
	// Progress, which may be nil, is told how many entries have been verified.
	Progress func(entries int64)
}

// VerifyAudit verifies a chain: each entry's number, hash and link to the one
// before, each checkpoint's form, link and signature, that each proof leads from
// the chain's head to what was signed, and that pins still hold. What is wrong is
// in the findings; an error means that verifying was not possible.
func (c *Client) VerifyAudit(ctx context.Context, o VerifyOptions) (AuditReport, error) {
	chain, err := c.chainOf(ctx, o.Tenant)
	if err != nil {
		return AuditReport{}, err
	}
	keys, err := c.AuditKeys(ctx)
	if err != nil {
		return AuditReport{}, err
	}
	// Checkpoints first: what they vouch for is then among the entries, whatever
	// is added meanwhile.
	var points []Checkpoint
	for p, err := range All(ctx, c.Checkpoints, TenantPage{Tenant: o.Tenant}) {
		if err != nil {
			return AuditReport{}, err
		}
		points = append(points, p)
	}
	slices.Reverse(points)
	v := verifier{AuditReport: AuditReport{Chain: chain, Head: make([]byte, sha256.Size), Findings: []Finding{}}}
	heads := v.checkpoints(points, keys.Items)
	v.pins(points, o.Pins)
	for after := int64(0); ; {
		page, err := c.AuditRecords(ctx, o.Tenant, after, 5000)
		if err != nil {
			return AuditReport{}, err
		}
		if len(page.Items) == 0 || !v.entries(page.Items, heads) {
			break
		}
		after = page.Items[len(page.Items)-1].Seq
		if o.Progress != nil {
			o.Progress(v.Entries)
		}
	}
	v.missing(heads)
	return v.AuditReport, nil
}

// chainOf returns the id of the chain that is to be verified.
func (c *Client) chainOf(ctx context.Context, tenant string) (string, error) {
	me, err := c.Me(ctx)
	if err != nil || me.Tenant != "" {
		return me.Tenant, err
	}
	if tenant == "" {
		return "", nil
	}
	t, err := c.Tenant(ctx, tenant)
	return t.ID, err
}

// verifier collects what is wrong with a chain.
type verifier struct {
	AuditReport
	broken bool // an entry was wrong; those behind it cannot be judged
}

func (v *verifier) found(what string, seq int64, hash []byte, format string, args ...any) {
	v.Findings = append(v.Findings, Finding{Chain: v.Chain, What: what, Seq: seq, Problem: fmt.Sprintf(format, args...), Hash: hash})
}

// entries verifies the next entries of the chain and reports whether it may go on.
func (v *verifier) entries(records []AuditRecord, heads map[int64][]byte) bool {
	for _, r := range records {
		if problem := checkEntry(r, v.Chain, v.Entries+1, v.Head); problem != "" {
			v.found("entry", v.Entries+1, r.Hash, "%s", problem)
			v.broken = true
			return false
		}
		if want, ok := heads[r.Seq]; ok {
			if !bytes.Equal(want, r.Hash) {
				v.found("entry", r.Seq, r.Hash, "its hash is not the one that a checkpoint vouches for, %x", want)
				v.broken = true
				return false
			}
			delete(heads, r.Seq)
			v.Covered = max(v.Covered, r.Seq)
		}
		v.Entries, v.Head = r.Seq, r.Hash
	}
	return true
}

// checkEntry says what is wrong with the entry that should have a number and
// follow prev; nothing if it is right.
func checkEntry(r AuditRecord, chain string, seq int64, prev []byte) string {
	switch {
	case r.Tenant != chain:
		return fmt.Sprintf("it belongs to another chain, %q", r.Tenant)
	case r.Seq != seq:
		return fmt.Sprintf("it is missing: the next one has number %d", r.Seq)
	case !bytes.Equal(r.Prev, prev):
		return "it does not follow the entry before"
	case !bytes.Equal(r.Hash, entryHash(r)):
		return "its hash is not the hash of what it says: it was changed"
	}
	return ""
}

// missing finds entries that checkpoints vouch for and that are not there.
func (v *verifier) missing(heads map[int64][]byte) {
	if v.broken {
		return
	}
	for _, seq := range sortedKeys(heads) {
		v.found("entry", seq, heads[seq], "it is missing: a checkpoint vouches for it, and the chain ends at %d", v.Entries)
	}
}

func sortedKeys(m map[int64][]byte) []int64 {
	var keys []int64
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// checkpoints verifies all checkpoints, the oldest first, and returns the heads of
// the chain that they vouch for.
func (v *verifier) checkpoints(points []Checkpoint, keys []AuditKey) map[int64][]byte {
	known := map[string]ed25519.PublicKey{}
	for _, k := range keys {
		if err := checkKey(k); err != nil {
			v.found("key", 0, nil, "%s: %v", k.ID, err)
			continue
		}
		known[k.ID] = k.PublicKey
	}
	heads := map[int64][]byte{}
	prev, last := make([]byte, sha256.Size), int64(0)
	for i, p := range points {
		seq := int64(i) + 1
		hash := sha256.Sum256(p.Body)
		if err := checkCheckpoint(p, seq, prev, known); err != nil {
			v.found("checkpoint", seq, p.Hash, "%v", err)
			// Those behind it may still be right about the entries.
			if p.Seq != seq {
				return heads
			}
		} else if p.Own != nil {
			switch {
			case p.Own.Tenant != v.Chain:
				v.found("checkpoint", seq, p.Hash, "its proof is about another chain, %q", p.Own.Tenant)
			case p.Own.Seq <= last:
				v.found("checkpoint", seq, p.Hash, "it says the chain ended at %d, and an earlier one said %d", p.Own.Seq, last)
			default:
				heads[p.Own.Seq], last = p.Own.Hash, p.Own.Seq
			}
		}
		prev = hash[:]
		v.Checkpoints, v.Last = seq, &Pin{Seq: seq, Hash: hash[:]}
	}
	return heads
}

// pins compares checkpoints with what was written down.
func (v *verifier) pins(points []Checkpoint, pins []Pin) {
	for _, pin := range pins {
		v.Pinned++
		if pin.Seq < 1 || pin.Seq > int64(len(points)) {
			v.found("pin", pin.Seq, nil, "the checkpoint is missing: the last one has number %d", len(points))
			continue
		}
		if hash := sha256.Sum256(points[pin.Seq-1].Body); !bytes.Equal(hash[:], pin.Hash) {
			v.found("pin", pin.Seq, hash[:], "the checkpoint is not the one that was pinned, %x", pin.Hash)
		}
	}
}

// checkKey says whether a key is one and has its own id.
func checkKey(k AuditKey) error {
	if len(k.PublicKey) != ed25519.PublicKeySize {
		return errors.New("it is not an Ed25519 public key")
	}
	sum := sha256.Sum256(k.PublicKey)
	if k.ID != hex.EncodeToString(sum[:8]) {
		return errors.New("its id is another key's")
	}
	return nil
}

// checkCheckpoint says what is wrong with the checkpoint that should have a number
// and follow prev.
func checkCheckpoint(p Checkpoint, seq int64, prev []byte, keys map[string]ed25519.PublicKey) error {
	b, err := readCheckpoint(p.Body)
	hash := sha256.Sum256(p.Body)
	key := keys[p.Key]
	switch {
	case err != nil:
		return err
	case b.seq != seq:
		return fmt.Errorf("it is missing: the next one has number %d", b.seq)
	case !bytes.Equal(b.prev, prev):
		return errors.New("it does not follow the one before")
	case p.Seq != b.seq || p.Heads != b.heads || !bytes.Equal(p.Root, b.root) || !bytes.Equal(p.Prev, b.prev) || p.At.UnixMicro() != b.at.UnixMicro():
		return errors.New("what is said of it is not what was signed")
	case !bytes.Equal(p.Hash, hash[:]):
		return errors.New("its hash is not the hash of what was signed")
	case key == nil:
		return fmt.Errorf("it is signed by an unknown key, %q", p.Key)
	case !ed25519.Verify(key, p.Body, p.Signature):
		return errors.New("its signature is wrong")
	}
	if p.Own != nil {
		return checkInclusion(*p.Own, b.heads, b.root)
	}
	return nil
}

// checkInclusion says whether a proof leads from a chain's head to the root of a
// tree with a number of leaves.
func checkInclusion(i Inclusion, leaves int64, root []byte) error {
	if leaves < 1 || len(i.Path) > bits.Len64(uint64(leaves-1)) {
		return errors.New("its proof is longer than its tree is high")
	}
	node := leafHash(i)
	for _, step := range i.Path {
		if step.Left {
			node = nodeHash(step.Hash, node)
		} else {
			node = nodeHash(node, step.Hash)
		}
	}
	if !bytes.Equal(node, root) {
		return errors.New("its proof does not lead to what was signed")
	}
	return nil
}

// The encoding: each field is its length in four bytes and its bytes; a number
// is a field of eight bytes.

func appendField[T string | []byte](b []byte, field T) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(field)))
	return append(b, field...)
}

func appendNumber(b []byte, n int64) []byte {
	return appendField(b, binary.BigEndian.AppendUint64(nil, uint64(n)))
}

func entryHash(r AuditRecord) []byte {
	b := appendField(nil, entryFormat)
	b = appendField(b, r.Tenant)
	b = appendNumber(b, r.Seq)
	b = appendNumber(b, r.At)
	for _, text := range []string{r.Actor, r.Verb, r.Subject, r.Outcome} {
		b = appendField(b, text)
	}
	b = appendField(b, r.Details)
	b = appendField(b, r.Prev)
	sum := sha256.Sum256(b)
	return sum[:]
}

func leafHash(i Inclusion) []byte {
	b := appendField([]byte{0}, i.Tenant)
	b = appendNumber(b, i.Seq)
	b = appendField(b, i.Hash)
	sum := sha256.Sum256(b)
	return sum[:]
}

func nodeHash(left, right []byte) []byte {
	sum := sha256.Sum256(slices.Concat([]byte{1}, left, right))
	return sum[:]
}

// signed is what a checkpoint's body says.
type signedBody struct {
	seq, heads int64
	at         time.Time
	root, prev []byte
}

// readCheckpoint reads a body, which must be in the format to the last byte.
func readCheckpoint(body []byte) (signedBody, error) {
	wrong := errors.New("it is not in the format of checkpoints")
	var fields [6][]byte
	for i := range fields {
		if len(body) < 4 {
			return signedBody{}, wrong
		}
		n := int64(binary.BigEndian.Uint32(body))
		if body = body[4:]; n > int64(len(body)) {
			return signedBody{}, wrong
		}
		fields[i], body = body[:n], body[n:]
	}
	for i, size := range []int{len(checkpointFormat), 8, 8, 8, sha256.Size, sha256.Size} {
		if len(fields[i]) != size {
			return signedBody{}, wrong
		}
	}
	if len(body) != 0 || string(fields[0]) != checkpointFormat {
		return signedBody{}, wrong
	}
	n := func(i int) int64 { return int64(binary.BigEndian.Uint64(fields[i])) }
	return signedBody{seq: n(1), at: time.UnixMicro(n(2)).UTC(), heads: n(3), root: fields[4], prev: fields[5]}, nil
}

// Verify checks that a statement was signed by one of the keys, which come from
// AuditKeys or, better, from where they were written down.
func (s SignedStatement) Verify(keys []AuditKey) error {
	for _, k := range keys {
		if k.ID != s.Key {
			continue
		}
		if err := checkKey(k); err != nil {
			return fmt.Errorf("key %s: %w", k.ID, err)
		}
		if !ed25519.Verify(k.PublicKey, s.Body, s.Signature) {
			return errors.New("the signature is not of this statement")
		}
		return nil
	}
	return fmt.Errorf("the statement is signed by an unknown key, %q", s.Key)
}

// Verify checks that a receipt was signed by one of the keys, that it says what
// was signed, and that the commitment is to the file with this SHA-256. Once the
// file's bytes are deleted there is no salt, and the last cannot be checked.
func (r Receipt) Verify(keys []AuditKey) error {
	if err := r.Signed.Verify(keys); err != nil {
		return err
	}
	var signed struct {
		Statement, Submission, Commitment, Run, Release string
		Organisations                                   int64
		Verified                                        int64  `json:"organisations_verified"`
		Manifest                                        string `json:"manifest_sha256"`
	}
	if err := json.Unmarshal(r.Signed.Body, &signed); err != nil {
		return fmt.Errorf("the signed statement is not JSON: %w", err)
	}
	if signed.Statement != "tributary receipt v1" || signed.Submission != r.Submission || signed.Commitment != r.Commitment ||
		signed.Run != r.Run || signed.Release != r.Release || signed.Manifest != r.Manifest ||
		signed.Organisations != r.Organisations || signed.Verified != r.OrganisationsVerified {
		return errors.New("the receipt does not say what was signed")
	}
	if r.Salt == "" {
		return nil
	}
	salt, saltErr := hex.DecodeString(r.Salt)
	file, fileErr := hex.DecodeString(r.SHA256)
	sum := sha256.Sum256(slices.Concat(salt, file))
	if saltErr != nil || fileErr != nil || hex.EncodeToString(sum[:]) != r.Commitment {
		return errors.New("the commitment is not to this file")
	}
	return nil
}
