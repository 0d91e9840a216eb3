"""nab.py BUILD: the online detector on the Numenta Anomaly Benchmark's series with known causes
(Lavin & Ahmad 2015), by its published rules and standard profile.

A detection within a labelled window earns more the earlier it is, once a window; outside it costs,
least just behind a window. The first 15 % of a series (750 values at most) count for nothing. One
threshold for all series, the best one, as the benchmark does. 0 is a detector that says nothing, 100
one that is always right at once. The detector may not look ahead.

TAKINGS_SHARED names the directory that has the series in data/forecast/nab.
"""
import csv
import datetime
import json
import math
import os
import subprocess
import sys

TP_WEIGHT, FP_WEIGHT, FN_WEIGHT = 1.0, 0.11, 1.0     # the standard profile
PROBATION_SHARE, PROBATION_MAX = 0.15, 750
DAY_S = 86400
PERIOD_MAX = 1000     # of the engine


def scaled_sigmoid(position):
    return -1.0 if position > 3 else 2 / (1 + math.exp(5 * position)) - 1


MAX_TP = scaled_sigmoid(-1.0)


def read_series(folder):
    with open(os.path.join(folder, "combined_windows.json")) as f:
        windows = json.load(f)
    for name in sorted(os.listdir(os.path.join(folder, "realKnownCause"))):
        with open(os.path.join(folder, "realKnownCause", name)) as f:
            rows = [(datetime.datetime.fromisoformat(row["timestamp"]), float(row["value"])) for row in csv.DictReader(f)]
        spans = [tuple(datetime.datetime.fromisoformat(t) for t in span) for span in windows["realKnownCause/" + name]]
        yield name, [at for at, _ in rows], [value for _, value in rows], spans


def step_s(times):
    gaps = sorted((b - a).total_seconds() for a, b in zip(times, times[1:]))
    return gaps[len(gaps) // 2]


def detect(judge, times, values):
    day = round(DAY_S / step_s(times))
    week = 7 * day if 7 * day <= PERIOD_MAX else 0
    said = subprocess.run([judge, str(day), str(week), "online"], input="\n".join(map(repr, values)) + "\n", text=True,
                          stdout=subprocess.PIPE, check=True).stdout
    return [float(line.split()[1]) for line in said.splitlines()]


def worth(times, spans):
    """What a detection at each step is worth, and the window it lies in (None: none)."""
    spans = [(next(i for i, t in enumerate(times) if t >= a), max(i for i, t in enumerate(times) if t <= b)) for a, b in spans]
    out, before = [], None
    for i in range(len(times)):
        inside = next((k for k, (a, b) in enumerate(spans) if a <= i <= b), None)
        if inside is not None:
            a, b = spans[inside]
            out.append((scaled_sigmoid(-(b - i + 1) / (b - a + 1)) * TP_WEIGHT / MAX_TP, inside))
            before = spans[inside]
        elif before is None:
            out.append((-FP_WEIGHT, None))
        else:
            a, b = before
            out.append((scaled_sigmoid((i - b) / (b - a)) * FP_WEIGHT, None))
    return out, len(spans)


def best_score(series):
    """The best sum over all thresholds: detections are let in one score after the other."""
    steps, total, perfect = [], 0.0, 0.0
    got = {}
    for name, scores, values, windows in series:
        skip = int(min(PROBATION_SHARE * len(scores), PROBATION_MAX))
        steps += [(-score, name, value, window) for score, (value, window) in list(zip(scores, values))[skip:]]
        for k in range(windows):
            got[name, k] = -FN_WEIGHT
    total, perfect = sum(got.values()), TP_WEIGHT * len(got)
    null, best, at = total, total, math.inf
    steps.sort(key=lambda step: step[0])
    for i, (score, name, value, window) in enumerate(steps):
        if window is None:
            total += value
        elif value > got[name, window]:
            total += value - got[name, window]
            got[name, window] = value
        if (i + 1 == len(steps) or steps[i + 1][0] != score) and total > best:
            best, at = total, -score
    return 100 * (best - null) / (perfect - null), at


def main(build):
    folder = os.path.join(os.environ.get("TAKINGS_SHARED", "../shared"), "data", "forecast", "nab")
    if not os.path.isdir(folder):
        print(f"nab: skipped: there are no series in {folder}")
        return
    series = []
    for name, times, values, spans in read_series(folder):
        series.append((name, detect(os.path.join(build, "bench", "judge"), times, values), *worth(times, spans)))
    score, threshold = best_score(series)
    print(f"NAB, realKnownCause, standard profile: {score:.1f} (threshold {threshold:.2f})")
    for one in series:
        print(f"  {one[0]:45} alone {best_score([one])[0]:6.1f}")


if __name__ == "__main__":
    main(sys.argv[1])
