"""What a simulated WooCommerce store is set up with; no behavior."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from adapters.sandbox import Json, RateLimit


@dataclass(frozen=True, slots=True)
class Key:
    """A REST API key of the store: `read`, `write` or `read_write`."""

    consumer_key: str
    consumer_secret: str = field(repr=False)
    permissions: str = "read_write"


KEYS = (
    Key("ck_" + "1a" * 20, "cs_" + "1b" * 20),
    Key("ck_" + "2a" * 20, "cs_" + "2b" * 20, "read"),
    Key("ck_" + "3a" * 20, "cs_" + "3b" * 20, "write"),
)


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """The set-up of one simulated store."""

    time_zone: str = "Europe/Paris"
    """The site's time zone: every date without `_gmt` is local to it."""

    currency: str = "EUR"
    """Currency of all prices, as settings/general tells it."""

    version: str = "10.2.4"
    """Version of WooCommerce."""

    wordpress_version: str = "6.8.7"
    """Version of WordPress."""

    name: str = "Sandbox shop"
    """Title of the site."""

    keys: Sequence[Key] = KEYS
    """The REST API keys; the first is the one handed out, the others read-only and write-only."""

    treat_as_https: bool = True
    """Whether the store takes the connection for TLS, so that Basic works on loopback. False: a
    plain http store, where only OAuth 1.0a signatures open anything."""

    manages_stock: bool = True
    """Whether stock management is enabled in the store's settings; else quantities are ignored."""

    image_hosts: frozenset[str] = frozenset()
    """Hosts whose images can be downloaded, besides those ending in `.example` and the store."""

    order_seed: int = 0
    """Seed of the order of rows that share a second; another seed gives another order."""

    products: Sequence[Mapping[str, Json]] = ()
    """Products there from the start, in the words of POST /products; `variations` may hold the
    variations of a variable product."""

    orders: Sequence[Mapping[str, Json]] = ()
    """Orders there from the start, in the words of a purchase by `/_shop`."""

    order_statuses: Mapping[str, str] = field(default_factory=dict)
    """Statuses that plugins add to those of orders: slug and name."""

    fulfillments: bool = False
    """Whether the store's own fulfillments are switched on; without them their routes are unknown.
    """

    shipment_tracking: bool = False
    """Whether the Shipment Tracking plugin is installed, with its namespace and routes."""

    rate_limit: RateLimit | None = None
    """A limit of requests, as hosts and firewalls in front of a store have; none by default."""
