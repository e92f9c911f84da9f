-- +goose Up
CREATE TABLE key_exports (
    id         TEXT PRIMARY KEY,
    kek        TEXT NOT NULL,                  -- the key-encryption key that wrapped then
    recipients TEXT NOT NULL,                  -- JSON list of fingerprints
    at         BIGINT NOT NULL
);

CREATE TABLE key_rotations (
    id          TEXT PRIMARY KEY,
    kek         TEXT NOT NULL,                 -- the key that everything is wrapped with afterwards
    rewrapped   BIGINT NOT NULL DEFAULT 0,
    started_at  BIGINT NOT NULL,
    finished_at BIGINT
);
