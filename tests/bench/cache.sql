-- cache.sql: cache tables as somebody would make them who writes the night's work with psql or an ORM:
-- the columns that mean the same as those of analytics_db, and the same primary keys.
create table daily_revenue_cache (
	location_id integer not null,
	business_date date not null,
	currency text not null,
	revenue_minor bigint not null,
	order_count bigint not null,
	served_count bigint not null,
	first_order_at timestamptz,
	last_order_at timestamptz,
	primary key (location_id, business_date, currency)
);
create table hourly_order_cache (
	location_id integer not null,
	business_date date not null,
	hour smallint not null,
	currency text not null,
	order_count bigint not null,
	served_count bigint not null,
	revenue_minor bigint not null,
	primary key (location_id, business_date, hour, currency)
);
create table item_sales_cache (
	location_id integer not null,
	business_date date not null,
	item_id text not null,
	currency text not null,
	name text not null,
	quantity numeric not null,
	revenue_minor bigint not null,
	order_count bigint not null,
	primary key (location_id, business_date, item_id, currency)
);
