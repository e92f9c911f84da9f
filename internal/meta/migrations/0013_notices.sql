-- +goose Up
-- Mails and webhooks: what is told to whom, and whether it has been.

CREATE TABLE notice_mails (
    id         TEXT PRIMARY KEY,           -- eml_…, and in the mail's Message-ID
    tenant     TEXT NOT NULL,
    user_id    TEXT NOT NULL DEFAULT '',   -- who it is to
    kind       TEXT NOT NULL,
    body       BYTEA,                      -- sealed: address, subject and text; null once it is sent or given up
    state      TEXT NOT NULL,              -- waiting, sent, failed
    attempts   BIGINT NOT NULL DEFAULT 0,
    next_at    BIGINT NOT NULL,            -- when it is tried next, unless its result is known before
    error      TEXT NOT NULL DEFAULT '',
    created_at BIGINT NOT NULL,
    settled_at BIGINT
);
CREATE INDEX notice_mails_due ON notice_mails (state, next_at);
CREATE INDEX notice_mails_tenant ON notice_mails (tenant, kind, created_at);
CREATE INDEX notice_mails_created ON notice_mails (created_at);

CREATE TABLE notice_switches (
    tenant  TEXT NOT NULL,
    user_id TEXT NOT NULL,
    kind    TEXT NOT NULL,                 -- a kind that this user has turned off
    PRIMARY KEY (tenant, user_id, kind)
);

CREATE TABLE webhooks (
    id             TEXT PRIMARY KEY,
    tenant         TEXT NOT NULL,
    config         BYTEA NOT NULL,         -- sealed: URL, kinds and secrets
    state          TEXT NOT NULL,          -- active, disabled
    reason         TEXT NOT NULL DEFAULT '',
    failing_since  BIGINT,                 -- of the first failure after the last success
    created_at     BIGINT NOT NULL,
    created_by     TEXT NOT NULL,
    modified_at    BIGINT NOT NULL,
    modified_by    TEXT NOT NULL,
    times_modified BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX webhooks_tenant ON webhooks (tenant, created_at);

CREATE TABLE webhook_deliveries (
    id         TEXT PRIMARY KEY,           -- msg_…, the header webhook-id
    tenant     TEXT NOT NULL,
    webhook    TEXT NOT NULL REFERENCES webhooks (id),
    kind       TEXT NOT NULL,
    payload    BYTEA NOT NULL,             -- sealed: JSON, ids only
    state      TEXT NOT NULL,              -- waiting, delivered, failed
    attempts   BIGINT NOT NULL DEFAULT 0,
    next_at    BIGINT NOT NULL,
    status     BIGINT NOT NULL DEFAULT 0,  -- of the last answer; 0: there was none
    error      TEXT NOT NULL DEFAULT '',
    created_at BIGINT NOT NULL,
    tried_at   BIGINT
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (state, next_at);
CREATE INDEX webhook_deliveries_webhook ON webhook_deliveries (webhook, created_at);
CREATE INDEX webhook_deliveries_created ON webhook_deliveries (created_at);

CREATE TABLE known_sign_ins (
    tenant  TEXT NOT NULL,
    user_id TEXT NOT NULL,
    place   BYTEA NOT NULL,                -- keyed digest of a network, or of a client's name
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, user_id, place)
);

CREATE TABLE notices_told (
    tenant  TEXT NOT NULL,
    kind    TEXT NOT NULL,                 -- of which a period has one only
    dataset TEXT NOT NULL,
    date    TEXT NOT NULL,
    told_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, kind, dataset, date)
);
