-- +goose Up

-- What fired by a clock that was ahead: it does not count, and comes again.
ALTER TABLE schedule_firings ADD COLUMN early BIGINT NOT NULL DEFAULT 0;
ALTER TABLE schedule_runs ADD COLUMN early BIGINT NOT NULL DEFAULT 0;
CREATE INDEX schedule_firings_fired ON schedule_firings (fired_at);

-- The dates that a run after a cut-off stands for, first and last, so that another
-- cadence goes on after them; '': the period that its date is in.
ALTER TABLE schedule_runs ADD COLUMN covers_from TEXT NOT NULL DEFAULT '';
ALTER TABLE schedule_runs ADD COLUMN covers_to TEXT NOT NULL DEFAULT '';
