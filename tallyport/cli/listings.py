"""`listings list|explain|pause|unpause|hide|unhide|delist|relist`: what is wanted, and why."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import typer

from reconcile.core.types import LinkState, Presence, SyncStatus
from tallyport.cli.lookup import (
    ChannelOption,
    SkuArgument,
    SkusArgument,
    channel,
    listing_target,
    no_listing,
)
from tallyport.cli.session import Cell, Exit, Session, command
from tallyport.client import Json

_MOST_IDS = 1000

_VARIANT = (
    "id sku presence seenPresence syncStatus isPaused link { state reason message"
    " remote { remoteParent remoteVariant } } values { field wanted seen isInSync }"
    " item { stated } conditions { type status reason message }"
)
_LIST: Final = (
    "query ($after: String, $where: ListingFilterInput) {"
    " listings(first: 50, after: $after, where: $where) { nodes { id sku title"
    f" channel {{ name }} variants(first: 100) {{ nodes {{ {_VARIANT} }} }}"
    " conditions { type status reason message } } pageInfo { hasNextPage endCursor } } }"
)
_CHANGES = "changes { field before after }"
_EXPLAIN: Final = (
    "query ($channel: ID!, $sku: String!) { listing(channel: $channel, sku: $sku)"
    " { id sku title variants(first: 100) { nodes { id sku } } }"
    " variant(channel: $channel, sku: $sku) { id sku } }"
)
_EXPLANATION: Final = (
    "sku at link { state compared message } quantity { value steps }"
    " operations { operation decisions { code message standing action outcome inputs }"
    f" actions {{ kind message {_CHANGES} }} next {{ code message at }}"
    " disabledFields { field title message } }"
    " attempts { at method url status error }"
)
_DONE: Final[Mapping[str, str]] = {
    "listingPause": "paused: nothing leaves",
    "listingUnpause": "not paused any more",
    "listingHide": "wanted hidden; the next sync hides it",
    "listingUnhide": "wanted back; the next sync shows it again",
    "listingDelist": "wanted gone; the next sync removes it",
    "listingRelist": "wanted listed; the next publish lists it again",
}


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    command(app, "list")(list_)
    command(app, "explain")(explain)
    command(app, "pause")(pause)
    command(app, "unpause")(unpause)
    command(app, "hide")(hide)
    command(app, "unhide")(unhide)
    command(app, "delist")(delist)
    command(app, "relist")(relist)


def list_(
    session: Session,
    *,
    name: ChannelOption = None,
    sku: Annotated[str | None, typer.Option("--sku", help="Exactly this one.")] = None,
    prefix: Annotated[str | None, typer.Option("--sku-prefix")] = None,
    title: Annotated[str | None, typer.Option("--title", help="The title contains this.")] = None,
    link: Annotated[LinkState | None, typer.Option("--link", case_sensitive=False)] = None,
    presence: Annotated[Presence | None, typer.Option("--presence", case_sensitive=False)] = None,
    sync: Annotated[SyncStatus | None, typer.Option("--sync", case_sensitive=False)] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", help="Code of a condition, such as LinkBroken.")
    ] = None,
    attention: Annotated[
        bool, typer.Option("--attention", help="Only what needs a person.")
    ] = False,
    paused: Annotated[bool | None, typer.Option("--paused/--not-paused")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000_000)] = 100,
) -> None:
    """List listings with their variants: wanted, seen, linked, and what needs attention."""
    where: dict[str, Json] = {
        "sku": sku,
        "skuPrefix": prefix,
        "titleContains": title,
        "linkState": link,
        "presence": presence,
        "syncStatus": sync,
        "reason": reason,
        "isPaused": paused,
        "needsAttention": True if attention else None,
        "channel": channel(session, name).id if name is not None else None,
    }
    where = {key: value for key, value in where.items() if value is not None}
    rows: list[Json] = []
    for row in session.api.pages(_LIST, {"where": where}, ("listings",)):
        rows.append(row)
        if len(rows) >= limit:
            break
    session.out.answer(rows)
    session.out.table(
        ["Channel", "SKU", "Title", "Wanted", "Seen", "Link", "Sync", "Values", "To know"],
        [_line(listing, variant) for listing in rows for variant in listing["variants"]["nodes"]],
        empty="No listing is like that."
        if where
        else "No listings yet; `listings import` adds some.",
    )
    if len(rows) >= limit:
        session.out.note(f"The first {limit}; more with --limit.")


def _line(listing: Json, variant: Json) -> Sequence[Cell]:
    told = [*listing["conditions"], *variant["conditions"]]
    urgent = [each for each in told if each["status"] in ("ATTENTION", "WAITING")]
    return [
        listing["channel"]["name"],
        variant["sku"],
        listing["title"],
        variant["presence"] + (" (paused)" if variant["isPaused"] else ""),
        variant["seenPresence"],
        variant["link"]["state"],
        variant["syncStatus"],
        "\n".join(
            _value(each)
            for each in variant["values"]
            if each["wanted"] is not None or each["seen"] is not None
        ),
        "; ".join(dict.fromkeys(each["message"] for each in urgent)),
    ]


def _value(value: Json) -> str:
    wanted, seen = value["wanted"], value["seen"]
    if wanted is None or value["isInSync"]:
        return f"{value['field']} {seen}"
    return f"{value['field']} {'-' if seen is None else seen} → {wanted}"


def explain(session: Session, *, sku: SkuArgument, name: ChannelOption = None) -> None:
    """Say why a listing is as it is: inputs, rule, decision, what happens next and when."""
    found = channel(session, name)
    answer = session.api.query(_EXPLAIN, {"channel": found.id, "sku": sku})
    listing = answer["listing"]
    if listing is not None and listing["sku"] == sku:
        variants = listing["variants"]["nodes"]
    elif answer["variant"] is not None:
        variants = [answer["variant"]]
    else:
        raise session.fail(no_listing(sku, found), code="NOT_FOUND")
    document = f"query ($id: ID!) {{ variant(id: $id) {{ explain {{ {_EXPLANATION} }} }} }}"
    told = [
        session.api.query(document, {"id": each["id"]})["variant"]["explain"] for each in variants
    ]
    session.out.answer(told)
    for each in told:
        _tell(session, each)


def _tell(session: Session, told: Json) -> None:
    quantity = told["quantity"]
    session.out.say(f"{told['sku']}")
    session.out.facts(
        {
            "Link": f"{told['link']['state']}: {told['link']['message']}",
            "Compared": told["link"]["compared"],
            "Quantity": "; ".join(quantity["steps"]),
        }
    )
    rows: list[Sequence[Cell]] = []
    for operation in told["operations"]:
        following = operation["next"]["message"]
        for action in operation["actions"]:
            changes = ", ".join(
                f"{change['field']} {change['before']} → {change['after']}"
                for change in action["changes"]
            )
            text = f"{action['message']} {changes}".strip()
            rows.append([operation["operation"], action["kind"], text, following])
        blank = []
        for decision in operation["decisions"]:
            if decision["standing"] == "ACTION" and operation["actions"]:
                continue
            if decision["code"] == "NoValue" and decision["standing"] == "IN_ORDER":
                blank.append(str(decision["inputs"].get("field", "")))
                continue
            rows.append(
                [operation["operation"], decision["standing"], decision["message"], following]
            )
        if blank:
            # One line for all that nobody has stated; --json has each.
            text = f"Nothing is stated for {', '.join(blank)}, so none of these is sent."
            rows.append([operation["operation"], "not sent", text, ""])
        rows += [
            [operation["operation"], "not sent", field["message"], ""]
            for field in operation["disabledFields"]
        ]
    session.out.table(["Operation", "Decision", "Because", "Next"], rows)
    if told["attempts"]:
        session.out.table(
            ["Last requests", "Request", "Status", "Error"],
            [
                [each["at"][:19], f"{each['method']} {each['url']}", each["status"], each["error"]]
                for each in told["attempts"]
            ],
        )


def pause(session: Session, *, skus: SkusArgument, name: ChannelOption = None) -> None:
    """Pause listings: nothing leaves for them, hiding and delisting included."""
    _ask(session, "listingPause", name, skus)


def unpause(session: Session, *, skus: SkusArgument, name: ChannelOption = None) -> None:
    """Let paused listings go on."""
    _ask(session, "listingUnpause", name, skus)


def hide(session: Session, *, skus: SkusArgument, name: ChannelOption = None) -> None:
    """Hide listings; what hiding overwrites is kept and comes back with `unhide`."""
    _ask(session, "listingHide", name, skus)


def unhide(session: Session, *, skus: SkusArgument, name: ChannelOption = None) -> None:
    """Bring hidden listings back."""
    _ask(session, "listingUnhide", name, skus)


def delist(session: Session, *, skus: SkusArgument, name: ChannelOption = None) -> None:
    """Take listings off the channel for good; the guard holds back what is too much at once."""
    _ask(session, "listingDelist", name, skus)


def relist(session: Session, *, skus: SkusArgument, name: ChannelOption = None) -> None:
    """Want delisted listings listed again; publishing creates them anew."""
    _ask(session, "listingRelist", name, skus)


def _ask(session: Session, mutation: str, name: str | None, skus: Sequence[str]) -> None:
    """Ask the same of several listings or variants; each one is answered for itself."""
    found = channel(session, name)
    problems: list[Json] = []
    targets: dict[str, str] = {}
    for sku in skus:
        target = listing_target(session, found, sku)
        if target is None:
            problems.append({"code": "NOT_FOUND", "message": no_listing(sku, found), "path": [sku]})
        else:
            targets[target[1]] = sku
    done: list[Json] = []
    ids = list(targets)
    for start in range(0, len(ids), _MOST_IDS):
        payload = session.api.mutate(
            f"mutation ($input: ListingTargetsInput!) {{ {mutation}(input: $input)"
            " { results { id changedVariants userErrors { code message } }"
            " userErrors { code message path } } }",
            {"input": {"ids": ids[start : start + _MOST_IDS]}},
            in_part=True,
        )
        for result in payload["results"] or ():
            sku = targets[result["id"]]
            done.append({"sku": sku, **result})
            problems += [{**error, "path": [sku]} for error in result["userErrors"]]
    if session.out.as_json:
        session.out.answer({"results": done, "errors": problems})
    else:
        for result in done:
            if not result["userErrors"]:
                number = result["changedVariants"]
                what = f"{number} variants" if number != 1 else "1 variant"
                text = f"{what} {_DONE[mutation]}" if number else "it was so already"
                session.out.say(f"{result['sku']}: {text}.")
        session.out.problems(problems)
    if problems:
        raise typer.Exit(Exit.REFUSED)
