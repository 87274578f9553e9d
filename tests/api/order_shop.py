"""A platform with orders and the rows of some, for tests of the API's order side."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from api.ids import Kind, encode
from reconcile.core.remote_order_types import (
    Address,
    OrderStage,
    PaymentStatus,
    RemoteOrder,
    RemoteOrderLine,
    ShippingText,
)
from reconcile.core.types import RemoteRef
from reconcile.deps import Deps
from reconcile.store.deductions import rewrite
from tests.api.asking import Client, connected
from tests.order_double import ORDER_SUPPORT
from tests.platform_double import double_platform
from tests.seen_orders import copy_orders, see_orders
from tests.store_double import DoubleStore
from tests.wiring_double import Bell, make_deps

PLANTED = "Plantedname"
"""A customer's name that must show up nowhere but in the fields that are asked for."""
EMAIL = "planted@customer.example"


def orders_deps(engine: AsyncEngine, store: DoubleStore, bell: Bell) -> Deps:
    """Parts whose platform has orders, on the real time."""
    stores = {"main": store, "other": DoubleStore("account-2")}
    platform = double_platform(stores, orders=ORDER_SUPPORT)
    return make_deps(engine, platform, bell=bell, clock=lambda: datetime.now(UTC))


def line(key: str, sku: str | None, units: int = 1, **values: Any) -> RemoteOrderLine:
    """A line of so many units."""
    given = {"unit_price": "4.50", "total": "9.00", **values}
    return RemoteOrderLine(key, sku, f"Title of {sku}", units, **given)


def seen_order(number: str, *lines: RemoteOrderLine, **values: Any) -> RemoteOrder:
    """A paid order of an hour ago, full of personal data."""
    given: dict[str, Any] = {
        "stage": OrderStage.OPEN,
        "status": "processing",
        "currency": "EUR",
        "total": "13.50",
        "created_at": datetime.now(UTC) - timedelta(hours=1),
        "payment": PaymentStatus.PAID,
        "ship_to": Address(PLANTED, "Doe", line1="1 Main St", city="Paris", country="FR"),
        "billing": Address(PLANTED, "Doe", phone="555-0199"),
        "email": EMAIL,
        "note": f"Ring at {PLANTED}",
        "custom": {"gift": f"For {PLANTED}"},
        "shipping": (ShippingText(("flat_rate:3", "flat_rate"), "Flat rate"),),
        "facets": {"status": ("open",)},
        **values,
    }
    parts = lines or (line("1", "MUG", 2), line("2", "CUP"))
    return RemoteOrder(id=f"r{number}", number=number, lines=parts, **given)


def ref(parent: str) -> RemoteRef:
    """A product of the store."""
    return RemoteRef(parent)


@dataclass
class OrderShop:
    """A channel with orders, seen and imported the way the runtime does it."""

    client: Client
    deps: Deps
    channel: str
    channel_id: int = 1

    async def rows(self, sql: str, **given: Any) -> list[Any]:
        """What the database says."""
        async with self.deps.engine.begin() as conn:
            result = await conn.execute(text(sql), given)
            return list(result.mappings().all()) if result.returns_rows else []

    async def see(self, *orders: RemoteOrder) -> list[int]:
        """Orders come into the mirror, and take off what they take off; the ids of their rows."""
        numbers = await see_orders(self.deps.engine, self.channel_id, orders, datetime.now(UTC))
        async with self.deps.engine.begin() as conn:
            await rewrite(conn, self.channel_id, numbers)
        return numbers

    async def judge(self, number: int, verdict: str, reason: str) -> None:
        """Pretend that a decision about a remote order was made."""
        await self.rows(
            "UPDATE remote_orders SET verdict = :verdict, reason = :reason, since = now(), "
            "message = 'Because of ' || :reason, decide = false WHERE id = :id",
            id=number,
            verdict=verdict,
            reason=reason,
        )

    async def take(self, *orders: RemoteOrder) -> list[int]:
        """Orders are seen and imported as they are; the ids of ours."""
        numbers = await self.see(*orders)
        ours = await copy_orders(self.deps, self.channel_id, numbers)
        for number in numbers:
            await self.judge(number, "IMPORTED", "NewOrder")
        return ours

    async def lines(self, order_id: int) -> list[str]:
        """Ids of an order's lines, for clients."""
        found = await self.rows(
            "SELECT id FROM order_lines WHERE order_id = :id ORDER BY position", id=order_id
        )
        return [encode(Kind.ORDER_LINE, row["id"]) for row in found]


async def order_shop(client: Client, deps: Deps) -> OrderShop:
    """A connected channel without orders."""
    channel = await connected(client)
    return OrderShop(client, deps, channel)


def order_id(number: int) -> str:
    """Id of an order, for clients."""
    return encode(Kind.ORDER, number)


def remote_order_id(number: int) -> str:
    """Id of a remote order, for clients."""
    return encode(Kind.REMOTE_ORDER, number)
