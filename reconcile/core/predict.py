"""The world after an action that succeeded: for previews, and for the property that plans settle.

Pure. It models what a platform that keeps its word would show, nothing about any one of them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import assert_never

from reconcile.core.actions import Action, ActionKind
from reconcile.core.codes import Code
from reconcile.core.context import PlanContext
from reconcile.core.types import (
    Fields,
    LinkState,
    Listing,
    OurField,
    Presence,
    RemoteListing,
    RemoteRef,
    RemoteVariant,
    SeenPresence,
    Value,
    Variant,
)
from reconcile.core.world import World


def apply(world: World, action: Action, context: PlanContext) -> World:  # noqa: C901 - a table
    """The world once the action is done and what it did has been seen."""
    match action.kind:
        case ActionKind.LINK:
            return _linked(world, action)
        case ActionKind.BREAK_LINK:
            return _broken(world, action)
        case ActionKind.IMPORT:
            return _imported(world, action, context)
        case ActionKind.PUBLISH:
            return _published(world, action, context)
        case ActionKind.OVERWRITE:
            return _overwritten(world, action)
        case ActionKind.SYNC:
            return _on_remote(world, action, lambda row: _holding(row, _values(action)))
        case ActionKind.HIDE:
            return _hidden(world, action, context)
        case ActionKind.UNHIDE:
            return _unhidden(world, action)
        case ActionKind.DELIST:
            return _delisted(world, action)
        case (
            ActionKind.IMPORT_ORDER | ActionKind.ACKNOWLEDGE | ActionKind.FULFILL | ActionKind.CLOSE
        ):
            return world
        case _:
            assert_never(action.kind)


def _values(action: Action, variant_id: str | None = None) -> dict[str, Value]:
    return {
        change.field: change.after
        for change in action.changes
        if change.variant_id == variant_id and change.after is not None
    }


def _holding(row: RemoteVariant, values: Fields) -> RemoteVariant:
    return replace(row, seen={**row.seen, **values})


def _on_variants(world: World, ids: Iterable[str], change: Callable[[Variant], Variant]) -> World:
    chosen = frozenset(ids)
    listings = tuple(
        replace(
            listing,
            variants=tuple(
                change(variant) if variant.id in chosen else variant for variant in listing.variants
            ),
        )
        for listing in world.listings
    )
    return replace(world, listings=listings)


def _on_rows(
    world: World, refs: Iterable[RemoteRef], change: Callable[[RemoteVariant], RemoteVariant]
) -> World:
    chosen = frozenset(refs)
    mirror = tuple(
        replace(
            product,
            variants=tuple(change(row) if row.ref in chosen else row for row in product.variants),
        )
        for product in world.mirror
    )
    return replace(world, mirror=mirror)


def _on_remote(
    world: World, action: Action, change: Callable[[RemoteVariant], RemoteVariant]
) -> World:
    return world if action.remote is None else _on_rows(world, (action.remote,), change)


def _linked(world: World, action: Action) -> World:
    if action.variant_id is None or action.remote is None:
        return world
    linked = _on_variants(
        world, (action.variant_id,), lambda variant: replace(variant, link=LinkState.LINKED)
    )
    return replace(linked, links={**world.links, action.variant_id: action.remote})


def _broken(world: World, action: Action) -> World:
    if action.variant_id is None:
        return world
    chosen = (action.variant_id,)
    if action.reason.code != Code.DELISTED:
        return _on_variants(world, chosen, lambda variant: replace(variant, link=LinkState.BROKEN))
    ended = _on_variants(
        world,
        chosen,
        lambda variant: replace(
            variant, link=LinkState.UNLINKED, was=SeenPresence.DELISTED, kept=None
        ),
    )
    links = {key: ref for key, ref in world.links.items() if key != action.variant_id}
    return replace(ended, links=links)


def _hidden(world: World, action: Action, context: PlanContext) -> World:
    if action.variant_id is None or action.remote is None:
        return world
    rule = context.rule(Presence.HIDDEN)
    seen = _row(world, action.remote)
    kept: Fields = {
        name: value
        for name, value in ({} if seen is None else seen.seen).items()
        if name in rule.overwrites
    }
    empty: Mapping[str, Value] = dict.fromkeys(rule.overwrites & context.quantity_fields, 0)

    def change(row: RemoteVariant) -> RemoteVariant:
        presence = SeenPresence.HIDDEN if rule.is_readable else row.presence
        return replace(_holding(row, empty), presence=presence, unsellable=True)

    return _on_variants(
        _on_remote(world, action, change),
        (action.variant_id,),
        lambda variant: replace(variant, kept=kept),
    )


def _unhidden(world: World, action: Action) -> World:
    if action.variant_id is None:
        return world
    kept: dict[str, Value] = {}
    for variant in _variants(world):
        if variant.id == action.variant_id and variant.kept is not None:
            kept = dict(variant.kept)

    def change(row: RemoteVariant) -> RemoteVariant:
        shown = replace(row, presence=SeenPresence.LISTED, unsellable=False)
        return _holding(shown, {**kept, **_values(action)})

    return _on_variants(
        _on_remote(world, action, change),
        (action.variant_id,),
        lambda variant: replace(variant, kept=None),
    )


def _delisted(world: World, action: Action) -> World:
    if action.remote is None:
        return world
    refs = {action.remote}
    if action.variant_id is None:
        refs = {
            row.ref
            for product in world.mirror
            if product.id == action.remote.listing
            for row in product.variants
        }
    return _on_rows(world, refs, lambda row: replace(row, gone=row.gone or Code.DELETED.value))


def _overwritten(world: World, action: Action) -> World:
    if action.remote is None:
        return world
    own = {
        world.links[variant_id]: _values(action, variant_id)
        for variant_id in action.variant_ids
        if variant_id in world.links
    }
    mirror = tuple(
        replace(
            product,
            content={**product.content, **_values(action)},
            variants=tuple(
                replace(row, content={**row.content, **own.get(row.ref, {})})
                for row in product.variants
            ),
        )
        if product.id == action.remote.listing
        else product
        for product in world.mirror
    )
    return replace(world, mirror=mirror)


def _published(world: World, action: Action, context: PlanContext) -> World:
    listing = next(item for item in world.listings if item.id == action.listing_id)
    created = [variant for variant in listing.variants if variant.id in action.variant_ids]
    product_id = _fresh(f"new-{listing.id}", {product.id for product in world.mirror})
    links = dict(world.links)
    rows = []
    for variant in created:
        single = len(created) == 1 and not variant.options
        ref = RemoteRef(product_id, None if single else f"{product_id}-{variant.id}")
        links[variant.id] = ref
        key = variant.link_key
        rows.append(
            RemoteVariant(
                ref=ref,
                sku=variant.sku,
                presence=SeenPresence.LISTED,
                seen=variant.wanted,
                content=variant.content,
                identifiers={} if key is None else {context.their_identifier: key},
                options=variant.options,
            )
        )
    product = RemoteListing(
        product_id, listing.title, SeenPresence.LISTED, tuple(rows), content=listing.content
    )
    linked = _on_variants(
        world,
        action.variant_ids,
        lambda variant: replace(variant, link=LinkState.LINKED, kept=None),
    )
    return replace(linked, mirror=(*world.mirror, product), links=links)


def _imported(world: World, action: Action, context: PlanContext) -> World:
    if action.listing_id:
        return _imported_over(world, action)
    product = next(
        item
        for item in world.mirror
        if action.remote is not None and item.id == action.remote.listing
    )
    named = {change.variant_id for change in action.changes}
    links = dict(world.links)
    taken = {variant.id for variant in _variants(world)}
    listing_id = _fresh(f"imported-{product.id}", {item.id for item in world.listings})
    variants = []
    for row in product.variants:
        their_id = row.ref.variant or row.ref.listing
        if their_id not in named or row.gone is not None or row.absent:
            continue
        variant_id = _fresh(f"imported-{their_id}", taken)
        taken.add(variant_id)
        links[variant_id] = row.ref
        variants.append(
            Variant(
                id=variant_id,
                sku=row.sku or their_id,
                link=LinkState.LINKED,
                link_key=row.identifiers.get(context.their_identifier),
                own=row.import_fields,
                options=row.options,
            )
        )
    listing = Listing(listing_id, product.title, tuple(variants), own=product.import_fields)
    return replace(world, listings=(*world.listings, listing), links=links)


def _imported_over(world: World, action: Action) -> World:
    listings = tuple(
        replace(
            listing,
            own={**listing.own, **_values(action)},
            variants=tuple(
                replace(variant, own={**variant.own, **_own(action, variant.id)})
                for variant in listing.variants
            ),
        )
        if listing.id == action.listing_id
        else listing
        for listing in world.listings
    )
    return replace(world, listings=listings)


def _own(action: Action, variant_id: str) -> dict[str, Value]:
    values = _values(action, variant_id)
    values.pop(OurField.SKU.value, None)
    return values


def _variants(world: World) -> Iterable[Variant]:
    return (variant for listing in world.listings for variant in listing.variants)


def _row(world: World, ref: RemoteRef) -> RemoteVariant | None:
    return next(
        (row for product in world.mirror for row in product.variants if row.ref == ref), None
    )


def _fresh(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    return name
