"""From a channel and its operations to the `OrderContext` that decisions about orders need."""

from collections.abc import Mapping

from reconcile.contract import OrderSupport
from reconcile.core.order_types import OrderContext
from reconcile.core.types import Operation
from reconcile.store.channels import Channel, ChannelOperation
from reconcile.store.templates import effective_template


def support_of(channel: Channel) -> OrderSupport:
    """How the channel's platform handles orders."""
    support = channel.platform.orders
    if support is None:
        raise TypeError(f"{channel.platform.name} declares order operations without their support")
    return support


def order_context(
    channel: Channel, operations: Mapping[Operation, ChannelOperation]
) -> OrderContext:
    """Everything a decision on this channel depends on besides the order."""
    platform = channel.platform
    support = support_of(channel)
    getting = operations[Operation.GET_ORDERS]
    sending = operations.get(Operation.SYNC_ORDERS)
    return OrderContext(
        channel_id=str(channel.id),
        channel_title=channel.name,
        currency=channel.account.currency,
        policy=channel.policy,
        supported=frozenset(platform.actions),
        unsupported=platform.unsupported_actions,
        facets=support.facets,
        filter=support.filter(getting.settings),
        acknowledges=support.acknowledges(getting.settings),
        closes=frozenset() if sending is None else support.closes(sending.settings),
        partial_shipments=support.partial_shipments,
        import_template=effective_template(platform, Operation.GET_ORDERS, getting.template),
        shipment_template=effective_template(
            platform, Operation.SYNC_ORDERS, None if sending is None else sending.template
        ),
    )
