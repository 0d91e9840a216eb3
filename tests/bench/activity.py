"""activity.py BUILD: questions about millions of tracked events, uncached.

  hop       the FastCGI loop of takings-web with the same answer ready: what any answer costs at least
  activity  takings-web over the tables of activity
  raw SQL   the same figures by one statement over the single events

Only ratios mean anything: of /realtime/overview the time that 99 of 100 answers take no longer than, by 16 connections,
medians of the rounds; of POST /dashboard/metrics the median of single questions, one after the other.

Environment:
  BENCH_EVENTS    10000000
  BENCH_USERS     1000000
  BENCH_ROUNDS    5
  BENCH_SECONDS   of each measurement (3)
  BENCH_DIR       where the temporary directory is made (/var/tmp)

Exit code: 0 all goals hold, 1 one does not, 2 it failed.
"""
import datetime
import json
import os
import statistics
import time
import urllib.error
import urllib.request

from stage import Failed, main, say
from web import Bench

CONNECTIONS = 16
OVERVIEW = "/realtime/overview"
HOP_GOAL, RAW_GOAL = 3, 0.02
DAYS = 90
TIMES, WARM = 5, 12


class Activity(Bench):
    def __init__(self, build):
        super().__init__(build)
        self.rounds = int(os.environ.get("BENCH_ROUNDS") or 5)
        self.events = int(os.environ.get("BENCH_EVENTS") or 10_000_000)
        self.users = int(os.environ.get("BENCH_USERS") or 1_000_000)
        today = datetime.datetime.now(datetime.timezone.utc).date()
        self.from_day, self.to_day = today - datetime.timedelta(days=DAYS), today

    def fill(self):
        begun = time.monotonic()
        given = ("-v", f"events={self.events}", "-v", f"users={self.users}")
        self.run_all("activity", [self.psql_command("takings", *given, "-f", self.file("activity_fill.sql"))])
        self.run_all("vacuum analyze", [self.psql_command("takings", "-c", "vacuum analyze")])
        events, sessions, people, rows, megabytes = self.psql("takings", "select (select count(*) from activity_event), (select count(*) from activity_session),"
                                                              " (select count(*) from activity_visitor), (select count(*) from activity_sum),"
                                                              " pg_database_size(current_database()) / 1000000").split("|")
        say(f"  {int(events):,} events, {int(sessions):,} sessions, {int(people):,} people, {int(rows):,} rows of figures, {megabytes} MB; "
            f"{time.monotonic() - begun:.0f} s")

    def question(self, **more):
        return {"start_date": str(self.from_day), "end_date": str(self.to_day), "metrics": ["events"], "dimensions": ["category"], "granularity": "day", **more}

    def ask(self, body):
        request = urllib.request.Request(f"http://127.0.0.1:{self.web_port}/activity/dashboard/metrics", data=json.dumps(body).encode(),
                                         headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"})
        begun = time.monotonic()
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                text = answer.read()
        except urllib.error.HTTPError as e:
            raise Failed(f"{body}: {e} {e.read()}") from e
        return time.monotonic() - begun, json.loads(text)

    def once(self, name, question, detail):
        """A question that may take longer than is allowed: that is an answer, too."""
        try:
            seconds, answer = self.ask(question)
            say(f"  {name:34} {seconds * 1000:8.1f} ms, once, {detail(answer)}")
        except Failed as e:
            if "HTTP Error 504" not in str(e):
                raise
            say(f"  {name:34} more than QUERY_TIMEOUT, 30 s")

    def timed(self, work):
        seconds = []
        for _ in range(TIMES):
            begun = time.monotonic()
            answer = work()
            seconds.append(time.monotonic() - begun)
        return statistics.median(seconds), answer

    def against_raw(self, name, question, sql, goal):
        for _ in range(WARM):  # each connection has read its functions
            self.ask(question)
        ours, (_, answer) = self.timed(lambda: self.ask(question))
        raw, text = self.timed(lambda: self.psql("takings", "set jit = off; set work_mem = '64MB'; " + sql))
        want = sorted(tuple(line.split("|")) for line in text.splitlines() if "|" in line)
        first = question["metrics"][0]
        got = sorted((r["bucket"], r["category"], str(r[first])) for r in answer["rows"] if r[first])
        if got != want:
            raise Failed(f"{name}: the figures differ: {got[:3]} {want[:3]}")
        say(f"  {name:34} {ours * 1000:8.1f} ms   raw SQL {raw * 1000:9.1f} ms   source {answer['source']}   load {os.getloadavg()[0]:.1f}")
        self.row(f"{name} / raw SQL", f"{ours * 1000:.1f} ms", f"{raw * 1000:.1f} ms", f"{ours / raw:.4f}", f"<= {goal}" if goal else "",
                 not goal or ours / raw <= goal)

    def overview(self):
        self.start_hop("activity", OVERVIEW)
        p99s = {"hop": [], "activity": []}
        for way in p99s:
            self.wrk(way, OVERVIEW, 1, CONNECTIONS)
        for _ in range(self.rounds):
            for way, list_of in p99s.items():
                list_of.append(self.wrk(way, OVERVIEW, connections=CONNECTIONS)[1])
        self.end("hop")
        ours, hop, ratio = self.medians(p99s, "activity", "hop")
        say(f"  {OVERVIEW:34} p99 {ours:8.2f} ms   hop {hop:9.2f} ms   load {os.getloadavg()[0]:.1f}")
        self.row(f"{OVERVIEW}: p99 / hop", f"{ours:.2f} ms", f"{hop:.2f} ms", f"{ratio:.2f}", f"<= {HOP_GOAL}", ratio <= HOP_GOAL)

    def run(self):
        say("Takings' answers about activity; everything in servers of its own, removed afterwards.")
        self.open(2_000_000_000 + 900 * self.events)
        self.facts()
        self.make_data()
        self.fill()
        self.start_nginx(("hop", "activity"))
        self.start_takings("activity", "0")
        self.fetch("activity", OVERVIEW)
        where = f"flags & 112 = 0 and occurred_at >= '{self.from_day} UTC' and occurred_at < '{self.to_day} UTC'"
        day = "to_char(occurred_at at time zone 'UTC', 'YYYY-MM-DD')"
        say(f"\n{DAYS} days by category, day by day, median of {TIMES}")
        self.against_raw("events", self.question(), f"select {day}, coalesce(dims[6], '(not set)'), count(*) from activity_event where {where} group by 1, 2", RAW_GOAL)
        self.against_raw("users", self.question(metrics=["users"]),
                         f"select {day}, coalesce(dims[6], '(not set)'), count(distinct user_id) from activity_event where {where} group by 1, 2", None)
        say(f"\n{self.rounds} rounds of {self.seconds} s each, {CONNECTIONS} connections")
        self.overview()
        say("\nquestions that no rollup answers")
        self.once("people of 90 days, exact", self.question(metrics=["users"], dimensions=[], granularity="none"),
                  lambda answer: f"{answer['totals']['users']:,} of them")
        self.once("events, conversion: two dimensions", self.question(metrics=["events", "conversion_rate"], dimensions=["category", "region"],
                                                                      granularity="none"), lambda answer: f"from {answer['source']}")
        self.table()
        return 0 if self.all_hold() else 1


main(Activity)
