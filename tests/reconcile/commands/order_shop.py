"""A connected channel with orders, as the mirror and our own records hold them after a run."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.core.order_types import SeenOrder
from reconcile.core.remote_order_types import RemoteOrderLine
from reconcile.store.seen_orders import load_seen
from tests.order_double import ORDER_SUPPORT, StoreOrder, seen
from tests.platform_double import double_platform
from tests.reconcile.commands.shop import MovingClock, Shop
from tests.seen_orders import copy_orders, see_orders
from tests.store_double import DoubleStore
from tests.wiring_double import Bell, make_deps

PERSONAL = ("Lovelace", "ada@personal.example", "Byron", "Augusta", "Annabella", "James")
"""Parts of what the double's orders say of their customer."""


def make_order_shop(engine: AsyncEngine) -> Shop:
    """Two stores with orders that nobody is connected to yet."""
    store, other = DoubleStore(), DoubleStore(account_id="account-other", currency="USD")
    platform = double_platform({"main": store, "other": other}, orders=ORDER_SUPPORT)
    bell, clock = Bell(), MovingClock()
    deps = make_deps(engine, platform, clock=clock, bell=bell)
    return Shop(deps, store, other, bell, clock)


def sell(
    shop: Shop, *lines: RemoteOrderLine, at: datetime | None = None, number: str = "", **fields: Any
) -> StoreOrder:
    """A shopper orders on the shop's first store."""
    ordered = at or shop.clock() - timedelta(hours=1)
    return shop.store.order(*lines, at=ordered, number=number, **fields)


async def see(shop: Shop, *orders: StoreOrder, channel_id: int | None = None) -> list[int]:
    """A poll shows these orders; their remote order ids."""
    where = channel_id or shop.channel_id
    return await see_orders(
        shop.deps.engine, where, [seen(order) for order in orders], shop.clock()
    )


async def stored(shop: Shop, remote_order_id: int) -> SeenOrder:
    """A seen order as a decision would get it."""
    async with shop.deps.engine.connect() as conn:
        return (await load_seen(conn, shop.channel_id, [remote_order_id]))[0]


async def take_in(shop: Shop, *orders: StoreOrder) -> list[int]:
    """A run imported these orders, and is over; their ids (`orders.id`)."""
    ids = await see(shop, *orders)
    imported = await copy_orders(shop.deps, shop.channel_id, ids)
    await shop.rows(
        """
UPDATE remote_orders SET verdict = 'IMPORTED', reason = 'Imported', message = 'Imported',
    decide = false, fulfill = false WHERE id = ANY(:ids)
""",
        ids=ids,
    )
    shop.bell.rings.clear()
    return imported


async def line_ids(shop: Shop, order_id: int) -> Sequence[int]:
    """Our ids of the order's lines, in their order."""
    rows = await shop.rows(
        "SELECT id FROM order_lines WHERE order_id = :id ORDER BY position", id=order_id
    )
    return [row["id"] for row in rows]


async def order_row(shop: Shop, order_id: int) -> Any:
    """The row of an order."""
    return (await shop.rows("SELECT * FROM orders WHERE id = :id", id=order_id))[0]


async def flags(shop: Shop, order_id: int) -> tuple[bool, bool]:
    """Whether the order is to be decided, and planned, once more."""
    row = (
        await shop.rows(
            "SELECT r.decide, r.fulfill FROM remote_orders r JOIN orders o"
            " ON o.remote_order_id = r.id WHERE o.id = :id",
            id=order_id,
        )
    )[0]
    return row["decide"], row["fulfill"]


async def changes(shop: Shop) -> list[tuple[str, list[int]]]:
    """The runs that changes queued: operation, and the seen orders they are about."""
    rows = await shop.rows(
        "SELECT operation, order_ids FROM runs WHERE trigger = 'CHANGE' AND side = 'ORDERS'"
        " ORDER BY id"
    )
    return [(row["operation"], row["order_ids"]) for row in rows]
