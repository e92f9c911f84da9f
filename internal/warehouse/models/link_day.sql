SELECT tenant, alias, user_id, min(time) AS linked FROM (
	SELECT tenant, anonymous_id AS alias, user_id, time FROM fact_event WHERE anonymous_id <> user_id
	UNION ALL
	SELECT tenant, coalesce(nullif(data->>'previousId', ''), data->>'alias'), user_id, time FROM fact_event WHERE type IN ('$create_alias', '$merge_dangerously')
) WHERE alias <> user_id AND alias <> '' GROUP BY ALL
