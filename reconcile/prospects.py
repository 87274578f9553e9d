"""When an operation next gets to a variant or an order, or what keeps it from doing so (T3)."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.core.types import Operation
from reconcile.store.channels import Channel, ChannelOperation
from reconcile.store.workers import is_any_alive


@dataclass(frozen=True, slots=True)
class Next:
    """What happens next and when; `at` is None where no time is set."""

    code: str
    """Unsupported, ChannelRemoved, ChannelPaused, Disabled, OperationPaused, AwaitingApproval,
    WorkerDown, WaitingForBudget, Running, Queued, Scheduled, ManualOnly or OnRequest."""
    message: str
    at: datetime | None = None


async def next_of(
    conn: AsyncConnection,
    channel: Channel,
    operation: Operation,
    settings: ChannelOperation | None,
    variant_id: int | None,
) -> Next:
    """The first thing that holds, from what stops everything to what merely takes time.

    Without a variant: of the operation as a whole, as for orders, which no guard holds back.
    """
    stopped = _stopped(channel, operation, settings)
    if stopped is not None or settings is None:
        return stopped or Next("Unsupported", f"{operation} is not supported.")
    row = await _situation(conn, channel, operation, variant_id)
    if row["refused_run"] is not None:
        message = (
            f"The guard holds it back: {row['refused_message'] or 'over budget'}. "
            f"Approve it in run {row['refused_run']}."
        )
        return Next("AwaitingApproval", message)
    if not await is_any_alive(conn):
        message = "No worker was seen in the last 30 seconds, so nothing runs; start one."
        return Next("WorkerDown", message)
    if row["budget_message"] is not None:
        return Next("WaitingForBudget", f"{row['budget_message']}.")
    if row["open_run"] is not None:
        if row["open_state"] == "QUEUED":
            message = f"Run {row['open_run']} is queued and starts when the channel is free."
            return Next("Queued", message, row["open_next_at"])
        return Next("Running", f"Run {row['open_run']} is under way.")
    if settings.next_due_at is not None:
        how = settings.cron or f"every {settings.interval_seconds} seconds"
        return Next("Scheduled", f"It runs on schedule ({how}).", settings.next_due_at)
    if operation in channel.platform.manual_only:
        return Next("ManualOnly", f"{operation} runs by hand only on {channel.platform.title}.")
    return Next("OnRequest", f"{operation} is not scheduled; run it by hand or schedule it.")


def _stopped(
    channel: Channel, operation: Operation, settings: ChannelOperation | None
) -> Next | None:
    if settings is None:
        reason = channel.platform.unsupported_operations.get(operation, "")
        message = f"{channel.platform.title} does not support {operation}. {reason}".strip()
        return Next("Unsupported", message)
    if channel.removed_at is not None:
        return Next("ChannelRemoved", f"Channel {channel.name} was removed.")
    if channel.is_paused:
        said = channel.pause_message or "a person paused it"
        return Next("ChannelPaused", f"Channel {channel.name} is paused: {said}.")
    if not settings.is_enabled:
        message = f"{operation} is not enabled on channel {channel.name}."
        return Next("Disabled", message)
    if settings.is_paused:
        return Next("OperationPaused", f"{operation} is paused on channel {channel.name}.")
    return None


async def _situation(
    conn: AsyncConnection, channel: Channel, operation: Operation, variant_id: int | None
) -> RowMapping:
    result = await conn.execute(
        text("""
SELECT o.id AS open_run, o.state AS open_state, o.next_at AS open_next_at,
       b.message AS budget_message, a.run_id AS refused_run, a.outcome_message AS refused_message
FROM (SELECT 1) AS one
LEFT JOIN LATERAL (
    SELECT id, state, next_at FROM runs
    WHERE channel_id = :channel_id AND operation = :operation AND finished_at IS NULL
    ORDER BY id LIMIT 1) o ON true
LEFT JOIN LATERAL (
    SELECT message FROM conditions
    WHERE object_kind = 'channel' AND object_id = :channel_id AND type = 'Budget') b ON true
LEFT JOIN LATERAL (
    SELECT x.run_id, x.outcome_message FROM actions x JOIN runs r ON r.id = x.run_id
    WHERE x.channel_id = :channel_id AND x.state = 'REFUSED' AND r.operation = :operation
      AND x.object_id IN ('variant:' || :variant, 'listing:' || (
          SELECT listing_id FROM listing_variants WHERE id = CAST(:variant AS bigint)))
    ORDER BY x.id DESC LIMIT 1) a ON true
"""),
        {
            "channel_id": channel.id,
            "operation": operation,
            "variant": None if variant_id is None else str(variant_id),
        },
    )
    return result.mappings().one()
