"""`listings candidates|link|unlink|relink|republish`: our variants and theirs."""

from typing import Annotated

import typer

from tallyport.cli.lookup import ChannelOption, SkuArgument, channel, variant_id
from tallyport.cli.session import Session, command
from tallyport.client import Json

_CANDIDATE = "id remoteParent remoteVariant title sku key claimedBySku difference"
_LINK = "id sku link { state isHeld key reason message remote { remoteParent remoteVariant sku } }"


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    command(app, "candidates")(candidates)
    command(app, "link")(link)
    command(app, "unlink")(unlink)
    command(app, "relink")(relink)
    command(app, "republish")(republish)


def candidates(session: Session, *, sku: SkuArgument, name: ChannelOption = None) -> None:
    """Show what a variant was compared with: equal keys, claimed ones, the nearest."""
    found = channel(session, name)
    document = (
        f"query ($id: ID!) {{ variant(id: $id) {{ {_LINK} candidates {{ ourIdentifier"
        f" theirIdentifier key message rivals free {{ {_CANDIDATE} }}"
        f" claimed {{ {_CANDIDATE} }} nearest {{ {_CANDIDATE} }} }} }} }}"
    )
    answer = session.api.query(document, {"id": variant_id(session, found, sku)})["variant"]
    session.out.answer(answer)
    told = answer["candidates"]
    if told is None:
        session.out.say(f"{sku} is {answer['link']['state'].lower()}.")
        return
    session.out.say(told["message"])
    rows = [
        [kind, each["remoteParent"], each["remoteVariant"], each["sku"], each["title"], _why(each)]
        for kind in ("free", "claimed", "nearest")
        for each in told[kind]
    ]
    session.out.table(["Kind", "Product", "Variant", "SKU", "Title", "Note"], rows)


def link(
    session: Session,
    *,
    sku: SkuArgument,
    product: Annotated[str, typer.Argument(metavar="PRODUCT", help="Their id of the product.")],
    variant: Annotated[
        str | None, typer.Argument(metavar="[VARIANT]", help="Their id of the variant, if any.")
    ] = None,
    name: ChannelOption = None,
) -> None:
    """Link a variant by hand to an object of the channel."""
    found = channel(session, name)
    given = {"id": variant_id(session, found, sku), "remoteParent": product}
    if variant is not None:
        given["remoteVariant"] = variant
    _tell(session, _mutate(session, "variantLink", given, "VariantLinkInput"))


def unlink(session: Session, *, sku: SkuArgument, name: ChannelOption = None) -> None:
    """Unlink a variant; it is not linked or published again until asked for."""
    _one(session, "variantUnlink", sku, name)


def relink(session: Session, *, sku: SkuArgument, name: ChannelOption = None) -> None:
    """Let the next run link a variant by its key again."""
    _one(session, "variantRelink", sku, name)


def republish(session: Session, *, sku: SkuArgument, name: ChannelOption = None) -> None:
    """Publish a variant anew with the next publish run, after a broken link or a delisting."""
    _one(session, "variantRepublish", sku, name)


def _one(session: Session, mutation: str, sku: str, name: str | None) -> None:
    found = channel(session, name)
    given = {"id": variant_id(session, found, sku)}
    _tell(session, _mutate(session, mutation, given, "VariantIdInput"))


def _mutate(session: Session, mutation: str, given: Json, kind: str) -> Json:
    document = (
        f"mutation ($input: {kind}!) {{ {mutation}(input: $input)"
        f" {{ variant {{ {_LINK} }} userErrors {{ code message path }} }} }}"
    )
    return session.api.mutate(document, {"input": given})["variant"]


def _tell(session: Session, variant: Json) -> None:
    session.out.answer(variant)
    state = variant["link"]["state"].lower()
    remote = variant["link"]["remote"]
    to = ""
    if state == "linked" and remote is not None:
        to = f" to {remote['remoteParent']}"
        to += f"/{remote['remoteVariant']}" if remote["remoteVariant"] else ""
    session.out.say(f"{variant['sku']} is {state}{to}.")


def _why(candidate: Json) -> str:
    if candidate["claimedBySku"]:
        return f"linked to {candidate['claimedBySku']}"
    return str(candidate["difference"])
