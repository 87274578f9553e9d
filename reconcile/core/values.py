"""Comparing canonical values: what differs, and by how much.

Pure. Equality is that of JSON, as in SQL: `true` is not `1`, and a missing name is no statement.
"""

from decimal import Decimal, InvalidOperation

from reconcile.core.actions import Change
from reconcile.core.types import Fields, Value


def same(left: Value, right: Value) -> bool:
    """Whether two values are the same JSON."""
    match left, right:
        case dict(), dict():
            return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
        case list(), list():
            return len(left) == len(right) and all(map(same, left, right))
        case _:
            return isinstance(left, bool) == isinstance(right, bool) and left == right


def differing(wanted: Fields, seen: Fields, variant_id: str | None = None) -> tuple[Change, ...]:
    """What has to change so that `seen` holds all of `wanted`, by field name."""
    return tuple(
        Change(name, seen.get(name), wanted[name], variant_id)
        for name in sorted(wanted)
        if wanted[name] is not None and not same(wanted[name], seen.get(name))
    )


def amount_of(value: Value) -> Decimal | None:
    """A price as an exact number, whether it is a plain text or money; None where it is none."""
    match value:
        case bool():
            return None
        case {"amount": str() | int() as amount}:
            pass
        case str() | int():
            amount = value
        case _:
            return None
    try:
        number = Decimal(amount)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
