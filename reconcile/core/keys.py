"""Idempotency keys: the same action, made twice from the same inputs, has the same key.

Pure. A key says *what* is to be done, an input hash *from what* it was decided. Neither is unique
over time: a price that goes up, down and up again yields the first action a second time.
"""

import json
from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256

from reconcile.core.actions import Action, Change
from reconcile.core.types import RemoteRef, Value


def canonical_json(value: Value) -> str:
    """The one text of a value, names sorted; a float is refused, for it has no exact text."""
    _refuse_floats(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def input_hash(*parts: Value) -> str:
    """Hash of what an action was made from; a permanent failure is bound to it."""
    return sha256(canonical_json(list(parts)).encode()).hexdigest()


def keyed(action: Action, channel_id: str) -> Action:
    """The action with its idempotency key; the order of changes and variants does not matter."""
    ordered = replace(
        action,
        changes=tuple(sorted(action.changes, key=_change_order)),
        variant_ids=tuple(sorted(action.variant_ids)),
        guards=tuple(sorted(set(action.guards))),
    )
    key = input_hash(
        channel_id,
        ordered.kind.value,
        ordered.object_id,
        ordered.group,
        as_value(ordered.remote),
        changes_value(ordered.changes),
        list(ordered.variant_ids),
    )
    return replace(ordered, key=key)


def as_value(ref: RemoteRef | None) -> Value:
    """A remote id as JSON."""
    return None if ref is None else [ref.listing, ref.variant]


def changes_value(changes: Iterable[Change]) -> Value:
    """Changes as JSON, in one order."""
    return [
        [change.variant_id, change.field, change.before, change.after]
        for change in sorted(changes, key=_change_order)
    ]


def _change_order(change: Change) -> tuple[str, str]:
    return (change.variant_id or "", change.field)


def _refuse_floats(value: object) -> None:
    match value:
        case float():
            raise TypeError("a canonical value holds no float")
        case dict():
            for name, item in value.items():
                if not isinstance(name, str):
                    raise TypeError("a canonical value has text names")
                _refuse_floats(item)
        case list() | tuple():
            for item in value:
                _refuse_floats(item)
        case str() | bool() | int() | None:
            pass
        case _:
            raise TypeError(f"a canonical value holds no {type(value).__name__}")
