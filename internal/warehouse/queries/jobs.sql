-- Jobs submitted, ended and cancelled over time, of each customer.
-- for tenants
-- parameter until date = today -- The last day
-- parameter days integer = 30 -- How many days, the last one included
-- parameter each text = day -- day, week or month
-- parameter tenant text = -- Only this customer, by id or slug
WITH names AS (
	SELECT tenant, slug FROM dim_tenant WHERE is_current
), jobs AS (
	SELECT time, tenant, slug, type, coalesce(try_cast(data->>'nbJobs' AS BIGINT), 1) AS n FROM fact_event LEFT JOIN names USING (tenant)
	WHERE type IN ('jobSubmitted', 'jobTerminated', 'jobCancelled') AND tenant IS NOT NULL AND $tenant IN ('', tenant, coalesce(slug, tenant))
		AND time >= $until - to_days($days::INTEGER - 1) AND time < $until + INTERVAL 1 DAY
)
SELECT date_trunc($each, time)::DATE AS period, tenant, slug, coalesce(sum(n) FILTER (WHERE type = 'jobSubmitted'), 0)::BIGINT AS submitted,
	coalesce(sum(n) FILTER (WHERE type = 'jobTerminated'), 0)::BIGINT AS terminated, coalesce(sum(n) FILTER (WHERE type = 'jobCancelled'), 0)::BIGINT AS cancelled
FROM jobs GROUP BY ALL ORDER BY period, slug
