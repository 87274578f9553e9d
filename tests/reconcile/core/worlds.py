"""Random worlds and contexts for the planner's properties.

Alphabets are small on purpose, so that keys collide, objects are claimed twice over, and every
corner of the decision tables is met within a hundred examples.
"""

from dataclasses import replace

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from reconcile.core.actions import Action, ActionKind
from reconcile.core.context import ImportMode, PlanContext, PresenceRule
from reconcile.core.listings import pair
from reconcile.core.types import (
    Fields,
    LinkState,
    Listing,
    Operation,
    Presence,
    RemoteListing,
    RemoteRef,
    RemoteVariant,
    SeenPresence,
    Variant,
    Withheld,
    WritePolicy,
    ZeroCause,
)
from reconcile.core.world import World

QUANTITY, PRICE, COST = "stock_quantity", "regular_price", "cost"
REMOTE_ACTIONS = (
    ActionKind.SYNC,
    ActionKind.HIDE,
    ActionKind.UNHIDE,
    ActionKind.DELIST,
    ActionKind.PUBLISH,
    ActionKind.OVERWRITE,
)
LISTING_OPERATIONS = (
    Operation.LINK_LISTINGS,
    Operation.SYNC_LISTINGS,
    Operation.PUBLISH_LISTINGS,
    Operation.IMPORT_LISTINGS,
)

rarely = st.integers(0, 9).map(lambda number: number == 7)
keys = st.sampled_from(("A", "B", "C", "D", "E", None))
Values = st.SearchStrategy[Fields]
quantities = st.sampled_from((0, 0, 3, 10))
prices = st.sampled_from(("0", "4", "10", "12.5"))
sync_fields: Values = st.fixed_dictionaries(
    {}, optional={QUANTITY: quantities, PRICE: prices, COST: prices}
)
listing_content: Values = st.fixed_dictionaries(
    {}, optional={"title": st.sampled_from(("T", "U")), "brand": st.just("acme")}
)
variant_content: Values = st.fixed_dictionaries({}, optional={"mpn": st.sampled_from(("1", "2"))})
import_fields: Values = st.fixed_dictionaries({}, optional={"title": st.sampled_from(("T", "U"))})
withheld = rarely.flatmap(
    lambda is_withheld: st.lists(
        st.builds(
            Withheld,
            st.sampled_from((PRICE, "title")),
            st.sampled_from(("NoValue", "CurrencyMismatch", "Invalid", "Hidden", "NotMapped")),
            st.just("the reason in words"),
        ),
        min_size=int(is_withheld),
        max_size=int(is_withheld),
    ).map(tuple)
)
busy_states = st.sampled_from(("DUE", "SENDING", "RETRYING", "UNKNOWN"))
busy = rarely.flatmap(
    lambda is_busy: st.dictionaries(
        st.sampled_from(("content", "stock", "price", "link")),
        busy_states,
        min_size=int(is_busy),
        max_size=int(is_busy),
    )
)


@st.composite
def remote_listings(draw: st.DrawFn, number: int) -> RemoteListing:
    """One product of the mirror, simple or with up to three variants."""
    product_id = f"p{number}"
    count = draw(st.integers(0, 3))
    rows = []
    for position in range(max(1, count)):
        key = draw(keys)
        rows.append(
            RemoteVariant(
                ref=RemoteRef(product_id, f"{product_id}v{position}" if count else None),
                sku=key,
                presence=draw(
                    st.sampled_from(
                        (*[SeenPresence.LISTED] * 4, SeenPresence.HIDDEN, *SeenPresence)
                    )
                ),
                seen=draw(sync_fields),
                content=draw(variant_content),
                identifiers={} if key is None else {"sku": key},
                options=(("Size", str(position)),) if count else (),
                unsellable=draw(st.booleans()),
                absent=draw(rarely),
                gone=draw(st.sampled_from(("Deleted", "InTrash"))) if draw(rarely) else None,
                import_fields=draw(import_fields),
            )
        )
    return RemoteListing(
        id=product_id,
        title=f"Product {number}",
        presence=SeenPresence.LISTED,
        variants=tuple(rows),
        content=draw(listing_content),
        import_fields=draw(import_fields),
    )


@st.composite
def variants(draw: st.DrawFn, variant_id: str, link: LinkState) -> Variant:
    """One of our variants, not paired with anything."""
    return Variant(
        id=variant_id,
        sku=f"SKU-{variant_id}",
        presence=draw(st.sampled_from((*[Presence.LISTED] * 3, Presence.HIDDEN, *Presence))),
        asserted=draw(st.booleans()),
        paused=draw(rarely),
        link=link,
        link_hold=draw(rarely),
        link_key=draw(keys),
        kept=draw(st.sampled_from((None, None, {}, {QUANTITY: 3}))),
        was=draw(st.sampled_from((SeenPresence.NOT_LISTED, SeenPresence.DELISTED))),
        wanted=draw(sync_fields),
        content=draw(variant_content),
        withheld=draw(withheld),
        zero_cause=draw(st.sampled_from(tuple(ZeroCause))),
        options=draw(st.sampled_from(((), (("Size", "0"),)))),
        own=draw(import_fields),
        busy=draw(busy),
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A whole channel: up to three listings of ours, up to three products of theirs, links."""
    mirror = tuple(draw(remote_listings(number)) for number in range(draw(st.integers(0, 3))))
    states = st.sampled_from((*[LinkState.LINKED] * 5, *[LinkState.UNLINKED] * 2, *LinkState))
    free = [row.ref for product in mirror for row in product.variants]
    anything = (*free, RemoteRef("never-seen"))
    if draw(rarely):
        free.append(RemoteRef("never-seen"))
    links: dict[str, RemoteRef] = {}
    listings = []
    for number in range(draw(st.integers(1, 3))):
        ours = []
        # The variants of a listing are mostly of one kind, as after a publish or an import.
        usual = draw(states)
        for position in range(0 if draw(rarely) else draw(st.integers(1, 3))):
            link = draw(states) if draw(rarely) else usual
            variant = draw(variants(f"{number}{position}", link))
            match variant.link:
                case LinkState.LINKED if free:
                    links[variant.id] = free.pop(
                        draw(st.integers(0, len(free) - 1)) if draw(rarely) else 0
                    )
                case LinkState.LINKED:
                    variant = replace(variant, link=LinkState.UNLINKED)
                case LinkState.BROKEN:
                    links[variant.id] = draw(st.sampled_from(anything))
                case _:
                    pass
            if variant.link in (LinkState.UNLINKED, LinkState.AMBIGUOUS):
                variant = replace(variant, kept=None)
            ours.append(variant)
        listings.append(
            Listing(
                id=str(number),
                title=f"Listing {number}",
                variants=tuple(ours),
                content=draw(listing_content),
                withheld=draw(withheld),
                own=draw(import_fields),
                busy=draw(busy),
            )
        )
    return World(tuple(listings), mirror, links)


WRITE_GROUPS = (
    {QUANTITY: "stock", PRICE: "price", COST: "price"},
    {QUANTITY: "stock", PRICE: "stock", COST: "stock"},
)


@st.composite
def contexts(
    draw: st.DrawFn, operations: tuple[Operation, ...] = LISTING_OPERATIONS
) -> PlanContext:
    """Any operation on any platform under any policy."""
    able = st.sampled_from((0, 0, 1)).flatmap(
        lambda limited: (
            st.frozensets(st.sampled_from(REMOTE_ACTIONS))
            if limited
            else st.just(frozenset(REMOTE_ACTIONS))
        )
    )
    hiding = st.builds(
        PresenceRule,
        st.sampled_from(("content", "stock")),
        st.sampled_from((frozenset(), frozenset({QUANTITY}))),
        st.booleans(),
    )
    return PlanContext(
        channel_id="1",
        operation=draw(st.sampled_from(operations)),
        policy=draw(st.sampled_from((*[WritePolicy.FULL] * 4, *WritePolicy))),
        supported=draw(able),
        unsupported=draw(st.just({ActionKind.HIDE: "it has no hidden products"})),
        write_groups=draw(st.sampled_from(WRITE_GROUPS)),
        price_fields=frozenset({PRICE}),
        quantity_fields=frozenset({QUANTITY}),
        presence=draw(
            st.one_of(
                st.just({}),
                st.fixed_dictionaries(
                    {Presence.HIDDEN: hiding},
                    optional={
                        Presence.DELISTED: st.builds(
                            PresenceRule, st.sampled_from(("content", "stock"))
                        )
                    },
                ),
            )
        ),
        is_full=draw(st.booleans()),
        mirror_complete=draw(st.sampled_from((True, True, True, False))),
        import_mode=draw(st.sampled_from(tuple(ImportMode))),
        overwrite_enabled=draw(st.booleans()),
        publish_missing=draw(st.sampled_from((True, True, True, False))),
        scheduled=draw(st.booleans()),
    )


def agreeing(world: World) -> World:
    """The same world with the channel holding exactly what is wanted, all of it linked."""
    mirror = []
    listings = []
    links = {}
    for listing in world.listings:
        rows = []
        ours = []
        for variant in listing.variants:
            ref = RemoteRef(f"q{listing.id}", f"q{variant.id}")
            links[variant.id] = ref
            seen: Fields = {"unrelated": "x", **variant.wanted}
            hidden = variant.presence is not Presence.LISTED
            rows.append(
                RemoteVariant(
                    ref,
                    variant.sku,
                    SeenPresence.HIDDEN if hidden else SeenPresence.LISTED,
                    seen,
                    content=variant.content,
                    identifiers={"sku": variant.sku},
                )
            )
            ours.append(
                replace(
                    variant,
                    link=LinkState.LINKED,
                    presence=Presence.HIDDEN if hidden else Presence.LISTED,
                    kept=variant.kept if hidden else None,
                )
            )
        listings.append(replace(listing, variants=tuple(ours)))
        mirror.append(
            RemoteListing(
                f"q{listing.id}",
                listing.title,
                SeenPresence.LISTED,
                tuple(rows),
                content=listing.content,
            )
        )
    return World(tuple(listings), tuple(mirror), links)


thorough = settings(
    max_examples=min(500, settings().max_examples),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def variants_of(world: World, context: PlanContext) -> dict[str, Variant]:
    """Our variants by id, paired."""
    return {item.id: item for listing in pair(world, context) for item in listing.variants}


def listing_of(world: World, context: PlanContext) -> dict[str, Listing]:
    """Our listings by variant id, paired."""
    return {item.id: listing for listing in pair(world, context) for item in listing.variants}


def touched(action: Action) -> tuple[str, ...]:
    """Ids of our variants an action is about."""
    return action.variant_ids if action.variant_id is None else (action.variant_id,)
