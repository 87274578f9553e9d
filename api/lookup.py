"""`node(id:)`: any object by its opaque id."""

from typing import assert_never

import strawberry

from api.actions import Action
from api.attempts import Attempt
from api.channels import channel_by_id
from api.context import Context, Info
from api.fields import resolver
from api.ids import Kind, decode
from api.imports import import_by_id
from api.items import item_by_id
from api.listings import listing_by_id
from api.nodes import Node
from api.orders import order_by_id
from api.remote_orders import remote_order_by_id
from api.remotes import RemoteVariant
from api.runs import run_by_id
from api.shipments import line_by_id, shipment_by_id
from api.shipping import mapping_by_id, text_by_id
from api.tokens import token_by_id
from api.variants import variant_by_id
from reconcile.store.attempts import attempts_by_ids


@resolver(description="Any object by its id; null where it is no more.")
async def node(
    info: Info,
    id: strawberry.ID,  # noqa: A002 - its name in GraphQL
) -> Node | None:
    """The object, or null."""
    kind, number = decode(id)
    return await _node(info.context, kind, number)


async def _node(  # noqa: C901, PLR0912 - one line per kind, nothing nested
    context: Context, kind: Kind, number: int
) -> Node | None:
    match kind:
        case Kind.ACTION:
            action = await context.load.action.load(number)
            return None if action is None else Action.from_row(action)
        case Kind.ATTEMPT:
            found = await context.reads(attempts_by_ids, [number])
            return Attempt.from_row(found[number]) if number in found else None
        case Kind.CHANNEL:
            return await channel_by_id(context, number)
        case Kind.IMPORT:
            return await import_by_id(context, number)
        case Kind.ITEM:
            return await item_by_id(context, number)
        case Kind.LISTING:
            return await listing_by_id(context, number)
        case Kind.ORDER:
            return await order_by_id(context, number)
        case Kind.ORDER_LINE:
            return await line_by_id(context, number)
        case Kind.REMOTE_ORDER:
            return await remote_order_by_id(context, number)
        case Kind.REMOTE_VARIANT:
            remote = await context.load.remote.load(number)
            return None if remote is None else RemoteVariant.from_row(remote)
        case Kind.RUN:
            return await run_by_id(context, number)
        case Kind.SHIPMENT:
            return await shipment_by_id(context, number)
        case Kind.SHIPPING_MAPPING:
            return await mapping_by_id(context, number)
        case Kind.SHIPPING_TEXT:
            return await text_by_id(context, number)
        case Kind.TOKEN:
            return await token_by_id(context, number)
        case Kind.VARIANT:
            return await variant_by_id(context, number)
    assert_never(kind)
