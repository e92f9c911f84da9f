-- dim_tenant has a row for each time that a tenant was other than before, by the provider's own chain, whose acts say what the
-- tenant was after each: tier, type, state and organisation. Its slug and industry, which that chain does not keep, are those of the
-- moment when the act came to the stream; valid_to is null in the present one.
DROP VIEW dim_tenant;
CREATE VIEW dim_tenant AS
WITH said AS (
	SELECT subject AS tenant, time, try_cast(entry AS BIGINT) AS entry, (facts->>'slug') AS slug, (facts->>'tier') AS tier, (facts->>'type') AS type, (facts->>'state') AS state,
		(facts->>'organisation') AS organisation, (facts->>'industry') AS industry
	FROM fact_act WHERE tenant IS NULL AND starts_with(subject, 'ten_') AND (facts->>'slug') IS NOT NULL
), changed AS (
	SELECT *, hash(slug, tier, type, state, organisation, industry) IS DISTINCT FROM
		lag(hash(slug, tier, type, state, organisation, industry)) OVER (PARTITION BY tenant ORDER BY time, entry) AS differs FROM said
)
SELECT tenant, slug, tier, type, state, organisation, industry, time AS valid_from,
	lead(time) OVER (PARTITION BY tenant ORDER BY time, entry) AS valid_to,
	lead(time) OVER (PARTITION BY tenant ORDER BY time, entry) IS NULL AS is_current
FROM changed WHERE differs;
