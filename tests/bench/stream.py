"""stream.py BUILD: takings-stream beside other ways to take in a backlog of order events, on one machine in one go.

The same topic (five events an order, in order of time, on librdkafka's mock broker) is read to its end by
takings-stream, by a bare librdkafka consumer that COPYs the messages into one table, and by a Python service
that does the work of takings-stream (kafka-python, psycopg2, batches of 1000). By turns, in rounds; what counts
is the rate between the first batch that is committed and the last.

Environment:
  BENCH_EVENTS    messages in the topic (1000000)
  BENCH_ROUNDS    (3)
  BENCH_DIR       where the temporary directory is made (/var/tmp)

Exit code: 0 all goals hold (or a trial with fewer events ended well), 1 one does not, 2 it failed.
"""
import os
import statistics
import subprocess
import sys
import time

import kafka
import psycopg2

from stage import Failed, Stage, clean_env, main, peak_mb, say

FULL = 1_000_000
PARTITIONS = 32
LIMIT_S = 600
PROGRESS = {"takings": "select coalesce(sum(next), 0) from stream_position",
            "python": "select coalesce(sum(next), 0) from position",
            "bare": "select count(*) from bare"}
SAME = {"takings": "select md5(string_agg(r::text, ';' order by r::text)) from (select business_date, currency, placed, counted,"
                   " gross_minor from live_day where placed <> 0) r",
        "python": "select md5(string_agg(r::text, ';' order by r::text)) from (select day, currency, placed, counted, minor"
                  " from day where placed <> 0) r"}
RULES = """
insert into rules (timezone, cutoff_hours, order_db_timezone, revenue_profile, counted_statuses, default_currency,
                   default_location_id) values ('Europe/Berlin', 4, 'UTC', 'commerce', '', 'EUR', 0);
insert into site (rules_id) select rules_id from rules;
"""


class Bench(Stage):
    def __init__(self, build):
        super().__init__(build)
        self.events_n = int(os.environ.get("BENCH_EVENTS") or FULL) // 5 * 5
        self.rounds = int(os.environ.get("BENCH_ROUNDS") or 3)
        self.bare = os.path.join(self.build, "bench", "stream_bare")
        self.stream = os.path.join(self.build, "takings-stream")
        self.peak_mb = 0

    def start_broker(self):
        address = os.path.join(self.dir, "broker")
        with open(address, "wb") as out, open(os.path.join(self.dir, "broker.log"), "wb") as log:
            self.broker = subprocess.Popen([self.bare, "serve", str(PARTITIONS)], env=clean_env(), cwd=self.dir,
                                           stdin=subprocess.PIPE, stdout=out, stderr=log, start_new_session=True)
        self.children.append(self.broker)
        deadline = time.monotonic() + 10
        while not os.path.getsize(address):
            if time.monotonic() > deadline:
                raise Failed("the broker does not start")
            time.sleep(0.05)
        with open(address) as f:
            self.brokers = f.read().strip()

    def make_data(self):
        self.psql("postgres", "create database empty_takings")
        self.run_all("migrate", [[self.batch, "migrate"]], self.env("empty_takings"))
        self.psql("empty_takings", RULES)
        self.psql("postgres", "create database empty")
        self.start_broker()
        begun = time.monotonic()
        self.run_all("fill", [[self.bare, "fill", self.brokers, "orders", str(self.events_n // 5)]])
        say(f"  {self.events_n:,} events of {self.events_n // 5:,} orders in {PARTITIONS} partitions, {time.monotonic() - begun:.0f} s")

    def env(self, cache):
        return clean_env(ANALYTICS_DATABASE_URL=self.url(cache), DATABASE_URL=self.url(cache), KAFKA_BOOTSTRAP_SERVERS=getattr(self, "brokers", ""),
                         KAFKA_TOPICS="orders", KAFKA_GROUP_ID="bench", STREAM_SOCKET=os.path.join(self.dir, "ws.sock"),
                         LOG_LEVEL="WARNING")

    def rate(self, who, database, argv, env=None):
        """Events per second between the first commit and the last; None where it never ends."""
        self.fresh(database, "empty_takings" if who == "takings" else "empty")
        self.psql("postgres", "checkpoint")
        with open(os.path.join(self.dir, f"{who}.log"), "wb") as log:
            child = self.spawn(argv, env or clean_env(), log)
        first = None
        begun = time.monotonic()
        db = psycopg2.connect(self.url(database))
        db.autocommit = True
        while True:
            ended = child.poll() is not None # before it is asked how far it came
            n = self.progress(db, who)
            now = time.monotonic()
            if n and not first:
                first = (n, now)
            if n >= self.events_n:
                break
            if now - begun > LIMIT_S or ended:
                with open(os.path.join(self.dir, f"{who}.log"), errors="replace") as log:
                    raise Failed(f"{who} stands at {n}:\n{log.read()[-2000:]}")
            time.sleep(0.02)
        db.close()
        if who == "takings":
            self.peak_mb = max(self.peak_mb, peak_mb(child.pid))
            child.terminate()
        child.wait(60)
        return (self.events_n - first[0]) / (now - first[1])

    @staticmethod
    def progress(db, who):
        with db.cursor() as cursor:
            try:
                cursor.execute(PROGRESS[who])
            except psycopg2.errors.UndefinedTable:
                return 0
            return int(cursor.fetchone()[0])

    def work(self):
        say("\n== a backlog of order events")
        self.make_data()
        rates = {"takings": [], "bare": [], "python": []}
        for i in range(self.rounds):
            rates["takings"].append(self.rate("takings", "takings", [self.stream], self.env("takings")))
            rates["bare"].append(self.rate("bare", "bare", [self.bare, "drain", self.brokers, "orders", str(self.events_n), self.url("bare")]))
            rates["python"].append(self.rate("python", "python", [sys.executable, "-B", self.file("stream_consumer.py"), self.brokers, "orders",
                                                                  str(self.events_n), self.url("python")]))
            say(f"  round {i + 1}: " + ", ".join(f"{who} {list_[-1]:,.0f} events/s" for who, list_ in rates.items()))
            if self.psql("takings", SAME["takings"]) != self.psql("python", SAME["python"]):
                raise Failed("takings-stream and the Python service hold different figures")
        say("  takings-stream and the Python service hold the same figures of days")
        ours, bare, python = (statistics.median(rates[who]) for who in ("takings", "bare", "python"))
        self.row("events/s : bare consumer and COPY", f"{ours:,.0f}", f"{bare:,.0f}", f"{ours / bare:.2f}", ">= 0.35", ours / bare >= 0.35)
        self.row("events/s : Python service", f"{ours:,.0f}", f"{python:,.0f}", f"{ours / python:.1f}", ">= 3", ours / python >= 3)
        self.row("memory of takings-stream, MB", f"{self.peak_mb:.0f}", "", "", "<= 128", self.peak_mb <= 128)

    def run(self):
        self.open(4_000_000_000)
        self.facts(kafka, psycopg2)
        self.work()
        self.table()
        return 0 if self.all_hold() or self.events_n < FULL else 1


main(Bench)
