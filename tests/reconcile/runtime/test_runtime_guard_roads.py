"""Every road around the guard, on real PostgreSQL: nothing is destroyed, and the reason is said.

`ROADS` is the table: what goes wrong → how it has to end. What holds destructive effects is REFUSED
and can be approved; a world that cannot be believed gives nothing to approve.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.commands.channels import ChannelEdit, NewChannel, connect, edit
from reconcile.commands.errors import CommandError
from reconcile.commands.items import Statement, set_quantities
from reconcile.commands.runs import approve
from reconcile.contract import UnauthorizedError, UnavailableError
from reconcile.core.actions import GuardKind
from reconcile.core.types import LinkState, Presence
from reconcile.stated import StatedListing, StatedVariant
from tests.order_double import line
from tests.platform_double import double_platform
from tests.reconcile.runtime.lying import Lies, lying_platform
from tests.reconcile.runtime.order_stage import order_stage
from tests.reconcile.runtime.stage import IMPORT, LINK, PUBLISH, SYNC, Stage, make_stage
from tests.store_double import DoubleStore, timed_out, variant

pytestmark = pytest.mark.anyio

COUNT = 13
"""More than the ten objects that always pass."""
LATER = timedelta(minutes=5)
"""Longer than a check of the account holds."""


class Ending(StrEnum):
    """How a road ends."""

    REFUSED = "the plan holds it, and waits for an approval"
    PAUSED = "the channel is paused, and nothing can be approved"
    INCOMPLETE = "the run says that it did not see everything, and nothing can be approved"
    NOTHING = "no action comes of it"


@dataclass
class Road:
    """A channel in agreement with its store, and what a road needs to lead it astray."""

    stage: Stage
    lies: Lies
    skus: list[str] = field(default_factory=list)
    run_id: int = 0

    @property
    def store(self) -> DoubleStore:
        """The books of the store."""
        return self.stage.store

    async def sync(self, *, full: bool = True) -> None:
        """The run that would destroy."""
        self.run_id = (await self.stage.run(SYNC, full=full))["id"]


Walk = Callable[[Road], Awaitable[None]]


async def _empty_list(road: Road) -> None:
    road.lies.left_out |= road.store.products.keys()
    await road.sync()


async def _empty_list_with_a_total(road: Road) -> None:
    road.lies.left_out |= road.store.products.keys()
    road.lies.total = COUNT
    await road.sync()


async def _half_a_list(road: Road) -> None:
    road.lies.left_out |= set(list(road.store.products)[: COUNT // 2])
    await road.sync()


async def _empty_list_to_every_operation(road: Road) -> None:
    road.lies.left_out |= road.store.products.keys()
    for operation in (LINK, PUBLISH, IMPORT):
        await road.stage.run(operation, full=True)
    await road.sync()


def _become_another(road: Road, **changes: str) -> None:
    for name, value in changes.items():
        setattr(road.store, name, value)


async def _another_store(road: Road) -> None:
    _become_another(road, account_id="somebody-else")
    road.stage.clock.advance(LATER)
    await road.sync()


async def _another_store_right_after_a_check(road: Road) -> None:
    """The account was compared seconds ago; then the domain was repointed."""
    _become_another(road, account_id="somebody-else")
    road.lies.left_out |= road.store.products.keys()
    road.lies.gone |= road.store.products.keys()
    await road.sync()


async def _another_store_while_rows_wait(road: Road) -> None:
    """Down for a while, then back as somebody else's, with objects of the very same ids."""
    for sku in road.skus:
        await road.stage.offer(sku, "9")
    road.store.fail(UnavailableError("Down."), "sync")
    await road.sync(full=False)
    _become_another(road, account_id="somebody-else")
    road.stage.clock.advance(LATER)
    await road.stage.settle()


async def _another_store_while_an_outcome_is_unknown(road: Road) -> None:
    """The look at an unknown outcome asks another store, which would say that nothing happened."""
    for sku in road.skus:
        await road.stage.offer(sku, "9")
    road.store.fail(timed_out(), "sync")
    await road.sync(full=False)
    _become_another(road, account_id="somebody-else")
    road.stage.clock.advance(LATER)
    await road.stage.settle()


async def _another_store_after_a_clock_was_set_back(road: Road) -> None:
    """The last check lies in the future of the clock: that is no reason to trust it."""
    road.stage.clock.advance(timedelta(hours=3))
    await road.sync()
    road.stage.clock.advance(-timedelta(hours=3))
    _become_another(road, account_id="somebody-else")
    for sku in road.skus:
        await road.stage.offer(sku, "9")
    await road.sync(full=False)


async def _another_currency(road: Road) -> None:
    _become_another(road, currency="JPY")
    road.stage.clock.advance(LATER)
    await road.sync()


async def _no_right_to_see(road: Road) -> None:
    """The list shows nothing to this user, and single products are forbidden."""
    road.lies.left_out |= road.store.products.keys()
    road.store.fail(UnauthorizedError("You cannot view this.", status=403), "read")
    await road.sync()


async def _prices_in_cents_as_euros(road: Road) -> None:
    for sku in road.skus:
        await road.stage.offer(sku, "0.1")
    await road.sync()


async def _a_price_that_slides(road: Road) -> None:
    """Each step is less than half; together they are what no single step may be."""
    for price in ("6", "3.7", "2.3"):
        for sku in road.skus:
            await road.stage.offer(sku, price)
        await road.sync(full=False)


async def _quantities_of_zero(road: Road) -> None:
    for sku in road.skus:
        await road.stage.offer(sku, quantity=0)
    await road.sync()


async def _blank_quantities(road: Road) -> None:
    """Blank takes our statement away; it does not say that there are none."""
    blank: list[StatedListing] = [
        StatedListing(sku, variants=[StatedVariant(sku, {"quantity": None})]) for sku in road.skus
    ]
    await road.stage.state(*blank)
    await road.sync()


async def _a_buffer_with_a_zero_too_many(road: Road) -> None:
    await edit(road.stage.deps, road.stage.channel_id, ChannelEdit(buffer=1000), by="test")
    await road.sync()


async def _another_identifier(road: Road) -> None:
    """No product has a barcode: by the new identifier, nothing matches anything."""
    change = ChannelEdit(our_identifier="upc", their_identifier="barcode")
    await edit(road.stage.deps, road.stage.channel_id, change, by="test")
    await road.stage.run(LINK, full=True)
    await road.sync()


async def _many_small_runs(road: Road) -> None:
    for sku in road.skus:
        listing = await road.stage.offer(sku, presence=Presence.HIDDEN)
        road.run_id = (await road.stage.run(SYNC, listing_ids=[listing]))["id"]


async def _a_clock_that_jumps_ahead(road: Road) -> None:
    """A worker's clock a week ahead does not make this hour's effects a week old."""
    await _hide(road, 0, 10)
    road.stage.clock.advance(timedelta(days=7))
    await _hide(road, 10, COUNT)


async def _unknown_outcomes(road: Road) -> None:
    """What may have happened counts, or a store that answers nothing would be emptied."""
    road.store.fail(timed_out(), "hide", after_effect=True)
    await _hide(road, 0, 10)
    await _hide(road, 10, COUNT)


async def _everything_delisted(road: Road) -> None:
    for sku in road.skus:
        await road.stage.offer(sku, presence=Presence.DELISTED)
    await road.sync()


async def _a_wiped_store(road: Road) -> None:
    road.store.products.clear()
    await road.sync()


async def _hide(road: Road, start: int, end: int) -> None:
    for sku in road.skus[start:end]:
        await road.stage.offer(sku, presence=Presence.HIDDEN)
    await road.sync(full=False)


ROADS: Mapping[Walk, tuple[Ending, str, int]] = {
    # road → (ending, reason code or kind of the guard, objects that may have changed)
    _empty_list: (Ending.NOTHING, "", 0),
    _empty_list_with_a_total: (Ending.INCOMPLETE, "Incomplete", 0),
    _half_a_list: (Ending.NOTHING, "", 0),
    _empty_list_to_every_operation: (Ending.NOTHING, "", 0),
    _another_store: (Ending.PAUSED, "OtherAccount", 0),
    _another_store_right_after_a_check: (Ending.PAUSED, "OtherAccount", 0),
    _another_store_while_rows_wait: (Ending.PAUSED, "OtherAccount", 0),
    _another_store_while_an_outcome_is_unknown: (Ending.PAUSED, "OtherAccount", 0),
    _another_store_after_a_clock_was_set_back: (Ending.PAUSED, "OtherAccount", 0),
    _another_currency: (Ending.PAUSED, "CurrencyChanged", 0),
    _no_right_to_see: (Ending.PAUSED, "", 0),
    _prices_in_cents_as_euros: (Ending.REFUSED, GuardKind.PRICE_DROP, 0),
    _a_price_that_slides: (Ending.REFUSED, GuardKind.PRICE_DROP, COUNT),
    _quantities_of_zero: (Ending.REFUSED, GuardKind.QUANTITY_TO_ZERO, 0),
    _blank_quantities: (Ending.NOTHING, "", 0),
    _a_buffer_with_a_zero_too_many: (Ending.REFUSED, GuardKind.QUANTITY_TO_ZERO, 0),
    _another_identifier: (Ending.NOTHING, "", 0),
    _many_small_runs: (Ending.REFUSED, GuardKind.HIDE, 10),
    _a_clock_that_jumps_ahead: (Ending.REFUSED, GuardKind.HIDE, 10),
    _unknown_outcomes: (Ending.REFUSED, GuardKind.HIDE, 10),
    _everything_delisted: (Ending.REFUSED, GuardKind.DELIST, 0),
    _a_wiped_store: (Ending.REFUSED, GuardKind.BREAK_LINK, COUNT),
}


@pytest.mark.parametrize(
    ("walk", "ending", "reason", "most"),
    [pytest.param(walk, *row, id=walk.__name__.strip("_")) for walk, row in ROADS.items()],
)
async def test_no_road_leads_around_the_guard(
    engine: AsyncEngine, walk: Walk, ending: Ending, reason: str, most: int
) -> None:
    """No link breaks, no more changes on the store than the budget allows, and it says why."""
    store, lies = DoubleStore(), Lies()
    stage = make_stage(engine, platform=lying_platform(store, lies), store=store)
    await stage.connect()
    road = Road(stage, lies)
    road.skus = await stage.linked(COUNT)
    before = _books(store)

    await walk(road)

    after = _books(store)
    assert sum(after.get(sku) != held for sku, held in before.items()) <= most
    assert {(await stage.variant(sku)).link_state for sku in road.skus} == {LinkState.LINKED}
    run = await stage.run_row(road.run_id)
    match ending:
        case Ending.REFUSED:
            assert "REFUSED" in {state for _, state in await stage.states(road.run_id)}
            assert run["guard"][reason]["allowed"] is False
            assert run["guard"][reason]["message"]
            assert run["result"] in ("REFUSED", "PARTIAL")
            approval = await approve(stage.deps, road.run_id, by="test")
            assert approval.due > 0
        case Ending.PAUSED:
            found = await stage.rows("SELECT * FROM channels WHERE paused")
            assert [bool(row["pause_message"]) for row in found] == [True]
            assert reason in ("", found[0]["pause_reason"])
            await _cannot_be_approved(road)
        case Ending.INCOMPLETE:
            assert run["result"] == "PARTIAL"
            assert ("Mirror", reason) in {
                (kind, code) for kind, _, code in await stage.conditions("channel")
            }
            await _cannot_be_approved(road)
        case Ending.NOTHING:
            assert await stage.states(road.run_id) == []
            assert run["result"] == "SUCCEEDED"
            await _cannot_be_approved(road)


async def _cannot_be_approved(road: Road) -> None:
    with pytest.raises(CommandError):
        await approve(road.stage.deps, road.run_id, by="test")
    await road.stage.settle()


def _books(store: DoubleStore) -> dict[str, tuple[str | None, int | None]]:
    return {
        item.sku or "": (item.price, item.quantity)
        for product in store.products.values()
        for item in product.variants
    }


# --- what the budget is, and is not ---------------------------------------------------------


async def test_two_channels_have_budgets_of_their_own(engine: AsyncEngine) -> None:
    """What waits on one channel takes nothing from another, and each is counted by itself."""
    here, there = DoubleStore(), DoubleStore(account_id="account-there")
    stage = make_stage(engine, platform=double_platform({"main": here, "there": there}), store=here)
    await stage.connect()
    skus = await stage.linked(COUNT)
    other = replace(stage, store=there)
    wish = NewChannel("There", "double", {"store": "there", "secret": "right"})
    other.channel_id = await connect(stage.deps, wish, by="test")
    await other.linked(COUNT)

    for sku in skus:
        await stage.offer(sku, presence=Presence.HIDDEN)
    for sku in skus[:10]:
        await other.offer(sku, presence=Presence.HIDDEN)
    held_back, passed = await stage.run(SYNC), await other.run(SYNC)

    assert (held_back["result"], passed["result"]) == ("REFUSED", "SUCCEEDED")
    assert {here.by_sku(sku)[1].quantity for sku in skus} == {5}
    assert {there.by_sku(sku)[1].quantity for sku in skus[:10]} == {0}


async def test_an_item_of_zero_is_held_back_on_every_channel(engine: AsyncEngine) -> None:
    """Stock that two channels share is stated to zero: both wait, each for its own approval."""
    here, there = DoubleStore(), DoubleStore(account_id="account-there")
    stage = make_stage(engine, platform=double_platform({"main": here, "there": there}), store=here)
    await stage.connect()
    other = replace(stage, store=there)
    wish = NewChannel("There", "double", {"store": "there", "secret": "right"})
    other.channel_id = await connect(stage.deps, wish, by="test")
    skus = [f"I{number:02}" for number in range(COUNT)]
    await _items(stage, skus, 7)
    for each in (stage, other):
        for sku in skus:
            each.store.add(f"Title of {sku}", variant(sku, "10", 7))
            await each.offer(sku, "10")
        assert (await each.run(SYNC, full=True))["result"] == "SUCCEEDED"

    await _items(stage, skus, 0)
    runs = [await each.run(SYNC) for each in (stage, other)]

    assert [run["result"] for run in runs] == ["REFUSED", "REFUSED"]
    for store in (here, there):
        assert {store.by_sku(sku)[1].quantity for sku in skus} == {7}


async def test_zeros_that_orders_made_do_not_count(engine: AsyncEngine) -> None:
    """Sold out everywhere at once: told at once, or the shop would sell what it does not have."""
    shop = order_stage(engine)
    await shop.open()
    skus = [f"O{number:02}" for number in range(COUNT)]
    await _items(shop.stage, skus, 2)
    for sku in skus:
        shop.store.add(f"Title of {sku}", variant(sku, "10", 2))
        await shop.stage.offer(sku, "10")
    assert (await shop.run(SYNC, full=True))["result"] == "SUCCEEDED"

    shop.order(*(line(str(at), sku, 2) for at, sku in enumerate(skus)))
    await shop.get()
    run = await shop.run(SYNC)

    assert run["result"] == "SUCCEEDED"
    assert {shop.store.by_sku(sku)[1].quantity for sku in skus} == {0}
    assert GuardKind.QUANTITY_TO_ZERO not in run["guard"]


async def test_a_part_and_then_more(stage: Stage) -> None:
    """Approved in parts, over a day: what was approved never uses up what needs no approval."""
    skus = await stage.linked(30)
    for sku in skus[:20]:
        await stage.offer(sku, presence=Presence.HIDDEN)
    run = await stage.run(SYNC)
    rows = [row["id"] for row in await stage.actions(run["id"])]
    for part in (rows[:3], rows[3:12]):
        await approve(stage.deps, run["id"], action_ids=part, by="test")
        await stage.settle()
    hidden = [sku for sku in skus if stage.store.by_sku(sku)[1].quantity == 0]
    assert len(hidden) == 12
    assert (await stage.run_row(run["id"]))["result"] == "PARTIAL"

    for sku in skus[20:]:
        await stage.offer(sku, presence=Presence.HIDDEN)
    few = await stage.run(SYNC)

    assert few["result"] == "SUCCEEDED"
    assert few["guard"]["HIDE"]["executed"] == 0
    assert len([sku for sku in skus if stage.store.by_sku(sku)[1].quantity == 0]) == 22


async def test_the_budget_comes_back_after_a_day(stage: Stage) -> None:
    """Ten today, none more; a day later ten more, and the ones of yesterday do not count."""
    skus = await stage.linked(20)
    for sku in skus[:10]:
        await stage.offer(sku, presence=Presence.HIDDEN)
    assert (await stage.run(SYNC))["result"] == "SUCCEEDED"
    await stage.offer(skus[10], presence=Presence.HIDDEN)
    assert (await stage.run(SYNC))["result"] == "REFUSED"
    aged = "UPDATE actions SET finished_at = finished_at - interval '23 hours 55 minutes'"
    await stage.change(aged)
    assert (await stage.run(SYNC, full=True))["result"] == "REFUSED"
    await stage.change("UPDATE actions SET finished_at = finished_at - interval '6 minutes'")
    assert (await stage.run(SYNC, full=True))["result"] == "SUCCEEDED"
    assert stage.store.by_sku(skus[10])[1].quantity == 0


async def _items(stage: Stage, skus: Sequence[str], quantity: int) -> None:
    await set_quantities(stage.deps, [Statement(sku, quantity) for sku in skus], by="test")
