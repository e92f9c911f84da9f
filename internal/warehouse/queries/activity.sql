-- How often customers register, and people sign in, work, and then submit jobs.
-- In each period: customers that did anything, first registrations, sign-ins, other events of people (work), files, jobs; and how many people signed in, of these worked after it, and of these submitted a job after that.
-- for tenants
-- parameter until date = today -- The last day
-- parameter days integer = 30 -- How many days, the last one included
-- parameter each text = day -- day, week or month
-- parameter tenant text = -- Only this customer, by id or slug
WITH names AS (
	SELECT tenant, slug FROM dim_tenant WHERE is_current
), acts AS (
	SELECT tenant, time, user_id, CASE
		WHEN type = 'userLogin' THEN 'login'
		WHEN type = 'jobSubmitted' THEN 'job'
		WHEN type IN ('accountCreated', 'userAdded', 'userDeleted', 'userLogoff', 'sessionTimeout', 'jobTerminated', 'jobCancelled') THEN 'other'
		WHEN user_id IS NULL THEN 'other'
		ELSE 'work' END AS kind
	FROM fact_event
	UNION ALL SELECT tenant, time, user_id, 'login' FROM fact_login WHERE outcome = 'ok'
	UNION ALL SELECT tenant, received, NULL, 'file' FROM fact_submission
	UNION ALL SELECT tenant, min(time), NULL, 'registration' FROM (
		SELECT tenant, time FROM fact_event WHERE type = 'accountCreated' UNION ALL SELECT tenant, valid_from FROM dim_tenant
	) GROUP BY tenant
), steps AS (
	SELECT date_trunc($each, time)::DATE AS period, tenant, time, user_id, kind,
		min(time) FILTER (WHERE kind = 'login') OVER same AS signed_in
	FROM acts LEFT JOIN names USING (tenant)
	WHERE tenant IS NOT NULL AND $tenant IN ('', tenant, coalesce(slug, tenant))
		AND time >= $until - to_days($days::INTEGER - 1) AND time < $until + INTERVAL 1 DAY
	WINDOW same AS (PARTITION BY date_trunc($each, time), tenant, user_id)
), worked AS (
	SELECT *, min(time) FILTER (WHERE kind = 'work' AND time >= signed_in) OVER (PARTITION BY period, tenant, user_id) AS worked FROM steps
)
SELECT period, count(DISTINCT tenant) AS tenants,
	count(*) FILTER (WHERE kind = 'registration') AS registrations, count(*) FILTER (WHERE kind = 'login') AS logins,
	count(*) FILTER (WHERE kind = 'work') AS work, count(*) FILTER (WHERE kind = 'file') AS files, count(*) FILTER (WHERE kind = 'job') AS jobs,
	count(DISTINCT (tenant, user_id)) FILTER (WHERE user_id IS NOT NULL AND signed_in IS NOT NULL) AS signed_in,
	count(DISTINCT (tenant, user_id)) FILTER (WHERE user_id IS NOT NULL AND worked IS NOT NULL) AS then_worked,
	count(DISTINCT (tenant, user_id)) FILTER (WHERE user_id IS NOT NULL AND kind = 'job' AND time >= worked) AS then_submitted
FROM worked GROUP BY period ORDER BY period
