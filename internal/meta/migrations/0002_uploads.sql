-- +goose Up
-- Files on their way: what arrived of them is durable, and they are no submissions yet.

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
CREATE INDEX uploads_tenant ON uploads (tenant, channel, dataset, date);
CREATE INDEX uploads_changed ON uploads (changed_at);

CREATE TABLE upload_parts (
    upload TEXT NOT NULL REFERENCES uploads (id),
    tenant TEXT NOT NULL,
    ord    BIGINT NOT NULL,
    object TEXT NOT NULL,                      -- vault_objects.id
    size   BIGINT NOT NULL,
    PRIMARY KEY (upload, ord)
);

ALTER TABLE submissions ADD COLUMN root BIGINT NOT NULL DEFAULT 0; -- 1: put into the root of SFTP's /input
ALTER TABLE submissions ADD COLUMN name_key BYTEA;                 -- as in uploads; null: sent before 0.2
ALTER TABLE submissions ADD COLUMN file_time BIGINT;               -- as in uploads
CREATE INDEX submissions_folder ON submissions (tenant, dataset, date, received_at);
CREATE INDEX submissions_root ON submissions (tenant, root, received_at);
CREATE INDEX submissions_name ON submissions (tenant, name_key);
