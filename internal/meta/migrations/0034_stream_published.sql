-- +goose Up
-- How far each chain of the audit log is published on the streams.

CREATE TABLE stream_published (
    tenant TEXT PRIMARY KEY,                -- whose chain; '': the provider's
    seq    BIGINT NOT NULL
);
