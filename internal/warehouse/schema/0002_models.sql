-- What is made of the facts, interval by interval, and the dimensions that come of it. Times are UTC.

-- bytes are those of data and context.
ALTER TABLE fact_event ADD COLUMN bytes BIGINT;
UPDATE fact_event SET bytes = coalesce(strlen(data::VARCHAR), 0) + coalesce(strlen(context::VARCHAR), 0);

-- load_version counts the transactions that changed facts. changed of an hour is the last one that changed it.
CREATE TABLE load_version (n BIGINT NOT NULL);
INSERT INTO load_version VALUES (1);
ALTER TABLE load_interval ADD COLUMN changed BIGINT DEFAULT 1;

-- model_interval is the ledger of what is made: the rows of each model, tenant and interval, and the version that they are of.
-- An interval is stale when something that it is made of has changed after that.
CREATE TABLE model_interval (model VARCHAR NOT NULL, tenant VARCHAR, start TIMESTAMP NOT NULL, rows BIGINT NOT NULL, version BIGINT NOT NULL, made TIMESTAMP NOT NULL);

-- fact_usage is what each tenant used in each hour: what a meter adds up.
CREATE TABLE fact_usage (tenant VARCHAR, start TIMESTAMP NOT NULL, metric VARCHAR NOT NULL, unit VARCHAR NOT NULL, quantity BIGINT NOT NULL);

-- fact_activity is what each person did in the product on each day, as the events name people: dim_identity says who is the same.
CREATE TABLE fact_activity (tenant VARCHAR, start TIMESTAMP NOT NULL, person VARCHAR NOT NULL, anonymous BOOLEAN NOT NULL, events BIGINT NOT NULL, bytes BIGINT NOT NULL,
	first_seen TIMESTAMP NOT NULL, last_seen TIMESTAMP NOT NULL);

-- source_hour is what came from each source for each hour.
CREATE TABLE source_hour (tenant VARCHAR, start TIMESTAMP NOT NULL, source VARCHAR NOT NULL, origin VARCHAR, channel VARCHAR, events BIGINT NOT NULL, bytes BIGINT NOT NULL,
	first_received TIMESTAMP NOT NULL, last_received TIMESTAMP NOT NULL);

-- link_day is who was said to be whom on each day; trait_day what was said of people last.
CREATE TABLE link_day (tenant VARCHAR, start TIMESTAMP NOT NULL, alias VARCHAR NOT NULL, user_id VARCHAR NOT NULL, linked TIMESTAMP NOT NULL);
CREATE TABLE trait_day (tenant VARCHAR, start TIMESTAMP NOT NULL, user_id VARCHAR NOT NULL, traits JSON NOT NULL, told TIMESTAMP NOT NULL);

-- session_day are the sessions that began on each day.
CREATE TABLE session_day (tenant VARCHAR, start TIMESTAMP NOT NULL, person VARCHAR, session_id VARCHAR, started TIMESTAMP NOT NULL, ended TIMESTAMP NOT NULL, events BIGINT NOT NULL);

-- dim_identity has one row for each name of a person that stands for another one, within a tenant: whom it was said to be
-- first stays. Where that one stands for another too, user_id is the last of them.
CREATE VIEW dim_identity AS
WITH RECURSIVE said AS (
	SELECT tenant, alias, arg_min(user_id, (linked, user_id)) AS user_id, min(linked) AS linked FROM link_day GROUP BY tenant, alias
), followed AS (
	SELECT tenant, alias, user_id, linked, 1 AS steps FROM said
	UNION ALL
	SELECT f.tenant, f.alias, s.user_id, f.linked, f.steps + 1 FROM followed f JOIN said s ON s.tenant IS NOT DISTINCT FROM f.tenant AND s.alias = f.user_id
	WHERE f.steps < 10 AND s.user_id <> f.alias
)
SELECT tenant, alias, arg_max(user_id, steps) AS user_id, any_value(linked) AS linked FROM followed GROUP BY tenant, alias;

-- dim_user are people: kind is product for who does something there, account for who signs in to Tributary.
DROP VIEW dim_user;
CREATE VIEW dim_user AS
WITH seen AS (
	SELECT a.tenant, coalesce(i.user_id, a.person) AS user_id, a.anonymous AND i.user_id IS NULL AS anonymous, a.first_seen, a.last_seen, a.events
	FROM fact_activity a LEFT JOIN dim_identity i ON i.tenant IS NOT DISTINCT FROM a.tenant AND i.alias = a.person
), told AS (
	SELECT t.tenant, coalesce(i.user_id, t.user_id) AS user_id, arg_max(t.traits, t.told) AS traits
	FROM trait_day t LEFT JOIN dim_identity i ON i.tenant IS NOT DISTINCT FROM t.tenant AND i.alias = t.user_id GROUP BY 1, 2
), accounts AS (
	SELECT DISTINCT tenant, actor AS user_id FROM fact_act WHERE starts_with(actor, 'usr_') AND verb = 'session.create'
	UNION
	SELECT DISTINCT tenant, subject FROM fact_act WHERE starts_with(subject, 'usr_') AND starts_with(verb, 'user.')
)
SELECT s.tenant, s.user_id, 'product' AS kind, bool_and(s.anonymous) AS anonymous, min(s.first_seen) AS first_seen, max(s.last_seen) AS last_seen,
	sum(s.events)::BIGINT AS events, any_value(t.traits) AS traits
FROM seen s LEFT JOIN told t ON t.tenant IS NOT DISTINCT FROM s.tenant AND t.user_id = s.user_id GROUP BY s.tenant, s.user_id
UNION ALL
SELECT a.tenant, a.user_id, 'account', false, min(f.time), max(f.time), count(*) FILTER (f.actor = a.user_id), NULL
FROM accounts a JOIN fact_act f ON f.tenant IS NOT DISTINCT FROM a.tenant AND (f.actor = a.user_id OR f.subject = a.user_id) GROUP BY a.tenant, a.user_id;

DROP VIEW dim_source;
CREATE VIEW dim_source AS
SELECT tenant, source, origin, channel, min(first_received) AS first_received, max(last_received) AS last_received, sum(events)::BIGINT AS events, sum(bytes)::BIGINT AS bytes
FROM source_hour GROUP BY ALL;

-- fact_session is what somebody did without a break: of 30 minutes, or of 12 hours under one session of the client's. What goes on
-- for more than a whole day (UTC) is another session from each midnight after one.
DROP VIEW fact_session;
CREATE VIEW fact_session AS
SELECT s.tenant, coalesce(i.user_id, s.person) AS person, s.session_id, s.started, s.ended, s.events, epoch(s.ended - s.started) AS seconds
FROM session_day s LEFT JOIN dim_identity i ON i.tenant IS NOT DISTINCT FROM s.tenant AND i.alias = s.person;

-- dim_job is what runs are of: the versions of analyses.
CREATE VIEW dim_job AS
SELECT analysis, version, min(started) AS first_started, max(started) AS last_started, count(*) AS runs, count(*) FILTER (state = 'succeeded') AS succeeded
FROM fact_job GROUP BY analysis, version;
