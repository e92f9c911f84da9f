-- +goose Up
-- A session's next token is given out and becomes the session's when it is used first:
-- the answer that had it may have been lost.

ALTER TABLE sessions ADD COLUMN next_hash BYTEA;                       -- given out and not used yet
ALTER TABLE sessions ADD COLUMN offered_at BIGINT NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX sessions_next ON sessions (next_hash);
