"""The adapter of the test platform: reads and writes a `DoubleStore` and keeps the contract."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from reconcile.contract import (
    AccountInfo,
    Adapter,
    AdapterError,
    Confirmation,
    ConfirmState,
    Exchange,
    Gone,
    GoneError,
    ListingPage,
    OrderPage,
    OrderReadResult,
    OrderWindow,
    OrderWrite,
    Platform,
    Progress,
    ReadResult,
    RejectedError,
    Result,
    Sending,
    Step,
    Transport,
    UnauthorizedError,
    Write,
    setting,
)
from reconcile.core.actions import ActionKind, Outcome
from reconcile.core.remote_order_types import RemoteOrder
from reconcile.core.types import (
    Fields,
    RemoteListing,
    RemoteRef,
    RemoteVariant,
    SeenPresence,
    Value,
)
from tests.order_double import OrderDesk
from tests.store_double import DoubleStore, StoreProduct, StoreVariant

PAGE_SIZE = 10


@dataclass(frozen=True, slots=True)
class Credentials:
    """How a store is reached."""

    store: str = setting("Store", "The name of the store, on its front door.")
    secret: str = setting("Secret", "Settings, then Advanced, then Secrets.", secret=True)


# --- the adapter ----------------------------------------------------------------------------


class DoubleAdapter(Adapter):
    """Speaks to a store in memory the way a real adapter speaks HTTP."""

    def __init__(
        self,
        platform: Platform,
        store: DoubleStore | None,
        credentials: Credentials,
        transport: Transport,
    ) -> None:
        super().__init__(platform)
        self._found = store
        self._secret = credentials.secret
        self._transport = transport

        self._desk = OrderDesk(lambda: self._store.orders, self._request)

    @property
    def _store(self) -> DoubleStore:
        if self._found is None or self._found.secret != self._secret:
            raise UnauthorizedError("The store does not know this secret.", status=401)
        return self._found

    async def _request(self, name: str, *, after_effect: bool = False) -> None:
        store = self._store
        if not after_effect:
            await self._transport.acquire(1)
            store.requests.append(name)
        for fault in store.faults:
            if fault.after_effect == after_effect and name.startswith(fault.call):
                store.faults.remove(fault)
                raise fault.error

    async def check(self) -> AccountInfo:
        """The store behind the credentials."""
        await self._request("check")
        store = self._store
        return AccountInfo(
            store.account_id, "Double store", store.currency, frozenset({"read", "write"})
        )

    async def listings(
        self,
        cursor: Mapping[str, Value] | None,
        *,
        with_content: bool = True,
    ) -> AsyncIterator[ListingPage]:
        """Ten products a page, in id order."""
        last = int(str(cursor["after"])) if cursor else 0
        while True:
            at = self._transport.now()
            await self._request("listings")
            kept = [item for item in self._store.products.values() if item.status != "trash"]
            rest = sorted((item for item in kept if int(item.id) > last), key=lambda p: int(p.id))
            page = rest[:PAGE_SIZE]
            is_last = len(rest) <= PAGE_SIZE
            last = int(page[-1].id) if page else last
            yield ListingPage(
                rows=tuple(self._seen_for(product, with_content) for product in page),
                cursor={"after": last},
                is_last=is_last,
                total=len(kept),
                observed_at=at,
            )
            if is_last:
                return

    async def read(
        self, refs: Sequence[RemoteRef], *, with_content: bool = True
    ) -> Mapping[RemoteRef, ReadResult]:
        """All objects in one request."""
        await self._request(f"read {len(refs)}")
        return {ref: self._read(ref, with_content=with_content) for ref in refs}

    def _read(self, ref: RemoteRef, *, with_content: bool = True) -> ReadResult:
        product = self._store.products.get(ref.listing)
        if product is not None and product.status == "trash":
            return Gone("InTrash", "The product is in the store's trash.")
        if product is None or not any(item.id == (ref.variant or "") for item in product.variants):
            return Gone("Deleted", "The store no longer has it.")
        return self._seen_for(product, with_content)

    def _seen_for(self, product: StoreProduct, with_content: bool) -> RemoteListing:
        """The product, without content where only what selling needs was asked for."""
        seen = self._seen(product)
        if with_content:
            return seen
        bare = tuple(replace(item, content={}, import_fields={}) for item in seen.variants)
        return replace(seen, variants=bare, content={}, import_fields={}, has_content=False)

    def _seen(self, product: StoreProduct) -> RemoteListing:
        presence = SeenPresence.LISTED if product.status == "publish" else SeenPresence.HIDDEN
        currency = self._store.currency
        variants = []
        for item in product.variants:
            seen: dict[str, Value] = {}
            imported: dict[str, Value] = {"title": product.title}
            if item.price is not None:
                seen["price"] = item.price
                imported["list_price"] = {"amount": item.price, "currency": currency}
            if item.quantity is not None:
                seen["quantity"] = imported["quantity"] = item.quantity
            identifiers = {"sku": item.sku, "barcode": item.barcode}
            if item.sku is not None:
                imported["sku"] = item.sku
            if item.options:
                imported["options"] = [list(option) for option in item.options]
            variants.append(
                RemoteVariant(
                    ref=RemoteRef(product.id, item.id or None),
                    sku=item.sku,
                    presence=presence,
                    seen=seen,
                    content={} if item.barcode is None else {"barcode": item.barcode},
                    identifiers={name: value for name, value in identifiers.items() if value},
                    options=item.options,
                    unsellable=item.quantity == 0,
                    import_fields=imported,
                )
            )
        return RemoteListing(
            id=product.id,
            title=product.title,
            presence=presence,
            variants=tuple(variants),
            content={"title": product.title, "description": product.description},
            import_fields={
                "sku": product.variants[0].sku if not product.variants[0].id else product.id,
                "title": product.title,
                "description": product.description,
            },
        )

    # --- writes -----------------------------------------------------------------------------

    async def _send(self, name: str, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        """One request per batch; each write of it is applied by its own method."""
        kind = ActionKind(name.upper())
        if kind in self.platform.unsupported_actions:
            raise self._unsupported(name)
        size = self.platform.actions[kind].batch_size
        for start in range(0, len(writes), size):
            batch = writes[start : start + size]
            yield Sending(tuple(write.key for write in batch), f"POST /{name}")
            at = self._transport.now()
            error = ""
            try:
                await self._request(f"{name} {len(batch)}")
                results = [self._applied(name, write) for write in batch]
                await self._request(f"{name} {len(batch)}", after_effect=True)
            except AdapterError as raised:
                error = raised.message
                raise
            finally:
                await self._record(at, name, batch, error)
            for write, result in zip(batch, results, strict=True):
                if kind is ActionKind.PUBLISH and result.outcome is Outcome.APPLIED:
                    yield Step(write.key, "product", next(iter(result.refs.values())).listing)
                yield result

    async def _record(self, at: datetime, name: str, batch: Sequence[Write], error: str) -> None:
        await self._transport.record(
            Exchange(
                at=at,
                method="POST",
                url=f"double://store/{name}",
                request={"listings": [write.listing_id for write in batch]},
                status=None if error else 200,
                response=None,
                seconds=0.01,
                error=error,
            )
        )

    def _applied(self, name: str, write: Write) -> Result:
        try:
            result = {
                "publish": self._publish,
                "overwrite": self._overwrite,
                "sync": self._sync,
                "hide": self._hide,
                "unhide": self._unhide,
                "delist": self._delist,
            }[name](write)
        except GoneError as gone:
            return Result(
                write.key,
                Outcome.STALE,
                code="Gone",
                message=gone.message,
                gone=Gone("Deleted", gone.message),
            )
        except RejectedError as error:
            return Result(write.key, Outcome.FAILED, code=error.code, message=error.message)
        return replace(result, key=write.key)

    def _pick(self, ref: RemoteRef | None) -> tuple[StoreProduct, StoreVariant]:
        product = self._store.products.get(ref.listing) if ref else None
        if ref is not None and product is not None and product.status != "trash":
            for item in product.variants:
                if item.id == (ref.variant or ""):
                    return product, item
        raise GoneError("The store no longer has it.")

    def _observed(self, *products: StoreProduct) -> Result:
        return Result("", Outcome.APPLIED, observed=tuple(map(self._seen, products)))

    @staticmethod
    def _put(item: StoreVariant, values: Fields) -> None:
        if "price" in values:
            if values["price"] == "666":
                raise RejectedError("The store refuses this price.", code="bad_price")
            item.price = str(values["price"])
        if "quantity" in values:
            quantity = values["quantity"]
            assert isinstance(quantity, int)
            item.quantity = quantity
        if "barcode" in values:
            item.barcode = str(values["barcode"])

    def _publish(self, write: Write) -> Result:
        store = self._store
        for ours in write.variants:
            try:
                product, item = store.by_sku(ours.sku)
            except KeyError:
                continue
            return Result(
                write.key,
                Outcome.STALE,
                code="AlreadyThere",
                message="The store already has this SKU.",
                existing=RemoteRef(product.id, item.id or None),
            )
        made = []
        for ours in write.variants:
            item = StoreVariant(ours.sku, options=ours.options)
            self._put(item, {**ours.sync, **ours.content})
            made.append(item)
        product = store.add(str(write.content.get("title", "")), *made)
        product.description = str(write.content.get("description", ""))
        refs = {
            ours.id: RemoteRef(product.id, item.id or None)
            for ours, item in zip(write.variants, made, strict=True)
        }
        return replace(self._observed(product), refs=refs)

    def _overwrite(self, write: Write) -> Result:
        product = self._store.products.get(write.remote_id or "")
        if product is None or product.status == "trash":
            raise GoneError("The store no longer has it.")
        if "title" in write.content:
            product.title = str(write.content["title"])
        if "description" in write.content:
            product.description = str(write.content["description"])
        for ours in write.variants:
            self._put(self._pick(ours.ref)[1], ours.content)
        return self._observed(product)

    def _sync(self, write: Write) -> Result:
        products = {}
        for ours in write.variants:
            product, item = self._pick(ours.ref)
            self._put(item, ours.sync)
            products[product.id] = product
        return self._observed(*products.values())

    def _hide(self, write: Write) -> Result:
        product, item = self._pick(write.variants[0].ref)
        earlier = write.variants[0].kept or {"quantity": item.quantity}
        item.quantity = 0
        return replace(self._observed(product), kept=earlier)

    def _unhide(self, write: Write) -> Result:
        ours = write.variants[0]
        product, item = self._pick(ours.ref)
        product.status = "publish"
        self._put(item, {**(ours.kept or {}), **ours.sync})
        return self._observed(product)

    def _delist(self, write: Write) -> Result:
        try:
            for ours in write.variants:
                product, item = self._pick(ours.ref)
                product.variants.remove(item)
                if not product.variants or write.ends_product:
                    del self._store.products[product.id]
                    break
        except GoneError:
            outcome = Outcome.NO_OP
        else:
            outcome = Outcome.APPLIED
        return Result(write.key, outcome, gone=Gone("Deleted", "Delisted by us."))

    def publish(self, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        """Create products; an existing SKU is answered with where it is."""
        return self._send("publish", writes)

    def overwrite(self, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        """Send content."""
        return self._send("overwrite", writes)

    def sync(self, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        """Send prices and quantities."""
        return self._send("sync", writes)

    def hide(self, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        """Quantity zero, the earlier one in `kept`."""
        return self._send("hide", writes)

    def unhide(self, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        """Bring back what was kept."""
        return self._send("unhide", writes)

    def delist(self, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        """Delete."""
        return self._send("delist", writes)

    async def confirm(self, writes: Sequence[Write]) -> Mapping[str, Confirmation]:
        """Compare what the store holds with what was to be written."""
        await self._request(f"confirm {len(writes)}")
        return {write.key: self._confirmed(write) for write in writes}

    def _confirmed(self, write: Write) -> Confirmation:
        done = self._is_done(write)
        if done is None:
            return Confirmation(ConfirmState.NOT_DONE, "The store shows the earlier state.")
        return Confirmation(ConfirmState.DONE, "The store shows it.", replace(done, key=write.key))

    def _is_done(self, write: Write) -> Result | None:
        ours = write.variants[0] if write.variants else None
        try:
            match write.kind:
                case ActionKind.PUBLISH:
                    found = {item.id: self._store.by_sku(item.sku) for item in write.variants}
                    refs = {
                        name: RemoteRef(product.id, item.id or None)
                        for name, (product, item) in found.items()
                    }
                    product = next(iter(found.values()))[0]
                    return replace(self._observed(product), refs=refs)
                case ActionKind.DELIST:
                    if isinstance(self._read(ours.ref), Gone):  # type: ignore[union-attr, arg-type]
                        gone = Gone("Deleted", "Delisted by us.")
                        return Result("", Outcome.APPLIED, gone=gone)
                    return None
                case ActionKind.OVERWRITE:
                    product = self._store.products[write.remote_id or ""]
                    seen = self._seen(product).content
                    wanted = {name: seen.get(name) for name in write.content}
                    return self._observed(product) if wanted == write.content else None
                case ActionKind.HIDE:
                    product, item = self._pick(ours.ref if ours else None)
                    if item.quantity != 0 or ours is None:
                        return None
                    earlier = ours.kept or {"quantity": ours.seen.get("quantity")}
                    return replace(self._observed(product), kept=earlier)
                case _:
                    product, item = self._pick(ours.ref if ours else None)
                    assert ours is not None
                    wanted = {**(ours.kept or {}), **ours.sync}
                    held = {"price": item.price, "quantity": item.quantity}
                    same = all(held.get(name) == value for name, value in wanted.items())
                    return self._observed(product) if same else None
        except (KeyError, GoneError):
            return None

    # --- orders -----------------------------------------------------------------------------

    def orders(
        self, window: OrderWindow, cursor: Mapping[str, Value] | None
    ) -> AsyncIterator[OrderPage]:
        """Ten orders a page, in id order."""
        return self._desk.walk(window, cursor, self._transport.now)

    async def read_orders(self, ids: Sequence[str]) -> Mapping[str, OrderReadResult]:
        """All in one request."""
        return await self._desk.read(ids)

    async def find_order(self, number: str) -> Sequence[RemoteOrder]:
        """Orders of that number."""
        return await self._desk.find(number)

    def acknowledge(self, writes: Sequence[OrderWrite]) -> AsyncIterator[Progress]:
        """Mark orders."""
        return self._desk.send(ActionKind.ACKNOWLEDGE, writes)

    def fulfill(self, writes: Sequence[OrderWrite]) -> AsyncIterator[Progress]:
        """Write shipments onto their orders."""
        return self._desk.send(ActionKind.FULFILL, writes)

    def close(self, writes: Sequence[OrderWrite]) -> AsyncIterator[Progress]:
        """Complete orders."""
        return self._desk.send(ActionKind.CLOSE, writes)

    async def confirm_orders(self, writes: Sequence[OrderWrite]) -> Mapping[str, Confirmation]:
        """What the books say."""
        return await self._desk.confirm(writes)
