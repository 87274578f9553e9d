"""Approving while the run is still at work: what was approved is done, and so is the rest."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.commands.runs import approve
from reconcile.core.actions import ActionKind
from reconcile.core.types import LinkState
from reconcile.deps import Tuning
from tests.reconcile.runtime.stage import SYNC, Stage, make_stage
from tests.store_double import variant

pytestmark = pytest.mark.anyio


async def test_approved_while_the_rest_is_sent(engine: AsyncEngine) -> None:
    """Broken links approved during the last batch of a run are applied by it."""
    stage = make_stage(engine, batch_size=1)
    await stage.connect()
    skus = await stage.linked(16)
    for sku in skus[:12]:
        stage.store.delete(sku)
    for sku in skus[14:]:
        await stage.offer(sku, "12")
    run_id = await stage.ask(SYNC, full=True)

    async def approve_while_sending() -> None:
        if len(await stage.rows("SELECT 1 FROM actions WHERE state = 'APPLIED'")) == 1:
            stage.hook.before_request = None
            done = await approve(stage.deps, run_id, kinds=[ActionKind.BREAK_LINK], by="test")
            assert done.due == 12

    stage.hook.before_request = approve_while_sending
    await stage.settle()
    states = [(await stage.variant(sku)).link_state for sku in skus[:12]]
    assert states == [LinkState.BROKEN] * 12
    assert stage.store.by_sku(skus[15])[1].price == "12"
    assert (await stage.run_row(run_id))["state"] == "REPORTED"


async def test_approved_while_it_still_plans(engine: AsyncEngine) -> None:
    """Approved between two slices of the second round: what was linked is still synchronized."""
    stage = make_stage(engine, tuning=Tuning(chunk=1))
    await stage.connect()
    skus = await stage.linked(12)
    for sku in skus:
        stage.store.delete(sku)
    for sku in ("NEW1", "NEW2"):
        stage.store.add(sku, variant(sku, "1", 1))
        await stage.offer(sku, "2", 1)
    run_id = await stage.ask(SYNC, full=True)
    approved = await _step_by_step(stage, run_id)
    assert approved
    await stage.settle()
    assert [(await stage.variant(sku)).link_state for sku in skus] == [LinkState.BROKEN] * 12
    assert [stage.store.by_sku(sku)[1].price for sku in ("NEW1", "NEW2")] == ["2", "2"]
    assert not [state for _, state in await stage.states(run_id) if state != "APPLIED"]


async def _step_by_step(stage: Stage, run_id: int) -> bool:
    """Work in slices of one step; approve as soon as the second round plans."""
    from dataclasses import replace
    from datetime import timedelta

    stage.deps = replace(
        stage.deps, tuning=replace(stage.deps.tuning, slice=timedelta(microseconds=1))
    )
    for _ in range(200):
        if not await stage.slice():
            break
        run = await stage.run_row(run_id)
        if run["phase"].get("round") == 2 and run["phase"]["step"] == "wanted":
            done = await approve(stage.deps, run_id, by="test")
            return done.due == 12
    return False
