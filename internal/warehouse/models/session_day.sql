WITH links AS (
	-- of the same day alone, so that an event is the same person's whichever days are looked at beside it
	SELECT tenant, time::DATE AS day, anonymous_id AS alias, arg_min(user_id, (time, user_id)) AS user_id FROM fact_event WHERE anonymous_id <> user_id GROUP BY ALL
), steps AS (
	SELECT e.tenant, e.session_id, coalesce(e.user_id, l.user_id, e.anonymous_id) AS person, e.time, e.key
	FROM fact_event e LEFT JOIN links l ON l.tenant IS NOT DISTINCT FROM e.tenant AND l.alias = e.anonymous_id AND l.day = e.time::DATE AND e.user_id IS NULL
	WHERE coalesce(e.user_id, e.anonymous_id, e.session_id) IS NOT NULL
), gaps AS (
	SELECT *, CASE WHEN session_id IS NULL THEN person END AS by_person,
		coalesce(time - lag(time) OVER (PARTITION BY tenant, session_id, by_person ORDER BY time, key) > CASE WHEN session_id IS NULL THEN INTERVAL 30 MINUTES ELSE INTERVAL 12 HOURS END, true) AS apart
	FROM steps
), days AS (
	SELECT *, count(*) FILTER (apart) OVER (PARTITION BY tenant, session_id, by_person, time::DATE) AS begun FROM gaps
), begins AS (
	SELECT *, apart OR coalesce(time::DATE > lag(time::DATE) OVER w AND lag(begun) OVER w = 0, false) AS begins
	FROM days WINDOW w AS (PARTITION BY tenant, session_id, by_person ORDER BY time, key)
), numbered AS (
	SELECT *, sum(begins::INTEGER) OVER (PARTITION BY tenant, session_id, by_person ORDER BY time, key ROWS UNBOUNDED PRECEDING) AS number FROM begins
)
SELECT tenant, min(person) AS person, session_id, min(time) AS started, max(time) AS ended, count(*) AS events
FROM numbered GROUP BY tenant, session_id, by_person, number
HAVING min(time) >= {{start}} AND min(time) < {{end}}
