"""A whole channel in memory, and how its two sides are paired.

Pure. The runtime pairs in SQL; this is the specification it is compared with.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from reconcile.core.context import CONTENT_GROUP, LINK_GROUP, PlanContext
from reconcile.core.importing import Match
from reconcile.core.linking import contends, is_open
from reconcile.core.types import (
    Candidate,
    LinkState,
    Listing,
    RemoteListing,
    RemoteRef,
    RemoteVariant,
    Variant,
)


@dataclass(frozen=True, slots=True)
class World:
    """Our listings of one channel, the mirror of the channel, and the links between them.

    What pairing fills in (`remote`, `candidates`, `rivals`) is ignored in `listings`.
    """

    listings: tuple[Listing, ...] = ()
    mirror: tuple[RemoteListing, ...] = ()
    links: Mapping[str, RemoteRef] = field(default_factory=dict)
    """Our variant id → their object, for LINKED and BROKEN variants."""


@dataclass(frozen=True, slots=True)
class _Sides:
    """The two sides, by what they are looked up with."""

    products: Mapping[str, RemoteListing]
    objects: Mapping[RemoteRef, RemoteVariant]
    claims: Mapping[RemoteRef, str]
    """Object → id of the variant that is LINKED to it."""
    candidates: Mapping[str, tuple[Candidate, ...]]
    contenders: Mapping[str, tuple[Variant, ...]]


def pair(world: World, context: PlanContext) -> tuple[Listing, ...]:
    """Our listings, each variant with what it is linked to, its candidates and its rivals."""
    sides = _sides(world, context)
    return tuple(_paired(listing, world, sides) for listing in world.listings)


def unclaimed(
    world: World, context: PlanContext
) -> tuple[tuple[RemoteListing, tuple[Match, ...], frozenset[str]], ...]:
    """Products of which no variant is linked, with our matches and their duplicate keys."""
    sides = _sides(world, context)
    claimed = {ref.listing for ref in sides.claims}
    ours: dict[str, list[tuple[Listing, Variant]]] = defaultdict(list)
    for listing in world.listings:
        for variant in listing.variants:
            if variant.link_key is not None:
                ours[variant.link_key].append((listing, variant))
    found = []
    for product in world.mirror:
        there = [row for row in product.variants if row.gone is None and not row.absent]
        if product.id in claimed or not there:
            continue
        matches = []
        duplicates = set()
        for row in there:
            key = row.identifiers.get(context.their_identifier)
            if key is None:
                continue
            matches += [_match(row, *pair_of, world) for pair_of in ours[key]]
            free = [item for item in sides.candidates.get(key, ()) if item.claimed_by is None]
            if len(free) > 1:
                duplicates.add(key)
        found.append((product, tuple(matches), frozenset(duplicates)))
    return tuple(found)


def _match(row: RemoteVariant, listing: Listing, variant: Variant, world: World) -> Match:
    linked_to = None if is_open(variant) else world.links.get(variant.id)
    return Match(
        ref=row.ref,
        listing_id=listing.id,
        variant_id=variant.id,
        sku=variant.sku,
        linked_to=linked_to,
        contends=contends(variant),
        busy=listing.busy.get(LINK_GROUP, listing.busy.get(CONTENT_GROUP))
        or variant.busy.get(LINK_GROUP),
    )


def _sides(world: World, context: PlanContext) -> _Sides:
    claims = {
        world.links[variant.id]: variant.id
        for listing in world.listings
        for variant in listing.variants
        if variant.link is LinkState.LINKED and variant.id in world.links
    }
    candidates: dict[str, list[Candidate]] = defaultdict(list)
    for product in world.mirror:
        for row in product.variants:
            key = row.identifiers.get(context.their_identifier)
            if key is not None and row.gone is None and not row.absent:
                claim = claims.get(row.ref)
                candidates[key].append(Candidate(row.ref, product.title, row.sku, claim))
    contenders: dict[str, list[Variant]] = defaultdict(list)
    for listing in world.listings:
        for variant in listing.variants:
            if variant.link_key is not None and contends(variant):
                contenders[variant.link_key].append(variant)
    return _Sides(
        products={product.id: product for product in world.mirror},
        objects={row.ref: row for product in world.mirror for row in product.variants},
        claims=claims,
        candidates={
            key: tuple(sorted(found, key=lambda item: (item.ref.listing, item.ref.variant or "")))
            for key, found in candidates.items()
        },
        contenders={
            key: tuple(sorted(found, key=lambda item: item.id)) for key, found in contenders.items()
        },
    )


def _paired(listing: Listing, world: World, sides: _Sides) -> Listing:
    variants = []
    product = None
    for variant in listing.variants:
        key = variant.link_key
        if is_open(variant):
            rivals = sides.contenders.get(key, ()) if key is not None else ()
            paired = replace(
                variant,
                remote=None,
                candidates=sides.candidates.get(key, ()) if key is not None else (),
                rivals=tuple(item.sku for item in rivals if item.id != variant.id),
            )
        else:
            ref = world.links.get(variant.id)
            remote = sides.objects.get(ref) if ref is not None else None
            paired = replace(variant, remote=remote, candidates=(), rivals=())
            if product is None and remote is not None and variant.link is LinkState.LINKED:
                product = _standing(sides.products[remote.ref.listing])
        variants.append(paired)
    return replace(listing, variants=tuple(variants), remote=product)


def _standing(product: RemoteListing) -> RemoteListing:
    return replace(product, variants=tuple(row for row in product.variants if row.gone is None))
