-- roles.sql: the users of both databases, and analytics_db. Safe to run again at any time.
--
--   psql postgres < sql/roles.sql                   as superuser, where analytics_db is to be
--   psql -v only_order_ro=1 ... < sql/roles.sql     where order_db is, if that is another server
--   psql -v local=1 ... < sql/roles.sql             the local instance: makes order_db too
--
-- No password stands here. Give one to each user that comes over the network, in psql:
--   \password analytics_rw
-- (asks for it and sends only a hash), or on one machine let pg_hba.conf say `peer` with a user map.
--
--   order_owner       local instance only; stands for the shop's own application
--   order_ro          reads orders, writes nothing (what it may read: sql/order_db/grants.sql)
--   analytics_owner   owns analytics_db; used by migrations and by nothing else
--   analytics_rw      the batch and the stream; rights on tables come with the migrations
--   analytics_web     the web program: reads figures, writes sessions, keys and the audit log; its
--                     transactions are read only where they do not say otherwise
--   analytics_ro      reports and BI tools: reads figures, and nothing of users, sessions and keys

\set ON_ERROR_STOP on
set client_min_messages = warning;

create function pg_temp.role(name text) returns void language plpgsql as $$
begin
    if not exists (select from pg_roles where rolname = name) then
        execute format('create role %I', name);
    end if;
    execute format('alter role %I login nosuperuser nocreatedb nocreaterole noreplication nobypassrls', name);
end $$;

\o /dev/null
select pg_temp.role('order_ro');
\o
alter role order_ro set default_transaction_read_only = on;

\if :{?only_order_ro}
    \quit
\endif

\o /dev/null
select pg_temp.role(name) from unnest(array['analytics_owner', 'analytics_rw', 'analytics_web', 'analytics_ro']) name;
\o
alter role analytics_web set default_transaction_read_only = on;
alter role analytics_ro set default_transaction_read_only = on;
-- Last resorts; the web program sets its own, shorter ones.
alter role analytics_web set statement_timeout = '10min';
alter role analytics_web set idle_in_transaction_session_timeout = '1min';
alter role analytics_ro set statement_timeout = '10min';
alter role analytics_ro set idle_in_transaction_session_timeout = '1min';

select 'create database analytics_db owner analytics_owner encoding ''UTF8'' template template0'
 where not exists (select from pg_database where datname = 'analytics_db') \gexec
revoke all on database analytics_db from public;
grant connect, temporary on database analytics_db to analytics_rw;
grant connect on database analytics_db to analytics_web, analytics_ro;

\if :{?local}
    \o /dev/null
    select pg_temp.role('order_owner');
    \o
    select 'create database order_db owner order_owner encoding ''UTF8'' template template0'
     where not exists (select from pg_database where datname = 'order_db') \gexec
    revoke all on database order_db from public;
    \connect order_db
    revoke create on schema public from public;
    grant usage, create on schema public to order_owner;
\endif

\connect analytics_db
revoke create on schema public from public;
grant usage, create on schema public to analytics_owner;
grant usage on schema public to analytics_rw, analytics_web, analytics_ro;
