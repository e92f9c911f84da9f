-- Who does little after signing in.
-- A visit goes from a sign-in to the same person's next one; signing off and running out of time are not done by hand, so they do not count as doing something.
-- for tenants
-- parameter until date = today -- The last day
-- parameter days integer = 30 -- How many days, the last one included
-- parameter few integer = 1 -- Visits with at most so many events are little
-- parameter tenant text = -- Only this customer, by id or slug
WITH names AS (
	SELECT tenant, slug FROM dim_tenant WHERE is_current
), steps AS (
	SELECT tenant, slug, user_id, time, type = 'userLogin' AS login, type NOT IN ('userLogin', 'userLogoff', 'sessionTimeout') AS done
	FROM fact_event LEFT JOIN names USING (tenant)
	WHERE user_id IS NOT NULL AND tenant IS NOT NULL AND $tenant IN ('', tenant, coalesce(slug, tenant))
		AND time >= $until - to_days($days::INTEGER - 1) AND time < $until + INTERVAL 1 DAY
), numbered AS (
	SELECT *, sum(login::INTEGER) OVER (PARTITION BY tenant, user_id ORDER BY time, login DESC ROWS UNBOUNDED PRECEDING) AS visit FROM steps
), visits AS (
	SELECT tenant, slug, user_id, visit, min(time) AS began, count(*) FILTER (WHERE done) AS events FROM numbered WHERE visit > 0 GROUP BY ALL
)
SELECT tenant, slug, user_id, count(*) AS visits, count(*) FILTER (WHERE events <= $few) AS little,
	round(100.0 * count(*) FILTER (WHERE events <= $few) / count(*), 1)::DECIMAL(5, 1) AS percent, round(avg(events), 2) AS events_each, max(began) AS last_login
FROM visits GROUP BY tenant, slug, user_id HAVING little > 0 ORDER BY little DESC, percent DESC, slug, user_id
