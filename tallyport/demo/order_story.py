"""What happens once orders arrive: told on one shop, with a second store that sells the same goods.

Each step asks the API, waits for what happens by itself, and then counts in the stores' own books.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from reconcile.contract import Platform
from reconcile.core.actions import ActionKind
from reconcile.core.types import Operation
from tallyport.demo.catalog import Offer
from tallyport.demo.desk import Desk, SeenOrder, within
from tallyport.demo.settling import is_settled
from tallyport.demo.shop import Shop
from tallyport.demo.stores import Goods, Sale, Store, Unit
from tallyport.demo.telling import Tally, Teller

NEEDED_OFFERS = 8
"""SKUs the story sells: simple ones that are linked, in sync and not used by another step."""

_STATED_SECONDS = 40.0
_POLICY = "Standard parcel"


@dataclass(frozen=True, slots=True)
class Side:
    """One channel by the API, and its store by its books."""

    shop: Shop
    store: Store
    desk: Desk


@dataclass(slots=True)
class OrderStory:
    """The orders of one shop, and what they mean to the stock of another."""

    platform: Platform
    here: Side
    there: Side
    teller: Teller
    tally: Tally
    offers: Sequence[Offer]
    _sold: dict[str, str] = field(default_factory=dict)
    """What an order is there for → its id on the channel."""
    _units: Counter[str] = field(default_factory=Counter)
    """SKU → units that orders have taken and that are not back."""

    def tell(self) -> None:
        """Tell it all."""
        if not {Operation.GET_ORDERS, Operation.SYNC_ORDERS} <= self.platform.operations.keys():
            why = self.platform.unsupported_operations.get(Operation.GET_ORDERS, "")
            self.teller.say(f"Left out: {self.platform.title} does not support orders. {why}")
            return
        self._open_another()
        self._sell()
        self._map()
        if ActionKind.FULFILL in self.platform.actions:
            self._ship_in_parts()
        self._cancel()
        self._count()

    def settle(self) -> bool:
        """Whether the second store has nothing left to do either."""
        self.teller.chapter("A last full plan of every operation of the second store")
        return is_settled(self.platform, self.there.shop, self.there.store, self.teller)

    def _open_another(self) -> None:
        self.teller.chapter("A second store sells the same goods")
        for offer in self.offers:
            unit = Unit(offer.sku, offer.price, (offer.quantity or 0) + 1)
            self.there.store.add(Goods(f"Also here: {offer.sku}", (unit,)))
        self.there.shop.want({offer.sku: offer.price for offer in self.offers})
        for operation in (Operation.LINK_LISTINGS, Operation.SYNC_LISTINGS):
            if operation in self.platform.operations:
                finished = self.there.shop.run(operation.value, full=True)
                if finished.run["result"] != "SUCCEEDED":
                    self.teller.trouble(f"{operation.value} ended {finished.run['result']}")
        self.teller.check(
            "quantities stated once are in the second store's books",
            len(self.offers),
            self._agreeing(self.there),
        )
        for side in (self.here, self.there):
            # With a schedule, what an order makes due is synced at once and not at the next round.
            side.desk.run_by_itself(Operation.SYNC_LISTINGS.value, every_seconds=3600)

    def _sell(self) -> None:
        self.teller.chapter("Orders arrive")
        mapped, unmapped, strange = self.here.store.shipping_texts
        self.here.desk.map_shipping(mapped, _POLICY)
        skus = [offer.sku for offer in self.offers]
        for why, sale in {
            "plain": Sale(((skus[0], 2),), mapped),
            "parts": Sale(((skus[1], 3), (skus[2], 1)), mapped),
            "canceled": Sale(((skus[3], 1),), mapped),
            "unmapped": Sale(((skus[4], 2),), unmapped),
            "strange": Sale(((skus[5], 1),), strange),
            "old": Sale(((skus[6], 1),), mapped, days_ago=40),
            "unpaid": Sale(((skus[7], 1),), mapped, is_paid=False),
            "typed": Sale(((None, 1),), mapped),
        }.items():
            self._sold[why] = self.here.store.sell(sale)
            self._units.update({sku: number for sku, number in sale.units if sku is not None})
        sold_at = datetime.now(UTC)
        serial = self.there.store.serial()
        self._get_orders()
        self._show(self._sold)
        self._check("imported", "plain", "parts", "canceled", verdict="IMPORTED")
        self._check("held until its method is mapped", "unmapped", "strange", verdict="HELD")
        self._check("skipped: too old, not paid", "old", "unpaid", verdict="SKIPPED")
        self._check("unsavable: a line without a SKU", "typed", verdict="UNSAVABLE")
        self._falls_there(sold_at, serial)

    def _falls_there(self, sold_at: datetime, serial: int) -> None:
        self.teller.say("Every order seen is deducted, whatever became of it:")
        if within(_STATED_SECONDS, lambda: self._agreeing(self.there) == len(self.offers)):
            seen = [order.first_seen_at for order in self.here.desk.orders().values()]
            effects = [each.at for each in self.there.store.effects(serial)]
            if seen and effects:
                waited = max(effects) - min(seen)
                syncs = self.there.desk.started_by_change(Operation.SYNC_LISTINGS.value, sold_at)
                self.teller.say(
                    f"{_seconds(waited)} from the sale seen to the other store's books, "
                    f"{_seconds(max(effects) - sold_at)} from the sale: within one poll and "
                    f"{_number(syncs, 'sync')} that began by itself."
                )
        self.teller.check(
            "less stock in the other store, by its books",
            len(self.offers),
            self._agreeing(self.there),
        )
        sku = self.offers[1].sku
        for step in self.there.desk.stock_sums([sku]).get(sku, ()):
            self.teller.say(f"  {sku}: {step}")

    def _map(self) -> None:
        self.teller.chapter("A shipping method is mapped; the order held for it imports by itself")
        text = self.here.store.shipping_texts[1]
        self.here.desk.map_shipping(text, "Pickup")
        held = self._sold["unmapped"]
        self.here.desk.awaits(lambda orders: held in orders and orders[held].verdict == "IMPORTED")
        self._show(["unmapped"])
        self._check("imported by itself", "unmapped", verdict="IMPORTED")

    def _ship_in_parts(self) -> None:
        self.teller.chapter(
            "One order leaves in two parts, another whole; tracking is on the store"
        )
        before = self._quantities(self.there)
        parts, plain = self._order("parts"), self._order("plain")
        if parts.order_id is None or plain.order_id is None:
            self.teller.trouble("there is nothing to ship: the orders were not imported")
            return
        first, second = self.offers[1].sku, self.offers[2].sku
        sent: list[tuple[str, str]] = []
        shipment = self.here.desk.ship(parts, "PP-1001", units={first: 2})
        again = self.here.desk.ship(parts, "PP-1001", units={first: 2})
        self.teller.check("the same shipment recorded twice is", 1, len({shipment, again}))
        sent.append(("parts", "PP-1001"))
        self._await_pushed("parts", "PP-1001")
        self.here.desk.ship(self._order("parts"), "PP-1002", units={first: 1, second: 1})
        sent.append(("parts", "PP-1002"))
        self.here.desk.ship(plain, "PP-1003")
        sent.append(("plain", "PP-1003"))
        for why, tracking in sent:
            self._await_pushed(why, tracking)
        held = self.here.store.orders()
        told = [
            text
            for why, tracking in sent
            for text in held[self._sold[why]].told
            if tracking in text
        ]
        for text in told:
            self.teller.say("  " + "; ".join(text.splitlines()))
        self.tally.shipments_pushed = len(told)
        self.teller.check("shipments on the store, by its books", len(sent), len(told))
        whole = [self._order(why).status for why in ("parts", "plain")]
        self.teller.check("orders shipped whole", 2, whole.count("SHIPPED"))
        for side in (self.here, self.there):
            self._sync(side)
        self.teller.check("quantities raised by shipping", 0, len(self._raised(before, self.there)))

    def _cancel(self) -> None:
        self.teller.chapter("A shopper cancels an order that was imported")
        self.here.store.cancel(self._sold["canceled"])
        self._units[self.offers[3].sku] = 0
        self._get_orders()
        self._show(["canceled"])
        order = self._order("canceled")
        self.teller.check("canceled here too", 1, int(order.status == "CANCELED"))
        refused = self.here.desk.refusal(order, "PP-1004")
        self.teller.say(f"Shipping it is refused: {refused}")
        self.teller.check("shipments of it", 0, int(refused is None))
        within(_STATED_SECONDS, lambda: self._agreeing(self.there) == len(self.offers))
        self._sync(self.here)
        for side, name in ((self.here, "first"), (self.there, "second")):
            self.teller.check(
                f"quantities as stated less what is ordered, {name} store",
                len(self.offers),
                self._agreeing(side),
            )

    def _count(self) -> None:
        self.teller.chapter("Every order of the store is here, imported or with its reason")
        seen = self.here.desk.orders()
        held = self.here.store.orders()
        # Only what the store itself holds is counted.
        verdicts = Counter(order.verdict for key, order in seen.items() if key in held)
        self.tally.orders_imported = verdicts["IMPORTED"]
        self.tally.orders_held = verdicts["HELD"]
        self.tally.orders_skipped = verdicts["SKIPPED"]
        self.tally.orders_unsavable = verdicts["UNSAVABLE"]
        decided = ("IMPORTED", "HELD", "SKIPPED", "UNSAVABLE")
        self.teller.check(
            "imported + held + skipped + unsavable = the store's orders",
            len(held),
            sum(verdicts[verdict] for verdict in decided),
        )
        self.teller.check("orders here that the store does not hold", 0, len(seen.keys() - held))

    def _get_orders(self) -> None:
        run = self.here.shop.run(Operation.GET_ORDERS.value).run
        # PARTIAL is right while orders wait for a mapping or a SKU.
        if run["result"] not in ("SUCCEEDED", "PARTIAL"):
            why = (run["error"] or run["waitingFor"] or {}).get("message", "")
            self.teller.trouble(f"GET_ORDERS ended {run['result'] or run['state']}: {why}")

    def _sync(self, side: Side) -> None:
        side.shop.run(Operation.SYNC_LISTINGS.value)

    def _await_pushed(self, why: str, tracking: str) -> None:
        key = self._sold[why]
        if not self.here.desk.awaits(
            lambda orders: key in orders and orders[key].is_pushed(tracking)
        ):
            told = "; ".join(row["message"] or row["state"] for row in self._order(why).shipments)
            self.teller.trouble(f"shipment {tracking} did not reach the store: {told}")

    def _show(self, which: Sequence[str] | Mapping[str, str]) -> None:
        orders = [self._order(why) for why in which]
        self.teller.rows(
            ("Order", "Became", "Here", "Reason", "Because"),
            [
                (each.number, each.verdict, each.status, each.reason, each.message)
                for each in orders
            ],
        )

    def _check(self, what: str, *which: str, verdict: str) -> None:
        orders = [self._order(why) for why in which]
        self.teller.check(what, len(which), sum(each.verdict == verdict for each in orders))

    def _order(self, why: str) -> SeenOrder:
        key = self._sold[why]
        found = self.here.desk.orders().get(key)
        if found is None:
            self.teller.trouble(f"order {key} was not seen")
            at = datetime.now(UTC)
            return SeenOrder(key, key, "NOT SEEN", "", "", at, None, "", (), ())
        return found

    def _agreeing(self, side: Side) -> int:
        """SKUs whose quantity in the store is what is stated less what is ordered."""
        held = self._quantities(side)
        return sum(
            held.get(offer.sku) == (offer.quantity or 0) - self._units[offer.sku]
            for offer in self.offers
        )

    def _quantities(self, side: Side) -> Mapping[str, int | None]:
        return {each.sku: each.quantity for each in side.store.held().values()}

    def _raised(self, before: Mapping[str, int | None], side: Side) -> list[str]:
        now = self._quantities(side)
        return [sku for sku, number in before.items() if (now.get(sku) or 0) > (number or 0)]


def _seconds(span: timedelta) -> str:
    return f"{max(0.0, span.total_seconds()):.1f} s"


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
