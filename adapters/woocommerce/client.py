"""Speaks HTTP to a store and gives typed wire values; must not know what they mean to us."""

import base64
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from adapters.http import Answer, Call, Caller, Json
from adapters.woocommerce import wire
from adapters.woocommerce.errors import read_error
from adapters.woocommerce.oauth import signed
from adapters.woocommerce.settings import ChannelSettings, Credentials, base_url
from reconcile.contract import (
    BudgetObservation,
    Effect,
    Transport,
    UnexpectedResponseError,
)

PER_PAGE = 100
"""The most rows a list gives at once."""

_OFFER = (
    "id,status,sku,global_unique_id,regular_price,sale_price,manage_stock,stock_quantity,"
    "stock_status,backorders,attributes"
)
SELLING_FIELDS = f"{_OFFER},name,type,catalog_visibility,parent_id,variations,date_modified_gmt"
"""What selling needs of a product; attributes are among it for the identifier UPC."""
_PRODUCT_FIELDS = (
    f"{SELLING_FIELDS},weight,dimensions,description,short_description,categories,brands,images"
)
_VARIATION_FIELDS = f"{_OFFER},weight,dimensions,image,meta_data"

Wire = TypeVar("Wire")


@dataclass(frozen=True, slots=True)
class Page(Generic[Wire]):
    """One page of a list."""

    rows: tuple[Wire, ...]
    rejected: tuple[str, ...]
    """Ids of rows that could not be understood."""
    ids: tuple[int, ...]
    """Ids of all rows in the order they came, rejected ones included."""
    total: int
    pages: int
    sent_at: datetime


class Client:
    """One store's REST API."""

    def __init__(
        self, credentials: Credentials, settings: ChannelSettings, transport: Transport
    ) -> None:
        self.site = base_url(credentials.domain)
        self._key = credentials.consumer_key.strip()
        self._secret = credentials.consumer_secret.strip()
        self._settings = settings
        self._transport = transport
        self._is_paced = settings.requests_per_second > 0
        self._caller = Caller(
            transport,
            read_error,
            secrets=frozenset({self._key, self._secret, _basic(self._key, self._secret)}) - {""},
            seconds=float(min(max(settings.request_seconds, 5), 60)),
            summary=summary,
        )

    def now(self) -> datetime:
        """The current time, UTC."""
        return self._transport.now()

    async def get(self, path: str, params: Mapping[str, str], *, root: str = "wc/v3") -> Answer:
        """Read `path` below wc/v3."""
        return await self._send("GET", path, params, None, root=root)

    async def post(
        self, path: str, body: Json, *, is_write: bool = True, root: str = "wc/v3"
    ) -> Answer:
        """Send `body` to `path`; `is_write=False` for what is known to change nothing."""
        return await self._send("POST", path, {}, body, is_write=is_write, root=root)

    async def products(self, params: Mapping[str, str], *, fields: str = "") -> Page[wire.Product]:
        """A page of products, the raw forms of their texts included."""
        asked = {"per_page": str(PER_PAGE), "orderby": "id", "order": "asc", "context": "edit"}
        answer = await self.get(
            "/products", {**asked, "_fields": fields or _PRODUCT_FIELDS, **params}
        )
        return _page(answer, wire.product, "GET /products")

    async def product(self, product_id: int) -> wire.Product:
        """One product, trashed ones included; raises `GoneError` where there is none."""
        params = {"context": "edit", "_fields": _PRODUCT_FIELDS}
        answer = await self.get(f"/products/{product_id}", params)
        return _one(answer, wire.product, f"GET /products/{product_id}")

    async def variations(
        self, product_id: int, *, with_content: bool = True
    ) -> tuple[list[wire.Variation], tuple[str, ...]]:
        """All variations of a product, and the ids of those that could not be understood."""
        rows: list[wire.Variation] = []
        rejected: list[str] = []
        last, number, pages = 0, 1, 1
        while number <= pages:
            params = {
                "per_page": str(PER_PAGE),
                "page": str(number),
                "orderby": "id",
                "order": "asc",
                "context": "edit",
                "_fields": _VARIATION_FIELDS if with_content else _OFFER,
            }
            answer = await self.get(f"/products/{product_id}/variations", params)
            page = _page(answer, wire.variation, "GET /products/<id>/variations")
            last = ascending(page.ids, last)
            complete(page, number)
            rows.extend(page.rows)
            rejected.extend(page.rejected)
            number, pages = number + 1, page.pages
        return rows, tuple(rejected)

    async def variation(self, product_id: int, variation_id: int) -> wire.Variation:
        """One variation, trashed ones included; raises `GoneError` where there is none."""
        path = f"/products/{product_id}/variations/{variation_id}"
        answer = await self.get(path, {"context": "edit", "_fields": _VARIATION_FIELDS})
        return _one(answer, wire.variation, f"GET {path}")

    async def batch(
        self, path: str, verb: str, items: Sequence[Json]
    ) -> list[tuple[wire.Row, wire.RowError | None]]:
        """One batch request of one verb: a row for each item, in order, with its refusal if any."""
        answer = await self.post(f"{path}/batch", {verb: list(items)})
        body = answer.body
        rows = wire.rows(body, verb) if isinstance(body, dict) else []
        if len(rows) != len(items):
            message = f"POST {path}/batch was sent {len(items)} rows and answered {len(rows)}"
            raise UnexpectedResponseError(message, effect=Effect.POSSIBLE)
        return [(row, wire.row_error(row)) for row in rows]

    async def _send(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        body: Json,
        *,
        is_write: bool = False,
        root: str = "wc/v3",
    ) -> Answer:
        if self._is_paced:
            rate = float(self._settings.requests_per_second)
            await self._transport.learn(BudgetObservation(maximum=rate, restore_per_second=rate))
            self._is_paced = False
        url = f"{self.site}/wp-json/{root}".rstrip("/") + path
        how = self._settings.authentication
        if how == "auto":
            how = "basic" if url.startswith("https:") else "oauth"
        proof: dict[str, str] = {}
        if how == "oauth":
            proof = signed(
                method,
                url,
                params,
                key=self._key,
                secret=self._secret,
                timestamp=int(self._transport.now().timestamp()),
                nonce=secrets.token_hex(16),
            )
        elif how == "query":
            proof = {"consumer_key": self._key, "consumer_secret": self._secret}
        return await self._caller.send(
            Call(
                method=method,
                url=url,
                route=f"{method} {path or '/'}",
                params=params,
                body=body,
                # Caches in front of stores answer signed reads with yesterday's rows otherwise.
                headers={"Cache-Control": "no-cache"} if method == "GET" else {},
                auth=(self._key, self._secret) if how == "basic" else None,
                secret_params=proof,
                is_write=is_write,
            )
        )


_KEPT_IN_LOG = (
    "id",
    "parent_id",
    "sku",
    "name",
    "type",
    "status",
    "catalog_visibility",
    "regular_price",
    "sale_price",
    "manage_stock",
    "stock_quantity",
    "stock_status",
    "backorders",
    "global_unique_id",
    "error",
    "code",
    "message",
    "data",
)


def summary(body: Json) -> Json:
    """What of an answer the log keeps: of each row the fields that tell what happened."""
    match body:
        case dict() if any(verb in body for verb in ("create", "update", "delete")):
            return {verb: summary(rows) for verb, rows in body.items()}
        case dict():
            return {name: body[name] for name in _KEPT_IN_LOG if name in body}
        case list():
            return [summary(row) for row in body]
        case _:
            return body


def _basic(key: str, secret: str) -> str:
    """The pair as the Authorization header holds it; pages that show headers show it, too."""
    return base64.b64encode(f"{key}:{secret}".encode()).decode()


def ascending(ids: Sequence[int], last: int) -> int:
    """Check that ids go on rising from `last` and give the new last one.

    A page that repeats or jumps back comes from a cache or a plugin that ignores the order asked
    for; a walk over such pages would miss products without noticing.
    """
    for current in ids:
        if current <= last:
            message = f"The list is out of order: id {current} came after {last}"
            raise UnexpectedResponseError(message, code="OutOfOrder")
        last = current
    return last


def complete(page: Page[Wire], number: int) -> None:
    """Check that a page holds the rows that its own count promises.

    Stores drop rows they may not show after counting, hence the tolerance of 1 % of the total.
    """
    expected = min(PER_PAGE, max(0, page.total - (number - 1) * PER_PAGE))
    if (expected - len(page.ids)) * 100 > page.total:
        message = f"Page {number} should hold {expected} rows and holds {len(page.ids)}"
        raise UnexpectedResponseError(message, code="CutPage")


def _page(answer: Answer, parse: Callable[[Json], Wire], route: str) -> Page[Wire]:
    if not isinstance(answer.body, list):
        raise UnexpectedResponseError(f"{route} did not answer with a list")
    rows: list[Wire] = []
    rejected: list[str] = []
    ids: list[int] = []
    for item in answer.body:
        try:
            row = wire.row_of(item, "row")
            ids.append(wire.integer(row, "id"))
        except wire.ShapeError as error:
            raise UnexpectedResponseError(f"{route} holds a row without an id: {error}") from error
        try:
            rows.append(parse(item))
        except wire.ShapeError:
            rejected.append(str(ids[-1]))
    return Page(
        tuple(rows),
        tuple(rejected),
        tuple(ids),
        count(answer, "X-WP-Total", route),
        count(answer, "X-WP-TotalPages", route),
        answer.sent_at,
    )


def count(answer: Answer, name: str, route: str) -> int:
    """A total out of the headers, without which no list can be known to be whole."""
    text = answer.headers.get(name, "").strip()
    if not text.isdigit():
        message = f"{route} came without the header {name}; a proxy or cache may drop it"
        raise UnexpectedResponseError(message, code="NoTotal")
    return int(text)


def _one(answer: Answer, parse: Callable[[Json], Wire], route: str) -> Wire:
    try:
        return parse(answer.body)
    except wire.ShapeError as error:
        raise UnexpectedResponseError(f"{route} was answered strangely: {error}") from error
