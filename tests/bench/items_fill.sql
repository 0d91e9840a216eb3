-- items_fill.sql: psql -v days=.. -v per_day=..: 1 to 4 lines for each order, 2.4 on average, of a menu
-- of 120 items of which some sell far better than others.
select setseed(0.25) \g /dev/null
insert into order_items
select row_number() over (), order_id, item, 'Dish number ' || item, amount, 3 + item * 0.15
from (select order_id, 1 + floor(120 * random() ^ 2)::int as item, 1 + floor(random() ^ 3 * 4)::int as amount
      from generate_series(1, :days::bigint * :per_day) order_id,
           generate_series(1, (array[1, 2, 2, 3, 4])[order_id % 5 + 1]) line
      offset 0) i;
alter table order_items add primary key (id);
create index order_items_order_id on order_items (order_id);
