"""Sends changed content of linked products: the product's part first, then its variations'.

Attributes are merged into the present set, because the array sent replaces all of it.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from adapters.http import Json
from adapters.woocommerce import wire
from adapters.woocommerce.batches import Chunk, Row, Shown, chunks, dropped_terms, refused, shown
from adapters.woocommerce.bodies import (
    addresses,
    listing_body,
    measures_body,
    merged_attributes,
    texts,
    variation_content,
)
from adapters.woocommerce.client import PER_PAGE, Client
from adapters.woocommerce.preparing import Preparing
from adapters.woocommerce.settings import ChannelSettings
from adapters.woocommerce.walk import DELETED, Reader, number
from reconcile.contract import AdapterError, Progress, Result, Step, Write
from reconcile.core.actions import Outcome
from reconcile.core.types import Fields, RemoteListing, RemoteRef

_IMAGE_UNKNOWN = "invalid_image_id"


@dataclass(slots=True)
class _Progress:
    """What has become of one action so far."""

    left: int
    product: str
    refs: tuple[RemoteRef, ...]
    """Where its variants are."""
    is_variable: bool = False
    observed: list[RemoteListing] = field(default_factory=list)
    media: dict[str, str] = field(default_factory=dict)
    problem: Result | None = None


class Overwriting:
    """Writes content."""

    def __init__(
        self, client: Client, reader: Reader, preparing: Preparing, settings: ChannelSettings
    ) -> None:
        self._client = client
        self._reader = reader
        self._preparing = preparing
        self._settings = settings

    async def overwrite(self, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        """Send the content the actions name; one result for each."""
        async for progress in self._preparing.terms(writes):
            yield progress
        existing = await self._attributes([write for write in writes if self._texts(write)])
        rows: list[Row] = []
        states: dict[str, _Progress] = {}
        for write in writes:
            if self._texts(write) and number(_product_id(write)) not in existing:
                message = "The product to overwrite is not on the store any more"
                yield Result(write.key, Outcome.STALE, "Gone", message, gone=DELETED)
                continue
            own = self._rows(write, existing.get(number(_product_id(write)), ()))
            refs = tuple(variant.ref for variant in write.variants if variant.ref is not None)
            states[write.key] = _Progress(len(own), _product_id(write), refs)
            rows.extend(own)
            if not own:
                yield Result(write.key, Outcome.NO_OP, "", "There was nothing to send")
        plain = [row for row in rows if not _uploads(row)]
        loaded = [row for row in rows if _uploads(row)]
        for group, size in (
            (plain, self._settings.batch_size),
            (loaded, self._settings.image_batch_size),
        ):
            async for progress in self._send(group, size, states):
                yield progress

    async def _send(
        self, rows: Sequence[Row], size: int, states: Mapping[str, _Progress]
    ) -> AsyncIterator[Progress]:
        for chunk in chunks(rows, size):
            again: list[Row] = []
            async for progress in self._request(chunk, states, again):
                yield progress
            for retry in chunks(again, size):
                # The media ids we remember were deleted on the store: upload once more.
                async for progress in self._request(retry, states, None):
                    yield progress

    async def _request(
        self, chunk: Chunk, states: Mapping[str, _Progress], again: list[Row] | None
    ) -> AsyncIterator[Progress]:
        """One request; rows whose images the store has lost go to `again` where that is given."""
        yield chunk.sending
        items: list[Json] = [row.item for row in chunk.rows]
        answers = await self._client.batch(chunk.path, "update", items)
        await self._know_categories(chunk, answers)
        done: list[str] = []
        for row, (answer, error) in zip(chunk.rows, answers, strict=True):
            if again is not None and error is not None and error.code.endswith(_IMAGE_UNKNOWN):
                again.append(self._without_ids(row))
                continue
            state = states[row.key]
            if self._settle(row, answer, error, state):
                yield Step(row.key, _step(row.ref), row.ref.variant or row.ref.listing)
            if state.left == 0:
                done.append(row.key)
        whole = await self._whole([key for key in done if states[key].is_variable], states)
        for key in done:
            yield _result(key, states[key], whole.get(states[key].product))

    async def _know_categories(
        self, chunk: Chunk, answers: Sequence[tuple[wire.Row, wire.RowError | None]]
    ) -> None:
        """Have the paths of the categories answered; without them that field is left out."""
        if chunk.path != "/products":
            return
        try:
            products = [wire.product(dict(row)) for row, error in answers if error is None]
            await self._reader.know_categories(products)
        except (AdapterError, wire.ShapeError):
            # The writing went well; an odd row is reported where it is read for its result.
            return

    def _settle(
        self, row: Row, answer: wire.Row, error: wire.RowError | None, state: _Progress
    ) -> bool:
        """Note what a row came to; whether the part stands."""
        state.left -= 1
        if error is not None:
            state.problem = state.problem or refused(row.key, error)
            return False
        found = shown(row, answer, self._reader.view(), is_whole=True)
        if dropped := dropped_terms(row.body, answer):
            self._preparing.forget()
            message = f"The store does not know the {' and '.join(dropped)} any more"
            state.problem = Result(row.key, Outcome.RETRYING, "TermsGone", message)
            return False
        state.is_variable = state.is_variable or found.listing.is_partial
        state.observed.append(found.listing)
        state.media.update(_media(row, answer, found))
        if found.gone is None:
            return True
        gone = found.gone
        state.problem = Result(row.key, Outcome.STALE, gone.reason, gone.message, gone=gone)
        return False

    async def _whole(
        self, keys: Sequence[str], states: Mapping[str, _Progress]
    ) -> Mapping[str, RemoteListing]:
        """Products with all their variations: what was written is compared in the form seen."""
        refs = [ref for key in keys for ref in states[key].refs[:1]]
        try:
            found = await self._reader.read(refs)
        except AdapterError:
            # The writing went well; the mirror learns the rest from the next walk.
            return {}
        return {item.id: item for item in found.values() if isinstance(item, RemoteListing)}

    def _texts(self, write: Write) -> dict[str, str]:
        """Texts that go into the product's attributes."""
        own = next((v.content for v in write.variants if v.ref and v.ref.variant is None), {})
        return texts(write.content, own, self._preparing.known)

    async def _attributes(self, writes: Sequence[Write]) -> dict[int, tuple[wire.Attribute, ...]]:
        """The present attribute sets of the products that get some."""
        ids = sorted({number(_product_id(write)) for write in writes})
        found: dict[int, tuple[wire.Attribute, ...]] = {}
        for start in range(0, len(ids), PER_PAGE):
            asked = ",".join(str(item) for item in ids[start : start + PER_PAGE])
            page = await self._client.products(
                {"include": asked}, fields="id,status,type,attributes"
            )
            found.update({product.id: product.attributes for product in page.rows})
        return found

    def _rows(self, write: Write, existing: Sequence[wire.Attribute]) -> list[Row]:
        """What is still to be sent: the product's row and one for each of its variations."""
        known, media = self._preparing.known, write.media
        body = listing_body(write.content, known, media)
        for variant in write.variants:
            if variant.ref is not None and variant.ref.variant is None:
                body.update(measures_body(variant.content, known))
        if plain_texts := self._texts(write):
            body["attributes"] = merged_attributes(existing, plain_texts)
        rows = [Row(write.key, RemoteRef(_product_id(write)), body, write)] if body else []
        main = next(iter(addresses(write.content.get("images"))), None)
        if main in media:  # by id it is no new copy, and it replaces another one the variation had
            main = None
        for variant in write.variants:
            if variant.ref is None or variant.ref.variant is None:
                continue
            own = variation_content(variant.content, known, media, main)
            if own:
                rows.append(Row(write.key, variant.ref, own, write))
        return [row for row in rows if write.step(_step(row.ref)) is None]

    def _without_ids(self, row: Row) -> Row:
        """The row with every image by its source address."""
        body = dict(row.body)
        if "images" in body:
            images: list[Json] = [
                {"src": src} for src in addresses(row.write.content.get("images"))
            ]
            body["images"] = images
        if "image" in body:
            body["image"] = {"src": str(_variant_content(row).get("image"))}
        return Row(row.key, row.ref, body, row.write)


def _result(key: str, state: _Progress, whole: RemoteListing | None) -> Result:
    if whole is not None:
        state.observed = [whole]
    if state.problem is not None:
        problem = state.problem
        return Result(
            key,
            problem.outcome,
            problem.code,
            problem.message,
            observed=tuple(state.observed),
            media=state.media,
            gone=problem.gone,
        )
    return Result(key, Outcome.APPLIED, observed=tuple(state.observed), media=state.media)


def _product_id(write: Write) -> str:
    if write.remote_id is not None:
        return write.remote_id
    return next(variant.ref.listing for variant in write.variants if variant.ref is not None)


def _step(ref: RemoteRef) -> str:
    return "product" if ref.variant is None else f"variant:{ref.variant}"


def _uploads(row: Row) -> bool:
    """Whether the store has to download something while the request waits."""
    images = row.body.get("images")
    listed = images if isinstance(images, list) else [row.body.get("image")]
    return any(isinstance(item, dict) and "src" in item for item in listed)


def _variant_content(row: Row) -> Fields:
    return next((v.content for v in row.write.variants if v.ref == row.ref), {})


def _media(row: Row, answer: wire.Row, found: Shown) -> dict[str, str]:
    """Source address → media id of the images that were sent with this row."""
    if row.ref.variant is not None:
        src, image = _variant_content(row).get("image"), wire.variation(dict(answer)).image
        has_image = isinstance(src, str) and image is not None and "image" in row.body
        return {str(src): str(image.id)} if has_image and image is not None else {}
    sent = addresses(row.write.content.get("images"))
    ids = found.listing.aspects.get("images")
    if not isinstance(ids, list) or len(sent) != len(ids):
        return {}
    return {src: str(media_id) for src, media_id in zip(sent, ids, strict=True)}
