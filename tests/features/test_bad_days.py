"""Stores that answer badly, and processes that are killed.

Nothing is lost, nothing is done twice.
"""

import time
from decimal import Decimal
from typing import Any

import pytest

from tests.features.conftest import Open
from tests.features.live import Instance
from tests.features.rows import feature
from tests.features.shops import Shop
from tests.features.stores import WooStore

_LIST = {"method": "GET", "path_contains": "/wc/v3/products"}
_BATCH = {"method": "POST", "path_contains": "/products/batch"}


def _agreeing(shop: Shop[Any], count: int = 4) -> list[str]:
    names = [f"P{number}" for number in range(count)]
    for name in names:
        shop.add(name, price="9.00", quantity=5)
    shop.list_ours(*({"sku": name, "list_price": "9.00", "quantity": 5} for name in names))
    shop.run("sync", full=True)
    return names


def _settled(shop: Shop[Any], run_id: str) -> dict[str, Any]:
    """The run when it has ended, whatever it needed until then."""

    def ended() -> dict[str, Any] | None:
        run: dict[str, Any] = shop.done("runs", "show", run_id)
        return run if run["state"] in {"REPORTED", "CANCELED"} else None

    found: dict[str, Any] = shop.wait(ended, "the run ends")
    return found


_BAD_READS: dict[str, dict[str, Any]] = {
    "html": {"effect": "html", "match": {**_LIST, "times": 1}},
    "status 500": {"effect": "status", "status": 500, "match": {**_LIST, "times": 1}},
    "status 503": {
        "effect": "status",
        "status": 503,
        "headers": {"Retry-After": "1"},
        "match": {**_LIST, "times": 1},
    },
    "garbage": {"effect": "garbage", "match": {**_LIST, "times": 1}},
    "a cut page": {"effect": "cut_page", "match": {**_LIST, "times": 1}},
    "an empty list": {"effect": "empty", "match": {**_LIST, "times": 1}},
    "nothing": {"effect": "reset", "match": {**_LIST, "times": 1}},
    "silence": {"effect": "timeout_before", "seconds": 1, "match": {**_LIST, "times": 1}},
}


@feature("T1", "A4")
def test_no_bad_answer_makes_a_listing_missing(open_shop: Open) -> None:
    """HTML, 500, 503, garbage, a cut or empty page, nothing, silence.

    Links stay, the next try is right.
    """
    shops: dict[str, tuple[Shop[WooStore], str]] = {}
    for name, fault in _BAD_READS.items():
        shop: Shop[WooStore] = open_shop()
        shop.connect()
        _agreeing(shop)
        shop.store.reprice(shop.sku("P0"), "1.00")
        shop.store.fault(**fault)
        run = shop.done("run", "sync", shop.name, "--full", "--no-wait")
        shops[name] = (shop, run["id"])

    for name, (shop, run_id) in shops.items():
        run = _settled(shop, run_id)
        assert shop.store.struck() == 1, name
        assert run["result"] in {"SUCCEEDED", "PARTIAL", "FAILED"}, name
        if run["result"] != "SUCCEEDED":
            told = f"{run['error']} {shop.channel()['conditions']} {run['report']}"
            assert len(told) > 40, f"{name}: {told}"
        assert {shop.link(f"P{n}") for n in range(4)} == {"LINKED"}, name
        kinds = {row["kind"] for row in run["actions"]}
        assert kinds <= {"SYNC"}, f"{name}: {kinds}"
        shop.run("sync", full=True)
        assert shop.held("P0").price == Decimal(9), name


@feature("T1")
def test_a_page_shown_twice_is_noticed(open_shop: Open) -> None:
    """A host that repeats a page cannot hide products: all of them stay linked."""
    products = [
        {"name": f"P{n}", "sku": f"rep-{n:03}", "regular_price": "9.00"} for n in range(150)
    ]
    shop: Shop[WooStore] = open_shop(products=products)
    shop.tag = "rep-"
    shop.connect()
    shop.list_ours(*({"sku": f"{n:03}", "list_price": "9.00"} for n in range(150)))
    shop.run("link", full=True)
    shop.store.fault("repeat_page", match={**_LIST, "nth": 2, "times": 1})

    run = _settled(shop, shop.done("run", "sync", shop.name, "--full", "--no-wait")["id"])

    assert {row["kind"] for row in run["actions"]} == set()
    assert shop.channel()["counts"] == {"linked": 150, "unlinked": 0, "ambiguous": 0, "broken": 0}


@feature("T1", "A16")
def test_a_revoked_key_pauses_the_channel_and_concludes_nothing(
    shop: Shop[Any], platform: str
) -> None:
    """The channel says what to renew and rests; links stay; after renewal everything goes on."""
    _agreeing(shop)
    shop.price("P0", "10.00")
    body = (
        '{"code":"woocommerce_rest_authentication_error","message":"Invalid","data":{"status":401}}'
    )
    shop.store.fault("status", status=401, body=body, match={"times": None})

    run = shop.run("sync", full=True, result=None)

    assert run["result"] == "FAILED"
    channel = shop.channel()
    assert channel["isPaused"] is True
    assert channel["health"] == "PAUSED"
    assert channel["pauseMessage"]
    assert {shop.link(f"P{n}") for n in range(4)} == {"LINKED"}
    refused = shop.cli("run", "sync", shop.name, "--no-wait")
    assert refused.code == 1 or refused.answer["id"]

    shop.store.heal()
    renewed = [
        part
        for key, value in shop.store.credentials().items()
        for part in ("--set", f"{key}={value}")
    ]
    shop.edit(*renewed)
    if shop.channel()["isPaused"]:
        shop.done("channel", "resume", shop.name)
    shop.run("sync", full=True)
    assert shop.held("P0").price == Decimal(10)


_BAD_WRITES: dict[str, dict[str, Any]] = {
    "500 before": {"effect": "status", "status": 500},
    "500 after": {"effect": "status", "status": 500, "after": True},
    "html after": {"effect": "html", "after": True},
    "garbage after": {"effect": "garbage", "after": True},
    "lost after": {"effect": "timeout_after", "seconds": 1},
    "lost before": {"effect": "timeout_before", "seconds": 1},
    "late": {"effect": "late", "seconds": 1.5},
}


@feature("W3", "W4")
def test_a_write_without_a_clear_answer_is_looked_up_and_never_done_twice(open_shop: Open) -> None:
    """Whatever becomes of the answer, prices are right at the end and products exist once."""
    shops: dict[str, tuple[Shop[WooStore], list[str]]] = {}
    for name, fault in _BAD_WRITES.items():
        shop: Shop[WooStore] = open_shop()
        shop.connect()
        shop.add("MUG", price="4.00", quantity=1)
        shop.list_ours({"sku": "MUG", "list_price": "9.00", "quantity": 5})
        shop.run("link", full=True, result=None)
        shop.list_ours({"sku": "NEW", "list_price": "7.00", "quantity": 2})
        shop.store.fault(**fault, match={**_BATCH, "times": 2})
        runs = [
            shop.done("run", operation, shop.name, "--no-wait")["id"]
            for operation in ("sync", "publish")
        ]
        shops[name] = (shop, runs)

    for name, (shop, runs) in shops.items():
        for run_id in runs:
            _settled(shop, run_id)
        assert shop.store.struck() == 2, name
        shop.run("sync", full=True)
        shop.run("publish", full=True)
        held = {row.sku.removeprefix(shop.tag): row for row in shop.store.held().values()}
        assert (held["MUG"].price, held["MUG"].quantity) == (Decimal(9), 5), name
        assert (held["NEW"].price, held["NEW"].quantity) == (Decimal(7), 2), name
        made = [row for row in shop.store.effects() if row["effect"] == "create"]
        assert [row["sku"] for row in made] == [shop.sku("NEW")], name
        assert shop.link("NEW") == "LINKED", name


@feature("W3", "W4")
def test_a_row_that_the_batch_refuses_does_not_hold_up_the_others(woo: Shop[WooStore]) -> None:
    """One refused row fails with the platform's reason, waits for a changed input.

    The rest is done.
    """
    woo.store.create({"name": "Owner", "sku": "own", "global_unique_id": "4006381333931"})
    rows = [{"sku": f"P{n}", "list_price": "5.00"} for n in range(4)]
    woo.list_ours(*rows, {"sku": "BAD", "list_price": "5.00", "gtin": "4006381333931"})

    run = woo.run("publish", result="PARTIAL")

    assert run.kinds("APPLIED") == {"PUBLISH": 4}
    [failed] = [row for row in run["actions"] if row["state"] == "FAILED"]
    assert failed["listing"]["sku"] == woo.sku("BAD")
    assert failed["outcome"]["message"]
    since = woo.store.serial()
    again = woo.run("publish", full=True, result=None)
    assert again["result"] != "SUCCEEDED", "what still fails is said again"
    assert [row for row in woo.store.requests(since) if row["method"] == "POST"] == []
    assert "FailedBefore" in woo.reasons("BAD")


@feature("T12", "T3")
def test_a_rate_limit_says_when_it_goes_on_and_goes_on(shop: Shop[Any]) -> None:
    """A store that wants a pause gets it.

    The channel shows until when, and the work is finished.
    """
    _agreeing(shop)
    shop.price("P0", "10.00")
    shop.store.fault(
        "status", status=429, headers={"Retry-After": "4"}, body="{}", match={"times": 1}
    )

    run_id = shop.done("run", "sync", shop.name, "--full", "--no-wait")["id"]

    def shown() -> Any:
        channel = shop.channel()
        conditions = [row for row in channel["conditions"] if row["type"] == "Budget"]
        return (channel["budget"], conditions) if conditions else None

    budget, [condition] = shop.wait(shown, "the channel shows that it waits")
    waits = shop.done("runs", "show", run_id)["waitingFor"]
    assert waits["until"], waits
    assert condition["reason"] == "RateLimited"
    assert "UTC" in condition["message"]
    assert budget["isWaiting"] is True
    assert budget["message"]
    run = _settled(shop, run_id)
    assert run["result"] == "SUCCEEDED"
    assert shop.held("P0").price == Decimal(10)
    assert [row for row in shop.channel()["conditions"] if row["type"] == "Budget"] == []


@feature("W3", "A7")
@pytest.mark.parametrize("part", ["worker", "server"])
def test_killing_a_process_in_the_middle_of_a_sync_loses_nothing(
    woo: Shop[WooStore], instance: Instance, part: str
) -> None:
    """Connect, link, change a price, kill the worker or the server while it is sent.

    The price is right.
    """
    names = _agreeing(woo)
    for number, name in enumerate(names):
        woo.price(name, f"1{number}.00")
    woo.store.fault("delay", seconds=2, match={**_BATCH, "times": 1})
    since = woo.store.serial()
    run_id = woo.done("run", "sync", woo.name, "--no-wait")["id"]
    woo.wait(
        lambda: any(
            row["state"] == "SENDING" for row in woo.done("runs", "show", run_id)["actions"]
        ),
        "the request is on its way",
    )

    instance.kill_part(part)

    run = _settled(woo, run_id)
    assert run["result"] == "SUCCEEDED", run
    prices = {woo.held(name).price for name in names}
    assert prices == {Decimal(f"1{number}") for number in range(len(names))}
    changes = [row for row in woo.store.effects(since) if row["effect"] == "update"]
    assert all(len(row["fields"]) <= 2 for row in changes)
    assert {woo.link(name) for name in names} == {"LINKED"}


@feature("W4", "A7")
def test_killing_the_worker_while_it_publishes_makes_nothing_twice(
    woo: Shop[WooStore], instance: Instance
) -> None:
    """A publish interrupted anywhere ends with each product on the store once, complete."""
    sizes = [
        {
            "sku": f"TEE-{size}",
            "parent_sku": "TEE",
            "option_1_name": "Size",
            "option_1_value": size,
            "list_price": "19.00",
            "quantity": 3,
        }
        for size in ("S", "M")
    ]
    woo.list_ours({"sku": "MUG", "list_price": "9.00"}, {"sku": "TEE"}, *sizes)
    woo.store.fault("delay", seconds=2, match={"method": "POST", "path_contains": "/variations"})
    run_id = woo.done("run", "publish", woo.name, "--no-wait")["id"]
    woo.wait(
        lambda: woo.sku("TEE") in woo.store.products(), "the product stands without variations"
    )
    time.sleep(0.3)

    instance.kill_part("worker")

    _settled(woo, run_id)
    woo.run("publish", full=True, result=None)
    woo.run("publish", full=True)
    made = [row["sku"] for row in woo.store.effects() if row["effect"] == "create"]
    assert sorted(made) == sorted(woo.sku(n) for n in ("MUG", "TEE", "TEE-S", "TEE-M"))
    assert woo.store.products()[woo.sku("TEE")]["status"] == "publish"
    assert {woo.link(name) for name in ("MUG", "TEE-S", "TEE-M")} == {"LINKED"}


@feature("A7")
def test_an_instance_that_dies_whole_goes_on_where_it_was(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Any, loopback: Any
) -> None:
    """After kill -9 of everything, the next start keeps links and finishes what was asked for."""
    doomed = Instance(tmp_path_factory.mktemp("doomed"))
    doomed.start()
    try:
        store = WooStore(loopback)
        shop: Shop[WooStore] = Shop(doomed, doomed.client(), store, tmp_path)
        shop.connect()
        _agreeing(shop)
        shop.price("P0", "10.00")
        store.fault("delay", seconds=2, match={**_BATCH, "times": 1})
        run_id = shop.done("run", "sync", shop.name, "--no-wait")["id"]
        time.sleep(0.4)
        doomed.kill()
        shop.api.close()

        doomed.start()

        shop.api = doomed.client()
        assert _settled(shop, run_id)["result"] == "SUCCEEDED"
        assert shop.held("P0").price == Decimal(10)
        assert {shop.link(f"P{n}") for n in range(4)} == {"LINKED"}
        shop.api.close()
        store.close()
    finally:
        doomed.stop()
