"""Connecting, checking, changing and removing channels, and what keeps one from being connected."""

import json
from decimal import Decimal
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from tallyport.client import ApiClient
from tests.features.conftest import Open
from tests.features.live import Instance
from tests.features.loopback import Loopback
from tests.features.rows import feature
from tests.features.shops import Shop
from tests.features.stores import WooStore

_PLATFORM = """
query ($name: String!) { platform(name: $name) {
  operations { operation isSupported reason isManualOnly }
  actions { kind isSupported reason batchSize }
  credentials { name title help isRequired isSecret }
} }
"""


@feature("A1")
def test_connecting_shows_the_account_and_never_a_secret(
    platform: str, open_shop: Open, api: ApiClient, instance: Instance
) -> None:
    """A checked account is shown; secrets are readable nowhere.

    A platform takes several channels.
    """
    first, second = open_shop(platform), open_shop(platform)

    channel = first.connect()
    second.connect()

    assert channel["platform"]["name"] == platform
    assert channel["account"]["currency"] == "EUR"
    assert channel["account"]["accountId"]
    names = {row["name"] for row in first.done("channel", "list")}
    assert {first.name, second.name} <= names
    fields = api.query(_PLATFORM, {"name": platform})["platform"]["credentials"]
    for field in fields:
        assert field["help"], f"{field['name']} does not say where it is found"
        if field["isSecret"]:
            secret = first.store.credentials()[field["name"]]
            assert secret not in json.dumps(first.done("channel", "show", first.name))
            assert secret not in instance.log


@feature("A1", "T1")
def test_a_wrong_login_is_refused_before_anything_is_saved(platform: str, open_shop: Open) -> None:
    """Wrong credentials give the platform's reason, and no channel comes of them."""
    shop = open_shop(platform)

    said = shop.try_connect(shop.store.wrong_credentials())

    assert said.code == 1
    assert said.codes() == ["UNAUTHORIZED"], said.text()
    assert "refused" in said.text(), said.text()
    assert shop.name not in {row["name"] for row in shop.done("channel", "list")}


@feature("A1")
def test_a_missing_field_is_named_with_the_place_where_it_is_found(
    platform: str, open_shop: Open, api: ApiClient
) -> None:
    """Every required credential left out is named together with its help text."""
    shop = open_shop(platform)

    said = shop.try_connect({})

    assert said.code == 2
    assert set(said.codes()) == {"MISSING"}
    fields = api.query(_PLATFORM, {"name": platform})["platform"]["credentials"]
    for field in fields:
        if field["isRequired"]:
            assert field["help"] in said.text()


@feature("A1")
def test_a_name_is_given_once_and_unknown_settings_are_named(
    platform: str, open_shop: Open
) -> None:
    """A second channel of the same name and a misspelt setting are refused with what to do."""
    shop, other = open_shop(platform), open_shop(platform)
    shop.connect()

    taken = other.try_connect(other.store.credentials(), name=shop.name)
    misspelt = other.try_connect(other.store.credentials(), batch_sise="10")

    assert taken.codes() == ["CONFLICT"], taken.text()
    assert misspelt.code == 2
    assert "batch_sise" in misspelt.text()


@feature("A2")
def test_every_platform_declares_what_it_can_and_why_not(
    shop: Shop[Any], platform: str, api: ApiClient
) -> None:
    """An unsupported operation has a reason, and is refused before anything is queued."""
    declared = api.query(_PLATFORM, {"name": platform})["platform"]

    for row in [*declared["operations"], *declared["actions"]]:
        assert row["isSupported"] or row["reason"], row
    unsupported = [row for row in declared["operations"] if not row["isSupported"]]
    since = shop.store.serial()
    for row in unsupported:
        said = shop.cli("run", row["operation"].lower(), shop.name)
        assert said.code == 1
        assert said.codes() == ["UNSUPPORTED"], said.text()
        assert row["reason"] in said.text()
    assert shop.done("runs", "list", "--channel", shop.name) == []
    assert list(shop.store.requests(since)) == []


@feature("A16")
def test_settings_change_and_credentials_are_replaced_without_losing_links(
    platform: str, open_shop: Open
) -> None:
    """Editing and reconnecting keep links.

    Keys of another account are refused and change nothing.
    """
    shop, other = open_shop(platform), open_shop(platform)
    shop.connect()
    shop.add("MUG", price="9.00")
    shop.list_ours({"sku": "MUG", "list_price": "9.00"})
    shop.run("link", full=True)

    edited = shop.edit("--buffer", "2", "--policy", "enrich")
    login = [part for pair in _pairs(shop.store.credentials()) for part in ("--set", pair)]
    shop.edit(*login)
    foreign = [part for pair in _pairs(other.store.credentials()) for part in ("--set", pair)]
    said = shop.cli("channel", "edit", shop.name, *foreign)

    assert (edited["buffer"], edited["policy"]) == (2, "ENRICH")
    assert said.codes() == ["OTHER_ACCOUNT"], said.text()
    assert shop.link("MUG") == "LINKED"
    assert shop.done("channel", "check", shop.name)["isPaused"] is False


@feature("A16")
def test_removing_a_channel_keeps_history_and_writes_nothing(
    shop: Shop[Any], api: ApiClient
) -> None:
    """A removed channel is gone from the list, its runs stay readable, the store is untouched."""
    shop.add("MUG", price="9.00")
    shop.list_ours({"sku": "MUG", "list_price": "9.00"})
    run = shop.run("link", full=True)
    since = shop.store.serial()

    shop.done("channel", "remove", shop.name, "--yes")

    assert shop.name not in {row["name"] for row in shop.done("channel", "list")}
    kept = api.query("query ($id: ID!) { run(id: $id) { state result } }", {"id": run["id"]})
    assert kept["run"]["result"] == "SUCCEEDED"
    assert list(shop.store.requests(since)) == []
    assert list(shop.store.effects()) == []
    assert "MUG" not in shop.cli("run", "sync", shop.name).text()


# --- WooCommerce


@feature("W1")
@pytest.mark.parametrize(
    ("is_https", "authentication"), [(True, "basic"), (False, "auto"), (True, "query")]
)
def test_https_takes_basic_and_http_oauth(
    open_shop: Open, is_https: bool, authentication: str
) -> None:
    """Basic opens a store behind TLS, an OAuth 1.0a signature one on plain http."""
    shop: Shop[WooStore] = open_shop(treat_as_https=is_https)
    shop.connect(authentication=authentication)
    shop.add("MUG", price="9.00", quantity=1)
    shop.list_ours({"sku": "MUG", "list_price": "10.00", "quantity": 4})

    shop.run("sync", full=True)

    held = shop.held("MUG")
    assert (Decimal(10), 4) == (held.price, held.quantity)


@feature("W1", "T1")
@pytest.mark.parametrize("which", ["read_only", "write_only"])
def test_keys_that_may_not_both_read_and_write_are_refused(woo: Shop[WooStore], which: str) -> None:
    """A key without all rights is refused at connect.

    The answer says which permission to set.
    """
    said = woo.try_connect(woo.store.keys(which), name=f"{woo.name}-{which}")

    assert said.codes() == ["UNAUTHORIZED"], said.text()
    assert "Read/Write" in said.text(), said.text()


async def _html(_request: Request) -> Response:
    return HTMLResponse("<html><body><h1>A bakery</h1></body></html>")


async def _gone(_request: Request) -> Response:
    return HTMLResponse("<html><body>not here</body></html>", 404)


async def _wordpress(request: Request) -> Response:
    if request.url.path.rstrip("/") == "/wp-json":
        return JSONResponse({"name": "Blog", "namespaces": ["wp/v2"], "routes": {}})
    problem = {"code": "rest_no_route", "message": "No route was found", "data": {"status": 404}}
    return JSONResponse(problem, 404)


@feature("W1", "T1")
@pytest.mark.parametrize("answer", [_html, _gone, _wordpress])
def test_an_address_that_is_no_woocommerce_store_is_told_apart(
    woo: Shop[WooStore], loopback: Loopback, answer: Any
) -> None:
    """A site without the API, a missing page and a plain WordPress are refused clearly."""
    served = loopback.serve(Starlette(routes=[Route("/{path:path}", answer)]))

    said = woo.try_connect({**woo.store.credentials(), "domain": served.url}, name=f"{woo.name}-x")

    served.close()
    assert said.code == 1
    assert said.codes() == ["NOT_CONNECTED"], said.text()
    assert "no WooCommerce store" in said.text() or "without WooCommerce" in said.text()


@feature("W1", "T1")
@pytest.mark.parametrize(
    ("domain", "hint"),
    [
        ("http://shop.example", "https"),
        ("https://10.0.0.7", "private"),
        ("https://[::1]:1", ""),
        ("ftp://shop.example", "https"),
        ("not an address", ""),
        ("", ""),
    ],
)
def test_addresses_that_may_not_be_contacted_are_refused(
    woo: Shop[WooStore], domain: str, hint: str
) -> None:
    """Plain http, private addresses and nonsense are refused.

    The answer says what is expected.
    """
    said = woo.try_connect({**woo.store.credentials(), "domain": domain}, name=f"{woo.name}-x")

    assert said.code in {1, 2}
    assert said.problems(), said
    assert hint.lower() in said.text().lower(), said.text()
    assert woo.store.credentials()["consumer_secret"] not in said.text()


@feature("W1", "T1")
def test_https_where_the_store_speaks_http_only_says_so(woo: Shop[WooStore]) -> None:
    """A store that does not speak TLS at the port gives an error about the connection."""
    domain = woo.store.url.replace("http://", "https://")

    said = woo.try_connect({**woo.store.credentials(), "domain": domain}, name=f"{woo.name}-x")

    assert said.codes() == ["UNAVAILABLE"], said.text()
    assert "https" in said.text(), said.text()


def _pairs(values: Any) -> list[str]:
    return [f"{key}={value}" for key, value in values.items()]
