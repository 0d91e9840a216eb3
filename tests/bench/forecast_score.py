"""forecast_score.py: how good forecasts are, in the measures of the M4 competition.

A task is a training part with what came after it. Scores of a data set are means over its tasks;
coverage counts steps.
"""
import csv
import gzip
import math
import os
import statistics


class Task:
    def __init__(self, dataset, name, h, m1, m2, train, actual, days):
        self.dataset, self.id, self.h, self.m1, self.m2 = dataset, name, h, m1, m2
        self.train, self.actual = train, actual
        self.days = days  # the dates of `train`; None: the data has none
        self.scale = statistics.fmean(abs(a - b) for a, b in zip(train[m1:], train))  # of the seasonal naive, in sample

    def cut(self, h):
        return Task(f"{self.dataset} h={h}", self.id, h, self.m1, self.m2, self.train, self.actual[:h], self.days)


def read(path):
    with gzip.open(path, "rt") if path.endswith(".gz") else open(path) as f:
        yield from csv.DictReader(f)


def series(folder, dataset):
    name = {"m4_hourly": "m4_hourly_odd.csv.gz"}.get(dataset, dataset + ".csv.gz")
    if not os.path.exists(os.path.join(folder, name)):
        name = dataset + ".csv"
    found = {}
    for row in read(os.path.join(folder, name)):
        found.setdefault(row["id"], []).append((float(row["y"]), row.get("ds")))
    return found


def load(folder):
    """{data set: [Task]}; a series with several origins becomes several tasks."""
    known, tasks = {}, {}
    for row in read(os.path.join(folder, "tasks.csv")):
        dataset, n, h = row["dataset"], int(row["n_train"]), int(row["h"])
        if dataset not in known:
            known[dataset] = series(folder, dataset)
        points = known[dataset][row["id"]]
        train, actual = points[:n], [y for y, _ in points[n:n + h]]
        days = [ds for _, ds in train] if train[0][1] else None
        tasks.setdefault(dataset, []).append(
            Task(dataset, f"{row['id']}@{n}", h, int(row["m1"]), int(row["m2"]), [y for y, _ in train], actual, days))
    return tasks


# ---- the competition's benchmark ---------------------------------------------------

def is_seasonal(x, m):
    n = len(x)
    if n < 3 * m:
        return False
    mean = statistics.fmean(x)
    d = [v - mean for v in x]
    total = sum(v * v for v in d) or 1.0
    acf = [sum(a * b for a, b in zip(d[k:], d)) / total for k in range(1, m + 1)]
    limit = 1.645 * math.sqrt((1 + 2 * sum(r * r for r in acf[:-1])) / n)
    return abs(acf[-1]) > limit


def season_factors(x, m):
    """Classical multiplicative decomposition, as R's decompose()."""
    half, ratios = m // 2, [[] for _ in range(m)]
    for i in range(half, len(x) - half):
        window = x[i - half:i + half + 1]
        trend = (sum(window) - (window[0] + window[-1]) / 2) / m if m % 2 == 0 else sum(window) / m
        if trend:
            ratios[i % m].append(x[i] / trend)
    means = [statistics.fmean(r) if r else 1.0 for r in ratios]
    return [v / (statistics.fmean(means) or 1.0) for v in means]


def naive2(task):
    x, m = task.train, task.m1
    if not is_seasonal(x, m):
        return [x[-1]] * task.h
    factor = season_factors(x, m)
    # where the last value stands on a closed day there is nothing to divide by: the one before it counts
    last = next((v / factor[i % m] for i, v in reversed(list(enumerate(x))) if factor[i % m] != 0), x[-1])
    return [last * factor[(len(x) + k) % m] for k in range(task.h)]


def snaive(task):
    return [task.train[len(task.train) - task.m1 + k % task.m1] for k in range(task.h)]


# ---- scores -----------------------------------------------------------------------

def smape(actual, points):
    return 100 * statistics.fmean(2 * abs(a - p) / (abs(a) + abs(p)) if a or p else 0.0 for a, p in zip(actual, points))


def mase(task, points):
    return statistics.fmean(abs(a - p) for a, p in zip(task.actual, points)) / task.scale


def msis(task, rows):
    """Of 95 %; a row is (point, lo80, hi80, lo95, hi95)."""
    total = 0.0
    for a, (_, _, _, lo, hi) in zip(task.actual, rows):
        total += hi - lo + 40 * (max(lo - a, 0) + max(a - hi, 0))
    return total / task.h / task.scale


class Benchmark:
    """Naive2 of every task, worked out once."""

    def __init__(self, tasks):
        self.scores = {}
        for t in tasks:
            points = naive2(t)
            self.scores[t.dataset, t.id] = smape(t.actual, points), mase(t, points)

    def mean(self, tasks):
        return [statistics.fmean(s) for s in zip(*(self.scores[t.dataset, t.id] for t in tasks))]


def score(tasks, forecasts, benchmark):
    """`forecasts`: {id: rows}; rows may be points alone. Means over those of `tasks` that have one."""
    done = [t for t in tasks if t.id in forecasts]
    rows = {t.id: [r if isinstance(r, tuple) else (r,) for r in forecasts[t.id]] for t in done}
    points = {name: [r[0] for r in of] for name, of in rows.items()}
    out = {"tasks": len(done),
           "smape": statistics.fmean(smape(t.actual, points[t.id]) for t in done),
           "mase": statistics.fmean(mase(t, points[t.id]) for t in done)}
    base_smape, base_mase = benchmark.mean(done)
    out["owa"] = (out["smape"] / base_smape + out["mase"] / base_mase) / 2
    if all(len(r) == 5 for of in rows.values() for r in of):
        steps = [(a, r) for t in done for a, r in zip(t.actual, rows[t.id])]
        out["cover80"] = 100 * statistics.fmean(r[1] <= a <= r[2] for a, r in steps)
        out["cover95"] = 100 * statistics.fmean(r[3] <= a <= r[4] for a, r in steps)
        out["msis"] = statistics.fmean(msis(t, rows[t.id]) for t in done)
    return out
