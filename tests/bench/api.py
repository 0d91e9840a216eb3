"""api.py: the answer of a row a day by FastAPI and asyncpg, in the forms that may be its fastest.

web.py says by environment where the database is, which statements to ask, and how:
  API_URL          the connection
  API_STATEMENTS   JSON: the days and the envelope, each as [statement, names of its parameters]
  API_COLUMNS      columns of the days
  API_POOL         connections of each worker
  API_FORM         decimal: numerics as the driver gives them; float: read as floats
"""
import json
import os
from datetime import date, datetime
from typing import Optional

import asyncpg
import ujson
from fastapi import FastAPI, Query, Response

(DAYS, DAYS_PARAMS), (ENVELOPE, ENVELOPE_PARAMS) = json.loads(os.environ["API_STATEMENTS"])
COLUMNS = os.environ["API_COLUMNS"].split()
FLOAT = os.environ["API_FORM"] == "float"

app = FastAPI(openapi_url=None)


class Connection(asyncpg.Connection):
    def _get_reset_query(self):
        return ""  # else each request pays for RESET ALL and more, and there is nothing to reset


async def prepare(connection):
    await connection.set_type_codec("json", encoder=ujson.dumps, decoder=ujson.loads, schema="pg_catalog")
    if FLOAT:
        await connection.set_type_codec("numeric", encoder=str, decoder=float, schema="pg_catalog", format="text")


@app.on_event("startup")
async def startup():
    n = int(os.environ["API_POOL"])
    app.state.pool = await asyncpg.create_pool(os.environ["API_URL"], min_size=n, max_size=n, init=prepare,
                                               connection_class=Connection,
                                               server_settings={"jit": "off", "timezone": "UTC"})


def plain(value):
    return value.isoformat() if isinstance(value, (date, datetime)) else value


@app.get("/api/admin/analytics/daily")
async def daily(day: Optional[date] = Query(None, alias="date"), first: Optional[date] = Query(None, alias="from"),
                last: Optional[date] = Query(None, alias="to"), location_id: Optional[int] = None,
                currency: Optional[str] = None, basis: str = "order_date"):
    given = {"date": day, "from": first, "to": last, "days": 30, "location_id": location_id, "currency": currency,
             "basis": basis}
    async with app.state.pool.acquire() as connection:
        rows = await connection.fetch(DAYS, *(given[name] for name in DAYS_PARAMS))
        scope = await connection.fetchrow(ENVELOPE, *(given[name] for name in ENVELOPE_PARAMS))
    answer = {"days": [{"date": row["date"].isoformat(), **{name: row[name] for name in COLUMNS}} for row in rows]}
    for name in ("as_of", "range", "tz", "cutoff", "currency", "basis"):
        answer[name] = plain(scope[name])
    return Response(ujson.dumps(answer), media_type="application/json")
