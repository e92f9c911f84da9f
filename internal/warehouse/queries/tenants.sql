-- Customers and how many people each has.
-- People are those who were ever seen or added (userAdded) and not deleted since (userDeleted); active ones have events in the time.
-- for tenants
-- parameter until date = today -- The last day
-- parameter days integer = 30 -- How many days make somebody active, the last one included
WITH people AS (
	SELECT tenant, user_id AS person, time, type, true AS done FROM fact_event
	UNION ALL SELECT tenant, data->>'userID', time, type, false FROM fact_event WHERE type IN ('userAdded', 'userDeleted')
), each_one AS (
	SELECT tenant, person, coalesce(max(time) FILTER (WHERE done) >= $until - to_days($days::INTEGER - 1), false) AS active,
		coalesce(max(time) FILTER (WHERE type = 'userDeleted' AND NOT done) >= max(time) FILTER (WHERE type <> 'userDeleted' OR done), bool_and(type = 'userDeleted' AND NOT done)) AS deleted
	FROM people WHERE person IS NOT NULL AND time < $until + INTERVAL 1 DAY GROUP BY ALL
)
SELECT t.tenant, t.slug, t.tier, t.state, count(e.person) FILTER (WHERE NOT e.deleted) AS users, count(e.person) FILTER (WHERE e.active AND NOT e.deleted) AS active_users
FROM dim_tenant t LEFT JOIN each_one e ON e.tenant = t.tenant WHERE t.is_current AND coalesce(t.state, '') <> 'erased' GROUP BY ALL ORDER BY t.slug
