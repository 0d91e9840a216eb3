"""batch.py BUILD: the nightly batch beside other ways to do the same work, on one machine in one go.

Only ratios mean anything. What is compared runs by turns, in rounds, and medians are shown. Everything
happens in a PostgreSQL of its own below a temporary directory, which is gone afterwards.

Environment:
  BENCH_ORDERS    orders of the large database (5000000); the other one has a tenth of the days
  BENCH_MINUTES   no further round begins that would end later than this (20)
  BENCH_DIR       where the temporary directory is made (/var/tmp)

Exit code: 0 all goals hold (or a trial with fewer orders ended well), 1 one does not, 2 it failed.
"""
import os
import statistics
import sys
import time
from datetime import date, timedelta

import sqlalchemy

from stage import Failed, Stage, clean_env, main, say

FULL = 5_000_000
PER_DAY = 2740
LOOKBACK = 35
ROUNDS = 3
SHORT_ROUNDS = 9  # of the runs that take less than a second
BYTES_PER_ORDER = 1600

SAME_DAILY = "location_id, business_date, currency, revenue_minor, order_count, served_count, first_order_at, last_order_at"
SAME_HOURLY = "location_id, business_date, hour, currency, served_count, revenue_minor"
SAME_ITEMS = "location_id, business_date, item_id, currency, name, trim_scale(quantity), revenue_minor, order_count"
SAME = f"""
set timezone = 'UTC';
select (select md5(string_agg(r::text, ';' order by r::text)) from (select {SAME_DAILY} from daily_revenue_cache) r),
       (select md5(string_agg(r::text, ';' order by r::text)) from (select {SAME_HOURLY} from hourly_order_cache
                                                                   where served_count > 0) r),
       (select md5(string_agg(r::text, ';' order by r::text)) from (select {SAME_ITEMS} from item_sales_cache) r)
"""


class Bench(Stage):
    def __init__(self, build):
        super().__init__(build)
        self.orders_n = int(os.environ.get("BENCH_ORDERS") or FULL)
        self.days = max(round(self.orders_n / PER_DAY), 10)
        # the look-back must fit into a trial's small database too
        self.sizes = {"large": self.days, "small": max(round(self.days / 10), LOOKBACK + 5)}
        self.deadline_s = time.monotonic() + 60 * float(os.environ.get("BENCH_MINUTES") or 20)
        self.measure = os.path.join(self.build, "bench", "measure")
        self.peaks = {}

    def timed(self, what, argv, env=None):
        """Seconds and MB of one command."""
        out = os.path.join(self.dir, "measured")
        self.psql("postgres", "checkpoint")  # nobody pays for what was written before
        self.run_all(what, [[self.measure, out, *argv]], env)
        with open(out) as f:
            seconds, kb = f.read().split()
        return float(seconds), float(kb) / 1024

    # ---- the work ------------------------------------------------------------

    def make_data(self):
        self.last = date.fromisoformat(self.yesterday())
        for size, days in self.sizes.items():
            self.orders(f"orders_{size}", days, PER_DAY, self.last)
        self.psql("postgres", "create database empty_takings")
        self.run_all("migrate", [[self.batch, "migrate"]], self.takings_env("large", "empty_takings"))
        self.psql("postgres", "create database empty_cache")
        self.run_all("tables", [self.psql_command("empty_cache", "-f", self.file("cache.sql"))])

    def takings_env(self, size, cache):
        return clean_env(DATABASE_URL=self.url(f"orders_{size}"), ANALYTICS_DATABASE_URL=self.url(cache),
                         BUSINESS_TIMEZONE="Europe/Berlin", BUSINESS_DAY_CUTOFF="4", DEFAULT_CURRENCY="EUR",
                         BATCH_LOOKBACK_DAYS=str(LOOKBACK), LOG_LEVEL="WARNING")

    def span(self, size):
        return str(self.last - timedelta(days=self.sizes[size] - 1)), str(self.last)

    def takings(self, size, *args):
        seconds, mb = self.timed(f"takings-batch run, {size}", [self.batch, "run", *args],
                                 self.takings_env(size, f"takings_{size}"))
        self.peaks[size] = max(self.peaks.get(size, 0), mb)
        return seconds

    def backfill(self, size):
        self.fresh(f"takings_{size}", "empty_takings")
        first, last = self.span(size)
        return self.takings(size, "--from", first, "--to", last)

    def psql_batch(self):
        self.fresh("psql_cache", "empty_cache")
        return self.timed("psql", ["bash", self.file("psql_batch.sh"), self.url("orders_large"), self.url("psql_cache")])[0]

    def orm_batch(self):
        self.fresh("orm_cache", "empty_cache")
        return self.timed("ORM", [sys.executable, self.file("orm_batch.py"), self.url("orders_small"),
                                  self.url("orm_cache"), *self.span("small")])[0]

    def night(self, size):
        cache = f"takings_{size}"
        tables = "daily_revenue_cache", "hourly_order_cache", "item_sales_cache"
        state = "select " + ", ".join(f"(select count(*) from {t})" for t in tables)
        before = self.psql(cache, state)
        for table in tables:
            self.psql(cache, f"delete from {table} where business_date = (select max(business_date) from {table})")
        seconds = self.takings(size)
        if self.psql(cache, state) != before:
            raise Failed(f"the night of {cache} did not put the day back")
        return seconds

    def settle(self, database):
        self.run_all("vacuum analyze", [self.psql_command(database, "-c", "vacuum analyze")])

    def require_same(self, one, other):
        a, b = (self.psql(name, SAME) for name in (one, other))
        if a != b:
            raise Failed(f"{one} and {other} hold different figures:\n{a}\n{b}")
        say(f"  {one} and {other} hold the same figures")

    # ---- comparing -----------------------------------------------------------

    def by_turns(self, title, rounds, ours, theirs):
        """Medians of both, in seconds."""
        say(f"\n{title}")
        a, b = [], []
        for n in range(1, rounds + 1):
            begun = time.monotonic()
            a.append(ours())
            b.append(theirs())
            now = time.monotonic()
            say(f"  round {n} of {rounds}: {a[-1]:8.2f} s  {b[-1]:8.2f} s   ratio {a[-1] / b[-1]:.3f}")
            if n < rounds and now + (now - begun) > self.deadline_s:
                say("  no time for another round")
                break
        return statistics.median(a), statistics.median(b)

    def compare(self):
        large, small = (f"{days:,} days" for days in self.sizes.values())
        ours, theirs = self.by_turns(f"1. all of history, {large}: takings-batch run, psql COPY | COPY", ROUNDS,
                                     lambda: self.backfill("large"), self.psql_batch)
        self.row("backfill / psql copy", f"{ours:.1f} s", f"{theirs:.1f} s", f"{ours / theirs:.2f}", "<= 1.5",
                 ours <= 1.5 * theirs)
        self.require_same("takings_large", "psql_cache")

        ours, theirs = self.by_turns(f"2. all of history, {small}: takings-batch run, Python with SQLAlchemy's ORM", ROUNDS,
                                     lambda: self.backfill("small"), self.orm_batch)
        self.row("backfill / ORM", f"{ours:.2f} s", f"{theirs:.1f} s", f"1/{theirs / ours:.0f}", "<= 1/20",
                 20 * ours <= theirs)
        self.require_same("takings_small", "orm_cache")

        for size in self.sizes:
            self.settle(f"takings_{size}")
        ours, theirs = self.by_turns(f"3. one night, a day missing and {LOOKBACK} looked at again: {large} of history, {small}",
                                     SHORT_ROUNDS, lambda: self.night("large"), lambda: self.night("small"))
        self.row(f"night, {large} / {small}", f"{ours:.3f} s", f"{theirs:.3f} s", f"{ours / theirs:.2f}", "<= 1.2",
                 ours <= 1.2 * theirs)
        for size, days in self.sizes.items():
            self.row(f"peak memory, {days:,} days", f"{self.peaks[size]:.1f} MB", "", "", "<= 64 MB", self.peaks[size] <= 64)

    def run(self):
        say(f"Takings beside other ways, {self.orders_n:,} orders; everything in a server of its own, removed afterwards.")
        self.open(self.orders_n * BYTES_PER_ORDER)
        self.facts(sqlalchemy)
        say("\nmaking data")
        self.make_data()
        self.compare()
        self.table()
        if self.orders_n < FULL:
            say(f"A trial: the goals are meant for {FULL:,} orders.")
            return 0
        return 0 if self.all_hold() else 1


main(Bench)
