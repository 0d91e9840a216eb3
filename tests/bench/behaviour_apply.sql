-- behaviour_apply.sql: seconds that 20,000 events more take to take effect, with sequences and without, by turns; each is undone. They
-- are those of the last day once more, a day later, each session with another id.
SET jit = off;
SET work_mem = '64MB';
INSERT INTO activity_event
SELECT (9::bigint << 32) + row_number() OVER (ORDER BY seq), gen_random_uuid(), event_type, occurred_at + interval '1 day', claimed_at, now(), flags, key_id, user_id, anonymous_id,
       session_id || 'x', hashtextextended(session_id || 'x', 0), dims, price, quantity, currency, properties
FROM (SELECT * FROM activity_event WHERE occurred_at >= current_date - 1 AND occurred_at < current_date ORDER BY session_id LIMIT 20000) e;
INSERT INTO activity_batch (batch_id, events, from_at, to_at)
SELECT seq >> 16, count(*), min(occurred_at), max(occurred_at) FROM activity_event WHERE seq >= 9::bigint << 32 AND occurred_at >= current_date GROUP BY 1;
SELECT activity_work_make();
CREATE TEMP TABLE took (whole boolean, seconds float8);
DO $$
DECLARE
	begun timestamptz;
	took float8;
BEGIN
	FOR i IN 0 .. 13 LOOP
		BEGIN
			begun := clock_timestamp();
			PERFORM activity_claim(20000, '{}');
			PERFORM activity_people_take();
			PERFORM activity_sessions_take();
			IF i % 2 = 0 THEN
				PERFORM activity_sequences_take();
			END IF;
			PERFORM activity_figures_take();
			took := extract(epoch FROM clock_timestamp() - begun);
			RAISE EXCEPTION USING errcode = 'RB000'; -- undone; what a variable says stays
		EXCEPTION WHEN SQLSTATE 'RB000' THEN
			INSERT INTO took VALUES (i % 2 = 0, took);
		END;
	END LOOP;
END
$$;
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) FILTER (WHERE whole), percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) FILTER (WHERE NOT whole) FROM took;
