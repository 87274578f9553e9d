"""A database restored from an older copy: it looks before it writes, and finds what it has lost."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.commands.errors import CommandError
from reconcile.commands.items import Statement, set_quantities
from reconcile.commands.runs import approve
from reconcile.contract import RateLimitedError
from reconcile.core.types import LinkState, Side
from reconcile.deps import Deps
from reconcile.store import sweeping, watching
from tests.order_double import line
from tests.reconcile.runtime.order_stage import GET, SEND, OrderStage, order_stage
from tests.reconcile.runtime.stage import PUBLISH, SYNC, Stage
from tests.restoring import dump
from tests.store_double import timed_out, variant

pytestmark = pytest.mark.anyio

LATER = timedelta(hours=3)
ENDED = ("STALE", "Unwatched")


def on(stage: Stage, deps: Deps) -> Stage:
    """The same store and clock, seen from a restored database; hours have passed."""
    stage.clock.advance(LATER)
    stage.store.requests.clear()
    return replace(stage, deps=deps)


def looked_first(requests: Sequence[str]) -> bool:
    """Whether the account was checked and all products listed before the first write."""
    writes = ("sync", "publish", "hide", "unhide", "delist", "overwrite")
    first = next((n for n, name in enumerate(requests) if name.startswith(writes)), len(requests))
    return {"check", "listings"} <= set(requests[:first])


async def ends(stage: Stage) -> dict[int, tuple[str, str]]:
    """Action on the store → its state and the code of its outcome."""
    return {
        row["id"]: (row["state"], row["outcome_code"])
        for row in await stage.actions()
        if row["kind"] != "LINK"
    }


async def now_in(stage: Stage) -> set[str]:
    """The states in which actions on the store are."""
    return {state for state, _ in (await ends(stage)).values()}


async def test_due_actions_of_the_past_are_not_sent(stage: Stage) -> None:
    """What was due in the copy was done since, and undone by the merchant: it is planned anew."""
    await stage.linked(2)
    await stage.offer("S0000", "12", 7)
    await stage.offer("S0001", "13")
    stage.store.fail(RateLimitedError("Slower.", retry_after=timedelta(minutes=1)), "sync")
    await stage.run(SYNC)
    assert await now_in(stage) == {"DUE"}
    copy = await dump(stage.deps)
    # Meanwhile: done, and one of them bought empty and changed by the merchant.
    stage.clock.advance(timedelta(minutes=2))
    await stage.settle()
    assert await now_in(stage) == {"APPLIED"}
    stage.store.by_sku("S0001")[1].price = "13"

    async with copy.restored() as deps:
        later = on(stage, deps)
        old = set(await ends(later))
        await later.settle()

        found = await ends(later)
        assert {found[number] for number in old} == {ENDED}
        assert later.store.writes() == []  # everything is as it is wanted already
        assert looked_first(later.store.requests)
        runs = await later.rows("SELECT * FROM runs ORDER BY id DESC LIMIT 2")
        assert [(run["result"], run["error_code"]) for run in runs] == [
            ("SUCCEEDED", None),
            ("FAILED", "Unwatched"),
        ]
        assert runs[0]["operation"] == runs[1]["operation"] == SYNC
        assert await later.value("SELECT mirror_complete_at IS NOT NULL FROM channels")
        assert await later.conditions("channel") == []


async def test_an_unknown_outcome_of_the_past_is_asked_for_and_not_repeated(stage: Stage) -> None:
    """It did not happen, says the store: the wish of today is planned from what is seen today."""
    await stage.linked(1)
    await stage.offer("S0000", "12")
    stage.store.fail(timed_out(), "sync")
    await stage.run(SYNC)
    assert await now_in(stage) == {"UNKNOWN"}
    copy = await dump(stage.deps)
    stage.store.by_sku("S0000")[1].price = "99"

    async with copy.restored() as deps:
        later = on(stage, deps)
        [old] = await ends(later)
        await later.settle()

        assert (await ends(later))[old] == ("STALE", "WorldMoved")
        again = await later.run(SYNC)
        assert looked_first(later.store.requests)
        assert later.store.writes() == ["sync 1"]
        assert later.store.by_sku("S0000")[1].price == "12"
        before = [item["before"] for item in (await later.actions(again["id"]))[0]["changes"]]
        assert before == ["99"]


async def test_what_was_under_way_and_stands_is_applied(stage: Stage) -> None:
    """An outcome unknown in the copy that the store shows is done, and nothing is sent."""
    await stage.linked(1)
    await stage.offer("S0000", "12")
    stage.store.fail(timed_out(), "sync", after_effect=True)
    await stage.run(SYNC)
    copy = await dump(stage.deps)

    async with copy.restored() as deps:
        later = on(stage, deps)
        await later.settle()

        assert [state for state, _ in (await ends(later)).values()] == ["APPLIED"]
        assert later.store.writes() == []


async def test_what_was_published_since_is_linked(stage: Stage) -> None:
    """A publish due in the copy, done since: the product is found and linked, not made twice."""
    await stage.offer("NEW", "1", 1)
    await stage.offer("OTHER", "2", 2)
    stage.store.fail(RateLimitedError("Slower.", retry_after=timedelta(minutes=1)), "publish")
    await stage.run(PUBLISH)
    copy = await dump(stage.deps)
    stage.clock.advance(timedelta(minutes=2))
    await stage.settle()
    assert len(stage.store.products) == 2

    async with copy.restored() as deps:
        later = on(stage, deps)
        await later.settle()
        await later.run(PUBLISH)

        assert len(later.store.products) == 2
        assert "publish 1" not in later.store.requests
        assert "publish 2" not in later.store.requests
        assert [(await later.variant(sku)).link_state for sku in ("NEW", "OTHER")] == [
            LinkState.LINKED,
            LinkState.LINKED,
        ]


async def test_what_had_begun_is_looked_at_before_it_goes_on(stage: Stage) -> None:
    """A product half made in the copy, finished since: the store is asked, nothing is sent."""
    await stage.offer("NEW", "1", 1)
    stage.store.fail(RateLimitedError("Slower.", retry_after=timedelta(minutes=1)), "publish")
    await stage.run(PUBLISH)
    step = '[{"name": "product", "remote_id": "101", "detail": {}}]'
    await stage.change(f"UPDATE actions SET steps = '{step}', sent_at = now(), epoch = 1")  # noqa: S608
    copy = await dump(stage.deps)
    stage.clock.advance(timedelta(minutes=2))
    await stage.settle()
    assert len(stage.store.products) == 1

    async with copy.restored() as deps:
        later = on(stage, deps)
        await later.settle()
        later.clock.advance(timedelta(minutes=1))
        await later.settle()

        assert later.store.writes() == []
        assert "confirm 1" in later.store.requests
        assert await now_in(later) == {"APPLIED"}
        assert (await later.variant("NEW")).link_state is LinkState.LINKED


async def test_what_was_deleted_since_is_not_made_again(stage: Stage) -> None:
    """The links of the copy lead to nothing: proved by reading, broken, and left to a person."""
    await stage.linked(30)
    copy = await dump(stage.deps)
    stage.store.delete("S0003")

    async with copy.restored() as deps:
        later = on(stage, deps)
        await later.run(SYNC)
        await later.run(PUBLISH)

        assert later.store.writes() == []
        assert (await later.variant("S0003")).link_state is LinkState.BROKEN


async def test_a_plan_of_the_past_cannot_be_approved(stage: Stage) -> None:
    """What the guard held back in the copy was judged on a world that is gone."""
    skus = await stage.linked(40)
    for sku in skus:
        await stage.offer(sku, quantity=0)
    run = await stage.run(SYNC)
    assert run["result"] == "REFUSED"
    copy = await dump(stage.deps)

    async with copy.restored() as deps:
        later = on(stage, deps)
        async with deps.engine.begin() as conn:
            await sweeping.beat(conn, "worker of today")
        with pytest.raises(CommandError):
            await approve(deps, run["id"], by="test")
        await later.settle()
        assert later.store.writes() == []

        again = await later.run(SYNC)

        assert looked_first(later.store.requests)
        assert again["result"] == "REFUSED"
        assert later.store.writes() == []


async def test_a_database_that_was_watched_is_trusted(stage: Stage) -> None:
    """A copy of a minute ago, or a worker seen lately: what is due is sent, nothing read anew."""
    await stage.linked(1)
    await stage.offer("S0000", "12")
    stage.store.fail(RateLimitedError("Slower.", retry_after=timedelta(minutes=1)), "sync")
    await stage.run(SYNC)
    copy = await dump(stage.deps)

    async with copy.restored(is_old=False) as deps:
        later = on(stage, deps)
        await later.settle()
        assert later.store.writes() == ["sync 1"]
        assert "listings" not in later.store.requests

        # Where nobody noticed, a person says it: `tallyport recheck`.
        async with deps.engine.begin() as conn:
            await watching.distrust(conn, "The database was restored")
        later.store.requests.clear()
        await later.run(SYNC)
        assert looked_first(later.store.requests)
        assert "listings" in later.store.requests


async def test_it_is_noticed_once(stage: Stage) -> None:
    """Whoever looks first, a worker's beat or a drain: the second one finds nothing to distrust."""
    await stage.linked(1)
    copy = await dump(stage.deps)

    async with copy.restored() as deps:
        async with deps.engine.begin() as conn:
            assert await watching.notice(conn)
        async with deps.engine.begin() as conn:
            assert not await watching.notice(conn)
            await sweeping.beat(conn, "worker of today")
            assert not await watching.notice(conn)


# --- orders ---------------------------------------------------------------------------------


@pytest.fixture
async def desk(engine: AsyncEngine) -> OrderStage:
    """A stocked channel with orders that was polled once."""
    made = order_stage(engine)
    await made.open()
    made.store.add("Mug", variant("MUG", "10", 20))
    await made.stage.offer("MUG", "10")
    await set_quantities(made.stage.deps, [Statement("MUG", 20)], by="test")
    await made.get()
    await made.run(SYNC, full=True)
    made.store.requests.clear()
    return made


def desk_on(desk: OrderStage, deps: Deps) -> OrderStage:
    """The same desk on the restored database."""
    return replace(desk, stage=on(desk.stage, deps))


async def test_orders_since_are_seen_before_a_quantity_is_written(desk: OrderStage) -> None:
    """The first sync polls from the old cursor: what shoppers took is deducted."""
    await desk.stage.offer("MUG", "11")
    copy = await dump(desk.stage.deps)
    desk.stage.clock.advance(timedelta(minutes=30))
    made = [desk.order(line("1", "MUG", 2)), desk.order(line("1", "MUG", 3))]
    desk.store.by_sku("MUG")[1].quantity = 15  # the store took them off itself

    async with copy.restored() as deps:
        later = desk_on(desk, deps)
        await later.run(SYNC)

        requests = later.store.requests
        assert requests.index("orders") < requests.index("sync 1")
        assert later.store.by_sku("MUG")[1].quantity == 15
        assert later.store.by_sku("MUG")[1].price == "11"
        await later.get()
        await later.get()
        assert {number: verdict for number, (verdict, _) in (await later.verdicts()).items()} == {
            order.number: "IMPORTED" for order in made
        }
        assert await later.wanted("MUG") == 15


async def test_a_shipment_recorded_here_and_sent_since_is_found(desk: OrderStage) -> None:
    """Recorded in the copy, on the store by now: it counts as sent, and nobody is told twice."""
    order = desk.order(line("1", "MUG", 2))
    await desk.get()
    await desk.ship(order)
    copy = await dump(desk.stage.deps)
    await desk.settle()
    assert len(order.notes) == 1

    async with copy.restored() as deps:
        later = desk_on(desk, deps)
        assert await later.shipments(order) == [("OURS", "RECORDED")]
        await later.settle()
        await later.send(full=True)

        assert len(order.notes) == 1
        assert await later.shipments(order) == [("OURS", "PUSHED")]


async def test_a_shipment_due_in_the_copy_and_canceled_since_does_not_leave(
    desk: OrderStage,
) -> None:
    """An order is looked at again before its shipment of the past is sent."""
    order = desk.order(line("1", "MUG", 2))
    await desk.get()
    await desk.ship(order)
    desk.store.fail(RateLimitedError("Slower.", retry_after=timedelta(minutes=1)), "fulfill")
    await desk.settle()
    copy = await dump(desk.stage.deps)
    desk.touch(order, status="canceled")

    async with copy.restored() as deps:
        later = desk_on(desk, deps)
        await later.settle()
        await later.send(full=True)

        assert order.notes == []
        assert await later.shipments(order) == [("OURS", "RECORDED")]
        assert [row["outcome_code"] for row in await later.stage.actions()][-1] == "Unwatched"


async def test_numbers_of_shipments_are_not_given_twice(desk: OrderStage) -> None:
    """What the store was told of under a number of after the copy is never taken for another."""
    order = desk.order(line("1", "MUG", 2))
    await desk.get()
    copy = await dump(desk.stage.deps)
    lost = await desk.ship(order, {"1": 1}, tracking_number="LOST")
    await desk.settle()
    assert order.notes == [f"shipment {lost}"]

    async with copy.restored() as deps:
        later = desk_on(desk, deps)
        await later.settle()
        new = await later.ship(order, {"1": 1}, tracking_number="NEW")
        await later.settle()

        assert new > lost + 1000
        assert order.notes == [f"shipment {lost}", f"shipment {new}"]


async def test_runs_over_orders_begin_anew(desk: OrderStage) -> None:
    """A poll that was half way in the copy starts from its beginning, and loses no order."""
    for _ in range(25):
        desk.order(line("1", "MUG"))
    run_id = await desk.stage.ask(GET)
    desk.store.fail(RateLimitedError("Slower.", retry_after=timedelta(minutes=1)), "orders")
    await desk.slice()
    copy = await dump(desk.stage.deps)
    desk.order(line("1", "MUG"))

    async with copy.restored() as deps:
        later = desk_on(desk, deps)
        await later.settle()

        old = await later.stage.run_row(run_id)
        assert (old["result"], old["error_code"]) == ("FAILED", "Unwatched")
        assert len(await later.verdicts()) == 26
        assert await later.stage.value("SELECT count(*) FROM orders") == 26
        assert await later.stage.value("SELECT sum(units) FROM deductions") == 26
        assert (await later.run(SEND, full=True))["result"] == "SUCCEEDED"


async def test_a_worker_of_before_loses_its_lease(stage: Stage) -> None:
    """A process that holds a lease of the copy cannot commit into it any more."""
    await stage.linked(1)
    await stage.offer("S0000", "12")
    taken: list[str] = []

    async def distrust_meanwhile() -> None:
        if not taken:
            taken.append("once")
            async with stage.deps.engine.begin() as conn:
                await watching.distrust(conn, "The database was restored")

    stage.hook.before_request = distrust_meanwhile
    run_id = await stage.ask(SYNC)

    assert await stage.slice() is False
    assert (await stage.run_row(run_id))["error_code"] == "Unwatched"
    await stage.settle()
    assert stage.store.by_sku("S0000")[1].price == "12"
    assert await stage.value("SELECT count(*) FROM leases WHERE side = :side", side=Side.LISTINGS)
