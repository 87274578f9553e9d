"""Reads of our listings: lists with filters, loaders for many ids, counts. Writes nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    exists,
    func,
    literal_column,
    select,
    true,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.core.types import LinkState, Presence, SyncStatus
from reconcile.store.listing_rows import (
    LISTING_COLUMNS,
    ListingRow,
    VariantRow,
    listing_row,
    select_variants,
    sync_status,
    variant_row,
)
from reconcile.store.page import (
    Page,
    escape_like,
    grouped,
    one_of,
    read_page,
    read_pages,
    read_rows,
)
from reconcile.store.tables import (
    channels,
    conditions,
    listing_variants,
    listings,
    remote_variants,
)

__all__ = [
    "ListingFilter",
    "ListingRow",
    "ListingSummary",
    "VariantRow",
    "count_listings",
    "find_listing",
    "find_variant",
    "list_listings",
    "listing_summaries",
    "listings_by_ids",
    "variants_by_ids",
    "variants_by_listing",
    "variants_by_sku",
    "variants_pages",
]


@dataclass(frozen=True, slots=True)
class ListingFilter:
    """Which listings; what speaks of variants must hold for one and the same variant."""

    channel_id: int | None = None
    sku: str | None = None
    """Exactly the listing's SKU or one of its variants'."""
    sku_prefix: str | None = None
    title_contains: str | None = None
    """Ignores case."""
    link_state: LinkState | None = None
    presence: Presence | None = None
    sync_status: SyncStatus | None = None
    reason: str | None = None
    """A condition with this reason, on the listing or a variant."""
    is_paused: bool | None = None
    needs_attention: bool | None = None

    @property
    def is_about_variants(self) -> bool:
        """Whether some variant has to pass a test."""
        values = (self.link_state, self.presence, self.sync_status, self.is_paused)
        return any(value is not None for value in values)


@dataclass(frozen=True, slots=True)
class ListingSummary:
    """How the variants of one listing stand, in numbers."""

    variants: int
    linked: int
    unlinked: int
    ambiguous: int
    broken: int
    in_sync: int
    out_of_sync: int
    unknown: int
    paused: int


def variant_conditions(where: ListingFilter) -> list[ColumnElement[bool]]:
    """What the filter asks of a variant, in a query joined to the mirror."""
    found: list[ColumnElement[bool]] = []
    if where.link_state is not None:
        found.append(listing_variants.c.link_state == where.link_state)
    if where.presence is not None:
        found.append(listing_variants.c.presence == where.presence)
    if where.is_paused is not None:
        found.append(listing_variants.c.paused == where.is_paused)
    if where.sync_status is not None:
        found.append(sync_status() == where.sync_status.value)
    return found


def _removed_channels() -> Select[Any]:
    """Their listings are kept as history and shown only where that channel is asked for."""
    return select(channels.c.id).where(channels.c.removed_at.is_not(None))


def _has_variant(*tests: ColumnElement[bool]) -> ColumnElement[bool]:
    joined = listing_variants.outerjoin(
        remote_variants, remote_variants.c.id == listing_variants.c.remote_variant_id
    )
    return exists(
        select(listing_variants.c.id)
        .select_from(joined)
        .where(listing_variants.c.listing_id == listings.c.id, *tests)
    )


def _with_condition(where: ListingFilter, test: ColumnElement[bool]) -> Select[Any]:
    """Ids of listings with such a condition, their own or a variant's.

    From the conditions to the listings: they are few, and asking each listing costs seconds.
    """
    tests = [test]
    if where.channel_id is not None:
        tests.append(conditions.c.channel_id == where.channel_id)
    own = select(conditions.c.object_id).where(conditions.c.object_kind == "listing", *tests)
    of_variants = (
        select(listing_variants.c.listing_id)
        .join(conditions, conditions.c.object_id == listing_variants.c.id)
        .where(conditions.c.object_kind == "variant", *tests)
    )
    return select(union_all(own, of_variants).subquery("conditioned"))


def _without_condition(test: ColumnElement[bool]) -> ColumnElement[bool]:
    """No condition like that, of the listing or of a variant; two tests that PostgreSQL joins."""
    own = select(conditions.c.id).where(
        conditions.c.object_kind == "listing", conditions.c.object_id == listings.c.id, test
    )
    of_variants = (
        select(listing_variants.c.id)
        .join(conditions, conditions.c.object_id == listing_variants.c.id)
        .where(
            conditions.c.object_kind == "variant",
            listing_variants.c.listing_id == listings.c.id,
            test,
        )
    )
    return and_(~exists(own), ~exists(of_variants))


Test = Callable[[ColumnElement[str]], ColumnElement[bool]]


def _with_sku(channel_id: int | None, test: Test) -> Select[Any]:
    """Ids of listings whose SKU, or a variant's, passes; a union, so that both indexes serve."""
    own = select(listings.c.id).where(test(listings.c.sku))
    of_variants = select(listing_variants.c.listing_id).where(test(listing_variants.c.sku))
    if channel_id is not None:
        own = own.where(listings.c.channel_id == channel_id)
        of_variants = of_variants.where(listing_variants.c.channel_id == channel_id)
    return select(union_all(own, of_variants).subquery("named"))


def listing_conditions(where: ListingFilter) -> list[ColumnElement[bool]]:
    """What the filter asks of a listing."""
    found: list[ColumnElement[bool]] = []
    if where.channel_id is not None:
        found.append(listings.c.channel_id == where.channel_id)
    else:
        found.append(listings.c.channel_id.not_in(_removed_channels()))
    if where.sku is not None:
        sku = where.sku
        found.append(listings.c.id.in_(_with_sku(where.channel_id, lambda column: column == sku)))
    if where.sku_prefix is not None:
        pattern = escape_like(where.sku_prefix) + "%"
        chosen = _with_sku(where.channel_id, lambda column: column.like(pattern))
        found.append(listings.c.id.in_(chosen))
    if where.title_contains is not None:
        found.append(listings.c.title.ilike(f"%{escape_like(where.title_contains)}%"))
    if where.is_about_variants:
        found.append(_has_variant(*variant_conditions(where)))
    if where.reason is not None:
        chosen = _with_condition(where, conditions.c.reason == where.reason)
        found.append(listings.c.id.in_(chosen))
    if where.needs_attention is not None:
        attention = conditions.c.status == literal_column("'ATTENTION'")
        found.append(
            listings.c.id.in_(_with_condition(where, attention))
            if where.needs_attention
            else _without_condition(attention)
        )
    return found


async def list_listings(
    conn: AsyncConnection, where: ListingFilter, after: int | None, limit: int
) -> Page[ListingRow]:
    """Listings in the order they were made."""
    statement = select(*LISTING_COLUMNS).where(true(), *listing_conditions(where))
    return await read_page(conn, statement, listings.c.id, after, limit, listing_row)


async def count_listings(conn: AsyncConnection, where: ListingFilter) -> int:
    """How many listings the filter lets through."""
    statement = select(func.count()).select_from(listings).where(true(), *listing_conditions(where))
    return int((await conn.execute(statement)).scalar_one())


async def listings_by_ids(conn: AsyncConnection, ids: Sequence[int]) -> dict[int, ListingRow]:
    """The listings of these ids."""
    statement = select(*LISTING_COLUMNS).where(one_of(listings.c.id, ids))
    return {row.id: row for row in await read_rows(conn, statement, listing_row)}


async def variants_by_ids(conn: AsyncConnection, ids: Sequence[int]) -> dict[int, VariantRow]:
    """The variants of these ids."""
    statement = select_variants().where(one_of(listing_variants.c.id, ids))
    return {row.id: row for row in await read_rows(conn, statement, variant_row)}


async def variants_by_listing(
    conn: AsyncConnection, listing_ids: Sequence[int]
) -> dict[int, tuple[VariantRow, ...]]:
    """All variants of many listings, in their order."""
    statement = (
        select_variants()
        .where(one_of(listing_variants.c.listing_id, listing_ids))
        .order_by(listing_variants.c.position, listing_variants.c.id)
    )
    rows = await read_rows(conn, statement, variant_row)
    return grouped(rows, lambda row: row.listing_id)


async def variants_pages(
    conn: AsyncConnection, listing_ids: Sequence[int], after: int | None, limit: int
) -> dict[int, Page[VariantRow]]:
    """One page of variants for each of many listings, by variant id."""
    return await read_pages(
        conn,
        listing_ids,
        lambda parent: select_variants().where(listing_variants.c.listing_id == parent),
        listing_variants.c.id,
        after,
        limit,
        variant_row,
    )


async def variants_by_sku(
    conn: AsyncConnection, skus: Sequence[str]
) -> dict[str, tuple[VariantRow, ...]]:
    """The variants of all channels that bear these SKUs."""
    statement = (
        select_variants()
        .where(
            one_of(listing_variants.c.sku, skus),
            listing_variants.c.channel_id.not_in(_removed_channels()),
        )
        .order_by(listing_variants.c.channel_id, listing_variants.c.id)
    )
    found: dict[str, list[VariantRow]] = {}
    for row in await read_rows(conn, statement, variant_row):
        found.setdefault(row.sku, []).append(row)
    return {sku: tuple(rows) for sku, rows in found.items()}


async def find_listing(conn: AsyncConnection, channel_id: int, sku: str) -> ListingRow | None:
    """The listing with this SKU, else the one that has a variant with it."""
    named = _with_sku(channel_id, lambda column: column == sku)
    statement = (
        select(*LISTING_COLUMNS)
        .where(listings.c.id.in_(named))
        .order_by((listings.c.sku == sku).desc())
        .limit(1)
    )
    rows = await read_rows(conn, statement, listing_row)
    return rows[0] if rows else None


async def find_variant(conn: AsyncConnection, channel_id: int, sku: str) -> VariantRow | None:
    """The variant with this SKU on the channel."""
    statement = select_variants().where(
        listing_variants.c.channel_id == channel_id, listing_variants.c.sku == sku
    )
    rows = await read_rows(conn, statement, variant_row)
    return rows[0] if rows else None


async def listing_summaries(
    conn: AsyncConnection, listing_ids: Sequence[int]
) -> dict[int, ListingSummary]:
    """How the variants of many listings stand."""
    rows = select_variants().where(one_of(listing_variants.c.listing_id, listing_ids)).subquery()
    counts = {
        "variants": func.count(),
        **{
            state.value.lower(): func.count().filter(rows.c.link_state == state)
            for state in LinkState
        },
        **{
            status.value.lower(): func.count().filter(rows.c.sync_status == status.value)
            for status in SyncStatus
        },
        "paused": func.count().filter(rows.c.paused),
    }
    statement = select(
        rows.c.listing_id, *(count.label(name) for name, count in counts.items())
    ).group_by(rows.c.listing_id)
    result = await conn.execute(statement)
    return {
        row["listing_id"]: ListingSummary(**{name: row[name] for name in counts})
        for row in result.mappings()
    }
