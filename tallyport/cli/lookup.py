"""Finds by the names people use: channels by name, listings and variants by SKU."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated

import typer

from tallyport.cli.session import Session
from tallyport.client import Json

ChannelOption = Annotated[
    str | None,
    typer.Option(
        "--channel", "-c", metavar="NAME", help="The channel. Not needed where there is only one."
    ),
]
ChannelArgument = Annotated[str, typer.Argument(metavar="CHANNEL", help="Name of the channel.")]
SkuArgument = Annotated[str, typer.Argument(metavar="SKU", help="Of a listing or a variant.")]
SkusArgument = Annotated[
    list[str],
    typer.Argument(metavar="SKU...", help="Of listings (all their variants) or single variants."),
]

_CHANNELS = """
query ($after: String) {
  channels(first: 100, after: $after) {
    nodes { id name platform { name } } pageInfo { hasNextPage endCursor }
  }
}
"""


@dataclass(frozen=True, slots=True)
class ChannelRef:
    """A channel as commands need it."""

    id: str
    name: str
    platform: str


def channel(session: Session, name: str | None) -> ChannelRef:
    """The channel of that name, or the only one there is."""
    if name is not None:
        document = "query ($name: String!) { channel(name: $name) { id name platform { name } } }"
        found = session.api.query(document, {"name": name})["channel"]
        if found is not None:
            return _ref(found)
    known = all_channels(session)
    if name is None:
        if len(known) == 1:
            return known[0]
        if not known:
            raise session.fail(
                "No channel is connected. Connect one with `tallyport channel connect`.",
                code="NOT_FOUND",
            )
        names = ", ".join(each.name for each in known)
        raise session.fail(f"Say which channel with --channel; there are: {names}.", code="MISSING")
    near = get_close_matches(name, [each.name for each in known], n=1)
    hint = f"Did you mean {near[0]}?" if near else "`tallyport channel list` shows them."
    if not known:
        hint = "None is connected yet; connect one with `tallyport channel connect`."
    raise session.fail(f"There is no channel {name}. {hint}", code="NOT_FOUND")


def all_channels(session: Session) -> list[ChannelRef]:
    """Every channel."""
    return [_ref(node) for node in session.api.pages(_CHANNELS, {}, ("channels",))]


def variant_id(session: Session, found: ChannelRef, sku: str) -> str:
    """The id of the variant with that SKU."""
    document = (
        "query ($channel: ID!, $sku: String!) { variant(channel: $channel, sku: $sku) { id } }"
    )
    answer = session.api.query(document, {"channel": found.id, "sku": sku})["variant"]
    if answer is None:
        raise session.fail(_no_such(sku, found, "variant"), code="NOT_FOUND")
    return str(answer["id"])


def listing_target(session: Session, found: ChannelRef, sku: str) -> tuple[str, str] | None:
    """Kind and id: the listing of that SKU, else the variant; None without either."""
    document = (
        "query ($channel: ID!, $sku: String!) {"
        " listing(channel: $channel, sku: $sku) { id sku }"
        " variant(channel: $channel, sku: $sku) { id } }"
    )
    answer = session.api.query(document, {"channel": found.id, "sku": sku})
    listing: Mapping[str, Json] | None = answer["listing"]
    if listing is not None and listing["sku"] == sku:
        return "listing", str(listing["id"])
    if answer["variant"] is not None:
        return "variant", str(answer["variant"]["id"])
    return None


def _no_such(sku: str, found: ChannelRef, what: str) -> str:
    return (
        f"{found.name} has no {what} with SKU {sku}. SKUs are compared exactly; "
        "`tallyport listings list` shows them."
    )


def no_listing(sku: str, found: ChannelRef) -> str:
    """What to say where neither a listing nor a variant has the SKU."""
    return _no_such(sku, found, "listing or variant")


def _ref(node: Mapping[str, Json]) -> ChannelRef:
    return ChannelRef(str(node["id"]), str(node["name"]), str(node["platform"]["name"]))
