"""A worker killed at any commit: the next one comes to the end an undisturbed one has."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.commands.channels import NewChannel, connect
from reconcile.core.types import Presence, WritePolicy
from tests.reconcile.runtime.killing import Killer, killing
from tests.reconcile.runtime.stage import IMPORT, PUBLISH, SYNC, Stage, make_stage
from tests.reconcile.runtime.staged import staged_platform
from tests.store_double import DoubleStore, variant

pytestmark = pytest.mark.anyio

EVERY = 16
"""One in so many commits is killed here; all of them take minutes."""


async def _scene(engine: AsyncEngine, name: str) -> Stage:
    """A shop in the middle of its life: something for every kind of action."""
    store = DoubleStore(account_id=f"account-{name}")
    stage = make_stage(engine, platform=staged_platform(store), store=store)
    stage.channel_id = await connect(
        stage.deps,
        NewChannel(name, "double", {"store": "main", "secret": "right"}, policy=WritePolicy.FULL),
        by="test",
    )
    for sku in ("PRICE", "HIDE", "DELIST", "BREAK", "LINK"):
        store.add(f"Title of {sku}", variant(sku, "10", 5))
        if sku != "LINK":
            await stage.offer(sku, "10", 5)
    await stage.run(SYNC, full=True)
    store.add("Theirs", variant("THEIRS", "3", 1))
    store.delete("BREAK")
    await stage.offer("LINK", "11", 4)
    await stage.offer("PRICE", "12", 6)
    await stage.offer("HIDE", presence=Presence.HIDDEN)
    await stage.offer("DELIST", presence=Presence.DELISTED)
    await stage.offer("NEW1", "1", 1)
    await stage.offer("NEW2", "2", 2)
    store.requests.clear()
    return stage


async def _life(stage: Stage, killer: Killer) -> None:
    """Every operation once; a killed worker is followed by another."""
    for operation in (SYNC, PUBLISH, IMPORT):
        await stage.ask(operation, full=True)
        for _ in range(4):
            try:
                with killing(stage.deps.engine, killer):
                    await stage.settle()
            except asyncio.CancelledError:
                killer.at = None
                await stage.change("UPDATE leases SET expires_at = now() - interval '1 s'")
                continue
            stage.clock.advance(timedelta(minutes=5))


async def _ends(stage: Stage) -> tuple[object, ...]:
    """What both sides hold in the end."""
    books = sorted(
        (item.sku, item.price, item.quantity, product.status)
        for product in stage.store.products.values()
        for item in product.variants
    )
    ours = await stage.rows(
        "SELECT sku, link_state, was, kept, wanted, stale, remote_variant_id IS NULL AS is_bare"
        " FROM listing_variants WHERE channel_id = :id ORDER BY sku",
        id=stage.channel_id,
    )
    runs = await stage.rows(
        "SELECT state, result FROM runs WHERE channel_id = :id ORDER BY id", id=stage.channel_id
    )
    fates = await stage.rows(
        "SELECT kind, listing_id IS NULL AS free, state, count(*) FROM actions"
        " WHERE channel_id = :id GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        id=stage.channel_id,
    )
    return (
        books,
        [dict(row) for row in ours],
        [dict(row) for row in runs],
        [dict(row) for row in fates],
    )


def _sent(stage: Stage) -> Counter[str]:
    """Rows written, by what was done; however they were cut into requests."""
    rows: Counter[str] = Counter()
    for request in stage.store.writes():
        name, _, number = request.partition(" ")
        rows[name] += 1 if name == "show" else int(number)
    return rows


@pytest.mark.parametrize("first", [3, 11])
async def test_killed_before_any_commit(engine: AsyncEngine, first: int) -> None:
    """Books, links, runs and actions end up the same, and nothing was created twice."""
    calm = await _scene(engine, "calm")
    counting = Killer(None)
    await _life(calm, counting)
    expected = await _ends(calm)
    sent = _sent(calm)
    assert counting.commits > 50
    for at in range(first, counting.commits, EVERY):
        stage = await _scene(engine, f"killed at {at}")
        await _life(stage, Killer(at))
        assert await _ends(stage) == expected, at
        assert _sent(stage) == sent, at
