-- What the migrations add up to. Written by go test ./internal/meta -run SchemaFile -update.

CREATE TABLE acceptances (
    tenant     TEXT NOT NULL REFERENCES tenants (id),
    analysis   TEXT NOT NULL REFERENCES analyses (id),
    version    BIGINT NOT NULL,
    decision   TEXT NOT NULL,                  -- accepted, declined
    decided_at BIGINT NOT NULL,
    decided_by TEXT NOT NULL,
    mac        BYTEA NOT NULL,
    PRIMARY KEY (tenant, analysis, version)
);

CREATE TABLE account_asks (
    id         TEXT PRIMARY KEY,           -- ask_…
    kind       TEXT NOT NULL,              -- reset, sign-up
    body       BYTEA,                      -- sealed: what was typed, and from where; null once it is over
    subject    BYTEA NOT NULL,             -- keyed digest of what was typed
    address    BYTEA NOT NULL,             -- keyed digest of the network it came from
    state      TEXT NOT NULL,              -- asked, answered, proven, done
    joins      TEXT NOT NULL DEFAULT '',   -- the tenant to sign up to; empty: a new one
    code       BYTEA,                      -- keyed digest of the code that was mailed; null: none was
    tries      BIGINT NOT NULL DEFAULT 0,
    ticket     BYTEA UNIQUE,               -- hash of what the right code was exchanged for
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    mac        BYTEA NOT NULL
, region BYTEA);
CREATE INDEX account_asks_created ON account_asks (created_at);
CREATE INDEX account_asks_state ON account_asks (state, created_at);

CREATE TABLE account_links (
    id         TEXT PRIMARY KEY,           -- inv_…, rst_…
    tenant     TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    kind       TEXT NOT NULL,              -- invitation, reset
    token_hash BYTEA NOT NULL UNIQUE,
    mailed     BIGINT NOT NULL,            -- 1: the token went to the user's address and nowhere else
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    sent_at    BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT,
    ended_at   BIGINT,                     -- taken back, or replaced by a newer one
    mac        BYTEA NOT NULL
);
CREATE INDEX account_links_tenant ON account_links (tenant, created_at);
CREATE INDEX account_links_user ON account_links (user_id, kind);

CREATE TABLE analyses (
    id         TEXT PRIMARY KEY,
    version    BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL
);

CREATE TABLE analysis_versions (
    analysis   TEXT NOT NULL REFERENCES analyses (id),
    version    BIGINT NOT NULL,
    source     TEXT NOT NULL,
    hash       BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    PRIMARY KEY (analysis, version)
);

CREATE TABLE api_keys (
    id            TEXT PRIMARY KEY,
    tenant        TEXT NOT NULL,
    role          TEXT NOT NULL,
    name          TEXT NOT NULL,
    secret_hash   BYTEA NOT NULL UNIQUE,
    hint          TEXT NOT NULL,               -- last characters, to tell keys apart
    ip_allow      TEXT NOT NULL DEFAULT '[]',
    provider_made BIGINT NOT NULL DEFAULT 0,
    created_at    BIGINT NOT NULL,
    created_by    TEXT NOT NULL,
    expires_at    BIGINT,
    used_at       BIGINT,
    revoked_at    BIGINT,
    revoked_by    TEXT NOT NULL DEFAULT '',
    mac           BYTEA NOT NULL
);
CREATE INDEX api_keys_tenant ON api_keys (tenant);

CREATE TABLE archive_expired (     -- what tenants had on a stream and was removed before the others'
    tenant   TEXT NOT NULL,
    stream   TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    PRIMARY KEY (tenant, stream)
);

CREATE TABLE archive_garbage (
    blob_key TEXT PRIMARY KEY,     -- bytes to remove
    tenant   TEXT NOT NULL,
    since    BIGINT NOT NULL
);

CREATE TABLE archive_objects (
    id          TEXT PRIMARY KEY,
    tenant      TEXT NOT NULL,     -- whose events; '': the provider's own
    stream      TEXT NOT NULL,
    day         BIGINT NOT NULL,   -- on which they came, UTC; its beginning in microseconds
    parts       BIGINT NOT NULL,   -- how many objects it was made of; 1: of blocks
    first_block BIGINT NOT NULL,   -- numbers in the tenant's chain on the stream
    last_block  BIGINT NOT NULL,
    previous    BYTEA NOT NULL,    -- digest of the block before the first
    digest      BYTEA NOT NULL,    -- of the last block
    events      BIGINT NOT NULL,
    blob_key    TEXT NOT NULL,
    size        BIGINT NOT NULL,   -- bytes of the Parquet file
    sealed_size BIGINT NOT NULL,
    sha256      BYTEA NOT NULL,    -- of the sealed bytes
    created_at  BIGINT NOT NULL,
    mac         BYTEA NOT NULL,
    UNIQUE (stream, tenant, first_block)
);
CREATE INDEX archive_objects_chain ON archive_objects (stream, tenant, last_block, first_block);
CREATE INDEX archive_objects_day ON archive_objects (day, id);
CREATE INDEX archive_objects_tenant ON archive_objects (tenant, day, id);

CREATE TABLE archive_positions (
    stream   TEXT PRIMARY KEY,
    created  BIGINT NOT NULL,      -- when the stream was made: another one of the name is not archived yet
    sequence BIGINT NOT NULL       -- of the stream: what is up to it is archived, or was lost before
, mac BYTEA);

CREATE TABLE archive_starts (
    tenant     TEXT NOT NULL,
    stream     TEXT NOT NULL,
    last_block BIGINT NOT NULL,  -- the last that is not kept
    digest     BYTEA NOT NULL,   -- its
    mac        BYTEA NOT NULL,
    PRIMARY KEY (tenant, stream)
);

CREATE TABLE audit_checkpoint_heads (
    checkpoint BIGINT NOT NULL REFERENCES audit_checkpoints (seq),
    tenant     TEXT NOT NULL,                  -- the chains that grew since the checkpoint before
    seq        BIGINT NOT NULL,
    hash       BYTEA NOT NULL,
    PRIMARY KEY (checkpoint, tenant)
);
CREATE INDEX audit_checkpoint_heads_tenant ON audit_checkpoint_heads (tenant, checkpoint);

CREATE TABLE audit_checkpoints (
    seq       BIGINT PRIMARY KEY,
    at        BIGINT NOT NULL,
    body      BYTEA NOT NULL,                  -- what is signed: number, time, root of the heads' tree, the hash before
    prev      BYTEA NOT NULL,
    hash      BYTEA NOT NULL,
    key_id    TEXT NOT NULL,
    signature BYTEA NOT NULL
);

CREATE TABLE audit_entries (
    tenant  TEXT NOT NULL,                     -- which chain; '' is the provider's
    seq     BIGINT NOT NULL,
    at      BIGINT NOT NULL,
    actor   TEXT NOT NULL,
    verb    TEXT NOT NULL,
    subject TEXT NOT NULL,
    outcome TEXT NOT NULL,
    details BYTEA NOT NULL,                    -- sealed with the tenant's key
    prev    BYTEA NOT NULL,
    hash    BYTEA NOT NULL,
    PRIMARY KEY (tenant, seq)
);
CREATE INDEX audit_entries_by_at ON audit_entries (at, tenant, seq);

CREATE TABLE audit_heads (
    tenant TEXT PRIMARY KEY,
    seq    BIGINT NOT NULL,
    hash   BYTEA NOT NULL,
    mac    BYTEA NOT NULL
);

CREATE TABLE dataset_versions (
    dataset    TEXT NOT NULL REFERENCES datasets (id),
    version    BIGINT NOT NULL,
    source     TEXT NOT NULL,                  -- the YAML as applied
    hash       BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    PRIMARY KEY (dataset, version)
);

CREATE TABLE datasets (
    id         TEXT PRIMARY KEY,
    version    BIGINT NOT NULL,                -- the current one
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL
);

CREATE TABLE event_erasures (
    id        TEXT PRIMARY KEY,
    tenant    TEXT NOT NULL,
    body      BYTEA NOT NULL,             -- the person's names, and until when; sealed with the tenant's pool key
    asked_at  BIGINT NOT NULL,
    asked_by  TEXT NOT NULL,
    archived  BIGINT NOT NULL DEFAULT 0,  -- events taken out of the archive
    objects   BIGINT NOT NULL DEFAULT 0,  -- of the archive that had them, and were written anew
    unread    BIGINT NOT NULL DEFAULT 0,  -- objects that could not be read
    loaded    BIGINT NOT NULL DEFAULT 0,  -- events deleted from the warehouse
    held      BIGINT NOT NULL DEFAULT 0,  -- and from quarantine
    problem   TEXT NOT NULL DEFAULT '',   -- what it waits for
    done_at   BIGINT
, again BIGINT NOT NULL DEFAULT 0);
CREATE INDEX event_erasures_due ON event_erasures (asked_at) WHERE done_at IS NULL OR again > 0 OR unread > 0;
CREATE INDEX event_erasures_tenant ON event_erasures (tenant, id);

CREATE TABLE event_plans (
    version    BIGINT PRIMARY KEY,
    source     TEXT NOT NULL,               -- the YAML as applied
    hash       BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL
);

CREATE TABLE event_sources (
    id           TEXT PRIMARY KEY,
    tenant       TEXT NOT NULL,             -- whose events it sends; '': the provider's, which tenant_field tells
    name         BYTEA NOT NULL,            -- sealed
    tenant_field TEXT NOT NULL DEFAULT '',
    strict       BIGINT NOT NULL,
    key_hash     BYTEA NOT NULL UNIQUE,
    hint         TEXT NOT NULL,             -- last characters of the key, to tell keys apart
    created_at   BIGINT NOT NULL,
    created_by   TEXT NOT NULL,
    revoked_at   BIGINT,
    revoked_by   TEXT NOT NULL DEFAULT '',
    mac          BYTEA NOT NULL
, every_seconds BIGINT NOT NULL DEFAULT 0);
CREATE INDEX event_sources_tenant ON event_sources (tenant, created_at);

CREATE TABLE external_ids (
    external_id TEXT PRIMARY KEY,
    tenant      TEXT NOT NULL REFERENCES tenants (id),
    position    BIGINT NOT NULL,
    mac         BYTEA NOT NULL
);
CREATE INDEX external_ids_tenant ON external_ids (tenant, position);

CREATE TABLE freshness_late (
    kind   TEXT NOT NULL,                   -- source, stream or model
    name   TEXT NOT NULL,
    tenant TEXT NOT NULL,                   -- '': of all together
    since  BIGINT NOT NULL,
    PRIMARY KEY (tenant, kind, name)
);

CREATE TABLE holds (
    id          TEXT PRIMARY KEY,
    tenant      TEXT NOT NULL REFERENCES tenants (id),
    dataset     TEXT NOT NULL,                 -- '': everything of the tenant
    reason      BYTEA NOT NULL,                -- sealed with the pool key
    set_at      BIGINT NOT NULL,
    set_by      TEXT NOT NULL,
    released_at BIGINT,
    released_by TEXT NOT NULL DEFAULT '',
    mac         BYTEA NOT NULL
);
CREATE INDEX holds_set ON holds (set_at);
CREATE INDEX holds_tenant ON holds (tenant);

CREATE TABLE idempotency_keys (
    actor        TEXT NOT NULL,
    key          TEXT NOT NULL,
    request_hash BYTEA NOT NULL,
    status       BIGINT NOT NULL,              -- 0 while the first request runs
    response     BYTEA,
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (actor, key)
);

CREATE TABLE job_turns (
    tenant    TEXT PRIMARY KEY,
    served_at BIGINT NOT NULL                  -- when this tenant last got a worker: the longest ago goes first
);

CREATE TABLE jobs (
    id               TEXT PRIMARY KEY,
    kind             TEXT NOT NULL,
    tenant           TEXT NOT NULL,            -- whose turn it takes; '' is the provider's
    subject          TEXT NOT NULL,            -- the submission's or run's id
    payload          BYTEA NOT NULL,
    state            TEXT NOT NULL,            -- queued, running, succeeded, failed, cancelled
    attempts         BIGINT NOT NULL DEFAULT 0,
    max_attempts     BIGINT NOT NULL,
    run_after        BIGINT NOT NULL,
    lease            TEXT NOT NULL DEFAULT '', -- changes at each attempt; a stale worker's writes name an old one
    lease_until      BIGINT,
    cancel_requested BIGINT NOT NULL DEFAULT 0,
    stage            TEXT NOT NULL DEFAULT '',
    done             BIGINT NOT NULL DEFAULT 0,
    total            BIGINT NOT NULL DEFAULT 0,
    error_kind       TEXT NOT NULL DEFAULT '',
    error            TEXT NOT NULL DEFAULT '',
    created_at       BIGINT NOT NULL,
    started_at       BIGINT,
    finished_at      BIGINT
, waits_for TEXT NOT NULL DEFAULT '', waits_since BIGINT, alarm_at BIGINT, alarmed_at BIGINT);
CREATE INDEX jobs_queue ON jobs (state, run_after);
CREATE INDEX jobs_subject ON jobs (subject);
CREATE INDEX jobs_waiting ON jobs (waits_for, state);

CREATE TABLE key_exports (
    id         TEXT PRIMARY KEY,
    kek        TEXT NOT NULL,                  -- the key-encryption key that wrapped then
    recipients TEXT NOT NULL,                  -- JSON list of fingerprints
    at         BIGINT NOT NULL
);

CREATE TABLE key_rotations (
    id          TEXT PRIMARY KEY,
    kek         TEXT NOT NULL,                 -- the key that everything is wrapped with afterwards
    rewrapped   BIGINT NOT NULL DEFAULT 0,
    started_at  BIGINT NOT NULL,
    finished_at BIGINT
);

CREATE TABLE known_sign_ins (
    tenant  TEXT NOT NULL,
    user_id TEXT NOT NULL,
    place   BYTEA NOT NULL,                -- keyed digest of a network, or of a client's name
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, user_id, place)
);

CREATE TABLE named_queries (
    name       TEXT NOT NULL,
    version    BIGINT NOT NULL,
    source     TEXT NOT NULL,               -- its comment with parameters, and the SQL
    hash       BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    deleted_at BIGINT,
    PRIMARY KEY (name, version)
);

CREATE TABLE notice_mails (
    id         TEXT PRIMARY KEY,           -- eml_…, and in the mail's Message-ID
    tenant     TEXT NOT NULL,
    user_id    TEXT NOT NULL DEFAULT '',   -- who it is to
    kind       TEXT NOT NULL,
    body       BYTEA,                      -- sealed: address, subject and text; null once it is sent or given up
    state      TEXT NOT NULL,              -- waiting, sent, failed
    attempts   BIGINT NOT NULL DEFAULT 0,
    next_at    BIGINT NOT NULL,            -- when it is tried next, unless its result is known before
    error      TEXT NOT NULL DEFAULT '',
    created_at BIGINT NOT NULL,
    settled_at BIGINT
);
CREATE INDEX notice_mails_by_created ON notice_mails (created_at, id);
CREATE INDEX notice_mails_due ON notice_mails (state, next_at);
CREATE INDEX notice_mails_tenant ON notice_mails (tenant, kind, created_at);
CREATE INDEX notice_mails_tenant_created ON notice_mails (tenant, created_at, id);

CREATE TABLE notice_switches (
    tenant  TEXT NOT NULL,
    user_id TEXT NOT NULL,
    kind    TEXT NOT NULL,                 -- a kind that this user has turned off
    PRIMARY KEY (tenant, user_id, kind)
);

CREATE TABLE notices_told (
    tenant  TEXT NOT NULL,
    kind    TEXT NOT NULL,                 -- of which a period has one only
    dataset TEXT NOT NULL,
    date    TEXT NOT NULL,
    told_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, kind, dataset, date)
);

CREATE TABLE offboardings (
    tenant       TEXT PRIMARY KEY REFERENCES tenants (id),
    requested_at BIGINT NOT NULL,
    requested_by TEXT NOT NULL,
    erase_after  BIGINT NOT NULL,
    hastened_by  TEXT NOT NULL DEFAULT '',     -- the second admin who set the grace to nothing
    exported_at  BIGINT,
    finished_at  BIGINT,
    receipt      BYTEA,
    signature    BYTEA
);

CREATE TABLE oidc_attempts (
    state      BYTEA PRIMARY KEY,      -- hash of what comes back
    browser    BYTEA NOT NULL,         -- hash of what the browser keeps
    address    BYTEA NOT NULL,         -- keyed digest of the network it came from
    expires_at BIGINT NOT NULL
, region BYTEA);
CREATE INDEX oidc_attempts_expires ON oidc_attempts (expires_at);

CREATE TABLE organisations (
    id             TEXT PRIMARY KEY,
    name           TEXT NOT NULL UNIQUE,
    verified_at    BIGINT,
    verified_by    TEXT NOT NULL DEFAULT '',
    evidence       TEXT NOT NULL DEFAULT '',
    created_at     BIGINT NOT NULL,
    created_by     TEXT NOT NULL,
    modified_at    BIGINT NOT NULL,
    modified_by    TEXT NOT NULL,
    times_modified BIGINT NOT NULL DEFAULT 0,
    mac            BYTEA NOT NULL
, signed_up BIGINT NOT NULL DEFAULT 0);

CREATE TABLE preferences (
    user_id    TEXT PRIMARY KEY REFERENCES users (id),
    tenant     TEXT NOT NULL,
    choices    BYTEA NOT NULL,                 -- sealed with the pool key: a JSON object
    changed_at BIGINT NOT NULL
);

CREATE TABLE proven_emails (
    tenant    TEXT NOT NULL,
    user_id   TEXT NOT NULL,
    email     TEXT NOT NULL,
    proven_at BIGINT NOT NULL,
    mac       BYTEA NOT NULL,
    PRIMARY KEY (tenant, user_id)
);

CREATE TABLE quarantined_events (
    id          TEXT PRIMARY KEY,
    tenant      TEXT NOT NULL,              -- who sent it and may read it; '': the provider
    about       TEXT NOT NULL DEFAULT '',   -- whose event it is and whose key seals it; '': not known
    source      TEXT NOT NULL,
    reason      TEXT NOT NULL,              -- unreadable, malformed, unplanned, unfit, tenant
    body        BYTEA NOT NULL,             -- sealed
    received_at BIGINT NOT NULL
);
CREATE INDEX quarantined_events_about ON quarantined_events (about);
CREATE INDEX quarantined_events_received ON quarantined_events (received_at);
CREATE INDEX quarantined_events_tenant ON quarantined_events (tenant, received_at, id);

CREATE TABLE release_hidden (
    release TEXT PRIMARY KEY REFERENCES releases (id),
    cells   BYTEA NOT NULL
);

CREATE TABLE releases (
    id           TEXT PRIMARY KEY,
    run          TEXT NOT NULL REFERENCES runs (id),
    analysis     TEXT NOT NULL,
    version      BIGINT NOT NULL,
    date         TEXT NOT NULL,
    organisations BIGINT NOT NULL,             -- that took part
    verified     BIGINT NOT NULL,              -- of them, by a system admin with evidence
    snapshot     BYTEA NOT NULL UNIQUE,        -- one release for one snapshot, for ever
    manifest     BYTEA NOT NULL,
    signature    BYTEA NOT NULL,
    created_at   BIGINT NOT NULL
, recalled_at BIGINT, recalled_by TEXT NOT NULL DEFAULT '', recall_reason TEXT NOT NULL DEFAULT '');

CREATE TABLE reopenings (
    id         TEXT PRIMARY KEY,
    tenant     TEXT NOT NULL REFERENCES tenants (id),
    dataset    TEXT NOT NULL REFERENCES datasets (id),
    date       TEXT NOT NULL,                  -- first day of the period, YYYY-MM-DD
    reason     BYTEA NOT NULL,                 -- sealed with the pool key
    until      BIGINT NOT NULL,                -- earlier than was said if it was closed early
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    closed_at  BIGINT,                         -- when it was closed early
    closed_by  TEXT NOT NULL DEFAULT '',
    mac        BYTEA NOT NULL
);
CREATE INDEX reopenings_period ON reopenings (dataset, date, tenant);
CREATE INDEX reopenings_until ON reopenings (until);

CREATE TABLE results (
    id            TEXT PRIMARY KEY,
    tenant        TEXT NOT NULL REFERENCES tenants (id),
    release_id    TEXT NOT NULL REFERENCES releases (id),
    analysis      TEXT NOT NULL,
    date          TEXT NOT NULL,
    name          BYTEA NOT NULL,              -- file name without ending, sealed with the pool key
    object        TEXT NOT NULL,               -- the CSV, then the Parquet file
    csv_size      BIGINT NOT NULL,             -- bytes of it that are the CSV
    row_count     BIGINT NOT NULL,
    suppressed    BIGINT NOT NULL,
    marked        BIGINT NOT NULL,             -- 1: made under a minimum below 3
    created_at    BIGINT NOT NULL,
    downloaded_at BIGINT, deletes_at BIGINT, deleted_at BIGINT, recalled_at BIGINT, recalled_by TEXT NOT NULL DEFAULT '', recall_reason BYTEA,
    UNIQUE (release_id, tenant)
);
CREATE INDEX results_by_analysis ON results (analysis, id);
CREATE INDEX results_by_created ON results (created_at, id);
CREATE INDEX results_by_date ON results (date, id);
CREATE INDEX results_deletes ON results (deletes_at) WHERE deleted_at IS NULL;
CREATE INDEX results_tenant_analysis ON results (tenant, analysis, id);
CREATE INDEX results_tenant_created ON results (tenant, created_at, id);
CREATE INDEX results_tenant_date ON results (tenant, date, id);

CREATE TABLE run_inputs (
    run          TEXT NOT NULL REFERENCES runs (id),
    tenant       TEXT NOT NULL,
    organisation TEXT NOT NULL,
    dataset      TEXT NOT NULL,
    submission   TEXT NOT NULL,
    contract     BIGINT NOT NULL,             -- version that it was accepted under
    object       TEXT NOT NULL,
    commitment   BYTEA NOT NULL,
    PRIMARY KEY (run, tenant, dataset)
);

CREATE TABLE run_log (
    run     TEXT NOT NULL REFERENCES runs (id),
    seq     BIGINT NOT NULL,
    at      BIGINT NOT NULL,
    level   TEXT NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (run, seq)
);

CREATE TABLE runs (
    id           TEXT PRIMARY KEY,
    analysis     TEXT NOT NULL REFERENCES analyses (id),
    version      BIGINT NOT NULL,
    date         TEXT NOT NULL,
    state        TEXT NOT NULL,                -- queued, running, succeeded, withheld, skipped, failed, cancelled
    reason       TEXT NOT NULL DEFAULT '',
    job          TEXT NOT NULL,
    started_by   TEXT NOT NULL,
    snapshot     BYTEA,                        -- hash over definition, date and inputs
    release_id   TEXT NOT NULL DEFAULT '',
    participants BIGINT NOT NULL DEFAULT 0,
    created_at   BIGINT NOT NULL,
    started_at   BIGINT,
    finished_at  BIGINT
, through BIGINT, mac BYTEA);
CREATE INDEX runs_analysis ON runs (analysis, date);
CREATE INDEX runs_by_analysis ON runs (analysis, id);
CREATE INDEX runs_by_created ON runs (created_at, id);
CREATE INDEX runs_by_date ON runs (date, id);
CREATE INDEX runs_by_finished ON runs (finished_at, id);
CREATE INDEX runs_date ON runs (date, state);

CREATE TABLE saga_steps (
    saga   TEXT NOT NULL REFERENCES sagas (id),
    tenant TEXT NOT NULL,
    ord    BIGINT NOT NULL,
    step   TEXT NOT NULL,
    state  TEXT NOT NULL,                      -- done, compensated
    detail TEXT NOT NULL DEFAULT '',
    at     BIGINT NOT NULL,
    PRIMARY KEY (saga, ord)
);

CREATE TABLE sagas (
    id              TEXT PRIMARY KEY,
    kind            TEXT NOT NULL,             -- onboard, offboard
    tenant          TEXT NOT NULL,
    idempotency_key TEXT UNIQUE,
    request         BYTEA NOT NULL,
    state           TEXT NOT NULL,             -- running, done, compensating, compensated
    error           TEXT NOT NULL DEFAULT '',
    actor           TEXT NOT NULL,
    created_at      BIGINT NOT NULL,
    finished_at     BIGINT
);
CREATE INDEX sagas_open ON sagas (state);
CREATE INDEX sagas_tenant ON sagas (tenant);

CREATE TABLE schedule_firings (
    schedule   TEXT NOT NULL REFERENCES schedules (id),
    nominal_at BIGINT NOT NULL,                -- when it was to fire
    cause      TEXT NOT NULL,                  -- cron, or the id of a reopening
    fired_at   BIGINT NOT NULL,
    note       TEXT NOT NULL, early BIGINT NOT NULL DEFAULT 0,                  -- why there is no run, or what was left out; may be empty
    PRIMARY KEY (schedule, nominal_at, cause)
);
CREATE INDEX schedule_firings_fired ON schedule_firings (fired_at);

CREATE TABLE schedule_runs (
    schedule   TEXT NOT NULL REFERENCES schedules (id),
    analysis   TEXT NOT NULL,
    date       TEXT NOT NULL,
    reason     TEXT NOT NULL,                  -- closed; the id of a reopening; with an offset the nominal time
    nominal_at BIGINT NOT NULL,                -- of the firing, with cause
    cause      TEXT NOT NULL,
    fired_at   BIGINT NOT NULL,
    run        TEXT NOT NULL, early BIGINT NOT NULL DEFAULT 0, covers_from TEXT NOT NULL DEFAULT '', covers_to TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (schedule, analysis, date, reason)
);
CREATE INDEX schedule_runs_firing ON schedule_runs (schedule, nominal_at, cause);

CREATE TABLE schedules (
    id             TEXT PRIMARY KEY,
    analyses       TEXT NOT NULL,              -- JSON list of names
    cron           TEXT NOT NULL,              -- five fields, or a descriptor such as @monthly
    zone           TEXT NOT NULL,              -- IANA name
    date_offset    BIGINT,                     -- business date: days before the firing's; NULL: of the periods that have closed
    state          TEXT NOT NULL,              -- active, paused
    next_at        BIGINT,                     -- NULL: paused, or it never comes again
    last_at        BIGINT,                     -- the last time that was dealt with: none up to it fires again
    reopened_to    BIGINT NOT NULL,            -- reopenings that ended before were dealt with
    created_at     BIGINT NOT NULL,
    created_by     TEXT NOT NULL,
    modified_at    BIGINT NOT NULL,
    modified_by    TEXT NOT NULL,
    times_modified BIGINT NOT NULL DEFAULT 0
, counts_from BIGINT, mac BYTEA);
CREATE INDEX schedules_next ON schedules (state, next_at);

CREATE TABLE second_factors (
    id         TEXT PRIMARY KEY,
    tenant     TEXT NOT NULL,
    user_id    TEXT NOT NULL REFERENCES users (id),
    secret     BYTEA NOT NULL,             -- sealed with the pool key, or the provider's own
    codes      BYTEA NOT NULL,             -- recovery codes that are left: keyed digests of 33 bytes each
    used_step  BIGINT NOT NULL DEFAULT 0,  -- of the last code that was used: none of it or before it is good
    created_at BIGINT NOT NULL,
    mac        BYTEA NOT NULL
);
CREATE INDEX second_factors_user ON second_factors (user_id);

CREATE TABLE sessions (
    id             TEXT PRIMARY KEY,
    tenant         TEXT NOT NULL,
    user_id        TEXT NOT NULL REFERENCES users (id),
    token_hash     BYTEA NOT NULL UNIQUE,
    previous_hash  BYTEA UNIQUE,               -- the token before the last rotation
    created_at     BIGINT NOT NULL,
    rotated_at     BIGINT NOT NULL,
    used_at        BIGINT NOT NULL,
    idle_until     BIGINT NOT NULL,
    absolute_until BIGINT NOT NULL,
    revoked_at     BIGINT,
    address        TEXT NOT NULL DEFAULT '',
    agent          TEXT NOT NULL DEFAULT '',
    mac            BYTEA NOT NULL
, next_hash BYTEA, offered_at BIGINT NOT NULL DEFAULT 0);
CREATE UNIQUE INDEX sessions_next ON sessions (next_hash);
CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value BYTEA NOT NULL
);

CREATE TABLE setup_links (
    token_hash BYTEA PRIMARY KEY,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT
);

CREATE TABLE sign_in_failures (
    subject      TEXT PRIMARY KEY,             -- an account's or an address's, hashed
    failures     BIGINT NOT NULL,
    first_at     BIGINT NOT NULL,
    locked_until BIGINT
);

CREATE TABLE ssh_keys (
    id            TEXT PRIMARY KEY,
    tenant        TEXT NOT NULL,
    user_id       TEXT NOT NULL REFERENCES users (id),
    name          TEXT NOT NULL,
    public_key    TEXT NOT NULL,               -- authorized_keys form without comment
    fingerprint   TEXT NOT NULL,               -- SHA256:…
    ip_allow      TEXT NOT NULL DEFAULT '[]',
    provider_made BIGINT NOT NULL DEFAULT 0,
    created_at    BIGINT NOT NULL,
    created_by    TEXT NOT NULL,
    expires_at    BIGINT,
    used_at       BIGINT,
    revoked_at    BIGINT,
    revoked_by    TEXT NOT NULL DEFAULT '',
    mac           BYTEA NOT NULL
);
CREATE UNIQUE INDEX ssh_keys_fingerprint ON ssh_keys (user_id, fingerprint);

CREATE TABLE staff_identities (
    user_id   TEXT PRIMARY KEY REFERENCES users (id),
    issuer    TEXT NOT NULL,
    subject   TEXT NOT NULL,
    email     TEXT NOT NULL,           -- as the issuer said when it was linked
    linked_at BIGINT NOT NULL,
    mac       BYTEA NOT NULL,
    UNIQUE (issuer, subject)
);

CREATE TABLE stream_heads (
    tenant   TEXT NOT NULL,
    stream   TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    digest   BYTEA NOT NULL,
    at       BIGINT NOT NULL,
    PRIMARY KEY (tenant, stream)
);

CREATE TABLE stream_published (
    tenant TEXT PRIMARY KEY,                -- whose chain; '': the provider's
    seq    BIGINT NOT NULL
);

CREATE TABLE submissions (
    id              TEXT PRIMARY KEY,
    tenant          TEXT NOT NULL REFERENCES tenants (id),
    dataset         TEXT NOT NULL REFERENCES datasets (id),
    dataset_version BIGINT NOT NULL,
    date            TEXT NOT NULL,             -- business date, YYYY-MM-DD
    revision        BIGINT NOT NULL,           -- 1, 2, … for this tenant, dataset and date
    state           TEXT NOT NULL,             -- received, validating, accepted, rejected, superseded, withdrawn
    name            BYTEA NOT NULL,            -- file name, sealed with the pool key
    channel         TEXT NOT NULL,             -- api, cli, sftp, web
    size            BIGINT NOT NULL,
    row_count       BIGINT,
    column_count    BIGINT,
    error_count     BIGINT,
    verdict         BYTEA,                     -- sealed with the vault key: problems with row, column, reason
    object          TEXT NOT NULL,             -- vault_objects.id of the file; '' once deleted
    accepted_object TEXT NOT NULL DEFAULT '',
    commitment      BYTEA NOT NULL,
    job             TEXT NOT NULL DEFAULT '',
    received_at     BIGINT NOT NULL,
    validated_at    BIGINT,
    closed_at       BIGINT,                    -- when superseded or withdrawn
    submitted_by    TEXT NOT NULL, root BIGINT NOT NULL DEFAULT 0, name_key BYTEA, file_time BIGINT, duplicate_of TEXT NOT NULL DEFAULT '', deleted_at BIGINT, deleted_for TEXT NOT NULL DEFAULT '',
    UNIQUE (tenant, dataset, date, revision)
);
CREATE INDEX submissions_by_dataset ON submissions (dataset, id);
CREATE INDEX submissions_by_date ON submissions (date, id);
CREATE INDEX submissions_by_received ON submissions (received_at, id);
CREATE INDEX submissions_by_size ON submissions (size, id);
CREATE INDEX submissions_dataset_received ON submissions (dataset, received_at, id);
CREATE INDEX submissions_figures ON submissions (tenant, received_at, state);
CREATE INDEX submissions_first ON submissions (dataset, error_count, tenant, date);
CREATE INDEX submissions_folder ON submissions (tenant, dataset, date, received_at);
CREATE INDEX submissions_kept ON submissions (dataset, received_at) WHERE deleted_at IS NULL;
CREATE INDEX submissions_name ON submissions (tenant, name_key);
CREATE INDEX submissions_period ON submissions (dataset, date, state);
CREATE INDEX submissions_root ON submissions (tenant, root, received_at);
CREATE INDEX submissions_state_received ON submissions (state, received_at, id);
CREATE INDEX submissions_tenant_dataset ON submissions (tenant, dataset, id);
CREATE INDEX submissions_tenant_date ON submissions (tenant, date, id);
CREATE INDEX submissions_tenant_received ON submissions (tenant, received_at, id);
CREATE INDEX submissions_tenant_size ON submissions (tenant, size, id);

CREATE TABLE tenant_domains (
    id          TEXT PRIMARY KEY,          -- dom_…
    tenant      TEXT NOT NULL,
    domain      TEXT NOT NULL UNIQUE,      -- lower case, ASCII
    vouched_at  BIGINT,                    -- by the provider, that it is the tenant's
    vouched_by  TEXT NOT NULL DEFAULT '',
    approved_at BIGINT,                    -- by an admin of the tenant; null: nobody can sign up with it
    approved_by TEXT NOT NULL DEFAULT '',
    proof       TEXT NOT NULL DEFAULT '',  -- of the approval: the user whose address proves it, or 'provider'
    created_at  BIGINT NOT NULL,
    mac         BYTEA NOT NULL
);
CREATE INDEX tenant_domains_tenant ON tenant_domains (tenant, domain);

CREATE TABLE tenant_keys (
    tenant       TEXT NOT NULL REFERENCES tenants (id),
    purpose      TEXT NOT NULL,                -- vault, pool
    wrapped      BYTEA,                        -- null once destroyed
    created_at   BIGINT NOT NULL,
    destroyed_at BIGINT,
    mac          BYTEA NOT NULL,
    PRIMARY KEY (tenant, purpose)
);

CREATE TABLE tenants (
    id             TEXT PRIMARY KEY,
    slug           TEXT NOT NULL UNIQUE,
    name           TEXT NOT NULL,
    organisation   TEXT NOT NULL REFERENCES organisations (id),
    tier           TEXT NOT NULL,
    type           TEXT NOT NULL,              -- PRODUCTION, POC, TESTING
    industry       TEXT NOT NULL DEFAULT '',
    revenue        BIGINT,                     -- a year, in whole units of the provider's currency
    employees      BIGINT,
    state          TEXT NOT NULL,              -- onboarding, active, suspended, offboarding, erased
    state_reason   TEXT NOT NULL DEFAULT '',
    ip_allow       TEXT NOT NULL DEFAULT '[]', -- JSON list of CIDR prefixes; empty allows all
    claimed_at     BIGINT,                     -- first submission or first sign-in of a tenant admin: from then on the provider makes no credentials
    created_at     BIGINT NOT NULL,
    created_by     TEXT NOT NULL,
    modified_at    BIGINT NOT NULL,
    modified_by    TEXT NOT NULL,
    times_modified BIGINT NOT NULL DEFAULT 0,
    mac            BYTEA NOT NULL
);
CREATE INDEX tenants_by_created ON tenants (created_at, id);
CREATE INDEX tenants_by_name ON tenants (name, id);
CREATE INDEX tenants_organisation ON tenants (organisation);

CREATE TABLE upload_parts (
    upload TEXT NOT NULL REFERENCES uploads (id),
    tenant TEXT NOT NULL,
    ord    BIGINT NOT NULL,
    object TEXT NOT NULL,                      -- vault_objects.id
    size   BIGINT NOT NULL,
    PRIMARY KEY (upload, ord)
);

CREATE TABLE uploads (
    id         TEXT PRIMARY KEY,
    tenant     TEXT NOT NULL REFERENCES tenants (id),
    channel    TEXT NOT NULL,                  -- sftp, web
    dataset    TEXT NOT NULL DEFAULT '',       -- what it will be submitted for; '' in the root of SFTP's /input
    date       TEXT NOT NULL DEFAULT '',
    name       BYTEA NOT NULL,                 -- file name, sealed with the pool key
    name_key   BYTEA NOT NULL,                 -- a MAC of the name, to find it by
    length     BIGINT,                         -- what the sender said
    digest     BYTEA,                          -- sealed with the vault key: the SHA-256 that the sender said
    file_time  BIGINT,                         -- when the sender's file was changed, as the sender said
    submission TEXT NOT NULL DEFAULT '',       -- what became of it
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    created_by TEXT NOT NULL
);
CREATE INDEX uploads_changed ON uploads (changed_at);
CREATE INDEX uploads_tenant ON uploads (tenant, channel, dataset, date);

CREATE TABLE users (
    id             TEXT PRIMARY KEY,
    tenant         TEXT NOT NULL,
    login          TEXT NOT NULL,              -- the part after the dot in SLUG.USER
    email          TEXT NOT NULL,              -- lower case
    name           TEXT NOT NULL DEFAULT '',
    role           TEXT NOT NULL,
    password       TEXT NOT NULL DEFAULT '',   -- argon2id, or empty: no password
    state          TEXT NOT NULL,              -- active, disabled
    provider_made  BIGINT NOT NULL DEFAULT 0,  -- 1: the provider made it for a tenant
    signed_in_at   BIGINT,
    created_at     BIGINT NOT NULL,
    created_by     TEXT NOT NULL,
    modified_at    BIGINT NOT NULL,
    modified_by    TEXT NOT NULL,
    times_modified BIGINT NOT NULL DEFAULT 0,
    mac            BYTEA NOT NULL, second_factor TEXT NOT NULL DEFAULT '',
    UNIQUE (tenant, login),
    UNIQUE (tenant, email)
);
CREATE INDEX users_by_created ON users (tenant, created_at, id);
CREATE INDEX users_by_name ON users (tenant, name, id);
CREATE INDEX users_by_signed_in ON users (tenant, signed_in_at, id);
CREATE INDEX users_email ON users (email);

CREATE TABLE vault_garbage (
    blob_key TEXT PRIMARY KEY,                 -- bytes without a row, removed in the next round
    tenant   TEXT NOT NULL,
    since    BIGINT NOT NULL
);

CREATE TABLE vault_objects (
    id          TEXT PRIMARY KEY,
    tenant      TEXT NOT NULL,
    store       TEXT NOT NULL,                 -- input, output
    kind        TEXT NOT NULL,                 -- file, accepted, csv, parquet
    version     BIGINT NOT NULL,
    blob_key    TEXT NOT NULL UNIQUE,
    size        BIGINT NOT NULL,               -- bytes before sealing
    sealed_size BIGINT NOT NULL,
    digest      BYTEA NOT NULL,                -- sealed: SHA-256 of the bytes and the commitment's salt
    commitment  BYTEA NOT NULL,                -- SHA-256(salt | SHA-256 of the bytes): says nothing to who lacks the salt
    created_at  BIGINT NOT NULL,
    created_by  TEXT NOT NULL
);
CREATE INDEX vault_objects_figures ON vault_objects (tenant, sealed_size);
CREATE INDEX vault_objects_tenant ON vault_objects (tenant, store);

CREATE TABLE webhook_deliveries (
    id         TEXT PRIMARY KEY,           -- msg_…, the header webhook-id
    tenant     TEXT NOT NULL,
    webhook    TEXT NOT NULL REFERENCES webhooks (id),
    kind       TEXT NOT NULL,
    payload    BYTEA NOT NULL,             -- sealed: JSON, ids only
    state      TEXT NOT NULL,              -- waiting, delivered, failed
    attempts   BIGINT NOT NULL DEFAULT 0,
    next_at    BIGINT NOT NULL,
    status     BIGINT NOT NULL DEFAULT 0,  -- of the last answer; 0: there was none
    error      TEXT NOT NULL DEFAULT '',
    created_at BIGINT NOT NULL,
    tried_at   BIGINT
);
CREATE INDEX webhook_deliveries_created ON webhook_deliveries (created_at);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (state, next_at);
CREATE INDEX webhook_deliveries_webhook ON webhook_deliveries (webhook, created_at);

CREATE TABLE webhooks (
    id             TEXT PRIMARY KEY,
    tenant         TEXT NOT NULL,
    config         BYTEA NOT NULL,         -- sealed: URL, kinds and secrets
    state          TEXT NOT NULL,          -- active, disabled
    reason         TEXT NOT NULL DEFAULT '',
    failing_since  BIGINT,                 -- of the first failure after the last success
    created_at     BIGINT NOT NULL,
    created_by     TEXT NOT NULL,
    modified_at    BIGINT NOT NULL,
    modified_by    TEXT NOT NULL,
    times_modified BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX webhooks_tenant ON webhooks (tenant, created_at);
