"""Checks of what a user says about a channel: name, numbers, guard limits, linking identifiers."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from reconcile.commands.errors import CommandError, Problem
from reconcile.contract import Platform
from reconcile.core.types import OurField, Value

MAX_NAME = 100
RETENTION_DAYS = (30, 60, 90)
"""After how many days personal data of orders can be erased; besides, it can be kept."""


def name_problems(name: str) -> list[Problem]:
    """A channel is called by its name everywhere, so it has one that can be typed."""
    if not name.strip() or name != name.strip() or not name.isprintable():
        return [Problem("INVALID", "A channel needs a name that can be typed.", ("name",))]
    if len(name) > MAX_NAME:
        return [Problem("INVALID", f"A name has at most {MAX_NAME} characters.", ("name",))]
    return []


def number_problems(buffer: int | None, cap: int | None) -> list[Problem]:
    """Buffer and cap are numbers of units."""
    problems = []
    for name, value in (("buffer", buffer), ("cap", cap)):
        if value is not None and not 0 <= value < 2**31:
            problems.append(Problem("INVALID", f"{name} is 0 or more units.", (name,)))
    return problems


def retention_problems(days: int | None) -> list[Problem]:
    """Personal data is kept, or erased after one of the spans there are."""
    if days is None or days in RETENTION_DAYS:
        return []
    known = ", ".join(map(str, RETENTION_DAYS))
    message = f"Personal data is erased after {known} days, or kept; {days} days there are not."
    return [Problem("INVALID", message, ("retention_days",))]


def default_pair(platform: Platform, ours: str | None, theirs: str | None) -> tuple[str, str]:
    """The linking identifiers: as given, the rest chosen among what the platform allows."""
    fitting = [
        pair
        for pair in sorted(platform.linking_pairs)
        if ours in (None, pair[0]) and theirs in (None, pair[1])
    ]
    sku = (OurField.SKU.value, OurField.SKU.value)
    if not fitting:
        return ours or sku[0], theirs or sku[1]
    return sku if sku in fitting else fitting[0]


def pair_problems(platform: Platform, ours: str, theirs: str) -> list[Problem]:
    """Only pairs the platform declares can be compared."""
    if (ours, theirs) in platform.linking_pairs:
        return []
    known = ", ".join(f"{a} with {b}" for a, b in sorted(platform.linking_pairs))
    message = f"{platform.title} cannot link {ours} with {theirs}; it can link {known}."
    return [Problem("INVALID", message, ("our_identifier",))]


def guard_from(given: Mapping[str, Value], earlier: Mapping[str, Any]) -> dict[str, Value]:
    """The guard's limits: what was given over `earlier`; None takes a limit back to its default."""
    limits = dict(earlier)
    problems = []
    for name, value in given.items():
        if name not in ("count", "share", "ceiling"):
            message = f"There is no guard limit {name}; there are count, share and ceiling."
            problems.append(Problem("UNKNOWN_FIELD", message, ("guard", name)))
        elif value is None:
            limits.pop(name, None)
        elif (limit := _limit(name, value)) is None:
            rule = "a part such as 0.05" if name == "share" else "a whole number, 0 or more"
            problems.append(Problem("INVALID", f"guard {name} is {rule}.", ("guard", name)))
        else:
            limits[name] = limit
    if problems:
        raise CommandError(*problems)
    return limits


def _limit(name: str, value: Value) -> Value:
    if name != "share":
        is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        return value if is_count else None
    try:
        share = Decimal(value) if isinstance(value, str | int) else Decimal("NaN")
    except InvalidOperation:
        return None
    return f"{share:f}" if share.is_finite() and 0 <= share <= 1 else None
