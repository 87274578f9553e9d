"""Price, quantity and being buyable: sync, hide and unhide, each a row in a batch request.

A read-back that differs is a failure here: prices and quantities are never "about right".
"""

from collections.abc import AsyncIterator, Mapping, Sequence

from adapters.http import Json
from adapters.woocommerce import mapping
from adapters.woocommerce.batches import (
    Chunk,
    Row,
    Shown,
    chunks,
    differences,
    parent_presence,
    refused,
    shown,
)
from adapters.woocommerce.client import Client
from adapters.woocommerce.walk import RESTRUCTURED, Reader
from reconcile.contract import Gone, Progress, Result, Step, VariantWrite, Write
from reconcile.core.actions import Outcome
from reconcile.core.types import Fields, RemoteRef, RemoteVariant, SeenPresence

NOT_ACCEPTED = "NotAccepted"


class Selling:
    """Writes what decides whether and for how much something is sold."""

    def __init__(self, client: Client, reader: Reader, batch_size: int) -> None:
        self._client = client
        self._reader = reader
        self._size = batch_size

    # --- sync -------------------------------------------------------------------------------

    async def sync(self, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        """Send changed prices and quantities."""
        rows: list[Row] = []
        for write in writes:
            variant, ref = _only(write)
            if reason := _impossible(variant, variant.sync):
                yield Result(write.key, Outcome.FAILED, "Unsupported", reason)
            else:
                rows.append(Row(write.key, ref, sync_body(variant.sync, variant.aspects), write))
        for chunk in chunks(rows, self._size):
            yield chunk.sending
            for row, found in await self._update(chunk):
                yield found if isinstance(found, Result) else synced(row, found)

    async def _update(self, chunk: Chunk) -> list[tuple[Row, Shown | Result]]:
        """One request; each row as the store shows it afterwards, or the result if refused."""
        answers = await self._client.batch(chunk.path, "update", [row.item for row in chunk.rows])
        view = self._reader.view()
        found: list[tuple[Row, Shown | Result]] = []
        for row, (answer, error) in zip(chunk.rows, answers, strict=True):
            if error is not None:
                found.append((row, refused(row.key, error)))
                continue
            seen = shown(row, answer, view)
            gone = seen.gone or _restructured(row, seen)
            found.append((row, _gone(row.key, gone) if gone else seen))
        return found

    # --- hide -------------------------------------------------------------------------------

    async def hide(self, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        """Make variants unbuyable; what that overwrites is recorded before it is overwritten."""
        kept: dict[str, Fields] = {}
        rows: list[Row] = []
        unread = [write for write in writes if write.step("kept") is None]
        refs = [_only(write)[1] for write in unread]
        found = await self._reader.read(refs, with_content=False) if refs else {}
        for write in writes:
            variant, ref = _only(write)
            step = write.step("kept")
            if step is not None:
                kept[write.key] = step.detail
                rows.append(Row(write.key, ref, hide_body(step.detail), write))
                continue
            now = found[ref]
            if isinstance(now, Gone):
                yield _gone(write.key, now)
                continue
            current = next(item for item in now.variants if item.ref == ref)
            if current.aspects.get("type") in mapping.NO_STOCK_TYPES:
                message = f"A product of type {current.aspects['type']} has no stock to take away"
                yield Result(write.key, Outcome.FAILED, "Unsupported", message)
                continue
            detail = kept_of(current, variant.kept)
            if current.unsellable and current.aspects.get("manage_stock") != "parent":
                message = "It was out of stock already"
                yield Result(write.key, Outcome.NO_OP, "", message, observed=(now,), kept=detail)
                continue
            # Recorded first: after the request nobody could tell any more what was overwritten.
            yield Step(write.key, "kept", ref.variant, detail)
            kept[write.key] = detail
            rows.append(Row(write.key, ref, hide_body(detail), write))
        for chunk in chunks(rows, self._size):
            yield chunk.sending
            for row, seen in await self._update(chunk):
                yield seen if isinstance(seen, Result) else hidden(row.key, seen, kept[row.key])

    # --- unhide -----------------------------------------------------------------------------

    async def unhide(self, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        """Bring variants back; products that are not shown are shown after their variations."""
        rows: list[Row] = []
        parents: dict[str, list[Write]] = {}
        for write in writes:
            variant, ref = _only(write)
            if ref.variant is not None and parent_presence(write) is SeenPresence.HIDDEN:
                parents.setdefault(ref.listing, []).append(write)
            rows.append(Row(write.key, ref, unhide_body(write, variant), write))
        waiting = {write.key for group in parents.values() for write in group}
        done: dict[str, Result] = {}
        for chunk in chunks([row for row in rows if row.body], self._size):
            yield chunk.sending
            for row, seen in await self._update(chunk):
                result = seen if isinstance(seen, Result) else unhidden(row, seen)
                if row.key in waiting and result.outcome is Outcome.APPLIED:
                    done[row.key] = result
                    yield Step(row.key, "variant", row.ref.variant)
                else:
                    waiting.discard(row.key)
                    yield result
        for row in rows:
            if not row.body and row.key not in waiting:
                yield Result(row.key, Outcome.NO_OP, "", "It was not hidden")
        async for progress in self._show(parents, waiting, done):
            yield progress

    async def _show(
        self, parents: Mapping[str, list[Write]], waiting: set[str], done: Mapping[str, Result]
    ) -> AsyncIterator[Progress]:
        """Publish the products whose variations have been brought back."""
        rows = [
            Row(write.key, RemoteRef(parent), show_body(write), write)
            for parent, group in parents.items()
            for write in group
            if write.key in waiting
        ]
        first = {row.ref: row for row in reversed(rows)}
        for chunk in chunks(list(first.values()), self._size):
            keys = {row.ref for row in chunk.rows}
            yield Chunk(chunk.path, tuple(row for row in rows if row.ref in keys)).sending
            for row, seen in await self._update(chunk):
                for sibling in (other for other in rows if other.ref == row.ref):
                    yield _shown_parent(sibling.key, seen, done.get(sibling.key))


def _shown_parent(key: str, seen: Shown | Result, variant: Result | None) -> Result:
    if isinstance(seen, Result):
        return Result(key, seen.outcome, seen.code, seen.message, gone=seen.gone)
    observed = variant.observed if variant else ()
    if seen.listing.presence is not SeenPresence.LISTED:
        message = "The store did not publish the product"
        return Result(key, Outcome.FAILED, NOT_ACCEPTED, message, observed=observed)
    return Result(key, Outcome.APPLIED, observed=(seen.listing, *observed))


def _only(write: Write) -> tuple[VariantWrite, RemoteRef]:
    """The one variant an action per variant is about, and where it is."""
    (variant,) = write.variants
    if variant.ref is None:
        raise ValueError(f"action {write.key} has no object on the store")
    return variant, variant.ref


def _restructured(row: Row, found: Shown) -> Gone | None:
    """What is left of a simple product that has variations by now: nothing that was linked."""
    _, ref = _only(row.write)
    return RESTRUCTURED if ref.variant is None and found.type.startswith("variable") else None


def _gone(key: str, gone: Gone) -> Result:
    return Result(key, Outcome.STALE, gone.reason, gone.message, gone=gone)


def _impossible(variant: VariantWrite, sync: Fields) -> str:
    """Why these values cannot be sent to this kind of product, whatever the store would say."""
    kind = variant.aspects.get("type")
    if kind == "grouped":
        return "A grouped product has no price and no stock of its own; link its parts instead"
    if kind == "external" and "stock_quantity" in sync:
        return "An external product is sold elsewhere, WooCommerce keeps no stock for it"
    return ""


def sync_body(sync: Fields, aspects: Fields) -> dict[str, Json]:
    """Prices and quantity as the store takes them.

    A quantity counts only where stock is managed, so managing is switched on with it; a variation
    whose product manages the stock leaves that pool.
    """
    body: dict[str, Json] = {}
    for name in ("regular_price", "sale_price"):
        if name in sync and sync[name] is not None:
            body[name] = str(sync[name])
    quantity = sync.get("stock_quantity")
    if isinstance(quantity, int):
        body["stock_quantity"] = quantity
        if aspects.get("manage_stock") is not True:
            body["manage_stock"] = True
    return body


def synced(row: Row, found: Shown) -> Result:
    """Compare what was sent with what the store shows."""
    wanted = row.write.variants[0].sync
    missed = differences(wanted, mapping.seen(found.offer, found.type))
    if not missed:
        return Result(row.key, Outcome.APPLIED, observed=(found.listing,))
    return Result(
        row.key,
        Outcome.FAILED,
        NOT_ACCEPTED,
        f"The store answered without an error but did not take the value: {missed}{_hint(found)}",
        observed=(found.listing,),
    )


def _hint(found: Shown) -> str:
    if found.offer.manage_stock is not True:
        return (
            ". Stock is not managed there; look at WooCommerce → Settings → Products → Inventory → "
            "Enable stock management"
        )
    return ""


def kept_of(current: RemoteVariant, earlier: Fields | None) -> Fields:
    """What hiding will overwrite; an earlier memory wins while the variant still is hidden."""
    if current.unsellable and earlier is not None:
        return earlier
    names = ("manage_stock", "stock_quantity", "backorders", "stock_status")
    return {name: current.aspects.get(name) for name in names}


def hide_body(kept: Fields) -> dict[str, Json]:
    """Out of stock (R11); a status alone would not stick where stock is managed."""
    if kept.get("manage_stock") is False:
        return {"stock_status": "outofstock"}
    return {"manage_stock": True, "stock_quantity": 0, "backorders": "no"}


def hidden(key: str, found: Shown, kept: Fields) -> Result:
    """Whether hiding worked."""
    if mapping.is_unsellable(found.offer):
        return Result(key, Outcome.APPLIED, observed=(found.listing,), kept=kept)
    message = f"The store still sells it after hiding{_hint(found)}"
    return Result(key, Outcome.FAILED, NOT_ACCEPTED, message, observed=(found.listing,))


def unhide_body(write: Write, variant: VariantWrite) -> dict[str, Json]:
    """What hiding overwrote, with newer values where the action brings them."""
    body: dict[str, Json] = sync_body(variant.sync, {})
    kept = variant.kept
    if kept is not None and "stock_quantity" not in body:
        if kept.get("manage_stock") is True:
            quantity = kept.get("stock_quantity")
            body["manage_stock"] = True
            body["stock_quantity"] = quantity if isinstance(quantity, int) else 0
        else:
            # False also gives a variation back to the stock of its product ("parent" when read).
            body["manage_stock"] = False
            body["stock_status"] = str(kept.get("stock_status") or "instock")
    if kept is not None and body.get("manage_stock") is True:
        body["backorders"] = str(kept.get("backorders") or "no")
    if variant.ref is not None and variant.ref.variant is None:
        if parent_presence(write) is SeenPresence.HIDDEN:
            body.update(show_body(write))
    elif variant.aspects.get("status") in mapping.HIDDEN_STATUSES:
        body["status"] = "publish"
    return body


def show_body(write: Write) -> dict[str, Json]:
    """What brings a product back into the shop; where in the shop it shows stays as it was."""
    body: dict[str, Json] = {}
    if write.aspects.get("status") in mapping.HIDDEN_STATUSES:
        body["status"] = "publish"
    if write.aspects.get("catalog_visibility") == "hidden":
        body["catalog_visibility"] = "visible"
    return body


def unhidden(row: Row, found: Shown) -> Result:
    """Whether what was sent to unhide is what the store shows."""
    seen = {**mapping.seen(found.offer, found.type), **mapping.stock_aspects(found.offer)}
    names = {"stock_quantity", "backorders"}
    if found.offer.manage_stock is False:  # otherwise it follows from a quantity
        names.add("stock_status")
    wanted = {
        name: value
        for name, value in row.body.items()
        if isinstance(value, str | int) and name in names
    }
    missed = differences({**row.write.variants[0].sync, **wanted}, seen)
    if _is_shown(row, found) and not missed:
        return Result(row.key, Outcome.APPLIED, observed=(found.listing,))
    message = f"The store did not take everything back: {missed or 'it is still not shown'}"
    return Result(row.key, Outcome.FAILED, NOT_ACCEPTED, message, observed=(found.listing,))


def _is_shown(row: Row, found: Shown) -> bool:
    if row.ref.variant is None:
        return found.listing.presence is SeenPresence.LISTED
    status = found.listing.variants[0].aspects.get("status")
    return status not in mapping.HIDDEN_STATUSES
