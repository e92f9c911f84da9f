-- What the people of a customer do, over time.
-- for tenants
-- parameter until date = today -- The last day
-- parameter days integer = 30 -- How many days, the last one included
-- parameter each text = day -- day, week or month
-- parameter tenant text = -- Only this customer, by id or slug
WITH names AS (
	SELECT tenant, slug FROM dim_tenant WHERE is_current
)
SELECT date_trunc($each, time)::DATE AS period, tenant, slug, user_id, count(*) AS events, count(*) FILTER (WHERE type = 'userLogin') AS logins,
	count(*) FILTER (WHERE type = 'jobSubmitted') AS jobs, count(DISTINCT type) AS kinds, max(time) AS last_event
FROM fact_event LEFT JOIN names USING (tenant)
WHERE user_id IS NOT NULL AND tenant IS NOT NULL AND $tenant IN ('', tenant, coalesce(slug, tenant))
	AND time >= $until - to_days($days::INTEGER - 1) AND time < $until + INTERVAL 1 DAY
GROUP BY ALL ORDER BY period, slug, events DESC, user_id
