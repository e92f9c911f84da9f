-- +goose Up

-- Of what people decided: what is run and when. No released version had schedules, so
-- one without is not ours.
ALTER TABLE schedules ADD COLUMN mac BYTEA;

-- Of what a run reads and who started it. Runs from before 0022 have none: those that
-- had not ended fail, and are started again.
ALTER TABLE runs ADD COLUMN mac BYTEA;
