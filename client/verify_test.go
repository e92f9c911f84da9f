package client

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The vectors of docs/formats/audit.md.
func TestVectors(t *testing.T) {
	t.Parallel()
	chain := "ten_0000000000000000000000000a"
	one := AuditRecord{Tenant: chain, Seq: 1, At: 1772366400000000, Actor: "usr_1", Verb: "submission.receive", Subject: "sub_0", Outcome: "ok",
		Details: []byte{2, 0, 0}, Prev: make([]byte, 32)}
	two := one
	two.Seq, two.At, two.Subject, two.Details, two.Prev = 2, one.At+1, "sub_1", []byte{2, 1, 0}, entryHash(one)
	provider := Inclusion{Seq: 7, Hash: bytes.Repeat([]byte{7}, 32)}
	tenants := Inclusion{Tenant: chain, Seq: 2, Hash: entryHash(two)}
	root := nodeHash(leafHash(provider), leafHash(tenants))
	for name, pair := range map[string][2][]byte{
		"entry 1":         {entryHash(one), unhex(t, "c6945b939179dfeead246c254a76afdf8222f6647612bf6d40c7db724bf3dbfa")},
		"entry 2":         {entryHash(two), unhex(t, "9cdf52e17467de3a62a48ba5cc029a128fc19e573f4e000a626d4ea0bc88d78d")},
		"provider's leaf": {leafHash(provider), unhex(t, "3baa7d20c88fde231290aa519db4fefa8b2390d34f5badfff8c81eb1a50d04c2")},
		"tenant's leaf":   {leafHash(tenants), unhex(t, "3b80c7a70ff636bff9f798af2bfe0ce6ab9dc15fc9e6e7a74231c91542b3fb35")},
		"root":            {root, unhex(t, "354054da865903e5ff50e2f1174da5fd998178084a00e981db1747b26f6cdc7b")},
	} {
		if !bytes.Equal(pair[0], pair[1]) {
			t.Errorf("%s: got %x, want %x", name, pair[0], pair[1])
		}
	}
	body := unhex(t, `0000001d74726962757461727920617564697420636865636b706f696e7420763100000008000000
		00000000010000000800064bf53942970000000008000000000000000200000020354054da865903
		e5ff50e2f1174da5fd998178084a00e981db1747b26f6cdc7b000000200000000000000000000000
		000000000000000000000000000000000000000000`)
	b, err := readCheckpoint(body)
	if err != nil || b.seq != 1 || b.heads != 2 || !bytes.Equal(b.root, root) || b.at.UnixMicro() != 1772366460000000 {
		t.Errorf("checkpoint: got %+v and %v", b, err)
	}
	for n := range body {
		if _, err := readCheckpoint(body[:n]); err == nil {
			t.Errorf("the first %d bytes of a checkpoint were taken for one", n)
		}
	}
	if _, err := readCheckpoint(append(slices.Clone(body), 0)); err == nil {
		t.Error("a checkpoint with a byte more was taken for one")
	}
}

// ledger is a log that a server shows, to be tampered with.
type ledger struct {
	chain   string
	records []AuditRecord
	points  []Checkpoint
	keys    []AuditKey
	signer  ed25519.PrivateKey
}

func checkpointBody(seq int64, at time.Time, heads int64, root, prev []byte) []byte {
	b := appendField(nil, checkpointFormat)
	b = appendNumber(b, seq)
	b = appendNumber(b, at.UnixMicro())
	b = appendNumber(b, heads)
	b = appendField(b, root)
	return appendField(b, prev)
}

// add appends n entries to the chain.
func (l *ledger) add(n int) {
	for range n {
		seq := int64(len(l.records)) + 1
		prev := make([]byte, 32)
		if seq > 1 {
			prev = l.records[seq-2].Hash
		}
		r := AuditRecord{Tenant: l.chain, Seq: seq, At: 1772366400000000 + seq, Actor: "usr_1", Verb: "submission.receive", Subject: fmt.Sprint("sub_", seq), Outcome: "ok", Details: []byte{2, byte(seq)}, Prev: prev}
		r.Hash = entryHash(r)
		l.records = append(l.records, r)
	}
}

// point signs a checkpoint over the chain's head and those of others, of which
// the chain is the second of three leaves.
func (l *ledger) point() {
	head := l.records[len(l.records)-1]
	own := Inclusion{Tenant: l.chain, Seq: head.Seq, Hash: head.Hash}
	left := leafHash(Inclusion{Seq: 9, Hash: bytes.Repeat([]byte{9}, 32)})
	right := leafHash(Inclusion{Tenant: "ten_z", Seq: 4, Hash: bytes.Repeat([]byte{4}, 32)})
	own.Path = []Step{{Left: true, Hash: left}, {Hash: right}}
	l.sign(nodeHash(nodeHash(left, leafHash(own)), right), 3, &own)
}

// pointElsewhere signs a checkpoint that is not about the chain.
func (l *ledger) pointElsewhere() { l.sign(bytes.Repeat([]byte{5}, 32), 1, nil) }

func (l *ledger) sign(root []byte, heads int64, own *Inclusion) {
	seq := int64(len(l.points)) + 1
	prev := make([]byte, 32)
	if seq > 1 {
		prev = l.points[seq-2].Hash
	}
	at := time.UnixMicro(1772366460000000 + seq).UTC()
	body := checkpointBody(seq, at, heads, root, prev)
	hash := sha256.Sum256(body)
	l.points = append(l.points, Checkpoint{Seq: seq, At: at, Heads: heads, Root: root, Prev: prev, Body: body, Hash: hash[:], Key: l.keys[0].ID,
		Signature: ed25519.Sign(l.signer, body), Own: own})
}

func keyOf(signer ed25519.PrivateKey) AuditKey {
	public := signer.Public().(ed25519.PublicKey)
	sum := sha256.Sum256(public)
	return AuditKey{ID: hex.EncodeToString(sum[:8]), Algorithm: "Ed25519", PublicKey: public}
}

func newLedger() *ledger {
	l := &ledger{chain: "ten_a", signer: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))}
	l.keys = []AuditKey{keyOf(l.signer)}
	l.add(4)
	l.point()
	l.pointElsewhere()
	l.add(3)
	l.point()
	l.add(2)
	return l
}

// client serves the log in small pages.
func (l *ledger) client(t *testing.T) *Client {
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		var answer any
		after, _ := strconv.Atoi(r.URL.Query().Get("after"))
		switch r.URL.Path {
		case "/api/v1/me":
			answer = Me{Tenant: l.chain}
		case "/api/v1/audit/keys":
			answer = List[AuditKey]{Items: l.keys}
		case "/api/v1/audit/checkpoints":
			newest := slices.Clone(l.points)
			slices.Reverse(newest)
			page := List[Checkpoint]{Items: newest[after:min(after+2, len(newest))]}
			if after+2 < len(newest) {
				page.Next = strconv.Itoa(after + 2)
			}
			answer = page
		case "/api/v1/audit/raw":
			page := List[AuditRecord]{Items: []AuditRecord{}}
			for _, x := range l.records {
				if x.Seq > int64(after) && len(page.Items) < 3 {
					page.Items = append(page.Items, x)
				}
			}
			answer = page
		}
		json.NewEncoder(w).Encode(answer)
	})
}

func verify(t *testing.T, l *ledger, pins ...Pin) AuditReport {
	t.Helper()
	v, err := l.client(t).VerifyAudit(t.Context(), VerifyOptions{Pins: pins})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestAWholeLogVerifies(t *testing.T) {
	t.Parallel()
	l := newLedger()
	v := verify(t, l, Pin{1, l.points[0].Hash}, Pin{3, l.points[2].Hash})
	if len(v.Findings) != 0 || v.Entries != 9 || v.Checkpoints != 3 || v.Covered != 7 || v.Pinned != 2 || v.Chain != "ten_a" {
		t.Errorf("got %+v, want 9 entries, 3 checkpoints, covered to 7, 2 pins and no findings", v)
	}
	if v.Last == nil || v.Last.Seq != 3 || !bytes.Equal(v.Last.Hash, l.points[2].Hash) || !bytes.Equal(v.Head, l.records[8].Hash) {
		t.Errorf("got last %+v and head %x, want the last of both", v.Last, v.Head)
	}
	empty := &ledger{chain: "ten_new", keys: l.keys}
	if v := verify(t, empty); len(v.Findings) != 0 || v.Entries != 0 || v.Last != nil {
		t.Errorf("empty: got %+v, want nothing found", v)
	}
}

// rehash makes entries from index i on consistent with each other again, as
// someone would who can write all of the database but not sign.
func (l *ledger) rehash(i int) {
	for ; i < len(l.records); i++ {
		if i > 0 {
			l.records[i].Prev = l.records[i-1].Hash
		}
		l.records[i].Seq = int64(i) + 1
		l.records[i].Hash = entryHash(l.records[i])
	}
}

func TestTamperingIsFound(t *testing.T) {
	t.Parallel()
	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, 32))
	for _, test := range []struct {
		name   string
		tamper func(*ledger)
		what   string // of the first finding
		seq    int64
		words  string
	}{
		{"an actor is changed", func(l *ledger) { l.records[2].Actor = "usr_2" }, "entry", 3, "was changed"},
		{"a time is changed", func(l *ledger) { l.records[2].At++ }, "entry", 3, "was changed"},
		{"a verb is changed", func(l *ledger) { l.records[2].Verb = "x" }, "entry", 3, "was changed"},
		{"a subject is changed", func(l *ledger) { l.records[2].Subject = "x" }, "entry", 3, "was changed"},
		{"an outcome is changed", func(l *ledger) { l.records[2].Outcome = "x" }, "entry", 3, "was changed"},
		{"details are changed", func(l *ledger) { l.records[2].Details[1]++ }, "entry", 3, "was changed"},
		{"a byte moves to the next field", func(l *ledger) { l.records[2].Verb, l.records[2].Subject = "submission.receiv", "esub_3" }, "entry", 3, "was changed"},
		{"a hash is changed", func(l *ledger) { l.records[8].Hash = make([]byte, 32) }, "entry", 9, "was changed"},
		{"an entry is of another chain", func(l *ledger) { l.records[2].Tenant = "ten_b" }, "entry", 3, "another chain"},
		{"an entry is removed", func(l *ledger) { l.records = slices.Delete(l.records, 2, 3) }, "entry", 3, "missing"},
		{"the first is removed", func(l *ledger) { l.records = l.records[1:] }, "entry", 1, "missing"},
		{"an entry is repeated", func(l *ledger) { l.records = slices.Insert(l.records, 2, l.records[1]) }, "entry", 3, "missing"},
		{"an entry is made to follow another", func(l *ledger) {
			l.records[8].Prev = l.records[6].Hash
			l.records[8].Hash = entryHash(l.records[8])
		}, "entry", 9, "does not follow"},
		{"entries swap places", func(l *ledger) { l.records[2], l.records[3] = l.records[3], l.records[2] }, "entry", 3, "missing"},
		{"one is changed and all behind made to fit", func(l *ledger) { l.records[2].Actor = "usr_2"; l.rehash(2) }, "entry", 4, "a checkpoint vouches for"},
		{"one is removed and all behind made to fit", func(l *ledger) { l.records = slices.Delete(l.records, 2, 3); l.rehash(2) }, "entry", 4, "a checkpoint vouches for"},
		{"the end is cut off", func(l *ledger) { l.records = l.records[:5] }, "entry", 7, "missing"},
		{"everything is removed", func(l *ledger) { l.records = nil }, "entry", 4, "missing"},
		{"a checkpoint is removed", func(l *ledger) { l.points = slices.Delete(l.points, 1, 2) }, "checkpoint", 2, "missing"},
		{"the first checkpoint is removed", func(l *ledger) { l.points = l.points[1:] }, "checkpoint", 1, "missing"},
		{"a signature is changed", func(l *ledger) { l.points[1].Signature[3]++ }, "checkpoint", 2, "signature"},
		{"a checkpoint follows none", func(l *ledger) {
			p := &l.points[2]
			p.Prev = make([]byte, 32)
			p.Body = checkpointBody(p.Seq, p.At, p.Heads, p.Root, p.Prev)
			hash := sha256.Sum256(p.Body)
			p.Hash, p.Signature = hash[:], ed25519.Sign(l.signer, p.Body)
		}, "checkpoint", 3, "does not follow"},
		{"a body is changed", func(l *ledger) { l.points[1].Body[len(l.points[1].Body)-40]++ }, "checkpoint", 2, "not what was signed"},
		{"a body is no body", func(l *ledger) { l.points[1].Body = []byte("x") }, "checkpoint", 2, "format"},
		{"a checkpoint's hash is changed", func(l *ledger) { l.points[2].Hash = make([]byte, 32) }, "checkpoint", 3, "hash"},
		{"a checkpoint's time is changed", func(l *ledger) { l.points[1].At = l.points[1].At.Add(time.Second) }, "checkpoint", 2, "not what was signed"},
		{"a checkpoint's root is changed", func(l *ledger) { l.points[1].Root = make([]byte, 32) }, "checkpoint", 2, "not what was signed"},
		{"another key signs", func(l *ledger) { l.points[2].Signature = ed25519.Sign(other, l.points[2].Body) }, "checkpoint", 3, "signature"},
		{"a key that is not published signs", func(l *ledger) { l.points[2].Key = keyOf(other).ID }, "checkpoint", 3, "unknown key"},
		{"a key has another's id", func(l *ledger) { l.keys[0].PublicKey = keyOf(other).PublicKey }, "key", 0, "another key's"},
		{"a key is none", func(l *ledger) { l.keys[0].PublicKey = []byte("x") }, "key", 0, "not an Ed25519"},
		{"a proof names another head", func(l *ledger) { l.points[0].Own.Seq = 3 }, "checkpoint", 1, "proof does not lead"},
		{"a proof's side is changed", func(l *ledger) { l.points[0].Own.Path[0].Left = false }, "checkpoint", 1, "proof does not lead"},
		{"a proof lacks a step", func(l *ledger) { l.points[0].Own.Path = l.points[0].Own.Path[:1] }, "checkpoint", 1, "proof does not lead"},
		{"a proof is too long", func(l *ledger) { l.points[0].Own.Path = append(l.points[0].Own.Path, Step{Hash: make([]byte, 32)}) }, "checkpoint", 1, "longer than its tree"},
		{"a proof is about another chain", func(l *ledger) {
			own := Inclusion{Tenant: "ten_b", Seq: 1, Hash: make([]byte, 32)}
			l.sign(leafHash(own), 1, &own)
		}, "checkpoint", 4, "another chain"},
		{"a chain is set back and signed again", func(l *ledger) {
			own := Inclusion{Tenant: l.chain, Seq: 2, Hash: l.records[1].Hash}
			l.sign(leafHash(own), 1, &own)
		}, "checkpoint", 4, "an earlier one said 7"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := newLedger()
			test.tamper(l)
			v := verify(t, l)
			if len(v.Findings) == 0 {
				t.Fatal("nothing was found")
			}
			if f := v.Findings[0]; f.What != test.what || f.Seq != test.seq || !strings.Contains(f.Problem, test.words) {
				t.Errorf("found %s %d: %s; want %s %d: …%s…", f.What, f.Seq, f.Problem, test.what, test.seq, test.words)
			}
		})
	}
}

func TestAPinFindsARewrittenLog(t *testing.T) {
	t.Parallel()
	l := newLedger()
	pin := Pin{2, l.points[1].Hash}
	rewritten := &ledger{chain: l.chain, signer: l.signer, keys: l.keys}
	rewritten.add(1)
	rewritten.records[0].Actor = "usr_2"
	rewritten.rehash(0)
	rewritten.point()
	if v := verify(t, rewritten); len(v.Findings) != 0 {
		t.Fatalf("without a pin a log that was rewritten and signed again shows %v", v.Findings)
	}
	if v := verify(t, rewritten, pin); len(v.Findings) != 1 || v.Findings[0].What != "pin" || !strings.Contains(v.Findings[0].Problem, "missing") {
		t.Errorf("got %v, want that checkpoint 2 is missing", v.Findings)
	}
	rewritten.pointElsewhere()
	if v := verify(t, rewritten, pin); len(v.Findings) != 1 || !strings.Contains(v.Findings[0].Problem, "not the one that was pinned") {
		t.Errorf("got %v, want that checkpoint 2 is another", v.Findings)
	}
}

func TestReceiptsAreVerified(t *testing.T) {
	t.Parallel()
	signer := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))
	keys := []AuditKey{keyOf(signer)}
	salt, file := bytes.Repeat([]byte{3}, 16), sha256.Sum256([]byte("a,b\n"))
	commitment := sha256.Sum256(slices.Concat(salt, file[:]))
	fresh := func() Receipt {
		r := Receipt{Submission: "sub_1", Run: "run_1", Release: "rel_1", SHA256: hex.EncodeToString(file[:]), Salt: hex.EncodeToString(salt),
			Commitment: hex.EncodeToString(commitment[:]), Manifest: strings.Repeat("ab", 32)}
		body := fmt.Sprintf(`{"commitment":%q,"manifest_sha256":%q,"release":"rel_1","run":"run_1","statement":"tributary receipt v1","submission":"sub_1","tenant":"ten_a"}`, r.Commitment, r.Manifest)
		r.Signed = SignedStatement{Body: []byte(body), Key: keys[0].ID, Signature: ed25519.Sign(signer, []byte(body))}
		return r
	}
	if err := fresh().Verify(keys); err != nil {
		t.Errorf("a right receipt: %v", err)
	}
	deleted := fresh()
	deleted.Salt, deleted.SHA256 = "", ""
	if err := deleted.Verify(keys); err != nil {
		t.Errorf("a receipt of deleted bytes: %v", err)
	}
	for name, change := range map[string]func(*Receipt){
		"commitment": func(r *Receipt) { r.Commitment = strings.Repeat("00", 32) },
		"run":        func(r *Receipt) { r.Run = "run_2" },
		"manifest":   func(r *Receipt) { r.Manifest = "" },
		"submission": func(r *Receipt) { r.Submission = "sub_2" },
		"file":       func(r *Receipt) { r.SHA256 = strings.Repeat("00", 32) },
		"salt":       func(r *Receipt) { r.Salt = "zz" },
		"signature":  func(r *Receipt) { r.Signed.Signature[0]++ },
		"body":       func(r *Receipt) { r.Signed.Body[20]++ },
		"key":        func(r *Receipt) { r.Signed.Key = "other" },
	} {
		r := fresh()
		change(&r)
		if err := r.Verify(keys); err == nil {
			t.Errorf("a receipt with another %s was taken", name)
		}
	}
}
