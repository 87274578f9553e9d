"""Link keys: the canonical value of the identifier that a channel links our variants by."""

from reconcile.contract import Platform
from reconcile.core.types import Fields, OurField


def our_key(
    platform: Platform, identifier: str, sku: str, fields: Fields, shared: Fields
) -> str | None:
    """The link key of one of our variants; None where its identifier is missing.

    `shared` are the fields of its listing when it is the only variant, else nothing: a UPC of the
    product would make every variant claim the same object.
    """
    value = sku if identifier == OurField.SKU else fields.get(identifier, shared.get(identifier))
    return platform.key(identifier, value) if isinstance(value, str) else None
