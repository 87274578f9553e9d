"""Finds out by reading whether an action with an unknown outcome happened. Must not write."""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from adapters.woocommerce import lookup, wire
from adapters.woocommerce.batches import differences
from adapters.woocommerce.bodies import addresses, mark_of
from adapters.woocommerce.canonical import key
from adapters.woocommerce.client import Client
from adapters.woocommerce.preparing import is_variable, listed
from adapters.woocommerce.publishing import begun, skus_of
from adapters.woocommerce.selling import unhide_body
from adapters.woocommerce.settings import ChannelSettings
from adapters.woocommerce.walk import DELETED, RESTRUCTURED, Reader
from reconcile.contract import (
    AdapterError,
    Confirmation,
    ConfirmState,
    Gone,
    ReadResult,
    Result,
    Step,
    VariantWrite,
    Write,
)
from reconcile.core.actions import ActionKind, Outcome
from reconcile.core.types import (
    Fields,
    RemoteListing,
    RemoteRef,
    RemoteVariant,
    SeenPresence,
    Value,
)

_PRESENCE = frozenset({"status", "catalog_visibility"})
_OF_PARENT = frozenset({"manage_stock", "stock_status", "backorders"})


class Confirming:
    """Answers DONE, NOT_DONE or CANNOT_TELL."""

    def __init__(self, client: Client, reader: Reader, settings: ChannelSettings) -> None:
        self._client = client
        self._reader = reader
        self._settings = settings

    async def confirm(self, writes: Sequence[Write]) -> dict[str, Confirmation]:
        """By key; what cannot be read cannot be told."""
        publishing = [write for write in writes if write.kind is ActionKind.PUBLISH]
        others = [write for write in writes if write.kind is not ActionKind.PUBLISH]
        found: dict[str, Confirmation] = {}
        for group, look in ((publishing, self._published), (others, self._changed)):
            if not group:
                continue
            try:
                found |= await look(group)
            except AdapterError as error:
                evidence = f"The store could not be read: {error.message}"
                for write in group:
                    found[write.key] = Confirmation(ConfirmState.CANNOT_TELL, evidence)
        return found

    # --- changes of what exists ---------------------------------------------------------------

    async def _changed(self, writes: Sequence[Write]) -> dict[str, Confirmation]:
        refs = {ref for write in writes for ref in _refs(write)}
        with_content = any(write.kind is ActionKind.OVERWRITE for write in writes)
        read = await self._reader.read(list(refs), with_content=with_content)
        return {write.key: self._judge(write, read) for write in writes}

    def _judge(self, write: Write, read: Mapping[RemoteRef, ReadResult]) -> Confirmation:
        results = [read[ref] for ref in _refs(write)]
        # A product of another type by now was not deleted, although what was linked is gone.
        if write.kind is ActionKind.DELIST and RESTRUCTURED not in results:
            if all(isinstance(item, Gone) for item in results):
                result = Result(write.key, Outcome.APPLIED, gone=DELETED)
                return Confirmation(ConfirmState.DONE, "The objects are gone", result)
            return Confirmation(ConfirmState.NOT_DONE, "The objects are still on the store")
        gone = next((item for item in results if isinstance(item, Gone)), None)
        if gone is not None:
            result = Result(write.key, Outcome.STALE, gone.reason, gone.message, gone=gone)
            return Confirmation(ConfirmState.DONE, gone.message, result)
        listing = next(item for item in results if isinstance(item, RemoteListing))
        pairs = [
            (item, now)
            for item in write.variants
            for now in listing.variants
            if now.ref == item.ref
        ]
        missed = "; ".join(
            filter(None, (_missed(write, ours, now, listing) for ours, now in pairs))
        )
        if write.kind is ActionKind.OVERWRITE:
            missed = "; ".join(filter(None, (missed, _content_missed(write, listing))))
        if missed:
            return Confirmation(ConfirmState.NOT_DONE, f"The store shows other values: {missed}")
        kept = write.step("kept")
        result = Result(
            write.key,
            Outcome.APPLIED,
            observed=(listing,),
            kept=kept.detail if kept is not None else None,
            media=_media(write, listing),
        )
        return Confirmation(ConfirmState.DONE, "The store shows what was sent", result)

    # --- products that may have been created --------------------------------------------------

    async def _published(self, writes: Sequence[Write]) -> dict[str, Confirmation]:
        writes = [listed(write) for write in writes]
        matches = await lookup.by_sku(self._client, [sku for w in writes for sku in skus_of(w)])
        drafts: Mapping[str, wire.Product] = {}
        if any(is_variable(write) for write in writes):
            drafts = await lookup.half_made(self._client)
        found: dict[str, Confirmation] = {}
        for write in writes:
            refs: dict[str, RemoteRef] = {}
            for variant in write.variants:
                match = matches.exact.get(key("sku", variant.sku) or "")
                if match is not None:
                    refs[variant.id] = match.ref
            making = begun(write, drafts.get(mark_of(write))) if is_variable(write) else None
            product = str(making.product_id) if making is not None else None
            found[write.key] = await self._judge_publish(write, refs, product)
        return found

    async def _judge_publish(
        self, write: Write, refs: dict[str, RemoteRef], product: str | None
    ) -> Confirmation:
        places = {ref.listing for ref in refs.values()}
        if product is not None:
            places.add(product)
        if not places:
            return Confirmation(ConfirmState.NOT_DONE, "No object with these SKUs is on the store")
        if len(places) > 1:
            evidence = f"The SKUs are on several products of the store: {', '.join(sorted(places))}"
            return Confirmation(ConfirmState.CANNOT_TELL, evidence)
        place = places.pop()
        steps = (
            Step(write.key, "product", place),
            *(Step(write.key, f"variant:{own}", ref.variant) for own, ref in refs.items()),
        )
        missing = [variant.sku for variant in write.variants if variant.id not in refs]
        if missing:
            evidence = f"Product {place} is there without {', '.join(missing[:5])}"
            return Confirmation(ConfirmState.NOT_DONE, evidence, steps=steps)
        first = next(iter(refs.values()))
        listing = (await self._reader.read([first]))[first]
        if isinstance(listing, Gone):
            return Confirmation(ConfirmState.CANNOT_TELL, listing.message)
        wanted = self._settings.publish_status
        if is_variable(write) and listing.aspects.get("status") == "draft" != wanted:
            evidence = f"Product {place} has all its variations and is not shown yet"
            return Confirmation(ConfirmState.NOT_DONE, evidence, steps=steps)
        result = Result(
            write.key,
            Outcome.APPLIED,
            observed=(listing,),
            refs=refs,
            media=_media(write, listing),
        )
        return Confirmation(ConfirmState.DONE, f"Product {place} has the SKUs", result)


def _refs(write: Write) -> list[RemoteRef]:
    """What to read: the variants, or the product where all of it was to go."""
    refs = [variant.ref for variant in write.variants if variant.ref is not None]
    return refs or [RemoteRef(write.remote_id or "")]


def _missed(write: Write, ours: VariantWrite, now: RemoteVariant, listing: RemoteListing) -> str:
    """What of an action on a variant the store does not show."""
    match write.kind:
        case ActionKind.SYNC:
            return differences(ours.sync, now.seen)
        case ActionKind.HIDE:
            is_own = now.aspects.get("manage_stock") != "parent"
            return "" if now.unsellable and is_own else "it can still be bought"
        case ActionKind.UNHIDE:
            return _unhide_missed(write, ours, now, listing)
        case _:
            return differences(_readable(ours.content), now.content)


def _unhide_missed(
    write: Write, ours: VariantWrite, now: RemoteVariant, listing: RemoteListing
) -> str:
    # A variation that is back in the stock of its product shows that stock, not what was sent.
    shared = _OF_PARENT if now.aspects.get("manage_stock") == "parent" else frozenset()
    wanted: dict[str, Value] = {
        name: value
        for name, value in unhide_body(write, ours).items()
        if isinstance(value, str | int) and name not in _PRESENCE | shared
    }
    missed = differences(wanted, {**now.aspects, **now.seen})
    is_hidden = SeenPresence.HIDDEN in (listing.presence, now.presence)
    return missed or ("it is not shown" if is_hidden else "")


def _content_missed(write: Write, listing: RemoteListing) -> str:
    """What of changed content the product does not show."""
    wanted = _readable(write.content)
    seen = dict(listing.content)
    ours, theirs = wanted.get("attributes"), seen.get("attributes")
    if isinstance(ours, dict) and isinstance(theirs, dict) and ours.items() <= theirs.items():
        del wanted["attributes"]  # ours were merged into a larger set
    missed = differences(wanted, seen)
    if "images" in write.content and not _has_images(write, listing):
        missed = "; ".join(filter(None, (missed, "other images")))
    return missed


def _readable(content: Fields) -> dict[str, Value]:
    return {name: value for name, value in content.items() if name not in ("images", "image")}


def _has_images(write: Write, listing: RemoteListing) -> bool:
    """Whether the product has our images, in order: the store keeps the beginning of file names."""
    sent = addresses(write.content.get("images"))
    shown = listing.import_fields.get("images")
    theirs = [str(item) for item in shown] if isinstance(shown, list) else []
    return len(sent) == len(theirs) and all(
        _file(now).startswith(_stem(ours)) for ours, now in zip(sent, theirs, strict=True)
    )


def _file(address: str) -> str:
    return PurePosixPath(urlsplit(address).path).name.lower()


def _stem(address: str) -> str:
    return PurePosixPath(_file(address)).stem


def _media(write: Write, listing: RemoteListing) -> dict[str, str]:
    """Source address → media id, where the product shows as many images as were sent."""
    sent = addresses(write.content.get("images"))
    ids = listing.aspects.get("images")
    if not isinstance(ids, list) or len(ids) != len(sent):
        return {}
    return {src: str(media_id) for src, media_id in zip(sent, ids, strict=True)}
