"""Who a key speaks for and what its store can do.

`check` is one request and runs before every run; `connect_check` finds out the rest when a person
connects or reconnects the channel.
"""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from adapters.http import Json
from adapters.woocommerce.canonical import DIMENSION_UNITS, WEIGHT_UNITS
from adapters.woocommerce.client import Client
from reconcile.contract import (
    AccountInfo,
    AdapterError,
    RejectedError,
    UnauthorizedError,
    UnexpectedResponseError,
)

_STATUS_FIELDS = (
    "environment.store_id,environment.home_url,environment.site_url,environment.version,"
    "settings.currency"
)
_UNIT_NAMES = {"lbs": "lb"}


async def check(client: Client, known: AccountInfo | None) -> AccountInfo:
    """Identity and currency in one request; what was found at connecting is carried along."""
    answer = await client.get("/system_status", {"_fields": _STATUS_FIELDS})
    body = answer.body if isinstance(answer.body, dict) else {}
    environment, settings = _object(body, "environment"), _object(body, "settings")
    currency = str(settings.get("currency") or "")
    home = str(environment.get("home_url") or environment.get("site_url") or "")
    if not currency or not home:
        message = "GET /system_status answered without the store's address or currency"
        raise UnexpectedResponseError(message, status=answer.status)
    parts = urlsplit(home)
    place = f"{(parts.netloc or home).lower()}{parts.path.rstrip('/')}"
    # Older versions have no store id; the address of the site then stands for it, and goes on
    # doing so when an update brings one: the store is the same.
    is_older = known is not None and known.account_id == place
    return AccountInfo(
        account_id=place if is_older else str(environment.get("store_id") or place),
        name=place,
        currency=currency,
        scopes=known.scopes if known else frozenset({"read"}),
        version=str(environment.get("version") or ""),
        features=known.features if known else frozenset(),
    )


async def connect_check(client: Client) -> AccountInfo:
    """Identity, permissions of the key, and what this very store supports."""
    features = await _features(client)
    try:
        info = await check(client, None)
    except UnauthorizedError as error:
        if error.code == "KeyRefused" and await _may_write(client):
            message = "The key may only write; Tallyport must read, too: set it to Read/Write"
            raise UnauthorizedError(message, code="KeyWriteOnly", status=error.status) from error
        raise
    if not await _may_write(client):
        message = (
            "The key may only read; set its permission to Read/Write under WooCommerce → Settings "
            "→ Advanced → REST API, or make a new key"
        )
        raise UnauthorizedError(message, code="KeyReadOnly", status=401)
    await _may_read_orders(client)
    features |= await _units(client)
    return AccountInfo(
        info.account_id,
        info.name,
        info.currency,
        frozenset({"read", "write"}),
        info.version,
        features,
    )


async def _may_write(client: Client) -> bool:
    """Ask for a batch of nothing: it changes nothing and is refused to keys that may not write."""
    try:
        await client.post("/products/batch", {}, is_write=False)
    except UnauthorizedError as error:
        if error.code == "RightMissing":  # the user's right, which no other permission mends
            raise
        return False
    return True


async def _may_read_orders(client: Client) -> None:
    """Being allowed products does not include orders: said when connecting, not by a poll."""
    try:
        await client.get("/orders", {"per_page": "1", "_fields": "id"})
    except UnauthorizedError as error:
        message = f"{error.message.rstrip('.')}. It may not read orders"
        raise UnauthorizedError(message, code=error.code, status=error.status) from error
    except AdapterError:
        # Whatever else is wrong with the store's orders is for the run to say that reads them.
        return


async def _features(client: Client) -> frozenset[str]:
    """What the store's own index of routes says; also tells whether it is a WooCommerce store."""
    try:
        answer = await client.get("", {})
    except UnauthorizedError:
        # Security plugins hide the index from everyone; the rest of the check decides.
        return frozenset()
    except UnexpectedResponseError as error:
        if error.code in ("NoSuchRoute", "NotJson"):
            raise await _no_store(client) from error
        raise
    routes = _object(answer.body if isinstance(answer.body, dict) else {}, "routes")
    if not routes:
        raise await _no_store(client)
    found = _arguments(routes.get("/wc/v3/products")) & {"global_unique_id", "modified_after"}
    if "/wc/v3/products/brands" in routes:
        found.add("brands")
    return frozenset(found)


async def _no_store(client: Client) -> AdapterError:
    """Why there is no route wc/v3: an old WooCommerce, none at all, or something else."""
    host = urlsplit(client.site).netloc
    try:
        answer = await client.get("", {"_fields": "namespaces"}, root="")
    except UnexpectedResponseError:
        message = (
            f"{host} has no WordPress REST API at /wp-json: it is no WooCommerce store, the domain "
            "lacks the folder WordPress lives in, or permalinks are set to Plain (WordPress → "
            "Settings → Permalinks)"
        )
        return RejectedError(message, code="NoRestApi")
    body = answer.body if isinstance(answer.body, dict) else {}
    names = body.get("namespaces")
    if isinstance(names, list) and any(str(name).startswith("wc/v") for name in names):
        message = f"{host} runs a WooCommerce without the API version 3; update WooCommerce"
        return RejectedError(message, code="UpdateWooCommerce")
    message = f"{host} is a WordPress site without WooCommerce, or WooCommerce is not active there"
    return RejectedError(message, code="NoWooCommerce")


async def _units(client: Client) -> frozenset[str]:
    """Units of weights and dimensions; a key that may not read settings leaves them unknown."""
    try:
        answer = await client.get("/settings/products", {"_fields": "id,value"})
    except AdapterError:
        # Whatever is wrong with this route, the channel's own settings stand in for it.
        return frozenset()
    found: set[str] = set()
    for row in answer.body if isinstance(answer.body, list) else []:
        if not isinstance(row, dict):
            continue
        unit = _UNIT_NAMES.get(str(row.get("value")), str(row.get("value")))
        if row.get("id") == "woocommerce_weight_unit" and unit in WEIGHT_UNITS:
            found.add(f"weight_unit:{unit}")
        if row.get("id") == "woocommerce_dimension_unit" and unit in DIMENSION_UNITS:
            found.add(f"dimension_unit:{unit}")
    return frozenset(found)


def filters_by_change(known: AccountInfo | None) -> bool:
    """Whether lists take `modified_after`; a store that does not tell is taken for one of today."""
    if known is None or "modified_after" in known.features:
        return True
    # Security plugins hide the index from which features are read; the version says it, too.
    parts = re.match(r"(\d+)\.(\d+)", known.version)
    return parts is None or (int(parts[1]), int(parts[2])) >= (5, 8)


def unit(features: frozenset[str], name: str, default: str) -> str:
    """A unit found at connecting, else the channel's setting."""
    prefix = f"{name}:"
    found = (item.removeprefix(prefix) for item in features if item.startswith(prefix))
    return next(found, default)


def _object(body: Mapping[str, Json], name: str) -> Mapping[str, Json]:
    value = body.get(name)
    return value if isinstance(value, dict) else {}


def _arguments(route: Json) -> set[str]:
    """Names of all arguments a route takes, over all its methods."""
    found: set[str] = set()
    endpoints = route.get("endpoints") if isinstance(route, dict) else None
    for endpoint in endpoints if isinstance(endpoints, list) else []:
        arguments = endpoint.get("args") if isinstance(endpoint, dict) else None
        if isinstance(arguments, dict):
            found |= arguments.keys()
    return found
