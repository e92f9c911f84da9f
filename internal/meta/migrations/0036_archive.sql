-- +goose Up
-- What the streams held, in sealed Parquet objects, and how far each stream is there.

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
CREATE INDEX archive_objects_tenant ON archive_objects (tenant, day, id);
CREATE INDEX archive_objects_day ON archive_objects (day, id);

CREATE TABLE archive_positions (
    stream   TEXT PRIMARY KEY,
    created  BIGINT NOT NULL,      -- when the stream was made: another one of the name is not archived yet
    sequence BIGINT NOT NULL       -- of the stream: what is up to it is archived, or was lost before
);

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
