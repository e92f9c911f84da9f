-- +goose Up

-- A user's second factor: an authenticator's secret, and recovery codes. Which one is
-- on is in the user's row, under its MAC; another that is here was begun and not
-- confirmed.
CREATE TABLE second_factors (
    id         TEXT PRIMARY KEY,
    tenant     TEXT NOT NULL,
    user_id    TEXT NOT NULL REFERENCES users (id),
    secret     BYTEA NOT NULL,             -- sealed with the pool key, or the provider's own
    codes      BYTEA NOT NULL,             -- recovery codes that are left: keyed digests of 33 bytes each
    used_step  BIGINT NOT NULL DEFAULT 0,  -- of the last code that was used: none of it or before it is good
    created_at BIGINT NOT NULL,
    mac        BYTEA NOT NULL
);
CREATE INDEX second_factors_user ON second_factors (user_id);

ALTER TABLE users ADD COLUMN second_factor TEXT NOT NULL DEFAULT ''; -- the id of the one that is on
