"""Looks for what a publish would double: objects with our SKUs, and products left half-made.

Trashed products are not found by SKU, although they still block it. Must not write.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adapters.woocommerce import wire
from adapters.woocommerce.bodies import MARK
from adapters.woocommerce.canonical import key
from adapters.woocommerce.client import PER_PAGE, Client
from reconcile.core.types import RemoteRef

_MAX_QUERY = 3_000
_FIELDS = "id,type,status,parent_id,sku,catalog_visibility"


@dataclass(frozen=True, slots=True)
class Found:
    """An object of the store that has one of our SKUs."""

    ref: RemoteRef
    sku: str
    type: str
    status: str


@dataclass(frozen=True, slots=True)
class Matches:
    """What was found for some SKUs."""

    exact: Mapping[str, Found]
    """By the key as it is compared for linking."""
    loose: Mapping[str, Found]
    """By the SKU without regard to case: the store takes these for equal."""


async def by_sku(client: Client, skus: Sequence[str]) -> Matches:
    """Products and variations with these SKUs."""
    exact: dict[str, Found] = {}
    loose: dict[str, Found] = {}
    for group in _groups(skus):
        page = await client.products({"sku": ",".join(group)}, fields=_FIELDS)
        for product in page.rows:
            found = _found(product)
            if found.sku:
                exact[found.sku] = found
                loose[found.sku.casefold()] = found
    return Matches(exact, loose)


def _found(product: wire.Product) -> Found:
    if product.parent_id and product.type == "variation":
        ref = RemoteRef(str(product.parent_id), str(product.id))
    else:
        ref = RemoteRef(str(product.id))
    return Found(ref, key("sku", product.offer.sku) or "", product.type, product.status)


def _groups(skus: Sequence[str]) -> list[list[str]]:
    """SKUs that fit into one request; a comma separates there, so one that has some goes alone."""
    clean = dict.fromkeys(sku.strip() for sku in skus if sku.strip())
    groups: list[list[str]] = [[sku] for sku in clean if "," in sku]
    current: list[str] = []
    size = 0
    for sku in clean:
        if "," in sku:
            continue
        if current and (len(current) == PER_PAGE or size + len(sku) > _MAX_QUERY):
            groups.append(current)
            current, size = [], 0
        current.append(sku)
        size += len(sku) + 1
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
