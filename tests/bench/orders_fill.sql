-- orders_fill.sql: psql -v days=.. -v per_day=.. -v last=..: the orders, `per_day` on each of `days`
-- business days, the newest of them `last`, from 11:00 to 01:00 in Berlin. 92 % are SERVED.
select setseed(0.5) \g /dev/null
insert into orders
select n + 1,
       case when dice < 0.92 then 'SERVED' when dice < 0.97 then 'CANCELLED' when dice < 0.99 then 'REFUNDED' else 'PENDING' end,
       (800 + floor(7000 * random())) / 100, placed_at, placed_at + interval '25 minutes',
       1 + floor(random() * 40000), 1, 'EUR'
from (select n, random() as dice,
             (:'last'::date - :days + 1 + (n / :per_day)::int + interval '11 hours'
              + make_interval(secs => (n % :per_day + random()) * 50400 / :per_day)) at time zone 'Europe/Berlin' as placed_at
      from generate_series(0, :days::bigint * :per_day - 1) n) o;
alter table orders add primary key (id);
create index orders_created_at on orders (created_at);
