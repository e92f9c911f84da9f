-- +goose Up

-- What the figures of reports and of tenants are read from without touching the rows.
CREATE INDEX submissions_figures ON submissions (tenant, received_at, state);
CREATE INDEX vault_objects_figures ON vault_objects (tenant, sealed_size);
