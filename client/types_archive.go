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
	Problem     string    `json:"problem,omitempty" doc:"What is wrong with its row in the catalogue"`
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

// EraseUser says who is to be erased from a tenant's events.
type EraseUser struct {
	Tenant string `json:"tenant,omitempty" doc:"Id or slug; for the provider's credentials, which have to say it"`
	User   string `json:"user" minLength:"1" maxLength:"1024" doc:"A user id or an anonymous id, as events have it"`
	Linked bool   `json:"linked,omitempty" doc:"Also the anonymous ids that dim_identity links to it and to nobody else"`
	DryRun bool   `json:"dry_run,omitempty" doc:"Erase nobody: only say which names it would be, and how many events each has"`
}

// Erasure is the erasure of a person from a tenant's events: of what came until it was asked
// for.
type Erasure struct {
	ID        string     `json:"id"`
	Tenant    string     `json:"tenant"`
	Names     []string   `json:"names" doc:"What events call the person: as it was asked for, and those that are linked; not for the provider's people"`
	Through   time.Time  `json:"through" doc:"Events that were received until then"`
	StartedBy string     `json:"started_by"`
	Objects   int64      `json:"objects" doc:"Objects of the archive that were written anew"`
	Archived  int64      `json:"archived" doc:"Events taken out of them"`
	Unread    int64      `json:"unread" doc:"Objects that could not be read, so that nothing was taken out of them"`
	Loaded    int64      `json:"loaded" doc:"Events deleted from the warehouse"`
	Held      int64      `json:"held" doc:"Events deleted from quarantine"`
	Problem   string     `json:"problem" doc:"What it waits for"`
	DoneAt    *time.Time `json:"done_at,omitempty" doc:"Absent: it goes on"`

	Shared []string   `json:"shared,omitempty" doc:"When it is asked for: ids that are linked with somebody else too, or are a user's own, and are left out"`
	Found  []NameUsed `json:"found,omitempty" doc:"In a dry run, which has no id: the names that an erasure would have"`
}

// NameUsed is a name of a person and how many events have it.
type NameUsed struct {
	Name   string `json:"name"`
	Events int64  `json:"events" doc:"In the warehouse"`
}
