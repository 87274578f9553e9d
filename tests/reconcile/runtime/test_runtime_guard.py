"""The budget of destructive effects: refused, approved whole or in part, counted over a day."""

from dataclasses import replace

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.commands.channels import ChannelEdit, edit
from reconcile.commands.errors import CommandError
from reconcile.commands.runs import approve, cancel
from reconcile.core.actions import ActionKind, GuardKind
from reconcile.core.types import LinkState, Presence
from tests.platform_double import FIELDS, double_platform
from tests.reconcile.runtime.stage import LINK, SYNC, Stage, make_stage
from tests.store_double import DoubleStore

pytestmark = pytest.mark.anyio


async def _hide(stage: Stage, skus: list[str]) -> None:
    for sku in skus:
        await stage.offer(sku, presence=Presence.HIDDEN)


async def test_over_budget_waits_and_the_rest_goes_on(stage: Stage) -> None:
    """Twelve hidings of fifteen variants wait for approval; the prices beside them are sent."""
    skus = await stage.linked(15)
    await _hide(stage, skus[:12])
    for sku in skus[12:]:
        await stage.offer(sku, "12")
    run = await stage.run(SYNC)
    assert sorted(set(await stage.states(run["id"]))) == [("HIDE", "REFUSED"), ("SYNC", "APPLIED")]
    assert (run["state"], run["result"]) == ("REPORTED", "PARTIAL")
    assert run["guard"]["HIDE"]["planned"] == 12
    assert run["guard"]["HIDE"]["limit"] == 10
    assert not run["guard"]["HIDE"]["allowed"]
    assert stage.store.writes() == ["sync 3"]
    assert ("SYNC_LISTINGS", "ATTENTION", "WaitsForApproval") in await stage.conditions("variant")


async def test_only_refused_rows_make_a_refused_run(stage: Stage) -> None:
    """A run of which everything is over budget has the result REFUSED."""
    skus = await stage.linked(12)
    await _hide(stage, skus)
    run = await stage.run(SYNC)
    assert run["result"] == "REFUSED"
    assert stage.store.writes() == []


async def test_approving_all_of_it(stage: Stage) -> None:
    """Approved rows are sent, and the run then ends as if nothing had held it back."""
    skus = await stage.linked(12)
    await _hide(stage, skus)
    run = await stage.run(SYNC)
    approval = await approve(stage.deps, run["id"], by="test")
    assert (approval.due, approval.stale, approval.busy) == (12, 0, 0)
    await stage.settle()
    run = await stage.run_row(run["id"])
    assert (run["result"], run["approved_by"]) == ("SUCCEEDED", "test")
    assert {stage.store.by_sku(sku)[1].quantity for sku in skus} == {0}
    assert await stage.conditions("variant") == []
    run = await stage.run(SYNC, full=True)
    assert await stage.actions(run["id"]) == []


async def test_approving_some_rows(stage: Stage) -> None:
    """Rows that are not approved keep waiting, and can be approved later."""
    skus = await stage.linked(12)
    await _hide(stage, skus)
    run = await stage.run(SYNC)
    chosen = [row["id"] for row in await stage.actions(run["id"])][:5]
    await approve(stage.deps, run["id"], action_ids=chosen, by="test")
    await stage.settle()
    states = [state for _, state in await stage.states(run["id"])]
    assert states == ["APPLIED"] * 5 + ["REFUSED"] * 7
    assert (await stage.run_row(run["id"]))["result"] == "PARTIAL"
    await approve(stage.deps, run["id"], kinds=[GuardKind.HIDE], by="test")
    await stage.settle()
    assert {state for _, state in await stage.states(run["id"])} == {"APPLIED"}
    assert (await stage.run_row(run["id"]))["result"] == "SUCCEEDED"


async def test_a_row_that_moved_drops_out(stage: Stage) -> None:
    """Approved is what was shown: a row whose wanted or seen state has moved becomes STALE."""
    skus = await stage.linked(13)
    await _hide(stage, skus)
    run = await stage.run(SYNC)
    await stage.offer(skus[0], presence=Presence.LISTED)
    stage.store.by_sku(skus[1])[1].quantity = 3
    await stage.run(LINK, full=True)
    approval = await approve(stage.deps, run["id"], by="test")
    assert (approval.due, approval.stale) == (11, 2)
    await stage.settle()
    assert stage.store.by_sku(skus[0])[1].quantity == 5
    assert stage.store.by_sku(skus[1])[1].quantity == 3
    assert (await stage.run_row(run["id"]))["result"] == "PARTIAL"


async def test_changed_settings_refuse_the_approval(stage: Stage) -> None:
    """After settings changed the plan cannot be approved any more, not even in part."""
    skus = await stage.linked(12)
    await _hide(stage, skus)
    run = await stage.run(SYNC)
    await edit(stage.deps, stage.channel_id, ChannelEdit(buffer=1), by="test")
    with pytest.raises(CommandError) as refused:
        await approve(stage.deps, run["id"], by="test")
    assert refused.value.problems[0].code == "PLAN_OUTDATED"
    await stage.settle()
    assert stage.store.writes() == []


async def test_a_newer_plan_replaces_what_waits(stage: Stage) -> None:
    """Planned again, the old rows become STALE: nobody approves the same effect twice."""
    skus = await stage.linked(12)
    await _hide(stage, skus)
    first = await stage.run(SYNC)
    second = await stage.run(SYNC, full=True)
    assert {state for _, state in await stage.states(first["id"])} == {"STALE"}
    assert {state for _, state in await stage.states(second["id"])} == {"REFUSED"}


async def test_many_small_runs_are_counted_together(stage: Stage) -> None:
    """What was done in the last 24 hours counts: the third small run is over budget, then waits."""
    skus = await stage.linked(15)
    for start in (0, 4):
        await _hide(stage, skus[start : start + 4])
        run = await stage.run(SYNC)
        assert run["result"] == "SUCCEEDED"
    await _hide(stage, skus[8:12])
    run = await stage.run(SYNC)
    assert {state for _, state in await stage.states(run["id"])} == {"REFUSED"}
    assert run["guard"]["HIDE"]["executed"] == 8
    await stage.change(
        "UPDATE actions SET finished_at = finished_at - interval '24 hours 1 minute'"
    )
    run = await stage.run(SYNC, full=True)
    assert {state for _, state in await stage.states(run["id"])} == {"APPLIED"}


async def test_approved_effects_use_up_no_budget(stage: Stage) -> None:
    """What a person approved does not count against the next 24 hours."""
    skus = await stage.linked(20)
    await _hide(stage, skus[:12])
    run = await stage.run(SYNC)
    await approve(stage.deps, run["id"], by="test")
    await stage.settle()
    await _hide(stage, skus[12:])
    run = await stage.run(SYNC)
    assert run["result"] == "SUCCEEDED"
    assert run["guard"]["HIDE"]["executed"] == 0


async def test_a_wiped_store_breaks_no_links_unasked(stage: Stage) -> None:
    """Everything was deleted on the store: the links wait for approval, then break."""
    skus = await stage.linked(12)
    stage.store.products.clear()
    run = await stage.run(LINK, full=True)
    assert set(await stage.states(run["id"])) == {("BREAK_LINK", "REFUSED")}
    assert (await stage.variant(skus[0])).link_state is LinkState.LINKED
    await approve(stage.deps, run["id"], kinds=[ActionKind.BREAK_LINK], by="test")
    await stage.settle()
    assert set(await stage.states(run["id"])) == {("BREAK_LINK", "APPLIED")}
    for sku in skus:
        assert (await stage.variant(sku)).link_state is LinkState.BROKEN


async def test_zero_by_statement_and_price_drops(stage: Stage) -> None:
    """Quantities stated to zero and prices halved have budgets of their own."""
    skus = await stage.linked(24)
    for sku in skus[:12]:
        await stage.offer(sku, quantity=0)
    for sku in skus[12:]:
        await stage.offer(sku, "5")
    run = await stage.run(SYNC)
    assert {state for _, state in await stage.states(run["id"])} == {"REFUSED"}
    assert set(run["guard"]) == {"QUANTITY_TO_ZERO", "PRICE_DROP"}
    assert stage.store.writes() == []


async def test_a_price_that_waits_holds_back_no_quantity(engine: AsyncEngine) -> None:
    """Price and quantity travel together: the drop waits, the quantity beside it is sent."""
    store = DoubleStore()
    platform = double_platform({"main": store})
    fields = tuple(
        replace(field, write_group="offer") if field.write_group in ("price", "quantity") else field
        for field in FIELDS
    )
    stage = make_stage(engine, platform=replace(platform, fields=fields), store=store)
    await stage.connect()
    skus = await stage.linked(12)
    for sku in skus:
        await stage.offer(sku, "4", 2)
    run = await stage.run(SYNC)
    states = [state for _, state in await stage.states(run["id"])]
    assert sorted(states) == ["APPLIED"] * 12 + ["REFUSED"] * 12
    assert {store.by_sku(sku)[1].quantity for sku in skus} == {2}
    assert {store.by_sku(sku)[1].price for sku in skus} == {"10"}
    run = await stage.run(SYNC, full=True)
    assert {state for _, state in await stage.states(run["id"])} == {"REFUSED"}
    await approve(stage.deps, run["id"], by="test")
    await stage.settle()
    assert {store.by_sku(sku)[1].price for sku in skus} == {"4"}


async def test_what_waits_can_be_canceled(stage: Stage) -> None:
    """Canceled rows do not happen any more, and the next full run plans them anew."""
    skus = await stage.linked(12)
    await _hide(stage, skus)
    run = await stage.run(SYNC)
    await cancel(stage.deps, run["id"], by="test")
    await stage.settle()
    assert {state for _, state in await stage.states(run["id"])} == {"CANCELED"}
    assert stage.store.writes() == []
    run = await stage.run(SYNC, full=True)
    assert {state for _, state in await stage.states(run["id"])} == {"REFUSED"}


async def test_own_limits_of_the_channel(engine: AsyncEngine) -> None:
    """A channel can be given other limits; zero objects means that everything asks."""
    stage = make_stage(engine)
    await stage.connect(guard={"count": 0, "share": "0"})
    skus = await stage.linked(3)
    await _hide(stage, skus[:1])
    run = await stage.run(SYNC)
    assert {state for _, state in await stage.states(run["id"])} == {"REFUSED"}
