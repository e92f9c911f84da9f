-- +goose Up

-- When analyses run by themselves. It is the provider's, and no part of what
-- tenants accept.
CREATE TABLE schedules (
    id             TEXT PRIMARY KEY,
    analyses       TEXT NOT NULL,              -- JSON list of names
    cron           TEXT NOT NULL,              -- five fields, or a descriptor such as @monthly
    zone           TEXT NOT NULL,              -- IANA name
    date_offset    BIGINT,                     -- business date: days before the firing's; NULL: of the periods that have closed
    state          TEXT NOT NULL,              -- active, paused
    next_at        BIGINT,                     -- NULL: paused, or it never comes again
    last_at        BIGINT,                     -- the last time that was dealt with: none up to it fires again
    reopened_to    BIGINT NOT NULL,            -- reopenings that ended before were dealt with
    created_at     BIGINT NOT NULL,
    created_by     TEXT NOT NULL,
    modified_at    BIGINT NOT NULL,
    modified_by    TEXT NOT NULL,
    times_modified BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX schedules_next ON schedules (state, next_at);

-- One row for each time at which a schedule fired, and for each reopening whose
-- end it dealt with.
CREATE TABLE schedule_firings (
    schedule   TEXT NOT NULL REFERENCES schedules (id),
    nominal_at BIGINT NOT NULL,                -- when it was to fire
    cause      TEXT NOT NULL,                  -- cron, or the id of a reopening
    fired_at   BIGINT NOT NULL,
    note       TEXT NOT NULL,                  -- why there is no run, or what was left out; may be empty
    PRIMARY KEY (schedule, nominal_at, cause)
);

-- The runs that firings started: no period twice for the same reason.
CREATE TABLE schedule_runs (
    schedule   TEXT NOT NULL REFERENCES schedules (id),
    analysis   TEXT NOT NULL,
    date       TEXT NOT NULL,
    reason     TEXT NOT NULL,                  -- closed; the id of a reopening; with an offset the nominal time
    nominal_at BIGINT NOT NULL,                -- of the firing, with cause
    cause      TEXT NOT NULL,
    fired_at   BIGINT NOT NULL,
    run        TEXT NOT NULL,
    PRIMARY KEY (schedule, analysis, date, reason)
);
CREATE INDEX schedule_runs_firing ON schedule_runs (schedule, nominal_at, cause);

-- What a job waits for that is away, since when, and when somebody is to be told.
ALTER TABLE jobs ADD COLUMN waits_for TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN waits_since BIGINT;
ALTER TABLE jobs ADD COLUMN alarm_at BIGINT;
ALTER TABLE jobs ADD COLUMN alarmed_at BIGINT;
CREATE INDEX jobs_waiting ON jobs (waits_for, state);
