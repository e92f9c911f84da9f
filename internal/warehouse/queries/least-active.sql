-- Who does the minimum: the people of each customer with the fewest events.
-- Of everybody who was ever seen or added (userAdded) and not deleted since (userDeleted), those who did nothing first.
-- for tenants
-- parameter until date = today -- The last day
-- parameter days integer = 30 -- How many days, the last one included
-- parameter n integer = 3 -- How many people of each customer
-- parameter tenant text = -- Only this customer, by id or slug
WITH names AS (
	SELECT tenant, slug FROM dim_tenant WHERE is_current
), people AS (
	SELECT tenant, user_id AS person, time, type, true AS done FROM fact_event
	UNION ALL SELECT tenant, data->>'userID', time, type, false FROM fact_event WHERE type IN ('userAdded', 'userDeleted')
), counted AS (
	SELECT tenant, slug, person AS user_id, count(*) FILTER (WHERE done AND time >= $until - to_days($days::INTEGER - 1)) AS events,
		count(*) FILTER (WHERE done AND type = 'jobSubmitted' AND time >= $until - to_days($days::INTEGER - 1)) AS jobs, max(time) FILTER (WHERE done) AS last_event,
		coalesce(max(time) FILTER (WHERE type = 'userDeleted' AND NOT done) >= max(time) FILTER (WHERE type <> 'userDeleted' OR done), bool_and(type = 'userDeleted' AND NOT done)) AS deleted
	FROM people LEFT JOIN names USING (tenant)
	WHERE person IS NOT NULL AND tenant IS NOT NULL AND $tenant IN ('', tenant, coalesce(slug, tenant)) AND time < $until + INTERVAL 1 DAY GROUP BY ALL
)
SELECT tenant, slug, user_id, events, jobs, last_event FROM counted WHERE NOT deleted
QUALIFY row_number() OVER (PARTITION BY tenant ORDER BY events, last_event NULLS FIRST, user_id) <= $n ORDER BY slug, events, last_event NULLS FIRST, user_id
