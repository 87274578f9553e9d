"""Configure the operations of a channel: enabled, paused, settings, schedule, mapping template."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

import structlog
from croniter import CroniterError, croniter
from sqlalchemy import RowMapping, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.commands.errors import CommandError, Problem, refuse
from reconcile.commands.lookups import channel_of, require_operation
from reconcile.commands.order_changes import queue_change
from reconcile.commands.settings import checked_settings
from reconcile.core.mapping import Template, TemplateProblem, validate
from reconcile.core.order_content import validate_import_template, validate_shipment_template
from reconcile.core.types import Operation, Value
from reconcile.deps import Deps
from reconcile.store.channels import Channel, load_channel, load_operations
from reconcile.store.order_marks import (
    decide_unacknowledged,
    decide_unimported,
    decide_untouched,
    plan_unsent,
    try_again,
)
from reconcile.store.staleness import mark_channel_stale, mark_undecided_dirty
from reconcile.store.tables import channels, operations
from reconcile.store.templates import template_to_json

_log = structlog.get_logger(__name__)

SHORTEST = 60
"""Seconds; a shorter interval would only ever find the earlier run at work."""
LONGEST = 366 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Interval:
    """Every so many seconds."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Cron:
    """At the times of a cron expression of five fields, UTC."""

    expression: str


async def _operation_of(
    conn: AsyncConnection, deps: Deps, channel_id: int, operation: Operation
) -> tuple[Channel, RowMapping]:
    """The channel and the locked row of the operation."""
    channel = await channel_of(conn, deps, channel_id, lock=True)
    require_operation(channel.platform, operation)
    statement = select(operations).where(
        operations.c.channel_id == channel_id, operations.c.operation == operation
    )
    return channel, (await conn.execute(statement)).mappings().one()


async def _set(
    conn: AsyncConnection, channel_id: int, operation: Operation, **values: object
) -> None:
    await conn.execute(
        update(operations)
        .where(operations.c.channel_id == channel_id, operations.c.operation == operation)
        .values(**values)
    )


async def _revise(conn: AsyncConnection, channel_id: int) -> None:
    """Plans made from earlier settings or templates can no longer be approved."""
    await conn.execute(
        update(channels).where(channels.c.id == channel_id).values(revision=channels.c.revision + 1)
    )


async def configure(
    deps: Deps,
    channel_id: int,
    operation: Operation,
    *,
    enabled: bool | None = None,
    paused: bool | None = None,
    settings: Mapping[str, Value] | None = None,
    by: str,
) -> None:
    """Switch an operation on or off, pause it, change its settings; None leaves as it is."""
    async with deps.engine.begin() as conn:
        channel, row = await _operation_of(conn, deps, channel_id, operation)
        values: dict[str, object] = {}
        if enabled is not None:
            values["enabled"] = enabled
        if paused is not None:
            values["paused"] = paused
        if settings is not None:
            merged = checked_settings(
                channel.platform.operations[operation],
                settings,
                ("settings",),
                earlier=row["settings"],
            )
            if merged != row["settings"]:
                values["settings"] = merged
                await _revise(conn, channel_id)
        if values:
            await _set(conn, channel_id, operation, **values)
        if "settings" in values:
            await _settings_changed(conn, channel, operation)
    _log.info(
        "operation_configured",
        channel_id=channel_id,
        operation=operation.value,
        changed=sorted(values),
        by=by,
    )
    await deps.doorbell.ring(channel_id, operation.side)


async def _settings_changed(conn: AsyncConnection, channel: Channel, operation: Operation) -> None:
    """What earlier settings decided is decided once more."""
    match operation:
        case Operation.GET_ORDERS:
            await try_again(conn, channel.id, operation)
            await _filter_changed(conn, channel)
        case Operation.SYNC_ORDERS:
            await _send_again(conn, channel.id)
        case _:
            await mark_undecided_dirty(conn, channel.id, "SettingsChanged")


async def _send_again(conn: AsyncConnection, channel_id: int) -> None:
    """What is still to reach the channel is planned as it would be sent now."""
    await try_again(conn, channel_id, Operation.SYNC_ORDERS)
    await plan_unsent(conn, channel_id)
    await queue_change(conn, channel_id, Operation.SYNC_ORDERS)


async def _filter_changed(conn: AsyncConnection, channel: Channel) -> None:
    """Orders that were left out may be let in; how far back to look, the next poll finds out."""
    await decide_unimported(conn, channel.id)
    support = channel.platform.orders
    settings = (await load_operations(conn, channel))[Operation.GET_ORDERS].settings
    if support is not None and support.acknowledges(settings):
        await decide_unacknowledged(conn, channel.id)
    await queue_change(conn, channel.id, Operation.GET_ORDERS)


async def schedule(
    deps: Deps,
    channel_id: int,
    operation: Operation,
    schedule: Interval | Cron | None,
    *,
    full: bool = False,
    by: str,
) -> datetime | None:
    """Run the operation on an interval, at cron times, or by hand only; when it is due next."""
    now = deps.clock()
    async with deps.engine.begin() as conn:
        channel, _ = await _operation_of(conn, deps, channel_id, operation)
        if schedule is not None and operation in channel.platform.manual_only:
            message = f"{operation} on {channel.platform.title} runs by hand only."
            raise refuse("MANUAL_ONLY", message, "schedule")
        values: dict[str, object] = {
            "interval_seconds": None,
            "cron": None,
            "schedule_full": full and schedule is not None,
        }
        match schedule:
            case None:
                due = None
            case Interval(seconds):
                if not SHORTEST <= seconds <= LONGEST:
                    message = f"An interval is from {SHORTEST} seconds to a year."
                    raise refuse("INVALID", message, "schedule", "seconds")
                values["interval_seconds"] = seconds
                due = now + timedelta(seconds=seconds)
            case Cron(expression):
                due = next_cron(expression, now)
                values["cron"] = expression.strip()
            case _:
                assert_never(schedule)
        await _set(conn, channel_id, operation, next_due_at=due, **values)
    _log.info("operation_scheduled", channel_id=channel_id, operation=operation.value, by=by)
    return due


def next_cron(expression: str, now: datetime) -> datetime:
    """The next time of a cron expression; INVALID where it has none."""
    example = "a cron expression has five fields, such as */15 * * * *"
    if len(expression.split()) != 5:
        raise refuse("INVALID", f"{expression!r}: {example}.", "schedule", "cron")
    try:
        due: datetime = croniter(expression, now).get_next(datetime)
    except (CroniterError, ValueError, KeyError):
        raise refuse("INVALID", f"{expression!r}: {example}.", "schedule", "cron") from None
    return due


def _problems(channel: Channel, operation: Operation, template: Template) -> tuple[Problem, ...]:
    platform = channel.platform
    found: Sequence[TemplateProblem]
    match operation:
        case Operation.GET_ORDERS if platform.orders is not None:
            ours = {field.theirs: field.ours for field in platform.orders.fields}
            found = validate_import_template(template, ours)
        case Operation.SYNC_ORDERS if platform.orders is not None:
            sent = {field.theirs: field.ours for field in platform.orders.shipment_fields}
            found = validate_shipment_template(template, sent)
        case _:
            fields = {field.name: field for field in platform.fields}
            found = validate(template, fields, operation)
    return tuple(Problem("INVALID", item.message, ("rules", item.field)) for item in found)


async def template_problems(
    deps: Deps, channel_id: int, operation: Operation, template: Template
) -> tuple[Problem, ...]:
    """What would be refused about this template; nothing is stored."""
    async with deps.engine.connect() as conn:
        channel = await load_channel(conn, deps, channel_id)
        if channel is None or channel.removed_at is not None:
            raise refuse("NOT_FOUND", "There is no such channel.", "channel_id")
    require_operation(channel.platform, operation)
    return _problems(channel, operation, template)


async def template_set(
    deps: Deps, channel_id: int, operation: Operation, template: Template, *, by: str
) -> None:
    """Replace the mapping template; everything wanted is worked out anew."""
    async with deps.engine.begin() as conn:
        channel, row = await _operation_of(conn, deps, channel_id, operation)
        if problems := _problems(channel, operation, template):
            raise CommandError(*problems)
        stored = template_to_json(template)
        if stored != row["template"]:
            await _set(conn, channel_id, operation, template=stored)
            await _revise(conn, channel_id)
            await _template_changed(conn, channel_id, operation)
    _log.info("template_set", channel_id=channel_id, operation=operation.value, by=by)
    await deps.doorbell.ring(channel_id, operation.side)


async def _template_changed(conn: AsyncConnection, channel_id: int, operation: Operation) -> None:
    """What is worked out from a template is worked out anew; an order that shipped stays as is."""
    match operation:
        case Operation.GET_ORDERS:
            await decide_untouched(conn, channel_id)
            await queue_change(conn, channel_id, operation)
        case Operation.SYNC_ORDERS:
            await _send_again(conn, channel_id)
        case _:
            await mark_channel_stale(conn, channel_id, "TemplateChanged")


async def template_reset(deps: Deps, channel_id: int, operation: Operation, *, by: str) -> None:
    """Go back to the platform's default template."""
    async with deps.engine.begin() as conn:
        _, row = await _operation_of(conn, deps, channel_id, operation)
        if row["template"] is not None:
            await _set(conn, channel_id, operation, template=None)
            await _revise(conn, channel_id)
            await _template_changed(conn, channel_id, operation)
    _log.info("template_reset", channel_id=channel_id, operation=operation.value, by=by)
    await deps.doorbell.ring(channel_id, operation.side)
