"""The imprint of an order: what of it matters once something has left, and how two differ.

Pure. An imprint holds no address, only its digest; the differences name numbers and never a
personal value.
"""

from collections.abc import Mapping
from dataclasses import fields
from hashlib import sha256

from reconcile.core.actions import Change
from reconcile.core.keys import canonical_json
from reconcile.core.remote_order_types import Address, OrderStage, RemoteOrder
from reconcile.core.types import Fields, Value
from reconcile.core.values import same

_SHIP_TO = "ship_to"
_SHOWN = 6


def imprint(remote: RemoteOrder, gone: str | None = None) -> dict[str, Value]:
    """What of an order must not change unseen after something has left, as canonical JSON.

    The order of lines and shipping methods does not matter; an address stands as its digest.
    """
    return {
        "currency": remote.currency,
        "canceled": gone is not None or remote.stage is OrderStage.CANCELED,
        "lines": {
            line.id: {"quantity": line.quantity, "canceled": line.canceled}
            for line in sorted(remote.lines, key=lambda line: line.id)
        },
        _SHIP_TO: None if remote.ship_to is None else _digest(remote.ship_to),
        "shipping": [[*keys] for keys in sorted(text.keys for text in remote.shipping)],
    }


def differences(before: Fields, now: Fields) -> tuple[Change, ...]:
    """What changed from one imprint to another, in one order; an address only as that it did."""
    changes = [
        Change(name, before.get(name), now.get(name))
        for name in ("currency", "shipping")
        if not same(before.get(name), now.get(name))
    ]
    canceled = before.get("canceled") is True, now.get("canceled") is True
    if canceled[0] is not canceled[1]:
        changes.append(Change("canceled", *canceled))
    if before.get(_SHIP_TO) != now.get(_SHIP_TO):
        changes.append(Change(_SHIP_TO, "as imported", "changed"))
    old, new = _lines(before), _lines(now)
    for line in sorted(old.keys() | new.keys()):
        if line not in old or line not in new:
            changes.append(Change(f"lines.{line}", old.get(line), new.get(line)))
            continue
        was, is_ = _parts(old[line]), _parts(new[line])
        changes += [
            Change(f"lines.{line}.{part}", was.get(part), is_.get(part))
            for part in ("quantity", "canceled")
            if was.get(part) != is_.get(part)
        ]
    return tuple(sorted(changes, key=lambda change: change.field))


def in_words(changes: tuple[Change, ...], titles: Mapping[str, str]) -> str:
    """The differences as one sentence part, lines by their titles; no personal value in it."""
    said = [_said(change, titles) for change in changes]
    if len(said) > _SHOWN:
        said = [*said[:_SHOWN], f"and {len(said) - _SHOWN} more"]
    return "; ".join(said)


def _said(change: Change, titles: Mapping[str, str]) -> str:
    before, after = change.before, change.after
    match change.field.split("."):
        case ["ship_to"]:
            return "the delivery address changed"
        case ["shipping"]:
            return "the shipping method changed"
        case ["canceled"]:
            return "it is canceled" if after else "it is no longer canceled"
        case ["currency"]:
            return f"the currency changed from {before} to {after}"
        case ["lines", *rest] if change.field.endswith((".quantity", ".canceled")):
            line, part = ".".join(rest[:-1]), rest[-1]
            what = "units ordered" if part == "quantity" else "units canceled"
            return f"{titles.get(line) or line}: {what} {before} → {after}"
        case _:
            line = change.field.removeprefix("lines.")
            parts = _parts(before if after is None else after)
            what = "was removed" if after is None else "was added"
            return f"{titles.get(line) or line} ({parts.get('quantity')} units) {what}"


def _lines(of: Fields) -> Mapping[str, Value]:
    lines = of.get("lines")
    return lines if isinstance(lines, dict) else {}


def _parts(line: Value) -> Mapping[str, Value]:
    return line if isinstance(line, dict) else {}


def _digest(address: Address) -> str:
    written: dict[str, Value] = {item.name: getattr(address, item.name) for item in fields(address)}
    return sha256(canonical_json(written).encode()).hexdigest()
