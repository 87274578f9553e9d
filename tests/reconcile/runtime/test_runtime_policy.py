"""What a channel lets through: write policies, previews, pauses, other accounts, canceled runs."""

from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.commands.channels import pause, resume
from reconcile.commands.runs import approve, cancel
from reconcile.contract import UnavailableError
from reconcile.core.types import LinkState, Presence, WritePolicy
from tests.reconcile.runtime.stage import IMPORT, LINK, PUBLISH, SYNC, Stage, make_stage
from tests.store_double import timed_out, variant

pytestmark = pytest.mark.anyio


async def _world(engine: AsyncEngine, policy: WritePolicy) -> Stage:
    """One of each: a price to sync, one to hide, one to unhide, one to delist, one to publish."""
    stage = make_stage(engine)
    await stage.connect()
    await stage.linked(5)
    await stage.offer("S0002", presence=Presence.HIDDEN)
    await stage.run(SYNC)
    await stage.change("UPDATE channels SET policy = :policy", policy=policy.value)
    await stage.offer("S0000", "12")
    await stage.offer("S0001", presence=Presence.HIDDEN)
    await stage.offer("S0002", presence=Presence.LISTED)
    await stage.offer("S0003", presence=Presence.DELISTED)
    await stage.offer("NEW", "1", 1)
    stage.store.requests.clear()
    return stage


ALLOWED = {
    WritePolicy.OBSERVE: set(),
    WritePolicy.ENRICH: {"SYNC"},
    WritePolicy.ADDITIVE: {"SYNC", "UNHIDE", "PUBLISH"},
    WritePolicy.FULL: {"SYNC", "UNHIDE", "PUBLISH", "HIDE", "DELIST"},
}


@pytest.mark.parametrize("policy", list(WritePolicy))
async def test_write_policies(engine: AsyncEngine, policy: WritePolicy) -> None:
    """Each policy lets through exactly its effects; the others are shown as SKIPPED with why."""
    stage = await _world(engine, policy)
    runs = [await stage.run(operation, full=True) for operation in (SYNC, PUBLISH)]
    done = {
        kind for run in runs for kind, state in await stage.states(run["id"]) if state == "APPLIED"
    }
    skipped = {
        kind for run in runs for kind, state in await stage.states(run["id"]) if state == "SKIPPED"
    }
    assert done == ALLOWED[policy]
    assert skipped == ALLOWED[WritePolicy.FULL] - ALLOWED[policy]
    if skipped:
        assert {run["result"] for run in runs} != {"SUCCEEDED"}
        assert any(reason == "PolicyForbids" for _, _, reason in await stage.conditions("variant"))
    if policy is WritePolicy.OBSERVE:
        assert stage.store.writes() == []


async def test_observing_still_links(engine: AsyncEngine) -> None:
    """What only changes our own records is allowed under every policy."""
    stage = make_stage(engine)
    await stage.connect(policy=WritePolicy.OBSERVE)
    stage.store.add("Mug", variant("MUG", "1", 1))
    stage.store.add("Theirs", variant("THEIRS", "1", 1))
    await stage.offer("MUG", "2", 1)
    await stage.run(LINK)
    assert (await stage.variant("MUG")).link_state is LinkState.LINKED
    await stage.run(IMPORT)
    assert (await stage.variant("THEIRS")).link_state is LinkState.LINKED
    assert stage.store.writes() == []


async def test_a_preview_writes_nothing(stage: Stage) -> None:
    """A plan alone changes neither store nor links; approved, exactly it is carried out."""
    stage.store.add("Mug", variant("MUG", "1", 1))
    await stage.offer("MUG", "2", 1)
    run = await stage.run(LINK, plan_only=True)
    assert (run["state"], run["result"]) == ("PLANNED", None)
    assert await stage.states(run["id"]) == [("LINK", "PLANNED")]
    assert (await stage.variant("MUG")).link_state is LinkState.UNLINKED
    await approve(stage.deps, run["id"], by="test")
    await stage.settle()
    assert (await stage.variant("MUG")).link_state is LinkState.LINKED
    run = await stage.run_row(run["id"])
    assert (run["state"], run["result"]) == ("REPORTED", "SUCCEEDED")
    preview = await stage.run(SYNC, plan_only=True)
    assert stage.store.writes() == []
    run = await stage.run(SYNC)
    assert stage.store.writes() == ["sync 1"]
    assert await stage.states(preview["id"]) == [("SYNC", "STALE")]


async def test_a_preview_leaves_the_dirt(stage: Stage) -> None:
    """After a preview the next run still finds what has changed."""
    await stage.linked(1)
    await stage.offer("S0000", "12")
    await stage.run(SYNC, plan_only=True)
    await stage.run(SYNC)
    assert stage.store.by_sku("S0000")[1].price == "12"


async def test_paused_in_the_middle(stage: Stage) -> None:
    """Pausing a channel stops it between two requests; resumed, it goes on where it was."""
    for number in range(25):
        stage.store.add(f"Product {number}", variant(f"S{number}", "1", 1))
    run_id = await stage.ask(LINK, full=True)

    async def pause_now() -> None:
        stage.hook.before_request = None
        await pause(stage.deps, stage.channel_id, by="test")
        stage.clock.advance(timedelta(seconds=16))

    stage.hook.before_request = pause_now
    await stage.settle()
    assert stage.store.requests.count("listings") == 1
    await stage.settle()
    assert stage.store.requests.count("listings") == 1
    await resume(stage.deps, stage.channel_id, by="test")
    await stage.settle()
    assert stage.store.requests.count("listings") == 3
    assert (await stage.run_row(run_id))["result"] == "SUCCEEDED"


async def test_paused_between_two_batches(engine: AsyncEngine) -> None:
    """Pausing a channel lets the request under way end, and no further one leaves."""
    stage = make_stage(engine, batch_size=1)
    await stage.connect()
    skus = await stage.linked(4)
    for sku in skus:
        await stage.offer(sku, "12")
    run_id = await stage.ask(SYNC)

    async def pause_while_sending() -> None:
        if await stage.rows("SELECT 1 FROM actions WHERE state = 'SENDING'"):
            stage.hook.before_request = None
            await pause(stage.deps, stage.channel_id, by="test")

    stage.hook.before_request = pause_while_sending
    await stage.settle()
    assert stage.store.writes() == ["sync 1"]
    await resume(stage.deps, stage.channel_id, by="test")
    await stage.settle()
    assert stage.store.writes() == ["sync 1"] * 4
    assert (await stage.run_row(run_id))["result"] == "SUCCEEDED"


async def test_another_account_pauses_the_channel(stage: Stage) -> None:
    """The same address leads to another store: nothing is read or written, and it says so."""
    await stage.linked(1)
    await stage.offer("S0000", "12")
    stage.store.account_id = "somebody-else"
    stage.clock.advance(timedelta(minutes=5))
    run = await stage.run(SYNC)
    assert (run["result"], run["error_code"]) == ("FAILED", "OtherAccount")
    assert stage.store.requests == ["check"]
    assert await stage.conditions("channel") == [("Account", "ATTENTION", "OtherAccount")]
    assert await stage.value("SELECT paused FROM channels")


async def test_another_currency_pauses_the_channel(stage: Stage) -> None:
    """A store that changed its currency is not sent prices meant for the old one."""
    await stage.linked(1)
    await stage.offer("S0000", "12")
    stage.store.currency = "USD"
    stage.clock.advance(timedelta(minutes=5))
    run = await stage.run(SYNC)
    assert (run["result"], run["error_code"]) == ("FAILED", "CurrencyChanged")
    assert stage.store.writes() == []
    assert await stage.value("SELECT paused FROM channels")
    stage.store.currency = "EUR"
    await resume(stage.deps, stage.channel_id, by="test")
    await stage.run(SYNC)
    assert stage.store.by_sku("S0000")[1].price == "12"


async def test_cancel_while_reading(stage: Stage) -> None:
    """A run canceled during its walk ends there; what was read stays, nothing was done."""
    for number in range(35):
        stage.store.add(f"Product {number}", variant(f"S{number}", "1", 1))
    run_id = await stage.ask(LINK, full=True)

    async def cancel_now() -> None:
        stage.hook.before_request = None
        await cancel(stage.deps, run_id, by="test")
        stage.clock.advance(timedelta(seconds=16))

    stage.hook.before_request = cancel_now
    await stage.settle()
    run = await stage.run_row(run_id)
    assert (run["state"], run["result"]) == ("CANCELED", "CANCELED")
    assert stage.store.requests.count("listings") == 1


async def test_cancel_while_sending(engine: AsyncEngine) -> None:
    """What is under way is found out, the rest is not sent, and the next run sends it."""
    stage = make_stage(engine, batch_size=1)
    await stage.connect()
    skus = await stage.linked(3)
    for sku in skus:
        await stage.offer(sku, "12")
    run_id = await stage.ask(SYNC)
    stage.store.fail(timed_out(), "sync", after_effect=True)

    async def cancel_while_sending() -> None:
        if await stage.rows("SELECT 1 FROM actions WHERE state = 'SENDING'"):
            stage.hook.before_request = None
            await cancel(stage.deps, run_id, by="test")

    stage.hook.before_request = cancel_while_sending
    await stage.settle()
    assert stage.store.writes() == ["sync 1"]
    assert sorted(state for _, state in await stage.states(run_id)) == [
        "CANCELED",
        "CANCELED",
        "UNKNOWN",
    ]
    stage.clock.advance(timedelta(seconds=10))
    await stage.settle()
    run = await stage.run_row(run_id)
    assert (run["state"], run["result"]) == ("CANCELED", "CANCELED")
    await stage.run(SYNC)
    assert {stage.store.by_sku(sku)[1].price for sku in skus} == {"12"}
    assert stage.store.writes() == ["sync 1"] * 3


async def test_a_paused_channel_can_still_be_canceled(stage: Stage) -> None:
    """Canceling works on a paused channel, for a run that waits for its next try."""
    await stage.linked(1)
    await stage.offer("S0000", "12")
    stage.store.fail(UnavailableError("Down."), "sync")
    run = await stage.run(SYNC)
    await pause(stage.deps, stage.channel_id, by="test")
    await cancel(stage.deps, run["id"], by="test")
    await stage.settle()
    assert (await stage.run_row(run["id"]))["state"] == "CANCELED"
    assert await stage.states(run["id"]) == [("SYNC", "CANCELED")]


async def test_a_listing_paused_after_planning_is_not_sent(stage: Stage) -> None:
    """Between plan and request our wish can change: a paused listing drops out as STALE."""
    await stage.linked(2)
    await stage.offer("S0000", "12")
    await stage.offer("S0001", "12")

    stage.store.fail(UnavailableError("Down."), "sync")
    run = await stage.run(SYNC)
    await stage.offer("S0000", paused=True)
    stage.clock.advance(timedelta(minutes=1))
    await stage.settle()
    states = {row["state"] for row in await stage.actions(run["id"])}
    assert states == {"STALE", "APPLIED"}
    assert stage.store.by_sku("S0000")[1].price == "10"
    await stage.offer("S0000", paused=False)
    await stage.run(SYNC)
    assert stage.store.by_sku("S0000")[1].price == "12"
