SELECT tenant, user_id, arg_max(traits, time) AS traits, max(time) AS told FROM (
	SELECT tenant, user_id, coalesce(data->'$.$set', data) AS traits, time FROM fact_event WHERE type = '$identify' AND user_id IS NOT NULL
) WHERE traits IS NOT NULL GROUP BY ALL
