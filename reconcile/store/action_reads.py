"""Recorded actions as the API shows them; the runtime's writes are in `actions`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    RowMapping,
    ScalarSelect,
    Select,
    Text,
    and_,
    cast,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.core.actions import ActionKind, Change, GuardKind
from reconcile.store.page import Page, holds, one_of, read_page, read_pages, read_rows
from reconcile.store.tables import actions, listing_variants


@dataclass(frozen=True, slots=True)
class ActionFilter:
    """Which actions; None does not restrict."""

    run_id: int | None = None
    channel_id: int | None = None
    states: Sequence[str] | None = None
    kinds: Sequence[ActionKind] | None = None
    variant_id: int | None = None
    """Actions on that variant, those of its whole listing included."""
    listing_id: int | None = None
    order_id: int | None = None
    """Actions on that seen order and its shipments."""
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ActionRow:
    """One recorded action: what, why, how far."""

    id: int
    channel_id: int
    run_id: int
    kind: ActionKind
    object_id: str
    write_group: str
    listing_id: int | None
    variant_id: int | None
    variant_ids: tuple[int, ...]
    order_id: int | None
    """The seen order, for actions on orders."""
    shipment_id: int | None
    remote_parent: str | None
    remote_variant: str | None
    key: str
    changes: tuple[Change, ...]
    guards: tuple[GuardKind, ...]
    lane: int
    state: str
    reason: str
    message: str
    steps: tuple[Any, ...]
    tries: int
    due_at: datetime
    sent_at: datetime | None
    outcome_code: str | None
    outcome_message: str | None
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class ActionCount:
    """How many actions of a run are of one kind, in one state, for one reason."""

    kind: ActionKind
    state: str
    reason: str
    """The outcome's code where there is one, else why the action is there."""
    count: int


_COLUMNS = tuple(actions.c[name] for name in ActionRow.__dataclass_fields__)


def changes_from(stored: Sequence[Any]) -> tuple[Change, ...]:
    """Stored changes as core values; what a newer version stored besides is dropped."""
    known = Change.__dataclass_fields__
    return tuple(
        Change(**{name: value for name, value in item.items() if name in known}) for item in stored
    )


def _action(row: RowMapping) -> ActionRow:
    values = {name: row[name] for name in ActionRow.__dataclass_fields__}
    values["kind"] = ActionKind(values["kind"])
    values["variant_ids"] = tuple(values["variant_ids"])
    values["remote_variant"] = values["remote_variant"] or None
    values["changes"] = changes_from(values["changes"])
    values["guards"] = tuple(GuardKind(kind) for kind in values["guards"])
    values["steps"] = tuple(values["steps"])
    return ActionRow(**values)


def _listing_of(variant_id: int) -> ScalarSelect[Any]:
    listing_id = cast(listing_variants.c.listing_id, Text)
    statement = select(literal("listing:") + listing_id)
    return statement.where(listing_variants.c.id == variant_id).scalar_subquery()


def _filtered(statement: Select[Any], where: ActionFilter) -> Select[Any]:
    if where.run_id is not None:
        statement = statement.where(actions.c.run_id == where.run_id)
    if where.channel_id is not None:
        statement = statement.where(actions.c.channel_id == where.channel_id)
    if where.states is not None:
        statement = statement.where(actions.c.state.in_(where.states))
    if where.kinds is not None:
        statement = statement.where(actions.c.kind.in_(where.kinds))
    if where.variant_id is not None:
        statement = statement.where(
            or_(
                actions.c.object_id == f"variant:{where.variant_id}",
                and_(
                    actions.c.object_id == _listing_of(where.variant_id),
                    holds(actions.c.variant_ids, where.variant_id),
                ),
            )
        )
    if where.listing_id is not None:
        statement = statement.where(actions.c.listing_id == where.listing_id)
    if where.order_id is not None:
        statement = statement.where(actions.c.order_id == where.order_id)
    if where.reason is not None:
        statement = statement.where(
            or_(actions.c.reason == where.reason, actions.c.outcome_code == where.reason)
        )
    return statement


async def list_actions(
    conn: AsyncConnection, where: ActionFilter, after: int | None, limit: int
) -> Page[ActionRow]:
    """Actions in plan order."""
    statement = _filtered(select(*_COLUMNS), where)
    return await read_page(conn, statement, actions.c.id, after, limit, _action)


async def action_pages(
    conn: AsyncConnection,
    run_ids: Sequence[int],
    where: ActionFilter,
    after: int | None,
    limit: int,
) -> dict[int, Page[ActionRow]]:
    """One page of the actions of each of many runs; the filter's own run is not looked at."""
    other = replace(where, run_id=None)
    return await read_pages(
        conn,
        run_ids,
        lambda parent: _filtered(select(*_COLUMNS), other).where(actions.c.run_id == parent),
        actions.c.id,
        after,
        limit,
        _action,
    )


async def recent_actions(
    conn: AsyncConnection, where: ActionFilter, limit: int
) -> tuple[ActionRow, ...]:
    """The newest actions, the newest first."""
    statement = _filtered(select(*_COLUMNS), where).order_by(actions.c.id.desc()).limit(limit)
    return tuple(await read_rows(conn, statement, _action))


async def count_actions(conn: AsyncConnection, where: ActionFilter) -> int:
    """How many actions the filter lets through."""
    statement = _filtered(select(func.count()).select_from(actions), where)
    return int((await conn.execute(statement)).scalar_one())


async def actions_by_ids(conn: AsyncConnection, ids: Sequence[int]) -> dict[int, ActionRow]:
    """The actions of these ids."""
    rows = await read_rows(conn, select(*_COLUMNS).where(one_of(actions.c.id, ids)), _action)
    return {row.id: row for row in rows}


async def action_counts(
    conn: AsyncConnection, run_ids: Sequence[int]
) -> dict[int, tuple[ActionCount, ...]]:
    """What became of the actions of many runs, by kind, state and reason."""
    reason = func.coalesce(func.nullif(actions.c.outcome_code, ""), actions.c.reason)
    statement = (
        select(
            actions.c.run_id,
            actions.c.kind,
            actions.c.state,
            reason.label("reason"),
            func.count().label("count"),
        )
        .where(one_of(actions.c.run_id, run_ids))
        .group_by(actions.c.run_id, actions.c.kind, actions.c.state, reason)
        .order_by(actions.c.run_id, actions.c.kind, actions.c.state, reason)
    )
    found: dict[int, list[ActionCount]] = {}
    for row in (await conn.execute(statement)).mappings():
        count = ActionCount(ActionKind(row["kind"]), row["state"], row["reason"], row["count"])
        found.setdefault(row["run_id"], []).append(count)
    return {run_id: tuple(counts) for run_id, counts in found.items()}
