-- replication.sql: run in order_db on PostgreSQL by a superuser, with any client, as often as you like.
-- Lets takings-stream follow the orders as they change. Only needed where ORDER_REPLICATION_URL is set.
--
--   role order_stream      may replicate, and reads the tables of the orders; writes nothing
--   publication takings    those tables, as found on the search_path
--
-- Whoever may replicate could also copy the whole server, where pg_hba.conf lets it: give order_stream
-- a line for the database order_db, and none for `replication`. It has no password yet; in psql:
-- \password order_stream
--
-- What has to be set in postgresql.conf is printed at the end; the first two need a restart.

do $$
declare
    tab text;
    rel regclass;
    rels regclass[] := '{}';
begin
    if not exists (select from pg_roles where rolname = 'order_stream') then
        create role order_stream login replication nosuperuser nocreatedb nocreaterole nobypassrls;
        alter role order_stream set default_transaction_read_only = on;
    end if;
    execute format('grant connect on database %I to order_stream', current_database());
    foreach tab in array array['orders', 'order_items', 'order_refunds'] loop
        rel := to_regclass(tab);
        if rel is not null then
            execute format('grant select on %s to order_stream', rel);
            execute (select format('grant usage on schema %I to order_stream', nspname)
                       from pg_namespace join pg_class c on relnamespace = pg_namespace.oid
                      where c.oid = rel);
            -- Without it, updates and deletes of the table would fail once it is published.
            if exists (select from pg_class where oid = rel and relreplident = 'd')
               and not exists (select from pg_index where indrelid = rel and indisprimary) then
                raise exception 'the table % has no primary key, so nobody could say which of its rows was changed', rel
                    using hint = 'Give it a primary key, or: alter table ... replica identity using index ...';
            end if;
            rels := rels || rel;
        elsif tab <> 'order_refunds' then -- refunds are optional
            raise exception 'there is no table "%" on the search_path (%)',
                            tab, current_setting('search_path');
        end if;
    end loop;
    if not exists (select from pg_publication where pubname = 'takings') then
        execute format('create publication takings for table %s%s', array_to_string(rels, ', '),
                       -- a partitioned table is one table (PostgreSQL 13 and later)
                       case when current_setting('server_version_num')::int >= 130000
                            then ' with (publish_via_partition_root = true)' else '' end);
    end if;
    foreach rel in array rels loop -- a table that has come since, or was made anew
        if not exists (select from pg_publication_rel r join pg_publication p on p.oid = prpubid
                        where pubname = 'takings' and prrelid = rel) then
            execute format('alter publication takings add table %s', rel);
        end if;
    end loop;
end $$;

do $$
begin
    raise notice 'postgresql.conf: wal_level = logical              (now: %)', current_setting('wal_level');
    raise notice 'postgresql.conf: max_replication_slots            (now: %) one more than are in use: %',
        current_setting('max_replication_slots'), (select count(*) from pg_replication_slots);
    raise notice 'postgresql.conf: max_wal_senders                  (now: %) the same', current_setting('max_wal_senders');
    -- While takings-stream is away the server keeps its log for it. Without a limit that fills the
    -- disk in the end and stops the shop; with one the stream has to begin anew with a copy.
    raise notice 'postgresql.conf: max_slot_wal_keep_size = 10GB    (now: %) what the disk can spare; -1 is without limit',
        current_setting('max_slot_wal_keep_size');
    raise notice 'then: ORDER_REPLICATION_URL=postgresql://order_stream:PASSWORD@HOST/%', current_database();
end $$;
