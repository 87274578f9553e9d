"""Stock across channels: what is stated, what orders take off it, what each channel is told."""

import os
import time
from collections.abc import Sequence
from typing import Any

from tests.features.conftest import Open
from tests.features.desk import Desk
from tests.features.order_hands import moment
from tests.features.rows import feature
from tests.features.shops import Shop
from tests.features.stores import WooStore

_QUEUED = 2000 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 800
"""Content actions in the way of a sale; `make test-deep` queues as many as were promised."""


def _pair(platform: str, open_shop: Open, *, stated: int = 20, **options: Any) -> list[Desk[Any]]:
    """Two stores that sell the same goods, agreeing with what is stated."""
    first, second = open_shop(platform), open_shop(platform, **options)
    second.tag = first.tag
    desks: list[Desk[Any]] = []
    for shop in (first, second):
        shop.connect()
        desk: Desk[Any] = Desk(shop)
        desk.map("flat_rate")
        desk.stock(MUG=stated, CUP=stated)
        desk.poll()
        desks.append(desk)
    first.state(MUG=stated, CUP=stated)
    for desk in desks:
        desk.shop.run("sync", full=True)
        assert desk.shop.held("MUG").quantity == stated
    return desks


def _held(desks: Sequence[Desk[Any]], name: str = "MUG") -> list[int | None]:
    return [desk.shop.held(name).quantity for desk in desks]


def _sum(shop: Shop[Any], name: str) -> dict[str, Any]:
    """`items explain` of an item."""
    found: dict[str, Any] = shop.done("items", "explain", shop.sku(name))
    return found


def _steps(shop: Shop[Any], name: str) -> str:
    [channel] = [
        each for each in _sum(shop, name)["channels"] if each["channel"]["name"] == shop.name
    ]
    return " | ".join(channel["quantityExplanation"]["steps"])


@feature("A22")
def test_a_sale_on_one_channel_reaches_the_others_by_itself(platform: str, open_shop: Open) -> None:
    """One poll sees the sale, one sync tells the others; the store that sold knows it already."""
    first, second = _pair(platform, open_shop)
    second.shop.done("channel", "schedule", second.shop.name, "sync", "--every", "1h")
    order = first.place(("MUG", 3))
    since = first.store.serial()

    first.poll(result="SUCCEEDED")

    second.shop.wait(lambda: second.shop.held("MUG").quantity == 17, "the other store is told")
    first.shop.run("sync")
    assert _held([first, second]) == [17, 17]
    assert list(first.store.effects(since)) == [], "it had counted its own sale"

    first.shipped(order)
    for desk in (first, second):
        desk.poll(full=True)
        desk.shop.run("sync", full=True)
    assert _held([first, second]) == [17, 17], "shipping raises nothing"

    canceled = first.place(("CUP", 4))
    first.poll()
    second.shop.wait(lambda: second.shop.held("CUP").quantity == 16, "the sale is told")
    first.store.orders.cancel(canceled)
    first.poll()
    second.shop.wait(lambda: second.shop.held("CUP").quantity == 20, "the cancellation, too")


@feature("A22")
def test_every_order_seen_is_deducted_and_explained(platform: str, open_shop: Open) -> None:
    """Held, unpaid and too old ones count, canceled ones do not; the sum goes down to orders."""
    first, second = _pair(platform, open_shop, stated=30)
    first.shop.edit("--buffer", "4")
    held = first.place(("MUG", 1), shipping="unheard_of")
    unpaid = first.place(("MUG", 2), is_paid=False)
    paid = second.place(("MUG", 3))
    old = first.place(("MUG", 1), days_ago=40)
    over = first.place(("MUG", 9))
    first.store.orders.cancel(over)

    for desk in (first, second):
        desk.poll()
    for desk in (first, second):
        desk.shop.run("sync", full=True)

    fates = [first.fate(order)[1] for order in (held, unpaid, old)]
    assert fates == ["UnmappedShipping", "StatusNotSelected", "TooOld"]
    assert _held([first, second]) == [19, 23]
    told = _sum(first.shop, "MUG")
    assert told["item"]["deducted"] == 7
    counted = [row["units"] for row in told["deductions"] if row["counts"]]
    assert sorted(counted) == [1, 1, 2, 3]
    steps = _steps(first.shop, "MUG")
    assert "30 stated" in steps
    assert "7 deducted" in steps
    assert "4 buffer" in steps
    assert "= 19" in steps
    for order, desk in ((held, first), (unpaid, first), (old, first), (paid, second)):
        assert f"Order {order.number} on {desk.shop.name}" in steps
    assert "30 stated" in " ".join(first.shop.explain("MUG")["quantity"]["steps"])


@feature("A22")
def test_what_is_stated_later_knows_of_what_has_left(platform: str, open_shop: Open) -> None:
    """A count of what is on hand takes off what has not left; one net of orders takes off nothing.

    Both only know of what was so when they were made.
    """
    first, second = _pair(platform, open_shop)
    gone, open_ = first.place(("MUG", 3)), first.place(("MUG", 2))
    first.poll()
    first.shipped(gone)
    second.shop.run("sync")
    assert second.shop.held("MUG").quantity == 15
    sku = first.shop.sku("MUG")
    time.sleep(1.1)  # a moment later than the shipment, in the seconds that stores count in

    first.shop.state(MUG=17)

    second.shop.run("sync")
    assert second.shop.held("MUG").quantity == 15, "3 are off the shelf; 2 more will go"
    assert [row["counts"] for row in _sum(first.shop, "MUG")["deductions"]].count(True) == 1
    first.shop.done("items", "set", f"{sku}=15", "--net")
    second.shop.run("sync")
    assert second.shop.held("MUG").quantity == 15, "the source had taken the order off itself"
    time.sleep(1.1)
    first.place(("MUG", 1))
    first.poll()
    second.shop.run("sync")
    assert second.shop.held("MUG").quantity == 14, "an order that came after it counts"
    assert first.units(open_)["MUG"] == (0, 2)


@feature("A22", "W3")
def test_a_sync_never_writes_back_what_a_shopper_has_just_bought(
    platform: str, open_shop: Open
) -> None:
    """The sync of listings looks at the orders first, so an unseen sale is not undone."""
    first, _ = _pair(platform, open_shop)
    first.place(("MUG", 5))
    since = first.store.serial()

    first.shop.run("sync", full=True)

    assert first.shop.held("MUG").quantity == 15
    assert [row for row in first.store.effects(since) if row["sku"] == first.shop.sku("MUG")] == []
    assert _sum(first.shop, "MUG")["item"]["deducted"] == 5


@feature("A22")
def test_more_ordered_than_stated_is_never_below_zero(platform: str, open_shop: Open) -> None:
    """Oversold goods are told as zero everywhere; stating more brings them back."""
    first, second = _pair(platform, open_shop, stated=4)
    first.place(("MUG", 3))
    second.place(("MUG", 3))

    for desk in (first, second):
        desk.poll()
    for desk in (first, second):
        desk.shop.run("sync", full=True, result=None)

    assert _held([first, second]) == [0, 0]
    first.shop.done("items", "set", f"{first.shop.sku('MUG')}=20", "--as-of", moment(0))
    for desk in (first, second):
        desk.shop.run("sync", full=True)
    assert _held([first, second]) == [14, 14]


@feature("A22", "A9", "A11")
def test_a_sale_overtakes_whatever_else_is_queued(open_shop: Open) -> None:
    """A store busy with new titles is told of a sale elsewhere before it has them all.

    Within one poll and one sync, while the queue is still long; a shipment goes as promptly.
    """
    first, second = _pair("woocommerce", open_shop)
    store: WooStore = second.store
    names = [f"P{number:04}" for number in range(_QUEUED)]
    second.shop.list_ours(*({"sku": name, "list_price": "5.00"} for name in names))
    second.shop.done("channel", "schedule", second.shop.name, "sync", "--every", "1h")
    shipped = second.place(("CUP", 1))
    second.poll()
    store.fault(
        "delay",
        seconds=1.5,
        match={"method": "POST", "path_contains": "/products/batch", "times": None},
    )
    run_id = second.shop.done("run", "publish", second.shop.name, "--no-wait")["id"]

    def products() -> int:
        return sum(sku.removeprefix(second.shop.tag) in names for sku in store.products())

    second.shop.wait(lambda: products() > 0, "the new products begin to arrive")
    first.place(("MUG", 3))

    first.poll(result="SUCCEEDED")
    second.ship(shipped, tracking="1Z-QUICK")
    second.shop.wait(lambda: second.shop.held("MUG").quantity == 17, "the sale is told")
    second.shop.wait(lambda: second.told(shipped), "the shipment is told")

    there = products()
    assert there < _QUEUED, "the queue was empty already: the test shows nothing"
    store.heal()
    second.shop.wait(lambda: products() == _QUEUED, "nothing is lost", seconds=90)
    second.settle()
    assert second.shop.done("runs", "show", run_id)["result"] == "SUCCEEDED"
    assert second.shop.held("MUG").quantity == 17
