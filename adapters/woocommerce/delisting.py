"""Deleting for good: batch deletes are always forced, nothing goes to the trash."""

from collections.abc import AsyncIterator, Sequence

from adapters.http import Json
from adapters.woocommerce.batches import Row, chunks, refused
from adapters.woocommerce.client import Client
from adapters.woocommerce.walk import DELETED
from reconcile.contract import Progress, Result, Step, Write
from reconcile.core.actions import Outcome
from reconcile.core.types import RemoteRef


class Delisting:
    """Removes variations, or whole products."""

    def __init__(self, client: Client, batch_size: int) -> None:
        self._client = client
        self._size = batch_size

    async def delist(self, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        """Delete what the actions name; what is gone already counts as done."""
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
