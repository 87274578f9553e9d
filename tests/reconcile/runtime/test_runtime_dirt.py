"""Edits while a run is at work: whatever the moment, the next partial run finds them."""

import asyncio

import pytest

from reconcile.core.types import Value
from reconcile.stated import Origin, StatedListing, StatedVariant
from reconcile.store import sweeping
from reconcile.store.channels import load_channel
from reconcile.store.stating import write_listings
from tests.reconcile.runtime.stage import LINK, PUBLISH, SYNC, Stage
from tests.store_double import variant

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("full", "moment"), [(False, 0), (False, 1), (True, 0), (True, 1), (True, 2), (True, 3)]
)
async def test_edited_while_a_run_is_at_work(stage: Stage, moment: int, *, full: bool) -> None:
    """An edit before any request of a run is sent by it or by the next partial one."""
    await stage.linked(25)
    await stage.offer("S0000", "12")
    asked = 0

    async def edit_another() -> None:
        nonlocal asked
        if asked == moment:
            await stage.offer("S0020", "13")
        asked += 1

    stage.hook.before_request = edit_another
    await stage.run(SYNC, full=full)
    stage.hook.before_request = None
    await stage.run(SYNC)
    assert asked > moment
    assert stage.store.by_sku("S0000")[1].price == "12"
    assert stage.store.by_sku("S0020")[1].price == "13"


async def test_edited_between_linking_and_sending(stage: Stage) -> None:
    """While a first run links and then synchronizes, edits of other listings are not swallowed."""
    await stage.linked(2)
    stage.store.add("New", variant("NEW", "1", 1))
    await stage.offer("NEW", "2", 1)

    async def edit_another() -> None:
        if await stage.rows("SELECT 1 FROM actions WHERE kind = 'LINK' AND state = 'APPLIED'"):
            stage.hook.before_request = None
            await stage.offer("S0001", "13")

    stage.hook.before_request = edit_another
    await stage.run(SYNC, full=True)
    assert stage.store.by_sku("NEW")[1].price == "2"
    await stage.run(SYNC)
    assert stage.store.by_sku("S0001")[1].price == "13"


async def test_an_edit_that_commits_late(stage: Stage) -> None:
    """An edit whose transaction is open while a run takes note of the dirt is not lost."""
    await stage.linked(2)
    async with stage.deps.engine.connect() as conn:
        channel = await load_channel(conn, stage.deps, stage.channel_id)
        assert channel is not None
        price: dict[str, Value] = {"list_price": {"amount": "13", "currency": "EUR"}}
        late = StatedListing("S0001", variants=[StatedVariant("S0001", price)])
        await conn.rollback()
        await write_listings(conn, channel, [late], Origin("API", "test", stage.clock()))
        working = asyncio.create_task(stage.run(SYNC, full=True))
        await asyncio.sleep(0.3)
        await conn.commit()
        await working
    await stage.run(SYNC)
    assert stage.store.by_sku("S0001")[1].price == "13"


async def test_dirt_does_not_pile_up(stage: Stage) -> None:
    """A listing edited many times, for operations nobody runs, is kept once and still found."""
    await stage.linked(1)
    for price in ("11", "12", "13"):
        await stage.offer("S0000", price)
    async with stage.deps.engine.begin() as conn:
        await sweeping.remove_old(conn)
    rows = await stage.rows("SELECT operation FROM dirty ORDER BY operation")
    assert [row["operation"] for row in rows] == [LINK.value, PUBLISH.value, SYNC.value]
    await stage.run(SYNC)
    assert stage.store.by_sku("S0000")[1].price == "13"
