"""Roads around the guard as an operator, a file or a store walks them.

Nothing is destroyed, and the channel says why. `_REFUSED` holds destructive effects and waits for
an approval; from `_UNBELIEVED` nothing follows that could be approved.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from tests.features.rows import feature
from tests.features.shops import Run, Shop
from tests.features.stores import WooStore

_COUNT = 13
"""More than the ten objects that always pass."""
_NAMES = [f"P{number:02}" for number in range(_COUNT)]
_LISTS = {"method": "GET", "path_contains": "/wc/v3/products", "times": None}
_FORBIDDEN = json.dumps(
    {
        "code": "woocommerce_rest_cannot_view",
        "message": "Sorry, you cannot view this resource.",
        "data": {"status": 403},
    }
)
_SOMEBODY_ELSE = json.dumps(
    {
        "environment": {"home_url": "https://somebody-else.example", "version": "10.2.4"},
        "settings": {"currency": "EUR"},
    }
)

_SHOWN = ("regular_price", "sale_price", "stock_quantity", "stock_status", "status")

Books = Mapping[str, Sequence[Any]]


def _agreeing(shop: Shop[Any]) -> Books:
    for name in _NAMES:
        shop.add(name, price="10.00", quantity=5)
    shop.list_ours(*_rows(_NAMES, list_price="10.00", quantity=5))
    shop.run("sync", full=True)
    return _books(shop)


def _books(shop: Shop[Any]) -> Books:
    return {sku: [row[name] for name in _SHOWN] for sku, row in shop.store.products().items()}


def _rows(names: Sequence[str], **fields: Any) -> list[Mapping[str, Any]]:
    return [{"sku": name, "title": name, "currency": "EUR", **fields} for name in names]


# --- what holds destructive effects ---------------------------------------------------------


def _half_a_file(shop: Shop[Any]) -> None:
    said = shop.import_rows(_rows(_NAMES[:1], list_price="10.00"), "--replace", "HIDDEN")
    assert said.code == 0, said.text()


def _half_a_file_that_delists(shop: Shop[Any]) -> None:
    said = shop.import_rows(_rows(_NAMES[:1], list_price="10.00"), "--replace", "DELISTED")
    assert said.code == 0, said.text()


def _cents_as_euros(shop: Shop[Any]) -> None:
    assert shop.import_rows(_rows(_NAMES, list_price="0.10")).code == 0


def _a_first_sale_price(shop: Shop[Any]) -> None:
    """The list price goes where shoppers pay it, beside a regular price that stays."""
    shop.done("channel", "template", shop.name, "sync", "--disable", "regular_price")
    shop.done("channel", "template", shop.name, "sync", "--map", "list_price=sale_price")
    assert shop.import_rows(_rows(_NAMES, list_price="0.10")).code == 0


def _a_wiped_store(shop: Shop[Any]) -> None:
    """It is the same store, and it says of every product that it is gone."""
    for name in _NAMES:
        shop.store.delete(shop.sku(name))


_REFUSED: Mapping[Callable[[Shop[Any]], None], str] = {
    _half_a_file: "HIDE",
    _half_a_file_that_delists: "DELIST",
    _cents_as_euros: "PRICE_DROP",
    _a_first_sale_price: "PRICE_DROP",
    _a_wiped_store: "BREAK_LINK",
}


@feature("A21", "T3")
@pytest.mark.parametrize(
    ("road", "kind"),
    [pytest.param(*row, id=row[0].__name__.strip("_")) for row in _REFUSED.items()],
)
def test_a_road_that_would_destroy_waits_for_an_approval(
    woo: Shop[WooStore], road: Callable[[Shop[Any]], None], kind: str
) -> None:
    """Refused with numbers, links and books as they were; one approved row goes, and no other."""
    _agreeing(woo)
    road(woo)
    before = _books(woo)

    run = woo.run("sync", full=True, result=None)

    [verdict] = [row for row in run["guard"] if not row["isAllowed"]]
    assert verdict["kind"] == kind
    assert verdict["message"]
    assert run["result"] in {"REFUSED", "PARTIAL"}
    assert _books(woo) == before
    assert woo.channel()["counts"]["linked"] == _COUNT
    chosen = next(row for row in run["actions"] if row["state"] == "REFUSED")
    said = woo.cli("runs", "approve", run["id"], "--action", chosen["id"])
    assert said.code == 3, "the others still wait"
    if kind == "BREAK_LINK":
        assert woo.channel()["counts"]["broken"] == 1
    else:
        after = _books(woo)
        assert sum(after.get(sku) != row for sku, row in before.items()) == 1


# --- worlds that cannot be believed, and statements that are none ---------------------------


def _empty_file(shop: Shop[Any]) -> Run:
    said = shop.import_text("", "--replace", "DELISTED")
    assert said.code != 0
    return shop.run("sync", full=True)


def _file_without_rows(shop: Shop[Any]) -> Run:
    said = shop.import_text("sku,title,list_price,currency\n", "--replace", "DELISTED")
    assert said.code != 0
    return shop.run("sync", full=True)


def _file_of_errors(shop: Shop[Any]) -> Run:
    """One good row, and all others lost: what a lost row named is not missing."""
    rows = [*_rows(_NAMES[:1], list_price="10.00"), *_rows(_NAMES[1:], list_price="ten")]
    shop.import_rows(rows, "--replace", "DELISTED")
    return shop.run("sync", full=True, result=None)


def _blank_quantities(shop: Shop[Any]) -> Run:
    assert shop.import_rows(_rows(_NAMES, quantity="")).code == 0
    return shop.run("sync", full=True)


def _empty_list(shop: Shop[Any]) -> Run:
    """200 with [], from a cache or a proxy: the run does not take it, and asks again."""
    shop.store.fault("empty", match={**_LISTS, "times": 1})
    run = shop.run("sync", full=True)
    assert shop.store.struck() == 1
    shop.store.heal()
    return run


def _no_right_to_see(shop: Shop[Any]) -> Run:
    """The key's user has lost the right to see products."""
    shop.store.fault("status", status=403, body=_FORBIDDEN, match=_LISTS)
    run = shop.run("sync", full=True, result=None)
    shop.store.heal()
    assert shop.channel()["isPaused"] is True
    assert shop.channel()["pauseMessage"]
    shop.done("channel", "resume", shop.name)
    return run


def _another_identifier(shop: Shop[Any]) -> Run:
    """By the new identifier nothing matches anything: links are not made of identifiers."""
    shop.edit("--our-identifier", "upc", "--their-identifier", "upc")
    shop.run("link", full=True, result=None)
    run = shop.run("sync", full=True)
    shop.edit("--our-identifier", "sku", "--their-identifier", "sku")
    return run


_UNBELIEVED: Sequence[Callable[[Shop[Any]], Run]] = (
    _empty_file,
    _file_without_rows,
    _file_of_errors,
    _blank_quantities,
    _empty_list,
    _no_right_to_see,
    _another_identifier,
)


@feature("A21", "T1", "T3")
def test_from_what_cannot_be_believed_nothing_follows(woo: Shop[WooStore]) -> None:
    """One road after another on the same shop: no action, no broken link, nothing to approve."""
    before = _agreeing(woo)
    for road in _UNBELIEVED:
        run = road(woo)
        name = road.__name__
        assert [row for row in run["actions"] if row["kind"] != "LINK"] == [], name
        assert _books(woo) == before, name
        assert woo.channel()["counts"]["linked"] == _COUNT, name
        assert woo.cli("runs", "approve", run["id"]).code != 0, name
    assert woo.run("sync", full=True)["actions"] == []


@feature("A21", "T1")
def test_another_store_at_the_same_address_breaks_nothing(woo: Shop[WooStore]) -> None:
    """Repointed seconds after the account was compared: all is gone there, which proves nothing."""
    _agreeing(woo)
    for name in _NAMES:
        woo.store.delete(woo.sku(name))
    match = {"path_contains": "/system_status", "times": None}
    woo.store.fault("status", status=200, body=_SOMEBODY_ELSE, match=match)

    run = woo.run("sync", full=True, result=None)

    assert run["result"] == "FAILED"
    assert run["actions"] == []
    channel = woo.channel()
    assert channel["isPaused"] is True
    assert "another store" in channel["pauseMessage"]
    assert channel["counts"]["linked"] == _COUNT
    assert woo.cli("runs", "approve", run["id"]).code != 0
    woo.store.heal()
