-- Facts and what loads them. Times are UTC. tenant is null for what is the provider's own.

-- fact_event is what happened in the provider's product: one row of each tenant, source, origin and id, for ever.
CREATE TABLE fact_event (
	key UHUGEINT NOT NULL,
	tenant VARCHAR,
	source VARCHAR NOT NULL,
	origin VARCHAR,
	id VARCHAR NOT NULL,
	type VARCHAR NOT NULL,
	subject VARCHAR,
	time TIMESTAMP NOT NULL,
	received TIMESTAMP NOT NULL,
	channel VARCHAR,
	user_id VARCHAR,
	anonymous_id VARCHAR,
	session_id VARCHAR,
	device_id VARCHAR,
	data JSON,
	context JSON,
	flags VARCHAR
);

-- fact_act is what was done in Tributary itself, by an entry of the audit log each.
CREATE TABLE fact_act (
	key UHUGEINT NOT NULL,
	tenant VARCHAR,
	entry VARCHAR,
	verb VARCHAR NOT NULL,
	subject VARCHAR,
	actor VARCHAR,
	outcome VARCHAR,
	time TIMESTAMP NOT NULL,
	received TIMESTAMP NOT NULL,
	facts JSON
);

-- load_position is how far each stream is loaded; through is when what was loaded last came in.
CREATE TABLE load_position (stream VARCHAR NOT NULL, sequence UBIGINT NOT NULL, through TIMESTAMP, loaded TIMESTAMP);

-- load_chain is the last block of each tenant on each stream: the next one has to follow it.
CREATE TABLE load_chain (stream VARCHAR NOT NULL, tenant VARCHAR, sequence UBIGINT NOT NULL, digest VARCHAR NOT NULL);

-- load_problem is what could not be loaded, and why.
CREATE TABLE load_problem (stream VARCHAR NOT NULL, sequence UBIGINT NOT NULL, tenant VARCHAR, found TIMESTAMP NOT NULL, problem VARCHAR NOT NULL);

-- load_interval is the ledger: the rows that each fact has of each tenant and hour, when they came, and how often the hour
-- was opened again after everything received in it was loaded. What is made of an hour is stale if it was made before last_loaded.
CREATE TABLE load_interval (
	model VARCHAR NOT NULL,
	tenant VARCHAR,
	start TIMESTAMP NOT NULL,
	rows BIGINT NOT NULL,
	first_loaded TIMESTAMP NOT NULL,
	last_loaded TIMESTAMP NOT NULL,
	reopened BIGINT NOT NULL
);

CREATE TABLE dim_date AS
SELECT d::DATE AS date, year(d)::INTEGER AS year, quarter(d)::INTEGER AS quarter, month(d)::INTEGER AS month, day(d)::INTEGER AS day,
	isodow(d)::INTEGER AS weekday, week(d)::INTEGER AS week, isodow(d) > 5 AS weekend
FROM range(DATE '2000-01-01', DATE '2051-01-01', INTERVAL 1 DAY) t(d);

-- dim_tenant has a row for each time that a tenant was other than before; valid_to is null in the present one.
CREATE VIEW dim_tenant AS
WITH said AS (
	SELECT subject AS tenant, time, try_cast(entry AS BIGINT) AS entry, (facts->>'slug') AS slug, (facts->>'tier') AS tier, (facts->>'type') AS type, (facts->>'state') AS state,
		(facts->>'organisation') AS organisation, (facts->>'industry') AS industry
	FROM fact_act WHERE starts_with(subject, 'ten_') AND (facts->>'slug') IS NOT NULL
), changed AS (
	SELECT *, hash(slug, tier, type, state, organisation, industry) IS DISTINCT FROM
		lag(hash(slug, tier, type, state, organisation, industry)) OVER (PARTITION BY tenant ORDER BY time, entry) AS differs FROM said
)
SELECT tenant, slug, tier, type, state, organisation, industry, time AS valid_from,
	lead(time) OVER (PARTITION BY tenant ORDER BY time, entry) AS valid_to,
	lead(time) OVER (PARTITION BY tenant ORDER BY time, entry) IS NULL AS is_current
FROM changed WHERE differs;

CREATE VIEW dim_user AS
SELECT tenant, user_id, min(time) AS first_seen, max(time) AS last_seen, count(*) AS events FROM fact_event WHERE user_id IS NOT NULL GROUP BY ALL;

CREATE VIEW dim_source AS
SELECT tenant, source, origin, channel, min(received) AS first_received, max(received) AS last_received, count(*) AS events FROM fact_event GROUP BY ALL;

-- fact_session is what somebody did without a break of 30 minutes, or under one session of the client's.
CREATE VIEW fact_session AS
WITH steps AS (
	SELECT tenant, coalesce(user_id, anonymous_id) AS person, session_id, time,
		session_id IS NULL AND coalesce(time - lag(time) OVER (PARTITION BY tenant, coalesce(user_id, anonymous_id), session_id ORDER BY time) > INTERVAL 30 MINUTES, true) AS begins
	FROM fact_event WHERE coalesce(user_id, anonymous_id, session_id) IS NOT NULL
), numbered AS (
	SELECT *, sum(begins::INTEGER) OVER (PARTITION BY tenant, person, session_id ORDER BY time ROWS UNBOUNDED PRECEDING) AS number FROM steps
)
SELECT tenant, any_value(person) AS person, session_id, min(time) AS started, max(time) AS ended, count(*) AS events,
	epoch(max(time) - min(time)) AS seconds
FROM numbered GROUP BY tenant, coalesce(session_id, ''), CASE WHEN session_id IS NULL THEN person END, CASE WHEN session_id IS NULL THEN number END, session_id;

CREATE VIEW fact_login AS
SELECT tenant, actor AS user_id, time, verb, outcome, (facts->>'channel') AS channel FROM fact_act WHERE verb IN ('session.create', 'sftp.connect');

CREATE VIEW fact_submission AS
SELECT tenant, subject AS submission, arg_max((facts->>'dataset'), time) AS dataset, arg_max((facts->>'date'), time) AS date, arg_max((facts->>'state'), (time, try_cast(entry AS BIGINT))) AS state,
	arg_max((facts->>'channel'), time) AS channel, max((facts->>'bytes')::BIGINT) AS bytes, max((facts->>'rows')::BIGINT) AS rows, min(time) AS received, max(time) AS last_act
FROM fact_act WHERE starts_with(subject, 'sub_') AND (facts->>'dataset') IS NOT NULL GROUP BY tenant, subject;

CREATE VIEW fact_job AS
SELECT subject AS run, arg_max((facts->>'analysis'), time) AS analysis, arg_max((facts->>'version')::BIGINT, time) AS version, arg_max((facts->>'date'), time) AS date,
	arg_max((facts->>'state'), (time, try_cast(entry AS BIGINT))) AS state, max((facts->>'participants')::BIGINT) AS participants, min(time) AS started, max(time) AS last_act
FROM fact_act WHERE starts_with(subject, 'run_') AND tenant IS NULL AND (facts->>'analysis') IS NOT NULL GROUP BY subject;
