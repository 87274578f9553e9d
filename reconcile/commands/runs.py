"""Request, approve and cancel runs; the runtime finds the rows and does the work."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import RowMapping, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.commands.errors import CommandError, Problem, refuse
from reconcile.commands.lookups import channel_of, refuse_stopped, require_operation
from reconcile.core.actions import LOCAL_ACTIONS, ActionKind, GuardKind
from reconcile.core.states import RunState
from reconcile.core.types import Operation, Side
from reconcile.deps import Deps
from reconcile.store.actions import mark_dirty
from reconcile.store.channels import Channel
from reconcile.store.order_marks import flag
from reconcile.store.plans import clear_approvals
from reconcile.store.tables import runs

_log = structlog.get_logger(__name__)

MOST = 1000
"""Listings or orders that one request can name."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What is to run: on what changed, on everything, or on the listings or orders named."""

    operation: Operation
    full: bool = False
    plan_only: bool = False
    """Plan and stop: a preview that can be approved."""
    listing_ids: Sequence[int] | None = None
    skus: Sequence[str] | None = None
    """Of listings or variants of the channel."""
    order_ids: Sequence[int] | None = None
    """Imported orders, for the operations of orders."""
    remote_order_ids: Sequence[int] | None = None
    """Orders that were seen, imported or not."""

    @property
    def names_listings(self) -> bool:
        """Whether it is about some listings only."""
        return self.listing_ids is not None or self.skus is not None

    @property
    def names_orders(self) -> bool:
        """Whether it is about some orders only."""
        return self.order_ids is not None or self.remote_order_ids is not None


@dataclass(frozen=True, slots=True)
class RequestedRun:
    """The run that was queued, or an equal one that was queued already."""

    run_id: int
    is_new: bool


@dataclass(frozen=True, slots=True)
class Approval:
    """What approving did to the rows it was about."""

    due: int
    stale: int
    """Rows that dropped out because what they were planned from has moved."""
    busy: int
    """Rows that stay as they are: an earlier action on the same object has not ended."""


async def request_run(deps: Deps, channel_id: int, request: RunRequest, *, by: str) -> RequestedRun:
    """Queue a run; an equal one that has not started yet is given back instead."""
    async with deps.engine.begin() as conn:
        channel = await channel_of(conn, deps, channel_id, lock=True)
        require_operation(channel.platform, request.operation)
        await refuse_stopped(conn, channel, request.operation)
        _refuse_other_side(request)
        scope = await _scope(conn, channel_id, request)
        order_ids = await _orders(conn, channel_id, request)
        await flag(conn, channel_id, order_ids or ())
        queued = select(runs.c.id).where(
            runs.c.channel_id == channel_id,
            runs.c.operation == request.operation,
            runs.c.state == RunState.QUEUED,
            runs.c.started_at.is_(None),
            runs.c.is_full == request.full,
            runs.c.plan_only == request.plan_only,
            runs.c.trigger == "PERSON",
            ~runs.c.cancel_requested,
            runs.c.scope.is_(None) if scope is None else runs.c.scope == scope,
            runs.c.order_ids.is_(None) if order_ids is None else runs.c.order_ids == order_ids,
            runs.c.lookup.is_(None),
        )
        run_id = (await conn.execute(queued.limit(1))).scalar_one_or_none()
        is_new = run_id is None
        if run_id is None:
            values = {
                "channel_id": channel_id,
                "operation": request.operation,
                "side": request.operation.side,
                "trigger": "PERSON",
                "is_full": request.full,
                "plan_only": request.plan_only,
                "scope": scope,
                "order_ids": order_ids,
                "requested_by": by,
            }
            run_id = (
                await conn.execute(insert(runs).values(values).returning(runs.c.id))
            ).scalar_one()
    _log.info(
        "run_requested",
        run_id=run_id,
        channel_id=channel_id,
        operation=request.operation.value,
        is_new=is_new,
        by=by,
    )
    await deps.doorbell.ring(channel_id, request.operation.side)
    return RequestedRun(run_id, is_new)


def _refuse_other_side(request: RunRequest) -> None:
    """A run is about listings or about orders."""
    operation = request.operation
    if operation.side is Side.ORDERS and request.names_listings:
        path = "skus" if request.listing_ids is None else "listing_ids"
        raise refuse("INVALID", f"{operation} is about orders; leave out the listings.", path)
    if operation.side is Side.LISTINGS and request.names_orders:
        path = "remote_order_ids" if request.order_ids is None else "order_ids"
        raise refuse("INVALID", f"{operation} is about listings; leave out the orders.", path)


async def _orders(conn: AsyncConnection, channel_id: int, request: RunRequest) -> list[int] | None:
    """The seen orders a run is about; None: what is due, or all."""
    if not request.names_orders:
        return None
    order_ids, remote_ids = list(request.order_ids or ()), list(request.remote_order_ids or ())
    if request.full:
        message = "A full run looks at everything; leave out the orders or the full run."
        raise refuse("INVALID", message, "full")
    if len(order_ids) + len(remote_ids) > MOST:
        raise refuse("TOO_MANY", f"A run can name at most {MOST} orders.", "order_ids")
    found = await conn.execute(
        text("""
SELECT r.id, o.id AS order_id FROM remote_orders r LEFT JOIN orders o ON o.remote_order_id = r.id
WHERE r.channel_id = :channel_id AND (r.id = ANY(:remote_ids) OR o.id = ANY(:order_ids))
"""),
        {"channel_id": channel_id, "remote_ids": remote_ids, "order_ids": order_ids},
    )
    rows = found.all()
    imported, seen = {row.order_id for row in rows}, {row.id for row in rows}
    problems = [
        Problem("NOT_FOUND", "There is no such order here.", (name, str(index)))
        for name, given, known in (
            ("order_ids", order_ids, imported),
            ("remote_order_ids", remote_ids, seen),
        )
        for index, given_id in enumerate(given)
        if given_id not in known
    ]
    if not rows and not problems:
        problems = [Problem("INVALID", "Name at least one order.", ("order_ids",))]
    if problems:
        raise CommandError(*problems)
    return sorted(seen)


async def _scope(conn: AsyncConnection, channel_id: int, request: RunRequest) -> list[int] | None:
    if not request.names_listings:
        return None
    listing_ids, skus = list(request.listing_ids or ()), list(request.skus or ())
    if request.full:
        message = "A full run looks at everything; leave out the listings or the full run."
        raise refuse("INVALID", message, "full")
    if len(listing_ids) + len(skus) > MOST:
        raise refuse("TOO_MANY", f"A run can name at most {MOST} listings.", "listing_ids")
    found = await conn.execute(
        text("""
SELECT id, NULL AS sku FROM listings WHERE channel_id = :channel_id AND id = ANY(:ids)
UNION SELECT id, sku FROM listings WHERE channel_id = :channel_id AND sku = ANY(:skus)
UNION SELECT listing_id, sku FROM listing_variants
      WHERE channel_id = :channel_id AND sku = ANY(:skus)
"""),
        {"channel_id": channel_id, "ids": listing_ids, "skus": skus},
    )
    rows = found.all()
    known_ids, known_skus = {row.id for row in rows}, {row.sku for row in rows}
    problems = [
        Problem("NOT_FOUND", "There is no such listing here.", ("listing_ids", str(index)))
        for index, listing_id in enumerate(listing_ids)
        if listing_id not in known_ids
    ] + [
        Problem("NOT_FOUND", f"There is no listing with SKU {sku} here.", ("skus", str(index)))
        for index, sku in enumerate(skus)
        if sku not in known_skus
    ]
    if not rows and not problems:
        problems = [Problem("INVALID", "Name at least one listing.", ("listing_ids",))]
    if problems:
        raise CommandError(*problems)
    return sorted(known_ids)


async def _run_of(conn: AsyncConnection, run_id: int) -> RowMapping:
    # Not the key: actions that refer to the run are recorded meanwhile.
    statement = select(runs).where(runs.c.id == run_id).with_for_update(key_share=True)
    row = (await conn.execute(statement)).mappings().one_or_none()
    if row is None:
        raise refuse("NOT_FOUND", "There is no such run.", "run_id")
    return row


# `revisions` holds what an action was planned from: {variant id: revision, ..., "remote": {variant
# id: revision of what it is linked to}}. A row that is gone counts as moved.
_MOVED = """
EXISTS (
    SELECT 1 FROM jsonb_each_text(a.revisions - 'remote') p
    LEFT JOIN listing_variants v ON v.id = CAST(p.key AS bigint)
    LEFT JOIN remote_variants r ON r.id = v.remote_variant_id
    WHERE v.revision IS DISTINCT FROM CAST(p.value AS bigint)
       OR r.revision IS DISTINCT FROM CAST(a.revisions -> 'remote' ->> p.key AS bigint))
"""
_CHOSEN = """
a.run_id = :run_id AND a.state IN ('PLANNED', 'REFUSED') AND NOT a.approved
AND (CAST(:kinds AS text[]) IS NULL OR a.kind = ANY(:kinds) OR a.guards && CAST(:kinds AS text[]))
AND (CAST(:action_ids AS bigint[]) IS NULL OR a.id = ANY(:action_ids))
"""
_DROP_MOVED = f"""
UPDATE actions a SET state = 'STALE', finished_at = now(), outcome_code = 'Moved',
    outcome_message = 'What this row was planned from has changed since; it is planned again'
WHERE {_CHOSEN} AND {_MOVED}
"""  # noqa: S608 - only constants of this module are put in
# What changes only our own records stays PLANNED: the runtime applies it without sending.
_RELEASE = f"""
UPDATE actions a SET state = CASE WHEN a.kind = ANY(:local) THEN 'PLANNED' ELSE 'DUE' END,
    due_at = now(), approved = true, outcome_code = NULL, outcome_message = NULL
WHERE {_CHOSEN}
  AND NOT EXISTS (SELECT 1 FROM actions b
      WHERE b.channel_id = a.channel_id AND b.object_id = a.object_id
        AND b.write_group = a.write_group
        AND b.state IN ('DUE', 'SENDING', 'RETRYING', 'UNKNOWN'))
RETURNING a.id
"""  # noqa: S608
_LEFT = f"SELECT count(*) FROM actions a WHERE {_CHOSEN}"  # noqa: S608


async def approve(
    deps: Deps,
    run_id: int,
    *,
    kinds: Sequence[GuardKind | ActionKind] | None = None,
    action_ids: Sequence[int] | None = None,
    by: str,
) -> Approval:
    """Let rows that wait for it be executed: all, of some kinds, or the ones named.

    Refuses whole where settings, template, policy or account changed after the plan was made; a
    row whose wanted or seen state has moved drops out.
    """
    async with deps.engine.begin() as conn:
        run = await _run_of(conn, run_id)
        channel = await channel_of(conn, deps, run["channel_id"], lock=True)
        _refuse_unapprovable(run, channel)
        chosen: dict[str, Any] = {
            "run_id": run_id,
            "kinds": None if kinds is None else [kind.value for kind in kinds],
            "action_ids": None if action_ids is None else list(action_ids),
        }
        if not (await conn.execute(text(_LEFT), chosen)).scalar_one():
            raise refuse("WRONG_STATE", "No row of this choice waits for approval.", "run_id")
        stale = (await conn.execute(text(_DROP_MOVED), chosen)).rowcount
        local = [kind.value for kind in LOCAL_ACTIONS]
        released = await conn.execute(text(_RELEASE), {**chosen, "local": local})
        due = len(released.all())
        busy = int((await conn.execute(text(_LEFT), chosen)).scalar_one())
        # A run that is still at work finds what was approved on its way.
        if due and run["finished_at"] is None:
            await conn.execute(
                text("UPDATE runs SET approved_by = :by, next_at = now() WHERE id = :run_id"),
                {"run_id": run_id, "by": by},
            )
        elif due:
            await conn.execute(
                text("""
UPDATE runs SET state = 'EXECUTING', finished_at = NULL, result = NULL, approved_by = :by,
    phase = phase || '{"step": "recheck", "approved": true}', next_at = now()
WHERE id = :run_id
"""),
                {"run_id": run_id, "by": by},
            )
        await _look_again(conn, run, ["STALE"])
    _log.info("run_approved", run_id=run_id, due=due, stale=stale, busy=busy, by=by)
    await deps.doorbell.ring(channel.id, Side(run["side"]))
    return Approval(due, stale, busy)


async def _look_again(conn: AsyncConnection, run: RowMapping, states: Sequence[str]) -> None:
    """Rows of the run that nobody can approve any more stop asking, and are planned again."""
    dropped = await conn.execute(
        text("""
SELECT DISTINCT listing_id, order_id FROM actions
WHERE run_id = :run_id AND state = ANY(:states) AND finished_at = now()
"""),
        {"run_id": run["id"], "states": list(states)},
    )
    rows = dropped.all()
    listing_ids = {row.listing_id for row in rows if row.listing_id is not None}
    order_ids = {row.order_id for row in rows if row.order_id is not None}
    await mark_dirty(conn, run["channel_id"], sorted(listing_ids), "NotApproved")
    await flag(conn, run["channel_id"], sorted(order_ids))
    await clear_approvals(conn, run["id"])


def _refuse_unapprovable(run: RowMapping, channel: Channel) -> None:
    if run["state"] not in (RunState.PLANNED, RunState.EXECUTING, RunState.REPORTED):
        message = f"Run {run['id']} is {run['state']}; only a planned run can be approved."
        raise refuse("WRONG_STATE", message, "run_id")
    if channel.is_paused:
        why = channel.pause_message or "a person paused it"
        raise refuse("PAUSED", f"Channel {channel.name} is paused: {why}.", "run_id")
    if run["channel_revision"] is not None and run["channel_revision"] != channel.revision:
        message = (
            "The channel's settings, template, policy or account changed after this plan was made "
            f"(revision {run['channel_revision']}, now {channel.revision}); run it again to get a "
            "plan that can be approved."
        )
        raise refuse("PLAN_OUTDATED", message, "run_id")


async def cancel(deps: Deps, run_id: int, *, by: str) -> None:
    """End a run: at once where nothing is under way, else as soon as what was sent has ended."""
    async with deps.engine.begin() as conn:
        run = await _run_of(conn, run_id)
        if run["state"] == RunState.CANCELED or run["cancel_requested"]:
            raise refuse("WRONG_STATE", f"Run {run_id} is canceled already.", "run_id")
        waiting = text("""
SELECT count(*) FROM actions WHERE run_id = :run_id AND state IN ('PLANNED', 'REFUSED')
""")
        waits = int((await conn.execute(waiting, {"run_id": run_id})).scalar_one())
        if run["state"] == RunState.REPORTED and not waits:
            raise refuse("WRONG_STATE", f"Run {run_id} has ended; there is nothing to cancel.")
        match run["state"]:
            case RunState.QUEUED | RunState.PLANNED:
                change = (
                    "state = 'CANCELED', result = 'CANCELED', finished_at = now(), "
                    "cancel_requested = true"
                )
            case RunState.REPORTED:
                change = "cancel_requested = true"
            case _:
                change = "cancel_requested = true, next_at = now()"
        await conn.execute(
            text(f"UPDATE runs SET {change} WHERE id = :run_id"),  # noqa: S608 - constants
            {"run_id": run_id},
        )
        await conn.execute(
            text("""
UPDATE actions SET state = 'CANCELED', finished_at = now(), outcome_code = 'Canceled',
    outcome_message = 'Canceled by ' || :by
WHERE run_id = :run_id AND state IN ('PLANNED', 'REFUSED')
"""),
            {"run_id": run_id, "by": by},
        )
        await _look_again(conn, run, ["CANCELED"])
    _log.info("run_canceled", run_id=run_id, by=by)
    await deps.doorbell.ring(run["channel_id"], Side(run["side"]))
