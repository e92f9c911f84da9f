-- +goose Up
-- What may send events, what they have to be like, which were not, and how far the
-- chains of blocks on the streams have got.

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
);
CREATE INDEX event_sources_tenant ON event_sources (tenant, created_at);

CREATE TABLE event_plans (
    version    BIGINT PRIMARY KEY,
    source     TEXT NOT NULL,               -- the YAML as applied
    hash       BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL
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
CREATE INDEX quarantined_events_tenant ON quarantined_events (tenant, received_at, id);
CREATE INDEX quarantined_events_about ON quarantined_events (about);
CREATE INDEX quarantined_events_received ON quarantined_events (received_at);

CREATE TABLE stream_heads (
    tenant   TEXT NOT NULL,
    stream   TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    digest   BYTEA NOT NULL,
    at       BIGINT NOT NULL,
    PRIMARY KEY (tenant, stream)
);
