-- +goose Up
-- What the provider's people have saved to ask of the warehouse.

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
