"""track.py BUILD: tracked events beside other ways to store the same rows, durable (fsync), in one server.

  batch      POST /events/batch, 500 events each, 4 connections
  copy       bare COPY of the same rows into activity_event, 500 a transaction, 4 connections
  track      POST /events/track, one event each, 64 connections
  insert     pgbench: INSERT of the same row into activity_event, prepared, 64 connections
  fastapi    FastAPI, uvicorn (2 workers), asyncpg: one INSERT a request, nothing checked, 64 connections

Only ratios mean anything. All take turns in rounds, medians are shown, and the load of the machine before each
round. takings-web checks, finds duplicates, keeps accounts and answers for each event; the others do not.

Environment:
  BENCH_ROUNDS    5
  BENCH_SECONDS   of each measurement (4)
  BENCH_DIR       where the temporary directory is made (/var/tmp)

Exit code: 0 all goals hold, 1 one does not, 2 it failed.
"""
import os
import re
import statistics
import subprocess
import sys
import urllib.request
from datetime import datetime, timezone

import asyncpg
import fastapi
import uvicorn

from stage import Failed, Stage, clean_env, main, say
from web import Bench as WebBench

BATCH = 500
HTTP_THREADS = "96"  # as by default
GOALS = (("batch", "copy", 0.6), ("track", "insert", 2.0), ("track", "fastapi", 4.0))

LUA = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer %(key)s"
local one = '{"event_type":"product_view","user_id":"user_1","anonymous_id":"a-5f1c","session_id":"sess_1","timestamp":"%(now)s","properties":{"page":"/products/headphones","referrer":"https://www.google.com/","product_id":"401","category":"electronics","price":"89.90","quantity":1,"currency":"EUR"}}'
wrk.body = one
if %(n)d > 1 then
	local t = {}
	for i = 1, %(n)d do t[i] = one:gsub("user_1", "user_" .. i):gsub("sess_1", "sess_" .. i) end
	wrk.body = "[" .. table.concat(t, ",") .. "]"
end
"""
INSERT = ("INSERT INTO activity_event VALUES ({seq}, gen_random_uuid(), 'product_view', now(), now(), now(), 1, 1, 'user_1', 'a-5f1c', 'sess_1',"
          " 123456789123, ARRAY['/products/headphones','google.com',NULL,NULL,NULL,'electronics','401',NULL]::text[], 89.90, 1, 'EUR',"
          " '{{\"category\":\"electronics\",\"currency\":\"EUR\",\"page\":\"/products/headphones\",\"price\":\"89.90\",\"product_id\":\"401\","
          "\"quantity\":1,\"referrer\":\"https://www.google.com/\"}}')")
APP = '''
import os, asyncpg, fastapi
app = fastapi.FastAPI()
@app.on_event("startup")
async def begin(): app.state.pool = await asyncpg.create_pool(os.environ["URL"], min_size=16, max_size=16)
@app.post("/events/track", status_code=202)
async def track(event: dict):
    await app.state.pool.execute("""%s""")
    return {"status": "accepted"}
'''

# Each INSERT has a seq of its own; ids are not looked at.
PGBENCH = "\\set n random(1, 1000000000)\n" + INSERT.format(seq=":n::bigint * 1000000 + :client_id").replace("{{", "{").replace("}}", "}") + ";\n"
FASTAPI = INSERT.format(seq="(random() * 9e18)::bigint").replace("{{", "{").replace("}}", "}")


class Bench(WebBench):
    SERVER_CONF = Stage.SERVER_CONF + "max_connections = 200\n"

    def __init__(self, build):
        super().__init__(build)
        self.rounds = int(os.environ.get("BENCH_ROUNDS") or 5)
        self.seconds = int(os.environ.get("BENCH_SECONDS") or 4)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)

    def begin(self):
        self.psql("postgres", "create database takings")
        self.run_all("migrate", [[self.batch, "migrate"]], self.takings_env())
        self.token = subprocess.run([self.batch, "key", "add", "bench", "--scope", "ingest"], env=self.takings_env(),
                                    capture_output=True, text=True, check=True).stdout.strip()
        self.psql("takings", "select activity_partition_make(array[(now() at time zone 'UTC')::date, (now() at time zone 'UTC')::date + 1])")
        now = datetime.now(timezone.utc).isoformat()
        for name, n in (("track", 1), ("batch", BATCH)):
            self.write(f"{name}.lua", LUA % {"key": self.token, "now": now, "n": n})
        self.write("insert.sql", PGBENCH)
        self.write("track_app.py", APP % FASTAPI)
        sock = self.path("takings.sock")
        self.daemon("takings", [os.path.join(self.build, "takings-web")],
                    self.takings_env(WEB_SOCKET=sock, HTTP_THREADS=HTTP_THREADS, AUTH_MODE="required"), sock)
        sock = self.path("fastapi.sock")
        self.daemon("fastapi", [sys.executable, "-m", "uvicorn", "--uds", sock, "--workers", "2", "--loop", "uvloop", "--http", "httptools",
                                "--no-access-log", "--log-level", "warning", "track_app:app"],
                    clean_env(URL=self.url("takings"), PYTHONPATH=self.dir, PYTHONDONTWRITEBYTECODE="1"), sock)
        self.start_nginx(("takings",))
        self.check()

    def check(self):
        """That what is measured is what is meant: rows are stored before the answer comes."""
        for _ in range(50):
            try:
                for way in ("takings", "fastapi"):
                    before = int(self.psql("takings", "select count(*) from activity_event"))
                    with urllib.request.urlopen(urllib.request.Request(
                            f"http://127.0.0.1:{self.web_port}/{way}/events/track", method="POST",
                            data=b'{"event_type":"page_view","user_id":"u"}',
                            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}), timeout=10) as answer:
                        if answer.status != 202:
                            raise Failed(f"{way}: {answer.status}")
                    if int(self.psql("takings", "select count(*) from activity_event")) != before + 1:
                        raise Failed(f"{way} stored nothing")
                return
            except OSError:
                subprocess.run(["sleep", "0.2"], check=False)
        raise Failed("nobody answers")

    def post(self, way, script, path, connections):
        done = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{self.seconds}", "-s", self.path(script),
                               f"http://127.0.0.1:{self.web_port}/{way}{path}"], env=clean_env(), capture_output=True, text=True, check=False)
        bad = re.search(r"(Socket errors|Non-2xx).*", done.stdout)
        if done.returncode != 0 or bad:
            raise Failed(f"{way}{path}: {bad.group(0) if bad else done.stderr.strip()}")
        return float(re.search(r"Requests/sec:\s*([0-9.]+)", done.stdout).group(1))

    def measure(self, way):
        if way == "batch":
            return BATCH * self.post("takings", "batch.lua", "/events/batch", 4)
        if way == "track":
            return self.post("takings", "track.lua", "/events/track", 64)
        if way == "fastapi":
            return self.post("fastapi", "track.lua", "/events/track", 64)
        if way == "copy":
            return float(subprocess.run([os.path.join(self.build, "bench", "track_copy"), self.url("takings"), "4", str(BATCH),
                                         str(self.seconds)], env=clean_env(), capture_output=True, text=True, check=True).stdout)
        done = subprocess.run(["pgbench", "-n", "-M", "prepared", "-f", self.path("insert.sql"), "-c", "64", "-j", "1", "-T", str(self.seconds),
                               "takings"], env=clean_env(PGHOST=self.host, PGPORT=self.port, PGUSER="postgres"), capture_output=True,
                              text=True, check=False)
        rate = re.search(r"tps = ([0-9.]+)", done.stdout)
        if done.returncode != 0 or not rate:
            raise Failed(f"pgbench: {done.stdout}{done.stderr}")
        return float(rate.group(1))

    def memory_mb(self):
        with open(f"/proc/{self.daemons['takings'].pid}/status", encoding="ascii") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) / 1024

    def run(self):
        ways = ("batch", "copy", "track", "insert", "fastapi")
        rates, ratios, memory = {w: [] for w in ways}, {goal[:2]: [] for goal in GOALS}, []
        self.open(4_000_000_000)
        self.facts(asyncpg, fastapi, uvicorn)
        self.begin()
        for n in range(self.rounds + 1):
            load = os.getloadavg()[0]
            got = {way: self.measure(way) for way in ways}
            memory.append(self.memory_mb())
            if n == 0:
                continue  # warms up
            say(f"round {n}, load {load:.1f}: " + ", ".join(f"{w} {got[w]:,.0f}/s" for w in ways) + f", {memory[-1]:.0f} MB")
            for way in ways:
                rates[way].append(got[way])
            for ours, theirs, _ in GOALS:
                ratios[ours, theirs].append(got[ours] / got[theirs])
        for ours, theirs, goal in GOALS:
            ratio = statistics.median(ratios[ours, theirs])
            self.row(f"{ours} : {theirs}", f"{statistics.median(rates[ours]):,.0f}/s", f"{statistics.median(rates[theirs]):,.0f}/s",
                     f"{ratio:.2f}", f">= {goal}", ratio >= goal)
        grown = memory[-1] / memory[1]
        self.row("memory, last round : first", f"{memory[-1]:.0f} MB", f"{memory[1]:.0f} MB", f"{grown:.2f}", "<= 1.2", grown <= 1.2)
        self.table()
        return 0 if self.all_hold() else 1


if __name__ == "__main__":
    main(Bench)
