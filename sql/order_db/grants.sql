-- grants.sql: run in order_db on PostgreSQL by the owner of its tables, with any client, as often as
-- you like. Lets the user order_ro (made by sql/roles.sql) read the orders and nothing else.
--
-- Takings takes the tables from the schema that comes first in the search_path. Where your tables
-- are shaped differently, make views named orders and order_items in a schema of their own and run
-- this there.

do $$
declare
    tab text;
begin
    execute format('grant connect on database %I to order_ro', current_database());
    foreach tab in array array['orders', 'order_items', 'order_refunds'] loop
        if to_regclass(tab) is not null then
            execute format('grant select on %s to order_ro', to_regclass(tab));
            execute (select format('grant usage on schema %I to order_ro', nspname)
                       from pg_namespace join pg_class c on relnamespace = pg_namespace.oid
                      where c.oid = to_regclass(tab));
        elsif tab <> 'order_refunds' then -- refunds are optional
            raise exception 'there is no table "%" on the search_path (%)',
                            tab, current_setting('search_path');
        end if;
    end loop;
end $$;

-- If your releases drop and make these tables anew, the rights go with the old ones. Either run this
-- file after each release, or give order_ro all tables that their owner will make in a schema:
--
--   alter default privileges for role order_owner in schema public grant select on tables to order_ro;
--
-- That opens every later table of the schema, customers' data too: mind what else lives there.
