"""Lists of products and variations: filters, order and pages, instability included.

Rows that share a second come in an order that depends on the page, as in the real store, unless
they are ordered by id, title, slug or a given list.
"""

import math
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from adapters.sandbox import Json
from adapters.woocommerce.sandbox.fields import id_of
from adapters.woocommerce.sandbox.items import Item
from adapters.woocommerce.sandbox.routing import Call, php_query
from adapters.woocommerce.sandbox.sitetime import SiteTime
from adapters.woocommerce.sandbox.stock import is_on_sale, number, price
from adapters.woocommerce.sandbox.store import BRAND, CATEGORY, TAG, Store
from adapters.woocommerce.sandbox.text import collated, php_text

Params = dict[str, Json]
Test = Callable[[Item], bool]
_UNSTABLE = frozenset({"date", "modified", "menu_order", "price", "popularity", "rating", "sales"})


@dataclass(frozen=True, slots=True)
class Page[Row]:
    """One page of a list, with the totals and links that go into its headers."""

    rows: list[Row]
    total: int
    pages: int

    def headers(self, call: Call) -> dict[str, str]:
        """Return the totals, and the links to the neighboring pages if there are any."""
        headers = {"X-WP-Total": str(self.total), "X-WP-TotalPages": str(self.pages)}
        page = id_of(call.params.get("page")) or 1
        neighbors = []
        if page > 1 and self.pages:
            neighbors.append((min(page - 1, self.pages), "prev"))
        if page < self.pages:
            neighbors.append((page + 1, "next"))
        links = []
        for target, rel in neighbors:
            query = php_query({**call.query, "page": target})
            links.append(f'<{call.base}/wp-json{call.path}?{query}>; rel="{rel}"')
        if links:
            headers["Link"] = ", ".join(links)
        return headers
