"""web.py BUILD: one answer, the thirty last days as JSON, in several ways behind one nginx.

  hop        the FastCGI loop of takings-web with a fixed body: what any answer costs at least
  cached     takings-web as it is: a bearer token, the answer kept
  uncached   takings-web with ANALYTICS_CACHE_TTL=0: two statements for each answer
  fastapi    FastAPI, uvicorn (2 workers, uvloop, httptools), asyncpg, the same statements; nobody is
             asked for a token. It takes part in the fastest of several forms.
  pgbench    the same statements, prepared, in one pipeline, and nothing else

Only ratios mean anything. All take turns in rounds, medians are shown. An answer that is not 200, or a
broken connection, ends the run: errors are fast. Before it begins the figures of all are compared.

Environment:
  BENCH_ROUNDS    7
  BENCH_SECONDS   of each measurement (3)
  BENCH_ONLY      names of those to take part, to look at one of them; no goals then
  BENCH_DIR       where the temporary directory is made (/var/tmp)

Exit code: 0 all goals hold, 1 one does not, 2 it failed.
"""
import json
import os
import re
import resource
import secrets
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from decimal import Decimal

import asyncpg
import fastapi
import uvicorn

from stage import ROOT, Failed, Stage, clean_env, main, say

CONNECTIONS = 64
HTTP_THREADS, WORKER_THREADS = "96", "4"  # as they are by default; idle connections need no thread
LORIS = 1000
PATH = "/api/admin/analytics/daily"
STATEMENTS = "report_daily", "report_envelope"
COLUMNS = "total_revenue total_orders avg_order_value placed_orders counted_orders gross refunds item_sales items_sold"
VALUES = {"date": "NULL", "from": "NULL", "to": "NULL", "days": "30", "location_id": "NULL", "currency": "NULL",
          "basis": "'order_date'"}
WAYS = "hop", "cached", "uncached", "fastapi"
PARAM = re.compile(r"(?<!:):([a-z_]+)")


def statement(name):
    """A named statement of sql/queries/report.sql."""
    with open(os.path.join(ROOT, "sql", "queries", "report.sql"), encoding="utf-8") as f:
        text = f.read()
    body = re.search(rf"^-- name: {name}\n(.*?)(?=^-- name: |\Z)", text, re.M | re.S).group(1)
    return "\n".join(line for line in body.splitlines() if not line.startswith("--")).strip()


def numbered(sql):
    """With $1, $2 ... for the parameters, and their names."""
    names = list(dict.fromkeys(PARAM.findall(sql)))
    return PARAM.sub(lambda m: f"${names.index(m.group(1)) + 1}", sql), names


def ms(text):
    number, unit = re.fullmatch(r"([0-9.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


class Loris(threading.Thread):
    """Connections that send a header byte by byte and never end it; nginx throws them out, they come again."""

    def __init__(self, port, n):
        super().__init__(daemon=True)
        self.port, self.n = port, n
        self.open = self.thrown_out = 0
        self.stopping = False

    def connect(self, selector):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex(("127.0.0.1", self.port))
        selector.register(s, selectors.EVENT_READ)
        return s

    def run(self):
        selector = selectors.DefaultSelector()
        socks = {self.connect(selector) for _ in range(self.n)}
        due = time.monotonic()
        text, at = b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X-A: b\r\n" * 1000, 0
        while not self.stopping:
            for key, _ in selector.select(max(0.0, due - time.monotonic())):
                selector.unregister(key.fileobj)
                key.fileobj.close()
                socks.remove(key.fileobj)
                socks.add(self.connect(selector))
                self.thrown_out += 1
            if time.monotonic() >= due:
                due += 1
                for s in socks:
                    try:
                        s.send(text[at:at + 1])
                    except OSError:
                        pass  # it is seen as readable next
                at = (at + 1) % len(text)
                self.open = len(socks)
        for s in socks:
            s.close()


class Bench(Stage):
    SERVER_CONF = Stage.SERVER_CONF + "max_connections = 100\n"

    def __init__(self, build):
        super().__init__(build)
        self.rounds = int(os.environ.get("BENCH_ROUNDS") or 7)
        self.seconds = int(os.environ.get("BENCH_SECONDS") or 3)
        self.only = (os.environ.get("BENCH_ONLY") or "").split()
        self.secret = secrets.token_hex(32)
        self.rates, self.p99s = {}, {}
        self.daemons = {}

    # ---- what takes part -------------------------------------------------------

    def daemon(self, name, argv, env, sock):
        with open(os.path.join(self.dir, f"{name}.log"), "ab") as log:
            self.daemons[name] = self.spawn(argv, env, log)
        for _ in range(200):
            if os.path.exists(sock):
                try:
                    with socket.socket(socket.AF_UNIX) as s:
                        s.connect(sock)
                        return
                except OSError:
                    pass
            if self.daemons[name].poll() is not None:
                break
            time.sleep(0.05)
        self.fail_of(name, "does not answer")

    def fail_of(self, name, what):
        with open(os.path.join(self.dir, f"{name}.log"), errors="replace", encoding="utf-8") as log:
            raise Failed(f"{name} {what}:\n{log.read()[-2000:]}")

    def end(self, name):
        child = self.daemons.pop(name)
        child.terminate()
        child.wait(20)
        self.children.remove(child)

    def path(self, name):
        return os.path.join(self.dir, name)

    def takings_env(self, database="takings", **more):
        return clean_env(ANALYTICS_DATABASE_URL=self.url(database), DATABASE_URL=self.url("orders"),
                         BUSINESS_TIMEZONE="Europe/Berlin", BUSINESS_DAY_CUTOFF="4", DEFAULT_CURRENCY="EUR",
                         JWT_SECRET=self.secret, JWT_EXPIRY_MINUTES="720", LOG_LEVEL="WARNING", **more)

    def make_data(self):
        say("\nmaking data")
        self.orders("orders", 60, 300, self.yesterday())
        self.psql("postgres", "create database takings")
        self.run_all("migrate", [[self.batch, "migrate"]], self.takings_env())
        self.run_all("the batch", [[self.batch, "run"]], self.takings_env())
        self.run_all("vacuum analyze", [self.psql_command("takings", "-c", "vacuum analyze")])
        self.run_all("a user", [[self.batch, "user", "add", "bench", "--role", "viewer", "--generate"]], self.takings_env())
        self.token = subprocess.run([self.batch, "user", "token", "bench"], env=self.takings_env(), capture_output=True,
                                    text=True, check=True).stdout.strip()

    def start_takings(self, name, ttl, database="takings"):
        limits = {f"RATE_LIMIT_{who}": "0" for who in ("KEYS", "USERS", "ADDRESSES", "LOGIN")}
        self.daemon(name, [os.path.join(self.build, "takings-web")],
                    self.takings_env(database, WEB_SOCKET=self.path(f"{name}.sock"), HTTP_THREADS=HTTP_THREADS,
                                     WORKER_THREADS=WORKER_THREADS, ANALYTICS_CACHE_TTL=ttl, **limits),
                    self.path(f"{name}.sock"))

    def start_nginx(self, programs=("hop", "cached", "uncached")):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.web_port = s.getsockname()[1]
        for name in ("tmp", "file"):
            os.mkdir(self.path(name))
        with open(self.file("web_nginx.conf"), encoding="utf-8") as f:
            conf = "".join("".join(line.replace("@WAY@", way) for way in programs) if "@WAY@" in line else line for line in f)
            conf = conf.replace("@DIR@", self.dir).replace("@PORT@", str(self.web_port))
        with open(self.path("nginx.conf"), "w", encoding="utf-8") as f:
            f.write(conf)
        as_root = ["-g", "user root;"] if os.getuid() == 0 else []
        with open(self.path("nginx.log"), "ab") as log:
            self.daemons["nginx"] = self.spawn(
                ["/usr/sbin/nginx", "-p", self.dir, "-c", "nginx.conf", "-e", "nginx.log", *as_root], clean_env(), log)

    def fetch(self, way, path=PATH):
        """Headers and body; waits for a server that is starting."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.web_port}/{way}{path}",
                                         headers={"Authorization": f"Bearer {self.token}"})
        for left in range(100, -1, -1):
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    return answer.headers, answer.read()
            except (OSError, urllib.error.HTTPError) as e:
                if left == 0 or isinstance(e, urllib.error.HTTPError) and e.code not in (502, 503):
                    raise Failed(f"{way}: {e}") from e
                time.sleep(0.1)
        return None

    def start_hop(self, way="cached", path=PATH):
        """With the headers and the body of takings-web, as the program itself sent them."""
        self.fetch(way, path)
        headers, body = self.fetch(way, path)
        own = ("Server", "Date", "Connection", "Content-Length", "Transfer-Encoding", "X-Request-ID")
        with open(self.path("hop.txt"), "wb") as f:
            for name, value in headers.items():
                if name not in own:
                    f.write(f"{name}: {value}\n".encode())
            f.write(b"\n" + body)
        with open(self.path("file/answer.json"), "wb") as f:
            f.write(body)
        self.daemon("hop", [os.path.join(self.build, "bench", "hop"), self.path("hop.sock"), HTTP_THREADS,
                            self.path("hop.txt")], clean_env(), self.path("hop.sock"))

    def start_fastapi(self, form, pool):
        sock = self.path("fastapi.sock")
        if os.path.exists(sock):
            os.unlink(sock)
        env = clean_env(API_URL=self.url("takings"), API_STATEMENTS=json.dumps([numbered(statement(s)) for s in STATEMENTS]),
                        API_COLUMNS=COLUMNS, API_FORM=form, API_POOL=str(pool), PYTHONPATH=os.path.dirname(self.file("api.py")),
                        PYTHONDONTWRITEBYTECODE="1")
        self.daemon("fastapi", [sys.executable, "-m", "uvicorn", "--uds", sock, "--workers", "2", "--loop", "uvloop",
                                "--http", "httptools", "--no-access-log", "--no-server-header", "--no-date-header",
                                "--log-level", "warning", "api:app"], env, sock)
        self.fetch("fastapi")

    # ---- measuring -------------------------------------------------------------

    def wrk(self, way, path=PATH, seconds=None, connections=CONNECTIONS):
        """Requests a second, and milliseconds that 99 of 100 took no longer than."""
        done = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds or self.seconds}", "--latency",
                               "-H", f"Authorization: Bearer {self.token}", f"http://127.0.0.1:{self.web_port}/{way}{path}"],
                              env=clean_env(), capture_output=True, text=True, check=False)
        bad = re.search(r"(Socket errors|Non-2xx).*", done.stdout)
        if done.returncode != 0 or bad:
            raise Failed(f"{way}: {bad.group(0) if bad else done.stderr.strip()}")
        return (float(re.search(r"Requests/sec:\s*([0-9.]+)", done.stdout).group(1)),
                ms(re.search(r"^ +99% +(\S+)", done.stdout, re.M).group(1)))

    def pgbench(self, clients, seconds=None):
        env = clean_env(PGHOST=self.host, PGPORT=self.port, PGUSER="postgres", PGOPTIONS="-c jit=off -c timezone=UTC")
        done = subprocess.run(["pgbench", "-n", "-M", "prepared", "-f", self.path("pgbench.sql"), "-c", str(clients), "-j", "1",
                               "-T", str(seconds or self.seconds), "takings"],
                              env=env, capture_output=True, text=True, check=False)
        rate = re.search(r"tps = ([0-9.]+)", done.stdout)
        if done.returncode != 0 or not rate or not re.search(r"failed transactions: 0 ", done.stdout):
            raise Failed(f"pgbench: {done.stdout}{done.stderr}")
        return float(rate.group(1)), 0.0

    def best_pgbench(self):
        with open(self.path("pgbench.sql"), "w", encoding="utf-8") as f:
            f.write("\\startpipeline\n")
            for name in STATEMENTS:
                f.write(PARAM.sub(lambda m: VALUES[m.group(1)], statement(name)).replace("\n", " ") + ";\n")
            f.write("\\endpipeline\n")
        rates = {n: self.pgbench(n, 2)[0] for n in (2, 4, 8, 16)}
        self.clients = max(rates, key=rates.get)
        say("  pgbench    " + ", ".join(f"{n} clients {rate:.0f}/s" for n, rate in rates.items()))

    def best_fastapi(self):
        rates = {}
        for form in ("float", "decimal"):
            for pool in (1, 2, 4):
                self.start_fastapi(form, pool)
                self.wrk("fastapi", seconds=1)
                rates[form, pool] = self.wrk("fastapi", seconds=2)[0]
                self.end("fastapi")
        best = max(rates, key=rates.get)
        say("  fastapi    " + ", ".join(f"{form}, {pool} connections {rate:.0f}/s" for (form, pool), rate in rates.items()))
        self.start_fastapi(*best)

    def compare_figures(self):
        if self.only:
            return
        """All answer the same, but for the time of the answer."""
        answers = {way: json.loads(self.fetch(way)[1], parse_float=Decimal, parse_int=Decimal) for way in self.ways()}
        for answer in answers.values():
            answer.pop("as_of")
            for edge in ("from", "to"):
                answer["range"][edge] = answer["range"][edge].replace("Z", "+00:00")
        first = next(iter(answers.values()))
        for way, answer in answers.items():
            if len(answer["days"]) != 30 or answer != first:
                raise Failed(f"{way} answers otherwise: {answer}")
        say(f"  {', '.join(answers)}: the same figures of 30 days, {len(self.fetch('cached')[1])} bytes")

    def ways(self):
        return [way for way in WAYS if not self.only or way in self.only]

    def measure(self):
        runs = {way: lambda way=way: self.wrk(way) for way in self.ways()}
        if not self.only or "pgbench" in self.only:
            runs["pgbench"] = lambda: self.pgbench(self.clients)
        for way in self.ways():
            self.wrk(way, seconds=1)
        say(f"\n{self.rounds} rounds of {self.seconds} s each, {CONNECTIONS} connections: answers a second")
        for n in range(1, self.rounds + 1):
            line = []
            for name, run in runs.items():
                rate, p99 = run()
                self.rates.setdefault(name, []).append(rate)
                self.p99s.setdefault(name, []).append(p99)
                line.append(f"{name} {rate:7.0f}")
            say(f"  round {n}:  " + "   ".join(line) + f"   load {os.getloadavg()[0]:.1f}")

    def beside_loris(self):
        loris = Loris(self.web_port, LORIS)
        loris.start()
        time.sleep(7)  # the first have been thrown out and have come again
        p99 = statistics.median(self.wrk("cached")[1] for _ in range(3))
        is_open, thrown_out = loris.open, loris.thrown_out
        loris.stopping = True
        loris.join()
        if is_open < LORIS or thrown_out == 0:
            raise Failed(f"only {is_open} slow connections were open, {thrown_out} thrown out")
        say(f"  {is_open} slow connections open, {thrown_out} thrown out meanwhile")
        return p99

    # ---- the result --------------------------------------------------------------

    @staticmethod
    def medians(figures, a, b):
        """Of both, and of their ratio within a round: what else the machine does meets both of a round."""
        ratio = statistics.median(x / y for x, y in zip(figures[a], figures[b]))
        return statistics.median(figures[a]), statistics.median(figures[b]), ratio

    def at_least(self, name, a, b, goal):
        x, y, ratio = self.medians(self.rates, a, b)
        self.row(name, f"{x:.0f}/s", f"{y:.0f}/s", f"{ratio:.2f}", f">= {goal}", ratio >= goal)

    def results(self):
        self.at_least("cached / hop", "cached", "hop", 0.9)
        self.at_least("cached / FastAPI", "cached", "fastapi", 6)
        self.at_least("uncached / pgbench", "uncached", "pgbench", 0.5)
        self.at_least("uncached / FastAPI", "uncached", "fastapi", 2.5)
        ours, theirs, ratio = self.medians(self.p99s, "cached", "hop")
        self.row("p99 of cached / hop", f"{ours:.1f} ms", f"{theirs:.1f} ms", f"{ratio:.2f}", "<= 1.5", ratio <= 1.5)
        loris = self.beside_loris()
        self.row(f"p99 beside {LORIS} slow ones", f"{loris:.1f} ms", "", "", "< 200 ms", loris < 200)
        rate = statistics.median(self.wrk("file", "/answer.json", 2)[0] for _ in range(3))
        self.rows.append(("the same as a file", f"{rate:.0f}/s", "", "", "", ""))

    def run(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16384) if hard != resource.RLIM_INFINITY else 16384, hard))
        say("Takings' answers beside other ways; everything in servers of its own, removed afterwards.")
        self.open(1_000_000_000)
        self.facts(fastapi, uvicorn, asyncpg)
        self.make_data()
        self.start_nginx()
        self.start_takings("cached", "300")
        self.start_takings("uncached", "0")
        self.start_hop()
        say("\nchoosing the fastest forms")
        if not self.only or "pgbench" in self.only:
            self.best_pgbench()
        if "fastapi" in self.ways():
            self.best_fastapi()
        self.compare_figures()
        self.measure()
        if self.only:
            return 0
        self.results()
        self.table()
        return 0 if self.all_hold() else 1


if __name__ == "__main__":
    main(Bench)
