"""The GraphQL schema, put together from the nouns and from the platforms handed in.

Building it reads no database; only resolvers do.
"""

from collections.abc import Mapping

import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig
from strawberry.tools import create_type
from strawberry.types import ExecutionContext
from strawberry.types.field import StrawberryField

import api.enums  # noqa: F401 - makes GraphQL enums of the core's vocabularies
from api.actions import Action, actions
from api.attempts import Attempt, attempts
from api.channel_commands import channel_mutations
from api.channels import Channel, channel, channels
from api.conditions import conditions
from api.context import Info
from api.fields import resolver
from api.imports import MUTATIONS as IMPORT_MUTATIONS
from api.imports import Import, imports
from api.inputs import platform_inputs
from api.item_commands import MUTATIONS as ITEM_MUTATIONS
from api.items import Item, item, items
from api.limits import Limits, LimitsExtension
from api.listing_commands import MUTATIONS as LISTING_MUTATIONS
from api.listings import Listing, listing, listings
from api.lookup import node
from api.masking import process_errors
from api.operation_commands import operation_mutations
from api.order_commands import MUTATIONS as ORDER_MUTATIONS
from api.order_explain import order_explain
from api.orders import Order, order, orders
from api.platforms import Platform, platforms_of
from api.quantities import item_explain
from api.remote_orders import RemoteOrder, order_counts, remote_orders
from api.remotes import RemoteVariant, remote_variants
from api.run_commands import MUTATIONS as RUN_MUTATIONS
from api.runs import Run, run, runs
from api.shipments import OrderLine, Shipment
from api.shipping import ShippingMapping, ShippingText, shipping_mappings, shipping_texts
from api.shipping_commands import MUTATIONS as SHIPPING_MUTATIONS
from api.status import status
from api.tokens import MUTATIONS as TOKEN_MUTATIONS
from api.tokens import Token, tokens, viewer
from api.variant_commands import MUTATIONS as VARIANT_MUTATIONS
from api.variants import ListingVariant, variant
from reconcile.contract import Platform as PlatformRecord


@resolver(description="The platforms a channel can be connected to.")
def platforms(info: Info) -> list[Platform]:
    """Every platform of the registry."""
    return platforms_of(info.context.deps.platforms)


@resolver(description="One platform, by name.")
def platform(info: Info, name: str) -> Platform | None:
    """The platform, or null."""
    record = info.context.deps.platforms.get(name)
    return None if record is None else Platform.from_record(record)


QUERIES: tuple[StrawberryField, ...] = (
    node,
    viewer,
    status,
    platforms,
    platform,
    channels,
    channel,
    listings,
    listing,
    variant,
    remote_variants,
    items,
    item,
    item_explain,
    orders,
    order,
    remote_orders,
    order_counts,
    order_explain,
    shipping_mappings,
    shipping_texts,
    runs,
    run,
    actions,
    attempts,
    conditions,
    imports,
    tokens,
)

NODES = (
    Action,
    Attempt,
    Channel,
    Import,
    Item,
    Listing,
    ListingVariant,
    Order,
    OrderLine,
    RemoteOrder,
    RemoteVariant,
    Run,
    Shipment,
    ShippingMapping,
    ShippingText,
    Token,
)


class Schema(strawberry.Schema):
    """The schema; errors of an operation go to the log without anything of the request in them."""

    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        """Mask and log faults of ours; the library's own logger would write the query."""
        process_errors(errors, execution_context)


def build_schema(
    registered: Mapping[str, PlatformRecord], limits: Limits | None = None
) -> strawberry.Schema:
    """The schema for these platforms."""
    inputs = platform_inputs(registered)
    mutations = (
        *channel_mutations(inputs),
        *operation_mutations(inputs),
        *RUN_MUTATIONS,
        *LISTING_MUTATIONS,
        *VARIANT_MUTATIONS,
        *ITEM_MUTATIONS,
        *ORDER_MUTATIONS,
        *SHIPPING_MUTATIONS,
        *IMPORT_MUTATIONS,
        *TOKEN_MUTATIONS,
    )
    return Schema(
        query=create_type("Query", list(QUERIES)),
        mutation=create_type("Mutation", list(mutations)),
        types=NODES,
        extensions=[
            lambda: LimitsExtension(limits or Limits()),
        ],
        config=StrawberryConfig(auto_camel_case=True),
    )
