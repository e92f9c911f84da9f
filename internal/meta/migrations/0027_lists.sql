-- +goose Up

-- Lists are read in the order of an index, whatever they are sorted by: first of all
-- tenants, then of one.
DROP INDEX submissions_received;
CREATE INDEX submissions_by_received ON submissions (received_at, id);
CREATE INDEX submissions_by_dataset ON submissions (dataset, id);
CREATE INDEX submissions_by_date ON submissions (date, id);
CREATE INDEX submissions_by_size ON submissions (size, id);
CREATE INDEX submissions_tenant_received ON submissions (tenant, received_at, id);
CREATE INDEX submissions_tenant_dataset ON submissions (tenant, dataset, id);
CREATE INDEX submissions_tenant_date ON submissions (tenant, date, id);
CREATE INDEX submissions_tenant_size ON submissions (tenant, size, id);
CREATE INDEX submissions_state_received ON submissions (state, received_at, id);
CREATE INDEX submissions_dataset_received ON submissions (dataset, received_at, id);

DROP INDEX results_tenant;
CREATE INDEX results_by_created ON results (created_at, id);
CREATE INDEX results_by_analysis ON results (analysis, id);
CREATE INDEX results_by_date ON results (date, id);
CREATE INDEX results_tenant_created ON results (tenant, created_at, id);
CREATE INDEX results_tenant_analysis ON results (tenant, analysis, id);
CREATE INDEX results_tenant_date ON results (tenant, date, id);

DROP INDEX runs_created;
CREATE INDEX runs_by_created ON runs (created_at, id);
CREATE INDEX runs_by_analysis ON runs (analysis, id);
CREATE INDEX runs_by_date ON runs (date, id);
CREATE INDEX runs_by_finished ON runs (finished_at, id);

CREATE INDEX tenants_by_created ON tenants (created_at, id);
CREATE INDEX tenants_by_name ON tenants (name, id);

CREATE INDEX users_by_created ON users (tenant, created_at, id);
CREATE INDEX users_by_name ON users (tenant, name, id);
CREATE INDEX users_by_signed_in ON users (tenant, signed_in_at, id);

DROP INDEX audit_entries_at;
CREATE INDEX audit_entries_by_at ON audit_entries (at, tenant, seq);

DROP INDEX notice_mails_created;
CREATE INDEX notice_mails_by_created ON notice_mails (created_at, id);
CREATE INDEX notice_mails_tenant_created ON notice_mails (tenant, created_at, id);

-- How users like to see things in the portals.
CREATE TABLE preferences (
    user_id    TEXT PRIMARY KEY REFERENCES users (id),
    tenant     TEXT NOT NULL,
    choices    BYTEA NOT NULL,                 -- sealed with the pool key: a JSON object
    changed_at BIGINT NOT NULL
);
