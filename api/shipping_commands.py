"""Mutations of shipping mappings: set one, remove one. Held orders import by themselves then."""

import strawberry

from api.access import MutationPayload, mutation
from api.channels import Channel, channel_by_id
from api.context import Info
from api.ids import Kind, number_of
from api.shipping import ShippingMapping, mapping_by_id
from reconcile.commands import mappings as commands


@strawberry.input
class ShippingMappingSetInput:
    """A shipping text of a channel, and what it means."""

    channel: strawberry.ID
    text: str = strawberry.field(
        description="Exactly as in `shippingTexts`; empty: orders without a shipping method."
    )
    policy: str = strawberry.field(description="Our shipping policy; free, not empty.")


@strawberry.type
class ShippingMappingSetPayload(MutationPayload):
    """The mapping as it is now."""

    mapping: ShippingMapping | None = None


@mutation(
    ShippingMappingSetPayload,
    ShippingMappingSetInput,
    description="Say which shipping policy a shipping text means; held orders with it import by "
    "themselves.",
)
async def shipping_mapping_set(
    info: Info, given: ShippingMappingSetInput
) -> ShippingMappingSetPayload:
    """Set a mapping."""
    context = info.context
    channel_id = number_of(given.channel, Kind.CHANNEL)
    made = await commands.set_mapping(
        context.deps, channel_id, given.text, given.policy, by=context.principal.by
    )
    context.forget()
    return ShippingMappingSetPayload(mapping=await mapping_by_id(context, made))


@strawberry.input
class ShippingMappingRemoveInput:
    """A mapped shipping text of a channel."""

    channel: strawberry.ID
    text: str


@strawberry.type
class ShippingMappingRemovePayload(MutationPayload):
    """The channel whose mapping it was."""

    channel: Channel | None = None


@mutation(
    ShippingMappingRemovePayload,
    ShippingMappingRemoveInput,
    description="Remove a shipping mapping; orders that are imported stay as they are.",
)
async def shipping_mapping_remove(
    info: Info, given: ShippingMappingRemoveInput
) -> ShippingMappingRemovePayload:
    """Remove a mapping."""
    context = info.context
    channel_id = number_of(given.channel, Kind.CHANNEL)
    await commands.remove_mapping(context.deps, channel_id, given.text, by=context.principal.by)
    context.forget()
    return ShippingMappingRemovePayload(channel=await channel_by_id(context, channel_id))


MUTATIONS = (shipping_mapping_set, shipping_mapping_remove)
