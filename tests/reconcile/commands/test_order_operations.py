"""Settings and templates of the order operations, retention, and the removal of a channel."""

import pytest

from reconcile.commands.channels import ChannelEdit, edit, remove
from reconcile.commands.errors import CommandError
from reconcile.commands.operations import configure, template_problems, template_reset, template_set
from reconcile.commands.orders import NewShipment, close, ship
from reconcile.commands.runs import RunRequest, cancel, request_run
from reconcile.core.mapping import MappingRule, Template
from reconcile.core.types import Operation, Side, WritePolicy
from tests.order_double import line
from tests.reconcile.commands.order_shop import changes, flags, order_row, see, sell, take_in
from tests.reconcile.commands.shop import Shop, codes

pytestmark = pytest.mark.anyio

GET, SYNC = Operation.GET_ORDERS, Operation.SYNC_ORDERS


async def marked(shop: Shop, flag: str) -> set[int]:
    """The seen orders with that flag."""
    rows = await shop.rows(f"SELECT id FROM remote_orders WHERE {flag}")  # noqa: S608
    return {row["id"] for row in rows}


async def settled(shop: Shop) -> None:
    """Runs have consumed all flags, and are over."""
    await shop.rows("UPDATE remote_orders SET decide = false, fulfill = false")
    await shop.rows("UPDATE runs SET state = 'REPORTED', finished_at = now(), started_at = now()")


async def test_another_filter_decides_again_what_was_left_out(order_shop: Shop) -> None:
    """Imported orders are not asked again; the run asks the channel for nothing."""
    shop = order_shop
    (pending,) = await see(shop, sell(shop, line("1", "MUG"), status="pending"))
    await take_in(shop, sell(shop, line("1", "MUG")))
    await settled(shop)
    before = (await shop.channel()).revision
    await configure(shop.deps, shop.channel_id, GET, settings={"statuses": "open,pending"}, by="me")
    assert await marked(shop, "decide") == {pending}
    assert await changes(shop) == [("GET_ORDERS", [])]
    assert (await shop.channel()).revision == before + 1
    assert (shop.channel_id, Side.ORDERS) in shop.bell.rings

    await settled(shop)
    await configure(shop.deps, shop.channel_id, GET, settings={"statuses": "open,pending"}, by="me")
    assert await marked(shop, "decide") == set()


async def test_marking_imported_orders_can_be_switched_on(order_shop: Shop) -> None:
    """Orders under way are acknowledged then; finished ones are left alone."""
    shop = order_shop
    under_way, closed = await take_in(
        shop, sell(shop, line("1", "MUG")), sell(shop, line("1", "MUG"))
    )
    await close(shop.deps, closed, by="me")
    await settled(shop)
    await configure(shop.deps, shop.channel_id, GET, settings={"mark": True}, by="me")
    assert await flags(shop, under_way) == (True, False)
    assert await flags(shop, closed) == (False, False)


async def test_what_is_unsent_is_planned_again(order_shop: Shop) -> None:
    """Settings, template and policy of sending; orders of which nothing is to be sent stay."""
    shop = order_shop
    waiting, untouched, done = await take_in(
        shop, *(sell(shop, line("1", "MUG")) for _ in range(3))
    )
    await ship(shop.deps, NewShipment(waiting, tracking_number="T"), by="me")
    await ship(shop.deps, NewShipment(done, tracking_number="T"), by="me")
    await shop.rows("UPDATE shipments SET state = 'PUSHED' WHERE order_id = :id;", id=done)
    await shop.rows("UPDATE orders SET closed_there_at = now() WHERE id = :id", id=done)

    async def planned() -> list[bool]:
        found = [(await flags(shop, order))[1] for order in (waiting, untouched, done)]
        await settled(shop)
        return found

    await planned()
    await shop.rows("DELETE FROM runs WHERE operation = 'SYNC_ORDERS'")
    await configure(shop.deps, shop.channel_id, SYNC, settings={"complete": True}, by="me")
    assert await changes(shop) == [("SYNC_ORDERS", [])]
    assert await planned() == [True, False, False]
    template = Template((MappingRule("tracking_number", "their_tracking_number"),))
    await template_set(shop.deps, shop.channel_id, SYNC, template, by="me")
    assert await planned() == [True, False, False]
    await template_reset(shop.deps, shop.channel_id, SYNC, by="me")
    assert await planned() == [True, False, False]
    await edit(shop.deps, shop.channel_id, ChannelEdit(policy=WritePolicy.OBSERVE), by="me")
    assert await planned() == [True, False, False]
    await template_set(shop.deps, shop.channel_id, GET, Template(), by="me")
    decided = [(await flags(shop, order))[0] for order in (waiting, untouched, done)]
    assert decided == [False, True, False]
    assert await planned() == [False, False, False]


async def test_what_failed_is_tried_with_other_settings(order_shop: Shop) -> None:
    """A permanent failure of sending was bound to settings that no longer hold."""
    shop = order_shop
    await shop.rows(
        "INSERT INTO failures (channel_id, object_id, action, write_group, input_hash, reason,"
        " message) SELECT :c, 'shipment:1', kind, 'g', 'h', 'bad', 'x'"
        " FROM unnest(ARRAY['FULFILL', 'CLOSE', 'ACKNOWLEDGE', 'SYNC']) AS kind",
        c=shop.channel_id,
    )
    await configure(shop.deps, shop.channel_id, SYNC, settings={"complete": True}, by="me")
    left = {row["action"] for row in await shop.rows("SELECT action FROM failures")}
    assert left == {"ACKNOWLEDGE", "SYNC"}
    await configure(shop.deps, shop.channel_id, GET, settings={"mark": True}, by="me")
    assert {row["action"] for row in await shop.rows("SELECT action FROM failures")} == {"SYNC"}


async def test_templates_of_orders_know_their_fields(order_shop: Shop) -> None:
    """An import takes their fields to ours, sending takes ours to theirs; others are named."""
    shop = order_shop
    good = Template((MappingRule("their_email", "email"),))
    assert await template_problems(shop.deps, shop.channel_id, GET, good) == ()
    wrong = Template((MappingRule("their_shoe_size", "email"), MappingRule("title", "title")))
    for operation in (GET, SYNC):
        problems = await template_problems(shop.deps, shop.channel_id, operation, wrong)
        assert problems
        assert {(item.code, item.path[0]) for item in problems} == {("INVALID", "rules")}
        with pytest.raises(CommandError):
            await template_set(shop.deps, shop.channel_id, operation, wrong, by="me")


async def test_personal_data_is_kept_or_erased_after_a_span(order_shop: Shop) -> None:
    """30, 60 or 90 days, or kept; plans stay as they are."""
    shop = order_shop
    before = await shop.channel()
    assert before.retention_days is None
    for days in (30, 60, 90, None):
        await edit(shop.deps, shop.channel_id, ChannelEdit(retention_days=days), by="me")
        assert (await shop.channel()).retention_days == days
    assert (await shop.channel()).revision == before.revision
    for days in (0, 31, -30):
        with pytest.raises(CommandError, match="30, 60, 90") as raised:
            await edit(shop.deps, shop.channel_id, ChannelEdit(retention_days=days), by="me")
        assert codes(raised.value) == [("INVALID", ("retention_days",))]


async def test_a_removed_channel_holds_nothing_back(order_shop: Shop) -> None:
    """What its open orders took off stock is for sale on the other channels."""
    shop = order_shop
    (order_id,) = await take_in(shop, sell(shop, line("1", "MUG", 2)))
    await remove(shop.deps, shop.channel_id, by="me")
    assert await shop.rows("SELECT 1 FROM deductions") == []
    assert (await order_row(shop, order_id))["number"]


async def test_a_canceled_run_gives_its_orders_back(order_shop: Shop) -> None:
    """What it had planned and did not do is decided again by the next one."""
    shop = order_shop
    (remote_id,) = await see(shop, sell(shop, line("1", "MUG")))
    await settled(shop)
    run = await request_run(shop.deps, shop.channel_id, RunRequest(GET, plan_only=True), by="me")
    await shop.rows(
        """
INSERT INTO actions (channel_id, run_id, kind, object_id, write_group, order_id, key, input_hash,
    lane, state, reason, message)
VALUES (:c, :r, 'IMPORT_ORDER', 'order:1', 'order', :o, 'k', 'h', 0, 'PLANNED', 'NewOrder', 'x')
""",
        c=shop.channel_id,
        r=run.run_id,
        o=remote_id,
    )
    await shop.rows("UPDATE runs SET state = 'PLANNED'")
    await cancel(shop.deps, run.run_id, by="me")
    assert await marked(shop, "decide") == {remote_id}
