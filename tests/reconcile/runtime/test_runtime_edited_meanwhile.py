"""Edits that commit while a run is at work: none is computed away, none is sent over."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.commands.channels import ChannelEdit, edit
from reconcile.commands.links import unlink
from reconcile.commands.runs import approve
from reconcile.core.types import LinkState, WritePolicy
from reconcile.deps import Tuning
from reconcile.store.channels import load_channel, load_operations
from reconcile.wanted import refresh_wanted
from tests.reconcile.runtime.stage import IMPORT, SYNC, Stage, make_stage

pytestmark = pytest.mark.anyio


async def _refresh(stage: Stage) -> None:
    async with stage.deps.engine.begin() as conn:
        channel = await load_channel(conn, stage.deps, stage.channel_id)
        assert channel is not None
        operations = await load_operations(conn, channel)
        await refresh_wanted(conn, channel, operations, 100)


async def test_a_quantity_stated_while_it_is_worked_out(stage: Stage) -> None:
    """A statement that commits while its row is waited for is what the wanted value follows."""
    await stage.offer("MUG", "1")
    await stage.change("INSERT INTO items (sku, stated) VALUES ('MUG', 5)")
    async with stage.deps.engine.begin() as conn:
        await conn.execute(text("UPDATE items SET stated = 2 WHERE sku = 'MUG'"))
        await conn.execute(text("UPDATE listing_variants SET stale = true WHERE sku = 'MUG'"))
        waiting = asyncio.create_task(_refresh(stage))
        await asyncio.sleep(0.3)
        assert not waiting.done()
    await waiting
    row = (await stage.rows("SELECT stale, wanted FROM listing_variants WHERE sku = 'MUG'"))[0]
    assert row["stale"] or row["wanted"]["quantity"] == 2


async def test_a_buffer_changed_while_it_is_worked_out(engine: AsyncEngine) -> None:
    """Settings edited between two chunks count for all that was not worked out yet."""
    stage = make_stage(engine, tuning=Tuning(chunk=1))
    await stage.connect()
    skus = await stage.linked(3)
    for sku in skus:
        await stage.offer(sku, quantity=9)

    await stage.ask(SYNC)
    channel_id = stage.channel_id
    edited = False

    async def edit_in_between() -> None:
        nonlocal edited
        if not edited:
            edited = True
            await edit(stage.deps, channel_id, ChannelEdit(buffer=4), by="test")

    stage.hook.before_request = edit_in_between
    await stage.settle()
    stage.hook.before_request = None
    await stage.run(SYNC)
    assert [stage.store.by_sku(sku)[1].quantity for sku in skus] == [5, 5, 5]


async def test_the_policy_tightened_while_sending(engine: AsyncEngine) -> None:
    """Set to OBSERVE between two batches, nothing further is written, and the rows say why."""
    stage = make_stage(engine, batch_size=1)
    await stage.connect()
    for sku in await stage.linked(4):
        await stage.offer(sku, "12")
    run_id = await stage.ask(SYNC)

    async def observe_while_sending() -> None:
        if await stage.rows("SELECT 1 FROM actions WHERE state = 'SENDING'"):
            stage.hook.before_request = None
            observe = ChannelEdit(policy=WritePolicy.OBSERVE)
            await edit(stage.deps, stage.channel_id, observe, by="test")

    stage.hook.before_request = observe_while_sending
    await stage.settle()
    assert stage.store.writes() == ["sync 1"]
    run = await stage.run_row(run_id)
    assert (run["state"], run["result"]) == ("REPORTED", "PARTIAL")
    assert sorted(state for _, state in await stage.states(run_id)) == ["APPLIED"] + ["STALE"] * 3
    await edit(stage.deps, stage.channel_id, ChannelEdit(policy=WritePolicy.FULL), by="test")
    await stage.run(SYNC)
    assert stage.store.writes() == ["sync 1"] * 4


async def test_unlinked_between_two_batches(engine: AsyncEngine) -> None:
    """A variant unlinked while others are sent is not written to any more."""
    stage = make_stage(engine, batch_size=1)
    await stage.connect()
    skus = await stage.linked(3)
    for sku in skus:
        await stage.offer(sku, "12")
    last = await stage.variant(skus[-1])
    await stage.ask(SYNC)

    async def unlink_while_sending() -> None:
        if await stage.rows("SELECT 1 FROM actions WHERE state = 'SENDING'"):
            stage.hook.before_request = None
            await unlink(stage.deps, int(last.id), by="test")

    stage.hook.before_request = unlink_while_sending
    await stage.settle()
    assert stage.store.by_sku(skus[-1])[1].price == "10"
    assert stage.store.by_sku(skus[1])[1].price == "12"
    assert (await stage.variant(skus[-1])).link_state is LinkState.UNLINKED


async def test_edited_between_two_batches(engine: AsyncEngine) -> None:
    """A price stated anew while others are sent goes out once, as it was stated last."""
    stage = make_stage(engine, batch_size=1)
    await stage.connect()
    skus = await stage.linked(3)
    for sku in skus:
        await stage.offer(sku, "12")
    await stage.ask(SYNC)

    async def edit_while_sending() -> None:
        if await stage.rows("SELECT 1 FROM actions WHERE state = 'SENDING'"):
            stage.hook.before_request = None
            await stage.offer(skus[-1], "13")

    stage.hook.before_request = edit_while_sending
    await stage.settle()
    assert stage.store.by_sku(skus[-1])[1].price == "10"
    await stage.run(SYNC)
    assert stage.store.by_sku(skus[-1])[1].price == "13"
    assert len(stage.store.writes()) == 3


async def test_ours_edited_after_an_overwriting_import_was_planned(stage: Stage) -> None:
    """An import planned before we stated something else does not go over it."""
    await stage.linked(1)
    await stage.change(
        'UPDATE operations SET settings = settings || \'{"mode": "create_and_overwrite"}\''
        " WHERE operation = 'IMPORT_LISTINGS'"
    )
    stage.store.by_sku("S0000")[1].price = "7"
    run = await stage.run(IMPORT, plan_only=True)
    assert await stage.states(run["id"]) == [("IMPORT", "PLANNED")]
    await approve(stage.deps, run["id"], by="test")
    await stage.offer("S0000", "15")
    await stage.settle()
    assert await stage.states(run["id"]) == [("IMPORT", "STALE")]
    row = (await stage.rows("SELECT fields FROM listing_variants"))[0]
    assert row["fields"]["list_price"]["amount"] == "15"
