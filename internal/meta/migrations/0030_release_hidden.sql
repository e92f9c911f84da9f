-- +goose Up
-- Which cells of a release with totals were hidden, for the releases after it: keyed
-- digests of 16 bytes, in order. The manifest of the release has the SHA-256 of all.

CREATE TABLE release_hidden (
    release TEXT PRIMARY KEY REFERENCES releases (id),
    cells   BYTEA NOT NULL
);
