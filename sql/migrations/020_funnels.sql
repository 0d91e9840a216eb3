-- Funnels that are kept under a name. docs/BEHAVIOUR.md says what a funnel is; `checkout` is there whether it was ever written or not.

CREATE TABLE activity_funnel (
	funnel_name text PRIMARY KEY CHECK (funnel_name ~ '^[a-z0-9][a-z0-9_-]{0,63}$'),
	definition jsonb NOT NULL,           -- as PUT /funnels/{funnel_name} takes it, with nothing left out
	written_by text NOT NULL,            -- as audit_log has it
	written_at timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION activity_funnels() RETURNS TABLE (funnel_name text, definition jsonb, built_in boolean, written_by text, written_at timestamptz)
LANGUAGE sql STABLE ROWS 10 AS $$
	SELECT funnel_name, definition, funnel_name = 'checkout', written_by, written_at FROM activity_funnel
	UNION ALL
	SELECT 'checkout', '{"steps": [{"event_type": "product_view", "filters": {}, "name": "product_view"},
	                               {"event_type": "add_to_cart", "filters": {}, "name": "add_to_cart"},
	                               {"event_type": "checkout_start", "filters": {}, "name": "checkout_start"},
	                               {"event_type": "purchase", "filters": {}, "name": "purchase"}],
	                     "order": "sequential", "window_s": 604800, "unit": "user"}', true, NULL, NULL
	WHERE NOT EXISTS (SELECT FROM activity_funnel WHERE funnel_name = 'checkout')
$$;

-- A filter may name somebody. (The list as it was before stays under another name: migrations beside this one add to it as well.)
ALTER FUNCTION person_columns() RENAME TO person_columns_but_funnels;
CREATE FUNCTION person_columns()
RETURNS TABLE (tbl text, col text, holds text, change text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT * FROM person_columns_but_funnels() UNION ALL VALUES ('activity_funnel', 'definition', 'json', 'mark')
$$;
