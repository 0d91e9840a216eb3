"""stage.py: what the benchmarks share: a PostgreSQL of their own below a temporary directory, commands
that are stopped with all they started, and a table of ratios. Everything is gone afterwards.

Environment:
  BENCH_DIR       where the temporary directory is made (/var/tmp)
"""
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
INSTANCE = os.path.join(ROOT, "tools", "instance.sh")

LIMIT_S = 900     # no command may take longer

# A server as one would run it for this: PostgreSQL's defaults, but for these. Both sides get them.
SERVER_CONF = """
shared_buffers = 512MB
work_mem = 64MB
maintenance_work_mem = 256MB
max_wal_size = 4GB
"""
SHOWN = ("shared_buffers work_mem max_wal_size checkpoint_timeout fsync synchronous_commit full_page_writes "
         "wal_level random_page_cost max_parallel_workers_per_gather jit autovacuum").split()


class Stop(BaseException):
    """A signal asked for the end."""


class Failed(Exception):
    pass


def on_signal(number, _frame):
    raise Stop(number)


def say(text=""):
    print(text, flush=True)


def peak_mb(pid):
    """The most memory a process ever had."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM")) / 1024


def clean_env(**more):
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "USER", "LOGNAME", "RUN_AS") if name in os.environ}
    return {**kept, "LC_ALL": "C.UTF-8", **more}


class Stage:
    SERVER_CONF = SERVER_CONF

    def __init__(self, build):
        self.build = os.path.abspath(build)
        self.batch = os.path.join(self.build, "takings-batch")
        self.start_s = time.monotonic()
        self.children = []
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

    def open(self, need):
        """`need`: bytes that must be free."""
        base = os.environ.get("BENCH_DIR") or "/var/tmp"
        self.dir = tempfile.mkdtemp(prefix="takings_bench_", dir=base)
        os.chmod(self.dir, 0o755)  # the server's user must get to its own directory below
        free = shutil.disk_usage(self.dir).free
        if free < need:
            raise Failed(f"{base} has {free / 1e9:.1f} GB free, {need / 1e9:.1f} are needed; BENCH_DIR names another place")
        self.server_dir = os.path.join(self.dir, "server")
        facts = self.server("pg-start", SERVER_CONF=self.SERVER_CONF)
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

    # ---- what is told ----------------------------------------------------------

    def facts(self, *modules):
        """The machine; the versions of Takings, PostgreSQL, Python and the modules; the server's settings."""
        with open("/proc/cpuinfo") as f:
            models = [line.split(":", 1)[1].strip() for line in f if line.startswith("model name")]
        with open("/proc/meminfo") as f:
            total_gb = int(f.readline().split()[1]) / 1e6
        say(f"machine    {os.cpu_count()} cores ({models[0] if models else platform.machine()}), {total_gb:.0f} GB, "
            f"Linux {platform.release()}, load {os.getloadavg()[0]:.1f}")
        version = subprocess.run([self.batch, "--version"], capture_output=True, text=True, check=False).stdout.strip()
        others = "".join(f", {module.__name__} {module.__version__}" for module in modules)
        say(f"versions   {version or 'takings-batch'}, PostgreSQL {self.psql('postgres', 'show server_version').split()[0]}, "
            f"Python {platform.python_version()}{others}")
        shown = (f"{name}={self.psql('postgres', f'show {name}')}" for name in SHOWN)
        say(f"server     {' '.join(shown)}")

    def orders(self, name, days, per_day, last):
        """A database of orders, `per_day` on each of `days` days up to `last`."""
        begun = time.monotonic()
        self.psql("postgres", f"create database {name}")
        self.run_all("tables", [self.psql_command(name, "-f", self.file("orders.sql"))])
        given = ("-v", f"days={days}", "-v", f"per_day={per_day}", "-v", f"last={last}")
        self.run_all("making orders", [self.psql_command(name, *given, "-f", self.file(f))
                                       for f in ("orders_fill.sql", "items_fill.sql")])
        self.run_all("vacuum analyze", [self.psql_command(name, "-c", "vacuum analyze")])
        n, lines, megabytes = self.psql(name, "select (select count(*) from orders), (select count(*) from order_items),"
                                              " pg_database_size(current_database()) / 1000000").split("|")
        say(f"  {name}: {int(n):,} orders, {int(lines):,} lines, {days:,} days to {last}, {megabytes} MB, "
            f"{time.monotonic() - begun:.0f} s")

    def yesterday(self):
        return self.psql("postgres", "select ((now() at time zone 'Europe/Berlin') - interval '4 hours')::date - 1")

    def row(self, name, ours, theirs, ratio, goal, holds):
        self.rows.append((name, ours, theirs, ratio, goal, "yes" if holds else "NO"))

    def all_hold(self):
        return all(row[-1] in ("yes", "") for row in self.rows)

    def table(self):
        head = ("name", "ours", "theirs", "ratio", "goal", "holds")
        widths = [max(len(row[i]) for row in (head, *self.rows)) for i in range(len(head))]
        say()
        for row in (head, *self.rows):
            say("  ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                          for i, (cell, width) in enumerate(zip(row, widths))))
        say(f"\n{time.monotonic() - self.start_s:.0f} s in all, load {os.getloadavg()[0]:.1f}")


def main(make):
    """Runs the benchmark that `make` makes of the directory of the build; never returns."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)
    bench = make(sys.argv[1] if len(sys.argv) > 1 else "build")
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
    sys.exit(code)
