"""Our listings and their variants as rows for the API, with the sync status derived in SQL."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, case, func, literal, select

from reconcile.core.types import (
    LinkState,
    Presence,
    SeenPresence,
    SyncStatus,
    Withheld,
    ZeroCause,
)
from reconcile.store.tables import listing_variants, listings, remote_variants


@dataclass(frozen=True, slots=True)
class ListingRow:
    """One listing; values of its variants are theirs."""

    id: int
    channel_id: int
    sku: str
    title: str
    fields: Mapping[str, Any]
    """Our values by `OurField`."""
    sources: Mapping[str, Any]
    """Field → {"source", "at", "by"}."""
    option_names: tuple[str, ...]
    content: Mapping[str, Any]
    """Wanted content in the seen form, by the channel's field."""
    withheld: tuple[Withheld, ...]
    revision: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class VariantRow:
    """One listing variant with its link and how it stands to the mirror."""

    id: int
    channel_id: int
    listing_id: int
    position: int
    sku: str
    fields: Mapping[str, Any]
    sources: Mapping[str, Any]
    options: tuple[tuple[str, str], ...]
    presence: Presence
    is_asserted: bool
    is_paused: bool
    link_state: LinkState
    link_hold: bool
    link_key: str | None
    link_origin: str | None
    link_reason: str | None
    link_message: str | None
    linked_at: datetime | None
    remote_variant_id: int | None
    kept: Mapping[str, Any] | None
    was: SeenPresence
    wanted: Mapping[str, Any]
    content: Mapping[str, Any]
    withheld: tuple[Withheld, ...]
    zero_cause: ZeroCause
    is_stale: bool
    """Our values changed after `wanted` was worked out."""
    revision: int
    created_at: datetime
    updated_at: datetime
    sync_status: SyncStatus
    seen_presence: SeenPresence


def sync_status() -> ColumnElement[str]:
    """IN_SYNC where the mirror holds all that is wanted, in a query joined to the mirror."""
    linked = listing_variants.c.link_state == LinkState.LINKED
    unseen = remote_variants.c.absent | remote_variants.c.gone.is_not(None)
    return case(
        (~linked | remote_variants.c.id.is_(None) | unseen, literal(SyncStatus.UNKNOWN.value)),
        (
            ~listing_variants.c.stale & remote_variants.c.seen.contains(listing_variants.c.wanted),
            literal(SyncStatus.IN_SYNC.value),
        ),
        else_=literal(SyncStatus.OUT_OF_SYNC.value),
    )


def _seen_presence() -> ColumnElement[str]:
    """Where the variant was last seen: hidden by us counts where the platform cannot say it."""
    linked = listing_variants.c.link_state.in_((LinkState.LINKED, LinkState.BROKEN))
    hidden_by_us = listing_variants.c.kept.is_not(None) & remote_variants.c.unsellable
    return case(
        (~linked, listing_variants.c.was),
        (remote_variants.c.id.is_(None), literal(SeenPresence.UNKNOWN.value)),
        (remote_variants.c.gone.is_not(None), literal(SeenPresence.NOT_LISTED.value)),
        (remote_variants.c.absent, literal(SeenPresence.UNKNOWN.value)),
        (hidden_by_us, literal(SeenPresence.HIDDEN.value)),
        else_=remote_variants.c.presence,
    )


def select_variants() -> Select[Any]:
    """Variants joined to what they are linked to."""
    return select(
        listing_variants,
        sync_status().label("sync_status"),
        func.coalesce(_seen_presence(), SeenPresence.UNKNOWN.value).label("seen_presence"),
    ).select_from(
        listing_variants.outerjoin(
            remote_variants, remote_variants.c.id == listing_variants.c.remote_variant_id
        )
    )


def _withheld(stored: list[Mapping[str, str]]) -> tuple[Withheld, ...]:
    return tuple(Withheld(item["field"], item["reason"], item["message"]) for item in stored)


def listing_row(row: RowMapping) -> ListingRow:
    """A row of `listings` as a value."""
    return ListingRow(
        id=row["id"],
        channel_id=row["channel_id"],
        sku=row["sku"],
        title=row["title"],
        fields=row["fields"],
        sources=row["sources"],
        option_names=tuple(row["option_names"]),
        content=row["content"],
        withheld=_withheld(row["withheld"]),
        revision=row["revision"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


LISTING_COLUMNS = tuple(listings.c[name] for name in ListingRow.__dataclass_fields__)


def variant_row(row: RowMapping) -> VariantRow:
    """A row of `select_variants` as a value."""
    return VariantRow(
        id=row["id"],
        channel_id=row["channel_id"],
        listing_id=row["listing_id"],
        position=row["position"],
        sku=row["sku"],
        fields=row["fields"],
        sources=row["sources"],
        options=tuple((name, value) for name, value in row["options"]),
        presence=Presence(row["presence"]),
        is_asserted=row["asserted"],
        is_paused=row["paused"],
        link_state=LinkState(row["link_state"]),
        link_hold=row["link_hold"],
        link_key=row["link_key"],
        link_origin=row["link_origin"],
        link_reason=row["link_reason"],
        link_message=row["link_message"],
        linked_at=row["linked_at"],
        remote_variant_id=row["remote_variant_id"],
        kept=row["kept"],
        was=SeenPresence(row["was"]),
        wanted=row["wanted"],
        content=row["content"],
        withheld=_withheld(row["withheld"]),
        zero_cause=ZeroCause(row["zero_cause"]),
        is_stale=row["stale"],
        revision=row["revision"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        sync_status=SyncStatus(row["sync_status"]),
        seen_presence=SeenPresence(row["seen_presence"]),
    )
