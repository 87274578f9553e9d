"""Reading remote orders with everything a decision about them needs, many at once.

A constant number of statements for any number of orders.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.core.order_types import (
    Hold,
    ImportedOrder,
    OrderLine,
    OrderStatus,
    SeenOrder,
    Shipment,
    ShipmentOrigin,
    ShipmentState,
)
from reconcile.core.types import Failure
from reconcile.store.order_codec import remote_order

_BUSY = "state IN ('DUE', 'SENDING', 'RETRYING', 'UNKNOWN')"


async def load_seen(
    conn: AsyncConnection, channel_id: int, ids: Sequence[int], *, lock: bool = False
) -> list[SeenOrder]:
    """The remote orders of these ids (`remote_orders.id`) in id order.

    With `lock`, nobody else changes them before the transaction ends.
    """
    given: Mapping[str, Any] = {"channel_id": channel_id, "ids": list(ids)}
    if lock:
        # Locked first and read by a statement of its own, so that it sees what was waited for.
        await conn.execute(
            text("""
SELECT id FROM remote_orders WHERE channel_id = :channel_id AND id = ANY(:ids)
ORDER BY id FOR UPDATE
"""),
            given,
        )
    rows = await _rows(
        conn,
        """
SELECT * FROM remote_orders WHERE channel_id = :channel_id AND id = ANY(:ids) ORDER BY id
""",
        given,
    )
    policies = {
        row["text"]: row["policy"]
        for row in await _rows(
            conn,
            """
SELECT m.text, m.policy FROM shipping_mappings m
WHERE m.channel_id = :channel_id AND m.text = ANY(:keys)
""",
            {
                "channel_id": channel_id,
                "keys": sorted({key for row in rows for key in row["shipping_keys"]}),
            },
        )
    }
    skus = await line_skus(conn, channel_id, ids)
    imported = await _imported(conn, given, skus)
    busy, failures = await _activity(conn, channel_id, [f"order:{row['id']}" for row in rows])
    return [
        SeenOrder(
            id=str(row["id"]),
            remote=remote_order(row),
            first_seen_at=row["first_seen_at"],
            gone=row["gone"],
            is_erased=row["erased_at"] is not None,
            unreadable=row["unreadable"] or "",
            policies={key: policies[key] for key in row["shipping_keys"] if key in policies},
            skus={line: sku for line, (_, sku) in skus[row["id"]].items()},
            imported=imported.get(row["id"]),
            busy=busy[f"order:{row['id']}"],
            failures=tuple(failures[f"order:{row['id']}"]),
            revision=row["revision"],
        )
        for row in rows
    ]


async def line_skus(
    conn: AsyncConnection, channel_id: int, ids: Sequence[int]
) -> Mapping[int, Mapping[str, tuple[int, str]]]:
    """Remote order id → line id → (listing variant, its SKU), where the line is of one (A18).

    By the linked remote variant, broken links included (the product may be gone by now); else by a
    SKU that equals one of ours on this channel: the line's own or, where it has none (stores forget
    the SKU of what was deleted since, by us too), the one its product was last seen with.
    """
    rows = await _rows(
        conn,
        """
SELECT o.id, l.item ->> 'id' AS line_id, v.id AS variant_id, v.sku
FROM remote_orders o
CROSS JOIN LATERAL jsonb_array_elements(o.lines) AS l(item)
CROSS JOIN LATERAL (
    SELECT c.id, c.sku FROM (
        SELECT v.id, v.sku, CASE v.link_state WHEN 'LINKED' THEN 0 ELSE 1 END AS rank
        FROM remote_variants r JOIN listing_variants v ON v.remote_variant_id = r.id
        WHERE r.channel_id = :channel_id AND r.parent = l.item ->> 'parent'
          AND r.variant = coalesce(l.item ->> 'variant', '')
          AND v.link_state IN ('LINKED', 'BROKEN')
        UNION ALL
        SELECT v.id, v.sku, 2 FROM listing_variants v
        WHERE v.channel_id = :channel_id AND v.sku = l.item ->> 'sku'
        UNION ALL
        SELECT v.id, v.sku, 3 FROM remote_variants r
        JOIN listing_variants v ON v.channel_id = r.channel_id AND v.sku = r.sku
        WHERE r.channel_id = :channel_id AND r.parent = l.item ->> 'parent'
          AND r.variant = coalesce(l.item ->> 'variant', '')
          AND btrim(coalesce(l.item ->> 'sku', '')) = '') AS c
    ORDER BY c.rank, c.id LIMIT 1) AS v
WHERE o.channel_id = :channel_id AND o.id = ANY(:ids)
""",
        {"channel_id": channel_id, "ids": list(ids)},
    )
    found: dict[int, dict[str, tuple[int, str]]] = defaultdict(dict)
    for row in rows:
        found[row["id"]][row["line_id"]] = (row["variant_id"], row["sku"])
    return found


async def _imported(
    conn: AsyncConnection,
    given: Mapping[str, Any],
    skus: Mapping[int, Mapping[str, tuple[int, str]]],
) -> dict[int, ImportedOrder]:
    orders = await _rows(
        conn,
        """
SELECT * FROM orders WHERE channel_id = :channel_id AND remote_order_id = ANY(:ids)
""",
        given,
    )
    if not orders:
        return {}
    order_ids = {"ids": [row["id"] for row in orders]}
    lines: dict[int, list[RowMapping]] = defaultdict(list)
    for row in await _rows(
        conn,
        "SELECT * FROM order_lines WHERE order_id = ANY(:ids) ORDER BY order_id, position, id",
        order_ids,
    ):
        lines[row["order_id"]].append(row)
    shipments: dict[int, list[RowMapping]] = defaultdict(list)
    for row in await _rows(
        conn,
        """
SELECT s.*, (
    SELECT coalesce(jsonb_object_agg(l.remote_line_id, p.quantity), '{}')
    FROM shipment_lines p JOIN order_lines l ON l.id = p.order_line_id
    WHERE p.shipment_id = s.id) AS units
FROM shipments s WHERE s.order_id = ANY(:ids) ORDER BY s.order_id, s.id
""",
        order_ids,
    ):
        shipments[row["order_id"]].append(row)
    names = [f"shipment:{row['id']}" for items in shipments.values() for row in items]
    busy, failures = await _activity(conn, given["channel_id"], names)
    return {
        row["remote_order_id"]: ImportedOrder(
            id=str(row["id"]),
            status=OrderStatus(row["status"]),
            lines=tuple(
                _line(item, skus.get(row["remote_order_id"], {})) for item in lines[row["id"]]
            ),
            imprint=row["imprint"],
            shipments=tuple(
                _shipment(item, busy[f"shipment:{item['id']}"], failures[f"shipment:{item['id']}"])
                for item in shipments[row["id"]]
            ),
            hold=None
            if row["hold_code"] is None
            else Hold(row["hold_code"], row["hold_message"] or "", row["hold_by"]),
            is_acknowledged=row["acknowledged_at"] is not None,
            is_closed_there=row["closed_there_at"] is not None,
        )
        for row in orders
    }


def _line(row: RowMapping, skus: Mapping[str, tuple[int, str]]) -> OrderLine:
    variant_id, sku = skus.get(row["remote_line_id"], (row["variant_id"], row["sku"]))
    return OrderLine(
        id=str(row["id"]),
        remote_id=row["remote_line_id"],
        sku=sku,
        title=row["title"],
        quantity=row["quantity"],
        canceled=row["canceled"],
        is_digital=row["is_digital"],
        variant_id=None if variant_id is None else str(variant_id),
    )


def _shipment(row: RowMapping, busy: Mapping[str, str], failures: Sequence[Failure]) -> Shipment:
    return Shipment(
        id=str(row["id"]),
        origin=ShipmentOrigin(row["origin"]),
        state=ShipmentState(row["state"]),
        lines=row["units"],
        shipped_at=row["shipped_at"],
        tracking_number=row["tracking_number"],
        carrier=row["carrier"],
        service=row["service"],
        tracking_url=row["tracking_url"],
        notify_customer=row["notify_customer"],
        remote_ids=tuple(row["remote_ids"]),
        busy=next(iter(busy.values()), None),
        failures=tuple(failures),
    )


async def _activity(
    conn: AsyncConnection, channel_id: int, names: Sequence[str]
) -> tuple[Mapping[str, Mapping[str, str]], Mapping[str, Sequence[Failure]]]:
    """Object id → write group → state of an unfinished action, and → what failed for good."""
    busy: dict[str, dict[str, str]] = defaultdict(dict)
    failures: dict[str, list[Failure]] = defaultdict(list)
    if not names:
        return busy, failures
    given = {"channel_id": channel_id, "names": list(names)}
    for row in await _rows(
        conn,
        f"""
SELECT object_id, write_group, state FROM actions
WHERE channel_id = :channel_id AND object_id = ANY(:names) AND {_BUSY}
""",  # noqa: S608 - a constant of this module
        given,
    ):
        busy[row["object_id"]][row["write_group"]] = row["state"]
    for row in await _rows(
        conn, "SELECT * FROM failures WHERE object_id = ANY(:names) ORDER BY action", given
    ):
        failures[row["object_id"]].append(
            Failure(row["action"], row["input_hash"], row["reason"], row["message"])
        )
    return busy, failures


async def _rows(
    conn: AsyncConnection, statement: str, values: Mapping[str, Any]
) -> Sequence[RowMapping]:
    return (await conn.execute(text(statement), dict(values))).mappings().all()
