-- +goose Up
-- Who the provider's people are at the issuer that they sign in with. No tenant's
-- people are here.

CREATE TABLE staff_identities (
    user_id   TEXT PRIMARY KEY REFERENCES users (id),
    issuer    TEXT NOT NULL,
    subject   TEXT NOT NULL,
    email     TEXT NOT NULL,           -- as the issuer said when it was linked
    linked_at BIGINT NOT NULL,
    mac       BYTEA NOT NULL,
    UNIQUE (issuer, subject)
);

-- Sign-ins that wait for somebody to come back from the issuer, each good once.
CREATE TABLE oidc_attempts (
    state      BYTEA PRIMARY KEY,      -- hash of what comes back
    browser    BYTEA NOT NULL,         -- hash of what the browser keeps
    address    BYTEA NOT NULL,         -- keyed digest of the network it came from
    expires_at BIGINT NOT NULL
);
CREATE INDEX oidc_attempts_expires ON oidc_attempts (expires_at);
