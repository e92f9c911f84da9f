package client

import "time"

// Archived is an object of the archive: one tenant's events of one stream that came on
// one day, or a part of them.
type Archived struct {
	ID          string    `json:"id"`
	Tenant      string    `json:"tenant" doc:"Whose events; empty: the provider's own"`
	Stream      string    `json:"stream" doc:"tenants, users, jobs or events"`
	Day         string    `json:"day" doc:"When they came, UTC"`
	Parts       int64     `json:"parts" doc:"How many objects were made one"`
	FirstBlock  uint64    `json:"first_block" doc:"Number of the first block in the tenant's chain on the stream"`
	LastBlock   uint64    `json:"last_block" doc:"Number of the last"`
	Digest      string    `json:"digest" doc:"SHA-256 of the last block"`
	Events      int64     `json:"events"`
	Bytes       int64     `json:"bytes" doc:"Of the Parquet file"`
	SealedBytes int64     `json:"sealed_bytes" doc:"Of the object, sealed"`
	SHA256      string    `json:"sha256" doc:"Of the object, sealed"`
	CreatedAt   time.Time `json:"created_at"`
}

// ArchiveRange says what of the archive is to be read; empty fields mean all.
type ArchiveRange struct {
	Tenant string `json:"tenant,omitempty" doc:"Id or slug"`
	Stream string `json:"stream,omitempty" doc:"tenants, users, jobs or events"`
	From   string `json:"from,omitempty" doc:"The first day, as 2026-01-31"`
	To     string `json:"to,omitempty" doc:"The last day"`
	After  string `json:"after,omitempty" doc:"The next of the answer before"`
}

// VerifiedArchive is what was read, and what is wrong with it.
type VerifiedArchive struct {
	Objects  int64            `json:"objects"`
	Events   int64            `json:"events"`
	Bytes    int64            `json:"bytes" doc:"Sealed"`
	Findings []ArchiveFinding `json:"findings"`
	Next     string           `json:"next" doc:"Where to go on; empty: that was all"`
}

// RestoredArchive is what was loaded into the warehouse, or was there already.
type RestoredArchive struct {
	Objects  int64            `json:"objects"`
	Events   int64            `json:"events"`
	Findings []ArchiveFinding `json:"findings" doc:"What could not be read"`
	Next     string           `json:"next" doc:"Where to go on; empty: that was all"`
}

// RebuiltArchive is what became of objects without a row in the catalogue.
type RebuiltArchive struct {
	Found    int64            `json:"found" doc:"Objects without a row"`
	Added    int64            `json:"added" doc:"Of them, to the catalogue; the others have nothing that others have not"`
	Findings []ArchiveFinding `json:"findings" doc:"What could not be read"`
}

// ArchiveFinding is something wrong with the archive.
type ArchiveFinding struct {
	Tenant  string `json:"tenant" doc:"Empty: the provider's own"`
	Object  string `json:"object"`
	Problem string `json:"problem"`
}
