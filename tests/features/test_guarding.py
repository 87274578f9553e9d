"""What the guard and the write policy hold back, with numbers, and what goes on all the same."""

from decimal import Decimal
from typing import Any

import pytest

from reconcile.core.actions import ActionKind
from tests.features.rows import feature, needs
from tests.features.shops import Shop

_MANY = 13
"""More than the ten objects that always pass."""


def _linked(shop: Shop[Any], count: int = _MANY) -> list[str]:
    names = [f"P{number:02}" for number in range(count)]
    for name in names:
        shop.add(name, price="10.00", quantity=5)
    shop.list_ours(*({"sku": name, "list_price": "10.00", "quantity": 5} for name in names))
    shop.run("sync", full=True)
    return names


@feature("A21", "T3")
def test_emptying_the_stock_is_held_back_and_the_rest_goes_on(shop: Shop[Any]) -> None:
    """A file that states zero everywhere is refused with numbers.

    The price changes in it are sent.
    """
    names = _linked(shop)
    rows = [
        {"sku": name, "title": name, "list_price": "11.00", "currency": "EUR", "quantity": 0}
        for name in names
    ]
    assert shop.import_rows(rows).code == 0

    run = shop.run("sync", result=None)

    assert run.code == 3
    assert run["result"] == "PARTIAL"
    assert {shop.held(name).quantity for name in names} == {5}
    assert {shop.held(name).price for name in names} == {Decimal(11)}
    [verdict] = [row for row in run["guard"] if not row["isAllowed"]]
    assert (verdict["kind"], verdict["planned"]) == ("QUANTITY_TO_ZERO", _MANY)
    assert str(_MANY) in verdict["message"]
    assert str(verdict["limit"]) in verdict["message"]

    told = shop.reasons(names[0])
    assert "approval" in told, told

    again = shop.run("sync", full=True, result=None)
    assert {shop.held(name).quantity for name in names} == {5}
    assert again["result"] != "SUCCEEDED"

    said = shop.cli("runs", "approve", again["id"], "--kind", "QUANTITY_TO_ZERO")
    assert said.code == 0, said.text()
    assert {shop.held(name).quantity for name in names} == {0}


@feature("A21")
@needs(ActionKind.HIDE, ActionKind.DELIST)
def test_selling_out_is_not_held_back_in_small_numbers_and_a_part_can_be_approved(
    shop: Shop[Any],
) -> None:
    """Few destructive rows pass; of many held back, a person approves single ones."""
    names = _linked(shop)
    shop.state(**dict.fromkeys(names[:3], 0))
    shop.run("sync")
    few = [shop.held(name).quantity for name in names[:3]]
    shop.ask("hide", *names[:2])
    shop.run("sync")
    shop.ask("delist", *names[1:])

    run = shop.run("sync", result=None)
    refused = run.of("DELIST")
    chosen = refused[0]
    said = shop.cli("runs", "approve", run["id"], "--action", chosen["id"])

    assert few == [0, 0, 0]
    assert {row["state"] for row in refused} == {"REFUSED"}
    assert len(refused) == _MANY - 1
    gone = [name for name in names if shop.sku(name) not in shop.store.held()]
    assert [shop.sku(name) for name in gone] == [chosen["listing"]["sku"]]
    assert said.code == 3, "the others still wait"


@feature("A21")
def test_many_small_runs_do_not_slip_past_the_guard(shop: Shop[Any]) -> None:
    """What was done in the last 24 hours counts: the second half of a price crash is held back."""
    names = _linked(shop)
    half = names[:8]

    for name in half:
        shop.price(name, "4.00")
    first = shop.run("sync", result=None)
    for name in names[8:]:
        shop.price(name, "4.00")
    second = shop.run("sync", result=None)

    assert first.kinds("APPLIED") == {"SYNC": 8}
    assert second.kinds("REFUSED") == {"SYNC": _MANY - 8}
    assert {shop.held(name).price for name in names[8:]} == {Decimal(10)}
    [verdict] = [row for row in second["guard"] if not row["isAllowed"]]
    assert (verdict["kind"], verdict["executed"]) == ("PRICE_DROP", 8)
    shop.edit("--guard", "count=100")
    shop.run("sync", full=True)
    assert {shop.held(name).price for name in names} == {Decimal(4)}


@feature("A21")
@pytest.mark.parametrize(
    ("policy", "priced", "published", "hidden"),
    [
        ("OBSERVE", False, False, False),
        ("ENRICH", True, False, False),
        ("ADDITIVE", True, True, False),
        ("FULL", True, True, True),
    ],
)
@needs(ActionKind.PUBLISH, ActionKind.HIDE)
def test_the_write_policy_decides_what_may_leave(
    shop: Shop[Any], policy: str, priced: bool, published: bool, hidden: bool
) -> None:
    """OBSERVE writes nothing, ENRICH syncs, ADDITIVE publishes too, FULL hides as well.

    All say so.
    """
    shop.add("MUG", price="9.00", quantity=5)
    shop.add("CUP", price="9.00", quantity=5)
    shop.edit("--policy", policy)
    shop.list_ours(
        {"sku": "MUG", "list_price": "12.00", "quantity": 5},
        {"sku": "CUP", "list_price": "9.00", "quantity": 5},
        {"sku": "NEW", "list_price": "9.00", "quantity": 5},
    )
    shop.run("link", full=True, result=None)
    shop.ask("hide", "CUP")

    sync = shop.run("sync", result=None)
    publish = shop.run("publish", full=True, result=None)

    assert shop.link("MUG") == "LINKED", "what changes our own records is always allowed"
    assert (shop.held("MUG").price == Decimal(12)) is priced
    assert (shop.sku("NEW") in shop.store.held()) is published
    assert (not shop.held("CUP").is_buyable) is hidden
    if policy != "FULL":
        assert sync["result"] != "SUCCEEDED"
        assert "PolicyForbids" in {row["code"] for row in sync["report"]["reasons"]}
    if not published:
        assert publish["result"] != "SUCCEEDED"
    if policy == "OBSERVE":
        assert list(shop.store.effects()) == []
        [shown] = [row for row in sync.of("SYNC") if row["state"] == "SKIPPED"]
        assert shown["changes"], "shadow mode shows what would have been written"
