"""Leases: one holder per channel and side, and nobody commits with a lease that is not theirs."""

import asyncio

import pytest

from reconcile.core.types import Side
from reconcile.store import leases
from reconcile.store.leases import LeaseLostError
from reconcile.worker import drain
from tests.reconcile.runtime.stage import LINK, SYNC, Stage
from tests.store_double import variant

pytestmark = pytest.mark.anyio


async def test_one_holder_per_side(stage: Stage) -> None:
    """While one holds the lease another gets none; the other side is free; the epoch grows."""
    length = stage.deps.tuning.lease
    async with stage.deps.engine.begin() as conn:
        first = await leases.take(conn, stage.channel_id, Side.LISTINGS, "a", length)
        assert first is not None
        assert await leases.take(conn, stage.channel_id, Side.LISTINGS, "b", length) is None
        assert await leases.take(conn, stage.channel_id, Side.ORDERS, "b", length) is not None
        await leases.release(conn, first)
        second = await leases.take(conn, stage.channel_id, Side.LISTINGS, "b", length)
    assert second is not None
    assert second.epoch > first.epoch


async def test_a_lost_lease_cannot_commit(stage: Stage) -> None:
    """A holder whose lease was taken over fails its fence, even where both have one name."""
    length = stage.deps.tuning.lease
    async with stage.deps.engine.begin() as conn:
        first = await leases.take(conn, stage.channel_id, Side.LISTINGS, "same", length)
        assert first is not None
    await stage.change("UPDATE leases SET expires_at = clock_timestamp() - interval '1 second'")
    with pytest.raises(LeaseLostError):
        async with stage.deps.engine.begin() as conn:
            await leases.fence(conn, first)
    async with stage.deps.engine.begin() as conn:
        second = await leases.take(conn, stage.channel_id, Side.LISTINGS, "same", length)
        assert second is not None
    with pytest.raises(LeaseLostError):
        async with stage.deps.engine.begin() as conn:
            await leases.fence(conn, first)
    async with stage.deps.engine.begin() as conn:
        await leases.release(conn, first)
        await leases.fence(conn, second)


async def test_a_second_worker_leaves_the_channel_alone(stage: Stage) -> None:
    """Two workers on one channel: one works, the other goes away at once and loses nothing."""
    await stage.linked(3)
    await stage.offer("S0001", "12")
    await stage.ask(SYNC)
    inside = asyncio.Event()
    go_on = asyncio.Event()

    async def wait() -> None:
        inside.set()
        await go_on.wait()

    stage.hook.before_request = wait
    async with asyncio.TaskGroup() as group:
        group.create_task(stage.slice())
        await inside.wait()
        assert await drain(stage.deps, stage.channel_id, Side.LISTINGS, "other") is False
        assert stage.store.writes() == []
        go_on.set()
    assert stage.store.writes() == ["sync 1"]


async def test_a_holder_that_was_too_slow_writes_nothing(stage: Stage) -> None:
    """The lease is taken over during a read: what was read is not stored by the old holder."""
    stage.store.add("Mug", variant("MUG", "1", 1))
    await stage.ask(LINK, full=True)

    async def lose_the_lease() -> None:
        await stage.change("UPDATE leases SET epoch = epoch + 1, holder = 'other'")

    stage.hook.before_request = lose_the_lease
    assert await stage.slice() is False
    assert await stage.value("SELECT count(*) FROM remote_listings") == 0


async def test_a_second_operation_waits(stage: Stage) -> None:
    """Runs of one side go one after the other, in the order they were asked for."""
    await stage.linked(25)
    first = await stage.ask(LINK, full=True)
    second = await stage.ask(SYNC, full=True)
    states = []

    async def look() -> None:
        states.append(
            ((await stage.run_row(first))["state"], (await stage.run_row(second))["state"])
        )

    stage.hook.before_request = look
    await stage.settle()
    assert states == [("FETCHING", "QUEUED")] * 3 + [("REPORTED", "FETCHING")] * 3
