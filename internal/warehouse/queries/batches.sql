-- How many batches each customer submits in a day.
-- A batch is one jobSubmitted; it has nbJobs jobs, or one. Days without a batch are left out.
-- for tenants
-- parameter until date = today -- The last day
-- parameter days integer = 30 -- How many days, the last one included
-- parameter tenant text = -- Only this customer, by id or slug
WITH names AS (
	SELECT tenant, slug FROM dim_tenant WHERE is_current
)
SELECT time::DATE AS day, tenant, slug, count(*) AS batches, sum(coalesce(try_cast(data->>'nbJobs' AS BIGINT), 1))::BIGINT AS jobs,
	count(DISTINCT user_id) AS users, round(coalesce(sum(try_cast(data->>'dataSize' AS DOUBLE)), 0), 6) AS data_size
FROM fact_event LEFT JOIN names USING (tenant)
WHERE type = 'jobSubmitted' AND tenant IS NOT NULL AND $tenant IN ('', tenant, coalesce(slug, tenant))
	AND time >= $until - to_days($days::INTEGER - 1) AND time < $until + INTERVAL 1 DAY
GROUP BY ALL ORDER BY day, slug
