"""Writes `docs/platforms.md` from the platforms' records: `python -m tests.platforms_page`.

What a platform can do is declared once; `tests/test_docs.py` fails when the page differs.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from adapters.registry import PLATFORMS
from reconcile.contract import OrderSupport, Platform, Settings, setting_specs
from reconcile.core.actions import ActionKind
from reconcile.core.types import Operation, Presence

PAGE = Path(__file__).parent.parent / "docs" / "platforms.md"

_HEAD = """# Platforms

What each platform can and cannot do. Made from their records by
`python -m tests.platforms_page`, never by hand.
The same is answered by `platforms` in the API.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *("\n".join(_section(item)) for item in PLATFORMS.values())])


def _section(platform: Platform) -> Iterator[str]:
    yield f"## {platform.title}\n"
    yield from _table(("Operation", "", "Remarks"), _operations(platform))
    yield from _table(("Action", "", "Remarks"), _actions(platform))
    yield "### Linking\n"
    ours = {item.name: item.title for item in platform.our_identifiers}
    theirs = {item.name: item.title for item in platform.their_identifiers}
    pairs = sorted(platform.linking_pairs, key=lambda pair: [*ours].index(pair[0]))
    yield from _table(("Ours", "Theirs"), ((ours[a], theirs[b]) for a, b in pairs))
    yield "### Presence\n"
    yield from _table(
        ("Wanted", "How it is written", "Can be read back"),
        (
            (name.value, form.explanation, "yes" if form.is_readable else "no")
            for name in Presence
            if (form := platform.presence.get(name)) is not None
        ),
    )
    yield "### Fields\n"
    yield from _table(
        ("Field", "Title", "Belongs to", "Of", "Sent by default by"), _fields(platform)
    )
    if platform.orders is not None:
        yield from _orders(platform.orders)
    yield "### Credentials\n"
    yield from _table(("Name", "Title", "Where it is found"), _settings(platform.credentials))
    yield "### Settings\n"
    yield from _table(("Name", "Title", "What it does", "Default"), _settings(platform.settings))
    for operation, settings in platform.operations.items():
        if rows := list(_settings(settings)):
            yield f"Of {operation.value}:\n"
            yield from _table(("Name", "Title", "What it does", "Default"), rows)


def _operations(platform: Platform) -> Iterator[tuple[str, ...]]:
    for operation in Operation:
        if operation in platform.operations:
            remark = "by hand only" if operation in platform.manual_only else ""
            yield operation.value, "yes", remark
        else:
            yield operation.value, "no", platform.unsupported_operations.get(operation, "")


def _actions(platform: Platform) -> Iterator[tuple[str, ...]]:
    for kind in ActionKind:
        if kind.is_local:
            yield kind.value, "yes", "changes our own records only"
        elif kind in platform.actions:
            size = platform.actions[kind].batch_size
            yield kind.value, "yes", f"up to {size} rows a request" if size > 1 else "one at a time"
        else:
            yield kind.value, "no", platform.unsupported_actions.get(kind, "")


def _fields(platform: Platform) -> Iterator[tuple[str, ...]]:
    for item in platform.fields:
        senders = [
            f"{operation.value} ({rule.source})"
            for operation, template in platform.templates.items()
            for rule in template.rules
            if rule.target == item.name and rule.enabled
        ]
        readable = "" if item.is_readable else ", write-only"
        of = item.level.value.lower()
        yield item.name, item.title, item.group.value.lower() + readable, of, ", ".join(senders)


def _orders(orders: OrderSupport) -> Iterator[str]:
    yield "### Orders\n"
    filters = ", ".join(facet.title for facet in orders.facets)
    yield f"Filtered by: {filters}. Shipping mappings compare the {orders.shipping_text}.\n"
    rows = ((item.theirs, item.title, item.ours.value) for item in orders.fields)
    yield from _table(("Their field", "Title", "Ours"), rows)
    sent = ((item.ours.value, item.title, item.theirs) for item in orders.shipment_fields)
    yield from _table(("Of our shipments", "Title", "Their field"), sent)


def _settings(record: type[Settings]) -> Iterator[tuple[str, ...]]:
    for item in setting_specs(record):
        described = (item.name, item.title, item.help)
        yield described if item.required else (*described, str(item.default))


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        cells = (cell.replace("|", "\\|") for cell in row)
        yield f"| {' | '.join(cells)} |"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
