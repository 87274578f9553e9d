"""Why an order is imported or not, and what became of it: rules, decision, what comes next (A10).

Runs the planner on the stored pair, as the next run would, and adds what planning does not know:
look-ups, schedules, pauses, the worker, retention. Writes nothing and asks no platform.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.core.actions import Decision
from reconcile.core.fulfilling import plan_fulfillment
from reconcile.core.order_content import shipment_values
from reconcile.core.order_types import OrderContext, SeenOrder, ShipmentField, ShipmentOrigin
from reconcile.core.orders import plan_order
from reconcile.core.remote_order_types import OrderVerdict
from reconcile.core.types import Operation
from reconcile.core.wording import in_utc
from reconcile.deps import Deps
from reconcile.explain import ExplainedDecision
from reconcile.order_steps import (
    disabled_step,
    import_steps,
    order_steps,
    shipment_step,
)
from reconcile.orders.context import order_context
from reconcile.prospects import next_of
from reconcile.store.channels import Channel, ChannelOperation, load_channel, load_operations
from reconcile.store.orders import lines_of, orders_by_ids
from reconcile.store.remote_orders import (
    RemoteOrderFilter,
    RemoteOrderRow,
    list_remote_orders,
    remote_orders_by_ids,
)
from reconcile.store.retention import retention_of, retention_of_remote
from reconcile.store.runs import waiting_for
from reconcile.store.seen_orders import load_seen
from reconcile.store.shipments import shipments_of

MOST = 20
"""Orders of one number that are explained; numbers are seldom shared by more."""
OPERATIONS = (Operation.GET_ORDERS, Operation.SYNC_ORDERS)


@dataclass(frozen=True, slots=True)
class OrderNext:
    """When an operation next gets to the order, or what keeps it from doing so."""

    operation: Operation
    code: str
    """As of `reconcile.prospects.Next`."""
    message: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OrderMatch:
    """Everything there is to say about one order that was seen."""

    remote_order_id: int
    order_id: int | None
    verdict: OrderVerdict
    """What the planner says now; `steps` tell where it was recorded otherwise."""
    code: str
    message: str
    steps: tuple[str, ...]
    decisions: tuple[ExplainedDecision, ...]
    next: tuple[OrderNext, ...]


@dataclass(frozen=True, slots=True)
class Lookup:
    """The latest look for a number on the channel."""

    run_id: int
    state: str
    """Of its run: QUEUED, FETCHING, ..., REPORTED or CANCELED."""
    at: datetime
    """When it ended, else when it was asked for."""
    message: str


@dataclass(frozen=True, slots=True)
class OrderExplanation:
    """Everything there is to say about an order number on one channel."""

    channel_id: int
    number: str
    is_seen: bool
    lookup: Lookup | None
    matches: tuple[OrderMatch, ...] = field(default=())


async def explain_order(deps: Deps, channel_id: int, number: str) -> OrderExplanation | None:
    """Explain an order number from what is stored; None where there is no such channel."""
    async with deps.engine.connect() as conn:
        # One snapshot, so that the parts of the explanation agree with each other.
        await conn.execution_options(isolation_level="REPEATABLE READ")
        channel = await load_channel(conn, deps, channel_id)
        if channel is None:
            return None
        wanted = number.strip()
        page = await list_remote_orders(
            conn, RemoteOrderFilter(channel_id=channel_id, number=wanted), None, MOST
        )
        return OrderExplanation(
            channel_id=channel_id,
            number=wanted,
            is_seen=bool(page.rows),
            lookup=await _lookup(conn, channel, wanted),
            matches=tuple([await _match(conn, channel, row) for row in page.rows]),
        )


async def explain_remote_order(deps: Deps, remote_order_id: int) -> OrderMatch | None:
    """Explain one order that was seen; None where there is none."""
    async with deps.engine.connect() as conn:
        await conn.execution_options(isolation_level="REPEATABLE READ")
        row = (await remote_orders_by_ids(conn, [remote_order_id])).get(remote_order_id)
        if row is None:
            return None
        channel = await load_channel(conn, deps, row.channel_id)
        return None if channel is None else await _match(conn, channel, row)


# --- one order ------------------------------------------------------------------------------


async def _match(conn: AsyncConnection, channel: Channel, row: RemoteOrderRow) -> OrderMatch:
    operations = await load_operations(conn, channel)
    context = order_context(channel, operations)
    seen = (await load_seen(conn, channel.id, [row.id]))[0]
    planned = plan_order(seen, context)
    decisions = [*planned.plan.decisions]
    sending = plan_fulfillment(seen, context).decisions if seen.imported is not None else ()
    decisions += sending
    steps = [_seen_step(channel, row)]
    if row.order_id is None:
        steps += import_steps(seen, context)
        steps.append(f"Decision: {planned.decision.verdict}. {planned.decision.message}")
        if row.verdict is not planned.decision.verdict or row.reason != planned.decision.code:
            steps.append(_earlier(row))
        steps.append(_retention_of_unimported(channel, row))
    else:
        steps += await _imported(conn, channel, context, seen, row.order_id, sending)
    return OrderMatch(
        remote_order_id=row.id,
        order_id=row.order_id,
        verdict=planned.decision.verdict,
        code=planned.decision.code,
        message=planned.decision.message,
        steps=tuple(step for step in steps if step),
        decisions=tuple(map(_decision, decisions)),
        next=tuple([await _next(conn, channel, operations, name) for name in OPERATIONS]),
    )


def _seen_step(channel: Channel, row: RemoteOrderRow) -> str:
    seen = row.seen
    changed = "" if seen.modified_at is None else f", changed there {in_utc(seen.modified_at)}"
    status = f", status {seen.status}" if seen.status else ""
    return (
        f"Order {seen.number} on {channel.name}{status}{changed}, last looked at "
        f"{in_utc(row.observed_at)}."
    )


def _earlier(row: RemoteOrderRow) -> str:
    if row.verdict is OrderVerdict.PENDING:
        return "It is not decided yet: the next run of GET_ORDERS does."
    since = "" if row.since is None else f" since {in_utc(row.since)}"
    return f"Recorded{since}: {row.verdict}, {row.message.rstrip('.')}. It is decided once more."


def _retention_of_unimported(channel: Channel, row: RemoteOrderRow) -> str:
    return retention_of_remote(
        channel.retention_days,
        verdict=row.verdict,
        modified_at=row.seen.modified_at,
        ordered_at=row.seen.created_at,
        erased_at=row.erased_at,
    ).message


async def _imported(
    conn: AsyncConnection,
    channel: Channel,
    context: OrderContext,
    seen: SeenOrder,
    order_id: int,
    sending: tuple[Decision, ...],
) -> list[str]:
    order = (await orders_by_ids(conn, [order_id]))[order_id]
    lines = (await lines_of(conn, [order_id])).get(order_id, ())
    shipments = (await shipments_of(conn, [order_id])).get(order_id, ())
    steps = [] if seen.gone is None else [f"It is not on the channel any more ({seen.gone})."]
    steps += order_steps(order, lines)
    said = {item.shipment_id: item.message for item in sending if item.shipment_id}
    steps += [shipment_step(item, said.get(str(item.id))) for item in shipments]
    if not shipments:
        steps.append("Nothing of it was shipped yet.")
    steps.append(disabled_step(_disabled(seen, context)))
    retention = retention_of(
        channel.retention_days,
        status=order.status,
        last_shipped_at=order.last_shipped_at,
        canceled_at=order.canceled_at,
        erased_at=order.erased_at,
    )
    steps.append(retention.message)
    return steps


def _disabled(seen: SeenOrder, context: OrderContext) -> list[ShipmentField]:
    """What the template keeps back of any shipment of ours."""
    shipments = () if seen.imported is None else seen.imported.shipments
    found = {
        name
        for shipment in shipments
        if shipment.origin is ShipmentOrigin.OURS
        for name in shipment_values(shipment, context.shipment_template).turned_off
    }
    return sorted(found)


def _decision(decision: Decision) -> ExplainedDecision:
    return ExplainedDecision(
        code=str(decision.code),
        message=decision.message,
        standing=decision.standing,
        action=decision.action,
        outcome=None if decision.outcome is None else decision.outcome.value,
        inputs=decision.inputs,
    )


async def _next(
    conn: AsyncConnection,
    channel: Channel,
    operations: Mapping[Operation, ChannelOperation],
    operation: Operation,
) -> OrderNext:
    found = await next_of(conn, channel, operation, operations.get(operation), None)
    return OrderNext(operation, found.code, found.message, found.at)


# --- look-ups -------------------------------------------------------------------------------


async def _lookup(conn: AsyncConnection, channel: Channel, number: str) -> Lookup | None:
    result = await conn.execute(
        text("""
SELECT id, state, result, counts, error_message, created_at, finished_at FROM runs
WHERE channel_id = :channel_id AND operation = 'GET_ORDERS' AND lookup = :number
ORDER BY id DESC LIMIT 1
"""),
        {"channel_id": channel.id, "number": number},
    )
    row = result.mappings().one_or_none()
    if row is None:
        return None
    message = await _lookup_message(conn, channel, number, row)
    return Lookup(row["id"], row["state"], row["finished_at"] or row["created_at"], message)


async def _lookup_message(
    conn: AsyncConnection, channel: Channel, number: str, row: RowMapping
) -> str:
    if row["finished_at"] is None:
        waiting = (await waiting_for(conn, [row["id"]])).get(row["id"])
        if waiting is not None:
            return f"Order {number} is to be looked for on {channel.name}. {waiting.message}"
        return f"Order {number} is being looked for on {channel.name}."
    when = in_utc(row["finished_at"])
    if row["result"] in ("FAILED", "CANCELED"):
        why = row["error_message"] or "it was canceled"
        return f"The look-up on {channel.name} ended {when} without an answer: {why.rstrip('.')}."
    if row["counts"].get("orders_found"):
        return f"Order {number} was found on {channel.name} {when}."
    return (
        f"{channel.name} was asked for order {number} and had none ({when}). Check the number, and "
        "whether it is of this channel."
    )
