"""What differs between the sides of a channel when actions are sent: rows, writes, results.

`reconcile.execute` sends, retries, confirms and fences in one way for both sides; a `SideWork` says
how action rows of its side become writes, and how results become rows.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeAlias

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.contract import (
    ORDER_WRITES,
    WRITES,
    Adapter,
    Confirmation,
    Progress,
)
from reconcile.core.actions import ActionKind
from reconcile.core.types import Side
from reconcile.orders.results import apply_order_results
from reconcile.orders.writes import build_order_writes, outdated_orders
from reconcile.results import Ended, apply_results
from reconcile.store import actions as action_rows
from reconcile.store import order_marks
from reconcile.store.channels import Channel
from reconcile.writes import build_writes, outdated

Writes: TypeAlias = Sequence[Any]
"""`Write`s of the listing side, or `OrderWrite`s; never mixed."""


class SideWork(Protocol):
    """How one side turns its action rows into writes, and results into rows."""

    async def outdated(
        self, conn: AsyncConnection, channel: Channel, rows: Sequence[RowMapping]
    ) -> Mapping[int, str]:
        """Action id → why it must not be sent any more as planned."""
        ...

    async def build(
        self, conn: AsyncConnection, channel: Channel, rows: Sequence[RowMapping]
    ) -> Writes:
        """One write per row, in the same order; a few statements for all of them."""
        ...

    def send(self, adapter: Adapter, kind: ActionKind, writes: Writes) -> AsyncIterator[Progress]:
        """The adapter's generator for writes of one kind."""
        ...

    async def confirm(self, adapter: Adapter, writes: Writes) -> Mapping[str, Confirmation]:
        """What a look at the platform says of writes with an unknown outcome."""
        ...

    async def apply(
        self,
        conn: AsyncConnection,
        channel: Channel,
        ended: Sequence[Ended],
        observed_at: datetime,
    ) -> None:
        """Store final results; inside the caller's fenced transaction."""
        ...

    async def look_again(
        self, conn: AsyncConnection, channel: Channel, rows: Sequence[Any], reason: str
    ) -> None:
        """What these rows were about is to be planned once more."""
        ...


class ListingWork:
    """Products and their variants."""

    async def outdated(
        self, conn: AsyncConnection, channel: Channel, rows: Sequence[RowMapping]
    ) -> Mapping[int, str]:
        """Rows whose wanted or linked state has moved."""
        return await outdated(conn, channel, rows)

    async def build(
        self, conn: AsyncConnection, channel: Channel, rows: Sequence[RowMapping]
    ) -> Writes:
        """`Write`s out of the current records."""
        return await build_writes(conn, channel, rows)

    def send(self, adapter: Adapter, kind: ActionKind, writes: Writes) -> AsyncIterator[Progress]:
        """Publish, overwrite, sync, hide, unhide or delist."""
        return WRITES[kind](adapter, writes)

    async def confirm(self, adapter: Adapter, writes: Writes) -> Mapping[str, Confirmation]:
        """Look at the products."""
        return await adapter.confirm(writes)

    async def apply(
        self,
        conn: AsyncConnection,
        channel: Channel,
        ended: Sequence[Ended],
        observed_at: datetime,
    ) -> None:
        """Mirror, links, kept values, failures, dirt."""
        await apply_results(conn, channel, ended, observed_at)

    async def look_again(
        self, conn: AsyncConnection, channel: Channel, rows: Sequence[Any], reason: str
    ) -> None:
        """Their listings are dirty."""
        listing_ids = [row["listing_id"] for row in rows if row["listing_id"] is not None]
        await action_rows.mark_dirty(conn, channel.id, listing_ids, reason)


class OrderWork:
    """Orders and their shipments."""

    async def outdated(
        self, conn: AsyncConnection, channel: Channel, rows: Sequence[RowMapping]
    ) -> Mapping[int, str]:
        """Rows whose order or shipment has moved."""
        return await outdated_orders(conn, channel, rows)

    async def build(
        self, conn: AsyncConnection, channel: Channel, rows: Sequence[RowMapping]
    ) -> Writes:
        """`OrderWrite`s out of the current records."""
        return await build_order_writes(conn, channel, rows)

    def send(self, adapter: Adapter, kind: ActionKind, writes: Writes) -> AsyncIterator[Progress]:
        """Acknowledge, fulfill or close."""
        return ORDER_WRITES[kind](adapter, writes)

    async def confirm(self, adapter: Adapter, writes: Writes) -> Mapping[str, Confirmation]:
        """Look at the orders."""
        return await adapter.confirm_orders(writes)

    async def apply(
        self,
        conn: AsyncConnection,
        channel: Channel,
        ended: Sequence[Ended],
        observed_at: datetime,
    ) -> None:
        """Shipments pushed, orders acknowledged and closed, what was seen."""
        await apply_order_results(conn, channel, ended, observed_at)

    async def look_again(
        self, conn: AsyncConnection, channel: Channel, rows: Sequence[Any], reason: str
    ) -> None:
        """Both order operations decide these orders once more."""
        del reason
        order_ids = [row["order_id"] for row in rows if row["order_id"] is not None]
        await order_marks.flag(conn, channel.id, order_ids)


WORK: Mapping[Side, SideWork] = {Side.LISTINGS: ListingWork(), Side.ORDERS: OrderWork()}
