"""A channel of the test platform that has orders, on real PostgreSQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.commands.channels import NewChannel, connect
from reconcile.commands.mappings import set_mapping
from reconcile.commands.operations import configure
from reconcile.commands.orders import NewShipment, NewShipmentLine, ship
from reconcile.core.remote_order_types import RemoteOrderLine
from reconcile.core.types import Operation, Side, Value
from reconcile.deps import Tuning
from reconcile.worker import drain, drain_until_idle
from tests.order_double import ORDER_SUPPORT, StoreOrder
from tests.platform_double import double_platform
from tests.reconcile.runtime.stage import Stage, make_stage
from tests.store_double import DoubleStore

GET, SEND = Operation.GET_ORDERS, Operation.SYNC_ORDERS


@dataclass
class OrderStage:
    """One store with orders, one channel, and the runtime that works on it."""

    stage: Stage

    @property
    def store(self) -> DoubleStore:
        """The books of the store."""
        return self.stage.store

    @property
    def channel_id(self) -> int:
        """The one channel."""
        return self.stage.channel_id

    async def open(self, *, mapped: Sequence[str] = ("ground",)) -> None:
        """Connect the store and map shipping texts."""
        await self.stage.connect()
        await self._map(mapped)

    async def open_as(self, name: str) -> None:
        """Connect the store of that name as a channel of that name; one shipping text is mapped."""
        wish = NewChannel(name, "double", {"store": name, "secret": "right"})
        self.stage.channel_id = await connect(self.stage.deps, wish, by="test")
        await self._map(("ground",))

    async def _map(self, mapped: Sequence[str]) -> None:
        for text in mapped:
            await set_mapping(self.stage.deps, self.channel_id, text, "Standard", by="test")
        await self.settle()
        self.store.requests.clear()

    def order(self, *lines: RemoteOrderLine, days_ago: float = 0, **fields: Any) -> StoreOrder:
        """A shopper orders, now or some days ago; what was created long ago was touched now."""
        now = self.stage.clock()
        made = self.store.order(*lines, at=now, **fields)
        made.created_at = now - timedelta(days=days_ago)
        return made

    def touch(self, order: StoreOrder, **fields: Any) -> None:
        """The order changes on the store."""
        for name, value in fields.items():
            setattr(order, name, value)
        order.modified_at = self.stage.clock()

    async def settings(self, operation: Operation, **values: Value) -> None:
        """Change settings of an operation."""
        await configure(self.stage.deps, self.channel_id, operation, settings=values, by="test")

    # --- runs -------------------------------------------------------------------------------

    async def settle(self) -> None:
        """Work until nothing is due now, on both sides."""
        await drain_until_idle(self.stage.deps, self.channel_id, Side.ORDERS)
        await self.stage.settle()

    async def run(self, operation: Operation, **options: Any) -> RowMapping:
        """Queue a run and work until nothing is due; the run as it then stands."""
        run_id = await self.stage.ask(operation, **options)
        await self.settle()
        return await self.stage.run_row(run_id)

    async def get(self, **options: Any) -> RowMapping:
        """GET_ORDERS."""
        return await self.run(GET, **options)

    async def send(self, **options: Any) -> RowMapping:
        """SYNC_ORDERS."""
        return await self.run(SEND, **options)

    async def slice(self, holder: str = "test") -> bool:
        """Work for one slice on the orders; True when there is more to do."""
        return await drain(self.stage.deps, self.channel_id, Side.ORDERS, holder)

    # --- what stands ------------------------------------------------------------------------

    async def verdicts(self) -> Mapping[str, tuple[str, str]]:
        """Number → verdict and reason."""
        rows = await self.stage.rows(
            "SELECT number, verdict, reason FROM remote_orders"
            " ORDER BY length(remote_id), remote_id"
        )
        return {row["number"]: (row["verdict"], row["reason"]) for row in rows}

    async def ours(self, order: StoreOrder) -> RowMapping:
        """Our copy of an order."""
        rows = await self.stage.rows(
            "SELECT o.* FROM orders o JOIN remote_orders r ON r.id = o.remote_order_id"
            " WHERE r.remote_id = :id AND r.channel_id = :channel_id",
            id=order.id,
            channel_id=self.channel_id,
        )
        assert len(rows) == 1, f"{len(rows)} orders"
        return rows[0]

    async def lines(self, order: StoreOrder) -> list[RowMapping]:
        """The lines of our copy."""
        row = await self.ours(order)
        return await self.stage.rows(
            "SELECT * FROM order_lines WHERE order_id = :id ORDER BY position", id=row["id"]
        )

    async def ship(
        self, order: StoreOrder, units: Mapping[str, int] | None = None, **fields: Any
    ) -> int:
        """Ship by hand; units by the store's line id, None: all that remains."""
        row = await self.ours(order)
        lines = {line["remote_line_id"]: line["id"] for line in await self.lines(order)}
        given = (
            None
            if units is None
            else [NewShipmentLine(lines[name], count) for name, count in units.items()]
        )
        fields.setdefault("tracking_number", "TRACK1")
        return await ship(self.stage.deps, NewShipment(row["id"], given, **fields), by="test")

    async def shipments(self, order: StoreOrder) -> list[tuple[str, str]]:
        """Origin and state of the shipments of an order."""
        row = await self.ours(order)
        rows = await self.stage.rows(
            "SELECT origin, state FROM shipments WHERE order_id = :id ORDER BY id", id=row["id"]
        )
        return [(item["origin"], item["state"]) for item in rows]

    async def wanted(self, sku: str) -> Value:
        """The quantity the channel should hold."""
        return (await self.stage.variant(sku)).wanted.get("quantity")


def order_stage(
    engine: AsyncEngine, *, tuning: Tuning | None = None, name: str = "main"
) -> OrderStage:
    """A stage with orders whose channel is not connected yet."""
    store = DoubleStore()
    platform = double_platform({name: store}, orders=ORDER_SUPPORT)
    return OrderStage(make_stage(engine, tuning=tuning, platform=platform, store=store))


def ago(stage: OrderStage, days: float) -> datetime:
    """A time before now."""
    return stage.stage.clock() - timedelta(days=days)
