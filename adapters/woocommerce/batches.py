"""Batch requests of updates: which rows travel together, and what each answered row means.

Simple products share one route; the variations of each product have their own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from adapters.http import Json
from adapters.redaction import clean_text
from adapters.woocommerce import mapping, wire
from adapters.woocommerce.errors import is_gone
from adapters.woocommerce.walk import DELETED, IN_TRASH, number
from reconcile.contract import Effect, Gone, Result, Sending, UnexpectedResponseError, Write
from reconcile.core.actions import Outcome
from reconcile.core.types import RemoteListing, RemoteRef, SeenPresence, Value

MAX_ROWS = 100
"""More rows in one request are refused with status 413."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a batch, on behalf of an action."""

    key: str
    ref: RemoteRef
    body: Mapping[str, Json]
    write: Write

    @property
    def item(self) -> dict[str, Json]:
        """What is sent: the body with the id it is for."""
        return {"id": number(self.ref.variant or self.ref.listing), **self.body}


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of one request."""

    path: str
    rows: tuple[Row, ...]

    @property
    def sending(self) -> Sending:
        """What the runtime records before the request leaves."""
        keys = tuple(dict.fromkeys(row.key for row in self.rows))
        return Sending(keys, f"POST {self.path}/batch")


def chunks(rows: Sequence[Row], size: int) -> Iterator[Chunk]:
    """The fewest requests that carry these rows, products first, then variations by product."""
    size = min(max(size, 1), MAX_ROWS)
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(path_of(row.ref), []).append(row)
    for path, group in groups.items():
        for start in range(0, len(group), size):
            yield Chunk(path, tuple(group[start : start + size]))


def path_of(ref: RemoteRef) -> str:
    """The collection an object belongs to."""
    return "/products" if ref.variant is None else f"/products/{number(ref.listing)}/variations"


def refused(key: str, error: wire.RowError) -> Result:
    """The result of an action whose row was refused."""
    said = clean_text(error.message)[:300] or error.code
    if is_gone(error.code, error.status):
        message = "The store does not know the object any more"
        return Result(key, Outcome.STALE, "Gone", message, gone=DELETED)
    if error.status >= 500:
        return Result(key, Outcome.RETRYING, error.code, said)
    if error.code.endswith("_image_upload_error"):
        return Result(key, Outcome.FAILED, "ImageUploadFailed", said)
    if error.resource_id is not None:
        said = f"{said} (held by the object with id {error.resource_id})"
    return Result(key, Outcome.FAILED, error.code, said)


@dataclass(frozen=True, slots=True)
class Shown:
    """An object as the answer to a write showed it."""

    offer: wire.Offer
    type: str
    listing: RemoteListing
    gone: Gone | None = None


def shown(row: Row, answer: wire.Row, view: mapping.StoreView, *, is_whole: bool = False) -> Shown:
    """Read an answered row; only what it shows itself is in the (partial) listing.

    `is_whole` has a product without variations come out whole, its content included.
    """
    try:
        if row.ref.variant is None:
            product = wire.product(dict(answer))
            partial = not is_whole or product.is_variable
            listing = mapping.listing(product, (), view, is_partial=partial)
            gone = IN_TRASH if product.status == "trash" else None
            found = Shown(product.offer, product.type, listing, gone)
            answered_id = product.id
        else:
            variation = wire.variation(dict(answer))
            parent = parent_presence(row.write)
            sku = row.write.aspects.get("sku")
            variant = mapping.variation_seen(
                number(row.ref.listing),
                variation,
                parent,
                view,
                sku if isinstance(sku, str) else "",
            )
            listing = RemoteListing(
                id=row.ref.listing, title="", presence=parent, variants=(variant,), is_partial=True
            )
            gone = IN_TRASH if variation.status == "trash" else None
            found = Shown(variation.offer, "variation", listing, gone)
            answered_id = variation.id
    except wire.ShapeError as error:
        message = f"A row of the answer cannot be understood: {error}"
        raise UnexpectedResponseError(message, effect=Effect.POSSIBLE) from error
    if answered_id != row.item["id"]:
        message = f"The answer is about id {answered_id}, the request was about {row.item['id']}"
        raise UnexpectedResponseError(message, effect=Effect.POSSIBLE)
    return found


def dropped_terms(body: Mapping[str, Json], answer: wire.Row) -> list[str]:
    """Which of categories and brands the store did not take: ids it does not know, silently."""
    dropped: list[str] = []
    for name in ("categories", "brands"):
        sent = {row.get("id") for row in wire.rows(body, name)}
        if not sent <= {row.get("id") for row in wire.rows(answer, name)}:
            dropped.append(name)
    return dropped


def parent_presence(write: Write) -> SeenPresence:
    """Presence of the product as last seen, for rows that only tell of a variation."""
    status, visibility = write.aspects.get("status"), write.aspects.get("catalog_visibility")
    return mapping.product_presence(
        status if isinstance(status, str) else "publish",
        visibility if isinstance(visibility, str) else "visible",
    )


def differences(wanted: Mapping[str, Value], seen: Mapping[str, Value]) -> str:
    """What the store did not take over, in words; empty where it took everything."""
    parts = [
        f"{name}: sent {value}, the store shows {_named(seen.get(name))}"
        for name, value in sorted(wanted.items())
        if value is not None and seen.get(name) != value
    ]
    return "; ".join(parts)


def _named(value: Value) -> str:
    return "nothing" if value is None else str(value)
