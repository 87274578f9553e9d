"""What a WooCommerce channel is set up with: credentials, channel and operation settings.

The API's inputs and the command line's options are made from these dataclasses, so every field says
where on the platform it is found. Must not send anything.
"""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from reconcile.contract import setting

_KEYS_PLACE = (
    "WooCommerce → Settings → Advanced → REST API → Add key, with permission Read/Write and a "
    "user who may edit products and orders (a shop manager may)"
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What opens a store."""

    domain: str = setting("Domain", "The address of the store, such as https://mystore.com/")
    consumer_key: str = setting("Consumer key", f"{_KEYS_PLACE}; it begins with ck_", secret=True)
    consumer_secret: str = setting(
        "Consumer secret", f"Shown once beside the consumer key ({_KEYS_PLACE})", secret=True
    )


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """Settings of a WooCommerce channel as a whole."""

    authentication: str = setting(
        "Authentication",
        "auto: Basic over https, OAuth 1.0a over http. query puts the keys into the address, for "
        "hosts that drop the Authorization header; they then stand in the store's access log",
        default="auto",
        choices=("auto", "basic", "oauth", "query"),
    )
    batch_size: int = setting(
        "Rows per request",
        "Rows of one batch request, 1 to 100; fewer for a slow host",
        default=100,
    )
    image_batch_size: int = setting(
        "Products with images per request",
        "The store downloads images while the request waits, so fewer of these travel together",
        default=20,
    )
    requests_per_second: int = setting(
        "Requests per second",
        "Most requests per second to this store; 0 leaves it to the store's answers",
        default=0,
    )
    request_seconds: int = setting(
        "Seconds per request",
        "Longest wait for one answer, 5 to 60; what is cut off is looked up afterwards",
        default=30,
    )
    publish_status: str = setting(
        "Status of published products",
        "publish sells at once; draft and pending wait for a person in WooCommerce",
        default="publish",
        choices=("publish", "pending", "draft", "private"),
    )
    weight_unit: str = setting(
        "Weight unit",
        "Of the store (WooCommerce → Settings → Products); used where the store does not tell",
        default="kg",
        choices=("kg", "g", "lb", "oz"),
    )
    dimension_unit: str = setting(
        "Dimension unit",
        "Of the store (WooCommerce → Settings → Products); used where the store does not tell",
        default="cm",
        choices=("m", "cm", "mm", "in", "yd"),
    )


@dataclass(frozen=True, slots=True)
class ImportSettings:
    """Settings of importing listings."""

    mode: str = setting(
        "Listing management",
        "create: link and create only; create_and_overwrite: also replace our data by theirs",
        default="create",
        choices=("create", "create_and_overwrite"),
    )
    pause_new: bool = setting(
        "Set new listings to paused", "Newly imported listings start paused", default=False
    )


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """Linking has no settings of its own: the pair of identifiers belongs to the channel."""


@dataclass(frozen=True, slots=True)
class SyncSettings:
    """What is synchronized is chosen in the mapping template."""


@dataclass(frozen=True, slots=True)
class PublishSettings:
    """Settings of publishing listings."""

    overwrite: bool = setting(
        "Overwrite published products",
        "Send changed titles, descriptions, categories, images and identifiers to products that "
        "are on the store already",
        default=False,
    )


_STATUS = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_STATUS_NAMES = {"pending-payment": "pending", "canceled": "cancelled", "draft": "checkout-draft"}
_NO_ORDERS = frozenset({"checkout-draft", "auto-draft", "trash"})
ANY_STATUS = "any"
STATUSES = ("pending", "processing", "on-hold", "completed", "cancelled", "refunded", "failed")
"""What WooCommerce itself has; plugins add more."""


def order_statuses(given: str) -> frozenset[str]:
    """The statuses a list names, as the store writes them; empty where any will do.

    Names as the admin shows them are understood, too: `wc-on-hold`, `On hold`, `Canceled`.
    """
    found: set[str] = set()
    for part in given.split(","):
        slug = re.sub(r"\s+", "-", part.strip().lower()).removeprefix("wc-")
        dashed = slug.replace("_", "-")  # statuses of plugins may have underscores, these have not
        slug = _STATUS_NAMES.get(dashed, dashed if dashed in STATUSES else slug)
        if not slug:
            continue
        if slug in _NO_ORDERS:
            raise ValueError(f"{slug} is no status of an order anybody has placed")
        if not _STATUS.fullmatch(slug):
            known = ", ".join(STATUSES)
            raise ValueError(
                f"{part.strip()[:40]!r} is no order status; WooCommerce has {known}, and plugins "
                "add their own; separate them by commas"
            )
        found.add(slug)
    if not found:
        raise ValueError(f"Name at least one order status, or {ANY_STATUS} for all of them")
    return frozenset() if ANY_STATUS in found else frozenset(found)


@dataclass(frozen=True, slots=True)
class GetOrdersSettings:
    """Settings of importing orders."""

    statuses: str = setting(
        "Order statuses",
        "Orders in these statuses are imported, separated by commas; any imports all. WooCommerce "
        f"has {', '.join(STATUSES)}; plugins add their own",
        default="processing",
    )
    days: int = setting(
        "Days back",
        "Orders created more than so many days before they were first seen are left out; 0 sets "
        "no limit",
        default=14,
    )

    def __post_init__(self) -> None:
        """Refuse what no order could fit."""
        order_statuses(self.statuses)
        if not 0 <= self.days <= 3650:
            raise ValueError("Days back is between 0 (no limit) and 3650")


@dataclass(frozen=True, slots=True)
class SyncOrdersSettings:
    """Settings of sending shipments to the store."""

    tracking: str = setting(
        "Where tracking goes",
        "note: a private note on the order; shipment_tracking: the plugin Shipment Tracking, which "
        "must be active; fulfillments: WooCommerce's own order fulfillments, which must be enabled",
        default="note",
        choices=("note", "shipment_tracking", "fulfillments"),
    )
    complete_shipped: bool = setting(
        "Complete shipped orders",
        "Set an order to Completed once all of it has been shipped; the store then tells the "
        "customer by e-mail",
        default=False,
    )


_HOST = re.compile(
    r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*"
)
_BEYOND_SITE = re.compile(
    r"/(wp-json|wp-admin|wp-login\.php|wp-content|index\.php|wc-api)(/|$)", re.IGNORECASE
)


def base_url(domain: str) -> str:
    """The site's address without a slash at the end, out of whatever people paste.

    Without a scheme https is meant; whether plain http may be used at all is for the guard to say.
    """
    text = domain.strip()
    if not text:
        raise ValueError("The domain is empty; it looks like https://mystore.com")
    if not re.match(r"[a-z][a-z0-9+.-]*://", text, re.IGNORECASE):
        text = "https://" + text.lstrip("/")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ValueError("The domain is not an address; it looks like https://mystore.com") from (
            error
        )
    if parts.scheme not in ("http", "https"):
        raise ValueError("The domain must begin with https:// (or http://)")
    if parts.username is not None or parts.password is not None:
        raise ValueError("The domain must not contain a user name or password")
    if ":" in host:  # an IPv6 address, already checked by urlsplit
        shown = f"[{host}]"
    else:
        try:
            shown = host.rstrip(".").encode("idna").decode("ascii").lower()
        except UnicodeError:
            shown = ""
        if not _HOST.fullmatch(shown):
            raise ValueError("The domain holds no host name; it looks like https://mystore.com")
    default = {"http": 80, "https": 443}[parts.scheme]
    where = shown if port in (None, default) else f"{shown}:{port}"
    path = parts.path
    if beyond := _BEYOND_SITE.search(path):
        path = path[: beyond.start()]
    path = re.sub(r"/{2,}", "/", path).rstrip("/")
    return f"{parts.scheme}://{where}{path}"
