"""Catalog files: our own CSV and JSONL, and the product-CSV layouts that platforms hand in.

A file goes through as a stream: bytes → lines → rows → listings. Nothing here stores anything, and
nothing here knows a platform; `docs/catalog-files.md` describes the formats for their writers.
"""

from reconcile.catalog.items import PAUSED, PRESENCE, CatalogItem, CatalogNote
from reconcile.catalog.reading import OWN_CSV, OWN_JSONL, read_catalog

__all__ = [
    "OWN_CSV",
    "OWN_JSONL",
    "PAUSED",
    "PRESENCE",
    "CatalogItem",
    "CatalogNote",
    "read_catalog",
]
