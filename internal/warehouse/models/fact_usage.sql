SELECT tenant, unnest([
	{'metric': 'events', 'unit': 'count', 'quantity': count(*)},
	{'metric': 'event_bytes', 'unit': 'bytes', 'quantity': sum(bytes)::BIGINT}
], recursive := true)
FROM fact_event GROUP BY tenant
UNION ALL BY NAME
SELECT * FROM (
	SELECT tenant, unnest([
		{'metric': 'logins', 'unit': 'count', 'quantity': count(*) FILTER (verb IN ('session.create', 'sftp.connect') AND outcome = 'ok')},
		{'metric': 'submissions', 'unit': 'count', 'quantity': count(*) FILTER (verb = 'submission.receive')},
		{'metric': 'submission_bytes', 'unit': 'bytes', 'quantity': coalesce(sum((facts->>'bytes')::BIGINT) FILTER (verb = 'submission.receive'), 0)::BIGINT},
		{'metric': 'submission_rows', 'unit': 'rows', 'quantity': coalesce(sum((facts->>'rows')::BIGINT) FILTER (verb = 'submission.validate' AND outcome = 'accepted'), 0)::BIGINT},
		{'metric': 'participations', 'unit': 'runs', 'quantity': count(DISTINCT actor) FILTER (verb = 'run.grant')},
		{'metric': 'results', 'unit': 'count', 'quantity': count(*) FILTER (verb = 'result.deliver')},
		{'metric': 'result_reads', 'unit': 'count', 'quantity': count(*) FILTER (verb = 'result.read' AND outcome = 'ok')}
	], recursive := true)
	FROM fact_act GROUP BY tenant
) WHERE quantity > 0
