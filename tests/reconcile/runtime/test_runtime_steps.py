"""Writes of several requests: what stands is recorded and never done again."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.commands.channels import pause, resume
from reconcile.contract import UnavailableError
from tests.reconcile.runtime.stage import PUBLISH, Stage, make_stage
from tests.reconcile.runtime.staged import staged_platform
from tests.store_double import DoubleStore

pytestmark = pytest.mark.anyio


async def _staged(engine: AsyncEngine) -> Stage:
    store = DoubleStore()
    stage = make_stage(engine, platform=staged_platform(store), store=store)
    await stage.connect()
    for sku in ("A", "B", "C"):
        await stage.offer(sku, "1", 1)
    return stage


def _creations(stage: Stage) -> list[str]:
    return [name for name in stage.store.requests if name.startswith("create")]


async def test_steps_are_recorded(engine: AsyncEngine) -> None:
    """Every part that stands is kept with its remote id as soon as it stands."""
    stage = await _staged(engine)
    run = await stage.run(PUBLISH, full=True)
    steps = [row["steps"] for row in await stage.actions(run["id"])]
    ids = sorted(stage.store.products)
    assert [[(step["name"], step["remote_id"]) for step in found] for found in steps] == [
        [("product", product)] for product in ids
    ]
    assert {product.status for product in stage.store.products.values()} == {"publish"}


async def test_a_failure_in_the_middle_repeats_no_step(engine: AsyncEngine) -> None:
    """One product cannot be shown for now: all go on from their recorded steps, none is doubled."""
    stage = await _staged(engine)
    stage.store.fail(UnavailableError("Down."), "show")
    run = await stage.run(PUBLISH, full=True)
    assert len(stage.store.products) == 3
    stage.clock.advance(timedelta(seconds=10))
    await stage.settle()
    assert {state for _, state in await stage.states(run["id"])} == {"APPLIED"}
    assert _creations(stage) == ["create 3"]
    assert len(stage.store.products) == 3
    assert {product.status for product in stage.store.products.values()} == {"publish"}


async def test_a_kill_in_the_middle_repeats_no_step(engine: AsyncEngine) -> None:
    """Killed while one product is being shown: all are found and nothing is created again."""
    stage = await _staged(engine)
    run_id = await stage.ask(PUBLISH, full=True)
    stage.store.fail(asyncio.CancelledError(), "show")  # type: ignore[arg-type]
    with pytest.raises(asyncio.CancelledError):
        await stage.slice()
    assert [state for _, state in await stage.states(run_id)] == ["SENDING"] * 3
    await stage.settle()
    stage.clock.advance(timedelta(minutes=3))
    await stage.settle()
    assert {state for _, state in await stage.states(run_id)} == {"APPLIED"}
    assert _creations(stage) == ["create 3"]
    assert len(stage.store.products) == 3


async def test_what_has_begun_is_finished(engine: AsyncEngine) -> None:
    """Paused after the products were created: they are shown, for nothing is left half done."""
    stage = await _staged(engine)

    async def pause_while_showing() -> None:
        if _creations(stage):
            stage.hook.before_request = None
            await pause(stage.deps, stage.channel_id, by="test")

    stage.hook.before_request = pause_while_showing
    run = await stage.run(PUBLISH, full=True)
    assert {product.status for product in stage.store.products.values()} == {"publish"}
    await resume(stage.deps, stage.channel_id, by="test")
    await stage.settle()
    run = await stage.run_row(run["id"])
    assert (run["state"], run["result"]) == ("REPORTED", "SUCCEEDED")
