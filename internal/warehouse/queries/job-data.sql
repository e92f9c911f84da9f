-- Jobs with the size of their data, over time.
-- for tenants
-- parameter until date = today -- The last day
-- parameter days integer = 30 -- How many days, the last one included
-- parameter each text = day -- day, week or month
-- parameter tenant text = -- Only this customer, by id or slug
WITH names AS (
	SELECT tenant, slug FROM dim_tenant WHERE is_current
), jobs AS (
	SELECT time, tenant, coalesce(try_cast(data->>'nbJobs' AS BIGINT), 1) AS n, try_cast(data->>'dataSize' AS DOUBLE) AS size, try_cast(data->>'servers' AS BIGINT) AS servers
	FROM fact_event LEFT JOIN names USING (tenant)
	WHERE type = 'jobSubmitted' AND tenant IS NOT NULL AND $tenant IN ('', tenant, coalesce(slug, tenant))
		AND time >= $until - to_days($days::INTEGER - 1) AND time < $until + INTERVAL 1 DAY
)
SELECT date_trunc($each, time)::DATE AS period, sum(n)::BIGINT AS jobs, coalesce(sum(servers), 0)::BIGINT AS servers,
	round(coalesce(sum(size), 0), 6) AS data_size, round(avg(size), 2) AS average_size, max(size) AS largest
FROM jobs GROUP BY ALL ORDER BY period
