// Written from the API's routes; see internal/gateway/api/typescript_test.go.

export interface components {
  schemas: {
    APIKey: {
      "created_at": string;
      "created_by": string;
      "expires_at"?: string;
      /** The secret's last characters */
      "hint": string;
      "id": string;
      "ip_allow": Array<string> | null;
      /** The secret; only in the answer that makes it */
      "key"?: string;
      "name": string;
      "provider_made": boolean;
      "revoked_at"?: string;
      "role": string;
      "tenant"?: string;
      "used_at"?: string;
    };
    Acceptance: {
      "analysis": string;
      /** Whether it is a yes that covers the current version */
      "covers": boolean;
      "decided_at": string;
      "decided_by": string;
      "decision": string;
      "tenant": string;
      "tenant_slug": string;
      "version": number;
    };
    Acceptor: {
      /** Set the session's token as a cookie that scripts cannot read, instead of answering it: for browsers */
      "cookie"?: boolean;
      "name"?: string;
      "password": string;
      "token": string;
    };
    Analysis: {
      "changed"?: boolean;
      "created_at": string;
      "created_by": string;
      "datasets": Array<string> | null;
      /** The version that the decision was made for, and still covers this one */
      "decided_for"?: number;
      /** For a tenant: accepted, declined, or open */
      "decision"?: "accepted" | "declined" | "open";
      "description"?: string;
      "hash": string;
      "id": string;
      /** How many organisations have accepted, and how many of them are verified */
      "organisations"?: components["schemas"]["Counted"];
      /** The YAML as applied; for the provider's people, since it has the parameters of the rules */
      "source"?: string;
      "title"?: string;
      "version": number;
      /** What this version widens beyond the one accepted */
      "widened"?: Array<string> | null;
      /** The definition in plain words: what is used, who gets what, which rules */
      "words": Array<string> | null;
    };
    ArchiveFinding: {
      "object": string;
      "problem": string;
      /** Empty: the provider's own */
      "tenant": string;
    };
    ArchiveRange: {
      /** The next of the answer before */
      "after"?: string;
      /** The first day, as 2026-01-31 */
      "from"?: string;
      /** tenants, users, jobs or events */
      "stream"?: string;
      /** Id or slug */
      "tenant"?: string;
      /** The last day */
      "to"?: string;
    };
    Archived: {
      /** Of the Parquet file */
      "bytes": number;
      "created_at": string;
      /** When they came, UTC */
      "day": string;
      /** SHA-256 of the last block */
      "digest": string;
      "events": number;
      /** Number of the first block in the tenant's chain on the stream */
      "first_block": number;
      "id": string;
      /** Number of the last */
      "last_block": number;
      /** How many objects were made one */
      "parts": number;
      /** What is wrong with its row in the catalogue */
      "problem"?: string;
      /** Of the object, sealed */
      "sealed_bytes": number;
      /** Of the object, sealed */
      "sha256": string;
      /** tenants, users, jobs or events */
      "stream": string;
      /** Whose events; empty: the provider's own */
      "tenant": string;
    };
    Asked: {
      /** When the code or link that may have been mailed ends */
      "expires_at": string;
      /** Of a sign-up: needed with the code */
      "id"?: string;
    };
    AuditEntry: {
      "actor": string;
      "at": string;
      /** The details are not what was written */
      "damaged"?: boolean;
      "details"?: Record<string, unknown>;
      "outcome": string;
      /** There are details that this reader cannot open, or nobody since the tenant was erased */
      "sealed"?: boolean;
      "seq": number;
      "subject": string;
      "tenant"?: string;
      "verb": string;
    };
    AuditKey: {
      "algorithm": string;
      "id": string;
      "public_key": string;
    };
    AuditRecord: {
      "actor": string;
      /** Microseconds since 1970 */
      "at": number;
      /** As sealed */
      "details": string;
      "hash": string;
      "outcome": string;
      "prev": string;
      "seq": number;
      "subject": string;
      "tenant": string;
      "verb": string;
    };
    Checkpoint: {
      "at": string;
      /** What is signed */
      "body": string;
      /** SHA-256 of the body */
      "hash": string;
      /** How many chains it is about */
      "heads": number;
      "key": string;
      /** The reader's own chain, if the checkpoint is about it */
      "own"?: components["schemas"]["Inclusion"];
      "prev": string;
      "root": string;
      "seq": number;
      "signature": string;
    };
    Code: {
      "code": string;
    };
    Collector: {
      /** The URL that it listens at; empty: there is none. A proxy before it has another */
      "address": string;
    };
    Column: {
      "description"?: string;
      "name": string;
      "required": boolean;
      "role"?: string;
      /** What its values must be, in words */
      "rules"?: Array<string> | null;
      "scale"?: number;
      "type": string;
      "unit"?: string;
    };
    Counted: {
      "accepted": number;
      "verified": number;
    };
    Dataset: {
      "cadence": string;
      /** In the answer to applying: whether this made a version */
      "changed"?: boolean;
      "columns": Array<components["schemas"]["Column"]> | null;
      "created_at": string;
      "created_by": string;
      "description"?: string;
      /** What files are called, with {date} and {participant}, if the contract has a form for it */
      "file_name"?: string;
      /** SHA-256 of the contract, in hexadecimal */
      "hash": string;
      "id": string;
      /** For how many days from its receipt a file is kept; absent: as long as its tenant */
      "retention_days"?: number;
      /** The YAML as applied */
      "source"?: string;
      "title"?: string;
      "version": number;
      /** The contract in plain words: what a file must be */
      "words"?: Array<string> | null;
    };
    Decision: {
      "version"?: number;
    };
    Delivery: {
      "attempts": number;
      "created_at": string;
      /** Why the last attempt failed */
      "error"?: string;
      /** The header webhook-id, the same at each attempt */
      "id": string;
      "kind": string;
      /** When it is tried next */
      "next_at"?: string;
      "state": "waiting" | "delivered" | "failed";
      /** HTTP status of the last answer; absent if there was none */
      "status"?: number;
      "tried_at"?: string;
      "webhook": string;
    };
    Domain: {
      "approved_at"?: string;
      "approved_by"?: string;
      "created_at": string;
      "domain": string;
      "id": string;
      /** Of the approval: the user whose address proved it, or provider */
      "proof"?: string;
      /** Vouched: the provider says that it is the tenant's, and an admin of the tenant has to approve it before anybody signs up */
      "state": "vouched" | "approved";
      "tenant": string;
      "vouched_at"?: string;
      "vouched_by"?: string;
    };
    EndReopening: {
      /** Id or slug */
      "tenant": string;
    };
    Entrance: {
      /** Whether mails go out: without, nobody signs up, and administrators set passwords */
      "mail": boolean;
      /** Whether nobody can sign in yet: the first system admin is made with tributary setup-link on the server */
      "no_admin"?: boolean;
      /** What people know the issuer as where the provider's people can sign in; absent: there is none */
      "oidc"?: string;
      /** Whether a new organisation can sign up */
      "tenant_sign_up": boolean;
    };
    EraseUser: {
      /** Erase nobody: only say which names it would be, and how many events each has */
      "dry_run"?: boolean;
      /** Also the anonymous ids that dim_identity links to it and to nobody else */
      "linked"?: boolean;
      /** Id or slug; for the provider's credentials, which have to say it */
      "tenant"?: string;
      /** A user id or an anonymous id, as events have it */
      "user": string;
    };
    Erasure: {
      /** Events taken out of them */
      "archived": number;
      /** Absent: it goes on */
      "done_at"?: string;
      /** In a dry run, which has no id: the names that an erasure would have */
      "found"?: Array<components["schemas"]["NameUsed"]> | null;
      /** Events deleted from quarantine */
      "held": number;
      "id": string;
      /** Events deleted from the warehouse */
      "loaded": number;
      /** What events call the person: as it was asked for, and those that are linked; not for the provider's people */
      "names": Array<string> | null;
      /** Objects of the archive that were written anew */
      "objects": number;
      /** What it waits for */
      "problem": string;
      /** When it is asked for: ids that are linked with somebody else too, or are a user's own, and are left out */
      "shared"?: Array<string> | null;
      "started_by": string;
      "tenant": string;
      /** Events that were received until then */
      "through": string;
      /** Objects that could not be read, so that nothing was taken out of them */
      "unread": number;
    };
    ErasureLine: {
      "count": number;
      "method": string;
      "store": string;
    };
    FileError: {
      "code": string;
      "column"?: string;
      "message": string;
      "row"?: number;
    };
    FileToRecognise: {
      /** If it is said in place of being read from the name */
      "dataset"?: string;
      /** YYYY-MM-DD, likewise */
      "date"?: string;
      "name": string;
      /** In bytes */
      "size"?: number;
    };
    FilesToRecognise: {
      "files": Array<components["schemas"]["FileToRecognise"]> | null;
    };
    Firing: {
      /** When it was to fire */
      "at": string;
      /** cron, or the id of a reopening */
      "cause": string;
      "fired_at": string;
      "id": string;
      /** Why there is no run, or what was left out */
      "note"?: string;
      "runs": Array<components["schemas"]["StartedRun"]> | null;
    };
    Forgotten: {
      /** SLUG.USER, or an email */
      "login": string;
    };
    Freshness: {
      /** The end of the newest interval that has all that has come for it */
      "complete_to"?: string;
      /** The source says itself what is expected; otherwise it is learned from the last four weeks */
      "declared": boolean;
      /** Beyond it the lag is late; absent: not known yet */
      "expected_seconds"?: number;
      "kind": "source" | "stream" | "fact" | "model";
      "lag_seconds": number;
      /** When the newest came */
      "last_at"?: string;
      /** The source's id, or api for a tenant's API keys; the stream; the table */
      "name": string;
      /** Of what is broken */
      "problem"?: string;
      /** late: nothing came for longer than expected; silent: for four times as long, or for a week where nothing is expected; never: nothing has come yet; broken: what is there cannot be loaded */
      "state": "fresh" | "late" | "silent" | "never" | "broken";
      /** Absent: of all tenants together */
      "tenant"?: string;
    };
    Going: {
      "analysis"?: string;
      /** That go */
      "count": number;
      "dataset"?: string;
      /** That files are kept; a result says by itself when it goes */
      "days"?: number;
      /** When the first of them goes */
      "first"?: string;
      /** That would go, but for a legal hold */
      "held": number;
    };
    Health: {
      "as_of": string;
      /** Of a person, in a browser or with a password */
      "last_sign_in"?: string;
      "last_submission"?: string;
      /** Files that are overdue or missing, of the periods that are open and the last that is over */
      "missing": number;
      "open_uploads": number;
      /** Files rejected in the last 30 days */
      "rejected": number;
      /** Results that nobody has downloaded */
      "results_waiting": number;
      /** As they are sealed */
      "stored_bytes": number;
      /** That are active */
      "users": number;
    };
    HeldEvent: {
      /** The reason in words */
      "details": string;
      /** As it would be kept; absent: it could not be read as an event */
      "event"?: unknown;
      "id": string;
      /** What came, if it could not be read; at most 64 KiB of it */
      "raw"?: string;
      "reason": "unreadable" | "malformed" | "tenant" | "unplanned" | "unfit" | "variety";
      "received_at": string;
      /** The source's id; api: a tenant's API key */
      "source": string;
      /** Whose event it is, where that is known */
      "tenant"?: string;
    };
    Hold: {
      /** Only what the tenant has of it, and results made from that; absent: everything of the tenant */
      "dataset"?: string;
      "id": string;
      "reason": string;
      "released_at"?: string;
      "released_by"?: string;
      "set_at": string;
      "set_by": string;
      "tenant": string;
    };
    HostKey: {
      /** As SHA256:… */
      "fingerprint": string;
      /** The part of a line of known_hosts that follows the host's name */
      "public_key": string;
      /** As ssh-ed25519 */
      "type": string;
    };
    Identity: {
      /** As the issuer said it at the first sign-in */
      "email"?: string;
      "issuer"?: string;
      "linked": boolean;
      "linked_at"?: string;
      /** What the issuer calls the person; this and the issuer count, and not the email */
      "subject"?: string;
    };
    Inclusion: {
      "hash": string;
      "path": Array<components["schemas"]["Step"]> | null;
      "seq": number;
      "tenant": string;
    };
    Invitation: {
      "created_at": string;
      "created_by": string;
      "email": string;
      "expires_at": string;
      "id": string;
      /** False where no mails go out */
      "mailed": boolean;
      "name"?: string;
      /** Of the link, to be given to whom it is for: only where it was not mailed, and only in the answer to making it */
      "path"?: string;
      "role": string;
      "sent_at": string;
      "state": "open" | "expired";
      /** The tenant's id; absent for the provider's people */
      "tenant"?: string;
      /** Id of the user who is invited, and active once they have come */
      "user": string;
    };
    Invited: {
      /** Who invites */
      "by"?: string;
      "email"?: string;
      "expires_at": string;
      "login"?: string;
      "name"?: string;
      "role"?: string;
      /** Ended: taken back, or replaced by a newer link */
      "state": "open" | "used" | "expired" | "ended";
      /** The name of the tenant, or the provider's staff */
      "to"?: string;
    };
    Joined: {
      /** What to sign in with from now on */
      "login": string;
      "role": string;
      /** False where the tenant lets nobody in from this address */
      "signed_in": boolean;
      "tenant"?: string;
      /** The session's, unless it is in a cookie */
      "token"?: string;
      "user": string;
    };
    LinkToken: {
      "token": string;
    };
    ListAPIKey: {
      /** The things on this page */
      "items": Array<components["schemas"]["APIKey"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListAcceptance: {
      /** The things on this page */
      "items": Array<components["schemas"]["Acceptance"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListAnalysis: {
      /** The things on this page */
      "items": Array<components["schemas"]["Analysis"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListArchived: {
      /** The things on this page */
      "items": Array<components["schemas"]["Archived"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListAuditEntry: {
      /** The things on this page */
      "items": Array<components["schemas"]["AuditEntry"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListAuditKey: {
      /** The things on this page */
      "items": Array<components["schemas"]["AuditKey"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListAuditRecord: {
      /** The things on this page */
      "items": Array<components["schemas"]["AuditRecord"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListCheckpoint: {
      /** The things on this page */
      "items": Array<components["schemas"]["Checkpoint"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListDataset: {
      /** The things on this page */
      "items": Array<components["schemas"]["Dataset"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListDelivery: {
      /** The things on this page */
      "items": Array<components["schemas"]["Delivery"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListDomain: {
      /** The things on this page */
      "items": Array<components["schemas"]["Domain"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListErasure: {
      /** The things on this page */
      "items": Array<components["schemas"]["Erasure"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListFiring: {
      /** The things on this page */
      "items": Array<components["schemas"]["Firing"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListFreshness: {
      /** The things on this page */
      "items": Array<components["schemas"]["Freshness"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListGoing: {
      /** The things on this page */
      "items": Array<components["schemas"]["Going"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListHeldEvent: {
      /** The things on this page */
      "items": Array<components["schemas"]["HeldEvent"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListHold: {
      /** The things on this page */
      "items": Array<components["schemas"]["Hold"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListInvitation: {
      /** The things on this page */
      "items": Array<components["schemas"]["Invitation"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListLogLine: {
      /** The things on this page */
      "items": Array<components["schemas"]["LogLine"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListMail: {
      /** The things on this page */
      "items": Array<components["schemas"]["Mail"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListNamedQuery: {
      /** The things on this page */
      "items": Array<components["schemas"]["NamedQuery"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListNoticeSwitch: {
      /** The things on this page */
      "items": Array<components["schemas"]["NoticeSwitch"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListOrganisation: {
      /** The things on this page */
      "items": Array<components["schemas"]["Organisation"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListPeriod: {
      /** The things on this page */
      "items": Array<components["schemas"]["Period"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListPixel: {
      /** The things on this page */
      "items": Array<components["schemas"]["Pixel"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListPlan: {
      /** The things on this page */
      "items": Array<components["schemas"]["Plan"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListReceipt: {
      /** The things on this page */
      "items": Array<components["schemas"]["Receipt"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListRecognisedFile: {
      /** The things on this page */
      "items": Array<components["schemas"]["RecognisedFile"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListResult: {
      /** The things on this page */
      "items": Array<components["schemas"]["Result"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListRun: {
      /** The things on this page */
      "items": Array<components["schemas"]["Run"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListRunPlan: {
      /** The things on this page */
      "items": Array<components["schemas"]["RunPlan"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListRunningQuery: {
      /** The things on this page */
      "items": Array<components["schemas"]["RunningQuery"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListSSHKey: {
      /** The things on this page */
      "items": Array<components["schemas"]["SSHKey"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListSchedule: {
      /** The things on this page */
      "items": Array<components["schemas"]["Schedule"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListSession: {
      /** The things on this page */
      "items": Array<components["schemas"]["Session"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListSource: {
      /** The things on this page */
      "items": Array<components["schemas"]["Source"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListStream: {
      /** The things on this page */
      "items": Array<components["schemas"]["Stream"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListStreamEvent: {
      /** The things on this page */
      "items": Array<components["schemas"]["StreamEvent"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListSubmission: {
      /** The things on this page */
      "items": Array<components["schemas"]["Submission"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListTable: {
      /** The things on this page */
      "items": Array<components["schemas"]["Table"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListTenant: {
      /** The things on this page */
      "items": Array<components["schemas"]["Tenant"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListUser: {
      /** The things on this page */
      "items": Array<components["schemas"]["User"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListVerdict: {
      /** The things on this page */
      "items": Array<components["schemas"]["Verdict"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListWebUpload: {
      /** The things on this page */
      "items": Array<components["schemas"]["WebUpload"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    ListWebhook: {
      /** The things on this page */
      "items": Array<components["schemas"]["Webhook"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** How many things were looked at so far, where a search of sealed names paused before its end; go on with next */
      "searched"?: number;
    };
    LoadedStream: {
      /** The newest message that there is */
      "last": number;
      /** The newest message that is loaded */
      "loaded": number;
      /** Why it cannot go on */
      "problem"?: string;
      "stream": string;
      /** When the newest that is loaded came */
      "through"?: string;
    };
    LogLine: {
      "at": string;
      "level": string;
      "message": string;
      "seq": number;
    };
    MadeTable: {
      /** When one was loaded or made last */
      "changed_at"?: string;
      /** The interval that a model is made by; absent: a fact, which is loaded */
      "each"?: "hour" | "day";
      /** Of one tenant each */
      "intervals": number;
      "name": string;
      /** When the newest interval begins */
      "newest_at"?: string;
      /** Why it cannot be made */
      "problem"?: string;
      "rows": number;
      /** Intervals that are still to be made; at most 50,000 are counted */
      "stale": number;
    };
    Mail: {
      "attempts": number;
      "created_at": string;
      /** Why the last attempt failed */
      "error"?: string;
      "id": string;
      "kind": string;
      /** When it was sent, or given up */
      "settled_at"?: string;
      /** sent: the next mail server took it */
      "state": "waiting" | "sent" | "failed";
      /** Absent: the provider's */
      "tenant"?: string;
      /** The id of who it is to */
      "user": string;
    };
    Me: {
      "credential": string;
      "email"?: string;
      /** The user's or API key's id */
      "id": string;
      "kind": "session" | "api-key";
      /** What a user signs in with: SLUG.USER, by SFTP too, or the email for the provider's people */
      "login"?: string;
      "name"?: string;
      "role": string;
      "tenant"?: string;
      "tenant_slug"?: string;
    };
    NameUsed: {
      /** In the warehouse */
      "events": number;
      "name": string;
    };
    NamedQuery: {
      "built_in": boolean;
      "created_at"?: string;
      "created_by"?: string;
      "description": string;
      /** Its name */
      "id": string;
      "parameters": Array<components["schemas"]["QueryParameter"]> | null;
      /** Its text, for the provider */
      "source"?: string;
      /** Tenants may do it, each on its own rows */
      "tenants": boolean;
      /** Of a saved one */
      "version"?: number;
    };
    NewAPIKey: {
      "expires_at"?: string;
      "ip_allow"?: Array<string> | null;
      "name"?: string;
      "role": "system_admin" | "auditor" | "analyst" | "tenant_admin" | "tenant_user";
      /** Id or slug; for the provider's credentials only */
      "tenant"?: string;
    };
    NewDomain: {
      "domain": string;
      /** Id or slug; for the provider's credentials only */
      "tenant"?: string;
    };
    NewHold: {
      /** Only what the tenant has of it, and results made from that */
      "dataset"?: string;
      /** Why; the tenant reads it */
      "reason": string;
      /** Id or slug */
      "tenant": string;
    };
    NewInvitation: {
      "email": string;
      "name"?: string;
      "role": "system_admin" | "auditor" | "analyst" | "tenant_admin" | "tenant_user";
      /** Id or slug; for the provider's credentials only, and only until the tenant is claimed */
      "tenant"?: string;
    };
    NewMember: {
      /** Set the session's token as a cookie that scripts cannot read, instead of answering it: for browsers */
      "cookie"?: boolean;
      "name"?: string;
      /** The name of a new tenant, for who joins none */
      "organisation"?: string;
      "password": string;
      "ticket": string;
    };
    NewNamedQuery: {
      /** Small letters, digits and hyphens */
      "name": string;
      /** A comment with the description, a line -- for tenants if it is, and a line for each parameter: -- parameter NAME TYPE = DEFAULT -- DESCRIPTION. Then one SELECT, which has parameters as $NAME */
      "source": string;
    };
    NewOffboarding: {
      /** The tenant's slug, typed once more */
      "confirm": string;
    };
    NewOrganisation: {
      "name": string;
    };
    NewOwnSSHKey: {
      "expires_at"?: string;
      "ip_allow"?: Array<string> | null;
      "name": string;
      /** One's own, once more */
      "password": string;
      /** A line of authorized_keys: ed25519, ecdsa, or rsa of at least 3072 bits */
      "public_key": string;
    };
    NewPixels: {
      /** Of the events: a JSON object of at most 1 KiB, such as which campaign it is */
      "data"?: unknown;
      /** Of the provider's sources: whose events they are, by slug or external id */
      "tenant"?: string;
      /** Of the events, such as mail.opened */
      "type": string;
      /** The recipients, by their ids */
      "users": Array<string> | null;
    };
    NewQuery: {
      /** Of the answer at most; 0: 1,000 */
      "rows"?: number;
      /** That it may take; 0: 30 */
      "seconds"?: number;
      /** For a tenant's credentials: the rows of facts that are read begin here */
      "since"?: string;
      /** One SELECT */
      "sql": string;
    };
    NewRebuild: {
      /** Only what happened at this time or later */
      "from"?: string;
      /** Absent: all */
      "table"?: string;
      /** Id or slug; absent: all */
      "tenant"?: string;
      /** Only what happened before this time */
      "to"?: string;
    };
    NewReopening: {
      /** Which the tenant reads too */
      "reason": string;
      /** Id or slug */
      "tenant": string;
      "until": string;
    };
    NewRuns: {
      "analyses": Array<string> | null;
      "date": string;
    };
    NewSSHKey: {
      "expires_at"?: string;
      "ip_allow"?: Array<string> | null;
      "name": string;
      /** A line of authorized_keys: ed25519, ecdsa, or rsa of at least 3072 bits */
      "public_key": string;
    };
    NewSchedule: {
      "analyses": Array<string> | null;
      /** Five fields (minute, hour, day of the month, month, day of the week), or @hourly, @daily, @weekly, @monthly, @yearly */
      "cron": string;
      /** The business date is the day of the firing in the zone, less so many days. Absent: each period whose cut-off has passed and that the schedule has not run yet */
      "date_offset_days"?: number;
      /** Its name: 1 to 63 lower-case letters, digits, - and _ */
      "id": string;
      /** IANA name of the time zone; UTC if absent */
      "zone"?: string;
    };
    NewSource: {
      /** How often at least something is to come, 60 or more; absent: it is learned from what comes */
      "every_seconds"?: number;
      "name": string;
      "strict"?: boolean;
      /** Of the provider's: subject, user, or a path below data or context, such as context.groupId */
      "tenant_field"?: string;
    };
    NewTOTP: {
      /** In base32, to be typed into an authenticator app */
      "secret": string;
      /** The same as an otpauth URL, to be shown as a QR code */
      "url": string;
    };
    NewTenant: {
      "employees"?: number;
      /** How the provider's own data names it */
      "external_ids"?: Array<string> | null;
      "industry"?: string;
      /** CIDR prefixes that may use this tenant's credentials; empty allows all */
      "ip_allow"?: Array<string> | null;
      "name": string;
      /** An organisation's id or name; a new name makes an organisation */
      "organisation": string;
      "revenue"?: number;
      /** 3 to 40 lower-case letters, digits and hyphens, starting with a letter */
      "slug": string;
      "tier"?: "basic" | "standard" | "premium" | "platinum";
      "type"?: "PRODUCTION" | "POC" | "TESTING";
    };
    NewUser: {
      "email": string;
      /** The part after the dot in SLUG.USER; made from the email if absent */
      "login"?: string;
      "name"?: string;
      "password"?: string;
      "role": "system_admin" | "auditor" | "analyst" | "tenant_admin" | "tenant_user";
      /** A line of authorized_keys */
      "ssh_public_key"?: string;
      /** Id or slug; for the provider's credentials only */
      "tenant"?: string;
    };
    NewWebhook: {
      /** What it is to be told of; empty: everything */
      "kinds"?: Array<string> | null;
      /** https://HOST/…, on the public internet */
      "url": string;
    };
    NextTime: {
      "at": string;
      /** The same as clocks in the zone show it */
      "local": string;
    };
    NoticeChange: {
      "on": boolean;
    };
    NoticeSwitch: {
      /** About the account's security: it cannot be turned off */
      "fixed": boolean;
      /** The kind */
      "id": string;
      "on": boolean;
    };
    OIDCBegun: {
      /** When the browser has to be back */
      "expires_at": string;
      "url": string;
    };
    OIDCReturn: {
      "code"?: string;
      /** The issuer's error; it comes instead of a code */
      "error"?: string;
      "state": string;
    };
    Offboarding: {
      /** Until then it can be taken back, and the tenant can export */
      "erase_after": string;
      "exported_at"?: string;
      "finished_at"?: string;
      "hastened_by"?: string;
      /** Why the erasure waits: a legal hold */
      "held"?: string;
      "receipt"?: Array<components["schemas"]["ErasureLine"]> | null;
      "requested_at": string;
      "requested_by": string;
      "signed"?: components["schemas"]["SignedStatement"];
      "tenant": string;
    };
    Organisation: {
      "created_at": string;
      "created_by": string;
      "evidence"?: string;
      "id": string;
      "modified_at": string;
      "modified_by": string;
      "name": string;
      "times_modified": number;
      "verified": boolean;
      "verified_at"?: string;
      "verified_by"?: string;
    };
    Password: {
      "password": string;
    };
    PasswordAndCode: {
      /** What the authenticator shows, or a recovery code */
      "code": string;
      "password": string;
    };
    PasswordChange: {
      "current"?: string;
      "new": string;
    };
    PasswordReset: {
      "password": string;
      "token": string;
    };
    Period: {
      /** Until when files count in scheduled runs */
      "cut_off_at"?: string;
      "dataset": string;
      /** The period's first day, which is its name */
      "date": string;
      "due_at"?: string;
      /** Its last day */
      "end": string;
      /** Such as 2024-02 or 2024-W09 */
      "label": string;
      "received_at"?: string;
      /** Until when this tenant's count, if that is later */
      "reopened_until"?: string;
      /** due: not there yet. overdue: nor when it was due. missing: nor at the cut-off. late: accepted, and came after it was due */
      "state": "due" | "received" | "validating" | "rejected" | "accepted" | "late" | "overdue" | "missing";
      /** The one that stands, is being validated, or was rejected */
      "submission"?: string;
      "tenant": string;
      "tenant_slug": string;
    };
    PeriodSummary: {
      "cut_off_at"?: string;
      "dataset": string;
      /** The period's first day, which is its name */
      "date": string;
      "due_at"?: string;
      /** Its last day */
      "end": string;
      "label": string;
      /** By their ends; to a tenant its own */
      "reopenings": Array<components["schemas"]["Reopening"]> | null;
      /** How many are in which state; a tenant counts itself alone */
      "tenants": Record<string, number>;
    };
    Pixel: {
      /** The recipient */
      "id": string;
      /** Of the picture, where events are collected */
      "path": string;
    };
    Plan: {
      /** Of an application: whether it made a version */
      "changed"?: boolean;
      "created_at": string;
      "created_by": string;
      /** SHA-256 of the YAML */
      "hash": string;
      /** The version */
      "id": string;
      /** The YAML as applied; not in lists */
      "source"?: string;
      "types": Array<components["schemas"]["PlannedType"]> | null;
      "version": number;
    };
    PlannedField: {
      "allowed"?: Array<string> | null;
      "description"?: string;
      "max_length"?: number;
      /** A path in the event's data, such as size.bytes */
      "name": string;
      /** It says something about a person */
      "pii": boolean;
      "required": boolean;
      "type": "string" | "integer" | "number" | "boolean" | "time" | "object" | "array";
    };
    PlannedLack: {
      /** Absent: nothing of the tenant's takes part */
      "dataset"?: string;
      "reason": string;
      "tenant": string;
      "tenant_slug": string;
    };
    PlannedPart: {
      "datasets": Array<string> | null;
      "tenant": string;
      "tenant_slug": string;
    };
    PlannedType: {
      "description"?: string;
      "fields": Array<components["schemas"]["PlannedField"]> | null;
      /** Who answers for it */
      "owner"?: string;
      "type": string;
    };
    Preview: {
      /** The rows are of the accepted form; otherwise as they were sent */
      "accepted": boolean;
      "columns": Array<string> | null;
      /** How many columns are not shown */
      "hidden": number;
      /** There are more rows */
      "more": boolean;
      /** null: no value */
      "rows": Array<Array<string | null> | null> | null;
      /** What follows these rows cannot be read */
      "stopped": boolean;
    };
    Problem: {
      "detail": string;
      "errors"?: Array<components["schemas"]["ProblemError"]> | null;
      "instance"?: string;
      "status": number;
      "title": string;
      "type": string;
    };
    ProblemError: {
      "location"?: string;
      "message": string;
    };
    QueryAnswer: {
      /** The answer of a named query that was given before; nothing that it was made of has changed */
      "cached"?: boolean;
      "columns": Array<components["schemas"]["QueryColumn"]> | null;
      "rows": Array<Array<unknown> | null> | null;
      /** There are more rows than were asked for */
      "truncated": boolean;
    };
    QueryColumn: {
      "kind": "text" | "integer" | "number" | "decimal" | "boolean" | "timestamp" | "date" | "json";
      "name": string;
    };
    QueryParameter: {
      /** Absent: a value must be given. A date may be today, or today-7 */
      "default"?: string;
      "description"?: string;
      "name": string;
      "type": "text" | "integer" | "number" | "boolean" | "date" | "timestamp";
    };
    QueryRun: {
      /** Values that are not to be the defaults */
      "parameters"?: Record<string, string>;
      /** Of the answer at most; 0: 1,000 */
      "rows"?: number;
      /** That it may take; 0: 30 */
      "seconds"?: number;
    };
    Reason: {
      "reason"?: string;
    };
    Rebuild: {
      /** Events of the archive that were read */
      "archived"?: number;
      "ended_at"?: string;
      "from"?: string;
      /** Of models that were made anew */
      "intervals": number;
      "last"?: number;
      "problem"?: string;
      /** How far of the stream itself */
      "read"?: number;
      /** Of facts that were written anew */
      "rows": number;
      "started_at": string;
      "started_by": string;
      "state": "running" | "done" | "cancelled" | "failed";
      /** That is being read */
      "stream"?: string;
      "table"?: string;
      "tenant"?: string;
      "to"?: string;
      /** Objects of the archive that could not be read, and were passed over; verify-archive says what is wrong with them */
      "unread"?: Array<string> | null;
    };
    RebuiltArchive: {
      /** Of them, to the catalogue; the others have nothing that others have not */
      "added": number;
      /** What could not be read */
      "findings": Array<components["schemas"]["ArchiveFinding"]> | null;
      /** Objects without a row */
      "found": number;
    };
    Recall: {
      /** Why; every recipient reads it */
      "reason": string;
    };
    Receipt: {
      "analysis": string;
      "commitment": string;
      "date": string;
      /** SHA-256 of the run's signed manifest */
      "manifest": string;
      /** That took part in the run */
      "organisations": number;
      /** Of them, those verified by the provider, with evidence */
      "organisations_verified": number;
      "release": string;
      "run": string;
      /** commitment = SHA-256(salt | sha256), so the manifest's entry can be checked */
      "salt": string;
      /** Of the file as sent */
      "sha256": string;
      "signed": components["schemas"]["SignedStatement"];
      "submission": string;
      "version": number;
    };
    ReceivedFigures: {
      /** Replaced ones too */
      "accepted": number;
      /** The bucket's number, from 0 */
      "bucket": number;
      /** The dataset, channel or tenant's id */
      "by"?: string;
      "bytes": number;
      "files": number;
      "rejected": number;
      "tenant_slug"?: string;
      "undecided": number;
      "withdrawn": number;
    };
    ReceivedReport: {
      "as_of": string;
      /** In order, without gaps */
      "buckets": Array<components["schemas"]["ReportBucket"]> | null;
      "each": "day" | "month";
      "from": string;
      /** Those with files, by bucket and group */
      "items": Array<components["schemas"]["ReceivedFigures"]> | null;
      /** The moment after the last */
      "to": string;
      "zone": string;
    };
    RecognisedFile: {
      /** Absent: not known */
      "dataset"?: string;
      "date"?: string;
      "name": string;
      /** Why it cannot be sent so, or would be rejected for its name or size */
      "problem"?: string;
    };
    RecoveryCodes: {
      "codes": Array<string> | null;
    };
    Reopening: {
      /** If it was closed early */
      "closed_at"?: string;
      "closed_by"?: string;
      "created_at": string;
      "created_by": string;
      "dataset": string;
      "date": string;
      "id": string;
      "reason"?: string;
      "tenant": string;
      "tenant_slug"?: string;
      "until": string;
    };
    ReplayRequest: {
      /** Only those held for this reason */
      "reason"?: "unreadable" | "malformed" | "tenant" | "unplanned" | "unfit" | "variety";
      /** Only those of this source */
      "source"?: string;
    };
    Replayed: {
      /** Taken in, or there already */
      "kept": number;
      /** Still not fit, and in quarantine */
      "left": number;
    };
    ReportBucket: {
      "from": string;
      /** 2026-03-01 or 2026-03 */
      "label": string;
      /** It is cut by the range, or is not over: its figures are not those of a whole one */
      "partial": boolean;
      "to": string;
    };
    Resetting: {
      "expires_at": string;
      "login"?: string;
      /** Ended: replaced by a newer link */
      "state": "open" | "used" | "expired" | "ended";
    };
    RestoredArchive: {
      "events": number;
      /** What could not be read */
      "findings": Array<components["schemas"]["ArchiveFinding"]> | null;
      /** Where to go on; empty: that was all */
      "next": string;
      "objects": number;
    };
    Result: {
      "analysis": string;
      "created_at": string;
      "date": string;
      /** When its bytes were deleted */
      "deleted_at"?: string;
      /** When its bytes are deleted */
      "deletes_at"?: string;
      /** When it was first opened, in whatever form */
      "downloaded_at"?: string;
      /** A legal hold keeps its bytes longer */
      "held"?: boolean;
      "id": string;
      /** In a single result, to its own tenant: its own submissions that went into the run */
      "inputs"?: Array<components["schemas"]["RunInput"]> | null;
      /** The marking in words */
      "mark"?: string;
      /** Made with fewer than three organisations required: participants may compute each other's values */
      "marked": boolean;
      "name": string;
      /** That took part in the run */
      "organisations": number;
      /** Of them, those verified by the provider, with evidence */
      "organisations_verified": number;
      "recall_reason"?: string;
      /** Since when it is not handed out any more */
      "recalled_at"?: string;
      "release": string;
      "rows": number;
      "run": string;
      "state": "available" | "recalled" | "deleted";
      /** How many cells of this recipient were hidden */
      "suppressed": number;
      "tenant": string;
      "tenant_slug"?: string;
      /** Of the analysis's definition */
      "version": number;
    };
    ResultColumn: {
      /** Of these: how the cell's value comes from the participants' values */
      "function"?: "count" | "sum" | "mean" | "ratio" | "weighted_mean" | "variance" | "quantile";
      /** Of measure and own: the measure's name */
      "measure"?: string;
      "name": string;
      /** total: of a total, the groups that it is over; own: the recipient's own value of a measure; id: the recipient's external id */
      "role": "date" | "group" | "total" | "measure" | "id" | "own";
      /** Of measure: the same in words */
      "words"?: string;
    };
    ResultRows: {
      "columns": Array<components["schemas"]["ResultColumn"]> | null;
      /** Cursor of the next page; absent on the last */
      "next"?: string;
      /** As written in the CSV; null: no value, which in the column of a measure is a hidden one */
      "rows": Array<Array<string | null> | null> | null;
    };
    Run: {
      "analysis": string;
      "created_at": string;
      "date": string;
      "done"?: number;
      "finished_at"?: string;
      "id": string;
      /** In a single run: its snapshot */
      "inputs"?: Array<components["schemas"]["RunInput"]> | null;
      "participants": number;
      "reason"?: string;
      "recall_reason"?: string;
      /** In a single run: of them, those that were recalled */
      "recalled"?: number;
      /** Since when the release's results are not handed out */
      "recalled_at"?: string;
      "release"?: string;
      /** In a single run: that its release has */
      "results"?: number;
      /** What it is doing */
      "stage"?: string;
      "started_at"?: string;
      "started_by": string;
      "state": "queued" | "running" | "succeeded" | "withheld" | "skipped" | "failed" | "cancelled";
      /** The cut-off: only files received by then count, and for a tenant whose period was reopened those until its end. Absent: all that is accepted */
      "through"?: string;
      "total"?: number;
      "version": number;
    };
    RunFigures: {
      "analysis": string;
      /** The bucket's number, from 0; -1 in totals */
      "bucket": number;
      "max_seconds": number;
      /** How many are in each state */
      "outcomes": Record<string, number>;
      /** How long runs took that have ended; 0 if none has */
      "p50_seconds": number;
      "p95_seconds": number;
      "runs": number;
    };
    RunInput: {
      "commitment": string;
      "dataset": string;
      "submission": string;
      "tenant": string;
      "tenant_slug"?: string;
    };
    RunPlan: {
      "analysis": string;
      /** Of their accepted forms */
      "bytes": number;
      "date": string;
      /** Tenants that have declined */
      "declined": number;
      /** Who has accepted the analysis and would not take part, or not with every dataset */
      "missing": Array<components["schemas"]["PlannedLack"]> | null;
      /** What the run's log would say of whom it leaves out */
      "notes": Array<string> | null;
      /** Of the participants */
      "organisations": number;
      /** What the run would come to, in words, as far as files decide it */
      "outcome": string;
      "participants": Array<components["schemas"]["PlannedPart"]> | null;
      "quorum": number;
      "quorum_holds": boolean;
      /** The run whose release of the same files stands */
      "release"?: string;
      /** Of the files that would be read */
      "rows": number;
      "version": number;
    };
    RunningQuery: {
      /** Who asked */
      "by": string;
      "id": string;
      /** Of a named query */
      "name"?: string;
      /** Of its answer by now */
      "rows": number;
      "started_at": string;
      /** Whose it is; absent: the provider's */
      "tenant"?: string;
    };
    RunsReport: {
      "as_of": string;
      /** In order, without gaps */
      "buckets": Array<components["schemas"]["ReportBucket"]> | null;
      "each": "day" | "month";
      "from": string;
      /** Those with runs, by bucket and analysis */
      "items": Array<components["schemas"]["RunFigures"]> | null;
      /** The moment after the last */
      "to": string;
      /** By analysis, over the whole span */
      "totals": Array<components["schemas"]["RunFigures"]> | null;
      "zone": string;
    };
    SFTP: {
      /** HOST:PORT that it listens on; empty: there is none */
      "address": string;
      "host_keys": Array<components["schemas"]["HostKey"]> | null;
    };
    SSHKey: {
      "created_at": string;
      "created_by": string;
      "expires_at"?: string;
      "fingerprint": string;
      "id": string;
      "ip_allow": Array<string> | null;
      "name": string;
      "provider_made": boolean;
      "public_key": string;
      "revoked_at"?: string;
      "used_at"?: string;
      "user": string;
    };
    Saga: {
      "created_at": string;
      "error"?: string;
      "finished_at"?: string;
      "id": string;
      "kind": string;
      "state": string;
      "steps": Array<components["schemas"]["SagaStep"]> | null;
    };
    SagaStep: {
      "at": string;
      "detail"?: string;
      "state": string;
      "step": string;
    };
    Schedule: {
      "analyses": Array<string> | null;
      "created_at": string;
      "created_by": string;
      "cron": string;
      "date_offset_days"?: number;
      /** closed: each period whose cut-off has passed and that was not run yet */
      "dates": "closed" | "offset";
      "id": string;
      /** The last time that was dealt with: none up to it fires again */
      "last_at"?: string;
      "modified_at": string;
      "modified_by": string;
      /** The next five times; none while it is paused */
      "next": Array<components["schemas"]["NextTime"]> | null;
      "state": "active" | "paused";
      "times_modified": number;
      "zone": string;
    };
    ScheduleChange: {
      "analyses"?: Array<string> | null;
      /** Run the periods that have closed, in place of a date offset */
      "closed"?: boolean;
      "cron"?: string;
      "date_offset_days"?: number;
      "zone"?: string;
    };
    ScheduleTimes: {
      "cron": string;
      "next": Array<components["schemas"]["NextTime"]> | null;
      "zone": string;
    };
    Session: {
      "address": string;
      "agent": string;
      "created_at": string;
      "current": boolean;
      /** When it ends in any case */
      "ends_at": string;
      /** When it ends if it is not used */
      "expires_at": string;
      "id": string;
      "token"?: string;
      "used_at": string;
      "user": string;
    };
    Setup: {
      "email": string;
      "password": string;
      "token": string;
    };
    SignIn: {
      /** What the account's authenticator shows, or a recovery code */
      "code"?: string;
      /** Keep the token in the browser's cookie instead of answering it */
      "cookie"?: boolean;
      /** SLUG.USER, or an email */
      "login": string;
      "new_password"?: string;
      "password": string;
    };
    SignUp: {
      "email": string;
    };
    SignUpCode: {
      "code": string;
      "id": string;
    };
    SignUpTicket: {
      "email": string;
      "expires_at": string;
      /** The name of the tenant that the account will be in; absent: a new one */
      "tenant"?: string;
      "ticket": string;
    };
    SignedStatement: {
      /** The statement: canonical JSON, base64 */
      "body": string;
      "key": string;
      "signature": string;
    };
    Source: {
      "created_at": string;
      "created_by": string;
      /** How often at least something is to come; absent: it is learned from what came */
      "every_seconds"?: number;
      /** The key's last characters */
      "hint": string;
      "id": string;
      /** The write key, where it was just made, and only then */
      "key"?: string;
      "name": string;
      "revoked_at"?: string;
      /** What is not as the tracking plan says goes to quarantine; otherwise it is only flagged */
      "strict": boolean;
      /** Absent: the provider's */
      "tenant"?: string;
      /** Of the provider's: the field of its events that names their tenant, by slug or external id */
      "tenant_field"?: string;
    };
    StartedRun: {
      "analysis": string;
      "date": string;
      "id": string;
      "reason"?: string;
      "state"?: string;
    };
    Step: {
      /** The sibling's */
      "hash": string;
      /** The sibling stands to the left */
      "left": boolean;
    };
    Stream: {
      /** What they take, sealed, for the provider */
      "bytes"?: number;
      /** How long events are kept */
      "days": number;
      /** The oldest message, for the provider */
      "first"?: number;
      /** tenants, users, jobs or events */
      "id": string;
      /** The newest message, for the provider */
      "last"?: number;
      /** When the newest came; of a tenant its own */
      "last_at"?: string;
      /** How many there are, for the provider; a message is a block of events */
      "messages"?: number;
    };
    StreamEvent: {
      "anonymous"?: string;
      /** How it came: api, segment, posthog, pixel */
      "channel"?: string;
      "context"?: unknown;
      "data"?: unknown;
      "device"?: string;
      /** What is odd about it */
      "flags"?: Array<string> | null;
      /** Unique among the tenant's events of the source */
      "id": string;
      /** What the sender calls its source */
      "origin"?: string;
      "received": string;
      "session"?: string;
      /** What sent it: tributary for the server itself */
      "source": string;
      /** 1.0 */
      "specversion": string;
      /** What the sender said, where time is another */
      "stated"?: string;
      /** The id of what it is about */
      "subject"?: string;
      /** Whose it is; empty: the provider's own */
      "tenant": string;
      "time": string;
      /** As tributary.submission.receive */
      "type": string;
      "user"?: string;
    };
    Submission: {
      /** Received after the cut-off, and the period was not reopened: scheduled runs for it leave the file out */
      "after_cut_off": boolean;
      "channel": string;
      "closed_at"?: string;
      "columns"?: number;
      /** SHA-256(salt | SHA-256 of the file); manifests name the file by it */
      "commitment": string;
      /** Until when files count in scheduled runs for its period */
      "cut_off_at"?: string;
      "dataset": string;
      "dataset_version": number;
      "date": string;
      /** When its bytes were deleted */
      "deleted_at"?: string;
      /** By whom */
      "deleted_for"?: "tenant" | "retention";
      /** When its bytes are deleted, as the dataset's retention says now */
      "deletes_at"?: string;
      /** When it was due, if its contract says so */
      "due_at"?: string;
      /** The submission before it, which has the same bytes */
      "duplicate_of"?: string;
      "error_count"?: number;
      /** A legal hold keeps its bytes */
      "held"?: boolean;
      "id": string;
      /** Received after the dataset's due time for its date */
      "late": boolean;
      "name": string;
      /** What lateness, repetition or a withdrawal mean for it, in words */
      "notes"?: Array<string> | null;
      /** The first 100, for the tenant's own people */
      "problems"?: Array<components["schemas"]["FileError"]> | null;
      "received_at": string;
      "revision": number;
      "rows"?: number;
      /** For the tenant's own people */
      "sha256"?: string;
      "size": number;
      "state": "received" | "validating" | "accepted" | "rejected" | "superseded" | "withdrawn";
      "submitted_by": string;
      "tenant": string;
      "tenant_slug"?: string;
      "validated_at"?: string;
    };
    TOTP: {
      "on": boolean;
      /** How many are left */
      "recovery_codes": number;
      "since"?: string;
    };
    Table: {
      "columns": Array<components["schemas"]["QueryColumn"]> | null;
      /** Its name */
      "id": string;
    };
    Tenant: {
      /** Since when only the tenant's own admins make its credentials */
      "claimed_at"?: string;
      "created_at": string;
      "created_by": string;
      "employees"?: number;
      "external_ids": Array<string> | null;
      /** To the provider's people who ask for it */
      "health"?: components["schemas"]["Health"];
      "id": string;
      "industry"?: string;
      "ip_allow": Array<string> | null;
      "modified_at": string;
      "modified_by": string;
      "name": string;
      /** The organisation's id */
      "organisation": string;
      "organisation_name": string;
      /** A year, in whole units of the provider's currency */
      "revenue"?: number;
      "slug": string;
      "state": string;
      "state_reason"?: string;
      "tier": string;
      "times_modified": number;
      "type": string;
    };
    TenantChange: {
      "employees"?: number;
      "external_ids"?: Array<string>;
      "industry"?: string;
      "ip_allow"?: Array<string>;
      "name"?: string;
      "revenue"?: number;
      "tier"?: "basic" | "standard" | "premium" | "platinum";
      "type"?: "PRODUCTION" | "POC" | "TESTING";
    };
    Token: {
      "token": string;
    };
    User: {
      "created_at": string;
      "created_by": string;
      "email": string;
      "has_password": boolean;
      "id": string;
      /** What to sign in with: SLUG.USER, or the email for the provider's people */
      "login": string;
      "modified_at": string;
      "modified_by": string;
      "name"?: string;
      /** Made by the provider for a tenant; ends when a tenant admin first signs in */
      "provider_made": boolean;
      "role": string;
      /** Signing in takes a code beside the password */
      "second_factor": boolean;
      "sftp_login"?: string;
      "signed_in_at"?: string;
      "state": string;
      /** The tenant's id; absent for the provider's people */
      "tenant"?: string;
      "times_modified": number;
    };
    UserChange: {
      "name"?: string;
      "role"?: "system_admin" | "auditor" | "analyst" | "tenant_admin" | "tenant_user";
      "state"?: "active" | "disabled";
    };
    Verdict: {
      "details"?: string;
      /** The event's; one that came without has the one that it was given */
      "id": string;
      /** ok and warning: it is kept; duplicate: it was before; drop: it is in quarantine, or refused; retry: it is not kept, and may be later */
      "result": "ok" | "warning" | "duplicate" | "drop" | "retry";
    };
    Verification: {
      /** What was checked, and how */
      "evidence": string;
    };
    VerifiedArchive: {
      /** Sealed */
      "bytes": number;
      "events": number;
      "findings": Array<components["schemas"]["ArchiveFinding"]> | null;
      /** Where to go on; empty: that was all */
      "next": string;
      "objects": number;
    };
    Warehouse: {
      /** Blocks of events that could not be loaded; the table load_problem has them */
      "problems": number;
      /** The one that runs, or ran last since the server was started */
      "rebuild"?: components["schemas"]["Rebuild"];
      "streams": Array<components["schemas"]["LoadedStream"]> | null;
      "tables": Array<components["schemas"]["MadeTable"]> | null;
    };
    WebUpload: {
      "created_at": string;
      "created_by": string;
      "dataset": string;
      "date": string;
      /** When it ends if nobody goes on with it */
      "expires_at": string;
      "id": string;
      /** How many the file has */
      "length": number;
      "name": string;
      /** How many bytes are safe */
      "offset": number;
      /** What the sender said that the whole file hashes to */
      "sha256"?: string;
      /** The submission that it became */
      "submission"?: string;
    };
    Webhook: {
      "created_at": string;
      "created_by": string;
      /** Nothing could be delivered since */
      "failing_since"?: string;
      "id": string;
      /** What it is told of; empty: everything */
      "kinds": Array<string> | null;
      "modified_at": string;
      "modified_by": string;
      /** Why it is disabled */
      "reason"?: string;
      /** Where it was just made or replaced, and only then */
      "secret"?: string;
      "state": "active" | "disabled";
      /** Absent: the provider's */
      "tenant"?: string;
      "times_modified": number;
      "url": string;
    };
    WebhookChange: {
      "kinds"?: Array<string>;
      /** Make a new secret; the one before signs too for 24 hours */
      "rotate_secret"?: boolean;
      "state"?: "active" | "disabled";
      "url"?: string;
    };
  };
}

export interface paths {
  "/api/v1/analyses": {
    /** List analyses by name, with one's own decision */
    get: {
      parameters: {
        query?: { "limit"?: number; "after"?: string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListAnalysis"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Apply a definition; a changed one makes a version */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/yaml": Blob; } };
      responses: {
        200: { content: { "application/json": components["schemas"]["Analysis"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/analyses/{id}": {
    /** Show a version of an analysis, also in plain words */
    get: {
      parameters: {
        query?: { "version"?: number; };
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Analysis"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/analyses/{id}/accept": {
    /** Accept a version: a standing grant to use one's accepted submissions */
    post: {
      parameters: {
        path: { "id": string; };
      };
      requestBody: { content: { "application/json": components["schemas"]["Decision"]; } };
      responses: {
        200: { content: { "application/json": components["schemas"]["Acceptance"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/analyses/{id}/acceptances": {
    /** What each tenant has decided */
    get: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListAcceptance"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/analyses/{id}/decline": {
    /** Decline a version, or take a yes back */
    post: {
      parameters: {
        path: { "id": string; };
      };
      requestBody: { content: { "application/json": components["schemas"]["Decision"]; } };
      responses: {
        200: { content: { "application/json": components["schemas"]["Acceptance"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/api-keys": {
    /** List the API keys of one's tenant, or of the tenant named */
    get: {
      parameters: {
        query?: { "limit"?: number; "after"?: string; "tenant"?: string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListAPIKey"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Make an API key; its secret is shown once */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/json": components["schemas"]["NewAPIKey"]; } };
      responses: {
        201: { content: { "application/json": components["schemas"]["APIKey"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/api-keys/{id}": {
    /** Revoke an API key, and the keys made with it, at once */
    delete: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        204: { content: { never?: never; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/archive": {
    /** List the archive's objects, the newest day first: one's own, or all tenants' */
    get: {
      parameters: {
        query?: { "limit"?: number; "after"?: string; "tenant"?: string; "stream"?: string; "from"?: string; "to"?: string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListArchived"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/archive/erasures": {
    /** List the erasures of people, the newest first: one's own, or all tenants' */
    get: {
      parameters: {
        query?: { "limit"?: number; "after"?: string; "tenant"?: string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListErasure"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Erase a person from a tenant's events: in the archive, the warehouse and quarantine */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/json": components["schemas"]["EraseUser"]; } };
      responses: {
        202: { content: { "application/json": components["schemas"]["Erasure"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/archive/erasures/{id}": {
    /** How the erasure of a person goes, and what it has taken away */
    get: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Erasure"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/archive/flush": {
    /** Archive all that the streams have by now */
    post: {
      parameters: {
      };
      responses: {
        204: { content: { never?: never; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/archive/rebuild": {
    /** Make the catalogue's rows anew from objects that have none */
    post: {
      parameters: {
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["RebuiltArchive"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/archive/restore": {
    /** Load some of the archive's objects into the warehouse, which leaves out what it has */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/json": components["schemas"]["ArchiveRange"]; } };
      responses: {
        200: { content: { "application/json": components["schemas"]["RestoredArchive"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/archive/verify": {
    /** Read some of the archive's objects and say what is wrong with them */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/json": components["schemas"]["ArchiveRange"]; } };
      responses: {
        200: { content: { "application/json": components["schemas"]["VerifiedArchive"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/archive/{id}": {
    /** One of the archive's objects */
    get: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Archived"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/audit": {
    /** Audit entries, the newest first: one's own with details, or all tenants' without */
    get: {
      parameters: {
        query?: { "limit"?: number; "after"?: string; "search"?: string; "filter"?: Array<string> | null; "sort"?: string; "tenant"?: string; "provider"?: boolean; "actor"?: string; "verb"?: string; "subject"?: string; "from"?: string; "to"?: string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListAuditEntry"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/audit/checkpoints": {
    /** Signed checkpoints, the newest first, with the proof for one's own chain */
    get: {
      parameters: {
        query?: { "limit"?: number; "after"?: string; "tenant"?: string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListCheckpoint"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/audit/keys": {
    /** The public keys that checkpoints and statements are signed with */
    get: {
      parameters: {
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListAuditKey"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/audit/raw": {
    /** A chain's records as stored, from after a number, for verification */
    get: {
      parameters: {
        query?: { "after"?: number; "limit"?: number; "tenant"?: string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListAuditRecord"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/changes": {
    /** Server-sent events: what one may read has changed */
    get: {
      parameters: {
        query?: { "seconds"?: number; "after"?: string; };
        header?: { "Last-Event-ID"?: string; };
      };
      responses: {
        200: { content: { never?: never; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/collector": {
    /** Where events are collected from the clients that people have */
    get: {
      parameters: {
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Collector"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/datasets": {
    /** List datasets by name */
    get: {
      parameters: {
        query?: { "limit"?: number; "after"?: string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListDataset"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Apply a dataset's contract; a changed one makes a version */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/yaml": Blob; } };
      responses: {
        200: { content: { "application/json": components["schemas"]["Dataset"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/datasets/{id}": {
    /** Show a version of a dataset */
    get: {
      parameters: {
        query?: { "version"?: number; };
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Dataset"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/datasets/{id}/template": {
    /** A file as the dataset wants it, with one example row */
    get: {
      parameters: {
        query?: { "date"?: string; };
        path: { "id": string; };
      };
      responses: {
        200: { content: { never?: never; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/domains": {
    /** List the domains of one's tenant, or of the tenant named */
    get: {
      parameters: {
        query?: { "limit"?: number; "after"?: string; "tenant"?: string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListDomain"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Approve a domain whose people sign up by themselves; of the provider: vouch for one */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/json": components["schemas"]["NewDomain"]; } };
      responses: {
        201: { content: { "application/json": components["schemas"]["Domain"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/domains/{id}": {
    /** End a domain; who has signed up with it stays */
    delete: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        204: { content: { never?: never; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/entrance": {
    /** What can be done here before signing in */
    get: {
      parameters: {
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Entrance"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/events": {
    /** Send a CloudEvent, or an array of them; with Prefer: return=representation the answer is what became of each */
    post: {
      parameters: {
        header?: { "Prefer"?: string; };
      };
      requestBody: { content: { "application/json": string; } };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListVerdict"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/freshness": {
    /** How new each source, fact and model is: one's own, or all tenants' and the streams */
    get: {
      parameters: {
        query?: { "tenant"?: string; "kind"?: "source" | "stream" | "fact" | "model"; "state"?: "fresh" | "late" | "silent" | "never" | "broken"; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListFreshness"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/holds": {
    /** List legal holds, the newest first: one's own, or all tenants' */
    get: {
      parameters: {
        query?: { "limit"?: number; "after"?: string; "tenant"?: string; "ended"?: boolean; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListHold"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Set a legal hold: nothing that it covers is deleted until it is released */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/json": components["schemas"]["NewHold"]; } };
      responses: {
        201: { content: { "application/json": components["schemas"]["Hold"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/holds/{id}/release": {
    /** End a legal hold */
    post: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Hold"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/invitations": {
    /** List the invitations that were not taken up, to one's tenant or the tenant named */
    get: {
      parameters: {
        query?: { "limit"?: number; "after"?: string; "tenant"?: string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListInvitation"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Invite somebody by a mail */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/json": components["schemas"]["NewInvitation"]; } };
      responses: {
        201: { content: { "application/json": components["schemas"]["Invitation"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/invitations/accept": {
    /** Take an invitation up, with a password of one's own */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/json": components["schemas"]["Acceptor"]; } };
      responses: {
        201: { content: { "application/json": components["schemas"]["Joined"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/invitations/look": {
    /** Show an invitation to who has its link */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/json": components["schemas"]["LinkToken"]; } };
      responses: {
        200: { content: { "application/json": components["schemas"]["Invited"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/invitations/{id}": {
    /** Take an invitation back; who was invited is gone */
    delete: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        204: { content: { never?: never; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/invitations/{id}/resend": {
    /** Send an invitation again, with another link */
    post: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Invitation"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/me": {
    /** Who the credential is */
    get: {
      parameters: {
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Me"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/me/identity": {
    /** Show the identity of an issuer that is linked to one's account */
    get: {
      parameters: {
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Identity"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Unlink it; one's other sessions end */
    delete: {
      parameters: {
      };
      responses: {
        204: { content: { never?: never; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/me/notices": {
    /** Which mails one gets */
    get: {
      parameters: {
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListNoticeSwitch"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/me/notices/{id}": {
    /** Turn the mails of a kind to oneself on or off */
    patch: {
      parameters: {
        path: { "id": string; };
      };
      requestBody: { content: { "application/json": components["schemas"]["NoticeChange"]; } };
      responses: {
        200: { content: { "application/json": components["schemas"]["NoticeSwitch"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/me/password": {
    /** Change one's own password */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/json": components["schemas"]["PasswordChange"]; } };
      responses: {
        204: { content: { never?: never; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/me/preferences": {
    /** How one likes to see things in the portals */
    get: {
      parameters: {
      };
      responses: {
        200: { content: { "application/json": Record<string, unknown>; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Set preferences by name; null takes one away */
    patch: {
      parameters: {
      };
      requestBody: { content: { "application/json": Record<string, unknown>; } };
      responses: {
        200: { content: { "application/json": Record<string, unknown>; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/me/ssh-keys": {
    /** List one's own SSH keys */
    get: {
      parameters: {
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListSSHKey"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Add an SSH key to oneself, which takes the password */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/json": components["schemas"]["NewOwnSSHKey"]; } };
      responses: {
        201: { content: { "application/json": components["schemas"]["SSHKey"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/me/ssh-keys/{id}": {
    /** Revoke an SSH key of one's own, at once */
    delete: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        204: { content: { never?: never; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/me/totp": {
    /** How one's own second factor stands */
    get: {
      parameters: {
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["TOTP"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Make an authenticator's secret, shown once; a code of it turns the second factor on */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/json": components["schemas"]["Password"]; } };
      responses: {
        201: { content: { "application/json": components["schemas"]["NewTOTP"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/me/totp/confirm": {
    /** Turn one's own second factor on; its recovery codes are shown once, and one's other sessions end */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/json": components["schemas"]["Code"]; } };
      responses: {
        200: { content: { "application/json": components["schemas"]["RecoveryCodes"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/me/totp/off": {
    /** Turn one's own second factor off */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/json": components["schemas"]["PasswordAndCode"]; } };
      responses: {
        204: { content: { never?: never; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/me/totp/recovery-codes": {
    /** Replace one's own recovery codes; the new ones are shown once */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/json": components["schemas"]["PasswordAndCode"]; } };
      responses: {
        200: { content: { "application/json": components["schemas"]["RecoveryCodes"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/organisations": {
    /** List organisations by name */
    get: {
      parameters: {
        query?: { "limit"?: number; "after"?: string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListOrganisation"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Make an organisation */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/json": components["schemas"]["NewOrganisation"]; } };
      responses: {
        201: { content: { "application/json": components["schemas"]["Organisation"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/organisations/{id}": {
    /** Show an organisation by id or name */
    get: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Organisation"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/organisations/{id}/verify": {
    /** Record that an organisation was verified, and how */
    post: {
      parameters: {
        path: { "id": string; };
      };
      requestBody: { content: { "application/json": components["schemas"]["Verification"]; } };
      responses: {
        200: { content: { "application/json": components["schemas"]["Organisation"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/outbox": {
    /** Mails to the people of one's tenant, or to all: that they exist, and nothing in them */
    get: {
      parameters: {
        query?: { "limit"?: number; "after"?: string; "search"?: string; "filter"?: Array<string> | null; "sort"?: string; "tenant"?: string; "state"?: "waiting" | "sent" | "failed"; "kind"?: string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListMail"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/password-resets": {
    /** Have a link to set a password with mailed; the answer says nothing of who is known */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/json": components["schemas"]["Forgotten"]; } };
      responses: {
        202: { content: { "application/json": components["schemas"]["Asked"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/password-resets/look": {
    /** Show whose password a link sets */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/json": components["schemas"]["LinkToken"]; } };
      responses: {
        200: { content: { "application/json": components["schemas"]["Resetting"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/password-resets/use": {
    /** Set a password by a link; all sessions of the user end */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/json": components["schemas"]["PasswordReset"]; } };
      responses: {
        204: { content: { never?: never; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/periods": {
    /** List how tenants stand in the periods of datasets: oneself, or all */
    get: {
      parameters: {
        query?: { "limit"?: number; "after"?: string; "search"?: string; "filter"?: Array<string> | null; "sort"?: string; "tenant"?: string; "dataset"?: string; "date"?: string; "from"?: string; "state"?: "due" | "received" | "validating" | "rejected" | "accepted" | "late" | "overdue" | "missing"; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListPeriod"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/periods/{id}/{date}": {
    /** Show a dataset's period: when it is due, who stands how, reopenings */
    get: {
      parameters: {
        path: { "id": string; "date": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["PeriodSummary"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/periods/{id}/{date}/close": {
    /** End a tenant's reopening of a period now */
    post: {
      parameters: {
        path: { "id": string; "date": string; };
      };
      requestBody: { content: { "application/json": components["schemas"]["EndReopening"]; } };
      responses: {
        200: { content: { "application/json": components["schemas"]["Reopening"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/periods/{id}/{date}/reopen": {
    /** Let one tenant's files for a period count until a time after the cut-off */
    post: {
      parameters: {
        path: { "id": string; "date": string; };
      };
      requestBody: { content: { "application/json": components["schemas"]["NewReopening"]; } };
      responses: {
        201: { content: { "application/json": components["schemas"]["Reopening"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/plans": {
    /** List the versions of the tracking plan, the newest first */
    get: {
      parameters: {
        query?: { "limit"?: number; "after"?: string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListPlan"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Apply a tracking plan; a changed one makes a version */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/yaml": Blob; } };
      responses: {
        200: { content: { "application/json": components["schemas"]["Plan"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/plans/{id}": {
    /** Show a version of the tracking plan; current is the one in use */
    get: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Plan"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/quarantine": {
    /** List the events in quarantine, the newest first: one's own, or those of the provider's sources */
    get: {
      parameters: {
        query?: { "limit"?: number; "after"?: string; "source"?: string; "reason"?: "unreadable" | "malformed" | "tenant" | "unplanned" | "unfit" | "variety"; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListHeldEvent"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/quarantine/replay": {
    /** Judge what is in quarantine again, and take in what is fit now, up to some 1,000 at once */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/json": components["schemas"]["ReplayRequest"]; } };
      responses: {
        200: { content: { "application/json": components["schemas"]["Replayed"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/quarantine/{id}": {
    /** Show an event in quarantine */
    get: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["HeldEvent"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Remove an event from quarantine for good */
    delete: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        204: { content: { never?: never; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/quarantine/{id}/replay": {
    /** Judge an event in quarantine again, and take it in if it is fit now */
    post: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Verdict"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/queries": {
    /** List the queries that are under way: one's own, or to admins all */
    get: {
      parameters: {
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListRunningQuery"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/queries/named": {
    /** List the named queries, saved and built in: all, or those that are for tenants */
    get: {
      parameters: {
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListNamedQuery"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Save a named query; another text makes a version */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/json": components["schemas"]["NewNamedQuery"]; } };
      responses: {
        200: { content: { "application/json": components["schemas"]["NamedQuery"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/queries/named/{id}": {
    /** Show a named query */
    get: {
      parameters: {
        query?: { "version"?: number; };
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["NamedQuery"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Delete a saved query */
    delete: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        204: { content: { never?: never; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/queries/named/{id}/run": {
    /** Do a named query: over all tenants, or over one's own rows */
    post: {
      parameters: {
        path: { "id": string; };
        header?: { "Accept"?: string; };
      };
      requestBody: { content: { "application/json": components["schemas"]["QueryRun"]; } };
      responses: {
        200: { content: { "application/json": components["schemas"]["QueryAnswer"]; "application/vnd.apache.arrow.stream": Blob; "application/vnd.apache.parquet": Blob; "application/x-ndjson": Blob; "text/csv": Blob; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/queries/named/{id}/versions": {
    /** List the versions of a saved query, the newest first */
    get: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListNamedQuery"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/queries/{id}": {
    /** End a query that is under way */
    delete: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        204: { content: { never?: never; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/query": {
    /** Ask the warehouse: one SELECT over all tenants' rows, or over one's own */
    post: {
      parameters: {
        header?: { "Accept"?: string; };
      };
      requestBody: { content: { "application/json": components["schemas"]["NewQuery"]; } };
      responses: {
        200: { content: { "application/json": components["schemas"]["QueryAnswer"]; "application/vnd.apache.arrow.stream": Blob; "application/vnd.apache.parquet": Blob; "application/x-ndjson": Blob; "text/csv": Blob; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/query/tables": {
    /** List the tables that can be asked, with their columns */
    get: {
      parameters: {
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListTable"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/reports/received": {
    /** How many files came, by day or month */
    get: {
      parameters: {
        query?: { "from"?: string; "to"?: string; "zone"?: string; "each"?: "day" | "month"; "by"?: "dataset" | "tenant" | "channel"; "tenant"?: string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ReceivedReport"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/reports/runs": {
    /** How runs went and how long they took, by day or month */
    get: {
      parameters: {
        query?: { "from"?: string; "to"?: string; "zone"?: string; "each"?: "day" | "month"; "analysis"?: string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["RunsReport"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/results": {
    /** List results, the newest first: one's own, or as metadata all tenants' */
    get: {
      parameters: {
        query?: { "limit"?: number; "after"?: string; "search"?: string; "filter"?: Array<string> | null; "sort"?: string; "tenant"?: string; "analysis"?: string; "date"?: string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListResult"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/results/{id}": {
    /** Show a result */
    get: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Result"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/results/{id}/content": {
    /** A result as CSV or Parquet */
    get: {
      parameters: {
        query?: { "format"?: "csv" | "parquet"; };
        path: { "id": string; };
      };
      responses: {
        200: { content: { never?: never; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/results/{id}/recall": {
    /** Take a result back: its recipient reads why, and can open it no more */
    post: {
      parameters: {
        path: { "id": string; };
      };
      requestBody: { content: { "application/json": components["schemas"]["Recall"]; } };
      responses: {
        200: { content: { "application/json": components["schemas"]["Result"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/results/{id}/rows": {
    /** A page of a result's rows, with what its columns mean */
    get: {
      parameters: {
        query?: { "limit"?: number; "after"?: string; };
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ResultRows"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/retention": {
    /** What retention deletes until some days from now, by dataset and analysis */
    get: {
      parameters: {
        query?: { "days"?: number; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListGoing"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/runs": {
    /** List runs, the newest first */
    get: {
      parameters: {
        query?: { "limit"?: number; "after"?: string; "search"?: string; "filter"?: Array<string> | null; "sort"?: string; "analysis"?: string; "date"?: string; "state"?: "queued" | "running" | "succeeded" | "withheld" | "skipped" | "failed" | "cancelled"; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListRun"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Run analyses for a business date */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/json": components["schemas"]["NewRuns"]; } };
      responses: {
        201: { content: { "application/json": components["schemas"]["ListRun"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/runs/plan": {
    /** A dry run: who would take part and what would come of it; nothing is stored */
    get: {
      parameters: {
        query: { "analysis": Array<string> | null; "date": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListRunPlan"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/runs/{id}": {
    /** Show a run, its snapshot and progress */
    get: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Run"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/runs/{id}/cancel": {
    /** Cancel a run */
    post: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Run"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/runs/{id}/follow": {
    /** Server-sent events: a run's log and progress, until it ends */
    get: {
      parameters: {
        query?: { "seconds"?: number; "after"?: string; };
        path: { "id": string; };
        header?: { "Last-Event-ID"?: string; };
      };
      responses: {
        200: { content: { never?: never; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/runs/{id}/log": {
    /** A run's log, from after a line */
    get: {
      parameters: {
        query?: { "after"?: number; };
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListLogLine"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/runs/{id}/manifest": {
    /** The signed manifest of a run's release */
    get: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["SignedStatement"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/runs/{id}/recall": {
    /** Take back every result of a run's release */
    post: {
      parameters: {
        path: { "id": string; };
      };
      requestBody: { content: { "application/json": components["schemas"]["Recall"]; } };
      responses: {
        200: { content: { "application/json": components["schemas"]["Run"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/runs/{id}/retry": {
    /** Queue a run's analysis and date once more */
    post: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        201: { content: { "application/json": components["schemas"]["Run"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/schedule-times": {
    /** When a schedule would fire next, before there is one */
    get: {
      parameters: {
        query: { "cron": string; "zone"?: string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ScheduleTimes"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/schedules": {
    /** List schedules by name, with their next times */
    get: {
      parameters: {
        query?: { "limit"?: number; "after"?: string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListSchedule"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Have analyses run by the clock */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/json": components["schemas"]["NewSchedule"]; } };
      responses: {
        201: { content: { "application/json": components["schemas"]["Schedule"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/schedules/{id}": {
    /** Show a schedule and its next five times */
    get: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Schedule"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Change a schedule */
    patch: {
      parameters: {
        path: { "id": string; };
      };
      requestBody: { content: { "application/json": components["schemas"]["ScheduleChange"]; } };
      responses: {
        200: { content: { "application/json": components["schemas"]["Schedule"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Delete a schedule with its history; its runs stay */
    delete: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Schedule"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/schedules/{id}/firings": {
    /** What a schedule did, the newest first: the runs that it started, or why none */
    get: {
      parameters: {
        query?: { "limit"?: number; "after"?: string; };
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListFiring"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/schedules/{id}/pause": {
    /** Keep a schedule from firing */
    post: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Schedule"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/schedules/{id}/resume": {
    /** Let a paused schedule fire again, from its next time on */
    post: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Schedule"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/sessions": {
    /** List one's own sessions */
    get: {
      parameters: {
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListSession"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Sign in with a password, and a code where the account has a second factor */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/json": components["schemas"]["SignIn"]; } };
      responses: {
        201: { content: { "application/json": components["schemas"]["Session"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** End all of one's own sessions but the one that asks */
    delete: {
      parameters: {
      };
      responses: {
        204: { content: { never?: never; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/sessions/oidc": {
    /** Sign in with what the browser came back with from the issuer; the session's token goes into a cookie */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/json": components["schemas"]["OIDCReturn"]; } };
      responses: {
        201: { content: { "application/json": components["schemas"]["Session"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/sessions/oidc/begin": {
    /** Begin a sign-in with OIDC: where the browser goes, which keeps a secret in a cookie meanwhile */
    post: {
      parameters: {
      };
      responses: {
        201: { content: { "application/json": components["schemas"]["OIDCBegun"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/sessions/{id}": {
    /** Sign out: a session of one's own, or current */
    delete: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        204: { content: { never?: never; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/setup": {
    /** Make the first system admin with a setup link's token */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/json": components["schemas"]["Setup"]; } };
      responses: {
        201: { content: { "application/json": components["schemas"]["Token"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/sftp": {
    /** Where the SFTP server is, and its host keys */
    get: {
      parameters: {
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["SFTP"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/sign-ups": {
    /** Have a code to sign up with mailed; the answer says nothing of who is known */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/json": components["schemas"]["SignUp"]; } };
      responses: {
        202: { content: { "application/json": components["schemas"]["Asked"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/sign-ups/finish": {
    /** Make the account of who has a ticket */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/json": components["schemas"]["NewMember"]; } };
      responses: {
        201: { content: { "application/json": components["schemas"]["Joined"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/sign-ups/prove": {
    /** Exchange the code for a ticket */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/json": components["schemas"]["SignUpCode"]; } };
      responses: {
        200: { content: { "application/json": components["schemas"]["SignUpTicket"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/sources": {
    /** List the sources of one's tenant, or of the provider, the newest first */
    get: {
      parameters: {
        query?: { "limit"?: number; "after"?: string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListSource"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Make a source of events; its write key is shown once */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/json": components["schemas"]["NewSource"]; } };
      responses: {
        201: { content: { "application/json": components["schemas"]["Source"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/sources/{id}": {
    /** Show a source */
    get: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Source"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** End a source: what comes with its key from now on is refused */
    delete: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Source"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/sources/{id}/pixels": {
    /** Make links of pictures that tell, by being fetched, that a recipient opened a mail; each writes that one event and nothing else */
    post: {
      parameters: {
        path: { "id": string; };
      };
      requestBody: { content: { "application/json": components["schemas"]["NewPixels"]; } };
      responses: {
        201: { content: { "application/json": components["schemas"]["ListPixel"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/ssh-keys/{id}": {
    /** Revoke an SSH key, at once */
    delete: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        204: { content: { never?: never; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/streams": {
    /** List the streams of events, and how long they are kept */
    get: {
      parameters: {
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListStream"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/streams/{id}/events": {
    /** Events of a stream, the oldest first: one's own, or all tenants' */
    get: {
      parameters: {
        query?: { "limit"?: number; "after"?: string; "tenant"?: string; "since"?: string; };
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListStreamEvent"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/streams/{id}/tail": {
    /** Server-sent events: a stream's events as they come */
    get: {
      parameters: {
        query?: { "seconds"?: number; "after"?: string; "tenant"?: string; };
        path: { "id": string; };
        header?: { "Last-Event-ID"?: string; };
      };
      responses: {
        200: { content: { never?: never; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/submissions": {
    /** List submissions, the newest first: one's own, or as metadata all tenants' */
    get: {
      parameters: {
        query?: { "limit"?: number; "after"?: string; "search"?: string; "filter"?: Array<string> | null; "sort"?: string; "tenant"?: string; "dataset"?: string; "date"?: string; "state"?: "received" | "validating" | "accepted" | "rejected" | "superseded" | "withdrawn"; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListSubmission"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Send a file for a dataset and a business date */
    post: {
      parameters: {
        query: { "dataset": string; "date": string; "name": string; };
        header?: { "Tributary-Channel"?: "api" | "cli"; "Content-Digest"?: string; };
      };
      requestBody?: { content: { "application/octet-stream": Blob; } };
      responses: {
        201: { content: { "application/json": components["schemas"]["Submission"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/submissions/{id}": {
    /** Show a submission and what is wrong with it */
    get: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Submission"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Delete a submission's bytes, and withdraw it */
    delete: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Submission"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/submissions/{id}/content": {
    /** The file as it was sent */
    get: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { never?: never; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/submissions/{id}/preview": {
    /** The first rows of a submission: of its accepted form, or as it was sent */
    get: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Preview"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/submissions/{id}/receipts": {
    /** Signed proof of how a submission was used */
    get: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListReceipt"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/submissions/{id}/withdraw": {
    /** Take a submission back: no later run reads it */
    post: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Submission"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/tenant": {
    /** One's own tenant */
    get: {
      parameters: {
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Tenant"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/tenant/export": {
    /** Everything of one's own tenant, as a tar archive */
    get: {
      parameters: {
      };
      responses: {
        200: { content: { never?: never; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/tenants": {
    /** List tenants, the newest first */
    get: {
      parameters: {
        query?: { "limit"?: number; "after"?: string; "search"?: string; "filter"?: Array<string> | null; "sort"?: string; "state"?: "onboarding" | "active" | "suspended" | "offboarding" | "erased"; "organisation"?: string; "health"?: boolean; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListTenant"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Onboard a tenant */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/json": components["schemas"]["NewTenant"]; } };
      responses: {
        201: { content: { "application/json": components["schemas"]["Tenant"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/tenants/{id}": {
    /** Show a tenant by id or slug */
    get: {
      parameters: {
        query?: { "health"?: boolean; };
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Tenant"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Change a tenant */
    patch: {
      parameters: {
        path: { "id": string; };
      };
      requestBody: { content: { "application/json": components["schemas"]["TenantChange"]; } };
      responses: {
        200: { content: { "application/json": components["schemas"]["Tenant"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/tenants/{id}/activate": {
    /** Let a suspended tenant be used again */
    post: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Tenant"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/tenants/{id}/offboard": {
    /** Begin a tenant's end: a grace of 30 days, then erasure */
    post: {
      parameters: {
        path: { "id": string; };
      };
      requestBody: { content: { "application/json": components["schemas"]["NewOffboarding"]; } };
      responses: {
        200: { content: { "application/json": components["schemas"]["Offboarding"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Take an offboarding back; the tenant is then suspended */
    delete: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Tenant"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/tenants/{id}/offboard/hasten": {
    /** Shorten the grace to nothing; takes a second system admin */
    post: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Offboarding"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/tenants/{id}/onboarding": {
    /** The recorded steps of a tenant's onboarding */
    get: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Saga"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/tenants/{id}/receipt": {
    /** A tenant's offboarding, with the signed receipt once it is erased */
    get: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Offboarding"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/tenants/{id}/suspend": {
    /** Block a tenant's use, at once */
    post: {
      parameters: {
        path: { "id": string; };
      };
      requestBody: { content: { "application/json": components["schemas"]["Reason"]; } };
      responses: {
        200: { content: { "application/json": components["schemas"]["Tenant"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/uploads": {
    /** List resumable uploads, the newest first: those on their way, and those submitted in the last week */
    get: {
      parameters: {
        query?: { "limit"?: number; "after"?: string; "dataset"?: string; "date"?: string; "name"?: string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListWebUpload"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Begin a resumable upload (tus), with or without its first bytes */
    post: {
      parameters: {
        header?: { "Tus-Resumable"?: string; "Upload-Length"?: string; "Upload-Metadata"?: string; "Upload-Checksum"?: string; };
      };
      requestBody?: { content: { "application/offset+octet-stream": Blob; } };
      responses: {
        201: { content: { "application/json": components["schemas"]["WebUpload"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/uploads/recognise": {
    /** What files would be taken for, by their names, before they are sent */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/json": components["schemas"]["FilesToRecognise"]; } };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListRecognisedFile"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/uploads/{id}": {
    /** Show a resumable upload */
    get: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["WebUpload"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Send the next bytes of an upload (tus); the last ones submit the file */
    patch: {
      parameters: {
        path: { "id": string; };
        header?: { "Tus-Resumable"?: string; "Upload-Offset"?: string; "Upload-Checksum"?: string; };
      };
      requestBody?: { content: { "application/offset+octet-stream": Blob; } };
      responses: {
        204: { content: { never?: never; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** End an upload (tus); what arrived of it is gone */
    delete: {
      parameters: {
        path: { "id": string; };
        header?: { "Tus-Resumable"?: string; };
      };
      responses: {
        204: { content: { never?: never; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/users": {
    /** List the users of one's tenant, or of the tenant named */
    get: {
      parameters: {
        query?: { "limit"?: number; "after"?: string; "search"?: string; "filter"?: Array<string> | null; "sort"?: string; "tenant"?: string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListUser"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Make a user */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/json": components["schemas"]["NewUser"]; } };
      responses: {
        201: { content: { "application/json": components["schemas"]["User"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/users/{id}": {
    /** Show a user */
    get: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["User"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Change a user's name, role or state */
    patch: {
      parameters: {
        path: { "id": string; };
      };
      requestBody: { content: { "application/json": components["schemas"]["UserChange"]; } };
      responses: {
        200: { content: { "application/json": components["schemas"]["User"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/users/{id}/identity": {
    /** Show the identity that is linked to one of the provider's people */
    get: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Identity"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Unlink it; the user's sessions end */
    delete: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        204: { content: { never?: never; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/users/{id}/password": {
    /** Set a user's password */
    post: {
      parameters: {
        path: { "id": string; };
      };
      requestBody: { content: { "application/json": components["schemas"]["PasswordChange"]; } };
      responses: {
        204: { content: { never?: never; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/users/{id}/ssh-keys": {
    /** List a user's SSH keys */
    get: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListSSHKey"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Add an SSH key to a user */
    post: {
      parameters: {
        path: { "id": string; };
      };
      requestBody: { content: { "application/json": components["schemas"]["NewSSHKey"]; } };
      responses: {
        201: { content: { "application/json": components["schemas"]["SSHKey"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/users/{id}/totp": {
    /** Take a user's second factor away, for one who lost it */
    delete: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        204: { content: { never?: never; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/warehouse": {
    /** How far the warehouse is loaded and made, and the rebuild that runs or ran last */
    get: {
      parameters: {
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Warehouse"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/warehouse/rebuild": {
    /** Make rows of the warehouse anew: facts of what the archive and the streams have, models of the facts */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/json": components["schemas"]["NewRebuild"]; } };
      responses: {
        202: { content: { "application/json": components["schemas"]["Rebuild"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** End the rebuild that runs; what it has written stays */
    delete: {
      parameters: {
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Rebuild"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/webhook-deliveries/{id}/redeliver": {
    /** Send a message again, under the same id */
    post: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        202: { content: { "application/json": components["schemas"]["Delivery"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/webhooks": {
    /** List the webhooks of one's tenant, or of the provider */
    get: {
      parameters: {
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListWebhook"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Make a webhook; its secret is shown once */
    post: {
      parameters: {
      };
      requestBody: { content: { "application/json": components["schemas"]["NewWebhook"]; } };
      responses: {
        201: { content: { "application/json": components["schemas"]["Webhook"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/webhooks/{id}": {
    /** Show a webhook */
    get: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["Webhook"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Change a webhook's URL, kinds or state, or replace its secret */
    patch: {
      parameters: {
        path: { "id": string; };
      };
      requestBody: { content: { "application/json": components["schemas"]["WebhookChange"]; } };
      responses: {
        200: { content: { "application/json": components["schemas"]["Webhook"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
    /** Remove a webhook, and what waits for it */
    delete: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        204: { content: { never?: never; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/webhooks/{id}/deliveries": {
    /** What was sent to a webhook, the newest first */
    get: {
      parameters: {
        query?: { "limit"?: number; "after"?: string; };
        path: { "id": string; };
      };
      responses: {
        200: { content: { "application/json": components["schemas"]["ListDelivery"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
  "/api/v1/webhooks/{id}/test": {
    /** Send a message of the type webhook.test */
    post: {
      parameters: {
        path: { "id": string; };
      };
      responses: {
        202: { content: { "application/json": components["schemas"]["Delivery"]; } };
        default: { content: { "application/problem+json": components["schemas"]["Problem"]; } };
      };
    };
  };
}
