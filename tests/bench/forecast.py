"""forecast.py BUILD [--ours-only]: forecasts of real series, beside R's forecast package and Prophet.

With --ours-only: the figures of takings-batch alone, which takes seconds. What R answers is kept in
BUILD/bench, and asked for again only when forecast_r.R, the tasks or the packages change.

Environment:
  TAKINGS_SHARED  where data/forecast lies (../shared)
  BENCH_DATASET   only the data sets whose name has this in it

Exit code: 0 all goals hold, 1 one does not, 2 it failed.
"""
import argparse
import csv
import hashlib
import os
import resource
import subprocess
import sys
import tempfile

import forecast_score as scoring
from stage import HERE, ROOT, Failed, clean_env, say

NN5_WEEK = 7
COLUMNS = (("tasks", 0), ("smape", 2), ("mase", 3), ("owa", 3), ("cover80", 1), ("cover95", 1), ("msis", 2), ("cpu_ms", 1),
           ("ratio", 3))
# data set, measure, what it must not be above (or between)
GOALS = (("m4_hourly", "owa", None, 0.41), ("nn5_daily", "mase", None, 0.86), (f"nn5_daily h={NN5_WEEK}", "mase", None, 0.66),
         ("online_retail_daily", "mase", None, 0.945), ("*", "cover95", 92, 97), ("*", "cpu_ms", None, 40))
MEMORY_SERIES, MEMORY_MB = 10_000, 32


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
            raise Failed(f"there is no data in {self.folder}; TAKINGS_SHARED names the folder above data/")
        sets = scoring.load(self.folder)
        sets[f"nn5_daily h={NN5_WEEK}"] = [t.cut(NN5_WEEK) for t in sets["nn5_daily"]]
        wanted = os.environ.get("BENCH_DATASET") or ""
        self.sets = {name: tasks for name, tasks in sets.items() if wanted in name}
        self.benchmarks = {name: scoring.Benchmark(tasks) for name, tasks in self.sets.items()}

    # ---- what answers ----------------------------------------------------------

    def write(self, path, tasks):
        with open(path, "w", newline="") as f:
            out = csv.writer(f)
            dated = tasks[0].days is not None
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
        bench.run_ours(name)
        bench.table(name)
    bench.goals()
    return 1 if bench.failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failure:
        say(f"bench: {failure}")
        sys.exit(2)
