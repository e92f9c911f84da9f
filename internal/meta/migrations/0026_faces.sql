-- +goose Up
-- How people come in by a mail: invitations, forgotten passwords, sign-up.

CREATE TABLE account_links (
    id         TEXT PRIMARY KEY,           -- inv_…, rst_…
    tenant     TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    kind       TEXT NOT NULL,              -- invitation, reset
    token_hash BYTEA NOT NULL UNIQUE,
    mailed     BIGINT NOT NULL,            -- 1: the token went to the user's address and nowhere else
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    sent_at    BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT,
    ended_at   BIGINT,                     -- taken back, or replaced by a newer one
    mac        BYTEA NOT NULL
);
CREATE INDEX account_links_user ON account_links (user_id, kind);
CREATE INDEX account_links_tenant ON account_links (tenant, created_at);

-- What somebody without a credential asked for. That a row is here says nothing of
-- whether there is such an account: each one who asks makes one.
CREATE TABLE account_asks (
    id         TEXT PRIMARY KEY,           -- ask_…
    kind       TEXT NOT NULL,              -- reset, sign-up
    body       BYTEA,                      -- sealed: what was typed, and from where; null once it is over
    subject    BYTEA NOT NULL,             -- keyed digest of what was typed
    address    BYTEA NOT NULL,             -- keyed digest of the network it came from
    state      TEXT NOT NULL,              -- asked, answered, proven, done
    joins      TEXT NOT NULL DEFAULT '',   -- the tenant to sign up to; empty: a new one
    code       BYTEA,                      -- keyed digest of the code that was mailed; null: none was
    tries      BIGINT NOT NULL DEFAULT 0,
    ticket     BYTEA UNIQUE,               -- hash of what the right code was exchanged for
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    mac        BYTEA NOT NULL
);
CREATE INDEX account_asks_state ON account_asks (state, created_at);
CREATE INDEX account_asks_created ON account_asks (created_at);

-- Addresses that their owners have shown to be theirs, by what was mailed there.
CREATE TABLE proven_emails (
    tenant    TEXT NOT NULL,
    user_id   TEXT NOT NULL,
    email     TEXT NOT NULL,
    proven_at BIGINT NOT NULL,
    mac       BYTEA NOT NULL,
    PRIMARY KEY (tenant, user_id)
);

CREATE TABLE tenant_domains (
    id          TEXT PRIMARY KEY,          -- dom_…
    tenant      TEXT NOT NULL,
    domain      TEXT NOT NULL UNIQUE,      -- lower case, ASCII
    vouched_at  BIGINT,                    -- by the provider, that it is the tenant's
    vouched_by  TEXT NOT NULL DEFAULT '',
    approved_at BIGINT,                    -- by an admin of the tenant; null: nobody can sign up with it
    approved_by TEXT NOT NULL DEFAULT '',
    proof       TEXT NOT NULL DEFAULT '',  -- of the approval: the user whose address proves it, or 'provider'
    created_at  BIGINT NOT NULL,
    mac         BYTEA NOT NULL
);
CREATE INDEX tenant_domains_tenant ON tenant_domains (tenant, domain);

-- An organisation that signed itself up takes no part in runs until it is verified.
ALTER TABLE organisations ADD COLUMN signed_up BIGINT NOT NULL DEFAULT 0;
