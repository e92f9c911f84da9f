-- What customers pay: in a month, and in all, the most first.
-- As the product says of accounts (accountCreated, accountUpdated: monthlyFee, totalFee).
-- parameter until date = today -- As it was on this day
WITH company AS (
	SELECT tenant, arg_max(data->>'companyName', time) AS name, arg_max(data->>'industry', time) AS industry,
		arg_max(try_cast(data->>'revenue' AS DOUBLE), time) AS revenue, arg_max(try_cast(data->>'employees' AS BIGINT), time) AS employees,
		arg_max(try_cast(data->>'monthlyFee' AS DECIMAL(18, 2)), time) AS monthly_fee, arg_max(try_cast(data->>'totalFee' AS DECIMAL(18, 2)), time) AS total_fee
	FROM fact_event WHERE type IN ('accountCreated', 'accountUpdated') AND time < $until + INTERVAL 1 DAY GROUP BY tenant
)
SELECT t.tenant, t.slug, t.tier, c.industry, c.monthly_fee, c.total_fee,
	round(100 * c.monthly_fee / sum(c.monthly_fee) OVER (), 1)::DECIMAL(5, 1) AS percent
FROM dim_tenant t JOIN company c ON c.tenant = t.tenant
WHERE t.is_current AND coalesce(t.state, '') <> 'erased' AND coalesce(c.monthly_fee, c.total_fee) IS NOT NULL ORDER BY c.monthly_fee DESC NULLS LAST, t.slug
