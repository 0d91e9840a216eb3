#!/bin/bash
# psql_batch.sh ORDERS_URL CACHE_URL: all of history with psql and nothing else: for each cache table one
# aggregating COPY out of one database, piped into one COPY of the other.
set -eu -o pipefail

copy() { # TABLE QUERY
	psql -X -q -v ON_ERROR_STOP=1 -d "$orders" -c "copy ($2) to stdout" |
		psql -X -q -v ON_ERROR_STOP=1 -d "$cache" -c "copy $1 from stdin"
}

orders=$1 cache=$2
local_time="(o.created_at at time zone 'Europe/Berlin')"
business_date="($local_time - interval '4 hours')::date"

copy daily_revenue_cache "
	select location_id, $business_date, currency,
	       coalesce(sum(total_amount * 100) filter (where status = 'SERVED'), 0)::bigint,
	       count(*), count(*) filter (where status = 'SERVED'), min(created_at), max(created_at)
	from orders o group by 1, 2, 3"

copy hourly_order_cache "
	select location_id, $business_date, extract(hour from $local_time)::int, currency,
	       count(*), count(*) filter (where status = 'SERVED'),
	       coalesce(sum(total_amount * 100) filter (where status = 'SERVED'), 0)::bigint
	from orders o group by 1, 2, 3, 4"

copy item_sales_cache "
	select location_id, $business_date, item_id, currency, max(name), sum(quantity),
	       sum(quantity * unit_price * 100)::bigint, count(distinct order_id)
	from orders o join order_items i on i.order_id = o.id
	where status = 'SERVED' group by 1, 2, 3, 4"
