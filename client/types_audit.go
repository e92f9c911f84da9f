package client

import "time"

// SignedStatement is a statement with the server's Ed25519 signature over its
// bytes. Key is the id of a key from GET /audit/keys.
type SignedStatement struct {
	Body      []byte `json:"body" doc:"The statement: canonical JSON, base64"`
	Key       string `json:"key"`
	Signature []byte `json:"signature"`
}

// Receipt proves to a tenant how one of its submissions was used.
type Receipt struct {
	Submission string `json:"submission"`
	Run        string `json:"run"`
	Release    string `json:"release"`
	Analysis   string `json:"analysis"`
	Version    int64  `json:"version"`
	Date       string `json:"date"`
	SHA256     string `json:"sha256" doc:"Of the file as sent"`
	Salt       string `json:"salt" doc:"commitment = SHA-256(salt | sha256), so the manifest's entry can be checked"`
	Commitment string `json:"commitment"`

	Organisations         int64 `json:"organisations" doc:"That took part in the run"`
	OrganisationsVerified int64 `json:"organisations_verified" doc:"Of them, those verified by the provider, with evidence"`

	Manifest string          `json:"manifest" doc:"SHA-256 of the run's signed manifest"`
	Signed   SignedStatement `json:"signed"`
}

// AuditEntry is an entry of the audit log. Details are there for those who may
// read them: a tenant's own people for its chain, the provider for its own.
type AuditEntry struct {
	Tenant  string         `json:"tenant,omitempty"`
	Seq     int64          `json:"seq"`
	At      time.Time      `json:"at"`
	Actor   string         `json:"actor"`
	Verb    string         `json:"verb"`
	Subject string         `json:"subject"`
	Outcome string         `json:"outcome"`
	Details map[string]any `json:"details,omitempty"`
	Sealed  bool           `json:"sealed,omitempty" doc:"There are details that this reader cannot open, or nobody since the tenant was erased"`
	Damaged bool           `json:"damaged,omitempty" doc:"The details are not what was written"`
}

// Checkpoint is a signed statement of where the audit log's chains had ended.
// Whoever keeps its hash (a pin) finds whether anything before it was changed.
type Checkpoint struct {
	Seq       int64      `json:"seq"`
	At        time.Time  `json:"at"`
	Heads     int64      `json:"heads" doc:"How many chains it is about"`
	Root      []byte     `json:"root"`
	Prev      []byte     `json:"prev"`
	Body      []byte     `json:"body" doc:"What is signed"`
	Hash      []byte     `json:"hash" doc:"SHA-256 of the body"`
	Key       string     `json:"key"`
	Signature []byte     `json:"signature"`
	Own       *Inclusion `json:"own,omitempty" doc:"The reader's own chain, if the checkpoint is about it"`
}

// Inclusion shows that a checkpoint is about a chain.
type Inclusion struct {
	Tenant string `json:"tenant"`
	Seq    int64  `json:"seq"`
	Hash   []byte `json:"hash"`
	Path   []Step `json:"path"`
}

// Step is a step from a chain's head up to a checkpoint's root.
type Step struct {
	Left bool   `json:"left" doc:"The sibling stands to the left"`
	Hash []byte `json:"hash" doc:"The sibling's"`
}

// AuditRecord is an entry as stored, for verification.
type AuditRecord struct {
	Tenant  string `json:"tenant"`
	Seq     int64  `json:"seq"`
	At      int64  `json:"at" doc:"Microseconds since 1970"`
	Actor   string `json:"actor"`
	Verb    string `json:"verb"`
	Subject string `json:"subject"`
	Outcome string `json:"outcome"`
	Details []byte `json:"details" doc:"As sealed"`
	Prev    []byte `json:"prev"`
	Hash    []byte `json:"hash"`
}

// AuditKey is a public key that checkpoints and statements are signed with.
type AuditKey struct {
	ID        string `json:"id"`
	Algorithm string `json:"algorithm"`
	PublicKey []byte `json:"public_key"`
}
