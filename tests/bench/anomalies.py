"""anomalies.py BUILD [--ours-only]: made-up anomalies in real series: who finds them, and what else is flagged.

Each series gets 5 events, drawn with a fixed seed (the few of online retail ten times over): two spikes
(1.5 to 2.5 times the value), two drops (0.3 to 0.6 times), one 0; never on a 0, never within 5 days (or 24
hours) of each other. Judged is what comes after the first 8 weeks (2 weeks of hours), which every method may
learn from; every method sees the whole series. An event is found when exactly its step is flagged; whatever
else is flagged counts as false, though real series have oddities of their own. Prophet is slow and gets every
7th series, of online retail every 3rd; `ours there` is our F1 on the same.

Environment:
  TAKINGS_SHARED  where data/forecast lies (../shared)

Exit code: 0 ours is ahead in each setting, or there is no data, 1 it is not, 2 it failed.
"""
import csv
import gzip
import os
import random
import subprocess
import sys
import tempfile
import time

from stage import HERE, ROOT, clean_env, say

SEED = 20
EVENTS = 5
# name, file, period, first step judged, least distance of events, draws for each series, Prophet's n-th
SETTINGS = (("NN5, days", "nn5_daily.csv.gz", "7", 56, 5, 1, 7),
            ("online retail, days", "online_retail_daily.csv", "7", 56, 5, 10, 3),
            ("M4, hours", "m4_hourly_odd.csv.gz", "24,168", 336, 24, 1, 7))
LIMIT_S = 3600


def read_series(path):
    series = {}
    with gzip.open(path, "rt") if path.endswith(".gz") else open(path) as f:
        for row in csv.DictReader(f):
            series.setdefault(row["id"], []).append(float(row["y"]))
    return series


def inject(rng, y, first, apart):
    y, at = list(y), []
    places = [i for i in range(first, len(y)) if y[i] > 0]
    rng.shuffle(places)
    for i in places:
        if len(at) == EVENTS:
            break
        if any(abs(i - j) < apart for j in at):
            continue
        kind = len(at)
        y[i] *= rng.uniform(1.5, 2.5) if kind < 2 else rng.uniform(0.3, 0.6) if kind < 4 else 0
        at.append(i)
    return y, set(at)


class Setting:
    def __init__(self, folder, name, file, period, first, apart, draws, prophet_nth):
        rng = random.Random(f"{SEED} {name}")
        self.name, self.period, self.first = name, period, first
        self.rivals = {"tsoutliers": 1, "prophet": prophet_nth}
        self.y, self.events = {}, {}
        for draw in range(draws):
            for id, y in read_series(os.path.join(folder, file)).items():
                if len(y) >= 2 * first:
                    self.y[f"{id}/{draw}"], self.events[f"{id}/{draw}"] = inject(rng, y, first, apart)

    def some(self, every):
        return list(self.y)[::every]

    def write(self, path, ids):
        with open(path, "w", newline="") as f:
            out = csv.writer(f)
            out.writerow(["id", "t", "y"])
            out.writerows([id, t + 1, repr(y)] for id in ids for t, y in enumerate(self.y[id]))

    def score(self, flagged, ids):
        """F1, precision, recall, false flags of 1000 steps."""
        found = false = missed = steps = 0
        for id in ids:
            said = {t for t in flagged.get(id, ()) if t >= self.first}
            found += len(said & self.events[id])
            missed += len(self.events[id] - said)
            false += len(said - self.events[id])
            steps += len(self.y[id]) - self.first
        precision, recall = found / max(1, found + false), found / max(1, found + missed)
        return 2 * found / max(1, 2 * found + false + missed), precision, recall, 1000 * false / steps


def ask(command, setting, ids):
    """What `command IN OUT` flags, and the seconds it takes."""
    with tempfile.TemporaryDirectory() as folder:
        inputs, outputs = os.path.join(folder, "in.csv"), os.path.join(folder, "out.csv")
        setting.write(inputs, ids)
        start_s = time.monotonic()
        done = subprocess.run(command(inputs, outputs), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LIMIT_S,
                              env=clean_env())
        took_s = time.monotonic() - start_s
        if done.returncode:
            say(done.stdout[-2000:])
            sys.exit(2)
        flagged = {}
        with open(outputs) as f:
            for row in csv.DictReader(f):
                if row.get("anomaly", "1") == "1":
                    flagged.setdefault(row["id"], set()).add(int(row["t"]) - 1)
        return flagged, took_s


def line(name, figures, took_s, ids, more=""):
    f1, precision, recall, false = figures
    say(f"  {name:22} {f1:6.3f} {precision:10.3f} {recall:7.3f} {false:15.1f} {1000 * took_s / ids:14.1f}   {more}")


def compare(batch, setting, ours_only):
    every = setting.some(1)
    ours, took_s = ask(lambda i, o: [batch, "anomalies", "--input", i, "--output", o, "--period", setting.period], setting, every)
    say(f"{setting.name}: {len(every)} series, {sum(map(len, setting.events.values()))} events")
    say(f"  {'':22} {'F1':>6} {'precision':>10} {'recall':>7} {'false of 1000':>15} {'ms a series':>14}")
    line("Takings", setting.score(ours, every), took_s, len(every))
    ahead = True
    for method, nth in () if ours_only else setting.rivals.items():
        ids = setting.some(nth)
        theirs, took_s = ask(lambda i, o: ["Rscript", os.path.join(HERE, "anomalies.R"), method, setting.period, i, o], setting, ids)
        here, there = setting.score(ours, ids), setting.score(theirs, ids)
        line(method, there, took_s, len(ids), f"{len(ids)} series; ours there {here[0]:.3f}")
        ahead = ahead and here[0] > there[0]
    return ahead


def main(build, *more):
    shared = os.environ.get("TAKINGS_SHARED") or os.path.join(ROOT, "..", "shared")
    folder = os.path.join(shared, "data", "forecast")
    if not os.path.exists(os.path.join(folder, "nn5_daily.csv.gz")):
        say(f"anomalies: skipped: there is no data in {folder}; TAKINGS_SHARED names the folder above data/")
        return 0
    batch = os.path.join(os.path.abspath(build), "takings-batch")
    ahead = [compare(batch, Setting(folder, *setting), "--ours-only" in more) for setting in SETTINGS]
    return 0 if all(ahead) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
