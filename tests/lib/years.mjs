// Closed days for five years before those of the demo, by copying some of its own.
export const fiveYears = (newest) => `INSERT INTO daily_revenue_cache
	SELECT d.location_id, day::date, d.currency, d.revenue_minor, d.booked_minor, d.gross_minor, d.refund_minor, d.discount_minor, d.tax_minor,
	       d.shipping_minor, d.tip_minor, d.order_count, d.served_count, d.aov, d.item_qty, d.item_minor, d.orders_by_status, NULL, NULL, 'x', d.rules_id, d.run_id, d.computed_at
	FROM generate_series('${newest}'::timestamp - interval '5 years', (SELECT min(business_date) FROM daily_revenue_cache)::timestamp - interval '1 day', interval '1 day') day,
	LATERAL (SELECT * FROM daily_revenue_cache WHERE business_date = '${newest}'::date - 60 + extract(doy FROM day)::int % 50) d`
