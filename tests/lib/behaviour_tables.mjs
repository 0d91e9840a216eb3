// behaviour_tables.mjs: some weeks of activity with everybody's sequences, as if events had taken effect.
import { activitySql } from './activity_tables.mjs'

// As SQL; options as those of activitySql.
export function behaviourSql(options) {
	return `${activitySql(options)}
TRUNCATE activity_sequence, activity_first_moved;
UPDATE activity_type t SET code = n.n FROM (SELECT event_type, row_number() OVER (ORDER BY event_type) AS n FROM activity_type) n WHERE n.event_type = t.event_type;
UPDATE activity_value v SET code = n.n FROM (SELECT dimension_id, value, row_number() OVER (PARTITION BY dimension_id ORDER BY value) AS n FROM activity_value) n
WHERE n.dimension_id = v.dimension_id AND n.value = v.value;
UPDATE activity_site SET sequenced_from = 'infinity';
DO $$ BEGIN WHILE activity_sequences_catch() IS NOT NULL LOOP END LOOP; END $$;`
}
