"""From a channel and a run to the `PlanContext` that planning needs, and the lanes of actions."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from reconcile.contract import Identifier
from reconcile.core.actions import Action, ActionKind
from reconcile.core.context import ImportMode, PlanContext, PresenceRule
from reconcile.core.guard import GuardLimits
from reconcile.core.types import FieldGroup, FieldRole, Operation
from reconcile.store.channels import Channel, ChannelOperation

LANE_FULFILLMENT, LANE_QUANTITY, LANE_PRICE, LANE_CONTENT = range(4)


def _title(identifiers: tuple[Identifier, ...], name: str) -> str:
    return next((item.title for item in identifiers if item.name == name), name)


def plan_context(
    channel: Channel, operation: ChannelOperation, *, is_full: bool, scheduled: bool
) -> PlanContext:
    """Everything a decision on this channel depends on besides the listing."""
    platform = channel.platform
    sync = [field for field in platform.fields if field.group is FieldGroup.SYNC]
    settings = operation.settings
    return PlanContext(
        channel_id=str(channel.id),
        operation=operation.operation,
        policy=channel.policy,
        supported=frozenset(platform.actions),
        unsupported=platform.unsupported_actions,
        write_groups={field.name: field.write_group for field in sync},
        price_fields=frozenset(field.name for field in sync if field.role is FieldRole.PRICE),
        quantity_fields=frozenset(field.name for field in sync if field.role is FieldRole.QUANTITY),
        presence={
            presence: PresenceRule(form.write_group, form.overwrites, form.is_readable)
            for presence, form in platform.presence.items()
        },
        is_full=is_full,
        mirror_complete=channel.mirror_complete_at is not None,
        ours_title=_title(platform.our_identifiers, channel.our_identifier),
        theirs_title=_title(platform.their_identifiers, channel.their_identifier),
        their_identifier=channel.their_identifier,
        channel_title=channel.name,
        import_mode=_import_mode(settings),
        overwrite_enabled=bool(getattr(settings, "overwrite", False)),
        scheduled=scheduled,
    )


def _import_mode(settings: object) -> ImportMode:
    """Import settings name their mode `create` or `create_and_overwrite` on every platform."""
    mode = str(getattr(settings, "mode", "create"))
    return ImportMode.OVERWRITE if mode.endswith("overwrite") else ImportMode.CREATE


def compared_fields(channel: Channel, operation: Operation) -> frozenset[str]:
    """The channel fields an operation compares: what is withheld of others is not its business."""
    groups = {FieldGroup.SYNC}
    if operation is Operation.PUBLISH_LISTINGS:
        groups.add(FieldGroup.CONTENT)
    return frozenset(field.name for field in channel.platform.fields if field.group in groups)


def lane_of(channel: Channel, action: Action) -> int:
    """Which lane an action travels in: fulfillment before quantity before price before content."""
    match action.kind:
        case ActionKind.FULFILL | ActionKind.CLOSE | ActionKind.ACKNOWLEDGE:
            return LANE_FULFILLMENT
        case ActionKind.HIDE | ActionKind.UNHIDE | ActionKind.DELIST:
            return LANE_QUANTITY
        case ActionKind.SYNC:
            fields = (channel.platform.channel_field(change.field) for change in action.changes)
            if any(field and field.role is FieldRole.QUANTITY for field in fields):
                return LANE_QUANTITY
            return LANE_PRICE
        case _:
            return LANE_CONTENT


def guard_limits(stored: Mapping[str, Any]) -> GuardLimits:
    """The channel's limits; what it does not state is the default."""
    default = GuardLimits()
    stated = {name: value for name, value in stored.items() if value is not None}
    return GuardLimits(
        # Zero is a limit: "ask me always".
        count=int(stated.get("count", default.count)),
        share=Decimal(str(stated.get("share", default.share))),
        ceiling=int(stated.get("ceiling", default.ceiling)),
    )
