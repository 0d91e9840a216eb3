-- holiday.sql: the shop's own days, which forecasts know besides public holidays.

-- name: holiday_table
CREATE TEMP TABLE public_day (day date, name text)

-- name: holiday_public
INSERT INTO public_day VALUES (date '1970-01-01' + :day::int, :name)

-- name: holiday_list
SELECT day, to_char(day, 'Dy') AS weekday, name, of
FROM (SELECT DISTINCT day, name, NULL AS of FROM public_day
      UNION ALL
      SELECT day, name, CASE WHEN location_id IS NULL THEN 'own' ELSE 'own, location ' || location_id END FROM special_day) d
WHERE extract(year FROM day) = :year::int
ORDER BY day, of NULLS FIRST, name

-- name: holiday_add
INSERT INTO special_day (day, name, location_id)
SELECT d::date, :name, :location_id::int
FROM generate_series(:day::date::timestamp, :until::date::timestamp, interval '1 day') d
ON CONFLICT DO NOTHING

-- name: holiday_remove
DELETE FROM special_day
WHERE day BETWEEN :day::date AND :until::date AND name = :name AND location_id IS NOT DISTINCT FROM :location_id::int
