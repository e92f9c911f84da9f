-- +goose Up

-- Which runs are under way, by their date: what they may read is not deleted.
CREATE INDEX runs_date ON runs (date, state);

-- From when a schedule counts periods: those whose cut-off was before are not made up
-- for. NULL: from the newest period at its first firing.
ALTER TABLE schedules ADD COLUMN counts_from BIGINT;
