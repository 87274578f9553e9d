"""The guard at work on a recorded plan: refuse what is over budget, let the rest of it go.

Counts come from rows, so that nothing can go round them: the plan's own actions plus what was
executed on the channel in the last 24 hours without a person's approval.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.context import guard_limits, lane_of
from reconcile.core import guard
from reconcile.core.actions import Action, ActionKind, Change, GuardKind, Reason
from reconcile.core.context import PlanContext
from reconcile.core.guard import Verdict
from reconcile.core.types import RemoteRef
from reconcile.store import plans
from reconcile.store.channels import Channel

_CHUNK = 500


async def judge(
    conn: AsyncConnection, channel: Channel, context: PlanContext, run_id: int
) -> Mapping[GuardKind, Verdict]:
    """The verdict for each destructive kind that the plan of a run holds."""
    await plans.mark_slides(conn, run_id, sorted(context.price_fields))
    planned = await plans.guard_counts(conn, run_id)
    executed = await plans.executed_counts(conn, channel.id)
    linked = await plans.linked_count(conn, channel.id)
    return guard.assess(Counter(planned), Counter(executed), linked, guard_limits(channel.guard))


def as_json(verdicts: Mapping[GuardKind, Verdict]) -> dict[str, Any]:
    """Verdicts as they are kept on the run, for whoever is asked to approve."""
    return {
        kind.value: {
            "allowed": verdict.allowed,
            "planned": verdict.planned,
            "executed": verdict.executed,
            "limit": verdict.limit,
            "message": verdict.message,
        }
        for kind, verdict in verdicts.items()
    }


async def hold_back(
    conn: AsyncConnection,
    channel: Channel,
    context: PlanContext,
    run_id: int,
    verdicts: Mapping[GuardKind, Verdict],
) -> None:
    """Refuse the rows of kinds over budget; what of a refused sync does no harm goes on."""
    refused = {kind: verdict.message for kind, verdict in verdicts.items() if not verdict.allowed}
    if not refused:
        return
    await plans.refuse(conn, run_id, refused)
    after = 0
    while True:
        rows = await _refused_syncs(conn, run_id, after)
        if not rows:
            return
        after = rows[-1]["id"]
        left = [
            (row, rest)
            for row in rows
            if (rest := guard.without(_action(row), frozenset(refused), context)) is not None
        ]
        await plans.record_actions(
            conn,
            channel.id,
            run_id,
            [
                plans.action_json(rest, "PLANNED", lane_of(channel, rest), row["revisions"])
                for row, rest in left
            ],
        )


async def _refused_syncs(conn: AsyncConnection, run_id: int, after: int) -> list[RowMapping]:
    result = await conn.execute(
        text("""
SELECT * FROM actions
WHERE run_id = :run_id AND kind = 'SYNC' AND state = 'REFUSED' AND id > :after
ORDER BY id LIMIT :limit
"""),
        {"run_id": run_id, "after": after, "limit": _CHUNK},
    )
    return list(result.mappings())


def _action(row: RowMapping) -> Action:
    """The recorded action as the planner made it."""
    remote = None
    if row["remote_parent"] is not None:
        remote = RemoteRef(row["remote_parent"], row["remote_variant"] or None)
    return Action(
        kind=ActionKind(row["kind"]),
        listing_id=str(row["listing_id"]),
        variant_id=None if row["variant_id"] is None else str(row["variant_id"]),
        group=row["write_group"],
        reason=Reason(row["reason"], row["message"]),
        remote=remote,
        changes=tuple(
            Change(item["field"], item["before"], item["after"], item["variant_id"])
            for item in row["changes"]
        ),
        guards=tuple(GuardKind(kind) for kind in row["guards"]),
        key=row["key"],
        input_hash=row["input_hash"],
    )
