"""The product-CSV layouts that can be imported, also those of platforms without an adapter."""

from adapters.catalogs.shopify import ShopifyCatalog
from adapters.registry import PLATFORMS
from reconcile.contract import CatalogLayout

LAYOUTS: tuple[CatalogLayout, ...] = (
    *(platform.catalog for platform in PLATFORMS.values() if platform.catalog is not None),
    ShopifyCatalog(),
)
"""Every layout, in the order in which a file is tried against them."""

__all__ = ["LAYOUTS"]
