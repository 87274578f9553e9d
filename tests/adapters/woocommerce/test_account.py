"""Connecting: who the key speaks for, what it may do, and what the store is."""

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from reconcile.contract import AccountInfo, AdapterError, RejectedError, UnauthorizedError
from tests.adapters.shops import WooShop

pytestmark = pytest.mark.anyio


async def refused(shop: WooShop, which: str | None = None, **changes: Any) -> AdapterError:
    """The error of connecting."""
    with pytest.raises(AdapterError) as raised:
        await shop.adapter(which, **changes).connect_check()
    return raised.value


async def test_connecting_finds_features_and_permissions() -> None:
    """A store of today has GTINs, modified_after and brands; the key may read and write."""
    shop = WooShop.open()
    info = await shop.adapter().connect_check()
    assert info.scopes == {"read", "write"}
    assert {"global_unique_id", "modified_after", "brands"} <= info.features
    assert info.currency == "EUR"
    assert info.account_id
    assert info.version == "10.2.4"
    assert shop.holdings() == []
    assert shop.transport.records == []


async def test_check_carries_features_along() -> None:
    """The check before a run is one request and loses nothing of what connecting found."""
    shop = WooShop.open()
    shop.known = await shop.adapter().connect_check()
    shop.forget()
    assert await shop.adapter().check() == shop.known
    assert shop.requests == {"GET /system_status": 1}


@pytest.mark.parametrize(
    ("which", "changes", "code"),
    [
        ("read_only", {}, "KeyReadOnly"),
        ("write_only", {}, "KeyWriteOnly"),
        (None, {"consumer_key": "ck_unknown"}, "KeyUnknown"),
        (None, {"consumer_secret": "cs_wrong"}, "KeyRefused"),
    ],
)
async def test_keys_are_told_apart(which: str | None, changes: dict[str, str], code: str) -> None:
    """Each way in which a key does not do has its own code and says what to change."""
    shop = WooShop.open()
    error = await refused(shop, which, **changes)
    assert isinstance(error, UnauthorizedError)
    assert error.code == code
    assert "key" in error.message.lower()
    assert not any(value in error.message for value in changes.values())
    assert shop.holdings() == []


def site(routes: dict[str, tuple[int, Any]]) -> httpx.MockTransport:
    """A web site with these answers by path."""

    def answer(request: httpx.Request) -> httpx.Response:
        status, body = routes.get(request.url.path, (404, "<h1>Not found</h1>"))
        return httpx.Response(status, text=body if isinstance(body, str) else json.dumps(body))

    return httpx.MockTransport(answer)


NO_ROUTE = (404, {"code": "rest_no_route", "message": "No route.", "data": {"status": 404}})


@pytest.mark.parametrize(
    ("routes", "code", "says"),
    [
        ({}, "NoRestApi", "permalinks"),
        ({"/wp-json": (200, "<h1>Welcome</h1>")}, "NoRestApi", "shop.example"),
        (
            {"/wp-json": (200, {"namespaces": ["wp/v2"]}), "/wp-json/wc/v3": NO_ROUTE},
            "NoWooCommerce",
            "without WooCommerce",
        ),
        (
            {"/wp-json": (200, {"namespaces": ["wc/v2"]}), "/wp-json/wc/v3": NO_ROUTE},
            "UpdateWooCommerce",
            "update WooCommerce",
        ),
    ],
)
async def test_other_sites_are_named(routes: dict[str, Any], code: str, says: str) -> None:
    """What is no WooCommerce, or too old a one, is refused with what it is (R9)."""
    shop = WooShop.open()
    shop.transport._http = httpx.AsyncClient(transport=site(routes))
    error = await refused(shop)
    assert isinstance(error, RejectedError)
    assert error.code == code
    assert says in error.message


def status(**environment: Any) -> dict[str, Any]:
    """A site that answers /system_status."""
    body = {"environment": environment, "settings": {"currency": "USD"}}
    return {"/wp-json/wc/v3/system_status": (200, body)}


@pytest.mark.parametrize(
    ("environment", "account_id"),
    [
        ({"store_id": "uuid-1", "home_url": "https://Shop.example/"}, "uuid-1"),
        ({"store_id": None, "home_url": "https://Shop.example/"}, "shop.example"),
        ({"home_url": "http://shop.example/DE/"}, "shop.example/DE"),
    ],
)
async def test_account_identity(environment: dict[str, Any], account_id: str) -> None:
    """The store id identifies the account, on older versions its address does."""
    shop = WooShop.open()
    shop.known = None
    shop.transport._http = httpx.AsyncClient(transport=site(status(**environment)))
    info = await shop.adapter().check()
    assert (info.account_id, info.currency) == (account_id, "USD")


async def test_identity_outlives_an_update() -> None:
    """A store that begins to state an id stays the account that its address stood for."""
    shop = WooShop.open()
    answer = status(store_id="uuid-1", home_url="https://shop.example/")
    shop.transport._http = httpx.AsyncClient(transport=site(answer))
    assert (await shop.adapter().check()).account_id == "shop.example"
    elsewhere = status(store_id="uuid-1", home_url="https://other.example/")
    shop.transport._http = httpx.AsyncClient(transport=site(elsewhere))
    assert (await shop.adapter().check()).account_id == "uuid-1"


async def test_missing_right_is_not_the_keys_permission() -> None:
    """Where the key's user may not edit products, that is said, not that the key may only read."""
    shop = WooShop.open()
    body = '{"code": "woocommerce_rest_cannot_batch", "message": "No.", "data": {"status": 403}}'
    shop.fault("status", method="POST", status=403, body=body)
    with pytest.raises(UnauthorizedError, match="user of the key") as caught:
        await shop.adapter().connect_check()
    assert caught.value.code == "RightMissing"


async def test_status_without_identity_is_not_believed() -> None:
    """An answer that lacks currency or address is no account."""
    shop = WooShop.open()
    shop.transport._http = httpx.AsyncClient(transport=site(status()))
    with pytest.raises(AdapterError, match="currency"):
        await shop.adapter().check()


async def test_units_come_from_the_store() -> None:
    """Units found at connecting win over the channel's setting when weights are read."""
    shop = WooShop.open([{"name": "Mug", "sku": "M", "weight": "2"}], weight_unit="g")

    async def weight(known: AccountInfo | None) -> Any:
        shop.known = known
        (page,) = [page async for page in shop.adapter().listings(None)]
        return page.rows[0].variants[0].content["weight"]

    assert await weight(shop.known) == {"value": "2", "unit": "g"}
    assert shop.known is not None
    stated = replace(shop.known, features=frozenset({"weight_unit:lb"}))
    assert await weight(stated) == {"value": "2", "unit": "lb"}


async def test_pace_is_told_once() -> None:
    """A channel's own limit of requests reaches the shared budget before the first request."""
    shop = WooShop.open(requests_per_second=3)
    adapter = shop.adapter()
    await adapter.check()
    await adapter.check()
    assert [item.restore_per_second for item in shop.transport.learned] == [3.0]
    assert shop.transport.acquired == 2
