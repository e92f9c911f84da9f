-- How much data customers have, over time.
-- In each period: the data of the jobs submitted (dataSize, in the product's unit), the files sent to Tributary and their bytes, and the bytes of all files since the first.
-- for tenants
-- parameter until date = today -- The last day
-- parameter days integer = 90 -- How many days, the last one included
-- parameter each text = month -- day, week or month
-- parameter tenant text = -- Only this customer, by id or slug
WITH names AS (
	SELECT tenant, slug FROM dim_tenant WHERE is_current
), sizes AS (
	SELECT tenant, time, try_cast(data->>'dataSize' AS DOUBLE) AS job_data, 0 AS files, 0 AS bytes FROM fact_event WHERE type = 'jobSubmitted'
	UNION ALL SELECT tenant, received, NULL, 1, bytes FROM fact_submission
), periods AS (
	SELECT date_trunc($each, time)::DATE AS period, tenant, slug, round(coalesce(sum(job_data), 0), 6) AS job_data, sum(files)::BIGINT AS files, sum(bytes)::BIGINT AS file_bytes
	FROM sizes LEFT JOIN names USING (tenant)
	WHERE tenant IS NOT NULL AND $tenant IN ('', tenant, coalesce(slug, tenant)) AND time < $until + INTERVAL 1 DAY
	GROUP BY ALL
), running AS (
	SELECT *, sum(file_bytes) OVER (PARTITION BY tenant ORDER BY period)::BIGINT AS all_file_bytes FROM periods
)
SELECT period, tenant, slug, job_data, files, file_bytes, all_file_bytes FROM running
WHERE period >= date_trunc($each, $until - to_days($days::INTEGER - 1)) ORDER BY period, slug
