"""Random days in the life of a shop: edits on both sides, faults, kills; in the end all agrees."""

import asyncio
import contextlib
from collections import Counter
from datetime import timedelta
from random import Random

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.commands.errors import CommandError
from reconcile.commands.runs import approve
from reconcile.contract import RateLimitedError, RejectedError, UnavailableError
from reconcile.core.types import LinkState, Presence
from tests.reconcile.runtime.stage import LINK, PUBLISH, SYNC, Stage, make_stage
from tests.store_double import timed_out, variant

pytestmark = pytest.mark.anyio

STEPS = 40
OPERATIONS = (LINK, SYNC, PUBLISH)
WRITES = ("sync", "publish", "hide", "unhide", "delist")
READS = ("listings", "read", "confirm")
CALLS = (*WRITES, *READS)


async def _edit(stage: Stage, dice: Random, skus: list[str]) -> None:
    """Somebody states something else."""
    sku = dice.choice(skus)
    match dice.randrange(5):
        case 0:
            await stage.offer(sku, quantity=dice.randrange(9))
        case 1:
            await stage.offer(sku, presence=dice.choice(tuple(Presence)))
        case 2:
            await stage.offer(sku, paused=dice.random() < 0.3)
        case _:
            await stage.offer(sku, str(dice.randrange(5, 50)))


def _meddle(stage: Stage, dice: Random) -> None:
    """Somebody changes the store behind the product's back."""
    products = list(stage.store.products.values())
    if not products:
        return
    product = dice.choice(products)
    match dice.randrange(4):
        case 0:
            product.variants[0].price = str(dice.randrange(5, 50))
        case 1:
            product.variants[0].quantity = dice.randrange(9)
        case 2 if dice.random() < 0.3:
            product.status = "trash"
        case _:
            product.title += "!"


def _break(stage: Stage, dice: Random) -> None:
    """The next request of some kind fails, with or without its effect."""
    call = dice.choice(CALLS)
    passing = (
        UnavailableError("Down."),
        RateLimitedError("Slow down.", retry_after=timedelta(seconds=30)),
    )
    if call in READS:
        stage.store.fail(dice.choice(passing), call)
    elif dice.random() < 0.5:
        stage.store.fail(timed_out(), call, after_effect=dice.random() < 0.5)
    else:
        stage.store.fail(dice.choice((*passing, RejectedError("No.", code="no"))), call)


async def _day(stage: Stage, dice: Random, skus: list[str]) -> None:
    for _ in range(STEPS):
        match dice.randrange(8):
            case 0 | 1 | 2:
                await _edit(stage, dice, skus)
            case 3:
                _meddle(stage, dice)
            case 4:
                _break(stage, dice)
            case 5:
                stage.clock.advance(timedelta(minutes=dice.randrange(20)))
            case 6:
                call = dice.choice(WRITES)
                dead = asyncio.CancelledError()
                effect = dice.random() < 0.5
                stage.store.fail(dead, call, after_effect=effect)  # type: ignore[arg-type]
            case _:
                await stage.ask(dice.choice(OPERATIONS), full=dice.random() < 0.4)
        with contextlib.suppress(asyncio.CancelledError):
            await stage.settle()


async def _come_to_rest(stage: Stage) -> None:
    stage.store.faults.clear()
    for _ in range(12):
        stage.clock.advance(timedelta(minutes=20))
        await stage.settle()
    assert not await stage.rows("SELECT * FROM runs WHERE finished_at IS NULL")
    await stage.change("DELETE FROM failures")
    for _ in range(2):
        for operation in OPERATIONS:
            run = await stage.run(operation, full=True)
            with contextlib.suppress(CommandError):
                await approve(stage.deps, run["id"], by="test")
            await stage.settle()


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_happens_it_settles(engine: AsyncEngine, seed: int) -> None:
    """After any day, with faults and kills, a last full plan of every operation has no actions."""
    dice = Random(seed)  # noqa: S311 - a story to be told again, no secret
    stage = make_stage(engine, batch_size=3)
    await stage.connect()
    skus = await stage.linked(8)
    for number in range(4):
        sku = f"NEW{number}"
        skus.append(sku)
        await stage.offer(sku, "10", 3)
    stage.store.add("Both", variant("BOTH", "9", 1))
    await stage.offer("BOTH", "8", 2)
    await _day(stage, dice, [*skus, "BOTH"])
    await _come_to_rest(stage)
    for operation in OPERATIONS:
        run = await stage.run(operation, full=True)
        left = [(row["kind"], row["message"]) for row in await stage.actions(run["id"])]
        assert left == [], operation
    there = [item for item in stage.store.products.values() if item.status != "trash"]
    held = Counter(item.sku for product in there for item in product.variants)
    assert max(held.values(), default=1) == 1
    for sku in skus:
        ours = await stage.variant(sku)
        if ours.link_state is LinkState.LINKED and not ours.is_paused:
            item = stage.store.by_sku(sku)[1]
            assert item.price == ours.wanted["price"], sku
            if ours.presence is Presence.LISTED:
                assert item.quantity == ours.wanted["quantity"], sku
            else:
                assert item.quantity == 0, sku
