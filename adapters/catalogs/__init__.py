"""The product-CSV layouts that can be imported, also those of platforms without an adapter."""

from adapters.catalogs.shopify import ShopifyCatalog
from adapters.woocommerce.catalog import WooCommerceCatalog
from reconcile.catalog import NamedLayout

LAYOUTS: tuple[NamedLayout, ...] = (WooCommerceCatalog(), ShopifyCatalog())
"""Every layout, in the order in which a file is tried against them."""

__all__ = ["LAYOUTS"]
