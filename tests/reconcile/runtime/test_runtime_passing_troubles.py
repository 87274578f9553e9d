"""Troubles that pass by themselves, or never: nothing hangs unseen or is given up for good."""

from datetime import timedelta

import pytest

from reconcile.contract import UnavailableError
from tests.reconcile.runtime.stage import PUBLISH, SYNC, Stage
from tests.store_double import timed_out

pytestmark = pytest.mark.anyio


async def test_what_was_given_up_is_planned_again(stage: Stage) -> None:
    """A store that is away for hours is sent what it missed by the next partial run after it."""
    await stage.linked(1)
    await stage.offer("S0000", "12")
    run_id = await stage.ask(SYNC)
    for _ in range(20):
        stage.store.fail(UnavailableError("Down."), "sync")
        await stage.settle()
        stage.clock.advance(timedelta(minutes=20))
    stage.store.faults.clear()
    assert await stage.states(run_id) == [("SYNC", "FAILED")]
    assert await stage.conditions("variant") == [("SYNC_LISTINGS", "ATTENTION", "Unavailable")]
    run = await stage.run(SYNC)
    assert run["result"] == "SUCCEEDED"
    assert stage.store.by_sku("S0000")[1].price == "12"
    assert await stage.conditions("variant") == []


async def test_a_defect_while_reading_ends_the_run(stage: Stage) -> None:
    """An exception nobody expected is tried again a few times, then the run says that it failed."""
    await stage.linked(1)
    run_id = await stage.ask(SYNC, full=True)
    for tries in range(1, 9):
        stage.store.fail(KeyError("price"), "listings")
        await stage.settle()
        run = await stage.run_row(run_id)
        assert run["error_code"] == "InternalError"
        if tries < 8:
            assert (run["tries"], run["finished_at"]) == (tries, None)
        stage.clock.advance(timedelta(minutes=20))
    assert (run["state"], run["result"]) == ("REPORTED", "FAILED")
    assert (await stage.run(SYNC, full=True))["result"] == "SUCCEEDED"


async def test_looks_become_rarer(stage: Stage) -> None:
    """An outcome that nobody can tell is asked for at growing distances, not all day long."""
    await stage.offer("MUG", "1", 1)
    stage.store.fail(timed_out(), "publish")
    await stage.run(PUBLISH, full=True)
    looks = 0
    for _ in range(24 * 60):
        if not await stage.rows("SELECT 1 FROM actions WHERE state = 'UNKNOWN'"):
            break
        stage.store.fail(UnavailableError("Down."), "confirm")
        due = await stage.value("SELECT min(due_at) FROM actions")
        stage.clock.advance(max(timedelta(), due - stage.clock()))
        await stage.settle()
        looks += 1
    assert await stage.states() == [("PUBLISH", "FAILED")]
    assert looks < 200


async def test_credentials_that_cannot_be_read(stage: Stage) -> None:
    """After the secret keys were lost the channel is paused and says why, instead of spinning."""
    await stage.linked(1)
    run_id = await stage.ask(SYNC, full=True)
    await stage.change("UPDATE channels SET credentials = decode('00ff', 'hex')")
    await stage.settle()
    channel = (await stage.rows("SELECT * FROM channels"))[0]
    assert (channel["paused"], channel["pause_reason"]) == (True, "CredentialsUnreadable")
    assert "secret keys" in channel["pause_message"]
    assert (await stage.run_row(run_id))["state"] == "QUEUED"
    assert stage.store.requests == []
