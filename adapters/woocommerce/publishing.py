"""Creates products: simple ones many at a time, variable ones as draft → variations → shown.

Looks by SKU first, so that what exists is linked and never doubled. Each part that stands is told
as a step; a later try goes on from there.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from adapters.http import Json
from adapters.redaction import clean_text
from adapters.woocommerce import lookup, mapping, wire
from adapters.woocommerce.batches import MAX_ROWS, differences, dropped_terms, refused
from adapters.woocommerce.bodies import MARK, addresses, mark_of, parent_body, simple_body
from adapters.woocommerce.canonical import key
from adapters.woocommerce.client import PER_PAGE, Client
from adapters.woocommerce.preparing import Preparing, is_variable, listed, problem_of
from adapters.woocommerce.selling import NOT_ACCEPTED
from adapters.woocommerce.settings import ChannelSettings
from adapters.woocommerce.variations import Variations
from adapters.woocommerce.walk import Reader
from reconcile.contract import (
    Effect,
    Progress,
    Result,
    Sending,
    Step,
    UnexpectedResponseError,
    Write,
)
from reconcile.core.actions import Outcome
from reconcile.core.types import RemoteListing, RemoteRef, SeenPresence

_ROUTE = "POST /products/batch"
_TAKEN = frozenset({"product_invalid_sku", "woocommerce_rest_product_not_created"})
_PARENTS_AT_ONCE = 10
"""Variable products under way together: saves requests and still finishes within a slice."""


@dataclass(slots=True)
class Making:
    """A variable product under way."""

    write: Write
    product_id: int
    media: dict[str, str] = field(default_factory=dict)
    refs: dict[str, RemoteRef] = field(default_factory=dict)
    rows: list[wire.Variation] = field(default_factory=list)
    failed: bool = False
    dropped: list[str] = field(default_factory=list)
    """Content the store left out without an error."""


class Publishing:
    """Creates what does not exist."""

    def __init__(
        self, client: Client, reader: Reader, preparing: Preparing, settings: ChannelSettings
    ) -> None:
        self._client = client
        self._reader = reader
        self._preparing = preparing
        self._settings = settings
        self._variations = Variations(client, preparing, settings.batch_size)

    async def publish(self, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        """Create products; one result for each write."""
        narrowed = [listed(write) for write in writes]
        problems = {write.key: problem_of(write) for write in narrowed}
        for write_key, problem in problems.items():
            if problem is not None:
                yield Result(write_key, Outcome.FAILED, *problem)
        ready = [write for write in narrowed if problems[write.key] is None]
        started: list[Making] = []
        fresh: list[Write] = []
        for write, found in await self._look(ready):
            match found:
                case Result():
                    yield found
                case Making():
                    started.append(found)
                case None:
                    fresh.append(write)
        async for progress in self._create(fresh, started):
            yield progress

    async def _create(
        self, fresh: Sequence[Write], started: Sequence[Making]
    ) -> AsyncIterator[Progress]:
        async for progress in self._preparing.terms([*fresh, *(m.write for m in started)]):
            yield progress
        for portion in self._portions([write for write in fresh if not is_variable(write)]):
            async for progress in self._create_simple(portion):
                yield progress
        new = [write for write in fresh if is_variable(write)]
        for at in range(0, max(len(new), len(started)), _PARENTS_AT_ONCE):
            until = at + _PARENTS_AT_ONCE
            async for progress in self._create_variable(new[at:until], started[at:until]):
                yield progress

    # --- looking first ----------------------------------------------------------------------

    async def _look(self, writes: Sequence[Write]) -> list[tuple[Write, Result | Making | None]]:
        """For each write what exists: nothing, a product to link instead, or one half-made."""
        if not writes:
            return []
        matches = await lookup.by_sku(self._client, [sku for w in writes for sku in skus_of(w)])
        variable = any(is_variable(write) and write.step("product") is None for write in writes)
        drafts = await lookup.half_made(self._client) if variable else {}
        lost = await self._lost([write for write in writes if write.step("product") is not None])
        found: list[tuple[Write, Result | Making | None]] = []
        for write in writes:
            making = begun(write, drafts.get(mark_of(write))) if is_variable(write) else None
            result = lost.get(write.key) or taken(write, matches, making)
            if making is not None and result is None:
                for variant in write.variants:
                    match = matches.exact.get(key("sku", variant.sku) or "")
                    if match is not None:
                        making.refs.setdefault(variant.id, match.ref)
            found.append((write, result or making))
        return found

    async def _lost(self, writes: Sequence[Write]) -> dict[str, Result]:
        """Results where the product an earlier try has made is gone.

        The store answers variations for a missing product with a crash that leaves orphans behind,
        and showing a product would bring it back out of the trash.
        """
        begun_ids = {
            int(step.remote_id): write
            for write in writes
            if (step := write.step("product")) is not None and step.remote_id is not None
        }
        ids = sorted(begun_ids)
        for start in range(0, len(ids), PER_PAGE):
            asked = ",".join(str(item) for item in ids[start : start + PER_PAGE])
            page = await self._client.products({"include": asked}, fields="id,status")
            for product in page.rows:
                begun_ids.pop(product.id, None)
        return {
            write.key: Result(
                write.key,
                Outcome.STALE,
                "Gone",
                f"The unfinished product {product_id} was deleted or moved to the trash meanwhile",
            )
            for product_id, write in begun_ids.items()
        }

    async def _refusals(
        self, refusals: Sequence[tuple[Write, wire.RowError]]
    ) -> AsyncIterator[Progress]:
        """Results of rows that were refused; a SKU that is taken is looked up once more."""
        again = [sku for w, e in refusals if e.code in _TAKEN for sku in skus_of(w)]
        matches = await lookup.by_sku(self._client, again)
        for write, error in refusals:
            result = taken(write, matches, None) if error.code in _TAKEN else None
            if result is None and error.code == "woocommerce_rest_product_not_created":
                message = (
                    "A product in the store's trash still holds the SKU; restore it there and link "
                    f"it, or empty the trash. WooCommerce says: {clean_text(error.message)[:200]}"
                )
                result = Result(write.key, Outcome.FAILED, "InTrash", message)
            yield result or refused(write.key, error)

    # --- simple products --------------------------------------------------------------------

    def _portions(self, writes: Sequence[Write]) -> Iterator[list[Write]]:
        """The fewest requests; products with images travel in smaller company."""
        with_images = [write for write in writes if addresses(write.content.get("images"))]
        without = [write for write in writes if not addresses(write.content.get("images"))]
        for group, size in (
            (without, self._settings.batch_size),
            (with_images, self._settings.image_batch_size),
        ):
            step = min(max(size, 1), MAX_ROWS)
            for start in range(0, len(group), step):
                yield group[start : start + step]

    async def _create_simple(self, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        known, status = self._preparing.known, self._settings.publish_status
        bodies = [simple_body(w, w.variants[0], known, status) for w in writes]
        yield Sending(tuple(write.key for write in writes), _ROUTE)
        answers = await self._client.batch("/products", "create", bodies)
        refusals: list[tuple[Write, wire.RowError]] = []
        for write, body, (row, error) in zip(writes, bodies, answers, strict=True):
            if error is not None:
                refusals.append((write, error))
                continue
            product = answered(row)
            listing = mapping.listing(product, (), self._reader.view())
            refs = {write.variants[0].id: RemoteRef(str(product.id))}
            dropped = dropped_terms(body, row)
            yield self._finished(write, product, listing, refs, media_of(write, product), dropped)
        if refusals:
            async for progress in self._refusals(refusals):
                yield progress

    # --- variable products ------------------------------------------------------------------

    async def _create_variable(
        self, fresh: Sequence[Write], started: Sequence[Making]
    ) -> AsyncIterator[Progress]:
        under_way = list(started)
        if fresh:
            bodies = [parent_body(write, self._preparing.known) for write in fresh]
            yield Sending(tuple(write.key for write in fresh), _ROUTE)
            answers = await self._client.batch("/products", "create", bodies)
            refusals: list[tuple[Write, wire.RowError]] = []
            for write, body, (row, error) in zip(fresh, bodies, answers, strict=True):
                if error is not None:
                    refusals.append((write, error))
                    continue
                product = answered(row)
                media = media_of(write, product)
                yield Step(write.key, "product", str(product.id), dict(media))
                under_way.append(Making(write, product.id, media, dropped=dropped_terms(body, row)))
            if refusals:
                async for progress in self._refusals(refusals):
                    yield progress
        for making in under_way:
            async for progress in self._variations.create(making):
                yield progress
        complete = [making for making in under_way if not making.failed]
        if complete:
            async for progress in self._show(complete):
                yield progress

    async def _show(self, makings: Sequence[Making]) -> AsyncIterator[Progress]:
        """Give the finished products their status, and take our mark off."""
        status = self._settings.publish_status
        mark: list[Json] = [{"key": MARK, "value": None}]
        rows: list[Json] = [
            {"id": making.product_id, "status": status, "meta_data": mark} for making in makings
        ]
        yield Sending(tuple(making.write.key for making in makings), _ROUTE)
        answers = await self._client.batch("/products", "update", rows)
        for making, (row, error) in zip(makings, answers, strict=True):
            if error is not None:
                yield refused(making.write.key, error)
                continue
            product = answered(row)
            yield Step(making.write.key, "shown", str(product.id))
            yield self._made(making, product)

    def _made(self, making: Making, product: wire.Product) -> Result:
        known = {item.id for item in making.rows}
        partial = any(int(ref.variant or 0) not in known for ref in making.refs.values())
        listing = mapping.listing(product, making.rows, self._reader.view(), is_partial=partial)
        return self._finished(
            making.write, product, listing, making.refs, making.media, making.dropped
        )

    def _finished(
        self,
        write: Write,
        product: wire.Product,
        listing: RemoteListing,
        refs: Mapping[str, RemoteRef],
        media: Mapping[str, str],
        dropped: Sequence[str],
    ) -> Result:
        """The result of a product that stands; it failed if it is not as it was sent."""
        missed = _not_taken(write, listing, refs)
        if dropped:
            self._preparing.forget()
            missed.append(f"the store does not know the {' and '.join(dropped)} any more")
        is_published = self._settings.publish_status == "publish"
        if is_published and listing.presence is not SeenPresence.LISTED:
            missed.append(f"the status is {product.status}")
        return Result(
            write.key,
            Outcome.FAILED if missed else Outcome.APPLIED,
            NOT_ACCEPTED if missed else "",
            f"The product was made, but not as it was sent: {'; '.join(missed)}" if missed else "",
            observed=(listing,),
            refs=refs,
            media=media,
        )


def _not_taken(write: Write, listing: RemoteListing, refs: Mapping[str, RemoteRef]) -> list[str]:
    """Prices and quantities the store did not take, in words; it drops some without an error."""
    shown = {variant.ref: variant.seen for variant in listing.variants}
    missed: list[str] = []
    for variant in write.variants:
        seen = shown.get(refs.get(variant.id, RemoteRef("")))
        if seen is not None and (difference := differences(variant.sync, seen)):
            missed.append(f"{variant.sku}: {difference}")
    return missed


def skus_of(write: Write) -> list[str]:
    """All SKUs a publish would take: those of the variants, and of the product itself."""
    own = [write.sku] if is_variable(write) and write.sku.strip() else []
    return [variant.sku for variant in write.variants] + own


def begun(write: Write, draft: wire.Product | None) -> Making | None:
    """The product an earlier try has made, known by its step or by our mark on a draft."""
    step = write.step("product")
    product_id = step.remote_id if step is not None else None
    if product_id is None:
        return Making(write, draft.id) if draft is not None else None
    making = Making(write, int(product_id))
    if step is not None:
        making.media.update({src: str(media) for src, media in step.detail.items()})
    for variant in write.variants:
        done = write.step(f"variant:{variant.id}")
        if done is not None and done.remote_id is not None:
            making.refs[variant.id] = RemoteRef(product_id, done.remote_id)
    return making


def taken(write: Write, matches: lookup.Matches, making: Making | None) -> Result | None:
    """The result where one of the SKUs is on the store already, outside of what we are making."""
    own = str(making.product_id) if making is not None else None
    ours = {variant.sku for variant in write.variants}
    for sku in skus_of(write):
        wanted = key("sku", sku) or ""
        found = matches.exact.get(wanted)
        if found is not None and found.ref.listing != own:
            if sku not in ours or (found.ref.variant is None and found.is_variable):
                message = (
                    f"The SKU {sku} is on the store already ({_where(found)}), where it is not "
                    "the SKU of something sold as this is, so there is nothing to link; change the "
                    "SKU here or there"
                )
                return Result(write.key, Outcome.FAILED, "SkuTaken", message)
            message = (
                f"The SKU {sku} is on the store already ({_where(found)}); it is linked instead"
            )
            return Result(write.key, Outcome.STALE, "AlreadyExists", message, existing=found.ref)
        other = matches.loose.get(lookup.collated(wanted))
        if found is None and other is not None and other.ref.listing != own:
            message = (
                f"The store has the SKU {other.sku} ({_where(other)}), which differs from {sku} "
                "only in upper and lower case or accents; WooCommerce takes both for the same. "
                "Make them equal to link them"
            )
            return Result(write.key, Outcome.FAILED, "SkuInOtherCase", message)
    return None


def _where(found: lookup.Found) -> str:
    if found.ref.variant is not None:
        return f"variation {found.ref.variant} of product {found.ref.listing}"
    return f"product {found.ref.listing}"


def answered(row: wire.Row) -> wire.Product:
    """The product a row shows; a row nobody understands leaves the outcome open."""
    try:
        return wire.product(dict(row))
    except wire.ShapeError as error:
        message = f"A row of the answer cannot be understood: {error}"
        raise UnexpectedResponseError(message, effect=Effect.POSSIBLE) from error


def media_of(write: Write, product: wire.Product) -> dict[str, str]:
    """Source address → media id; the store keeps the order in which images were sent."""
    sent = addresses(write.content.get("images"))
    if len(sent) != len(product.images):
        return {}
    return {src: str(image.id) for src, image in zip(sent, product.images, strict=True)}
