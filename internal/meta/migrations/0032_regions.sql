-- +goose Up
-- The wider network that somebody without a credential came from, which one holder of
-- IPv6 addresses may have all of: keyed digests.

ALTER TABLE account_asks ADD COLUMN region BYTEA;
ALTER TABLE oidc_attempts ADD COLUMN region BYTEA;
