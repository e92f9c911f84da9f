-- +goose Up
-- How often an erasure is to be done again since it was done: what turned up since may have the person.

ALTER TABLE event_erasures ADD COLUMN again BIGINT NOT NULL DEFAULT 0;
DROP INDEX event_erasures_due;
CREATE INDEX event_erasures_due ON event_erasures (asked_at) WHERE done_at IS NULL OR again > 0 OR unread > 0;
