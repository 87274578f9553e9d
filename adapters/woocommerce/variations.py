"""Variations of a product that is being made: created in batches, complete or not at all.

A product of which a variation is refused for good is taken back, so that nothing half-made is left
on the store for shoppers, merchants or the next link run to find.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from adapters.http import Json
from adapters.woocommerce import wire
from adapters.woocommerce.batches import MAX_ROWS, refused
from adapters.woocommerce.bodies import variation_body
from adapters.woocommerce.client import Client
from adapters.woocommerce.preparing import Preparing, options_taken
from reconcile.contract import (
    AdapterError,
    Effect,
    GoneError,
    Progress,
    Result,
    Sending,
    Step,
    UnexpectedResponseError,
    VariantWrite,
    Write,
)
from reconcile.core.actions import Outcome
from reconcile.core.types import RemoteRef


class UnderWay(Protocol):
    """What is known of the product being made; `create` adds to it."""

    write: Write
    product_id: int
    media: dict[str, str]
    refs: dict[str, RemoteRef]
    rows: list[wire.Variation]
    failed: bool


class Variations:
    """Creates the variations that are still missing."""

    def __init__(self, client: Client, preparing: Preparing, batch_size: int) -> None:
        self._client = client
        self._preparing = preparing
        self._size = min(max(batch_size, 1), MAX_ROWS)

    async def create(self, making: UnderWay) -> AsyncIterator[Progress]:
        """Create them; sets `failed` and gives the result where that is not possible."""
        write = making.write
        missing = [variant for variant in write.variants if variant.id not in making.refs]
        for start in range(0, len(missing), self._size):
            portion = missing[start : start + self._size]
            path = f"/products/{making.product_id}/variations"
            media = {**write.media, **making.media}
            bodies: list[Json] = [
                variation_body(write, variant, self._preparing.known, media) for variant in portion
            ]
            yield Sending((write.key,), f"POST {path}/batch")
            answers = await self._client.batch(path, "create", bodies)
            problems: list[Result] = []
            for variant, (row, error) in zip(portion, answers, strict=True):
                if error is not None:
                    problems.append(_named(variant, refused(write.key, error)))
                    continue
                made = _answered(row)
                if not options_taken(variant, made.options):
                    problems.append(_options_refused(write, variant, made))
                    continue
                making.rows.append(made)
                making.refs[variant.id] = RemoteRef(str(making.product_id), str(made.id))
                _keep_media(making, variant, made)
                yield Step(write.key, f"variant:{variant.id}", str(made.id))
            if problems:
                making.failed = True
                async for progress in self._give_up(making, problems):
                    yield progress
                return

    async def _give_up(
        self, making: UnderWay, problems: Sequence[Result]
    ) -> AsyncIterator[Progress]:
        """Say why; a refusal for good also takes the draft back."""
        key = making.write.key
        final = next((item for item in problems if item.outcome is not Outcome.RETRYING), None)
        if final is None:
            yield problems[0]
            return
        left = f"the unfinished draft {making.product_id} is still on the store"
        try:
            draft = await self._client.product(making.product_id)
            if draft.status == "draft":
                yield Sending((key,), "POST /products/batch")
                await self._client.batch("/products", "delete", [making.product_id])
                left = "nothing was left on the store"
            else:
                # Somebody took it over: deleting is for good, and it may have been sold already.
                left = f"product {making.product_id} stays, its status is {draft.status} by now"
        except GoneError:
            left = "nothing was left on the store"
        except AdapterError:
            # The refusal is what matters; the draft is found by its mark at the next try.
            pass
        message = "; ".join(dict.fromkeys(item.message for item in problems[:3]))
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        yield Result(key, Outcome.FAILED, final.code, f"{message}{more}; {left}")


def _named(variant: VariantWrite, result: Result) -> Result:
    message = f"Variant {variant.sku}: {result.message}"
    outcome = Outcome.RETRYING if result.outcome is Outcome.RETRYING else Outcome.FAILED
    return Result(result.key, outcome, result.code, message)


def _options_refused(write: Write, variant: VariantWrite, made: wire.Variation) -> Result:
    ours = ", ".join(f"{name} = {value}" for name, value in variant.options)
    theirs = ", ".join(f"{name} = {value}" for name, value in made.options) or "none"
    message = f"Variant {variant.sku} has the options {ours}, the store took {theirs}"
    return Result(write.key, Outcome.FAILED, "OptionsNotAccepted", message)


def _keep_media(making: UnderWay, variant: VariantWrite, made: wire.Variation) -> None:
    src = variant.content.get("image")
    if isinstance(src, str) and made.image is not None:
        making.media.setdefault(src, str(made.image.id))


def _answered(row: wire.Row) -> wire.Variation:
    try:
        return wire.variation(dict(row))
    except wire.ShapeError as error:
        message = f"A row of the answer cannot be understood: {error}"
        raise UnexpectedResponseError(message, effect=Effect.POSSIBLE) from error
