"""Before products are written: the categories and brands they refer to, and what cannot work.

What is missing on the store is created here; it is found again, not doubled, after a failure.
"""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from adapters.woocommerce.bodies import Known, paths_of
from adapters.woocommerce.canonical import tidy
from adapters.woocommerce.terms import Terms
from reconcile.contract import AdapterError, Effect, Progress, Sending, VariantWrite, Write
from reconcile.core.types import Presence

_MARKUP = re.compile(r"<[a-zA-Z/!?][^>]*>")


class Preparing:
    """Makes rows possible: has the ids of the categories and brands that the content names."""

    def __init__(self, terms: Terms, known: Known) -> None:
        self._terms = terms
        self.known = known
        """What the rows refer to; complete after `terms`."""

    async def terms(self, writes: Sequence[Write]) -> AsyncIterator[Progress]:
        """Find categories and brands, creating those that are missing."""
        categories = dict(self.known.categories)
        brands = dict(self.known.brands)
        by_path: dict[tuple[str, ...], list[str]] = {}
        by_brand: dict[str, list[str]] = {}
        for write in writes:
            for path in paths_of(write.content):
                by_path.setdefault(path, []).append(write.key)
            brand = write.content.get("brand")
            if isinstance(brand, str) and brand and self.known.has_brands:
                by_brand.setdefault(brand, []).append(write.key)
        if by_path:
            await self._terms.ensure(set())
        try:
            for path, keys in by_path.items():
                if self._terms.missing(path):
                    yield Sending(tuple(keys), "POST /products/categories")
                categories[path] = await self._terms.category(path)
            for brand, keys in by_brand.items():
                if brand not in brands:
                    yield Sending(tuple(keys), "POST /products/brands")
                    brands[brand] = await self._terms.brand(brand)
        except AdapterError as error:
            # Whatever became of the term, the product was not touched and may be tried again.
            error.effect = Effect.NONE
            raise
        self.known = replace(self.known, categories=categories, brands=brands)

    def forget(self) -> None:
        """Look everything up anew: an id that was known is not there any more."""
        self._terms.forget()
        self.known = replace(self.known, categories={}, brands={})


def is_variable(write: Write) -> bool:
    """Whether the listing becomes a product with variations."""
    return len(write.variants) > 1 or bool(write.option_names)


def listed(write: Write) -> Write:
    """The write without variants that are not to be listed."""
    variants = tuple(item for item in write.variants if item.presence is Presence.LISTED)
    return replace(write, variants=variants)


def problem_of(write: Write) -> tuple[str, str] | None:
    """Code and message of what makes publishing impossible, found before anything is sent."""
    if not write.variants:
        return "NothingToPublish", "No variant of the listing is to be listed"
    if not write.content.get("name"):
        message = (
            "WooCommerce needs a name: the listing has no title, or the template leaves it out"
        )
        return "NameMissing", message
    skus = [tidy(variant.sku) for variant in write.variants]
    if bent := next((sku for sku in (*skus, write.sku) if _MARKUP.search(sku)), None):
        message = f"WooCommerce takes markup out of SKUs, so {bent} would not stay as it is"
        return "SkuNotPossible", message
    if not all(skus):
        return "KeyMissing", "A variant has no SKU, so nobody could find it again on the store"
    if len(set(skus)) < len(skus):
        return "DuplicateKeyOurs", "Two variants of the listing have the same SKU"
    return _options_problem(write) if is_variable(write) else None


def _options_problem(write: Write) -> tuple[str, str] | None:
    if not write.option_names:
        message = "The listing has several variants and no option names to tell them apart by"
        return "OptionsMissing", message
    seen: dict[tuple[str, ...], str] = {}
    for variant in write.variants:
        values = dict(variant.options)
        for name in write.option_names:
            value = values.get(name, "").strip()
            if not value:
                return "OptionsMissing", f"Variant {variant.sku} has no value for option {name}"
            if "|" in value or "|" in name:
                message = (
                    f"Variant {variant.sku}: WooCommerce splits option values at |, so {name} = "
                    f"{value} cannot be published as it is"
                )
                return "OptionNotPossible", message
        combination = tuple(values[name].strip().casefold() for name in write.option_names)
        if combination in seen:
            message = f"Variants {seen[combination]} and {variant.sku} have the same options"
            return "OptionsDuplicate", message
        seen[combination] = variant.sku
    return None


def options_taken(variant: VariantWrite, answered: Sequence[tuple[str, str]]) -> bool:
    """Whether the store kept all options: it drops those it cannot place, without a word."""
    wanted = {(name.casefold(), value.strip()) for name, value in variant.options}
    return wanted == {(name.casefold(), value) for name, value in answered}
