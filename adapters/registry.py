"""The platforms of this installation; a further one is its folder and a line here."""

from collections.abc import Mapping
from types import MappingProxyType

from adapters import woocommerce
from reconcile.contract import Platform

PLATFORMS: Mapping[str, Platform] = MappingProxyType(
    {platform.name: platform for platform in (woocommerce.PLATFORM,)}
)
"""Name → platform, in the order they are shown."""
