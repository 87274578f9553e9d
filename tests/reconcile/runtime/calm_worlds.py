"""Worlds that agree except for one thing: what a search for differences overlooks shows here.

In wholly random worlds nearly every listing differs in several ways at once, and one that is found
for the wrong reason is found all the same.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from hypothesis import strategies as st

from reconcile.core.types import (
    Listing,
    Presence,
    RemoteListing,
    RemoteRef,
    RemoteVariant,
    SeenPresence,
    Variant,
)
from reconcile.core.world import World
from tests.reconcile.core.worlds import (
    QUANTITY,
    agreeing,
    busy,
    import_fields,
    listing_content,
    sync_fields,
    variant_content,
    withheld,
    worlds,
)

Pair = tuple[Variant, RemoteVariant]


Changed = TypeVar("Changed", Variant, RemoteVariant, Listing, RemoteListing)


def _with(value: Changed, name: str, new: object) -> Changed:
    part: dict[str, Any] = {name: new}  # a name chosen at random has no type to be checked
    return replace(value, **part)


def _ours(name: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Callable[..., Pair]]:
    def changing(value: object) -> Callable[..., Pair]:
        return lambda ours, row: (_with(ours, name, value), row)

    return values.map(changing)


def _theirs(name: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Callable[..., Pair]]:
    def changing(value: object) -> Callable[..., Pair]:
        return lambda ours, row: (ours, _with(row, name, value))

    return values.map(changing)


variant_changes = st.one_of(
    _ours("presence", st.sampled_from(tuple(Presence))),
    _ours("asserted", st.booleans()),
    _ours("paused", st.booleans()),
    _ours("kept", st.sampled_from((None, {}, {QUANTITY: 3}))),
    _ours("wanted", sync_fields),
    _ours("content", variant_content),
    _ours("withheld", withheld),
    _ours("own", import_fields),
    _ours("busy", busy),
    _theirs("presence", st.sampled_from(tuple(SeenPresence))),
    _theirs("unsellable", st.booleans()),
    _theirs("seen", sync_fields),
    _theirs("content", variant_content),
    _theirs("import_fields", import_fields),
    _theirs("absent", st.just(True)),
    _theirs("gone", st.sampled_from(("Deleted", "InTrash"))),
)
LISTING_PARTS: dict[str, st.SearchStrategy[Any]] = {
    "content": listing_content,
    "withheld": withheld,
    "own": import_fields,
    "busy": busy,
}
PRODUCT_PARTS = {"content": listing_content, "import_fields": import_fields}


def _calm(world: World) -> World:
    listings = tuple(
        replace(
            listing,
            withheld=(),
            own={},
            busy={},
            variants=tuple(
                replace(
                    variant,
                    withheld=(),
                    own={},
                    busy={},
                    paused=False,
                    kept=None,
                    presence=Presence.LISTED,
                )
                for variant in listing.variants
            ),
        )
        for listing in world.listings
    )
    return agreeing(World(listings, (), {}))


@st.composite
def calm_worlds(draw: st.DrawFn) -> World:
    """Everything is linked and in sync, but for up to two changes anywhere."""
    world = _calm(draw(worlds()))
    listings = {listing.id: listing for listing in world.listings}
    products = {product.id: product for product in world.mirror}
    links = dict(world.links)
    for _ in range(draw(st.integers(0, 2))):
        named = [listing for listing in listings.values() if listing.variants]
        if not named:
            break
        listing = draw(st.sampled_from(named))
        product = products[f"q{listing.id}"]
        match draw(st.sampled_from(("variant", "variant", "listing", "product", "new", "moved"))):
            case "variant":
                listing, product = draw(_changed_variant(listing, product))
            case "listing":
                name = draw(st.sampled_from(sorted(LISTING_PARTS)))
                listing = _with(listing, name, draw(LISTING_PARTS[name]))
            case "product":
                name = draw(st.sampled_from(sorted(PRODUCT_PARTS)))
                product = _with(product, name, draw(PRODUCT_PARTS[name]))
            case "new":
                row = RemoteVariant(
                    RemoteRef(product.id, f"n{len(product.variants)}"),
                    "NEW",
                    SeenPresence.LISTED,
                    {},
                    absent=draw(st.booleans()),
                    gone=draw(st.sampled_from((None, "Deleted"))),
                )
                product = replace(product, variants=(*product.variants, row))
            case _:
                other = f"elsewhere{len(products)}"
                variant = draw(st.sampled_from(listing.variants))
                links[variant.id] = RemoteRef(other, f"{other}v")
                row = RemoteVariant(
                    links[variant.id], variant.sku, SeenPresence.LISTED, variant.wanted
                )
                products[other] = RemoteListing(
                    other, "Elsewhere", SeenPresence.LISTED, (row,), content=listing.content
                )
        listings[listing.id] = listing
        products[product.id] = product
    return World(tuple(listings.values()), tuple(products.values()), links)


@st.composite
def _changed_variant(
    draw: st.DrawFn, listing: Listing, product: RemoteListing
) -> tuple[Listing, RemoteListing]:
    place = draw(st.integers(0, len(listing.variants) - 1))
    change = draw(variant_changes)
    ours, row = change(listing.variants[place], product.variants[place])
    variants = (*listing.variants[:place], ours, *listing.variants[place + 1 :])
    rows = (*product.variants[:place], row, *product.variants[place + 1 :])
    return replace(listing, variants=variants), replace(product, variants=rows)
