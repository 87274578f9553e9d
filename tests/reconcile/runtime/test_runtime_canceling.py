"""Canceling at awkward moments: nothing is left half done, nothing stays open."""

from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.commands.channels import pause
from reconcile.commands.runs import cancel
from reconcile.contract import UnavailableError
from tests.reconcile.runtime.stage import LINK, PUBLISH, SYNC, Stage, make_stage
from tests.reconcile.runtime.staged import staged_platform
from tests.store_double import DoubleStore

pytestmark = pytest.mark.anyio


async def test_the_second_of_two_on_a_paused_channel(stage: Stage) -> None:
    """On a paused channel the run that was canceled ends, the one before it goes on waiting."""
    await stage.linked(2)
    first = await stage.ask(LINK, full=True)
    stage.store.fail(UnavailableError("Down."), "listings")
    await stage.settle()
    second = await stage.ask(SYNC, full=True)
    stage.store.fail(UnavailableError("Down."), "listings")
    await stage.settle()
    stage.clock.advance(timedelta(minutes=30))
    await pause(stage.deps, stage.channel_id, by="test")
    await cancel(stage.deps, second, by="test")
    await stage.settle()
    assert (await stage.run_row(second))["state"] == "CANCELED"
    assert (await stage.run_row(first))["state"] == "FETCHING"


async def test_what_has_begun_is_finished_though_canceled(engine: AsyncEngine) -> None:
    """Canceled while products wait to be shown: they are, and what was not begun is not sent."""
    store = DoubleStore()
    stage = make_stage(engine, platform=staged_platform(store), store=store)
    await stage.connect()
    await stage.offer("A", "1", 1)
    run_id = await stage.ask(PUBLISH, full=True)
    store.fail(UnavailableError("Down."), "show")
    await stage.settle()
    assert [product.status for product in store.products.values()] == ["draft"]
    await cancel(stage.deps, run_id, by="test")
    await stage.settle()
    stage.clock.advance(timedelta(minutes=5))
    await stage.settle()
    assert [product.status for product in store.products.values()] == ["publish"]
    assert (await stage.run_row(run_id))["state"] == "CANCELED"
    assert await stage.states(run_id) == [("PUBLISH", "APPLIED")]
    assert (await stage.run(PUBLISH, full=True))["result"] == "SUCCEEDED"
    assert len(store.products) == 1
