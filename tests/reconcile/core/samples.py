"""One listing, its link and its channel, with everything in order; tests change one thing."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from reconcile.core.actions import ActionKind, Decision, Plan
from reconcile.core.context import PlanContext, PresenceRule
from reconcile.core.types import (
    Candidate,
    LinkState,
    Listing,
    Operation,
    Presence,
    RemoteListing,
    RemoteRef,
    RemoteVariant,
    SeenPresence,
    Variant,
)

PRICE, QUANTITY = "regular_price", "stock_quantity"
REF = RemoteRef("p1", "p1v1")
HALF = Decimal("0.5")


def context(operation: Operation = Operation.SYNC_LISTINGS, **changed: Any) -> PlanContext:
    """A channel that can do everything, under FULL, listed completely."""
    plain = PlanContext(
        channel_id="1",
        operation=operation,
        supported=frozenset(kind for kind in ActionKind if not kind.is_local),
        write_groups={PRICE: "price", QUANTITY: "stock"},
        price_fields=frozenset({PRICE}),
        quantity_fields=frozenset({QUANTITY}),
        presence={Presence.HIDDEN: PresenceRule("stock", frozenset({QUANTITY}), False)},
        mirror_complete=True,
        overwrite_enabled=True,
    )
    return replace(plain, **changed)


def remote(**changed: Any) -> RemoteVariant:
    """The object on the channel that `linked` is linked to."""
    plain = RemoteVariant(
        ref=REF,
        sku="A",
        presence=SeenPresence.LISTED,
        seen={PRICE: "10", QUANTITY: 5},
        identifiers={"sku": "A"},
        options=(("Size", "S"),),
    )
    return replace(plain, **changed)


def linked(seen: RemoteVariant | None = None, **changed: Any) -> Variant:
    """A variant in sync with `remote()`, or linked to what is given."""
    plain = Variant(
        id="1",
        sku="A",
        link=LinkState.LINKED,
        link_key="A",
        remote=remote() if seen is None else seen,
        wanted={PRICE: "10", QUANTITY: 5},
        options=(("Size", "S"),),
    )
    return replace(plain, **changed)


def unlinked(**changed: Any) -> Variant:
    """A variant that nothing on the channel matches."""
    plain = Variant(id="2", sku="B", link_key="B", wanted={PRICE: "7"}, options=(("Size", "M"),))
    return replace(plain, **changed)


def candidate(number: int = 1, claimed_by: str | None = None) -> Candidate:
    """A remote object with the key of `unlinked`."""
    return Candidate(RemoteRef(f"c{number}"), f"Candidate {number}", "B", claimed_by)


def listing(*variants: Variant, **changed: Any) -> Listing:
    """A listing of these variants, with the product its first linked variant belongs to."""
    seen = [item.remote for item in variants if item.remote and item.link is LinkState.LINKED]
    product = None
    if seen:
        product = RemoteListing(
            id=seen[0].ref.listing,
            title="Shirt",
            presence=SeenPresence.LISTED,
            variants=tuple(item for item in seen if item.gone is None),
        )
    return replace(Listing("9", "Shirt", variants, remote=product), **changed)


def only(plan: Plan, code: str) -> Decision:
    """The decisions with that code agree in everything but their subject; the first of them."""
    found = [item for item in plan.decisions if item.code == code]
    assert found, f"no {code} among {[item.code for item in plan.decisions]}"
    return found[0]
