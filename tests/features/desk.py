"""The order desk of one shop in a test: what an operator sees of orders, and does with them.

Everything goes through the command line; the shop's short names stand for its SKUs.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

from tests.features.live import Said
from tests.features.order_hands import Placed, Told
from tests.features.shops import Run, Shop
from tests.features.stores import Shelf

S = TypeVar("S", bound=Shelf)

Fate = tuple[str, str]
"""Verdict of a seen order and the code of its reason."""


class Desk(Generic[S]):
    """Orders of one shop."""

    def __init__(self, shop: Shop[S]) -> None:
        self.shop = shop
        self.store: S = shop.store

    # --- the store's side

    def stock(self, **quantities: int) -> None:
        """Put products on sale and list them here, linked."""
        for name, quantity in quantities.items():
            self.shop.add(name, price="9.00", quantity=quantity)
        self.shop.list_ours(*({"sku": name, "list_price": "9.00"} for name in quantities))
        self.shop.run("link", full=True)

    def place(self, *lines: tuple[str, int], **words: Any) -> Placed:
        """A shopper orders these products."""
        return self.store.orders.place(
            *((self.shop.sku(name), quantity) for name, quantity in lines), **words
        )

    def told(self, order: Placed) -> Sequence[Told]:
        """What the store was told of shipments of an order."""
        return self.store.orders.told(order)

    def told_of_gone(self, order: Placed) -> Sequence[Told]:
        """The same, of an order that the store may not hold any more."""
        return self.told(order) if order.number in self.store.orders.all() else ()

    # --- runs

    def poll(self, *orders: Placed, full: bool = False, result: str | None = None) -> Run:
        """Get orders, all or these, and wait for the end."""
        return self._run("get-orders", orders, full=full, result=result)

    def send(self, *orders: Placed, full: bool = False, result: str | None = None) -> Run:
        """Sync orders, all or these, and wait for the end."""
        return self._run("sync-orders", orders, full=full, result=result)

    def _run(
        self, operation: str, orders: Sequence[Placed], *, full: bool, result: str | None
    ) -> Run:
        numbers = [order.number for order in orders]
        return self.shop.run(operation, full=full, orders=numbers, result=result)

    def settle(self) -> None:
        """Wait until no run of the channel is open."""
        self.shop.wait(
            lambda: not self.shop.done("runs", "list", "--channel", self.shop.name, "--open"),
            "all runs of the channel end",
        )

    # --- what is seen

    def row(self, order: Placed) -> dict[str, Any]:
        """An order as `orders show` has it."""
        found: dict[str, Any] = self.cli_done("show", order.number)
        assert found["remoteId"] == order.id
        return found

    def fate(self, order: Placed) -> Fate:
        """What became of an order."""
        row = self.row(order)
        return row["verdict"], row["reason"]

    def fates(self) -> Mapping[str, Fate]:
        """What became of every order that was seen, by number."""
        return {row["number"]: (row["verdict"], row["reason"]) for row in self.rows()}

    def rows(self, *options: str) -> list[dict[str, Any]]:
        """`orders list` of this channel."""
        found: list[dict[str, Any]] = self.cli_done("list", *options)
        return found

    def ours(self, order: Placed) -> dict[str, Any]:
        """Our copy of an order."""
        found = self.row(order)["order"]
        assert found is not None, self.row(order)
        ours: dict[str, Any] = found
        return ours

    def explain(self, order: Placed | str, *options: str) -> dict[str, Any]:
        """What `orders explain` says of a number."""
        number = order if isinstance(order, str) else order.number
        found: dict[str, Any] = self.cli_done("explain", number, *options)
        return found

    def why(self, order: Placed | str) -> str:
        """Everything `orders explain` says, as one text."""
        answer = self.explain(order)
        said = [str((answer["lookup"] or {}).get("message", ""))]
        for match in answer["matches"]:
            said += match["steps"]
            said += [f"{each['code']}: {each['message']}" for each in match["decisions"]]
        return " | ".join(said)

    def imported(self, order: Placed) -> bool:
        """Whether an order is imported."""
        return self.row(order)["order"] is not None

    def units(self, order: Placed) -> Mapping[str, tuple[int, int]]:
        """Short name → units shipped and units remaining of our copy."""
        return {
            line["sku"].removeprefix(self.shop.tag): (line["shipped"], line["remaining"])
            for line in self.ours(order)["lines"]
        }

    # --- what is done

    def cli(self, verb: str, number: str, *options: str) -> Said:
        """`orders VERB NUMBER` on this channel."""
        return self.shop.cli("orders", verb, number, *options, "--channel", self.shop.name)

    def cli_done(self, verb: str, *arguments: str) -> Any:
        """`orders VERB` on this channel that must succeed."""
        return self.shop.done("orders", verb, *arguments, "--channel", self.shop.name)

    def try_ship(
        self, order: Placed, *parts: tuple[str, int], tracking: str | None = "1Z", **options: str
    ) -> Said:
        """Ship these units, or all that remains; `tracking` None says that there is none."""
        said = [part for n, units in parts for part in ("--line", f"{self.shop.sku(n)}={units}")]
        said += ["--no-tracking"] if tracking is None else ["--tracking", tracking]
        for name, value in options.items():
            said += [f"--{name.replace('_', '-')}", value]
        return self.cli("ship", order.number, *said)

    def ship(
        self, order: Placed, *parts: tuple[str, int], tracking: str | None = "1Z", **options: str
    ) -> dict[str, Any]:
        """Ship, which must be taken; returns the shipment."""
        said = self.try_ship(order, *parts, tracking=tracking, **options)
        assert said.code == 0, said.text()
        shipment: dict[str, Any] = said.answer
        return shipment

    def shipped(
        self, order: Placed, *parts: tuple[str, int], tracking: str | None = "1Z", **options: str
    ) -> dict[str, Any]:
        """Ship, and wait until the store knows; returns the shipment as it is then."""
        shipment = self.ship(order, *parts, tracking=tracking, **options)

        def pushed() -> dict[str, Any] | None:
            found = self.shipment(order, shipment["id"])
            return found if found["state"] == "PUSHED" else None

        found: dict[str, Any] = self.shop.wait(
            pushed, f"the shipment reaches the store: {shipment}"
        )
        self.settle()
        return found

    def shipment(self, order: Placed, shipment_id: str) -> dict[str, Any]:
        """One shipment of an order."""
        found: dict[str, Any] = next(
            each for each in self.ours(order)["shipments"] if each["id"] == shipment_id
        )
        return found

    def map(self, text: str, policy: str = "Standard") -> None:
        """Map a shipping text."""
        self.shop.done("mappings", "set", self.shop.name, text, policy)

    def settings(self, operation: str, **values: str) -> None:
        """Change settings of an order operation."""
        pairs = [part for key, value in values.items() for part in ("--set", f"{key}={value}")]
        self.shop.done("channel", "settings", self.shop.name, operation, *pairs)
