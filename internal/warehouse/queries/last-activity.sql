-- When each customer was last active, the longest ago first.
-- for tenants
-- parameter until date = today -- The day that it is seen from
WITH acts AS (
	SELECT tenant, time, CASE WHEN type = 'userLogin' THEN 'login' WHEN type = 'jobSubmitted' THEN 'job' ELSE 'event' END AS kind FROM fact_event
	UNION ALL SELECT tenant, time, 'login' FROM fact_login WHERE outcome = 'ok'
	UNION ALL SELECT tenant, received, 'file' FROM fact_submission
), last AS (
	SELECT tenant, max(time) FILTER (WHERE kind = 'login') AS last_login, max(time) FILTER (WHERE kind = 'job') AS last_job,
		max(time) FILTER (WHERE kind = 'file') AS last_file, max(time) AS last_activity
	FROM acts WHERE time < $until + INTERVAL 1 DAY GROUP BY tenant
)
SELECT t.tenant, t.slug, t.state, last_login, last_job, last_file, last_activity, $until - last_activity::DATE AS days_ago
FROM dim_tenant t LEFT JOIN last l ON l.tenant = t.tenant WHERE t.is_current AND coalesce(t.state, '') <> 'erased' ORDER BY last_activity NULLS FIRST, t.slug
