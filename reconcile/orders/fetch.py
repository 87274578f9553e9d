"""Reading orders: polls of what changed, reads by id, look-ups of a number nobody has seen.

Every page commits together with the cursor behind it and the deductions that follow from it: a sale
is off the stock of all channels in the transaction in which it was seen.
"""

import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.contract import Gone, OrderPage, OrderWindow, RejectedOrder
from reconcile.core.remote_order_types import RemoteOrder
from reconcile.core.types import Operation, Side
from reconcile.fetch import Slice
from reconcile.orders.context import support_of
from reconcile.store import deductions, order_mirror, run_rows
from reconcile.store.channels import Channel, ChannelOperation

READ_AT_ONCE = 100
"""Orders read by id in one go; a platform may need several requests for them."""
REREAD_LIMIT = 500
"""Unfinished orders that a partial run reads again at most; the others come with the next runs."""
REREAD_AFTER = timedelta(hours=6)
"""An unfinished order that no poll has shown for so long is read by id: it may be gone."""
EVER = datetime(2000, 1, 1, tzinfo=UTC)
"""Before any order of any shop; where the settings know no oldest day."""


def days_of(channel: Channel, operation: ChannelOperation) -> int | None:
    """How many days back the filter of GET_ORDERS looks; None: without limit."""
    return support_of(channel).filter(operation.settings).days


def window_of(
    channel: Channel,
    operation: ChannelOperation,
    cursor: Mapping[str, Any] | None,
    now: datetime,
    *,
    full: bool,
) -> OrderWindow:
    """From where the last poll began, less the overlap; the whole filter's reach otherwise.

    The first poll, a full run, and one after the reach has grown look at all of it.
    """
    days = days_of(channel, operation)
    reach = EVER if days is None else now - timedelta(days=days)
    if cursor is None or full or _reached(cursor) > reach:
        return OrderWindow(reach)
    return OrderWindow(datetime.fromisoformat(cursor["seen_until"]) - support_of(channel).overlap)


def _reached(cursor: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(cursor["reached"])


async def poll(
    part: Slice, phase: dict[str, Any], window: OrderWindow, *, place: dict[str, Any]
) -> bool:
    """Go on with a poll; True when the platform's own end was reached.

    `place` is the part of `phase` that says where the poll is: all of it in a run over orders.
    """
    execution = part.execution
    cursor: Mapping[str, Any] | None = place.get("cursor")
    walk = cast("AsyncGenerator[OrderPage]", execution.adapter.orders(window, cursor))
    async with contextlib.aclosing(walk) as pages:
        async for page in pages:
            place["cursor"] = dict(page.cursor)
            place["total"] = page.total if page.total is not None else place.get("total")
            place.setdefault("polled_at", page.observed_at.isoformat())
            async with execution.fenced() as conn:
                named = [*(row.id for row in page.rows), *(item.id for item in page.rejected)]
                await order_mirror.lock(conn, execution.channel.id, named)
                changed = await order_mirror.observe(
                    conn, execution.channel.id, page.rows, page.observed_at
                )
                changed += await order_mirror.keep_rejected(
                    conn, execution.channel.id, page.rejected, page.observed_at
                )
                await run_rows.save_phase(conn, part.run_id, phase)
                await _count_page(part, conn, page, len(changed), place)
                written = await deductions.rewrite(conn, execution.channel.id, changed)
            await ring(part, written.channel_ids)
            if page.is_last:
                return True
            if page.wait is not None:
                place["wait_until"] = (execution.deps.clock() + page.wait).isoformat()
                return False
            await execution.heed()
            if part.is_over:
                return False
    return True


async def _count_page(
    part: Slice, conn: AsyncConnection, page: OrderPage, changed: int, place: Mapping[str, Any]
) -> None:
    seen = len(page.rows) + len(page.rejected)
    await run_rows.add_counts(conn, part.run_id, {"orders_seen": seen, "orders_changed": changed})
    if place.get("total") is not None:
        await run_rows.set_counts(conn, part.run_id, {"orders_total": place["total"]})


async def ring(part: Slice, channel_ids: Sequence[int]) -> None:
    """Wake the channels whose stock has changed; after the commit, and losing it loses nothing."""
    for channel_id in channel_ids:
        await part.execution.deps.doorbell.ring(channel_id, Side.LISTINGS)


async def read_by_id(part: Slice, remote_ids: Sequence[str]) -> None:
    """Read orders by their ids into the mirror; what is gone becomes a tombstone."""
    execution = part.execution
    channel_id = execution.channel.id
    observed_at = execution.deps.clock()
    answers = await execution.adapter.read_orders(remote_ids)
    gone = {key: answer for key, answer in answers.items() if isinstance(answer, Gone)}
    await _take(part, list(answers.values()), observed_at, channel_id, gone)
    await execution.heed()


async def _take(
    part: Slice,
    answers: Sequence[RemoteOrder | RejectedOrder | Gone],
    observed_at: datetime,
    channel_id: int,
    gone: Mapping[str, Gone],
) -> None:
    rows = [answer for answer in answers if isinstance(answer, RemoteOrder)]
    rejected = [answer for answer in answers if isinstance(answer, RejectedOrder)]
    async with part.execution.fenced() as conn:
        named = [*(row.id for row in rows), *(item.id for item in rejected), *gone]
        await order_mirror.lock(conn, channel_id, named)
        changed = await order_mirror.observe(conn, channel_id, rows, observed_at)
        changed += await order_mirror.keep_rejected(conn, channel_id, rejected, observed_at)
        changed += await order_mirror.mark_gone(conn, channel_id, gone, observed_at)
        await run_rows.add_counts(
            conn, part.run_id, {"orders_read": len(answers), "orders_gone": len(gone)}
        )
        written = await deductions.rewrite(conn, channel_id, changed)
    await ring(part, written.channel_ids)


async def look_up(part: Slice, number: str) -> int:
    """Ask for the orders people call by this number; how many there are."""
    observed_at = part.execution.deps.clock()
    found = await part.execution.adapter.find_order(number)
    await _take(part, found, observed_at, part.execution.channel.id, {})
    return len(found)


async def reread(part: Slice, phase: dict[str, Any], *, full: bool) -> bool:
    """Read unfinished orders that no poll has shown lately; True when done (or enough)."""
    execution = part.execution
    before = datetime.fromisoformat(phase["started_at"]) - (timedelta() if full else REREAD_AFTER)
    while not part.is_over:
        done = phase.get("reread", 0)
        if done >= REREAD_LIMIT and not full:
            return True
        async with execution.fenced() as conn:
            rows = await order_mirror.unseen_open(
                conn, execution.channel.id, before, phase.get("reread_after", 0), READ_AT_ONCE
            )
        if not rows:
            return True
        await read_by_id(part, [row["remote_id"] for row in rows])
        phase["reread_after"] = rows[-1]["id"]
        phase["reread"] = done + len(rows)
        async with execution.fenced() as conn:
            await run_rows.save_phase(conn, part.run_id, phase)
    return False


def is_polled(operations: Mapping[Operation, ChannelOperation]) -> bool:
    """Whether this channel's orders are read at all: enabled, not paused, and read before."""
    operation = operations.get(Operation.GET_ORDERS)
    return (
        operation is not None
        and operation.is_enabled
        and not operation.is_paused
        and operation.cursor is not None
    )
