-- orders.sql: tables of an order_db.
create table orders (
	id bigint not null,
	status text not null,
	total_amount numeric(12,2) not null,
	created_at timestamptz not null,
	updated_at timestamptz not null,
	customer_id integer,
	location_id integer not null,
	currency text not null
);
create table order_items (
	id bigint not null,
	order_id bigint not null,
	item_id integer not null,
	name text not null,
	quantity integer not null,
	unit_price numeric(12,2) not null
);
