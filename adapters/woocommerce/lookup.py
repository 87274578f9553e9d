"""Looks for what a publish would double: objects with our SKUs, and products left half-made.

Trashed products are not found by SKU, although they still block it. Must not write.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from adapters.woocommerce import wire
from adapters.woocommerce.bodies import MARK
from adapters.woocommerce.canonical import key, tidy
from adapters.woocommerce.client import PER_PAGE, Client
from reconcile.core.types import RemoteRef

_MAX_QUERY = 4_000
"""Characters of an address as it is sent; web servers refuse lines from 8,000 on."""
_FIELDS = "id,type,status,parent_id,sku,catalog_visibility"


@dataclass(frozen=True, slots=True)
class Found:
    """An object of the store that has one of our SKUs."""

    ref: RemoteRef
    sku: str
    type: str
    status: str

    @property
    def is_variable(self) -> bool:
        """Whether it is sold by its variations, so that its own SKU stands for nothing sold."""
        return self.type.startswith("variable")


@dataclass(frozen=True, slots=True)
class Matches:
    """What was found for some SKUs."""

    exact: Mapping[str, Found]
    """By the key as it is compared for linking."""
    loose: Mapping[str, Found]
    """By `collated` SKU: the store takes these for equal."""


async def by_sku(client: Client, skus: Sequence[str]) -> Matches:
    """Products and variations with these SKUs."""
    exact: dict[str, Found] = {}
    loose: dict[str, Found] = {}
    for group in _groups(skus):
        number, pages = 1, 1
        while number <= pages:  # more than one where a store lets several objects have one SKU
            params = {"sku": ",".join(group), "page": str(number)}
            page = await client.products(params, fields=_FIELDS)
            for found in map(_found, page.rows):
                if found.sku:
                    exact[found.sku] = found
                    loose[collated(found.sku)] = found
            number, pages = number + 1, page.pages
    return Matches(exact, loose)


def collated(sku: str) -> str:
    """A SKU as the store's database compares it: neither case nor accents count."""
    spread = unicodedata.normalize("NFKD", tidy(sku))
    return "".join(mark for mark in spread if not unicodedata.combining(mark)).casefold()


def _found(product: wire.Product) -> Found:
    if product.parent_id and product.type == "variation":
        ref = RemoteRef(str(product.parent_id), str(product.id))
    else:
        ref = RemoteRef(str(product.id))
    return Found(ref, key("sku", product.offer.sku) or "", product.type, product.status)


def _groups(skus: Sequence[str]) -> list[list[str]]:
    """SKUs that fit into one request; a comma separates there, so one that has some goes alone."""
    clean = dict.fromkeys(tidy(sku) for sku in skus if tidy(sku))
    groups: list[list[str]] = [[sku] for sku in clean if "," in sku]
    current: list[str] = []
    size = 0
    for sku in clean:
        if "," in sku:
            continue
        length = len(quote(f"{sku},", safe=""))
        if current and (len(current) == PER_PAGE or size + length > _MAX_QUERY):
            groups.append(current)
            current, size = [], 0
        current.append(sku)
        size += length
    return [*groups, current] if current else groups


async def half_made(client: Client) -> Mapping[str, wire.Product]:
    """Drafts of ours by their mark: variable products whose making was cut off.

    They have the highest ids, so the last hundred variable drafts are enough.
    """
    params = {"status": "draft", "type": "variable", "order": "desc"}
    page = await client.products(params, fields=f"{_FIELDS},meta_data,variations,images")
    found: dict[str, wire.Product] = {}
    for product in page.rows:
        mark = product.meta.get(MARK)
        if mark:
            found.setdefault(mark, product)
    return found
