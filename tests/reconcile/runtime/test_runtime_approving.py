"""Approving while the run is still at work: what was approved is done, and so is the rest."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.commands.runs import approve
from reconcile.core.actions import ActionKind
from reconcile.core.types import LinkState, Side
from reconcile.deps import Tuning
from reconcile.worker import drain
from tests.reconcile.runtime.stage import LINK, SYNC, Stage, make_stage
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
        if ("SYNC", "APPLIED") in await stage.states(run_id):
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


async def test_another_account_cannot_be_approved_away(stage: Stage) -> None:
    """Between plan and approval the address came to lead elsewhere: nothing is written there."""
    await stage.linked(1)
    await stage.offer("S0000", "12")
    run = await stage.run(SYNC, plan_only=True)
    stage.store.account_id = "account-of-somebody-else"
    stage.clock.advance(timedelta(minutes=5))
    await approve(stage.deps, run["id"], by="test")
    await stage.settle()
    assert stage.store.writes() == []
    assert await stage.states(run["id"]) == [("SYNC", "CANCELED")]
    run = await stage.run_row(run["id"])
    assert (run["result"], run["error_code"]) == ("FAILED", "OtherAccount")
    assert await stage.conditions("channel") == [("Account", "ATTENTION", "OtherAccount")]


async def test_attention_stays_after_an_approval(stage: Stage) -> None:
    """What waited for a person besides the approval is still counted when the run ends again."""
    await stage.linked(1)
    await stage.offer("S0000", "12")
    await stage.offer("USD", "1", 1, currency="USD")
    stage.store.add("USD", variant("USD", "1", 1))
    await stage.run(LINK, full=True)
    run = await stage.run(SYNC, full=True, plan_only=True)
    await approve(stage.deps, run["id"], by="test")
    await stage.settle()
    run = await stage.run_row(run["id"])
    assert run["counts"]["attention"] == 1
    assert run["result"] == "PARTIAL"


async def _step_by_step(stage: Stage, run_id: int) -> bool:
    """Work in slices of a few looks at the clock; approve as soon as the second round begins."""

    def ticking() -> datetime:
        stage.clock.advance(timedelta(seconds=1))
        return stage.clock()

    deps = replace(
        stage.deps,
        clock=ticking,
        tuning=replace(stage.deps.tuning, slice=timedelta(seconds=8)),
    )
    for _ in range(300):
        if not await drain(deps, stage.channel_id, Side.LISTINGS, "test"):
            break
        run = await stage.run_row(run_id)
        if run["phase"].get("round") == 2:
            done = await approve(stage.deps, run_id, by="test")
            return done.due == 12
    return False
