"""The life of one shop, told once per channel from what its platform can do.

Each step asks the API, waits for the worker, and then counts in the store's own books. A step whose
action the platform does not support is left out, and says so.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from reconcile.contract import Platform
from reconcile.core.actions import ActionKind
from reconcile.core.types import Operation
from tallyport.demo.catalog import Offer, Product
from tallyport.demo.settling import is_settled
from tallyport.demo.shop import FinishedRun, OurVariant, Shop
from tallyport.demo.stores import Goods, Held, Ref, Store, Unit
from tallyport.demo.telling import Tally, Teller

_SEEDED_SIMPLE = 8
_CHANGED_PRICES = 5
_CHANGED_QUANTITIES = 5
_HIDDEN = 4
_UNHIDDEN = 3
_DELETED = 2
_DELISTED = 3
_ADDED = 3


def seed_of(products: Sequence[Product]) -> tuple[Product, ...]:
    """What the store has on its shelf already: some simple products, one with variants."""
    simple = [product for product in products if product.is_simple and _in_stock(product)]
    variable = [product for product in products if not product.is_simple]
    return (*simple[:_SEEDED_SIMPLE], *variable[:1])


def put_on_shelf(store: Store, products: Sequence[Product]) -> None:
    """Fill the store, with prices and quantities that have drifted from the catalog's."""
    for product in products:
        units = tuple(
            Unit(
                sku=offer.sku,
                price=offer.price + Decimal("1.50"),
                quantity=(offer.quantity or 0) + 3,
                options=offer.options,
            )
            for offer in product.offers
        )
        store.add(Goods(product.title, units))


@dataclass(slots=True)
class Story:
    """One shop: the channel by the API, the store by its books."""

    platform: Platform
    shop: Shop
    store: Store
    teller: Teller
    products: tuple[Product, ...]
    seeded: tuple[Product, ...]
    tally: Tally
    _fresh: list[str] = field(default_factory=list)
    """SKUs that no step has used yet, so that each step has its own."""

    def __post_init__(self) -> None:
        seeded = {offer.sku for offer in _offers(self.seeded)}
        self._fresh = [
            product.offers[0].sku
            for product in self.products
            if product.is_simple and _in_stock(product) and product.offers[0].sku not in seeded
        ]

    def tell(self, credentials: Mapping[str, str], catalog: Path) -> None:
        """Tell the life of the listings."""
        self._connect(credentials, catalog)
        self._link()
        self._publish()
        self._sync()
        self._hide_and_unhide()
        self._break()
        self._delist()
        self._import()

    def _connect(self, credentials: Mapping[str, str], catalog: Path) -> None:
        self.teller.chapter(f"{self.platform.title}: connect the store, import the catalog")
        channel = self.shop.connect(credentials)
        account = channel["account"]
        self.teller.say(
            f"Connected {channel['name']}: {account['name']}, prices in {account['currency']}."
        )
        done = self.shop.import_catalog(catalog)
        self.teller.say(f"{catalog.name}: {done['state'].lower()}, {done['counts']}")
        variants = self.shop.variants()
        self.teller.check(
            "variants imported from the file", len(_offers(self.products)), len(variants)
        )

    def _link(self) -> None:
        self.teller.chapter("Link what is already there")
        if not self._can(ActionKind.LINK, Operation.LINK_LISTINGS):
            return
        finished = self._run(Operation.LINK_LISTINGS, full=True)
        self.teller.plan(finished.actions)
        held = self.store.held()
        linked = [
            variant
            for variant in self.shop.variants().values()
            if variant.link == "LINKED" and self._holds(held, variant)
        ]
        self.tally.linked = len(linked)
        self.teller.check(
            "linked, and their ids exist in the store", len(_offers(self.seeded)), len(linked)
        )

    def _publish(self) -> None:
        self.teller.chapter("Publish the rest")
        if not self._can(ActionKind.PUBLISH, Operation.PUBLISH_LISTINGS):
            return
        since = self.store.serial()
        finished = self._run(Operation.PUBLISH_LISTINGS, full=True)
        self.teller.plan(finished.actions)
        held = self.store.held()
        made = [each.ref for each in self.store.effects(since) if each.kind == "create"]
        self.tally.published = sum(reference in held for reference in made)
        expected = len(_offers(self.products)) - len(_offers(self.seeded))
        self.teller.check("published, by the store's books", expected, self.tally.published)
        linked = sum(
            variant.link == "LINKED" and self._holds(held, variant)
            for variant in self.shop.variants().values()
        )
        self.teller.check("linked now", len(_offers(self.products)), linked)

    def _sync(self) -> None:
        self.teller.chapter("Bring the linked ones to the catalog's prices and quantities")
        if not self._can(ActionKind.SYNC, Operation.SYNC_LISTINGS):
            return
        wanted = {offer.sku: (offer.price, offer.quantity) for offer in _offers(self.seeded)}
        self.tally.synced += self._synced(wanted)
        self.teller.chapter("Change prices and quantities, and sync only those")
        priced = self._take(_CHANGED_PRICES)
        counted = self._take(_CHANGED_QUANTITIES)
        offers = {offer.sku: offer for offer in _offers(self.products)}
        prices = {sku: (offers[sku].price * 9 / 10).quantize(Decimal("0.01")) for sku in priced}
        quantities = {sku: (offers[sku].quantity or 0) + 7 for sku in counted}
        self.shop.set_prices(prices, self.shop.variants())
        self.shop.set_quantities(quantities)
        changed: dict[str, tuple[Decimal, int | None]] = {
            sku: (prices.get(sku, offers[sku].price), quantities.get(sku, offers[sku].quantity))
            for sku in (*priced, *counted)
        }
        self.tally.synced += self._synced(changed)

    def _synced(self, wanted: Mapping[str, tuple[Decimal, int | None]]) -> int:
        since = self.store.serial()
        finished = self._run(Operation.SYNC_LISTINGS)
        self.teller.plan(finished.actions)
        held = {each.sku: each for each in self.store.held().values()}
        touched = {
            each.sku
            for each in self.store.effects(since)
            if each.kind == "update" and each.changed & {"price", "quantity"}
        }
        right = {
            sku
            for sku in touched & wanted.keys()
            if (held[sku].price, held[sku].quantity) == wanted[sku]
        }
        self.teller.check("synced to the wanted values, by the books", len(wanted), len(right))
        self.teller.check("others touched", 0, len(touched - wanted.keys()))
        return len(right)

    def _hide_and_unhide(self) -> None:
        self.teller.chapter("Hide some")
        if not self._can(ActionKind.HIDE, Operation.SYNC_LISTINGS):
            return
        before = {each.sku: each for each in self.store.held().values()}
        chosen = self._variants(self._take(_HIDDEN))
        self.shop.ask("listingHide", chosen)
        touched = self._synced_refs()
        held = self.store.held()
        hidden = {each.ref for each in chosen if _is(held, each.ref, buyable=False)} & touched
        self.tally.hidden = len(hidden)
        self.teller.check("hidden, by the books", len(chosen), len(hidden))
        self.teller.chapter("Unhide most of them")
        if not self._can(ActionKind.UNHIDE, Operation.SYNC_LISTINGS):
            return
        back = chosen[:_UNHIDDEN]
        self.shop.ask("listingUnhide", back)
        touched = self._synced_refs()
        held = self.store.held()
        shown = {each.ref for each in back if _is(held, each.ref, buyable=True)} & touched
        self.tally.unhidden = len(shown)
        self.teller.check("buyable again, by the books", len(back), len(shown))
        same = sum(
            held[each.ref] == before[each.sku] for each in back if each.ref and each.ref in held
        )
        self.teller.check("with the price and quantity of before", len(back), same)

    def _synced_refs(self) -> set[Ref | None]:
        since = self.store.serial()
        self.teller.plan(self._run(Operation.SYNC_LISTINGS).actions)
        return {each.ref for each in self.store.effects(since)}

    def _break(self) -> None:
        self.teller.chapter("The merchant deletes products on the store; find the broken links")
        chosen = self._variants(self._take(_DELETED))
        for each in chosen:
            self.store.delete(each.sku)
            self.teller.say(f"Deleted on the store: {each.sku}")
        since = self.store.serial()
        finished = self._run(Operation.SYNC_LISTINGS, full=True)
        self.teller.plan(finished.actions)
        held = self.store.held()
        broken = [each for each in self.shop.variants().values() if each.link == "BROKEN"]
        for each in broken:
            self.teller.say(f"{each.sku}: {each.link_message}")
        gone = sum(each.ref is not None and each.ref not in held for each in broken)
        self.tally.broken = gone
        self.teller.check("broken, and gone from the store", len(chosen), gone)
        self.teller.check(
            "broken ones that were deleted", len(chosen), len(_skus(broken) & _skus(chosen))
        )
        made = [each for each in self.store.effects(since) if each.kind == "create"]
        self.teller.check("created again behind the merchant's back", 0, len(made))

    def _delist(self) -> None:
        self.teller.chapter("Take some off the channel")
        if not self._can(ActionKind.DELIST, Operation.SYNC_LISTINGS):
            return
        chosen = self._variants(self._take(_DELISTED))
        self.shop.ask("listingDelist", chosen)
        since = self.store.serial()
        self.teller.plan(self._run(Operation.SYNC_LISTINGS).actions)
        held = self.store.held()
        ended = {each.ref for each in self.store.effects(since) if each.kind in _ENDS}
        gone = [each for each in chosen if each.ref in ended and each.ref not in held]
        self.tally.delisted = len(gone)
        self.teller.check("delisted, by the books", len(chosen), len(gone))
        self.teller.check("others taken off", 0, len(ended - {each.ref for each in chosen}))

    def _import(self) -> None:
        self.teller.chapter("Someone added products on the store; import them")
        if not self._can(ActionKind.IMPORT, Operation.IMPORT_LISTINGS):
            return
        known = self.shop.variants()
        added = [
            Goods(f"Found on the shelf {n}", (Unit(f"SHELF-{n}", Decimal(f"{n}9.50"), 10 * n),))
            for n in range(1, _ADDED + 1)
        ]
        for goods in added:
            self.store.add(goods)
        finished = self._run(Operation.IMPORT_LISTINGS, full=True)
        self.teller.plan(finished.actions)
        held = self.store.held()
        new = [each for sku, each in self.shop.variants().items() if sku not in known]
        here = [each for each in new if each.link == "LINKED" and self._holds(held, each)]
        self.tally.imported = len(here)
        self.teller.check(
            "imported and linked, their ids exist in the store", len(added), len(here)
        )

    def settle(self) -> bool:
        """Make a last full plan of every operation; whether nothing is left to do."""
        self.teller.chapter("A last full plan of every operation")
        self.tally.settled = is_settled(self.platform, self.shop, self.store, self.teller)
        self.tally.requests = self.store.requests()
        return self.tally.settled

    def sellable(self, count: int) -> list[Offer]:
        """Offers that are linked and in sync, and that no step of this story has moved."""
        offers = [offer for offer in _offers(self.seeded) if not offer.options and offer.quantity]
        return offers[:count]

    def _run(self, operation: Operation, *, full: bool = False) -> FinishedRun:
        finished = self.shop.run(operation.value, full=full)
        run = finished.run
        reasons = {row["code"]: row["count"] for row in run["report"]["reasons"]}
        if run["result"] == "PARTIAL" and reasons == {_BROKEN: self.tally.broken}:
            # Right so: not everything is as wished while broken links wait for a person.
            self.teller.say(f"PARTIAL: {self.tally.broken} broken links wait for a person.")
        elif run["result"] != "SUCCEEDED":
            why = (run["error"] or run["waitingFor"] or {}).get("message", "")
            ended = run["result"] or run["state"]
            self.teller.trouble(f"{operation.value} ended {ended}: {why} {reasons or ''}")
        return finished

    def _can(self, kind: ActionKind, operation: Operation) -> bool:
        """Whether the platform supports this step; local actions need the operation only."""
        if operation not in self.platform.operations:
            why = self.platform.unsupported_operations.get(operation, "")
        elif kind.is_local or kind in self.platform.actions:
            return True
        else:
            why = self.platform.unsupported_actions.get(kind, "")
        self.teller.say(f"Left out: {self.platform.title} does not support it. {why}")
        return False

    def _take(self, count: int) -> list[str]:
        taken, self._fresh = self._fresh[:count], self._fresh[count:]
        if len(taken) < count:
            self.teller.trouble("the catalog is too small for the story")
        return taken

    def _variants(self, skus: Collection[str]) -> list[OurVariant]:
        known = self.shop.variants()
        return [known[sku] for sku in skus]

    def _holds(self, held: Mapping[Ref, Held], variant: OurVariant) -> bool:
        return (
            variant.ref is not None and variant.ref in held and held[variant.ref].sku == variant.sku
        )


_ENDS = frozenset({"delete", "trash"})
_BROKEN = "BrokenLink"


def _offers(products: Sequence[Product]) -> list[Offer]:
    return [offer for product in products for offer in product.offers]


def _in_stock(product: Product) -> bool:
    return all(offer.quantity for offer in product.offers)


def _is(held: Mapping[Ref, Held], reference: Ref | None, *, buyable: bool) -> bool:
    return reference in held and held[reference].is_buyable is buyable if reference else False


def _skus(variants: Sequence[OurVariant]) -> set[str]:
    return {each.sku for each in variants}
