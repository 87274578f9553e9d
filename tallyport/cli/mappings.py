"""`mappings list|set|remove`: a channel's shipping texts and our shipping policies."""

import shlex
from typing import Annotated, Final

import typer

from tallyport.cli.lookup import ChannelArgument, ChannelOption, ChannelRef, all_channels, channel
from tallyport.cli.session import Session, command
from tallyport.client import Json

_MAPPINGS: Final = (
    "query ($after: String, $where: ShippingMappingFilterInput) {"
    " shippingMappings(first: 100, after: $after, where: $where)"
    " { nodes { id text policy updatedBy updatedAt channel { name } }"
    " pageInfo { hasNextPage endCursor } } }"
)
_TEXTS: Final = (
    "query ($after: String, $where: ShippingTextFilterInput!) {"
    " shippingTexts(first: 100, after: $after, where: $where)"
    " { nodes { id text title firstSeenAt lastSeenAt policy heldOrders channel { name } }"
    " pageInfo { hasNextPage endCursor } } }"
)
_EMPTY_TEXT = '"" (no method)'

TextArgument = Annotated[
    str,
    typer.Argument(
        metavar="TEXT", help='As the channel writes it, exactly; "" for an order without a method.'
    ),
]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    command(app, "list")(list_)
    command(app, "set")(set_)
    command(app, "remove")(remove)


def list_(
    session: Session,
    *,
    name: ChannelOption = None,
    seen: Annotated[
        bool, typer.Option("--seen", help="The texts orders came with, those without one first.")
    ] = False,
) -> None:
    """List shipping mappings, or the texts that were seen and which of them have none yet."""
    if seen:
        _list_seen(session, all_channels(session) if name is None else [channel(session, name)])
        return
    where = {} if name is None else {"channel": channel(session, name).id}
    rows = list(session.api.pages(_MAPPINGS, {"where": where}, ("shippingMappings",)))
    session.out.answer(rows)
    session.out.table(
        ["Channel", "Text", "Policy", "Set", "By"],
        [
            [
                row["channel"]["name"],
                row["text"] or _EMPTY_TEXT,
                row["policy"],
                row["updatedAt"][:19],
                row["updatedBy"],
            ]
            for row in rows
        ],
        empty="No text is mapped. `tallyport mappings list --seen` shows which ones orders have.",
    )


def _list_seen(session: Session, channels: list[ChannelRef]) -> None:
    rows: list[Json] = []
    for is_mapped in (False, True):
        for found in channels:
            where = {"channel": found.id, "isMapped": is_mapped}
            rows += session.api.pages(_TEXTS, {"where": where}, ("shippingTexts",))
    # What orders wait for comes first: of several keys of one method the other may be mapped.
    rows.sort(key=lambda row: -row["heldOrders"])
    session.out.answer(rows)
    session.out.table(
        ["Text", "Channel", "Title", "Policy", "Orders held", "First seen", "Last seen"],
        [
            [
                row["text"] or _EMPTY_TEXT,
                row["channel"]["name"],
                row["title"],
                row["policy"] or "not mapped",
                row["heldOrders"] or None,
                row["firstSeenAt"][:10],
                row["lastSeenAt"][:10],
            ]
            for row in rows
        ],
        empty="No order named a shipping method so far.",
    )
    free = next((row for row in rows if row["heldOrders"]), None)
    if free is not None:
        session.out.note(
            "To map one: tallyport mappings set "
            f"{shlex.quote(free['channel']['name'])} {shlex.quote(free['text'])} POLICY"
        )


def set_(
    session: Session,
    *,
    name: ChannelArgument,
    text: TextArgument,
    policy: Annotated[
        str, typer.Argument(metavar="POLICY", help="What you call this way of shipping.")
    ],
) -> None:
    """Map a shipping text to a policy; orders that were held for it import by themselves."""
    found = channel(session, name)
    payload = session.api.mutate(
        "mutation ($input: ShippingMappingSetInput!) { shippingMappingSet(input: $input)"
        " { mapping { id text policy updatedBy updatedAt channel { name } }"
        " userErrors { code message path } } }",
        {"input": {"channel": found.id, "text": text, "policy": policy}},
    )
    mapping = payload["mapping"]
    session.out.answer(mapping)
    session.out.say(
        f"{found.name}: {mapping['text'] or _EMPTY_TEXT} ships as {mapping['policy']}. "
        "Orders that were held for it import by themselves."
    )
    # A misspelt text is a good mapping of something that no order names.
    where = {"channel": found.id, "isMapped": True}
    seen = session.api.pages(_TEXTS, {"where": where}, ("shippingTexts",))
    if not any(row["text"] == mapping["text"] for row in seen):
        session.out.note(
            "Kept, but no order has named this text so far; `tallyport mappings list --seen` "
            "shows those that were."
        )


def remove(session: Session, *, name: ChannelArgument, text: TextArgument) -> None:
    """Remove a mapping; orders that were imported with it stay as they are."""
    found = channel(session, name)
    session.api.mutate(
        "mutation ($input: ShippingMappingRemoveInput!) { shippingMappingRemove(input: $input)"
        " { userErrors { code message path } } }",
        {"input": {"channel": found.id, "text": text}},
    )
    session.out.answer({"channel": found.name, "removed": text})
    session.out.say(f"{found.name}: {text or _EMPTY_TEXT} is not mapped any more.")
