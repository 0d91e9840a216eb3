"""forecast.py BUILD [--ours-only]: forecasts of real series, beside R's forecast package and Prophet.

With --ours-only: the figures of takings-batch alone, which takes seconds. What R answers is kept in
BUILD/bench, and asked for again only when forecast_r.R, the tasks or the packages change. The slow
methods get every so-manieth task; `ratio` is the mean MASE over ours on the same tasks.

Environment:
  TAKINGS_SHARED  where data/forecast lies (../shared)
  BENCH_DATASET   only the data sets whose name has this in it

Exit code: 0 all goals hold, or there is no data, 1 one does not, 2 it failed.
"""
import argparse
import csv
import hashlib
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import forecast_score as scoring
from stage import HERE, ROOT, Failed, clean_env, say

NN5_WEEK = 7
COLUMNS = (("tasks", 0), ("smape", 2), ("mase", 3), ("owa", 3), ("cover80", 1), ("cover95", 1), ("msis", 2), ("cpu_ms", 1),
           ("ratio", 3))
# data set, measure, what it must not be above (or between)
GOALS = (("m4_hourly", "owa", None, 0.41), ("nn5_daily", "mase", None, 0.86), (f"nn5_daily h={NN5_WEEK}", "mase", None, 0.66),
         ("online_retail_daily", "mase", None, 0.945), ("*", "cover95", 92, 97), ("*", "cpu_ms", None, 40))
MEMORY_SERIES, MEMORY_MB = 10_000, 32
# method: of each data set every so-manieth task
R_METHODS = {"snaive": {}, "thetaf": {}, "stlf": {}, "ets": {"m4_hourly": 5}, "prophet": {"m4_hourly": 5, "nn5_daily": 3}}
R_PACKAGES = "r-base-core", "r-cran-forecast", "r-cran-prophet"
# When the values begin, for Prophet; M4 does not say, so that any Wednesday will do.
STARTS = {"m4_hourly": "2015-07-01", "nn5_daily": "1996-03-18"}
LIMIT_S = 3600


class NoData(Exception):
    pass


def cpu_s():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Bench:
    def __init__(self, build):
        self.build = os.path.abspath(build)
        self.batch = os.path.join(self.build, "takings-batch")
        self.results = {}  # data set: [(method, scores)]
        self.failed = 0
        shared = os.environ.get("TAKINGS_SHARED") or os.path.join(ROOT, "..", "shared")
        self.folder = os.path.join(shared, "data", "forecast")
        if not os.path.exists(os.path.join(self.folder, "tasks.csv")):
            raise NoData(f"there is no data in {self.folder}; TAKINGS_SHARED names the folder above data/")
        sets = scoring.load(self.folder)
        sets[f"nn5_daily h={NN5_WEEK}"] = [t.cut(NN5_WEEK) for t in sets["nn5_daily"]]
        wanted = os.environ.get("BENCH_DATASET") or ""
        self.all_sets = sets
        self.sets = {name: tasks for name, tasks in sets.items() if wanted in name}
        if not self.sets:
            raise Failed(f"no data set has {wanted} in its name: " + ", ".join(sets))
        self.benchmarks = {name: scoring.Benchmark(tasks) for name, tasks in self.sets.items()}

    # ---- what answers ----------------------------------------------------------

    def write(self, path, tasks, dated=True):
        dated = dated and tasks[0].days is not None
        with open(path, "w", newline="") as f:
            out = csv.writer(f)
            out.writerow(["id", "ds" if dated else "t", "y"])
            for t in tasks:
                for i, y in enumerate(t.train):
                    out.writerow([t.id, t.days[i] if dated else i + 1, repr(y)])

    def ours(self, tasks):
        """({id: rows}, CPU ms of a series)"""
        with tempfile.TemporaryDirectory() as folder:
            train, answer = os.path.join(folder, "train.csv"), os.path.join(folder, "answer.csv")
            self.write(train, tasks)
            t = tasks[0]
            period = f"{t.m1},{t.m2}" if t.m2 else str(t.m1)
            before = cpu_s()
            done = subprocess.run([self.batch, "forecast", "--input", train, "--horizon", str(t.h), "--period", period,
                                   "--output", answer], env=clean_env(), capture_output=True, text=True, check=False)
            used_ms = 1000 * (cpu_s() - before)
            if done.returncode != 0:
                raise Failed(f"takings-batch forecast: {done.stderr.strip()[-2000:]}")
            found = {}
            for row in scoring.read(answer):
                found.setdefault(row["id"], []).append(tuple(float(row[c]) for c in ("point", "lo80", "hi80", "lo95", "hi95")))
        if len(found) != len(tasks) or any(len(found[x.id]) != x.h for x in tasks):
            raise Failed(f"{t.dataset}: {len(found)} of {len(tasks)} series were forecast: {done.stderr.strip()[-2000:]}")
        return found, used_ms / len(tasks)

    def add(self, name, method, forecasts, ms=None, against=None):
        tasks = self.sets[name]
        scores = scoring.score(tasks, forecasts, self.benchmarks[name])
        if ms is not None:
            scores["cpu_ms"] = ms
        if against:
            same = scoring.score([t for t in tasks if t.id in forecasts], against, self.benchmarks[name])
            scores["ratio"] = scores["mase"] / same["mase"]
        self.results.setdefault(name, []).append((method, scores))

    def run_ours(self, name):
        tasks = self.sets[name]
        forecasts, ms = self.ours(tasks)
        self.add(name, "takings", forecasts, ms)
        for method, of in (("naive2", scoring.naive2), ("snaive", scoring.snaive)):
            self.add(name, method, {t.id: of(t) for t in tasks}, against=forecasts)
        return forecasts

    # ---- R ------------------------------------------------------------------------

    def r_key(self, train, args):
        digest = hashlib.sha256("\0".join(args).encode())
        for path in (train, os.path.join(HERE, "forecast_r.R")):
            with open(path, "rb") as f:
                digest.update(f.read())
        digest.update(subprocess.run(["dpkg-query", "-W", *R_PACKAGES], capture_output=True, check=False).stdout)
        return digest.hexdigest()[:16]

    def ask_r(self, method, tasks):
        """({id: rows}, CPU ms of a series, whether it was kept from before)"""
        t = tasks[0]
        start = t.days[0] if t.days else STARTS[t.dataset]
        with tempfile.NamedTemporaryFile("w", suffix=".csv") as train:
            self.write(train.name, tasks, dated=False)
            args = [method, str(t.h), str(t.m1), str(t.m2), start]
            kept = os.path.join(self.build, "bench", f"forecast_{t.dataset}_{method}_{self.r_key(train.name, args)}.csv")
            known = os.path.exists(kept) and os.path.exists(kept + ".ms")
            if not known:
                os.makedirs(os.path.dirname(kept), exist_ok=True)
                argv = ["Rscript", "--vanilla", os.path.join(HERE, "forecast_r.R"), train.name, *args, kept + ".tmp"]
                # TZ: R asks systemd for it otherwise
                done = subprocess.run(argv, env=clean_env(TZ="UTC"), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                      timeout=LIMIT_S, check=False)
                if done.returncode != 0:
                    raise Failed(f"R, {method} of {t.dataset}: {done.stderr.strip()[-2000:]}")
                os.replace(kept + ".tmp.ms", kept + ".ms")
                os.replace(kept + ".tmp", kept)
        found = {}
        for row in scoring.read(kept):
            found.setdefault(row["id"], []).append(tuple(float(row[c]) for c in ("point", "lo80", "hi80", "lo95", "hi95")))
        return found, statistics.fmean(float(row["cpu_ms"]) for row in scoring.read(kept + ".ms")), known

    def run_r(self, name, ours):
        for method, every in R_METHODS.items():
            base = name.split(" ")[0]
            tasks = self.all_sets[base][::every.get(base, 1)]
            begun = time.monotonic()
            found, ms, known = self.ask_r(method, tasks)
            say(f"  {name}, {method}: {len(tasks)} tasks, " + ("kept from before" if known else f"{time.monotonic() - begun:.0f} s"))
            found = {of: rows[:self.sets[name][0].h] for of, rows in found.items()}
            self.add(name, f"R {method}", found, ms, ours)

    # ---- many series ------------------------------------------------------------------

    def feed(self, pipe, tasks):
        """The series of `tasks`, again and again under new names."""
        bodies = ["".join(f",{i + 1},{y!r}\n" for i, y in enumerate(t.train)).splitlines(keepends=True) for t in tasks]
        pipe.write(b"id,t,y\n")
        for k in range(MEMORY_SERIES):
            name = f"s{k}"
            pipe.write("".join(name + line for line in bodies[k % len(bodies)]).encode())

    def memory(self):
        tasks = next(iter(self.sets.values()))
        with tempfile.TemporaryDirectory() as folder:
            measured = os.path.join(folder, "measured")
            argv = [os.path.join(self.build, "bench", "measure"), measured, self.batch, "forecast", "--input", "-", "--horizon",
                    str(NN5_WEEK), "--period", "7", "--output", os.path.join(folder, "answer.csv")]
            with open(os.path.join(folder, "log"), "w+") as log, \
                    subprocess.Popen(argv, env=clean_env(), stdin=subprocess.PIPE, stdout=log, stderr=log) as child:
                self.feed(child.stdin, tasks)
                child.stdin.close()
                if child.wait(LIMIT_S) != 0:
                    log.seek(0)
                    raise Failed(f"takings-batch forecast: {log.read()[-2000:]}")
            with open(measured) as f:
                seconds, kb = f.read().split()
        say(f"\n{MEMORY_SERIES} series of {len(tasks[0].train)} values streamed in {float(seconds):.0f} s")
        return float(kb) / 1024

    # ---- what is said ------------------------------------------------------------

    def table(self, name):
        say(f"\n{name}")
        say("  " + f"{'method':<12}" + "".join(f"{c:>9}" for c, _ in COLUMNS))
        for method, scores in self.results[name]:
            cells = (f"{scores[c]:9.{digits}f}" if c in scores else f"{'':9}" for c, digits in COLUMNS)
            say("  " + f"{method:<12}" + "".join(cells).rstrip())

    def goal(self, what, value, low, high, unit=""):
        good = (low is None or value >= low) and value <= high
        self.failed += not good
        limit = f"<= {high:g}" if low is None else f"{low:g} to {high:g}"
        say(f"  {'pass' if good else 'FAIL'}  {what}: {value:.3f}{unit} ({limit}{unit})")

    def goals(self):
        say("\ngoals")
        for wanted, measure, low, high in GOALS:
            for name, rows in self.results.items():
                if wanted in ("*", name):
                    self.goal(f"{name} {measure}", rows[0][1][measure], low, high)


def main():
    args = argparse.ArgumentParser()
    args.add_argument("build")
    args.add_argument("--ours-only", action="store_true")
    opt = args.parse_args()
    bench = Bench(opt.build)
    for name in bench.sets:
        ours = bench.run_ours(name)
        if not opt.ours_only:
            bench.run_r(name, ours)
        bench.table(name)
    peak_mb = None if opt.ours_only else bench.memory()
    bench.goals()
    if peak_mb is not None:
        bench.goal(f"peak memory of {MEMORY_SERIES} series", peak_mb, None, MEMORY_MB, " MB")
    return 1 if bench.failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except NoData as reason:
        say(f"bench: SKIPPED: {reason}")
        sys.exit(0)
    except Failed as failure:
        say(f"bench: {failure}")
        sys.exit(2)
