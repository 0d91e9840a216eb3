-- bookings_fill.sql: events and :bookings bookings of a year up to now, as states; some events have many more than
-- others. The same number makes the same rows.
UPDATE booking_site SET timezone = 'Europe/Berlin', cutoff_hours = 4, currency = 'EUR', capacity_unlimited = 9999;
SET timezone = 'UTC';

INSERT INTO event_state
SELECT n, 'Event ' || n || ' ' || md5(n::text), 'category ' || n % 12, CASE WHEN n % 20 = 0 THEN 9999 ELSE 20 + (n * 37) % 2000 END, n % 20 = 0,
       CASE WHEN n % 25 = 0 THEN 'USD' ELSE 'EUR' END, t.starts_at, t.starts_at + interval '3 hours', t.starts_at - interval '60 days', t.starts_at,
       CASE n % 30 WHEN 0 THEN 'draft' WHEN 1 THEN 'cancelled' ELSE 'published' END, t.starts_at - interval '60 days', t.starts_at - interval '61 days',
       t.day - 60, t.day, t.day, t.day
FROM generate_series(1, :events) n,
     LATERAL (SELECT s.day, s.day + interval '19 hours' AS starts_at FROM (SELECT current_date - 360 + n * 420 / :events AS day) s) t;

INSERT INTO user_state
SELECT 'u' || n, u.at, business_date(u.at, 'Europe/Berlin', 4), u.at
FROM generate_series(0, :bookings / 10) n,
     LATERAL (SELECT date_trunc('day', now()) - (n % 365) * interval '1 day') u(at);

-- The days of a business day in one step: its clock is two hours behind that of the site's day in summer, which
-- is all the same here.
INSERT INTO booking_state
SELECT 'B' || n, b.event_id, 'u' || n % (:bookings / 10), b.status, 1 + n % 4, 1000 + (n * 7919) % 9000, CASE WHEN b.event_id % 25 = 0 THEN 'USD' ELSE 'EUR' END,
       b.at, CASE WHEN b.status <> 'pending' THEN b.at + interval '1 minute' END, CASE WHEN b.status = 'cancelled' THEN b.at + interval '5 hours' END,
       (b.at + interval '1 hour' - interval '4 hours')::date, extract(hour FROM b.at + interval '1 hour'),
       CASE WHEN b.status <> 'pending' THEN (b.at + interval '1 minute' + interval '1 hour' - interval '4 hours')::date END,
       CASE WHEN b.status = 'cancelled' THEN (b.at + interval '5 hours' + interval '1 hour' - interval '4 hours')::date END
FROM generate_series(1::bigint, :bookings) n,
     LATERAL (SELECT 1 + floor(:events * ((n * 7919 % 1000003) / 1000003.0) ^ 2)::int,
                     CASE WHEN n % 10 = 0 THEN 'cancelled' WHEN n % 11 = 0 THEN 'pending' ELSE 'confirmed' END,
                     now() - interval '6 hours' - (n * 104729 % 31000000) * interval '1 second') b(event_id, status, at);
