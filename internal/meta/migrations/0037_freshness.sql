-- +goose Up
-- How often at least something is to come from a source, and what was told to be late.

ALTER TABLE event_sources ADD COLUMN every_seconds BIGINT NOT NULL DEFAULT 0;

CREATE TABLE freshness_late (
    kind   TEXT NOT NULL,                   -- source, stream or model
    name   TEXT NOT NULL,
    tenant TEXT NOT NULL,                   -- '': of all together
    since  BIGINT NOT NULL,
    PRIMARY KEY (tenant, kind, name)
);
