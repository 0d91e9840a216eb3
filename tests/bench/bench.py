"""bench.py BUILD: Takings beside other ways to do the same work, on one machine in one go.

Only ratios mean anything. What is compared runs by turns, in rounds, and medians are shown. Everything
happens in a PostgreSQL of its own below a temporary directory, which is gone afterwards.

Environment:
  BENCH_ORDERS    orders of the large database (5000000); the other one has a tenth of the days
  BENCH_MINUTES   no further round begins that would end later than this (20)
  BENCH_DIR       where the temporary directory is made (/var/tmp)

Exit code: 0 all goals hold (or a trial with fewer orders ended well), 1 one does not, 2 it failed.
"""
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
INSTANCE = os.path.join(ROOT, "tools", "instance.sh")

FULL = 5_000_000
PER_DAY = 2740
LOOKBACK = 35
ROUNDS = 3
SHORT_ROUNDS = 9  # of the runs that take less than a second
LIMIT_S = 900     # no command may take longer
BYTES_PER_ORDER = 1600

# A server as one would run it for this: PostgreSQL's defaults, but for these. Both sides get them.
SERVER_CONF = """
shared_buffers = 512MB
work_mem = 64MB
maintenance_work_mem = 256MB
max_wal_size = 4GB
"""
SHOWN = ("shared_buffers work_mem max_wal_size checkpoint_timeout fsync synchronous_commit full_page_writes "
         "wal_level random_page_cost max_parallel_workers_per_gather jit autovacuum").split()

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


class Stop(BaseException):
    """A signal asked for the end."""


class Failed(Exception):
    pass


def on_signal(number, _frame):
    raise Stop(number)


def say(text=""):
    print(text, flush=True)


def clean_env(**more):
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "USER", "LOGNAME", "RUN_AS") if name in os.environ}
    return {**kept, "LC_ALL": "C.UTF-8", **more}


class Bench:
    def __init__(self, build):
        self.orders = int(os.environ.get("BENCH_ORDERS") or FULL)
        self.days = max(round(self.orders / PER_DAY), 10)
        # the look-back must fit into a trial's small database too
        self.sizes = {"large": self.days, "small": max(round(self.days / 10), LOOKBACK + 5)}
        self.deadline_s = time.monotonic() + 60 * float(os.environ.get("BENCH_MINUTES") or 20)
        self.batch = os.path.join(os.path.abspath(build), "takings-batch")
        self.measure = os.path.join(os.path.abspath(build), "bench", "measure")
        self.start_s = time.monotonic()
        self.children = []
        self.peaks = {}
        self.dir = None
        self.rows = []

    # ---- running things ------------------------------------------------------

    def spawn(self, argv, env, log):
        # A session of its own: Ctrl-C reaches us alone, and we stop it with all it started.
        child = subprocess.Popen(argv, env=env, cwd=self.dir, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                 start_new_session=True)
        self.children.append(child)
        return child

    def reap(self):
        for sig in (signal.SIGTERM, signal.SIGKILL):
            for child in self.children:
                if child.poll() is None:
                    os.killpg(child.pid, sig)
            for child in self.children:
                try:
                    child.wait(5)
                except subprocess.TimeoutExpired:
                    pass
        self.children = [c for c in self.children if c.poll() is None]

    def run_all(self, what, commands, env=None):
        """Runs commands side by side; a line every ten seconds shows that they do."""
        env = env or clean_env()
        paths = [os.path.join(self.dir, f"run{i}.log") for i in range(len(commands))]
        begun = shown = time.monotonic()
        jobs = []
        for path, argv in zip(paths, commands):
            with open(path, "wb") as log:
                jobs.append(self.spawn(argv, env, log))
        while any(job.poll() is None for job in jobs):
            now = time.monotonic()
            if now - shown >= 10:
                shown = now
                say(f"      {what}: {now - begun:.0f} s ...")
            if now - begun > LIMIT_S:
                raise Failed(f"{what} took longer than {LIMIT_S} s")
            time.sleep(0.02)
        self.children = [c for c in self.children if c not in jobs]
        for job, path in zip(jobs, paths):
            if job.returncode != 0:
                with open(path, errors="replace") as log:
                    raise Failed(f"{what} ended with {job.returncode}:\n{log.read()[-2000:]}")

    def timed(self, what, argv, env=None):
        """Seconds and MB of one command."""
        out = os.path.join(self.dir, "measured")
        self.psql("postgres", "checkpoint")  # nobody pays for what was written before
        self.run_all(what, [[self.measure, out, *argv]], env)
        with open(out) as f:
            seconds, kb = f.read().split()
        return float(seconds), float(kb) / 1024

    def psql_command(self, database, *args):
        return ["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d", self.url(database), *args]

    def psql(self, database, sql):
        done = subprocess.run(self.psql_command(database, "-c", sql), env=clean_env(), cwd=self.dir,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"{sql.strip()[:60]}: {done.stderr.strip()}")
        return done.stdout.strip()

    def file(self, name):
        return os.path.join(HERE, name)

    # ---- the server ----------------------------------------------------------

    def server(self, verb, **env):
        done = subprocess.run([INSTANCE, verb, self.server_dir], env=clean_env(**env), capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, check=False, start_new_session=True)
        if done.returncode != 0:
            raise Failed(f"{verb}: {done.stderr.strip()}")
        return done.stdout

    def open(self):
        base = os.environ.get("BENCH_DIR") or "/var/tmp"
        self.dir = tempfile.mkdtemp(prefix="takings_bench_", dir=base)
        os.chmod(self.dir, 0o755)  # the server's user must get to its own directory below
        need, free = self.orders * BYTES_PER_ORDER, shutil.disk_usage(self.dir).free
        if free < need:
            raise Failed(f"{base} has {free / 1e9:.1f} GB free, {need / 1e9:.1f} are needed; BENCH_DIR names another place")
        self.server_dir = os.path.join(self.dir, "server")
        facts = self.server("pg-start", SERVER_CONF=SERVER_CONF)
        words = dict(w.split("=", 1) for w in facts.replace("export ", "").split() if w.startswith("PG"))
        self.host, self.port = words["PGHOST"].strip("'"), words["PGPORT"].strip("'")

    def close(self):
        self.reap()
        if self.dir:
            try:
                if os.path.isdir(os.path.join(self.dir, "server", "pg")):
                    self.server("pg-stop")
            finally:
                shutil.rmtree(self.dir, ignore_errors=True)

    def url(self, database):
        return f"postgresql://postgres@/{database}?host={self.host}&port={self.port}"

    def fresh(self, name, template):
        self.psql("postgres", f"drop database if exists {name}")
        self.psql("postgres", f"create database {name} template {template}")

    # ---- the work ------------------------------------------------------------

    def facts(self):
        with open("/proc/cpuinfo") as f:
            models = [line.split(":", 1)[1].strip() for line in f if line.startswith("model name")]
        with open("/proc/meminfo") as f:
            total_gb = int(f.readline().split()[1]) / 1e6
        import sqlalchemy  # pylint: disable=import-outside-toplevel
        say(f"machine    {os.cpu_count()} cores ({models[0] if models else platform.machine()}), {total_gb:.0f} GB, "
            f"Linux {platform.release()}, load {os.getloadavg()[0]:.1f}")
        version = subprocess.run([self.batch, "--version"], capture_output=True, text=True, check=False).stdout.strip()
        say(f"versions   {version or 'takings-batch'}, PostgreSQL {self.psql('postgres', 'show server_version').split()[0]}, "
            f"Python {platform.python_version()}, SQLAlchemy {sqlalchemy.__version__}")
        shown = (f"{name}={self.psql('postgres', f'show {name}')}" for name in SHOWN)
        say(f"server     {' '.join(shown)}")

    def make_data(self):
        self.last = date.fromisoformat(self.psql(
            "postgres", "select ((now() at time zone 'Europe/Berlin') - interval '4 hours')::date - 1"))
        for size, days in self.sizes.items():
            begun = time.monotonic()
            name = f"orders_{size}"
            self.psql("postgres", f"create database {name}")
            self.run_all("tables", [self.psql_command(name, "-f", self.file("orders.sql"))])
            given = ("-v", f"days={days}", "-v", f"per_day={PER_DAY}", "-v", f"last={self.last}")
            self.run_all("making orders", [self.psql_command(name, *given, "-f", self.file(f))
                                           for f in ("orders_fill.sql", "items_fill.sql")])
            self.run_all("vacuum analyze", [self.psql_command(name, "-c", "vacuum analyze")])
            n, lines, megabytes = self.psql(name, "select (select count(*) from orders), (select count(*) from order_items),"
                                                  " pg_database_size(current_database()) / 1000000").split("|")
            say(f"  {name}: {int(n):,} orders, {int(lines):,} lines, {days:,} days to {self.last}, {megabytes} MB, "
                f"{time.monotonic() - begun:.0f} s")
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

    def row(self, name, ours, theirs, ratio, goal, holds):
        self.rows.append((name, ours, theirs, ratio, goal, "yes" if holds else "NO"))
        return holds

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

    def table(self):
        head = ("name", "ours", "theirs", "ratio", "goal", "holds")
        widths = [max(len(row[i]) for row in (head, *self.rows)) for i in range(len(head))]
        say()
        for row in (head, *self.rows):
            say("  ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                          for i, (cell, width) in enumerate(zip(row, widths))))
        say(f"\n{time.monotonic() - self.start_s:.0f} s in all, load {os.getloadavg()[0]:.1f}")

    def run(self):
        say(f"Takings beside other ways, {self.orders:,} orders; everything in a server of its own, removed afterwards.")
        self.open()
        self.facts()
        say("\nmaking data")
        self.make_data()
        self.compare()
        self.table()
        if self.orders < FULL:
            say(f"A trial: the goals are meant for {FULL:,} orders.")
            return 0
        return 0 if all(row[-1] == "yes" for row in self.rows) else 1


def main():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)
    bench = Bench(sys.argv[1] if len(sys.argv) > 1 else "build")
    code = 2
    try:
        code = bench.run()
    except Failed as failure:
        print(f"bench: {failure}", file=sys.stderr)
    except Stop as stop:
        say("\nstopped; cleaning up")
        code = 128 + stop.args[0]
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        bench.close()
    return code


sys.exit(main())
