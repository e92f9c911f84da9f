SELECT tenant, coalesce(user_id, anonymous_id) AS person, user_id IS NULL AS anonymous, count(*) AS events, sum(bytes)::BIGINT AS bytes, min(time) AS first_seen, max(time) AS last_seen
FROM fact_event WHERE coalesce(user_id, anonymous_id) IS NOT NULL GROUP BY ALL
