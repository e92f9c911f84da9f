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

-- The submission before this one, of the same tenant, dataset and date, if it had
-- the same bytes.
ALTER TABLE submissions ADD COLUMN duplicate_of TEXT NOT NULL DEFAULT '';

-- Since when each tenant has sent a dataset.
CREATE INDEX submissions_first ON submissions (dataset, error_count, tenant, date);
