"""Personal data of orders goes when its time has come, from everywhere, and does not come back."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.core.order_types import OrderStatus
from reconcile.core.remote_order_types import Address, OrderVerdict, RemoteOrder
from reconcile.store.attempts import AttemptFilter, list_attempts
from reconcile.store.retention import erase_due, retention_of, retention_of_remote
from reconcile.worker import clean
from tests.order_double import HOME
from tests.order_double import line as plain_line
from tests.reconcile.runtime.order_stage import order_stage
from tests.reconcile.runtime.stage import Stage
from tests.reconcile.store.sold import DAY, at, import_order, line, order, see, ship

pytestmark = pytest.mark.anyio

PLANTED = ("Zebulon", "zebulon@", "Zebra Lane", "Zebra Tower", "+49-zebra", "ring-the-zebra")


def personal(number: str, **values: Any) -> RemoteOrder:
    """An order full of data that can be told from everything else."""
    where = Address(
        "Zebulon",
        "Zeta",
        "Zebulon Ltd",
        "1 Zebra Lane",
        city="Oslo",
        country="NO",
        phone="+49-zebra",
    )
    engraved = replace(line("MUG"), custom={"Engraving": "Zebulon"})
    return order(
        number,
        engraved,
        email=f"zebulon@{number}.example",
        billing=replace(where, line1="Zebra Tower"),
        ship_to=where,
        note="ring-the-zebra",
        custom={"Gift for": "Zebulon"},
        **values,
    )


async def found(stage: Stage) -> set[tuple[str, str]]:
    """Which planted text stands in which table, whatever the column."""
    tables = await stage.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    hits = set()
    for table in tables:
        name = table["tablename"]
        for row in await stage.rows(f'SELECT t::text AS content FROM "{name}" t'):  # noqa: S608
            hits |= {(name, word) for word in PLANTED if word.lower() in row["content"].lower()}
    return hits


async def keep_for(stage: Stage, days: int | None) -> None:
    """Set how long the channel keeps personal data."""
    await stage.change("UPDATE channels SET retention_days = :days", days=days)


async def erase(stage: Stage, now: datetime, limit: int = 100) -> int:
    """What the worker does hourly."""
    async with stage.deps.engine.begin() as conn:
        return await erase_due(conn, now, limit)


async def bought(stage: Stage, *orders: RemoteOrder, imports: bool = True) -> list[int]:
    """The mirror takes in orders, and all of them are imported; ids of the remote orders."""
    ids = await see(stage.deps.engine, stage.channel_id, *orders)
    if imports:
        for remote_id in ids:
            await import_order(stage.deps.engine, remote_id)
    return ids


async def wrote(stage: Stage, remote_order_id: int) -> None:
    """A note was sent to the store, whose answer showed the whole order."""
    async with stage.deps.engine.begin() as conn:
        run_id = (
            await conn.execute(
                text("""
INSERT INTO runs (channel_id, operation, side, trigger)
VALUES (:id, 'SYNC_ORDERS', 'ORDERS', 'PERSON') RETURNING id
"""),
                {"id": stage.channel_id},
            )
        ).scalar_one()
        action_id = (
            await conn.execute(
                text("""
INSERT INTO actions (channel_id, run_id, kind, object_id, write_group, order_id, key, input_hash,
    lane, state, reason, message)
VALUES (:id, :run_id, 'FULFILL', 'shipment:1', 'fulfill', :order_id, 'k', 'h', 0, 'APPLIED',
    'Shipped', 'Two units left') RETURNING id
"""),
                {"id": stage.channel_id, "run_id": run_id, "order_id": remote_order_id},
            )
        ).scalar_one()
        for actions in ([action_id], []):
            body = {"shipping": {"first_name": "Zebulon"}} if actions else {"rows": 1}
            await conn.execute(
                text("""
INSERT INTO attempts (channel_id, run_id, action_ids, at, method, url, request, status, response,
    milliseconds)
VALUES (:id, :run_id, :actions, now(), 'POST', '/orders/1/notes', CAST(:body AS jsonb), 201,
    CAST(:body AS jsonb), 12)
"""),
                {
                    "id": stage.channel_id,
                    "run_id": run_id,
                    "actions": actions,
                    "body": orjson.dumps(body).decode(),
                },
            )


async def shipped(stage: Stage, remote_order_id: int, hours: float) -> None:
    """The order left so many hours after T0."""
    order_id = await stage.value(
        "SELECT id FROM orders WHERE remote_order_id = :id", id=remote_order_id
    )
    await ship(stage.deps.engine, order_id, {"1": 1}, hours)
    await stage.change("UPDATE orders SET status = 'SHIPPED' WHERE id = :id", id=order_id)


async def test_everything_personal_is_erased(stage: Stage) -> None:
    """Thirty days after the last shipment no table holds any of it; what was sold stays."""
    (remote_id,) = await bought(stage, personal("1001"))
    await wrote(stage, remote_id)
    await shipped(stage, remote_id, hours=5)
    await keep_for(stage, 30)
    assert {table for table, _ in await found(stage)} == {"remote_orders", "orders", "attempts"}
    assert {word for _, word in await found(stage)} == set(PLANTED)
    assert await erase(stage, at(5) + 30 * DAY - timedelta(seconds=1)) == 0
    now = at(5) + 30 * DAY
    assert await erase(stage, now) == 1
    assert await found(stage) == set()
    assert await erase(stage, now) == 0
    (row,) = await stage.rows("SELECT * FROM orders")
    assert (row["erased_at"], row["number"], row["personal"]) == (now, "1001", None)
    (line_row,) = await stage.rows("SELECT * FROM order_lines")
    assert (line_row["sku"], line_row["quantity"]) == ("MUG", 1)
    async with stage.deps.engine.connect() as conn:
        page = await list_attempts(conn, AttemptFilter(), None, 10)
    # What was sent about the order is gone, that it was sent is not.
    assert [(item.status, item.response) for item in page.rows] == [(201, {"rows": 1}), (201, None)]


async def test_what_was_erased_does_not_come_back(stage: Stage) -> None:
    """The store still shows the address; we do not take it in again."""
    (remote_id,) = await bought(stage, personal("1001"))
    await shipped(stage, remote_id, hours=5)
    await keep_for(stage, 30)
    await erase(stage, at(5) + 31 * DAY)
    changed = personal("1001", status="completed", modified_at=at(900))
    await see(stage.deps.engine, stage.channel_id, changed, hours=900)
    assert await found(stage) == set()
    assert await stage.value("SELECT status FROM remote_orders") == "completed"


async def test_counted_from_the_last_shipment_or_the_cancellation(stage: Stage) -> None:
    """Of several shipments the last counts; a canceled order is erased though it never shipped."""
    shipped_id, canceled_id = await bought(stage, personal("1"), personal("2"))
    await shipped(stage, shipped_id, hours=0)
    await shipped(stage, shipped_id, hours=240)
    await stage.change(
        "UPDATE orders SET canceled_at = :at, status = 'CANCELED' WHERE remote_order_id = :id",
        at=at(24),
        id=canceled_id,
    )
    await keep_for(stage, 60)
    assert await erase(stage, at(24) + 60 * DAY) == 1
    assert await stage.rows("SELECT number FROM orders WHERE erased_at IS NULL") == [
        {"number": "1"}
    ]
    assert await erase(stage, at(240) + 60 * DAY) == 1


@pytest.mark.parametrize("days", [None, 30])
async def test_what_is_kept(stage: Stage, days: int | None) -> None:
    """Indefinitely means so; an order that never shipped, or is held or undecided, is kept."""
    await keep_for(stage, days)
    ids = await bought(stage, personal("1"))
    if days is None:
        await shipped(stage, ids[0], hours=5)
    pending, held = await bought(stage, personal("2"), personal("3"), imports=False)
    await stage.change("UPDATE remote_orders SET verdict = 'HELD' WHERE id = :id", id=held)
    assert await erase(stage, at(0) + 900 * DAY) == 0
    assert await stage.value("SELECT count(*) FROM remote_orders WHERE personal IS NULL") == 0
    assert pending


@pytest.mark.parametrize("verdict", ["SKIPPED", "UNSAVABLE"])
async def test_orders_that_were_never_imported(stage: Stage, verdict: str) -> None:
    """What a filter leaves out is kept as long after its last change on the channel."""
    await keep_for(stage, 90)
    await bought(stage, personal("1", modified_at=at(48)), personal("2"), imports=False)
    await stage.change("UPDATE remote_orders SET verdict = :verdict", verdict=verdict)
    assert await erase(stage, at(1) + 90 * DAY) == 1
    assert {word for _, word in await found(stage)} == set(PLANTED)
    assert await erase(stage, at(48) + 90 * DAY) == 1
    assert await found(stage) == set()


async def test_in_portions_by_one_worker_at_a_time(stage: Stage) -> None:
    """While one worker erases another does nothing; no transaction takes more than its portion."""
    await keep_for(stage, 30)
    for remote_id in await bought(stage, *(personal(str(n)) for n in range(5))):
        await shipped(stage, remote_id, hours=5)
    now = at(5) + 31 * DAY
    async with stage.deps.engine.begin() as conn:
        assert await erase_due(conn, now, 2) == 2
        assert await erase(stage, now) == 0
    assert [await erase(stage, now, 2) for _ in range(3)] == [2, 1, 0]


async def test_the_worker_erases_by_itself(stage: Stage) -> None:
    """The hourly cleaning erases all that is due."""
    await keep_for(stage, 30)
    for remote_id in await bought(stage, *(personal(str(n)) for n in range(3))):
        await shipped(stage, remote_id, hours=5)
    stage.clock.advance(at(5) + 31 * DAY - stage.clock())
    await clean(stage.deps)
    assert await found(stage) == set()


async def test_through_the_whole_life_of_an_order(engine: AsyncEngine) -> None:
    """Polled, imported, shipped, sent, erased, and shown again by the store: nothing is left."""
    shop = order_stage(engine)
    await shop.open()
    home = replace(HOME, first_name="Zebulon", line1="1 Zebra Lane", phone="+49-zebra")
    theirs = shop.order(
        replace(plain_line("1", "MUG", 2), custom={"Engraving": "Zebulon"}),
        ship_to=home,
        email="zebulon@1.example",
        note="ring-the-zebra",
    )
    await shop.get()
    await shop.ship(theirs)
    await shop.send()
    assert await shop.shipments(theirs) == [("OURS", "PUSHED")]
    await shop.stage.change(
        """
UPDATE attempts SET request = CAST(:body AS jsonb), response = CAST(:body AS jsonb)
WHERE action_ids <> '{}'
""",
        body='{"billing": {"phone": "+49-zebra"}}',
    )
    assert len({table for table, _ in await found(shop.stage)}) >= 2
    await keep_for(shop.stage, 30)
    shop.stage.clock.advance(30 * DAY + timedelta(minutes=1))
    await clean(shop.stage.deps)
    assert await found(shop.stage) == set()
    shop.touch(theirs, note="ring-the-zebra twice", ship_to=replace(home, line2="Zebra Tower"))
    run = await shop.get()
    assert run["result"] == "SUCCEEDED"
    assert await found(shop.stage) == set()
    ours = await shop.ours(theirs)
    assert (ours["hold_code"], ours["status"]) == (None, "SHIPPED")


def test_an_imported_order_says_what_becomes_of_its_data() -> None:
    """When it is erased, when it was, or why it is kept."""
    said = retention_of(
        None, status=OrderStatus.SHIPPED, last_shipped_at=at(0), canceled_at=None, erased_at=None
    )
    assert (said.erases_at, "indefinitely" in said.message) == (None, True)
    said = retention_of(
        30, status=OrderStatus.OPEN, last_shipped_at=None, canceled_at=None, erased_at=None
    )
    assert (said.erases_at, "never shipped" in said.message) == (None, True)
    said = retention_of(
        30,
        status=OrderStatus.CANCELED,
        last_shipped_at=at(0),
        canceled_at=at(1),
        erased_at=None,
    )
    assert (said.erases_at, "cancellation" in said.message) == (at(1) + 30 * DAY, True)
    said = retention_of(
        30,
        status=OrderStatus.PARTIALLY_SHIPPED,
        last_shipped_at=at(0),
        canceled_at=None,
        erased_at=None,
    )
    assert (said.erases_at, "still to be shipped" in said.message) == (None, True)
    said = retention_of(
        None, status=OrderStatus.SHIPPED, last_shipped_at=at(0), canceled_at=None, erased_at=at(9)
    )
    assert (said.erases_at, said.erased_at) == (None, at(9))


def test_a_seen_order_says_what_becomes_of_its_data() -> None:
    """A held one is kept, a skipped one goes some time after it last changed."""
    given: dict[str, Any] = {"modified_at": None, "ordered_at": at(0), "erased_at": None}
    held = retention_of_remote(30, verdict=OrderVerdict.HELD, **given)
    assert (held.erases_at, "HELD" in held.message) == (None, True)
    skipped = retention_of_remote(30, verdict=OrderVerdict.SKIPPED, **given)
    assert skipped.erases_at == at(0) + 30 * DAY
    assert "2026-10-31" in skipped.message
