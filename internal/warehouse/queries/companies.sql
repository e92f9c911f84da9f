-- Each customer as a company: industry, revenue, employees, jobs of 30 and 90 days, fees.
-- for tenants
-- parameter until date = today -- The last day
WITH company AS (
	SELECT tenant, arg_max(data->>'companyName', time) AS name, arg_max(data->>'industry', time) AS industry,
		arg_max(try_cast(data->>'revenue' AS DOUBLE), time) AS revenue, arg_max(try_cast(data->>'employees' AS BIGINT), time) AS employees,
		arg_max(try_cast(data->>'monthlyFee' AS DECIMAL(18, 2)), time) AS monthly_fee, arg_max(try_cast(data->>'totalFee' AS DECIMAL(18, 2)), time) AS total_fee
	FROM fact_event WHERE type IN ('accountCreated', 'accountUpdated') AND time < $until + INTERVAL 1 DAY GROUP BY tenant
), jobs AS (
	SELECT tenant, coalesce(try_cast(data->>'nbJobs' AS BIGINT), 1) AS n, time FROM fact_event
	WHERE type = 'jobSubmitted' AND time >= $until - INTERVAL 89 DAY AND time < $until + INTERVAL 1 DAY
), counted AS (
	SELECT tenant, coalesce(sum(n) FILTER (WHERE time >= $until - INTERVAL 29 DAY), 0)::BIGINT AS job30, sum(n)::BIGINT AS job90 FROM jobs GROUP BY tenant
)
SELECT t.tenant, t.slug, c.name, coalesce(c.industry, nullif(t.industry, '')) AS industry, c.revenue, c.employees,
	coalesce(j.job30, 0) AS job30, coalesce(j.job90, 0) AS job90, c.monthly_fee, c.total_fee
FROM dim_tenant t LEFT JOIN company c ON c.tenant = t.tenant LEFT JOIN counted j ON j.tenant = t.tenant
WHERE t.is_current AND coalesce(t.state, '') <> 'erased' ORDER BY t.slug
