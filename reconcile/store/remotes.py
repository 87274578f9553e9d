"""Reads of the mirror for people: what a channel holds, and which of it is ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Select, and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.core.types import LinkState, SeenPresence
from reconcile.store.page import Page, one_of, read_page, read_rows
from reconcile.store.tables import listing_variants, remote_listings, remote_variants


@dataclass(frozen=True, slots=True)
class RemoteFilter:
    """Which sellable objects of one channel; tombstones are left out."""

    channel_id: int
    is_linked: bool | None = None
    sku: str | None = None


@dataclass(frozen=True, slots=True)
class RemoteVariantRow:
    """One sellable object as the channel was last seen to hold it."""

    id: int
    channel_id: int
    remote_listing_id: int
    parent: str
    """Their product id."""
    variant: str | None
    title: str
    sku: str | None
    presence: SeenPresence
    seen: Mapping[str, Any]
    content: Mapping[str, Any]
    identifiers: Mapping[str, str]
    link_key: str | None
    options: tuple[tuple[str, str], ...]
    is_absent: bool
    """Missing from the last complete snapshot, not yet proved gone."""
    gone: str | None
    observed_at: datetime
    claimed_by: int | None
    """The variant of ours that is linked to it."""


def _select() -> Select[Any]:
    claim = and_(
        listing_variants.c.remote_variant_id == remote_variants.c.id,
        listing_variants.c.link_state == LinkState.LINKED,
    )
    return select(
        remote_variants,
        remote_listings.c.title,
        listing_variants.c.id.label("claimed_by"),
    ).select_from(
        remote_variants.join(
            remote_listings, remote_listings.c.id == remote_variants.c.remote_listing_id
        ).outerjoin(listing_variants, claim)
    )


def _remote(row: RowMapping) -> RemoteVariantRow:
    return RemoteVariantRow(
        id=row["id"],
        channel_id=row["channel_id"],
        remote_listing_id=row["remote_listing_id"],
        parent=row["parent"],
        variant=row["variant"] or None,
        title=row["title"],
        sku=row["sku"],
        presence=SeenPresence(row["presence"]),
        seen=row["seen"],
        content=row["content"],
        identifiers=row["identifiers"],
        link_key=row["link_key"],
        options=tuple((name, value) for name, value in row["options"]),
        is_absent=row["absent"],
        gone=row["gone"],
        observed_at=row["observed_at"],
        claimed_by=row["claimed_by"],
    )


async def remote_variants_by_ids(
    conn: AsyncConnection, ids: Sequence[int]
) -> dict[int, RemoteVariantRow]:
    """The objects of these mirror ids, tombstones included."""
    rows = await read_rows(conn, _select().where(one_of(remote_variants.c.id, ids)), _remote)
    return {row.id: row for row in rows}


async def list_remote_variants(
    conn: AsyncConnection, where: RemoteFilter, after: int | None, limit: int
) -> Page[RemoteVariantRow]:
    """What the channel holds, in the order it was first seen."""
    statement = _select().where(
        remote_variants.c.channel_id == where.channel_id, remote_variants.c.gone.is_(None)
    )
    if where.is_linked is not None:
        claimed = listing_variants.c.id.is_not(None)
        statement = statement.where(claimed if where.is_linked else ~claimed)
    if where.sku is not None:
        statement = statement.where(remote_variants.c.sku == where.sku)
    return await read_page(conn, statement, remote_variants.c.id, after, limit, _remote)
