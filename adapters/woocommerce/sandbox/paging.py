"""Order and pages of every list, instability included.

Rows that share a second come in an order that depends on the page, as in the real store, unless
they are ordered by id, title, slug or a given list.
"""

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from adapters.sandbox import Json
from adapters.woocommerce.sandbox.fields import id_of
from adapters.woocommerce.sandbox.routing import Call, php_query

Row = TypeVar("Row")
Sort = float | int | str | datetime
STABLE = frozenset({"id", "title", "slug", "include", "post__in"})


@dataclass(frozen=True, slots=True)
class Order(Generic[Row]):
    """How the rows of a list can be ordered, and by which orders they keep still."""

    value: Callable[[Row, str], Sort]
    row_id: Callable[[Row], int]
    stable: frozenset[str] = STABLE
    seed: int = 0
    empty_past_end: bool = False


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """One page of a list, with the totals that go into its headers."""

    rows: Sequence[Row]
    total: int
    pages: int

    def headers(self, call: Call) -> dict[str, str]:
        """Return the totals, and the links to the neighboring pages if there are any."""
        headers = {"X-WP-Total": str(self.total), "X-WP-TotalPages": str(self.pages)}
        page = id_of(call.params.get("page")) or 1
        neighbors = []
        if page > 1:
            neighbors.append((min(page - 1, self.pages), "prev"))
        if page < self.pages:
            neighbors.append((page + 1, "next"))
        links = []
        for target, rel in neighbors:
            query = php_query(call.query, page=target)
            links.append(f'<{call.base}/wp-json{call.path}?{query}>; rel="{rel}"')
        if links:
            headers["Link"] = ", ".join(links)
        return headers


def cut(rows: Sequence[Row], params: dict[str, Json], order: Order[Row]) -> Page[Row]:
    """Return the page of the rows that the parameters ask for."""
    size = id_of(params.get("per_page")) or 10
    number = id_of(params.get("page")) or 1
    start = id_of(params["offset"]) if "offset" in params else (number - 1) * size
    total = len(rows)
    pages = math.ceil(total / size)
    if order.empty_past_end and start >= total:
        total = pages = 0
    ordered = _ordered(rows, params, order, f"{order.seed}:{size}:{start // size}")
    return Page(ordered[start : start + size], total, pages)


def _ordered(
    rows: Sequence[Row], params: dict[str, Json], order: Order[Row], place: str
) -> list[Row]:
    by = str(params.get("orderby", "date"))
    wanted = params.get("include")
    if by in ("include", "post__in") and isinstance(wanted, list):
        position = {id_of(entry): n for n, entry in enumerate(wanted)}
        return sorted(rows, key=lambda row: position.get(order.row_id(row), len(position)))

    def still(row: Row) -> int:
        return order.row_id(row)

    def shuffled(row: Row) -> int:
        return zlib.crc32(f"{place}:{order.row_id(row)}".encode())

    tie = still if by in order.stable else shuffled
    down = params.get("order", "desc") == "desc"
    # Two stable sorts rather than one key of pairs: the values of one order are of one type only.
    return sorted(
        sorted(rows, key=tie, reverse=down), key=lambda r: order.value(r, by), reverse=down
    )
