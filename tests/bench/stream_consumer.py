"""stream_consumer.py BROKERS TOPIC N URL: the work of takings-stream as a Python service would do it.

kafka-python and psycopg2, batches of 1000 by execute_values: the state of each order, guarded by its version,
its lines, and the figures of minutes, hours, days, statuses, items, products and customers, which change by
what the orders of the batch are less what they were; all of it and the positions in one transaction.
"""
import json
import sys
from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import psycopg2
from kafka import KafkaConsumer, TopicPartition
from psycopg2.extras import execute_values

BATCH = 1000
ZONE = ZoneInfo("Europe/Berlin")
CUTOFF = timedelta(hours=4)
UNCOUNTED = {"cancelled", "failed", "draft", "unpaid"}

TABLES = """
create table state (order_id text primary key, birth int not null, status_version int not null, status text, currency text,
                    customer text, total bigint, placed_at timestamptz);
create table line (line_id text primary key, order_id text not null, item text, name text, quantity numeric, amount numeric);
create index on line (order_id);
create table minute (at timestamptz, currency text, placed bigint, minor bigint, primary key (at, currency));
create table hour (at timestamptz, currency text, day date, placed bigint, counted bigint, minor bigint, primary key (at, currency));
create table day (day date, currency text, placed bigint, counted bigint, minor bigint, primary key (day, currency));
create table status (day date, currency text, status text, orders bigint, primary key (day, currency, status));
create table item (day date, currency text, item text, quantity numeric, amount numeric, orders bigint,
                   primary key (day, currency, item));
create table product (currency text, item text, quantity numeric, amount numeric, orders bigint, primary key (currency, item));
create table customer (currency text, customer text, placed bigint, counted bigint, minor bigint,
                       primary key (currency, customer));
create table position (partition int primary key, next bigint not null);
"""


class Order:
    __slots__ = ("id", "birth", "version", "status", "currency", "customer", "total", "placed", "lines")

    def __init__(self, order_id):
        self.id, self.birth, self.version, self.status = order_id, -1, -1, None
        self.currency = self.customer = self.total = self.placed = None
        self.lines = []


def load(cursor, ids):
    orders = {}
    cursor.execute("select order_id, birth, status_version, status, currency, customer, total, placed_at"
                   " from state where order_id = any(%s) for update", (ids,))
    for row in cursor.fetchall():
        o = orders[row[0]] = Order(row[0])
        o.birth, o.version, o.status, o.currency, o.customer, o.total, o.placed = row[1:]
    cursor.execute("select order_id, item, name, quantity, amount from line where order_id = any(%s)", (ids,))
    for order_id, *line in cursor.fetchall():
        orders[order_id].lines.append(tuple(line))
    return orders


def change(o, event):
    version = event["version"]
    kind = event["event_type"]
    if kind == "OrderCreatedEvent" and version > o.birth:
        o.birth = version
        o.currency, o.customer = event["currency"], event["customer_id"]
        o.total = int(Decimal(event["total_amount"]).scaleb(2))
        o.placed = datetime.fromisoformat(event["occurred_at"].replace("Z", "+00:00"))
        o.lines = [(i["item_id"], i["name"], Decimal(i["quantity"]), i["quantity"] * Decimal(i["unit_price"]))
                   for i in event["items"]]
    if version > o.version:
        o.version = version
        o.status = "cancelled" if kind == "OrderCancelledEvent" else event.get("new_status") or event["status"]


def add(figures, o, sign):
    """What an order adds to the figures."""
    if o.birth < 0:
        return
    local = o.placed.astimezone(ZONE)
    day = (local - CUTOFF).date()
    counted = sign if o.status not in UNCOUNTED else 0
    sum_into(figures["minute"], (o.placed.replace(second=0), o.currency), (sign, sign * o.total))
    sum_into(figures["hour"], (o.placed.replace(minute=0, second=0), o.currency, day), (sign, counted, counted * o.total))
    sum_into(figures["day"], (day, o.currency), (sign, counted, counted * o.total))
    sum_into(figures["status"], (day, o.currency, o.status), (sign,))
    sum_into(figures["customer"], (o.currency, o.customer), (sign, counted, counted * o.total))
    if counted:
        items = defaultdict(lambda: [0, 0])
        for item, _, quantity, amount in o.lines:
            items[item][0] += quantity
            items[item][1] += amount
        for item, (quantity, amount) in items.items():
            sum_into(figures["item"], (day, o.currency, item), (counted * quantity, counted * amount, counted))
            sum_into(figures["product"], (o.currency, item), (counted * quantity, counted * amount, counted))


def sum_into(table, key, values):
    row = table[key]
    if not row:
        row.extend(values)
    else:
        for i, value in enumerate(values):
            row[i] += value


KEYS = {"minute": "at, currency", "hour": "at, currency, day", "day": "day, currency", "status": "day, currency, status",
        "item": "day, currency, item", "product": "currency, item", "customer": "currency, customer"}
VALUES = {"minute": "placed minor", "hour": "placed counted minor", "day": "placed counted minor", "status": "orders",
          "item": "quantity amount orders", "product": "quantity amount orders", "customer": "placed counted minor"}
CONFLICT = {**KEYS, "hour": "at, currency"}


def write(cursor, orders, lines_of, figures):
    execute_values(cursor, "insert into state values %s on conflict (order_id) do update set birth = excluded.birth,"
                   " status_version = excluded.status_version, status = excluded.status, currency = excluded.currency,"
                   " customer = excluded.customer, total = excluded.total, placed_at = excluded.placed_at",
                   sorted((o.id, o.birth, o.version, o.status, o.currency, o.customer, o.total, o.placed) for o in orders.values()),
                   page_size=BATCH)
    lines = [(f"{o}/{i}", o, *line) for o in lines_of for i, line in enumerate(orders[o].lines)]
    if lines:
        execute_values(cursor, "insert into line values %s on conflict (line_id) do update set item = excluded.item,"
                       " name = excluded.name, quantity = excluded.quantity, amount = excluded.amount", lines, page_size=BATCH)
    for name, rows in figures.items():
        rows = [key + tuple(values) for key, values in sorted(rows.items()) if any(values)]
        if rows:
            sets = ", ".join(f"{v} = {name}.{v} + excluded.{v}" for v in VALUES[name].split())
            execute_values(cursor, f"insert into {name} ({KEYS[name]}, {VALUES[name].replace(' ', ', ')}) values %s"
                           f" on conflict ({CONFLICT[name]}) do update set {sets}", rows, page_size=BATCH)


def apply(db, messages):
    events, positions = [], {}
    for m in messages:
        events.append(json.loads(m.value))
        positions[m.partition] = m.offset + 1
    with db, db.cursor() as cursor:
        ids = sorted({e["order_id"] for e in events})
        orders = load(cursor, ids)
        figures = {name: defaultdict(list) for name in KEYS}
        for o in orders.values():
            add(figures, o, -1)
        born = set()
        for event in events:
            order_id = event["order_id"]
            o = orders.get(order_id)
            if o is None:
                o = orders[order_id] = Order(order_id)
            before = o.birth
            change(o, event)
            if o.birth != before:
                born.add(order_id)
        for o in orders.values():
            add(figures, o, 1)
        write(cursor, orders, born, figures)
        execute_values(cursor, "insert into position values %s on conflict (partition) do update set next = excluded.next",
                       sorted(positions.items()))


def main(brokers, topic, wanted, url):
    db = psycopg2.connect(url)
    with db, db.cursor() as cursor:
        cursor.execute(TABLES)
    consumer = KafkaConsumer(bootstrap_servers=brokers, enable_auto_commit=False, auto_offset_reset="earliest",
                             max_poll_records=BATCH, fetch_max_bytes=16 * 1024 * 1024)
    partitions = [TopicPartition(topic, p) for p in sorted(consumer.partitions_for_topic(topic))]
    consumer.assign(partitions)
    consumer.seek_to_beginning()
    n, waiting = 0, []
    while n < wanted:
        for records in consumer.poll(timeout_ms=1000, max_records=BATCH).values():
            waiting.extend(records)
        while len(waiting) >= BATCH or (waiting and n + len(waiting) >= wanted):
            apply(db, waiting[:BATCH])
            n += len(waiting[:BATCH])
            del waiting[:BATCH]
    db.close()
    consumer.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
