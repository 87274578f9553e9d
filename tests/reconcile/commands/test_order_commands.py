"""Holding, releasing, closing and looking up orders; what of them stays personal."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from reconcile.commands.channels import NewChannel, connect, pause
from reconcile.commands.errors import CommandError
from reconcile.commands.mappings import set_mapping
from reconcile.commands.operations import configure
from reconcile.commands.orders import (
    HELD_BY_PERSON,
    NewShipment,
    NewShipmentLine,
    close,
    hold,
    order_named,
    release,
    request_lookup,
    ship,
)
from reconcile.commands.runs import RunRequest, request_run
from reconcile.core.orders import hold_of
from reconcile.core.types import Operation, Side
from reconcile.store.runs import runs_by_ids
from tests.order_double import line
from tests.reconcile.commands.order_shop import (
    PERSONAL,
    changes,
    flags,
    line_ids,
    order_row,
    see,
    sell,
    stored,
    take_in,
)
from tests.reconcile.commands.shop import Shop, codes

pytestmark = pytest.mark.anyio


async def test_a_held_order_waits_for_its_release(order_shop: Shop) -> None:
    """Nothing leaves meanwhile; the release plans it again and says so to the runtime."""
    shop = order_shop
    (order_id,) = await take_in(shop, sell(shop, line("1", "MUG", 2), number="1001"))

    await hold(shop.deps, order_id, " wait for the customer ", by="ann")
    row = await order_row(shop, order_id)
    assert (row["hold_code"], row["hold_message"], row["hold_by"]) == (
        HELD_BY_PERSON,
        "wait for the customer",
        "ann",
    )
    assert await flags(shop, order_id) == (True, True)
    with pytest.raises(CommandError) as raised:
        await ship(shop.deps, NewShipment(order_id, tracking_number="T1"), by="ann")
    assert codes(raised.value) == [("ORDER_ON_HOLD", ("order_id",))]
    with pytest.raises(CommandError, match="on hold already") as raised:
        await hold(shop.deps, order_id, "again", by="bob")
    assert codes(raised.value) == [("WRONG_STATE", ("order_id",))]

    await shop.rows("UPDATE remote_orders SET decide = false, fulfill = false")
    await release(shop.deps, order_id, by="ann")
    row = await order_row(shop, order_id)
    assert (row["hold_code"], row["hold_by"], row["held_at"]) == (None, None, None)
    assert await flags(shop, order_id) == (True, True)
    assert await changes(shop) == [("GET_ORDERS", []), ("SYNC_ORDERS", [])]
    assert (shop.channel_id, Side.ORDERS) in shop.bell.rings
    with pytest.raises(CommandError, match="not on hold"):
        await release(shop.deps, order_id, by="ann")


async def test_each_command_about_an_order_wakes_the_workers(order_shop: Shop) -> None:
    """Whoever holds, releases or closes does not wait for the next sweep."""
    shop = order_shop
    (order_id,) = await take_in(shop, sell(shop, line("1", "MUG", 2)))
    wakes = []
    for command in (
        hold(shop.deps, order_id, "wait", by="ann"),
        release(shop.deps, order_id, by="ann"),
        close(shop.deps, order_id, by="ann"),
    ):
        shop.bell.rings.clear()
        await command
        wakes.append((shop.channel_id, Side.ORDERS) in shop.bell.rings)
    assert wakes == [True, True, True]


async def test_a_hold_calls_back_what_has_not_left(order_shop: Shop) -> None:
    """A shipment that waits to be sent is not sent; one that is under way stays under way."""
    shop = order_shop
    (order_id,) = await take_in(shop, sell(shop, line("1", "MUG", 2)))
    (of_order,) = await line_ids(shop, order_id)
    del of_order
    shipment_id = await ship(shop.deps, NewShipment(order_id, tracking_number="T1"), by="ann")
    run_id = (await shop.rows("SELECT id FROM runs"))[0]["id"]
    await shop.rows(
        """
INSERT INTO actions (channel_id, run_id, kind, object_id, write_group, shipment_id, key, input_hash,
    lane, state, reason, message)
VALUES (:c, :r, 'FULFILL', 'shipment:' || :s, 'fulfill', CAST(:s AS bigint), 'k', 'h', 0, 'DUE',
    'ShipmentRecorded', 'x')
""",
        c=shop.channel_id,
        r=run_id,
        s=str(shipment_id),
    )
    await hold(shop.deps, order_id, "fraud?", by="ann")
    (action,) = await shop.rows("SELECT state, outcome_code FROM actions")
    assert (action["state"], action["outcome_code"]) == ("CANCELED", "OrderOnHold")


async def test_a_release_accepts_what_the_channel_holds(order_shop: Shop) -> None:
    """After a shipment the order was held with the difference; then our copy is made equal."""
    shop = order_shop
    sold = sell(shop, line("1", "MUG", 2), line("2", "CUP", 1))
    (order_id,) = await take_in(shop, sold)
    first, _ = await line_ids(shop, order_id)
    await ship(shop.deps, _one(order_id, first, 1), by="ann")
    sold.lines[0] = line("1", "MUG", 5)
    sold.modified_at = shop.clock()
    await see(shop, sold)
    await shop.rows(
        "UPDATE orders SET hold_code = 'ChangedAfterShipment', hold_message = '2 to 5 units'"
        " WHERE id = :id",
        id=order_id,
    )

    await release(shop.deps, order_id, by="ann")
    row = await order_row(shop, order_id)
    assert (row["hold_code"], row["status"]) == (None, "PARTIALLY_SHIPPED")
    lines = await shop.rows("SELECT quantity FROM order_lines ORDER BY position")
    assert [item["quantity"] for item in lines] == [5, 1]
    # What the rules compare is accepted as well: they do not hold it once more.
    await ship(shop.deps, _one(order_id, first, 4), by="ann")


def _one(order_id: int, line_id: int, quantity: int) -> NewShipment:
    return NewShipment(
        order_id, [NewShipmentLine(line_id, quantity)], tracking_number=f"T{quantity}"
    )


async def test_a_canceled_order_stays_canceled_when_released(order_shop: Shop) -> None:
    """Canceled there after something had left: accepted, and nothing more leaves."""
    shop = order_shop
    sold = sell(shop, line("1", "MUG", 2))
    (order_id,) = await take_in(shop, sold)
    (first,) = await line_ids(shop, order_id)
    await ship(shop.deps, _one(order_id, first, 1), by="ann")
    sold.status, sold.modified_at = "canceled", shop.clock()
    await see(shop, sold)
    await shop.rows("UPDATE orders SET hold_code = 'CanceledAfterShipment', hold_message = 'x'")

    await release(shop.deps, order_id, by="ann")
    row = await order_row(shop, order_id)
    assert row["status"] == "CANCELED"
    assert row["canceled_at"] is not None
    with pytest.raises(CommandError) as raised:
        await ship(shop.deps, _one(order_id, first, 1), by="ann")
    assert codes(raised.value) == [("ORDER_CANCELED", ("order_id",))]
    with pytest.raises(CommandError, match="is canceled"):
        await hold(shop.deps, order_id, "late", by="ann")


async def test_a_closed_order_is_over(order_shop: Shop) -> None:
    """Nothing is shipped and nothing deducted any more; closing twice is refused."""
    shop = order_shop
    (order_id,) = await take_in(shop, sell(shop, line("1", "MUG", 2), number="1001"))
    assert len(await shop.rows("SELECT 1 FROM deductions")) == 1

    await close(shop.deps, order_id, by="ann")
    row = await order_row(shop, order_id)
    assert (row["status"], row["closed_by"]) == ("CLOSED", "ann")
    assert row["closed_at"] is not None
    assert await shop.rows("SELECT 1 FROM deductions") == []
    assert await changes(shop) == [("GET_ORDERS", []), ("SYNC_ORDERS", [])]
    for refused in (
        close(shop.deps, order_id, by="ann"),
        hold(shop.deps, order_id, "late", by="ann"),
        ship(shop.deps, NewShipment(order_id, tracking_number="T"), by="ann"),
    ):
        with pytest.raises(CommandError):
            await refused


async def test_what_is_not_there_is_refused(order_shop: Shop) -> None:
    """Unknown orders, orders of a removed channel, and a hold without a reason."""
    shop = order_shop
    (order_id,) = await take_in(shop, sell(shop, line("1", "MUG")))
    for reason in ("", "  ", "two\nlines", "x" * 501):
        with pytest.raises(CommandError) as raised:
            await hold(shop.deps, order_id, reason, by="ann")
        assert codes(raised.value) == [("INVALID", ("reason",))]
    with pytest.raises(CommandError) as raised:
        await close(shop.deps, 4711, by="ann")
    assert codes(raised.value) == [("NOT_FOUND", ("order_id",))]
    await shop.rows("UPDATE channels SET removed_at = now()")
    with pytest.raises(CommandError) as raised:
        await close(shop.deps, order_id, by="ann")
    assert codes(raised.value) == [("NOT_FOUND", ("channel_id",))]


async def test_a_run_is_queued_only_where_it_could_start(order_shop: Shop) -> None:
    """Disabled and paused operations find the flags later; an equal waiting run is enough."""
    shop = order_shop
    first, second = await take_in(shop, sell(shop, line("1", "MUG")), sell(shop, line("1", "CUP")))
    await configure(shop.deps, shop.channel_id, Operation.SYNC_ORDERS, paused=True, by="me")
    await configure(shop.deps, shop.channel_id, Operation.GET_ORDERS, enabled=False, by="me")
    await close(shop.deps, first, by="ann")
    assert await changes(shop) == []
    assert await flags(shop, first) == (True, True)
    await configure(shop.deps, shop.channel_id, Operation.GET_ORDERS, enabled=True, by="me")

    await configure(shop.deps, shop.channel_id, Operation.SYNC_ORDERS, paused=False, by="me")
    await hold(shop.deps, second, "wait", by="ann")
    await release(shop.deps, second, by="ann")
    await hold(shop.deps, second, "wait", by="ann")
    await release(shop.deps, second, by="ann")
    assert [operation for operation, _ in await changes(shop)] == ["GET_ORDERS", "SYNC_ORDERS"]


async def test_an_order_is_named_by_its_number(order_shop: Shop) -> None:
    """A number on two channels is ambiguous and says where; with the channel it is not."""
    shop = order_shop
    (order_id,) = await take_in(shop, sell(shop, line("1", "MUG"), number="1001"))
    other = await connect(
        shop.deps, NewChannel("Other", "double", {"store": "other", "secret": "right"}), by="test"
    )
    assert await order_named(shop.deps, "1001") == order_id
    (remote_id,) = await see(shop, sell(shop, line("1", "CUP"), number="1001"), channel_id=other)
    await shop.rows(
        "INSERT INTO orders (channel_id, remote_order_id, number, currency, ordered_at)"
        " VALUES (:c, :r, '1001', 'USD', now())",
        c=other,
        r=remote_id,
    )
    with pytest.raises(CommandError, match="on: Main, Other") as raised:
        await order_named(shop.deps, "1001")
    assert codes(raised.value) == [("AMBIGUOUS", ("number",))]
    assert await order_named(shop.deps, "1001", shop.channel_id) == order_id
    with pytest.raises(CommandError) as raised:
        await order_named(shop.deps, "9", shop.channel_id)
    assert codes(raised.value) == [("NOT_FOUND", ("number",))]


async def test_a_number_is_looked_for_once_in_ten_minutes(order_shop: Shop) -> None:
    """Whoever asks meanwhile gets the same run; later, a new one."""
    shop = order_shop
    first = await request_lookup(shop.deps, shop.channel_id, " 1001 ", by="ann")
    again = await request_lookup(shop.deps, shop.channel_id, "1001", by="bob")
    other = await request_lookup(shop.deps, shop.channel_id, "1002", by="bob")
    assert (first.is_new, again.is_new, other.is_new) == (True, False, True)
    assert first.run_id == again.run_id
    assert shop.bell.rings == [(shop.channel_id, Side.ORDERS)] * 3
    async with shop.deps.engine.connect() as conn:
        row = (await runs_by_ids(conn, [first.run_id]))[first.run_id]
    assert (row.lookup, row.operation, row.order_ids) == ("1001", Operation.GET_ORDERS, None)

    await shop.rows("UPDATE runs SET state = 'REPORTED', finished_at = now()")
    same = await request_lookup(shop.deps, shop.channel_id, "1001", by="ann")
    assert same.run_id == first.run_id
    # Afterwards an ordinary run is not taken for the look-up, nor the other way round.
    plain = await request_run(shop.deps, shop.channel_id, RunRequest(Operation.GET_ORDERS), by="me")
    assert plain.is_new
    shop.clock.shift = timedelta(minutes=11)
    later = await request_lookup(shop.deps, shop.channel_id, "1001", by="ann")
    assert later.is_new


async def test_a_platform_without_orders_is_asked_for_none(shop: Shop) -> None:
    """It is refused before anything is queued, as a mapping is."""
    for refused in (
        request_lookup(shop.deps, shop.channel_id, "1001", by="me"),
        set_mapping(shop.deps, shop.channel_id, "ground", "Standard", by="me"),
    ):
        with pytest.raises(CommandError) as raised:
            await refused
        assert codes(raised.value) == [("UNSUPPORTED", ("operation",))]


async def test_a_lookup_that_could_not_run_is_refused(order_shop: Shop) -> None:
    """A bad number, a disabled operation, a paused channel."""
    deps, channel_id = order_shop.deps, order_shop.channel_id
    for number in ("", " ", "1\n2", "9" * 101):
        with pytest.raises(CommandError) as raised:
            await request_lookup(deps, channel_id, number, by="me")
        assert codes(raised.value) == [("INVALID", ("number",))]
    await configure(deps, channel_id, Operation.GET_ORDERS, enabled=False, by="me")
    with pytest.raises(CommandError) as raised:
        await request_lookup(deps, channel_id, "1001", by="me")
    assert codes(raised.value) == [("DISABLED", ("operation",))]
    await pause(deps, channel_id, by="me")
    with pytest.raises(CommandError) as raised:
        await request_lookup(deps, channel_id, "1001", by="me")
    assert codes(raised.value) == [("PAUSED", ("channel_id",))]


async def test_personal_data_is_in_no_log_and_no_row_of_ours(order_shop: Shop) -> None:
    """Only the two columns that retention erases hold what is known of the customer."""
    shop = order_shop
    sold = sell(shop, line("1", "MUG", 2), number="1001")
    with capture_logs() as logs:
        (order_id,) = await take_in(shop, sold)
        await hold(shop.deps, order_id, "wait", by="ann")
        await release(shop.deps, order_id, by="ann")
        await ship(shop.deps, NewShipment(order_id, tracking_number="T"), by="ann")
        await close(shop.deps, order_id, by="ann")
    kept = repr(logs)
    for table in ("shipments", "conditions", "actions", "runs", "order_lines", "deductions"):
        rows = await shop.rows(f"SELECT t::text AS row FROM {table} t")  # noqa: S608
        kept += "".join(row["row"] for row in rows)
    for table in ("orders", "remote_orders"):
        rows = await shop.rows(
            f"SELECT (to_jsonb(t) - 'personal')::text AS row FROM {table} t"  # noqa: S608
        )
        kept += "".join(row["row"] for row in rows)
    assert [word for word in PERSONAL if word in kept] == []


async def test_a_run_can_be_about_some_orders(order_shop: Shop) -> None:
    """Imported or only seen; listings are not for it, nor orders for the others."""
    shop = order_shop
    (order_id,) = await take_in(shop, sell(shop, line("1", "MUG")))
    (remote_id,) = await see(shop, sell(shop, line("1", "CUP")))
    made = await request_run(
        shop.deps,
        shop.channel_id,
        RunRequest(Operation.SYNC_ORDERS, order_ids=[order_id], remote_order_ids=[remote_id]),
        by="me",
    )
    async with shop.deps.engine.connect() as conn:
        row = (await runs_by_ids(conn, [made.run_id]))[made.run_id]
    imported_of = (await order_row(shop, order_id))["remote_order_id"]
    assert row.order_ids == tuple(sorted((imported_of, remote_id)))
    assert (await flags(shop, order_id))[1]

    refused = {
        ("listing_ids",): RunRequest(Operation.GET_ORDERS, listing_ids=[1]),
        ("skus",): RunRequest(Operation.SYNC_ORDERS, skus=["MUG"]),
        ("order_ids",): RunRequest(Operation.SYNC_LISTINGS, order_ids=[order_id]),
        ("remote_order_ids",): RunRequest(Operation.SYNC_LISTINGS, remote_order_ids=[remote_id]),
        ("full",): RunRequest(Operation.GET_ORDERS, full=True, order_ids=[order_id]),
    }
    for path, request in refused.items():
        with pytest.raises(CommandError) as raised:
            await request_run(shop.deps, shop.channel_id, request, by="me")
        assert codes(raised.value) == [("INVALID", path)]
    unknown = RunRequest(Operation.GET_ORDERS, order_ids=[order_id, 99], remote_order_ids=[98])
    with pytest.raises(CommandError) as raised:
        await request_run(shop.deps, shop.channel_id, unknown, by="me")
    assert codes(raised.value) == [
        ("NOT_FOUND", ("order_ids", "1")),
        ("NOT_FOUND", ("remote_order_ids", "0")),
    ]
    nothing = RunRequest(Operation.GET_ORDERS, order_ids=[])
    with pytest.raises(CommandError) as raised:
        await request_run(shop.deps, shop.channel_id, nothing, by="me")
    assert codes(raised.value) == [("INVALID", ("order_ids",))]


async def test_a_release_is_not_undone_by_the_rules(order_shop: Shop) -> None:
    """Deleted there after something had left, and released: the rules hold it no more."""
    shop = order_shop
    (order_id,) = await take_in(shop, sell(shop, line("1", "MUG", 2)))
    (first,) = await line_ids(shop, order_id)
    await ship(shop.deps, _one(order_id, first, 1), by="ann")
    await shop.rows("UPDATE remote_orders SET gone = 'Deleted', gone_at = now()")
    remote_id = (await order_row(shop, order_id))["remote_order_id"]
    held = hold_of(await stored(shop, remote_id))
    assert held is not None
    await shop.rows(
        "UPDATE orders SET hold_code = :code, hold_message = :message",
        code=held.code,
        message=held.message,
    )
    await release(shop.deps, order_id, by="ann")
    assert hold_of(await stored(shop, remote_id)) is None
    assert (await order_row(shop, order_id))["status"] == "CANCELED"


async def test_a_person_may_hold_what_the_rules_hold(order_shop: Shop) -> None:
    """The hold of the rules ends by itself, that of a person does not."""
    shop = order_shop
    (order_id,) = await take_in(shop, sell(shop, line("1", "MUG", 2)))
    await shop.rows("UPDATE orders SET hold_code = 'ChangedAfterShipment', hold_message = 'x'")
    await hold(shop.deps, order_id, "look at it", by="ann")
    row = await order_row(shop, order_id)
    assert (row["hold_code"], row["hold_by"]) == (HELD_BY_PERSON, "ann")
