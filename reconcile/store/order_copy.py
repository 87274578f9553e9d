"""Our copy of an order: written from what was seen when it is imported, follows, or is released.

In the caller's transaction, which holds the remote orders locked. What left is not written here.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.core.imprinting import imprint
from reconcile.core.mapping import Template
from reconcile.core.order_content import OrderContent, order_content
from reconcile.core.order_filters import shipping_policy
from reconcile.core.order_types import PERSONAL_FIELDS, OurOrderField, SeenOrder
from reconcile.store.channels import Channel
from reconcile.store.seen_orders import line_skus


async def write(
    conn: AsyncConnection, channel: Channel, template: Template, orders: Sequence[SeenOrder]
) -> None:
    """Import what is new, bring the rest up to what was seen; a hold of the rules ends with that.

    `template` is the one of GET_ORDERS in force. One order is imported once, whoever tries.
    """
    if not orders:
        return
    given = [_order_json(channel, template, order) for order in orders]
    await conn.execute(
        text("""
INSERT INTO orders AS o (channel_id, remote_order_id, number, currency, total, payment, ordered_at,
    shipping_text, shipping_key, shipping_policy, is_digital, imprint, missing, personal)
SELECT :channel_id, r.remote_order_id, r.number, r.currency, r.total, r.payment, r.ordered_at,
    r.shipping_text, r.shipping_key, r.shipping_policy, r.is_digital, r.imprint, r.missing,
    r.personal
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(remote_order_id bigint, number text,
    currency text, total numeric, payment text, ordered_at timestamptz, shipping_text text,
    shipping_key text, shipping_policy text, is_digital boolean, imprint jsonb, missing jsonb,
    personal jsonb)
ORDER BY r.remote_order_id
ON CONFLICT (remote_order_id) DO UPDATE SET number = excluded.number, total = excluded.total,
    currency = excluded.currency, payment = excluded.payment,
    shipping_text = excluded.shipping_text,
    -- A mapping that was taken away leaves what was imported with it.
    (shipping_key, shipping_policy) = ROW(
        coalesce(excluded.shipping_key, CASE
            WHEN o.imprint -> 'shipping' = excluded.imprint -> 'shipping' THEN o.shipping_key END),
        coalesce(excluded.shipping_policy, CASE WHEN
            o.imprint -> 'shipping' = excluded.imprint -> 'shipping' THEN o.shipping_policy END)),
    is_digital = excluded.is_digital,
    imprint = excluded.imprint, missing = excluded.missing,
    personal = CASE WHEN o.erased_at IS NULL THEN excluded.personal END,
    hold_code = CASE WHEN o.hold_by IS NOT NULL THEN o.hold_code END,
    hold_message = CASE WHEN o.hold_by IS NOT NULL THEN o.hold_message END,
    held_at = CASE WHEN o.hold_by IS NOT NULL THEN o.held_at END,
    revision = o.revision + 1
"""),
        {"channel_id": channel.id, "rows": orjson.dumps(given).decode()},
    )
    await _write_lines(conn, channel.id, orders)


async def tell(
    conn: AsyncConnection, channel: Channel, template: Template, orders: Sequence[SeenOrder]
) -> None:
    """Of orders that stand as they are, only what never matters to a shipment follows."""
    if not orders:
        return
    given = [_order_json(channel, template, order) for order in orders]
    await conn.execute(
        text("""
UPDATE orders o SET payment = r.payment, total = r.total, personal = CASE
    WHEN o.personal IS NULL OR r.personal -> 'email' IS NULL THEN o.personal
    ELSE o.personal || jsonb_build_object('email', r.personal -> 'email') END
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(remote_order_id bigint, payment text,
    total numeric, personal jsonb)
WHERE o.remote_order_id = r.remote_order_id
"""),
        {"rows": orjson.dumps(given).decode()},
    )


def content_of(channel: Channel, template: Template, order: SeenOrder) -> OrderContent:
    """What the template of GET_ORDERS brings over of an order, and what is missing, with why."""
    support = channel.platform.orders
    fields = {} if support is None else {item.theirs: item.ours for item in support.fields}
    return order_content(order.remote, template, fields, is_erased=order.is_erased)


def _order_json(channel: Channel, template: Template, order: SeenOrder) -> dict[str, Any]:
    remote = order.remote
    content = content_of(channel, template, order)
    mapped = shipping_policy(remote, order.policies)
    key, policy = mapped if mapped is not None else (None, None)
    values = content.values
    personal = {name.value: values[name] for name in PERSONAL_FIELDS if name in values}
    return {
        "remote_order_id": int(order.id),
        "number": remote.number,
        "currency": remote.currency,
        "total": values.get(OurOrderField.TOTAL),
        "payment": values.get(OurOrderField.PAYMENT_STATUS) or "UNKNOWN",
        "ordered_at": remote.created_at,
        "shipping_text": values.get(OurOrderField.SHIPPING_TEXT),
        "shipping_key": key,
        "shipping_policy": policy,
        "is_digital": remote.is_digital,
        "imprint": dict(imprint(remote, order.gone)),
        "missing": [asdict(item) for item in content.missing],
        "personal": None if order.is_erased else personal,
    }


async def _write_lines(conn: AsyncConnection, channel_id: int, orders: Sequence[SeenOrder]) -> None:
    """Lines as seen; one that was removed there stays in sight with all its units canceled."""
    ids = [int(order.id) for order in orders]
    variants = await line_skus(conn, channel_id, ids)
    given = []
    for order in orders:
        linked = variants.get(int(order.id), {})
        for position, line in enumerate(order.remote.lines):
            variant_id, sku = linked.get(line.id, (None, line.sku))
            given.append(
                {
                    "remote_order_id": int(order.id),
                    "remote_line_id": line.id,
                    "position": position,
                    "sku": sku,
                    "title": line.title,
                    "quantity": line.quantity,
                    "canceled": line.canceled,
                    "unit_price": line.unit_price,
                    "total": line.total,
                    "weight": line.weight,
                    "is_digital": line.is_digital,
                    "variant_id": variant_id,
                }
            )
    await conn.execute(
        text("""
WITH given AS (
    SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(remote_order_id bigint,
        remote_line_id text, position integer, sku text, title text, quantity integer,
        canceled integer, unit_price numeric, total numeric, weight jsonb, is_digital boolean,
        variant_id bigint)),
removed AS (
    UPDATE order_lines l SET canceled = l.quantity FROM orders o
    WHERE o.id = l.order_id AND o.remote_order_id = ANY(:ids) AND NOT EXISTS (
        SELECT 1 FROM given g
        WHERE g.remote_order_id = o.remote_order_id AND g.remote_line_id = l.remote_line_id))
INSERT INTO order_lines AS l (order_id, remote_line_id, position, sku, title, quantity, canceled,
    unit_price, total, weight, is_digital, variant_id)
SELECT o.id, g.remote_line_id, g.position, g.sku, g.title, g.quantity, g.canceled, g.unit_price,
    g.total, g.weight, g.is_digital, g.variant_id
FROM given g JOIN orders o ON o.remote_order_id = g.remote_order_id
ORDER BY o.id, g.position
ON CONFLICT (order_id, remote_line_id) DO UPDATE SET position = excluded.position,
    sku = coalesce(excluded.sku, l.sku), title = excluded.title, quantity = excluded.quantity,
    canceled = excluded.canceled, unit_price = excluded.unit_price, total = excluded.total,
    weight = excluded.weight, is_digital = excluded.is_digital,
    variant_id = coalesce(excluded.variant_id, l.variant_id)
"""),
        {"ids": ids, "rows": orjson.dumps(given).decode()},
    )
