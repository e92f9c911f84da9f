-- +goose Up
-- Who was erased from tenants' events: what came of them until then is left out wherever it turns up again.

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
);
CREATE INDEX event_erasures_tenant ON event_erasures (tenant, id);
CREATE INDEX event_erasures_due ON event_erasures (asked_at) WHERE done_at IS NULL;

-- Where chains begin in the archive whose first objects it keeps no longer.
CREATE TABLE archive_starts (
    tenant     TEXT NOT NULL,
    stream     TEXT NOT NULL,
    last_block BIGINT NOT NULL,  -- the last that is not kept
    digest     BYTEA NOT NULL,   -- its
    mac        BYTEA NOT NULL,
    PRIMARY KEY (tenant, stream)
);

ALTER TABLE archive_positions ADD COLUMN mac BYTEA; -- null: of before; what the stream has is looked at again
