"""Why something happens to a variant, or does not: inputs → rule → decision → what comes next.

Runs the planner on the stored pair, as the next run would, and adds what planning does not know:
schedules, pauses, the worker, the budget, the guard. Writes nothing and asks no platform.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.context import compared_fields, plan_context
from reconcile.core.actions import Action, ActionKind, Change, Decision, Plan, Standing
from reconcile.core.listings import plan_listing
from reconcile.core.mapping import OPERATION_GROUPS, disabled_targets
from reconcile.core.types import LinkState, Listing, Operation, Side, Value
from reconcile.deps import Deps
from reconcile.prospects import Next, next_of
from reconcile.stock_explain import QuantityExplanation, quantity_explanations
from reconcile.store.action_reads import ActionFilter, ActionRow, recent_actions
from reconcile.store.attempts import AttemptRow, attempts_by_action
from reconcile.store.channels import (
    Channel,
    ChannelOperation,
    load_channel,
    load_operations,
)
from reconcile.store.links import candidates
from reconcile.store.listing_rows import VariantRow
from reconcile.store.listings import variants_by_ids
from reconcile.store.pairs import load_listings
from reconcile.store.templates import effective_template
from reconcile.wanted import compute, stock_of, templates_of

__all__ = [
    "DisabledField",
    "ExplainedAction",
    "ExplainedDecision",
    "Explanation",
    "LinkExplanation",
    "Next",
    "OperationExplanation",
    "QuantityExplanation",
    "explain",
]

RECENT = 5
"""How many of the latest actions and attempts are shown."""


@dataclass(frozen=True, slots=True)
class LinkExplanation:
    """How the variant stands to the channel's objects, and what was compared."""

    state: LinkState
    compared: str
    message: str


@dataclass(frozen=True, slots=True)
class ExplainedDecision:
    """One thing the planner says about the variant or its listing."""

    code: str
    message: str
    standing: Standing
    action: ActionKind | None
    outcome: str | None
    inputs: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class ExplainedAction:
    """What the next run would do."""

    kind: ActionKind
    message: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class DisabledField:
    """A field of the channel that the mapping template does not feed (T4)."""

    field: str
    title: str
    message: str


@dataclass(frozen=True, slots=True)
class OperationExplanation:
    """What one operation would do with the variant, and when."""

    operation: Operation
    decisions: tuple[ExplainedDecision, ...]
    actions: tuple[ExplainedAction, ...]
    next: Next
    disabled_fields: tuple[DisabledField, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything there is to say about one variant."""

    variant_id: int
    listing_id: int
    channel_id: int
    sku: str
    at: datetime
    link: LinkExplanation
    quantity: QuantityExplanation
    operations: tuple[OperationExplanation, ...]
    attempts: tuple[AttemptRow, ...]
    """The latest requests about it, the newest first."""
    recent: tuple[ActionRow, ...] = ()
    """The latest actions on it, the newest first."""


async def explain(deps: Deps, variant_id: int) -> Explanation | None:
    """Explain a variant from what is stored; None where there is no such variant."""
    async with deps.engine.connect() as conn:
        # One snapshot, so that the parts of the explanation agree with each other.
        await conn.execution_options(isolation_level="REPEATABLE READ")
        variant = (await variants_by_ids(conn, [variant_id])).get(variant_id)
        if variant is None:
            return None
        channel = await load_channel(conn, deps, variant.channel_id)
        if channel is None:
            return None
        operations = await load_operations(conn, channel)
        row = await _stored(conn, variant_id)
        found = (await candidates(conn, deps, [variant_id]))[variant_id]
        recent = await recent_actions(
            conn,
            ActionFilter(channel_id=channel.id, variant_id=variant_id),
            RECENT,
        )
        quantity = (await quantity_explanations(conn, deps, [variant_id]))[variant_id]
        return Explanation(
            variant_id=variant_id,
            listing_id=variant.listing_id,
            channel_id=channel.id,
            sku=variant.sku,
            at=deps.clock(),
            link=LinkExplanation(
                variant.link_state,
                f"our {found.our_identifier} with their {found.their_identifier}",
                _link_message(variant, found.message),
            ),
            quantity=quantity,
            operations=tuple(
                [
                    await _operation(
                        conn, channel, operations, operation, variant, row, quantity.deducted
                    )
                    for operation in Operation
                    if operation.side is Side.LISTINGS
                ]
            ),
            attempts=await _attempts(conn, recent),
            recent=recent,
        )


async def _stored(conn: AsyncConnection, variant_id: int) -> RowMapping:
    """The variant with what its wanted values are worked out from."""
    result = await conn.execute(
        text("""
SELECT v.*, l.fields AS listing_fields, i.stated
FROM listing_variants v JOIN listings l ON l.id = v.listing_id LEFT JOIN items i ON i.sku = v.sku
WHERE v.id = :id
"""),
        {"id": variant_id},
    )
    return result.mappings().one()


def _link_message(variant: VariantRow, compared: str) -> str:
    if variant.link_state is LinkState.BROKEN:
        said = variant.link_message or "The object is gone from the channel."
        return f"{said} Unlink or relink it, or publish it again."
    if variant.link_hold:
        return f"{variant.link_message or 'Unlinked by hand.'}; link, relink or republish it."
    return compared


async def _attempts(conn: AsyncConnection, recent: Sequence[ActionRow]) -> tuple[AttemptRow, ...]:
    by_action = await attempts_by_action(conn, [action.id for action in recent], RECENT)
    found = {attempt.id: attempt for attempts in by_action.values() for attempt in attempts}
    return tuple(found[attempt_id] for attempt_id in sorted(found, reverse=True)[:RECENT])


async def _operation(
    conn: AsyncConnection,
    channel: Channel,
    operations: Mapping[Operation, ChannelOperation],
    operation: Operation,
    variant: VariantRow,
    row: RowMapping,
    deducted: int,
) -> OperationExplanation:
    prospect = await next_of(conn, channel, operation, operations.get(operation), variant.id)
    if operation not in operations:
        return OperationExplanation(operation, (), (), prospect, ())
    listings = await load_listings(
        conn, channel.id, [variant.listing_id], compared_fields(channel, operation)
    )
    listing = _current(channel, operations, listings[0], variant, row, deducted)
    context = plan_context(channel, operations[operation], is_full=True, scheduled=False)
    plan = plan_listing(listing, context)
    name = str(variant.id)
    return OperationExplanation(
        operation=operation,
        decisions=tuple(
            _decision(item) for item in plan.decisions if item.variant_id in (None, name)
        ),
        actions=tuple(_action(item, name) for item in _would_do(plan, name)),
        next=prospect,
        disabled_fields=_disabled(channel, operation, operations[operation]),
    )


def _current(
    channel: Channel,
    operations: Mapping[Operation, ChannelOperation],
    listing: Listing,
    variant: VariantRow,
    row: RowMapping,
    deducted: int,
) -> Listing:
    """The listing with this variant's prices and quantity as the next run will work them out."""
    if not variant.is_stale:
        return listing
    stock = stock_of(channel, row, row["stated"], deducted)
    values = compute(
        channel,
        templates_of(channel, operations),
        {"fields": row["listing_fields"]},
        row,
        stock.quantity,
    )
    fields = {field.name for field in channel.platform.fields}
    variants = tuple(
        replace(
            item,
            wanted=values.sync,
            withheld=tuple(held for held in values.withheld if held.field in fields),
            zero_cause=stock.zero_cause,
        )
        if item.id == str(variant.id)
        else item
        for item in listing.variants
    )
    return replace(listing, variants=variants)


def _decision(decision: Decision) -> ExplainedDecision:
    return ExplainedDecision(
        code=str(decision.code),
        message=decision.message,
        standing=decision.standing,
        action=decision.action,
        outcome=None if decision.outcome is None else decision.outcome.value,
        inputs=decision.inputs,
    )


def _would_do(plan: Plan, variant_id: str) -> list[Action]:
    """Actions that touch the variant, those that the write policy holds back included."""
    found = [*plan.actions, *(action for action, _ in plan.skipped)]
    return [
        action
        for action in found
        if action.variant_id == variant_id
        or (action.variant_id is None and variant_id in action.variant_ids)
        or (action.variant_id is None and not action.variant_ids)
    ]


def _action(action: Action, variant_id: str) -> ExplainedAction:
    changes = tuple(change for change in action.changes if change.variant_id in (None, variant_id))
    return ExplainedAction(action.kind, action.reason.message, changes)


def _disabled(
    channel: Channel, operation: Operation, settings: ChannelOperation
) -> tuple[DisabledField, ...]:
    groups = OPERATION_GROUPS.get(operation, frozenset())
    fields = {field.name: field for field in channel.platform.fields if field.group in groups}
    if not fields:
        return ()
    template = effective_template(channel.platform, operation, settings.template)
    sources = {rule.target: rule.source for rule in template.rules if not rule.enabled}
    found = []
    for name in disabled_targets(template, fields):
        title = fields[name].title
        if name in sources:
            message = (
                f"{title} is not sent: its rule (from {sources[name]}) is disabled in the mapping "
                f"template of {operation}."
            )
        else:
            message = f"{title} is not sent: the mapping template of {operation} does not feed it."
        found.append(DisabledField(name, title, message))
    return tuple(found)
