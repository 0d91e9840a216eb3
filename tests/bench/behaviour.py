"""behaviour.py BUILD: funnels, retention and paths over millions of tracked events, beside ClickHouse.

  ours        takings-web over activity_sequence, by HTTP, nothing remembered
  ClickHouse  chdb from npm, a MergeTree by day and person: windowFunnel, groupUniqArray and uniqExact, groupArray
  SQL         the same figures by one statement over activity_event, once

All take turns in rounds, medians are shown; before that, their figures are compared. Besides: what sequences cost to make, a day of them and with
each event that takes effect; how long a question goes on that nobody waits for any more; and what eight at once do to others, the time of
/health/live and of an answer that is remembered.

Environment:
  BENCH_EVENTS    10000000
  BENCH_USERS     1000000
  BENCH_ROUNDS    7
  BENCH_DIR       where the temporary directory is made (/var/tmp)

Exit code: 0 all goals hold, 1 one does not, 2 it failed.
"""
import datetime
import json
import os
import re
import socket
import statistics
import subprocess
import threading
import time
import urllib.parse
import urllib.request

from stage import Failed, main, peak_mb, say
from web import PATH, Bench

CLICKHOUSE_GOAL, SQL_GOAL, DAY_GOAL, APPLY_GOAL = 1.0, 0.1, 0.05, 1.15
MEMORY_MB, OTHERS_MS, GONE_MS = 256, 50, 100
GONE_TIMES = 15
AT_ONCE, SECONDS = 8, 10
STEPS = "product_view", "add_to_cart", "checkout_start", "purchase"

CLICKHOUSE = {
    "funnel": """
        select level, count() from (
            select person_id, windowFunnel(604800000000)(toUInt64(toUnixTimestamp64Micro(time)),
                   type = 'product_view' and time < toDateTime64('{to}', 6, 'UTC'), type = 'add_to_cart', type = 'checkout_start', type = 'purchase') as level
            from bench.events where time >= toDateTime64('{from}', 6, 'UTC') and time < toDateTime64('{window}', 6, 'UTC')
              and type in ('product_view', 'add_to_cart', 'checkout_start', 'purchase') group by person_id)
        where level > 0 group by level order by level""",
    "retention": """
        select toString(cohort), dateDiff('week', cohort, week) as k, uniqExact(person_id) from (
            select person_id, toMonday(min(time)) as cohort, arrayJoin(groupUniqArray(toMonday(time))) as week from bench.events group by person_id)
        group by cohort, k order by cohort, k""",
    "paths": """
        select arrayStringConcat(p, ' > '), count() as n from (
            select arraySlice(arrayCompact(arrayMap(x -> x.2, arraySort(groupArray((time, type))))), 1, 5) as p, min(time) as began
            from bench.events where time >= toDateTime64('{early}', 6, 'UTC') and time < toDateTime64('{late}', 6, 'UTC')
            group by session having began >= toDateTime64('{from}', 6, 'UTC') and began < toDateTime64('{to}', 6, 'UTC'))
        group by p order by n desc, 1 limit 10""",
}

SQL = {
    "funnel": """
        with e as (
            select user_id, event_type as t, occurred_at as at, seq from activity_event
            where occurred_at >= '{from} UTC' and occurred_at < '{window} UTC' and flags & 112 = 0
              and event_type in ('product_view', 'add_to_cart', 'checkout_start', 'purchase')
        ), w3 as ( -- the next purchase; then the next checkout with that; then the next add with both
            select *, min(case t when 'purchase' then at end) over back as p from e
            window back as (partition by user_id order by at desc, seq desc rows between unbounded preceding and 1 preceding)
        ), w2 as (
            select *, min(case t when 'checkout_start' then array[at, p] end) over back as c from w3
            window back as (partition by user_id order by at desc, seq desc rows between unbounded preceding and 1 preceding)
        ), w1 as (
            select *, min(case t when 'add_to_cart' then array[at, c[1], c[2]] end) over back as a from w2
            window back as (partition by user_id order by at desc, seq desc rows between unbounded preceding and 1 preceding)
        ), level as (
            select user_id, max(case when a[3] <= at + interval '7 days' then 4 when a[2] <= at + interval '7 days' then 3
                                     when a[1] <= at + interval '7 days' then 2 else 1 end) as level
            from w1 where t = 'product_view' and at < '{to} UTC' group by user_id
        )
        select level, count(*) from level group by 1 order by 1""",
    "retention": """
        with week as (
            select user_id, date_trunc('week', occurred_at at time zone 'UTC') as week from activity_event where flags & 112 = 0 group by 1, 2
        ), cohort as (select *, min(week) over (partition by user_id) as cohort from week)
        select to_char(cohort, 'YYYY-MM-DD'), extract(days from week - cohort)::int / 7, count(*) from cohort group by cohort, week order by 1, 2""",
    "paths": """
        with e as (
            select session_id, event_type, occurred_at, seq, lag(event_type) over (partition by session_id order by occurred_at, seq) as before
            from activity_event where occurred_at >= '{early} UTC' and occurred_at < '{late} UTC' and flags & 112 = 0
        ), p as (
            select array_to_string((array_agg(event_type order by occurred_at, seq) filter (where before is distinct from event_type))[1:5], ' > ') as p, min(occurred_at) as began
            from e group by session_id
        )
        select p, count(*) from p where began >= '{from} UTC' and began < '{to} UTC' group by 1 order by 2 desc, 1 limit 10""",
}


class Behaviour(Bench):
    def __init__(self, build):
        super().__init__(build)
        self.events = int(os.environ.get("BENCH_EVENTS") or 10_000_000)
        self.users = int(os.environ.get("BENCH_USERS") or 1_000_000)
        today = datetime.datetime.now(datetime.timezone.utc).date()
        day = datetime.timedelta(days=1)
        self.first = today - 90 * day
        self.days = {"from": today - 45 * day, "to": today - 15 * day, "window": today - 8 * day, "early": today - 46 * day, "late": today - 14 * day}
        self.asked = 0

    # ---- data --------------------------------------------------------------------

    def fill(self):
        begun = time.monotonic()
        given = ("-v", f"events={self.events}", "-v", f"users={self.users}")
        self.run_all("events", [self.psql_command("takings", *given, "-f", self.file("behaviour_fill.sql"))])
        say(f"  {self.psql('takings', 'select count(*) from activity_event')} events, {self.psql('takings', 'select count(*) from activity_visitor')} people; "
            f"{time.monotonic() - begun:.0f} s")

    def make(self, first, n):
        """Seconds that the sequences of n days take."""
        begun = time.monotonic()
        self.psql("takings", "set work_mem = '64MB'; set jit = off; " + "".join(
            f"select activity_sequences_make('{first + datetime.timedelta(days=i)}');" for i in range(n)))
        return time.monotonic() - begun

    def sequences(self):
        begun = time.monotonic()
        self.make(self.first, 59)
        thirty = self.make(self.first + datetime.timedelta(days=59), 30)
        one = self.make(self.first + datetime.timedelta(days=89), 1)
        self.psql("takings", "vacuum analyze activity_sequence")
        size = self.psql("takings", "select pg_total_relation_size('activity_sequence') / 1000000, count(*) from activity_sequence").split("|")
        say(f"  sequences: {size[0]} MB, {size[1]} parts, {time.monotonic() - begun:.0f} s")
        self.row("one more day / 30 days", f"{one:.2f} s", f"{thirty:.2f} s", f"{one / thirty:.3f}", f"<= {DAY_GOAL}", one / thirty <= DAY_GOAL)

    # ---- ClickHouse ----------------------------------------------------------------

    def start_clickhouse(self):
        modules = os.path.join(self.build, "bench", "chdb")
        os.makedirs(modules, exist_ok=True)
        self.run_all("chdb from npm", [["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", modules, "chdb@3.4.0"]],
                     dict(os.environ))  # npm may be told of its registry there
        file = self.path("events.csv")
        self.run_all("export", [self.psql_command("takings", "-c", "\\copy (select v.visitor_id, e.session_key::numeric + 9223372036854775808, "
                                                  "(extract(epoch from occurred_at) * 1000000)::bigint, event_type from activity_event e join activity_visitor v "
                                                  f"on v.kind = 'user' and v.id = e.user_id) to '{file}' csv")])
        self.clickhouse = subprocess.Popen(["node", self.file("clickhouse.mjs"), file, self.path("clickhouse"), modules], stdin=subprocess.PIPE,
                                           stdout=subprocess.PIPE, text=True)
        self.daemons["clickhouse"] = self.clickhouse
        said = json.loads(self.clickhouse.stdout.readline())
        os.unlink(file)
        say(f"  ClickHouse {said['version']}, {said['rows']} events")

    def ask_clickhouse(self, name):
        self.clickhouse.stdin.write(json.dumps({"sql": CLICKHOUSE[name].format(**self.days)}) + "\n")
        self.clickhouse.stdin.flush()
        said = json.loads(self.clickhouse.stdout.readline())
        return said["ms"], [tuple(line.replace('"', "").split(",")) for line in said["rows"].splitlines()]

    # ---- ours ------------------------------------------------------------------------

    def get(self, path, **given):
        self.asked += 1
        as_of = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(microseconds=self.asked)
        given["as_of"] = as_of.isoformat(timespec="microseconds").replace("+00:00", "Z")
        request = urllib.request.Request(f"http://127.0.0.1:{self.web_port}/ours{path}?{urllib.parse.urlencode(given)}",
                                         headers={"Authorization": f"Bearer {self.token}"})
        begun = time.monotonic()
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
        return (time.monotonic() - begun) * 1000, json.loads(text)

    def ask_ours(self, name):
        days = {"start_date": f"{self.days['from']}T00:00:00Z", "end_date": f"{self.days['to']}T00:00:00Z"}
        if name == "funnel":
            ms, answer = self.get("/funnel/analysis", funnel_name="checkout", **days)
            users = [step["users"] for step in answer["steps"]] + [0]
            return ms, [(str(i + 1), str(users[i] - users[i + 1])) for i in range(len(STEPS)) if users[i] > users[i + 1]]
        if name == "retention":
            ms, answer = self.get("/cohort/analysis", start_date=str(self.first), cohort_type="acquisition_week", metric="retention", periods=14)
            return ms, [(c["cohort"], str(k), str(n)) for c in answer["cohorts"] for k, n in enumerate(c["counts"]) if n]
        ms, answer = self.get("/path/analysis", by="type", depth=5, **days)
        return ms, [(" > ".join(p["labels"]), str(p["sessions"])) for p in answer["paths"]]

    def compare(self, name):
        _, ours = self.ask_ours(name)
        _, theirs = self.ask_clickhouse(name)
        begun = time.monotonic()
        text = self.psql("takings", "set jit = off; set work_mem = '128MB'; " + SQL[name].format(**self.days))
        sql_ms = (time.monotonic() - begun) * 1000
        plain = [tuple(line.split("|")) for line in text.splitlines() if "|" in line]
        if ours != plain:
            raise Failed(f"{name}: ours and SQL differ: {[x for x in zip(ours, plain) if x[0] != x[1]][:3]}")
        odd = sum(a != b for a, b in zip(ours, theirs)) + abs(len(ours) - len(theirs))
        say(f"  {name:10} {len(ours)} figures, the same by SQL; {odd} differ from ClickHouse's"
            + (f" (first: {next((a, b) for a, b in zip(ours, theirs) if a != b)})" if odd else ""))
        return sql_ms

    def questions(self):
        say("\nfigures")
        sql = {name: self.compare(name) for name in CLICKHOUSE}
        ours, theirs = ({name: [] for name in CLICKHOUSE} for _ in range(2))
        for _ in range(self.rounds):
            for name in CLICKHOUSE:
                ours[name].append(self.ask_ours(name)[0])
                theirs[name].append(self.ask_clickhouse(name)[0])
        say(f"\n{self.rounds} rounds, load {os.getloadavg()[0]:.1f}")
        for name in CLICKHOUSE:
            mine, his = statistics.median(ours[name]), statistics.median(theirs[name])
            say(f"  {name:10} ours {mine:8.1f} ms   ClickHouse {his:8.1f} ms   SQL {sql[name]:9.1f} ms")
            self.row(f"{name} / ClickHouse", f"{mine:.1f} ms", f"{his:.1f} ms", f"{mine / his:.3f}", f"<= {CLICKHOUSE_GOAL}", mine / his <= CLICKHOUSE_GOAL)
            self.row(f"{name} / SQL", f"{mine:.1f} ms", f"{sql[name]:.0f} ms", f"{mine / sql[name]:.4f}", f"<= {SQL_GOAL}", mine / sql[name] <= SQL_GOAL)

    # ---- nobody waits any more ---------------------------------------------------------

    def running(self):
        text = self.fetch("ours", "/metrics")[1].decode()
        return int(re.search(r"^takings_scan_running (\d+)", text, re.M).group(1))

    def gone(self):
        """Milliseconds from when a client goes away until its question is over, one that has hardly begun."""
        path = "/ours/path/analysis?" + urllib.parse.urlencode({"start_date": str(self.first), "end_date": str(self.days["late"]), "by": "event", "depth": 10})
        times = []
        while len(times) < GONE_TIMES:
            with socket.create_connection(("127.0.0.1", self.web_port)) as s:
                self.asked += 1
                s.sendall(f"GET {path}&top={1 + self.asked % 8}&start={self.asked} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.token}\r\n\r\n".encode())
                until = time.monotonic() + 5
                while not self.running() and time.monotonic() < until:
                    pass
            begun = time.monotonic()
            while self.running() and time.monotonic() < begun + 30:
                pass
            times.append((time.monotonic() - begun) * 1000)
        times.sort()
        say(f"\nquestions nobody waits for any more: over after {statistics.median(times):.0f} ms (median of {len(times)}), {times[-1]:.0f} ms at most; "
            f"such a question takes {self.get('/path/analysis', start_date=str(self.first), end_date=str(self.days['late']), by='event', depth=10)[0]:.0f} ms")
        self.row("gone: over after, at most", f"{times[-1]:.0f} ms", "", "", f"<= {GONE_MS} ms", times[-1] <= GONE_MS)

    def apply(self):
        text = self.psql_script("behaviour_apply.sql")
        whole, without = (float(n) for n in text.splitlines()[-1].split("|"))
        self.row("taking effect: with / without", f"{whole:.2f} s", f"{without:.2f} s", f"{whole / without:.3f}", f"<= {APPLY_GOAL}", whole / without <= APPLY_GOAL)

    def psql_script(self, name):
        done = subprocess.run(self.psql_command("takings", "-f", self.file(name)), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"{name}: {done.stderr.strip()}")
        return done.stdout.strip()

    # ---- others meanwhile --------------------------------------------------------------

    def others(self):
        over = time.monotonic() + SECONDS
        done, times = [0] * AT_ONCE, {"/health/live": [], PATH: []}

        def ask(i):
            while time.monotonic() < over:
                self.ask_ours(("funnel", "paths", "retention")[i % 3])
                done[i] += 1

        threads = [threading.Thread(target=ask, args=(i,)) for i in range(AT_ONCE)]
        self.fetch("ours", PATH)
        for t in threads:
            t.start()
        while time.monotonic() < over:
            for path, ms in times.items():
                begun = time.monotonic()
                self.fetch("ours", path)
                ms.append((time.monotonic() - begun) * 1000)
            time.sleep(0.02)
        for t in threads:
            t.join()
        say(f"\n{AT_ONCE} at once for {SECONDS} s: {sum(done)} answers")
        for path, ms in times.items():
            ms.sort()
            p99 = ms[int(len(ms) * 0.99) - 1]
            say(f"  {path:34} median {statistics.median(ms):6.1f} ms   p99 {p99:6.1f} ms   most {ms[-1]:6.1f} ms, {len(ms)} times")
            self.row(f"{path} beside {AT_ONCE}: p99", f"{p99:.1f} ms", "", "", f"<= {OTHERS_MS} ms", p99 <= OTHERS_MS)

    def run(self):
        say("Takings' funnels, retention and paths beside ClickHouse; everything in servers of its own, removed afterwards.")
        self.open(4_000_000_000 + 900 * self.events)
        self.facts()
        self.make_data()
        self.fill()
        self.sequences()
        self.start_clickhouse()
        self.start_nginx(("ours",))
        self.start_takings("ours", "300")
        self.fetch("ours", "/health/live")
        self.questions()
        self.gone()
        self.others()
        peak = peak_mb(self.daemons["ours"].pid)
        self.end("ours")
        self.apply()
        self.row("memory of takings-web", f"{peak:.0f} MB", "", "", f"<= {MEMORY_MB} MB", peak <= MEMORY_MB)
        self.table()
        return 0 if self.all_hold() else 1


if __name__ == "__main__":
    main(Behaviour)
