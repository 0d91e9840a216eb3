#!/usr/bin/env python3
"""What the business calendar should say, worked out from the definition with Python's zoneinfo.

usage: calendar.py DIRECTORY SEED

Writes tables for COPY:
  span.tsv     zone, cutoff, first and last day: what to ask
  day.tsv      zone, cutoff, day, start and end (seconds since 1970)
  hour.tsv     zone, cutoff, day, hour, seconds of it that were lived
  instant.tsv  zone, cutoff, clock zone, clock (a wall clock there), day and hour it belongs to

A business day starts at the earliest instant whose wall clock reads day + cutoff or later. All zones
of the tz database, 2000 to 2037, around changes of clocks and on random days.
"""
import bisect
import os
import random
import sys
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo, available_timezones

UTC = timezone.utc
EPOCH = date(1970, 1, 1)
DAY = 86400
FIRST, LAST = (int(datetime(y, 1, 1, tzinfo=UTC).timestamp()) for y in (1999, 2039))

# Changes at or across midnight, by half an hour, by a whole day, several a year; odd offsets.
NASTY = """Africa/Cairo Africa/Casablanca Africa/El_Aaiun America/Asuncion America/Caracas America/Havana
America/Santiago America/Sao_Paulo America/Scoresbysund America/St_Johns Antarctica/Casey Antarctica/Troll
Asia/Amman Asia/Beirut Asia/Gaza Asia/Hebron Asia/Kathmandu Asia/Pyongyang Asia/Tehran Atlantic/Azores
Australia/Lord_Howe Europe/Berlin Europe/Dublin Pacific/Apia Pacific/Chatham Pacific/Fakaofo Pacific/Norfolk
America/New_York""".split()


class Zone:
    def __init__(self, name):
        self.name, self.info = name, ZoneInfo(name)
        # A change is looked for day by day, then narrowed down to the second.
        self.change, self.offset = [FIRST], [self.offset_at(FIRST)]
        for at in range(FIRST, LAST, DAY):
            if self.offset_at(at + DAY) != self.offset[-1]:
                self.narrow(at, at + DAY)

    def offset_at(self, s):
        return int(datetime.fromtimestamp(s, self.info).utcoffset().total_seconds())

    def narrow(self, low, high):
        while self.offset_at(high) != self.offset[-1]:
            a, b = low, high
            while b - a > 1:
                middle = (a + b) // 2
                if self.offset_at(middle) == self.offset[-1]:
                    a = middle
                else:
                    b = middle
            self.change.append(b)
            self.offset.append(self.offset_at(b))
            low = b

    def pieces(self, start, end):
        """Stretches of one offset that touch [start, end): (from, to, offset), cut to it."""
        i = bisect.bisect_right(self.change, start) - 1
        while i < len(self.change) and self.change[i] < end:
            stop = self.change[i + 1] if i + 1 < len(self.change) else LAST
            yield max(start, self.change[i]), min(end, stop), self.offset[i]
            i += 1

    def day_start(self, day, cutoff):
        wall = (day - EPOCH).days * DAY + cutoff * 3600
        for start, end, offset in self.pieces(wall - 2 * DAY, wall + 2 * DAY):
            at = max(start, wall - offset)
            if at < end:
                return at
        raise AssertionError((self.name, day))

    def hours(self, day, cutoff):
        lived = [0] * 24
        for start, end, offset in self.pieces(self.day_start(day, cutoff), self.day_start(day + timedelta(1), cutoff)):
            while start < end:
                step = min(end - start, 3600 - (start + offset) % 3600)
                lived[(start + offset) // 3600 % 24] += step
                start += step
        return lived

    def day_of(self, at, cutoff):
        day = EPOCH + timedelta((at + self.offset_at(at)) // DAY - 2)
        while self.day_start(day + timedelta(1), cutoff) <= at:
            day += timedelta(1)
        return day

    def instant(self, clock):
        """Of a wall clock: the later one where it occurs twice, the offset before where it is left out."""
        times = {int(clock.replace(tzinfo=self.info, fold=fold).timestamp()) for fold in (0, 1)}
        real = [at for at in times if (EPOCH_CLOCK + timedelta(seconds=at + self.offset_at(at))) == clock]
        if real:
            return max(real)
        return int(clock.replace(tzinfo=self.info, fold=0).timestamp())

    def interesting_days(self, rng, every):
        kinds = {}
        for i in range(1, len(self.change)):
            wall = self.change[i] + self.offset[i - 1]
            kinds.setdefault((wall % DAY, self.offset[i - 1], self.offset[i]), []).append(EPOCH + timedelta(wall // DAY))
        for days in kinds.values():
            yield from days if every else {days[0], days[-1], rng.choice(days)}


EPOCH_CLOCK = datetime(1970, 1, 1)


def brute_day_start(zone, day, cutoff):
    """The definition itself, minute by minute."""
    wall = datetime(day.year, day.month, day.day) + timedelta(hours=cutoff)
    at = int(wall.replace(tzinfo=UTC).timestamp()) - 30 * 3600
    while EPOCH_CLOCK + timedelta(seconds=at + zone.offset_at(at)) < wall:
        at += 60
    return at


def groups():
    """Names of one and the same zone together."""
    found = {}
    for name in sorted(available_timezones(), key=lambda n: ("/" not in n, n)):
        with open(os.path.join("/usr/share/zoneinfo", name), "rb") as f:
            found.setdefault(f.read(), []).append(name)
    return list(found.values())


class Writer:
    def __init__(self, folder, rng):
        self.files = {n: open(os.path.join(folder, n + ".tsv"), "w") for n in ("span", "day", "hour", "instant")}
        self.rng = rng

    def put(self, table, *values):
        self.files[table].write("\t".join(map(str, values)) + "\n")

    def span(self, zone, cutoff, first, last):
        self.put("span", zone.name, cutoff, first, last)
        day = first
        while day <= last:
            self.put("day", zone.name, cutoff, day, zone.day_start(day, cutoff), zone.day_start(day + timedelta(1), cutoff))
            for hour, seconds in enumerate(zone.hours(day, cutoff)):
                self.put("hour", zone.name, cutoff, day, hour, seconds)
            day += timedelta(1)

    def instant(self, zone, cutoff, clock_zone, clock):
        at = clock_zone.instant(clock)
        hour = (at + zone.offset_at(at)) // 3600 % 24
        self.put("instant", zone.name, cutoff, clock_zone.name, clock, zone.day_of(at, cutoff), hour)

    def close(self):
        for f in self.files.values():
            f.close()


def near(rng, day):
    return datetime(day.year, day.month, day.day) + timedelta(seconds=rng.randrange(-12 * 3600, 36 * 3600))


def random_day(rng):
    return date(2000, 1, 1) + timedelta(rng.randrange(365 * 38))


def main():
    folder, seed = sys.argv[1], int(sys.argv[2])
    rng = random.Random(seed)
    out = Writer(folder, rng)
    utc = Zone("UTC")
    nasty = {name: Zone(name) for name in NASTY}
    for names in groups():
        zone = nasty.get(names[0]) or Zone(names[0])
        for cutoff in (0, 4):
            for day in {*zone.interesting_days(rng, False), random_day(rng)}:
                out.span(zone, cutoff, day - timedelta(1), day + timedelta(1))
        # Another name of the zone must mean the same.
        for name in names[1:]:
            alias = rng.choice(sorted({*zone.interesting_days(rng, False), random_day(rng)}))
            zone.name = name
            out.span(zone, rng.choice((0, 4)), alias, alias)
        zone.name = names[0]
        out.instant(zone, rng.choice((0, 4)), utc, near(rng, random_day(rng)))
    for zone in nasty.values():
        days = sorted(set(zone.interesting_days(rng, len(set(zone.offset)) > 2)))
        for cutoff in range(13):
            for day in rng.sample(days, min(6, len(days))):
                out.span(zone, cutoff, day - timedelta(1), day + timedelta(1))
        for day in rng.sample(days, min(8, len(days))):
            for clock_zone in (utc, zone, rng.choice(list(nasty.values()))):
                for _ in range(3):
                    out.instant(zone, rng.randrange(13), clock_zone, near(rng, day))
            cutoff = rng.randrange(13)
            assert zone.day_start(day, cutoff) == brute_day_start(zone, day, cutoff), (zone.name, day, cutoff)
    out.close()


main()
