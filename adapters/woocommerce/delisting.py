"""Deleting for good: batch deletes are always forced, nothing goes to the trash.

Whole products are looked at right before, since nobody can bring back what was added to them since
they were last seen.
"""

from collections.abc import AsyncIterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from adapters.http import Json
from adapters.woocommerce import wire
from adapters.woocommerce.batches import Row, chunks, refused
from adapters.woocommerce.client import PER_PAGE, Client
from adapters.woocommerce.walk import DELETED, RESTRUCTURED, Reader, number
from reconcile.contract import Progress, Result, Step, Write
from reconcile.core.actions import Outcome
from reconcile.core.types import RemoteListing, RemoteRef

_SHAPE = "id,type,status,variations"


class Delisting:
    """Removes variations, or whole products."""

    def __init__(self, client: Client, reader: Reader, batch_size: int) -> None:
        self._client = client
        self._reader = reader
        self._size = batch_size

    async def delist(self, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        """Delete what the actions name; what is gone already counts as done."""
        grown = await self._grown([row for write in writes for row in _rows(write)])
        for result in grown.values():
            yield result
        async for progress in self._delete([write for write in writes if write.key not in grown]):
            yield progress

    async def _delete(self, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        rows = [row for write in writes for row in _rows(write)]
        left: dict[str, int] = {}
        for row in rows:
            left[row.key] = left.get(row.key, 0) + 1
        results: dict[str, Result] = {}
        for chunk in chunks(rows, self._size):
            yield chunk.sending
            items: list[Json] = [row.item["id"] for row in chunk.rows]
            answers = await self._client.batch(chunk.path, "delete", items)
            for row, (_, error) in zip(chunk.rows, answers, strict=True):
                result = Result(row.key, Outcome.APPLIED, gone=DELETED)
                if error is not None:
                    result = refused(row.key, error)
                    if result.gone is not None:
                        message = "It was not on the store any more"
                        result = Result(row.key, Outcome.NO_OP, "Gone", message, gone=DELETED)
                if result.gone is not None:
                    yield Step(row.key, f"deleted:{row.item['id']}", str(row.item["id"]))
                results[row.key] = _worse(results.get(row.key), result)
                left[row.key] -= 1
                if not left[row.key]:
                    yield results[row.key]
        for write in writes:
            if write.key not in left:
                yield Result(write.key, Outcome.APPLIED, gone=DELETED)

    async def _grown(self, rows: Sequence[Row]) -> dict[str, Result]:
        """Results of the actions whose product is more than what was to be deleted."""
        whole = {number(row.ref.listing): row for row in rows if row.ref.variant is None}
        ids = sorted(whole)
        found: dict[str, Result] = {}
        for start in range(0, len(ids), PER_PAGE):
            asked = ",".join(str(item) for item in ids[start : start + PER_PAGE])
            page = await self._client.products({"include": asked}, fields=_SHAPE)
            for unread in page.rejected:
                key = whole[number(unread)].key
                message = (
                    "What the store shows of the product is not understood; nothing is deleted"
                )
                found[key] = Result(key, Outcome.RETRYING, "UnexpectedResponse", message)
            for product in page.rows:
                row = whole[product.id]
                ours = {variant.ref for variant in row.write.variants if variant.ref is not None}
                result = _result_if_grown(row.key, product, ours)
                if result is not None and result.gone is None:
                    other = next(item for item in _refs(product) if item not in ours)
                    now = (await self._reader.read([other], with_content=False))[other]
                    seen = (now,) if isinstance(now, RemoteListing) else ()
                    result = replace(result, observed=seen)
                if result is not None:
                    found[row.key] = result
        return found


def _refs(product: wire.Product) -> list[RemoteRef]:
    return [RemoteRef(str(product.id), str(item)) for item in product.variation_ids]


def _result_if_grown(
    key: str, product: wire.Product, ours: AbstractSet[RemoteRef]
) -> Result | None:
    """The result where deleting the product would delete what nobody asked for; else None."""
    if ours and product.is_variable == any(ref.variant is None for ref in ours):
        gone = RESTRUCTURED
        return Result(key, Outcome.STALE, gone.reason, gone.message, gone=gone)
    others = [ref for ref in _refs(product) if ref not in ours]
    if not others:
        return None
    message = (
        f"Product {product.id} has {len(others)} further variations by now, which were not to be "
        "delisted; nothing was deleted"
    )
    return Result(key, Outcome.STALE, "NotAlone", message)


def _rows(write: Write) -> list[Row]:
    """What is to be deleted: the product, or each variation no earlier try has deleted."""
    refs = [variant.ref for variant in write.variants if variant.ref is not None]
    if write.ends_product or any(ref.variant is None for ref in refs):
        product = write.remote_id or refs[0].listing
        refs = [RemoteRef(product)]
    return [
        Row(write.key, ref, {}, write)
        for ref in dict.fromkeys(refs)
        if write.step(f"deleted:{ref.variant or ref.listing}") is None
    ]


def _worse(first: Result | None, second: Result) -> Result:
    """The result that stands for an action of several rows: a failure, else what was done."""
    if first is None or first.outcome is Outcome.NO_OP:
        return second
    if first.outcome is Outcome.APPLIED and second.outcome is not Outcome.NO_OP:
        return second
    return first
