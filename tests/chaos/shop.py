"""One shop of a scenario: a store, its channel, and everything that is done to both.

Whatever is done is written into the ledger once it is certain that it was done.
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from tallyport.client import RefusedError
from tests.chaos.clerk import Clerk
from tests.chaos.ground import Eyes
from tests.chaos.habits import Habits
from tests.chaos.ledger import Bought, Ledger, Page, Sent, Wish, open_orders
from tests.chaos.scenarios import Goods, Step, StepKind
from tests.features.stores import Shelf

_POLL_SECONDS = 0.05
_SHIP_SECONDS = 3.0
_IMPORT_SECONDS = 60.0
_MOST_UNITS = 3
_RENEWALS = 5

_RUNS = {
    StepKind.PUBLISH: ("PUBLISH_LISTINGS", False),
    StepKind.SYNC: ("SYNC_LISTINGS", False),
    StepKind.SYNC_ALL: ("SYNC_LISTINGS", True),
    StepKind.GET_ORDERS: ("GET_ORDERS", False),
    StepKind.SYNC_ORDERS: ("SYNC_ORDERS", False),
}
_PRESENCE = {
    StepKind.HIDE: "HIDDEN",
    StepKind.UNHIDE: "LISTED",
    StepKind.DELIST: "DELISTED",
}


class Shop:
    """A store and its channel."""

    def __init__(
        self,
        *,
        store: Shelf,
        habits: Habits,
        clerk: Clerk,
        eyes: Eyes,
        ledger: Ledger,
        page: Page,
        dice: Random,
        folder: Path,
        tell: Callable[[str], None],
    ) -> None:
        self.store = store
        self.habits = habits
        self.clerk = clerk
        self.page = page
        self._eyes = eyes
        self._ledger = ledger
        self._dice = dice
        self._folder = folder
        self._tell = tell
        self._number = 0
        self.was_revoked = False
        """The key was refused for a while."""

    # --- before the story

    def stock_up(self, goods: Goods, *, is_there: bool) -> None:
        """Put goods on the store, or only into the ledger."""
        for unit in goods.units:
            self.page.wishes[unit.sku] = Wish(unit.sku, goods.sku, unit.price, was_there=is_there)
        if is_there:
            options = {"Size": [unit.option for unit in goods.units]} if goods.has_options else None
            self.store.add(goods.sku, price="7.77", quantity=40, options=options)

    def open(self) -> None:
        """Connect the channel and set it up."""
        platform = self.store.platform
        credentials = self.store.credentials()
        self.clerk.connect(platform, credentials, self.page.buffer, self.habits.settings)
        if self.habits.sync_orders:
            self.clerk.set_up(platform, "SYNC_ORDERS", self.habits.sync_orders)
        self.clerk.map_shipping("flat_rate")

    def renew(self) -> None:
        """Enter a key that opens, where one was revoked and the channel rests because of it.

        What was refused before the renewal may pause the channel after it.
        """
        if self.was_revoked and self.clerk.is_paused():
            self.clerk.renew(self.store.platform, self.store.credentials())
            self._tell("renewed")

    def run(self, operation: str, *, full: bool = False) -> None:
        """Ask for a run; a channel that rests has to be brought back first."""
        for _ in range(_RENEWALS):
            try:
                self.clerk.run(operation, full=full)
            except RefusedError:
                if not self.was_revoked:
                    raise
                self.renew()
            else:
                return
        raise AssertionError(f"{self.page.name} is paused again and again")

    # --- what the operator does

    def list(self, goods: Goods) -> None:
        """State a listing, and how many there are of each unit that nobody counted yet."""
        units: list[dict[str, Any]] = []
        for unit in goods.units:
            price = self.clerk.money(self.page.wishes[unit.sku].price)
            row: dict[str, Any] = {"sku": unit.sku, "fields": {"list_price": price}}
            if goods.has_options:
                row["options"] = [{"name": "Size", "value": unit.option}]
            units.append(row)
        more = {"optionNames": ["Size"]} if goods.has_options else {}
        self.clerk.upsert(goods.sku, units, fields={"title": f"Goods {goods.sku}"}, **more)
        for unit in goods.units:
            self.page.wishes[unit.sku].is_listed_here = True
            if unit.quantity is not None and unit.sku not in self._ledger.counted:
                self.count(unit.sku, unit.quantity)

    def count(self, sku: str, quantity: int) -> None:
        """State how many of it are on hand now."""
        as_of = datetime.now(UTC)
        self.clerk.state(sku, quantity, as_of)
        self._ledger.counted[sku] = quantity, as_of

    def take(self, step: Step, goods: Goods) -> None:
        """Do what a step says."""
        wish = self.page.wishes.get(step.unit)
        match step.kind:
            case StepKind.ADD:
                self.list(goods)
            case StepKind.BUY:
                self.buy()
            case StepKind.SHIP:
                self._ship()
            case StepKind.CANCEL:
                self._cancel()
            case StepKind.THEIR_EDIT:
                self._their_edit()
            case StepKind.IMPORT:
                self._import(step)
            case _ if step.kind in _RUNS:
                operation, full = _RUNS[step.kind]
                self.run(operation, full=full)
            case _ if wish is not None and wish.is_listed_here:
                self._take_unit(step, wish)
            case _:
                self._tell("  not listed yet")

    def _take_unit(self, step: Step, wish: Wish) -> None:
        match step.kind:
            case StepKind.PRICE:
                fields = {"list_price": self.clerk.money(step.amount)}
                self.clerk.upsert(wish.listing, [{"sku": wish.sku, "fields": fields}])
                wish.price = step.amount
            case StepKind.QUANTITY:
                self.count(wish.sku, step.number)
            case StepKind.THEIR_PRICE:
                self._their_price(wish, step.amount)
            case StepKind.THEIR_DELETE:
                self._their_delete(wish)
            case _:
                self._present(wish, _PRESENCE[step.kind])

    def _link_state(self, wish: Wish) -> str:
        rows = self._eyes.rows(
            "SELECT v.link_state FROM listing_variants v JOIN channels c ON c.id = v.channel_id"
            " WHERE v.sku = $1 AND c.name = $2",
            wish.sku,
            self.page.name,
        )
        return str(rows[0]["link_state"]) if rows else ""

    def _present(self, wish: Wish, presence: str) -> None:
        """Only what is linked is hidden or delisted; what is delisted stays so."""
        if wish.presence in {"DELISTED", presence} or self._link_state(wish) != "LINKED":
            self._tell("  not now")
            return
        self.clerk.upsert(wish.listing, [{"sku": wish.sku, "presence": presence}])
        wish.presence = presence

    def _import(self, step: Step) -> None:
        """New prices for all that has no options, from a file; waits until it is taken in."""
        chosen = [
            wish
            for wish in self.page.wishes.values()
            if wish.is_listed_here and wish.listing == wish.sku
        ]
        amounts = {wish.sku: str(1 + number) + step.amount for number, wish in enumerate(chosen)}
        file = self._folder / f"catalog-{time.monotonic_ns()}.csv"
        rows = [f"{wish.sku},{amounts[wish.sku]},EUR" for wish in chosen]
        file.write_text("\n".join(["sku,list_price,currency", *rows]) + "\n")
        import_id = self.clerk.import_file(file)
        deadline = time.monotonic() + _IMPORT_SECONDS
        state, problem = self.clerk.import_state(import_id)
        while state not in {"DONE", "FAILED", "CANCELED"} and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
            state, problem = self.clerk.import_state(import_id)
        if state != "DONE":
            raise AssertionError(f"import {state} after {_IMPORT_SECONDS:.0f} s: {problem}")
        for wish in chosen:
            wish.price = amounts[wish.sku]

    # --- orders

    def buy(self) -> None:
        """A shopper orders what can be bought."""
        held = [
            each
            for each in self.store.held().values()
            if each.is_buyable and (each.quantity is None or each.quantity > 0)
        ]
        if not held:
            return
        held.sort(key=lambda each: each.sku)
        chosen = self._dice.sample(held, k=min(len(held), self._dice.choice((1, 1, 2))))
        units = {
            each.sku: min(
                _MOST_UNITS if each.quantity is None else each.quantity,
                self._dice.randrange(1, _MOST_UNITS + 1),
            )
            for each in chosen
        }
        placed = self.store.orders.place(*units.items())
        self.page.orders.append(Bought(placed, units))
        self._tell(f"  order {placed.number}: {units}")

    def _ship(self) -> None:
        waiting = open_orders(self.page.orders)
        if not waiting:
            return
        order = self._dice.choice(waiting)
        is_whole = self._dice.random() < 0.5
        ours = self._imported(order)
        if ours is None:
            self._tell(f"  order {order.placed.number} is not here yet")
            return
        lines: dict[str, int] = {}
        units: dict[str, int] = {}
        for line in ours["lines"]:
            left = int(line["remaining"])
            if left > 0 and int(line["quantity"]) == order.units.get(line["sku"], 0):
                lines[line["id"]] = left if is_whole else self._dice.randrange(1, left + 1)
                units[line["sku"]] = lines[line["id"]]
        if not lines or len(ours["lines"]) != len(order.units):
            return
        self._number += 1
        sent = Sent(f"TRK{self.page.name}X{self._number}X", units, datetime.now(UTC))
        try:
            self.clerk.ship(ours["id"], lines, sent.tracking, sent.shipped_at)
        except RefusedError as error:
            self._tell(f"  shipping was refused: {error}")
            return
        order.sent.append(sent)
        self._tell(f"  {sent.tracking} of order {order.placed.number}: {units}")

    def _imported(self, order: Bought) -> Mapping[str, Any] | None:
        """Our copy of an order as it is now, waiting a little for it."""
        deadline = time.monotonic() + _SHIP_SECONDS
        ours = self._copy(order)
        if ours is None:
            self.run("GET_ORDERS")
        while ours is None and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
            ours = self._copy(order)
        return ours

    def _copy(self, order: Bought) -> Mapping[str, Any] | None:
        """Our copy, if it has everything that the store's has."""
        ours = self.clerk.order(order.placed.number)
        if ours is None:
            return None
        known = {line["sku"]: int(line["quantity"]) for line in ours["lines"]}
        return ours if known == order.units else None

    # --- what the merchant does

    def _cancel(self) -> None:
        unsent = [order for order in self.page.orders if not order.sent and not order.is_canceled]
        if unsent:
            order = self._dice.choice(unsent)
            self.store.orders.cancel(order.placed)
            order.is_canceled = True
            self._tell(f"  order {order.placed.number}")

    def _their_edit(self) -> None:
        """One more unit of an order of which nothing was shipped, where the hand can do that."""
        edit = getattr(self.store.orders, "edit", None)
        unsent = [order for order in self.page.orders if not order.sent and not order.is_canceled]
        if edit is None or not unsent:
            return
        order = self._dice.choice(unsent)
        sku = next(iter(order.units))
        if sku not in self.store.held():
            return
        edit(order.placed, lines=[{"sku": sku, "quantity": order.units[sku] + 1}])
        order.units[sku] += 1
        self._tell(f"  order {order.placed.number}: {order.units}")

    def _their_price(self, wish: Wish, amount: str) -> None:
        if wish.sku in self.store.held():
            self.store.reprice(wish.sku, amount)
            self.page.touched.add(wish.sku)

    def _their_delete(self, wish: Wish) -> None:
        if wish.presence == "DELISTED" or wish.sku not in self.store.held():
            return
        if self._link_state(wish) == "LINKED":
            trash = getattr(self.store, "trash", None)
            if trash is not None and wish.listing == wish.sku and self._dice.random() < 0.5:
                trash(wish.sku)
            else:
                self.store.delete(wish.sku)
            wish.is_deleted_there = True
            self.page.touched.add(wish.sku)
