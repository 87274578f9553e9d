"""What differs between the simulated stores of a scenario: their set-up, and settings of ours.

One entry per platform; one without an entry is played as it comes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from adapters.registry import PLATFORMS
from tests.features.stores import STORES


@dataclass(frozen=True, slots=True)
class Habits:
    """How one store is set up, and its channel."""

    options: Mapping[str, Any] = field(default_factory=dict)
    """Of the simulator."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the channel."""
    sync_orders: Mapping[str, Any] = field(default_factory=dict)
    """Of SYNC_ORDERS."""
    completed: str | None = None
    """The store's word for an order of which everything was shipped; None: it is not told."""
    batch: str = ""
    """What the path of a request with several rows contains."""
    refusal: str = "{}"
    """How the platform says that a key opens nothing any more."""


def _woocommerce(dice: Random, is_doubling: bool) -> Habits:
    tracking = dice.choice(("note", "note", "shipment_tracking", "fulfillments"))
    completes = dice.random() < 0.5
    return Habits(
        options={} if tracking == "note" else {tracking: True},
        # The shortest request that settings allow; small batches, so that there are several.
        settings={
            "requestSeconds": 5,
            "batchSize": dice.choice((1, 2, 3, 100)),
            # OAuth 1.0a on plain http: its nonces tell copies apart, its timestamps need a clock.
            "authentication": "auto" if is_doubling else dice.choice(("basic", "query")),
        },
        sync_orders={"tracking": tracking, "completeShipped": completes},
        completed="completed" if completes else None,
        batch="/batch",
        refusal=(
            '{"code":"woocommerce_rest_authentication_error","message":"Invalid signature - '
            'provided signature does not match.","data":{"status":401}}'
        ),
    )


_HABITS: Mapping[str, Callable[[Random, bool], Habits]] = {"woocommerce": _woocommerce}


def habits(platform: str, dice: Random, *, is_doubling: bool) -> Habits:
    """The habits of one store of a platform."""
    made = _HABITS.get(platform)
    return Habits() if made is None else made(dice, is_doubling)


def platforms() -> tuple[str, ...]:
    """Those that have a simulator and a hand for it."""
    return tuple(name for name, known in PLATFORMS.items() if known.sandbox and name in STORES)
