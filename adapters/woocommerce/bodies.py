"""Our content as the rows WooCommerce takes; pure.

Batch rows are not checked by the store, so every value leaves here in the type the store keeps it.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from adapters.http import Json
from adapters.woocommerce.canonical import plain, tidy
from adapters.woocommerce.mapping import BRAND, MPN, UPC
from adapters.woocommerce.selling import sync_body
from adapters.woocommerce.wire import Attribute, Row
from reconcile.contract import VariantWrite, Write
from reconcile.core.types import Fields, Value

MARK = "_tallyport_listing"
"""Metadata of products being made: finds a half-made one that has no SKU to be found by."""

_GRAMS = {"kg": "1000", "g": "1", "lb": "453.59237", "oz": "28.349523125"}
_MILLIMETERS = {"m": "1000", "cm": "10", "mm": "1", "in": "25.4", "yd": "914.4"}


@dataclass(frozen=True, slots=True)
class Known:
    """What of the store the rows refer to."""

    weight_unit: str
    dimension_unit: str
    has_brands: bool
    """False on stores from before brands were part of WooCommerce: an attribute stands in."""
    categories: Mapping[tuple[str, ...], int] = field(default_factory=dict)
    brands: Mapping[str, int] = field(default_factory=dict)


def paths_of(content: Fields) -> list[tuple[str, ...]]:
    """The category paths a canonical `categories` value names."""
    value = content.get("categories")
    paths = value if isinstance(value, list) else []
    return [tuple(str(level) for level in path) for path in paths if isinstance(path, list)]


def listing_body(content: Fields, known: Known, media: Mapping[str, str]) -> dict[str, Json]:
    """Content of the product that is not an attribute."""
    body: dict[str, Json] = {
        name: str(content[name])
        for name in ("name", "description", "short_description")
        if content.get(name) is not None
    }
    if "categories" in content:
        ids: list[Json] = [{"id": known.categories[path]} for path in paths_of(content)]
        body["categories"] = ids
    if "images" in content:
        images: list[Json] = [image(src, media) for src in addresses(content.get("images"))]
        body["images"] = images
    brand = content.get("brand")
    if isinstance(brand, str) and known.has_brands:
        brands: list[Json] = [{"id": known.brands[brand]}] if brand else []
        body["brands"] = brands
    return body


def measures_body(content: Fields, known: Known) -> dict[str, Json]:
    """GTIN, weight and dimensions, in the store's units."""
    body: dict[str, Json] = {}
    if content.get("global_unique_id") is not None:
        body["global_unique_id"] = str(content["global_unique_id"])
    weight = content.get("weight")
    if isinstance(weight, dict):
        body["weight"] = _converted(weight.get("value"), weight, known.weight_unit, _GRAMS)
    sides = content.get("dimensions")
    if isinstance(sides, dict):
        body["dimensions"] = {
            name: _converted(sides.get(name), sides, known.dimension_unit, _MILLIMETERS)
            for name in ("length", "width", "height")
        }
    return body


def _converted(
    value: Value, measure: Mapping[str, Value], unit: str, scale: Mapping[str, str]
) -> str:
    """A measure in the store's unit, exact up to six decimals; money is never treated so."""
    if value is None or value == "":
        return ""
    own = str(measure.get("unit", unit))
    if own == unit:
        return str(value)
    number = Decimal(str(value)) * Decimal(scale[own]) / Decimal(scale[unit])
    return plain(number.quantize(Decimal("0.000001")))


def texts(content: Fields, variant_content: Fields, known: Known) -> dict[str, str]:
    """Attributes that are no options: further ones, MPN, UPC, and the brand where it must be."""
    found: dict[str, str] = {}
    listed = content.get("attributes")
    if isinstance(listed, dict):
        found.update({name: str(text) for name, text in listed.items()})
    brand = content.get("brand")
    if isinstance(brand, str) and not known.has_brands:
        found[BRAND] = brand
    for name, title in (("mpn", MPN), ("upc", UPC)):
        value = variant_content.get(name)
        if isinstance(value, str):
            found[title] = value
    return found


def new_attributes(write: Write, plain_texts: Mapping[str, str]) -> list[Json]:
    """The attribute set of a new product: its options, then the texts."""
    rows: list[Json] = []
    names = {name.casefold() for name in write.option_names}
    for name in write.option_names:
        options: list[Json] = list(dict.fromkeys(_options(write.variants, name)))
        rows.append({"name": name, "options": options, "variation": True, "visible": True})
    for name, text in plain_texts.items():
        if text and name.casefold() not in names:
            rows.append({"name": name, "options": [text], "variation": False, "visible": True})
    return [{**row, "position": at} for at, row in enumerate(rows) if isinstance(row, dict)]


def _options(variants: Iterable[VariantWrite], name: str) -> Iterable[str]:
    return (value.strip() for variant in variants for key, value in variant.options if key == name)


def merged_attributes(existing: Sequence[Attribute], plain_texts: Mapping[str, str]) -> list[Json]:
    """The present set with the texts put in: sending less would delete what is left out."""
    wanted = {name.casefold(): (name, text) for name, text in plain_texts.items()}
    rows: list[Json] = []
    for item in existing:
        row = _sendable(item.raw)
        if not item.is_variation and item.name.casefold() in wanted:
            _, text = wanted.pop(item.name.casefold())
            if not text:
                continue
            row["options"] = [text]
        else:
            wanted.pop(item.name.casefold(), None)  # an option of that name is not overwritten
        rows.append(row)
    for name, text in wanted.values():
        if text:
            row = {"name": name, "options": [text], "variation": False, "visible": True}
            rows.append({**row, "position": len(rows)})
    return rows


def _sendable(raw: Row) -> dict[str, Json]:
    names = ("id", "name", "position", "visible", "variation", "options")
    return {name: raw[name] for name in names if name in raw}


def simple_body(write: Write, variant: VariantWrite, known: Known, status: str) -> dict[str, Json]:
    """A new product without options."""
    return {
        "type": "simple",
        "status": status,
        "sku": tidy(variant.sku),
        **listing_body(write.content, known, write.media),
        **measures_body(variant.content, known),
        **sync_body(variant.sync, {}),
        "attributes": new_attributes(write, texts(write.content, variant.content, known)),
    }


def parent_body(write: Write, known: Known) -> dict[str, Json]:
    """A new product with options, invisible until all its variations stand."""
    body: dict[str, Json] = {
        "type": "variable",
        "status": "draft",
        **listing_body(write.content, known, write.media),
        "attributes": new_attributes(write, texts(write.content, {}, known)),
        "meta_data": [{"key": MARK, "value": mark_of(write)}],
    }
    if tidy(write.sku):
        body["sku"] = tidy(write.sku)
    return body


def mark_of(write: Write) -> str:
    """What marks a product while it is being made.

    The SKUs are part of it, so that the draft of another installation whose listing ids are the
    same is never taken for ours.
    """
    skus = "\n".join(sorted(tidy(variant.sku) for variant in write.variants))
    digest = hashlib.sha256(f"{write.listing_id}\n{skus}".encode()).hexdigest()
    return f"{write.listing_id}-{digest[:16]}"


def variation_body(
    write: Write, variant: VariantWrite, known: Known, media: Mapping[str, str]
) -> dict[str, Json]:
    """A new variation."""
    options: list[Json] = [
        {"name": name, "option": value.strip()} for name, value in variant.options
    ]
    main = next(iter(addresses(write.content.get("images"))), None)
    return {
        "sku": tidy(variant.sku),
        "attributes": options,
        **variation_content(variant.content, known, media, main),
        **sync_body(variant.sync, {}),
    }


def variation_content(
    content: Fields, known: Known, media: Mapping[str, str], main: str | None
) -> dict[str, Json]:
    """Content of a variation; MPN and UPC are metadata, since attributes belong to the product."""
    body = measures_body(content, known)
    src = content.get("image")
    if isinstance(src, str) and src and src != main:
        body["image"] = image(src, media)
    meta: list[Json] = [
        {"key": name, "value": str(content[name])}
        for name in ("mpn", "upc")
        if content.get(name) is not None
    ]
    if meta:
        body["meta_data"] = meta
    return body


def image(src: str, media: Mapping[str, str]) -> dict[str, Json]:
    """By media id where the store has it: every `src` uploads a new copy."""
    known = media.get(src, "")
    return {"id": int(known)} if known.isdigit() else {"src": src}


def addresses(value: Value) -> list[str]:
    """The addresses in a canonical `images` value."""
    return [str(item) for item in value] if isinstance(value, list) else []
