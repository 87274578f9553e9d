"""Outcomes nobody saw: a worker killed while a request was under way, answers that never came."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.contract import UnavailableError
from reconcile.core.types import LinkState
from tests.reconcile.runtime.stage import PUBLISH, SYNC, Stage, make_stage
from tests.store_double import timed_out, variant

pytestmark = pytest.mark.anyio

SETTLE = timedelta(minutes=2)


async def _killed(stage: Stage, *, after_effect: bool) -> int:
    """A run whose worker is killed while its one request is under way."""
    run_id = await stage.ask(SYNC)
    # A cancellation that comes out of the request is what a killed worker looks like.
    fault = asyncio.CancelledError()
    stage.store.fail(fault, "sync", after_effect=after_effect)  # type: ignore[arg-type]
    with pytest.raises(asyncio.CancelledError):
        await stage.slice()
    assert await stage.states(run_id) == [("SYNC", "SENDING")]
    return run_id


async def test_killed_after_the_effect(stage: Stage) -> None:
    """The worker dies after the store has changed: a look confirms it, nothing is sent twice."""
    await stage.linked(1)
    await stage.offer("S0000", "12")
    run_id = await _killed(stage, after_effect=True)
    await stage.settle()
    assert await stage.states(run_id) == [("SYNC", "UNKNOWN")]
    assert stage.store.writes() == ["sync 1"]
    stage.clock.advance(timedelta(seconds=6))
    await stage.settle()
    assert await stage.states(run_id) == [("SYNC", "APPLIED")]
    assert stage.store.writes() == ["sync 1"]
    run = await stage.run_row(run_id)
    assert (run["state"], run["result"]) == ("REPORTED", "SUCCEEDED")
    run = await stage.run(SYNC, full=True)
    assert await stage.actions(run["id"]) == []


async def test_killed_before_the_effect(stage: Stage) -> None:
    """Not done counts only after the settle time; until then the store is asked again."""
    await stage.linked(1)
    await stage.offer("S0000", "12")
    run_id = await _killed(stage, after_effect=False)
    sent_before = len(stage.store.writes())
    stage.clock.advance(timedelta(seconds=6))
    await stage.settle()
    assert await stage.states(run_id) == [("SYNC", "UNKNOWN")]
    assert len(stage.store.writes()) == sent_before
    stage.clock.advance(SETTLE)
    await stage.settle()
    assert await stage.states(run_id) == [("SYNC", "APPLIED")]
    assert len(stage.store.writes()) == sent_before + 1
    assert stage.store.by_sku("S0000")[1].price == "12"
    assert (await stage.run_row(run_id))["result"] == "SUCCEEDED"


async def test_an_effect_that_comes_late_is_not_doubled(stage: Stage) -> None:
    """The store goes on after its client gave up: found done at the look after the settle time."""
    await stage.offer("NEW", "1", 1)
    stage.store.fail(timed_out(), "publish")
    run = await stage.run(PUBLISH, full=True)
    assert await stage.states(run["id"]) == [("PUBLISH", "UNKNOWN")]
    stage.clock.advance(timedelta(seconds=6))
    await stage.settle()
    product = stage.store.add("Title of NEW", variant("NEW", "1", 1))
    stage.clock.advance(SETTLE)
    await stage.settle()
    assert await stage.states(run["id"]) == [("PUBLISH", "APPLIED")]
    assert [item.id for item in stage.store.products.values()] == [product.id]
    assert (await stage.variant("NEW")).link_state is LinkState.LINKED


async def test_no_answer_after_the_effect(stage: Stage) -> None:
    """A time-out after the effect makes the action UNKNOWN, never a second try."""
    await stage.offer("NEW", "1", 1)
    stage.store.fail(timed_out(), "publish", after_effect=True)
    run = await stage.run(PUBLISH, full=True)
    assert await stage.states(run["id"]) == [("PUBLISH", "UNKNOWN")]
    stage.clock.advance(timedelta(seconds=6))
    await stage.settle()
    assert await stage.states(run["id"]) == [("PUBLISH", "APPLIED")]
    assert len(stage.store.products) == 1
    assert stage.store.writes() == ["publish 1"]
    assert (await stage.variant("NEW")).link_state is LinkState.LINKED


async def test_a_look_that_cannot_tell_is_repeated(stage: Stage) -> None:
    """While the store cannot be asked the action stays UNKNOWN, and is looked at again later."""
    await stage.linked(1)
    await stage.offer("S0000", "12")
    run_id = await _killed(stage, after_effect=True)
    for _ in range(3):
        stage.store.fail(UnavailableError("Down."), "confirm")
        stage.clock.advance(timedelta(minutes=5))
        await stage.settle()
        assert await stage.states(run_id) == [("SYNC", "UNKNOWN")]
    stage.clock.advance(timedelta(minutes=20))
    await stage.settle()
    assert await stage.states(run_id) == [("SYNC", "APPLIED")]


async def test_after_a_day_a_person_has_to_look(stage: Stage) -> None:
    """An outcome that cannot be found out for a day ends FAILED with attention, not sent again."""
    await stage.linked(1)
    await stage.offer("S0000", "12")
    run_id = await _killed(stage, after_effect=False)
    sent_before = len(stage.store.writes())
    stage.clock.advance(timedelta(hours=25))
    stage.store.fail(UnavailableError("Down."), "confirm")
    await stage.settle()
    action = (await stage.actions(run_id))[0]
    assert (action["state"], action["outcome_code"]) == ("FAILED", "OutcomeUnknown")
    assert len(stage.store.writes()) == sent_before
    assert (await stage.run_row(run_id))["result"] == "FAILED"
    assert ("SYNC_LISTINGS", "ATTENTION", "OutcomeUnknown") in await stage.conditions("variant")


async def test_a_kill_loses_only_the_request_under_way(engine: AsyncEngine) -> None:
    """Finished batches stay done, the killed one is looked up, the rest is sent."""
    stage = make_stage(engine, batch_size=2)
    await stage.connect()
    skus = await stage.linked(6)
    for sku in skus:
        await stage.offer(sku, "12")
    run_id = await stage.ask(SYNC)
    asked = 0

    async def die_in_the_second_batch() -> None:
        nonlocal asked
        asked += 1
        if asked == 3:
            raise asyncio.CancelledError

    stage.hook.before_request = die_in_the_second_batch
    with pytest.raises(asyncio.CancelledError):
        await stage.slice()
    states = [state for _, state in await stage.states(run_id)]
    assert sorted(states) == ["APPLIED", "APPLIED", "DUE", "DUE", "SENDING", "SENDING"]
    await stage.settle()
    states = [state for _, state in await stage.states(run_id)]
    assert sorted(states) == ["APPLIED"] * 4 + ["UNKNOWN"] * 2
    stage.clock.advance(SETTLE + timedelta(seconds=6))
    await stage.settle()
    assert {state for _, state in await stage.states(run_id)} == {"APPLIED"}
    assert {stage.store.by_sku(sku)[1].price for sku in skus} == {"12"}
    assert (await stage.run_row(run_id))["result"] == "SUCCEEDED"


async def test_what_is_unknown_holds_its_object(stage: Stage) -> None:
    """While an outcome is open, a newer wish for the same object waits, and is sent after it."""
    await stage.linked(1)
    await stage.offer("S0000", "12")
    await _killed(stage, after_effect=True)
    await stage.settle()
    await stage.offer("S0000", "13")
    run = await stage.run(SYNC)
    assert await stage.actions(run["id"]) == []
    assert run["result"] == "SUCCEEDED"
    assert ("SYNC_LISTINGS", "WAITING", "Unfinished") in await stage.conditions("variant")
    stage.clock.advance(timedelta(seconds=6))
    await stage.settle()
    await stage.run(SYNC)
    assert stage.store.by_sku("S0000")[1].price == "13"
