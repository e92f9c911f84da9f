SELECT tenant, source, origin, channel, count(*) AS events, sum(bytes)::BIGINT AS bytes, min(received) AS first_received, max(received) AS last_received
FROM fact_event GROUP BY ALL
