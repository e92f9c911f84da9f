-- +goose Up

-- A period of a dataset that was opened again for one tenant: until its end that
-- tenant's files count as in time.
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

-- Up to when what was received counts for the run; NULL: all that is accepted.
ALTER TABLE runs ADD COLUMN through BIGINT;

-- The accepted submission of the same tenant, dataset and date that stood when
-- this one, with the same bytes, arrived.
ALTER TABLE submissions ADD COLUMN duplicate_of TEXT NOT NULL DEFAULT '';
