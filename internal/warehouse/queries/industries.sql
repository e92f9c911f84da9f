-- Customers by industry, with what they pay in a month.
-- The industry is what the product says of an account (accountCreated, accountUpdated), or else what the provider has noted of the tenant.
-- parameter until date = today -- As it was on this day
WITH company AS (
	SELECT tenant, arg_max(data->>'companyName', time) AS name, arg_max(data->>'industry', time) AS industry,
		arg_max(try_cast(data->>'revenue' AS DOUBLE), time) AS revenue, arg_max(try_cast(data->>'employees' AS BIGINT), time) AS employees,
		arg_max(try_cast(data->>'monthlyFee' AS DECIMAL(18, 2)), time) AS monthly_fee, arg_max(try_cast(data->>'totalFee' AS DECIMAL(18, 2)), time) AS total_fee
	FROM fact_event WHERE type IN ('accountCreated', 'accountUpdated') AND time < $until + INTERVAL 1 DAY GROUP BY tenant
)
SELECT coalesce(c.industry, nullif(t.industry, ''), 'unknown') AS industry, count(*) AS customers, count(*) FILTER (WHERE t.state = 'active') AS active, coalesce(sum(c.monthly_fee), 0)::DECIMAL(18, 2) AS monthly_fee
FROM dim_tenant t LEFT JOIN company c ON c.tenant = t.tenant
WHERE t.valid_from < $until + INTERVAL 1 DAY AND (t.valid_to IS NULL OR t.valid_to >= $until + INTERVAL 1 DAY) AND coalesce(t.state, '') <> 'erased'
GROUP BY ALL ORDER BY customers DESC, industry
