-- bookings_figures.sql: the figures of the states that bookings_fill.sql made, all at once: what bookings_rebuild()
-- makes of messages step by step, of data where a booking has its event's currency and a created one its day's hour.
SET work_mem = '256MB';

INSERT INTO event_day (event_id, business_date, currency, touched, new, new_seats, confirmed, confirmed_seats, cancelled, cancelled_seats, counted,
                       revenue_minor, booked_minor)
SELECT b.event_id, m.business_date, b.currency, sum(m.touched), sum(m.new), sum(m.new_seats), sum(m.confirmed), sum(m.confirmed_seats), sum(m.cancelled),
       sum(m.cancelled_seats), sum(m.counted), sum(m.revenue_minor), sum(m.booked_minor)
FROM booking_state b, LATERAL booking_measures(b) m
GROUP BY 1, 2, 3;

INSERT INTO category_day (category, business_date, currency, touched, new, new_seats, confirmed, confirmed_seats, cancelled, cancelled_seats, counted,
                          revenue_minor, booked_minor)
SELECT e.category, d.business_date, d.currency, sum(touched), sum(new), sum(new_seats), sum(confirmed), sum(confirmed_seats), sum(cancelled),
       sum(cancelled_seats), sum(counted), sum(revenue_minor), sum(booked_minor)
FROM event_day d JOIN event_state e USING (event_id)
GROUP BY 1, 2, 3;

INSERT INTO booking_day (business_date, currency, touched, new, new_seats, confirmed, confirmed_seats, cancelled, cancelled_seats, counted,
                         revenue_minor, booked_minor)
SELECT business_date, currency, sum(touched), sum(new), sum(new_seats), sum(confirmed), sum(confirmed_seats), sum(cancelled), sum(cancelled_seats),
       sum(counted), sum(revenue_minor), sum(booked_minor)
FROM event_day GROUP BY 1, 2;

INSERT INTO booking_hour (business_date, hour, new, new_seats)
SELECT created_day, created_hour, count(*), sum(seats) FROM booking_state GROUP BY 1, 2;

INSERT INTO booking_lead (category, lead_days, new, new_seats)
SELECT e.category, lead_days(e.starts_at, e.run_from_day, d.business_date), sum(new), sum(new_seats)
FROM event_day d JOIN event_state e USING (event_id)
GROUP BY 1, 2;

INSERT INTO booking_day_more (business_date, new_users, active_events)
SELECT coalesce(u.day, a.day), coalesce(u.n, 0), coalesce(a.n, 0)
FROM (SELECT first_day AS day, count(*) AS n FROM user_state GROUP BY 1) u
FULL JOIN (SELECT g.day::date AS day, count(*) AS n
           FROM generate_series((SELECT min(business_date) FROM booking_day)::timestamp, current_date, interval '1 day') g(day)
           JOIN event_state e ON e.status = 'published' AND g.day::date BETWEEN e.sale_from_day AND e.run_to_day
           GROUP BY 1) a ON a.day = u.day;

INSERT INTO event_stats (event_id, event_name, category, status, starts_at, ends_at, total_capacity, unlimited, currency, total_bookings,
                         confirmed_bookings, cancelled_bookings, total_seats, confirmed_seats, cancelled_seats, revenue_minor, counted, first_booking,
                         last_booking)
SELECT e.event_id, e.name, e.category, e.status, e.starts_at, e.ends_at, e.capacity, e.unlimited, e.currency, coalesce(b.n, 0), coalesce(b.confirmed, 0),
       coalesce(b.cancelled, 0), coalesce(b.seats, 0), coalesce(b.confirmed_seats, 0), coalesce(b.cancelled_seats, 0), coalesce(b.minor, 0),
       coalesce(b.confirmed, 0), b.first, b.last
FROM event_state e
LEFT JOIN (SELECT event_id, count(*) AS n, count(*) FILTER (WHERE status = 'confirmed') AS confirmed,
                  count(*) FILTER (WHERE status = 'cancelled') AS cancelled, sum(seats) AS seats,
                  sum(seats) FILTER (WHERE status = 'confirmed') AS confirmed_seats, sum(seats) FILTER (WHERE status = 'cancelled') AS cancelled_seats,
                  sum(amount_minor) FILTER (WHERE status = 'confirmed') AS minor, min(created_at) AS first, max(created_at) AS last
           FROM booking_state GROUP BY 1) b USING (event_id);

UPDATE booking_site SET days_from = (SELECT min(business_date) FROM booking_day), days_to = business_date(now(), timezone, cutoff_hours);
ANALYZE;
SELECT booking_version_up(), booking_ranks_make();
