-- +goose Up
CREATE INDEX archive_objects_chain ON archive_objects (stream, tenant, last_block, first_block);
