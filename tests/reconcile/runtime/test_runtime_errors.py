"""Errors sorted by what is done next: retried, bisected, bound to the input, waited for."""

from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.contract import (
    AdapterError,
    Effect,
    RateLimitedError,
    RejectedError,
    UnauthorizedError,
    UnavailableError,
    UnexpectedResponseError,
)
from reconcile.core.types import LinkState
from tests.reconcile.runtime.stage import LINK, PUBLISH, SYNC, Stage, make_stage
from tests.store_double import variant

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("error", [UnavailableError("Down."), UnexpectedResponseError("HTML.")])
async def test_without_effect_it_is_tried_again(stage: Stage, error: AdapterError) -> None:
    """A write that certainly did nothing is repeated after a pause, without a look at the store."""
    await stage.linked(1)
    await stage.offer("S0000", "12")
    stage.store.fail(error, "sync")
    run = await stage.run(SYNC)
    assert await stage.states(run["id"]) == [("SYNC", "RETRYING")]
    assert run["state"] == "EXECUTING"
    stage.clock.advance(timedelta(seconds=1))
    await stage.settle()
    assert await stage.states(run["id"]) == [("SYNC", "RETRYING")]
    stage.clock.advance(timedelta(seconds=10))
    await stage.settle()
    assert await stage.states(run["id"]) == [("SYNC", "APPLIED")]
    assert not any(name.startswith("confirm") for name in stage.store.requests)


async def test_pauses_grow_and_end(stage: Stage) -> None:
    """Every failure doubles the pause up to its cap; after many the action is FAILED."""
    await stage.linked(1)
    await stage.offer("S0000", "12")
    run_id = await stage.ask(SYNC)
    pauses = []
    for _ in range(20):
        stage.store.fail(UnavailableError("Down."), "sync")
        await stage.settle()
        action = (await stage.actions(run_id))[0]
        if action["state"] != "RETRYING":
            break
        pauses.append(action["due_at"] - stage.clock())
        stage.clock.advance(timedelta(minutes=20))
    assert action["state"] == "FAILED"
    assert len(pauses) == action["tries"] - 1 == 11
    assert pauses[0] < timedelta(seconds=6)
    assert pauses[4] > 4 * pauses[1]
    assert max(pauses) < timedelta(minutes=20)


async def test_a_pause_the_store_asked_for_is_kept(stage: Stage) -> None:
    """Retry-After is honored even where our own pause would be shorter."""
    await stage.linked(1)
    await stage.offer("S0000", "12")
    stage.store.fail(UnavailableError("Down.", retry_after=timedelta(minutes=3)), "sync")
    run = await stage.run(SYNC)
    stage.clock.advance(timedelta(minutes=2))
    await stage.settle()
    assert await stage.states(run["id"]) == [("SYNC", "RETRYING")]
    stage.clock.advance(timedelta(minutes=1, seconds=1))
    await stage.settle()
    assert await stage.states(run["id"]) == [("SYNC", "APPLIED")]


async def test_a_refused_batch_is_bisected(stage: Stage) -> None:
    """The store refuses whole batches for one bad row: it alone fails, all the others arrive."""
    skus = await stage.linked(9)
    for sku in skus:
        await stage.offer(sku, "12")
    bad = stage.store.by_sku("S0004")[1]
    bad.price = "poison"

    async def refuse_batches_with_the_bad_row() -> None:
        named = await stage.rows(
            "SELECT v.sku FROM actions a JOIN listing_variants v ON v.id = a.variant_id "
            "WHERE a.state = 'SENDING'"
        )
        if any(row["sku"] == "S0004" for row in named):
            raise RejectedError("One of the rows is not acceptable.", code="bad_batch")

    stage.hook.before_request = refuse_batches_with_the_bad_row
    run = await stage.run(SYNC)
    states = {row["variant_id"]: row["state"] for row in await stage.actions(run["id"])}
    bad_id = (await stage.variant("S0004")).id
    assert states.pop(bad_id) == "FAILED"
    assert set(states.values()) == {"APPLIED"}
    assert {stage.store.by_sku(sku)[1].price for sku in skus} == {"12", "poison"}
    assert run["result"] == "PARTIAL"
    assert ("SYNC_LISTINGS", "ATTENTION", "bad_batch") in await stage.conditions("variant")


async def test_a_refusal_is_bound_to_its_input(stage: Stage) -> None:
    """What the store refused for good is not sent again before our value or the store's changes."""
    await stage.linked(2)
    await stage.offer("S0000", "666")
    run = await stage.run(SYNC)
    assert await stage.states(run["id"]) == [("SYNC", "FAILED")]
    assert run["result"] == "FAILED"
    for full in (False, True):
        run = await stage.run(SYNC, full=full)
        assert await stage.actions(run["id"]) == []
    assert run["result"] == "PARTIAL"
    assert ("SYNC_LISTINGS", "ATTENTION", "FailedBefore") in await stage.conditions("variant")
    assert stage.store.writes() == ["sync 1"]
    await stage.offer("S0000", "12")
    run = await stage.run(SYNC)
    assert await stage.states(run["id"]) == [("SYNC", "APPLIED")]
    assert run["result"] == "SUCCEEDED"
    assert await stage.conditions("variant") == []
    assert await stage.rows("SELECT * FROM failures") == []


async def test_a_refusal_ends_when_the_store_changes(stage: Stage) -> None:
    """The same wish is sent again once what the store holds is something else."""
    await stage.linked(1)
    await stage.offer("S0000", "666")
    await stage.run(SYNC)
    stage.store.by_sku("S0000")[1].price = "7"
    run = await stage.run(SYNC, full=True)
    assert await stage.states(run["id"]) == [("SYNC", "FAILED")]
    assert len(stage.store.writes()) == 2


async def test_rate_limited_says_so_and_goes_on(stage: Stage) -> None:
    """Out of budget: the channel shows until when, nothing more is sent, later it goes on."""
    await stage.linked(1)
    await stage.offer("S0000", "12")
    stage.store.fail(RateLimitedError("Slow down.", retry_after=timedelta(seconds=90)), "sync")
    run = await stage.run(SYNC)
    assert await stage.states(run["id"]) == [("SYNC", "DUE")]
    assert await stage.conditions("channel") == [("Budget", "ATTENTION", "RateLimited")]
    asked = len(stage.store.requests)
    stage.clock.advance(timedelta(seconds=60))
    await stage.settle()
    assert len(stage.store.requests) == asked
    stage.clock.advance(timedelta(seconds=40))
    await stage.settle()
    run = await stage.run_row(run["id"])
    assert (run["state"], run["result"]) == ("REPORTED", "SUCCEEDED")
    assert await stage.conditions("channel") == []


async def test_rate_limited_while_reading(stage: Stage) -> None:
    """A walk that meets the limit waits as long as was asked and goes on at the same page."""
    for number in range(25):
        stage.store.add(f"Product {number}", variant(f"S{number}", "1", 1))
    run_id = await stage.ask(LINK, full=True)
    asked = 0

    async def limit_the_second_page() -> None:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise RateLimitedError("Slow down.", retry_after=timedelta(minutes=2))

    stage.hook.before_request = limit_the_second_page
    await stage.settle()
    run = await stage.run_row(run_id)
    assert (run["state"], run["error_code"]) == ("FETCHING", "RateLimited")
    stage.clock.advance(timedelta(minutes=2, seconds=1))
    await stage.settle()
    assert (await stage.run_row(run_id))["result"] == "SUCCEEDED"
    assert stage.store.requests.count("listings") == 3


async def test_a_store_that_stays_away_ends_the_run(stage: Stage) -> None:
    """Reading fails again and again: the run ends FAILED with the reason, nothing is concluded."""
    await stage.linked(2)
    run_id = await stage.ask(LINK, full=True)
    for _ in range(10):
        stage.store.fail(UnavailableError("The store did not answer."), "listings")
        await stage.settle()
        stage.clock.advance(timedelta(minutes=20))
    run = await stage.run_row(run_id)
    assert (run["state"], run["result"], run["error_code"]) == ("REPORTED", "FAILED", "Unavailable")
    assert "did not answer" in run["error_message"]
    assert (await stage.variant("S0000")).link_state is LinkState.LINKED


@pytest.mark.parametrize("call", ["check", "listings", "read"])
async def test_a_failed_login_is_never_missing(stage: Stage, call: str) -> None:
    """Refused credentials pause the channel and fail the run; no link breaks."""
    await stage.linked(2)
    stage.store.delete("S0001")
    stage.clock.advance(timedelta(minutes=5))
    stage.store.fail(UnauthorizedError("Unknown key.", status=401), call)
    run = await stage.run(LINK, full=True)
    assert (run["state"], run["result"], run["error_code"]) == (
        "REPORTED",
        "FAILED",
        "Unauthorized",
    )
    assert await stage.value("SELECT paused FROM channels")
    assert await stage.conditions("channel") == [("Account", "ATTENTION", "Unauthorized")]
    for sku in ("S0000", "S0001"):
        assert (await stage.variant(sku)).link_state is LinkState.LINKED


async def test_a_failed_login_while_writing(stage: Stage) -> None:
    """Credentials revoked during execution pause the channel; resumed, the rest is sent."""
    await stage.linked(1)
    await stage.offer("S0000", "12")
    stage.store.fail(UnauthorizedError("Unknown key.", status=401), "sync")
    run = await stage.run(SYNC)
    assert await stage.states(run["id"]) == [("SYNC", "DUE")]
    assert await stage.value("SELECT paused FROM channels")
    asked = len(stage.store.requests)
    stage.clock.advance(timedelta(minutes=5))
    await stage.settle()
    assert len(stage.store.requests) == asked
    await stage.change("UPDATE channels SET paused = false")
    await stage.settle()
    assert await stage.states(run["id"]) == [("SYNC", "APPLIED")]


async def test_one_that_is_gone_leaves_the_others_alone(stage: Stage) -> None:
    """A product deleted between reading and writing: that row is STALE, its batch goes on."""
    skus = await stage.linked(3)
    for sku in skus:
        await stage.offer(sku, "12")

    async def delete_before_writing() -> None:
        if await stage.rows("SELECT 1 FROM actions WHERE state = 'SENDING'"):
            stage.store.products.pop(stage.store.by_sku("S0001")[0].id, None)
            stage.hook.before_request = None

    stage.hook.before_request = delete_before_writing
    run = await stage.run(SYNC)
    states = sorted(state for _, state in await stage.states(run["id"]))
    assert states == ["APPLIED", "APPLIED", "STALE"]
    assert run["result"] == "PARTIAL"
    await stage.run(LINK)
    assert (await stage.variant("S0001")).link_state is LinkState.BROKEN


async def test_a_defect_of_ours_does_not_spin(stage: Stage) -> None:
    """An exception nobody expected makes the request UNKNOWN and is looked up, not repeated."""
    await stage.linked(1)
    await stage.offer("S0000", "12")
    stage.store.fail(ValueError("a defect"), "sync", after_effect=True)
    run = await stage.run(SYNC)
    assert await stage.states(run["id"]) == [("SYNC", "UNKNOWN")]
    stage.clock.advance(timedelta(seconds=10))
    await stage.settle()
    assert await stage.states(run["id"]) == [("SYNC", "APPLIED")]
    assert stage.store.writes() == ["sync 1"]


async def test_what_exists_already_is_linked_instead(stage: Stage) -> None:
    """Publishing finds our key taken meanwhile: nothing is doubled, and it is linked."""
    await stage.offer("NEW", "1", 1)

    async def someone_was_faster() -> None:
        if await stage.rows("SELECT 1 FROM actions WHERE state = 'SENDING'"):
            stage.hook.before_request = None
            stage.store.add("Title of NEW", variant("NEW", "1", 1))

    stage.hook.before_request = someone_was_faster
    run = await stage.run(PUBLISH, full=True)
    assert await stage.states(run["id"]) == [("PUBLISH", "STALE")]
    await stage.run(PUBLISH)
    assert (await stage.variant("NEW")).link_state is LinkState.LINKED
    assert len(stage.store.products) == 1


async def test_possible_effects_are_never_bisected(engine: AsyncEngine) -> None:
    """A refusal that may have done something is looked up, not sent in smaller parts."""
    stage = make_stage(engine)
    await stage.connect()
    skus = await stage.linked(4)
    for sku in skus:
        await stage.offer(sku, "12")
    error = RejectedError("Odd.", code="odd", effect=Effect.POSSIBLE)
    stage.store.fail(error, "sync", after_effect=True)
    run = await stage.run(SYNC)
    assert {state for _, state in await stage.states(run["id"])} == {"UNKNOWN"}
    stage.clock.advance(timedelta(seconds=10))
    await stage.settle()
    assert {state for _, state in await stage.states(run["id"])} == {"APPLIED"}
    assert stage.store.writes() == ["sync 4"]
