"""orm_batch.py ORDERS_URL CACHE_URL FROM TO: the night's work as it is usually written: the day's orders
and their lines come through the ORM, Python adds them up, the cache rows go back through the ORM."""
import sys
from collections import defaultdict
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy import (BigInteger, Column, Date, DateTime, ForeignKey, Integer, Numeric, SmallInteger, Text,
                        create_engine, func, select)
from sqlalchemy.orm import Session, declarative_base, relationship, selectinload

ZONE = ZoneInfo("Europe/Berlin")
CUTOFF = time(4)
Base = declarative_base()


class Order(Base):
    __tablename__ = "orders"
    id = Column(BigInteger, primary_key=True)
    status = Column(Text)
    total_amount = Column(Numeric(12, 2))
    created_at = Column(DateTime(timezone=True))
    updated_at = Column(DateTime(timezone=True))
    customer_id = Column(Integer)
    location_id = Column(Integer)
    currency = Column(Text)
    items = relationship("OrderItem")


class OrderItem(Base):
    __tablename__ = "order_items"
    id = Column(BigInteger, primary_key=True)
    order_id = Column(BigInteger, ForeignKey("orders.id"))
    item_id = Column(Integer)
    name = Column(Text)
    quantity = Column(Integer)
    unit_price = Column(Numeric(12, 2))


class DailyRevenue(Base):
    __tablename__ = "daily_revenue_cache"
    location_id = Column(Integer, primary_key=True)
    business_date = Column(Date, primary_key=True)
    currency = Column(Text, primary_key=True)
    revenue_minor = Column(BigInteger, default=0)
    order_count = Column(BigInteger, default=0)
    served_count = Column(BigInteger, default=0)
    first_order_at = Column(DateTime(timezone=True))
    last_order_at = Column(DateTime(timezone=True))


class HourlyOrders(Base):
    __tablename__ = "hourly_order_cache"
    location_id = Column(Integer, primary_key=True)
    business_date = Column(Date, primary_key=True)
    hour = Column(SmallInteger, primary_key=True)
    currency = Column(Text, primary_key=True)
    order_count = Column(BigInteger, default=0)
    served_count = Column(BigInteger, default=0)
    revenue_minor = Column(BigInteger, default=0)


class ItemSales(Base):
    __tablename__ = "item_sales_cache"
    location_id = Column(Integer, primary_key=True)
    business_date = Column(Date, primary_key=True)
    item_id = Column(Text, primary_key=True)
    currency = Column(Text, primary_key=True)
    name = Column(Text)
    quantity = Column(Numeric)
    revenue_minor = Column(BigInteger)
    order_count = Column(BigInteger)


def minor(amount):
    return int(amount * 100)


class Item:
    def __init__(self):
        self.name, self.quantity, self.revenue, self.orders = "", 0, Decimal(0), set()


def compute_day(orders_db, day):
    start = datetime.combine(day, CUTOFF, ZONE)
    end = datetime.combine(day + timedelta(days=1), CUTOFF, ZONE)
    within = (Order.created_at >= start, Order.created_at < end)
    placed = orders_db.execute(
        select(Order.location_id, Order.currency, func.count(), func.min(Order.created_at), func.max(Order.created_at))
        .where(*within).group_by(Order.location_id, Order.currency)).all()
    served = orders_db.scalars(
        select(Order).where(*within, Order.status == "SERVED").options(selectinload(Order.items)))

    revenue, count = defaultdict(Decimal), defaultdict(int)
    hour_revenue, hour_count = defaultdict(Decimal), defaultdict(int)
    items = defaultdict(Item)
    for order in served:
        series = order.location_id, order.currency
        hour = *series, order.created_at.astimezone(ZONE).hour
        revenue[series] += order.total_amount
        count[series] += 1
        hour_revenue[hour] += order.total_amount
        hour_count[hour] += 1
        for line in order.items:
            item = items[*series, line.item_id]
            item.name = max(item.name, line.name)
            item.quantity += line.quantity
            item.revenue += line.quantity * line.unit_price
            item.orders.add(order.id)

    for location, currency, n, first, last in placed:
        yield DailyRevenue(location_id=location, business_date=day, currency=currency,
                           revenue_minor=minor(revenue[location, currency]), order_count=n,
                           served_count=count[location, currency], first_order_at=first, last_order_at=last)
    for (location, currency, hour), n in hour_count.items():
        yield HourlyOrders(location_id=location, business_date=day, hour=hour, currency=currency, served_count=n,
                           revenue_minor=minor(hour_revenue[location, currency, hour]))
    for (location, currency, item_id), item in items.items():
        yield ItemSales(location_id=location, business_date=day, item_id=str(item_id), currency=currency,
                        name=item.name, quantity=item.quantity, revenue_minor=minor(item.revenue),
                        order_count=len(item.orders))


def main(orders_url, cache_url, first, last):
    orders_engine, cache_engine = create_engine(orders_url), create_engine(cache_url)
    day, last = date.fromisoformat(first), date.fromisoformat(last)
    while day <= last:
        with Session(orders_engine) as orders_db, Session(cache_engine) as cache_db:
            cache_db.add_all(compute_day(orders_db, day))
            cache_db.commit()
        day += timedelta(days=1)


main(*sys.argv[1:])
