-- +goose Up

-- A legal hold keeps what a tenant has, or what it has of one dataset, from being deleted.
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
CREATE INDEX holds_tenant ON holds (tenant);
CREATE INDEX holds_set ON holds (set_at);

ALTER TABLE submissions ADD COLUMN deleted_at BIGINT;                -- when its bytes were removed
ALTER TABLE submissions ADD COLUMN deleted_for TEXT NOT NULL DEFAULT ''; -- tenant, retention
CREATE INDEX submissions_kept ON submissions (dataset, received_at) WHERE deleted_at IS NULL;

ALTER TABLE results ADD COLUMN deletes_at BIGINT;                    -- null: kept for as long as the tenant
ALTER TABLE results ADD COLUMN deleted_at BIGINT;
ALTER TABLE results ADD COLUMN recalled_at BIGINT;
ALTER TABLE results ADD COLUMN recalled_by TEXT NOT NULL DEFAULT '';
ALTER TABLE results ADD COLUMN recall_reason BYTEA;                  -- sealed with the pool key
CREATE INDEX results_deletes ON results (deletes_at) WHERE deleted_at IS NULL;

ALTER TABLE releases ADD COLUMN recalled_at BIGINT;                  -- of all its results
ALTER TABLE releases ADD COLUMN recalled_by TEXT NOT NULL DEFAULT '';
ALTER TABLE releases ADD COLUMN recall_reason TEXT NOT NULL DEFAULT '';
