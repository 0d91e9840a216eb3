-- Money is kept in minor units (cents) with its ISO 4217 code; only ratios are
-- rounded, half-even, and only at the end.

-- Currencies whose minor unit is not a hundredth (ISO 4217, list one).
CREATE TABLE currency_exponent (
	currency text PRIMARY KEY CHECK (currency ~ '^[A-Z]{3}$'),
	exponent smallint NOT NULL CHECK (exponent BETWEEN 0 AND 4)
);
INSERT INTO currency_exponent VALUES
	('BIF', 0), ('CLP', 0), ('DJF', 0), ('GNF', 0), ('ISK', 0), ('JPY', 0), ('KMF', 0), ('KRW', 0),
	('PYG', 0), ('RWF', 0), ('UGX', 0), ('UYI', 0), ('VND', 0), ('VUV', 0), ('XAF', 0), ('XOF', 0),
	('XPF', 0), ('BHD', 3), ('IQD', 3), ('JOD', 3), ('KWD', 3), ('LYD', 3), ('OMR', 3), ('TND', 3),
	('CLF', 4), ('UYW', 4);

CREATE FUNCTION money_exponent(code text) RETURNS int
LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT coalesce((SELECT exponent FROM currency_exponent WHERE currency = code), 2)::int
$$;

-- Rounds to `digits` decimals, ties to the even neighbour.
CREATE FUNCTION half_even(value numeric, digits int) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
	-- round() takes ties away from zero: a tie is where that is as far as cutting off.
	SELECT CASE
		WHEN round(value, digits) <> trunc(value, digits)
		     AND round(value, digits) + trunc(value, digits) = 2 * value
		     AND mod(trunc(value, digits) * 10::numeric ^ digits, 2) = 0
		THEN trunc(value, digits)
		ELSE round(value, digits)
	END
$$;

-- Minor units as an exact decimal with the currency's digits: 1542050, EUR -> 15420.50.
CREATE FUNCTION money(minor numeric, code text) RETURNS numeric
LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT round(minor / 10::numeric ^ e, e) FROM (SELECT money_exponent(code) AS e) x
$$;

-- The other way; a value finer than the currency is rounded half-even.
CREATE FUNCTION money_minor(amount numeric, code text) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT half_even(amount * 10::numeric ^ money_exponent(code), 0)::bigint
$$;

-- An average of money in major units; no divisor, no average.
CREATE FUNCTION money_ratio(minor numeric, n numeric, code text) RETURNS numeric
LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN n = 0 THEN round(0, e)
	            ELSE half_even(minor / n / 10::numeric ^ e, e) END
	FROM (SELECT money_exponent(code) AS e) x
$$;
