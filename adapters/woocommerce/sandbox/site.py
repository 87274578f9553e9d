"""What the store tells about itself: index of routes, settings, currency, status, methods."""

from collections.abc import Iterable, Sequence

from adapters.sandbox import Json
from adapters.woocommerce.sandbox.errors import ApiError
from adapters.woocommerce.sandbox.paging import Page
from adapters.woocommerce.sandbox.routing import Answer, Call, Route
from adapters.woocommerce.sandbox.store import Store
from adapters.woocommerce.sandbox.views import API, Row, links

NAMESPACES = ("wc/v1", "wc/v2", "wc/v3", "wp/v2")
CURRENCIES = {
    "AUD": ("Australian dollar", "&#36;"),
    "CAD": ("Canadian dollar", "&#36;"),
    "CHF": ("Swiss franc", "&#67;&#72;&#70;"),
    "CZK": ("Czech koruna", "&#75;&#269;"),
    "DKK": ("Danish krone", "kr."),
    "EUR": ("Euro", "&euro;"),
    "GBP": ("Pound sterling", "&pound;"),
    "JPY": ("Japanese yen", "&yen;"),
    "NOK": ("Norwegian krone", "&#107;&#114;"),
    "PLN": ("Polish z&#x142;oty", "&#122;&#322;"),
    "SEK": ("Swedish krona", "&#107;&#114;"),
    "USD": ("United States (US) dollar", "&#36;"),
}
_SHIPPING = {
    "flat_rate": "Flat rate",
    "free_shipping": "Free shipping",
    "local_pickup": "Local pickup",
    "pickup_location": "Local pickup",
}
_GATEWAYS = {
    "bacs": "Direct bank transfer",
    "cheque": "Check payments",
    "cod": "Cash on delivery",
}
_TAX_CLASSES = {
    "standard": "Standard rate",
    "reduced-rate": "Reduced rate",
    "zero-rate": "Zero rate",
}


def described(route: Route, base: str) -> Row:
    """Show one route with its methods and arguments."""
    endpoints: list[Json] = [
        {
            "methods": [*endpoint.methods],
            "args": {name: arg.described() for name, arg in endpoint.args.items()} or [],
        }
        for endpoint in route.endpoints
    ]
    shown: Row = {
        "namespace": _namespace(route),
        "methods": [*dict.fromkeys(route.methods)],
        "endpoints": endpoints,
    }
    if "(" not in route.pattern:
        shown["_links"] = {"self": [{"href": f"{base}/wp-json{route.pattern}"}]}
    return shown


def _namespace(route: Route) -> str:
    return "/".join(route.pattern.split("/")[1:3])


def namespaces(routes: Iterable[Route]) -> list[str]:
    """Return the namespaces of routes, each once."""
    return [*dict.fromkeys(_namespace(route) for route in routes)]


def index(store: Store, routes: Sequence[Route], base: str, namespace: str | None) -> Answer:
    """Show the index of the whole API, or of one namespace."""
    listed: Json = {
        route.pattern: described(route, base)
        for route in routes
        if namespace in (None, _namespace(route))
    }
    if namespace is not None:
        return Answer({"namespace": namespace, "routes": listed})
    return Answer(
        {
            "name": store.options.name,
            "description": "",
            "url": base,
            "home": base,
            "gmt_offset": str(_offset_hours(store)),
            "timezone_string": store.options.time_zone,
            "namespaces": [*dict.fromkeys((*NAMESPACES, *namespaces(routes)))],
            "authentication": [],
            "routes": listed,
        }
    )


def _offset_hours(store: Store) -> float:
    offset = store.clock.now().astimezone(store.time.zone).utcoffset()
    return offset.total_seconds() / 3600 if offset is not None else 0.0


class Site:
    """The read-only routes about the store itself."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def currency(self, call: Call) -> Answer:
        """Show the currency of the store."""
        code = self._store.currency
        name, symbol = CURRENCIES.get(code, (code, code))
        url = f"{call.base}{API}/data/currencies"
        row: Row = {"code": code, "name": name, "symbol": symbol}
        row["_links"] = links(f"{url}/{code}", url, allow=["GET"])
        return Answer(row)

    def setting(self, call: Call) -> Answer:
        """Show one setting of the general group."""
        name = call.path.rsplit("/", 1)[-1]
        known: dict[str, tuple[str, str]] = {
            "woocommerce_currency": ("Currency", self._store.currency),
            "woocommerce_default_country": ("Country / State", "FR"),
            "woocommerce_currency_pos": ("Currency position", "left"),
        }
        if name not in known or "/settings/general/" not in call.path:
            raise ApiError("rest_setting_setting_invalid", "Invalid setting.", 404)
        label, value = known[name]
        options: Json = {code: words for code, (words, _) in CURRENCIES.items()}
        return Answer(
            {
                "id": name,
                "label": label,
                "description": "",
                "type": "select",
                "default": "USD" if name == "woocommerce_currency" else value,
                "options": options if name == "woocommerce_currency" else {value: value},
                "tip": "",
                "value": value,
                "group_id": "general",
            }
        )

    def set_setting(self, call: Call) -> Answer:
        """Change the currency; the other settings keep their values."""
        value = call.params.get("value")
        if call.path.endswith("/woocommerce_currency") and isinstance(value, str):
            self._store.currency = value
        return self.setting(call)

    def status(self, call: Call) -> Answer:
        """Show the parts of the system status that a client reads."""
        options = self._store.options
        symbol = CURRENCIES.get(self._store.currency, ("", self._store.currency))[1]
        return Answer(
            {
                "environment": {
                    "home_url": call.base,
                    "site_url": call.base,
                    "version": options.version,
                    "wp_version": options.wordpress_version,
                    "wp_multisite": False,
                    "default_timezone": "UTC",
                },
                "database": {"wc_database_version": options.version},
                "active_plugins": [],
                "theme": {"name": "Sandbox", "version": "1.0"},
                "settings": {
                    "api_enabled": False,
                    "force_ssl": False,
                    "currency": self._store.currency,
                    "currency_symbol": symbol,
                    "currency_position": "left",
                    "thousand_separator": ",",
                    "decimal_separator": ".",
                    "number_of_decimals": 2,
                },
            }
        )

    def shipping_methods(self, call: Call) -> Answer:
        """Show the shipping methods that exist."""
        url = f"{call.base}{API}/shipping_methods"
        return _whole(
            call,
            [
                {
                    "id": method,
                    "title": title,
                    "description": "",
                    "_links": links(f"{url}/{method}", url, allow=["GET"]),
                }
                for method, title in _SHIPPING.items()
            ],
        )

    def gateways(self, call: Call) -> Answer:
        """Show the payment gateways that exist; none is enabled."""
        url = f"{call.base}{API}/payment_gateways"
        return _whole(
            call,
            [
                {
                    "id": gateway,
                    "title": title,
                    "description": "",
                    "order": "",
                    "enabled": False,
                    "method_title": title,
                    "settings": {},
                    "_links": links(f"{url}/{gateway}", url),
                }
                for gateway, title in _GATEWAYS.items()
            ],
        )

    def tax_classes(self, call: Call) -> Answer:
        """Show the tax classes that exist."""
        here: Json = {"collection": [{"href": f"{call.base}{API}/taxes/classes"}]}
        rows: list[Json] = [
            {"slug": name, "name": title, "_links": here} for name, title in _TAX_CLASSES.items()
        ]
        return _whole(call, rows)

    def reviews(self, call: Call) -> Answer:
        """Show the product reviews: there are none."""
        return _whole(call, [])


def _whole(call: Call, rows: list[Json]) -> Answer:
    page = Page(rows, len(rows), 1 if rows else 0)
    return Answer(rows, headers=page.headers(call))
