"""bookings.py BUILD: the answers about bookings, uncached, over few and over many bookings.

  hop     the FastCGI loop of takings-web with the same answer ready: what any answer costs at least
  small   takings-web over a database with few bookings
  large   takings-web over one with many, of as many events

Each answer is asked for over and over by 16 connections, with ANALYTICS_CACHE_TTL=0; the three take turns in
rounds. Only ratios mean anything: of the time that 99 of 100 answers take no longer than, medians of the rounds.

Environment:
  BENCH_EVENTS    10000
  BENCH_SMALL     bookings of the small one (100000)
  BENCH_BOOKINGS  bookings of the large one (5000000)
  BENCH_ROUNDS    5
  BENCH_SECONDS   of each measurement (3)
  BENCH_ONLY      names of answers to look at
  BENCH_DIR       where the temporary directory is made (/var/tmp)

Exit code: 0 all goals hold, 1 one does not, 2 it failed.
"""
import json
import os
import subprocess
import time

from stage import Failed, main, say
from web import Bench

CONNECTIONS = 16
BASE = "/api/v1/analytics/"
ANSWERS = {"dashboard": "dashboard", "events": "events", "event": "events/1", "daily": "daily", "revenue": "revenue",
           "capacity": "capacity", "top-events": "top-events", "system": "system"}
HOP_GOAL, GROWTH_GOAL = 3, 1.5


class Bookings(Bench):
    def __init__(self, build):
        super().__init__(build)
        self.rounds = int(os.environ.get("BENCH_ROUNDS") or 5)
        self.events = int(os.environ.get("BENCH_EVENTS") or 10_000)
        self.bookings = {"small": int(os.environ.get("BENCH_SMALL") or 100_000),
                         "large": int(os.environ.get("BENCH_BOOKINGS") or 5_000_000)}

    def make_data(self):
        say("\nmaking data")
        self.psql("postgres", "create database small")
        self.psql("postgres", "create database orders")
        self.run_all("migrate", [[self.batch, "migrate"]], self.takings_env("small"))
        self.run_all("a user", [[self.batch, "user", "add", "bench", "--role", "admin", "--generate"]], self.takings_env("small"))
        self.token = subprocess.run([self.batch, "user", "token", "bench"], env=self.takings_env("small"), capture_output=True,
                                    text=True, check=True).stdout.strip()
        self.psql("postgres", "create database large template small")
        for name in ("small", "large"):
            self.fill(name)

    def fill(self, name):
        begun = time.monotonic()
        given = ("-v", f"events={self.events}", "-v", f"bookings={self.bookings[name]}")
        self.run_all("states", [self.psql_command(name, *given, "-f", self.file("bookings_fill.sql"))])
        states_s, begun = time.monotonic() - begun, time.monotonic()
        self.run_all("figures", [self.psql_command(name, "-f", self.file("bookings_figures.sql"))])
        figures_s = time.monotonic() - begun
        self.run_all("vacuum analyze", [self.psql_command(name, "-c", "vacuum analyze")])
        events, bookings, days, megabytes = self.psql(name, "select total_events, total_bookings, (select count(*) from event_day),"
                                                            " pg_database_size(current_database()) / 1000000 from system_metrics").split("|")
        say(f"  {name}: {int(bookings):,} bookings of {int(events):,} events, {int(days):,} rows of days of events, {megabytes} MB; "
            f"states {states_s:.0f} s, figures {figures_s:.0f} s")

    def compare(self, name, path):
        """No answer is empty or an error."""
        for way in ("small", "large"):
            answer = json.loads(self.fetch(way, path)[1])
            if not answer or answer.get("status", 200) == 404:
                raise Failed(f"{way} {name}: {answer}")

    def measure_answer(self, name):
        path = BASE + ANSWERS[name]
        self.compare(name, path)
        self.start_hop("large", path)
        size = len(self.fetch("large", path)[1])
        ways = ("hop", "small", "large")
        for way in ways:
            self.wrk(way, path, 1, CONNECTIONS)
        rates, p99s = ({way: [] for way in ways} for _ in range(2))
        for _ in range(self.rounds):
            for way in ways:
                rate, p99 = self.wrk(way, path, connections=CONNECTIONS)
                rates[way].append(rate)
                p99s[way].append(p99)
        self.end("hop")
        return size, rates, p99s

    def told(self, name, size, rates, p99s):
        large, hop, to_hop = self.medians(p99s, "large", "hop")
        _, small, growth = self.medians(p99s, "large", "small")
        rate = self.medians(rates, "large", "hop")[0]
        say(f"  {name:11} {size:7,} bytes {rate:6.0f}/s   p99 hop {hop:5.2f}  small {small:6.2f}  large {large:6.2f} ms   "
            f"load {os.getloadavg()[0]:.1f}")
        self.row(f"{name}: p99 of large / hop", f"{large:.2f} ms", f"{hop:.2f} ms", f"{to_hop:.2f}", f"<= {HOP_GOAL}", to_hop <= HOP_GOAL)
        self.row(f"{name}: p99 of large / small", f"{large:.2f} ms", f"{small:.2f} ms", f"{growth:.2f}", f"<= {GROWTH_GOAL}",
                 growth <= GROWTH_GOAL)

    def run(self):
        say("Takings' answers about bookings; everything in servers of its own, removed afterwards.")
        self.open(1_000_000_000 + 1200 * sum(self.bookings.values()))
        self.facts()
        self.make_data()
        self.start_nginx(("hop", "small", "large"))
        for name in ("small", "large"):
            self.start_takings(name, "0", name)
        say(f"\n{self.rounds} rounds of {self.seconds} s each, {CONNECTIONS} connections")
        for name in ANSWERS:
            if not self.only or name in self.only:
                self.told(name, *self.measure_answer(name))
        self.table()
        return 0 if self.all_hold() else 1


main(Bookings)
