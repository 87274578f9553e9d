"""A platform with orders and the rows of some, for tests of the API's order side."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from api.ids import Kind, encode
from reconcile.contract import (
    ActionSupport,
    OrderField,
    OrderSupport,
    Platform,
    ShipmentFieldForm,
    setting,
)
from reconcile.core.actions import ActionKind
from reconcile.core.mapping import MappingRule, Template
from reconcile.core.order_types import (
    Address,
    OrderFacet,
    OrderFilter,
    OrderStage,
    OurOrderField,
    PaymentStatus,
    RemoteOrder,
    RemoteOrderLine,
    ShipmentField,
    ShippingText,
)
from reconcile.core.types import Operation, RemoteRef
from reconcile.deps import Deps
from reconcile.store import order_copy
from reconcile.store.channels import load_channel
from reconcile.store.deductions import rewrite
from reconcile.store.order_mirror import observe
from reconcile.store.seen_orders import load_seen
from tests.api.asking import Client, connected
from tests.platform_double import double_platform
from tests.store_double import DoubleStore
from tests.wiring_double import Bell, make_deps

PLANTED = "Plantedname"
"""A customer's name that must show up nowhere but in the fields that are asked for."""
EMAIL = "planted@customer.example"


@dataclass(frozen=True, slots=True)
class GetSettings:
    """Settings of GET_ORDERS."""

    days: int = setting("Days", "How old an order may be.", default=14)


@dataclass(frozen=True, slots=True)
class SyncSettings:
    """SYNC_ORDERS has none."""


def _filter(settings: object) -> OrderFilter:
    assert isinstance(settings, GetSettings)
    return OrderFilter({"status": frozenset({"processing"})}, settings.days)


FIELDS = tuple(OrderField(each.value, each, each.value.title()) for each in OurOrderField)
SHIPMENT_FIELDS = tuple(
    ShipmentFieldForm(each, each.value, each.value.title()) for each in ShipmentField
)


def orders_platform(stores: Mapping[str, DoubleStore]) -> Platform:
    """The double, with an order side whose rows the tests write themselves."""
    plain = double_platform(stores)
    return dataclasses.replace(
        plain,
        operations={
            **plain.operations,
            Operation.GET_ORDERS: GetSettings,
            Operation.SYNC_ORDERS: SyncSettings,
        },
        unsupported_operations={},
        actions={
            **plain.actions,
            **{
                kind: ActionSupport()
                for kind in (ActionKind.IMPORT_ORDER, ActionKind.FULFILL, ActionKind.CLOSE)
            },
        },
        templates={
            **plain.templates,
            Operation.GET_ORDERS: Template(
                tuple(MappingRule(each.theirs, each.ours) for each in FIELDS)
            ),
            Operation.SYNC_ORDERS: Template(
                tuple(MappingRule(each.ours, each.theirs) for each in SHIPMENT_FIELDS)
            ),
        },
        orders=OrderSupport(
            facets=(OrderFacet("status", "order status", "StatusNotSelected"),),
            filter=_filter,
            fields=FIELDS,
            shipment_fields=SHIPMENT_FIELDS,
            shipping_text="method id",
        ),
    )


def orders_deps(engine: AsyncEngine, store: DoubleStore, bell: Bell) -> Deps:
    """Parts whose platform has orders, on the real time."""
    platform = orders_platform({"main": store, "other": DoubleStore("account-2")})
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
        "facets": {"status": ("processing",)},
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
        async with self.deps.engine.begin() as conn:
            await observe(conn, self.channel_id, orders, datetime.now(UTC))
            found = await conn.execute(
                text("SELECT remote_id, id FROM remote_orders WHERE channel_id = :id"),
                {"id": self.channel_id},
            )
            ids = {row.remote_id: row.id for row in found}
            numbers = [ids[order.id] for order in orders]
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
        async with self.deps.engine.begin() as conn:
            channel = await load_channel(conn, self.deps, self.channel_id)
            assert channel is not None
            template = channel.platform.templates[Operation.GET_ORDERS]
            seen = await load_seen(conn, self.channel_id, numbers)
            await order_copy.write(conn, channel, template, seen)
        for number in numbers:
            await self.judge(number, "IMPORTED", "NewOrder")
        found = await self.rows("SELECT remote_order_id, id FROM orders")
        ids = {row["remote_order_id"]: int(row["id"]) for row in found}
        return [ids[number] for number in numbers]

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
