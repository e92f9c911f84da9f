-- The customers with the fewest jobs in the last 30 and in the last 90 days.
-- Each is there once with what it has, and its place among all in both; a place of at most n in either is wanted.
-- parameter until date = today -- The last day
-- parameter n integer = 3 -- How many customers of each
WITH jobs AS (
	SELECT tenant, time, coalesce(try_cast(data->>'nbJobs' AS BIGINT), 1) AS n FROM fact_event
	WHERE type = 'jobSubmitted' AND time >= $until - INTERVAL 89 DAY AND time < $until + INTERVAL 1 DAY
), counted AS (
	SELECT t.tenant, t.slug, coalesce(sum(j.n) FILTER (WHERE j.time >= $until - INTERVAL 29 DAY), 0)::BIGINT AS job30, coalesce(sum(j.n), 0)::BIGINT AS job90
	FROM dim_tenant t LEFT JOIN jobs j ON j.tenant = t.tenant WHERE t.is_current AND coalesce(t.state, 'active') = 'active' GROUP BY ALL
), placed AS (
	SELECT *, row_number() OVER (ORDER BY job30, job90, slug) AS place30, row_number() OVER (ORDER BY job90, job30, slug) AS place90 FROM counted
)
SELECT tenant, slug, job30, place30, job90, place90 FROM placed WHERE least(place30, place90) <= $n ORDER BY place30
