"""Shipping mappings: exact texts, the empty one, and the orders that were held for one."""

import pytest

from reconcile.commands.errors import CommandError
from reconcile.commands.mappings import remove_mapping, set_mapping
from reconcile.commands.operations import configure
from reconcile.core.remote_order_types import ShippingText
from reconcile.core.types import Operation, Side
from reconcile.store.shipping import (
    TextFilter,
    list_mappings,
    list_texts,
    mappings_by_ids,
    texts_by_ids,
)
from tests.order_double import line
from tests.reconcile.commands.order_shop import changes, see, sell, stored, take_in
from tests.reconcile.commands.shop import Shop, codes

pytestmark = pytest.mark.anyio


async def held(shop: Shop, *remote_order_ids: int) -> None:
    """A run left these orders for want of a mapping."""
    await shop.rows(
        "UPDATE remote_orders SET decide = false, verdict = 'HELD', reason = 'UnmappedShipping'"
        " WHERE id = ANY(:ids)",
        ids=list(remote_order_ids),
    )


async def to_decide(shop: Shop) -> set[int]:
    """The seen orders that GET_ORDERS is to decide."""
    return {row["id"] for row in await shop.rows("SELECT id FROM remote_orders WHERE decide")}


async def test_a_mapping_lets_held_orders_in(order_shop: Shop) -> None:
    """Those with exactly that text are decided again at once, without asking the channel."""
    shop = order_shop
    ground, express = await see(
        shop,
        sell(shop, line("1", "MUG")),
        sell(shop, line("1", "MUG"), shipping=(ShippingText(("express:2", "express")),)),
    )
    await take_in(shop, imported := sell(shop, line("1", "MUG")))
    await shop.rows("UPDATE orders SET shipping_policy = 'Standard'")
    await held(shop, ground, express)

    mapping_id = await set_mapping(shop.deps, shop.channel_id, "ground", " Standard ", by="ann")
    assert await to_decide(shop) == {ground}
    assert await changes(shop) == [("GET_ORDERS", [])]
    assert shop.bell.rings == [(shop.channel_id, Side.ORDERS)]
    assert (await stored(shop, ground)).policies == {"ground": "Standard"}
    async with shop.deps.engine.connect() as conn:
        row = (await mappings_by_ids(conn, [mapping_id]))[mapping_id]
    assert (row.text, row.policy, row.updated_by) == ("ground", "Standard", "ann")
    assert imported.number

    # The specific key and the general one are texts of their own; case counts.
    await set_mapping(shop.deps, shop.channel_id, "Express", "Fast", by="ann")
    assert await to_decide(shop) == {ground}
    await set_mapping(shop.deps, shop.channel_id, "express:2", "Fast", by="ann")
    assert await to_decide(shop) == {ground, express}


async def test_the_same_mapping_again_changes_nothing(order_shop: Shop) -> None:
    """Another policy does; the mapping stays the same one."""
    shop = order_shop
    (order_id,) = await see(shop, sell(shop, line("1", "MUG")))
    first = await set_mapping(shop.deps, shop.channel_id, "ground", "Standard", by="ann")
    await held(shop, order_id)
    shop.bell.rings.clear()
    assert await set_mapping(shop.deps, shop.channel_id, "ground", "Standard", by="bob") == first
    assert (await to_decide(shop), shop.bell.rings) == (set(), [])
    assert await set_mapping(shop.deps, shop.channel_id, "ground", "Parcel", by="bob") == first
    assert await to_decide(shop) == {order_id}
    assert len(await changes(shop)) == 1


async def test_the_empty_text_can_be_mapped(order_shop: Shop) -> None:
    """An order that names no method is looked up by it."""
    shop = order_shop
    (order_id,) = await see(shop, sell(shop, line("1", "MUG"), shipping=()))
    await held(shop, order_id)
    await set_mapping(shop.deps, shop.channel_id, "", "Standard", by="ann")
    assert await to_decide(shop) == {order_id}
    assert (await stored(shop, order_id)).policies == {"": "Standard"}
    await remove_mapping(shop.deps, shop.channel_id, "", by="ann")
    assert (await stored(shop, order_id)).policies == {}


async def test_a_removed_mapping_is_gone_once(order_shop: Shop) -> None:
    """Orders that are not imported are decided without it; the second time it is not there."""
    shop = order_shop
    (order_id,) = await see(shop, sell(shop, line("1", "MUG")))
    await set_mapping(shop.deps, shop.channel_id, "ground", "Standard", by="ann")
    await held(shop, order_id)
    await remove_mapping(shop.deps, shop.channel_id, "ground", by="ann")
    assert await to_decide(shop) == {order_id}
    for text in ("ground", ""):
        with pytest.raises(CommandError) as raised:
            await remove_mapping(shop.deps, shop.channel_id, text, by="ann")
        assert codes(raised.value) == [("NOT_FOUND", ("text",))]


async def test_bad_mappings_are_refused(order_shop: Shop) -> None:
    """No policy, texts that cannot be stored, unknown channels."""
    deps, channel_id = order_shop.deps, order_shop.channel_id
    for policy in ("", "  ", "a\nb", "p" * 201):
        with pytest.raises(CommandError) as raised:
            await set_mapping(deps, channel_id, "ground", policy, by="ann")
        assert codes(raised.value) == [("INVALID", ("policy",))]
    with pytest.raises(CommandError) as raised:
        await set_mapping(deps, channel_id, "a\x00b", "", by="ann")
    assert codes(raised.value) == [("INVALID", ("text",)), ("INVALID", ("policy",))]
    with pytest.raises(CommandError) as raised:
        await set_mapping(deps, 4711, "ground", "Standard", by="ann")
    assert codes(raised.value) == [("NOT_FOUND", ("channel_id",))]


async def test_a_paused_import_finds_the_mapping_later(order_shop: Shop) -> None:
    """The orders are marked; no run is queued that could not start."""
    shop = order_shop
    (order_id,) = await see(shop, sell(shop, line("1", "MUG")))
    await held(shop, order_id)
    await configure(shop.deps, shop.channel_id, Operation.GET_ORDERS, paused=True, by="me")
    await set_mapping(shop.deps, shop.channel_id, "ground", "Standard", by="ann")
    assert await to_decide(shop) == {order_id}
    assert await changes(shop) == []


async def test_texts_that_were_seen_tell_what_waits_for_them(order_shop: Shop) -> None:
    """Mapped or not, with the number of orders that are held."""
    shop = order_shop
    express = ShippingText(("express:2", "express"), "Express, by noon")
    first, second = await see(
        shop,
        sell(shop, line("1", "MUG"), shipping=(express,)),
        sell(shop, line("1", "MUG"), shipping=()),
    )
    await held(shop, first, second)
    await set_mapping(shop.deps, shop.channel_id, "", "Standard", by="ann")
    async with shop.deps.engine.connect() as conn:
        page = await list_texts(conn, TextFilter(shop.channel_id), None, 10)
        unmapped = await list_texts(conn, TextFilter(is_mapped=False), None, 1)
        rest = await list_texts(conn, TextFilter(is_mapped=False), unmapped.rows[0].id, 5)
        mapped = await list_texts(conn, TextFilter(is_mapped=True), None, 5)
        again = await texts_by_ids(conn, [row.id for row in page.rows])
        mappings = await list_mappings(conn, None, None, 5)
        of_channel = await list_mappings(conn, shop.channel_id, None, 5)
    found = {row.text: (row.title, row.policy, row.held_orders) for row in page.rows}
    assert found == {
        "express:2": ("Express, by noon", None, 1),
        "express": ("Express, by noon", None, 1),
        "": ("", "Standard", 1),
    }
    assert unmapped.has_next
    assert {row.text for row in (*unmapped.rows, *rest.rows)} == {"express:2", "express"}
    assert [row.text for row in mapped.rows] == [""]
    assert again == {row.id: row for row in page.rows}
    assert [row.policy for row in mappings.rows] == ["Standard"]
    assert mappings == of_channel
